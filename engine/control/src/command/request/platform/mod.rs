//! Requests of Blynk's Platform API: its names and shapes, the same functions behind them.

mod device;
mod list;
mod template;
mod value;

pub use device::{
    PlatformClear, PlatformConnected, PlatformDevice, PlatformDeviceCreate, PlatformDeviceDelete, PlatformDeviceEdit,
    PlatformDeviceShow, PlatformHardware, PlatformLifecycle, PlatformOnline, PlatformOwnerRemove, PlatformTag,
    PlatformTags, PlatformTransfer,
};
pub use list::{PlatformDeviceLine, PlatformDevices, PlatformPage};
pub use template::{PlatformTemplate, PlatformTemplates};
pub use value::{
    PlatformHistory, PlatformMetaField, PlatformMetaFieldSet, PlatformMetaFields, PlatformPoint, PlatformValue,
    PlatformValueSet, PlatformValues, PlatformValuesSet,
};

/// Lines of a page, where nothing is said.
const fn size() -> usize {
    50
}

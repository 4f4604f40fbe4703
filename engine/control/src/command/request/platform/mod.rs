//! Requests of Blynk's Platform API: its names and shapes, the same functions behind them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A request for a page: its own fields, and which page.
macro_rules! paged {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $name {
            $($(#[$about])* pub $field: $type,)*
            /// Which page, from 0.
            #[serde(default)]
            #[schemars(range(max = 10_000))]
            pub page: usize,
            /// Lines of a page.
            #[serde(default = "super::size")]
            #[schemars(range(min = 1, max = 1_000))]
            pub size: usize,
        }
    };
}

mod board;
mod device;
mod list;
mod log;
mod org;
mod template;
mod user;
mod value;

pub use board::{
    PlatformProvision, PlatformProvisioned, PlatformReconfigure, PlatformReconfigured, PlatformStatic, PlatformStatics,
};
pub use device::{
    PlatformBaseShow, PlatformClear, PlatformConnected, PlatformDevice, PlatformDeviceBase, PlatformDeviceCreate,
    PlatformDeviceDelete, PlatformDeviceEdit, PlatformDeviceShow, PlatformHardware, PlatformLifecycle, PlatformOnline,
    PlatformOwnerRemove, PlatformTag, PlatformTags, PlatformTransfer,
};
pub use list::{
    PlatformByOwner, PlatformByUserOrg, PlatformDeviceLine, PlatformDeviceSearch, PlatformDevices,
    PlatformLastActivated, PlatformPage, PlatformSort,
};
pub use log::{PlatformEventType, PlatformLog, PlatformLogs, PlatformTimeline, PlatformTimelineLine, PlatformTrigger};
pub use org::{
    PlatformOrg, PlatformOrgCreate, PlatformOrgDelete, PlatformOrgSearch, PlatformOrgShow, PlatformOrgSort,
    PlatformOrgType, PlatformProfile,
};
pub use template::{
    PlatformEvent, PlatformEvents, PlatformField, PlatformFields, PlatformStream, PlatformStreams, PlatformTemplate,
    PlatformTemplateShow, PlatformTemplates,
};
pub use user::{
    PlatformCreateInOrg, PlatformInvite, PlatformInvited, PlatformRegister, PlatformUser, PlatformUserCreate,
    PlatformUserRole, PlatformUserSearch, PlatformUserShow, PlatformUserSort, PlatformUserTransfer, PlatformUsers,
};
pub use value::{
    PlatformHistory, PlatformImport, PlatformMetaField, PlatformMetaFieldSet, PlatformMetaFields, PlatformPastPoint,
    PlatformPoint, PlatformPropertySet, PlatformValue, PlatformValueSet, PlatformValues, PlatformValuesSet,
};

/// Lines of a page, where nothing is said.
const fn size() -> usize {
    50
}

/// In which direction something is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum PlatformOrder {
    /// The smallest first.
    #[default]
    Asc,
    /// The largest first.
    Desc,
}

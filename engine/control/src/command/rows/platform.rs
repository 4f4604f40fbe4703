//! Blynk's Platform API, on the functions of the other rows.

use crate::command::platform;
use crate::command::request::*;
use crate::command::row::rows;

rows! {
    web PlatformDevices "platform.devices" -> PlatformPage<PlatformDeviceLine>: DeviceView, Look, platform::devices
        => "GET" "/api/v1/organization/devices";
    web PlatformDeviceShow "platform.device" -> PlatformDevice: DeviceView & DeviceToken & UserView, Reveal,
        platform::device => "GET" "/api/v1/organization/device";
    web PlatformDeviceCreate "platform.device-create" -> PlatformDevice: DeviceCreate & DeviceEdit & DeviceView & DeviceToken
        & UserView, Change, platform::create => "POST" "/api/v1/organization/device/create";
    web PlatformDeviceEdit "platform.device-edit" -> (): DeviceEdit & UserView, Change, platform::edit
        => "PUT" "/api/v1/organization/device";
    web PlatformDeviceDelete "platform.device-delete" -> (): DeviceDelete, Erase, platform::delete
        => "DELETE" "/api/v1/organization/device";
    web PlatformClear "platform.clear" -> (): DeviceErase, Erase, platform::clear
        => "DELETE" "/api/v1/organization/device/clear";
    web PlatformOwnerRemove "platform.owner-remove" -> (): DeviceTransfer & DeviceEdit, Change, platform::remove_owner
        => "DELETE" "/api/v1/organization/device/owner";
    web PlatformTransfer "platform.transfer" -> (): DeviceTransfer & DeviceCreate & DeviceEdit & UserView, Change,
        platform::transfer => "POST" "/api/v1/organization/device/transfer";
    web PlatformOnline "platform.online" -> PlatformConnected: DeviceView, Look, platform::online
        => "GET" "/api/v1/organization/device/online";
    web PlatformTags "platform.tags" -> Vec<PlatformTag>: DeviceView, Look, platform::tags
        => "GET" "/api/v1/organization/device/tags";
    web PlatformValues "platform.values" -> std::collections::BTreeMap<String, serde_json::Value>: DeviceView, Look,
        platform::values => "GET" "/api/v1/organization/device/datastreams";
    web PlatformValueSet "platform.value-set" -> (): DeviceControl, Change, platform::set_value
        => "POST" "/api/v1/organization/device/datastream";
    web PlatformValuesSet "platform.values-set" -> (): DeviceControl, Change, platform::set_values
        => "POST" "/api/v1/organization/device/datastreams";
    web PlatformHistory "platform.history" -> PlatformPage<PlatformPoint>: DeviceView, Look, platform::history
        => "GET" "/api/v1/organization/device/datastream/history";
    web PlatformMetaFields "platform.metafields" -> Vec<PlatformMetaField>: DeviceView, Look, platform::metafields
        => "GET" "/api/v1/organization/device/metafield";
    web PlatformMetaFieldSet "platform.metafield-set" -> (): DeviceEdit, Change, platform::set_metafield
        => "POST" "/api/v1/organization/device/metafield";
    web PlatformTemplates "platform.templates" -> PlatformPage<PlatformTemplate>: TemplateView, Look, platform::templates
        => "GET" "/api/v1/organization/templates";
}

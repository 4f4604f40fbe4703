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
    web PlatformOrgShow "platform.org" -> PlatformOrg: OrgView, Look, platform::org
        => "GET" "/api/v1/organization";
    web PlatformOrgDelete "platform.org-delete" -> (): OrgDelete, Erase, platform::delete_org
        => "DELETE" "/api/v1/organization";
    web PlatformProfile "platform.profile" -> PlatformOrg: OrgView, Look, platform::profile
        => "GET" "/api/v1/organization/profile";
    web PlatformOrgSearch "platform.search-orgs" -> PlatformPage<PlatformOrg>: OrgView, Look, platform::search_orgs
        => "GET" "/api/v1/organization/search";
    web PlatformOrgCreate "platform.org-create" -> PlatformOrg: OrgCreate, Change, platform::create_org
        => "POST" "/api/v1/organization/create";
    web PlatformTemplateShow "platform.template" -> PlatformTemplate: TemplateView, Look, platform::template
        => "GET" "/api/v1/organization/template";
    web PlatformStreams "platform.template-datastreams" -> Vec<PlatformStream>: TemplateView, Look, platform::streams
        => "GET" "/api/v1/organization/template/datastreams";
    web PlatformEvents "platform.template-events" -> Vec<PlatformEvent>: TemplateView, Look, platform::events
        => "GET" "/api/v1/organization/template/events";
    web PlatformFields "platform.template-metafields" -> Vec<PlatformField>: TemplateView, Look, platform::fields
        => "GET" "/api/v1/organization/template/metafields";
    web PlatformTemplates "platform.templates" -> PlatformPage<PlatformTemplate>: TemplateView, Look, platform::templates
        => "GET" "/api/v1/organization/templates";
    web PlatformDeviceSearch "platform.search-devices" -> PlatformPage<PlatformDeviceLine>: DeviceView, Look,
        platform::search_devices => "GET" "/api/v1/organization/search/devices";
    web PlatformBaseShow "platform.device-base" -> PlatformDeviceBase: DeviceView & DeviceToken, Reveal,
        platform::base_info => "GET" "/api/v1/organization/device/baseInfo";
    web PlatformByOwner "platform.by-owner" -> PlatformPage<PlatformDeviceLine>: DeviceView & UserView, Look,
        platform::by_owner => "GET" "/api/v1/organization/device/by-owner";
    web PlatformByUserOrg "platform.by-user-org" -> PlatformPage<PlatformDeviceLine>: DeviceView & UserView, Look,
        platform::by_user_org => "GET" "/api/v1/organization/device/by-user-org";
    web PlatformLastActivated "platform.last-activated" -> PlatformPage<PlatformDeviceLine>: DeviceView, Look,
        platform::last_activated => "GET" "/api/v1/organization/device/last-activated";
    web PlatformTrigger "platform.trigger-event" -> (): DeviceControl, Change, platform::trigger
        => "POST" "/api/v1/organization/device/trigger-event";
    web PlatformImport "platform.import" -> (): DeviceControl, Change, platform::import
        => "POST" "/api/v1/organization/device/import/batch";
    web PlatformPropertySet "platform.property-set" -> (): DeviceControl, Change, platform::set_property
        => "POST" "/api/v1/organization/device/datastream/property";
    web PlatformTimeline "platform.timeline" -> PlatformPage<PlatformTimelineLine>: EventView & UserView, Look,
        platform::timeline => "GET" "/api/v1/organization/device/timeline";
    web PlatformLogs "platform.logs" -> PlatformPage<PlatformLog>: DeviceDiagnose, Look, platform::logs
        => "GET" "/api/v1/organization/device/logs";
    web PlatformProvision "platform.provision" -> PlatformProvisioned: DeviceCreate & DeviceEdit, Reveal,
        platform::provision => "POST" "/api/v1/organization/device/provision/token";
    web PlatformReconfigure "platform.reconfigure" -> PlatformReconfigured: DeviceControl, Change,
        platform::reconfigure => "POST" "/api/v1/organization/device/provision/reconfigure";
    web PlatformStatics "platform.static-tokens" -> PlatformPage<PlatformStatic>: DeviceBatch, Look, platform::statics
        => "GET" "/api/v1/organization/static-tokens";
    people PlatformUsers "platform.users" -> PlatformPage<PlatformUser>: UserView, Look, platform::users
        => "GET" "/api/v1/organization/users";
    people PlatformUserSearch "platform.search-users" -> PlatformPage<PlatformUser>: UserView, Look,
        platform::search_users => "GET" "/api/v1/organization/search/users";
    people PlatformUserShow "platform.user" -> PlatformUser: UserView, Look, platform::show_user
        => "GET" "/api/v1/organization/user";
    people PlatformUserRole "platform.user-role" -> PlatformUser: UserView & RoleAssign, Change, platform::set_role
        => "PUT" "/api/v1/organization/users/role";
    people PlatformUserTransfer "platform.user-transfer" -> PlatformUser: UserTransfer & RoleAssign & UserView, Change,
        platform::move_user => "POST" "/api/v1/organization/users/transfer";
    web PlatformInvite "platform.invite" -> PlatformInvited: UserInvite, Change, platform::invite
        => "POST" "/api/v1/organization/users/invite";
    web PlatformCreateInOrg "platform.create-in-org" -> PlatformInvited: UserInvite, Change, platform::create_in_org
        => "POST" "/api/v1/organization/users/create-in-org";
    web PlatformUserCreate "platform.user-create" -> PlatformInvited: OrgCreate & UserInvite, Change,
        platform::create_user => "POST" "/api/v1/organization/users/create";
    web PlatformRegister "platform.register" -> (): UserInvite, Change, platform::register
        => "POST" "/api/v1/organization/users/register";
}

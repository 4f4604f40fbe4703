//! Devices, templates and events as objects of organizations.

use crate::command::request::*;
use crate::command::row::rows;
use crate::command::{fleet, happening, sheet};

rows! {
    web FleetList "fleet.list" -> FleetPage: DeviceView, Look, fleet::list => "GET" "/api/v1/orgs/{org}/devices";
    web FleetMake "fleet.make" -> FleetMade: DeviceCreate, Change, fleet::make => "POST" "/api/v1/orgs/{org}/devices";
    web FleetBatch "fleet.batch" -> FleetBatchDone: DeviceBatch & DeviceEdit & DeviceDelete & DeviceTransfer & DeviceCreate,
        Change, fleet::batch => "POST" "/api/v1/orgs/{org}/devices/batch";
    web FleetBulk "fleet.bulk" -> ListPage<FleetBulkLine>: DeviceBatch & DeviceCreate, Change, fleet::bulk
        => "POST" "/api/v1/orgs/{org}/devices/bulk";
    flow FleetExport "fleet.export" -> FleetExported [String]: DeviceExport & DeviceView, Reveal, fleet::export_fleet
        => "GET" "/api/v1/orgs/{org}/devices/export";
    flow FleetHistory "fleet.export-history" -> ExportBegun [String]: DeviceExport, Reveal, fleet::export_history
        => "GET" "/api/v1/orgs/{org}/devices/{device}/export";
    flow FleetWire "fleet.wire" -> TapBegun [Frame]: DeviceDiagnose, Reveal, fleet::wire
        => "GET" "/api/v1/orgs/{org}/devices/{device}/wire";
    web FleetTags "fleet.tags" -> Vec<String>: DeviceView, Look, fleet::tags => "GET" "/api/v1/orgs/{org}/tags";
    web AttemptList "fleet.attempts" -> ListPage<AttemptLine>: DeviceCreate, Look, fleet::attempts
        => "GET" "/api/v1/orgs/{org}/attempts";
    web FleetShowOne "fleet.show" -> FleetSheet: DeviceView & UserView, Look, fleet::show
        => "GET" "/api/v1/orgs/{org}/devices/{device}";
    web FleetChange "fleet.change" -> FleetSheet: DeviceEdit & UserView, Change, fleet::change
        => "PATCH" "/api/v1/orgs/{org}/devices/{device}";
    web FleetRemove "fleet.remove" -> (): DeviceDelete, Erase, fleet::remove
        => "DELETE" "/api/v1/orgs/{org}/devices/{device}";
    web FleetValues "fleet.values" -> Vec<FleetValue>: DeviceView, Look, fleet::values
        => "GET" "/api/v1/orgs/{org}/devices/{device}/values";
    web FleetTemplate "fleet.template" -> FleetTemplateShown: DeviceView & DashboardView & TemplateView, Look, fleet::template
        => "GET" "/api/v1/orgs/{org}/devices/{device}/template";
    web FleetWrite "fleet.write" -> FleetWritten: DeviceControl, Change, fleet::write
        => "PUT" "/api/v1/orgs/{org}/devices/{device}/values/{pin}";
    web FleetChart "fleet.chart" -> FleetCharted: DeviceView, Look, fleet::chart
        => "GET" "/api/v1/orgs/{org}/devices/{device}/history";
    web FleetErase "fleet.erase" -> (): DeviceErase, Erase, fleet::erase
        => "DELETE" "/api/v1/orgs/{org}/devices/{device}/data";
    web FleetDiary "fleet.diary" -> ListPage<FleetDiaryLine>: DeviceDiagnose, Look, fleet::diary
        => "GET" "/api/v1/orgs/{org}/devices/{device}/diary";
    web FleetTokenShow "fleet.token" -> FleetToken: DeviceToken, Reveal, fleet::show_token
        => "GET" "/api/v1/orgs/{org}/devices/{device}/token";
    web FleetTokenReplace "fleet.token-replace" -> FleetToken: DeviceToken, Change, fleet::replace_token
        => "POST" "/api/v1/orgs/{org}/devices/{device}/token";
    web ShareList "fleet.shares" -> ListPage<ShareLine>: DeviceEdit & UserView, Look, fleet::list_shares
        => "GET" "/api/v1/orgs/{org}/devices/{device}/shares";
    web ShareSet "fleet.share" -> (): DeviceEdit, Change, fleet::set_share
        => "PUT" "/api/v1/orgs/{org}/devices/{device}/shares/{user}";
    web ShareEnd "fleet.unshare" -> (): DeviceEdit, Change, fleet::end_share
        => "DELETE" "/api/v1/orgs/{org}/devices/{device}/shares/{user}";
    web FleetMove "fleet.move" -> (): DeviceTransfer & DeviceCreate, Change, fleet::move_one
        => "POST" "/api/v1/orgs/{org}/devices/{device}/move";
    web FleetUnclaim "fleet.unclaim" -> (): DeviceTransfer & DeviceEdit, Change, fleet::unclaim
        => "POST" "/api/v1/orgs/{org}/devices/{device}/unclaim";
    web SheetList "sheet.list" -> ListPage<SheetSummary>: TemplateView, Look, sheet::list
        => "GET" "/api/v1/orgs/{org}/templates";
    web SheetMake "sheet.make" -> SheetAnswer: TemplateEdit & DeviceView & DeviceEdit, Change, sheet::make
        => "POST" "/api/v1/orgs/{org}/templates";
    web SheetShow "sheet.show" -> SheetAnswer: TemplateView, Look, sheet::show
        => "GET" "/api/v1/orgs/{org}/templates/{template}";
    web SheetSave "sheet.save" -> SheetAnswer: TemplateEdit, Change, sheet::save
        => "PUT" "/api/v1/orgs/{org}/templates/{template}";
    web SheetRemove "sheet.remove" -> (): TemplateDelete, Erase, sheet::remove
        => "DELETE" "/api/v1/orgs/{org}/templates/{template}";
    web SheetVersions "sheet.versions" -> ListPage<SheetVersionLine>: TemplateView & UserView, Look, sheet::versions
        => "GET" "/api/v1/orgs/{org}/templates/{template}/versions";
    web SheetVersionShow "sheet.version" -> SheetAnswer: TemplateView, Look, sheet::show_version
        => "GET" "/api/v1/orgs/{org}/templates/{template}/versions/{version}";
    web SheetRestore "sheet.restore" -> SheetAnswer: TemplateEdit & TemplateView, Change, sheet::restore
        => "POST" "/api/v1/orgs/{org}/templates/{template}/restore";
    web SheetPublish "sheet.publish" -> SheetAnswer: TemplatePublish, Change, sheet::publish
        => "POST" "/api/v1/orgs/{org}/templates/{template}/publish";
    web HappeningList "event.list" -> ListPage<HappeningLine>: EventView & UserView, Look, happening::list
        => "GET" "/api/v1/orgs/{org}/events";
    web HappeningResolve "event.resolve" -> HappeningLine: EventResolve & UserView, Change, happening::resolve
        => "POST" "/api/v1/orgs/{org}/events/{event}/resolve";
}

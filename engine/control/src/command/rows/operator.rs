//! What operators ask at the admin socket and on the command line.

use crate::command::request::*;
use crate::command::row::rows;
use crate::command::{device, diary, erase, export, org, people, status, store, tap, template, upgrade};

rows! {
    ask    Status         "status"           -> StatusAnswer:         ServerManage,   Look,   status::status;
    ask    ConfigShow     "config.show"      -> ConfigShown:          ServerManage,   Look,   status::config;
    ask    Drain          "drain"            -> Draining:             ServerManage,   Change, status::drain;
    ask    DeviceList     "device.list"      -> Vec<DeviceLine>:      DeviceView,     Look,   device::list;
    ask    DeviceShow     "device.show"      -> DeviceFull:           DeviceView,     Look,   device::show;
    ask    DeviceAdd      "device.add"       -> Vec<MadeDevice>:      DeviceCreate,   Change, device::add;
    ask    DeviceWrite    "device.write"     -> Delivered:            DeviceControl,  Change, device::write;
    ask    DevicePush     "device.push"      -> Delivered:            DeviceControl,  Change, device::push;
    ask    DeviceToken    "device.token"     -> MadeDevice:           DeviceToken,    Reveal, device::token;
    ask    DeviceRemove   "device.remove"    -> RemovedDevice:        DeviceDelete,   Erase,  erase::remove;
    ask    DeviceDiary    "device.diary"     -> Vec<DiaryLine>:       DeviceDiagnose, Look,   diary::diary;
    follow DeviceExport   "device.export"    -> ExportBegun [ExportPiece]: DeviceExport, Reveal, export::export;
    follow DeviceTap      "device.tap"       -> TapBegun [Frame]:     DeviceDiagnose, Reveal, tap::tap;
    ask    TemplateList   "template.list"    -> Vec<TemplateSheet>:   TemplateView,   Look,   template::list;
    ask    TemplateShow   "template.show"    -> TemplateSheet:        TemplateView,   Look,   template::show;
    ask    TemplateAdd    "template.add"     -> AddedTemplate:        TemplateEdit,   Change, template::add;
    store  OrgList        "org.list"         -> Vec<OrgLine>:         OrgView,        Look,   org::list;
    store  OrgAdd         "org.add"          -> OrgLine:              OrgCreate,      Change, org::add;
    ask    UpgradeBegin   "upgrade.begin"    -> UpgradeBegun:         ServerManage,   Change, upgrade::begin;
    ask    UpgradeLast    "upgrade.status"   -> UpgradeReport:        ServerManage,   Look,   upgrade::last;
    store  UpgradeFinalize "upgrade.finalize" -> FinalizedStore:      ServerManage,   Change, people::finalize;
    store  AuditVerify    "audit.verify"     -> Vec<VerifiedAudit>:   AuditView,      Look,   people::verify_audit;
    store  UserCreate     "user.create"      -> MadeUser:             UserInvite,     Change, people::create_user;
    store  AccessWhy      "access.why"       -> AccessReasons:        UserView,       Look,   people::why;
    store  KeysStatus     "keys.status"      -> Keyring:              ServerManage,   Look,   store::keys_status;
    store  KeysRotate     "keys.rotate"      -> Rotated:              ServerManage,   Change, store::keys_rotate;
    store  KeysRotateRoot "keys.rotate-root" -> Keyring:              ServerManage,   Change, store::keys_rotate_root;
    store  KeysRewrap     "keys.rewrap"      -> Rewrapped:            ServerManage,   Change, store::keys_rewrap;
    both   EraseDevice    "erase.device"     -> ErasedDevice:         DeviceErase,    Erase,  erase::device, store::erase_device;
    both   EraseOrg       "erase.org"        -> ErasedOrg:            OrgDelete,      Erase,  erase::org, store::erase_org;
    store  StoreStats     "store.stats"      -> StoredNow:            ServerManage,   Look,   store::stats;
    store  StoreVerify    "store.verify"     -> VerifiedStore:        ServerManage,   Look,   store::verify;
    store  StoreAcceptClock "store.accept-clock" -> AcceptedClock:    ServerManage,   Change, store::accept_clock;
    store  BackupCreate   "backup.create"    -> MadeBackup:           ServerManage,   Change, store::backup_create;
    store  BackupList     "backup.list"      -> Vec<String>:          ServerManage,   Look,   store::backup_list;
    store  BackupVerify   "backup.verify"    -> CheckedBackup:        ServerManage,   Look,   store::backup_verify;
}

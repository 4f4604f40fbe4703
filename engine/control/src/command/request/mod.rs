//! What can be asked of the control plane, and how it is answered: the same types on both sides of the admin socket.
//! Unknown fields are refused. The comments of fields are the text of docs/admin.md.

/// Requests that hold secrets or addresses: their debug form is their name.
macro_rules! secretive {
    ($($name:ident)*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}

mod audit;
mod certificate;
mod claim;
mod device;
mod device_template;
mod fleet;
mod key;
mod link;
mod list;
mod me;
mod member;
mod oidc;
mod org;
mod people;
mod platform;
mod privacy;
mod server;
mod session;
mod sheet;
mod status;
mod store;
mod template;
mod tree;
mod upgrade;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use audit::{
    AuditEntryLine, AuditExport, AuditExportBegun, AuditHead, AuditHeadAnswer, AuditList, PermissionLine,
    PermissionList,
};
pub(crate) use certificate::which;
pub use certificate::{
    CertExport, CertKind, CertPlan, CertRenew, CertRevoke, CertRollback, CertStatus, CertTry, ExportedCertificate,
    RevokeReason,
};
pub use claim::{
    ClaimDevice, ClaimedDevice, ProvisionAgain, ProvisionMake, Provisioned, StaticList, StaticMade, StaticMake,
    StaticPair,
};
pub use device::{
    Delivered, DeviceAdd, DeviceDiary, DeviceExport, DeviceFull, DeviceLine, DeviceList, DevicePush, DeviceRemove,
    DeviceShow, DeviceTap, DeviceToken, DeviceWrite, DiaryLine, EventLine, ExportBegun, ExportPiece, ExportedAs, Frame,
    MadeDevice, PropertyLine, Pushed, RemovedDevice, TapBegun, ValueLine,
};
pub use device_template::{FleetTemplate, FleetTemplateShown};
pub use fleet::{
    AttemptLine, AttemptList, FleetBatch, FleetBatchDone, FleetBulk, FleetBulkLine, FleetChange, FleetChart,
    FleetCharted, FleetColumns, FleetCounts, FleetDiary, FleetDiaryLine, FleetErase, FleetExport, FleetExported,
    FleetHistory, FleetList, FleetMade, FleetMake, FleetMove, FleetPage, FleetRemove, FleetSeries, FleetSheet,
    FleetShow, FleetShowOne, FleetTags, FleetToken, FleetTokenReplace, FleetTokenShow, FleetUnclaim, FleetValue,
    FleetValues, FleetWire, FleetWrite, FleetWritten, ShareEnd, ShareLine, ShareList, ShareSet, SortOrder, WriteResult,
};
pub use key::{KeyCreate, KeyKindName, KeyLine, KeyList, KeyRevoke, KeyRotate, MadeKey, OauthToken, OauthTokens};
pub use link::{
    AddressConfirm, AddressStop, InviteAccept, LinkedPerson, PasswordForgot, PasswordReset, SetupAnswer, SetupLink,
    SetupOpen, SetupRenew, SetupState, SignUp,
};
pub use list::ListPage;
pub use me::{
    ConsentLine, FactorBegin, FactorConfirm, FactorRemove, FactorSecret, MeAddress, MeEdit, MePassword, MyConsentSet,
    MyConsents, MyKeyCreate, MyKeyRevoke, MyKeys, MySession, MySessionEnd, MySessions, MySessionsEnd, RecoveryCodes,
    RecoveryRenew,
};
pub use member::{
    GrantSet, InviteCreate, InviteLine, InviteList, InviteRevoke, MadeInvitation, RoleLine, RoleList, RolePut,
    RoleRemove, UserEdit, UserLine, UserList, UserLogout, UserMove, UserRemove, UserReset, UserResetFactor, UserResume,
    UserSessions, UserShow, UserSuspend,
};
pub use oidc::{OidcCallback, OidcLine, OidcLink, OidcList, OidcStart, OidcStarted, OidcUnlink};
pub use org::{OrgAdd, OrgLine, OrgList};
pub use people::{
    AccessReasons, AccessWhy, AuditVerify, CheckpointLine, FinalizedStore, MadeUser, UpgradeFinalize, UserCreate,
    VerifiedAudit,
};
pub use platform::{
    PlatformBaseShow, PlatformByOwner, PlatformByUserOrg, PlatformClear, PlatformConnected, PlatformCreateInOrg,
    PlatformDevice, PlatformDeviceBase, PlatformDeviceCreate, PlatformDeviceDelete, PlatformDeviceEdit,
    PlatformDeviceLine, PlatformDeviceSearch, PlatformDeviceShow, PlatformDevices, PlatformEvent, PlatformEventType,
    PlatformEvents, PlatformField, PlatformFields, PlatformHardware, PlatformHistory, PlatformImport, PlatformInvite,
    PlatformInvited, PlatformLastActivated, PlatformLifecycle, PlatformLog, PlatformLogs, PlatformMetaField,
    PlatformMetaFieldSet, PlatformMetaFields, PlatformOnline, PlatformOrder, PlatformOrg, PlatformOrgCreate,
    PlatformOrgDelete, PlatformOrgSearch, PlatformOrgShow, PlatformOrgSort, PlatformOrgType, PlatformOwnerRemove,
    PlatformPage, PlatformPastPoint, PlatformPoint, PlatformProfile, PlatformPropertySet, PlatformProvision,
    PlatformProvisioned, PlatformReconfigure, PlatformReconfigured, PlatformRegister, PlatformSort, PlatformStatic,
    PlatformStatics, PlatformStream, PlatformStreams, PlatformTag, PlatformTags, PlatformTemplate,
    PlatformTemplateShow, PlatformTemplates, PlatformTimeline, PlatformTimelineLine, PlatformTransfer, PlatformTrigger,
    PlatformUser, PlatformUserCreate, PlatformUserRole, PlatformUserSearch, PlatformUserShow, PlatformUserSort,
    PlatformUserTransfer, PlatformUsers, PlatformValue, PlatformValueSet, PlatformValues, PlatformValuesSet,
};
pub use privacy::{MeErase, MeExport, OrgErase, OrgExport, PrivacyExportBegun};
pub use server::{
    BackupBegin, CertificateAge, RotateBegin, ServerBackup, ServerBackups, ServerCertificate, ServerFinding,
    ServerGrade, ServerKeys, ServerLimit, ServerPage, ServerShard, ServerShow, ServerWork, VerifyBegin,
};
pub use session::{Me, MeShow, MyGrant, MyPerson, ServerFacts, SessionAnswer, SessionEnd, SessionOpen, SessionStepUp};
pub use sheet::{
    HappeningLine, HappeningList, HappeningResolve, SheetAnswer, SheetConnection, SheetEvent, SheetField,
    SheetFieldKind, SheetKind, SheetLabel, SheetLevel, SheetList, SheetMake, SheetPublish, SheetRemove, SheetRestore,
    SheetSave, SheetShow, SheetStream, SheetSummary, SheetVersionLine, SheetVersionShow, SheetVersions,
};
pub use status::{ConfigShow, ConfigShown, Drain, Draining, Status, StatusAnswer, StoreGlance};
pub use store::{
    AcceptedClock, BackupCreate, BackupList, BackupVerify, CheckedBackup, EraseDevice, EraseOrg, ErasedDevice,
    ErasedOrg, FamilyLine, Keyring, KeysRewrap, KeysRotate, KeysRotateRoot, KeysStatus, MadeBackup, RestoredBackup,
    Rewrapped, Rotated, StoreAcceptClock, StoreStats, StoreVerify, StoredNow, VerifiedStore,
};
pub use template::{
    AddedTemplate, StreamKind, StreamLine, TemplateAdd, TemplateList, TemplateSheet, TemplateShow, TopicLine,
};
pub use tree::{
    OrgChange, OrgChildren, OrgCreate, OrgDelete, OrgKindName, OrgMove, OrgResume, OrgSheet, OrgShow, OrgSuspend,
    PolicySheet,
};
pub use upgrade::{UpgradeBegin, UpgradeBegun, UpgradeLast, UpgradeReport, UpgradeState};

/// A request: one row of [`super::TABLE`].
pub trait Request: Serialize + DeserializeOwned + JsonSchema + Send + 'static {
    /// Its name, such as `device.show`.
    const NAME: &'static str;
    /// How it is answered.
    type Answer: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
}

/// A request whose answer is followed by items until one side ends it.
pub trait Follow: Request {
    /// What follows.
    type Item: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
}

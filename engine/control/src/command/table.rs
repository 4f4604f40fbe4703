//! The table of commands. A row has everything that is to be known of one: name, request, answer, who may, what the audit
//! log keeps of it, and the function. The admin socket, the command line and docs/admin.md come from it; routes over HTTP
//! stand in the same rows.

use std::collections::HashMap;
use std::sync::LazyLock;

use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use super::desk::Desk;
use super::request::*;
use super::run::{Later, Run, Streamed, answer, read};
use super::{device, diary, erase, export, org, people, status, store, tap, template};
use crate::access::Permission;
use crate::backup::Upkeep;
use crate::{Code, CommandError};

/// What is written down of a command that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditClass {
    /// Nothing: it only looks.
    Look,
    /// Who saw secrets or took data out.
    Reveal,
    /// Who changed something.
    Change,
    /// Who destroyed something.
    Erase,
}

impl AuditClass {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Reveal => "reveal",
            Self::Change => "change",
            Self::Erase => "erase",
        }
    }
}

/// Where a command is over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Such as `GET`.
    pub method: &'static str,
    /// Such as `/api/v1/devices/{device}`.
    pub path: &'static str,
}

/// The JSON schemas of a command.
#[derive(Clone, Debug)]
pub struct Shapes {
    /// Of the request.
    pub parameters: Schema,
    /// Of the answer.
    pub answer: Schema,
    /// Of what follows the answer, if something does.
    pub item: Option<Schema>,
}

/// One command.
pub struct Row {
    /// Its name, such as `device.show`.
    pub name: &'static str,
    /// Who may. Operators at the admin socket may everything.
    pub needs: Permission,
    /// What is written down.
    pub audit: AuditClass,
    /// Where it is over HTTP; `None`: it is for operators.
    pub route: Option<Route>,
    shapes: fn() -> Shapes,
    pub(crate) run: Run,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Row {
    /// Its schemas.
    #[must_use]
    pub fn shapes(&self) -> &'static Shapes {
        static SHAPES: LazyLock<HashMap<&str, Shapes>> =
            LazyLock::new(|| TABLE.iter().map(|row| (row.name, (row.shapes)())).collect());
        &SHAPES[self.name]
    }

    /// The command with this name.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn find(name: &str) -> Result<&'static Self, CommandError> {
        let text = || format!("there is no command {name:?}; see docs/admin.md");
        TABLE.iter().find(|row| row.name == name).ok_or_else(|| CommandError::new(Code::UnknownCommand, text()))
    }
}

/// A request that needs nothing but an open store: it is answered without a server too. Blocks for the disk.
pub trait Offline: Request {
    /// Does it leave the store as it is? Then a store that is open to read only will do.
    const ONLY_READS: bool;

    /// Carry it out.
    ///
    /// # Errors
    /// What the store or the place of backups says; a parameter is wrong.
    fn carry_out(&self, upkeep: &Upkeep) -> Result<Self::Answer, CommandError>;
}

/// Rows: kind, request, name, answer (and item), permission, audit class, function, and method and path over HTTP.
/// `ask`: answered once by the running server. `follow`: items come behind the answer. `store`: needs the store only.
/// `both`: the running server does more than the store alone; the second function is that of the store. A row that is
/// served over HTTP ends with `=> METHOD PATH`.
macro_rules! table {
    ($($kind:ident $request:ident $name:literal -> $answer:ty $([$item:ty])?: $needs:ident, $audit:ident,
        $run:path $(, $offline:path)? $(=> $method:literal $path:literal)?;)*) => {
        $(impl Request for $request {
            const NAME: &'static str = $name;
            type Answer = $answer;
        })*
        $($(impl Follow for $request {
            type Item = $item;
        })?)*
        $(table!(@offline $kind $request $audit $run $(, $offline)?);)*

        /// All commands.
        pub static TABLE: &[Row] = &[$(Row {
            name: $name,
            needs: Permission::$needs,
            audit: AuditClass::$audit,
            route: table!(@route $($method $path)?),
            shapes: || {
                let schema = SchemaGenerator::default;
                Shapes {
                    parameters: schema().into_root_schema_for::<$request>(),
                    answer: schema().into_root_schema_for::<$answer>(),
                    item: table!(@item $($item)?),
                }
            },
            run: table!(@run $kind $request $run),
        }),*];
    };
    (@route) => { None };
    (@route $method:literal $path:literal) => { Some(Route { method: $method, path: $path }) };
    (@item) => { None };
    (@item $item:ty) => { Some(SchemaGenerator::default().into_root_schema_for::<$item>()) };
    (@offline ask $request:ident $audit:ident $run:path) => {};
    (@offline follow $request:ident $audit:ident $run:path) => {};
    (@offline store $request:ident $audit:ident $run:path) => { table!(@offline both $request $audit $run, $run); };
    (@offline both $request:ident $audit:ident $run:path, $offline:path) => {
        impl Offline for $request {
            const ONLY_READS: bool = matches!(AuditClass::$audit, AuditClass::Look);

            fn carry_out(&self, upkeep: &Upkeep) -> Result<Self::Answer, CommandError> {
                $offline(upkeep, self)
            }
        }
    };
    (@run ask $request:ident $run:path) => {
        Run::Once({
            fn run(desk: &Desk, parameters: Value) -> Later<'_, Result<Value, CommandError>> {
                Box::pin(async move {
                    let request = read::<$request>(parameters)?;
                    answer(&$run(desk, request).await?)
                })
            }
            run
        })
    };
    (@run both $request:ident $run:path) => { table!(@run ask $request $run) };
    (@run store $request:ident $run:path) => {
        Run::Once({
            fn run(desk: &Desk, parameters: Value) -> Later<'_, Result<Value, CommandError>> {
                Box::pin(async move {
                    let request = read::<$request>(parameters)?;
                    answer(&desk.with_upkeep(move |upkeep| request.carry_out(upkeep)).await?)
                })
            }
            run
        })
    };
    (@run follow $request:ident $run:path) => {
        Run::Follow({
            fn run(desk: &Desk, parameters: Value) -> Later<'_, Result<Streamed, CommandError>> {
                Box::pin(async move {
                    let request = read::<$request>(parameters)?;
                    let (begun, items) = $run(desk, request).await?;
                    Ok(Streamed { begun: answer(&begun)?, items: Box::new(items) })
                })
            }
            run
        })
    };
}

table! {
    ask    Status         "status"           -> StatusAnswer:         ServerManage,   Look,   status::status;
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
    store  UpgradeFinalize "upgrade.finalize" -> FinalizedStore:      ServerManage,   Change, people::finalize;
    store  AuditVerify    "audit.verify"     -> Vec<VerifiedAudit>:   AuditView,      Look,   people::verify_audit;
    store  UserCreate     "user.create"      -> MadeUser:             UserInvite,     Change, people::create_user;
    store  UserList       "user.list"        -> Vec<UserLine>:        UserView,       Look,   people::list_users;
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

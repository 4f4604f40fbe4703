//! What operators do with the store: through the running server if there is one, else on the store itself.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use linchpin_control::request::{
    BackupCreate, EraseDevice, EraseOrg, KeysRewrap, KeysRotate, KeysRotateRoot, KeysStatus, OrgAdd, OrgList,
    StoreAcceptClock, StoreStats, StoreVerify,
};
use linchpin_control::{
    BackupPlace, CommandError, Keep, Offline, Upkeep, describe_backups, list_backups, restore_backup, verify_backup,
};
use linchpin_protocol::model::{DeviceId, OrgId};
use linchpin_storage::{Settings, Store, Unseal};
use serde::Serialize;
use serde_json::Value;

use super::args::{BackupVerb, Erase, FoundServer, KeysVerb, OrgVerb, StoreVerb, Where};
use super::failure::Failure;
use super::output::{json_line, say};
use super::{client, owner, show};
use crate::config::{self, StoreConfig, parse_unseal};
use crate::store;
use crate::when::TimeStyle;

/// Where the store is and what opens it.
struct Place {
    /// Of the running server, if it is elsewhere than in the data directory.
    socket: Option<PathBuf>,
    data_path: PathBuf,
    config: StoreConfig,
}

impl Where {
    fn place(&self) -> Result<Place, Failure> {
        let mut place = match self.at.found() {
            FoundServer::Config(path) => {
                let config = config::read(&path).map_err(|error| Failure::Config(error.to_string()))?;
                Place { socket: self.at.admin.clone(), data_path: config.data_path, config: config.store }
            }
            FoundServer::Data(data_path) => {
                Place { socket: self.at.admin.clone(), config: StoreConfig::for_dev(&data_path), data_path }
            }
        };
        if let Some(text) = &self.unseal {
            place.config.unseal = parse_unseal(text).map_err(Failure::general)?;
        }
        Ok(place)
    }

    /// The admin socket of its server.
    pub(super) fn socket(&self) -> Result<PathBuf, Failure> {
        let place = self.place()?;
        Ok(place.socket.unwrap_or_else(|| place.data_path.join("admin.sock")))
    }

    /// Do something with the store itself, which nobody else has open.
    pub(super) fn with_store<T>(
        &self,
        only_reads: bool,
        job: impl FnOnce(&Arc<Store>, &StoreConfig) -> Result<T, CommandError>,
    ) -> Result<T, Failure> {
        self.place()?.with_store(only_reads, job)
    }

    /// Carry out a command.
    pub(super) fn answer<R: Offline>(&self, request: &R) -> Result<R::Answer, Failure> {
        serde_json::from_value(self.place()?.ask(request)?).map_err(Failure::general)
    }

    /// Carry out a command and print its answer.
    pub(super) fn run<R: Offline>(&self, request: &R) -> Result<(), Failure> {
        self.print(&self.place()?.ask(request)?)
    }

    /// The same; what it means that it has come so far is said first.
    fn run_well<R: Offline>(&self, request: &R, well: &str) -> Result<(), Failure> {
        let answer = self.place()?.ask(request)?;
        self.print_well(&answer, well)
    }

    fn print_well(&self, answer: &Value, well: &str) -> Result<(), Failure> {
        if !self.at.json {
            say(&format!("{well}\n"))?;
        }
        self.print(answer)
    }

    fn print(&self, answer: &Value) -> Result<(), Failure> {
        say(&if self.at.json { json_line(answer)? } else { show::facts_text(answer, TimeStyle::of(self.at.utc)) })
    }
}

pub(super) fn to_json(answer: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(answer).map_err(Failure::general)
}

impl Place {
    /// Ask the running server, or do it here.
    fn ask<R: Offline>(&self, request: &R) -> Result<Value, Failure> {
        let socket = self.socket.clone().unwrap_or_else(|| self.data_path.join("admin.sock"));
        if UnixStream::connect(&socket).is_ok() {
            return Ok(client::ask_patiently(&socket, request).map_err(Failure::general)?.json);
        }
        let answer = self.with_store(R::ONLY_READS, |store, config| {
            request.carry_out(&Upkeep::new(Keep::new(Arc::clone(store)), config.unseal.clone(), config.backup.clone()))
        })?;
        to_json(&answer)
    }

    fn with_store<T>(
        &self,
        only_reads: bool,
        job: impl FnOnce(&Arc<Store>, &StoreConfig) -> Result<T, CommandError>,
    ) -> Result<T, Failure> {
        let settings = Settings { create: false, ..store::settings(&self.data_path, &self.config) };
        linchpin_storage::harden().map_err(Failure::general)?;
        let open = if only_reads { Store::open_to_read } else { Store::open };
        let opened = Arc::new(open(settings).map_err(|error| self.not_opened(&error))?);
        let answer = job(&opened, &self.config);
        let closed = opened.close();
        let answer = answer.map_err(Failure::general)?;
        closed.map_err(Failure::general)?;
        Ok(answer)
    }

    /// Why the store cannot be opened here, and as whom it can be.
    fn not_opened(&self, error: &linchpin_storage::Error) -> Failure {
        use linchpin_storage::Error;
        match (error, owner::other_owner(&self.data_path.join("store"))) {
            (Error::Folder { .. } | Error::Io { .. } | Error::Key { .. }, Some(user)) => Failure::General(format!(
                "the store in {} is {user}'s, and nothing was touched: {}",
                self.data_path.display(),
                owner::command_as(&user)
            )),
            _ => Failure::general(error),
        }
    }

    /// Where its backups are.
    fn backups(&self, named: Option<&str>) -> Result<BackupPlace, Failure> {
        match (named, &self.config.backup) {
            (Some(text), _) => BackupPlace::parse(text).map_err(Failure::general),
            (None, Some(plan)) => Ok(plan.place.clone()),
            (None, None) => Err(Failure::general(
                "no place of backups is known: name it with --from, or the configuration with --config",
            )),
        }
    }
}

/// `linchpin keys`.
pub(crate) fn keys(verb: KeysVerb) -> Result<(), Failure> {
    match verb {
        KeysVerb::Status(at) => at.run(&KeysStatus {}),
        KeysVerb::Rotate(at) => at.run(&KeysRotate {}),
        KeysVerb::RotateRoot(at) => at.run(&KeysRotateRoot {}),
        KeysVerb::Rewrap { to, backups, at } => {
            let mut request = KeysRewrap { to: backups, ..KeysRewrap::default() };
            match parse_unseal(&to).map_err(Failure::general)? {
                Unseal::File(path) => request.file = Some(path),
                Unseal::Credential(name) => request.credential = Some(name),
                Unseal::Environment(name) => request.environment = Some(name),
                // No text names a key itself.
                Unseal::Passphrase(_) | Unseal::Key(_) => return Err(Failure::general("name a source of the key")),
            }
            at.run(&request)
        }
    }
}

/// `linchpin erase`.
pub(crate) fn erase(flags: &Erase) -> Result<(), Failure> {
    let none = || Failure::general("neither organizations nor devices have the number 0");
    let confirm = |what: &str| match flags.yes || confirmed(what, "erase")? {
        true => Ok(()),
        false => Err(Failure::general("nothing was erased")),
    };
    if let Some(named) = &flags.org {
        let number = flags.at.org(named)?;
        let org = OrgId::new(number).ok_or_else(none)?;
        // Both, so that a person sees what the name means.
        let name = if *named == number.to_string() { String::new() } else { format!(" ({named})") };
        confirm(&format!("organization {org}{name} with all its devices"))?;
        return flags.at.run(&EraseOrg { org: org.into(), to: flags.backups.clone() });
    }
    let device = DeviceId::new(flags.device.unwrap_or_default()).ok_or_else(none)?;
    confirm(&format!("device {device} with its history"))?;
    flags.at.run(&EraseDevice { device: device.into() })
}

/// Ask a person to type the word.
pub(super) fn confirmed(what: &str, word: &str) -> Result<bool, Failure> {
    say(&format!("This {word}s {what} for ever. Type \"{word}\" to go on: "))?;
    std::io::stdout().flush().map_err(Failure::general)?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(Failure::general)?;
    Ok(line.trim() == word)
}

/// `linchpin store`.
pub(crate) fn store(verb: StoreVerb) -> Result<(), Failure> {
    match verb {
        StoreVerb::Verify(at) => at.run_well(&StoreVerify {}, "ok: every record and table is as it was written"),
        StoreVerb::Stats(at) => at.run(&StoreStats {}),
        StoreVerb::AcceptClock(at) => at.run(&StoreAcceptClock {}),
    }
}

/// `linchpin backup`. Listing, checking and restoring need no store: the machine that had it may be gone.
pub(crate) fn backup(verb: BackupVerb) -> Result<(), Failure> {
    match verb {
        BackupVerb::Create { to, keep, at } => at.run(&BackupCreate { to, keep }),
        BackupVerb::List { from, at } => {
            let place = at.place()?.backups(from.as_deref())?;
            if at.at.json {
                return say(&json_line(&list_backups(&place).map_err(Failure::general)?)?);
            }
            let listed = describe_backups(&place).map_err(Failure::general)?;
            say(&show::backups_text(&listed, TimeStyle::of(at.at.utc)))
        }
        BackupVerb::Verify { id, from, at } => {
            let place = at.place()?;
            let backups = place.backups(from.as_deref())?;
            let answer = verify_backup(&backups, id.as_deref(), &place.config.unseal);
            at.print_well(&to_json(&answer.map_err(Failure::general)?)?, "ok: signature and every object are right")
        }
        BackupVerb::Restore { id, from, into, at } => {
            let place = at.place()?;
            let backups = place.backups(from.as_deref())?;
            // The anchor tells of what came after the backup: it begins anew beside the restored store.
            let config = StoreConfig { anchor: None, ..place.config };
            std::fs::create_dir_all(&into).map_err(|error| Failure::general(format!("{}: {error}", into.display())))?;
            linchpin_storage::harden().map_err(Failure::general)?;
            let answer = restore_backup(&backups, id.as_deref(), store::settings(&into, &config));
            at.print(&to_json(&answer.map_err(Failure::general)?)?)
        }
    }
}

/// `linchpin org`.
pub(crate) fn org(verb: OrgVerb) -> Result<(), Failure> {
    match verb {
        OrgVerb::List(at) => at.run(&OrgList {}),
        OrgVerb::Add { name, at } => at.run(&OrgAdd { name }),
    }
}

//! What operators do with the store: through the running server if there is one, else on the store itself.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use linchpin_control::Keep;
use linchpin_control::upkeep::{self, BackupPlace, Upkeep};
use linchpin_storage::{Settings, Store};
use serde_json::{Value, json};

use super::args::{BackupVerb, Erase, KeysVerb, OrgVerb, StoreVerb, Where, default_data};
use super::failure::Failure;
use super::output::say;
use super::{client, show};
use crate::config::{self, StoreConfig, parse_unseal};
use crate::store;

/// Where the store is and what opens it.
struct Place {
    data_path: PathBuf,
    config: StoreConfig,
}

impl Where {
    fn place(&self) -> Result<Place, Failure> {
        let mut place = match &self.config {
            Some(path) => {
                let config = config::read(path).map_err(|error| Failure::Config(error.to_string()))?;
                Place { data_path: config.data_path, config: config.store }
            }
            None => {
                let data_path = self.data.clone().unwrap_or_else(default_data);
                Place { config: StoreConfig::for_dev(&data_path), data_path }
            }
        };
        if let Some(text) = &self.unseal {
            place.config.unseal = parse_unseal(text).map_err(Failure::general)?;
        }
        Ok(place)
    }

    /// Carry out a command and print its answer.
    fn run(&self, command: &str, parameters: Value) -> Result<(), Failure> {
        let answer = self.place()?.ask(command, parameters)?;
        self.print(&answer)
    }

    fn print(&self, answer: &Value) -> Result<(), Failure> {
        say(&if self.json { format!("{answer}\n") } else { show::facts_text(answer) })
    }
}

impl Place {
    /// Ask the running server, or do it here.
    fn ask(&self, command: &str, parameters: Value) -> Result<Value, Failure> {
        let socket = self.data_path.join("admin.sock");
        if UnixStream::connect(&socket).is_ok() {
            return client::ask_patiently(&socket, command, parameters).map_err(Failure::general);
        }
        let settings = Settings { create: false, ..store::settings(&self.data_path, &self.config) };
        linchpin_storage::harden().map_err(Failure::general)?;
        let only_reads = Upkeep::only_reads(command);
        let open = if only_reads { Store::open_to_read } else { Store::open };
        let opened = Arc::new(open(settings).map_err(Failure::general)?);
        let upkeep =
            Upkeep::new(Keep::new(Arc::clone(&opened)), self.config.unseal.clone(), self.config.backup.clone());
        let answer = upkeep.carry_out(command, &parameters);
        let closed = opened.close();
        let answer = answer.map_err(Failure::general)?;
        closed.map_err(Failure::general)?;
        Ok(answer)
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
        KeysVerb::Status(at) => at.run("keys.status", json!({})),
        KeysVerb::Rotate(at) => at.run("keys.rotate", json!({})),
        KeysVerb::RotateRoot(at) => at.run("keys.rotate-root", json!({})),
        KeysVerb::Rewrap { to, backups, at } => {
            parse_unseal(&to).map_err(Failure::general)?;
            let (kind, name) = to.split_once(':').unwrap_or_default();
            at.run("keys.rewrap", json!({kind: name, "to": backups}))
        }
    }
}

/// `linchpin erase`.
pub(crate) fn erase(flags: &Erase) -> Result<(), Failure> {
    let (command, what, parameters) = match (flags.org, flags.device) {
        (Some(org), _) => {
            ("erase.org", format!("organization {org} with all its devices"), json!({"org": org, "to": flags.backups}))
        }
        (None, device) => {
            let id = device.unwrap_or_default();
            ("erase.device", format!("device {id} with its history"), json!({"device": id}))
        }
    };
    if !flags.yes && !confirmed(&what)? {
        return Err(Failure::general("nothing was erased"));
    }
    flags.at.run(command, parameters)
}

fn confirmed(what: &str) -> Result<bool, Failure> {
    say(&format!("This erases {what} for ever. Type \"erase\" to go on: "))?;
    std::io::stdout().flush().map_err(Failure::general)?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(Failure::general)?;
    Ok(line.trim() == "erase")
}

/// `linchpin store`.
pub(crate) fn store(verb: StoreVerb) -> Result<(), Failure> {
    match verb {
        StoreVerb::Verify(at) => at.run("store.verify", json!({})),
        StoreVerb::Stats(at) => at.run("store.stats", json!({})),
        StoreVerb::AcceptClock(at) => at.run("store.accept-clock", json!({})),
    }
}

/// `linchpin backup`. Listing, checking and restoring need no store: the machine that had it may be gone.
pub(crate) fn backup(verb: BackupVerb) -> Result<(), Failure> {
    match verb {
        BackupVerb::Create { to, keep, at } => at.run("backup.create", json!({"to": to, "keep": keep})),
        BackupVerb::List { from, at } => {
            let answer = upkeep::list(&at.place()?.backups(from.as_deref())?).map_err(Failure::general)?;
            at.print(&answer)
        }
        BackupVerb::Verify { id, from, at } => {
            let place = at.place()?;
            let backups = place.backups(from.as_deref())?;
            let answer = upkeep::verify(&backups, id.as_deref(), &place.config.unseal);
            at.print(&answer.map_err(Failure::general)?)
        }
        BackupVerb::Restore { id, from, into, verify: _, at } => {
            let place = at.place()?;
            let backups = place.backups(from.as_deref())?;
            // The anchor tells of what came after the backup: it begins anew beside the restored store.
            let config = StoreConfig { anchor: None, ..place.config };
            std::fs::create_dir_all(&into).map_err(|error| Failure::general(format!("{}: {error}", into.display())))?;
            linchpin_storage::harden().map_err(Failure::general)?;
            let answer = upkeep::restore(&backups, id.as_deref(), store::settings(&into, &config));
            at.print(&answer.map_err(Failure::general)?)
        }
    }
}

/// `linchpin org`.
pub(crate) fn org(verb: OrgVerb) -> Result<(), Failure> {
    match verb {
        OrgVerb::List(at) => at.run("org.list", json!({})),
        OrgVerb::Add { name, at } => at.run("org.add", json!({"name": name})),
    }
}

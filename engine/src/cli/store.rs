//! What operators do with the store: through the running server if there is one, else on the store itself.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use linchpin_control::Keep;
use linchpin_control::upkeep::{self, BackupPlace, Upkeep};
use linchpin_storage::{Settings, Store};
use serde_json::{Value, json};

use crate::cli::Failure;
use crate::cli::device::say;
use crate::cli::{client, show};
use crate::config::{self, StoreConfig, parse_unseal};
use crate::serve::launch::default_data;
use crate::store;

/// Which store.
#[derive(Args)]
pub(crate) struct Where {
    /// The server's configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory of a server that has no configuration file.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    data: Option<PathBuf>,
    /// What opens the keys instead: file:/PATH, credential:NAME or environment:NAME.
    #[arg(long, value_name = "SOURCE")]
    unseal: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
pub(crate) enum KeysVerb {
    /// What the keyring holds.
    Status(Where),
    /// New keys for all organizations; every record is sealed again.
    Rotate(Where),
    /// A new root key.
    RotateRoot(Where),
    /// Open the keyring by another source from now on, in the backups too.
    Rewrap {
        /// The new source: file:/PATH, credential:NAME or environment:NAME. Then change the configuration.
        #[arg(long, value_name = "SOURCE")]
        to: String,
        /// Backups elsewhere than the configuration says.
        #[arg(long, value_name = "PLACE")]
        backups: Option<String>,
        #[command(flatten)]
        at: Where,
    },
}

/// What to erase.
#[derive(Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["org", "device"])))]
pub(crate) struct Erase {
    /// An organization with all that it has: its key is destroyed, in the backups too.
    #[arg(long, value_name = "N")]
    org: Option<u32>,
    /// A device with its token, values, history and events. Backups keep it until they are removed.
    #[arg(long, value_name = "ID")]
    device: Option<u32>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Backups elsewhere than the configuration says.
    #[arg(long, value_name = "PLACE")]
    backups: Option<String>,
    #[command(flatten)]
    at: Where,
}

#[derive(Subcommand)]
pub(crate) enum StoreVerb {
    /// Read and authenticate every record, and compare every table with the inventory.
    Verify(Where),
    /// What is in it.
    Stats(Where),
}

#[derive(Subcommand)]
pub(crate) enum BackupVerb {
    /// Make a backup while the server runs, or of a store that nobody has open.
    Create {
        /// A folder or s3://BUCKET/PREFIX; else what the configuration says.
        #[arg(long, value_name = "PLACE")]
        to: Option<String>,
        /// Remove all but so many.
        #[arg(long, value_name = "N")]
        keep: Option<u32>,
        #[command(flatten)]
        at: Where,
    },
    /// Names of the backups, the oldest first.
    List {
        /// A folder or s3://BUCKET/PREFIX; else what the configuration says.
        #[arg(long, value_name = "PLACE")]
        from: Option<String>,
        #[command(flatten)]
        at: Where,
    },
    /// Check a backup's signature and every object of it.
    Verify {
        /// Its name; else the newest.
        id: Option<String>,
        /// A folder or s3://BUCKET/PREFIX; else what the configuration says.
        #[arg(long, value_name = "PLACE")]
        from: Option<String>,
        #[command(flatten)]
        at: Where,
    },
    /// Restore a backup into an empty folder, open it there and read every record.
    Restore {
        /// Its name; else the newest.
        id: Option<String>,
        /// A folder or s3://BUCKET/PREFIX; else what the configuration says.
        #[arg(long, value_name = "PLACE")]
        from: Option<String>,
        /// The data directory to make: a server starts with it afterwards.
        #[arg(long, value_name = "DIR")]
        into: PathBuf,
        /// Nothing else than without it: what was restored is always read once.
        #[arg(long)]
        verify: bool,
        #[command(flatten)]
        at: Where,
    },
}

#[derive(Subcommand)]
pub(crate) enum OrgVerb {
    /// All organizations.
    List(Where),
    /// Make one.
    Add {
        /// For people.
        name: String,
        #[command(flatten)]
        at: Where,
    },
}

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
        let opened = Arc::new(Store::open(settings).map_err(Failure::general)?);
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

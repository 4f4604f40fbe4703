//! The command line as clap parses it: one table for parsing, help, completions and man pages.

mod at;
mod certificate;
mod device;
#[cfg(test)]
mod page;
mod people;
mod store;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use linchpin_driver::Features;
use linchpin_tls::Layer;

pub(crate) use self::at::{At, FoundServer, config_file, default_data};
pub(crate) use self::certificate::{CertVerb, OfKind, OfNames};
pub(crate) use self::device::{DeviceVerb, ExportArgs, ListFlags, PushArgument, Sim, TemplateVerb};
pub(crate) use self::people::{
    AdminOrgVerb, AdminVerb, InOrg, InviteVerb, KeyVerb, OfUser, RoleVerb, SessionVerb, UserVerb,
};
pub(crate) use self::store::{
    AccessVerb, AuditVerb, BackupVerb, Erase, KeysVerb, OrgVerb, StoreVerb, Upgrade, UpgradeVerb, Where,
};
use crate::config::{Assignment, EngineOptions};
use crate::limits;
use crate::serve::log;

/// Self-hosted server for Blynk devices.
#[derive(Parser)]
#[command(name = "linchpin", version, about, after_help = at::WHICH_SERVER)]
pub(crate) struct Line {
    #[command(subcommand)]
    pub(crate) command: Verb,
}

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Start a server without any configuration, with demo devices.
    Dev(Dev),
    /// Start a server from a configuration file.
    Serve {
        /// The file (TOML).
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Write where it listens to this file (JSON, 0600) once it does.
        #[arg(long)]
        ready_file: Option<PathBuf>,
        /// How log lines look; goes before [log] format of the file.
        #[arg(long, value_name = "FORMAT")]
        log_format: Option<log::Format>,
        /// Start once from an older copy of the store; newer data is lost.
        #[arg(long)]
        accept_rollback: bool,
    },
    /// Find all mistakes of a configuration file, and say what a reload would change.
    Check {
        /// The file (TOML).
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Ask nobody on the network: whether certificates could be ordered is not looked at.
        #[arg(long)]
        offline: bool,
    },
    /// The configuration file.
    #[command(subcommand)]
    Config(ConfigVerb),
    /// How the running server is: devices, load, memory, disk, backups, certificate.
    Status {
        /// What each shard holds and has counted, too.
        #[arg(long)]
        shards: bool,
        #[command(flatten)]
        at: At,
    },
    /// Devices of the running server.
    #[command(subcommand)]
    Device(DeviceVerb),
    /// Templates of the running server.
    #[command(subcommand)]
    Template(TemplateVerb),
    /// End all connections of the running server at a pace and take no new ones; shows how many are left.
    Drain {
        /// Send the devices to another server first.
        #[arg(long, value_name = "HOST:PORT")]
        redirect: Option<String>,
        /// Connections a second.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        per_second: Option<u32>,
        /// Take a drain back: connections that are left stay, and new ones are taken again.
        #[arg(long, conflicts_with_all = ["redirect", "per_second"])]
        undo: bool,
        /// Do not wait until all have ended.
        #[arg(long)]
        no_wait: bool,
        #[command(flatten)]
        at: At,
    },
    /// Certificates that the server orders by itself.
    #[command(subcommand)]
    Cert(CertVerb),
    /// Keys of the store.
    #[command(subcommand)]
    Keys(KeysVerb),
    /// Erase an organization or a device for ever.
    Erase(Erase),
    /// The store itself.
    #[command(subcommand)]
    Store(StoreVerb),
    /// Backups: made while the server runs, checked and restored without it.
    #[command(subcommand)]
    Backup(BackupVerb),
    /// Replace the running server while its connections stand; `finalize`: let the store have what came later.
    Upgrade(Upgrade),
    /// The audit log.
    #[command(subcommand)]
    Audit(AuditVerb),
    /// Who may do what.
    #[command(subcommand)]
    Access(AccessVerb),
    /// People, as the operator of the server.
    #[command(subcommand)]
    Admin(AdminVerb),
    /// Organizations, which own devices.
    #[command(subcommand)]
    Org(OrgVerb),
    /// A live view of the running server: load, ticks, journal, devices that come and go. q ends it.
    Top {
        /// Seconds between two looks.
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3_600))]
        every: u64,
        /// One look over one interval, then end.
        #[arg(long)]
        once: bool,
        #[command(flatten)]
        at: At,
    },
    /// Would the server start, and is this machine ready for it? Prints what is wrong and the command that fixes it.
    Doctor {
        /// The server's configuration file.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// As root: look as this user would; without it as the user of the unit that has this file.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the completions of a shell.
    Completions {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
    /// Write man pages to a folder.
    Man {
        /// The folder.
        folder: PathBuf,
    },
    /// The version of this program.
    Version {
        /// Print what it is made of: its bill of materials (CycloneDX 1.5, JSON), vendored C and C++ included.
        #[arg(long)]
        sbom: bool,
    },
    /// Why a device was disconnected: what a code such as E0103 means and what to do about it.
    Explain {
        /// The code: E0103, e103 or 103.
        code: String,
    },
}

/// Where `linchpin dev` speaks TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TlsFlag {
    Auto,
    Off,
    At(SocketAddr),
}

impl std::str::FromStr for TlsFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            address => address.parse().map(Self::At).map_err(|_| {
                format!("{address:?} is neither \"off\" nor an address with a port, such as 127.0.0.1:9443")
            }),
        }
    }
}

impl TlsFlag {
    /// The address; `any` is the one that the plain port has without flags. Who takes any free port for `plain` gets one
    /// for TLS too.
    pub(crate) fn address(self, any: IpAddr, plain: SocketAddr) -> Option<SocketAddr> {
        match self {
            Self::Auto => Some(SocketAddr::new(any, if plain.port() == 0 { 0 } else { 9_443 })),
            Self::Off => None,
            Self::At(address) if address.ip().is_loopback() && !any.is_loopback() => {
                Some(SocketAddr::new(any, address.port()))
            }
            Self::At(address) => Some(address),
        }
    }
}

fn record_layer(text: &str) -> Result<Layer, String> {
    match text {
        "in-place" => Ok(Layer::InPlace),
        "rustls" => Ok(Layer::Rustls),
        _ => Err("the record layer is \"in-place\" or \"rustls\"".to_owned()),
    }
}

#[derive(Args)]
pub(crate) struct Dev {
    /// Also the routes of the control plane that only tests need.
    #[arg(long, hide = true)]
    pub(crate) test_routes: bool,
    /// Listen on all addresses, for boards on the network.
    #[arg(long)]
    pub(crate) lan: bool,
    /// Address of the plain port; port 0 = any free one.
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) plain: Option<SocketAddr>,
    /// Address of the TLS port, with a certificate of an authority of its own; "off" = no TLS. [default: port 9443, or any
    /// free one if --plain has port 0]
    #[arg(long, value_name = "ADDR", default_value = "auto", hide_default_value = true)]
    pub(crate) tls: TlsFlag,
    /// Who opens and seals TLS records: in-place or rustls.
    #[arg(long, value_name = "NAME", default_value = "in-place", value_parser = record_layer)]
    pub(crate) record_layer: Layer,
    /// Address of the metrics; port 0 = any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", value_parser = loopback)]
    pub(crate) metrics: SocketAddr,
    /// Data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Threads with their own sockets; default: one a core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(limits::SHARDS)))]
    pub(crate) shards: Option<u16>,
    /// Back end.
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = ["auto", "io_uring", "portable"])]
    pub(crate) driver: String,
    /// Newer io_uring features: all, 6.1, or a list such as -no_sqarray.
    #[arg(long, value_name = "LIST", value_parser = Features::parse, allow_hyphen_values = true)]
    pub(crate) driver_features: Option<Features>,
    /// Connections to be ready for.
    #[arg(long, value_name = "N", default_value_t = EngineOptions::CONNECTIONS,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(linchpin_driver::limits::MAX_CONNECTIONS) * i64::from(limits::SHARDS)))]
    pub(crate) connections: u32,
    /// Write where it listens and the devices' tokens to this file (JSON, 0600).
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Serve the console from this folder, and each new build in it (`make console-watch`).
    #[arg(long, value_name = "DIR")]
    pub(crate) console: Option<PathBuf>,
    /// Keep nothing on the disk: devices, tokens and values are gone when the server stops.
    #[arg(long)]
    pub(crate) memory: bool,
    /// Start once from an older copy of the store; newer data is lost.
    #[arg(long, conflicts_with = "memory")]
    pub(crate) accept_rollback: bool,
    /// Create so many extra test devices, without template.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "tokens_out",
          value_parser = clap::value_parser!(u32).range(0..=i64::from(limits::DEVICES)))]
    pub(crate) devices: u32,
    /// Write the ids and tokens of --devices to this file (0600).
    #[arg(long, value_name = "FILE")]
    pub(crate) tokens_out: Option<PathBuf>,
    /// A limit by its name in the configuration's [limits], such as message_burst=1000; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = Assignment::parse)]
    pub(crate) set: Vec<Assignment>,
    /// How log lines look.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<log::Format>,
}

#[derive(Subcommand)]
pub(crate) enum ConfigVerb {
    /// Print a complete file: every key with its unit, range and default.
    Default,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is not ADDRESS:PORT, such as 127.0.0.1:8080"))
}

/// Metrics are for this machine only.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| format!("{text:?} is not ADDRESS:PORT, such as 127.0.0.1:9464"))?;
    if address.ip().is_loopback() { Ok(address) } else { Err(format!("{address} is not of 127.0.0.0/8 or ::1")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }
}

//! What whoever started the server can do about it: errors with the flags or keys that they have, and the status to end with.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use linchpin_control::StartError;
use linchpin_storage::Error as Stored;

use super::error::{BootError, ServeError};
use super::occupant;
use crate::cli::failure::Failure;
use crate::cli::owner::user_name;
use crate::config::Listen;
use crate::store::{FillError, StoreError};
use crate::tick::doors::Door;

/// How the server was started, and where it was to listen.
pub(crate) enum StartedBy<'a> {
    /// By the flags of `linchpin dev`.
    Flags(&'a Listen),
    /// By a configuration file.
    File(&'a Path, &'a Listen),
}

impl StartedBy<'_> {
    /// How to choose another address.
    fn other_address(&self, address: SocketAddr) -> String {
        let next = SocketAddr::new(address.ip(), address.port().wrapping_add(1).max(1_024));
        match self {
            Self::Flags(listen) => {
                let door = listen.doors().into_iter().find(|(_, at)| *at == address).map(|(door, _)| door);
                let flag = match door {
                    Some(door) => door.flag(),
                    None => "--metrics",
                };
                format!("choose another port with {flag} {next}, or any free one with port 0")
            }
            Self::File(path, listen) => {
                let door = listen.doors().into_iter().find(|(_, at)| *at == address).map(|(door, _)| door);
                let key = match door {
                    Some(Door::Plain) => "listen.plain",
                    Some(Door::Tls) => "listen.tls",
                    Some(Door::Mutual) => "listen.mutual",
                    Some(Door::Proxied) => "listen.proxied",
                    None => "listen.metrics",
                };
                format!("change {key} in {}", at_line(path, &address.to_string()))
            }
        }
    }

    /// How to choose another data directory.
    fn other_data(&self) -> String {
        match self {
            Self::Flags(_) => "--data DIR".to_owned(),
            Self::File(path, _) => format!("[data] dir in {}", path.display()),
        }
    }

    fn bind(&self, address: SocketAddr, source: &std::io::Error) -> Failure {
        let other = self.other_address(address);
        match source.kind() {
            ErrorKind::AddrInUse => {
                let who = occupant::of(address).unwrap_or_else(|| "another program".to_owned());
                Failure::General(format!("{address} is in use by {who}: stop it, or {other}"))
            }
            ErrorKind::PermissionDenied => Failure::Config(format!(
                "{address} may not be bound: ports below 1024 need CAP_NET_BIND_SERVICE, which the packaged unit gives; \
                 or {other}"
            )),
            ErrorKind::AddrNotAvailable => Failure::Config(format!(
                "{address} is no address of this machine (`ip -brief address` lists them): {other}"
            )),
            _ => Failure::General(format!("{address} cannot be bound: {source}: {other}")),
        }
    }

    /// The failure to end with.
    pub(crate) fn failure(&self, error: ServeError) -> Failure {
        match error {
            ServeError::Boot(BootError::Bind { address, source, .. }) => self.bind(address, &source),
            ServeError::Control(StartError::Metrics { address, source }) => self.bind(address, &source),
            ServeError::Boot(BootError::Driver(source)) => {
                let portable = match self {
                    Self::Flags(_) => "--driver portable".to_owned(),
                    Self::File(path, _) => format!("driver = \"portable\" in [engine] of {}", path.display()),
                };
                Failure::General(format!("{source}. To start without io_uring: {portable}"))
            }
            ServeError::Control(StartError::InUse { path }) => Failure::General(format!(
                "another Linchpin server uses this data directory ({} answers): stop it, or choose another one with {}",
                path.display(),
                self.other_data()
            )),
            ServeError::Control(error @ (StartError::SocketPath { .. } | StartError::NotASocket { .. })) => {
                Failure::Config(format!("{error}; the data directory is {}", self.other_data()))
            }
            ServeError::Store(error) => store(error),
            ServeError::Fill(FillError::Store(error)) => store(error.into()),
            ServeError::Fill(error @ FillError::Config { .. }) => Failure::Config(error.to_string()),
            ServeError::Tls(error) => Failure::Config(error.to_string()),
            ServeError::Io { what, source, advice: DATA_ADVICE } => {
                Failure::Config(format!("{what}: {source}; choose another one with {}", self.other_data()))
            }
            other => Failure::general(other),
        }
    }
}

/// Said of a data directory that cannot be made.
pub(super) const DATA_ADVICE: &str = "choose another one";

/// Where a text first stands in a file.
fn at_line(path: &Path, text: &str) -> String {
    let file = std::fs::read_to_string(path).unwrap_or_default();
    let is_there = |line: &str| !line.trim_start().starts_with('#') && line.contains(text);
    match file.lines().position(is_there) {
        Some(at) => format!("{}:{}", path.display(), at + 1),
        None => path.display().to_string(),
    }
}

/// What another start would not mend ends with 78.
fn store(error: StoreError) -> Failure {
    let about = match &error {
        StoreError::Store(Stored::Folder { path, .. } | Stored::Io { path, .. }) => Some(path.clone()),
        StoreError::Key { path, .. } => Some(path.clone()),
        _ => None,
    };
    let is_reason = matches!(&error, StoreError::Store(Stored::Folder { .. }));
    let is_denied = error.to_string().contains("ermission denied");
    if let Some(path) = about.filter(|_| is_reason || is_denied)
        && let Some(text) = not_ours(&path)
    {
        return Failure::Config(text);
    }
    match &error {
        StoreError::Store(Stored::Folder { .. } | Stored::Key { .. } | Stored::RolledBack { .. })
        | StoreError::Key { .. } => Failure::Config(error.to_string()),
        _ => Failure::general(error),
    }
}

/// Of whom a path is, if it is not this user's.
fn not_ours(path: &Path) -> Option<String> {
    let found = path.ancestors().find_map(|it| Some((it, std::fs::metadata(it).ok()?.uid())));
    let (path, owner) = found?;
    let ours = rustix::process::geteuid().as_raw();
    (owner != ours).then(|| {
        let (owner, ours) = (user_name(owner), user_name(ours));
        format!(
            "{0} is {owner}'s, and this server runs as {ours}: chown -R {ours} {0}, or run the server as {owner}",
            path.display()
        )
    })
}

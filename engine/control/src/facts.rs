//! What the server knows of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::machine::Machine;
use crate::monitor::figure::About;

/// What the server knows of itself, for `linchpin status`.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Version of the binary.
    pub version: &'static str,
    /// Commit that it was built from, such as `1f2e3d4c5b6a` or `1f2e3d4c5b6a-dirty`; `unknown` without git.
    pub commit: &'static str,
    /// Back end and features.
    pub driver: String,
    /// Connections that the limits allow.
    pub capacity: u64,
    /// Addresses of the plain ports.
    pub plain: Vec<SocketAddr>,
    /// Addresses of the TLS ports.
    pub tls: Vec<SocketAddr>,
    /// Addresses of the TLS ports that want a certificate of the client.
    pub mutual: Vec<SocketAddr>,
    /// Addresses for load balancers.
    pub proxied: Vec<SocketAddr>,
    /// When the server started.
    pub started: Instant,
    /// Looks at the machine; `None`: nothing is to be seen (tests).
    pub machine: Option<Arc<dyn Machine>>,
    /// What the threads around shards count besides the shards.
    pub counters: Vec<About>,
    /// Knows when the first of the certificates that are served ends; `None`: TLS is not spoken.
    pub certificate_end: Option<Arc<dyn CertificateEnd>>,
    /// The configuration that it runs with; `None`: it has no file.
    pub config: Option<Arc<RunningConfig>>,
}

/// When the first of the certificates that are served ends.
pub trait CertificateEnd: Send + Sync {
    /// Unix s; `None`: none is served.
    fn unix_s(&self) -> Option<u64>;
}

impl std::fmt::Debug for dyn CertificateEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CertificateEnd({:?})", self.unix_s())
    }
}

/// The configuration file as the running server has it: keys in dotted form with their values as the file has them.
#[derive(Debug)]
pub struct RunningConfig {
    path: PathBuf,
    keys: Mutex<BTreeMap<String, String>>,
}

/// A key whose value in the file is not what the server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// Such as `limits.message_burst`.
    pub key: String,
    /// What the server has.
    pub before: Option<String>,
    /// What the file says.
    pub after: Option<String>,
    /// Does a reload bring it? Else the next start does.
    pub is_reloaded: bool,
}

impl std::fmt::Display for ConfigChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
        let when = if self.is_reloaded { "at a reload" } else { "at the next start" };
        write!(f, "{} {} -> {} ({when})", self.key, shown(&self.before), shown(&self.after))
    }
}

impl RunningConfig {
    /// As it was when the server started.
    #[must_use]
    pub const fn new(path: PathBuf, keys: BTreeMap<String, String>) -> Self {
        Self { path, keys: Mutex::new(keys) }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the server has.
    pub fn keys(&self) -> BTreeMap<String, String> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What differs from it in these keys.
    pub fn changes(&self, file: &BTreeMap<String, String>, is_reloaded: fn(&str) -> bool) -> Vec<ConfigChange> {
        config_changes(&self.keys(), file, is_reloaded)
    }

    /// These keys were read again: those that a reload brings are what the server has now.
    pub fn reloaded(&self, file: BTreeMap<String, String>, is_reloaded: fn(&str) -> bool) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|key, _| !is_reloaded(key));
        keys.extend(file.into_iter().filter(|(key, _)| is_reloaded(key)));
    }
}

/// What differs between what a server has and what a file says, in the order of the keys.
#[must_use]
pub fn config_changes(
    running: &BTreeMap<String, String>,
    file: &BTreeMap<String, String>,
    is_reloaded: fn(&str) -> bool,
) -> Vec<ConfigChange> {
    let all: BTreeSet<&String> = running.keys().chain(file.keys()).collect();
    let changed = all.into_iter().filter(|key| running.get(*key) != file.get(*key));
    changed
        .map(|key| ConfigChange {
            key: key.clone(),
            before: running.get(key).cloned(),
            after: file.get(key).cloned(),
            is_reloaded: is_reloaded(key),
        })
        .collect()
}

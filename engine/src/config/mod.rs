//! The configuration file of `linchpin serve`: TOML, checked whole before anything starts.

mod acme;
mod console;
mod error;
mod file;
mod flat;
#[cfg(test)]
mod hostile;
mod mail;
mod mistakes;
mod oidc;
mod reference;
mod settings;
mod source;
mod store;
mod tls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use linchpin_control::PeopleSettings;
use linchpin_driver::{Choice, Descriptors, Features, IdleReceive};
use linchpin_protocol::model::{Network, Template, TemplateId, Token};
use linchpin_shard::Settings;

use crate::serve::log::LogOptions;
use crate::tick::doors::Door;
use crate::tls::TlsConfig;

pub(crate) use error::{ConfigError, hide_runs};
pub(crate) use flat::is_reloaded;
pub(crate) use reference::default_file;
pub(crate) use settings::Assignment;
pub(crate) use store::{StoreConfig, default_key_file, parse_unseal, store_folder};

/// What the engine is told, from a file or from flags.
#[derive(Clone, Debug)]
pub(crate) struct EngineOptions {
    pub(crate) shards: u16,
    pub(crate) driver: Choice,
    pub(crate) features: Features,
    pub(crate) descriptors: Descriptors,
    pub(crate) idle_receive: IdleReceive,
    /// Connections wanted in the whole process.
    pub(crate) connections: u32,
}

impl EngineOptions {
    /// Connections wanted when nothing is said: memory is used as they come, so it costs little to ask for many.
    pub(crate) const CONNECTIONS: u32 = 100_000;
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            shards: default_shards(),
            driver: Choice::Auto,
            features: Features::ALL,
            descriptors: Descriptors::Auto,
            idle_receive: IdleReceive::default(),
            connections: Self::CONNECTIONS,
        }
    }
}

/// One shard a core.
pub(crate) fn default_shards() -> u16 {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(usize::from(crate::limits::SHARDS)) as u16)
}

/// A device of the configuration file.
#[derive(Clone, Debug)]
pub(crate) struct DeviceConfig {
    pub(crate) name: String,
    pub(crate) template: Option<TemplateId>,
    /// Read from its file; random at every start without one.
    pub(crate) token: Option<Token>,
}

/// Where the server listens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listen {
    /// For clients.
    pub(crate) plain: Vec<SocketAddr>,
    /// For clients with TLS.
    pub(crate) tls: Vec<SocketAddr>,
    /// For clients with TLS and a certificate of their own.
    pub(crate) mutual: Vec<SocketAddr>,
    /// For load balancers that begin with a PROXY protocol header.
    pub(crate) proxied: Vec<SocketAddr>,
    /// Who they are; empty = nobody.
    pub(crate) proxies: Vec<Network>,
    /// Names under which people use this server, in lower case.
    pub(crate) hosts: Vec<String>,
    /// For the metrics; on this machine only.
    pub(crate) metrics: Option<SocketAddr>,
}

impl Listen {
    /// Where clients and load balancers connect, in the order in which the listeners are opened.
    pub(crate) fn doors(&self) -> Vec<(Door, SocketAddr)> {
        let all = [(Door::Plain, &self.plain), (Door::Tls, &self.tls), (Door::Mutual, &self.mutual)];
        let all = all.into_iter().chain([(Door::Proxied, &self.proxied)]);
        all.flat_map(|(door, addresses)| addresses.iter().map(move |address| (door, *address))).collect()
    }
}

/// A checked configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) listen: Listen,
    pub(crate) data_path: PathBuf,
    pub(crate) engine: EngineOptions,
    pub(crate) log: LogOptions,
    /// What TLS needs; `None`: it is not spoken.
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) store: StoreConfig,
    pub(crate) settings: Settings,
    /// How people sign in.
    pub(crate) people: PeopleSettings,
    /// Also the routes of the control plane that only tests need.
    pub(crate) test_routes: bool,
    pub(crate) templates: Vec<Template>,
    pub(crate) devices: Vec<DeviceConfig>,
}

/// Read and check a file.
///
/// # Errors
/// All mistakes, each with its line, the line itself with a caret, and what would be right.
pub(crate) fn read(path: &Path) -> Result<Config, ConfigError> {
    mistakes::read(path, &read_text(path)?)
}

/// The keys of a file, as it is, with their values.
///
/// # Errors
/// It cannot be read, or is no TOML.
pub(crate) fn flat(path: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let text = read_text(path)?;
    let table =
        text.parse().map_err(|error: toml::de::Error| ConfigError::at(path, &text, error.span(), error.message()))?;
    Ok(flat::flat(&table))
}

/// Only the data directory of a file, whatever else is in it.
///
/// # Errors
/// The file cannot be read, is no TOML, or has no `dir` in `[data]`.
pub(crate) fn data_path(path: &Path) -> Result<PathBuf, ConfigError> {
    file::data_path(path, &read_text(path)?)
}

/// A file with one `[[template]]` table as the parameters of `template.add`.
///
/// # Errors
/// As with [`read`].
pub(crate) fn template_request(path: &Path) -> Result<linchpin_control::request::TemplateAdd, ConfigError> {
    let text = read_text(path)?;
    file::template_request(path, &text)
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    let length = std::fs::metadata(path).map_err(|source| ConfigError::unreadable(path, source))?.len();
    if length > crate::limits::CONFIG_BYTES {
        return Err(ConfigError::too_long(path, length));
    }
    std::fs::read_to_string(path).map_err(|source| ConfigError::unreadable(path, source))
}

/// The known word that is most like the unknown one, if it is like one at all: at most a third of it must change, where
/// two letters that changed places count once.
pub(crate) fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let best = known.iter().map(|word| (strsim::osa_distance(unknown, word), *word)).min()?;
    (best.0 <= unknown.len().max(best.1.len()).div_ceil(3)).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_nonsense_is_not() {
        let known = ["plain", "message_burst", "messages_per_second"];
        assert_eq!(nearest("plian", &known), Some("plain"));
        assert_eq!(nearest("message_per_second", &known), Some("messages_per_second"));
        assert_eq!(nearest("xyz", &known), None);
        assert_eq!(nearest("", &[]), None);
    }
}

//! The configuration file of `linchpin serve`: TOML, checked whole before anything starts.

mod error;
mod file;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use linchpin_driver::{Choice, Descriptors, Features};
use linchpin_protocol::model::{Template, TemplateId, Token};
use linchpin_shard::Settings;

pub(crate) use error::ConfigError;

/// What the engine is told, from a file or from flags.
#[derive(Clone, Debug)]
pub(crate) struct EngineOptions {
    pub(crate) shards: u16,
    pub(crate) driver: Choice,
    pub(crate) features: Features,
    pub(crate) descriptors: Descriptors,
    /// Connections wanted in the whole process.
    pub(crate) connections: u32,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            shards: default_shards(),
            driver: Choice::Auto,
            features: Features::ALL,
            descriptors: Descriptors::Auto,
            connections: 100_000,
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

/// A checked configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) plain: Vec<SocketAddr>,
    pub(crate) data_path: PathBuf,
    pub(crate) engine: EngineOptions,
    pub(crate) settings: Settings,
    pub(crate) templates: Vec<Template>,
    pub(crate) devices: Vec<DeviceConfig>,
}

/// Read and check a file.
///
/// # Errors
/// The first mistake, with its line, the line itself with a caret, and what would be right.
pub(crate) fn read(path: &Path) -> Result<Config, ConfigError> {
    let length = std::fs::metadata(path).map_err(|source| ConfigError::unreadable(path, &source))?.len();
    if length > crate::limits::CONFIG_BYTES {
        return Err(ConfigError::too_long(path, length));
    }
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::unreadable(path, &source))?;
    file::parse(path, &text)
}

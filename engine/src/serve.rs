//! A server, from its options to its end: what `dev` and `serve` share.

use std::fmt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use linchpin_control::{Control, DeviceEntry, Facts, Registry};
use linchpin_shard::{Command, Settings};
use serde_json::json;

use crate::boot::{self, BootError, Engine, Keys};
use crate::config::{self, Config, EngineOptions, Listen};
use crate::{notify, ready, shutdown};

/// What a server is started with.
pub(crate) struct Server {
    pub(crate) listen: Listen,
    pub(crate) data_path: PathBuf,
    pub(crate) engine: EngineOptions,
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
    pub(crate) keys: Keys,
    pub(crate) ready_file: Option<PathBuf>,
    /// Devices that the ready file and the start message show: the first so many.
    pub(crate) shown: usize,
    /// Reloaded at SIGHUP.
    pub(crate) config_path: Option<PathBuf>,
}

/// Why a server ended with an error.
#[derive(Debug)]
pub(crate) enum ServeError {
    Boot(BootError),
    Control(linchpin_control::StartError),
    Io(String),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot(error) => error.fmt(f),
            Self::Control(error) => error.fmt(f),
            Self::Io(text) => f.write_str(text),
        }
    }
}

/// The data directory, for its owner only.
fn make_folder(path: &Path) -> Result<(), ServeError> {
    let made = if path.is_dir() {
        Ok(())
    } else {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).and_then(|()| {
            // Parents keep the mode that they had; this one is private whatever the umask says.
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
        })
    };
    made.map_err(|error| {
        ServeError::Io(format!("data directory {}: {error}; choose another one with --data", path.display()))
    })
}

/// Start, tell `announce` what runs, and serve until a signal ends it.
pub(crate) fn serve(server: Server, announce: impl FnOnce(&Engine, &[DeviceEntry])) -> Result<(), ServeError> {
    // First of all: whoever reads the ready file may end the server at once.
    let mut signals =
        shutdown::catch().map_err(|error| ServeError::Io(format!("signals cannot be caught: {error}")))?;
    make_folder(&server.data_path)?;
    boot::raise_descriptor_limit();
    let started = Instant::now();
    let Server { listen, data_path, engine: options, settings, registry, keys, ready_file, shown, config_path } =
        server;
    let (mut engine, lanes) = boot::start(&options, &settings, &listen, &registry, &keys).map_err(ServeError::Boot)?;
    for line in &engine.probe.lines {
        tracing::info!("{line}");
    }
    tracing::info!("state is kept in memory: devices, tokens and values are gone when the server stops");
    let devices = registry.devices()[..shown.min(registry.devices().len())].to_vec();
    let socket = std::path::absolute(&data_path).unwrap_or(data_path).join("admin.sock");
    let facts = Facts {
        version: env!("CARGO_PKG_VERSION"),
        driver: engine.probe.lines.first().cloned().unwrap_or_default(),
        capacity: engine.probe.connections as u64,
        plain: engine.plain.clone(),
        proxied: engine.proxied.clone(),
        started,
    };
    let owner = rustix::process::getuid().as_raw();
    let control =
        linchpin_control::start(&socket, owner, listen.metrics, lanes, registry, facts).map_err(ServeError::Control)?;
    if let Some(path) = &ready_file {
        write_ready(path, &engine, &control, &socket, &devices)?;
    }
    announce(&engine, &devices);
    drop(devices);
    tracing::info!(plain = %engine.plain.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), "ready");
    notify::ready();
    let reload = || reload(config_path.as_deref(), &engine);
    if let Some(address) = control.metrics() {
        tracing::info!("metrics at http://{address}/metrics");
    }
    let ended = shutdown::wait(&mut signals, &engine, reload);
    drop(control);
    engine.stop();
    ended.map_err(|error| ServeError::Io(error.to_string()))
}

fn write_ready(
    path: &Path,
    engine: &Engine,
    control: &Control,
    socket: &Path,
    devices: &[DeviceEntry],
) -> Result<(), ServeError> {
    let plain = engine.plain.first().map(ToString::to_string);
    let devices: Vec<_> = devices.iter().map(ready::device_json).collect();
    let mut ready = json!({"plain": plain, "admin": socket, "devices": devices});
    if let Some(address) = engine.proxied.first() {
        ready["proxied"] = address.to_string().into();
    }
    if let Some(address) = control.metrics() {
        ready["metrics"] = address.to_string().into();
    }
    let text = ready.to_string();
    ready::write_private(path, text.as_bytes()).map_err(|error| {
        ServeError::Io(format!("ready file {}: {error}; choose another one with --ready-file", path.display()))
    })
}

/// New limits from the file; the old ones stay when it is wrong.
fn reload(path: Option<&Path>, engine: &Engine) {
    let Some(path) = path else {
        return tracing::info!("SIGHUP: there is no configuration file to reload (linchpin dev)");
    };
    match config::read(path) {
        Ok(Config { settings, .. }) => {
            engine.tell_all(&|| Command::Configure(Box::new(settings.clone())));
            tracing::info!("limits reloaded from {}; other changes take effect at the next start", path.display());
        }
        Err(error) => tracing::error!("the configuration was not reloaded, the old one stays:\n{error}"),
    }
}

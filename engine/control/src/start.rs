//! Starting the control plane on its own thread.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Mutex;

use crate::command::Desk;
use crate::command::store::Upkeep;
use crate::{Registry, Shards, admin, backup, monitor};

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
}

/// Why the control plane does not start.
#[derive(Debug)]
pub enum StartError {
    /// The path of the socket is longer than the kernel takes.
    SocketPath {
        /// The path.
        path: PathBuf,
        /// Its length.
        len_bytes: usize,
    },
    /// Another server uses the data directory.
    InUse {
        /// Its socket.
        path: PathBuf,
    },
    /// Something else has the name of the socket.
    NotASocket {
        /// What is in the way.
        path: PathBuf,
    },
    /// The address of the metrics cannot be bound.
    Metrics {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system refuses.
    Io {
        /// What it is about.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SocketPath { path, len_bytes } => write!(
                f,
                "the path of the admin socket has {len_bytes} bytes, {} are allowed: choose a shorter data directory with --data ({})",
                crate::limits::SOCKET_PATH_BYTES,
                path.display()
            ),
            Self::InUse { path } => write!(
                f,
                "another Linchpin server uses this data directory ({} answers): stop it, or choose another one with --data",
                path.display()
            ),
            Self::NotASocket { path } => write!(
                f,
                "{} is in the place of the admin socket and is no socket: move it away, or choose another data directory with --data",
                path.display()
            ),
            Self::Metrics { address, source } => write!(
                f,
                "the metrics' address {address} cannot be bound ({source}): choose another with --metrics or listen.metrics"
            ),
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for StartError {}

/// The running control plane. Its socket is removed when this is dropped.
#[derive(Debug)]
pub struct Control {
    socket: PathBuf,
    metrics: Option<SocketAddr>,
}

impl Control {
    /// Where the metrics are.
    #[must_use]
    pub const fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// Bind the admin socket and serve it on a thread of its own.
///
/// # Errors
/// See [`StartError`].
pub fn start(
    socket: &Path,
    owner: u32,
    metrics: Option<SocketAddr>,
    shards: Shards,
    registry: Registry,
    upkeep: Option<Upkeep>,
    facts: Facts,
) -> Result<Control, StartError> {
    let io = |source| StartError::Io { path: socket.into(), source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
    let (listener, monitor) = {
        let _inside = runtime.enter();
        let monitor = match metrics {
            Some(address) => Some(monitor::bind(address).map_err(|source| StartError::Metrics { address, source })?),
            None => None,
        };
        (admin::bind(socket)?, monitor)
    };
    let metrics = monitor.as_ref().and_then(|listener| listener.local_addr().ok());
    let keep = upkeep.as_ref().map(|upkeep| upkeep.keep().clone());
    let backups = upkeep.clone();
    let desk = Arc::new(Desk { shards: Arc::new(shards), registry: Mutex::new(registry), keep, upkeep, facts });
    let serve = move || {
        runtime.block_on(async {
            if let Some(monitor) = monitor {
                tokio::spawn(monitor::serve(monitor, Arc::clone(&desk)));
            }
            if let Some(upkeep) = backups {
                tokio::spawn(backup::run(upkeep));
            }
            admin::serve(listener, desk, owner).await;
        });
    };
    std::thread::Builder::new().name("control".to_owned()).spawn(serve).map_err(io)?;
    Ok(Control { socket: socket.into(), metrics })
}

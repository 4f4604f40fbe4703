//! Starting the control plane on its own thread.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::command::Desk;
use crate::command::store::Upkeep;
use crate::{Facts, Registry, Shards, StartError, admin, backup, monitor};

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

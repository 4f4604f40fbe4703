//! The end: signals, the paced drain, and when it is over.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use linchpin_shard::{Command, ShardId};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::limits;
use crate::serve::boot::Engine;
use crate::serve::notify;

/// What shard threads tell the main thread.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Connections by shard, written by their threads while a drain runs.
    connections: Vec<AtomicUsize>,
    draining: AtomicBool,
    over: AtomicBool,
    failed: AtomicBool,
}

impl Progress {
    pub(crate) fn new(shards: u16) -> Self {
        Self(Arc::new(Shared {
            connections: (0..shards).map(|_| AtomicUsize::new(usize::MAX)).collect(),
            draining: AtomicBool::new(false),
            over: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }))
    }

    /// One load a tick, a store only while a drain runs.
    pub(crate) fn report(&self, shard: ShardId, connections: usize) {
        if self.0.draining.load(Ordering::Relaxed) {
            self.0.connections[shard.index()].store(connections, Ordering::Relaxed);
        }
    }

    /// Must the threads end now?
    pub(crate) fn is_over(&self) -> bool {
        self.0.over.load(Ordering::Relaxed)
    }

    /// Let the threads end, once they look.
    pub(crate) fn set_over(&self) {
        self.0.over.store(true, Ordering::Relaxed);
    }

    /// A shard cannot go on: the devices that live there would have no home, so the process ends and whoever
    /// supervises it starts it again.
    pub(crate) fn shard_failed(&self) {
        self.0.failed.store(true, Ordering::SeqCst);
        // Wakes the main thread, which waits for signals. It fails only for numbers that are no signals.
        let _ = signal_hook::low_level::raise(SIGTERM);
    }

    fn has_failed(&self) -> bool {
        self.0.failed.load(Ordering::SeqCst)
    }

    fn is_empty(&self) -> bool {
        self.0.connections.iter().all(|n| n.load(Ordering::Relaxed) == 0)
    }
}

/// From here on signals wait for [`wait`] instead of ending the process.
pub(crate) fn catch() -> io::Result<Signals> {
    Signals::new([SIGHUP, SIGTERM, SIGINT])
}

/// Wait for signals: SIGHUP reloads, SIGTERM and SIGINT drain and end, a second one ends at once.
///
/// # Errors
/// A shard has failed.
pub(crate) fn wait(signals: &mut Signals, engine: &Engine, mut reload: impl FnMut()) -> io::Result<()> {
    loop {
        for signal in signals.wait() {
            if engine.progress.has_failed() {
                return Err(io::Error::other("a shard has failed and the server ends; its error is in the log above"));
            }
            if signal == SIGHUP {
                notify::reloading();
                reload();
                notify::ready();
            } else {
                notify::stopping();
                drain(signals, engine);
                return Ok(());
            }
        }
    }
}

fn drain(signals: &mut Signals, engine: &Engine) {
    tracing::info!("draining: connections are closed at a pace, a second signal ends at once");
    let progress = &engine.progress;
    progress.0.draining.store(true, Ordering::Relaxed);
    let shards = progress.0.connections.len() as u32;
    let per_second = linchpin_shard::limits::DRAIN_PER_SECOND.div_ceil(shards);
    engine.tell_all(&|| Command::Drain { redirect: None, per_second });
    let end = Instant::now() + limits::DRAIN_TIMEOUT;
    while !progress.is_empty() && Instant::now() < end && !signals.pending().any(|signal| signal != SIGHUP) {
        std::thread::sleep(Duration::from_millis(10));
    }
    tracing::info!("stopped");
}

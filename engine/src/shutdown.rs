//! The end: signals, the paced drain, and when it is over.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use linchpin_shard::{Command, ShardId};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::limits;

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

    pub(crate) fn is_over(&self) -> bool {
        self.0.over.load(Ordering::Relaxed)
    }

    pub(crate) fn shard_failed(&self) {
        self.0.failed.store(true, Ordering::Relaxed);
    }

    fn is_empty(&self) -> bool {
        self.0.connections.iter().all(|n| n.load(Ordering::Relaxed) == 0)
    }
}

/// Wait for signals: SIGHUP reloads, SIGTERM and SIGINT drain and end, a second one ends at once.
pub(crate) fn wait(
    progress: &Progress,
    mut reload: impl FnMut(),
    tell_all: impl Fn(&dyn Fn() -> Command),
    shards: u16,
) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGTERM, SIGINT])?;
    loop {
        for signal in signals.pending() {
            if signal == SIGHUP {
                reload();
            } else {
                drain(progress, &mut signals, &tell_all, shards);
                return Ok(());
            }
        }
        if progress.0.failed.load(Ordering::Relaxed) {
            return Err(io::Error::other("a shard has failed; see the log"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn drain(progress: &Progress, signals: &mut Signals, tell_all: &dyn Fn(&dyn Fn() -> Command), shards: u16) {
    tracing::info!("draining: connections are closed at a pace, a second signal ends at once");
    progress.0.draining.store(true, Ordering::Relaxed);
    let per_second = linchpin_shard::limits::DRAIN_PER_SECOND.div_ceil(u32::from(shards));
    tell_all(&|| Command::Drain { redirect: None, per_second });
    let end = Instant::now() + limits::DRAIN_TIMEOUT;
    while !progress.is_empty() && Instant::now() < end && signals.pending().next().is_none() {
        std::thread::sleep(Duration::from_millis(10));
    }
    progress.0.over.store(true, Ordering::Relaxed);
    tracing::info!("stopped");
}

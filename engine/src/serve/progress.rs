//! What shards' threads and the main thread know of each other, in a few atomics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use linchpin_shard::ShardId;
use signal_hook::consts::SIGTERM;

/// What shard threads tell the main thread.
#[derive(Clone, Debug)]
pub(crate) struct ShardProgress(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Connections by shard, written by their threads while a drain runs.
    connections: Vec<AtomicUsize>,
    draining: AtomicBool,
    over: AtomicBool,
    failed: AtomicBool,
}

impl ShardProgress {
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

    /// Did one?
    pub(crate) fn has_failed(&self) -> bool {
        self.0.failed.load(Ordering::SeqCst)
    }

    /// Shards count their connections from here on. Returns how many shards there are.
    pub(crate) fn begin_drain(&self) -> u32 {
        self.0.draining.store(true, Ordering::Relaxed);
        self.0.connections.len() as u32
    }

    /// Has no shard a connection any more? Only while a drain runs.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.connections.iter().all(|n| n.load(Ordering::Relaxed) == 0)
    }
}

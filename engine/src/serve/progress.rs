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
    /// Connections by shard, written by their threads while they report.
    connections: Vec<AtomicUsize>,
    over: AtomicBool,
    /// Shards have orders, or will have some.
    orders: AtomicBool,
    /// Shards say when they tick and what they hold: a drain runs, or a watchdog is fed.
    reporting: AtomicBool,
    /// By shard: has it ticked since that was last asked?
    ticked: Vec<AtomicBool>,
    failed: AtomicBool,
}

impl ShardProgress {
    pub(crate) fn new(shards: u16) -> Self {
        Self(Arc::new(Shared {
            connections: (0..shards).map(|_| AtomicUsize::new(usize::MAX)).collect(),
            over: AtomicBool::new(false),
            orders: AtomicBool::new(false),
            reporting: AtomicBool::new(false),
            ticked: (0..shards).map(|_| AtomicBool::new(true)).collect(),
            failed: AtomicBool::new(false),
        }))
    }

    /// One load a tick, a store only while they report.
    pub(crate) fn report(&self, shard: ShardId, connections: usize) {
        if self.0.reporting.load(Ordering::Relaxed) {
            self.0.connections[shard.index()].store(connections, Ordering::Relaxed);
            self.0.ticked[shard.index()].store(true, Ordering::Relaxed);
        }
    }

    /// Shards say from now on when they tick.
    pub(crate) fn watch(&self) {
        self.0.reporting.store(true, Ordering::Relaxed);
    }

    /// Has every shard ticked since this was last asked?
    pub(crate) fn have_all_ticked(&self) -> bool {
        // Each is asked, whatever the others say.
        let silent = self.0.ticked.iter().filter(|ticked| !ticked.swap(false, Ordering::Relaxed)).count();
        silent == 0
    }

    /// Must threads look for orders? One load a tick.
    pub(crate) fn has_orders(&self) -> bool {
        self.0.orders.load(Ordering::Relaxed)
    }

    /// From now on they look, or do not.
    pub(crate) fn set_orders(&self, has_some: bool) {
        self.0.orders.store(has_some, Ordering::SeqCst);
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
        self.0.reporting.store(true, Ordering::Relaxed);
        self.0.connections.len() as u32
    }

    /// Has no shard a connection any more? Only while a drain runs.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.connections.iter().all(|n| n.load(Ordering::Relaxed) == 0)
    }
}

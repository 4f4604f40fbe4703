//! The end: signals, the paced drain, and when it is over.

use std::io;
use std::time::{Duration, Instant};

use linchpin_shard::Command;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::limits;
use crate::serve::boot::Engine;
use crate::serve::notify;

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
    let shards = progress.begin_drain();
    let per_second = linchpin_shard::limits::DRAIN_PER_SECOND.div_ceil(shards);
    engine.tell_all(&|| Command::Drain { redirect: None, per_second });
    let end = Instant::now() + limits::DRAIN_TIMEOUT;
    while !progress.is_empty() && Instant::now() < end && !signals.pending().any(|signal| signal != SIGHUP) {
        std::thread::sleep(Duration::from_millis(10));
    }
    tracing::info!("stopped");
}

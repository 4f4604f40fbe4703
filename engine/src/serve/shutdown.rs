//! The end: signals, the paced drain, and when it is over.

use std::io;
use std::time::{Duration, Instant};

use linchpin_shard::Command;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::limits;
use crate::serve::boot::Engine;

/// From here on signals wait for [`wait`] instead of ending the process.
pub(crate) fn catch() -> io::Result<Signals> {
    Signals::new([SIGHUP, SIGTERM, SIGINT, SIGUSR2])
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignalAsk {
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGUSR2, which the admin socket raises: an upgrade may wait.
    Upgrade,
    /// SIGTERM, SIGINT: drain and end.
    End,
}

/// Wait for the next signal.
///
/// # Errors
/// A shard has failed.
pub(crate) fn wait(signals: &mut Signals, engine: &Engine) -> io::Result<SignalAsk> {
    let signal = signals.forever().next();
    if engine.progress.has_failed() {
        return Err(io::Error::other("a shard has failed and the server ends; its error is in the log above"));
    }
    Ok(match signal {
        Some(SIGHUP) => SignalAsk::Reload,
        Some(SIGUSR2) => SignalAsk::Upgrade,
        _ => SignalAsk::End,
    })
}

/// Close connections at a pace; a second signal ends it at once.
pub(crate) fn drain(signals: &mut Signals, engine: &Engine) {
    tracing::info!("draining: connections are closed at a pace, a second signal ends at once");
    let progress = &engine.progress;
    let shards = progress.begin_drain();
    let per_second = linchpin_shard::limits::DRAIN_PER_SECOND.div_ceil(shards);
    engine.tell_all(&|| Command::Drain { redirect: None, per_second });
    let end = Instant::now() + limits::DRAIN_TIMEOUT;
    while !progress.is_empty()
        && Instant::now() < end
        && !signals.pending().any(|signal| signal == SIGTERM || signal == SIGINT)
    {
        std::thread::sleep(Duration::from_millis(10));
    }
    tracing::info!("stopped");
}

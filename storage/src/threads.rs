//! Threads of a store. One that panics would be missed by nobody: its work is simply not done any more. So its end poisons
//! the store, which acknowledges nothing from then on and says so.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Error;
use crate::write::poison::Poison;

/// A thread that works in turns and ends when its sender is dropped.
pub(crate) type Ticking = (JoinHandle<()>, Sender<()>);

/// Strikes when its thread panics.
struct Alarm {
    name: String,
    poison: Arc<Poison>,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let reason = format!("its thread {} has ended by a bug", self.name);
            self.poison.strike(&Error::Write { reason });
        }
    }
}

/// Start a thread that does this every so many ms.
pub(crate) fn ticking(
    name: &str,
    poison: &Arc<Poison>,
    tick_ms: u64,
    mut turn: impl FnMut() + Send + 'static,
) -> Result<Ticking, Error> {
    let (stop, stopped) = channel();
    let run = move || {
        while stopped.recv_timeout(Duration::from_millis(tick_ms)) == Err(RecvTimeoutError::Timeout) {
            turn();
        }
    };
    Ok((spawn(name, poison, run)?, stop))
}

/// Start a thread whose panic strikes the poison.
pub(crate) fn spawn(
    name: &str,
    poison: &Arc<Poison>,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, Error> {
    let alarm = Alarm { name: name.into(), poison: poison.clone() };
    let run = move || {
        let _alarm = alarm;
        run();
    };
    let thread = std::thread::Builder::new().name(name.into()).spawn(run);
    thread.map_err(|error| Error::Open { path: name.into(), reason: error.to_string() })
}

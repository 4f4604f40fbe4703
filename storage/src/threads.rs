//! Threads of a store.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Error;

/// A thread that works in turns and ends when its sender is dropped.
pub(crate) type Ticking = (JoinHandle<()>, Sender<()>);

/// Start a thread that does this every so many ms.
pub(crate) fn ticking(name: &str, tick_ms: u64, mut turn: impl FnMut() + Send + 'static) -> Result<Ticking, Error> {
    let (stop, stopped) = channel();
    let run = move || {
        while stopped.recv_timeout(Duration::from_millis(tick_ms)) == Err(RecvTimeoutError::Timeout) {
            turn();
        }
    };
    Ok((spawn(name, run)?, stop))
}

pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(run);
    thread.map_err(|error| Error::Open { path: name.into(), reason: error.to_string() })
}

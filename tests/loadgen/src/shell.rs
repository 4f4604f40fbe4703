//! Stopping a process for a moment.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Stop a process for so long.
///
/// # Panics
/// When it is gone.
pub fn freeze(pid: u32, how_long: Duration) {
    let pid = Pid::from_raw(pid as i32).expect("a process");
    kill_process(pid, Signal::STOP).expect("it runs");
    std::thread::sleep(how_long);
    kill_process(pid, Signal::CONT).expect("it is stopped");
}

//! Telling the service manager (systemd, Type=notify) where the server stands. Without one nothing happens.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// It serves.
pub(crate) fn ready() {
    tell("READY=1");
}

/// It serves, in the place of the process that the manager knows.
pub(crate) fn took_over() {
    tell(&format!("MAINPID={}\nREADY=1", std::process::id()));
}

/// Every shard ticks.
pub(crate) fn alive() {
    tell("WATCHDOG=1");
}

/// It reads its configuration again; [`ready`] follows.
pub(crate) fn reloading() {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let usec = now.tv_sec.unsigned_abs() * 1_000_000 + now.tv_nsec.unsigned_abs() / 1_000;
    tell(&format!("RELOADING=1\nMONOTONIC_USEC={usec}"));
}

/// It drains and ends.
pub(crate) fn stopping() {
    tell("STOPPING=1");
}

/// One datagram. A manager that does not listen is its own problem: the server goes on.
fn tell(state: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match name.as_bytes() {
        [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name),
        path => SocketAddr::from_pathname(std::path::Path::new(std::ffi::OsStr::from_bytes(path))),
    };
    let sent = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = sent {
        tracing::debug!(%error, "the service manager was not told {state:?}");
    }
}

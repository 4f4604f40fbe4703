//! What the kernel and the limits allow, in words for the start message.

use std::io;

use crate::limits;
use crate::{Backend, Choice, Driver, Options};

/// The answer of [`probe`].
#[derive(Debug)]
pub struct Probe {
    /// The back end that [`Driver::open`] would use.
    pub backend: Backend,
    /// Connections that one driver can hold.
    pub connections_per_driver: usize,
    /// Connections that all drivers of the process can hold together.
    pub connections: usize,
    /// Soft limit of open descriptors of the process.
    pub descriptor_limit: u64,
    /// Are sockets kept outside that limit?
    pub direct: bool,
    /// Sentences for the operator: what is used, what limits it, and the command that changes it.
    pub lines: Vec<String>,
    /// How many connections the limits allow, and what allows more, if more are wanted.
    pub limits_lines: Vec<String>,
}

/// Descriptors that the process may open.
pub(crate) fn descriptor_limit() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::from(u32::MAX))
}

/// Open a driver for a moment and describe it. `drivers`: how many the process will open.
///
/// # Errors
/// As [`Driver::open`].
pub fn probe(options: &Options, drivers: u16) -> Result<Probe, crate::OpenError> {
    let driver = Driver::open(options)?;
    let descriptor_limit = descriptor_limit();
    let direct = driver.is_direct();
    let per_driver = driver.capacity();
    let (mut lines, mut limits_lines) = (Vec::new(), Vec::new());
    match driver.backend() {
        Backend::IoUring => {
            let kept = if direct { "direct" } else { "plain" };
            lines.push(format!("driver: io_uring with {kept} descriptors, features: {}", driver.features()));
        }
        Backend::Portable => {
            lines.push("driver: portable (mio)".to_owned());
            if let Some(refused) = driver.refused() {
                lines.push(refusal(refused));
            }
        }
    }
    let all = per_driver * usize::from(drivers);
    let total = if direct { all } else { all.min(plain_capacity(descriptor_limit)) };
    limits_lines
        .push(format!("limits: {total} connections ({drivers} shards, {descriptor_limit} descriptors a process)"));
    if (total as u64) < u64::from(options.process_connections) {
        limits_lines.push(format!(
            "{} connections are wanted: raise the descriptor limit with `ulimit -n {}` (systemd: LimitNOFILE={}), or use more shards",
            options.process_connections,
            u64::from(options.process_connections) + u64::from(limits::RESERVED_DESCRIPTORS),
            u64::from(options.process_connections) + u64::from(limits::RESERVED_DESCRIPTORS),
        ));
    }
    Ok(Probe {
        backend: driver.backend(),
        connections_per_driver: per_driver,
        connections: total,
        descriptor_limit,
        direct,
        lines,
        limits_lines,
    })
}

/// Connections that ordinary descriptors allow in the whole process.
pub(crate) fn plain_capacity(descriptor_limit: u64) -> usize {
    let reserved = u64::from(limits::RESERVED_DESCRIPTORS).min(descriptor_limit / 4);
    descriptor_limit.saturating_sub(reserved).max(1) as usize
}

/// Why io_uring could not be set up, and what to do about it.
pub(crate) fn refusal(error: &io::Error) -> String {
    let cause = match error.raw_os_error() {
        Some(libc::EPERM) => {
            "the kernel refuses io_uring (EPERM). In a container its seccomp profile blocks it: allow io_uring_setup, \
             io_uring_enter and io_uring_register there; on a host look at `sysctl kernel.io_uring_disabled` (0 allows it)"
        }
        Some(libc::ENOSYS) => {
            "this kernel has no io_uring (ENOSYS): it is older than 5.1, built without it, or a seccomp profile hides it; \
             Linux 6.1 or newer is needed"
        }
        Some(libc::ENOMEM) => {
            "there is not enough lockable memory for io_uring (ENOMEM): raise it with `ulimit -l unlimited` (systemd: LimitMEMLOCK)"
        }
        Some(libc::EINVAL) => "this kernel's io_uring is too old (EINVAL): Linux 6.1 or newer is needed",
        _ => "io_uring could not be set up",
    };
    format!("{cause} [{error}]")
}

/// May the portable back end stand in after this error?
pub(crate) fn falls_back(choice: Choice, error: &io::Error) -> bool {
    let refused = [libc::EPERM, libc::ENOSYS, libc::ENOMEM, libc::EINVAL, libc::EACCES];
    choice == Choice::Auto && error.raw_os_error().is_some_and(|errno| refused.contains(&errno))
}

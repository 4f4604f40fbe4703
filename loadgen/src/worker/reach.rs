//! Which way workers take to the server, and on which CPUs.

use std::net::{IpAddr, SocketAddr};

use linchpin_driver::Choice;

use crate::limits;

/// How a worker reaches the server.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    pub(crate) target: SocketAddr,
    /// Source addresses to take; empty: of the loopback all, elsewhere the kernel's choice.
    pub(crate) sources: Vec<IpAddr>,
    pub(crate) backend: Choice,
    /// Connections of all workers.
    pub(crate) connections: u32,
    /// The CPU of each worker; empty: the kernel chooses.
    pub(crate) cpus: Vec<usize>,
}

/// Run this thread on one CPU only.
pub(super) fn pin(cpu: usize) -> std::io::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    if cpu >= rustix::thread::CpuSet::MAX_CPU {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    set.set(cpu);
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

/// A CPU for each worker, from the last one down: servers take theirs from the first one up. Empty unless one is left
/// for the server.
pub(crate) fn spread(workers: u32) -> Vec<usize> {
    let set = rustix::thread::sched_getaffinity(None).unwrap_or_default();
    let free: Vec<usize> = (0..rustix::thread::CpuSet::MAX_CPU).rev().filter(|cpu| set.is_set(*cpu)).collect();
    if free.len() > workers as usize { free[..workers as usize].to_vec() } else { Vec::new() }
}

/// CPU time of this thread, and time that it waited for a CPU.
pub(super) fn schedule() -> [u64; 2] {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let mut fields = text.split_whitespace().map(|field| field.parse().unwrap_or(0));
    [fields.next().unwrap_or(0), fields.next().unwrap_or(0)]
}

/// How long a worker was at work in `len_ns`. Not all of its CPU time: sleeps of a few microseconds, between sends that are
/// so close, are CPU time of the kernel's timers, and a worker that sleeps has time left.
pub(super) const fn busy_ns(cpu_ns: u64, len_ns: u64, slept_ns: u64) -> u64 {
    let awake_ns = len_ns.saturating_sub(slept_ns);
    if cpu_ns < awake_ns { cpu_ns } else { awake_ns }
}

/// How many workers a run has by itself: one a core but one, and enough for the connections.
pub(crate) fn workers(connections: u64) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u32;
    let needed = connections.div_ceil(u64::from(limits::WORKER_CONNECTIONS)) as u32;
    // More workers than cores only where descriptors demand it.
    needed.max(cores.saturating_sub(1).min(4)).max(1)
}

#[cfg(test)]
mod tests {
    use super::busy_ns;

    #[test]
    fn short_sleeps_are_no_work_and_waiting_for_a_cpu_is_none_either() {
        // All of a second on the CPU, 600 ms of them in sleeps: room for more than as much again.
        assert_eq!(busy_ns(1_000, 1_000, 600), 400);
        // Never asleep.
        assert_eq!(busy_ns(990, 1_000, 0), 990);
        // Asleep for half of the time, kept from the CPU for a part of the rest.
        assert_eq!(busy_ns(300, 1_000, 500), 300);
        // A sleep that began before the interval.
        assert_eq!(busy_ns(10, 1_000, 1_200), 0);
    }
}

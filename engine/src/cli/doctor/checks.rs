//! What the facts mean.

use std::borrow::Cow;

use super::gather::MachineFacts;
use super::unit_user::looking_as;
use super::wanted::Wanted;

/// How good a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    /// As it should be.
    Ok,
    /// It works, but worse than it could, or the machine does not say.
    Warn,
    /// The server would not start.
    Fail,
}

impl Grade {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One check.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) grade: Grade,
    pub(super) found: String,
    /// Why it matters.
    pub(super) why: Cow<'static, str>,
    /// One command; empty where none helps.
    pub(super) fix: String,
}

/// Kernel memory of a connection, bytes: measured, see docs/performance.md.
const KERNEL_BYTES: u64 = 5_000;
/// Our own, with everything.
const OWN_BYTES: u64 = 1_000;
const PAGE_BYTES: u64 = 4_096;
const MIB: u64 = 1 << 20;

fn finding(check: &'static str, grade: Grade, found: String, why: &'static str, fix: impl Into<String>) -> Finding {
    Finding { check, grade, found, why: why.into(), fix: fix.into() }
}

/// A number that should be at least so big.
fn at_least(
    check: &'static str,
    value: Option<u64>,
    least: u64,
    worse: Grade,
    why: &'static str,
    fix: impl Into<String>,
) -> Finding {
    match value {
        None => finding(check, Grade::Warn, "the machine does not say".to_owned(), why, fix),
        Some(value) if value >= least => finding(check, Grade::Ok, value.to_string(), why, ""),
        Some(value) => finding(check, worse, format!("{value}, wanted {least}"), why, fix),
    }
}

/// All checks, always the same ones in the same order.
pub(super) fn judge(wanted: &Wanted, facts: &MachineFacts) -> Vec<Finding> {
    vec![
        driver(facts),
        connections(wanted, facts),
        descriptors(wanted, facts),
        at_least(
            "fs.file-max",
            facts.file_max,
            u64::from(wanted.engine.connections),
            Grade::Warn,
            "The whole machine may have no more open sockets than this.",
            format!("sysctl -w fs.file-max={}", u64::from(wanted.engine.connections) * 2),
        ),
        at_least(
            "net.core.somaxconn",
            facts.somaxconn,
            4_096,
            Grade::Warn,
            "When all devices reconnect at once, those beyond this queue wait a second or more for their next try.",
            "sysctl -w net.core.somaxconn=65535",
        ),
        at_least(
            "tcp_max_syn_backlog",
            facts.syn_backlog,
            1_024,
            Grade::Warn,
            "Connections that are half open wait here; a storm needs room.",
            "sysctl -w net.ipv4.tcp_max_syn_backlog=65535",
        ),
        low_port(wanted, facts),
        memory(wanted, facts),
        tcp_memory(wanted, facts),
        at_least(
            "entropy",
            facts.entropy_bits,
            128,
            Grade::Warn,
            "Tokens and keys are made from the kernel's randomness; early at boot it may not be ready.",
            "apt-get install -y rng-tools5",
        ),
        data_folder(wanted, facts),
        keyring(facts),
        disk(facts),
        disk_speed(facts),
        backups(facts),
        clock(facts),
        governor(facts),
    ]
}

fn driver(facts: &MachineFacts) -> Finding {
    let why = "io_uring is the fast path; blocked, the server uses its portable back end, slower and with more memory.";
    match &facts.driver {
        Some(Ok(lines)) => {
            let found = lines.first().cloned().unwrap_or_default();
            if facts.is_io_uring {
                return finding("io_uring", Grade::Ok, found, why, "");
            }
            let fix = match facts.io_uring_disabled {
                Some(0) => "see \"io_uring in containers\" in docs/operate.md: a seccomp profile blocks it",
                _ => "sysctl -w kernel.io_uring_disabled=0",
            };
            finding("io_uring", Grade::Warn, found, why, fix)
        }
        Some(Err(error)) => finding("io_uring", Grade::Warn, error.clone(), why, "use driver = \"auto\""),
        None => finding("io_uring", Grade::Warn, "not probed".to_owned(), why, ""),
    }
}

fn connections(wanted: &Wanted, facts: &MachineFacts) -> Finding {
    let why = "Connections beyond what the limits allow wait in the kernel's queue.";
    let fix =
        format!("ulimit -n {} (systemd: LimitNOFILE), or more shards", u64::from(wanted.engine.connections) + 128);
    at_least("connections", Some(facts.connections), u64::from(wanted.engine.connections), Grade::Warn, why, fix)
}

fn descriptors(wanted: &Wanted, facts: &MachineFacts) -> Finding {
    let why = "Each connection needs a descriptor, or a place in a ring's own table, which has the same bound.";
    let (soft, hard) = (facts.descriptors_soft.unwrap_or(u64::MAX), facts.descriptors_hard.unwrap_or(u64::MAX));
    let found = format!("soft {soft}, hard {hard}");
    let fix = format!("ulimit -Hn {}", u64::from(wanted.engine.connections) + 128);
    // The soft limit is raised to the hard one at start.
    let grade = if hard < u64::from(wanted.engine.connections) / u64::from(wanted.engine.shards.max(1)) {
        Grade::Warn
    } else {
        Grade::Ok
    };
    finding("RLIMIT_NOFILE", grade, found, why, fix)
}

fn low_port(wanted: &Wanted, facts: &MachineFacts) -> Finding {
    let why = "Ports below the system's bound need CAP_NET_BIND_SERVICE.";
    let first = facts.lowest_open_port.unwrap_or(1_024);
    let port = u64::from(wanted.lowest_port);
    if port == 0 || port >= first || facts.may_bind_low_ports {
        return finding("port", Grade::Ok, format!("port {port} may be bound"), why, "");
    }
    let fix = "setcap cap_net_bind_service=+ep /usr/bin/linchpin";
    finding("port", Grade::Warn, format!("port {port} may not be bound, only {first} and above"), why, fix)
}

fn memory(wanted: &Wanted, facts: &MachineFacts) -> Finding {
    let why = "A connection needs about 5 KB in the kernel and below 1 KB in the server.";
    let needed = u64::from(wanted.engine.connections) * (KERNEL_BYTES + OWN_BYTES);
    let free = facts.memory_free_bytes.into_iter().chain(facts.memory_limit_bytes).min();
    let found = |free: u64| {
        format!("{} MiB free, {} MiB for {} connections", free / MIB, needed / MIB, wanted.engine.connections)
    };
    match free {
        Some(free) if free >= needed => finding("memory", Grade::Ok, found(free), why, ""),
        Some(free) => finding("memory", Grade::Warn, found(free), why, "lower engine.connections, or add memory"),
        None => finding("memory", Grade::Warn, "the machine does not say".to_owned(), why, ""),
    }
}

fn tcp_memory(wanted: &Wanted, facts: &MachineFacts) -> Finding {
    let pages = u64::from(wanted.engine.connections) * KERNEL_BYTES / PAGE_BYTES;
    at_least(
        "tcp_mem",
        facts.tcp_memory_pages,
        pages,
        Grade::Warn,
        "Beyond the last of its three numbers the kernel drops what sockets have received.",
        format!("sysctl -w net.ipv4.tcp_mem=\"{} {} {}\"", pages, pages * 3 / 2, pages * 2),
    )
}

fn data_folder(wanted: &Wanted, facts: &MachineFacts) -> Finding {
    let why = "The admin socket and the server's state are there.";
    let path = wanted.data_path.display();
    if let Some(found) = &facts.unsafe_data {
        let fix = format!("chown linchpin: {path} && chmod 0700 {path}");
        return finding("data directory", Grade::Warn, found.clone(), why, fix);
    }
    match facts.may_write_data {
        _ if facts.is_made_at_start => {
            finding("data directory", Grade::Ok, format!("{path}, made by systemd at the first start"), why, "")
        }
        Some(true) => finding("data directory", Grade::Ok, path.to_string(), why, ""),
        _ => {
            let user = looking_as().unwrap_or_else(|| "$USER".to_owned());
            let fix = format!("install -d -m 0700 -o {user} {path}");
            finding("data directory", Grade::Warn, format!("{path} may not be written"), why, fix)
        }
    }
}

/// Data keys are most of a keyring that is nearly full.
fn keyring(facts: &MachineFacts) -> Finding {
    use linchpin_storage::limits::{EPOCHS, EPOCHS_ROTATE_PERCENT};
    let why = "Each run that writes adds a data key; a keyring that is full takes no more, and nothing is written.";
    let bytes = facts.keyring_bytes.unwrap_or(0);
    let limit_bytes = (EPOCHS * EPOCHS_ROTATE_PERCENT / 100 * 48) as u64;
    if bytes < limit_bytes {
        return finding("keyring", Grade::Ok, format!("{bytes} bytes"), why, "");
    }
    finding("keyring", Grade::Warn, format!("{bytes} bytes, wanted below {limit_bytes}"), why, "linchpin keys rotate")
}

fn disk(facts: &MachineFacts) -> Finding {
    let why = "A full disk stops what must be kept.";
    match facts.disk_free_bytes {
        Some(free) if free >= 1_024 * MIB => finding("disk", Grade::Ok, format!("{} MiB free", free / MIB), why, ""),
        Some(free) => finding("disk", Grade::Warn, format!("{} MiB free, wanted 1024", free / MIB), why, "df -h"),
        None => finding("disk", Grade::Warn, "the machine does not say".to_owned(), why, "df -h"),
    }
}

/// A sync of the journal that takes longer than this makes values wait.
const SLOW_SYNC_US: u64 = 50_000;

fn disk_speed(facts: &MachineFacts) -> Finding {
    let why = "Each batch of values is on the disk once a sync is done; with slow ones more is lost at a power cut.";
    match facts.sync_us {
        Some(us) if us <= SLOW_SYNC_US => finding("disk speed", Grade::Ok, format!("a sync takes {us} us"), why, ""),
        Some(us) => {
            let found = format!("a sync takes {us} us, wanted {SLOW_SYNC_US}");
            finding("disk speed", Grade::Warn, found, why, "iostat -x 1 5")
        }
        None => finding("disk speed", Grade::Ok, "not tried: the folder is not there yet".to_owned(), why, ""),
    }
}

fn backups(facts: &MachineFacts) -> Finding {
    let why = "A place that the server may not write to makes every backup fail.";
    match &facts.backup_place {
        None => finding("backups", Grade::Ok, "none by themselves ([backup] to)".to_owned(), why, ""),
        Some(Ok(place)) => finding("backups", Grade::Ok, format!("{place} may be written"), why, ""),
        Some(Err(found)) => {
            let fix = "chown it to the service's user; under systemd also: systemctl edit linchpin, [Service] ReadWritePaths=";
            finding("backups", Grade::Warn, found.clone(), why, fix)
        }
    }
}

fn clock(facts: &MachineFacts) -> Finding {
    let why = "Values, events and certificates carry the server's time.";
    let (grade, found) = match facts.clock_is_set {
        Some(true) => (Grade::Ok, "follows a time source"),
        None => (Grade::Warn, "it is not known whether it follows a time source"),
        Some(false) => (Grade::Warn, "it cannot be right: it is before this server was built"),
    };
    finding("clock", grade, found.to_owned(), why, "apt-get install -y chrony")
}

fn governor(facts: &MachineFacts) -> Finding {
    let why = "A core that sleeps deeply answers late; measurements need \"performance\".";
    match facts.governor.as_deref() {
        Some("powersave") => {
            finding("CPU governor", Grade::Warn, "powersave".to_owned(), why, "cpupower frequency-set -g performance")
        }
        Some(other) => finding("CPU governor", Grade::Ok, other.to_owned(), why, ""),
        None => finding("CPU governor", Grade::Ok, "not visible here".to_owned(), why, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EngineOptions;

    fn wanted() -> Wanted {
        let engine = EngineOptions { shards: 4, connections: 100_000, ..EngineOptions::default() };
        Wanted { engine, data_path: "/var/lib/linchpin".into(), lowest_port: 80, backup: None }
    }

    /// A machine that was prepared.
    fn good() -> MachineFacts {
        MachineFacts {
            is_made_at_start: false,
            descriptors_soft: Some(1_024),
            descriptors_hard: Some(1 << 20),
            file_max: Some(1 << 30),
            somaxconn: Some(65_535),
            syn_backlog: Some(65_535),
            lowest_open_port: Some(1_024),
            may_bind_low_ports: true,
            driver: Some(Ok(vec!["driver: io_uring".to_owned()])),
            is_io_uring: true,
            io_uring_disabled: Some(0),
            connections: 100_000,
            memory_free_bytes: Some(8 << 30),
            memory_limit_bytes: None,
            tcp_memory_pages: Some(1 << 20),
            entropy_bits: Some(256),
            disk_free_bytes: Some(100 << 30),
            may_write_data: Some(true),
            unsafe_data: None,
            keyring_bytes: Some(1_000),
            clock_is_set: Some(true),
            sync_us: Some(900),
            backup_place: Some(Ok("/mnt/linchpin".to_owned())),
            governor: Some("performance".to_owned()),
        }
    }

    fn worst(facts: &MachineFacts) -> Vec<(&'static str, Grade)> {
        let bad = judge(&wanted(), facts).into_iter().filter(|f| f.grade != Grade::Ok);
        bad.map(|f| {
            assert!(f.why.ends_with('.') && !f.found.is_empty(), "{f:?}");
            (f.check, f.grade)
        })
        .collect()
    }

    #[test]
    fn a_prepared_machine_has_nothing_to_mend() {
        assert_eq!(worst(&good()), []);
        // The unit's StateDirectory, before the first start.
        let fresh = MachineFacts { may_write_data: Some(false), is_made_at_start: true, ..good() };
        assert_eq!(worst(&fresh), []);
    }

    #[test]
    fn each_fault_is_found_alone() {
        use Grade::Warn;
        type Spoil = fn(&mut MachineFacts);
        let cases: Vec<(&str, Grade, Spoil)> = vec![
            ("io_uring", Warn, |f| f.is_io_uring = false),
            ("io_uring", Warn, |f| f.driver = Some(Err("refused".to_owned()))),
            ("connections", Warn, |f| f.connections = 99_999),
            ("RLIMIT_NOFILE", Warn, |f| f.descriptors_hard = Some(20_000)),
            ("disk speed", Warn, |f| f.sync_us = Some(80_000)),
            ("backups", Warn, |f| f.backup_place = Some(Err("/mnt may not be written".to_owned()))),
            ("fs.file-max", Warn, |f| f.file_max = Some(10_000)),
            ("net.core.somaxconn", Warn, |f| f.somaxconn = Some(128)),
            ("tcp_max_syn_backlog", Warn, |f| f.syn_backlog = Some(128)),
            ("port", Warn, |f| f.may_bind_low_ports = false),
            ("memory", Warn, |f| f.memory_limit_bytes = Some(100 << 20)),
            ("tcp_mem", Warn, |f| f.tcp_memory_pages = Some(1_000)),
            ("entropy", Warn, |f| f.entropy_bits = None),
            ("data directory", Warn, |f| f.may_write_data = Some(false)),
            ("data directory", Warn, |f| f.unsafe_data = Some("it has mode 777".to_owned())),
            ("keyring", Warn, |f| f.keyring_bytes = Some(2_400_000)),
            ("disk", Warn, |f| f.disk_free_bytes = Some(10 << 20)),
            ("clock", Warn, |f| f.clock_is_set = Some(false)),
            ("clock", Warn, |f| f.clock_is_set = None),
            ("CPU governor", Warn, |f| f.governor = Some("powersave".to_owned())),
        ];
        for (check, grade, spoil) in cases {
            let mut facts = good();
            spoil(&mut facts);
            assert_eq!(worst(&facts), [(check, grade)]);
        }
    }
}

//! What the machine says of itself.

use std::path::{Path, PathBuf};

use linchpin_control::BackupPlace;
use linchpin_driver::{Backend, Choice, Options};

use super::unit_user::made_at_start;
use super::wanted::Wanted;
use crate::serve::built_s;
use crate::serve::trial::existing;
use crate::when;

/// Facts; `None`: the machine does not say.
#[derive(Clone, Debug, Default)]
pub(super) struct MachineFacts {
    pub(super) descriptors_soft: Option<u64>,
    pub(super) descriptors_hard: Option<u64>,
    pub(super) file_max: Option<u64>,
    pub(super) somaxconn: Option<u64>,
    pub(super) syn_backlog: Option<u64>,
    pub(super) lowest_open_port: Option<u64>,
    pub(super) may_bind_low_ports: bool,
    /// What the driver would use, or why it cannot.
    pub(super) driver: Option<Result<Vec<String>, String>>,
    pub(super) is_io_uring: bool,
    pub(super) io_uring_disabled: Option<u64>,
    /// Connections that the driver has room for.
    pub(super) connections: u64,
    pub(super) memory_free_bytes: Option<u64>,
    /// What the group of processes may use.
    pub(super) memory_limit_bytes: Option<u64>,
    pub(super) tcp_memory_pages: Option<u64>,
    pub(super) entropy_bits: Option<u64>,
    pub(super) disk_free_bytes: Option<u64>,
    pub(super) may_write_data: Option<bool>,
    /// The data directory is not there yet, and will be when the service starts.
    pub(super) is_made_at_start: bool,
    /// Why the data directory is not safe, if it exists and is not.
    pub(super) unsafe_data: Option<String>,
    /// Length of the keyring's file, bytes; each data key takes 48.
    pub(super) keyring_bytes: Option<u64>,
    pub(super) clock_is_set: Option<bool>,
    /// How long a sync of a small file takes, us: the median of a few.
    pub(super) sync_us: Option<u64>,
    /// May the place of backups be written, if there is one?
    pub(super) backup_place: Option<Result<String, String>>,
    pub(super) governor: Option<String>,
}

fn number(path: &str) -> Option<u64> {
    words(path)?.first()?.parse().ok()
}

fn words(path: &str) -> Option<Vec<String>> {
    Some(std::fs::read_to_string(path).ok()?.split_whitespace().map(str::to_owned).collect())
}

/// Ask everything; nothing is changed.
pub(super) fn gather(wanted: &Wanted) -> MachineFacts {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let mut facts = MachineFacts {
        descriptors_soft: limit.current,
        descriptors_hard: limit.maximum,
        file_max: number("/proc/sys/fs/file-max"),
        somaxconn: number("/proc/sys/net/core/somaxconn"),
        syn_backlog: number("/proc/sys/net/ipv4/tcp_max_syn_backlog"),
        lowest_open_port: number("/proc/sys/net/ipv4/ip_unprivileged_port_start"),
        may_bind_low_ports: has_capability(10),
        io_uring_disabled: number("/proc/sys/kernel/io_uring_disabled"),
        memory_free_bytes: meminfo("MemAvailable:"),
        memory_limit_bytes: number("/sys/fs/cgroup/memory.max"),
        tcp_memory_pages: words("/proc/sys/net/ipv4/tcp_mem").and_then(|words| words.get(2)?.parse().ok()),
        entropy_bits: number("/proc/sys/kernel/random/entropy_avail"),
        governor: words("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").map(|words| words.join(" ")),
        clock_is_set: clock_is_set(),
        ..MachineFacts::default()
    };
    driver(wanted, &mut facts);
    disk(&wanted.data_path, &mut facts);
    facts.sync_us = sync_us(&wanted.data_path);
    facts.backup_place = wanted.backup.as_ref().map(backup_place);
    facts
}

/// Syncs that are tried.
const SYNCS: usize = 9;

/// Write and sync a file that has no name, so that nothing is left of it.
fn sync_us(folder: &Path) -> Option<u64> {
    use rustix::fs::{Mode, OFlags, open};
    let file = open(folder, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR).ok()?;
    let mut file = std::fs::File::from(file);
    let mut took = Vec::new();
    for _ in 0..SYNCS {
        let begun = std::time::Instant::now();
        std::io::Write::write_all(&mut file, &[0; 4_096]).ok()?;
        file.sync_data().ok()?;
        took.push(begun.elapsed().as_micros() as u64);
    }
    took.sort_unstable();
    took.get(SYNCS / 2).copied()
}

/// A bucket is not asked: that would need its credentials, which the server has.
fn backup_place(place: &BackupPlace) -> Result<String, String> {
    let BackupPlace::Folder(path) = place else { return Ok(format!("{place} is a bucket, which is not tried, and")) };
    let nearest = existing(path);
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    match rustix::fs::access(&nearest, access) {
        Ok(()) => Ok(place.to_string()),
        Err(error) => Err(format!("{} may not be written: {}", nearest.display(), std::io::Error::from(error))),
    }
}

fn driver(wanted: &Wanted, facts: &mut MachineFacts) {
    let shards = u32::from(wanted.engine.shards.max(1));
    let options = Options {
        backend: wanted.engine.driver,
        features: wanted.engine.features,
        descriptors: wanted.engine.descriptors,
        idle: wanted.engine.idle_receive,
        connections: wanted.engine.connections.div_ceil(shards),
        process_connections: wanted.engine.connections,
        ..Options::default()
    };
    match linchpin_driver::probe(&options, wanted.engine.shards) {
        Ok(probe) => {
            facts.is_io_uring = probe.backend == Backend::IoUring || wanted.engine.driver == Choice::Portable;
            facts.connections = probe.connections as u64;
            facts.driver = Some(Ok(probe.lines));
        }
        Err(error) => facts.driver = Some(Err(error.to_string())),
    }
}

/// A capability in the effective set, by its number.
fn has_capability(number: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).is_some_and(|bits| bits >> number & 1 == 1)
}

fn meminfo(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1_024)
}

/// Has the kernel been told that the clock follows a source? systemd-timesyncd, chrony and ntpd all do.
fn clock_is_set() -> Option<bool> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some(true);
    }
    // Without systemd's marker only a time that cannot be right tells something.
    (when::now_s() < built_s()?).then_some(false)
}

/// The data directory, or the nearest parent that exists.
fn disk(data_path: &Path, facts: &mut MachineFacts) {
    let mut existing: PathBuf = std::path::absolute(data_path).unwrap_or_else(|_| data_path.into());
    while !existing.exists() && existing.pop() {}
    if let Ok(stat) = rustix::fs::statvfs(&existing) {
        facts.disk_free_bytes = Some(stat.f_bavail.saturating_mul(stat.f_frsize));
    }
    facts.unsafe_data =
        data_path.exists().then(|| linchpin_storage::check_folder(data_path).err()).flatten().map(|e| e.to_string());
    let keyring = crate::config::store_folder(data_path).join("keyring.a");
    facts.keyring_bytes = std::fs::metadata(keyring).ok().map(|metadata| metadata.len());
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    facts.is_made_at_start = !data_path.exists() && made_at_start().as_deref() == Some(data_path);
    facts.may_write_data = Some(rustix::fs::access(&existing, access).is_ok());
}

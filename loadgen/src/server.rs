//! The server, seen from outside: its metrics page, and its entry in /proc when it is on this machine.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// What was seen at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ServerSample {
    /// Seconds since the begin of the run.
    pub(crate) at_s: f64,
    /// CPU time of the process so far, seconds; 0 without /proc.
    pub(crate) cpu_s: f64,
    /// Of it, spent in the kernel, seconds; in ticks of 10 ms.
    #[serde(default)]
    pub(crate) system_s: f64,
    /// Its resident memory, bytes; 0 without /proc.
    pub(crate) rss_bytes: u64,
    /// Connections; 0 without metrics.
    pub(crate) connections: u64,
    /// Frames received so far; 0 without metrics.
    pub(crate) frames: u64,
}

/// Where to look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Eye {
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) pid: Option<u32>,
}

impl Eye {
    /// Look now. What cannot be seen is 0.
    pub(crate) fn look(&self, at_s: f64) -> ServerSample {
        let page = self.metrics.and_then(|address| page(address).ok()).unwrap_or_default();
        ServerSample {
            at_s,
            cpu_s: self.pid.map_or(0.0, cpu_s),
            system_s: self.pid.map_or(0.0, system_s),
            rss_bytes: self.pid.map_or(0, rss_bytes),
            connections: sum(&page, "linchpin_connections") as u64,
            frames: sum(&page, "linchpin_frames_total") as u64,
        }
    }

    /// Version and commit of the server, from its metrics.
    pub(crate) fn version(&self) -> String {
        let page = self.metrics.and_then(|address| page(address).ok()).unwrap_or_default();
        build(&page)
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.metrics.is_some() || self.pid.is_some()
    }
}

/// The metrics page.
fn page(address: SocketAddr) -> std::io::Result<String> {
    let patience = Duration::from_millis(limits::PROBE_MS);
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.take(limits::METRICS_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// `VERSION (COMMIT)` of a page of metrics; empty without them.
fn build(page: &str) -> String {
    let line = page.lines().find(|line| line.starts_with("linchpin_build_info{")).unwrap_or_default();
    let label = |name: &str| line.split_once(&format!("{name}=\"")).and_then(|(_, rest)| rest.split('"').next());
    match (label("version"), label("commit")) {
        (Some(version), Some(commit)) => format!("{version} ({commit})"),
        (Some(version), None) => version.to_owned(),
        (None, _) => String::new(),
    }
}

/// Sum of a metric over all its labels.
fn sum(page: &str, name: &str) -> f64 {
    let lines = page.lines().filter_map(|line| line.strip_prefix(name));
    let lines = lines.filter(|rest| rest.starts_with('{') || rest.starts_with(' '));
    lines.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// CPU time of all threads. Threads that ended are missing; a server keeps its own.
fn cpu_s(pid: u32) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let ns = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    ns.sum::<u64>() as f64 / 1e9
}

/// CPU time in the kernel, from the process's own counters: field 15 of its entry, in ticks of a hundredth of a second.
fn system_s(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of a program may hold spaces and brackets: fields are counted from behind it.
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    fields.split_whitespace().nth(12).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or(0) as f64 / 100.0
}

fn rss_bytes(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 1_024
}

/// The process of this machine that listens there, if /proc shows it.
pub(crate) fn listener(address: SocketAddr) -> Option<u32> {
    let inode = listening_inode(&std::fs::read_to_string("/proc/net/tcp").ok()?, address.port())?;
    let wanted = format!("socket:[{inode}]");
    let pids = std::fs::read_dir("/proc").ok()?.flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).find(|pid| {
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        descriptors.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|link| link.as_os_str() == wanted.as_str())
    })
}

/// The inode of the socket that listens on a port, in the form of /proc/net/tcp.
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, hex) = fields.get(1)?.split_once(':')?;
        let listens = *fields.get(3)? == "0A" && u16::from_str_radix(hex, 16).ok()? == port;
        if listens { fields.get(9)?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_over_their_labels() {
        let page = "# TYPE linchpin_connections gauge\nlinchpin_connections{shard=\"0\"} 3\n\
                    linchpin_connections{shard=\"1\"} 4\nlinchpin_connections_moved_total{shard=\"0\"} 9\n";
        assert_eq!((sum(page, "linchpin_connections"), sum(page, "none")), (7.0, 0.0));
    }

    #[test]
    fn a_server_names_its_version_and_commit() {
        assert_eq!(build("a 1\nlinchpin_build_info{version=\"1.2.3\",commit=\"1f2e3d\"} 1\n"), "1.2.3 (1f2e3d)");
        assert_eq!(build("linchpin_build_info{version=\"1.2.3\"} 1\n"), "1.2.3");
        assert_eq!(build("mosquitto 1\n"), "");
    }

    #[test]
    fn the_listener_of_a_port_is_found_by_its_socket() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("bound");
        assert_eq!(super::listener(address), Some(std::process::id()));
        drop(listener);
        assert_eq!(super::listener(address), None);
    }

    #[test]
    fn a_process_has_memory_and_cpu_time() {
        let sample = Eye { metrics: None, pid: Some(std::process::id()) }.look(1.5);
        assert!(sample.rss_bytes > 100_000 && sample.cpu_s > 0.0 && sample.frames == 0, "{sample:?}");
    }
}

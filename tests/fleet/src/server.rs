//! The server under test, as a fresh process.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use linchpin_protocol::model::Token;
use rustix::process::{Pid, Signal, kill_process};

/// A running `linchpin dev`; ended when dropped.
pub struct Server {
    child: Child,
    folder: PathBuf,
    /// Its plain port.
    pub address: SocketAddr,
    /// Its TLS port.
    pub tls: SocketAddr,
    /// The certificate of its authority.
    pub ca: PathBuf,
    /// Where its metrics are.
    pub metrics: SocketAddr,
    /// Tokens of its devices.
    pub tokens: Vec<Token>,
}

/// CPU time of a process so far, all of its threads.
#[must_use]
pub fn cpu_time(pid: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        // Its first field: time on a CPU, ns.
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// Memory of a process, bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Resident.
    pub rss: u64,
    /// The kernel's slabs, of the whole machine.
    pub slab: u64,
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0) * 1_024
}

/// What the metrics of a server say.
///
/// # Panics
/// When they cannot be read.
#[must_use]
pub fn scrape(metrics: SocketAddr) -> String {
    use std::io::{Read, Write};
    let mut socket = std::net::TcpStream::connect(metrics).expect("the metrics");
    socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("asks");
    let mut text = String::new();
    socket.read_to_string(&mut text).expect("an answer");
    text
}

/// Memory of a process now.
///
/// # Panics
/// When it is gone.
#[must_use]
pub fn memory(pid: u32) -> Memory {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the server runs");
    let machine = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    Memory { rss: field(&status, "VmRSS:"), slab: field(&machine, "Slab:") }
}

/// Looks at memory until it counts as settled, half a second apart: what is freed is given back up to two seconds later, so
/// two equal looks can both be before it.
const STILL: usize = 7;
/// It has settled when these differ by no more than one in so many.
const STILL_PART: u64 = 500;

/// Memory of a process when it has not changed for three seconds, or as it is after half a minute.
#[must_use]
pub fn settled_memory(pid: u32) -> Memory {
    let mut last = VecDeque::from([memory(pid)]);
    for _ in 0..60 {
        std::thread::sleep(Duration::from_millis(500));
        last.push_front(memory(pid));
        last.truncate(STILL);
        let least = last.iter().map(|look| look.rss).min().unwrap_or_default();
        let most = last.iter().map(|look| look.rss).max().unwrap_or_default();
        if last.len() == STILL && most - least <= most / STILL_PART {
            break;
        }
    }
    last[0]
}

/// What the store's own buffers and caches take, by a page of metrics, bytes.
///
/// # Panics
/// When it does not say it.
#[must_use]
pub fn store_memory(page: &str) -> u64 {
    let names = ["write_buffer", "table_reader", "block_cache"].map(|part| format!("linchpin_store_{part}_bytes "));
    let of = |name: &String| page.lines().find_map(|line| line.strip_prefix(name.as_str())?.parse::<u64>().ok());
    names.iter().map(|name| of(name).expect("the store's memory is exported")).sum()
}

impl Server {
    /// Start `binary` with so many devices and shards on a free port of the loopback.
    ///
    /// # Panics
    /// When it does not get ready within a minute.
    #[must_use]
    pub fn start(binary: &Path, devices: u32, shards: u16, driver: &str) -> Self {
        Self::start_with(binary, devices, shards, driver, &[])
    }

    /// The same with more flags.
    ///
    /// # Panics
    /// When it does not get ready within a minute.
    #[must_use]
    pub fn start_with(binary: &Path, devices: u32, shards: u16, driver: &str, flags: &[&str]) -> Self {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("linchpin-fleet-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let (ready, tokens) = (folder.join("ready.json"), folder.join("tokens"));
        let log = std::fs::File::create(folder.join("log")).expect("a log");
        let child = Command::new(binary)
            .args(["dev", "--plain", "127.0.0.1:0", "--tls", "127.0.0.1:0", "--driver", driver])
            .args(["--shards", &shards.to_string(), "--devices", &devices.to_string()])
            .args(["--connections", &(devices + 1_000).to_string()])
            .arg("--data")
            .arg(folder.join("data"))
            .arg("--ready-file")
            .arg(&ready)
            .arg("--tokens-out")
            .arg(&tokens)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log twice"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", binary.display()));
        let none: SocketAddr = ([127, 0, 0, 1], 0).into();
        let mut server =
            Self { child, folder, address: none, tls: none, ca: PathBuf::new(), metrics: none, tokens: Vec::new() };
        let end = Instant::now() + Duration::from_secs(60);
        let text = loop {
            if let Ok(text) = std::fs::read(&ready) {
                break text;
            }
            let ended = server.child.try_wait().expect("the state of the server");
            assert!(ended.is_none() && Instant::now() < end, "the server is not ready: {ended:?}\n{}", server.log());
            std::thread::sleep(Duration::from_millis(10));
        };
        let ready: serde_json::Value = serde_json::from_slice(&text).expect("the ready file is JSON");
        let address = |name: &str| ready[name].as_str().and_then(|text| text.parse().ok()).expect("an address");
        (server.address, server.metrics) = (address("plain"), address("metrics"));
        (server.tls, server.ca) = (address("tls"), ready["ca"].as_str().expect("a path").into());
        let lines = std::fs::read_to_string(&tokens).expect("the tokens");
        let parse = |line: &str| Token::parse(line.split_whitespace().nth(1)?.as_bytes()).ok();
        server.tokens = lines.lines().filter_map(parse).collect();
        server
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// What its metrics say.
    ///
    /// # Panics
    /// When they cannot be read.
    #[must_use]
    pub fn scrape(&self) -> String {
        scrape(self.metrics)
    }

    /// Ended connections by their code, all shards together.
    #[must_use]
    pub fn ends(&self) -> String {
        let mut sums = std::collections::BTreeMap::<String, u64>::new();
        for line in self.scrape().lines().filter(|line| line.starts_with("linchpin_ends_total{")) {
            let code = line.split("code=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
            let count = line.split_whitespace().last().and_then(|n| n.parse().ok()).unwrap_or(0);
            *sums.entry(code.to_owned()).or_default() += count;
        }
        let words: Vec<_> = sums.into_iter().map(|(code, count)| format!("{count} x {code}")).collect();
        words.join(", ")
    }

    /// What the store's own buffers and caches take, bytes: bounded, and kept, whoever filled them.
    ///
    /// # Panics
    /// When its metrics do not say it.
    #[must_use]
    pub fn store_memory(&self) -> u64 {
        store_memory(&self.scrape())
    }

    /// Its memory now.
    ///
    /// # Panics
    /// When it is gone.
    #[must_use]
    pub fn memory(&self) -> Memory {
        memory(self.child.id())
    }

    /// Its memory when it has not changed for half a second.
    #[must_use]
    pub fn settled_memory(&self) -> Memory {
        settled_memory(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

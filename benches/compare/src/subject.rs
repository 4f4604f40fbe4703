//! The servers: Linchpin's whole engine, and the minimal one on each runtime. Each is started afresh on a core of its own.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// All of them; the first is ours.
pub(crate) const SUBJECTS: [&str; 7] = ["linchpin", "ring", "epoll", "tokio", "tokio-uring", "monoio", "monoio-defer"];

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the programs are.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) linchpin: PathBuf,
    pub(crate) runtimes: PathBuf,
    pub(crate) loadgen: PathBuf,
}

/// A running server; ended when dropped, its files with it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    folder: PathBuf,
    pub(crate) address: SocketAddr,
    /// Tokens that it knows; `None`: it takes any.
    pub(crate) tokens: Option<PathBuf>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let end = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > end {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Start a command on one CPU: threads and children inherit where they may run.
///
/// # Errors
/// There is no such CPU, or the program cannot be started.
pub(crate) fn spawn_on(cpu: usize, command: &mut Command) -> Result<Child, String> {
    let before = sched_getaffinity(None).map_err(|error| format!("the CPUs of this thread: {error}"))?;
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only).map_err(|error| format!("CPU {cpu} cannot be used: {error}"))?;
    let spawned = command.spawn().map_err(|error| format!("{}: {error}", command.get_program().display()));
    sched_setaffinity(None, &before).map_err(|error| format!("the CPUs of this thread: {error}"))?;
    spawned
}

impl Programs {
    /// Start a server for so many devices; it takes connections when this returns.
    ///
    /// # Errors
    /// What it said instead.
    pub(crate) fn start(&self, subject: &str, devices: u32, cpu: usize) -> Result<Running, String> {
        let folder = std::env::temp_dir().join(format!("linchpin-compare-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let wrong = |error: std::io::Error| format!("{}: {error}", folder.display());
        std::fs::create_dir_all(&folder).map_err(wrong)?;
        let (ready, tokens, log) = (folder.join("ready"), folder.join("tokens"), folder.join("log"));
        let mut command;
        if subject == SUBJECTS[0] {
            command = Command::new(&self.linchpin);
            // One shard, with its store. No quota may refuse what the others do not count.
            command.args(["dev", "--plain", "127.0.0.1:0", "--tls", "off", "--shards", "1"]);
            command.args(["--set", "messages_per_second=100000", "--set", "message_burst=100000"]);
            command.args(["--devices", &devices.to_string(), "--connections", &(devices + 500).to_string()]);
            command.arg("--data").arg(folder.join("data")).arg("--tokens-out").arg(&tokens);
        } else {
            command = Command::new(&self.runtimes);
            command.args(["--runtime", subject]);
        }
        command.arg("--ready-file").arg(&ready).stdin(Stdio::null());
        let file = File::create(&log).map_err(wrong)?;
        command.stdout(file.try_clone().map_err(wrong)?).stderr(file);
        let child = spawn_on(cpu, &mut command)?;
        let tokens = (subject == SUBJECTS[0]).then_some(tokens);
        let mut running = Running { child, folder, address: ([127, 0, 0, 1], 0).into(), tokens };
        running.address = running.wait_ready(&ready).ok_or_else(|| {
            format!("{subject} does not listen; it said: {}", std::fs::read_to_string(&log).unwrap_or_default())
        })?;
        Ok(running)
    }
}

impl Running {
    fn wait_ready(&mut self, ready: &Path) -> Option<SocketAddr> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Ok(text) = std::fs::read(ready) {
                let told: serde_json::Value = serde_json::from_slice(&text).ok()?;
                return told["plain"].as_str()?.parse().ok();
            }
            if !matches!(self.child.try_wait(), Ok(None)) || Instant::now() > end {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

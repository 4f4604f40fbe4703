//! The servers: Linchpin's whole engine, and the minimal one on each runtime. Each is started afresh on a core of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// All of them; the first is ours.
pub(crate) const SUBJECTS: [&str; 7] = ["linchpin", "ring", "epoll", "tokio", "tokio-uring", "monoio", "monoio-defer"];

/// Another build of ours, to see what a change costs.
pub(crate) const BEFORE: &str = "before";

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the programs are.
#[derive(Debug)]
pub(crate) struct Programs {
    /// For the load generator.
    pub(crate) allow_debug_build: bool,
    /// The server goes before others on its CPU (SCHED_FIFO), so that neighbours do not count. Not the load generator:
    /// it is nearly always busy, and the kernel holds up for 50 ms of each second who is.
    pub(crate) goes_first: bool,
    pub(crate) linchpin: PathBuf,
    pub(crate) before: Option<PathBuf>,
    pub(crate) runtimes: PathBuf,
    pub(crate) loadgen: PathBuf,
}

/// A running server; ended when dropped, its files with it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    folder: PathBuf,
    pub(crate) address: SocketAddr,
    /// Where its metrics are, if it has any.
    metrics: Option<SocketAddr>,
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

/// May this program give others a place before everybody else's?
pub(crate) fn may_go_first() -> bool {
    let mut tried = Command::new("chrt");
    tried.args(["-f", "10", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    tried.status().is_ok_and(|status| status.success())
}

impl Programs {
    /// A command for a server. Several rings on one core take turns there: a thread that goes first would keep it from the
    /// one that it waits for.
    fn command(&self, program: &Path, rings: u16) -> Command {
        if !self.goes_first || rings > 1 {
            return Command::new(program);
        }
        let mut command = Command::new("chrt");
        command.args(["-f", "10"]).arg(program);
        command
    }

    /// Start a server for so many devices, ours with so many rings; it takes connections when this returns.
    ///
    /// # Errors
    /// What it said instead.
    pub(crate) fn start(&self, subject: &str, devices: u32, rings: u16, cpu: usize) -> Result<Running, String> {
        let folder = std::env::temp_dir().join(format!("linchpin-compare-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let wrong = |error: std::io::Error| format!("{}: {error}", folder.display());
        std::fs::create_dir_all(&folder).map_err(wrong)?;
        let ours = match subject {
            BEFORE => self.before.as_deref(),
            name => (name == SUBJECTS[0]).then_some(self.linchpin.as_path()),
        };
        let (mut command, tokens) = if let Some(program) = ours {
            let tokens = folder.join("tokens");
            with_devices(program, &folder, devices, &tokens)?;
            let config = folder.join("linchpin.toml");
            std::fs::write(&config, config_text(&folder, devices, rings)).map_err(wrong)?;
            let mut command = self.command(program, rings);
            command.arg("serve").arg("--config").arg(config);
            (command, Some(tokens))
        } else {
            let mut command = self.command(&self.runtimes, 1);
            command.args(["--runtime", subject]);
            (command, None)
        };
        let (mut running, told) = Running::start(&mut command, subject, folder, cpu)?;
        let address = |name: &str| told[name].as_str().and_then(|text| text.parse().ok());
        running.address = address("plain").ok_or_else(|| format!("{subject} does not say where it listens: {told}"))?;
        running.metrics = address("metrics");
        running.tokens = tokens;
        Ok(running)
    }
}

/// A store with so many devices. `dev` makes it, and ends: it tells of each device that arrives, which is no part of
/// what is compared.
fn with_devices(program: &Path, folder: &Path, devices: u32, tokens: &Path) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(["dev", "--plain", "127.0.0.1:0", "--tls", "off", "--shards", "1"]);
    command.args(["--devices", &devices.to_string(), "--tokens-out"]).arg(tokens);
    command.arg("--data").arg(folder.join("data"));
    let own = folder.join("dev");
    std::fs::create_dir(&own).map_err(|error| format!("{}: {error}", own.display()))?;
    // Its end is the end of this.
    Running::start(&mut command, "dev", own, 0).map(drop)
}

/// No quota may refuse what the others do not count.
fn config_text(folder: &Path, devices: u32, rings: u16) -> String {
    format!(
        "[listen]\nplain = [\"127.0.0.1:0\"]\nmetrics = \"127.0.0.1:0\"\n[data]\ndir = \"{}\"\n\
         [engine]\nshards = {rings}\nconnections = {}\n\
         [limits]\nmessages_per_second = 100000\nmessage_burst = 100000\n",
        folder.join("data").display(),
        devices + 500
    )
}

impl Running {
    /// Start it on one CPU and wait until it says where it listens.
    fn start(
        command: &mut Command,
        subject: &str,
        folder: PathBuf,
        cpu: usize,
    ) -> Result<(Self, serde_json::Value), String> {
        let wrong = |error: std::io::Error| format!("{}: {error}", folder.display());
        let (ready, log) = (folder.join("ready"), folder.join("log"));
        let file = File::create(&log).map_err(wrong)?;
        command.arg("--ready-file").arg(&ready).stdin(Stdio::null());
        command.stdout(file.try_clone().map_err(wrong)?).stderr(file);
        let child = spawn_on(cpu, command)?;
        let mut running = Self { child, folder, address: ([127, 0, 0, 1], 0).into(), metrics: None, tokens: None };
        let told = running.wait_ready(&ready).ok_or_else(|| {
            format!("{subject} does not listen; it said: {}", std::fs::read_to_string(&log).unwrap_or_default())
        })?;
        Ok((running, told))
    }

    fn wait_ready(&mut self, ready: &Path) -> Option<serde_json::Value> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Ok(text) = std::fs::read(ready) {
                return serde_json::from_slice(&text).ok();
            }
            if !matches!(self.child.try_wait(), Ok(None)) || Instant::now() > end {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its longest tick since it was started or asked, if it says it.
    pub(crate) fn longest_tick_us(&self) -> Option<f64> {
        let mut stream = TcpStream::connect_timeout(&self.metrics?, PATIENCE).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let lines = text.lines().filter(|line| line.starts_with("linchpin_tick_max_seconds"));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).map(|s| s * 1e6).reduce(f64::max)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

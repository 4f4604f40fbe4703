//! A server that runs, seen from outside.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server; ended when dropped, and by the kernel when this program dies.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
    /// Where its devices connect.
    pub(crate) address: SocketAddr,
    /// Certificates that its own is checked against, if it speaks TLS.
    pub(crate) authority: Option<PathBuf>,
    /// Tokens of its devices, if they speak Blynk.
    pub(crate) tokens: Option<PathBuf>,
    /// Names and passwords of its devices, if they speak MQTT and it asks for any.
    pub(crate) names: Option<PathBuf>,
}

/// How long a server may take to listen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

impl Running {
    /// Start a program with its output in `log`. It listens, or will listen, at `address`.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(command: &Command, log: &Path, address: SocketAddr) -> Result<Self, String> {
        let file = |error: std::io::Error| format!("{}: {error}", log.display());
        let output = std::fs::File::create(log).map_err(file)?;
        // Setting the death signal ourselves would need code between fork and exec.
        let mut whole = Command::new("setpriv");
        whole.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            whole.current_dir(folder);
        }
        whole.stdin(Stdio::null()).stdout(output.try_clone().map_err(file)?).stderr(output);
        let child = whole.spawn().map_err(|error| format!("setpriv (package util-linux) does not start: {error}"))?;
        Ok(Self { child, log: log.to_owned(), address, authority: None, tokens: None, names: None })
    }

    /// Has it ended?
    pub(crate) fn is_gone(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Wait until it takes connections.
    pub(crate) fn listens(&mut self) -> bool {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && !self.is_gone() {
            if TcpStream::connect(self.address).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// The end of what it has written, at most 1,000 characters.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let skipped = text.chars().count().saturating_sub(1_000);
        text.chars().skip(skipped).collect()
    }

    /// Resident memory of its processes together, bytes. Pages that they share count more than once.
    ///
    /// # Errors
    /// It is gone.
    pub(crate) fn resident_bytes(&self) -> Result<u64, String> {
        family(self.child.id())
            .into_iter()
            .map(|pid| {
                let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                resident(&status).ok_or_else(|| format!("the server is gone: {}", self.last_words()))
            })
            .sum()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process and all that it has started.
fn family(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut at = 0;
    while let Some(pid) = all.get(at) {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let children = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
        let children: Vec<u32> = children
            .flat_map(|line| line.split_whitespace().filter_map(|n| n.parse().ok()).collect::<Vec<_>>())
            .collect();
        all.extend(children);
        at += 1;
    }
    all
}

/// `VmRSS` of `/proc/PID/status`, bytes.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_the_status() {
        assert_eq!(resident("Name:\tx\nVmHWM:\t  900 kB\nVmRSS:\t  512 kB\nRssAnon:\t 1 kB\n"), Some(512 * 1_024));
        // A process that has ended and was not waited for has no memory.
        assert_eq!(resident("Name:\tx\nState:\tZ (zombie)\n"), None);
    }

    #[test]
    fn children_count() {
        let log = std::env::temp_dir().join(format!("linchpin-peers-family-{}", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & sleep 60 & wait"]);
        let server = Running::start(&command, &log, ([127, 0, 0, 1], 9).into()).expect("sh starts");
        let end = Instant::now() + PATIENCE;
        while family(server.child.id()).len() < 3 {
            assert!(Instant::now() < end, "the shell has not started its children");
            std::thread::sleep(Duration::from_millis(5));
        }
        let one = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).expect("it runs");
        let all = server.resident_bytes().expect("it runs");
        assert!(all > resident(&one).expect("it has memory"), "{all}");
        let _ = std::fs::remove_file(log);
    }
}

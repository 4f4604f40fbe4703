//! Processes that took a server's place: the harness knows the first one only.

#![allow(clippy::print_stderr, reason = "what a failed test shows")]

use std::os::unix::ffi::OsStrExt as _;

use linchpin_compat::Server;
use rustix::process::{Pid, Signal, kill_process};

/// Whoever serves in the place of this server ends with it.
#[derive(Debug)]
pub struct Successors<'a>(pub &'a Server);

impl Successors<'_> {
    /// Those that run.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        // With its end: the name of one folder begins like that of another.
        let folder = [self.0.folder().as_os_str().as_bytes(), b"/"].concat();
        let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
        let is_ours = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let args: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            let serves = args.get(1).is_some_and(|verb| [&b"dev"[..], b"serve"].contains(verb));
            serves && args[2..].iter().any(|arg| arg.starts_with(&folder)) && *pid != self.0.pid()
        };
        all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_ours).collect()
    }
}

impl Drop for Successors<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.0.log();
            let lines: Vec<&str> = log.lines().filter(|line| !line.contains("E0101")).collect();
            eprintln!("The server wrote last:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
        for pid in self.pids().into_iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

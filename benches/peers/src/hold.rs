//! Holds idle connections with our load generator, and reads the server's memory while it does.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::launch::Folder;
use crate::plan::Transport;
use crate::running::Running;

/// Heartbeat of the devices: long, so that connections are idle.
const HEARTBEAT: &str = "600s";
/// For how long connections would be held beyond the rest if the generator were not told to end.
const MARGIN: Duration = Duration::from_secs(60);
/// Beyond the plan: connects that come late, and the generator's own begin and end.
const PATIENCE: Duration = Duration::from_secs(180);

/// How connections are held.
#[derive(Debug)]
pub(crate) struct Hold {
    /// The load generator.
    pub(crate) loadgen: PathBuf,
    /// How many.
    pub(crate) connections: u32,
    /// Time between the last login and the reading.
    pub(crate) rest: Duration,
    /// Take a load generator that was built for debugging.
    pub(crate) allow_debug_build: bool,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The server's memory while all connections were idle, bytes.
    pub(crate) resident_bytes: u64,
    /// Why the reading is not worth anything.
    pub(crate) fault: Option<String>,
}

/// The load generator; ended when dropped.
struct Generator {
    child: Child,
    progress: PathBuf,
    outcome: PathBuf,
}

impl Drop for Generator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Generator {
    fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ask for the outcome so far.
    fn interrupt(&self) {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            // Not running any more: then its outcome is there.
            let _ = kill_process(pid, Signal::INT);
        }
    }

    fn progress(&self) -> String {
        std::fs::read_to_string(&self.progress).unwrap_or_default()
    }

    fn last_line(&self) -> String {
        self.progress().lines().next_back().unwrap_or("nothing").trim().to_owned()
    }
}

impl Hold {
    /// Connect all, let them rest, read the server's memory, and see whether all stayed.
    ///
    /// # Errors
    /// Not all could connect, or the server is gone.
    pub(crate) fn run(&self, transport: Transport, server: &Running, folder: &Folder) -> Result<Held, String> {
        let ramp = Duration::from_secs(u64::from(self.connections.div_ceil(transport.logins_per_s())));
        let mut generator = self.start(transport, server, folder, ramp)?;
        let end = Instant::now() + ramp + self.rest + PATIENCE;
        let all = u64::from(self.connections);
        while online(&generator.last_line()) != Some(all) {
            if !generator.is_running() || Instant::now() > end {
                return Err(format!(
                    "not all of {all} devices came online; loadgen: {}; the server: {}",
                    generator.last_line(),
                    server.last_words()
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        std::thread::sleep(self.rest);
        let resident_bytes = server.resident_bytes()?;
        generator.interrupt();
        while generator.is_running() {
            if Instant::now() > end {
                return Err(format!("loadgen does not end: {}", generator.last_line()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let text = std::fs::read(&generator.outcome).unwrap_or_default();
        let outcome = serde_json::from_slice(&text).map_err(|_| format!("loadgen: {}", generator.last_line()))?;
        Ok(Held { resident_bytes, fault: fault(&outcome, all) })
    }

    fn start(
        &self,
        transport: Transport,
        server: &Running,
        folder: &Folder,
        ramp: Duration,
    ) -> Result<Generator, String> {
        let (progress, outcome) = (folder.at("loadgen.progress"), folder.at("loadgen.json"));
        let file = |path: &PathBuf| std::fs::File::create(path).map_err(|e| format!("{}: {e}", path.display()));
        // A kill of this program ends it, as the server.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.loadgen).arg("quick");
        let held_s = (self.rest + MARGIN).as_secs();
        command.args(["--connections", &self.connections.to_string(), "--rate", "0/s"]);
        command.args(["--duration", &format!("{held_s}s"), "--ramp", &format!("{}s", ramp.as_secs().max(1))]);
        command.args(["--h-beat", HEARTBEAT, "--timeout", "60s", "--transport", transport.name()]);
        command.args(["--no-tui", "--json", "--driver", "auto"]);
        if server.tokens.is_none() {
            command.arg("--mqtt");
        }
        // Only ours asks who it is.
        if let Some(keys) = server.tokens.as_ref().or(server.names.as_ref()) {
            command.arg("--tokens").arg(keys);
        }
        if let Some(authority) = &server.authority {
            command.args(["--tls-version", "1.3", "--ca"]).arg(authority);
        }
        if self.allow_debug_build {
            command.arg("--allow-debug-build");
        }
        command.arg(server.address.to_string());
        command.stdin(Stdio::null()).stdout(file(&outcome)?).stderr(file(&progress)?);
        let child = command.spawn().map_err(|error| format!("loadgen does not start: {error}"))?;
        Ok(Generator { child, progress, outcome })
    }
}

/// How many are online, in a line of the load generator's progress.
fn online(line: &str) -> Option<u64> {
    line.split_once("  online ")?.1.split_whitespace().next()?.parse().ok()
}

/// Why an outcome does not show that all connections were held to its end. The generator's verdict on its own latencies
/// does not matter here.
fn fault(outcome: &Value, connections: u64) -> Option<String> {
    let at_gate = outcome["online_at_gate"].as_u64();
    if at_gate != Some(connections) {
        return Some(format!("{} of {connections} devices were online", at_gate.unwrap_or(0)));
    }
    let phases = outcome["phases"].as_array().cloned().unwrap_or_default();
    let wrong = ["lost", "login_failed", "connect_failed", "refused", "faults"];
    wrong.into_iter().find_map(|kind| {
        let count: u64 = phases.iter().filter_map(|phase| phase["counts"][kind].as_u64()).sum();
        (count > 0).then(|| format!("{count} x {kind} while connections were made and held"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lines_say_how_many_are_online() {
        let line = "    3 s  ramp (waits for the devices)  online 1234  sent 0/s  answers 0/s  p50 0  errors 0";
        assert_eq!(online(line), Some(1_234));
        assert_eq!(online("loadgen: target unreachable"), None);
    }

    #[test]
    fn an_outcome_must_show_that_all_stayed() {
        let outcome = |online: u64, lost: u64| {
            serde_json::json!({
                "online_at_gate": online,
                "phases": [{ "counts": { "lost": 0 } }, { "counts": { "lost": lost, "login_failed": 0 } }],
            })
        };
        assert_eq!(fault(&outcome(50, 0), 50), None);
        assert!(fault(&outcome(49, 0), 50).is_some_and(|text| text.contains("49 of 50")));
        assert!(fault(&outcome(50, 2), 50).is_some_and(|text| text.contains("2 x lost")));
        assert!(fault(&serde_json::json!({}), 50).is_some());
    }
}

//! The load generator as a person runs it: the built program against the built server, and against [`minimal`], a
//! Blynk server on plain threads that shares no driver and no shard with either.

pub mod minimal;
pub mod mosquitto;
pub mod shell;

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

pub use linchpin_built::program;
use linchpin_protocol::model::Token;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A folder of one test; removed when dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new one.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("loadgen-tests-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    /// A path in it.
    #[must_use]
    pub fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file in it.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.at(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// A file of tokens.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn tokens(&self, tokens: &[Token]) -> PathBuf {
        let lines: String = tokens.iter().map(|token| token.expose().to_owned() + "\n").collect();
        self.file("tokens", &lines)
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Tokens that nobody else has, for servers that take any.
#[must_use]
pub fn made_up_tokens(count: u32) -> Vec<Token> {
    let token = |n: u32| {
        let mut seed = [7; 24];
        seed[..4].copy_from_slice(&n.to_be_bytes());
        Token::from_random(&seed)
    };
    (0..count).map(token).collect()
}

/// What a run of the program left.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub out: String,
    /// What it said of its progress and of errors.
    pub err: String,
}

impl Ran {
    /// The exit code.
    ///
    /// # Panics
    /// When a signal ended it.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {}", self.err))
    }

    /// The outcome, of a run with `--json`.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn outcome(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

/// Counts of a kind over all phases of an outcome.
///
/// # Panics
/// When it has no such count.
#[must_use]
pub fn sum(outcome: &Value, kind: &str) -> u64 {
    let phases = outcome["phases"].as_array().expect("phases");
    phases.iter().map(|phase| phase["counts"][kind].as_u64().expect("a count")).sum()
}

/// Nothing went wrong in any phase.
///
/// # Panics
/// When something did.
#[track_caller]
pub fn expect_clean(outcome: &Value) {
    for wrong in ["timeouts", "refused", "lost", "login_failed", "connect_failed", "faults", "skipped", "offline"] {
        assert_eq!(sum(outcome, wrong), 0, "{wrong}: {}", outcome["phases"]);
    }
}

/// A running load generator.
#[derive(Debug)]
pub struct Loadgen(Child);

impl Loadgen {
    /// Start it with these arguments; figures are not of interest, so any build will do.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(program("loadgen"));
        let command = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().expect("loadgen starts"))
    }

    /// Send it a signal.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.0.id() as i32).expect("a process");
        kill_process(pid, signal).expect("it runs");
    }

    /// Read what it says of its progress until a line has these words; [`Ran::err`] has the rest.
    ///
    /// # Panics
    /// When it ends before.
    pub fn wait_for(&mut self, words: &str) {
        let stderr = self.0.stderr.as_mut().expect("it is read once");
        let (mut said, mut byte) = (Vec::new(), [0]);
        while stderr.read(&mut byte).expect("a pipe") == 1 {
            said.push(byte[0]);
            if byte == *b"\n" && String::from_utf8_lossy(&said).contains(words) {
                return;
            }
        }
        panic!("it ended and never said {words:?}: {}", String::from_utf8_lossy(&said));
    }

    /// Its end.
    ///
    /// # Panics
    /// When it does not end in time.
    #[must_use]
    pub fn wait(self, patience: Duration) -> Ran {
        let pid = Pid::from_raw(self.0.id() as i32).expect("a process");
        let (tell, told) = channel();
        // Its output is read while it runs: a pipe holds little.
        std::thread::spawn(move || tell.send(self.0.wait_with_output()));
        let output = told.recv_timeout(patience).unwrap_or_else(|_| {
            let _ = kill_process(pid, Signal::KILL);
            panic!("loadgen did not end within {patience:?}");
        });
        let output = output.expect("its output");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { status: output.status, out: text(output.stdout), err: text(output.stderr) }
    }
}

/// Run it to its end, with JSON, whatever its build.
#[must_use]
pub fn run(target: SocketAddr, tokens: &Path, arguments: &[&str]) -> Ran {
    let (target, tokens) = (target.to_string(), tokens.to_string_lossy().into_owned());
    let mut all = arguments.to_vec();
    all.extend([&*target, "--tokens", &*tokens, "--json", "--quiet", "--allow-debug-build"]);
    Loadgen::start(&all).wait(Duration::from_secs(180))
}

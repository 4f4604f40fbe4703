//! A side of a comparison: a server that runs, or a program that is started for each run.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::exit::Exit;
use crate::prepare::resolve;

/// How long a server may take to get ready.
const READY: Duration = Duration::from_secs(120);

/// What is on one side.
#[derive(Clone, Debug)]
pub(super) enum ComparedSide {
    /// Somebody else started it.
    Running(SocketAddr),
    /// `PROGRAM dev` with these flags.
    Program(PathBuf, Vec<String>),
}

impl ComparedSide {
    /// HOST:PORT or a program.
    pub(super) fn parse(text: &str, flags: &[String]) -> Result<Self, Exit> {
        if Path::new(text).is_file() {
            return Ok(Self::Program(text.into(), flags.to_vec()));
        }
        resolve(text)
            .map(Self::Running)
            .map_err(|failure| Exit::usage(format!("{text:?} is neither a program nor a server: {failure}")))
    }
}

/// A server that was started for a run; ended and forgotten when dropped.
#[derive(Debug)]
pub(crate) struct TargetServer {
    child: Child,
    folder: PathBuf,
    pub(crate) address: SocketAddr,
    /// With TLS, and the certificates that it is checked against.
    pub(crate) tls: Option<SocketAddr>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) metrics: Option<SocketAddr>,
}

impl TargetServer {
    /// Start a program with devices of its own.
    pub(crate) fn start(program: &Path, flags: &[String], devices: u64) -> Result<Self, Exit> {
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(|error| Exit::usage(format!("no random bytes: {error}")))?;
        let folder = std::env::temp_dir().join(format!("loadgen-{:016x}", u64::from_be_bytes(name)));
        let bad = |error: std::io::Error| Exit::usage(format!("cannot start {}: {error}", program.display()));
        std::fs::create_dir_all(&folder).map_err(bad)?;
        let child = Command::new(program)
            .args(["dev", "--plain", "127.0.0.1:0", "--tls", "127.0.0.1:0", "--devices", &devices.to_string()])
            .args(["--connections", &(devices + 1_000).to_string()])
            .args(["--set", "messages_per_second=1000000", "--set", "message_burst=1000000"])
            .arg("--data")
            .arg(folder.join("data"))
            .arg("--ready-file")
            .arg(folder.join("ready.json"))
            .arg("--tokens-out")
            .arg(folder.join("tokens"))
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(bad)?;
        let none = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { child, folder, address: none, tls: None, ca: None, metrics: None };
        server.wait(program)?;
        Ok(server)
    }

    fn wait(&mut self, program: &Path) -> Result<(), Exit> {
        let end = Instant::now() + READY;
        loop {
            if let Ok(text) = std::fs::read(self.folder.join("ready.json"))
                && let Ok(ready) = serde_json::from_slice::<serde_json::Value>(&text)
            {
                let address = |name: &str| ready[name].as_str().and_then(|text| text.parse().ok());
                self.metrics = address("metrics");
                self.tls = address("tls");
                self.ca = ready["ca"].as_str().map(PathBuf::from);
                let plain = address("plain");
                self.address = plain.ok_or_else(|| Exit::unreachable("the server does not say where it listens"))?;
                return Ok(());
            }
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || Instant::now() > end {
                return Err(Exit::unreachable(format!(
                    "{} did not get ready within {} s; try `{} dev` by hand",
                    program.display(),
                    READY.as_secs(),
                    program.display()
                )));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn tokens(&self) -> PathBuf {
        self.folder.join("tokens")
    }
}

impl Drop for TargetServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

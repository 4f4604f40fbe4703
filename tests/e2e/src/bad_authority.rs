//! An authority that misbehaves in front of a good one, for the real client of the server.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use linchpin_compat::{Folder, eventually, limits};

use crate::authority::{PebbleAuthority, free_port};

/// See the module's page; it ends with this.
#[derive(Debug)]
pub struct BadAuthority {
    folder: Folder,
    program: Child,
    port: u16,
}

impl BadAuthority {
    /// In front of `good`; it behaves until [`Self::set`] says otherwise.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn start(good: &PebbleAuthority) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        std::fs::write(folder.path().join("mode"), "good").expect("writes");
        std::fs::write(folder.path().join("seen"), "").expect("writes");
        let mut python = Command::new("python3");
        python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bad_authority.py")).arg(port.to_string());
        python.args([good.https("cert.pem"), good.https("key.pem")]).arg(good.port().to_string()).arg(folder.path());
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let program = python.stdin(Stdio::null()).stderr(log).spawn().expect("Python is installed");
        let started = Self { folder, program, port };
        eventually(limits::START, "the bad authority listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        started
    }

    /// Where the server finds it.
    #[must_use]
    pub fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port)
    }

    /// Behave like this from now on: a mode of the program with its argument.
    ///
    /// # Panics
    /// The file cannot be written.
    pub fn set(&self, mode: &str) {
        let part = self.folder.path().join("mode.part");
        std::fs::write(&part, mode).expect("writes");
        std::fs::rename(part, self.folder.path().join("mode")).expect("renames");
    }

    /// The chain that it gives instead of the one that was ordered.
    ///
    /// # Panics
    /// The file cannot be written.
    pub fn set_other_chain(&self, pem: &str) {
        std::fs::write(self.folder.path().join("another.pem"), pem).expect("writes");
    }

    /// Requests of a step that came so far.
    #[must_use]
    pub fn seen(&self, step: &str) -> usize {
        let seen = std::fs::read_to_string(self.folder.path().join("seen")).unwrap_or_default();
        seen.lines().filter(|line| *line == step).count()
    }

    /// Is a request held? Forgets it.
    #[must_use]
    pub fn takes_hold(&self) -> bool {
        std::fs::remove_file(self.folder.path().join("held")).is_ok()
    }
}

impl Drop for BadAuthority {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

//! The unmodified client libraries, driven line by line.
//!
//! Each runs in a process of its own with a short program (`clients/`) that carries out orders from its standard input
//! with the library's own functions and says on its standard output what the library reported: JSON lines both.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{Device, Server, field, limits};

/// A client library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// npm `blynk-library` 0.5.4.
    BlynkLibrary,
    /// The same through its WebSocket client, on npm `ws` 8.
    BlynkLibraryWebSocket,
    /// The same through its TLS client; names the server by its address, in SNI too.
    BlynkLibrarySsl,
    /// PyPI `blynklib` 0.2.6; logs in with command 2 and reads one frame of what arrives at once.
    Blynklib,
    /// The same over TLS.
    BlynklibSsl,
    /// PyPI `blynk-library-python` 0.2.0; it has no TLS.
    BlynkLibraryPython,
}

impl Library {
    /// All that speak plain TCP.
    pub const ALL: [Self; 3] = [Self::BlynkLibrary, Self::Blynklib, Self::BlynkLibraryPython];

    /// The version that it announces.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::BlynkLibrary | Self::BlynkLibraryWebSocket | Self::BlynkLibrarySsl => "0.5.4",
            Self::Blynklib | Self::BlynklibSsl => "0.2.6",
            Self::BlynkLibraryPython => "0.2.0",
        }
    }

    /// What it announces as its board.
    #[must_use]
    pub const fn board(self) -> &'static str {
        if self.is_node() { "js" } else { "python" }
    }

    /// Does it have a function for this order?
    #[must_use]
    pub fn can(self, order: &str) -> bool {
        match order {
            "sync_all" | "bridge_open" | "bridge_write" => self.is_node(),
            "event" => !matches!(self, Self::Blynklib | Self::BlynklibSsl),
            "email" => self != Self::BlynkLibraryPython,
            "clock" => matches!(self, Self::Blynklib | Self::BlynklibSsl),
            _ => true,
        }
    }

    /// Can it send text beyond ASCII? blynk-library announces the length in characters.
    #[must_use]
    pub const fn sends_unicode(self) -> bool {
        !self.is_node()
    }

    const fn is_node(self) -> bool {
        matches!(self, Self::BlynkLibrary | Self::BlynkLibraryWebSocket | Self::BlynkLibrarySsl)
    }

    /// Does it speak TLS?
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::BlynkLibrarySsl | Self::BlynklibSsl)
    }

    fn command(self) -> Command {
        let scripts_path = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        let installed_path = installed_path();
        let (program, script): (OsString, _) = match self {
            Self::BlynkLibrary | Self::BlynkLibraryWebSocket | Self::BlynkLibrarySsl => {
                ("node".into(), "blynk_library.js")
            }
            Self::Blynklib | Self::BlynklibSsl => (installed_path.join("venv/bin/python").into(), "blynklib_0_2_6.py"),
            Self::BlynkLibraryPython => {
                (installed_path.join("venv/bin/python").into(), "blynk_library_python_0_2_0.py")
            }
        };
        let mut command = Command::new(program);
        command
            .arg(scripts_path.join(script))
            .env("NODE_PATH", installed_path.join("node_modules"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONUNBUFFERED", "1");
        if self == Self::BlynkLibraryWebSocket {
            command.env("LINCHPIN_WEBSOCKET", "1");
        }
        command
    }
}

/// Where `tests/setup.sh` has put the libraries: `venv` and `node_modules`.
///
/// # Panics
/// When it has not.
pub fn installed_path() -> PathBuf {
    let path = std::env::var_os("LINCHPIN_CLIENTS").map_or_else(
        || {
            let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache");
            let cache = std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty());
            cache.map_or_else(home, PathBuf::from).join("linchpin/clients")
        },
        PathBuf::from,
    );
    assert!(path.join("venv").exists(), "no client libraries in {}: run make setup", path.display());
    path
}

/// A running client.
#[derive(Debug)]
pub struct Client {
    library: Library,
    process: Child,
    orders: Option<ChildStdin>,
    lines: Receiver<String>,
    /// Events that came while another was looked for.
    waiting: VecDeque<Value>,
    /// All that it has said, for the panic message.
    said: Vec<String>,
}

impl Client {
    /// Start it as this device.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(library: Library, server: &Server, device: &Device) -> Self {
        if library.is_tls() {
            return Self::start_trusting(library, server, device, &server.ca());
        }
        Self::spawn(library.command(), library, server.address(), device)
    }

    /// Start it as this device, with another way to the server.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_at(library: Library, server: &Server, device: &Device, address: SocketAddr) -> Self {
        let mut command = library.command();
        if library.is_tls() {
            command.env("LINCHPIN_CA", server.ca());
        }
        Self::spawn(command, library, address, device)
    }

    /// Start one that speaks TLS and trusts this authority (PEM).
    ///
    /// # Panics
    /// When it cannot be started, or has no TLS.
    #[must_use]
    pub fn start_trusting(library: Library, server: &Server, device: &Device, ca: &Path) -> Self {
        assert!(library.is_tls(), "{library:?} has no TLS");
        let mut command = library.command();
        command.env("LINCHPIN_CA", ca);
        Self::spawn(command, library, server.tls_address(), device)
    }

    fn spawn(mut command: Command, library: Library, address: SocketAddr, device: &Device) -> Self {
        let mut process = command
            .args([address.ip().to_string(), address.port().to_string()])
            .env("LINCHPIN_TOKEN", &device.token)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {library:?}: {error}; run make setup"));
        let orders = process.stdin.take();
        let output = process.stdout.take().expect("its output");
        let (sender, lines) = channel();
        // Ends with the process: its output is closed then.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { library, process, orders, lines, waiting: VecDeque::new(), said: Vec::new() }
    }

    /// Start it and wait until it is logged in.
    ///
    /// # Panics
    /// When it is not in time.
    #[must_use]
    pub fn connected(library: Library, server: &Server, device: &Device) -> Self {
        let mut client = Self::start(library, server, device);
        client.expect_event(limits::LOGIN, &json!({"event": "connected"}));
        client
    }

    /// Which library it runs.
    #[must_use]
    pub fn library(&self) -> Library {
        self.library
    }

    /// Let the library do something: see `clients/` for the orders.
    ///
    /// # Panics
    /// When the client has ended.
    pub fn order(&mut self, order: &Value) {
        assert!(self.library.can(field(order, "order").as_str().expect("a name")), "{:?} cannot {order}", self.library);
        let input = self.orders.as_mut().expect("it was not told to end");
        writeln!(input, "{order}")
            .unwrap_or_else(|error| panic!("{:?} has ended: {error}\n{:#?}", self.library, self.said));
    }

    /// Wait for an event that has all fields of `pattern`. Events before it stay for later looks.
    ///
    /// # Panics
    /// When it does not come in time or the client ends.
    pub fn expect_event(&mut self, limit: Duration, pattern: &Value) -> Value {
        if let Some(at) = self.waiting.iter().position(|event| matches(event, pattern)) {
            return self.waiting.remove(at).expect("its position");
        }
        let until = Instant::now() + limit;
        loop {
            let event = self.next_event(until);
            match event {
                Some(event) if matches(&event, pattern) => return event,
                Some(event) => self.waiting.push_back(event),
                None => panic!("{:?} did not say {pattern} within {limit:?}; it said {:#?}", self.library, self.said),
            }
        }
    }

    /// Wait until the library has written this by itself, on its standard output.
    ///
    /// # Panics
    /// When it does not in time.
    pub fn expect_line(&mut self, limit: Duration, part: &str) {
        let until = Instant::now() + limit;
        while !self.said.iter().any(|line| line.contains(part)) {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.waiting.extend(line.starts_with('{').then(|| serde_json::from_str(&line).ok()).flatten());
                    self.said.push(line);
                }
                Err(_) => panic!("{:?} did not say {part:?} within {limit:?}; it said {:#?}", self.library, self.said),
            }
        }
    }

    /// Did an event with all fields of `pattern` come until now, without having been waited for?
    pub fn has_said(&mut self, pattern: &Value) -> bool {
        while let Some(event) = self.next_event(Instant::now()) {
            self.waiting.push_back(event);
        }
        self.waiting.iter().any(|event| matches(event, pattern))
    }

    /// The next event, or `None` when none comes until then or the client has ended.
    fn next_event(&mut self, until: Instant) -> Option<Value> {
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let event = line.starts_with('{').then(|| serde_json::from_str(&line).ok()).flatten();
                    self.said.push(line);
                    // The libraries greet and complain on the same stream.
                    if event.is_some() {
                        return event;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}

fn matches(event: &Value, pattern: &Value) -> bool {
    let pattern = pattern.as_object().expect("a pattern is an object");
    pattern.iter().all(|(name, value)| event.get(name) == Some(value))
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

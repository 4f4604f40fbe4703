//! The `linchpin` binary as a test runs it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

use crate::limits::{START, STOP};
use crate::{Folder, eventually, field, text};

/// Which back end a server is told to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackEnd {
    /// The server's choice.
    Auto,
    /// io_uring.
    IoUring,
    /// Readiness: any kernel, any container.
    Portable,
}

impl BackEnd {
    /// Its name on the command line and in the server's output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::IoUring => "io_uring",
            Self::Portable => "portable",
        }
    }
}

/// A device that the server made at its start.
#[derive(Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id, as a number in text.
    pub id: String,
    /// Its token.
    pub token: String,
    /// Its template.
    pub template: Option<String>,
}

/// Tokens stay out of the output of failed tests.
impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device {} of template {:?}", self.id, self.template)
    }
}

/// Where the binary is: `LINCHPIN_BIN`, or built from the sources as they are.
#[must_use]
pub fn linchpin_path() -> PathBuf {
    linchpin_built::program("linchpin")
}

/// How to start a server.
#[derive(Debug)]
pub struct Start {
    before: Vec<OsString>,
    mode: &'static str,
    options: Vec<(&'static str, OsString)>,
    flags: Vec<&'static str>,
    folder: Folder,
}

impl Start {
    fn new(mode: &'static str) -> Self {
        let folder = Folder::new();
        let start = Self { before: Vec::new(), mode, options: Vec::new(), flags: Vec::new(), folder };
        let ready_path = start.ready_path();
        start.option("--ready-file", ready_path)
    }

    /// The server's own folder: the data directory and the ready file are in it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn ready_path(&self) -> PathBuf {
        self.folder.path().join("ready.json")
    }

    /// A flag with its value, in the place of an earlier one.
    #[must_use]
    pub fn option(mut self, flag: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.options.retain(|(earlier, _)| *earlier != flag);
        self.options.push((flag, value.as_ref().to_owned()));
        self
    }

    /// Leave a flag with a value out.
    #[must_use]
    pub fn without(mut self, flag: &str) -> Self {
        self.options.retain(|(earlier, _)| *earlier != flag);
        self
    }

    /// A flag without a value.
    #[must_use]
    pub fn flag(mut self, flag: &'static str) -> Self {
        self.flags.push(flag);
        self
    }

    /// Number of shards.
    #[must_use]
    pub fn shards(self, shards: u16) -> Self {
        self.option("--shards", shards.to_string())
    }

    /// Back end.
    #[must_use]
    pub fn back_end(self, back_end: BackEnd) -> Self {
        self.option("--driver", back_end.name())
    }

    /// More devices, none of them with a template.
    #[must_use]
    pub fn devices(self, count: u32) -> Self {
        let tokens_path = self.folder.path().join("tokens");
        self.option("--devices", count.to_string()).option("--tokens-out", tokens_path)
    }

    /// Run this program with these arguments, and the server as its last ones: strace, a limit, a filter.
    #[must_use]
    pub fn under<S: AsRef<OsStr>>(mut self, program: impl AsRef<OsStr>, args: impl IntoIterator<Item = S>) -> Self {
        self.before.push(program.as_ref().to_owned());
        self.before.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    fn line(&self) -> Vec<OsString> {
        let mut line = self.before.clone();
        line.extend([linchpin_path().into(), self.mode.into()]);
        for (flag, value) in &self.options {
            line.extend([(*flag).into(), value.clone()]);
        }
        line.extend(self.flags.iter().map(Into::into));
        line
    }

    /// Start it and wait until it is ready.
    ///
    /// # Panics
    /// When it ends instead, or takes too long.
    #[must_use]
    pub fn start(self) -> Server {
        self.try_start().unwrap_or_else(|(status, log)| panic!("the server ended with {status}:\n{log}"))
    }

    /// Start it and wait until it is ready, or ends.
    ///
    /// # Errors
    /// It ended: its status and all that it has written.
    ///
    /// # Panics
    /// When it is neither ready nor ended in time.
    pub fn try_start(self) -> Result<Server, (ExitStatus, String)> {
        let (line, ready_path) = (self.line(), self.ready_path());
        let child = spawn(&line, &self.folder);
        let mut server = Server { child, folder: self.folder, line, ready_path, ready: Value::Null };
        match server.ready_or_end() {
            Some(status) => Err((status, server.log())),
            None => Ok(server),
        }
    }
}

fn spawn(line: &[OsString], folder: &Folder) -> Child {
    let log = File::create(folder.path().join("log")).expect("a log file");
    Command::new(&line[0])
        .args(&line[1..])
        .env("RUST_LOG", "debug")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the log twice"))
        .stderr(log)
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}", line[0].display()))
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    folder: Folder,
    /// How it was started.
    line: Vec<OsString>,
    ready_path: PathBuf,
    ready: Value,
}

impl Server {
    /// `linchpin dev` on a free port of the loopback with a data directory of its own.
    #[must_use]
    pub fn dev() -> Start {
        let start = Start::new("dev");
        let data_path = start.folder().join("data");
        start.option("--plain", "127.0.0.1:0").option("--tls", "127.0.0.1:0").option("--data", data_path)
    }

    /// `linchpin serve` with this configuration, in which `@` stands for the server's own folder.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[must_use]
    pub fn serve(config: &str) -> Start {
        let start = Start::new("serve");
        let path = start.folder().join("linchpin.toml");
        let folder = start.folder().to_str().expect("a folder in UTF-8");
        std::fs::write(&path, config.replace('@', folder)).expect("write the configuration");
        start.option("--config", path)
    }

    /// The server's own folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its data directory.
    #[must_use]
    pub fn data_path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the ready file says.
    #[must_use]
    pub fn ready(&self) -> &Value {
        &self.ready
    }

    /// Process id of what was started.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Address of the plain port.
    ///
    /// # Panics
    /// When the ready file names none.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        text(&self.ready, "plain").parse().expect("an address and a port")
    }

    /// Address of the TLS port.
    ///
    /// # Panics
    /// When the ready file names none.
    #[must_use]
    pub fn tls_address(&self) -> SocketAddr {
        text(&self.ready, "tls").parse().expect("an address and a port")
    }

    /// The certificate of the authority that `linchpin dev` has made, PEM.
    ///
    /// # Panics
    /// When the ready file names none.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        text(&self.ready, "ca").into()
    }

    /// The devices in the ready file: the first has a template, the others have none.
    ///
    /// # Panics
    /// When they are not as the ready file is specified.
    #[must_use]
    pub fn devices(&self) -> Vec<Device> {
        let devices = field(&self.ready, "devices").as_array().expect("a list of devices");
        devices.iter().map(Self::device).collect()
    }

    fn device(object: &Value) -> Device {
        Device {
            id: field(object, "id").to_string(),
            token: text(object, "token").to_owned(),
            template: object.get("template").and_then(Value::as_str).map(str::to_owned),
        }
    }

    /// The devices that [`Start::devices`] asked for: a line has the id and the token.
    ///
    /// # Panics
    /// When the file of tokens is not like that.
    #[must_use]
    pub fn more_devices(&self) -> Vec<Device> {
        let lines = std::fs::read_to_string(self.folder.path().join("tokens")).expect("the file of tokens");
        let device = |line: &str| {
            let (id, token) = line.split_once(char::is_whitespace).expect("id and token");
            Device { id: id.to_owned(), token: token.trim().to_owned(), template: None }
        };
        lines.lines().map(device).collect()
    }

    /// Run the binary as an operator would, on this server's data directory: standard output, standard error, status.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn operate(&self, args: &[&str]) -> (String, String, ExitStatus) {
        let mut line = Command::new(linchpin_path());
        let output = line.args(args).arg("--data").arg(self.data_path()).env("NO_COLOR", "1").output();
        let output = output.expect("start the binary");
        let text = |bytes| String::from_utf8(bytes).expect("output in UTF-8");
        (text(output.stdout), text(output.stderr), output.status)
    }

    /// Run a command with `--json` that must succeed.
    ///
    /// # Panics
    /// When it fails or prints something else than JSON.
    #[must_use]
    pub fn ask(&self, args: &[&str]) -> Value {
        let (stdout, stderr, status) = self.operate(&[args, &["--json"]].concat());
        assert!(status.success(), "linchpin {args:?} ended with {status}: {stderr}\nthe server wrote:\n{}", self.log());
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{args:?} printed no JSON, {error}: {stdout}"))
    }

    /// What the server knows of a device.
    ///
    /// # Panics
    /// When it does not know it.
    #[must_use]
    pub fn view(&self, device: &Device) -> Value {
        self.ask(&["device", "show", &device.id])
    }

    /// The latest value of a pin (`V4`), parts separated by NUL, or `None`.
    ///
    /// # Panics
    /// When the device is not known.
    #[must_use]
    pub fn value(&self, device: &Device, pin: &str) -> Option<String> {
        let view = self.view(device);
        let values = field(&view, "values").as_array().expect("a list of values");
        let value = values.iter().find(|value| text(value, "pin") == pin)?;
        Some(text(value, "value").to_owned())
    }

    /// Is a device connected?
    #[must_use]
    pub fn is_online(&self, device: &Device) -> bool {
        field(&self.view(device), "online") == &Value::Bool(true)
    }

    /// Write a value to a device's pin.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn write(&self, device: &Device, pin: &str, value: &str) {
        let (stdout, stderr, status) = self.operate(&["device", "write", &device.id, pin, value]);
        assert!(status.success(), "device write {} {pin} {value:?}: {status} {stdout} {stderr}", device.id);
    }

    /// All that the server has written.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.path().join("log")).expect("the server's log");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// No line of the log holds a token of `devices`, but for what `linchpin dev` shows once at its start.
    ///
    /// # Panics
    /// When one does.
    pub fn expect_no_token_in_log(&self, devices: &[Device]) {
        let log = self.log();
        for device in devices {
            assert!(!log.contains(&device.token), "the token of {device:?} is in the log");
        }
    }

    /// Has it ended?
    ///
    /// # Panics
    /// When its state cannot be had.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the state of the server").is_some()
    }

    /// The status that it ended with.
    ///
    /// # Panics
    /// When it runs.
    pub fn end_status(&mut self) -> ExitStatus {
        self.child.try_wait().expect("the state of the server").expect("it has ended")
    }

    /// Send a signal to what was started.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.group(), signal).expect("signal the server");
    }

    /// SIGTERM, and wait for the end.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        eventually(STOP, "the server ends after SIGTERM", || self.child.try_wait().expect("the state of the server"))
    }

    /// SIGTERM, wait for the end, and start it again with the same command line on the same data directory.
    ///
    /// # Panics
    /// When it does not end, or is not ready again, in time.
    pub fn restart(&mut self) {
        let status = self.stop();
        assert!(status.success(), "the server ended with {status}:\n{}", self.log());
        self.start_again();
    }

    /// Start it again after its end, with the same command line on the same data directory.
    ///
    /// # Panics
    /// When it runs, or is not ready in time.
    pub fn start_again(&mut self) {
        assert!(self.has_ended(), "it runs");
        std::fs::remove_file(&self.ready_path).expect("remove the ready file");
        self.child = spawn(&self.line, &self.folder);
        if let Some(status) = self.ready_or_end() {
            panic!("the server did not start again, it ended with {status}:\n{}", self.log());
        }
    }

    /// Wait until it is ready, or ends: then its status.
    fn ready_or_end(&mut self) -> Option<ExitStatus> {
        eventually(START, "the server is ready or ends", || {
            if let Some(status) = self.child.try_wait().expect("the state of the server") {
                return Some(Some(status));
            }
            let ready = std::fs::read(&self.ready_path).ok()?;
            // It is renamed into place: there is no half of it to be seen.
            self.ready = serde_json::from_slice(&ready).expect("the ready file is JSON");
            Some(None)
        })
    }

    fn group(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Not yet reaped, so the group is still ours; a program that it runs under leads the group and the server is in it.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(self.group(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

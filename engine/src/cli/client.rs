//! Commands to the running server, through its admin socket.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::limits;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum ClientError {
    /// Nobody answers at the socket.
    NoServer { path: PathBuf, source: std::io::Error },
    /// The connection broke, or the answer is not one.
    Broken(String),
    /// The server says no.
    Refused(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer { path, source } => write!(
                f,
                "no server answers at {} ({source}): start one with `linchpin dev`, or name its data directory with --data",
                path.display()
            ),
            Self::Broken(text) => write!(f, "the server's answer could not be read: {text}"),
            Self::Refused(text) => f.write_str(text),
        }
    }
}

/// Ask one thing.
pub(crate) fn ask(socket: &Path, command: &str, parameters: Value) -> Result<Value, ClientError> {
    ask_within(socket, command, parameters, Some(limits::ADMIN_TIMEOUT))
}

/// Ask something that takes as long as reading and writing a whole store.
pub(crate) fn ask_patiently(socket: &Path, command: &str, parameters: Value) -> Result<Value, ClientError> {
    ask_within(socket, command, parameters, None)
}

fn ask_within(
    socket: &Path,
    command: &str,
    mut parameters: Value,
    limit: Option<Duration>,
) -> Result<Value, ClientError> {
    let no_server = |source| ClientError::NoServer { path: socket.into(), source };
    let broken = |error: std::io::Error| ClientError::Broken(error.to_string());
    let mut stream = UnixStream::connect(socket).map_err(no_server)?;
    stream.set_read_timeout(limit).map_err(broken)?;
    parameters["id"] = 1.into();
    parameters["command"] = command.into();
    writeln!(stream, "{parameters}").map_err(broken)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).map_err(broken)?;
    let mut answer: Value = serde_json::from_str(&line).map_err(|error| ClientError::Broken(error.to_string()))?;
    match answer.get("error").and_then(|error| error.get("text")).and_then(Value::as_str) {
        Some(text) => Err(ClientError::Refused(text.to_owned())),
        None => Ok(answer["ok"].take()),
    }
}

/// Ask something that goes on to be answered, and show each line that follows until the server ends it.
///
/// # Errors
/// As with [`ask`]; the inner result is what `show` said.
pub(crate) fn follow<E>(
    socket: &Path,
    command: &str,
    mut parameters: Value,
    mut show: impl FnMut(&Value) -> Result<(), E>,
) -> Result<Result<(), E>, ClientError> {
    let broken = |error: std::io::Error| ClientError::Broken(error.to_string());
    let mut stream =
        UnixStream::connect(socket).map_err(|source| ClientError::NoServer { path: socket.into(), source })?;
    parameters["id"] = 1.into();
    parameters["command"] = command.into();
    writeln!(stream, "{parameters}").map_err(broken)?;
    for line in BufReader::new(stream).lines() {
        let answer: Value =
            serde_json::from_str(&line.map_err(broken)?).map_err(|error| ClientError::Broken(error.to_string()))?;
        if let Some(text) = answer["error"]["text"].as_str() {
            return Err(ClientError::Refused(text.to_owned()));
        }
        if let Err(error) = show(&answer) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// All rows of the device list, page by page.
pub(crate) fn all_devices(socket: &Path) -> Result<Vec<Value>, ClientError> {
    let mut rows: Vec<Value> = Vec::new();
    loop {
        let after = rows.last().and_then(|row| row["id"].as_u64()).unwrap_or(0);
        let page = ask(socket, "device.list", json!({"after": after, "limit": linchpin_shard::limits::LIST_ROWS}))?;
        match page {
            Value::Array(page) if !page.is_empty() => rows.extend(page),
            _ => return Ok(rows),
        }
    }
}

//! Commands to the running server, through its admin socket.

use std::fmt;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use linchpin_control::CommandError;
use linchpin_control::request::{DeviceLine, DeviceList, Follow, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::owner;
use crate::limits;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum ClientError {
    /// Nobody answers at the socket.
    NoServer { path: PathBuf, source: std::io::Error },
    /// The connection broke.
    Broken(std::io::Error),
    /// What came is no answer: the server is of another version.
    Strange(serde_json::Error),
    /// The server ended before its answer did.
    Incomplete,
    /// The server says no.
    Refused(CommandError),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer { path, source } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                let user = owner::other_owner(path).unwrap_or_else(|| "root".to_owned());
                let command = owner::command_as(&user);
                write!(f, "only {user} and root may ask the server at {}: {command}", path.display())
            }
            Self::NoServer { path, source } => write!(
                f,
                "no server answers at {} ({source}): start it with `linchpin serve`, or `linchpin dev`, or name another one \
                 with --config or --data (`linchpin --help` says where it is looked for)",
                path.display()
            ),
            Self::Broken(source) => write!(f, "the server's answer could not be read: {source}"),
            Self::Strange(source) => write!(
                f,
                "the server's answer is not understood ({source}): is it of another version? `linchpin status --json` says"
            ),
            Self::Incomplete => f.write_str("the server ended before its answer did: it is not complete"),
            Self::Refused(error) => f.write_str(&error.text),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoServer { source, .. } | Self::Broken(source) => Some(source),
            Self::Strange(source) => Some(source),
            Self::Refused(error) => Some(error),
            Self::Incomplete => None,
        }
    }
}

/// Something from the server, and how it was written.
pub(crate) struct Got<T> {
    pub(crate) it: T,
    pub(crate) json: Value,
}

impl<T: DeserializeOwned> Got<T> {
    fn new(json: Value) -> Result<Self, ClientError> {
        Ok(Self { it: T::deserialize(&json).map_err(ClientError::Strange)?, json })
    }
}

/// A line from the server: one of these is there.
#[derive(Deserialize)]
struct Reply {
    #[serde(default, deserialize_with = "even_null")]
    ok: Option<Value>,
    error: Option<CommandError>,
    item: Option<Value>,
    end: Option<bool>,
}

/// What is there, even if it is `null`: commands that say nothing else are answered by that.
fn even_null<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// A conversation of one request.
struct Conversation(Lines<BufReader<UnixStream>>);

impl Conversation {
    fn begin<R: Request>(socket: &Path, request: &R, limit: Option<Duration>) -> Result<Self, ClientError> {
        let no_server = |source| ClientError::NoServer { path: socket.into(), source };
        let mut stream = UnixStream::connect(socket).map_err(no_server)?;
        stream.set_read_timeout(limit).map_err(ClientError::Broken)?;
        let mut line = serde_json::to_value(request).map_err(ClientError::Strange)?;
        line["id"] = 1.into();
        line["command"] = R::NAME.into();
        writeln!(stream, "{line}").map_err(ClientError::Broken)?;
        Ok(Self(BufReader::new(stream).lines()))
    }

    fn next(&mut self) -> Result<Reply, ClientError> {
        let line = self.0.next().ok_or(ClientError::Incomplete)?.map_err(ClientError::Broken)?;
        let reply: Reply = serde_json::from_str(&line).map_err(ClientError::Strange)?;
        match reply.error {
            Some(error) => Err(ClientError::Refused(error)),
            None => Ok(reply),
        }
    }
}

/// Ask one thing.
pub(crate) fn ask<R: Request>(socket: &Path, request: &R) -> Result<Got<R::Answer>, ClientError> {
    ask_within(socket, request, Some(limits::ADMIN_TIMEOUT))
}

/// Ask something that takes as long as reading and writing a whole store.
pub(crate) fn ask_patiently<R: Request>(socket: &Path, request: &R) -> Result<Got<R::Answer>, ClientError> {
    ask_within(socket, request, None)
}

fn ask_within<R: Request>(socket: &Path, request: &R, limit: Option<Duration>) -> Result<Got<R::Answer>, ClientError> {
    let reply = Conversation::begin(socket, request, limit)?.next()?;
    Got::new(reply.ok.ok_or(ClientError::Incomplete)?)
}

/// Send a command whose answer is a stream, and show each item until the server ends it.
///
/// # Errors
/// As with [`ask`]; the inner result is what `show` says.
pub(crate) fn follow<R: Follow, E>(
    socket: &Path,
    request: &R,
    mut show: impl FnMut(Got<R::Item>) -> Result<(), E>,
) -> Result<Result<(), E>, ClientError> {
    let mut conversation = Conversation::begin(socket, request, None)?;
    loop {
        let reply = conversation.next()?;
        if reply.end == Some(true) {
            return Ok(Ok(()));
        }
        if let Some(item) = reply.item
            && let Err(error) = show(Got::new(item)?)
        {
            return Ok(Err(error));
        }
    }
}

/// All lines of the device list, page by page.
pub(crate) fn all_devices(socket: &Path) -> Result<Vec<DeviceLine>, ClientError> {
    let mut lines: Vec<DeviceLine> = Vec::new();
    loop {
        let after = lines.last().map_or(0, |line| line.id);
        let page = ask(socket, &DeviceList { after, limit: linchpin_shard::limits::LIST_ROWS })?.it;
        if page.is_empty() {
            return Ok(lines);
        }
        lines.extend(page);
    }
}

//! The admin socket: JSON lines, one answer a line, for the user who runs the server and for root.

#[cfg(test)]
mod hostile;

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::command::{Desk, Outcome, Row, RowCall, Streamed, find};
use crate::{Code, CommandError, StartError, limits};

/// Bind the socket, readable and writable by its owner only. A file that a dead server left behind is replaced; a
/// living server is left alone.
pub(crate) fn bind(path: &Path) -> Result<UnixListener, StartError> {
    let len = path.as_os_str().len();
    if len > limits::SOCKET_PATH_BYTES {
        return Err(StartError::SocketPath { path: path.into(), len_bytes: len });
    }
    remove_stale(path)?;
    let bound = UnixListener::bind(path).and_then(|listener| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    });
    bound.map_err(|source| StartError::Io { path: path.into(), source })
}

/// A socket that nobody listens at goes away. Anything else in its place is not ours to remove.
fn remove_stale(path: &Path) -> Result<(), StartError> {
    let io = |source| StartError::Io { path: path.into(), source };
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    if !found.file_type().is_socket() {
        return Err(StartError::NotASocket { path: path.into() });
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path).map_err(io),
        // A full queue (EAGAIN) is a living server too.
        Ok(_) => Err(StartError::InUse { path: path.into() }),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(StartError::InUse { path: path.into() }),
        Err(error) => Err(io(error)),
    }
}

/// Serve until the process ends.
pub(crate) async fn serve(listener: UnixListener, desk: Arc<Desk>, owner: u32) {
    let seats = Arc::new(Semaphore::new(limits::ADMIN_CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // No descriptor is left: others must close theirs first.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            if let Err(uid) = check_peer(&stream, owner) {
                tracing::warn!(uid, "a command of another user was refused at the admin socket");
            } else {
                // The operator's program went away: nothing to report to anybody.
                let _ = converse(stream, &desk).await;
            }
            drop(seat);
        });
    }
}

/// The file mode keeps others away already; this holds also where the socket was given away by mistake. The error is
/// the peer's user id, if it is known.
fn check_peer(stream: &UnixStream, owner: u32) -> Result<(), Option<u32>> {
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == owner || peer.uid() == 0 => Ok(()),
        Ok(peer) => Err(Some(peer.uid())),
        Err(_) => Err(None),
    }
}

async fn converse(stream: UnixStream, desk: &Desk) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut read).take(limits::LINE_BYTES as u64 + 1);
        let Ok(got) = tokio::time::timeout(limits::ADMIN_IDLE, limited.read_until(b'\n', &mut line)).await else {
            return Ok(());
        };
        if got? == 0 {
            return Ok(());
        }
        if line.len() > limits::LINE_BYTES {
            let text = format!("a line of more than {} bytes is not read: send several commands", limits::LINE_BYTES);
            let refusal = Err(CommandError::new(Code::LineTooLong, text));
            // The rest of the line would be taken for commands.
            return write_line(&mut write, reply(&Value::Null, refusal)).await;
        }
        let (id, outcome) = carry_out(&line, desk).await;
        match outcome {
            Ok(Outcome::Answer(answer)) => write_line(&mut write, reply(&id, Ok(answer))).await?,
            Err(error) => write_line(&mut write, reply(&id, Err(error))).await?,
            // No other command is read on this connection: its end ends the stream.
            Ok(Outcome::Stream(stream)) => return show(&id, stream, &mut read, &mut write).await,
        }
    }
}

/// Write one answer; an asker that does not read is given up.
async fn write_line(write: &mut OwnedWriteHalf, answer: String) -> std::io::Result<()> {
    let mut bytes = answer.into_bytes();
    bytes.push(b'\n');
    match tokio::time::timeout(limits::ADMIN_WRITE, write.write_all(&bytes)).await {
        Ok(written) => written,
        Err(_) => Err(ErrorKind::TimedOut.into()),
    }
}

/// What a line asks: its id, and what it leads to.
async fn carry_out(line: &[u8], desk: &Desk) -> (Value, Result<Outcome, CommandError>) {
    let (id, asked) = parse(line);
    let outcome = match asked {
        Ok((row, parameters)) => {
            let loader = desk.people.as_ref().map(|people| Arc::clone(people.loader()));
            let call = Arc::new(RowCall::operator(loader, row.needs));
            row.run(desk, &call, parameters).await
        }
        Err(error) => Err(error),
    };
    (id, outcome)
}

/// A line taken apart: its id, the command that it names, and the command's parameters.
fn parse(line: &[u8]) -> (Value, Result<(&'static Row, Value), CommandError>) {
    let Ok(Value::Object(mut parameters)) = serde_json::from_slice::<Value>(line) else {
        return (Value::Null, Err(CommandError::new(Code::BadJson, "a line must be one JSON object")));
    };
    let id = parameters.remove("id").unwrap_or(Value::Null);
    let Some(Value::String(command)) = parameters.remove("command") else {
        return (id, Err(CommandError::parameter("command", "a text")));
    };
    (id, find(&command).map(|row| (row, Value::Object(parameters))))
}

/// An answer, the items behind it one a line, and their end.
async fn show(
    id: &Value,
    mut stream: Streamed,
    read: &mut BufReader<OwnedReadHalf>,
    write: &mut OwnedWriteHalf,
) -> std::io::Result<()> {
    write_line(write, reply(id, Ok(stream.begun))).await?;
    let mut byte = [0];
    loop {
        tokio::select! {
            // Anything that the asker says or its end: it has seen enough.
            _ = read.read(&mut byte) => return Ok(()),
            item = stream.items.next_json() => match item {
                Some(Ok(item)) => write_line(write, json!({"id": id, "item": item}).to_string()).await?,
                Some(Err(error)) => return write_line(write, reply(id, Err(error))).await,
                None => return write_line(write, json!({"id": id, "end": true}).to_string()).await,
            },
        }
    }
}

fn reply(id: &Value, answer: Result<Box<RawValue>, CommandError>) -> String {
    match answer {
        Ok(answer) => format!("{{\"id\":{id},\"ok\":{answer}}}"),
        Err(error) => json!({"id": id, "error": error}).to_string(),
    }
}

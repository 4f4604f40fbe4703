//! The way to a peer: TCP, TLS by the sans-IO crate on a blocking socket, WebSocket frames on either.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use linchpin_protocol::ws::{Decoder, FrameKind, Piece, Role, frame_header};
use linchpin_tls::{
    Acceptor, Desk, Established, Greeting, Handshake, HandshakeFacts, Input, Opened, Progress, RecordLayer as _,
    Session,
};

struct Secure {
    session: Session,
    desk: Desk,
}

struct Shared {
    stream: Mutex<TcpStream>,
    secure: Option<Mutex<Secure>>,
    is_websocket: AtomicBool,
}

/// The writing side; anybody may write.
#[derive(Clone)]
pub(super) struct Link(Arc<Shared>);

impl Link {
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn become_websocket(&self) {
        self.0.is_websocket.store(true, Ordering::Relaxed);
    }

    /// End the connection.
    pub(super) fn cut(&self) {
        let stream = self.0.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = stream.shutdown(Shutdown::Both);
    }

    /// Send whole messages.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut out = Vec::new();
        if self.0.is_websocket.load(Ordering::Relaxed) {
            frame_header(&mut out, FrameKind::Binary, bytes.len());
        }
        out.extend_from_slice(bytes);
        // The order of sealing must be that of sending.
        let mut stream = self.0.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secure) = &self.0.secure {
            let mut secure = secure.lock().unwrap_or_else(PoisonError::into_inner);
            let mut sealed = Vec::new();
            let Secure { session, desk } = &mut *secure;
            session.seal_slice(desk, &mut sealed, &out).map_err(io::Error::other)?;
            out = sealed;
        }
        stream.write_all(&out)
    }
}

/// The reading side.
pub(super) struct Reader {
    stream: TcpStream,
    shared: Arc<Shared>,
    websocket: Option<Decoder>,
    /// Came with the end of the handshake.
    rest: Vec<u8>,
}

impl Reader {
    /// Append what comes next; false at the end of the stream.
    pub(super) fn read(&mut self, to: &mut Vec<u8>) -> io::Result<bool> {
        let mut buffer = [0; 4_096];
        let mut bytes = std::mem::take(&mut self.rest);
        if bytes.is_empty() {
            let len = self.stream.read(&mut buffer)?;
            if len == 0 {
                return Ok(false);
            }
            bytes.extend_from_slice(&buffer[..len]);
        }
        if let Some(secure) = &self.shared.secure {
            bytes = open_all(secure, &mut bytes)?;
        }
        self.unframe(bytes, to)?;
        Ok(true)
    }

    /// What was read already may be frames.
    pub(super) fn become_websocket(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        self.websocket = Some(Decoder::new(Role::Server));
        let early = std::mem::take(bytes);
        self.unframe(early, bytes)
    }

    fn unframe(&mut self, mut bytes: Vec<u8>, to: &mut Vec<u8>) -> io::Result<()> {
        let Some(decoder) = &mut self.websocket else {
            to.append(&mut bytes);
            return Ok(());
        };
        let mut left = &mut bytes[..];
        loop {
            let (piece, rest) = decoder.next(left).map_err(|fault| io::Error::other(fault.to_string()))?;
            match piece {
                Piece::Data(part) => to.extend_from_slice(part),
                Piece::End => return Ok(()),
                Piece::Ping(_) | Piece::Close => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
            left = rest;
        }
    }
}

fn open_all(secure: &Mutex<Secure>, bytes: &mut [u8]) -> io::Result<Vec<u8>> {
    let mut secure = secure.lock().unwrap_or_else(PoisonError::into_inner);
    let Secure { session, desk } = &mut *secure;
    let (mut plain, mut ignored) = (Vec::new(), Vec::new());
    let mut input = Input::new(bytes);
    loop {
        match session.open(desk, &mut input, &mut ignored).map_err(io::Error::other)? {
            Opened::Plain(part) => plain.extend_from_slice(part),
            Opened::Drained | Opened::PeerClosed => return Ok(plain),
        }
    }
}

/// Shake hands if there is TLS.
pub(super) fn open(
    mut stream: TcpStream,
    acceptor: Option<Acceptor>,
) -> io::Result<(Link, Reader, Option<HandshakeFacts>)> {
    let (mut secure, mut rest, mut facts) = (None, Vec::new(), None);
    if let Some(acceptor) = acceptor {
        let made = accept(&mut stream, &acceptor)?;
        secure = Some(Mutex::new(Secure { session: made.session, desk: Desk::default() }));
        (rest, facts) = (made.rest, Some(made.facts));
    }
    let shared = Shared { stream: Mutex::new(stream.try_clone()?), secure, is_websocket: AtomicBool::new(false) };
    let shared = Arc::new(shared);
    Ok((Link(shared.clone()), Reader { stream, shared, websocket: None, rest }, facts))
}

fn accept(stream: &mut TcpStream, acceptor: &Acceptor) -> io::Result<Established> {
    let mut greeting = Some(Greeting::new());
    let mut handshake: Option<Box<Handshake>> = None;
    let mut buffer = [0; 4_096];
    loop {
        let len = stream.read(&mut buffer)?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut out = Vec::new();
        let progress = match (handshake.take(), greeting.take()) {
            (Some(handshake), _) => Some(handshake.advance(&buffer[..len], &mut out).map_err(io::Error::other)?),
            (None, Some(mut first)) => {
                let whole = first.push(&buffer[..len], &mut out).map_err(io::Error::other)?.is_some();
                if whole {
                    Some(acceptor.accept(first, &mut out).map_err(io::Error::other)?)
                } else {
                    greeting = Some(first);
                    None
                }
            }
            (None, None) => return Err(io::ErrorKind::InvalidData.into()),
        };
        stream.write_all(&out)?;
        match progress {
            Some(Progress::Pending(pending)) => handshake = Some(pending),
            Some(Progress::Done(done)) => return Ok(*done),
            None => {}
        }
    }
}

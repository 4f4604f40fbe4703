//! Raw frames over a socket, written by hand: the tests must not share the codec that they test.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// Command numbers of the device protocol, as far as tests send or expect them.
#[allow(missing_docs, reason = "the protocol's own names")]
pub mod command {
    pub const RESPONSE: u8 = 0;
    pub const LOGIN_OLD: u8 = 2;
    pub const PING: u8 = 6;
    pub const TWEET: u8 = 12;
    pub const EMAIL: u8 = 13;
    pub const PUSH: u8 = 14;
    pub const BRIDGE: u8 = 15;
    pub const SYNC: u8 = 16;
    pub const INTERNAL: u8 = 17;
    pub const SMS: u8 = 18;
    pub const PROPERTY: u8 = 19;
    pub const HARDWARE: u8 = 20;
    pub const GROUP: u8 = 21;
    pub const LOGIN: u8 = 29;
    pub const REDIRECT: u8 = 41;
    pub const EVENT_LOG: u8 = 64;
    pub const EVENT_CLEAR: u8 = 65;
}

/// Status codes of answers, as far as tests expect them.
#[allow(missing_docs, reason = "the protocol's own names")]
pub mod status {
    pub const OK: u16 = 200;
    pub const QUOTA_LIMIT: u16 = 1;
    pub const ILLEGAL_COMMAND: u16 = 2;
    pub const ALREADY_REGISTERED: u16 = 4;
    pub const NOT_ALLOWED: u16 = 6;
    pub const INVALID_TOKEN: u16 = 9;
    pub const ILLEGAL_COMMAND_BODY: u16 = 11;
    pub const NOTIFICATION_INVALID_BODY: u16 = 13;
    pub const NOTIFICATION_NOT_AUTHORIZED: u16 = 14;
}

/// Length of a frame's header.
const HEADER_BYTES: usize = 5;

/// One frame.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// Number of the command.
    pub command: u8,
    /// Message id.
    pub id: u16,
    /// The third field of the header: status of a RESPONSE, length of the body otherwise.
    pub status_or_len: u16,
    /// Body; empty for a RESPONSE.
    pub body: Vec<u8>,
}

impl Frame {
    /// A frame with a body.
    #[must_use]
    pub fn new(command: u8, id: u16, body: &[u8]) -> Self {
        Self { command, id, status_or_len: body.len() as u16, body: body.to_vec() }
    }

    /// A RESPONSE.
    #[must_use]
    pub fn response(id: u16, status: u16) -> Self {
        Self { command: command::RESPONSE, id, status_or_len: status, body: Vec::new() }
    }

    /// Its bytes on the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.command];
        bytes.extend_from_slice(&self.id.to_be_bytes());
        bytes.extend_from_slice(&self.status_or_len.to_be_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// The frame at the start of `bytes`, if it is whole, and its length.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
        let [command, id_high, id_low, high, low] = header else {
            return None;
        };
        let status_or_len = u16::from_be_bytes([*high, *low]);
        let len_bytes = if *command == command::RESPONSE { 0 } else { usize::from(status_or_len) };
        let body = rest.get(..len_bytes)?.to_vec();
        let frame = Self { command: *command, id: u16::from_be_bytes([*id_high, *id_low]), status_or_len, body };
        Some((frame, HEADER_BYTES + len_bytes))
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} id {} {} {}]", self.command, self.id, self.status_or_len, self.body.escape_ascii())
    }
}

/// A connection to the server.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
    last_id: u16,
}

impl Wire {
    /// Connect.
    ///
    /// # Panics
    /// When the server does not take the connection.
    #[must_use]
    pub fn connect(server: SocketAddr) -> Self {
        Self::connect_from(Ipv4Addr::LOCALHOST, server)
    }

    /// Connect from an address of the loopback (127.0.0.0/8), so that one machine can play many.
    ///
    /// # Panics
    /// When the server does not take the connection.
    #[must_use]
    pub fn connect_from(from: Ipv4Addr, server: SocketAddr) -> Self {
        assert!(from.is_loopback(), "tests stay on the loopback: {from}");
        let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
        let socket: OwnedFd = socket.expect("a socket");
        rustix::net::bind(&socket, &SocketAddr::new(IpAddr::V4(from), 0)).expect("bind to the loopback");
        rustix::net::connect(&socket, &server).unwrap_or_else(|error| panic!("connect to {server}: {error}"));
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true).expect("TCP_NODELAY");
        Self { stream, unread: Vec::new(), last_id: 0 }
    }

    /// Connect and log in with command 29.
    ///
    /// # Panics
    /// When the login is not answered with 200.
    #[must_use]
    pub fn login(server: SocketAddr, token: &str) -> Self {
        let mut wire = Self::connect(server);
        wire.expect_login(token);
        wire
    }

    /// Log in with command 29.
    ///
    /// # Panics
    /// When the login is not answered with 200.
    pub fn expect_login(&mut self, token: &str) {
        let id = self.send(command::LOGIN, token.as_bytes());
        self.expect(&Frame::response(id, status::OK));
    }

    /// Send a frame with the next message id; returns the id.
    pub fn send(&mut self, command: u8, body: &[u8]) -> u16 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.send_bytes(&Frame::new(command, self.last_id, body).bytes());
        self.last_id
    }

    /// Send a frame whose body is made of parts with NULs between them; returns its id.
    pub fn send_parts(&mut self, command: u8, parts: &[&str]) -> u16 {
        self.send(command, parts.join("\0").as_bytes())
    }

    /// Send bytes as they are, in one segment.
    ///
    /// # Panics
    /// When the connection is broken.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.try_send_bytes(bytes).expect("send to the server");
    }

    /// Send bytes as they are; the server may have closed the connection.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn try_send_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next frame, or `None` when the server has closed the connection or nothing came in time.
    pub fn receive(&mut self, limit: Duration) -> Option<Frame> {
        let until = Instant::now() + limit;
        loop {
            if let Some((frame, used)) = Frame::parse(&self.unread) {
                self.unread.drain(..used);
                return Some(frame);
            }
            if !self.read_some(until) {
                return None;
            }
        }
    }

    /// Read what comes until `until`; false when nothing came or nothing more will.
    fn read_some(&mut self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        self.stream.set_read_timeout(Some(left)).expect("a read timeout");
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(len_bytes) => {
                self.unread.extend_from_slice(&buffer[..len_bytes]);
                len_bytes > 0
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(_) => false,
        }
    }

    /// The next frame must be this one.
    ///
    /// # Panics
    /// When another comes, or none.
    pub fn expect(&mut self, frame: &Frame) {
        let came = self.receive(crate::limits::EFFECT);
        assert_eq!(came.as_ref(), Some(frame), "wrong answer");
    }

    /// Send a frame and expect this status as its answer.
    ///
    /// # Panics
    /// When another comes, or none.
    pub fn expect_status(&mut self, command: u8, parts: &[&str], status: u16) {
        let id = self.send_parts(command, parts);
        let came = self.receive(crate::limits::EFFECT);
        assert_eq!(came, Some(Frame::response(id, status)), "answer to {command} {parts:?}");
    }

    /// Send a PING and expect its answer.
    ///
    /// # Panics
    /// When something else comes first, or nothing.
    pub fn expect_pong(&mut self) {
        self.expect_status(command::PING, &[], status::OK);
    }

    /// Nothing comes for `time` and the connection stays open.
    ///
    /// # Panics
    /// When something comes, or the server closes.
    pub fn expect_silence(&mut self, time: Duration) {
        let begun = Instant::now();
        let came = self.receive(time);
        assert!(came.is_none(), "expected silence, not {came:?}");
        assert!(begun.elapsed() >= time, "the server closed the connection, it should have stayed open");
    }

    /// The server closes the connection within `limit`; returns the bytes that came before.
    ///
    /// # Panics
    /// When it does not.
    pub fn expect_end(&mut self, limit: Duration) -> Vec<u8> {
        let until = Instant::now() + limit;
        while self.read_some(until) {}
        assert!(Instant::now() < until, "the server should have closed within {limit:?}; came {:?}", self.unread);
        std::mem::take(&mut self.unread)
    }

    /// Say that nothing more will be sent (FIN).
    pub fn finish(&mut self) {
        // A connection that is gone already needs no goodbye.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

//! A client that does what a test tells it, frame by frame.

use linchpin_protocol::blynk::{HEADER_BYTES, Split, split};
use linchpin_protocol::model::Token;

use linchpin_shard::Via;
use linchpin_tls::{Connector, Fault};

use crate::World;
use crate::driver::Conn;
use crate::tls::{TlsEnd, shake_hands};

/// A frame as the wire has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Command number.
    pub command: u8,
    /// Message id.
    pub id: u16,
    /// Status of a RESPONSE; 0 otherwise.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

/// Bytes of a frame.
#[must_use]
pub fn frame(command: u8, id: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![command];
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(&(body.len() as u16).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// One scripted connection.
#[derive(Debug)]
pub struct Script {
    /// Its connection.
    pub conn: Conn,
    received: Vec<u8>,
    /// Segments as they were read, with the time: for tests of how frames are packed.
    pub segments: Vec<(u64, Vec<u8>)>,
    next_id: u16,
    /// TLS, if it is spoken.
    pub tls: Option<TlsEnd>,
}

/// Command numbers that tests write.
pub mod command {
    #![allow(missing_docs, reason = "the protocol's own names")]
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

impl Script {
    /// Connect.
    pub fn connect(world: &mut World) -> Self {
        Self::connect_from(world, [127, 0, 0, 1])
    }

    /// Connect from an address.
    pub fn connect_from(world: &mut World, address: [u8; 4]) -> Self {
        let conn = world.connect(address);
        Self::over(conn)
    }

    /// Over a connection that was begun.
    #[must_use]
    pub fn over(conn: Conn) -> Self {
        Self { conn, received: Vec::new(), segments: Vec::new(), next_id: 1, tls: None }
    }

    /// Connect with TLS.
    ///
    /// # Errors
    /// The handshake failed.
    pub fn connect_tls(world: &mut World, via: Via, connector: &Connector) -> Result<Self, Fault> {
        Self::connect_tls_from(world, [127, 0, 0, 1], via, connector)
    }

    /// Connect with TLS from an address.
    ///
    /// # Errors
    /// The handshake failed.
    pub fn connect_tls_from(
        world: &mut World,
        address: [u8; 4],
        via: Via,
        connector: &Connector,
    ) -> Result<Self, Fault> {
        let mut script = Self::connect_from(world, address);
        world.wires[script.conn].set_via(via);
        let (tls, plain) = shake_hands(world, script.conn, connector)?;
        script.tls = Some(tls);
        script.received = plain;
        Ok(script)
    }

    /// Send bytes as they are, or sealed if TLS is spoken.
    pub fn transmit(&mut self, world: &mut World, bytes: &[u8]) {
        match &mut self.tls {
            Some(tls) => {
                let sealed = tls.seal(bytes);
                world.send(self.conn, &sealed);
            }
            None => world.send(self.conn, bytes),
        }
    }

    /// Connect and log in.
    ///
    /// # Panics
    /// When the login is refused.
    pub fn login(world: &mut World, token: &Token) -> Self {
        let mut script = Self::connect(world);
        script.log_in(world, command::LOGIN, token);
        script
    }

    /// Connect, log in and introduce itself with `h-beat` 40 and `buff-in` 4096.
    ///
    /// # Panics
    /// When either is refused.
    pub fn introduced(world: &mut World, token: &Token) -> Self {
        let mut script = Self::login(world, token);
        let id = script.send(world, command::INTERNAL, b"ver\x001.4.0\0h-beat\x0040\0buff-in\x004096\0dev\0sim");
        world.run_ms(50);
        script.expect_status(world, id, 200);
        script
    }

    /// Log in with a command of choice.
    ///
    /// # Panics
    /// When it is refused.
    pub fn log_in(&mut self, world: &mut World, login: u8, token: &Token) {
        let id = self.send(world, login, token.expose().as_bytes());
        world.run_ms(100);
        self.expect_status(world, id, 200);
    }

    /// Send a frame; returns its id.
    pub fn send(&mut self, world: &mut World, command: u8, body: &[u8]) -> u16 {
        let id = self.next_id;
        self.next_id += 1;
        self.transmit(world, &frame(command, id, body));
        id
    }

    /// Send a frame and wait a moment.
    pub fn ask(&mut self, world: &mut World, command: u8, body: &[u8]) -> u16 {
        let id = self.send(world, command, body);
        world.run_ms(50);
        id
    }

    fn pull(&mut self, world: &mut World) {
        while let Some(segment) = world.read(self.conn) {
            let plain = match &mut self.tls {
                Some(tls) => tls.open(segment).expect("the server writes records"),
                None => segment,
            };
            self.received.extend_from_slice(&plain);
            self.segments.push((world.now_ms(), plain));
        }
    }

    /// The next frame that has come.
    ///
    /// # Panics
    /// When the bytes are no frame.
    pub fn receive(&mut self, world: &mut World) -> Option<Frame> {
        self.pull(world);
        match split(&self.received, usize::from(u16::MAX)).expect("the server writes frames") {
            Split::Partial { .. } => None,
            Split::Frame { frame, used } => {
                let status = if frame.command == 0 { frame.status_or_len } else { 0 };
                assert!(used >= HEADER_BYTES);
                let frame = Frame { command: frame.command, id: frame.id, status, body: frame.body.to_vec() };
                self.received.drain(..used);
                Some(frame)
            }
        }
    }

    /// All frames that have come.
    pub fn receive_all(&mut self, world: &mut World) -> Vec<Frame> {
        std::iter::from_fn(|| self.receive(world)).collect()
    }

    /// Raw bytes that have come.
    pub fn bytes(&mut self, world: &mut World) -> Vec<u8> {
        self.pull(world);
        std::mem::take(&mut self.received)
    }

    /// The next frame is this answer.
    ///
    /// # Panics
    /// When it is not.
    pub fn expect_status(&mut self, world: &mut World, id: u16, status: u16) {
        let got = self.receive(world);
        let wanted = Frame { command: command::RESPONSE, id, status, body: Vec::new() };
        assert_eq!(got, Some(wanted), "at {} ms, ends so far {:?}", world.now_ms(), world.ends);
    }

    /// The next frame is this one.
    ///
    /// # Panics
    /// When it is not.
    pub fn expect(&mut self, world: &mut World, command: u8, id: u16, body: &[u8]) {
        let got = self.receive(world);
        assert_eq!(got, Some(Frame { command, id, status: 0, body: body.to_vec() }));
    }

    /// Nothing has come.
    ///
    /// # Panics
    /// When something has.
    pub fn expect_nothing(&mut self, world: &mut World) {
        assert_eq!(self.receive(world), None);
    }

    /// It still answers.
    ///
    /// # Panics
    /// When it does not.
    pub fn expect_alive(&mut self, world: &mut World) {
        let id = self.ask(world, command::PING, b"");
        self.expect_status(world, id, 200);
    }

    /// Send a frame that is answered with this status.
    ///
    /// # Panics
    /// When the answer is another one.
    pub fn refused(&mut self, world: &mut World, command: u8, body: &[u8], status: u16) {
        let id = self.ask(world, command, body);
        self.expect_status(world, id, status);
    }
}

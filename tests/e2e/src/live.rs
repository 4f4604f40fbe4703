//! A live socket, as a script or a page has it: it watches, and reads what it is told.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::SignedIn;
use linchpin_protocol::live::{BINARY, LiveAsk, LiveReport, LiveSelection, Subjects, WatchedPins, binary};
use linchpin_protocol::model::Pin;
use linchpin_protocol::ws::{Decoder, FrameKind, Piece, Role, client_frame};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

/// Subscribers of an address: people are not all behind one.
const EACH_ADDRESS: usize = 100;

/// See the module's page.
#[derive(Debug)]
pub struct LivePage {
    stream: TcpStream,
    decoder: Decoder,
    message: Vec<u8>,
}

impl LivePage {
    /// Open one: the `at`th of a crowd.
    ///
    /// # Panics
    /// When the server does not grant it.
    #[must_use]
    pub fn open(server: SocketAddr, who: &SignedIn, at: usize) -> Self {
        Self::open_with(server, who, at, None)
    }

    /// With a receive buffer of so many bytes.
    ///
    /// # Panics
    /// When the server does not grant it.
    #[must_use]
    pub fn open_with(server: SocketAddr, who: &SignedIn, at: usize, buffer_bytes: Option<usize>) -> Self {
        let number = at / EACH_ADDRESS;
        let from = Ipv4Addr::new(127, 9, (number / 200) as u8, (number % 200) as u8 + 1);
        let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .expect("a socket");
        if let Some(bytes) = buffer_bytes {
            sockopt::set_socket_recv_buffer_size(&socket, bytes).expect("a buffer");
        }
        rustix::net::bind(&socket, &SocketAddr::from((from, 0))).expect("a loopback address");
        rustix::net::connect(&socket, &server).expect("the server listens");
        let proof = format!("Origin: http://{server}\r\nCookie: {}\r\n", who.cookie());
        Self::upgraded(server, TcpStream::from(socket), "live", &proof)
    }

    /// Open one by a ticket.
    ///
    /// # Panics
    /// When the server does not grant it.
    #[must_use]
    pub fn open_by_ticket(server: SocketAddr, ticket: &str) -> Self {
        let stream = TcpStream::connect(server).expect("the server listens");
        Self::upgraded(server, stream, &format!("live?ticket={ticket}"), "")
    }

    fn upgraded(server: SocketAddr, mut stream: TcpStream, target: &str, proof: &str) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("an open socket");
        let head = format!(
            "GET /api/v1/{target} HTTP/1.1\r\nHost: {server}\r\n{proof}\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {BINARY}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("the connection stands");
        let mut head = Vec::new();
        let mut byte = [0];
        // Byte by byte: what follows the head is frames.
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head);
        assert!(head.starts_with("HTTP/1.1 101 "), "{target}: {head}");
        stream.set_nonblocking(true).expect("an open socket");
        Self { stream, decoder: Decoder::of_messages(Role::Client, false), message: Vec::new() }
    }

    fn say(&mut self, ask: &LiveAsk) {
        let (mut message, mut out) = (Vec::new(), Vec::new());
        binary::encode_ask(ask, &mut message);
        client_frame(&mut out, FrameKind::Binary, &message, [7, 1, 200, 0]);
        self.stream.write_all(&out).expect("there is room in a new socket");
    }

    /// Watch values of these pins of these devices.
    pub fn watch(&mut self, set: u16, devices: &[u32], pins: &[u8]) {
        let what = Subjects { values: true, ..Subjects::default() };
        let pins = WatchedPins::Some(pins.iter().map(|pin| Pin::new_virtual(*pin)).collect());
        let select = LiveSelection::Devices(devices.to_vec());
        self.say(&LiveAsk::Watch { set, what, select, pins, every: Vec::new() });
    }

    /// Its socket.
    #[must_use]
    pub const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Read what has come; `on` gets each report. False: the server has ended it.
    ///
    /// # Panics
    /// When the server breaks the protocol.
    pub fn read(&mut self, buffer: &mut [u8], on: &mut dyn FnMut(LiveReport)) -> bool {
        match self.stream.read(buffer) {
            Ok(0) => false,
            Ok(len) => self.take(&mut buffer[..len], on),
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }

    fn take(&mut self, mut rest: &mut [u8], on: &mut dyn FnMut(LiveReport)) -> bool {
        loop {
            let (piece, after) = self.decoder.next(rest).expect("the server keeps to the rules");
            match piece {
                Piece::Data(bytes) => {
                    self.message.extend_from_slice(bytes);
                    if self.decoder.is_at_end() {
                        on(binary::decode_report(&self.message).expect("the server keeps to its encoding"));
                        self.message.clear();
                    }
                }
                Piece::Ping(payload) => {
                    let mut out = Vec::new();
                    client_frame(&mut out, FrameKind::Pong, &payload, [1; 4]);
                    self.stream.write_all(&out).expect("there is room for an answer");
                }
                Piece::Close => return false,
                Piece::End => return true,
            }
            rest = after;
        }
    }

    /// Has the server ended it? Nothing is read for it.
    ///
    /// # Panics
    /// When the system cannot say.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut one = [PollFd::new(&self.stream, PollFlags::RDHUP)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut one, Some(&now)).expect("a poll");
        one[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR)
    }
}

//! A connection of any wire, as a stream of plain bytes that a test checks one by one.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use linchpin_fleet::tls::{Trust, Way};
use linchpin_tls::Desk;

/// Whoever waits for longer was lost: the longest step of an upgrade that fails takes a minute.
const LIMIT: Duration = Duration::from_secs(150);

/// See the module's page. Each of its functions panics when the connection breaks, or nothing comes for long.
pub struct Stream {
    socket: TcpStream,
    way: Way,
    desk: Desk,
    plain: Vec<u8>,
}

impl Stream {
    /// With TLS, or plain.
    ///
    /// # Panics
    /// Nobody listens, or the handshake fails.
    #[must_use]
    pub fn connect(address: SocketAddr, trust: Option<&Trust>) -> Self {
        let socket = TcpStream::connect(address).expect("the server listens");
        socket.set_nodelay(true).expect("an open socket");
        socket.set_read_timeout(Some(LIMIT)).expect("an open socket");
        let mut out = Vec::new();
        let way = trust.map_or(Way::Plain, |trust| Way::begin(trust, &mut out));
        let mut this = Self { socket, way, desk: Desk::default(), plain: Vec::new() };
        this.socket.write_all(&out).expect("an open socket");
        while !this.way.is_open() {
            this.receive();
        }
        this
    }

    fn receive(&mut self) {
        let mut bytes = [0; 4_096];
        let read = loop {
            match self.socket.read(&mut bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other.expect("nothing came within the limit, or the connection broke"),
            }
        };
        assert!(read > 0, "the server closed the connection");
        let mut out = Vec::new();
        let Self { way, desk, plain, .. } = self;
        way.receive(desk, &mut bytes[..read], plain, &mut out).expect("TLS holds");
        self.socket.write_all(&out).expect("an open socket");
    }

    /// Send these.
    ///
    /// # Panics
    /// The connection broke.
    pub fn send(&mut self, plain: &[u8]) {
        let mut out = Vec::new();
        self.way.send(&mut self.desk, plain, &mut out);
        self.socket.write_all(&out).expect("an open socket");
    }

    /// The next bytes must be these.
    ///
    /// # Panics
    /// They are others, or none come.
    pub fn expect(&mut self, expected: &[u8]) {
        while self.plain.len() < expected.len() {
            self.receive();
        }
        let got: Vec<u8> = self.plain.drain(..expected.len()).collect();
        assert_eq!(got, expected, "a byte was lost, doubled or changed");
    }

    /// The next bytes up to and with these.
    ///
    /// # Panics
    /// They do not come.
    pub fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.plain.windows(end.len()).position(|window| window == end) {
                return self.plain.drain(..at + end.len()).collect();
            }
            self.receive();
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({:?})", self.socket)
    }
}

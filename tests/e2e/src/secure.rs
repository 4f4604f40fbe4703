//! A client over TLS that speaks HTTP, and may speak out of turn.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use linchpin_fleet::tls::{Trust, Way};
use linchpin_tls::Desk;

/// Bounds every wait; nothing takes nearly as long on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client over TLS.
#[derive(Debug)]
pub struct Secure {
    stream: TcpStream,
    way: Way,
    desk: Desk,
    plain: Vec<u8>,
}

impl Secure {
    /// A whole handshake.
    ///
    /// # Panics
    /// When the server refuses it.
    #[must_use]
    pub fn connect(address: SocketAddr, trust: &Trust) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
        let mut out = Vec::new();
        let way = Way::begin(trust, &mut out);
        let mut client = Self { stream, way, desk: Desk::default(), plain: Vec::new() };
        client.stream.write_all(&out).expect("the connection stands");
        while !client.way.is_open() {
            client.receive();
        }
        client
    }

    fn receive(&mut self) {
        let (mut bytes, mut out) = (vec![0; 16 * 1024], Vec::new());
        let got = self.stream.read(&mut bytes).expect("the server answers");
        assert!(got > 0, "closed after {:?}", String::from_utf8_lossy(&self.plain));
        let received = self.way.receive(&mut self.desk, &mut bytes[..got], &mut self.plain, &mut out);
        received.expect("the server writes records");
        self.stream.write_all(&out).expect("the connection stands");
    }

    /// A device that has logged in, and says nothing more by itself.
    ///
    /// # Panics
    /// When the server refuses it.
    #[must_use]
    pub fn log_in(address: SocketAddr, trust: &Trust, token: &str) -> Self {
        let mut client = Self::connect(address, trust);
        let frame = [&[29, 0, 1, 0, token.len() as u8][..], token.as_bytes()].concat();
        let mut out = Vec::new();
        client.way.send(&mut client.desk, &frame, &mut out);
        client.stream.write_all(&out).expect("the connection stands");
        while client.plain.len() < 5 {
            client.receive();
        }
        assert_eq!(client.plain[..5], [0, 0, 1, 0, 200], "the answer to a login");
        client
    }

    /// Bytes of no record, as they are.
    ///
    /// # Panics
    /// When the connection is over.
    pub fn write_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the connection stands");
    }

    /// The server ends it.
    ///
    /// # Panics
    /// When it does not.
    pub fn expect_end(mut self) {
        let ended = self.stream.read_to_end(&mut Vec::new());
        let is_late = ended.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        assert!(!is_late, "it is still open after {PATIENCE:?}");
    }

    /// A request with so many bytes of a field, which is answered 404; the connection stays open.
    ///
    /// # Panics
    /// When it is not.
    pub fn ask(&mut self, filler: usize) {
        let answer = self.get("/x", filler);
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer:?}");
    }

    /// The same for any path: head of the answer and what came with it.
    ///
    /// # Panics
    /// When it is not answered.
    pub fn get(&mut self, path: &str, filler: usize) -> String {
        self.plain.clear();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Filler: {}\r\n\r\n", "f".repeat(filler));
        let mut out = Vec::new();
        self.way.send(&mut self.desk, request.as_bytes(), &mut out);
        self.stream.write_all(&out).expect("the connection stands");
        while !self.plain.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            self.receive();
        }
        String::from_utf8_lossy(&self.plain).into_owned()
    }
}

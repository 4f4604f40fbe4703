//! An HTTP client that sees everything: one connection, kept open.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use linchpin_compat::Device;
use linchpin_compat::limits::EFFECT;
use linchpin_protocol::http::client;

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Body.
    pub body: String,
}

/// See the module's page.
#[derive(Debug)]
pub struct Http {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Http {
    /// Connect.
    ///
    /// # Panics
    /// When the server does not listen.
    #[must_use]
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("an open socket");
        stream.set_nodelay(true).expect("an open socket");
        Self { stream, received: Vec::new() }
    }

    /// Send bytes as they are.
    ///
    /// # Panics
    /// When the server has closed.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the connection stands");
    }

    /// The next response.
    ///
    /// # Panics
    /// When none comes within 10 s.
    pub fn receive(&mut self) -> Reply {
        loop {
            let response = client::next_response(&self.received, false).expect("the server writes responses");
            if let Some(response) = response {
                let body = String::from_utf8_lossy(response.body).into_owned();
                let reply = Reply { status: response.status, body };
                let used = response.used;
                self.received.drain(..used);
                return reply;
            }
            let mut bytes = [0; 4_096];
            let got = self.stream.read(&mut bytes).expect("a response within 10 s");
            assert!(got > 0, "closed after {:?}", String::from_utf8_lossy(&self.received));
            self.received.extend_from_slice(&bytes[..got]);
        }
    }

    /// The server has closed the connection.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0; 16]), Ok(0) | Err(_))
    }

    /// Ask for a path.
    pub fn get(&mut self, path: &str) -> Reply {
        self.ask("GET", path, "", b"")
    }

    /// Ask with any method. `fields`: header fields, each ended by CR LF. A server that has just started reads its journal
    /// first, on a busy machine for a moment: whoever is told to try again then, does.
    pub fn ask(&mut self, method: &str, path: &str, fields: &str, body: &[u8]) -> Reply {
        let mut out = Vec::new();
        client::request(&mut out, method, path, "127.0.0.1", fields, body);
        let since = Instant::now();
        loop {
            self.send(&out);
            let reply = self.receive();
            let is_early = reply.status == 503 && reply.body.contains("has just started");
            if !is_early || since.elapsed() > EFFECT {
                return reply;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A call of the current API for a device; `call` with its query.
    pub fn api(&mut self, device: &Device, call: &str) -> Reply {
        let glue = if call.contains('?') { '&' } else { '?' };
        self.get(&format!("/external/api/{call}{glue}token={}", device.token))
    }
}

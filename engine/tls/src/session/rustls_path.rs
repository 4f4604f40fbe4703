//! rustls' own record layer behind the same trait: copies, but is the measure of ours.

use rustls::server::UnbufferedServerConnection;
use zeroize::{Zeroize, Zeroizing};

use super::{Desk, HeldBytes, Input, Opened, RecordLayer, Sealing};
use crate::Fault;
use crate::handshake::{Conn, Step, Wish};
use crate::limits::{FRAGMENT_BYTES, MAX_PLAINTEXT_BYTES};

/// How the peer's direction ended.
#[derive(Clone, PartialEq)]
enum End {
    /// It did not.
    Open,
    /// By close_notify.
    Peer,
    /// By this fault, which the caller has not heard yet.
    Pending(Fault),
    /// By a fault.
    Failed,
}

/// A connection after its handshake that stays with rustls.
pub struct RustlsPath {
    conn: Conn,
    /// Sealed bytes that are no whole record yet.
    waiting: Vec<u8>,
    end: End,
    closed: bool,
    fragment_bytes: usize,
    max_fragment_bytes: usize,
}

impl std::fmt::Debug for RustlsPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RustlsPath({:?})", self.conn.side())
    }
}

impl RustlsPath {
    pub(crate) fn new(conn: Conn, max_fragment_bytes: Option<usize>) -> Self {
        let max_fragment_bytes = max_fragment_bytes.unwrap_or(MAX_PLAINTEXT_BYTES).min(MAX_PLAINTEXT_BYTES);
        Self {
            conn,
            waiting: Vec::new(),
            end: End::Open,
            closed: false,
            fragment_bytes: max_fragment_bytes.min(FRAGMENT_BYTES),
            max_fragment_bytes,
        }
    }

    /// A server whose handshake is complete and whose input is read: for tests, and for whoever shook hands elsewhere.
    #[must_use]
    pub fn from_server(conn: UnbufferedServerConnection) -> Self {
        Self::new(Conn::Server(Box::new(conn)), None)
    }

    /// Let rustls read all that is waiting.
    fn read_all(&mut self, plain: &mut Vec<u8>, out: &mut Vec<u8>) {
        let mut used = 0;
        loop {
            let (discard, step) = self.conn.step(&mut self.waiting[used..], &Wish::Nothing, plain, out);
            used += discard;
            match step {
                Ok(Step::On) => {}
                Ok(Step::Traffic | Step::Blocked) => break,
                Ok(Step::PeerClosed | Step::Closed) => {
                    self.end = End::Peer;
                    used = self.waiting.len();
                    break;
                }
                Err(error) => {
                    self.end = End::Pending(Fault::Handshake(error));
                    self.conn.last_words(out);
                    used = self.waiting.len();
                    self.closed = true;
                    break;
                }
            }
        }
        self.waiting.drain(..used);
        if self.waiting.is_empty() {
            self.waiting = Vec::new();
        }
    }

    fn write(&mut self, wish: &Wish<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
        let mut plain = Vec::new();
        loop {
            // All input is read by `open`, so nothing comes between us and the right to write.
            let (discard, step) = self.conn.step(&mut self.waiting, wish, &mut plain, out);
            self.waiting.drain(..discard);
            match step {
                Ok(Step::On | Step::PeerClosed) => {}
                Ok(Step::Traffic) => return Ok(()),
                Ok(Step::Blocked | Step::Closed) => return Err(Fault::Closed),
                Err(error) => return Err(Fault::Handshake(error)),
            }
        }
    }
}

impl RecordLayer for RustlsPath {
    fn open<'i>(&mut self, _: &mut Desk, input: &'i mut Input<'_>, out: &mut Vec<u8>) -> Result<Opened<'i>, Fault> {
        input.held = HeldBytes::Nothing;
        let fresh = &input.bytes[input.at..];
        if self.end == End::Open && !fresh.is_empty() {
            self.waiting.extend_from_slice(fresh);
            let mut plain = Zeroizing::default();
            self.read_all(&mut plain, out);
            if !plain.is_empty() {
                input.at = input.bytes.len();
                input.held = HeldBytes::Copied(plain);
                return Ok(Opened::Plain(input.held.bytes()));
            }
        }
        input.at = input.bytes.len();
        match std::mem::replace(&mut self.end, End::Failed) {
            End::Open => {
                self.end = End::Open;
                Ok(Opened::Drained)
            }
            End::Peer if !self.closed => {
                self.end = End::Peer;
                Ok(Opened::PeerClosed)
            }
            End::Pending(fault) => Err(fault),
            End::Peer | End::Failed => Err(Fault::Closed),
        }
    }

    fn begin(&mut self, _: &mut Desk, out: &mut Vec<u8>) -> Sealing {
        Sealing { at: out.len(), gap: 0 }
    }

    fn seal(&mut self, _: &mut Desk, out: &mut Vec<u8>, sealing: Sealing) -> Result<(), Fault> {
        let mut plain = out.split_off(sealing.at);
        let mut sealed = if self.closed { Err(Fault::Closed) } else { Ok(()) };
        for fragment in plain.chunks(self.fragment_bytes) {
            sealed = sealed.and_then(|()| self.write(&Wish::Seal(fragment), out));
        }
        plain.zeroize();
        if sealed.is_err() {
            self.closed = true;
        }
        sealed
    }

    fn close(&mut self, _: &mut Desk, out: &mut Vec<u8>) {
        if !self.closed {
            self.closed = true;
            // A connection that cannot even say goodbye is closed all the same.
            let _ = self.write(&Wish::Close, out);
        }
    }

    fn release(&mut self, _: &mut Desk) {}

    fn set_fragment_bytes(&mut self, bytes: usize) {
        self.fragment_bytes = bytes.clamp(1, self.max_fragment_bytes);
    }

    fn held_bytes(&self) -> usize {
        // rustls does not say what it holds; measured: 2.3 KB for TLS 1.3 and 2.2 KB for TLS 1.2 (docs/tls.md).
        const RUSTLS_BYTES: usize = 3_400;
        size_of::<Self>() + RUSTLS_BYTES + self.waiting.capacity()
    }

    fn awaits_rest(&self) -> bool {
        !self.waiting.is_empty()
    }
}

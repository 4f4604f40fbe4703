//! What lies between a session and its socket: nothing, TLS, WebSocket, or both.

use std::sync::Arc;

use linchpin_protocol::ws::{Decoder, FrameKind, Piece, Role, client_frame, upgrade_request};
use linchpin_tls::pki_types::ServerName;
use linchpin_tls::{Connector, Desk, Handshake, Input, Opened, Progress, RecordLayer as _, Session};

use crate::scenario::Transport;

/// Path of the WebSocket.
const WS_PATH: &str = "/websockets";
/// Longest answer to an upgrade, bytes.
const UPGRADE_BYTES: usize = 4_096;

/// How to shake hands.
#[derive(Clone, Debug)]
pub(crate) struct TlsTarget {
    pub(crate) connector: Connector,
    pub(crate) name: ServerName<'static>,
}

/// What all wires of a worker share.
pub(crate) struct Bench {
    pub(crate) desk: Desk,
    /// By group.
    pub(crate) tls: Vec<Option<Arc<TlsTarget>>>,
    /// For Host fields.
    pub(crate) host: String,
    /// WebSocket frames on their way to TLS.
    scratch: Vec<u8>,
    inner: Vec<u8>,
    /// Masks need not be secret here, only different.
    mask: u32,
}

impl Bench {
    pub(crate) fn new(tls: Vec<Option<Arc<TlsTarget>>>, host: String) -> Self {
        Self { desk: Desk::default(), tls, host, scratch: Vec::new(), inner: Vec::new(), mask: 0x9e37_79b9 }
    }

    fn next_mask(&mut self) -> [u8; 4] {
        self.mask = self.mask.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
        self.mask.to_be_bytes()
    }
}

enum Tls {
    Off,
    Shaking(Box<Handshake>),
    Open(Session),
}

enum Ws {
    Off,
    Upgrading(Vec<u8>),
    Open(Decoder),
}

struct Layers {
    tls: Tls,
    ws: Ws,
    is_ws: bool,
}

/// The way of one connection's bytes. Plain ones take a pointer and no more.
#[derive(Default)]
pub(crate) struct ClientWire(Option<Box<Layers>>);

impl ClientWire {
    /// Without layers.
    pub(crate) const PLAIN: Self = Self(None);
}

/// Why a wire cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Tls,
    WebSocket,
    /// The peer said goodbye.
    Closed,
}

/// What became possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Milestones {
    pub(crate) tls_done: bool,
    /// The handshake continued an earlier session.
    pub(crate) is_resumed: bool,
    /// The session may begin.
    pub(crate) ready: bool,
}

impl ClientWire {
    /// The connection of a device of this transport and group stands: begin. Returns whether the session may begin at once.
    pub(crate) fn open(
        &mut self,
        bench: &mut Bench,
        (transport, group): (Transport, u8),
        out: &mut Vec<u8>,
    ) -> Result<bool, Broken> {
        if !transport.is_tls() && !transport.is_ws() {
            self.0 = None;
            return Ok(true);
        }
        let mut layers = Layers { tls: Tls::Off, ws: Ws::Off, is_ws: transport.is_ws() };
        if transport.is_tls() {
            let target = bench.tls.get(usize::from(group)).cloned().flatten().ok_or(Broken::Tls)?;
            match target.connector.connect(target.name.clone(), out).map_err(|_| Broken::Tls)? {
                Progress::Pending(handshake) => layers.tls = Tls::Shaking(handshake),
                Progress::Done(_) => return Err(Broken::Tls),
            }
        } else {
            layers.upgrade(bench, out)?;
        }
        self.0 = Some(Box::new(layers));
        Ok(false)
    }

    pub(crate) const fn is_plain(&self) -> bool {
        self.0.is_none()
    }

    /// Take received bytes; the session's are appended to `plain`, answers of the layers to `out`.
    pub(crate) fn receive(
        &mut self,
        bench: &mut Bench,
        bytes: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<Milestones, Broken> {
        match &mut self.0 {
            None => plain.extend_from_slice(bytes),
            Some(layers) => return layers.receive(bench, bytes, plain, out),
        }
        Ok(Milestones::default())
    }

    /// Append the session's bytes as they travel.
    pub(crate) fn send(&mut self, bench: &mut Bench, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Broken> {
        let Some(layers) = &mut self.0 else {
            out.extend_from_slice(plain);
            return Ok(());
        };
        if matches!(layers.ws, Ws::Off) {
            return layers.seal(bench, plain, out);
        }
        layers.frame(bench, FrameKind::Binary, plain, out)
    }

    /// The connection is over.
    pub(crate) fn close(&mut self, bench: &mut Bench) {
        if let Some(layers) = self.0.take()
            && let Tls::Open(mut session) = layers.tls
        {
            session.release(&mut bench.desk);
        }
    }
}

impl Layers {
    fn seal(&mut self, bench: &mut Bench, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Broken> {
        match &mut self.tls {
            Tls::Off => {
                out.extend_from_slice(plain);
                Ok(())
            }
            Tls::Open(session) => session.seal_slice(&mut bench.desk, out, plain).map_err(|_| Broken::Tls),
            Tls::Shaking(_) => Err(Broken::Tls),
        }
    }

    fn frame(&mut self, bench: &mut Bench, kind: FrameKind, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Broken> {
        let mut frame = std::mem::take(&mut bench.scratch);
        frame.clear();
        client_frame(&mut frame, kind, payload, bench.next_mask());
        let sealed = self.seal(bench, &frame, out);
        bench.scratch = frame;
        sealed
    }

    fn upgrade(&mut self, bench: &mut Bench, out: &mut Vec<u8>) -> Result<(), Broken> {
        let mut nonce = [7; 16];
        nonce[..4].copy_from_slice(&bench.next_mask());
        let mut request = Vec::new();
        upgrade_request(&mut request, WS_PATH, &bench.host, &nonce);
        self.ws = Ws::Upgrading(Vec::new());
        self.seal(bench, &request, out)
    }

    fn receive(
        &mut self,
        bench: &mut Bench,
        bytes: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<Milestones, Broken> {
        let mut done = Milestones::default();
        if matches!(self.tls, Tls::Off) {
            done.ready = self.unframe(bench, bytes, plain, out)?;
            return Ok(done);
        }
        let mut rest;
        let bytes = match std::mem::replace(&mut self.tls, Tls::Off) {
            Tls::Shaking(handshake) => match handshake.advance(bytes, out).map_err(|_| Broken::Tls)? {
                Progress::Pending(handshake) => {
                    self.tls = Tls::Shaking(handshake);
                    return Ok(done);
                }
                Progress::Done(established) => {
                    self.tls = Tls::Open(established.session);
                    rest = established.rest;
                    (done.tls_done, done.is_resumed) = (true, established.facts.resumed);
                    if self.is_ws {
                        self.upgrade(bench, out)?;
                    } else {
                        done.ready = true;
                    }
                    &mut rest[..]
                }
            },
            open => {
                self.tls = open;
                bytes
            }
        };
        let mut inner = std::mem::take(&mut bench.inner);
        inner.clear();
        let opened = self.open_all(bench, bytes, &mut inner, out);
        let framed = opened.and_then(|()| match self.ws {
            Ws::Off => {
                plain.extend_from_slice(&inner);
                Ok(false)
            }
            _ => self.unframe(bench, &mut inner, plain, out),
        });
        bench.inner = inner;
        done.ready |= framed?;
        Ok(done)
    }

    fn open_all(
        &mut self,
        bench: &mut Bench,
        bytes: &mut [u8],
        to: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let Tls::Open(session) = &mut self.tls else { return Err(Broken::Tls) };
        let mut input = Input::new(bytes);
        loop {
            match session.open(&mut bench.desk, &mut input, out) {
                Ok(Opened::Plain(part)) => to.extend_from_slice(part),
                Ok(Opened::Drained) => return Ok(()),
                Ok(Opened::PeerClosed) => return Err(Broken::Closed),
                Err(_) => return Err(Broken::Tls),
            }
        }
    }

    /// WebSocket frames; returns whether the upgrade is done now.
    fn unframe(
        &mut self,
        bench: &mut Bench,
        bytes: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Broken> {
        let mut rest = Vec::new();
        let mut is_done = false;
        let mut bytes = bytes;
        if let Ws::Upgrading(head) = &mut self.ws {
            head.extend_from_slice(bytes);
            let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
                return if head.len() > UPGRADE_BYTES { Err(Broken::WebSocket) } else { Ok(false) };
            };
            if !head.starts_with(b"HTTP/1.1 101 ") {
                return Err(Broken::WebSocket);
            }
            rest.extend_from_slice(&head[end + 4..]);
            self.ws = Ws::Open(Decoder::new(Role::Client));
            is_done = true;
            bytes = &mut rest[..];
        }
        loop {
            let Ws::Open(decoder) = &mut self.ws else { return Err(Broken::WebSocket) };
            let (piece, left) = decoder.next(bytes).map_err(|_| Broken::WebSocket)?;
            match piece {
                Piece::Data(part) => plain.extend_from_slice(part),
                Piece::Ping(payload) => self.frame(bench, FrameKind::Pong, &payload, out)?,
                Piece::Close => return Err(Broken::Closed),
                Piece::End => return Ok(is_done),
            }
            bytes = left;
        }
    }
}

const _: () = assert!(size_of::<ClientWire>() == 8, "one a device, plain ones too");

//! One rustls connection, of either side.

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::kernel::KernelConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{CommonState, ExtractedSecrets};

use crate::session::Side;

/// rustls' connection object, without buffers of its own.
pub(crate) enum Conn {
    Server(Box<UnbufferedServerConnection>),
    Client(Box<UnbufferedClientConnection>),
}

/// What rustls needs of a client's connection to take tickets.
pub(crate) type TicketKeeper = Box<KernelConnection<ClientConnectionData>>;

/// What a step led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Something was done; call again.
    On,
    /// More input is needed.
    Blocked,
    /// The handshake is complete and all input is read.
    Traffic,
    /// The peer writes no more.
    PeerClosed,
    /// Nobody writes any more.
    Closed,
}

/// What to do once application bytes may be written.
pub(crate) enum Wish<'w> {
    Nothing,
    Seal(&'w [u8]),
    Close,
}

impl Conn {
    pub(crate) fn side(&self) -> Side {
        match self {
            Self::Server(_) => Side::Server,
            Self::Client(_) => Side::Client,
        }
    }

    pub(crate) fn state(&self) -> &CommonState {
        match self {
            Self::Server(conn) => conn,
            Self::Client(conn) => conn,
        }
    }

    /// One step: `incoming` from its front, sealed bytes to `out`, plaintext to `plain`. Gives the bytes of `incoming`
    /// that are used up.
    pub(crate) fn step(
        &mut self,
        incoming: &mut [u8],
        wish: &Wish<'_>,
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> (usize, Result<Step, rustls::Error>) {
        match self {
            Self::Server(conn) => settle(conn.process_tls_records(incoming), wish, plain, out),
            Self::Client(conn) => settle(conn.process_tls_records(incoming), wish, plain, out),
        }
    }

    /// After a fault: what rustls has to say about it. Only that: asked to read on after a fault, rustls may look for
    /// a message in bytes that are not there any more, and panic.
    pub(crate) fn last_words(&mut self, out: &mut Vec<u8>) {
        let mut ignored = Vec::new();
        while self.state().wants_write() {
            if self.step(&mut [], &Wish::Nothing, &mut ignored, out).1.is_err() {
                return;
            }
        }
    }

    /// Write the end of the connection, after its handshake.
    pub(crate) fn close(&mut self, out: &mut Vec<u8>) {
        let mut ignored = Vec::new();
        let _ = self.step(&mut [], &Wish::Close, &mut ignored, out);
        self.last_words(out);
    }

    /// Take the secrets out; nothing of rustls stays but, for a client, what its tickets need.
    pub(crate) fn into_secrets(self) -> Result<(ExtractedSecrets, Option<TicketKeeper>), rustls::Error> {
        match self {
            Self::Server(conn) => Ok((conn.dangerous_into_kernel_connection()?.0, None)),
            Self::Client(conn) => {
                let (secrets, kernel) = conn.dangerous_into_kernel_connection()?;
                Ok((secrets, Some(Box::new(kernel))))
            }
        }
    }
}

fn settle<D>(
    status: UnbufferedStatus<'_, '_, D>,
    wish: &Wish<'_>,
    plain: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> (usize, Result<Step, rustls::Error>) {
    let mut discard = status.discard;
    let state = match status.state {
        Ok(state) => state,
        Err(error) => return (discard, Err(error)),
    };
    let step = match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => {
                        discard += record.discard;
                        plain.extend_from_slice(record.payload);
                    }
                    Err(error) => return (discard, Err(error)),
                }
            }
            Step::On
        }
        ConnectionState::EncodeTlsData(mut encode) => {
            grow(out, |room| match encode.encode(room) {
                Ok(len) => Ok(len),
                Err(EncodeError::InsufficientSize(need)) => Err(Some(need.required_size)),
                Err(EncodeError::AlreadyEncoded) => Err(None),
            });
            Step::On
        }
        ConnectionState::TransmitTlsData(transmit) => {
            transmit.done();
            Step::On
        }
        ConnectionState::WriteTraffic(mut traffic) => {
            let written = grow(out, |room| {
                let written = match wish {
                    Wish::Nothing => Ok(0),
                    Wish::Seal(bytes) => traffic.encrypt(bytes, room),
                    Wish::Close => traffic.queue_close_notify(room),
                };
                written.map_err(|error| match error {
                    EncryptError::InsufficientSize(need) => Some(need.required_size),
                    EncryptError::EncryptExhausted => None,
                })
            });
            if !written {
                return (discard, Err(rustls::Error::EncryptError));
            }
            Step::Traffic
        }
        ConnectionState::BlockedHandshake => Step::Blocked,
        ConnectionState::PeerClosed => Step::PeerClosed,
        ConnectionState::Closed => Step::Closed,
        // 0-RTT is never offered.
        _ => return (discard, Err(rustls::Error::General("early data without an offer".into()))),
    };
    (discard, Ok(step))
}

/// Let `write` append to `out`, after it said how much room it needs.
fn grow(out: &mut Vec<u8>, mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>) -> bool {
    let at = out.len();
    let mut room = 0;
    loop {
        out.resize(at + room, 0);
        match write(&mut out[at..]) {
            Ok(len) => {
                out.truncate(at + len);
                return true;
            }
            Err(Some(need)) if need > room => room = need,
            Err(_) => {
                out.truncate(at);
                return false;
            }
        }
    }
}

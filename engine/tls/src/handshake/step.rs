//! A handshake under way.

use zeroize::Zeroize;

use super::keylog::{Secrets, listen};
use super::{Conn, Established, Hello, Step, Wish, handover};
use crate::Fault;
use crate::client_auth::ClientRules;
use crate::limits::{HANDSHAKE_BYTES, HANDSHAKE_HEAP_BYTES, RECORD_HEADER_BYTES};
use crate::session::{Layer, Side};

/// Where a handshake stands.
#[derive(Debug)]
pub enum Progress {
    /// It waits for the peer.
    Pending(Box<Handshake>),
    /// It is complete.
    Done(Box<Established>),
}

/// A handshake under way, of either side: about 5 KiB with what rustls holds, until [`Progress::Done`].
pub struct Handshake {
    conn: Conn,
    secrets: Secrets,
    /// Sealed bytes that rustls has not used up.
    waiting: Vec<u8>,
    /// Of those, bytes that rustls has seen: whole records only.
    shown: usize,
    /// Bytes that came in all.
    came: usize,
    options: HandshakeOptions,
}

/// How a handshake becomes a session.
pub(super) struct HandshakeOptions {
    pub(super) layer: Layer,
    /// What a client asked for; of no meaning on the client's own side.
    pub(super) hello: Hello,
    pub(super) keep_tickets: bool,
    /// What clients with certificates must pass.
    pub(super) clients: Option<ClientRules>,
}

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Handshake({:?}, {} bytes came)", self.conn.side(), self.came)
    }
}

impl Handshake {
    pub(super) fn new(conn: Conn, options: HandshakeOptions) -> Box<Self> {
        Box::new(Self { conn, secrets: Secrets::default(), waiting: Vec::new(), shown: 0, came: 0, options })
    }

    /// Go on with `bytes` from the peer; what it must get is appended to `out`. A client begins with no bytes.
    ///
    /// # Errors
    /// The handshake failed; the alert is in `out`.
    pub fn advance(mut self: Box<Self>, bytes: &[u8], out: &mut Vec<u8>) -> Result<Progress, Fault> {
        self.came += bytes.len();
        self.waiting.extend_from_slice(bytes);
        match self.run(out) {
            Ok(true) => {}
            // Bytes after the end of the handshake are not held against it.
            Ok(false) if self.came > HANDSHAKE_BYTES => {
                return Err(refuse(Fault::HandshakeTooLong, out));
            }
            Ok(false) => return Ok(Progress::Pending(self)),
            Err(fault) => return Err(fault),
        }
        if self.options.hello.validates && self.conn.side() == Side::Server {
            // The authority has seen the certificate. The secrets end here: nobody can log in on this connection.
            self.conn.close(out);
            return Err(Fault::ChallengeAnswered);
        }
        // A session that goes on shows its certificates without a check, so they are looked at here, for all.
        let chain = self.conn.state().peer_certificates();
        let verdict = self.options.clients.as_ref().zip(chain).map_or(Ok(()), |(rules, chain)| rules.check(chain));
        let facts = handover::facts(&self.conn, &self.options.hello)?;
        let Self { conn, secrets, mut waiting, options, .. } = *self;
        let mut session = handover::session(conn, &secrets, &facts, options.layer, options.keep_tickets)?;
        if let Err(fault) = verdict {
            session.refuse(fault.alert().unwrap_or(crate::Alert::InternalError), out);
            return Err(fault);
        }
        waiting.shrink_to_fit();
        Ok(Progress::Done(Box::new(Established { session, rest: waiting, facts })))
    }

    /// Bytes on the heap, about, for the caller's ledger.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        HANDSHAKE_HEAP_BYTES + size_of::<Self>() + self.waiting.capacity()
    }

    /// Let rustls work until it waits (false) or is done (true). It sees one record more at a time, so that nothing
    /// after the handshake reaches it.
    fn run(&mut self, out: &mut Vec<u8>) -> Result<bool, Fault> {
        let mut plain = Vec::new();
        let mut used = 0;
        let result = loop {
            let seen = &mut self.waiting[used..used + self.shown];
            let (conn, secrets) = (&mut self.conn, &mut self.secrets);
            let (discard, step) = listen(secrets, || conn.step(seen, &Wish::Nothing, &mut plain, out));
            used += discard;
            self.shown -= discard.min(self.shown);
            match step {
                Ok(Step::On) => {}
                Ok(Step::Blocked) => match next_record(&self.waiting[used + self.shown..]) {
                    Some(len) => self.shown += len,
                    None => break Ok(false),
                },
                Ok(Step::Traffic) => break Ok(true),
                Ok(Step::PeerClosed | Step::Closed) => break Err(Fault::PeerAlert(0)),
                Err(error) => {
                    self.conn.last_words(out);
                    break Err(Fault::Handshake(error));
                }
            }
        };
        debug_assert!(plain.is_empty(), "no application bytes are read in a handshake");
        plain.zeroize();
        self.waiting.drain(..used);
        result
    }
}

/// Length of the first record if it is whole. Rubbish counts as whole: rustls has the right alert for it.
fn next_record(bytes: &[u8]) -> Option<usize> {
    let header = bytes.first_chunk::<RECORD_HEADER_BYTES>()?;
    let len = RECORD_HEADER_BYTES + usize::from(u16::from_be_bytes([header[3], header[4]]));
    let sane = (20..=23).contains(&header[0]) && header[1] == 3 && len <= crate::limits::MAX_RECORD_BYTES;
    if sane { (bytes.len() >= len).then_some(len) } else { Some(bytes.len()) }
}

/// Say why in the clear: without keys there is no other way.
pub(super) fn refuse(fault: Fault, out: &mut Vec<u8>) -> Fault {
    if let Some(alert) = fault.alert() {
        crate::fatal(out, alert);
    }
    fault
}

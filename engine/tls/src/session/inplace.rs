//! Our record layer: what is kept of a connection, and by which suite.

use super::keys::{Direction, DirectionKeys, Half, IV_BYTES, RX, Suite, TX, Version, View};
use super::{Assembly, Desk, Input, Opened, RecordLayer, Sealing, Side};
use crate::handshake::TicketKeeper;
use crate::limits::{FRAGMENT_BYTES, IDLE_SESSION_BYTES, MAX_PLAINTEXT_BYTES};
use crate::{Fault, session::cache::NO_STAMP};

/// What few connections have, at few moments.
#[derive(Default)]
pub(super) struct SessionExtra {
    /// A record whose rest is on its way.
    pub(super) partial: Option<Assembly>,
    /// A message after the handshake whose rest is on its way.
    pub(super) post: Vec<u8>,
    /// A client that keeps session tickets.
    pub(super) tickets: Option<TicketKeeper>,
}

/// State of a connection beside its keys.
pub(super) struct Link {
    /// Where its expanded keys are in the cache.
    pub(super) stamp: u64,
    pub(super) extra: Option<Box<SessionExtra>>,
    /// Application bytes per record.
    pub(super) fragment_bytes: u16,
    /// What the peer asked for.
    pub(super) max_fragment_bytes: u16,
    pub(super) suite: Suite,
    pub(super) version: Version,
    pub(super) side: Side,
    /// The peer's close_notify came.
    pub(super) peer_closed: bool,
    /// Our close_notify went, or a fatal alert.
    pub(super) closed: bool,
    /// A key update of ours is due.
    pub(super) owes_update: bool,
    pub(super) empty_records: u8,
    pub(super) key_updates: u8,
    pub(super) warnings: u8,
    pub(super) renegotiations: u8,
}

impl Link {
    pub(super) fn extra_mut(&mut self) -> &mut SessionExtra {
        self.extra.get_or_insert_default()
    }

    /// Give back what is empty.
    pub(super) fn tidy(&mut self) {
        if self.extra.as_ref().is_some_and(|e| e.partial.is_none() && e.post.is_empty() && e.tickets.is_none()) {
            self.extra = None;
        }
    }
}

/// State and keys in one allocation. Laid out in this order, so that what is the same in all shapes is at the same place
/// and needs no branch.
#[repr(C)]
pub(super) struct State<const S: usize, const K: usize> {
    link: Link,
    keys: DirectionKeys<S, K>,
}

const _: () = assert!(size_of::<State<48, 32>>() <= IDLE_SESSION_BYTES);
const _: () = assert!(size_of::<State<32, 16>>() == crate::limits::TLS13_STATE_BYTES);
const _: () = assert!(size_of::<State<0, 16>>() == crate::limits::TLS12_STATE_BYTES);

/// A connection after its handshake, of which only state, keys and secrets are kept.
pub struct InPlace(Shape);

enum Shape {
    /// TLS 1.2, 16 byte keys.
    Short12(Box<State<0, 16>>),
    /// TLS 1.2, 32 byte keys.
    Long12(Box<State<0, 32>>),
    /// TLS 1.3, AES-128-GCM.
    Aes128(Box<State<32, 16>>),
    /// TLS 1.3, ChaCha20-Poly1305.
    ChaCha(Box<State<32, 32>>),
    /// TLS 1.3, AES-256-GCM.
    Aes256(Box<State<48, 32>>),
}

impl std::fmt::Debug for InPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let link = self.link();
        write!(f, "InPlace({:?}, {:?}, {:?})", link.side, link.version, link.suite)
    }
}

macro_rules! each {
    ($shape:expr, $state:ident => $result:expr) => {
        match $shape {
            Shape::Short12($state) => $result,
            Shape::Long12($state) => $result,
            Shape::Aes128($state) => $result,
            Shape::ChaCha($state) => $result,
            Shape::Aes256($state) => $result,
        }
    };
}

impl InPlace {
    pub(crate) fn new(
        side: Side,
        version: Version,
        suite: Suite,
        max_fragment_bytes: Option<usize>,
        tx: &Direction,
        rx: &Direction,
    ) -> Self {
        let max_fragment_bytes = max_fragment_bytes.unwrap_or(MAX_PLAINTEXT_BYTES).min(MAX_PLAINTEXT_BYTES) as u16;
        let link = Link {
            stamp: NO_STAMP,
            extra: None,
            fragment_bytes: max_fragment_bytes.min(FRAGMENT_BYTES as u16),
            max_fragment_bytes,
            suite,
            version,
            side,
            peer_closed: false,
            closed: false,
            owes_update: false,
            empty_records: 0,
            key_updates: 0,
            warnings: 0,
            renegotiations: 0,
        };
        Self(match (version, suite) {
            (Version::Tls12, Suite::Aes128Gcm) => {
                Shape::Short12(Box::new(State { link, keys: DirectionKeys::new(tx, rx) }))
            }
            (Version::Tls12, _) => Shape::Long12(Box::new(State { link, keys: DirectionKeys::new(tx, rx) })),
            (Version::Tls13, Suite::Aes128Gcm) => {
                Shape::Aes128(Box::new(State { link, keys: DirectionKeys::new(tx, rx) }))
            }
            (Version::Tls13, Suite::ChaCha20Poly1305) => {
                Shape::ChaCha(Box::new(State { link, keys: DirectionKeys::new(tx, rx) }))
            }
            (Version::Tls13, Suite::Aes256Gcm) => {
                Shape::Aes256(Box::new(State { link, keys: DirectionKeys::new(tx, rx) }))
            }
        })
    }

    /// A TLS 1.3 connection from its traffic secrets and the numbers of its next records, ours first: for tests, and
    /// for whoever has them from elsewhere. None if the secrets are not as long as the suite's.
    #[must_use]
    pub fn from_secrets(side: Side, suite: Suite, own: (&[u8], u64), peer: (&[u8], u64)) -> Option<Self> {
        let tx = Direction::from_secret(suite, own.0, own.1)?;
        let rx = Direction::from_secret(suite, peer.0, peer.1)?;
        Some(Self::new(side, Version::Tls13, suite, None, &tx, &rx))
    }

    /// A TLS 1.2 connection from its keys, ivs and the numbers of its next records, ours first. The iv of AES-GCM is
    /// the fixed part and the first explicit one. None if the keys are not as long as the suite's.
    #[must_use]
    pub fn from_keys(
        side: Side,
        suite: Suite,
        own: (&[u8], [u8; IV_BYTES], u64),
        peer: (&[u8], [u8; IV_BYTES], u64),
    ) -> Option<Self> {
        let tx = Direction::from_key(suite, own.0, own.1, own.2)?;
        let rx = Direction::from_key(suite, peer.0, peer.1, peer.2)?;
        Some(Self::new(side, Version::Tls12, suite, None, &tx, &rx))
    }

    /// A client's session keeps tickets through this.
    pub(crate) fn keep_tickets(&mut self, kernel: TicketKeeper) {
        self.link_mut().extra_mut().tickets = Some(kernel);
    }

    pub(super) fn link(&self) -> &Link {
        each!(&self.0, state => &state.link)
    }

    pub(super) fn link_mut(&mut self) -> &mut Link {
        each!(&mut self.0, state => &mut state.link)
    }

    /// One direction's keys, for another process.
    pub(super) fn half(&self, direction: usize) -> Half<'_> {
        each!(&self.0, state => state.keys.half(direction))
    }

    /// State and one direction's keys.
    pub(super) fn parts(&mut self, direction: usize) -> (&mut Link, View<'_>) {
        each!(&mut self.0, state => (&mut state.link, state.keys.view(direction)))
    }

    /// Change the keys of a direction.
    pub(super) fn update(&mut self, desk: &mut Desk, direction: usize) {
        let (link, mut view) = self.parts(direction);
        view.update(link.suite);
        desk.keys.forget(link.stamp, direction);
    }

    /// Nothing is opened or sealed any more: forget the keys now, not when the connection's slot is given back. Expanded
    /// keys in the cache are dropped; ring has no way to overwrite them.
    fn wipe(&mut self) {
        each!(&mut self.0, state => state.keys.wipe());
    }

    /// The connection ends with a fault: say why, once, and drop what could still open or seal.
    pub(super) fn fail(&mut self, desk: &mut Desk, out: &mut Vec<u8>, fault: Fault) -> Fault {
        if let Some(alert) = fault.alert()
            && !self.link().closed
        {
            self.seal_alert(desk, out, alert);
        }
        let link = self.link_mut();
        link.closed = true;
        link.peer_closed = true;
        link.extra = None;
        desk.keys.forget_all(link.stamp);
        self.wipe();
        fault
    }

    pub(super) fn refuse(&mut self, desk: &mut Desk, out: &mut Vec<u8>, alert: crate::Alert) {
        self.seal_alert(desk, out, alert);
        self.link_mut().closed = true;
        self.link_mut().peer_closed = true;
        self.wipe();
    }

    /// The number of the next record of ours and of the peer.
    #[must_use]
    pub fn records(&self) -> (u64, u64) {
        each!(&self.0, state => (state.keys.seq[TX], state.keys.seq[RX]))
    }
}

impl RecordLayer for InPlace {
    fn open<'i>(&mut self, desk: &mut Desk, input: &'i mut Input<'_>, out: &mut Vec<u8>) -> Result<Opened<'i>, Fault> {
        super::open::open(self, desk, input, out)
    }

    fn begin(&mut self, desk: &mut Desk, out: &mut Vec<u8>) -> Sealing {
        self.begin_record(desk, out)
    }

    fn seal(&mut self, desk: &mut Desk, out: &mut Vec<u8>, sealing: Sealing) -> Result<(), Fault> {
        self.seal_records(desk, out, &sealing)
    }

    fn close(&mut self, desk: &mut Desk, out: &mut Vec<u8>) {
        if !self.link().closed {
            self.seal_alert(desk, out, crate::Alert::CloseNotify);
            self.link_mut().closed = true;
        }
        let link = self.link();
        desk.keys.forget(link.stamp, TX);
        if link.peer_closed {
            desk.keys.forget(link.stamp, RX);
        }
    }

    fn release(&mut self, desk: &mut Desk) {
        let link = self.link_mut();
        desk.keys.forget_all(link.stamp);
        link.stamp = NO_STAMP;
    }

    fn set_fragment_bytes(&mut self, bytes: usize) {
        let link = self.link_mut();
        link.fragment_bytes = bytes.clamp(1, usize::from(link.max_fragment_bytes)) as u16;
    }

    fn held_bytes(&self) -> usize {
        let state = each!(&self.0, state => size_of_val(&**state));
        let extra = self.link().extra.as_ref().map_or(0, |extra| {
            let partial = extra.partial.as_ref().map_or(0, Assembly::held_bytes);
            let tickets = extra.tickets.as_ref().map_or(0, |kernel| size_of_val(&**kernel));
            size_of_val(&**extra) + partial + extra.post.capacity() + tickets
        });
        state + extra
    }

    fn awaits_rest(&self) -> bool {
        self.link().extra.as_ref().is_some_and(|extra| extra.partial.is_some())
    }
}

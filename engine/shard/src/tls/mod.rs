//! TLS of a shard's connections: the states of one, and what all share.

mod handshakes;
mod records;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use linchpin_protocol::model::{Millis, Now};
use linchpin_tls::{Acceptor, Admission, Challenges, Clock, Desk, Greeting, Handshake, Pass, RecordLayer, Session};

use crate::{ConnRef, Slot};

/// What a shard needs for TLS.
#[derive(Debug)]
pub struct TlsOptions {
    /// Begins handshakes.
    pub acceptor: Acceptor,
    /// The same for listeners that want a certificate of the client; without it they take no client.
    pub mutual: Option<Acceptor>,
    /// What authorities that check names get; those of the acceptors.
    pub challenges: Arc<Challenges>,
    /// The time of certificates and tickets; the shard sets it.
    pub clock: Clock,
}

/// What all connections of a shard share.
#[derive(Debug)]
pub(crate) struct SharedTls {
    pub(crate) options: TlsOptions,
    pub(crate) desk: Desk,
    pub(crate) admission: Admission<ConnRef>,
    /// Handshakes that can go on.
    pub(crate) ready: VecDeque<ConnRef>,
    /// Whose step was made last, until its cost is reported.
    pub(crate) stepped: Option<Stepped>,
    /// When it was last looked at how much sessions speak, and how much they had spoken.
    pub(crate) load_at: Millis,
    pub(crate) spoken: u64,
    /// Connections of which a part of a record has come: when it began.
    pub(crate) records: HashMap<Slot, Millis>,
    /// Reused by each call: bytes for the peer.
    pub(crate) out: Vec<u8>,
}

/// The handshake whose step was made last.
#[derive(Debug)]
pub(crate) enum Stepped {
    /// It goes on.
    Going(ConnRef),
    /// It ended; its steps before the last one cost so much.
    Ended(Pass, Duration),
}

impl SharedTls {
    pub(crate) fn new(options: TlsOptions, wait_ms: u32, seed: [u8; 16], now: Now) -> Self {
        let mut admission = Admission::new(seed, since_start(now));
        admission.set_wait(Duration::from_millis(u64::from(wait_ms)));
        Self {
            options,
            desk: Desk::default(),
            admission,
            ready: VecDeque::new(),
            stepped: None,
            load_at: now.mono,
            spoken: 0,
            records: HashMap::new(),
            out: Vec::new(),
        }
    }

    /// Handshakes under way.
    pub(crate) fn running(&self) -> usize {
        self.admission.running()
    }

    /// Clients that wait for theirs.
    pub(crate) fn waiting(&self) -> usize {
        self.admission.waiting()
    }

    /// Bytes of records in pieces.
    pub(crate) fn assembly_bytes(&self) -> usize {
        self.desk.assembly.taken_bytes()
    }
}

/// The time of admission.
pub(crate) fn since_start(now: Now) -> Duration {
    Duration::from_millis(now.mono.0)
}

/// TLS of one connection. A transition consumes the state before it.
#[derive(Debug, Default)]
pub(crate) enum Tls {
    /// Not spoken, or not yet.
    #[default]
    Off,
    /// The listener takes nothing else: the first bytes must be a ClientHello.
    Due {
        /// It wants a certificate of the client.
        mutual: bool,
    },
    /// The ClientHello is not whole, or waits for its turn.
    Greeting(Box<Greeted>),
    /// The handshake is under way.
    Handshake(Box<Shaking>),
    /// Records are opened and sealed.
    On(Session),
}

const _: () = assert!(size_of::<Tls>() <= 16);

/// The beginning of a handshake.
#[derive(Debug)]
pub(crate) struct Greeted {
    pub(crate) greeting: Greeting,
    /// The listener wants a certificate of the client.
    pub(crate) mutual: bool,
}

/// A handshake that was let in.
#[derive(Debug)]
pub(crate) struct Shaking {
    pub(crate) pass: Pass,
    /// Processor time of its steps so far.
    pub(crate) cost: Duration,
    pub(crate) stage: Stage,
    /// The listener wants a certificate of the client.
    pub(crate) mutual: bool,
    /// What came since the last step.
    pub(crate) came: Vec<u8>,
}

/// How far a handshake is.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Its ClientHello waits for the first step.
    Hello(Greeting),
    /// A step was made.
    Going(Box<Handshake>),
}

impl Shaking {
    /// Is the peer's turn?
    pub(crate) fn awaits_peer(&self) -> bool {
        matches!(self.stage, Stage::Going(_)) && self.came.is_empty()
    }
}

impl Tls {
    /// Are records opened and sealed?
    pub(crate) const fn is_on(&self) -> bool {
        matches!(self, Self::On(_))
    }

    /// Has a part of a record come, whose rest has not?
    pub(crate) fn awaits_rest(&self) -> bool {
        matches!(self, Self::On(session) if session.awaits_rest())
    }

    /// Memory behind the structure.
    pub(crate) fn held_bytes(&self) -> usize {
        match self {
            Self::Off | Self::Due { .. } => 0,
            Self::Greeting(greeted) => size_of::<Greeted>() + greeted.greeting.held_bytes(),
            Self::Handshake(shaking) => {
                let stage = match &shaking.stage {
                    Stage::Hello(greeting) => greeting.held_bytes(),
                    Stage::Going(handshake) => handshake.held_bytes(),
                };
                size_of::<Shaking>() + shaking.came.capacity() + stage
            }
            Self::On(session) => session.held_bytes(),
        }
    }
}

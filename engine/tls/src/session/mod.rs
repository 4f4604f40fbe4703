//! After the handshake: a connection that opens and seals records.

mod assembly;
mod away;
mod cache;
mod inplace;
mod keys;
mod open;
mod post;
mod rustls_path;
mod seal;

pub use assembly::AssemblyBudget;
pub use away::{Away, Claim, Foreign};
pub use cache::KeyCache;
pub use inplace::InPlace;
pub use keys::{Suite, Version};
pub use rustls_path::RustlsPath;

pub(crate) use assembly::Assembly;
pub(crate) use keys::{Direction, IV_BYTES, MAX_SECRET_BYTES};

use zeroize::Zeroizing;

use crate::Fault;
use crate::limits::{ASSEMBLY_BYTES, CACHED_KEYS};

/// Who a connection is in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It began.
    Client,
    /// It answered.
    Server,
}

/// Which of the two implementations a connection uses after its handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layer {
    /// Ours: opens and seals in the caller's buffers, keeps raw keys only.
    #[default]
    InPlace,
    /// rustls': copies, keeps its object. What the first is tested against.
    Rustls,
}

/// What all connections of a shard share.
#[derive(Debug)]
pub struct Desk {
    /// Expanded keys of the active ones.
    pub keys: KeyCache,
    /// Memory for records in pieces.
    pub assembly: AssemblyBudget,
}

impl Default for Desk {
    fn default() -> Self {
        Self { keys: KeyCache::new(CACHED_KEYS), assembly: AssemblyBudget::new(ASSEMBLY_BYTES) }
    }
}

/// Received bytes on their way through [`RecordLayer::open`].
pub struct Input<'b> {
    pub(crate) bytes: &'b mut [u8],
    /// Bytes before this were read.
    pub(crate) at: usize,
    pub(crate) held: HeldBytes,
}

/// What was read last, if it does not lie in the caller's bytes.
pub(crate) enum HeldBytes {
    /// It does, or nothing was.
    Nothing,
    /// It came in pieces.
    Whole(Assembly),
    /// rustls copied it out.
    Copied(Zeroizing<Vec<u8>>),
}

impl HeldBytes {
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        match self {
            Self::Nothing => &mut [],
            Self::Whole(assembly) => assembly.bytes(),
            Self::Copied(plain) => plain,
        }
    }
}

impl<'b> Input<'b> {
    /// Bytes as they came; they are overwritten with plaintext.
    #[must_use]
    pub fn new(bytes: &'b mut [u8]) -> Self {
        Self { bytes, at: 0, held: HeldBytes::Nothing }
    }
}

impl std::fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Input({} of {} bytes read)", self.at, self.bytes.len())
    }
}

/// What [`RecordLayer::open`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened<'i> {
    /// Application bytes, never none; call again with the same input.
    Plain(&'i mut [u8]),
    /// All input is read; what waits for its rest is kept.
    Drained,
    /// The peer writes no more, by its close_notify; what follows is ignored. Seal what is left to say, then
    /// [`RecordLayer::close`].
    PeerClosed,
}

/// Where a record begins that is being written: from [`RecordLayer::begin`] to [`RecordLayer::seal`].
#[derive(Debug)]
#[must_use = "bytes that were begun must be sealed, or they leave in the clear"]
pub struct Sealing {
    /// Length of the output at [`RecordLayer::begin`].
    pub(crate) at: usize,
    /// Bytes that were left out for the header of the first record.
    pub(crate) gap: usize,
}

/// A connection after its handshake. Any fault ends it: the alert is in `out`, keys are wiped, and every later call
/// answers [`Fault::Closed`].
pub trait RecordLayer {
    /// Read on in `input`. Answers to the peer (key updates, alerts) are appended to `out` as sealed records.
    ///
    /// # Errors
    /// The connection is over. What was found before is good.
    fn open<'i>(&mut self, desk: &mut Desk, input: &'i mut Input<'_>, out: &mut Vec<u8>) -> Result<Opened<'i>, Fault>;

    /// Leave room for a record's header at the end of `out`. The caller appends its plaintext and calls [`Self::seal`].
    fn begin(&mut self, desk: &mut Desk, out: &mut Vec<u8>) -> Sealing;

    /// Seal what the caller appended since [`Self::begin`], in place, in as many records as the fragment length asks
    /// for. Without plaintext nothing is written.
    ///
    /// # Errors
    /// The connection is over. The plaintext is taken out of `out` again.
    fn seal(&mut self, desk: &mut Desk, out: &mut Vec<u8>, sealing: Sealing) -> Result<(), Fault>;

    /// Say that nothing more comes: a close_notify, once.
    fn close(&mut self, desk: &mut Desk, out: &mut Vec<u8>);

    /// Take the expanded keys out of `desk`: before a move to another shard, at the end, or when a device sleeps for
    /// long. The next record expands them again.
    fn release(&mut self, desk: &mut Desk);

    /// Application bytes per record, at most; never more than the peer asked for.
    fn set_fragment_bytes(&mut self, bytes: usize);

    /// Bytes on the heap, for the caller's ledger. Changes with [`Self::open`] only.
    fn held_bytes(&self) -> usize;

    /// Has a part of a record come, whose rest has not? Changes with [`Self::open`] only.
    fn awaits_rest(&self) -> bool;
}

/// A connection after its handshake, 16 bytes in the caller's table. It may move to another shard between any two calls.
#[derive(Debug)]
pub enum Session {
    /// Our record layer.
    InPlace(InPlace),
    /// rustls' own.
    Rustls(Box<RustlsPath>),
}

const _: () = assert!(size_of::<Option<Session>>() == crate::limits::TLS_SLOT_BYTES);

/// What moves between shards may move between threads.
const fn moves<T: Send>() {}
const _: () = moves::<(Session, crate::Handshake, crate::Greeting, crate::Established)>();

impl Session {
    fn layer(&mut self) -> &mut dyn RecordLayer {
        match self {
            Self::InPlace(layer) => layer,
            Self::Rustls(layer) => &mut **layer,
        }
    }

    /// Seal what `write` appends.
    ///
    /// # Errors
    /// As [`RecordLayer::seal`].
    pub fn seal_with(
        &mut self,
        desk: &mut Desk,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Fault> {
        let sealing = self.begin(desk, out);
        write(out);
        self.seal(desk, out, sealing)
    }

    /// Seal `plain` as it is; for callers that do not write into `out` themselves.
    ///
    /// # Errors
    /// As [`RecordLayer::seal`].
    pub fn seal_slice(&mut self, desk: &mut Desk, out: &mut Vec<u8>, plain: &[u8]) -> Result<(), Fault> {
        self.seal_with(desk, out, |out| out.extend_from_slice(plain))
    }

    /// End it before it was used, with this alert.
    pub(crate) fn refuse(&mut self, alert: crate::Alert, out: &mut Vec<u8>) {
        // A shard's desk is out of reach in a handshake, and this is rare.
        let mut desk = Desk { keys: KeyCache::new(1), assembly: AssemblyBudget::new(0) };
        match self {
            Self::InPlace(layer) => layer.refuse(&mut desk, out, alert),
            Self::Rustls(layer) => layer.close(&mut desk, out),
        }
    }

    /// Which implementation it is.
    #[must_use]
    pub const fn kind(&self) -> Layer {
        match self {
            Self::InPlace(_) => Layer::InPlace,
            Self::Rustls(_) => Layer::Rustls,
        }
    }
}

impl RecordLayer for Session {
    fn open<'i>(&mut self, desk: &mut Desk, input: &'i mut Input<'_>, out: &mut Vec<u8>) -> Result<Opened<'i>, Fault> {
        match self {
            Self::InPlace(layer) => layer.open(desk, input, out),
            Self::Rustls(layer) => layer.open(desk, input, out),
        }
    }

    fn begin(&mut self, desk: &mut Desk, out: &mut Vec<u8>) -> Sealing {
        self.layer().begin(desk, out)
    }

    fn seal(&mut self, desk: &mut Desk, out: &mut Vec<u8>, sealing: Sealing) -> Result<(), Fault> {
        self.layer().seal(desk, out, sealing)
    }

    fn close(&mut self, desk: &mut Desk, out: &mut Vec<u8>) {
        self.layer().close(desk, out);
    }

    fn release(&mut self, desk: &mut Desk) {
        self.layer().release(desk);
    }

    fn set_fragment_bytes(&mut self, bytes: usize) {
        self.layer().set_fragment_bytes(bytes);
    }

    fn held_bytes(&self) -> usize {
        match self {
            Self::InPlace(layer) => layer.held_bytes(),
            Self::Rustls(layer) => layer.held_bytes(),
        }
    }

    fn awaits_rest(&self) -> bool {
        match self {
            Self::InPlace(layer) => layer.awaits_rest(),
            Self::Rustls(layer) => layer.awaits_rest(),
        }
    }
}

#[cfg(test)]
mod tests;

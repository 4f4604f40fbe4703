//! A session that is on its way to another process, or on its way back.
//!
//! Two processes that know the same keys must never both seal: the same key and record number for two texts tells who
//! listens both of them. So a session that was written down is an [`Away`], which cannot open or seal, in both processes;
//! only who has a [`Claim`] makes a session of it again.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use super::inplace::InPlace;
use super::keys::{Direction, IV_BYTES, MAX_SECRET_BYTES, RX, Suite, TX, Version};
use super::{Desk, RecordLayer, Session, Side};
use crate::limits::{MAX_PLAINTEXT_BYTES, MAX_RECORD_BYTES, POST_HANDSHAKE_BYTES};

/// Why the other process will never seal: what makes a session of an [`Away`] again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The process that it was given to has ended, and had not been told to go on.
    TakenBack,
    /// The process that gave it away has said that it will not use it any more, or has ended.
    Given,
}

/// See the module's page.
pub struct Away {
    session: InPlace,
    /// Sealed bytes of a record whose rest had not come: to be read first.
    part: Zeroizing<Vec<u8>>,
}

/// State of a session that this version cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign(&'static str);

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the state of a TLS session cannot be read: {} is not known here", self.0)
    }
}

impl std::error::Error for Foreign {}

impl fmt::Debug for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Away({:?})", self.session)
    }
}

impl Session {
    /// Let it go. Its expanded keys leave `desk`.
    ///
    /// # Errors
    /// It is one of rustls' own, which keep state that cannot be written down; or a client's that takes tickets. It comes
    /// back as it was.
    pub fn go_away(self, desk: &mut Desk) -> Result<Away, Self> {
        let Self::InPlace(mut session) = self else { return Err(self) };
        if session.link().extra.as_ref().is_some_and(|extra| extra.tickets.is_some()) {
            return Err(Self::InPlace(session));
        }
        session.release(desk);
        let partial = session.link_mut().extra.as_mut().and_then(|extra| extra.partial.take());
        session.link_mut().tidy();
        let part = partial.map(|assembly| assembly.part().to_vec()).unwrap_or_default();
        Ok(Away { session, part: Zeroizing::new(part) })
    }
}

/// What stands in front; of another version another number.
const VERSION: u8 = 1;

impl Away {
    /// Make a session of it. The second half of the answer is what came sealed and was not whole: give it to
    /// [`RecordLayer::open`] before anything else.
    #[must_use]
    pub fn wake(self, _claim: Claim) -> (Session, Zeroizing<Vec<u8>>) {
        (Session::InPlace(self.session), self.part)
    }

    /// Bytes on the heap, for the caller's ledger.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.session.held_bytes() + self.part.capacity()
    }

    /// Write it down, raw keys included. `out` is to be wiped by the caller, and should have room for
    /// [`Away::packed_bytes`], so that no copy of keys stays where it grew.
    pub fn pack(&self, out: &mut Vec<u8>) {
        let link = self.session.link();
        let suite = match link.suite {
            Suite::Aes128Gcm => 1,
            Suite::Aes256Gcm => 2,
            Suite::ChaCha20Poly1305 => 3,
        };
        let version = if link.version == Version::Tls12 { 2 } else { 3 };
        out.extend_from_slice(&[VERSION, version, suite, u8::from(link.side == Side::Client)]);
        out.extend_from_slice(&link.fragment_bytes.to_be_bytes());
        out.extend_from_slice(&link.max_fragment_bytes.to_be_bytes());
        out.extend_from_slice(&[link.peer_closed, link.closed, link.owes_update].map(u8::from));
        out.extend_from_slice(&[link.empty_records, link.key_updates, link.warnings, link.renegotiations]);
        for direction in [TX, RX] {
            let half = self.session.half(direction);
            out.extend_from_slice(&half.seq.to_be_bytes());
            out.extend_from_slice(half.iv);
            out.extend_from_slice(half.key);
            out.extend_from_slice(half.secret);
        }
        for bytes in [self.post(), &self.part] {
            out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
            out.extend_from_slice(bytes);
        }
    }

    fn post(&self) -> &[u8] {
        self.session.link().extra.as_ref().map_or(&[], |extra| &extra.post)
    }

    /// At most so many bytes are written by [`Away::pack`].
    #[must_use]
    pub fn packed_bytes(&self) -> usize {
        32 + 2 * (8 + IV_BYTES + 32 + MAX_SECRET_BYTES) + self.post().len() + self.part.len()
    }

    /// Read what [`Away::pack`] wrote.
    ///
    /// # Errors
    /// It is of another version, or nothing that a session can be.
    pub fn unpack(bytes: &[u8]) -> Result<Self, Foreign> {
        let mut from = Reader(bytes);
        if from.u8()? != VERSION {
            return Err(Foreign("its version"));
        }
        let version = match from.u8()? {
            2 => Version::Tls12,
            3 => Version::Tls13,
            _ => return Err(Foreign("its protocol version")),
        };
        let suite = match from.u8()? {
            1 => Suite::Aes128Gcm,
            2 => Suite::Aes256Gcm,
            3 => Suite::ChaCha20Poly1305,
            _ => return Err(Foreign("its cipher suite")),
        };
        let side = if from.flag()? { Side::Client } else { Side::Server };
        let (fragment_bytes, max_fragment_bytes) = (from.u16()?, from.u16()?);
        if fragment_bytes == 0 || fragment_bytes > max_fragment_bytes || max_fragment_bytes > MAX_PLAINTEXT_BYTES as u16
        {
            return Err(Foreign("its fragment length"));
        }
        let (peer_closed, closed, owes_update) = (from.flag()?, from.flag()?, from.flag()?);
        let counts = from.array::<4>()?;
        let (tx, rx) = (from.direction(version, suite)?, from.direction(version, suite)?);
        let post = from.bytes(POST_HANDSHAKE_BYTES)?;
        let part = Zeroizing::new(from.bytes(MAX_RECORD_BYTES)?.to_vec());
        if !from.0.is_empty() {
            return Err(Foreign("its end"));
        }
        let mut session = InPlace::new(side, version, suite, Some(usize::from(max_fragment_bytes)), &tx, &rx);
        let link = session.link_mut();
        link.fragment_bytes = fragment_bytes;
        (link.peer_closed, link.closed, link.owes_update) = (peer_closed, closed, owes_update);
        [link.empty_records, link.key_updates, link.warnings, link.renegotiations] = counts;
        if !post.is_empty() {
            link.extra_mut().post = post.to_vec();
        }
        Ok(Self { session, part })
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn raw(&mut self, len: usize) -> Result<&'a [u8], Foreign> {
        let (head, rest) = self.0.split_at_checked(len).ok_or(Foreign("its length"))?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Foreign> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Foreign("its length"))?;
        self.0 = rest;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, Foreign> {
        self.array().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, Foreign> {
        self.array().map(u16::from_be_bytes)
    }

    fn flag(&mut self) -> Result<bool, Foreign> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Foreign("a flag")),
        }
    }

    fn bytes(&mut self, most: usize) -> Result<&'a [u8], Foreign> {
        let len = self.array().map(u32::from_be_bytes)? as usize;
        if len > most { Err(Foreign("a length")) } else { self.raw(len) }
    }

    fn direction(&mut self, version: Version, suite: Suite) -> Result<Direction, Foreign> {
        let seq = self.array().map(u64::from_be_bytes)?;
        let mut iv = self.array::<IV_BYTES>()?;
        let key = self.raw(suite.key_bytes())?;
        let secret = match version {
            Version::Tls12 => &[][..],
            Version::Tls13 => self.raw(suite.secret_bytes())?,
        };
        let mut direction = Direction::from_key(suite, key, iv, seq).ok_or(Foreign("its keys"))?;
        direction.secret[..secret.len()].copy_from_slice(secret);
        iv.zeroize();
        Ok(direction)
    }
}

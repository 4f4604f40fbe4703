//! Session tickets that survive a restart: their keys come from outside, by epoch.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::server::ProducesTickets;
use zeroize::Zeroize;

use crate::SetupFault;
use crate::limits::{PREVIOUS_EPOCHS, TAG_BYTES, TICKET_BYTES, TICKET_EPOCH};

/// First byte of every ticket.
const FORMAT: u8 = 1;
/// Format and epoch: what the seal covers in the clear.
const HEAD_BYTES: usize = 5;

/// The key of one epoch. 2^32 tickets are safe under it: 6 hours hold 10^9 handshakes of 60 cores.
pub struct TicketKey {
    epoch: u32,
    key: [u8; 32],
}

impl TicketKey {
    /// Epochs are numbered by the caller; every shard and every start after a restart must agree on them.
    #[must_use]
    pub const fn new(epoch: u32, key: [u8; 32]) -> Self {
        Self { epoch, key }
    }

    /// Its epoch.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// For its file, sealed.
    pub(crate) const fn expose(&self) -> &[u8; 32] {
        &self.key
    }

    /// The epoch of a time.
    #[must_use]
    pub const fn epoch_at(unix_s: u64) -> u32 {
        (unix_s / TICKET_EPOCH.as_secs()) as u32
    }
}

impl std::fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TicketKey(epoch {})", self.epoch)
    }
}

impl Drop for TicketKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// Keys in use: the first seals, all open.
type Ring = Vec<(u32, LessSafeKey)>;

/// Seals and opens tickets. One object a shard, so that shards share no cache line; the keys are the same.
pub struct Tickets {
    ring: ArcSwap<Ring>,
    /// Whose tickets: those of one policy mean nothing to another.
    policy: Vec<u8>,
    random: SystemRandom,
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let epochs: Vec<u32> = self.ring.load().iter().map(|(epoch, _)| *epoch).collect();
        write!(f, "Tickets(epochs {epochs:?})")
    }
}

impl Tickets {
    /// Seal with `current`, open with `previous` too. `policy` names what a ticket is good for: listeners that ask
    /// clients for certificates and listeners that do not must differ in it.
    ///
    /// # Errors
    /// Too many epochs, or one twice.
    pub fn new(policy: &[u8], current: &TicketKey, previous: &[TicketKey]) -> Result<Self, SetupFault> {
        let ring = ArcSwap::from_pointee(ring(current, previous)?);
        Ok(Self { ring, policy: policy.to_vec(), random: SystemRandom::new() })
    }

    /// Go over to other keys, in the midst of traffic.
    ///
    /// # Errors
    /// As [`Self::new`]; then the old keys stay.
    pub fn replace(&self, current: &TicketKey, previous: &[TicketKey]) -> Result<(), SetupFault> {
        self.ring.store(ring(current, previous)?.into());
        Ok(())
    }

    fn aad(&self, head: &[u8], bound_to: &[u8]) -> Aad<Vec<u8>> {
        Aad::from([head, &self.policy, bound_to].concat())
    }

    fn seal(&self, plain: &[u8], bound_to: &[u8]) -> Option<Vec<u8>> {
        if plain.len() > TICKET_BYTES {
            return None;
        }
        let ring = self.ring.load();
        let (epoch, key) = ring.first()?;
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut ticket = Vec::with_capacity(HEAD_BYTES + NONCE_LEN + plain.len() + TAG_BYTES);
        ticket.push(FORMAT);
        ticket.extend_from_slice(&epoch.to_be_bytes());
        let aad = self.aad(&ticket, bound_to);
        ticket.extend_from_slice(&nonce);
        ticket.extend_from_slice(plain);
        let sealed = &mut ticket[HEAD_BYTES + NONCE_LEN..];
        let tag = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, sealed).ok()?;
        ticket.extend_from_slice(tag.as_ref());
        Some(ticket)
    }

    fn open(&self, ticket: &[u8], bound_to: &[u8]) -> Option<Vec<u8>> {
        if ticket.len() > HEAD_BYTES + NONCE_LEN + TICKET_BYTES + TAG_BYTES {
            return None;
        }
        let (head, rest) = ticket.split_first_chunk::<HEAD_BYTES>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let &[FORMAT, a, b, c, d] = head else { return None };
        let ring = self.ring.load();
        let (_, key) = ring.iter().find(|(epoch, _)| *epoch == u32::from_be_bytes([a, b, c, d]))?;
        let mut plain = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let len = key.open_in_place(nonce, self.aad(head, bound_to), &mut plain).ok()?.len();
        plain.truncate(len);
        Some(plain)
    }
}

/// Tickets of sessions in which the client showed a certificate: they open only where the same authorities count. rustls
/// does not check a chain again when a session goes on, so a ticket would outlive an authority that was replaced.
#[derive(Debug)]
pub(crate) struct BoundTickets {
    pub(crate) tickets: Arc<Tickets>,
    /// [`crate::ClientAuth::digest`].
    pub(crate) roots: [u8; 32],
}

impl ProducesTickets for BoundTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.tickets.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.tickets.seal(plain, &self.roots)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.tickets.open(ticket, &self.roots)
    }
}

fn ring(current: &TicketKey, previous: &[TicketKey]) -> Result<Ring, SetupFault> {
    if previous.len() > PREVIOUS_EPOCHS {
        return Err(SetupFault::Epochs(previous.len()));
    }
    let mut ring = Ring::new();
    for key in std::iter::once(current).chain(previous) {
        if ring.iter().any(|(epoch, _)| *epoch == key.epoch) {
            return Err(SetupFault::EpochTwice(key.epoch));
        }
        let unbound = UnboundKey::new(&AES_256_GCM, &key.key).map_err(|_| SetupFault::Key)?;
        ring.push((key.epoch, LessSafeKey::new(unbound)));
    }
    Ok(ring)
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        // A ticket from the last moment of an epoch outlives two more.
        (TICKET_EPOCH.as_secs() * PREVIOUS_EPOCHS as u64) as u32
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain, &[])
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.open(ticket, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(epoch: u32) -> TicketKey {
        TicketKey::new(epoch, [epoch as u8; 32])
    }

    fn tickets(epoch: u32) -> Tickets {
        Tickets::new(b"devices", &key(epoch), &[key(epoch - 1), key(epoch - 2)]).expect("three epochs")
    }

    #[test]
    fn a_ticket_opens_in_its_epoch_and_the_two_after() {
        let ticket = tickets(10).encrypt(b"a session").expect("seals");
        for (epoch, opens) in [(9, false), (10, true), (11, true), (12, true), (13, false)] {
            let plain = tickets(epoch).decrypt(&ticket);
            assert_eq!(plain.is_some(), opens, "in epoch {epoch}");
            assert!(plain.is_none_or(|plain| plain == b"a session"));
        }
        let running = tickets(10);
        running.replace(&key(13), &[key(12)]).expect("two epochs");
        assert_eq!(running.decrypt(&ticket), None);
        assert_eq!(format!("{running:?}"), "Tickets(epochs [13, 12])");
    }

    #[test]
    fn damage_and_other_policies_open_nothing() {
        let ticket = tickets(10).encrypt(b"a session").expect("seals");
        for at in 0..ticket.len() {
            let mut damaged = ticket.clone();
            damaged[at] ^= 1;
            assert_eq!(tickets(10).decrypt(&damaged), None, "byte {at}");
            assert_eq!(tickets(10).decrypt(&ticket[..at]), None, "{at} bytes");
        }
        let other = Tickets::new(b"certificates", &key(10), &[]).expect("one epoch");
        assert_eq!(other.decrypt(&ticket), None);
        assert_eq!(tickets(10).decrypt(&vec![1; 60_000]), None);
        assert_eq!(tickets(10).encrypt(&vec![1; TICKET_BYTES + 1]), None);
    }

    #[test]
    fn refuses_epochs_that_make_no_sense() {
        let many = [key(1), key(2), key(3)];
        assert_eq!(Tickets::new(b"", &key(4), &many).map(|_| ()), Err(SetupFault::Epochs(3)));
        assert_eq!(Tickets::new(b"", &key(4), &[key(4)]).map(|_| ()), Err(SetupFault::EpochTwice(4)));
        assert_eq!(TicketKey::epoch_at(6 * 3_600 * 7 + 1), 7);
    }
}

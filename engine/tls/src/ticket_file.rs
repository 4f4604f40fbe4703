//! Ticket keys in a file, so that tickets outlive a restart: sealed, because whoever has them reads what resumes.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | format, 1 |
//! | 12 | nonce |
//! | 1 + n × 36 | sealed: how many keys, then epoch (4, big-endian) and key (32) of each, newest first |
//! | 16 | tag |

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::TicketKey;
use crate::limits::{PREVIOUS_EPOCHS, TAG_BYTES};

const FORMAT: u8 = 1;
const LABEL: &[u8] = b"linchpin ticket keys";
const KEY_BYTES: usize = 4 + 32;

/// Why a file of ticket keys cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketFileFault {
    /// It does not open: damaged, or sealed with another key.
    Sealed,
    /// Its format is of another version of this program.
    Format(u8),
    /// The operating system has no random bytes.
    Random,
}

impl std::fmt::Display for TicketFileFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sealed => write!(f, "it is damaged or sealed with another key; new ticket keys are made"),
            Self::Format(number) => write!(f, "its format {number} is unknown, 1 is known; new ticket keys are made"),
            Self::Random => write!(f, "the operating system gave no random bytes"),
        }
    }
}

impl std::error::Error for TicketFileFault {}

/// The keys of the epoch that is and of those before it.
#[derive(Debug)]
pub struct TicketRing(Vec<TicketKey>);

impl TicketRing {
    /// A new key for the epoch of `unix_s`, and none before.
    ///
    /// # Errors
    /// No random bytes.
    pub fn new(unix_s: u64) -> Result<Self, TicketFileFault> {
        Ok(Self(vec![random_key(TicketKey::epoch_at(unix_s))?]))
    }

    /// The key that seals.
    #[must_use]
    pub fn current(&self) -> &TicketKey {
        &self.0[0]
    }

    /// Keys that open, too.
    #[must_use]
    pub fn previous(&self) -> &[TicketKey] {
        &self.0[1..]
    }

    /// Go on to the epoch of `unix_s`; true if that changed anything. A clock that goes back changes nothing.
    ///
    /// # Errors
    /// No random bytes; the old keys stay.
    pub fn turn(&mut self, unix_s: u64) -> Result<bool, TicketFileFault> {
        let epoch = TicketKey::epoch_at(unix_s);
        if epoch <= self.current().epoch() {
            return Ok(false);
        }
        self.0.insert(0, random_key(epoch)?);
        let oldest = epoch.saturating_sub(PREVIOUS_EPOCHS as u32);
        self.0.retain(|key| key.epoch() >= oldest);
        self.0.truncate(1 + PREVIOUS_EPOCHS);
        Ok(true)
    }

    /// The file's bytes, sealed with `unseal`.
    ///
    /// # Errors
    /// No random bytes.
    pub fn seal(&self, unseal: &[u8; 32]) -> Result<Vec<u8>, TicketFileFault> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| TicketFileFault::Random)?;
        let mut plain = Zeroizing::new(Vec::with_capacity(1 + self.0.len() * KEY_BYTES));
        plain.push(self.0.len() as u8);
        for key in &self.0 {
            plain.extend_from_slice(&key.epoch().to_be_bytes());
            plain.extend_from_slice(key.expose());
        }
        let mut out = vec![FORMAT];
        out.extend_from_slice(&nonce);
        let tag = key_of(unseal)
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(LABEL), &mut plain)
            .map_err(|_| TicketFileFault::Sealed)?;
        out.extend_from_slice(&plain);
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }

    /// Read a file.
    ///
    /// # Errors
    /// It was not written by [`Self::seal`] with this key.
    pub fn open(unseal: &[u8; 32], file: &[u8]) -> Result<Self, TicketFileFault> {
        match file.first() {
            Some(&FORMAT) if file.len() > 1 + NONCE_LEN + TAG_BYTES => {}
            Some(&FORMAT) | None => return Err(TicketFileFault::Sealed),
            Some(&other) => return Err(TicketFileFault::Format(other)),
        }
        let (nonce, sealed) = file[1..].split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| TicketFileFault::Sealed)?;
        let mut plain = Zeroizing::new(sealed.to_vec());
        let opened =
            key_of(unseal).open_in_place(nonce, Aad::from(LABEL), &mut plain).map_err(|_| TicketFileFault::Sealed)?;
        let (&count, keys) = opened.split_first().ok_or(TicketFileFault::Sealed)?;
        let expected = usize::from(count);
        if expected == 0 || expected > 1 + PREVIOUS_EPOCHS || keys.len() != expected * KEY_BYTES {
            return Err(TicketFileFault::Sealed);
        }
        let read = |bytes: &[u8]| {
            let (epoch, key) = bytes.split_first_chunk::<4>()?;
            Some(TicketKey::new(u32::from_be_bytes(*epoch), key.try_into().ok()?))
        };
        let keys: Option<Vec<_>> = keys.chunks_exact(KEY_BYTES).map(read).collect();
        keys.map(Self).ok_or(TicketFileFault::Sealed)
    }
}

fn key_of(unseal: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, unseal).unwrap_or_else(|_| unreachable!("32 bytes are a key")))
}

fn random_key(epoch: u32) -> Result<TicketKey, TicketFileFault> {
    let mut key = Zeroizing::new([0; 32]);
    SystemRandom::new().fill(&mut *key).map_err(|_| TicketFileFault::Random)?;
    Ok(TicketKey::new(epoch, *key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TICKET_EPOCH;

    const NOW_S: u64 = 1_800_000_000;
    const UNSEAL: [u8; 32] = [9; 32];

    fn epochs(ring: &TicketRing) -> Vec<u32> {
        ring.0.iter().map(TicketKey::epoch).collect()
    }

    #[test]
    fn keys_come_back_and_nothing_of_them_is_in_the_file() {
        let mut ring = TicketRing::new(NOW_S).expect("random");
        ring.turn(NOW_S + TICKET_EPOCH.as_secs()).expect("random");
        let file = ring.seal(&UNSEAL).expect("sealed");
        let again = TicketRing::open(&UNSEAL, &file).expect("opens");
        assert_eq!(epochs(&again), epochs(&ring));
        for (a, b) in again.0.iter().zip(&ring.0) {
            assert_eq!(a.expose(), b.expose());
            assert!(!file.windows(8).any(|part| part == &a.expose()[..8]), "a key is in the clear");
        }
        assert_ne!(file, ring.seal(&UNSEAL).expect("sealed"), "each has a nonce of its own");
    }

    #[test]
    fn damage_and_other_keys_are_refused() {
        let file = TicketRing::new(NOW_S).expect("random").seal(&UNSEAL).expect("sealed");
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 4;
            assert!(TicketRing::open(&UNSEAL, &damaged).is_err(), "byte {at}");
            assert!(TicketRing::open(&UNSEAL, &file[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(TicketRing::open(&[8; 32], &file).err(), Some(TicketFileFault::Sealed));
    }

    #[test]
    fn two_epochs_before_the_current_one_are_kept() {
        let mut ring = TicketRing::new(NOW_S).expect("random");
        let first = ring.current().epoch();
        assert_eq!(ring.turn(NOW_S), Ok(false));
        assert_eq!(ring.turn(0), Ok(false), "a clock that went back");
        for n in 1..=4 {
            assert_eq!(ring.turn(NOW_S + n * TICKET_EPOCH.as_secs()), Ok(true));
        }
        assert_eq!(epochs(&ring), [first + 4, first + 3, first + 2]);
        assert_eq!(ring.turn(NOW_S + 100 * TICKET_EPOCH.as_secs()), Ok(true));
        assert_eq!(epochs(&ring), [first + 100], "a machine that was off forgets");
    }
}

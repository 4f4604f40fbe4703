//! Latest values of a device, packed into one allocation.

use linchpin_protocol::model::{Pin, UnixMillis};

use crate::limits::{PINS, VALUES_BYTES};

/// Entries in the order of their pins, each: pin (2 bytes), length (2), Unix ms (6), bytes. All little-endian.
#[derive(Default)]
pub(crate) struct Values(Box<[u8]>);

const HEAD: usize = 10;
const _: () = assert!(size_of::<Values>() == 16);
const _: () = assert!(linchpin_protocol::limits::MAX_VALUE_BYTES <= u16::MAX as usize);

/// There is no room for one more value: [`PINS`] or [`VALUES_BYTES`] is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValuesFull;

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Values({} pins, {} bytes)", self.iter().count(), self.0.len())
    }
}

/// Where an entry stands.
struct Place {
    start: usize,
    end: usize,
}

impl Values {
    /// Make `value` the latest of `pin`, unless a newer one is known; true: it is the latest now. The last of equally new
    /// ones wins. A value as long as the one before is written over it.
    pub(crate) fn put(&mut self, pin: Pin, value: &[u8], at: UnixMillis) -> Result<bool, ValuesFull> {
        let (place, is_known) = self.find(pin);
        if is_known {
            let entry = &mut self.0[place.start..place.end];
            if stamp_of(entry) > at {
                return Ok(false);
            }
            if entry.len() == HEAD + value.len() {
                write_entry(entry, pin, value, at);
                return Ok(true);
            }
        }
        let len_bytes = self.0.len() - (place.end - place.start) + HEAD + value.len();
        if len_bytes > VALUES_BYTES || (!is_known && self.iter().count() >= PINS) {
            return Err(ValuesFull);
        }
        let mut packed = Vec::with_capacity(len_bytes);
        packed.extend_from_slice(&self.0[..place.start]);
        packed.resize(place.start + HEAD + value.len(), 0);
        write_entry(&mut packed[place.start..], pin, value, at);
        packed.extend_from_slice(&self.0[place.end..]);
        self.0 = packed.into_boxed_slice();
        Ok(true)
    }

    /// Memory behind the structure.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.len()
    }

    /// Forget the value of `pin`; false if there was none.
    pub(crate) fn remove(&mut self, pin: Pin) -> bool {
        let (place, is_known) = self.find(pin);
        if is_known {
            self.0 = [&self.0[..place.start], &self.0[place.end..]].concat().into_boxed_slice();
        }
        is_known
    }

    /// The latest value of `pin` and when it was written.
    pub(crate) fn get(&self, pin: Pin) -> Option<(&[u8], UnixMillis)> {
        let (place, is_known) = self.find(pin);
        is_known.then(|| read_entry(&self.0[place.start..place.end])).map(|(_, value, at)| (value, at))
    }

    /// All of them in the order of their pins.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Pin, &[u8], UnixMillis)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let len = self.entry_len(at)?;
            let (key, value, stamp) = read_entry(&self.0[at..at + len]);
            at += len;
            Some((key, value, stamp))
        })
        .filter_map(|(key, value, stamp)| Pin::from_u16(key).map(|pin| (pin, value, stamp)))
    }

    fn entry_len(&self, at: usize) -> Option<usize> {
        let head = self.0.get(at..at + HEAD)?;
        Some(HEAD + usize::from(u16::from_le_bytes([head[2], head[3]])))
    }

    /// The entry of `pin`, or the empty place where it belongs.
    fn find(&self, pin: Pin) -> (Place, bool) {
        let wanted = pin.to_u16();
        let mut start = 0;
        while let Some(len) = self.entry_len(start) {
            let key = u16::from_le_bytes([self.0[start], self.0[start + 1]]);
            if key >= wanted {
                let is_known = key == wanted;
                return (Place { start, end: if is_known { start + len } else { start } }, is_known);
            }
            start += len;
        }
        (Place { start, end: start }, false)
    }
}

fn write_entry(entry: &mut [u8], pin: Pin, value: &[u8], at: UnixMillis) {
    entry[..2].copy_from_slice(&pin.to_u16().to_le_bytes());
    entry[2..4].copy_from_slice(&(value.len() as u16).to_le_bytes());
    entry[4..HEAD].copy_from_slice(&at.0.to_le_bytes()[..6]);
    entry[HEAD..].copy_from_slice(value);
}

fn read_entry(entry: &[u8]) -> (u16, &[u8], UnixMillis) {
    (u16::from_le_bytes([entry[0], entry[1]]), &entry[HEAD..], stamp_of(entry))
}

/// When an entry was written.
fn stamp_of(entry: &[u8]) -> UnixMillis {
    // The length stands below the six bytes of the time: one load instead of two.
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&entry[2..HEAD]);
    UnixMillis(u64::from_le_bytes(bytes) >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use linchpin_protocol::model::PinKind;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn behaves_like_a_map_in_which_the_newest_wins(
            puts in proptest::collection::vec((0u8..3, 0u8..20, 0u64..9, proptest::collection::vec(any::<u8>(), 0..40)), 0..80),
        ) {
            let mut values = Values::default();
            let mut model = BTreeMap::new();
            for (kind, index, at, bytes) in puts {
                let kind = [PinKind::Virtual, PinKind::Digital, PinKind::Analog][usize::from(kind)];
                let pin = Pin { kind, index };
                let at = UnixMillis(1_700_000_000_000 + at);
                let wins = model.get(&pin.to_u16()).is_none_or(|(_, known): &(Vec<u8>, UnixMillis)| known.0 <= at.0);
                prop_assert_eq!(values.put(pin, &bytes, at), Ok(wins));
                if wins {
                    model.insert(pin.to_u16(), (bytes, at));
                }
                let (value, stamp) = values.get(pin).expect("just put");
                let (newest, newest_at) = &model[&pin.to_u16()];
                prop_assert_eq!((value, stamp), (&newest[..], *newest_at));
            }
            let got: Vec<_> = values.iter().map(|(p, v, a)| (p.to_u16(), v.to_vec(), a)).collect();
            let want: Vec<_> = model.into_iter().map(|(p, (v, a))| (p, v, a)).collect();
            prop_assert_eq!(got, want);
        }
    }

    #[test]
    fn is_bounded_in_bytes() {
        let mut values = Values::default();
        let big = vec![b'x'; linchpin_protocol::limits::MAX_VALUE_BYTES];
        let stored = (0..=255u8).take_while(|n| values.put(Pin::new_virtual(*n), &big, UnixMillis(0)).is_ok()).count();
        assert_eq!(stored, VALUES_BYTES / (big.len() + HEAD));
        assert_eq!(values.put(Pin::new_virtual(255), &big, UnixMillis(0)), Err(ValuesFull));
        assert_eq!(values.put(Pin::new_virtual(0), b"1", UnixMillis(0)), Ok(true), "smaller values still fit");
    }
}

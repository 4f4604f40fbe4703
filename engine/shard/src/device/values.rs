//! Latest values of a device, packed into one allocation.

use linchpin_protocol::model::{Pin, UnixMillis};

use crate::limits::{PINS, VALUES_BYTES};

/// Entries in the order of their pins, each: pin (2 bytes), length (2), Unix ms (6), bytes. All little-endian. An erased
/// value leaves an entry without bytes, so that values from before do not come back: [`ERASED`] stands in its time.
#[derive(Default)]
pub(crate) struct Values(Box<[u8]>);

const HEAD: usize = 10;
/// Bits of the time that no time needs for 2,000 years: the value was erased; it came from the store.
const ERASED: u64 = 1 << 47;
const RESTORED: u64 = 1 << 46;
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
        if len_bytes > VALUES_BYTES || (!is_known && self.entries().count() >= PINS) {
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

    /// Forget the value of `pin`: what is older than this does not come back. Returns from when on, at the time of the value
    /// if that is later than `at`; `None`: there was no value.
    pub(crate) fn erase(&mut self, pin: Pin, at: UnixMillis) -> Option<UnixMillis> {
        let at = self.get(pin)?.1.max(at);
        // It takes the place of a longer entry.
        self.put(pin, b"", at).ok()?;
        self.mark(pin, ERASED);
        Some(at)
    }

    /// As [`Values::put`] with what the store has; no value: it was erased. Of equally new ones that of this run counts,
    /// and of two of the store's the one that comes later.
    pub(crate) fn restore(&mut self, pin: Pin, value: Option<&[u8]>, at: UnixMillis) -> Result<bool, ValuesFull> {
        let is_of_this_run = |entry: &[u8]| marked_stamp_of(entry) & RESTORED == 0;
        if self.entry(pin).is_some_and(|entry| stamp_of(entry) == at && is_of_this_run(entry)) {
            return Ok(false);
        }
        let is_newest = self.put(pin, value.unwrap_or_default(), at)?;
        if is_newest {
            self.mark(pin, RESTORED | if value.is_none() { ERASED } else { 0 });
        }
        Ok(is_newest)
    }

    /// When the value of `pin` was written or erased.
    pub(crate) fn stamp(&self, pin: Pin) -> Option<UnixMillis> {
        self.entry(pin).map(stamp_of)
    }

    fn entry(&self, pin: Pin) -> Option<&[u8]> {
        let (place, is_known) = self.find(pin);
        is_known.then(|| &self.0[place.start..place.end])
    }

    /// Set bits in the time of an entry.
    fn mark(&mut self, pin: Pin, marks: u64) {
        if let (place, true) = self.find(pin) {
            let time = &mut self.0[place.start + 4..place.start + HEAD];
            for (byte, mark) in time.iter_mut().zip(marks.to_le_bytes()) {
                *byte |= mark;
            }
        }
    }

    /// Forget all of `pin`; false if nothing was known.
    pub(crate) fn remove(&mut self, pin: Pin) -> bool {
        let (place, is_known) = self.find(pin);
        if is_known {
            self.0 = [&self.0[..place.start], &self.0[place.end..]].concat().into_boxed_slice();
        }
        is_known
    }

    /// The latest value of `pin` and when it was written.
    pub(crate) fn get(&self, pin: Pin) -> Option<(&[u8], UnixMillis)> {
        let (_, value, at) = read_entry(self.entry(pin).filter(|entry| !is_erased(entry))?);
        Some((value, at))
    }

    /// All of them in the order of their pins.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Pin, &[u8], UnixMillis)> {
        let written = self.entries().filter(|entry| !is_erased(entry)).map(read_entry);
        written.filter_map(|(key, value, stamp)| Pin::from_u16(key).map(|pin| (pin, value, stamp)))
    }

    fn entries(&self) -> impl Iterator<Item = &[u8]> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let entry = &self.0[at..at + self.entry_len(at)?];
            at += entry.len();
            Some(entry)
        })
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

/// The time of an entry with its marks.
fn marked_stamp_of(entry: &[u8]) -> u64 {
    // The length stands below the six bytes of the time: one load instead of two.
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&entry[2..HEAD]);
    u64::from_le_bytes(bytes) >> 16
}

fn is_erased(entry: &[u8]) -> bool {
    marked_stamp_of(entry) & ERASED != 0
}

/// When an entry was written or erased.
fn stamp_of(entry: &[u8]) -> UnixMillis {
    UnixMillis(marked_stamp_of(entry) & !(ERASED | RESTORED))
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
            puts in proptest::collection::vec(
                (0u8..3, 0u8..20, 0u64..9, proptest::option::weighted(0.8, proptest::collection::vec(any::<u8>(), 0..40))),
                0..80,
            ),
        ) {
            let mut values = Values::default();
            // An erased value has a time, too.
            let mut model: BTreeMap<u16, (Option<Vec<u8>>, UnixMillis)> = BTreeMap::new();
            for (kind, index, at, bytes) in puts {
                let kind = [PinKind::Virtual, PinKind::Digital, PinKind::Analog][usize::from(kind)];
                let pin = Pin { kind, index };
                let at = UnixMillis(1_700_000_000_000 + at);
                match (bytes, model.get(&pin.to_u16()).cloned()) {
                    (Some(bytes), known) => {
                        let wins = known.is_none_or(|known| known.1 <= at);
                        prop_assert_eq!(values.put(pin, &bytes, at), Ok(wins));
                        if wins {
                            model.insert(pin.to_u16(), (Some(bytes), at));
                        }
                    }
                    (None, Some((Some(_), known))) => {
                        prop_assert_eq!(values.erase(pin, at), Some(known.max(at)));
                        model.insert(pin.to_u16(), (None, known.max(at)));
                    }
                    (None, _) => prop_assert_eq!(values.erase(pin, at), None),
                }
                let known = model.get(&pin.to_u16());
                prop_assert_eq!(values.stamp(pin), known.map(|known| known.1));
                let want = known.and_then(|(value, at)| value.as_deref().map(|value| (value, *at)));
                prop_assert_eq!(values.get(pin), want);
            }
            let got: Vec<_> = values.iter().map(|(p, v, a)| (p.to_u16(), v.to_vec(), a)).collect();
            let want: Vec<_> = model.into_iter().filter_map(|(p, (v, a))| Some((p, v?, a))).collect();
            prop_assert_eq!(got, want);
        }
    }

    #[test]
    fn what_the_store_has_is_older_than_what_this_run_wrote_in_the_same_moment() {
        let (mut values, pin, at) = (Values::default(), Pin::new_virtual(1), UnixMillis(1_700_000_000_000));
        let shown = |values: &Values| values.get(pin).map(|(value, _)| value.to_vec());
        assert_eq!(values.restore(pin, Some(b"old"), at), Ok(true));
        assert_eq!(values.restore(pin, Some(b"later"), at), Ok(true), "its journal comes behind its records");
        assert_eq!(values.restore(pin, None, at), Ok(true));
        assert_eq!((shown(&values), values.stamp(pin)), (None, Some(at)));
        assert_eq!(values.put(pin, b"new", at), Ok(true));
        assert_eq!(values.restore(pin, Some(b"later"), at), Ok(false));
        assert_eq!((shown(&values), values.stamp(pin)), (Some(b"new".to_vec()), Some(at)));
        assert_eq!(values.restore(pin, Some(b"newest"), UnixMillis(at.0 + 1)), Ok(true));
        assert_eq!(values.put(pin, b"older", at), Ok(false));
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

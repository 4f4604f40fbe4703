//! Sets of pins: one bit each, which is what a watched pin costs.

use linchpin_protocol::model::Pin;
use serde::{Deserialize, Serialize};

const WORDS: usize = 12;
const _: () = assert!(WORDS * 64 == crate::limits::PINS);

/// A set of pins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinSet([u64; WORDS]);

impl PinSet {
    /// All pins that there can be.
    pub const ALL: Self = Self([u64::MAX; WORDS]);

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Is it in there?
    #[must_use]
    pub fn has(&self, pin: Pin) -> bool {
        let at = usize::from(pin.to_u16());
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Add one.
    pub fn insert(&mut self, pin: Pin) {
        let at = usize::from(pin.to_u16());
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    /// Add all of the others.
    pub fn add(&mut self, others: &Self) {
        for (word, other) in self.0.iter_mut().zip(others.0) {
            *word |= other;
        }
    }

    /// Those of both.
    #[must_use]
    pub fn both(&self, others: &Self) -> Self {
        let mut both = *self;
        for (word, other) in both.0.iter_mut().zip(others.0) {
            *word &= other;
        }
        both
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = Pin> {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Pin::from_u16((at * 64) as u16 + bit as u16)
            })
        })
    }
}

impl FromIterator<Pin> for PinSet {
    fn from_iter<I: IntoIterator<Item = Pin>>(pins: I) -> Self {
        let mut set = Self::default();
        pins.into_iter().for_each(|pin| set.insert(pin));
        set
    }
}

#[cfg(test)]
mod tests {
    use linchpin_protocol::model::PinKind;

    use super::*;

    #[test]
    fn a_set_has_what_was_put_in() {
        let pins = [(PinKind::Virtual, 0), (PinKind::Virtual, 255), (PinKind::Digital, 64), (PinKind::Analog, 255)];
        let pins = pins.map(|(kind, index)| Pin { kind, index });
        let set: PinSet = pins.into_iter().rev().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), pins);
        assert!(pins.iter().all(|pin| set.has(*pin)) && !set.has(Pin::new_virtual(1)) && set.len() == 4);
        assert_eq!(PinSet::ALL.both(&set), set);
        assert_eq!((PinSet::ALL.iter().count(), PinSet::default().is_empty()), (crate::limits::PINS, true));
    }
}

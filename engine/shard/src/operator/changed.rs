//! Which devices have changed since lists last looked.

use std::collections::VecDeque;

use crate::limits;

/// Positions of devices that came, went, or were described anew.
#[derive(Debug, Default)]
pub(crate) struct ChangedDevices {
    /// Somebody asks for them.
    pub(super) is_followed: bool,
    pub(super) positions: VecDeque<u32>,
    /// There were too many: all devices must be looked at.
    pub(super) has_lost: bool,
}

impl ChangedDevices {
    /// A device has changed.
    pub(crate) fn note(&mut self, position: u32) {
        if !self.is_followed || self.positions.back() == Some(&position) {
            return;
        }
        if self.positions.len() >= limits::CHANGED_DEVICES {
            self.positions.clear();
            self.has_lost = true;
        }
        self.positions.push_back(position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_noted_once_somebody_asks_and_never_without_bound() {
        let mut changed = ChangedDevices::default();
        changed.note(1);
        assert!(changed.positions.is_empty(), "nobody asks");
        changed.is_followed = true;
        for position in 0..limits::CHANGED_DEVICES as u32 {
            changed.note(position);
            changed.note(position);
        }
        assert_eq!((changed.positions.len(), changed.has_lost), (limits::CHANGED_DEVICES, false));
        changed.note(7);
        assert_eq!((changed.positions.len(), changed.has_lost), (1, true));
    }
}

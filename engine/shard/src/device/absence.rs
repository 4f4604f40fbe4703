//! Devices whose connection has ended and that are shown as online until the wait of their template is over: one that is back
//! before was never away. The diary, the counters and `isHardwareConnected` say what connections do, without any wait.

use std::collections::{BTreeMap, BTreeSet};

use linchpin_protocol::model::Millis;

use crate::limits;

/// One that is away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Absence {
    /// When it is shown.
    pub(crate) due: Millis,
    /// When its connection logged in, Unix seconds.
    pub(crate) since_s: u32,
}

/// See the module's page. One a device, and [`limits::ABSENCES`] at most.
#[derive(Debug, Default)]
pub(crate) struct Absences {
    by_device: BTreeMap<u32, Absence>,
    by_time: BTreeSet<(Millis, u32)>,
}

impl Absences {
    /// When the first is due.
    #[inline]
    pub(crate) fn deadline(&self) -> Option<Millis> {
        self.by_time.first().map(|first| first.0)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_device.len()
    }

    /// Since when the device at a position was online, Unix seconds, if it is away and still shown as online.
    #[inline]
    pub(crate) fn since_s(&self, position: u32) -> Option<u32> {
        self.by_device.get(&position).map(|absence| absence.since_s)
    }

    /// False: there are too many.
    pub(crate) fn put(&mut self, position: u32, absence: Absence) -> bool {
        self.take(position);
        let has_room = self.by_device.len() < limits::ABSENCES;
        if has_room {
            self.by_time.insert((absence.due, position));
            self.by_device.insert(position, absence);
        }
        has_room
    }

    /// It is back, or gone for ever.
    pub(crate) fn take(&mut self, position: u32) {
        if let Some(absence) = self.by_device.remove(&position) {
            self.by_time.remove(&(absence.due, position));
        }
    }

    /// The position of one whose wait is over.
    pub(crate) fn pop_due(&mut self, now: Millis) -> Option<u32> {
        let (_, position) = self.by_time.first().copied().filter(|first| first.0 <= now)?;
        self.take(position);
        Some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absences_come_in_time_one_a_device() {
        let mut absences = Absences::default();
        for (due, position) in [(30, 1), (10, 2), (20, 3), (15, 1)] {
            assert!(absences.put(position, Absence { due: Millis(due), since_s: position }));
        }
        assert_eq!((absences.deadline(), absences.len()), (Some(Millis(10)), 3));
        assert_eq!((absences.since_s(1), absences.since_s(4)), (Some(1), None));
        assert_eq!(absences.pop_due(Millis(9)), None);
        absences.take(3);
        assert_eq!(absences.pop_due(Millis(20)), Some(2));
        assert_eq!(absences.pop_due(Millis(20)), Some(1));
        assert_eq!((absences.pop_due(Millis(99)), absences.deadline(), absences.len()), (None, None, 0));
    }
}

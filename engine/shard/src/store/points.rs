//! Values on their way to the journal.

use linchpin_protocol::model::{DeviceId, OrgId, Pin, UnixMillis};

/// One value that a device wrote.
#[derive(Clone, Copy, Debug)]
struct Point {
    org: OrgId,
    device: DeviceId,
    pin: Pin,
    at: UnixMillis,
    start: u32,
    end: u32,
}

/// All values of a tick, in their order.
#[derive(Debug, Default)]
pub struct Points {
    list: Vec<Point>,
    bytes: Vec<u8>,
}

impl Points {
    /// Append one.
    pub(crate) fn push(&mut self, org: OrgId, device: DeviceId, pin: Pin, at: UnixMillis, value: &[u8]) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(value);
        self.list.push(Point { org, device, pin, at, start, end: self.bytes.len() as u32 });
    }

    /// Organization, device, pin, time of the write, raw value; see `form` for empty and erased ones.
    pub fn iter(&self) -> impl Iterator<Item = (OrgId, DeviceId, Pin, UnixMillis, &[u8])> {
        self.list.iter().map(|point| {
            let value = &self.bytes[point.start as usize..point.end as usize];
            (point.org, point.device, point.pin, point.at, value)
        })
    }

    /// Is there none?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.bytes.clear();
        let most = crate::limits::EFFECTS_RETAINED_BYTES;
        if self.bytes.capacity() > most {
            self.bytes.shrink_to(most);
            self.list.shrink_to(most / size_of::<Point>());
        }
    }
}

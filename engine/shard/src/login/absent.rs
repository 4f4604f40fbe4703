//! A device that has lost its connection is not shown as offline at once, where its template has a wait.

use linchpin_protocol::model::Now;

use crate::device::absence::Absence;
use crate::{End, Shard, limits};

impl Shard {
    /// The connection of a device has ended: is it shown as online for a while? Not if the server itself sends it away. `since_s`
    /// is when it logged in.
    pub(crate) fn begin_absence(&mut self, now: Now, position: u32, since_s: u32, end: End) -> bool {
        let wait_s = self.template_of(position).map_or(0, |template| template.offline_wait_s);
        if wait_s == 0 || matches!(end, End::Drained | End::Redirected | End::DeviceRemoved) {
            return false;
        }
        let due = now.mono.after(u64::from(wait_s) * 1_000);
        self.absences.put(position, Absence { due, since_s })
    }

    /// Those whose wait is over are shown as offline; the rest of a mass expiry in the next turn.
    pub(crate) fn end_absences(&mut self, now: Now) {
        for _ in 0..limits::EXPIRE_PER_TICK {
            let Some(position) = self.absences.pop_due(now.mono) else { return };
            self.operator.changed.note(position);
            self.tell_presence(now, position);
        }
    }
}

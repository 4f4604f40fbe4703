//! A person writes to a device: from the socket to the device's home and back.

use linchpin_protocol::live::LiveValue;
use linchpin_protocol::model::{DeviceId, OrgId, Pin, ValueRef};

use super::grant::LiveRights;
use super::letter::{LiveLetter, Wrote};
use super::refusal::LiveRefusal;
use super::report;
use crate::device::verbs::{Delivery, Origin};
use crate::{ConnRef, Shard, Slot, Turn, home_of, limits};

impl Shard {
    /// A page writes.
    pub(super) fn live_write(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        request: u32,
        (device, pin, value): (u32, Pin, LiveValue),
    ) {
        match self.write_letter(turn, slot, request, (device, pin, value)) {
            Ok((device, letter)) => self.post_live(turn, home_of(device, self.shards), letter),
            Err(refusal) => self.say_live(turn, slot, report::wrote(request, Wrote::Refused(refusal.number()))),
        }
    }

    fn write_letter(
        &mut self,
        turn: &Turn<'_>,
        slot: Slot,
        request: u32,
        (device, pin, value): (u32, Pin, LiveValue),
    ) -> Result<(DeviceId, LiveLetter), LiveRefusal> {
        let asker = self.conn_ref(slot);
        let socket = self.live.sockets.get_mut(&slot).ok_or(LiveRefusal::Crowded)?;
        if !socket.writes.take(turn.now.mono, limits::LIVE_WRITES_PER_SECOND, limits::LIVE_WRITE_BURST) {
            return Err(LiveRefusal::TooOften);
        }
        let device = DeviceId::new(device).ok_or(LiveRefusal::NoDevice)?;
        let value = value.to_bytes().ok_or(LiveRefusal::BadValue)?;
        let scopes = socket.grant.scopes.iter().filter(|scope| scope.rights.has(LiveRights::CONTROL));
        let orgs: Vec<OrgId> = scopes.map(|scope| scope.org).collect();
        let own = socket.grant.devices.binary_search_by_key(&device, |own| own.0);
        let is_own = own.is_ok_and(|at| socket.grant.devices[at].1.has(LiveRights::CONTROL));
        if orgs.is_empty() && !is_own {
            return Err(LiveRefusal::NotAllowed);
        }
        Ok((device, LiveLetter::Write { asker, request, device, pin, value: value.into(), orgs, is_own }))
    }

    /// At the home of the device: whoever asks may write to devices of these organizations, or to this one.
    pub(super) fn write_here(
        &mut self,
        turn: &mut Turn<'_>,
        device: DeviceId,
        (pin, value): (Pin, &[u8]),
        (orgs, is_own): (&[OrgId], bool),
    ) -> Wrote {
        let position = self.devices.find(device).filter(|at| is_own || orgs.contains(&self.devices[*at].org));
        let Some(position) = position else { return Wrote::Refused(LiveRefusal::NoDevice.number()) };
        match self.write(turn, position, (pin, ValueRef(value), turn.now.wall), Origin::Person) {
            Ok(Delivery::Sent) => Wrote::Delivered,
            Ok(Delivery::Waits) => Wrote::Retained,
            Err(refused) => Wrote::Refused(LiveRefusal::from(refused).number()),
        }
    }

    /// What became of a write of a socket here.
    pub(super) fn wrote(&mut self, turn: &mut Turn<'_>, asker: ConnRef, request: u32, wrote: Wrote) {
        if self.is_current(asker) && self.live.sockets.contains_key(&asker.slot) {
            self.say_live(turn, asker.slot, report::wrote(request, wrote));
        }
    }
}

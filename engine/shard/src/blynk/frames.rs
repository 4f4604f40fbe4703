//! A logged-in device speaks: its bytes become frames, its frames actions.

use linchpin_protocol::blynk::{Command, Frame, Request, Split, split};
use linchpin_protocol::limits::MAX_BODY_BYTES;
use linchpin_protocol::{Fault, Status};

use crate::connection::{Phase, Ticks};
use crate::device::quota::{Bucket, Verdict};
use crate::{End, Shard, Slot, Turn, end, limits};

impl Shard {
    /// Bytes of a live connection, at any cut.
    pub(crate) fn feed(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &mut [u8]) {
        let connection = &mut self.connections[slot];
        let heard = Ticks::at(turn.now.mono);
        self.may_ping = connection.heard != heard;
        connection.heard = heard;
        let carry = if connection.carry.is_some() { self.connections.hold(slot, |c| c.carry.take()) } else { None };
        let Some(mut carry) = carry else {
            let used = self.whole(turn, slot, bytes);
            if used < bytes.len() {
                self.retain_carry(slot, &bytes[used..], None);
            }
            return;
        };
        carry.extend_from_slice(bytes);
        let used = self.whole(turn, slot, &carry);
        carry.drain(..used);
        self.retain_carry(slot, &[], Some(carry));
    }

    /// Handle all whole frames or packets; returns how many bytes they took.
    fn whole(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &[u8]) -> usize {
        if self.is_mqtt(slot) { self.packets(turn, slot, bytes) } else { self.frames(turn, slot, bytes) }
    }

    /// Handle all whole frames; returns how many bytes they took.
    fn frames(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() && self.is_live(slot) {
            match split(&bytes[at..], MAX_BODY_BYTES) {
                Ok(Split::Frame { frame, used }) => {
                    at += used;
                    self.frame(turn, slot, frame);
                }
                Ok(Split::Partial { .. }) => break,
                Err(fault) => {
                    self.end(turn, slot, end::of_fault(fault));
                    break;
                }
            }
        }
        at
    }

    pub(crate) fn is_live(&self, slot: Slot) -> bool {
        self.connections.get(slot).is_some_and(|c| c.phase == Phase::Live)
    }

    /// Retain the beginning of a frame whose rest has not come.
    #[allow(clippy::box_collection, reason = "the table has 8 bytes for it")]
    fn retain_carry(&mut self, slot: Slot, rest: &[u8], carry: Option<Box<Vec<u8>>>) {
        if !self.is_live(slot) {
            return;
        }
        let carry = match carry {
            Some(carry) if !carry.is_empty() => carry,
            None if !rest.is_empty() => Box::new(rest.to_vec()),
            _ => return,
        };
        self.connections.hold(slot, |c| c.carry = Some(carry));
    }

    fn frame(&mut self, turn: &mut Turn<'_>, slot: Slot, frame: Frame<'_>) {
        self.counters.frames += 1;
        // The codec takes no command number beyond the table.
        self.counters.commands[usize::from(frame.command) % self.counters.commands.len()] += 1;
        self.connections[slot].frames = self.connections[slot].frames.saturating_add(1);
        self.show_received(turn, slot, frame);
        if !self.within_quota(turn, slot, frame) {
            return;
        }
        let Some(session) = self.connections[slot].wire.speech.session() else { return };
        match session.on_frame(turn.now.wall, frame) {
            Ok(Request { id, action }) => self.act(turn, slot, id, action),
            Err(rejected) => self.reject(turn, slot, rejected.id, rejected.fault),
        }
    }

    /// The message quota, and that of PING: frames beyond it are dropped, the device hears of it at most once a minute, and
    /// a flood ends the connection. A PING that comes alone, as of a healthy device, costs nothing.
    fn within_quota(&mut self, turn: &mut Turn<'_>, slot: Slot, frame: Frame<'_>) -> bool {
        if frame.command == Command::Ping.number() {
            return self.within_pings(turn, slot);
        }
        let record = &mut self.devices[self.connections[slot].device];
        if record.messages.take(turn.now.mono, self.settings.messages_per_second, self.settings.message_burst) {
            return true;
        }
        self.counters.dropped += 1;
        match record.rare_mut().flood.on_drop(turn.now.mono) {
            Verdict::Silent => {}
            Verdict::Notice => self.respond(turn, slot, frame.id, Status::QuotaLimit),
            Verdict::End => self.end(turn, slot, End::Flood),
        }
        false
    }

    /// One PING for each moment in which the device spoke is free; more have a quota of their own. Beyond it silence, and a
    /// flood ends the connection.
    pub(crate) fn within_pings(&mut self, turn: &mut Turn<'_>, slot: Slot) -> bool {
        if std::mem::take(&mut self.may_ping) {
            return true;
        }
        let [rate, burst] = limits::PING_PARTS;
        let (rate, burst) =
            (self.settings.messages_per_second.div_ceil(rate), self.settings.message_burst.div_ceil(burst));
        let rare = self.devices[self.connections[slot].device].rare_mut();
        if rare.pings.get_or_insert_with(|| Bucket::full(burst, turn.now.mono)).take(turn.now.mono, rate, burst) {
            return true;
        }
        self.counters.dropped += 1;
        if rare.flood.on_drop(turn.now.mono) == Verdict::End {
            self.end(turn, slot, End::Flood);
        }
        false
    }

    /// Answer a fault with its status, and end the connection if its stream cannot go on.
    pub(crate) fn reject(&mut self, turn: &mut Turn<'_>, slot: Slot, id: u16, fault: Fault) {
        if let Some(status) = fault.status() {
            self.respond(turn, slot, id, status);
        }
        if fault.ends() {
            self.end(turn, slot, end::of_fault(fault));
        }
    }
}

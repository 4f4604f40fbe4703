//! A logged-in device speaks: its bytes become frames, its frames actions.

use linchpin_protocol::blynk::{Command, Frame, Request, Split, split};
use linchpin_protocol::limits::MAX_BODY_BYTES;
use linchpin_protocol::model::Now;
use linchpin_protocol::{Action, Fault, Status};

use crate::connection::{Phase, Ticks};
use crate::device::quota::Verdict;
use crate::{Effects, End, Shard, Slot, end, limits};

impl Shard {
    /// Bytes of a live connection, at any cut.
    pub(crate) fn feed(&mut self, now: Now, slot: Slot, bytes: &mut [u8], fx: &mut Effects) {
        self.connections[slot].heard = Ticks::at(now.mono);
        let Some(mut carry) = self.connections.hold(slot, |c| c.carry.take()) else {
            let used = self.frames(now, slot, bytes, fx);
            return self.keep(now, slot, &bytes[used..], None, fx);
        };
        carry.extend_from_slice(bytes);
        let used = self.frames(now, slot, &carry, fx);
        carry.drain(..used);
        self.keep(now, slot, &[], Some(carry), fx);
    }

    /// Handle all whole frames; returns how many bytes they took.
    fn frames(&mut self, now: Now, slot: Slot, bytes: &[u8], fx: &mut Effects) -> usize {
        let mut at = 0;
        while at < bytes.len() && self.is_live(slot) {
            match split(&bytes[at..], MAX_BODY_BYTES) {
                Ok(Split::Frame { frame, used }) => {
                    at += used;
                    self.frame(now, slot, frame, fx);
                }
                Ok(Split::Partial { .. }) => break,
                Err(fault) => {
                    self.end(now, slot, end::of_fault(fault), fx);
                    break;
                }
            }
        }
        at
    }

    pub(crate) fn is_live(&self, slot: Slot) -> bool {
        self.connections.get(slot).is_some_and(|c| c.phase == Phase::Live)
    }

    /// Keep the beginning of a frame whose rest has not come.
    #[allow(clippy::box_collection, reason = "the table keeps 8 bytes for it")]
    fn keep(&mut self, now: Now, slot: Slot, rest: &[u8], carry: Option<Box<Vec<u8>>>, fx: &mut Effects) {
        if !self.is_live(slot) {
            return;
        }
        let carry = match carry {
            Some(carry) if !carry.is_empty() => carry,
            None if !rest.is_empty() => Box::new(rest.to_vec()),
            _ => return,
        };
        if self.connections.ledger_bytes + carry.capacity() > limits::LEDGER_BYTES {
            return self.end(now, slot, End::CarryFull, fx);
        }
        self.connections.hold(slot, |c| c.carry = Some(carry));
    }

    fn frame(&mut self, now: Now, slot: Slot, frame: Frame<'_>, fx: &mut Effects) {
        self.counters.frames += 1;
        // The codec takes no command number beyond the table.
        self.counters.commands[usize::from(frame.command) % self.counters.commands.len()] += 1;
        self.connections[slot].frames = self.connections[slot].frames.saturating_add(1);
        self.show_received(slot, frame, fx);
        if !self.within_quota(now, slot, frame, fx) {
            return;
        }
        match self.connections[slot].session.on_frame(now.wall, frame) {
            Ok(Request { id, action }) => self.act(now, slot, id, action, fx),
            Err(rejected) => self.reject(now, slot, rejected.id, rejected.fault, fx),
        }
    }

    /// The message quota: PING is exempt; what is over is dropped, said at most once a minute, and a flood ends.
    fn within_quota(&mut self, now: Now, slot: Slot, frame: Frame<'_>, fx: &mut Effects) -> bool {
        if frame.command == Command::Ping.number() {
            return true;
        }
        let record = &mut self.devices[self.connections[slot].device];
        if record.messages.take(now.mono, self.settings.messages_per_second, self.settings.message_burst) {
            return true;
        }
        self.counters.dropped += 1;
        match record.rare_mut().flood.on_drop(now.mono) {
            Verdict::Silent => {}
            Verdict::Notice => self.respond(now, slot, frame.id, Status::QuotaLimit, fx),
            Verdict::End => self.end(now, slot, End::Flood, fx),
        }
        false
    }

    /// Answer a fault with its status, and end the connection if its stream cannot go on.
    pub(crate) fn reject(&mut self, now: Now, slot: Slot, id: u16, fault: Fault, fx: &mut Effects) {
        if let Some(status) = fault.status() {
            self.respond(now, slot, id, status, fx);
        }
        if fault.ends() {
            self.end(now, slot, end::of_fault(fault), fx);
        }
    }

    fn act(&mut self, now: Now, slot: Slot, id: u16, action: Action<'_>, fx: &mut Effects) {
        match action {
            Action::Ping => self.respond(now, slot, id, Status::Ok, fx),
            Action::Write { pin, value, at } => {
                let at = at.unwrap_or(now.wall);
                if let Err(fault) = self.store_value(self.connections[slot].device, pin, value, at, fx) {
                    self.reject(now, slot, id, fault, fx);
                }
            }
            Action::Sync(pins) => self.sync(now, slot, id, pins, fx),
            Action::Property { pins, name, values } => self.property(now, slot, id, pins, name, values, fx),
            Action::EventLog { code, description } => self.event(now, slot, id, code, description, fx),
            Action::EventClear { code, all } => self.event_clear(now, slot, id, code, all, fx),
            Action::Info(pairs) => self.info(now, slot, id, pairs, fx),
            Action::Clock(query) => self.clock(now, slot, id, query, fx),
            Action::MetaGet { name } => self.meta_get(now, slot, id, name, fx),
            Action::MetaSet { name, value } => self.meta_set(now, slot, id, name, value, fx),
            Action::BridgeInit { slot: bridge_pin, token } => self.bridge_init(now, slot, id, bridge_pin, &token, fx),
            Action::BridgeWrite { slot: bridge_pin, pin, value } => {
                self.bridge_send(now, slot, id, bridge_pin, pin, value, fx);
            }
            Action::Notify { channel } => self.respond(now, slot, id, channel.refusal(), fx),
            // A login cannot come here: the session answers a second one. Pin modes and answers are for watchers.
            Action::Login { .. } | Action::PinMode { .. } | Action::Answer { .. } | Action::Nothing => {}
        }
    }
}

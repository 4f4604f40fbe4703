//! At home: a login is answered, the newest connection of a device wins.

use linchpin_protocol::Status;
use linchpin_protocol::blynk::codec;
use linchpin_protocol::model::Now;

use crate::connection::{Announced, NO_DEVICE, Phase, Ticks, gate};
use crate::device::SlotNiche;
use crate::{Effect, End, Receive, Shard, Slot, TokenRight, Turn, limits};

impl Shard {
    /// The connection in `slot` logs in with a token of a device that lives here. Nothing is armed yet.
    pub(crate) fn attach(&mut self, turn: &mut Turn<'_>, slot: Slot, right: TokenRight, login_id: u16) {
        let Some(position) = self.honoured(right) else {
            // Its index entry outlived it, or the token was replaced while its login was under way.
            return self.refuse_login(turn, slot, login_id, Status::InvalidToken, End::DeviceRemoved);
        };
        if self.operator.drain.is_some() {
            return self.end(turn, slot, End::Drained);
        }
        if self.needs_tls(position) && !self.connections[slot].wire.tls.is_on() {
            return self.refuse_login(turn, slot, login_id, Status::NotAllowed, End::TlsRequired);
        }
        let record = &mut self.devices[position];
        if !record.logins.take(turn.now.mono, limits::TAKEOVERS_PER_SECOND, limits::TAKEOVER_BURST) {
            return self.refuse_login(turn, slot, login_id, Status::QuotaLimit, End::TakeoverTooOften);
        }
        if let Some(old) = record.connection() {
            self.end(turn, old, End::TakenOver);
        }
        let record = &mut self.devices[position];
        record.slot = Some(SlotNiche::new(slot));
        record.seen_s = turn.now.wall.seconds() as u32;
        self.counters.online += 1;
        self.counters.logins += 1;
        self.revoke_will(position);
        self.absences.take(position);
        self.operator.changed.note(position);
        self.tell_presence(turn.now, position);

        let heartbeat_s = self.settings.heartbeat_s.min(limits::HEARTBEAT_MAX_S) as u16;
        let connection = &mut self.connections[slot];
        connection.phase = Phase::Live;
        connection.device = position;
        connection.wire.speech.announce(|announced| *announced = Announced { heartbeat_s, ..Announced::default() });
        connection.heard = Ticks::at(turn.now.mono);
        connection.deadline = Ticks::at(turn.now.mono.after(limits::INFO_WAIT_MS + limits::WHEEL_TICK_MS));
        connection.gate &= gate::BLOCKED;
        if let Some(session) = connection.wire.speech.session() {
            session.accept();
            connection.gate |= if session.first_frame_only() { gate::QUIET | gate::PACED } else { gate::QUIET };
        }
        self.connections.recharge(slot);
        let carry = self.connections.hold(slot, |c| c.carry.take());
        if self.is_mqtt(slot) {
            self.counters.online_mqtt += 1;
            self.welcome(turn, slot);
        } else {
            self.answer(turn, slot, |out| codec::response(out, login_id, Status::Ok));
        }
        self.store_presence(turn, position, None);
        if self.store.shows_logins {
            turn.fx.push(Effect::LoggedIn { slot });
        }
        turn.fx.push(Effect::Arm { slot, receive: Receive::Stay });
        self.set_live_timer(slot);
        if let Some(mut carry) = carry {
            self.feed(turn, slot, &mut carry);
        }
    }

    /// The device of a connection has no connection any more. The connection still knows its device, for the log.
    pub(crate) fn leave_device(&mut self, now: Now, slot: Slot, end: End) {
        let position = self.connections[slot].device;
        if position == NO_DEVICE {
            return;
        }
        let record = &mut self.devices[position];
        if record.connection() == Some(slot) {
            record.slot = None;
            let since_s = std::mem::replace(&mut record.seen_s, now.wall.seconds() as u32);
            record.last_end = Some(end);
            if !self.begin_absence(now, position, since_s, end) {
                self.operator.changed.note(position);
                self.tell_presence(now, position);
            }
        }
    }
}

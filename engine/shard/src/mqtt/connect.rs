//! CONNECT: from its first byte to its answer.

use linchpin_protocol::limits::MQTT_CONNECT_BYTES;
use linchpin_protocol::mqtt::{Cut, MqttAsk, MqttFault, MqttSession, RawPacket, Welcome, cut_connect};

use super::goodbye::end_of;
use crate::connection::{Phase, Speech, Ticks};
use crate::{End, Purpose, Shard, Slot, Turn, limits};

impl Shard {
    /// Bytes of a peer that speaks MQTT and has not logged in.
    pub(crate) fn connect_bytes(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &[u8]) {
        match cut_connect(bytes) {
            Ok(Cut::Partial { .. }) => self.wait_for_more(turn, slot, bytes, MQTT_CONNECT_BYTES),
            Ok(Cut::Packet { packet, used }) => self.connect(turn, slot, packet, &bytes[used..]),
            Err(fault) => self.end(turn, slot, end_of(fault)),
        }
    }

    /// `rest`: clients need not wait for the answer to their login.
    fn connect(&mut self, turn: &mut Turn<'_>, slot: Slot, packet: RawPacket<'_>, rest: &[u8]) {
        if rest.len() > limits::CARGO_BYTES {
            return self.end(turn, slot, End::LoginTooLong);
        }
        let mut session = MqttSession::new();
        let asked = session.on_packet(packet, &mut self.scratch);
        self.connections.hold(slot, |c| c.wire.speech = Speech::Mqtt(session));
        let token = match asked {
            Ok(MqttAsk::Login { token }) => token,
            Ok(_) => return self.end(turn, slot, End::MqttMalformed),
            Err(fault) => return self.refuse_connect(turn, slot, fault),
        };
        if !rest.is_empty() {
            self.connections.hold(slot, |c| c.carry = Some(Box::new(rest.to_vec())));
        }
        self.connections[slot].phase = Phase::Resolving { login_id: 0 };
        self.set_deadline(turn.now, slot, limits::HOME_TIMEOUT_MS);
        self.resolve(turn, slot, &token, Purpose::Login);
    }

    fn refuse_connect(&mut self, turn: &mut Turn<'_>, slot: Slot, fault: MqttFault) {
        let end = end_of(fault);
        if self.say_reason(turn, slot, fault.reason(), end) {
            self.refuse(turn, slot, end);
        } else {
            self.end(turn, slot, end);
        }
    }

    /// A login with a good shape is refused. Trouble that passes has no answer: clients give up for good after any CONNACK
    /// that refuses, and come back after a close.
    pub(crate) fn refuse_mqtt_login(&mut self, turn: &mut Turn<'_>, slot: Slot, end: End) {
        self.mqtt_goodbye(turn, slot, end);
        if turn.fx.pending_bytes(slot) > 0 {
            self.refuse(turn, slot, end);
        } else {
            self.end(turn, slot, end);
        }
    }

    /// The login is good: answer it.
    pub(crate) fn welcome(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let device = self.devices[self.connections[slot].device].id;
        let assigned_id = format!("device-{device}");
        let welcome = Welcome { keep_alive_cap_s: limits::HEARTBEAT_MAX_S as u16, assigned_id: &assigned_id };
        // Nothing was said in `downlink/diag` yet.
        self.connections[slot].deadline = Ticks::at(turn.now.mono);
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        if let Some(session) = self.mqtt(slot) {
            session.accept(&welcome, &mut out);
        }
        self.answer(turn, slot, |frames| frames.extend_from_slice(&out));
        self.scratch = out;
        self.check_will(turn, slot);
    }
}

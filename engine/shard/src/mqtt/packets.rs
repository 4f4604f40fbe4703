//! A logged-in device speaks: its bytes become packets, its packets verbs.

use linchpin_protocol::limits::MQTT_PACKET_BYTES;
use linchpin_protocol::mqtt::{Cut, MqttAsk, Owed, RawPacket, cut};

use super::declined::Declined;
use crate::connection::Connection;
use crate::device::quota::Verdict;
use crate::{AwaitedKind, End, Shard, Slot, Turn};

/// Kinds of packets that the quota counts: PUBLISH, SUBSCRIBE, UNSUBSCRIBE. The others are answers and PINGREQ.
const fn is_counted(packet: RawPacket<'_>) -> bool {
    matches!(packet.first >> 4, 3 | 8 | 10)
}

/// Kinds of packets that change what a session has on the heap: SUBSCRIBE, UNSUBSCRIBE, DISCONNECT.
const fn changes_held(packet: RawPacket<'_>) -> bool {
    matches!(packet.first >> 4, 8 | 10 | 14)
}

impl Shard {
    /// Handle all whole packets; returns how many bytes they took.
    pub(crate) fn packets(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() && self.is_live(slot) {
            match cut(&bytes[at..], MQTT_PACKET_BYTES) {
                Ok(Cut::Packet { packet, used }) => {
                    at += used;
                    self.packet(turn, slot, packet);
                }
                Ok(Cut::Partial { .. }) => break,
                Err(fault) => {
                    self.mqtt_fault(turn, slot, fault);
                    break;
                }
            }
        }
        at
    }

    fn packet(&mut self, turn: &mut Turn<'_>, slot: Slot, packet: RawPacket<'_>) {
        self.counters.packets += 1;
        self.connections[slot].frames = self.connections[slot].frames.saturating_add(1);
        self.show_packet_received(turn, slot, packet);
        // PINGREQ.
        if packet.first >> 4 == 12 && !self.within_pings(turn, slot) {
            return;
        }
        let is_within = !is_counted(packet) || self.within_packet_quota(turn, slot);
        if !self.is_live(slot) {
            return;
        }
        if packet.first >> 4 == 3 {
            return self.message(turn, slot, packet, is_within);
        }
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        let mut take = |c: &mut Connection| c.wire.speech.mqtt().map(|it| it.on_packet(packet, &mut out));
        let asked =
            if changes_held(packet) { self.connections.hold(slot, take) } else { take(&mut self.connections[slot]) };
        if !out.is_empty() {
            self.answer(turn, slot, |frames| frames.extend_from_slice(&out));
        }
        self.scratch = out;
        match asked {
            Some(Ok(MqttAsk::Leave { .. })) => self.end(turn, slot, End::PeerClosed),
            // A second login ends as a fault, messages came above; the operator's ping is over.
            Some(Ok(MqttAsk::Login { .. } | MqttAsk::Publish { .. } | MqttAsk::PingAnswered | MqttAsk::Nothing)) => {}
            None => {}
            Some(Err(fault)) => self.mqtt_fault(turn, slot, fault),
        }
    }

    /// PUBLISH: nearly all packets are.
    fn message(&mut self, turn: &mut Turn<'_>, slot: Slot, packet: RawPacket<'_>, is_within: bool) {
        let Some(session) = self.connections[slot].wire.speech.mqtt() else { return };
        let (uplink, payload, owed) = match session.on_message(packet) {
            Ok(message) => message,
            Err(fault) => return self.mqtt_fault(turn, slot, fault),
        };
        let position = self.connections[slot].device;
        self.begin_verb();
        let done = if is_within {
            self.carry_uplink(turn, position, Some(slot), uplink, payload)
        } else {
            Err(Declined::Quota)
        };
        let asker = self.conn_ref(slot);
        let is_due = done.is_err() || !self.awaits_store(turn, asker, AwaitedKind::Mqtt(owed));
        // A value at QoS 0 that was taken: there is nothing to say.
        if is_due && (done.is_err() || owed != Owed::Nothing) {
            self.acknowledge(turn, slot, owed, done);
        }
    }

    /// The message quota, as for frames: false beyond it, and a flood ends the connection.
    fn within_packet_quota(&mut self, turn: &mut Turn<'_>, slot: Slot) -> bool {
        let record = &mut self.devices[self.connections[slot].device];
        if record.messages.take(turn.now.mono, self.settings.messages_per_second, self.settings.message_burst) {
            return true;
        }
        self.counters.dropped += 1;
        if record.rare_mut().flood.on_drop(turn.now.mono) == Verdict::End {
            self.end(turn, slot, End::Flood);
        }
        false
    }
}

//! The table of byte sequences: for each, does the connection stay open or close, and which packets answer with which
//! code. `fixtures/mqtt_rules.txt` says how to read it; `tests/sim` runs it against a shard.

use linchpin_protocol::limits::MQTT_PACKET_BYTES;
use linchpin_protocol::mqtt::{
    Cut, Downlink, MqttAsk, MqttFault, MqttSession, Published, Qos, RawPacket, Reason, StreamAsk, Uplink, Welcome, cut,
    cut_connect,
};

#[path = "mqtt_table/mod.rs"]
mod mqtt_table;

use mqtt_table::{Begun, TOKEN, login, rows, summary};

/// A server of one connection: the device exists whose token is [`TOKEN`], every topic of the API is taken.
#[derive(Default)]
struct World {
    session: MqttSession,
    out: Vec<u8>,
    is_closed: bool,
}

impl World {
    fn take(&mut self, mut stream: &[u8]) {
        while !self.is_closed {
            let next = if self.session.is_live() { cut(stream, MQTT_PACKET_BYTES) } else { cut_connect(stream) };
            match next {
                Ok(Cut::Packet { packet, used }) => {
                    stream = &stream[used..];
                    self.on_packet(packet);
                }
                Ok(Cut::Partial { need }) => {
                    assert!(need > stream.len());
                    return;
                }
                Err(fault) => self.close(fault),
            }
        }
    }

    fn on_packet(&mut self, packet: RawPacket<'_>) {
        match self.session.on_packet(packet, &mut self.out) {
            Ok(MqttAsk::Login { token }) if token.expose() == TOKEN => {
                self.session.accept(&Welcome { keep_alive_cap_s: 3_600, assigned_id: "device-1" }, &mut self.out);
            }
            Ok(MqttAsk::Login { .. }) => self.close(MqttFault::Refused(Reason::BadUserNameOrPassword)),
            Ok(MqttAsk::Publish { uplink, payload, owed }) => {
                let reason = reason_of(uplink, payload);
                self.session.acknowledge(owed, reason, "no such topic", &mut self.out);
            }
            Ok(MqttAsk::Leave { .. }) => self.is_closed = true,
            Ok(MqttAsk::PingAnswered | MqttAsk::Nothing) => {}
            Err(fault) => self.close(fault),
        }
    }

    fn close(&mut self, fault: MqttFault) {
        assert!(fault.to_string().contains(';'), "{fault} says what to do");
        self.session.farewell(fault.reason(), "because", &mut self.out);
        self.is_closed = true;
    }
}

/// The one datastream is "A", and values are not empty.
fn reason_of(uplink: Uplink<'_>, payload: &[u8]) -> Reason {
    match uplink {
        Uplink::Other(_) => Reason::TopicNameInvalid,
        Uplink::Stream(path) => match path.resolve(|name| (name == "A").then_some(())) {
            None => Reason::TopicNameInvalid,
            Some(((), StreamAsk::Write)) if payload.is_empty() => Reason::PayloadFormatInvalid,
            Some(_) => Reason::Success,
        },
        _ => Reason::Success,
    }
}

#[test]
fn every_rule_holds() {
    let rows = rows();
    assert!(rows.len() > 280, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let mut world = World::default();
        if row.begun != Begun::Nothing {
            world.take(&login(row.begun));
            world.out.clear();
        }
        world.take(&row.bytes);
        let answers = summary(&world.out, row.begun, &row.bytes);
        if (world.is_closed, &answers) != (row.closes, &row.answers) {
            wrong.push(format!("{}: closed {}, answers {answers:?}", row.rule, world.is_closed));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_holds_byte_by_byte() {
    for row in rows().iter().filter(|row| row.bytes.len() < 4_096) {
        let mut world = World::default();
        if row.begun != Begun::Nothing {
            world.take(&login(row.begun));
            world.out.clear();
        }
        let mut waiting = Vec::new();
        for byte in &row.bytes {
            waiting.push(*byte);
            let limit = if world.session.is_live() { cut(&waiting, MQTT_PACKET_BYTES) } else { cut_connect(&waiting) };
            if world.is_closed || matches!(limit, Ok(Cut::Partial { .. })) {
                continue;
            }
            world.take(&waiting);
            waiting.clear();
        }
        assert_eq!(
            (world.is_closed, &summary(&world.out, row.begun, &row.bytes)),
            (row.closes, &row.answers),
            "{}",
            row.rule
        );
    }
}

/// A client answers a message of QoS 1 with PUBACK only; what answers nothing is borne.
#[test]
fn a_message_of_qos_1_is_not_answered_as_one_of_qos_2() {
    for (begun, kind) in [(Begun::V4, 0x50), (Begun::V5, 0x50), (Begun::V4, 0x70), (Begun::V5, 0x70)] {
        for (id, is_awaited) in [(0, false), (1, true), (2, true), (3, false)] {
            let mut world = World::default();
            world.take(&login(begun));
            let properties: &[u8] = if begun == Begun::V5 { &[0] } else { &[] };
            let filter = b"\0\x0adownlink/#\x01";
            let len = 2 + properties.len() + filter.len();
            world.take(&[&[0x82, len as u8, 0, 1], properties, filter].concat());
            for _ in 0..3 {
                let sent = world.session.publish(Downlink::Value { name: "A" }, b"1", Qos::AtLeastOnce, &mut world.out);
                assert_eq!(sent, Published::Sent);
            }
            // The first is answered as it should be; ids begin at 1.
            world.take(b"\x40\x02\0\x01");
            world.out.clear();
            world.take(&[kind, 2, 0, id + 1]);
            let wanted = match (is_awaited, begun, kind) {
                (true, Begun::V5, _) => "DISCONNECT 82",
                (true, ..) | (false, _, 0x70) => "",
                (false, Begun::V5, _) => "PUBREL 92",
                (false, ..) => "PUBREL 00",
            };
            assert_eq!(
                (world.is_closed, &*summary(&world.out, begun, b"")),
                (is_awaited, wanted),
                "{kind:#x} of {}, {begun:?}",
                id + 1
            );
        }
    }
}

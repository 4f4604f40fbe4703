//! MQTT: packets and the server's side of a session.

use linchpin_protocol::limits::{MQTT_CONNECT_BYTES, MQTT_PACKET_BYTES};
use linchpin_protocol::mqtt::{
    Cut, Downlink, Level, MqttAsk, MqttFault, MqttSession, Packet, Published, Qos, RawPacket, Reason, Sender, Uplink,
    Welcome, cut, cut_connect, decode, payload,
};

use crate::cuts;

/// Splits an input into version and side, by its first byte, and the stream.
pub(crate) fn parse(input: &[u8]) -> (Level, Sender, &[u8]) {
    let [how, stream @ ..] = input else { return (Level::V4, Sender::Client, input) };
    let level = if how & 1 == 0 { Level::V4 } else { Level::V5 };
    (level, if how & 2 == 0 { Sender::Client } else { Sender::Server }, stream)
}

/// The first whole packet of a stream.
pub(crate) fn first(stream: &[u8]) -> Option<(RawPacket<'_>, usize)> {
    match cut(stream, MQTT_PACKET_BYTES) {
        Ok(Cut::Packet { packet, used }) => Some((packet, used)),
        Ok(Cut::Partial { need }) => {
            assert!(need > stream.len() && need <= MQTT_PACKET_BYTES);
            None
        }
        Err(_) => None,
    }
}

/// A packet that is read is written, never longer, and read again as the same.
pub fn mqtt_decode(input: &[u8]) {
    let (level, sender, mut stream) = parse(input);
    while let Some((raw, used)) = first(stream) {
        if let Ok(packet) = decode(level, sender, raw) {
            let level = if let Packet::Connect(connect) = packet { connect.level } else { level };
            let mut written = b"before".to_vec();
            packet.write(level, &mut written);
            let written = &written[6..];
            assert!(written.len() <= used, "{packet:?} is written longer than it was");
            let (again, length) = first(written).expect("a whole packet");
            assert_eq!((decode(level, sender, again), length), (Ok(packet), written.len()));
        }
        stream = &stream[used..];
    }
}

/// A connection as the server has it, with every login accepted.
#[derive(Default)]
struct Connection {
    session: MqttSession,
    waiting: Vec<u8>,
    out: Vec<u8>,
    is_closed: bool,
    diary: Vec<String>,
}

impl Connection {
    fn take(&mut self, piece: &[u8]) {
        if self.is_closed {
            return;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.extend_from_slice(piece);
        let mut taken = 0;
        while !self.is_closed {
            let bytes = &waiting[taken..];
            let next = if self.session.is_live() { cut(bytes, MQTT_PACKET_BYTES) } else { cut_connect(bytes) };
            match next {
                Ok(Cut::Packet { packet, used }) => {
                    taken += used;
                    self.on_packet(packet);
                }
                Ok(Cut::Partial { need }) => {
                    let limit = if self.session.is_live() { MQTT_PACKET_BYTES } else { MQTT_CONNECT_BYTES };
                    assert!(bytes.len() < need && need <= limit, "what waits is less than one packet");
                    break;
                }
                Err(fault) => self.close(fault),
            }
        }
        waiting.drain(..taken);
        self.waiting = if self.is_closed { Vec::new() } else { waiting };
    }

    fn close(&mut self, fault: MqttFault) {
        self.diary.push(fault.to_string());
        self.session.farewell(fault.reason(), "because", &mut self.out);
        self.is_closed = true;
    }

    fn on_packet(&mut self, packet: RawPacket<'_>) {
        let was_live = self.session.is_live();
        match self.session.on_packet(packet, &mut self.out) {
            Ok(MqttAsk::Login { .. }) => {
                assert!(!was_live, "a login comes first and once");
                let welcome = Welcome { keep_alive_cap_s: 3_600, assigned_id: "device-1" };
                self.session.accept(&welcome, &mut self.out);
                assert!((1..=3_600).contains(&self.session.keep_alive_s()));
                self.diary.push("a login".to_owned());
            }
            Ok(MqttAsk::Publish { uplink, payload, owed }) => {
                assert!(was_live);
                self.diary.push(format!("{uplink:?} {}", payload.escape_ascii()));
                let reason = if self.act(uplink, payload) { Reason::Success } else { Reason::PayloadFormatInvalid };
                self.session.acknowledge(owed, reason, "not taken", &mut self.out);
            }
            Ok(MqttAsk::Leave { with_will }) => {
                assert!(with_will || self.session.take_will().is_none());
                self.diary.push(format!("left, {with_will}"));
                self.is_closed = true;
            }
            Ok(ask) => self.diary.push(format!("{ask:?}")),
            Err(fault) => self.close(fault),
        }
    }

    /// Read the payload as the topic wants it, and say something back.
    fn act(&mut self, uplink: Uplink<'_>, bytes: &[u8]) -> bool {
        let is_read = match uplink {
            Uplink::About => payload::about(bytes).is_ok(),
            Uplink::Batch => payload::batch(bytes).is_ok(),
            Uplink::SyncListed | Uplink::MetaGet => payload::names(bytes).is_ok(),
            Uplink::Stream(path) => {
                let (resolved, _) =
                    (path.resolve(|name| (name.len() < 9).then_some(())), payload::timestamped(bytes).is_ok());
                resolved.is_some()
            }
            _ => payload::pointed(bytes, "/a/0").is_none_or(|value| !value.is_empty()),
        };
        for downlink in [Downlink::Value { name: "A" }, Downlink::Meta { name: "B" }, Downlink::Clock, Downlink::Ping] {
            let before = self.out.len();
            let published = self.session.publish(downlink, b"1", Qos::AtLeastOnce, &mut self.out);
            assert_eq!(published == Published::Sent, self.out.len() > before, "{published:?}");
        }
        is_read
    }
}

/// Asks, answers and the end are the same however the stream is cut; what is answered are whole packets of a server.
pub fn mqtt_session(input: &[u8]) {
    let (mut cuts, stream) = cuts::parse(input);
    let mut whole = Connection::default();
    whole.take(stream);
    let mut chunked = Connection::default();
    for piece in cuts.pieces(stream) {
        chunked.take(piece);
    }
    assert_eq!((&chunked.diary, &chunked.out, chunked.is_closed), (&whole.diary, &whole.out, whole.is_closed));
    let mut left = &whole.out[..];
    while !left.is_empty() {
        let (raw, used) = first(left).expect("whole packets");
        let read = decode(whole.session.level(), Sender::Server, raw);
        assert!(read.is_ok(), "{raw:?} is no packet of a server: {read:?}");
        left = &left[used..];
    }
    let before = (whole.out.len(), whole.diary.len());
    if whole.is_closed {
        whole.take(b"\xc0\0");
        assert_eq!((whole.out.len(), whole.diary.len()), before, "it goes on after its end");
    }
}

use proptest::prelude::*;

use super::*;
use crate::blynk::{Command, Frame, Session};
use crate::model::UnixMillis;
use crate::mqtt::{MqttSession, Welcome};
use crate::ws::{Decoder, FrameKind, Piece, Role, client_frame};

/// Written, read and the same; and nothing shorter, longer or newer is read.
fn round<T: Pack + std::fmt::Debug>(it: &T) -> T {
    let mut bytes = Vec::new();
    it.pack(&mut bytes);
    let mut from = PackReader::new(&bytes);
    let read = T::unpack(&mut from).unwrap_or_else(|error| panic!("{it:?}: {error}"));
    let mut again = Vec::new();
    read.pack(&mut again);
    assert_eq!(again, bytes);
    assert!(from.is_empty());
    for cut in 0..bytes.len() {
        assert!(T::unpack(&mut PackReader::new(&bytes[..cut])).is_err(), "{cut} of {} bytes", bytes.len());
    }
    let mut newer = bytes.clone();
    newer[1] += 1;
    let error = T::unpack(&mut PackReader::new(&newer)).expect_err("a newer version");
    assert!(error.to_string().contains("its version"), "{error}");
    let mut longer = Vec::new();
    section(&mut longer, T::KIND, T::VERSION, |out| {
        it.write(out);
        out.push(0);
    });
    assert!(T::unpack(&mut PackReader::new(&longer)).is_err(), "a byte is left over");
    bytes[0] ^= 0x80;
    assert!(T::unpack(&mut PackReader::new(&bytes)).is_err(), "another kind");
    read
}

fn equal<T: Pack + PartialEq + std::fmt::Debug>(it: &T) {
    assert_eq!(&round(it), it);
}

const TOKEN: &[u8] = b"abcdefghijklmnopqrstuvwxyz012345";

proptest! {
    /// Whatever frames a device has sent.
    #[test]
    fn blynk_sessions_come_back(old in any::<bool>(), accepted in any::<bool>(), writes in 0usize..12, grouped in any::<bool>()) {
        let wall = UnixMillis(1_700_000_000_000);
        let mut session = Session::new();
        equal(&session);
        let login = if old { Command::LoginOld } else { Command::Login };
        let frame = |command: Command, body: &'static [u8]| {
            Frame { command: command.number(), id: 7, status_or_len: body.len() as u16, body }
        };
        session.on_frame(wall, frame(login, TOKEN)).expect("a login");
        equal(&session);
        if accepted {
            session.accept();
            if grouped {
                session.on_frame(wall, frame(Command::Group, b"b")).expect("a group");
            }
            for _ in 0..writes {
                session.on_frame(wall, frame(Command::Hardware, b"vw\x001\x002")).expect("a write");
                equal(&session);
            }
        }
        equal(&session);
    }

    /// Wherever the stream was cut.
    #[test]
    fn websockets_come_back_at_every_byte(payload in proptest::collection::vec(any::<u8>(), 0..300), ping in any::<bool>()) {
        let mut stream = Vec::new();
        client_frame(&mut stream, FrameKind::Binary, &payload, [1, 2, 3, 4]);
        if ping {
            client_frame(&mut stream, FrameKind::Ping, &payload[..payload.len().min(100)], [4, 3, 2, 1]);
        }
        let mut decoder = Decoder::new(Role::Server);
        let mut data = Vec::new();
        for byte in stream {
            let mut one = [byte];
            let mut rest = &mut one[..];
            loop {
                let (piece, left) = decoder.next(rest).expect("well-formed");
                match piece {
                    Piece::End => break,
                    Piece::Data(bytes) => data.extend_from_slice(bytes),
                    _ => {}
                }
                rest = left;
            }
            // Bytes of a header that is read already are not part of the state: the reader goes on with the copy.
            decoder = round(&decoder);
        }
        prop_assert_eq!(data, payload);
    }

    /// No bytes make a reader panic, and what is read is written as it was.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80), kind in 0usize..3) {
        let mut sealed = Vec::new();
        section(&mut sealed, [b'B', b'M', b'W'][kind], 1, |out| out.extend_from_slice(&bytes));
        fn same<T: Pack>(bytes: &[u8]) {
            if let Ok(it) = T::unpack(&mut PackReader::new(bytes)) {
                let mut again = Vec::new();
                it.pack(&mut again);
                assert_eq!(again, bytes);
            }
        }
        same::<Session>(&sealed);
        same::<MqttSession>(&sealed);
        same::<Decoder>(&sealed);
    }
}

#[test]
fn mqtt_sessions_come_back() {
    equal(&MqttSession::new());
    let connect = b"\x10\x42\x00\x04MQTT\x04\xc6\x00\x2d\x00\x01c\x00\x04ds/A\x00\x015\x00\x06device\x00\x20";
    let mut packet = connect.to_vec();
    packet.extend_from_slice(TOKEN);
    packet[1] = (packet.len() - 2) as u8;
    let mut session = MqttSession::new();
    let raw = |packet: &'static [u8]| crate::mqtt::RawPacket { first: packet[0], body: &packet[2..] };
    let packet: &'static [u8] = packet.leak();
    session.on_packet(raw(packet), &mut Vec::new()).expect("a login");
    equal(&session);
    session.accept(&Welcome { keep_alive_cap_s: 60, assigned_id: "x" }, &mut Vec::new());
    let mut out = Vec::new();
    for filter in [&b"\x82\x11\x00\x01\x00\x0cdownlink/ota\x01"[..], b"\x82\x0f\x00\x02\x00\x0adownlink/#\x00"] {
        session.on_packet(raw(filter), &mut out).expect("a subscription");
        equal(&session);
    }
    assert!(session.will_topic().is_some());
}

use linchpin_protocol::blynk::{Command, Frame};
use linchpin_protocol::limits::BRIDGES;
use linchpin_protocol::model::{Pin, UnixMillis};
use linchpin_protocol::ws::Role;
use linchpin_tls::{Desk, InPlace, Session as TlsSession, Side, Suite};
use proptest::prelude::*;

use super::*;
use crate::handover::message::{HandoverMessage, SentListener, read_message, write_message};

fn device(number: u32) -> DeviceId {
    DeviceId::new(number).expect("not zero")
}

fn blynk() -> Speech {
    let mut session = Session::new();
    let token = b"abcdefghijklmnopqrstuvwxyz012345";
    let login = Frame { command: Command::LoginOld.number(), id: 1, status_or_len: 32, body: token };
    session.on_frame(UnixMillis(1), login).expect("a login");
    session.accept();
    Speech::Blynk(session, Announced::default())
}

fn tls(kind: u8) -> Cover {
    let ours = match kind {
        0 => return Cover::Off,
        1 => return Cover::Due { mutual: true },
        2 => InPlace::from_keys(Side::Server, Suite::Aes128Gcm, (&[1; 16], [2; 12], 3), (&[4; 16], [5; 12], 6)),
        3 => InPlace::from_secrets(Side::Server, Suite::Aes256Gcm, (&[1; 48], 7), (&[2; 48], 8)),
        _ => InPlace::from_secrets(Side::Server, Suite::ChaCha20Poly1305, (&[1; 32], 7), (&[2; 32], 8)),
    };
    let session = TlsSession::InPlace(ours.expect("lengths of the suite"));
    Cover::Away(session.go_away(&mut Desk::default()).expect("ours"))
}

fn freight() -> impl Strategy<Value = Freight> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..200);
    let frame = (proptest::option::of(any::<u8>()), bytes());
    let plain = (any::<[u32; 5]>(), any::<[u16; 3]>(), 0u8..=gate::ALL, 0u8..5, 0u8..4, any::<bool>());
    let lists =
        (proptest::collection::vec(frame, 0..5), proptest::collection::vec((any::<u8>(), 1u32..9_999), 0..=BRIDGES));
    (plain, lists, bytes(), bytes(), any::<[u8; 16]>()).prop_map(|(plain, (waiting, bridges), carry, unsent, ip)| {
        let ([heard_ms, begun_ms, left_ms, paced_ms, frames], [heartbeat_s, buff_in, port], gate, cover, kind, ws) =
            plain;
        let (footing, speech) = match kind {
            0 => (Footing::Opening, Speech::Unknown),
            1 => (
                Footing::Serving,
                Speech::Http(Exchange::Reading { verified: ws, need: heartbeat_s.into(), seen: ChunksSeen::NONE }),
            ),
            _ => (Footing::Live(device(heard_ms.max(1))), blynk()),
        };
        let framing = match (ws, kind) {
            (true, 0 | 2..) => Framing::WebSocket(Box::new(Decoder::new(Role::Server))),
            _ => Framing::Stream,
        };
        Freight {
            peer: SocketAddr::new(Ipv6Addr::from(ip).to_canonical(), port),
            unsent,
            footing,
            tls: tls(cover),
            framing,
            speech,
            carry,
            waiting: waiting.into_iter().map(|(pin, bytes)| (pin.map(Pin::new_virtual), bytes.into())).collect(),
            bridges: bridges
                .into_iter()
                .map(|(pin, to)| (pin, TokenRight { device: device(to), epoch: to as u16 }))
                .collect(),
            firmware: b"ver\x001.0".as_slice().into(),
            times: Spans { heard_ms, begun_ms, left_ms, paced_ms },
            frames,
            heartbeat_s,
            buff_in,
            gate,
        }
    })
}

fn packed(freight: &Freight) -> Vec<u8> {
    let mut out = Vec::new();
    freight.pack(&mut out);
    out
}

proptest! {
    #[test]
    fn freights_come_back(freight in freight(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let bytes = packed(&freight);
        let read = Freight::unpack(&bytes).expect("readable");
        prop_assert_eq!(&packed(&read), &bytes);
        prop_assert_eq!(read.device(), freight.device());
        prop_assert_eq!((read.peer, &read.unsent, &read.carry), (freight.peer, &freight.unsent, &freight.carry));
        prop_assert_eq!((&read.waiting, &read.bridges, read.times), (&freight.waiting, &freight.bridges, freight.times));
        // Cut anywhere: refused. Damaged anywhere: refused, or another freight.
        prop_assert!(Freight::unpack(&bytes[..at.index(bytes.len())]).is_err());
        let mut damaged = bytes.clone();
        damaged[at.index(bytes.len())] ^= 1 << bit;
        if let Ok(other) = Freight::unpack(&damaged) {
            prop_assert_eq!(packed(&other).len(), damaged.len());
        }
        let mut newer = bytes;
        newer[0] = VERSION + 1;
        prop_assert!(Freight::unpack(&newer).expect_err("newer").to_string().contains("its version"));
    }

    #[test]
    fn messages_come_back_at_any_cut(freights in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..9),
        number in any::<u64>(), text in "\\PC{0,40}") {
        let listener = SentListener { door: number as u8, configured: text.clone() };
        let formats = crate::handover::FormatRange::OURS;
        let all = [
            HandoverMessage::Hello { formats, version: text.clone() },
            HandoverMessage::Offer { format: number as u16, attempt: number, old_pid: number as u32 },
            HandoverMessage::Ready,
            HandoverMessage::Listeners(vec![listener; 3]),
            HandoverMessage::Stand,
            HandoverMessage::Opened,
            HandoverMessage::Batch(freights),
            HandoverMessage::Taken(vec![number as u16; 7]),
            HandoverMessage::End { sent: number },
            HandoverMessage::Complete { taken: number },
            HandoverMessage::Go { paused_ms: number, left: number },
            HandoverMessage::Running,
            HandoverMessage::Failed { text },
        ];
        let mut wire = Vec::new();
        all.iter().for_each(|message| write_message(&mut wire, message));
        let mut at = 0;
        for message in all {
            let (read, len) = read_message(&wire[at..]).expect("good").expect("whole");
            prop_assert_eq!(&read, &message);
            for cut in 0..len {
                prop_assert_eq!(read_message(&wire[at..at + cut]), Ok(None));
            }
            at += len;
        }
        prop_assert_eq!(at, wire.len());
    }
}

//! Every packet that real MQTT clients were recorded with is understood, and is written again byte for byte.

use linchpin_protocol::mqtt::{Cut, Level, Packet, Sender, Uplink, cut, decode};

const WIRE: &str = include_str!("fixtures/mqtt.txt");

/// How a packet is read, in one line.
fn meaning(packet: &Packet<'_>) -> String {
    match packet {
        Packet::Publish(publish) => {
            let payload = String::from_utf8_lossy(publish.payload).escape_debug().to_string();
            let (uplink, qos) = (Uplink::parse(publish.topic), publish.qos as u8);
            format!("{uplink:?} qos {qos} id {} \"{payload}\"", publish.id)
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn recorded_packets_are_read_and_written_again() {
    let (mut level, mut count, mut wrong) = (Level::V4, 0, Vec::new());
    for line in WIRE.lines().filter(|line| !line.starts_with("# ") && !line.is_empty()) {
        if let Some(name) = line.strip_prefix("## ") {
            level = if name.ends_with('5') { Level::V5 } else { Level::V4 };
            continue;
        }
        let (from, rest) = line.split_once(' ').expect("direction and packet");
        let (hex, expected) = rest.split_once(' ').expect("packet and meaning");
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect();
        let sender = if from == "c" { Sender::Client } else { Sender::Server };
        let Ok(Cut::Packet { packet: raw, used }) = cut(&bytes, bytes.len()) else { panic!("a whole packet: {line}") };
        assert_eq!(used, bytes.len());
        let packet = decode(level, sender, raw).expect("well formed");
        let mut written = Vec::new();
        packet.write(level, &mut written);
        // `e0020000` and its like say in four bytes what two say.
        if written != bytes {
            let Ok(Cut::Packet { packet: raw, .. }) = cut(&written, bytes.len()) else { panic!("{line}") };
            assert_eq!(decode(level, sender, raw), Ok(packet), "{line}");
            assert!(written.len() < bytes.len() && matches!(packet, Packet::Disconnect(_)), "{line}");
        }
        if meaning(&packet) != expected {
            wrong.push(format!("{from} {hex} {}", meaning(&packet)));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 40, "{count} packets");
}

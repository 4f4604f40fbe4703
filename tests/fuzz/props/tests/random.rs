//! The same properties on random streams: any bytes, and frames of real commands with one spot spoilt.

use linchpin_fuzz_props as props;
use proptest::prelude::*;

const LOGIN: &[u8] = b"\x1d\0\x01\0\x20abcdefghijklmnopqrstuvwxyz012345";

const MQTT_4: &[u8] = b"\x10\x36\0\x04MQTT\x04\xc2\0\x3c\0\0\0\x06device\0\x20abcdefghijklmnopqrstuvwxyz012345";
const MQTT_5: &[u8] = b"\x10\x37\0\x04MQTT\x05\xc2\0\x3c\0\0\0\0\x06device\0\x20abcdefghijklmnopqrstuvwxyz012345";

/// One frame of a command that exists, with a body of the fields that bodies are made of.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let command =
        prop::sample::select(&[0_u8, 2, 6, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 29, 41, 55, 64, 65, 99][..]);
    let field = prop_oneof![
        prop::sample::select(
            &[
                "vw",
                "dw",
                "aw",
                "vr",
                "pm",
                "b",
                "t",
                "e",
                "i",
                "rtc",
                "utc",
                "time",
                "meta",
                "get",
                "set",
                "color",
                "all",
                "tmpl",
                "h-beat",
                "buff-in",
                "1700000000000"
            ][..]
        )
        .prop_map(|text| text.as_bytes().to_vec()),
        (0_u16..300).prop_map(|number| number.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    (command, any::<u16>(), prop::collection::vec(field, 0..6)).prop_map(|(command, id, fields)| {
        let body = fields.join(&0);
        let length = if command == 0 { id % 300 } else { body.len() as u16 };
        let mut frame = vec![command];
        frame.extend_from_slice(&id.to_be_bytes());
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(if command == 0 { &[] } else { &body });
        frame
    })
}

fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let frames = || prop::collection::vec(any_frame(), 0..12).prop_map(|frames| frames.concat());
    let spoilt = (frames(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut stream, at, byte)| {
        if !stream.is_empty() {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        stream
    });
    prop_oneof![2 => frames(), 1 => spoilt, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

/// The seed of the cuts, the start of the stream, the stream.
fn input(seed: u8, start: &[u8], stream: &[u8]) -> Vec<u8> {
    [&[seed], start, stream].concat()
}

proptest! {
    #[test]
    fn frames(seed: u8, stream in any_stream()) {
        props::frame(&input(seed, b"", &stream));
    }

    #[test]
    fn sessions(seed: u8, stream in any_stream(), logs_in in prop::bool::weighted(0.9)) {
        props::session(&input(seed, if logs_in { LOGIN } else { b"" }, &stream));
    }

    #[test]
    fn devices(seed: u8, stream in any_stream(), is_taken in prop::bool::weighted(0.9)) {
        props::device(&input(seed, if is_taken { b"\0\0\x01\0\xc8" } else { b"" }, &stream));
    }
}

/// One packet of MQTT: a kind, and a body of the fields that bodies are made of, with its right length.
fn any_packet() -> impl Strategy<Value = Vec<u8>> {
    let text = prop::sample::select(
        &[
            "",
            "MQTT",
            "device",
            "abcdefghijklmnopqrstuvwxyz012345",
            "ds/A",
            "batch_ds",
            "downlink/#",
            "$share/g/a",
            "a/+",
        ][..],
    );
    let field = prop_oneof![
        3 => text.prop_map(|text| [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()),
        1 => any::<u16>().prop_map(|id| id.to_be_bytes().to_vec()),
        2 => (0_u8..8).prop_map(|byte| vec![byte]),
        1 => prop::collection::vec(any::<u8>(), 0..9),
    ];
    let first = prop_oneof![
        4 => 0x30_u8..0x40,
        4 => prop::sample::select(&[0x10_u8, 0x20, 0x40, 0x50, 0x62, 0x70, 0x82, 0x90, 0xa2, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0][..]),
        1 => any::<u8>(),
    ];
    (first, prop::collection::vec(field, 0..6)).prop_map(|(first, fields)| {
        let body = fields.concat();
        [&[first, body.len().min(127) as u8], &body[..body.len().min(127)]].concat()
    })
}

proptest! {
    #[test]
    fn mqtt_packets(how in 0_u8..4, packets in prop::collection::vec(any_packet(), 0..6)) {
        let stream = input(how, b"", &packets.concat());
        props::mqtt_decode(&stream);
        props::mqtt_differential(&stream);
    }

    #[test]
    fn mqtt_sessions(seed: u8, is_v5: bool, packets in prop::collection::vec(any_packet(), 0..12)) {
        let start = if is_v5 { MQTT_5 } else { MQTT_4 };
        props::mqtt_session(&input(seed, start, &packets.concat()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn tls_both_record_layers_read_the_same(
        which in 0u8..6, cut in any::<u8>(), operations in prop::collection::vec(any::<[u8; 2]>(), 0..60)
    ) {
        props::tls_open(&[&[which, cut][..], operations.as_flattened()].concat());
    }

    #[test]
    fn tls_both_record_layers_say_the_same(input in prop::collection::vec(any::<u8>(), 3..60)) {
        props::tls_seal(&input);
    }

    #[test]
    fn tls_no_hello_is_too_bad(input in prop::collection::vec(any::<u8>(), 1..80)) {
        props::tls_hello(&input);
    }
}

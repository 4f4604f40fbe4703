//! The same properties on random streams: any bytes, and frames of real commands with one spot spoilt.

use linchpin_fuzz_props as props;
use proptest::prelude::*;

const LOGIN: &[u8] = b"\x1d\0\x01\0\x20abcdefghijklmnopqrstuvwxyz012345";

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

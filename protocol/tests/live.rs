//! The two encodings of live sockets: golden messages, which the console's codec reads too, and what holds for any message.

use linchpin_protocol::live::{
    FrameDirection, LiveAsk, LiveFault, LiveLevel, LiveOutcome, LivePresence, LiveReport, LiveSelection, LiveValue,
    PresenceRow, Subjects, ValueRow, WatchedPins, binary, json,
};
use linchpin_protocol::model::{Number, Pin, PinKind, ValueRef};
use proptest::prelude::*;
use serde_json::{Value, json};

const GOLDEN: &str = include_str!("fixtures/live.json");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal")).collect()
}

fn ask_bytes(ask: &LiveAsk) -> Vec<u8> {
    let mut bytes = Vec::new();
    binary::encode_ask(ask, &mut bytes);
    bytes
}

fn report_bytes(report: &LiveReport) -> Vec<u8> {
    let mut bytes = Vec::new();
    binary::encode_report(report, &mut bytes);
    bytes
}

const AT: u64 = 1_795_940_130_960;

fn asks() -> Vec<LiveAsk> {
    let pin = Pin::new_virtual;
    let some = WatchedPins::Some(vec![pin(0), pin(255), Pin { kind: PinKind::Analog, index: 3 }]);
    let both = Subjects { values: true, presence: true, ..Subjects::default() };
    let others = Subjects { events: true, attempts: true, frames: true, ..Subjects::default() };
    let query = LiveSelection::Query {
        org: 7,
        below: true,
        text: "Gewächshaus".into(),
        sort: "-seen".into(),
        first: 200,
        count: 60,
    };
    let number = |n| LiveValue::Number(Number::new(n));
    let write = |value| LiveAsk::Write { request: 90_000, device: 4_000_000_000, pin: pin(4), value };
    vec![
        LiveAsk::Hello { build: "0123456789abcdef".into() },
        LiveAsk::Watch {
            set: 1,
            what: both,
            select: LiveSelection::Devices(vec![1, 70_000]),
            pins: some,
            every: vec![pin(8)],
        },
        LiveAsk::Watch { set: 65_535, what: both, select: query, pins: WatchedPins::All, every: vec![] },
        LiveAsk::Watch {
            set: 3,
            what: others,
            select: LiveSelection::Subtree { org: 1, below: false },
            pins: WatchedPins::Some(vec![]),
            every: vec![],
        },
        LiveAsk::Unwatch { set: 65_535 },
        write(number(22.5)),
        write(LiveValue::Bytes(b"22.50".to_vec())),
        write(LiveValue::Bytes(vec![0xff, 0, 1])),
        write(LiveValue::Nothing),
    ]
}

fn reports() -> Vec<LiveReport> {
    let pin = Pin::new_virtual;
    let row = |device, value| ValueRow { device, pin: pin(1), at_ms: AT, value };
    let there = |state, code| PresenceRow { device: 9, state, since_ms: AT - 5, code };
    let wrote = |outcome, code| LiveReport::Wrote { request: 90_000, outcome, code };
    let frame = |direction| LiveReport::Frame {
        device: 9,
        at_ms: AT,
        direction,
        command: 20,
        message: 513,
        body: b"vw\x001\x0042".to_vec(),
    };
    let event = |level| LiveReport::Event {
        device: 9,
        event: (1 << 53) - 1,
        at_ms: AT,
        level,
        code: "too_hot".into(),
        text: "über 36 °C".into(),
    };
    let mut all = vec![
        LiveReport::Hello { server_ms: AT, build: "none".into(), rights: 4_000_000_000 },
        LiveReport::Tick { server_ms: (1 << 53) - 1 },
        LiveReport::Snapshot { set: 1, total: 10_000, devices: vec![1, 2, 70_000] },
        LiveReport::Values {
            rows: vec![
                row(1, LiveValue::Number(Number::new(-0.5))),
                row(2, LiveValue::Bytes("a\0b".into())),
                row(3, LiveValue::Bytes(vec![0xc3, 0x28])),
                row(4, LiveValue::Nothing),
                row(5, LiveValue::Bytes(vec![])),
            ],
        },
        LiveReport::Values { rows: vec![] },
        LiveReport::Presence {
            rows: vec![
                there(LivePresence::Offline, 103),
                there(LivePresence::Online, 0),
                there(LivePresence::Never, 0),
            ],
        },
    ];
    all.extend(LiveLevel::ALL.iter().map(|level| event(*level)));
    all.extend([wrote(LiveOutcome::Delivered, 0), wrote(LiveOutcome::Kept, 0), wrote(LiveOutcome::Refused, 401)]);
    all.extend([
        LiveReport::Property { device: 9, pin: pin(4), name: "label".into(), value: LiveValue::Bytes("Fan".into()) },
        LiveReport::Attempt { at_ms: AT, address: "2001:db8::7".into(), code: 302, count: 12 },
        frame(FrameDirection::In),
        frame(FrameDirection::Out),
        LiveReport::Skipped { set: 2, count: 70_000 },
        LiveReport::Changed { set: 2 },
        LiveReport::Refused { set: 2, code: 402 },
        LiveReport::Revoked { code: 307 },
        LiveReport::Bye { code: 503, retry_ms: 70_000 },
    ]);
    all
}

/// The golden file, one message a line.
fn page() -> String {
    let asks = asks().into_iter().map(|ask| ("ask", ask_bytes(&ask), json::encode_ask(&ask)));
    let reports = reports().into_iter().map(|one| ("report", report_bytes(&one), json::encode_report(&one)));
    let lines: Vec<_> = asks
        .chain(reports)
        .map(|(side, bytes, json)| json!({ "side": side, "hex": hex(&bytes), "json": json }).to_string())
        .collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "writes its golden file when asked to bless")]
fn golden_messages_have_these_bytes() {
    if std::env::var_os("LINCHPIN_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/live.json");
        std::fs::write(path, page()).expect("writes the golden file");
        return;
    }
    assert_eq!(page(), GOLDEN, "LINCHPIN_BLESS=1 cargo test -p linchpin-protocol --test live, if the change is meant");
    let all: Vec<Value> = serde_json::from_str(GOLDEN).expect("JSON");
    for one in all {
        let bytes = unhex(one["hex"].as_str().expect("a text"));
        let text = one["json"].to_string();
        if one["side"] == "ask" {
            let ask = binary::decode_ask(&bytes).expect("an ask");
            assert_eq!(json::decode_ask(text.as_bytes()).expect("the same ask"), ask);
        } else {
            let report = binary::decode_report(&bytes).expect("a report");
            assert_eq!(json::decode_report(text.as_bytes()).expect("the same report"), report);
        }
    }
}

#[test]
fn a_message_that_is_cut_or_too_long_is_a_fault() {
    for bytes in asks().iter().map(ask_bytes) {
        for end in 0..bytes.len() {
            assert!(binary::decode_ask(&bytes[..end]).is_err(), "{} cut at {end}", hex(&bytes));
        }
        assert_eq!(binary::decode_ask(&[&bytes[..], &[0]].concat()), Err(LiveFault::Trailing { count: 1 }));
    }
    for bytes in reports().iter().map(report_bytes) {
        for end in 0..bytes.len() {
            assert!(binary::decode_report(&bytes[..end]).is_err(), "{} cut at {end}", hex(&bytes));
        }
    }
    assert_eq!(binary::decode_ask(&[0x84]), Err(LiveFault::Kind(0x84)), "a page reports nothing");
}

#[test]
fn asks_are_bounded_and_say_their_limit() {
    let watch =
        |select, every| LiveAsk::Watch { set: 1, what: Subjects::default(), select, pins: WatchedPins::All, every };
    let many = watch(LiveSelection::Devices(vec![1; 501]), vec![]);
    let limit = LiveFault::Limit { field: "devices", value: 501, limit: 500 };
    assert_eq!(binary::decode_ask(&ask_bytes(&many)), Err(limit));
    assert_eq!(json::decode_ask(json::encode_ask(&many).to_string().as_bytes()), Err(limit));
    assert_eq!(limit.to_string(), "devices: 501, at most 500");
    let every = watch(LiveSelection::Devices(vec![]), vec![Pin::new_virtual(0); 17]);
    assert!(matches!(binary::decode_ask(&ask_bytes(&every)), Err(LiveFault::Limit { field: "every", .. })));
    let long =
        LiveAsk::Write { request: 1, device: 1, pin: Pin::new_virtual(0), value: LiveValue::Bytes(vec![b'x'; 1_025]) };
    assert!(matches!(binary::decode_ask(&ask_bytes(&long)), Err(LiveFault::Limit { value: 1_025, limit: 1_024, .. })));
    assert!(json::decode_ask(json::encode_ask(&long).to_string().as_bytes()).is_err());
    let not_finite = [&[4, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1][..], &f64::NAN.to_le_bytes()].concat();
    assert!(matches!(binary::decode_ask(&not_finite), Err(LiveFault::Meaning { field: "value", .. })));
}

#[test]
fn json_asks_have_exactly_their_fields() {
    let ask = |text: &str| json::decode_ask(text.as_bytes());
    assert_eq!(ask(r#"{"kind":"unwatch","set":7}"#), Ok(LiveAsk::Unwatch { set: 7 }));
    assert_eq!(ask(r#"{"kind":"unwatch","set":7,"x":1}"#), Err(LiveFault::Trailing { count: 1 }));
    assert_eq!(ask(r#"{"kind":"unwatch"}"#), Err(LiveFault::Field("set")));
    assert_eq!(
        ask(r#"{"kind":"unwatch","set":65536}"#),
        Err(LiveFault::Limit { field: "set", value: 65_536, limit: 65_535 })
    );
    assert_eq!(ask(r#"{"kind":"write","request":1,"device":1,"pin":"v1","value":1}"#), Err(LiveFault::Field("pin")));
    assert_eq!(ask(r#"{"kind":"write","request":1,"device":1,"pin":"V01","value":1}"#), Err(LiveFault::Field("pin")));
    let LiveAsk::Write { value, .. } =
        ask(r#"{"kind":"write","request":1,"device":1,"pin":"V1","value":0.30000000000000004}"#).expect("a write")
    else {
        panic!("no write")
    };
    assert_eq!(value, LiveValue::Bytes(b"0.30000000000000004".to_vec()), "too many digits for a number");
    assert_eq!(ask("[]"), Err(LiveFault::Field("message")));
    assert_eq!(ask("{"), Err(LiveFault::NotJson));
}

#[test]
fn rows_are_written_as_the_report_would_be() {
    let values: [&[u8]; 4] = [b"21.5", b"21.50", b"", b"a\0b"];
    let mut streamed = vec![1, 2, 3];
    let mut rows = binary::ValueRows::begin(&mut streamed);
    for value in values {
        assert!(rows.push(7, Pin::new_virtual(3), AT, ValueRef(value)));
    }
    assert_eq!(rows.finish(), 4);
    let row =
        |value| ValueRow { device: 7, pin: Pin::new_virtual(3), at_ms: AT, value: LiveValue::of(ValueRef(value)) };
    let whole = LiveReport::Values { rows: values.into_iter().map(row).collect() };
    assert_eq!(streamed, [&[1, 2, 3], &report_bytes(&whole)[..]].concat());
    let mut nothing = vec![9];
    assert_eq!(binary::ValueRows::begin(&mut nothing).finish(), 0);
    assert_eq!(nothing, [9]);
}

fn any_value() -> impl Strategy<Value = LiveValue> {
    prop_oneof![
        Just(LiveValue::Nothing),
        (-999_999_999_999_999_i64..=999_999_999_999_999, 0..7)
            .prop_map(|(digits, places)| digits as f64 / 10_f64.powi(places))
            .prop_filter("15 digits", |number| LiveValue::is_plain(*number))
            .prop_map(|number| LiveValue::Number(Number::new(number))),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(LiveValue::Bytes),
        "\\PC{0,20}".prop_map(|text| LiveValue::Bytes(text.into_bytes())),
    ]
}

fn any_pin() -> impl Strategy<Value = Pin> {
    (0_u16..0x300).prop_map(|packed| Pin::from_u16(packed).expect("a pin"))
}

fn any_report() -> impl Strategy<Value = LiveReport> {
    let row = (any::<u32>(), any_pin(), 0_u64..1 << 53, any_value());
    let row = row.prop_map(|(device, pin, at_ms, value)| ValueRow { device, pin, at_ms, value });
    let text = || "\\PC{0,30}";
    prop_oneof![
        prop::collection::vec(row, 0..20).prop_map(|rows| LiveReport::Values { rows }),
        (any::<u16>(), any::<u32>(), prop::collection::vec(any::<u32>(), 0..9))
            .prop_map(|(set, total, devices)| LiveReport::Snapshot { set, total, devices }),
        (any::<u32>(), any_pin(), text(), any_value()).prop_map(|(device, pin, name, value)| LiveReport::Property {
            device,
            pin,
            name,
            value
        }),
        (0_u64..1 << 53, text(), any::<u16>(), any::<u32>())
            .prop_map(|(at_ms, address, code, count)| LiveReport::Attempt { at_ms, address, code, count }),
    ]
}

proptest! {
    #[test]
    fn both_encodings_carry_any_report(report in any_report()) {
        prop_assert_eq!(&binary::decode_report(&report_bytes(&report)).expect("binary"), &report);
        let text = json::encode_report(&report).to_string();
        prop_assert_eq!(json::decode_report(text.as_bytes()).expect("JSON"), report);
    }

    #[test]
    fn both_encodings_carry_any_write(request: u32, device: u32, pin in any_pin(), value in any_value()) {
        let ask = LiveAsk::Write { request, device, pin, value };
        prop_assert_eq!(&binary::decode_ask(&ask_bytes(&ask)).expect("binary"), &ask);
        let text = json::encode_ask(&ask).to_string();
        prop_assert_eq!(json::decode_ask(text.as_bytes()).expect("JSON"), ask);
    }

    #[test]
    fn a_value_survives_its_smallest_form(bytes in prop_oneof!["-?[0-9]{1,12}(\\.[0-9]{1,6})?", "\\PC{0,8}"]) {
        let value = LiveValue::of(ValueRef(bytes.as_bytes()));
        prop_assert_eq!(value.to_bytes().expect("a value"), bytes.as_bytes());
    }
}

//! By the letter of Blynk's documentation: one test a difference that was found, as far as a shard decides it. The numbers
//! C1 to C21 are those of docs/differences.md. C1 to C4, C9, C10 and C13 have theirs in `outbound_rules`, `groups`,
//! `template_values`, `properties`, `sync`, `http` and `quota`.

use linchpin_protocol::http::HistoryOutput;
use linchpin_protocol::model::TemplateField;
use linchpin_shard::{End, Push, Refused, Report, ReservedField, Settings};

use super::http::{Client, error, ok};
use super::*;

/// Datastream ids 20 (V6) and 21 (V1), metadata fields 3 (Room) and 4 (Serial, not for the device); device 1 has it.
fn world_with_ids() -> (World, Token) {
    let mut world = World::new(&WorldOptions::default());
    let id = TemplateId::parse(b"TMPLtest").expect("valid");
    let stream = |index, id, kind| Datastream::new(Pin::new_virtual(index), "stream", kind, "", true).with_id(id);
    let streams = vec![stream(6, 20, ValueKind::Int { min: 0, max: 100 }), stream(1, 21, ValueKind::Text)];
    let field = |id, name: &str, default: &str, by_device| TemplateField {
        id,
        name: name.into(),
        default: default.into(),
        by_device,
    };
    let fields = vec![field(3, "Room", "Hall", true), field(4, "Serial", "", false)];
    world.add_template(&Template::new(id, "Test".into(), streams, vec!["hot".into()]).with_fields(fields));
    let token = world.add_device(1, Some(id));
    (world, token)
}

fn api(token: &Token, call: &str) -> String {
    format!("/external/api/{call}&token={}", token.expose())
}

#[test]
fn c05_a_datastream_is_named_by_its_own_id() {
    let (mut world, token) = world_with_ids();
    let mut client = Client::connect(&mut world);
    let mut get = |call: &str| client.get(&mut world, &api(&token, call));
    assert_eq!(get("update?dataStreamId=20&value=7"), ok(""));
    assert_eq!(get("get?v6"), ok("7"));
    assert_eq!(get("get?dataStreamId=20"), ok("7"));
    assert_eq!(get("update?dataStreamId=21&value=a&value=b"), ok(""));
    assert_eq!(get("getAll?"), ok(r#"{"v1":["a","b"],"v6":7}"#));
    assert_eq!(get("update/property?dataStreamId=20&label=x"), ok(""));
    for foreign in ["update?dataStreamId=1&value=7", "get?dataStreamId=6", "update/property?dataStreamId=0&label=x"] {
        let (status, body) = get(foreign);
        assert!(status == 400 && body.contains("Requested dataStream doesn't exist"), "{foreign}: {body}");
    }
    assert_eq!(get("get?v1"), ok(r#"["a","b"]"#), "nothing was written to the pin with that number");
    assert_eq!(get("update?dataStreamId=x&value=7"), error("Wrong dataStreamId format."));
}

#[test]
fn c05_without_a_template_there_are_no_datastreams() {
    let (mut world, token) = world();
    let mut client = Client::connect(&mut world);
    for call in ["update?dataStreamId=1&value=7", "get?dataStreamId=1", "data/get?dataStreamId=1"] {
        let (status, body) = client.get(&mut world, &api(&token, call));
        assert!(status == 400 && body.contains("Requested dataStream doesn't exist"), "{call}: {body}");
    }
    assert_eq!(world.value(1, 1), None);
}

#[test]
fn c06_paths_may_end_with_a_slash() {
    let (mut world, token) = world();
    let mut client = Client::connect(&mut world);
    assert_eq!(client.get(&mut world, &api(&token, "update/?v1=7")), ok(""));
    assert_eq!(client.get(&mut world, &api(&token, "get/?v1")), ok("7"));
}

#[test]
fn c07_history_is_asked_as_documented() {
    let (mut world, token) = world_with_ids();
    let mut client = Client::connect(&mut world);
    client.get(&mut world, &api(&token, "update?v1=x"));
    let path = "data/get?dataStreamId=20&tzName=America/New_York&sendEvents=true&output=FILE&format=ISO_US";
    client.send(&mut world, &format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", api(&token, path)));
    world.run_ms(30);
    let (asker, _, ask, pins) = world.store.asked.pop().expect("asked");
    assert_eq!(&*pins, [Pin::new_virtual(6)]);
    assert_eq!((&*ask.zone, ask.events, ask.output), ("America/New_York", true, HistoryOutput::File));
    world.tell(asker, linchpin_protocol::http::Reply::text("done"));
    world.run_ms(30);
    assert_eq!(client.answers(&mut world), [ok("done")]);
    // Without a pin all of the device: those of its template, and those that have a value.
    client.send(&mut world, &format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", api(&token, "data/get?period=DAY")));
    world.run_ms(30);
    let (.., pins) = world.store.asked.pop().expect("asked");
    assert_eq!(&*pins, [1, 6].map(Pin::new_virtual));
}

#[test]
fn c08_with_a_template_there_are_its_fields_only() {
    let (mut world, token) = world_with_ids();
    let mut client = Client::connect(&mut world);
    let mut get = |world: &mut World, call: &str| client.get(world, &api(&token, call));
    assert_eq!(get(&mut world, "device/meta?metaFieldId=3"), ok("Hall"), "the template's default");
    assert_eq!(get(&mut world, "device/meta/update?metaFieldId=3&value=Attic"), ok(""));
    assert_eq!(get(&mut world, "device/meta?metaFieldName=Room"), ok("Attic"));
    assert_eq!(get(&mut world, "device/meta/update?metaFieldName=Serial&value=7"), ok(""));
    for foreign in ["?metaFieldId=1", "?metaFieldName=anything", "/update?metaFieldName=anything&value=1"] {
        assert_eq!(get(&mut world, &format!("device/meta{foreign}")), error("MetaField doesn't exist."), "{foreign}");
    }
    let mut script = Script::login(&mut world, &token);
    script.refused(&mut world, command::INTERNAL, b"ver\x001.4.0\0tmpl\0TMPLtest", 200);
    for firmware in ["Hotspot Name", "Device UID", "Room"] {
        script.refused(&mut world, command::INTERNAL, format!("meta\0set\0{firmware}\0x").as_bytes(), 200);
    }
    script.refused(&mut world, command::INTERNAL, b"meta\0set\0Serial\x008", 6);
    script.refused(&mut world, command::INTERNAL, b"meta\0set\0anything\x008", 17);
    assert_eq!(get(&mut world, "device/meta?metaFieldName=Serial"), ok("7"));
    assert_eq!(get(&mut world, "device/meta?metaFieldName=Device%20UID"), ok("x"));
}

#[test]
fn c08_a_template_that_names_no_fields_takes_any() {
    let (mut world, token) = world_with_template();
    let mut client = Client::connect(&mut world);
    assert_eq!(client.get(&mut world, &api(&token, "device/meta/update?metaFieldName=anything&value=1")), ok(""));
}

#[test]
fn c08_the_name_of_the_device_is_the_stores() {
    for device in 1..=4 {
        let mut world = World::new(&WorldOptions::default());
        let token = world.add_device(device, None);
        let mut client = Client::connect(&mut world);
        let path = api(&token, "device/meta?metaFieldName=Device%20Name");
        client.send(&mut world, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let mut script = Script::introduced(&mut world, &token);
        let id = script.ask(&mut world, command::INTERNAL, b"meta\0get\0Device Owner");
        world.run_ms(30);
        let mut asked: Vec<_> = world.store.fields.iter().map(|ask| ask.field.name()).collect();
        asked.sort_unstable();
        assert_eq!(asked, [ReservedField::DeviceName.name(), ReservedField::DeviceOwner.name()]);
        world.tell_fields(Some("Pump"));
        assert_eq!(client.answers(&mut world), [ok("Pump")]);
        script.expect(&mut world, command::INTERNAL, id, b"meta\0Device Owner\0Pump");
        let (status, body) =
            client.get(&mut world, &api(&token, "device/meta/update?metaFieldName=Device%20Name&value=x"));
        assert!(status == 403 && body.contains("set by people"), "{body}");
        script.refused(&mut world, command::INTERNAL, b"meta\0set\0Device Name\0x", 6);
        script.ask(&mut world, command::INTERNAL, b"meta\0get\0Device Owner");
        world.run_ms(30);
        world.tell_fields(None);
        assert_eq!(script.receive(&mut world).map(|frame| frame.status), Some(17));
        // A late answer for a connection that is gone disturbs nobody.
        script.ask(&mut world, command::INTERNAL, b"meta\0get\0Device Name");
        world.close(script.conn);
        world.run_ms(50);
        world.tell_fields(Some("Pump"));
        world.audit();
    }
}

#[test]
fn c08_places_are_checked_and_read_back() {
    let (mut world, token) = world_with_ids();
    let mut client = Client::connect(&mut world);
    let mut get = |call: &str| client.get(&mut world, &api(&token, call));
    assert_eq!(get("device/meta?metaFieldName=loc.latlon"), error("MetaField doesn't exist."));
    assert_eq!(get("device/meta/update?metaFieldName=loc.latlon&value=50.45,30.52"), ok(""));
    assert_eq!(get("device/meta?metaFieldName=loc.latlon"), ok("50.45 30.52"));
    for wrong in ["here", "91,0", "0,181", "1"] {
        let (status, body) = get(&format!("device/meta/update?metaFieldName=loc.latlon&value={wrong}"));
        assert!(status == 400 && body.contains("latitude"), "{wrong}: {body}");
    }
}

#[test]
fn c11_provision_checks_token_and_template() {
    let (mut world, token) = world_with_ids();
    let mut client = Client::connect(&mut world);
    let mut get = |call: &str| client.get(&mut world, &api(&token, call));
    assert_eq!(get("provision?templateId=TMPLtest&build=1&ver=0.1.0&type=MCU&fwType=TMPLtest&blVer=1.3.2"), ok(""));
    assert_eq!(get("provision?"), ok(""));
    assert_eq!(get("provision?templateId=TMPLother"), error("The device has the template TMPLtest, not TMPLother."));
    let unknown = Token::from_random(&[9; 24]);
    assert_eq!(client.get(&mut world, &api(&unknown, "provision?templateId=TMPLtest")), error("Invalid token."));
}

#[test]
fn c11_legacy_paths_answer_as_the_legacy_server() {
    let (mut world, token) = world();
    let mut client = Client::connect(&mut world);
    let ask = |method: &str, path: &str, body: &str| {
        let (token, len) = (token.expose(), body.len());
        format!("{method} /{token}/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len}\r\n\r\n{body}")
    };
    assert_eq!(client.ask(&mut world, &ask("POST", "pin/V1", r#"["7"]"#)), ok(""));
    assert_eq!(client.ask(&mut world, &ask("GET", "pin/V1", "")), ok(r#"["7"]"#));
    let refused = |text: &str| (400, text.to_owned());
    assert_eq!(client.ask(&mut world, &ask("POST", "notify", r#"{"body":"hot"}"#)), refused("No notification widget."));
    let mail = r#"{"to":"a@example.com","subj":"hot","title":"it is"}"#;
    assert_eq!(client.ask(&mut world, &ask("POST", "email", mail)), refused("No email widget."));
    assert_eq!(client.ask(&mut world, &ask("GET", "qr", "")).0, 410);
    client.send(&mut world, &ask("GET", "data/V1", ""));
    world.run_ms(30);
    let (_, _, asked, pins) = world.store.asked.pop().expect("asked");
    assert_eq!((asked.output, &*pins), (HistoryOutput::LegacyFile, &[Pin::new_virtual(1)][..]));
}

#[test]
fn c12_a_debug_message_is_not_sent_to_whom_it_ends() {
    for (about, is_sent) in [("linux-py", false), ("python", false), ("Linux", true), ("js", true)] {
        let (mut world, token) = world();
        let mut script = Script::login(&mut world, &token);
        script.refused(&mut world, command::INTERNAL, format!("ver\x001.0.0\0dev\0{about}").as_bytes(), 200);
        let report = world.ask(1, |request, device| linchpin_shard::Command::Push {
            request,
            device,
            push: Push::Debug { text: "hello".into() },
        });
        if is_sent {
            assert!(matches!(report, Report::Done), "{about}");
            world.run_ms(30);
            assert_eq!(script.receive(&mut world).map(|frame| frame.command), Some(55));
        } else {
            assert!(matches!(report, Report::Rejected(Refused::EndsClient)), "{about}");
            script.expect_nothing(&mut world);
        }
    }
}

#[test]
fn c14_another_template_is_told_and_the_diary_says_why() {
    let (mut world, token) = world_with_ids();
    let mut script = Script::login(&mut world, &token);
    script.refused(&mut world, command::INTERNAL, b"ver\x001.4.0\0tmpl\0TMPLother", 9);
    world.run_ms(1_500);
    assert!(is_over(&mut world, &mut script));
    assert_eq!(ends(&world), [End::TemplateMismatch]);
}

#[test]
fn c16_a_place_is_not_a_word_of_utc() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    script.refused(&mut world, command::INTERNAL, b"utc\0location", 11);
}

#[test]
fn c17_truth_values_and_numbers_are_taken_as_they_are_written() {
    let (mut world, token) = world_with_ids();
    let mut client = Client::connect(&mut world);
    assert_eq!(client.get(&mut world, &api(&token, "update?v6=true")), ok(""));
    assert_eq!(world.value(1, 6).as_deref(), Some("1"));
    let body = "[[1790000001000,[30.520000,32.123960]]]";
    let request = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        api(&token, "batch/update?pin=v1"),
        body.len()
    );
    assert_eq!(client.ask(&mut world, &request), ok("OK"));
    assert_eq!(world.value(1, 1).as_deref(), Some("30.520000\x0032.123960"));
}

#[test]
fn c18_numbers_without_a_template_are_numbers() {
    let (mut world, token) = world();
    let mut client = Client::connect(&mut world);
    client.get(&mut world, &api(&token, "update?v1=21.50&v2=007&v3=on&v4=-3&v4=x"));
    let all = r#"{"v1":21.50,"v2":"007","v3":"on","v4":[-3,"x"]}"#;
    assert_eq!(client.get(&mut world, &api(&token, "getAll?")), ok(all));
    assert_eq!(client.get(&mut world, &api(&token, "get?v1&v2&v3&v4")), ok(all));
    assert_eq!(client.get(&mut world, &api(&token, "get?v2")), ok("007"));
}

/// The C++ library reads the 1, drops its connection and comes back after 5 s: it must be let in then.
#[test]
fn c19_who_logs_in_too_often_hears_it_and_may_come_back() {
    let (mut world, token) = world();
    let mut refused = loop {
        let mut script = Script::connect(&mut world);
        let id = script.ask(&mut world, command::LOGIN, token.expose().as_bytes());
        let frame = script.receive(&mut world).expect("an answer");
        if frame == answer(id, 1) {
            break script;
        }
        assert_eq!(frame, answer(id, 200));
        assert!(world.ends.len() < 12, "ten at once are let in, one a second after that");
    };
    assert!((9..=11).contains(&world.ends.len()), "{} logins were taken over", world.ends.len());
    world.run_ms(800);
    assert!(!is_over(&mut world, &mut refused), "there is time to read the answer");
    world.run_ms(400);
    assert!(is_over(&mut world, &mut refused));
    world.run_ms(5_000);
    Script::login(&mut world, &token).expect_alive(&mut world);
}

#[test]
fn c20_heartbeats_have_a_floor_and_a_ceiling() {
    // What is announced, and how long the silence may be, ms.
    let cases = [
        ("1", 11_500),
        ("3", 11_500),
        ("5", 11_500),
        ("10", 23_000),
        ("0", 103_500),
        ("-1", 103_500),
        ("4000", 8_280_000),
        ("often", 103_500),
    ];
    for (announced, silence_ms) in cases {
        let (mut world, token) = world();
        let mut script = Script::login(&mut world, &token);
        script.refused(&mut world, command::INTERNAL, format!("ver\x001.4.0\0h-beat\0{announced}").as_bytes(), 200);
        world.run_ms(silence_ms - 1_000);
        assert!(!is_over(&mut world, &mut script), "h-beat {announced} ended before {silence_ms} ms");
        world.run_ms(2_000);
        assert!(is_over(&mut world, &mut script), "h-beat {announced} outlived {silence_ms} ms");
        assert_eq!(ends(&world), [End::HeartbeatMissed]);
    }
}

#[test]
fn c21_a_request_has_512_kib_and_a_batch_of_10_000_points_fits() {
    let settings = Settings { messages_per_second: 10_000, message_burst: 10_000, ..Settings::default() };
    let mut world = World::new(&WorldOptions { settings, ..WorldOptions::default() });
    let token = world.add_device(1, None);
    let now = world.wall_ms();
    let rows: Vec<_> = (0..10_000).map(|n| format!("[{},{n}.000]", now - n)).collect();
    let body = format!("[{}]", rows.join(","));
    let head = |len: usize| {
        format!(
            "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n\r\n",
            api(&token, "batch/update?pin=v1")
        )
    };
    let mut client = Client::connect(&mut world);
    client.send(&mut world, &(head(body.len()) + &body));
    world.run_ms(3_000);
    assert_eq!(client.answers(&mut world), [ok("OK")]);
    let device = world.view(1).row.id;
    assert_eq!(world.store.points[&(device, 1)].len(), 10_000);
    let mut client = Client::connect(&mut world);
    let (status, text) = client.ask(&mut world, &head(512 * 1_024 + 1));
    assert!(status == 413 && text.contains("524288 bytes"), "{text}");
}

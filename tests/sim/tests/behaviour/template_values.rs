//! What a template does to values: it crops numbers, replaces foreign choices, and has defaults.

use linchpin_sim::script::command;

use super::http::Client;
use super::*;

/// V0 a number of 0 to 1023, V1 of -55 to 125.5, V2 one of 4 choices with fallback 3, V3 one of 4 without, V4 a text
/// with a default that is synced, V5 a number with a default that is not.
fn world_with_rules() -> (World, Token) {
    let mut world = World::new(&WorldOptions::default());
    let stream = |index, kind, sync| Datastream::new(Pin::new_virtual(index), "x", kind, "", sync);
    let with = |stream: Datastream, default, fallback| stream.with_substitutes(default, fallback).expect("good");
    let streams = vec![
        stream(0, ValueKind::Int { min: 0, max: 1_023 }, true),
        stream(1, ValueKind::Double { min: -55.0, max: 125.5 }, false),
        with(stream(2, ValueKind::Enum { count: 4 }, false), None, Some(3)),
        stream(3, ValueKind::Enum { count: 4 }, false),
        with(stream(4, ValueKind::Text, true), Some("hello"), None),
        with(stream(5, ValueKind::Int { min: 0, max: 9 }, false), Some("7"), None),
    ];
    let id = TemplateId::parse(b"TMPLrules").expect("valid");
    world.add_template(&Template::new(id, "Rules".into(), streams, Vec::new()));
    let token = world.add_device(1, Some(id));
    (world, token)
}

const CROPPED: [(u8, &str, &str); 7] = [
    (0, "5000", "1023"),
    (0, "-5", "0"),
    (1, "500.000", "125.5"),
    (1, "-1e9", "-55"),
    (2, "9", "3"),
    (2, "-1", "3"),
    (2, "2", "2"),
];

#[test]
fn frames_are_cropped_and_not_answered() {
    let (mut world, token) = world_with_rules();
    let mut script = Script::introduced(&mut world, &token);
    let device = world.view(1).row.id;
    for (pin, written, stored) in CROPPED {
        script.ask(&mut world, command::HARDWARE, format!("vw\0{pin}\0{written}").as_bytes());
        script.expect_nothing(&mut world);
        assert_eq!(world.value(1, pin).as_deref(), Some(stored), "V{pin} = {written}");
        let points = &world.store.points[&(device, u16::from(pin))];
        assert_eq!(&*points.last().expect("a point").1, stored.as_bytes(), "history has what was stored");
    }
    for body in [&b"vw\x000\x00123.45"[..], b"vw\x000\0on", b"vw\x002\0x", b"vw\x003\x009"] {
        script.refused(&mut world, command::HARDWARE, body, 11);
    }
}

/// The device hears the value that counts.
#[test]
fn http_and_operators_are_cropped_too() {
    let (mut world, token) = world_with_rules();
    let mut script = Script::introduced(&mut world, &token);
    let mut client = Client::connect(&mut world);
    let api = |call: &str| format!("/external/api/{call}token={}", token.expose());
    for (pin, written, stored) in CROPPED {
        let answer = client.get(&mut world, &api(&format!("update?v{pin}={written}&")));
        assert_eq!(answer, (200, String::new()));
        assert_eq!(world.value(1, pin).as_deref(), Some(stored));
        let body = script.receive(&mut world).expect("the write").body;
        assert_eq!(body, format!("vw\0{pin}\0{stored}").as_bytes());
        operator_writes(&mut world, 1, pin, written.as_bytes());
        world.run_ms(20);
        assert_eq!(script.receive(&mut world).expect("the push").body, body);
    }
    let (status, text) = client.get(&mut world, &api("update?v0=123.45&"));
    assert!(status == 400 && text.contains("a whole number"), "{text}");
    let json = format!("[[{},\"2000\"],[{},-3]]", world.wall_ms(), world.wall_ms() - 1);
    let head =
        format!("POST {}&pin=v0 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n", api("batch/update?"));
    let answer = client.ask(&mut world, &format!("{head}Content-Length: {}\r\n\r\n{json}", json.len()));
    assert_eq!(answer.0, 200);
    let device = world.view(1).row.id;
    let points = &world.store.points[&(device, 0)];
    let last: Vec<_> = points[points.len() - 2..].iter().map(|point| &*point.1).collect();
    assert_eq!(last, [&b"1023"[..], b"0"]);
    assert_eq!(world.value(1, 0).as_deref(), Some("1023"));
}

#[test]
fn defaults_are_what_a_first_sync_and_read_get() {
    let (mut world, token) = world_with_rules();
    let mut script = Script::introduced(&mut world, &token);
    let all = script.ask(&mut world, command::SYNC, b"");
    assert_eq!(script.receive_all(&mut world), [hardware(all, b"vw\x004\0hello")], "V5 is not synced");
    let some = script.ask(&mut world, command::SYNC, b"vr\x005\x000");
    assert_eq!(script.receive_all(&mut world), [hardware(some, b"vw\x005\x007")], "V0 has no default");
    let mut client = Client::connect(&mut world);
    let api = |call: &str| format!("/external/api/{call}token={}", token.expose());
    assert_eq!(client.get(&mut world, &api("get?v5&")), (200, "7".to_owned()));
    assert_eq!(client.get(&mut world, &api("getAll?")), (200, "{\"v4\":\"hello\",\"v5\":7}".to_owned()));
    script.ask(&mut world, command::HARDWARE, b"vw\x005\x000");
    assert_eq!(client.get(&mut world, &api("get?v5&")), (200, "0".to_owned()), "written values win");
    assert_eq!(world.view(1).values.len(), 1, "a default is not a value: the store has none of it");
}

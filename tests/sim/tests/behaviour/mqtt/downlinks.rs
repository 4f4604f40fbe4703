//! What devices hear.

use linchpin_shard::{Command, Push, Report};

use super::*;

fn push(world: &mut World, push: Push) -> Report {
    world.ask(1, |request, device| Command::Push { request, device, push })
}

#[test]
fn writes_of_others_come_by_name_and_own_ones_do_not() {
    for level in BOTH {
        let (mut world, token, _) = mqtt_world();
        let mut script = subscribed(&mut world, level, &token);
        assert!(matches!(operator_writes(&mut world, 1, 0, b"9"), Report::Done));
        assert_eq!(script.messages(&mut world), [message("downlink/ds/Speed", "9")]);
        assert!(script.ask(&mut world, "ds/Speed", "10").is_empty());
    }
}

#[test]
fn without_a_subscription_nothing_comes_but_what_needs_none() {
    let (mut world, token, _) = mqtt_world();
    let mut script = MqttScript::login(&mut world, &MqttLogin::new(Level::V4), &token);
    assert!(matches!(operator_writes(&mut world, 1, 0, b"9"), Report::Offline));
    assert_eq!(world.value(1, 0).as_deref(), Some("9"), "the value is there when the device asks");
    assert!(matches!(push(&mut world, Push::Reboot), Report::Rejected(_)));
    assert!(matches!(push(&mut world, Push::Ota { url: "http://h/f.bin".into() }), Report::Done));
    assert!(matches!(push(&mut world, Push::Debug { text: "hello".into() }), Report::Done));
    let expected = [message("downlink/ota/json", r#"{"url":"http://h/f.bin"}"#), message("downlink/diag", "hello")];
    assert_eq!(script.messages(&mut world), expected);
    assert!(diag(&script.ask(&mut world, "get/ds", "Speed")).starts_with("E0808"));
}

#[test]
fn orders_of_operators() {
    let (mut world, token, _) = mqtt_world();
    let mut script = subscribed(&mut world, Level::V5, &token);
    assert!(matches!(push(&mut world, Push::Reboot), Report::Done));
    assert!(matches!(push(&mut world, Push::Ping), Report::Done));
    let heard = script.hear(&mut world);
    assert_eq!((heard[0].topic.as_str(), heard[0].qos), ("downlink/reboot", 0));
    assert_eq!((heard[1].topic.as_str(), heard[1].qos), ("downlink/ping", 1));
    script.acknowledge(&mut world, heard[1].id);
    assert!(script.hear(&mut world).is_empty());
    assert!(matches!(push(&mut world, Push::Reconfigure), Report::Done));
    assert_eq!(script.messages(&mut world), [message("downlink/reconfigure", "")]);
}

#[test]
fn granted_qos_is_what_comes_until_answers_fail() {
    let (mut world, token, _) = mqtt_world();
    let login = MqttLogin { properties: b"\x21\0\x02", ..MqttLogin::new(Level::V5) };
    let mut script = MqttScript::login(&mut world, &login, &token);
    assert_eq!(script.subscribe(&mut world, "downlink/ds/#", 2), 1, "QoS 2 is granted as 1");
    for value in [b"1", b"2", b"3"] {
        operator_writes(&mut world, 1, 0, value);
    }
    let heard = script.hear(&mut world);
    let qos: Vec<_> = heard.iter().map(|it| it.qos).collect();
    assert_eq!(qos, [1, 1, 0], "the client takes two at a time");
    assert!(heard[0].id != heard[1].id && heard[2].id == 0);
    script.acknowledge(&mut world, heard[0].id);
    world.run_ms(20);
    operator_writes(&mut world, 1, 0, b"4");
    assert_eq!(script.hear(&mut world)[0].qos, 1);
}

#[test]
fn syncs_send_values_clocks_send_time() {
    let (mut world, token, _) = mqtt_world();
    let mut script = subscribed(&mut world, Level::V4, &token);
    for (topic, payload) in [("ds/Speed", "1"), ("ds/Message", "m"), ("ds/Set Point", "2.5")] {
        script.publish(&mut world, 0, topic, payload.as_bytes());
    }
    let all = script.ask(&mut world, "get/ds/all", "");
    assert_eq!(all, [message("downlink/ds/Message", "m"), message("downlink/ds/Set Point", "2.5")]);
    let some = script.ask(&mut world, "get/ds", "Set Point, Speed");
    assert_eq!(some, [message("downlink/ds/Set Point", "2.5"), message("downlink/ds/Speed", "1")]);
    let clock = script.ask(&mut world, "get/utc/all/json", "");
    assert_eq!(clock[0].0, "downlink/utc/all/json");
    assert!(clock[0].1.contains("\"tz_name\":\"UTC\"") && clock[0].1.contains("\"iso8601\":\"20"), "{clock:?}");
    world.run_ms(1_000);
    let unknown = script.ask(&mut world, "get/ds", "Speed,Nothing");
    assert_eq!(unknown[0], message("downlink/ds/Speed", "1"), "what is known comes all the same");
    assert!(diag(&unknown).starts_with("E0802"));
}

#[test]
fn syncs_wait_for_values_of_the_last_run() {
    let (mut world, token, _) = mqtt_world_of(&WorldOptions { replaying: true, ..WorldOptions::default() });
    let mut script = subscribed(&mut world, Level::V4, &token);
    script.publish(&mut world, 0, "ds/Message", b"m");
    assert!(script.ask(&mut world, "get/ds/all", "").is_empty());
    world.order_all(|| Command::Replayed);
    assert_eq!(script.messages(&mut world), [message("downlink/ds/Message", "m")]);
}

#[test]
fn a_bridge_and_http_reach_it_and_it_reaches_them() {
    let (mut world, token, plain) = mqtt_world();
    let mut script = subscribed(&mut world, Level::V5, &token);
    let mut blynk = Script::login(&mut world, &plain);
    let id = blynk.ask(&mut world, command::BRIDGE, format!("1\0i\0{}", token.expose()).as_bytes());
    assert_eq!(blynk.receive(&mut world), Some(answer(id, 200)));
    blynk.ask(&mut world, command::BRIDGE, b"1\0vw\x000\x0077");
    assert_eq!(script.messages(&mut world), [message("downlink/ds/Speed", "77")]);
    let ask = format!("GET /external/api/update?token={}&v0=55 HTTP/1.1\r\nHost: x\r\n\r\n", token.expose());
    let http = Script::connect(&mut world);
    world.send(http.conn, ask.as_bytes());
    assert_eq!(script.messages(&mut world), [message("downlink/ds/Speed", "55")]);
    assert_eq!(script.confirm(&mut world, "ds/Speed", "56"), 0);
    let mut reader = Script::connect(&mut world);
    let ask = format!("GET /external/api/get?token={}&v0 HTTP/1.1\r\nHost: x\r\n\r\n", token.expose());
    world.send(reader.conn, ask.as_bytes());
    world.run_ms(50);
    assert!(String::from_utf8_lossy(&reader.bytes(&mut world)).ends_with("56"));
}

#[test]
fn a_slow_reader_gets_the_latest_value_and_is_bounded() {
    let (mut world, token, _) = mqtt_world();
    let mut script = MqttScript::login(&mut world, &MqttLogin::new(Level::V4), &token);
    assert_eq!(script.subscribe(&mut world, "downlink/#", 1), 1);
    world.set_window(script.conn, 200);
    for n in 0..200 {
        operator_writes(&mut world, 1, 0, (n % 100).to_string().as_bytes());
        world.run_ms(1);
    }
    world.run_ms(50);
    world.set_window(script.conn, 1 << 20);
    let messages = script.messages(&mut world);
    assert!(messages.len() < 50, "{} messages", messages.len());
    assert_eq!(messages.last(), Some(&message("downlink/ds/Speed", "99")));
    operator_writes(&mut world, 1, 0, b"5");
    assert_eq!(script.hear(&mut world).len(), 1);
}

#[test]
fn an_operator_sees_packets_without_tokens() {
    let (mut world, token, _) = mqtt_world();
    let mut script = subscribed(&mut world, Level::V4, &token);
    let done = world.ask(1, |request, device| Command::Tap { request, device, seconds: 60 });
    assert!(matches!(done, Report::Done));
    script.publish(&mut world, 0, "ds/Speed", b"1");
    operator_writes(&mut world, 1, 0, b"2");
    world.run_ms(50);
    let shown: Vec<_> = world.watched.iter().map(|it| (it.is_mqtt, it.is_sent, it.command)).collect();
    assert_eq!(shown, [(true, true, 0x30), (true, false, 0x30)]);
}

#[test]
fn over_a_websocket_too() {
    use linchpin_protocol::ws::{Decoder, FrameKind, Piece, Role, frame_header};
    let (mut world, token, _) = mqtt_world();
    let conn = world.connect([127, 0, 0, 1]);
    let ask = "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
               Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
               Sec-WebSocket-Protocol: mqttv3.1, mqtt\r\n\r\n";
    world.send(conn, ask.as_bytes());
    world.run_ms(50);
    let mut received = Vec::new();
    while let Some(segment) = world.read(conn) {
        received.extend_from_slice(&segment);
    }
    let text = String::from_utf8_lossy(&received).into_owned();
    assert!(text.starts_with("HTTP/1.1 101") && text.contains("Sec-WebSocket-Protocol: mqtt\r\n"), "{text}");
    // A mask of zeros changes nothing.
    let framed = |bytes: &[u8]| {
        let mut out = Vec::new();
        frame_header(&mut out, FrameKind::Binary, bytes.len());
        out[1] |= 0x80;
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(bytes);
        out
    };
    world.send(conn, &framed(&MqttLogin::new(Level::V4).bytes(token.expose())));
    world.run_ms(50);
    world.send(conn, &framed(b"\x30\x0c\0\x08ds/Speed31"));
    world.run_ms(50);
    assert_eq!(world.value(1, 0).as_deref(), Some("31"));
    let mut answers = world.read(conn).expect("an answer");
    let mut decoder = Decoder::new(Role::Client);
    let (piece, _) = decoder.next(&mut answers).expect("a frame");
    assert!(matches!(piece, Piece::Data(connack) if *connack == [0x20, 2, 0, 0]));
}

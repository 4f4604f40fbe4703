//! Logins and their ways.

use linchpin_shard::End;

use super::*;

#[test]
fn a_device_logs_in_with_either_version() {
    for level in BOTH {
        let (mut world, token, _) = mqtt_world();
        let mut script = MqttScript::login(&mut world, &MqttLogin::new(level), &token);
        assert!(world.view(1).row.online);
        assert_eq!(world.status().iter().map(|it| (it.online, it.online_mqtt)).filter(|it| it.0 > 0).count(), 1);
        script.send(&mut world, &linchpin_protocol::mqtt::Packet::Pingreq);
        assert_eq!(script.hear(&mut world)[0].kind, "PINGRESP");
        script.leave(&mut world, linchpin_protocol::mqtt::Reason::Success);
        assert_eq!((ends(&world), world.view(1).row.online), (vec![End::PeerClosed], false));
    }
}

#[test]
fn the_answer_says_what_the_server_takes() {
    let (mut world, token, _) = mqtt_world();
    let expiry = b"\x11\0\0\0\x3c";
    let login = MqttLogin { keep_alive_s: 0, properties: expiry, ..MqttLogin::new(Level::V5) };
    let mut script = MqttScript::connect(&mut world, Level::V5);
    let heard = script.log_in(&mut world, &login, &token);
    for words in [
        "SessionExpiry(0)",
        "ReceiveMaximum(64)",
        "RetainAvailable(false)",
        "MaximumPacketSize(32768)",
        "AssignedClientId(\"device-1\")",
        "SharedAvailable(false)",
        "SubscriptionIdAvailable(false)",
        "ServerKeepAlive(3600)",
    ] {
        assert!(heard[0].properties.contains(words), "{words}: {heard:?}");
    }
}

#[test]
fn a_login_is_whole_at_any_cut_and_may_be_followed_at_once() {
    let (mut world, token, _) = mqtt_world();
    let mut bytes = MqttLogin::new(Level::V4).bytes(token.expose());
    bytes.extend_from_slice(b"\x30\x0b\0\x08ds/Speed7");
    for byte in [1, 7] {
        let mut script = MqttScript::connect(&mut world, Level::V4);
        for piece in bytes.chunks(byte) {
            world.send(script.conn, piece);
            world.run_ms(1);
        }
        assert_eq!(script.hear(&mut world)[0].kind, "CONNACK");
        assert_eq!(world.value(1, 0).as_deref(), Some("7"));
    }
}

#[test]
fn wrong_logins_hear_why_once_and_for_all() {
    let (mut world, token, _) = mqtt_world();
    let unknown = Token::from_random(&[9; 24]);
    for (level, user, token, code, end) in [
        (Level::V4, "device", &unknown, 4, End::TokenUnknown),
        (Level::V5, "device", &unknown, 0x86, End::TokenUnknown),
        (Level::V4, "admin", &token, 4, End::MqttLogin),
        (Level::V5, "admin", &token, 0x86, End::MqttLogin),
    ] {
        let before = world.ends.len();
        let mut script = MqttScript::connect(&mut world, level);
        let heard = script.log_in(&mut world, &MqttLogin { user, ..MqttLogin::new(level) }, token);
        assert_eq!((heard.len(), heard[0].kind, heard[0].code), (1, "CONNACK", code));
        if level == Level::V5 {
            assert!(heard[0].properties.contains(&end.to_string()), "{heard:?}");
        }
        world.run_ms(1_500);
        assert!(script.is_over(&mut world));
        assert_eq!(ends(&world)[before..], [end]);
    }
}

#[test]
fn silence_before_the_login_ends_at_its_deadline() {
    let (mut world, ..) = mqtt_world();
    let mut script = MqttScript::connect(&mut world, Level::V4);
    world.send(script.conn, b"\x10\x36\0\x04MQTT");
    world.run_ms(5_500);
    assert!(script.is_over(&mut world));
    assert_eq!(ends(&world), [End::LoginTimeout]);
}

#[test]
fn a_client_has_32_filters_and_hears_that_there_are_no_more() {
    for (level, refused) in [(Level::V4, 0x80), (Level::V5, 0x97)] {
        let (mut world, token, _) = mqtt_world();
        let mut script = MqttScript::login(&mut world, &MqttLogin::new(level), &token);
        for n in 0..32 {
            assert_eq!(script.subscribe(&mut world, &format!("downlink/ds/a{n}"), 1), 1, "filter {n}");
            // Each is a message of the quota.
            world.run_ms(20);
        }
        assert_eq!(script.subscribe(&mut world, "downlink/ds/one more", 0), refused);
        assert_eq!(script.subscribe(&mut world, "downlink/ds/a7", 0), 0, "one that it has may change");
    }
}

#[test]
fn silence_of_one_and_a_half_keep_alives_ends_it() {
    for (level, last) in [(Level::V4, None), (Level::V5, Some(0x8d))] {
        let (mut world, token, _) = mqtt_world();
        let login = MqttLogin { keep_alive_s: 10, ..MqttLogin::new(level) };
        let mut script = MqttScript::login(&mut world, &login, &token);
        world.run_ms(14_000);
        assert!(script.hear(&mut world).is_empty() && !script.is_over(&mut world));
        world.run_ms(2_000);
        let heard = script.hear(&mut world);
        assert_eq!(heard.first().map(|it| (it.kind, it.code)), last.map(|code| ("DISCONNECT", code)), "{heard:?}");
        assert!(script.is_over(&mut world));
        assert_eq!(ends(&world), [End::HeartbeatMissed]);
    }
}

#[test]
fn a_template_that_requires_tls_refuses_plain_logins() {
    for (level, code) in [(Level::V4, 5), (Level::V5, 0x87)] {
        let (mut world, token, _) = mqtt_world();
        world.add_template(&template(true));
        let mut script = MqttScript::connect(&mut world, level);
        let heard = script.log_in(&mut world, &MqttLogin::new(level), &token);
        assert_eq!((heard[0].kind, heard[0].code), ("CONNACK", code));
        world.run_ms(1_500);
        assert_eq!(ends(&world), [End::TlsRequired]);
    }
}

#[test]
fn the_newest_login_wins_on_either_wire() {
    let (mut world, token, _) = mqtt_world();
    let mut older = MqttScript::login(&mut world, &MqttLogin::new(Level::V5), &token);
    let mut blynk = Script::login(&mut world, &token);
    let heard = older.hear(&mut world);
    assert_eq!((heard[0].kind, heard[0].code), ("DISCONNECT", 0x8e));
    assert!(heard[0].properties.contains("E0304"), "{heard:?}");
    assert!(older.is_over(&mut world));
    let mut newer = MqttScript::login(&mut world, &MqttLogin::new(Level::V4), &token);
    assert!(is_over(&mut world, &mut blynk));
    assert_eq!(ends(&world), [End::TakenOver, End::TakenOver]);
    assert_eq!(newer.confirm(&mut world, "ds/Speed", "5"), 0);
}

#[test]
fn a_fight_for_one_token_is_slowed_without_an_answer() {
    let (mut world, token, _) = mqtt_world();
    let mut refused = 0;
    for _ in 0..30 {
        let mut script = MqttScript::connect(&mut world, Level::V4);
        let heard = script.log_in(&mut world, &MqttLogin::new(Level::V4), &token);
        if heard.is_empty() {
            assert!(script.is_over(&mut world), "closed without CONNACK, so that the client comes back");
            refused += 1;
        }
    }
    assert!(refused >= 15, "{refused} were refused");
    assert!(ends(&world).contains(&End::TakeoverTooOften));
}

#[test]
fn many_devices_find_their_homes() {
    let mut world = World::new(&WorldOptions { shards: 4, ..WorldOptions::default() });
    let tokens: Vec<_> = (1..=40).map(|id| world.add_device(id, None)).collect();
    let mut scripts: Vec<_> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let login = MqttLogin { will: Some(("ds/V2", "gone", 0)), ..MqttLogin::new(BOTH[at % 2]) };
        let mut script = MqttScript::login(&mut world, &login, token);
        assert_eq!(script.subscribe(&mut world, "downlink/ds/V1", 1), 1);
        assert_eq!(script.confirm(&mut world, "ds/V1", &at.to_string()), 0);
        scripts.push(script);
    }
    for (at, script) in scripts.iter().enumerate() {
        assert_eq!(world.value(at as u32 + 1, 1), Some(at.to_string()));
        world.abort(script.conn);
    }
    world.run_ms(100);
    for id in 1..=40 {
        assert_eq!(world.value(id, 2).as_deref(), Some("gone"), "the will of {id} moved with it");
    }
}

#[test]
fn keep_alive_counts_one_and_a_half_times() {
    for level in BOTH {
        let (mut world, token, _) = mqtt_world();
        let login = MqttLogin { keep_alive_s: 10, ..MqttLogin::new(level) };
        let mut script = MqttScript::login(&mut world, &login, &token);
        world.run_ms(14_500);
        assert!(ends(&world).is_empty());
        world.run_ms(1_000);
        assert_eq!(ends(&world), [End::HeartbeatMissed]);
        let heard = script.hear(&mut world);
        assert_eq!(heard.iter().any(|it| it.kind == "DISCONNECT" && it.code == 0x8d), level == Level::V5, "{heard:?}");
    }
}

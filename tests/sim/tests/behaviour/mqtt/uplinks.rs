//! What devices publish.

use super::*;

#[test]
fn a_value_by_name_is_what_it_is_by_pin() {
    for level in BOTH {
        let (mut world, token, plain) = mqtt_world();
        let mut script = MqttScript::login(&mut world, &MqttLogin::new(level), &token);
        assert_eq!(script.confirm(&mut world, "ds/Speed", "42"), 0);
        assert_eq!(world.value(1, 0).as_deref(), Some("42"));
        assert_eq!(script.confirm(&mut world, "ds/Rpm", "43"), 0);
        assert_eq!(world.value(1, 0).as_deref(), Some("43"), "the old name leads there too");
        script.publish(&mut world, 0, "ds/Message", b"a\0b");
        world.run_ms(50);
        assert_eq!(world.value(1, 1).as_deref(), Some("a\0b"));
        let mut pins = MqttScript::login(&mut world, &MqttLogin::new(level), &plain);
        assert_eq!(pins.confirm(&mut world, "ds/V7", "x"), 0);
        assert_eq!(world.value(2, 7).as_deref(), Some("x"));
    }
}

#[test]
fn what_is_not_taken_has_a_reason_or_a_diag() {
    let (mut world, token, _) = mqtt_world();
    let mut five = MqttScript::login(&mut world, &MqttLogin::new(Level::V5), &token);
    for (topic, payload, reason, code) in [
        ("ds/Speed", "1.5", 0x99, "E0803"),
        ("ds/Speed", "fast", 0x99, "E0803"),
        ("ds/Speed", "", 0x99, "E0803"),
        ("ds/Nothing", "1", 0x90, "E0802"),
        ("ds/V0", "1", 0x90, "E0802"),
        ("home/door", "open", 0x90, "E0801"),
        ("event/cold", "", 0x90, "E0806"),
        ("batch_ds", "no json", 0x99, "E0807"),
        ("batch_ds", r#"{"Speed":1,"Nothing":2}"#, 0x90, "E0802"),
        ("ds/Speed/timestamped_batch", "[[1,2]]", 0x99, "E0803"),
        ("ds/Speed/prop/colour", "x", 0x99, "E0803"),
        ("get/loc/all", "", 0x83, "E0806"),
        ("get/ds", "Speed,Message", 0, ""),
        ("get/ds", "", 0x99, "E0807"),
        ("tele/pump/SENSOR", "{}", 0x99, "E0807"),
    ] {
        let id = five.publish(&mut world, 1, topic, payload.as_bytes());
        let heard = five.hear(&mut world);
        let puback = heard.iter().find(|it| it.kind == "PUBACK" && it.id == id).expect("an answer");
        assert_eq!(puback.code, reason, "{topic} {payload}: {heard:?}");
        assert!(puback.properties.contains(code), "{topic}: {puback:?}");
        assert!(heard.iter().all(|it| it.kind != "PUBLISH"), "no diag besides: {heard:?}");
    }
    assert_eq!(world.value(1, 0), None, "none of it was written, not even half of a batch");
}

#[test]
fn older_clients_and_qos_0_hear_of_it_once_a_second() {
    for (level, qos) in [(Level::V4, 0), (Level::V4, 1), (Level::V5, 0)] {
        let (mut world, token, _) = mqtt_world();
        let mut script = MqttScript::login(&mut world, &MqttLogin::new(level), &token);
        for _ in 0..5 {
            script.publish(&mut world, qos, "ds/Speed", b"fast");
        }
        let heard = script.hear(&mut world);
        assert_eq!(heard.iter().filter(|it| it.kind == "PUBACK" && it.code == 0).count(), if qos == 1 { 5 } else { 0 });
        let diags: Vec<_> = heard.iter().filter(|it| it.topic == "downlink/diag").collect();
        assert_eq!(diags.len(), 1, "{heard:?}");
        for words in ["E0803", "a whole number", "V0"] {
            assert!(diags[0].payload.contains(words), "{words}: {diags:?}");
        }
        world.run_ms(1_100);
        assert!(diag(&script.ask(&mut world, "ds/Nothing", "1")).starts_with("E0802"));
    }
}

#[test]
fn batches_have_one_time_and_are_whole() {
    let (mut world, token, _) = mqtt_world();
    let mut script = MqttScript::login(&mut world, &MqttLogin::new(Level::V4), &token);
    script.publish(&mut world, 0, "batch_ds", br#"{"Speed":12,"Message":"hi","Set Point":-2.5}"#);
    world.run_ms(50);
    let view = world.view(1);
    let values: Vec<_> = view.values.iter().map(|(_, value, _)| String::from_utf8_lossy(value).into_owned()).collect();
    assert_eq!(values, ["12", "hi", "-2.5"]);
    assert!(view.values.windows(2).all(|pair| pair[0].2 == pair[1].2));
}

#[test]
fn points_of_other_times_do_not_go_back() {
    let (mut world, token, _) = mqtt_world();
    let mut script = MqttScript::login(&mut world, &MqttLogin::new(Level::V5), &token);
    let now = world.wall_ms();
    let text = format!("[[{},1],[{},3],[{},2]]", now - 9_000, now - 1_000, now - 5_000);
    assert_eq!(script.confirm(&mut world, "ds/Speed/timestamped_batch", &text), 0);
    assert_eq!(world.value(1, 0).as_deref(), Some("3"));
    assert_eq!(script.confirm(&mut world, "ds/Speed", "4"), 0);
    assert_eq!(script.confirm(&mut world, "ds/Speed/timestamped_batch", &format!("[[{},9]]", now - 2_000)), 0);
    assert_eq!(world.value(1, 0).as_deref(), Some("4"));
}

#[test]
fn properties_events_and_metadata() {
    let (mut world, token, _) = mqtt_world();
    let mut script = subscribed(&mut world, Level::V5, &token);
    for (topic, payload) in [
        ("ds/Speed/prop/color", "#ff0000"),
        ("ds/Speed/prop/label", "rpm"),
        ("ds/Speed/prop/label/erase", ""),
        ("event/hot", "it burns"),
        ("meta/Hotspot Name", "shed"),
        ("meta/Serial Number", "7"),
    ] {
        assert_eq!(script.confirm(&mut world, topic, payload), 0, "{topic}");
    }
    let view = world.view(1);
    let names: Vec<_> = view.properties.iter().map(|it| &*it.1).collect();
    assert_eq!(names, ["color"]);
    assert_eq!((&*view.events[0].0, &*view.events[0].1), ("hot", "it burns"));
    let got = script.ask(&mut world, "get/meta", "Serial Number,Hotspot Name");
    assert_eq!(got, [message("downlink/meta/Serial Number", "7"), message("downlink/meta/Hotspot Name", "shed")]);
}

#[test]
fn erased_values_are_gone_here_and_in_the_store() {
    let (mut world, token, _) = mqtt_world();
    let mut script = subscribed(&mut world, Level::V5, &token);
    assert_eq!(script.confirm(&mut world, "ds/Message", "x"), 0);
    assert_eq!(script.confirm(&mut world, "ds/Message/erase", ""), 0);
    assert_eq!(world.value(1, 1), None);
    assert!(script.ask(&mut world, "get/ds", "Message").is_empty());
    // The store has an empty value, which is none when it comes back.
    let restored = linchpin_shard::Restored {
        values: vec![(Pin::new_virtual(1), b"old".as_slice().into(), linchpin_protocol::model::UnixMillis(5))],
        ..linchpin_shard::Restored::default()
    };
    world.restore(2, restored);
    assert_eq!(world.value(2, 1).as_deref(), Some("old"));
    let erased = linchpin_shard::Restored {
        values: vec![(Pin::new_virtual(1), b"".as_slice().into(), linchpin_protocol::model::UnixMillis(6))],
        ..linchpin_shard::Restored::default()
    };
    world.restore(2, erased);
    assert_eq!(world.value(2, 1), None);
}

#[test]
fn topics_of_its_own_are_mapped_by_the_template() {
    let (mut world, token, plain) = mqtt_world();
    let mut script = MqttScript::login(&mut world, &MqttLogin::new(Level::V5), &token);
    let payload = r#"{"motor":{"rpm":33},"note":"ok","else":1}"#;
    assert_eq!(script.confirm(&mut world, "tele/pump/SENSOR", payload), 0);
    assert_eq!((world.value(1, 0).as_deref(), world.value(1, 1).as_deref()), (Some("33"), Some("ok")));
    assert_eq!(script.confirm(&mut world, "raw", "not json"), 0);
    assert_eq!(world.value(1, 1).as_deref(), Some("not json"));
    assert_eq!(script.confirm(&mut world, "tele/pump/SENSOR", r#"{"motor":{"rpm":"x"}}"#), 0x99);
    let mut other = MqttScript::login(&mut world, &MqttLogin::new(Level::V5), &plain);
    assert_eq!(other.confirm(&mut world, "raw", "x"), 0x90, "another template's map is nobody else's");
}

#[test]
fn firmware_introduces_itself_and_says_how_much_it_holds() {
    let (mut world, token, _) = mqtt_world();
    let mut script = subscribed(&mut world, Level::V4, &token);
    let text = r#"{"tmpl":"TMPLmqtt","ver":"1.2.3","build":"Nov 29 2026","type":"TMPLmqtt","rxbuff":64}"#;
    script.publish(&mut world, 0, "info/mcu", text.as_bytes());
    world.run_ms(50);
    let pairs = world.view(1).firmware;
    assert!(pairs.iter().any(|(key, value)| (&**key, &**value) == ("fw", "1.2.3")), "{pairs:?}");
    operator_writes(&mut world, 1, 1, b"short");
    assert_eq!(script.messages(&mut world), [message("downlink/ds/Message", "short")]);
    operator_writes(&mut world, 1, 1, &[b'x'; 80]);
    assert!(script.messages(&mut world).is_empty(), "what does not fit is left out, not cut");
    assert_eq!(world.value(1, 1).map(|value| value.len()), Some(80));
}

#[test]
fn firmware_of_another_template_is_turned_away() {
    let (mut world, token, _) = mqtt_world();
    let mut script = MqttScript::login(&mut world, &MqttLogin::new(Level::V5), &token);
    script.publish(&mut world, 0, "info/mcu", br#"{"tmpl":"TMPLother"}"#);
    let heard = script.hear(&mut world);
    assert!(heard.iter().any(|it| it.topic == "downlink/diag"), "{heard:?}");
    assert!(heard.iter().any(|it| it.kind == "DISCONNECT" && it.code == 0x87), "{heard:?}");
    assert_eq!(ends(&world), [linchpin_shard::End::TemplateMismatch]);
}

#[test]
fn the_quota_counts_messages_and_a_flood_ends() {
    let (mut world, token, _) = mqtt_world();
    let mut script = MqttScript::login(&mut world, &MqttLogin::new(Level::V5), &token);
    for _ in 0..120 {
        script.publish(&mut world, 1, "ds/Speed", b"1");
    }
    let heard = script.hear(&mut world);
    let over = heard.iter().filter(|it| it.kind == "PUBACK" && it.code == 0x97).count();
    assert!((10..=20).contains(&over), "{over} were over the quota");
    for _ in 0..400 {
        script.publish(&mut world, 0, "ds/Speed", b"1");
    }
    let heard = script.hear(&mut world);
    assert!(heard.iter().any(|it| it.kind == "DISCONNECT" && it.code == 0x96), "{heard:?}");
    assert_eq!(ends(&world), [linchpin_shard::End::Flood]);
}

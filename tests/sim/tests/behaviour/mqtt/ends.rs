//! How connections end, and what is said before.

use linchpin_shard::{Command, End};

use super::*;

#[test]
fn a_drain_says_so_and_sends_elsewhere() {
    for level in BOTH {
        let (mut world, token, plain) = mqtt_world();
        let mut script = subscribed(&mut world, level, &token);
        let mut silent = MqttScript::login(&mut world, &MqttLogin::new(level), &plain);
        world.order_all(|| Command::Drain { redirect: Some(("other.example".into(), 1883)), per_second: 1_000 });
        world.run_ms(2_000);
        for script in [&mut script, &mut silent] {
            let heard = script.hear(&mut world);
            assert_eq!(
                (heard[0].topic.as_str(), heard[0].payload.as_str()),
                ("downlink/redirect", "mqtt://other.example:1883")
            );
            assert_eq!(heard.get(1).map(|it| it.code), (level == Level::V5).then_some(0x9d));
        }
        assert_eq!(ends(&world), [End::Redirected; 2]);
        let (mut world, token, _) = mqtt_world();
        let mut script = MqttScript::login(&mut world, &MqttLogin::new(level), &token);
        world.order_all(|| Command::Drain { redirect: None, per_second: 1_000 });
        world.run_ms(500);
        let heard = script.hear(&mut world);
        assert_eq!(heard.first().map(|it| (it.kind, it.code)), (level == Level::V5).then_some(("DISCONNECT", 0x8b)));
        assert!(MqttScript::connect(&mut world, level).is_over(&mut world), "and nobody comes in");
    }
}

#[test]
fn a_device_that_is_removed_hears_it() {
    let (mut world, token, _) = mqtt_world();
    let mut script = MqttScript::login(&mut world, &MqttLogin::new(Level::V5), &token);
    world.ask(1, |request, device| Command::RemoveDevice { request, device });
    let heard = script.hear(&mut world);
    assert_eq!((heard[0].kind, heard[0].code), ("DISCONNECT", 0x87));
    assert_eq!(ends(&world), [End::DeviceRemoved]);
}

#[test]
fn the_diary_names_what_was_wrong() {
    for (bytes, end) in [
        (&b"\x10\x0c\0\x04HTTP"[..], End::MqttMalformed),
        (b"\x10\x10\0\x06MQIsdp\x03\x02\0\x3c\0\x02ab", End::MqttVersion),
        (b"\x10\x0c\0\x04MQTT\x04\0\0\x3c\0\0", End::MqttClientId),
        (b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a", End::MqttLogin),
        (b"\x10\xff\xff\x03", End::MqttMalformed),
    ] {
        let (mut world, ..) = mqtt_world();
        let conn = world.connect([127, 0, 0, 1]);
        world.send(conn, bytes);
        world.run_ms(2_000);
        assert_eq!(ends(&world), [end], "{}", bytes.escape_ascii());
    }
}

//! INFO: what a firmware says of itself.

use linchpin_shard::End;
use linchpin_sim::script::command;

use super::*;

#[test]
fn pairs_may_come_in_any_order_and_with_mcu_first() {
    let (mut world, token) = world();
    let mut script = Script::login(&mut world, &token);
    let body =
        b"mcu\x001.2.3\0fw-type\0TMPLx\0build\0today\0blynk\x001.4.0\0h-beat\x0045\0buff-in\x00256\0dev\0ESP32\0";
    script.refused(&mut world, command::INTERNAL, body, 200);
    let firmware = world.view(1).firmware;
    let get = |key: &str| firmware.iter().find(|pair| *pair.0 == *key).map(|pair| &*pair.1);
    assert_eq!((get("mcu"), get("dev"), get("buff-in")), (Some("1.2.3"), Some("ESP32"), Some("256")));
}

#[test]
fn another_template_than_the_devices_is_refused_with_9() {
    let (mut world, token) = world_with_template();
    let mut script = Script::login(&mut world, &token);
    let id = script.ask(&mut world, command::INTERNAL, b"ver\x001.4.0\0tmpl\0TMPLother");
    script.expect_status(&mut world, id, 9);
    world.run_ms(1_200);
    assert!(world.is_over(script.conn));
    assert_eq!(ends(&world), [End::TemplateMismatch]);

    let mut script = Script::login(&mut world, &token);
    script.refused(&mut world, command::INTERNAL, b"ver\x001.4.0\0tmpl\0TMPLtest", 200);
    script.expect_alive(&mut world);
}

#[test]
fn a_device_without_a_template_may_name_any() {
    let (mut world, token) = world();
    let mut script = Script::login(&mut world, &token);
    script.refused(&mut world, command::INTERNAL, b"ver\x001.4.0\0tmpl\0TMPLother", 200);
    script.expect_alive(&mut world);
}

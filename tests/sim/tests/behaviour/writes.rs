//! HARDWARE from a device.

use linchpin_sim::script::command;

use super::*;

#[test]
fn a_write_is_kept_and_not_answered() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    for (body, pin, value) in [
        (&b"vw\x001\x0042"[..], 1, "42"),
        (b"vw\x002\x002.500", 2, "2.500"),
        (b"vw\x003\0a\0b\x00c", 3, "a\0b\0c"),
        (b"vw\x00255\0last", 255, "last"),
    ] {
        script.ask(&mut world, command::HARDWARE, body);
        assert_eq!(world.value(1, pin).as_deref(), Some(value));
    }
    script.expect_nothing(&mut world);
    script.expect_alive(&mut world);
}

#[test]
fn bodies_of_the_wrong_shape_are_answered_with_2() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    for body in [&b""[..], b"vw", b"vw\x001", b"vw\x004\0", b"vw\x00256\x001", b"vw\0x\x001", b"aw 1 ", b"vw\0-1\x001"]
    {
        script.refused(&mut world, command::HARDWARE, body, 2);
    }
    script.expect_alive(&mut world);
}

#[test]
fn a_template_decides_what_is_written() {
    let (mut world, token) = world_with_template();
    let mut script = Script::introduced(&mut world, &token);
    script.ask(&mut world, command::HARDWARE, b"vw\x000\x00100");
    script.expect_nothing(&mut world);
    for body in [&b"vw\x000\x0099.5"[..], b"vw\x000\0warm", b"vw\x007\x001"] {
        script.refused(&mut world, command::HARDWARE, body, 11);
    }
    assert_eq!(world.value(1, 0).as_deref(), Some("100"));
    assert_eq!(world.value(1, 7), None);
}

#[test]
fn unknown_commands_are_refused_and_impossible_ones_end_it() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    for number in [1u8, 3, 30, 41, 55, 63, 99] {
        script.refused(&mut world, number, b"x", 2);
    }
    script.send(&mut world, 100, b"");
    world.run_ms(50);
    assert!(is_over(&mut world, &mut script));
    assert_eq!(ends(&world), [linchpin_shard::End::UnknownCommand]);
}

#[test]
fn a_body_that_is_too_long_is_refused_from_its_header() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    world.send(script.conn, &[command::HARDWARE, 0, 9, 0x80, 0x01]);
    world.run_ms(50);
    assert!(is_over(&mut world, &mut script));
    assert_eq!(ends(&world), [linchpin_shard::End::FrameTooLarge]);
}

//! HARDWARE_SYNC: stored values come back, with the id of the question.

use linchpin_sim::script::command;

use super::*;

#[test]
fn all_values_or_those_asked_for() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    for body in [&b"vw\x005\0five"[..], b"vw\x001\0one\0more", b"dw\x003\x001"] {
        script.ask(&mut world, command::HARDWARE, body);
    }
    let id = script.ask(&mut world, command::SYNC, b"");
    let expected = [hardware(id, b"vw\x001\0one\0more"), hardware(id, b"vw\x005\0five"), hardware(id, b"dw\x003\x001")];
    assert_eq!(script.receive_all(&mut world), expected);
    let id = script.ask(&mut world, command::SYNC, b"vr\x005\x009\x001");
    assert_eq!(script.receive_all(&mut world), [hardware(id, b"vw\x005\0five"), hardware(id, b"vw\x001\0one\0more")]);
}

#[test]
fn a_pin_without_a_value_is_silence() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    script.ask(&mut world, command::SYNC, b"vr\x0077");
    script.ask(&mut world, command::SYNC, b"");
    script.expect_nothing(&mut world);
}

#[test]
fn malformed_questions_are_answered_with_2() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    for body in [&b"vr"[..], b"vr\0x", b"vr\x00256", b"xx\x001", b"v"] {
        script.refused(&mut world, command::SYNC, body, 2);
    }
}

#[test]
fn a_template_syncs_what_is_flagged_and_all_that_is_asked_for_by_pin() {
    let (mut world, token) = world_with_template();
    let mut script = Script::introduced(&mut world, &token);
    script.ask(&mut world, command::HARDWARE, b"vw\x000\x007");
    script.ask(&mut world, command::HARDWARE, b"vw\x001\0text");
    let id = script.ask(&mut world, command::SYNC, b"");
    assert_eq!(script.receive_all(&mut world), [hardware(id, b"vw\x001\0text")]);
    let id = script.ask(&mut world, command::SYNC, b"vr\x000");
    assert_eq!(script.receive_all(&mut world), [hardware(id, b"vw\x000\x007")]);
}

#[test]
fn values_are_there_for_the_next_connection() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    script.ask(&mut world, command::HARDWARE, b"vw\x001\0kept");
    world.close(script.conn);
    world.run_ms(100);
    assert!(matches!(operator_writes(&mut world, 1, 2, b"while away"), linchpin_shard::Report::Offline));
    let mut script = Script::introduced(&mut world, &token);
    let id = script.ask(&mut world, command::SYNC, b"vr\x001\x002");
    assert_eq!(script.receive_all(&mut world), [hardware(id, b"vw\x001\0kept"), hardware(id, b"vw\x002\0while away")]);
}

//! Logging in, and not.

use linchpin_protocol::model::Token;
use linchpin_shard::End;
use linchpin_sim::script::{command, frame};

use super::*;

#[test]
fn both_login_commands_are_taken_with_any_id() {
    let (mut world, token) = world();
    for (login, id) in [(command::LOGIN, 1), (command::LOGIN_OLD, 1), (command::LOGIN, 0), (command::LOGIN, 4_711)] {
        let mut script = Script::connect(&mut world);
        world.send(script.conn, &frame(login, id, token.expose().as_bytes()));
        world.run_ms(100);
        let got = script.receive(&mut world).expect("an answer");
        assert_eq!((got.command, got.status), (0, 200));
    }
}

#[test]
fn a_login_may_come_byte_by_byte() {
    let (mut world, token) = world();
    let mut script = Script::connect(&mut world);
    for byte in frame(command::LOGIN, 1, token.expose().as_bytes()) {
        world.send(script.conn, &[byte]);
        world.run_ms(3);
    }
    world.run_ms(50);
    script.expect_status(&mut world, 1, 200);
}

#[test]
fn what_follows_a_login_in_the_same_segment_is_not_lost() {
    // Several devices: some live on the other shard, so that the bytes travel with the connection.
    for device in 1..=8 {
        let mut world = World::new(&WorldOptions::default());
        let token = world.add_device(device, None);
        let mut script = Script::connect(&mut world);
        let mut bytes = frame(command::LOGIN, 1, token.expose().as_bytes());
        bytes.extend(frame(command::HARDWARE, 2, b"vw\x003\0right behind"));
        bytes.extend(frame(command::PING, 3, b""));
        world.send(script.conn, &bytes);
        world.run_ms(100);
        script.expect_status(&mut world, 1, 200);
        script.expect_status(&mut world, 3, 200);
        assert_eq!(world.value(device, 3).as_deref(), Some("right behind"));
    }
}

#[test]
fn an_unknown_token_is_told_and_closed_a_second_later() {
    let (mut world, _) = world();
    let mut script = Script::connect(&mut world);
    let id = script.ask(&mut world, command::LOGIN, Token::from_random(&[9; 24]).expose().as_bytes());
    script.expect_status(&mut world, id, 9);
    assert!(!world.is_over(script.conn), "the client has time to read it");
    world.run_ms(1_200);
    assert!(world.is_over(script.conn));
    assert_eq!(ends(&world), [End::TokenUnknown]);
}

#[test]
fn a_token_of_another_shape_is_told_too() {
    for body in [&b"short"[..], b"", b"abcdefghijklmnopqrstuvwxyz01234!", b"abcdefghijklmnop\0qrstuvwxyz01234"] {
        let (mut world, _) = world();
        let mut script = Script::connect(&mut world);
        let id = script.ask(&mut world, command::LOGIN, body);
        script.expect_status(&mut world, id, 9);
        world.run_ms(1_200);
        assert_eq!(ends(&world), [End::TokenShape]);
    }
}

#[test]
fn a_second_login_is_answered_with_4_and_changes_nothing() {
    let (mut world, token) = world();
    let mut script = Script::login(&mut world, &token);
    script.refused(&mut world, command::LOGIN, token.expose().as_bytes(), 4);
    script.expect_alive(&mut world);
}

#[test]
fn a_command_before_the_login_ends_it_without_a_word() {
    let (mut world, _) = world();
    let mut script = Script::connect(&mut world);
    script.send(&mut world, command::HARDWARE, b"vw\x001\x001");
    world.run_ms(50);
    script.expect_nothing(&mut world);
    assert!(world.is_over(script.conn));
    assert_eq!(ends(&world), [End::CommandBeforeLogin]);
}

#[test]
fn half_a_login_is_closed_after_five_seconds() {
    let (mut world, token) = world();
    let mut script = Script::connect(&mut world);
    world.send(script.conn, &frame(command::LOGIN, 1, token.expose().as_bytes())[..20]);
    world.run_ms(4_900);
    assert!(!world.is_over(script.conn));
    world.run_ms(400);
    assert!(is_over(&mut world, &mut script));
    assert_eq!(ends(&world), [End::LoginTimeout]);
    world.run_ms(1_000);
    world.expect_empty();
}

#[test]
fn more_than_a_login_needs_is_refused_from_its_header() {
    let (mut world, _) = world();
    let script = Script::connect(&mut world);
    world.send(script.conn, &[command::LOGIN, 0, 1, 0xff, 0xff]);
    world.run_ms(50);
    assert!(world.is_over(script.conn));
    assert_eq!(ends(&world), [End::LoginTooLong]);
}

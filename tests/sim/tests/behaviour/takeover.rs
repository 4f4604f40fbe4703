//! The newest login wins.

use linchpin_shard::End;
use linchpin_sim::script::command;

use super::*;

#[test]
fn the_old_session_ends_before_the_new_one_is_answered() {
    let (mut world, token) = world();
    let mut old = Script::login(&mut world, &token);
    let mut new = Script::login(&mut world, &token);
    assert_eq!(ends(&world), [End::TakenOver]);
    assert!(is_over(&mut world, &mut old));
    new.expect_alive(&mut world);
    // What the old one still sends reaches nobody.
    world.send(old.conn, &linchpin_sim::script::frame(command::HARDWARE, 9, b"vw\x001\0late"));
    world.run_ms(50);
    assert_eq!(world.value(1, 1), None);
}

#[test]
fn two_that_fight_for_one_token_do_so_slowly() {
    let (mut world, token) = world();
    let mut refused = 0;
    for _ in 0..30 {
        let mut script = Script::connect(&mut world);
        let id = script.ask(&mut world, command::LOGIN, token.expose().as_bytes());
        match script.receive(&mut world) {
            Some(frame) if frame == answer(id, 200) => {}
            Some(frame) => {
                assert_eq!(frame, answer(id, 1));
                refused += 1;
            }
            None => panic!("no answer"),
        }
    }
    assert!(refused >= 15, "30 logins within 1.5 s: {refused} were refused");
    world.run_ms(15_000);
    assert!(ends(&world).contains(&End::TakeoverTooOften));
    Script::login(&mut world, &token).expect_alive(&mut world);
}

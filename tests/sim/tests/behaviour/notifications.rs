//! Notification commands on a server without such a channel: body errors first, then e-mail 6 and the others 14.

use linchpin_sim::script::command;

use super::*;

#[test]
fn bodies_are_checked_before_the_channel_is_missed() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    for (number, body, status) in [
        (command::EMAIL, &b"a@b.c\0subject\0body"[..], 6),
        (command::EMAIL, b"subject\0body", 6),
        (command::EMAIL, b"only one", 2),
        (command::PUSH, b"text", 14),
        (command::PUSH, b"", 13),
        (command::TWEET, b"text", 14),
        (command::TWEET, b"", 13),
        (command::SMS, b"text", 14),
        (command::SMS, b"", 13),
    ] {
        script.refused(&mut world, number, body, status);
    }
    script.refused(&mut world, command::PUSH, "x".repeat(256).as_bytes(), 13);
    script.refused(&mut world, command::SMS, "x".repeat(161).as_bytes(), 13);
    script.expect_alive(&mut world);
}

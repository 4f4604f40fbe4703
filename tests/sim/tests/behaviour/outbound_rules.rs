//! What real clients force upon the server: docs/protocol.md, "What leaves".

use linchpin_shard::{Command, Push};
use linchpin_sim::script::{command, frame};

use super::*;

/// Rule 1: a frame leaves whole, in one piece.
#[test]
fn frames_leave_whole() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    for n in 0..20u8 {
        script.ask(&mut world, command::HARDWARE, format!("vw\0{n}\0value {n}").as_bytes());
    }
    script.ask(&mut world, command::SYNC, b"");
    assert_eq!(script.receive_all(&mut world).len(), 20);
    assert_eq!(world.torn_sends, 0);
}

/// Rule 2: nothing stands behind the answers to login and INFO, and pushes wait for INFO.
#[test]
fn pushes_wait_until_info_is_answered() {
    let (mut world, token) = world();
    let mut script = Script::login(&mut world, &token);
    operator_writes(&mut world, 1, 5, b"early");
    world.run_ms(300);
    script.expect_nothing(&mut world);
    let id = script.ask(&mut world, command::INTERNAL, b"ver\x000.2.6\0h-beat\x0010");
    let got = script.receive_all(&mut world);
    assert_eq!(got[0], answer(id, 200));
    assert_eq!(got[1].body, b"vw\x005\0early");
}

/// Rule 2 for a session that logged in with command 2: it reads one frame after INFO and gives up at any other.
#[test]
fn command_2_hears_only_answers_before_info_is_answered() {
    let (mut world, token) = world();
    let mut script = Script::connect(&mut world);
    script.log_in(&mut world, command::LOGIN_OLD, &token);
    operator_writes(&mut world, 1, 5, b"early");
    operator_writes(&mut world, 1, 6, b"early too");
    world.run_ms(200);
    script.expect_nothing(&mut world);
    let ping = script.send(&mut world, command::PING, b"");
    world.run_ms(100);
    assert_eq!(script.receive_all(&mut world), [answer(ping, 200)], "answers do not wait behind pushes");
    let id = script.send(&mut world, command::INTERNAL, b"ver\x000.2.6\0h-beat\x0045");
    world.run_ms(300);
    let got = script.receive_all(&mut world);
    assert_eq!(got[0], answer(id, 200));
    let bodies: Vec<_> = got[1..].iter().map(|frame| &*frame.body).collect();
    assert_eq!(bodies, [&b"vw\x005\0early"[..], b"vw\x006\0early too"]);
}

/// The same when INFO comes before the pause after the answer to the login is over: a client on the same network.
#[test]
fn command_2_hears_the_answer_to_a_quick_info_first() {
    let (mut world, token) = world();
    let mut script = Script::connect(&mut world);
    script.send(&mut world, command::LOGIN_OLD, token.expose().as_bytes());
    world.run_ms(10);
    operator_writes(&mut world, 1, 5, b"early");
    world.run_ms(5);
    let id = script.send(&mut world, command::INTERNAL, b"ver\x000.2.6\0h-beat\x0045");
    world.run_ms(300);
    let got = script.receive_all(&mut world);
    assert_eq!(got[1], answer(id, 200), "{got:?}");
    assert_eq!(got[2].body, b"vw\x005\0early");
}

#[test]
fn command_2_waits_for_info_at_most_a_second() {
    let (mut world, token) = world();
    let mut script = Script::connect(&mut world);
    script.log_in(&mut world, command::LOGIN_OLD, &token);
    operator_writes(&mut world, 1, 5, b"early");
    world.run_ms(1_200);
    assert_eq!(script.receive(&mut world).expect("the push").body, b"vw\x005\0early");
}

#[test]
fn pushes_wait_at_most_a_second() {
    let (mut world, token) = world();
    let mut script = Script::login(&mut world, &token);
    operator_writes(&mut world, 1, 5, b"early");
    world.run_ms(1_200);
    assert_eq!(script.receive(&mut world).expect("the push").body, b"vw\x005\0early");
}

/// Rule 2: one frame a send, 50 ms apart, for a session that logged in with command 2.
#[test]
fn command_2_gets_one_frame_a_send() {
    let (mut world, token) = world();
    let mut script = Script::connect(&mut world);
    script.log_in(&mut world, command::LOGIN_OLD, &token);
    script.send(&mut world, command::INTERNAL, b"ver\x000.2.6\0buff-in\x001024\0h-beat\x0010");
    for n in 0..6 {
        script.send(&mut world, command::HARDWARE, format!("vw\0{n}\x001").as_bytes());
    }
    script.send(&mut world, command::SYNC, b"");
    script.send(&mut world, command::PING, b"");
    for _ in 0..100 {
        world.run_ms(10);
        script.receive_all(&mut world);
    }
    let times: Vec<u64> = script.segments.iter().map(|segment| segment.0).collect();
    assert_eq!(times.len(), 1 + 1 + 6 + 1, "login, INFO, six values, ping: {:?}", script.segments);
    for pair in times[1..].windows(2) {
        assert!(pair[1] - pair[0] >= 40, "two frames within {} ms", pair[1] - pair[0]);
    }
}

#[test]
fn others_get_the_frames_of_a_tick_in_one_send() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    script.segments.clear();
    let mut bytes = Vec::new();
    (0..8).for_each(|n| bytes.extend(frame(command::PING, 100 + n, b"")));
    world.send(script.conn, &bytes);
    world.run_ms(50);
    assert_eq!(script.receive_all(&mut world).len(), 8);
    assert_eq!(script.segments.len(), 1, "eight answers left in one send");
}

/// Rule 3 is in `heartbeat.rs`. Rules 4 and 5: only what every library takes, never id 0, three-letter words with their NUL.
#[test]
fn pushes_are_what_every_library_takes() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    let pushes = [
        (Push::Ota { url: "http://x/y".into() }, command::INTERNAL, &b"ota\0http://x/y"[..]),
        (Push::Reboot, command::INTERNAL, b"dbg\0reboot"),
        (Push::Debug { text: "hello".into() }, 55, b"hello"),
    ];
    for (push, number, body) in pushes {
        world.ask(1, |request, device| Command::Push { request, device, push });
        world.run_ms(20);
        let got = script.receive(&mut world).expect("the push");
        assert_eq!((got.command, got.body.as_slice()), (number, body));
        assert_ne!(got.id, 0);
    }
    // Rule 3, whatever the operator wants.
    let refused = world.ask(1, |request, device| Command::Push { request, device, push: Push::Ping });
    assert!(matches!(refused, linchpin_shard::Report::Rejected(linchpin_shard::Refused::PingsItself)), "{refused:?}");
    let refused = world.ask(1, |request, device| Command::Push { request, device, push: Push::Reconfigure });
    assert!(matches!(refused, linchpin_shard::Report::Rejected(linchpin_shard::Refused::NoSuchOrder)), "{refused:?}");
    script.expect_nothing(&mut world);
}

/// What a device's buffer cannot hold is not sent: the library would drop the connection.
#[test]
fn buff_in_is_respected() {
    let (mut world, token) = world();
    let mut script = Script::login(&mut world, &token);
    script.refused(&mut world, command::INTERNAL, b"ver\x001.0\0buff-in\x0064\0h-beat\x0010", 200);
    let long = vec![b'x'; 60];
    assert!(matches!(operator_writes(&mut world, 1, 5, &long), linchpin_shard::Report::TooLarge { buff_in: 64 }));
    operator_writes(&mut world, 1, 6, b"short");
    world.run_ms(50);
    assert_eq!(script.receive_all(&mut world).len(), 1);
    let id = script.ask(&mut world, command::SYNC, b"");
    assert_eq!(script.receive_all(&mut world), [hardware(id, b"vw\x006\0short")]);
}

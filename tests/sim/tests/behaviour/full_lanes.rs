//! Lanes between shards that are too small, and commands of control that come again because a lane was full.

use linchpin_protocol::model::TemplateId;
use linchpin_shard::{Command, End, Report, digest, limits};

use super::http::Client;
use super::*;

const DEVICES: u32 = 60;

/// Shards whose lanes hold so many letters.
fn narrow(shards: u16, lane: usize) -> (World, Vec<Token>) {
    let mut world = World::new(&WorldOptions { shards, lane, ..WorldOptions::default() });
    let tokens = (1..=DEVICES).map(|id| world.add_device(id, None)).collect();
    (world, tokens)
}

/// A login whose letter finds no room ends at once, one whose answer finds none ends in time for the library; nothing is
/// left behind.
#[test]
fn logins_through_full_lanes_end_busy_or_succeed() {
    let mut outcomes = [0, 0];
    for lane in 0..4 {
        let (mut world, tokens) = narrow(4, lane);
        let mut scripts: Vec<_> = tokens
            .iter()
            .map(|token| {
                let mut script = Script::connect(&mut world);
                script.send(&mut world, command::LOGIN, token.expose().as_bytes());
                script
            })
            .collect();
        world.run_ms(limits::HOME_TIMEOUT_MS + 500);
        let mut live = 0;
        for script in &mut scripts {
            match script.receive(&mut world) {
                Some(frame) => {
                    assert_eq!(frame, answer(1, 200), "a login is answered or ended");
                    live += 1;
                }
                None => assert!(world.is_over(script.conn), "lane of {lane}: it still waits"),
            }
        }
        assert!(ends(&world).iter().all(|end| *end == End::Busy), "{:?}", world.ends);
        assert_eq!(live + world.ends.len(), DEVICES as usize);
        outcomes = [outcomes[0] + live, outcomes[1] + world.ends.len()];
        scripts.iter().for_each(|script| world.close(script.conn));
        world.run_ms(10_000);
        world.expect_empty();
    }
    assert!(outcomes.iter().all(|count| *count > 20), "both happen: {outcomes:?}");
}

/// HTTP through a full lane is 503: the client tries again. What is answered with 200 was done.
#[test]
fn requests_through_full_lanes_are_503_or_answered() {
    let mut refused = 0;
    for lane in 0..3 {
        let (mut world, tokens) = narrow(4, lane);
        let mut clients: Vec<_> = tokens.iter().map(|_| Client::connect(&mut world)).collect();
        for (client, token) in clients.iter().zip(&tokens) {
            let path = format!("/external/api/update?token={}&v1=7", token.expose());
            client.send(&mut world, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        }
        world.run_ms(limits::HOME_TIMEOUT_MS + 500);
        for (at, client) in clients.iter_mut().enumerate() {
            let id = at as u32 + 1;
            match client.answers(&mut world).as_slice() {
                [(200, _)] => assert_eq!(world.value(id, 1).as_deref(), Some("7")),
                [(503, _)] => refused += 1,
                other => panic!("device {id} behind a lane of {lane}: {other:?}"),
            }
        }
        clients.iter().for_each(|client| client.close(&mut world));
        world.run_ms(10_000);
        world.expect_empty();
    }
    assert!(refused > 20, "only {refused} were refused");
}

/// A bridge through a full lane is refused with 19, and the device may try again.
#[test]
fn bridges_through_full_lanes_are_refused_or_work() {
    let (mut world, tokens) = narrow(2, 0);
    let own = world.shard_of(1);
    let far = (2..=DEVICES).find(|id| world.shard_of(*id) != own).expect("two shards");
    let Some(mut script) = (1..=DEVICES).zip(&tokens).find_map(|(_, token)| {
        let mut script = Script::connect(&mut world);
        script.send(&mut world, command::LOGIN, token.expose().as_bytes());
        world.run_ms(50);
        (script.receive(&mut world) == Some(answer(1, 200))).then_some(script)
    }) else {
        panic!("one of {DEVICES} needs no letter to log in")
    };
    let token = tokens[far as usize - 1];
    let body = [&b"64\0i\0"[..], token.expose().as_bytes()].concat();
    let id = script.ask(&mut world, command::BRIDGE, &body);
    let got = script.receive(&mut world).expect("an answer");
    assert!(got == answer(id, 200) || got == answer(id, 19), "{got:?}");
    let id = script.ask(&mut world, command::BRIDGE, b"64\0vw\x001\x002");
    let got = script.receive(&mut world).expect("no such bridge, no lane, or no device there");
    assert!([6, 7, 19].contains(&got.status) && got.id == id, "{got:?}");
    script.expect_alive(&mut world);
}

/// Control brings a shard to the state that it wants by saying the same again.
#[test]
fn commands_that_come_again_change_nothing() {
    let (mut world, token) = world_with_template();
    let mut script = Script::introduced(&mut world, &token);
    script.ask(&mut world, command::HARDWARE, b"vw\x001\0kept");
    script.refused(&mut world, command::PROPERTY, b"1\0label\0Pump", 200);
    let before = world.view(1);
    let template = TemplateId::parse(b"TMPLtest").expect("valid");
    for _ in 0..3 {
        assert_eq!(world.add_device(1, Some(template)).expose(), token.expose());
    }
    assert_eq!(world.view(1), before, "values, properties and the connection stay");
    script.expect_alive(&mut world);
    Script::connect(&mut world).log_in(&mut world, command::LOGIN, &token);
    assert_eq!(ends(&world), [End::TakenOver], "its token is known once more");
}

#[test]
fn a_removal_is_acknowledged_after_its_last_words_and_may_be_repeated() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    let device = world.view(1).row.id;
    let remove = |request, device| Command::RemoveDevice { request, device };
    assert!(matches!(world.ask(1, remove), Report::Done));
    assert_eq!(world.store.presence.last(), Some(&(device, Some(End::DeviceRemoved))), "the store has it first");
    for _ in 0..2 {
        assert!(matches!(world.ask(1, remove), Report::NoSuchDevice));
        world.order_all(|| Command::UnindexToken(digest(&[0; 32], &token)));
    }
    world.run_ms(100);
    assert!(is_over(&mut world, &mut script));
    world.run_ms(2_000);
    world.expect_empty();
}

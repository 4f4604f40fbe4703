//! A token that was replaced is worth nothing from the moment at which the device's home has said so, whatever was still under
//! way with it then: logins, moves, requests, writes over bridges, wills.

use linchpin_protocol::model::OrgId;
use linchpin_shard::{Command, End, Report};
use linchpin_sim::random::Random;

use super::*;

/// Devices 1 to 6; the token of device 1 is replaced.
const OTHERS: std::ops::RangeInclusive<u32> = 2..=6;

fn request(token: &Token, pin: u8, value: u64) -> Vec<u8> {
    let token = token.expose();
    format!("GET /external/api/update?token={token}&V{pin}={value} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes()
}

/// One thing that somebody with the token does; each value is written once.
fn act(world: &mut World, random: &mut Random, token: &Token, bridges: &mut [Script], value: u64) {
    let pin = random.below(4) as u8;
    match random.below(5) {
        // A login, with a write right behind it that travels along.
        0 | 1 => {
            let mut script = Script::connect(world);
            let login = if random.chance(500) { command::LOGIN } else { command::LOGIN_OLD };
            script.send(world, login, token.expose().as_bytes());
            script.send(world, command::HARDWARE, format!("vw\0{pin}\0{value}").as_bytes());
        }
        2 => {
            let conn = world.connect([127, 0, 0, 1]);
            world.send(conn, &request(token, pin, value));
        }
        3 => {
            let at = random.below(bridges.len() as u64) as usize;
            bridges[at].send(world, command::BRIDGE, [b"64\0i\0", token.expose().as_bytes()].concat().as_slice());
            bridges[at].send(world, command::BRIDGE, format!("64\0vw\0{pin}\0{value}").as_bytes());
        }
        _ => {
            let at = random.below(bridges.len() as u64) as usize;
            bridges[at].send(world, command::BRIDGE, format!("64\0vw\0{pin}\0{value}").as_bytes());
        }
    }
}

fn values(world: &mut World) -> Vec<Option<String>> {
    (0..4).map(|pin| world.value(1, pin)).collect()
}

/// Without a revocation: was something under way at the moment of the answer, which then came in?
fn run(seed: u64, revokes: bool) -> bool {
    let mut random = Random::new(seed);
    let options = WorldOptions { seed, shards: 1 + random.below(4) as u16, ..WorldOptions::default() };
    let mut world = World::new(&options);
    let old = world.add_device(1, None);
    let others: Vec<Token> = OTHERS.map(|id| world.add_device(id, None)).collect();
    let mut bridges: Vec<Script> = others.iter().map(|token| Script::login(&mut world, token)).collect();
    for bridge in &mut bridges {
        bridge.refused(&mut world, command::BRIDGE, &[b"64\0i\0", old.expose().as_bytes()].concat(), 200);
    }
    let mut value = 1;
    let mut next = || {
        value += 1;
        value
    };
    for _ in 0..random.between(3, 12) {
        act(&mut world, &mut random, &old, &mut bridges, next());
        if random.chance(300) {
            world.run_ms(random.between(1, 30));
        }
    }
    // Anywhere in between: letters, connections and requests are under way.
    if !revokes {
        let before = values(&mut world);
        world.run_ms(500);
        return values(&mut world) != before;
    }
    let report = world.ask(1, |request, device| Command::Revoke { request, device, token_epoch: 1 });
    assert!(matches!(report, Report::Done), "{report:?}");
    let at_answer = values(&mut world);
    for _ in 0..random.between(1, 6) {
        act(&mut world, &mut random, &old, &mut bridges, next());
        world.run_ms(random.below(20));
    }
    world.run_ms(500);
    assert_eq!(values(&mut world), at_answer, "seed {seed}: something was written with the old token after the answer");
    let view = world.view(1);
    assert!(!view.row.online, "seed {seed}: a connection with the old token lives on");
    let new = world.replace_token(1, &old, 2, random.below(10));
    world.run_ms(50);
    let mut device = Script::login(&mut world, &new);
    device.send(&mut world, command::HARDWARE, b"vw\x001\0new");
    world.run_ms(50);
    assert_eq!(world.value(1, 1).as_deref(), Some("new"), "seed {seed}");
    let mut late = Script::connect(&mut world);
    let id = late.ask(&mut world, command::LOGIN, old.expose().as_bytes());
    late.expect_status(&mut world, id, 9);
    true
}

#[test]
fn nothing_comes_in_with_a_token_after_its_revocation_is_answered() {
    let under_way = (0..300).filter(|seed| run(*seed, false)).count();
    assert!(under_way > 100, "{under_way} of 300: too quiet to show anything");
    assert!((0..300).all(|seed| run(seed, true)));
}

#[test]
fn the_connection_ends_and_its_code_says_why() {
    let (mut world, token) = world();
    let mut device = Script::login(&mut world, &token);
    let new = world.replace_token(1, &token, 1, 20);
    assert!(world.ends.iter().any(|(_, end)| *end == End::DeviceRemoved));
    device.expect_nothing(&mut world);
    // A revocation that is repeated, or comes too late, does nothing to the next connection.
    let _next = Script::login(&mut world, &new);
    for token_epoch in [0, 1] {
        world.ask(1, |request, device| Command::Revoke { request, device, token_epoch });
    }
    world.run_ms(50);
    assert!(world.view(1).row.online);
}

#[test]
fn bridges_lead_into_no_other_organization() {
    let mut world = World::new(&WorldOptions { shards: 3, ..WorldOptions::default() });
    let tokens: Vec<Token> = (1..=6).map(|id| world.add_device(id, None)).collect();
    let other = OrgId::new(2).expect("not zero");
    for id in 4..=6 {
        world.move_device(id, other, 0);
    }
    let _targets: Vec<_> = tokens[1..].iter().map(|token| Script::introduced(&mut world, token)).collect();
    let mut source = Script::introduced(&mut world, &tokens[0]);
    for (at, token) in tokens.iter().enumerate().skip(1) {
        source.refused(&mut world, command::BRIDGE, &[b"64\0i\0", token.expose().as_bytes()].concat(), 200);
        let status = if at < 3 { None } else { Some(6) };
        match status {
            Some(status) => source.refused(&mut world, command::BRIDGE, b"64\0vw\x005\0x", status),
            None => {
                source.ask(&mut world, command::BRIDGE, b"64\0vw\x005\0x");
                source.expect_nothing(&mut world);
            }
        }
        assert_eq!(world.value(at as u32 + 1, 5).is_some(), status.is_none(), "device {}", at + 1);
    }
}

#[test]
fn lists_hear_of_what_came_went_and_was_described() {
    let (mut world, token) = world();
    let changed = |world: &mut World| match world.ask(1, |request, _| Command::GlanceChanged { request, limit: 100 }) {
        Report::Glances { rows, is_more: false, has_lost } => (rows, has_lost),
        other => panic!("{other:?}"),
    };
    assert!(changed(&mut world).1, "before the first question nothing was noted");
    assert_eq!(changed(&mut world), (Vec::new(), false));
    let mut device = Script::login(&mut world, &token);
    device.ask(&mut world, command::INTERNAL, b"ver\x001\0h-beat\x0010\0tmpl\0TMPLx");
    let (rows, _) = changed(&mut world);
    assert_eq!(rows.len(), 1);
    assert!(rows[0].is_online && rows[0].since_s > 0 && rows[0].named == TemplateId::parse(b"TMPLx").ok());
    let fields = vec![("Room".into(), Some("Kitchen".into())), ("Nothing".into(), None)];
    let report = world.ask(1, |request, device| Command::Describe { request, device, fields });
    assert!(matches!(report, Report::Done));
    let (rows, _) = changed(&mut world);
    assert_eq!(rows[0].metadata, [("Room".into(), "Kitchen".into())]);
    world.close(device.conn);
    world.run_ms(50);
    let (rows, _) = changed(&mut world);
    assert!(!rows[0].is_online && rows[0].last_end == Some(End::PeerClosed));
    assert_eq!(changed(&mut world), (Vec::new(), false));
}

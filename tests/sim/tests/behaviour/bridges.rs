//! BRIDGE: one device writes to another, wherever it lives.

use linchpin_sim::script::command;

use super::*;

/// Devices 1 to 6, so that some pairs share a shard and some do not.
fn six() -> (World, Vec<Token>) {
    let mut world = World::new(&WorldOptions { shards: 3, ..WorldOptions::default() });
    let tokens = (1..=6).map(|id| world.add_device(id, None)).collect();
    (world, tokens)
}

fn init(token: &Token) -> Vec<u8> {
    [b"64\0i\0", token.expose().as_bytes()].concat()
}

#[test]
fn writes_reach_the_target_without_an_answer() {
    let (mut world, tokens) = six();
    let mut targets: Vec<_> = tokens[1..].iter().map(|token| Script::introduced(&mut world, token)).collect();
    let mut source = Script::introduced(&mut world, &tokens[0]);
    for (at, target) in targets.iter_mut().enumerate() {
        source.refused(&mut world, command::BRIDGE, &init(&tokens[at + 1]), 200);
        source.ask(&mut world, command::BRIDGE, b"64\0vw\x005\0hello");
        source.expect_nothing(&mut world);
        let got = target.receive(&mut world).expect("the write");
        assert_eq!((got.command, got.body.as_slice()), (command::BRIDGE, &b"vw\x005\0hello"[..]));
        assert_ne!(got.id, 0);
        assert_eq!(world.value(at as u32 + 2, 5).as_deref(), Some("hello"), "as if the target had written it");
    }
}

#[test]
fn a_write_right_behind_the_init_waits_for_it() {
    let (mut world, tokens) = six();
    let mut targets: Vec<_> = tokens[1..].iter().map(|token| Script::introduced(&mut world, token)).collect();
    let mut source = Script::introduced(&mut world, &tokens[0]);
    for (at, target) in targets.iter_mut().enumerate() {
        let id = source.send(&mut world, command::BRIDGE, &init(&tokens[at + 1]));
        for n in 0..3 {
            source.send(&mut world, command::BRIDGE, format!("64\0vw\x005\0{n}").as_bytes());
        }
        world.run_ms(50);
        assert_eq!(source.receive_all(&mut world), [answer(id, 200)]);
        let bodies: Vec<_> = target.receive_all(&mut world).into_iter().map(|frame| frame.body).collect();
        assert_eq!(bodies, [b"vw\x005\x000", b"vw\x005\x001", b"vw\x005\x002"]);
    }
}

#[test]
fn refusals_have_their_statuses() {
    let (mut world, tokens) = six();
    let mut source = Script::introduced(&mut world, &tokens[0]);
    source.refused(&mut world, command::BRIDGE, b"64\0vw\x005\x001", 6);
    source.refused(&mut world, command::BRIDGE, &init(&Token::from_random(&[200; 24])), 6);
    source.refused(&mut world, command::BRIDGE, b"64\0i\0short", 6);
    source.refused(&mut world, command::BRIDGE, b"64", 2);
    for token in &tokens[1..] {
        source.refused(&mut world, command::BRIDGE, &init(token), 200);
        source.refused(&mut world, command::BRIDGE, b"64\0vw\x005\x001", 7);
    }
}

/// The targets' template requires TLS, as at a login: whoever speaks in clear is refused, on the same shard and elsewhere.
#[test]
fn a_bridge_in_clear_does_not_reach_a_device_that_requires_tls() {
    let mut world =
        World::new(&WorldOptions { shards: 3, tls: Some(linchpin_tls::Layer::InPlace), ..WorldOptions::default() });
    let id = TemplateId::parse(b"TMPLsecure").expect("valid");
    let streams = vec![Datastream::new(Pin::new_virtual(5), "bolt", ValueKind::Text, "", true)];
    world.add_template(&Template::new(id, "Lock".into(), streams, Vec::new()).with_tls_required(true));
    let tokens: Vec<_> = (1..=6).map(|n| world.add_device(n, (n > 1).then_some(id))).collect();
    let connector = world.authority.as_ref().expect("TLS").connector(linchpin_tls::Version::Tls13, false);
    let secure = |world: &mut World, token: &Token| {
        let mut script = Script::connect_tls(world, linchpin_shard::Via::Tls, &connector).expect("a handshake");
        script.log_in(world, command::LOGIN, token);
        script.ask(world, command::INTERNAL, b"ver\x001.4.0\0buff-in\x004096");
        script.receive_all(world);
        script
    };
    let mut targets: Vec<_> = tokens[1..].iter().map(|token| secure(&mut world, token)).collect();
    let mut clear = Script::introduced(&mut world, &tokens[0]);
    for (at, target) in targets.iter_mut().enumerate() {
        clear.refused(&mut world, command::BRIDGE, &init(&tokens[at + 1]), 200);
        clear.refused(&mut world, command::BRIDGE, b"64\0vw\x005\x0066", 6);
        target.expect_nothing(&mut world);
        assert_eq!(world.value(at as u32 + 2, 5), None, "device {}", at + 2);
    }
    // The same device over TLS may.
    let mut source = secure(&mut world, &tokens[0]);
    for (at, target) in targets.iter_mut().enumerate() {
        source.refused(&mut world, command::BRIDGE, &init(&tokens[at + 1]), 200);
        source.ask(&mut world, command::BRIDGE, b"64\0vw\x005\x0077");
        source.expect_nothing(&mut world);
        assert!(target.receive(&mut world).is_some_and(|frame| frame.body == b"vw\x005\x0077"));
    }
}

/// Many senders, each within its own quota, and one target: what they write together is bounded, and the target's own
/// messages are not touched.
#[test]
fn many_bridges_to_one_device_share_a_quota() {
    let mut world = World::new(&WorldOptions { shards: 3, ..WorldOptions::default() });
    let tokens: Vec<_> = (1..=9).map(|n| world.add_device(n, None)).collect();
    let mut target = Script::introduced(&mut world, &tokens[0]);
    let mut sources: Vec<_> = tokens[1..].iter().map(|token| Script::introduced(&mut world, token)).collect();
    for source in &mut sources {
        source.refused(&mut world, command::BRIDGE, &init(&tokens[0]), 200);
    }
    world.run_ms(5_000);
    for source in &mut sources {
        for n in 0..60 {
            source.send(&mut world, command::BRIDGE, format!("64\0vw\x005\0{n}").as_bytes());
        }
    }
    world.run_ms(200);
    let refused: usize =
        sources.iter_mut().flat_map(|s| s.receive_all(&mut world)).filter(|frame| frame.status == 1).count();
    let reached = target.receive_all(&mut world).len();
    assert_eq!(reached + refused, 8 * 60);
    assert!((100..=130).contains(&reached), "{reached} of 480 reached it: the burst is 100, 50 a second");
    for n in 0..90u8 {
        target.send(&mut world, command::HARDWARE, format!("vw\0{n}\x001").as_bytes());
    }
    world.run_ms(200);
    target.expect_nothing(&mut world);
    assert_eq!(world.value(1, 89).as_deref(), Some("1"), "its own messages still pass");
}

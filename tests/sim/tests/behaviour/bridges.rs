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

//! No record is ever sealed with a key and a nonce that another one had, over upgrades that succeed and upgrades that fail.

use std::collections::HashSet;

use linchpin_protocol::model::Pin;
use linchpin_shard::{Command, Push, Via};
use linchpin_sim::script::{Script, command};
use linchpin_sim::{Random, World, WorldOptions};
use linchpin_tls::{Layer, Version, nonces};

const SEEDS: u64 = 300;
const CLIENTS: u32 = 3;
const ROUNDS: u64 = 24;

/// A world of this seed: who says what when, when the server is replaced, and when that fails.
fn run(seed: u64) -> (usize, [usize; 2]) {
    let mut random = Random::new(seed);
    let shards = random.between(1, 3) as u16;
    let mut world = World::new(&WorldOptions { seed, shards, tls: Some(Layer::InPlace), ..WorldOptions::default() });
    let tokens: Vec<_> = (1..=CLIENTS).map(|id| world.add_device(id, None)).collect();
    nonces::record();
    let mut scripts: Vec<Script> = Vec::new();
    for token in &tokens {
        let version = if random.between(0, 1) == 0 { Version::Tls12 } else { Version::Tls13 };
        let connector = world.authority.as_ref().expect("TLS").connector(version, false);
        let mut script = Script::connect_tls(&mut world, Via::Tls, &connector).expect("a handshake");
        script.log_in(&mut world, command::LOGIN, token);
        scripts.push(script);
    }
    let mut upgrades = [0, 0];
    for round in 0..ROUNDS {
        let at = random.between(0, u64::from(CLIENTS) - 1) as usize;
        match random.between(0, 5) {
            0 => {
                let (moved, left) = world.hand_over();
                assert_eq!((moved, left), (CLIENTS as usize, 0), "seed {seed}");
                upgrades[0] += 1;
            }
            1 => {
                world.take_back();
                upgrades[1] += 1;
            }
            // The server says something by itself.
            2 => {
                let push = Push::Write { pin: Pin::new_virtual(3), value: round.to_string().into_bytes().into() };
                world.ask(at as u32 + 1, |request, device| Command::Push { request, device, push });
            }
            _ => {
                let written = scripts[at].send(&mut world, command::HARDWARE, format!("vw\x001\0{round}").as_bytes());
                let ping = scripts[at].send(&mut world, command::PING, b"");
                assert_ne!(written, ping);
            }
        }
        world.run_ms(random.between(0, 40));
    }
    world.run_ms(100);
    for script in &mut scripts {
        while script.receive(&mut world).is_some() {}
        script.expect_alive(&mut world);
    }
    let sealed = nonces::take();
    let different: HashSet<_> = sealed.iter().collect();
    assert_eq!(different.len(), sealed.len(), "seed {seed}: a key and a nonce were used twice");
    (sealed.len(), upgrades)
}

#[test]
fn three_hundred_seeds_use_no_nonce_twice() {
    let (mut sealed, mut upgrades) = (0, [0, 0]);
    for seed in 1..=SEEDS {
        let (count, [done, failed]) = run(seed);
        sealed += count;
        upgrades = [upgrades[0] + done, upgrades[1] + failed];
    }
    // It has seen what it is about.
    assert!(sealed > 5_000 && upgrades.iter().all(|count| *count > 500), "{sealed} records, {upgrades:?}");
}

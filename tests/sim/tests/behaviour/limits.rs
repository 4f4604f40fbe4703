//! Limits by address.

use linchpin_protocol::model::Token;
use linchpin_shard::{End, Settings};
use linchpin_sim::script::command;

use super::*;

#[test]
fn one_address_may_have_so_many_connections() {
    let settings = Settings { per_address: 3, ..Settings::default() };
    let mut world = World::new(&WorldOptions { shards: 1, settings, ..WorldOptions::default() });
    let mut scripts: Vec<_> = (0..5).map(|_| Script::connect_from(&mut world, [127, 9, 9, 9])).collect();
    let other = Script::connect_from(&mut world, [127, 9, 9, 10]);
    world.run_ms(50);
    let over = scripts.iter_mut().filter(|script| world.is_over(script.conn)).count();
    assert_eq!(over, 2);
    assert!(!world.is_over(other.conn));
    assert_eq!(ends(&world), [End::AddressCap, End::AddressCap]);
}

#[test]
fn an_address_that_guesses_gets_no_answers_but_its_devices_log_in() {
    let (mut world, token) = world();
    let mut silent = 0;
    for n in 0..450u16 {
        let mut script = Script::connect(&mut world);
        let mut seed = [0; 24];
        seed[..2].copy_from_slice(&n.to_be_bytes());
        seed[2] = 1;
        script.send(&mut world, command::LOGIN, Token::from_random(&seed).expose().as_bytes());
        world.run_ms(4);
        silent += usize::from(script.receive(&mut world).is_none());
        world.abort(script.conn);
    }
    // 200 in all, and one a second.
    assert!((245..=250).contains(&silent), "{silent} of 450 got no answer");
    world.run_ms(10);
    assert!(ends(&world).contains(&End::AddressThrottled));
    Script::login(&mut world, &token).expect_alive(&mut world);
}

/// The kernel spreads connections over shards: an address has so many failures in all, not so many a shard.
#[test]
fn failed_logins_of_an_address_are_counted_once_for_all_shards() {
    let burst = usize::try_from(linchpin_shard::limits::LOGIN_FAILURE_BURST).expect("small");
    for shards in [1, 16] {
        let mut world = World::new(&WorldOptions { shards, ..WorldOptions::default() });
        let token = world.add_device(1, None);
        let mut answered = 0;
        for _ in 0..burst * 2 {
            let mut script = Script::connect_from(&mut world, [127, 0, 0, 66]);
            script.send(&mut world, command::LOGIN, &[b'x'; 32]);
            world.run_ms(4);
            answered += usize::from(script.receive(&mut world).is_some_and(|frame| frame.status == 9));
            world.close(script.conn);
        }
        world.run_ms(100);
        let earned = usize::try_from(world.now_ms() / 1_000).expect("small") + 1;
        assert!((burst..=burst + earned).contains(&answered), "{answered} answers with {shards} shards");
        // Others, and good tokens of this address, are not touched.
        let mut good = Script::connect_from(&mut world, [127, 0, 0, 66]);
        good.log_in(&mut world, command::LOGIN, &token);
        let mut other = Script::connect_from(&mut world, [127, 0, 0, 67]);
        other.refused(&mut world, command::LOGIN, &[b'x'; 32], 9);
    }
}

//! Draining: everybody leaves at a pace, and is told where to go.

use linchpin_shard::{Command, End};
use linchpin_sim::script::command;

use super::*;

#[test]
fn connections_end_at_the_pace_and_new_ones_are_refused() {
    let mut world = World::new(&WorldOptions { shards: 1, ..WorldOptions::default() });
    let tokens: Vec<_> = (1..=40).map(|id| world.add_device(id, None)).collect();
    let mut scripts: Vec<_> = tokens.iter().map(|token| Script::introduced(&mut world, token)).collect();
    world.order_all(|| Command::Drain { redirect: None, per_second: 20 });
    world.run_ms(1_050);
    let gone = scripts.iter_mut().filter(|script| world.is_over(script.conn)).count();
    assert!((15..=25).contains(&gone), "{gone} of 40 after a second at 20 a second");
    let late = Script::connect(&mut world);
    world.run_ms(50);
    assert!(world.is_over(late.conn));
    world.run_ms(2_000);
    assert!(ends(&world).iter().all(|end| *end == End::Drained));
    world.expect_empty();
}

#[test]
fn those_that_understand_it_are_told_where_to_go() {
    let mut world = World::new(&WorldOptions { shards: 1, ..WorldOptions::default() });
    let tokens: Vec<_> = (1..=2).map(|id| world.add_device(id, None)).collect();
    let mut modern = Script::introduced(&mut world, &tokens[0]);
    let mut old = Script::connect(&mut world);
    old.log_in(&mut world, command::LOGIN_OLD, &tokens[1]);
    world.order_all(|| Command::Drain { redirect: Some(("other.example".into(), 8_080)), per_second: 100 });
    world.run_ms(200);
    let got = modern.receive(&mut world).expect("a redirect");
    assert_eq!((got.command, got.body.as_slice()), (command::REDIRECT, &b"other.example\x008080"[..]));
    old.expect_nothing(&mut world);
    world.run_ms(1_500);
    assert!(world.is_over(modern.conn) && world.is_over(old.conn));
    let mut codes = ends(&world);
    codes.sort();
    assert_eq!(codes, [End::Drained, End::Redirected]);
}

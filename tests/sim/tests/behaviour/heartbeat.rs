//! Who is silent for 2.3 heartbeats is gone; who pings is not.

use linchpin_shard::End;
use linchpin_sim::script::command;

use super::*;

fn introduced(world: &mut World, token: &Token, heartbeat_s: u32) -> Script {
    let mut script = Script::login(world, token);
    script.refused(world, command::INTERNAL, format!("ver\x001.4.0\0h-beat\0{heartbeat_s}").as_bytes(), 200);
    script
}

#[test]
fn silence_of_two_point_three_heartbeats_ends_it() {
    let (mut world, token) = world();
    let mut script = introduced(&mut world, &token, 10);
    world.run_ms(22_500);
    assert!(!is_over(&mut world, &mut script));
    world.run_ms(1_000);
    assert!(is_over(&mut world, &mut script));
    assert_eq!(ends(&world), [End::HeartbeatMissed]);
}

#[test]
fn pings_keep_it_and_are_answered() {
    let (mut world, token) = world();
    let mut script = introduced(&mut world, &token, 10);
    for _ in 0..50 {
        world.run_ms(20_000);
        script.expect_alive(&mut world);
    }
    assert_eq!(ends(&world), []);
}

#[test]
fn without_a_heartbeat_45_seconds_count() {
    let (mut world, token) = world();
    let mut script = Script::login(&mut world, &token);
    world.run_ms(103_000);
    assert!(!is_over(&mut world, &mut script));
    world.run_ms(1_000);
    assert!(is_over(&mut world, &mut script));
}

#[test]
fn the_server_never_pings() {
    let (mut world, token) = world();
    let mut script = introduced(&mut world, &token, 60);
    world.run_ms(130_000);
    script.expect_nothing(&mut world);
}

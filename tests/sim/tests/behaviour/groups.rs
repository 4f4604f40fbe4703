//! GROUP: writes of one moment.

use linchpin_sim::script::command;

use super::*;

fn stamps(world: &mut World) -> Vec<u64> {
    world.view(1).values.iter().map(|value| value.2).collect()
}

#[test]
fn enclosed_writes_have_the_time_of_the_begin() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    script.send(&mut world, command::GROUP, b"b");
    world.run_ms(10);
    for body in [&b"vw\x001\x001"[..], b"vw\x002\x002"] {
        script.send(&mut world, command::HARDWARE, body);
        world.run_ms(300);
    }
    script.send(&mut world, command::GROUP, b"e");
    world.run_ms(300);
    script.ask(&mut world, command::HARDWARE, b"vw\x003\x003");
    let stamps = stamps(&mut world);
    assert_eq!(stamps[0], stamps[1]);
    assert!(stamps[2] >= stamps[0] + 900);
    script.expect_nothing(&mut world);
}

#[test]
fn an_explicit_time_is_taken_within_a_month() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    script.ask(&mut world, command::HARDWARE, b"vw\x001\x001");
    let now = stamps(&mut world)[0];
    let then = now - 3_600_000;
    script.send(&mut world, command::GROUP, format!("t\0{then}").as_bytes());
    script.ask(&mut world, command::HARDWARE, b"vw\x002\x002");
    assert_eq!(stamps(&mut world), [now, then]);
    script.ask(&mut world, command::GROUP, b"e");
    script.refused(&mut world, command::GROUP, format!("t\0{}", now - 40 * 86_400_000).as_bytes(), 11);
}

#[test]
fn nesting_is_refused_and_a_forgotten_end_is_no_harm() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    script.ask(&mut world, command::GROUP, b"b");
    script.refused(&mut world, command::GROUP, b"b", 2);
    world.run_ms(12_000);
    script.ask(&mut world, command::HARDWARE, b"vw\x001\x001");
    let old = stamps(&mut world)[0];
    world.run_ms(1_000);
    script.ask(&mut world, command::HARDWARE, b"vw\x001\x002");
    assert!(stamps(&mut world)[0] > old, "after 10 s the group is over");
}

/// The store has the value with the newest time after a restart: the shard must show the same before it.
#[test]
fn the_newest_time_wins_before_and_after_a_restart() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    script.ask(&mut world, command::HARDWARE, b"vw\x0030\x001");
    let then = world.wall_ms() - 3_600_000;
    script.send(&mut world, command::GROUP, format!("t\0{then}").as_bytes());
    script.ask(&mut world, command::HARDWARE, b"vw\x0030\x005");
    script.ask(&mut world, command::HARDWARE, b"vw\x0031\x006");
    script.ask(&mut world, command::GROUP, b"e");
    assert_eq!(world.value(1, 30).as_deref(), Some("1"), "an older value does not replace a newer one");
    assert_eq!(world.value(1, 31).as_deref(), Some("6"), "it is the only one here");
    script.expect_nothing(&mut world);
    let device = world.view(1).row.id;
    assert_eq!(world.store.points[&(device, 30)].len(), 2, "history has both");
    let restored = world.store.restored(device);
    let (mut again, _) = super::world();
    again.restore(1, restored);
    assert_eq!(again.view(1).values, world.view(1).values);
}

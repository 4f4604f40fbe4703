//! A template's offline wait: a device that is back in time was never away, for whoever looks at lists.

use linchpin_shard::{Command, DeviceGlance, Report};

use super::*;

const WAIT_S: u32 = 60;

/// Two shards and device 1, whose template waits.
fn world_that_waits() -> (World, Token) {
    let mut world = World::new(&WorldOptions::default());
    let id = TemplateId::parse(b"TMPLwait").expect("valid");
    world.add_template(&Template::new(id, "Wait".into(), Vec::new(), Vec::new()).with_offline_wait(WAIT_S));
    let token = world.add_device(1, Some(id));
    changed(&mut world);
    (world, token)
}

/// What lists are told when they look again.
fn changed(world: &mut World) -> Vec<DeviceGlance> {
    match world.ask(1, |request, _| Command::GlanceChanged { request, limit: 100 }) {
        Report::Glances { rows, .. } => rows,
        other => panic!("not glances: {other:?}"),
    }
}

/// How a list that looks now shows the device: online, since when, last heard.
fn shown(world: &mut World) -> (bool, u64, u64) {
    let answer = world.ask(1, |request, device| Command::Glance { request, devices: vec![(device, None)] });
    let Report::Glances { rows, .. } = answer else { panic!("not glances: {answer:?}") };
    (rows[0].is_online, rows[0].since_s, rows[0].seen_s)
}

#[test]
fn a_device_is_shown_as_offline_after_the_wait_of_its_template_only() {
    let (mut world, token) = world_that_waits();
    let script = Script::introduced(&mut world, &token);
    let begun = shown(&mut world);
    world.run_ms(5_000);
    changed(&mut world);
    world.abort(script.conn);
    world.run_ms(100);
    let left_s = world.wall_ms() / 1_000;
    assert!(changed(&mut world).is_empty(), "nothing to be announced yet");
    let away = shown(&mut world);
    assert_eq!((away.0, away.1), (true, begun.1), "online since it logged in");
    assert!(left_s.abs_diff(away.2) <= 1, "last heard is said as it is: {away:?}");
    assert!(!world.view(1).row.online, "operators see that there is no connection");
    world.run_ms(u64::from(WAIT_S) * 1_000 - 1_000);
    assert!(shown(&mut world).0);
    world.run_ms(1_500);
    let rows = changed(&mut world);
    assert_eq!(
        rows.iter().map(|row| (row.id.get(), row.is_online)).collect::<Vec<_>>(),
        [(1, false)],
        "announced once"
    );
    let gone = shown(&mut world);
    assert!(!gone.0 && left_s.abs_diff(gone.1) <= 1, "offline since it left, not since the wait: {gone:?}");
    assert!(world.status().iter().all(|it| it.absent == 0));
}

#[test]
fn a_device_that_is_back_in_time_was_never_away() {
    let (mut world, token) = world_that_waits();
    for _ in 0..20 {
        let script = Script::introduced(&mut world, &token);
        assert_eq!(world.status().iter().map(|it| it.absent).sum::<u64>(), 0);
        world.run_ms(1_000);
        world.abort(script.conn);
        world.run_ms(u64::from(WAIT_S) * 1_000 - 2_000);
        assert!(shown(&mut world).0);
        assert_eq!(world.status().iter().map(|it| it.absent).sum::<u64>(), 1, "one entry, however often");
    }
    let mut back = Script::introduced(&mut world, &token);
    for _ in 0..8 {
        world.run_ms(10_000);
        back.expect_alive(&mut world);
    }
    // The last wait would be over long ago.
    assert!(changed(&mut world).iter().all(|row| row.is_online), "never said to be offline");
}

#[test]
fn who_is_sent_away_or_removed_is_not_waited_for() {
    let (mut world, token) = world_that_waits();
    let _script = Script::introduced(&mut world, &token);
    world.order_all(|| Command::Drain { redirect: None, per_second: 1_000 });
    world.run_ms(1_000);
    assert!(!shown(&mut world).0);
    let (mut world, token) = world_that_waits();
    let script = Script::introduced(&mut world, &token);
    world.abort(script.conn);
    world.run_ms(100);
    assert_eq!(world.status().iter().map(|it| it.absent).sum::<u64>(), 1);
    let removed = world.ask(1, |request, device| Command::RemoveDevice { request, device });
    assert!(matches!(removed, Report::Done), "{removed:?}");
    changed(&mut world);
    assert_eq!(world.status().iter().map(|it| it.absent).sum::<u64>(), 0);
    world.run_ms(u64::from(WAIT_S) * 1_000 + 1_000);
    assert!(changed(&mut world).is_empty(), "nothing is left of it");
}

#[test]
fn the_diary_and_the_device_api_say_what_the_connection_does() {
    let (mut world, token) = world_that_waits();
    let script = Script::introduced(&mut world, &token);
    world.abort(script.conn);
    world.run_ms(100);
    let ends: Vec<_> = world.store.presence.iter().map(|(_, end)| *end).collect();
    assert_eq!(ends, [None, Some(linchpin_shard::End::PeerReset)]);
    assert_eq!(world.diary(Some(1)).len(), 1);
}

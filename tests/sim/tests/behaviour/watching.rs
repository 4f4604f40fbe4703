//! An operator watches a device.

use linchpin_shard::{Command, Report};

use super::*;

#[test]
fn frames_of_one_device_are_shown_without_its_token() {
    let mut world = World::new(&WorldOptions::default());
    let (token, other) = (world.add_device(1, None), world.add_device(2, None));
    let report = world.ask(1, |request, device| Command::Tap { request, device, seconds: 60 });
    assert!(matches!(report, Report::Done));
    let mut script = Script::introduced(&mut world, &token);
    let mut quiet = Script::introduced(&mut world, &other);
    quiet.ask(&mut world, command::HARDWARE, b"vw\x001\x00secret of another");
    script.ask(&mut world, command::HARDWARE, b"vw\x001\x0042");
    script.expect_alive(&mut world);
    operator_writes(&mut world, 1, 5, b"pushed");
    world.run_ms(20);
    let shown: Vec<_> = world.watched.iter().map(|f| (f.is_sent, f.command, f.body.to_vec())).collect();
    assert!(shown.contains(&(true, command::RESPONSE, vec![])), "the answer to the login");
    assert!(shown.contains(&(false, command::HARDWARE, b"vw\x001\x0042".to_vec())));
    assert!(shown.contains(&(false, command::PING, vec![])));
    assert!(shown.contains(&(true, command::HARDWARE, b"vw\x005\0pushed".to_vec())));
    let text = format!("{:?}", world.watched);
    assert!(!text.contains(token.expose()));
    assert!(shown.iter().all(|f| !f.2.ends_with(b"another")));
    script.receive_all(&mut world);
    // After a minute nothing is shown any more.
    world.run_ms(61_000);
    script.expect_alive(&mut world);
    world.run_ms(100);
    let before = world.watched.len();
    script.expect_alive(&mut world);
    assert_eq!(world.watched.len(), before);
}

#[test]
fn watches_are_few() {
    let (mut world, _) = world();
    for n in 0..=linchpin_shard::limits::TAPS {
        let report = world.ask(1, |request, device| Command::Tap { request, device, seconds: 60 });
        assert_eq!(matches!(report, Report::Done), n < linchpin_shard::limits::TAPS, "{report:?}");
    }
    let report = world.ask(99, |request, device| Command::Tap { request, device, seconds: 60 });
    assert!(matches!(report, Report::NoSuchDevice));
}

//! Who sees what, and what happens when rights end.

use linchpin_protocol::live::{LivePresence, LiveReport};
use linchpin_protocol::model::DeviceId;
use linchpin_shard::{End, LiveRights, WhoseRights};
use linchpin_sim::Script;

use super::*;

#[test]
fn devices_of_others_are_not_there() {
    let (mut world, tokens) = world();
    let mut device = Script::introduced(&mut world, &tokens[0]);
    device.ask(&mut world, command::HARDWARE, b"vw\x001\x00secret");
    world.grant(2, &grant(&[(2, LiveRights::ALL)]));
    let mut own = grant(&[(2, LiveRights::ALL)]);
    own.devices = vec![(DeviceId::new(1).expect("not 0"), LiveRights::VIEW)];
    world.grant(3, &own);
    let mut stranger = Page::open(&mut world, 2, false);
    let mut owner = Page::open(&mut world, 3, false);
    for page in [&mut stranger, &mut owner] {
        page.watch(&mut world, 1, &[1, 2, 777], &[]);
        page.run(&mut world, 300);
    }
    device.ask(&mut world, command::HARDWARE, b"vw\x001\x00more");
    device.ask(&mut world, command::EVENT_LOG, b"hot\0x");
    stranger.run(&mut world, 300);
    owner.run(&mut world, 300);
    assert_eq!((stranger.snapshots[&1].len(), stranger.values.len(), stranger.presence.len()), (0, 0, 0));
    assert_eq!((owner.snapshots[&1].clone(), owner.value(1, 1).as_deref()), (vec![1], Some("more")));
}

#[test]
fn without_a_grant_there_is_no_socket() {
    let (mut world, _) = world();
    let mut page = Page::connect(&mut world, [127, 0, 0, 1], 9, false);
    page.run(&mut world, 200);
    assert_eq!(page.status, Some(401));
    // A plain request is no upgrade, whatever control would grant.
    let conn = world.connect([127, 0, 0, 1]);
    world.send(conn, b"GET /api/v1/live?1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.run_ms(200);
    let answer = world.read(conn).expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 401 "), "{}", answer.escape_ascii());
}

#[test]
fn a_revocation_ends_sockets_in_the_same_moment() {
    for (who, meets) in [
        (WhoseRights::Session { org: org(1), user: 7, session: 1 }, true),
        (WhoseRights::Session { org: org(1), user: 7, session: 2 }, false),
        (WhoseRights::Person { org: org(1), user: 7 }, true),
        (WhoseRights::Person { org: org(1), user: 8 }, false),
        (WhoseRights::Org(org(1)), true),
        (WhoseRights::Org(org(2)), false),
    ] {
        for signs_out in [true, false] {
            let (mut world, tokens) = world();
            let mut device = Script::introduced(&mut world, &tokens[3]);
            let mut page = Page::open(&mut world, 1, false);
            page.watch(&mut world, 1, &[4], &[]);
            page.run(&mut world, 200);
            world.revoke(who, signs_out);
            device.send(&mut world, command::HARDWARE, b"vw\x001\x00after");
            page.write(&mut world, 1, 4, 2, "x");
            let at = world.now_ms();
            page.run(&mut world, 300);
            assert_eq!(page.is_over(&world), meets, "{who:?}");
            if !meets {
                continue;
            }
            let (ended, last) = page.reports.last().expect("it said something");
            assert!(ended - at <= 100, "{} ms later", ended - at);
            let code = End::LiveRevoked.number();
            let wanted = if signs_out { LiveReport::Revoked { code } } else { LiveReport::Bye { code, retry_ms: 0 } };
            assert_eq!(*last, wanted);
            assert_eq!(page.value(4, 1), None, "nothing is told after it");
            assert_eq!(world.value(4, 2), None, "nothing is written after it");
        }
    }
}

/// The grant was made, and its answer is on its way when the rights end.
#[test]
fn a_grant_that_a_revocation_has_overtaken_does_not_begin() {
    for overtakes in [true, false] {
        let (mut world, _) = world();
        let mut page = Page::connect(&mut world, [127, 0, 0, 1], 1, false);
        let mut revoked = false;
        for _ in 0..200 {
            let granted = (0..3).any(|shard| {
                world
                    .control(shard)
                    .answers
                    .iter()
                    .any(|(_, part)| matches!(part, linchpin_shard::AnswerPart::Grant(_)))
            });
            if overtakes && granted && !revoked {
                world.revoke(WhoseRights::Person { org: org(1), user: 7 }, true);
                revoked = true;
            }
            let end = world.now_ms() + 1;
            world.step(end);
            world.run_ms(0);
            page.read(&mut world);
        }
        page.run(&mut world, 200);
        assert_eq!((revoked, page.status), (overtakes, Some(if overtakes { 503 } else { 101 })));
    }
}

#[test]
fn a_session_ends_when_its_time_is_over() {
    let (mut world, _) = world();
    let until_ms = world.wall_ms() + 60_000;
    world.grant(1, &LiveGrant { until_ms, ..grant(&[(1, LiveRights::ALL)]) });
    let mut page = Page::open(&mut world, 1, false);
    page.run(&mut world, 50_000);
    assert!(!page.is_over(&world));
    page.run(&mut world, 16_000);
    assert!(page.is_over(&world));
    assert!(matches!(page.reports.last(), Some((_, LiveReport::Revoked { .. }))));
}

#[test]
fn a_device_that_is_removed_is_gone_and_one_that_is_made_appears() {
    let (mut world, _) = world();
    let mut page = Page::open(&mut world, 1, false);
    page.watch(&mut world, 1, &[2, 60], &[]);
    page.run(&mut world, 200);
    assert_eq!(page.snapshots[&1], [2]);
    // A page watches what it has just made, perhaps before its home knows of it.
    let token = world.add_device(60, None);
    let mut device = Script::introduced(&mut world, &token);
    device.ask(&mut world, command::HARDWARE, b"vw\x001\x00new");
    page.run(&mut world, 300);
    assert_eq!((page.value(60, 1).as_deref(), page.presence[&60]), (Some("new"), LivePresence::Online));
    world.ask(60, |request, device| linchpin_shard::Command::RemoveDevice { request, device });
    page.run(&mut world, 300);
    page.watch(&mut world, 2, &[60], &[]);
    page.run(&mut world, 300);
    assert!(page.snapshots[&2].is_empty(), "it is not there any more");
}

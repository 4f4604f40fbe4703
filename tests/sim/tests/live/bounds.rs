//! Pages that do not read, ask too much, or are gone.

use linchpin_protocol::live::{LiveAsk, LiveReport, LiveSelection, Subjects, WatchedPins};
use linchpin_protocol::model::Pin;
use linchpin_protocol::ws::{self, FrameKind};
use linchpin_shard::{End, LiveRefusal};
use linchpin_sim::Script;

use super::*;

fn ends(world: &World) -> Vec<End> {
    world.ends.iter().map(|end| end.1).collect()
}

#[test]
fn a_page_that_does_not_read_is_told_the_newest_and_then_ended() {
    let (mut world, tokens) = world();
    let mut device = Script::introduced(&mut world, &tokens[0]);
    let mut slow = Page::open(&mut world, 1, false);
    let mut good = Page::open(&mut world, 1, false);
    for page in [&mut slow, &mut good] {
        page.watch(&mut world, 1, &[1], &[]);
        page.run(&mut world, 200);
    }
    world.set_window(slow.conn, 10);
    let write = |world: &mut World, device: &mut Script, n: u32| {
        device.ask(world, command::HARDWARE, format!("vw\x001\0{n}").as_bytes());
    };
    let before: u64 = world.status().iter().map(|status| status.live_bytes + status.ledger_bytes).sum();
    for n in 0..200 {
        write(&mut world, &mut device, n);
        good.run(&mut world, 50);
    }
    let after: u64 = world.status().iter().map(|status| status.live_bytes + status.ledger_bytes).sum();
    assert!(after < before + 4_096, "200 values to a page that does not read cost {} bytes", after - before);
    assert_eq!(good.value(1, 1).as_deref(), Some("199"), "others are told as ever");
    // It reads again within the time: the newest, without those in between.
    world.set_window(slow.conn, 64 << 10);
    let told = slow.reports.len();
    slow.run(&mut world, 400);
    assert_eq!(slow.value(1, 1).as_deref(), Some("199"));
    assert!(slow.reports.len() - told < 20, "{} reports", slow.reports.len() - told);
    world.set_window(slow.conn, 10);
    for n in 200..260 {
        write(&mut world, &mut device, n);
        good.run(&mut world, 1_000);
    }
    assert!(ends(&world).contains(&End::LiveSlow));
    assert_eq!(good.value(1, 1).as_deref(), Some("259"));
    assert_eq!(world.status().iter().map(|status| status.live_sockets).sum::<u64>(), 1);
}

#[test]
fn a_page_that_is_gone_is_ended_and_one_that_answers_stays() {
    let (mut world, _) = world();
    let mut here = Page::open(&mut world, 1, false);
    let mut gone = Page::open(&mut world, 1, true);
    gone.answers_pings = false;
    let end = world.now_ms() + 200_000;
    while world.now_ms() < end {
        world.run_ms(1_000);
        here.read(&mut world);
        gone.read(&mut world);
    }
    assert_eq!(ends(&world), [End::LiveSilent]);
    let ticks = here.reports.iter().filter(|(_, report)| matches!(report, LiveReport::Tick { .. })).count();
    assert!((36..=41).contains(&ticks), "{ticks} ticks in 200 s");
    assert!(gone.is_over(&world) && !here.is_over(&world));
}

#[test]
fn more_than_may_be_watched_is_refused_with_a_code() {
    let (mut world, _) = world();
    let mut page = Page::open(&mut world, 1, false);
    let refusals = |page: &Page| -> Vec<(u16, u16)> {
        let rows = page.reports.iter().filter_map(|(_, report)| match report {
            LiveReport::Refused { set, code } => Some((*set, *code)),
            _ => None,
        });
        rows.collect()
    };
    page.watch(&mut world, 1, &(1..=400).collect::<Vec<_>>(), &[1]);
    page.watch(&mut world, 2, &(301..=500).collect::<Vec<_>>(), &[1]);
    page.watch(&mut world, 3, &[501], &[1]);
    page.run(&mut world, 200);
    assert_eq!(refusals(&page), [(3, LiveRefusal::TooManyDevices.number())]);
    let pins: Vec<u8> = (0..=200).collect();
    page.watch(&mut world, 4, &(1..=30).collect::<Vec<_>>(), &pins);
    page.run(&mut world, 200);
    assert_eq!(refusals(&page).last(), Some(&(4, LiveRefusal::TooManyPins.number())));
    for set in 10..90 {
        page.watch(&mut world, set, &[1], &[1]);
    }
    page.run(&mut world, 300);
    assert_eq!(refusals(&page).last(), Some(&(89, LiveRefusal::TooManyWatches.number())));
    assert_eq!(page.snapshots.len(), 64);
    world.abort(page.conn);
    world.run_ms(2_000);
    world.expect_empty();
}

#[test]
fn what_breaks_the_rules_ends_the_socket() {
    let (mut world, _) = world();
    for (kind, message) in [
        (FrameKind::Binary, &b"\x7f"[..]),
        (FrameKind::Binary, &b"\x02\x01"[..]),
        (FrameKind::Text, &b"{}"[..]),
        (FrameKind::Binary, &[4; 60_000][..]),
    ] {
        let mut page = Page::open(&mut world, 1, false);
        let mut out = Vec::new();
        ws::client_frame(&mut out, kind, message, [0; 4]);
        world.send(page.conn, &out);
        page.run(&mut world, 200);
        assert!(page.is_over(&world), "{message:?}");
    }
    let ended = ends(&world);
    let wanted = [End::LiveFault, End::LiveFault, End::WebSocketFault, End::LiveFault];
    assert_eq!(ended, wanted);
    world.run_ms(5_000);
    world.expect_empty();
}

#[test]
fn a_drain_ends_live_sockets_and_says_when_to_come_back() {
    let (mut world, _) = world();
    let mut page = Page::open(&mut world, 1, false);
    page.watch(&mut world, 1, &[1, 2, 3], &[]);
    page.run(&mut world, 200);
    world.order_all(|| linchpin_shard::Command::Drain { redirect: None, per_second: 100 });
    page.run(&mut world, 2_000);
    assert!(page.is_over(&world));
    let code = End::Drained.number();
    assert!(matches!(page.reports.last(), Some((_, LiveReport::Bye { code: got, .. })) if *got == code));
    world.run_ms(5_000);
    world.expect_empty();
}

/// One pin of one device on many sockets: each costs what it watches.
#[test]
fn a_socket_costs_what_it_watches() {
    let (mut world, _) = world();
    let what = Subjects { values: true, ..Subjects::default() };
    let mut pages = Vec::new();
    for _ in 0..100 {
        let page = Page::open(&mut world, 1, false);
        let (select, pins) = (LiveSelection::Devices(vec![1]), WatchedPins::Some(vec![Pin::new_virtual(1)]));
        page.say(&mut world, &LiveAsk::Watch { set: 1, what, select, pins, every: Vec::new() });
        world.run_ms(50);
        pages.push(page);
    }
    let bytes: u64 = world.status().iter().map(|status| status.live_bytes).sum();
    assert!(bytes / 100 < 1_600, "{} bytes a subscriber", bytes / 100);
    for page in &pages {
        world.abort(page.conn);
    }
    world.run_ms(2_000);
    world.expect_empty();
}

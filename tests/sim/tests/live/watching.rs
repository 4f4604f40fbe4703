//! What a page is told, and when.

use linchpin_protocol::live::{LiveAsk, LivePresence, LiveReport, LiveSelection, LiveValue, Subjects, WatchedPins};
use linchpin_protocol::model::{Pin, Template, TemplateId};
use linchpin_protocol::mqtt::Level;
use linchpin_shard::{End, LiveRights};
use linchpin_sim::{MqttLogin, MqttScript, Script};

use super::*;

#[test]
fn a_snapshot_comes_first_and_then_what_changes() {
    for is_json in [false, true] {
        let (mut world, tokens) = world();
        let mut devices: Vec<Script> = tokens.iter().map(|token| Script::introduced(&mut world, token)).collect();
        for (at, device) in devices.iter_mut().enumerate() {
            device.ask(&mut world, command::HARDWARE, format!("vw\x001\0{at}").as_bytes());
        }
        let mut page = Page::open(&mut world, 1, is_json);
        let wanted: Vec<u32> = (1..=9).rev().collect();
        page.watch(&mut world, 3, &wanted, &[]);
        page.run(&mut world, 300);
        assert_eq!(page.snapshots.get(&3), Some(&wanted), "in the order of the watch");
        let at = page.reports.iter().position(|(_, report)| matches!(report, LiveReport::Snapshot { .. }));
        let before = &page.reports[..at.expect("it came")];
        let rows = before.iter().map(|(_, report)| match report {
            LiveReport::Values { rows } => rows.len(),
            LiveReport::Presence { rows } => rows.len(),
            _ => 0,
        });
        assert_eq!(rows.sum::<usize>(), 18, "a value and the presence of each, before the snapshot's end");
        for id in 1..=9 {
            assert_eq!(page.value(id, 1), Some((id - 1).to_string()));
            assert_eq!(page.presence[&id], LivePresence::Online);
        }
        // A burst: the newest value within the pace, not each of them.
        let told = page.reports.len();
        for n in 0..50 {
            devices[4].send(&mut world, command::HARDWARE, format!("vw\x001\0{n}.5").as_bytes());
            page.run(&mut world, 2);
        }
        page.run(&mut world, 200);
        assert_eq!(page.value(5, 1).as_deref(), Some("49.5"));
        let flushes = page.reports.len() - told;
        assert!((2..=4).contains(&flushes), "100 ms of writes were told in {flushes} reports");
        // It goes, and the page hears why.
        world.abort(devices[4].conn);
        page.run(&mut world, 200);
        let rows = page.reports.iter().rev().find_map(|(_, report)| match report {
            LiveReport::Presence { rows } => Some(rows[0]),
            _ => None,
        });
        let row = rows.expect("it was told");
        assert_eq!((row.device, row.state, row.code), (5, LivePresence::Offline, End::PeerReset.number()));
        assert!(world.wall_ms().abs_diff(row.since_ms) < 2_000);
    }
}

#[test]
fn a_page_hears_of_an_absence_when_the_wait_of_the_template_is_over() {
    let mut world = World::new(&options(3));
    let id = TemplateId::parse(b"TMPLwait").expect("valid");
    world.add_template(&Template::new(id, "Wait".into(), Vec::new(), Vec::new()).with_offline_wait(30));
    let token = world.add_device(4, Some(id));
    world.grant(1, &grant(&[(1, LiveRights::ALL)]));
    let script = Script::introduced(&mut world, &token);
    let mut page = Page::open(&mut world, 1, true);
    page.watch(&mut world, 3, &[4], &[]);
    page.run(&mut world, 300);
    world.abort(script.conn);
    page.run(&mut world, 1_000);
    assert_eq!(page.presence[&4], LivePresence::Online);
    // Who begins to watch meanwhile sees the same.
    let mut late = Page::open(&mut world, 1, true);
    late.watch(&mut world, 5, &[4], &[]);
    late.run(&mut world, 300);
    assert_eq!(late.presence[&4], LivePresence::Online);
    // Back in time: nobody heard of it.
    let script = Script::introduced(&mut world, &token);
    page.run(&mut world, 31_000);
    let is_offline = |(_, report): &(u64, LiveReport)| match report {
        LiveReport::Presence { rows } => rows.iter().any(|row| row.state != LivePresence::Online),
        _ => false,
    };
    assert!(!page.reports.iter().any(is_offline));
    world.abort(script.conn);
    let left_ms = world.wall_ms();
    page.run(&mut world, 29_000);
    assert_eq!(page.presence[&4], LivePresence::Online);
    page.run(&mut world, 2_000);
    assert_eq!(page.presence[&4], LivePresence::Offline);
    let row = page.reports.iter().rev().find_map(|(_, report)| match report {
        LiveReport::Presence { rows } => Some(rows[0]),
        _ => None,
    });
    assert!(row.expect("it was told").since_ms.abs_diff(left_ms) < 2_000, "since it left");
}

#[test]
fn only_what_is_watched_is_told() {
    let (mut world, tokens) = world();
    let mut device = Script::introduced(&mut world, &tokens[0]);
    let mut other = Script::introduced(&mut world, &tokens[1]);
    let mut page = Page::open(&mut world, 1, false);
    page.watch(&mut world, 1, &[1], &[5]);
    page.run(&mut world, 200);
    device.ask(&mut world, command::HARDWARE, b"vw\x005\x001");
    device.ask(&mut world, command::HARDWARE, b"vw\x006\x001");
    other.ask(&mut world, command::HARDWARE, b"vw\x005\x001");
    page.run(&mut world, 300);
    assert_eq!(page.values.len(), 1, "{:?}", page.values);
    // More pins by a second watch, which ends again.
    page.watch(&mut world, 2, &[1], &[6]);
    page.run(&mut world, 300);
    assert_eq!(page.value(1, 6).as_deref(), Some("1"));
    page.say(&mut world, &LiveAsk::Unwatch { set: 2 });
    page.run(&mut world, 100);
    device.ask(&mut world, command::HARDWARE, b"vw\x006\x002");
    device.ask(&mut world, command::HARDWARE, b"vw\x005\x002");
    page.run(&mut world, 300);
    assert_eq!((page.value(1, 5).as_deref(), page.value(1, 6).as_deref()), (Some("2"), Some("1")));
    assert_eq!(world.status().iter().map(|status| status.live_watchers).sum::<u64>(), 1);
    page.say(&mut world, &LiveAsk::Unwatch { set: 1 });
    page.run(&mut world, 100);
    assert_eq!(world.status().iter().map(|status| status.live_watchers).sum::<u64>(), 0);
}

#[test]
fn a_value_that_is_erased_and_a_property_that_is_set_are_told() {
    let (mut world, tokens) = world();
    let mut device = Script::introduced(&mut world, &tokens[2]);
    device.ask(&mut world, command::HARDWARE, b"vw\x001\x007");
    device.ask(&mut world, command::PROPERTY, b"1\0label\0Pump");
    let mut page = Page::open(&mut world, 1, false);
    page.watch(&mut world, 1, &[3], &[1]);
    page.run(&mut world, 200);
    let property = |page: &Page| {
        page.reports.iter().rev().find_map(|(_, report)| match report {
            LiveReport::Property { name, value, .. } => Some((name.clone(), value.clone())),
            _ => None,
        })
    };
    assert_eq!(property(&page), Some(("label".into(), LiveValue::Bytes(b"Pump".to_vec()))));
    device.ask(&mut world, command::PROPERTY, b"1\0label\0Valve");
    page.run(&mut world, 200);
    assert_eq!(property(&page), Some(("label".into(), LiveValue::Bytes(b"Valve".to_vec()))));
    let login = MqttLogin::new(Level::V5);
    let mut mqtt = MqttScript::login(&mut world, &login, &tokens[2]);
    assert_eq!(mqtt.confirm(&mut world, "ds/V1/erase", ""), 0);
    page.run(&mut world, 300);
    assert_eq!(page.values.get(&(3, Pin::new_virtual(1))), Some(&LiveValue::Nothing));
}

#[test]
fn events_frames_and_every_value_come_in_their_order() {
    let (mut world, tokens) = world();
    let mut device = Script::introduced(&mut world, &tokens[0]);
    let mut page = Page::open(&mut world, 1, false);
    let what = Subjects { values: true, events: true, frames: true, ..Subjects::default() };
    let (select, pins) = (LiveSelection::Devices(vec![1]), WatchedPins::Some(Vec::new()));
    page.say(&mut world, &LiveAsk::Watch { set: 1, what, select, pins, every: vec![Pin::new_virtual(9)] });
    page.run(&mut world, 200);
    for n in 0..10 {
        device.send(&mut world, command::HARDWARE, format!("vw\x009\0line {n}").as_bytes());
    }
    device.ask(&mut world, command::EVENT_LOG, b"hot\0Too hot");
    page.run(&mut world, 300);
    let lines = page.reports.iter().filter_map(|(_, report)| match report {
        LiveReport::Values { rows } => Some(String::from_utf8_lossy(&rows[0].value.to_bytes()?).into_owned()),
        _ => None,
    });
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines, (0..10).map(|n| format!("line {n}")).collect::<Vec<_>>());
    let has = |page: &Page, wanted: &dyn Fn(&LiveReport) -> bool| page.reports.iter().any(|(_, report)| wanted(report));
    assert!(has(
        &page,
        &|report| matches!(report, LiveReport::Event { code, text, .. } if code == "hot" && text == "Too hot")
    ));
    assert!(has(
        &page,
        &|report| matches!(report, LiveReport::Frame { command: 20, body, .. } if body.ends_with(b"line 3"))
    ));
    // A ring of 64, and the rest is counted.
    for n in 0..90 {
        device.send(&mut world, command::HARDWARE, format!("vw\x009\0{n}").as_bytes());
    }
    page.run(&mut world, 500);
    assert!(has(&page, &|report| matches!(report, LiveReport::Skipped { set: 1, count } if *count > 0)));
}

#[test]
fn a_whole_organization_is_watched_with_those_below_it() {
    let (mut world, _) = world();
    world.grant(1, &grant(&[(1, LiveRights::ALL), (2, LiveRights::VIEW), (3, LiveRights(0))]));
    let token = |id: u8| Token::from_random(&[id; 24]);
    world.add_device_of(org(2), 20, None, &token(20));
    world.add_device_of(org(3), 30, None, &token(30));
    let mut page = Page::open(&mut world, 1, false);
    page.watch_org(&mut world, 4, 1, all());
    page.run(&mut world, 300);
    let wanted: Vec<u32> = (1..=9).chain([20]).collect();
    assert_eq!(page.snapshots.get(&4), Some(&wanted), "not of organization 3, which may not be seen");
    let mut device = Script::introduced(&mut world, &token(20));
    device.ask(&mut world, command::HARDWARE, b"vw\x001\x008");
    page.run(&mut world, 300);
    assert_eq!((page.value(20, 1).as_deref(), page.presence[&20]), (Some("8"), LivePresence::Online));
    // One more device: the watch would find something else now.
    world.add_device_of(org(2), 21, None, &token(21));
    page.run(&mut world, 1_500);
    assert!(page.reports.iter().any(|(_, report)| matches!(report, LiveReport::Changed { set: 4 })));
    page.watch_org(&mut world, 5, 3, all());
    page.run(&mut world, 100);
    assert!(page.reports.iter().any(|(_, report)| matches!(report, LiveReport::Refused { set: 5, code: 710 })));
}

#[test]
fn failed_logins_are_shown_to_operators_and_to_their_own_address() {
    let (mut world, _) = world();
    world.grant(2, &grant(&[(2, LiveRights::ALL)]));
    let attempts = Subjects { attempts: true, ..Subjects::default() };
    let mut operator = Page::open(&mut world, 1, false);
    operator.watch_org(&mut world, 1, 1, attempts);
    let mut maker = Page::open(&mut world, 2, false);
    maker.watch_org(&mut world, 1, 2, attempts);
    for address in [[127, 0, 0, 77], [127, 0, 0, 78], [127, 0, 0, 78]] {
        let conn = world.connect(address);
        let login = linchpin_sim::script::frame(command::LOGIN, 1, Token::from_random(&[99; 24]).expose().as_bytes());
        world.send(conn, &login);
        world.run_ms(1_500);
    }
    operator.run(&mut world, 300);
    maker.run(&mut world, 300);
    let seen = |page: &Page| {
        let rows = page.reports.iter().filter_map(|(_, report)| match report {
            LiveReport::Attempt { address, code, count, .. } => Some((address.clone(), (*code, *count))),
            _ => None,
        });
        rows.collect::<std::collections::BTreeMap<_, _>>()
    };
    let unknown = End::TokenUnknown.number();
    assert_eq!(
        seen(&operator),
        [("127.0.0.77".to_owned(), (unknown, 1)), ("127.0.0.78".to_owned(), (unknown, 2))].into()
    );
    assert_eq!(seen(&maker), [("127.0.0.77".to_owned(), (unknown, 1))].into(), "theirs alone");
    // Who comes later sees those of before.
    let mut late = Page::open(&mut world, 1, false);
    late.watch_org(&mut world, 1, 1, attempts);
    late.run(&mut world, 300);
    assert_eq!(seen(&late), seen(&operator));
}

/// A query says when the list would be another one, and who comes and goes; its rows are not told here, and whoever asks for
/// them hears so.
#[test]
fn a_query_says_that_the_list_has_changed_and_refuses_rows() {
    let (mut world, tokens) = world();
    let what = Subjects { presence: true, ..Subjects::default() };
    let query =
        |count| LiveSelection::Query { org: 1, below: true, text: String::new(), sort: "name".into(), first: 0, count };
    let mut page = Page::open(&mut world, 1, true);
    for (set, count) in [(1, 0), (2, 1), (3, 500)] {
        let pins = WatchedPins::Some(Vec::new());
        page.say(&mut world, &LiveAsk::Watch { set, what, select: query(count), pins, every: Vec::new() });
    }
    page.run(&mut world, 300);
    let refused = page.reports.iter().filter_map(|(_, report)| match report {
        LiveReport::Refused { set, code } => Some((*set, *code)),
        _ => None,
    });
    let no_rows = linchpin_shard::LiveRefusal::NoRows.number();
    assert_eq!(refused.collect::<Vec<_>>(), [(2, no_rows), (3, no_rows)]);
    assert_eq!(page.snapshots.get(&1), Some(&Vec::new()));
    let _device = Script::introduced(&mut world, &tokens[0]);
    world.add_device(30, None);
    page.run(&mut world, 1_500);
    assert_eq!(page.presence.get(&1), Some(&LivePresence::Online), "who comes is told");
    assert!(page.reports.iter().any(|(_, report)| matches!(report, LiveReport::Changed { set: 1 })));
}

/// Rows of values that a page was told since a report, and how many of them said what it knew already.
fn told_since(page: &Page, begin: usize) -> (usize, usize) {
    let mut known = std::collections::BTreeMap::new();
    let (mut told, mut repeated) = (0, 0);
    for (at, (_, report)) in page.reports.iter().enumerate() {
        let LiveReport::Values { rows } = report else { continue };
        for row in rows {
            let before = known.insert((row.device, row.pin), (row.at_ms, row.value.clone()));
            if at >= begin {
                told += 1;
                repeated += usize::from(before == Some((row.at_ms, row.value.clone())));
            }
        }
    }
    (told, repeated)
}

/// Pages that watch the first pin of these devices, in both encodings.
fn pages_that_watch(world: &mut World, count: usize, ids: &[u32]) -> Vec<Page> {
    let mut pages: Vec<Page> = (0..count).map(|at| Page::open(world, 1, at % 2 == 1)).collect();
    for page in &mut pages {
        page.watch(world, 1, ids, &[1]);
        page.run(world, 200);
    }
    pages
}

/// What one page wants of a device is no news for the others that watch it: one that comes, changes its mind, never reads
/// and is ended for it, leaves them with one row a change.
#[test]
fn what_others_watch_is_no_news() {
    const ROUNDS: u32 = 50;
    let mut world = World::new(&options(2));
    let tokens: Vec<Token> = (1..=6).map(|id| world.add_device(id, None)).collect();
    world.grant(1, &grant(&[(1, LiveRights::ALL)]));
    let mut devices: Vec<Script> = tokens.iter().map(|token| Script::introduced(&mut world, token)).collect();
    for device in &mut devices {
        device.ask(&mut world, command::PROPERTY, b"1\0label\0Pump");
        device.ask(&mut world, command::HARDWARE, b"vw\x002\0long");
    }
    let ids: Vec<u32> = (1..=6).collect();
    let mut pages = pages_that_watch(&mut world, 8, &ids);
    let begins: Vec<usize> = pages.iter().map(|page| page.reports.len()).collect();
    let mut slow: Vec<Page> = Vec::new();
    for round in 0..ROUNDS {
        for device in &mut devices {
            device.send(&mut world, command::HARDWARE, format!("vw\x001\0{round}").as_bytes());
        }
        world.run_ms(500);
        match round {
            // On either shard.
            5..9 => slow.push(Page::open(&mut world, 1, false)),
            9 => slow.iter().for_each(|page| page.watch(&mut world, 1, &ids, &[1, 2])),
            10 => slow.iter().for_each(|page| world.set_window(page.conn, 10)),
            12 => slow.iter().for_each(|page| page.watch(&mut world, 2, &ids, &[])),
            14 => slow[0].say(&mut world, &LiveAsk::Unwatch { set: 2 }),
            _ => {}
        }
        world.run_ms(500);
        pages.iter_mut().for_each(|page| page.read(&mut world));
    }
    let slow_ends = world.ends.iter().filter(|end| end.1 == End::LiveSlow).count();
    assert_eq!(slow_ends, slow.len(), "those that never read were ended while the others watched");
    for (page, begin) in pages.iter().zip(begins) {
        let wanted = (ROUNDS as usize * ids.len(), 0);
        assert_eq!(told_since(page, begin), wanted, "rows told, and rows told again");
        let others = page.reports[begin..].iter().filter(|(_, report)| {
            matches!(report, LiveReport::Presence { .. } | LiveReport::Property { .. } | LiveReport::Snapshot { .. })
        });
        assert_eq!(others.count(), 0, "nothing else has changed");
    }
}

/// What one page begins to watch does not use up the pace of the others: they hear of a change at once, not 100 ms later.
#[test]
fn what_others_begin_to_watch_delays_nobody() {
    let mut world = World::new(&options(2));
    let tokens: Vec<Token> = (1..=4).map(|id| world.add_device(id, None)).collect();
    world.grant(1, &grant(&[(1, LiveRights::ALL)]));
    let mut devices: Vec<Script> = tokens.iter().map(|token| Script::introduced(&mut world, token)).collect();
    for device in &mut devices {
        device.ask(&mut world, command::HARDWARE, b"vw\x002\0long");
    }
    let ids: Vec<u32> = (1..=4).collect();
    let mut pages = pages_that_watch(&mut world, 4, &ids);
    for (device, id) in devices.iter_mut().zip(&ids) {
        world.run_ms(500);
        let mut other = Page::open(&mut world, 1, false);
        other.watch(&mut world, 1, &ids, &[1, 2]);
        other.run(&mut world, 20);
        device.send(&mut world, command::HARDWARE, b"vw\x001\0new");
        world.run_ms(30);
        for page in &mut pages {
            page.read(&mut world);
            assert_eq!(page.value(*id, 1).as_deref(), Some("new"), "device {id}");
        }
    }
}

//! What the store is given, what it gives back, and what happens when it takes nothing.

use linchpin_protocol::http::Reply;
use linchpin_protocol::http::client::next_response;
use linchpin_protocol::model::{DeviceId, UnixMillis};
use linchpin_shard::{Change, Command, End, Intake, Restored};
use linchpin_sim::script::command;

use super::*;

fn id(device: u32) -> DeviceId {
    DeviceId::new(device).expect("not zero")
}

fn points(world: &World, pin: u8) -> Vec<String> {
    let points = world.store.points.get(&(id(1), Pin::new_virtual(pin).to_u16()));
    points.into_iter().flatten().map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
}

fn get(world: &mut World, token: &Token, call: &str) -> (u16, String) {
    let conn = world.connect([127, 0, 0, 3]);
    let text = format!("GET /external/api/{call}&token={} HTTP/1.1\r\nHost: x\r\n\r\n", token.expose());
    world.send(conn, text.as_bytes());
    world.run_ms(30);
    let mut received = Vec::new();
    while let Some(segment) = world.read(conn) {
        received.extend_from_slice(&segment);
    }
    let response = next_response(&received, false).expect("a response").expect("whole");
    (response.status, String::from_utf8_lossy(response.body).into_owned())
}

#[test]
fn every_accepted_value_is_given_once_and_refused_ones_never() {
    let (mut world, token) = world_with_template();
    let mut script = Script::introduced(&mut world, &token);
    for body in [&b"vw\x000\x007"[..], b"vw\x000\x008", b"vw\x001\0on", b"vw\x000\x008"] {
        script.ask(&mut world, command::HARDWARE, body);
    }
    script.refused(&mut world, command::HARDWARE, b"vw\x000\0warm", 11);
    operator_writes(&mut world, 1, 0, b"9");
    assert_eq!(get(&mut world, &token, "update?v0=10").0, 200);
    assert_eq!(get(&mut world, &token, "update?v0=warm").0, 400);
    assert_eq!(points(&world, 0), ["7", "8", "8", "9", "10"]);
    assert_eq!(points(&world, 1), ["on"]);
}

#[test]
fn points_of_the_past_are_all_given_and_only_the_newest_is_shown() {
    let (mut world, token) = world();
    let now = world.wall_ms();
    let body = format!("[[{}, 3], [{}, 1], [{}, 2]]", now - 10, now - 3_000, now - 2_000);
    let conn = world.connect([127, 0, 0, 3]);
    let head = format!(
        "POST /external/api/batch/update?token={}&pin=v4 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        token.expose(),
        body.len()
    );
    world.send(conn, head.as_bytes());
    world.run_ms(30);
    assert_eq!(points(&world, 4), ["3", "1", "2"]);
    assert_eq!(world.value(1, 4).as_deref(), Some("3"));
}

#[test]
fn changes_are_given_whole_and_together() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    script.refused(&mut world, command::PROPERTY, b"1\0label\0Pump", 200);
    script.refused(&mut world, command::PROPERTY, b"2\0color\0#FF0000", 200);
    script.refused(&mut world, command::INTERNAL, b"meta\0set\0Place\0Attic", 200);
    let Some(Change::Attributes { properties, metadata }) = world.store.attributes.get(&id(1)) else {
        panic!("nothing was kept")
    };
    assert_eq!((properties.len(), metadata.len()), (2, 1));
    world.close(script.conn);
    world.run_ms(50);
    let ends: Vec<_> = world.store.presence.iter().map(|(_, end)| *end).collect();
    assert_eq!(ends, [None, Some(End::PeerClosed)]);
}

/// A device finds all of it again after a restart of the server.
#[test]
fn what_was_kept_comes_back() {
    let (mut world, token) = world_with_template();
    let mut script = Script::introduced(&mut world, &token);
    script.ask(&mut world, command::HARDWARE, b"vw\x001\0hello");
    script.refused(&mut world, command::PROPERTY, b"1\0label\0Pump", 200);
    script.refused(&mut world, command::INTERNAL, b"meta\0set\0Place\0Attic", 200);
    script.refused(&mut world, command::EVENT_LOG, b"hot\0first", 200);
    world.run_ms(2_000);
    script.refused(&mut world, command::EVENT_LOG, b"hot\0second", 200);
    script.refused(&mut world, command::EVENT_CLEAR, b"hot", 200);
    let before = world.view(1);
    let (mut after, again) = world_with_template();
    assert!(token == again);
    after.restore(1, world.store.restored(id(1)));
    let view = after.view(1);
    assert_eq!((&view.values, &view.properties), (&before.values, &before.properties));
    assert_eq!((&view.metadata, &view.events), (&before.metadata, &before.events));
    assert_eq!(view.events.len(), 1, "one of two was resolved");
    let mut script = Script::introduced(&mut after, &again);
    script.ask(&mut after, command::SYNC, b"vr\x001");
    assert_eq!(script.receive(&mut after).expect("a sync").body, b"vw\x001\0hello");
}

#[test]
fn a_value_from_the_journal_never_replaces_a_newer_one() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    script.ask(&mut world, command::HARDWARE, b"vw\x001\0new");
    let old = UnixMillis(world.wall_ms() - 60_000);
    let values = vec![(Pin::new_virtual(1), b"old"[..].into(), old), (Pin::new_virtual(2), b"only"[..].into(), old)];
    world.restore(1, Restored { values, ..Restored::default() });
    assert_eq!(world.value(1, 1).as_deref(), Some("new"));
    assert_eq!(world.value(1, 2).as_deref(), Some("only"));
}

/// What cannot be kept is not acknowledged; all else goes on.
#[test]
fn while_the_disk_is_full_changes_are_refused_and_values_are_taken() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    world.order_all(|| Command::Intake(Intake::Points));
    script.refused(&mut world, command::PROPERTY, b"1\0label\0Pump", 19);
    script.refused(&mut world, command::INTERNAL, b"meta\0set\0Place\0Attic", 19);
    script.refused(&mut world, command::EVENT_LOG, b"hot", 19);
    script.refused(&mut world, command::PING, b"", 200);
    script.ask(&mut world, command::HARDWARE, b"vw\x001\0on");
    assert_eq!(points(&world, 1), ["on"]);
    for call in ["update/property?pin=v1&label=x", "logEvent?code=hot", "device/meta/update?metaFieldName=a&value=b"] {
        let (status, text) = get(&mut world, &token, call);
        assert!(status == 503 && text.contains("disk is full"), "{call}: {status} {text}");
    }
    assert_eq!(get(&mut world, &token, "update?v1=off").0, 200);
    assert_eq!(script.receive(&mut world).expect("told").body, b"vw\x001\0off");
    let view = world.view(1);
    assert!(view.properties.is_empty() && view.metadata.is_empty() && view.events.is_empty());
    world.order_all(|| Command::Intake(Intake::All));
    script.refused(&mut world, command::PROPERTY, b"1\0label\0Pump", 200);
}

#[test]
fn a_failed_disk_acknowledges_no_value_either() {
    let (mut world, token) = world();
    world.order_all(|| Command::Intake(Intake::Nothing));
    let (status, text) = get(&mut world, &token, "update?v1=off");
    assert!(status == 503 && text.contains("failed"), "{status} {text}");
    assert!(points(&world, 1).is_empty() && world.value(1, 1).is_none());
    let mut script = Script::introduced(&mut world, &token);
    script.refused(&mut world, command::PING, b"", 200);
}

/// Wherever the connection is, and only with a good token.
#[test]
fn history_is_asked_at_home_and_answered_later() {
    for device in 1..=8 {
        let mut world = World::new(&WorldOptions::default());
        let token = world.add_device(device, None);
        let conn = world.connect([127, 0, 0, 3]);
        let path = format!("/external/api/data/get?pin=v3&period=DAY&token={}", token.expose());
        world.send(conn, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        world.run_ms(30);
        assert!(world.read(conn).is_none(), "nothing was found yet");
        let (asker, asked, ask, pins) = world.store.asked.pop().expect("asked once");
        assert_eq!((asked, &*pins, &*ask.period), (id(device), &[Pin::new_virtual(3)][..], "DAY"));
        world.tell(asker, Reply::json("[]".to_owned()));
        world.run_ms(30);
        let text = String::from_utf8_lossy(&world.read(conn).expect("an answer")).into_owned();
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("[]"), "{text}");
        // A late answer for a connection that is gone disturbs nobody.
        world.close(conn);
        world.run_ms(100);
        world.tell(asker, Reply::json("[1]".to_owned()));
        world.audit();
        let stranger = Token::from_random(&[77; 24]);
        assert_eq!(get(&mut world, &stranger, "data/get?pin=v3").0, 400);
        assert!(world.store.asked.is_empty());
    }
}

/// Reading and writing it costs a core more than anything else that a token may ask for.
#[test]
fn a_question_about_history_counts_as_five_messages() {
    let (mut world, token) = world();
    let ask = |world: &mut World| {
        let conn = world.connect([127, 0, 0, 3]);
        let path = format!("/external/api/data/get?pin=v3&token={}", token.expose());
        world.send(conn, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        world.run_ms(1);
        world.store.asked.pop().is_some()
    };
    // 100 messages at once, of which the last may go below zero, and what is earned meanwhile.
    let asked = (0..30).filter(|_| ask(&mut world)).count();
    assert!((20..=22).contains(&asked), "{asked}");
    world.run_ms(1_000);
    let asked = (0..30).filter(|_| ask(&mut world)).count();
    assert!((10..=12).contains(&asked), "{asked}");
}

#[test]
fn history_that_never_answers_ends_with_503() {
    let (mut world, token) = world();
    let conn = world.connect([127, 0, 0, 3]);
    let path = format!("/external/api/data/get?pin=v3&token={}", token.expose());
    world.send(conn, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
    world.run_ms(linchpin_shard::limits::HISTORY_TIMEOUT_MS + 1_000);
    let text = String::from_utf8_lossy(&world.read(conn).expect("an answer")).into_owned();
    assert!(text.starts_with("HTTP/1.1 503"), "{text}");
}

/// Values that a device wrote shortly before the end are in the journal, which is read while the server serves.
#[test]
fn reads_wait_for_what_the_journal_adds() {
    let mut world = World::new(&WorldOptions { replaying: true, ..WorldOptions::default() });
    let token = world.add_device(1, None);
    let mut script = Script::introduced(&mut world, &token);
    let first = script.ask(&mut world, command::SYNC, b"vr\x001\x002");
    let second = script.ask(&mut world, command::SYNC, b"");
    script.refused(&mut world, command::PING, b"", 200);
    script.expect_nothing(&mut world);
    let (status, text) = get(&mut world, &token, "get?v1");
    assert!(status == 503 && text.contains("try again"), "{status} {text}");
    script.ask(&mut world, command::HARDWARE, b"vw\x002\0new");
    let at = UnixMillis(world.wall_ms() - 5_000);
    let value = |pin, value: &[u8]| (Pin::new_virtual(pin), value.into(), at);
    world.restore(1, Restored { values: vec![value(1, b"last"), value(2, b"old")], ..Restored::default() });
    world.order_all(|| Command::Replayed);
    world.run_ms(30);
    let frames: Vec<_> = script.receive_all(&mut world).into_iter().map(|frame| (frame.id, frame.body)).collect();
    let [one, two] = [b"vw\x001\0last".to_vec(), b"vw\x002\0new".to_vec()];
    assert_eq!(frames, [(first, one.clone()), (first, two.clone()), (second, one), (second, two)]);
    assert_eq!(get(&mut world, &token, "get?v1"), (200, "last".to_owned()));
}

/// What an answer says is true when it is said: events, properties and metadata are committed before.
#[test]
fn an_answer_waits_until_what_it_acknowledges_is_committed() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    for is_stored in [true, false] {
        world.store.is_slow = true;
        let asked = [
            script.send(&mut world, command::EVENT_LOG, b"hot"),
            script.send(&mut world, command::INTERNAL, b"meta\0set\0Place\0Attic"),
            script.send(&mut world, command::PROPERTY, b"1\0label\0Pump"),
        ];
        let conn = world.connect([127, 0, 0, 3]);
        let path = format!("/external/api/device/meta/update?metaFieldName=a&value=b&token={}", token.expose());
        world.send(conn, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        world.run_ms(500);
        script.expect_nothing(&mut world);
        assert!(world.read(conn).is_none(), "nothing is committed yet");
        // What changes nothing that the store must have is answered meanwhile.
        script.refused(&mut world, command::PING, b"", 200);
        world.give_answers_back(is_stored);
        for id in asked {
            script.expect_status(&mut world, id, if is_stored { 200 } else { 19 });
        }
        let received = world.read(conn).expect("an answer");
        let response = next_response(&received, false).expect("a response").expect("whole");
        assert_eq!(response.status, if is_stored { 200 } else { 503 });
        world.close(conn);
        world.store.is_slow = false;
        world.run_ms(2_000);
    }
    // Who is gone when the store has committed is answered nothing, and nobody else hears it.
    world.store.is_slow = true;
    script.send(&mut world, command::INTERNAL, b"meta\0set\0Place\0Cellar");
    world.run_ms(30);
    let mut next = Script::introduced(&mut world, &token);
    world.give_answers_back(true);
    next.expect_nothing(&mut world);
}

/// The clock was years ahead before the restart: the value is shown, and the next one replaces it.
#[test]
fn a_value_of_the_future_gives_way_to_the_next_one() {
    let (mut world, token) = world();
    let future = UnixMillis(world.wall_ms() + 10 * 365 * 86_400_000);
    let values = vec![(Pin::new_virtual(1), b"of the wrong time"[..].into(), future)];
    world.restore(1, Restored { values, ..Restored::default() });
    assert_eq!(world.value(1, 1).as_deref(), Some("of the wrong time"));
    let mut script = Script::introduced(&mut world, &token);
    world.run_ms(10);
    script.ask(&mut world, command::HARDWARE, b"vw\x001\0of today");
    assert_eq!(world.value(1, 1).as_deref(), Some("of today"));
}

/// Whoever is refused after its login hears why before it is closed: the stored history of presence must not say online
/// for ever.
#[test]
fn a_refused_device_is_stored_as_offline() {
    let (mut world, token) = world_with_template();
    let mut script = Script::login(&mut world, &token);
    script.ask(&mut world, command::INTERNAL, b"ver\x001\0tmpl\0TMPLother");
    world.run_ms(3_000);
    assert_eq!(world.store.presence, [(id(1), None), (id(1), Some(End::TemplateMismatch))]);

    let (mut world, token) = super::world();
    let _script = Script::introduced(&mut world, &token);
    world.order_all(|| Command::Drain { redirect: Some(("other".into(), 80)), per_second: 1_000 });
    world.run_ms(3_000);
    assert_eq!(world.store.presence, [(id(1), None), (id(1), Some(End::Redirected))]);
    world.audit();
}

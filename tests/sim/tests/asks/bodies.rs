//! Bodies, great and many, with short sends and lanes that are full.

use linchpin_protocol::http::Method;
use linchpin_sim::Faults;
use linchpin_sim::control::pattern;

use super::*;

const GREAT: usize = 20 << 20;

fn narrow(seed: u64, ask_lane: usize) -> World {
    let faults = Faults { short_send: 200, split: 0, delay: 50, latency_ms: 2, ..Faults::default() };
    World::new(&WorldOptions { seed, ask_lane, faults, ..options() })
}

/// Run until `done`, reading all the time.
fn run_until(world: &mut World, client: &mut Asker, most_ms: u64, done: impl Fn(&Asker) -> bool) {
    let end = world.now_ms() + most_ms;
    while !done(client) {
        assert!(world.now_ms() < end, "not done: {:?}", world.ends);
        run(world, client, 20);
    }
}

#[test]
fn a_thousand_requests_on_few_connections() {
    let mut world = narrow(5, 3);
    let mut clients: Vec<Asker> = (1..=5).map(|n| Asker::connect(&mut world, [127, 0, 0, n])).collect();
    for number in 0..1_000 {
        let client = &mut clients[number % 5];
        match number % 3 {
            0 => client.ask(&mut world, "GET", "/api/v1/ping", "", b""),
            1 => {
                let body: Vec<u8> = (0..number).map(pattern).collect();
                client.ask(&mut world, "POST", "/api/sink", "", &body);
            }
            _ => client.ask(&mut world, "GET", &format!("/api/stream?{number}"), "", b""),
        }
        if number % 7 == 0 {
            run(&mut world, &mut clients[number % 5], 10);
        }
    }
    for client in &mut clients {
        run_until(&mut world, client, 200_000, |client| client.whole_answers().len() == 200);
        assert!(statuses(client).iter().all(|status| *status == 200));
    }
    let streams = clients.iter().flat_map(|client| &client.answers);
    let bodies: usize = streams.map(|answer| answer.body.len()).sum();
    assert!(bodies > 160_000, "{bodies}");
    assert_eq!(world.control(0).begun, 1_000);
    leave(&mut world, &clients.iter().collect::<Vec<_>>());
}

#[test]
fn twenty_megabytes_out() {
    for (path, lane) in [("/api/stream", 2), ("/api/sized", 64)] {
        let mut world = narrow(7, lane);
        let mut client = Asker::connect(&mut world, [127, 0, 0, 1]);
        client.ask(&mut world, "GET", &format!("{path}?{GREAT}"), "", b"");
        run_until(&mut world, &mut client, 600_000, |client| client.whole_answers().len() == 1);
        let body = &client.answers[0].body;
        assert_eq!(body.len(), GREAT);
        assert!(body.iter().enumerate().all(|(at, byte)| *byte == pattern(at)), "every byte is in its place");
        leave(&mut world, &[&client]);
    }
}

#[test]
fn twenty_megabytes_in() {
    for lane in [2, 64] {
        let mut world = narrow(11, lane);
        let mut client = Asker::connect(&mut world, [127, 0, 0, 1]);
        let body: Vec<u8> = (0..GREAT).map(pattern).collect();
        client.ask(&mut world, "PUT", "/api/sink", "", &body);
        let mut most_held = 0;
        let end = world.now_ms() + 600_000;
        while client.answers.is_empty() {
            assert!(world.now_ms() < end, "not done: {:?}", world.ends);
            run(&mut world, &mut client, 50);
            most_held = most_held.max(world.status()[0].ask_bytes);
        }
        run(&mut world, &mut client, 100);
        let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
        assert_eq!(client.whole_answers(), [ok(&format!("{GREAT} {sum}"))]);
        assert!(most_held < 64 << 10, "{most_held} bytes were held at once");
        leave(&mut world, &[&client]);
    }
}

#[test]
fn an_echo_goes_both_ways_at_once() {
    let mut world = narrow(13, 3);
    let mut client = Asker::connect(&mut world, [127, 0, 0, 1]);
    let body: Vec<u8> = (0..1 << 20).map(pattern).collect();
    let chunks: Vec<&[u8]> = body.chunks(777).collect();
    client.ask_chunked(&mut world, "/api/echo", &chunks);
    run_until(&mut world, &mut client, 300_000, |client| client.whole_answers().len() == 1);
    assert!(client.answers[0].body == body);
    assert_eq!(world.control(0).seen[0].method, Method::Post);
    leave(&mut world, &[&client]);
}

#[test]
fn who_stops_reading_stops_the_one_who_writes() {
    let (mut world, mut client) = world_and_client();
    world.set_window(client.conn, 10_000);
    client.ask(&mut world, "GET", &format!("/api/stream?{GREAT}"), "", b"");
    world.run_ms(10_000);
    let sent = world.control(0).most_sent();
    assert!((64 << 10..=256 << 10).contains(&sent), "control has made {sent} bytes for nobody");
    world.run_ms(1_000);
    assert_eq!(world.control(0).most_sent(), sent);
    let held = world.status()[0].ask_bytes;
    assert!(held <= 128 << 10, "{held}");
    // Who reads again gets the rest, in order.
    world.set_window(client.conn, 64 << 10);
    for _ in 0..100 {
        run(&mut world, &mut client, 10);
    }
    let body = &client.answers[0].body;
    assert!(body.len() > 300 << 10 && body.iter().enumerate().all(|(at, byte)| *byte == pattern(at)));
    leave(&mut world, &[&client]);
}

/// A handler that does not read its body stops the client.
#[test]
fn a_handler_that_does_not_read_stops_the_client() {
    let (mut world, mut client) = world_and_client();
    client.ask(&mut world, "POST", "/api/silent", "", &vec![7; 1 << 20]);
    world.run_ms(2_000);
    client.read(&mut world);
    let held = world.status()[0].ask_bytes;
    assert!(held < 40_000, "{held} bytes of a megabyte were taken");
    assert_eq!(world.control(0).most_unread(), 0);
    // Nothing is received any more, so that a reset shows only when the time is up.
    world.abort(client.conn);
    world.run_ms(35_000);
    leave(&mut world, &[]);
}

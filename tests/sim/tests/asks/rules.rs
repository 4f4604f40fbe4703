//! What becomes an ask, what travels of it, and how its connection goes on.

use linchpin_protocol::http::Method;
use linchpin_shard::{Command, End};

use super::*;

#[test]
fn an_ask_is_answered_and_the_connection_goes_on() {
    let (mut world, mut client) = world_and_client();
    for number in 1..=3 {
        client.ask(&mut world, "GET", "/api/v1/ping", "", b"");
        run(&mut world, &mut client, 20);
        assert_eq!(client.whole_answers(), vec![ok("pong"); number]);
    }
    let head = &client.answers[0].head;
    assert!(head.contains("X-Sim: 1\r\n") && head.contains("Connection: keep-alive\r\n"), "{head}");
    assert!(!head.to_lowercase().contains("access-control"), "no other page may read it: {head}");
    // The device API keeps its field, on the same connection.
    client.ask(&mut world, "GET", "/external/api/get?token=x&v1", "", b"");
    run(&mut world, &mut client, 20);
    assert!(client.answers[3].head.contains("Access-Control-Allow-Origin: *\r\n"), "{:?}", client.answers[3]);
    assert_eq!(world.status()[0].asks, 3);
    leave(&mut world, &[&client]);
}

#[test]
fn only_the_four_roots_are_controls() {
    let (mut world, mut client) = world_and_client();
    for (path, is_control) in [
        ("/api/x", true),
        ("/oauth2/token", true),
        ("/scim/v2/Users", true),
        ("/.well-known/security.txt", true),
        ("/.well-known/acme-challenge/x", false),
        ("/api", false),
        ("/external/api/x", false),
        ("/", false),
    ] {
        let before = world.control(0).begun;
        client.ask(&mut world, "GET", path, "", b"");
        run(&mut world, &mut client, 20);
        assert_eq!(world.control(0).begun - before, u64::from(is_control), "{path}");
        if is_control {
            // Nobody answers these here: begin again.
            world.abort(client.conn);
            client = Asker::connect(&mut world, [127, 0, 0, 1]);
            run(&mut world, &mut client, 20);
        }
    }
    let mut closed = World::new(&WorldOptions { shards: 1, ..WorldOptions::default() });
    let mut client = Asker::connect(&mut closed, [127, 0, 0, 1]);
    client.ask(&mut closed, "GET", "/api/v1/ping", "", b"");
    run(&mut closed, &mut client, 20);
    assert_eq!((statuses(&client), closed.control(0).begun), (vec![404], 0), "no control plane, no route");
}

#[test]
fn what_travels_is_a_list_and_every_method_does() {
    let (mut world, _) = world_and_client();
    for (name, method) in [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("PUT", Method::Put),
        ("PATCH", Method::Patch),
        ("DELETE", Method::Delete),
        ("OPTIONS", Method::Options),
    ] {
        let mut client = Asker::connect(&mut world, [127, 0, 0, 1]);
        let fields = "Cookie: a=b\r\nX-Other: 1\r\nX-Forwarded-For: 6.6.6.6\r\nAccept: a\r\nAccept: b\r\n";
        client.ask(&mut world, name, "/api/v1/ping?q=%20#f", fields, b"");
        run(&mut world, &mut client, 20);
        let ask = world.control(0).seen.last().expect("it came").clone();
        assert_eq!((ask.method, &*ask.target, ask.over_tls), (method, "/api/v1/ping?q=%20", false));
        assert_eq!(ask.peer.ip(), std::net::IpAddr::from([127, 0, 0, 1]));
        let names: Vec<_> = ask.fields.iter().map(|field| field.name).collect();
        assert_eq!(names, ["accept", "cookie", "host"]);
        assert_eq!(ask.fields.text("accept"), Some("a, b"));
    }
    let mut client = Asker::connect(&mut world, [127, 0, 0, 1]);
    client.ask(&mut world, "BREW", "/api/v1/ping", "", b"");
    run(&mut world, &mut client, 20);
    assert_eq!(statuses(&client), [405]);
    let head = &client.answers[0].head;
    assert!(head.contains("Allow: GET, HEAD, POST,"), "RFC 9110 wants the field: {head}");
    let mut twice = Asker::connect(&mut world, [127, 0, 0, 1]);
    twice.ask(&mut world, "GET", "/api/v1/ping", "Cookie: a\r\nCookie: b\r\n", b"");
    run(&mut world, &mut twice, 20);
    assert_eq!(statuses(&twice), [400]);
}

#[test]
fn a_foreign_host_is_421() {
    let mut world = world();
    for (host, status) in [
        ("iot.example.com", 200),
        ("IOT.example.com:443", 200),
        ("127.0.0.1:8080", 200),
        ("[::1]", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        // No host at all: refused like every malformed head.
        ("a@b", 400),
        ("", 400),
    ] {
        let mut client = Asker::connect(&mut world, [127, 0, 0, 1]);
        world.send(client.conn, format!("GET /api/v1/ping HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        run(&mut world, &mut client, 20);
        assert_eq!(statuses(&client), [status], "{host}");
    }
}

#[test]
fn forwarded_fields_count_from_a_listed_proxy_only() {
    let mut world = world();
    for (from, who, over_tls) in [([127, 0, 0, 9], "198.51.100.7", true), ([127, 0, 0, 8], "127.0.0.8", false)] {
        let mut client = Asker::connect(&mut world, from);
        let fields = "X-Forwarded-For: 1.1.1.1, 198.51.100.7\r\nX-Forwarded-Proto: https\r\n";
        client.ask(&mut world, "GET", "/api/v1/ping", fields, b"");
        run(&mut world, &mut client, 20);
        let ask = world.control(0).seen.last().expect("it came").clone();
        assert_eq!((ask.peer.ip().to_string().as_str(), ask.over_tls), (who, over_tls));
        assert_eq!(ask.fields.get("x-forwarded-for"), None);
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_and_wait_within_a_bound() {
    let (mut world, mut client) = world_and_client();
    client.ask(&mut world, "GET", "/api/stream?100000", "", b"");
    client.ask(
        &mut world,
        "POST",
        "/api/sink",
        "",
        &(0..5_000).map(linchpin_sim::control::pattern).collect::<Vec<_>>(),
    );
    client.ask(&mut world, "HEAD", "/api/v1/ping", "", b"");
    client.ask(&mut world, "GET", "/external/api/get?token=x&v1", "", b"");
    client.ask(&mut world, "GET", "/api/v1/ping", "", b"");
    run(&mut world, &mut client, 2_000);
    let sizes: Vec<_> = client.answers.iter().map(|answer| (answer.status, answer.body.len())).collect();
    assert_eq!(sizes, [(200, 100_000), (200, 11), (200, 0), (400, 38), (200, 4)], "{:?}", client.answers[3]);
    // Behind one that is never answered not everything is taken.
    client.ask(&mut world, "GET", "/api/silent", "", b"");
    for _ in 0..1_000 {
        client.ask(&mut world, "GET", "/api/v1/ping", "X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", b"");
    }
    run(&mut world, &mut client, 1_000);
    let held = world.status()[0].ask_bytes;
    assert!((16_384..40_000).contains(&held), "{held} bytes of 100,000 are held");
    world.abort(client.conn);
    world.run_ms(35_000);
    leave(&mut world, &[]);
}

/// Refusals in a closed loop are work for control: what follows one on its connection waits for a moment, and is not lost.
#[test]
fn who_asked_too_often_is_read_again_a_moment_later() {
    let (mut world, mut client) = world_and_client();
    for _ in 0..20 {
        client.ask(&mut world, "GET", "/api/often", "", b"");
    }
    client.ask(&mut world, "GET", "/api/v1/ping", "", b"");
    run(&mut world, &mut client, 500);
    let at_once = client.whole_answers().len();
    assert!((4..=9).contains(&at_once), "{at_once} answers in half a second");
    run(&mut world, &mut client, 4_000);
    let statuses = statuses(&client);
    assert_eq!((statuses.len(), statuses.last()), (21, Some(&200)), "{statuses:?}");
    leave(&mut world, &[&client]);
}

#[test]
fn the_bodies_of_head_and_http_1_0() {
    let mut world = world();
    let mut client = Asker::connect(&mut world, [127, 0, 0, 1]);
    client.ask(&mut world, "HEAD", "/api/sized?7", "", b"");
    client.ask(&mut world, "GET", "/api/v1/ping", "", b"");
    run(&mut world, &mut client, 50);
    assert_eq!(statuses(&client), [200, 200]);
    assert!(client.answers[0].head.contains("Content-Length: 7\r\n"));
    let old = world.connect([127, 0, 0, 1]);
    let mut old = Asker::over(old);
    world.send(old.conn, b"GET /api/stream?3000 HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
    run(&mut world, &mut old, 2_000);
    old.read(&mut world);
    let answer = &old.answers[0];
    assert!(answer.is_whole && answer.body.len() == 3_000, "{answer:?}");
    assert!(!answer.head.contains("chunked") && answer.head.contains("Connection: close"), "{}", answer.head);
}

#[test]
fn a_body_is_asked_for_when_control_wants_it() {
    let (mut world, mut client) = world_and_client();
    let expect = "Expect: 100-continue\r\nContent-Length: 6\r\n";
    client.ask(&mut world, "PUT", "/api/sink", expect, b"");
    run(&mut world, &mut client, 50);
    assert_eq!(statuses(&client), [100]);
    let body: Vec<u8> = (0..6).map(linchpin_sim::control::pattern).collect();
    world.send(client.conn, &body);
    run(&mut world, &mut client, 50);
    assert_eq!(client.whole_answers()[1], ok("6 15"));
    client.ask(&mut world, "PUT", "/api/refuse", expect, b"");
    run(&mut world, &mut client, 50);
    assert_eq!(statuses(&client), [100, 200, 413], "no 100 before a refusal");
    assert!(client.answers[2].head.contains("Connection: close"));
    run(&mut world, &mut client, 2_000);
    assert!(world.is_over(client.conn));
}

#[test]
fn trailers_and_extensions_are_400() {
    let mut world = world();
    for body in ["3;a=b\r\nabc\r\n0\r\n\r\n", "3\r\nabc\r\n0\r\nX: y\r\n\r\n", "3\nabc\n0\n\n"] {
        let mut client = Asker::connect(&mut world, [127, 0, 0, 1]);
        let request = format!("POST /api/sink HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        world.send(client.conn, request.as_bytes());
        run(&mut world, &mut client, 50);
        assert_eq!(statuses(&client), [400], "{body:?}");
        leave(&mut world, &[&client]);
    }
}

#[test]
fn a_reset_cancels_and_the_end_of_the_stream_does_not() {
    let (mut world, mut client) = world_and_client();
    client.ask(&mut world, "GET", "/api/silent", "", b"");
    run(&mut world, &mut client, 50);
    assert_eq!((world.control(0).under_way(), world.control(0).cancelled), (1, 0));
    world.abort(client.conn);
    world.run_ms(50);
    assert_eq!((world.control(0).under_way(), world.control(0).cancelled), (0, 1));
    let mut polite = Asker::connect(&mut world, [127, 0, 0, 1]);
    polite.ask(&mut world, "GET", "/api/stream?200000", "", b"");
    world.close(polite.conn);
    run(&mut world, &mut polite, 3_000);
    assert_eq!(polite.answers[0].body.len(), 200_000);
    assert!(polite.answers[0].is_whole && polite.answers[0].head.contains("Connection: close"));
    assert_eq!(world.control(0).cancelled, 1);
    let mut cut = Asker::connect(&mut world, [127, 0, 0, 1]);
    cut.ask(&mut world, "POST", "/api/sink", "Content-Length: 100\r\n", b"");
    world.close(cut.conn);
    run(&mut world, &mut cut, 100);
    assert!(cut.answers.is_empty() && world.is_over(cut.conn), "half a body is no request");
    assert_eq!(world.control(0).cancelled, 2);
    leave(&mut world, &[]);
}

/// Answers on their way when their connection ends must not reach the next one in its slot.
#[test]
fn late_answers_are_nobodys() {
    let mut world = world();
    for round in 0..200 {
        let mut first = Asker::connect(&mut world, [127, 0, 0, 1]);
        first.ask(&mut world, "GET", "/api/stream?40000", "", b"");
        world.run_ms(3 + round % 4);
        world.abort(first.conn);
        let mut second = Asker::connect(&mut world, [127, 0, 0, 1]);
        second.ask(&mut world, "GET", "/api/v1/ping", "", b"");
        run(&mut world, &mut second, 30);
        first.read(&mut world);
        assert_eq!(second.whole_answers(), [ok("pong")], "round {round}");
        world.abort(second.conn);
        world.run_ms(10);
    }
    leave(&mut world, &[]);
}

#[test]
fn a_failure_is_500_or_a_visible_cut() {
    let (mut world, mut client) = world_and_client();
    client.ask(&mut world, "GET", "/api/panic", "", b"");
    run(&mut world, &mut client, 50);
    assert_eq!(statuses(&client), [500]);
    assert!(!client.answers[0].head.contains("Access-Control"));
    let mut cut = Asker::connect(&mut world, [127, 0, 0, 1]);
    cut.ask(&mut world, "GET", "/api/break?5000", "", b"");
    run(&mut world, &mut cut, 1_000);
    assert!(!cut.answers[0].is_whole && world.wires[cut.conn].reset, "no clean end may follow a part");
    assert!(world.ends.iter().filter(|end| end.1 == End::AnswerFailed).count() >= 1);
    leave(&mut world, &[&client]);
}

#[test]
fn the_one_who_hoards_pays_for_the_newcomer() {
    // Clients that have not logged in may take half of the table: the asks are what is full.
    let mut world = World::new(&WorldOptions { slots: 2_000, ..options() });
    let mut hoard = Vec::new();
    for number in 0..linchpin_shard::limits::ASKS {
        // Every fourth belongs to one address.
        let address =
            if number % 4 == 0 { [127, 0, 0, 1] } else { [127, 1, (number / 250) as u8, (number % 250) as u8] };
        let mut client = Asker::connect(&mut world, address);
        client.ask(&mut world, "GET", "/api/silent", "", b"");
        hoard.push(client);
    }
    world.run_ms(50);
    assert_eq!(world.control(0).under_way(), linchpin_shard::limits::ASKS);
    let mut newcomer = Asker::connect(&mut world, [127, 9, 9, 9]);
    newcomer.ask(&mut world, "GET", "/api/v1/ping", "", b"");
    run(&mut world, &mut newcomer, 100);
    assert_eq!(newcomer.whole_answers(), [ok("pong")]);
    let mut refused = Vec::new();
    for (number, client) in hoard.iter_mut().enumerate() {
        client.read(&mut world);
        if !client.answers.is_empty() {
            assert_eq!(statuses(client), [503]);
            assert!(client.answers[0].head.contains("Retry-After: 1\r\n"));
            refused.push(number);
        }
    }
    assert!(refused.len() == 1 && refused[0] % 4 == 0, "one of the address with most: {refused:?}");
    let mut same = Asker::connect(&mut world, [127, 0, 0, 1]);
    let mut other = Asker::connect(&mut world, [127, 9, 9, 8]);
    other.ask(&mut world, "GET", "/api/silent", "", b"");
    run(&mut world, &mut other, 20);
    same.ask(&mut world, "GET", "/api/v1/ping", "", b"");
    run(&mut world, &mut same, 50);
    assert_eq!(statuses(&same), [503], "its own address has most");
    let all: Vec<&Asker> = hoard.iter().chain([&newcomer, &same, &other]).collect();
    leave(&mut world, &all);
}

#[test]
fn a_drain_gives_asks_five_seconds() {
    let mut world = world();
    let ask = |world: &mut World, path: &str| {
        let mut client = Asker::connect(world, [127, 0, 0, 1]);
        client.ask(world, "GET", path, "", b"");
        client
    };
    let (mut silent, mut long) = (ask(&mut world, "/api/silent"), ask(&mut world, "/api/stream?3000000"));
    let mut idle = Asker::connect(&mut world, [127, 0, 0, 1]);
    idle.ask(&mut world, "GET", "/api/v1/ping", "", b"");
    world.run_ms(30);
    long.read(&mut world);
    world.order_all(|| Command::Drain { redirect: None, per_second: 5_000 });
    for _ in 0..45 {
        run(&mut world, &mut long, 100);
        silent.read(&mut world);
    }
    assert!(silent.answers.is_empty(), "there is time");
    assert!(long.answers[0].is_whole && long.answers[0].body.len() == 3_000_000);
    run(&mut world, &mut silent, 1_000);
    assert_eq!(statuses(&silent), [503]);
    idle.read(&mut world);
    assert!(world.is_over(idle.conn), "who waits for nothing goes at once");
    world.run_ms(3_000);
    leave(&mut world, &[]);
}

#[test]
fn an_upgrade_behind_an_ask_is_refused_and_before_it_is_not() {
    let upgrade = "GET /websockets HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let (mut world, mut client) = world_and_client();
    client.ask(&mut world, "GET", "/api/v1/ping", "", b"");
    world.send(client.conn, upgrade.as_bytes());
    run(&mut world, &mut client, 50);
    assert_eq!(statuses(&client), [200, 400]);
    let mut later = Asker::connect(&mut world, [127, 0, 0, 1]);
    later.ask(&mut world, "GET", "/api/v1/ping", "", b"");
    run(&mut world, &mut later, 50);
    world.send(later.conn, upgrade.as_bytes());
    world.run_ms(50);
    let segment = world.read(later.conn).expect("an answer");
    assert!(segment.starts_with(b"HTTP/1.1 101 "), "{:?}", String::from_utf8_lossy(&segment));
    leave(&mut world, &[&client, &later]);
}

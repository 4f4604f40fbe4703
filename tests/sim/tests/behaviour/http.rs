//! The HTTP device API, on one shard and across shards.

use linchpin_protocol::http::client::next_response;
use linchpin_shard::End;
use linchpin_sim::driver::Conn;

use super::*;

/// What came back so far: status and body of each response.
pub(crate) struct Client {
    conn: Conn,
    received: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(world: &mut World) -> Self {
        Self { conn: world.connect([127, 0, 0, 9]), received: Vec::new() }
    }

    pub(crate) fn send(&self, world: &mut World, text: &str) {
        world.send(self.conn, text.as_bytes());
    }

    /// End the connection.
    pub(crate) fn close(&self, world: &mut World) {
        world.close(self.conn);
    }

    pub(crate) fn answers(&mut self, world: &mut World) -> Vec<(u16, String)> {
        while let Some(segment) = world.read(self.conn) {
            self.received.extend_from_slice(&segment);
        }
        let mut found = Vec::new();
        while let Some(response) = next_response(&self.received, false).expect("the server writes responses") {
            found.push((response.status, String::from_utf8_lossy(response.body).into_owned()));
            let used = response.used;
            self.received.drain(..used);
        }
        found
    }

    pub(crate) fn get(&mut self, world: &mut World, path: &str) -> (u16, String) {
        self.ask(world, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
    }

    /// Send a request and wait for its answer.
    pub(crate) fn ask(&mut self, world: &mut World, request: &str) -> (u16, String) {
        self.send(world, request);
        world.run_ms(30);
        let mut answers = self.answers(world);
        assert_eq!(answers.len(), 1, "{request}: {answers:?}");
        answers.remove(0)
    }
}

pub(crate) fn ok(body: &str) -> (u16, String) {
    (200, body.to_owned())
}

pub(crate) fn error(text: &str) -> (u16, String) {
    (400, format!("{{\"error\":{{\"message\":\"{text}\"}}}}"))
}

/// Requests of a device that may live on either shard: both kinds of ways are taken.
#[test]
fn values_are_written_read_and_reach_the_device() {
    for device in 1..=8 {
        let mut world = World::new(&WorldOptions::default());
        let token = world.add_device(device, None);
        let mut script = Script::introduced(&mut world, &token);
        let mut client = Client::connect(&mut world);
        let api = |call: &str| format!("/external/api/{call}token={}", token.expose());
        assert_eq!(client.get(&mut world, &api("update?v1=hello%20world&")), ok(""));
        assert_eq!(script.receive(&mut world).expect("told at once").body, b"vw\x001\0hello world");
        script.ask(&mut world, command::HARDWARE, b"vw\x002\x0042");
        assert_eq!(client.get(&mut world, &api("get?v1&")), ok("hello world"));
        assert_eq!(client.get(&mut world, &api("get?v1&v2&")), ok(r#"{"v1":"hello world","v2":42}"#));
        assert_eq!(client.get(&mut world, &api("getAll?")), ok(r#"{"v1":"hello world","v2":42}"#));
        assert_eq!(client.get(&mut world, &api("isHardwareConnected?")), ok("true"));
        assert_eq!(client.get(&mut world, &api("get?v9&")), error("V9 has no value yet."));
        assert_eq!(client.get(&mut world, &api("update?pin=V3&value=24.5&value=52&")), ok(""));
        assert_eq!(script.receive(&mut world).expect("told at once").body, b"vw\x003\x0024.5\x0052");
        assert_eq!(client.get(&mut world, &api("get?v3&")), ok("[24.5,52]"));
        world.close(script.conn);
        world.run_ms(50);
        assert_eq!(client.get(&mut world, &api("isHardwareConnected?")), ok("false"));
        assert_eq!(client.get(&mut world, &api("update?v1=later&")), ok(""), "kept for its next sync");
        assert_eq!(world.value(device, 1).as_deref(), Some("later"));
        world.audit();
    }
}

#[test]
fn a_template_types_what_is_read_and_refuses_what_is_not_its() {
    let (mut world, token) = world_with_template();
    let mut client = Client::connect(&mut world);
    let api = |call: &str| format!("/external/api/{call}token={}", token.expose());
    assert_eq!(client.get(&mut world, &api("batch/update?v0=7&v1=x&")), ok(""));
    assert_eq!(client.get(&mut world, &api("getAll?")), ok(r#"{"v0":7,"v1":"x"}"#));
    assert_eq!(client.get(&mut world, &api("update?v9=1&")), error("No datastream setup for that pin."));
    let (status, body) = client.get(&mut world, &api("batch/update?v0=8&v1=y&v0=101&"));
    assert!(status == 400 && body.contains("Value doesn't match the Datastream data type."), "{body}");
    assert_eq!(client.get(&mut world, &api("getAll?")), ok(r#"{"v0":7,"v1":"x"}"#), "all or nothing");
    assert_eq!(
        client.get(&mut world, &api("get?v9&")),
        error("Requested dataStream doesn't exist in the product Test")
    );
    assert_eq!(client.get(&mut world, &api("logEvent?code=hot&")), ok(""));
    assert_eq!(client.get(&mut world, &api("logEvent?code=hot&")).0, 429);
    let unknown = "Can't find Event with this code in Product template";
    assert_eq!(client.get(&mut world, &api("logEvent?code=cold&")), error(unknown));
    assert_eq!(client.get(&mut world, &api("update/property?pin=v0&color=red&")), ok(""));
    assert_eq!(world.view(1).properties.len(), 1);
    assert_eq!(client.get(&mut world, &api("device/meta?metaFieldName=Room&")), error("MetaField doesn't exist."));
    assert_eq!(client.get(&mut world, &api("device/meta/update?metaFieldName=Room&value=Attic&")), ok(""));
    assert_eq!(client.get(&mut world, &api("device/meta?metaFieldName=Room&")), ok("Attic"));
}

#[test]
fn the_legacy_api_speaks_its_own_words() {
    let (mut world, token) = world();
    let mut client = Client::connect(&mut world);
    let api = |call: &str| format!("/{}/{call}", token.expose());
    assert_eq!(client.get(&mut world, &api("get/V1")), (400, "Requested pin doesn't exist in the app.".to_owned()));
    assert_eq!(client.get(&mut world, &api("update/V1?value=a&value=b")), ok(""));
    assert_eq!(client.get(&mut world, &api("get/v1")), ok(r#"["a","b"]"#));
    assert_eq!(client.get(&mut world, &api("isHardwareConnected")), ok("false"));
    assert_eq!(client.get(&mut world, &api("isAppConnected")), ok("false"));
    assert!(client.get(&mut world, &api("project")).1.contains("\"devices\":[{\"id\":1,\"status\":\"OFFLINE\"}]"));
    assert!(client.get(&mut world, &api("rtc")).1.starts_with("[\"17900000"));
    assert_eq!(client.get(&mut world, "/abcdefghijklmnopqrstuvwxyz012345/rtc"), (400, "Invalid token.".to_owned()));
}

#[test]
fn a_batch_keeps_its_newest_point_and_tells_the_device_nothing() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    let mut client = Client::connect(&mut world);
    let now = 1_790_000_000_000_u64;
    let mut post = |world: &mut World, body: &str| {
        client.send(world, &format!(
            "POST /external/api/batch/update?token={}&pin=v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            token.expose(), body.len()
        ));
        world.run_ms(30);
        client.answers(world).remove(0)
    };
    assert_eq!(post(&mut world, &format!("[[{},1],[{},3],[{},2]]", now - 3_000, now - 1_000, now - 2_000)), ok("OK"));
    assert_eq!(world.value(1, 1).as_deref(), Some("3"));
    assert_eq!(post(&mut world, &format!("[[{},9]]", now - 5_000)), ok("OK"));
    assert_eq!(world.value(1, 1).as_deref(), Some("3"), "an older point is not the latest value");
    assert!(post(&mut world, "[[1000,9]]").1.contains("more than a month away"));
    script.expect_nothing(&mut world);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let mut world = World::new(&WorldOptions { shards: 3, ..WorldOptions::default() });
    let tokens: Vec<_> = (1..=6).map(|device| world.add_device(device, None)).collect();
    let mut client = Client::connect(&mut world);
    let mut text = String::new();
    for (n, token) in tokens.iter().enumerate() {
        text += &format!("GET /{}/update/v1?value={n} HTTP/1.1\r\nHost: x\r\n\r\n", token.expose());
        text += &format!("GET /{}/get/v1 HTTP/1.1\r\nHost: x\r\n\r\n", token.expose());
    }
    client.send(&mut world, &text);
    world.run_ms(500);
    let bodies: Vec<_> = client.answers(&mut world).into_iter().map(|answer| answer.1).collect();
    let want: Vec<_> = (0..6).flat_map(|n| [String::new(), format!("[\"{n}\"]")]).collect();
    assert_eq!(bodies, want);
    world.close(client.conn);
    world.run_ms(50);
    assert_eq!(ends(&world), [End::HttpDone]);
    world.expect_empty();
}

/// A client that asks much and reads late gets everything, a part at a time.
#[test]
fn many_large_answers_do_not_pile_up() {
    let (mut world, token) = world();
    for pin in 0..28 {
        let push = linchpin_shard::Push::Write { pin: Pin::new_virtual(pin), value: vec![b'x'; 1_000].into() };
        world.ask(1, |request, device| linchpin_shard::Command::Push { request, device, push });
    }
    let mut client = Client::connect(&mut world);
    const REQUESTS: usize = 60;
    client.send(
        &mut world,
        &format!("GET /external/api/getAll?token={} HTTP/1.1\r\nHost: x\r\n\r\n", token.expose()).repeat(REQUESTS),
    );
    let mut answers = Vec::new();
    for _ in 0..400 {
        world.run_ms(20);
        answers.extend(client.answers(&mut world));
        world.audit();
    }
    assert_eq!(answers.len(), REQUESTS);
    assert!(answers.iter().all(|answer| answer.0 == 200 && answer.1.len() > 28_000));
}

#[test]
fn long_bodies_are_read_for_good_tokens_only() {
    let (mut world, token) = world();
    let head = |token: &str, len: usize| {
        format!("PUT /{token}/update/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: {len}\r\nExpect: 100-continue\r\n\r\n")
    };
    let body = format!("[\"a\"{}]", " ".repeat(100_000));
    let mut client = Client::connect(&mut world);
    client.send(&mut world, &head(token.expose(), body.len()));
    world.run_ms(30);
    assert_eq!(client.answers(&mut world), [(100, String::new())], "the client may send the body");
    client.send(&mut world, &body);
    world.run_ms(3_000);
    assert_eq!(client.answers(&mut world), [ok("")]);
    assert_eq!(world.value(1, 1).as_deref(), Some("a"));

    let mut stranger = Client::connect(&mut world);
    stranger.send(&mut world, &(head("abcdefghijklmnopqrstuvwxyz012345", body.len()) + &body));
    world.run_ms(3_000);
    stranger.received.clear();
    assert_eq!(ends(&world), [End::TokenUnknown]);
    world.audit();
}

#[test]
fn bad_requests_are_answered_and_closed() {
    for (text, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 600000\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ] {
        let (mut world, _) = world();
        let mut client = Client::connect(&mut world);
        client.send(&mut world, text);
        world.run_ms(50);
        assert_eq!(client.answers(&mut world)[0].0, status, "{text:?}");
        world.run_ms(1_300);
        assert!(world.is_over(client.conn));
        assert_eq!(ends(&world), [End::HttpMalformed]);
        world.expect_empty();
    }
}

#[test]
fn connections_close_when_asked_and_when_idle() {
    let (mut world, token) = world();
    let mut client = Client::connect(&mut world);
    client.send(&mut world, &format!("GET /{}/rtc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", token.expose()));
    world.run_ms(50);
    assert_eq!(client.answers(&mut world).len(), 1);
    assert!(world.is_over(client.conn));
    let mut idle = Client::connect(&mut world);
    assert_eq!(idle.get(&mut world, &format!("/{}/isAppConnected", token.expose())), ok("false"));
    world.run_ms(74_000);
    assert_eq!(idle.get(&mut world, &format!("/{}/isAppConnected", token.expose())), ok("false"), "kept open");
    world.run_ms(76_000);
    assert!(world.is_over(idle.conn));
    // A request that drips is cut after 5 s, however regularly it drips.
    let mut drip = Client::connect(&mut world);
    for _ in 0..8 {
        drip.send(&mut world, "G");
        world.run_ms(1_000);
    }
    assert_eq!(drip.answers(&mut world).iter().map(|answer| answer.0).collect::<Vec<_>>(), [408]);
    assert!(world.is_over(drip.conn));
    assert_eq!(ends(&world), [End::HttpDone, End::HttpIdle, End::LoginTimeout]);
    assert_eq!(world.diary(None).len(), 3);
    world.expect_empty();
}

#[test]
fn http_has_a_quota_of_its_own() {
    let (mut world, token) = world();
    let mut script = Script::introduced(&mut world, &token);
    let mut client = Client::connect(&mut world);
    let ask = format!("GET /{}/update/v1?value=1 HTTP/1.1\r\nHost: x\r\n\r\n", token.expose());
    client.send(&mut world, &ask.repeat(130));
    world.run_ms(300);
    let answers = client.answers(&mut world);
    assert_eq!(answers.len(), 130);
    let refused = answers.iter().filter(|answer| answer.0 == 429).count();
    assert!((10..=30).contains(&refused), "{refused} of 130 refused with a burst of 100");
    script.receive_all(&mut world);
    script.expect_alive(&mut world);
}

#[test]
fn unknown_tokens_are_throttled_by_address() {
    let (mut world, _) = world();
    let mut last = 0;
    for n in 0..500 {
        let mut client = Client::connect(&mut world);
        client.send(&mut world, &format!("GET /{n:0>32}/rtc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        world.run_ms(20);
        last = client.answers(&mut world)[0].0;
        if last == 429 {
            break;
        }
        assert_eq!(last, 400);
    }
    assert_eq!(last, 429);
    world.run_ms(1_300);
    assert!(ends(&world).contains(&End::AddressThrottled));
}

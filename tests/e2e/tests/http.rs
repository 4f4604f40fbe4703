//! The HTTP device API of the binary.

use std::process::Command;

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{BackEnd, Server, Wire, command, eventually, field, installed_path};
use linchpin_e2e::{Http, Reply};

fn ok(body: &str) -> Reply {
    Reply { status: 200, body: body.to_owned() }
}

/// Devices of every home, on one connection: most of its requests go to other shards.
fn matrix(back_end: BackEnd, shards: u16) {
    let server = Server::dev().back_end(back_end).shards(shards).devices(6).start();
    let devices = server.more_devices();
    let mut http = Http::connect(server.address());
    for (n, device) in devices.iter().enumerate() {
        assert_eq!(http.api(device, "isHardwareConnected"), ok("false"));
        let mut wire = Wire::login(server.address(), &device.token);
        wire.expect_status(command::INTERNAL, &["ver", "1.4.0", "buff-in", "1024"], 200);
        assert_eq!(http.api(device, "isHardwareConnected"), ok("true"));

        assert_eq!(http.api(device, &format!("update?v1=value%20{n}")), ok(""));
        let pushed = wire.receive(EFFECT).expect("the write comes at once");
        assert_eq!((pushed.command, pushed.body), (command::HARDWARE, format!("vw\x001\0value {n}").into_bytes()));
        wire.send_parts(command::HARDWARE, &["vw", "2", "21.5"]);
        wire.expect_pong();
        assert_eq!(http.api(device, "get?v2"), ok("21.5"));
        assert_eq!(http.api(device, "getAll"), ok(&format!(r#"{{"v1":"value {n}","v2":21.5}}"#)));

        let legacy = |call: &str| format!("/{}/{call}", device.token);
        assert_eq!(http.ask("PUT", &legacy("update/V3"), "", br#"["a","b"]"#), ok(""));
        assert_eq!(wire.receive(EFFECT).expect("the write comes at once").body, b"vw\x003\0a\0b");
        assert_eq!(http.get(&legacy("get/v3")), ok(r#"["a","b"]"#));
        let bearer = format!("Authorization: Bearer {}\r\n", device.token);
        assert_eq!(http.ask("GET", "/external/api/get?v1", &bearer, b""), ok(&format!("value {n}")));

        drop(wire);
        eventually(EFFECT, "the device is offline", || {
            (http.api(device, "isHardwareConnected") == ok("false")).then_some(())
        });
    }
    assert_eq!(http.api(&devices[0], "update?v1=").status, 200, "an empty value is a value");
    assert_eq!(http.get("/external/api/getAll?token=abcdefghijklmnopqrstuvwxyz012345").body, error("Invalid token."));
    server.expect_no_token_in_log(&devices);
}

fn error(text: &str) -> String {
    format!(r#"{{"error":{{"message":"{text}"}}}}"#)
}

#[test]
fn io_uring_with_1_shard() {
    matrix(BackEnd::IoUring, 1);
}

#[test]
fn io_uring_with_4_shards() {
    matrix(BackEnd::IoUring, 4);
}

#[test]
fn portable_with_1_shard() {
    matrix(BackEnd::Portable, 1);
}

#[test]
fn portable_with_4_shards() {
    matrix(BackEnd::Portable, 4);
}

#[test]
fn a_pipeline_over_all_shards_is_answered_in_order_and_closed_as_asked() {
    let server = Server::dev().shards(4).devices(8).start();
    let mut http = Http::connect(server.address());
    let mut out = Vec::new();
    let devices = server.more_devices();
    for (n, device) in devices.iter().cycle().take(40).enumerate() {
        out.extend(format!("GET /{}/update/v{n}?value={n} HTTP/1.1\r\nHost: x\r\n\r\n", device.token).into_bytes());
        out.extend(format!("GET /{}/get/v{n} HTTP/1.1\r\nHost: x\r\n\r\n", device.token).into_bytes());
    }
    out.extend(format!("GET /{}/rtc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", devices[0].token).into_bytes());
    http.send(&out);
    for n in 0..40 {
        assert_eq!(http.receive(), ok(""));
        assert_eq!(http.receive(), ok(&format!("[\"{n}\"]")));
    }
    assert_eq!(http.receive().status, 200);
    assert!(http.is_closed());
}

/// What two readers could cut differently is refused, and nothing of it is taken for a request.
#[test]
fn smuggled_requests_are_not_served() {
    let server = Server::dev().shards(2).devices(1).start();
    let device = &server.more_devices()[0];
    let smuggled = format!("GET /{}/update/v1?value=smuggled HTTP/1.1\r\nHost: x\r\n\r\n", device.token);
    for head in [
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\tchunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0;x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n",
    ] {
        let mut http = Http::connect(server.address());
        http.send(format!("{head}{smuggled}").as_bytes());
        let reply = http.receive();
        assert!((400..=501).contains(&reply.status), "{head:?}: {reply:?}");
        assert!(http.is_closed(), "{head:?}");
    }
    assert_eq!(server.value(device, "V1"), None);
}

/// Generated requests, good and bad, against the published description: no 5xx, nothing that it does not say.
fn conforms(back_end: BackEnd, shards: u16) {
    let server = Server::dev().back_end(back_end).shards(shards).option("--set", "messages_per_second=1000000").start();
    let device = &server.devices()[0];
    let description = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/device-api.yaml");
    let text = std::fs::read_to_string(description).expect("the description");
    // Legacy paths carry the token: any other would only test one refusal.
    let any_token = "{type: string, pattern: '^[A-Za-z0-9_-]{32}$'}";
    assert!(text.contains(any_token));
    let path = server.folder().join("device-api.yaml");
    std::fs::write(&path, text.replace(any_token, &format!("{{type: string, enum: ['{}']}}", device.token)))
        .expect("writes");
    let ran = Command::new(installed_path().join("schemathesis/bin/schemathesis"))
        .arg("run")
        .arg(&path)
        .args(["--url", &format!("http://{}", server.address()), "--seed", "1", "--max-examples", "25"])
        .args(["--header", &format!("Authorization: Bearer {}", device.token)])
        .args(["--no-color", "--generation-database", "none"])
        // The template and limits in bytes refuse more than a schema can say, and a bad token is a 400 in this API.
        .args(["--exclude-checks", "positive_data_acceptance,negative_data_rejection,ignored_auth"])
        .current_dir(server.folder())
        .output()
        .expect("schemathesis runs: make setup");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("Tested: 28"), "{said}");
    let requests = field(&server.ask(&["status"]), "requests").as_u64().expect("a number");
    assert!(requests > 300, "only {requests} requests came");
}

#[test]
fn the_api_is_what_its_description_says_on_io_uring() {
    conforms(BackEnd::IoUring, 4);
}

#[test]
fn the_api_is_what_its_description_says_on_the_portable_back_end() {
    conforms(BackEnd::Portable, 1);
}

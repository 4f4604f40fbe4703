//! Reloading a broken configuration, and the drain, under a thousand connections.

use std::time::{Duration, Instant};

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Server, Wire, command, eventually, field, status};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::json;

/// Connections in these tests.
const CONNECTIONS: usize = 1_000;

/// `@` is the server's folder, `%` the back end.
const GOOD: &str = r#"[listen]
plain = ["127.0.0.1:0"]
[data]
dir = "@/data"
[engine]
shards = 2
driver = "%"
[limits]
message_burst = 100
"#;

/// What to replace in [`GOOD`], with what, and what the log says of it.
const BROKEN: &[(&str, &str, &str)] = &[
    ("message_burst = 100", "message_burst = 0", "message_burst must be 1 to 1000000, not 0"),
    ("message_burst", "mesage_burst", "did you mean `message_burst`?"),
    ("[\"127.0.0.1:0\"]", "[]", "at least one address"),
    ("[limits]", "[limits", "linchpin.toml:8"),
    ("shards = 2", "shards = 2\nper_address = 1", "unknown field `per_address`"),
];

/// A server with a thousand devices that are logged in.
fn server_with_devices(back_end: &str) -> (Server, Vec<Wire>) {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, all).expect("as many descriptors as this test may have");
    let server = Server::serve(&GOOD.replace('%', back_end)).start();
    let tokens_path = server.folder().join("tokens");
    let count = CONNECTIONS.to_string();
    let path = tokens_path.to_str().expect("UTF-8");
    let (_, stderr, success) = server.operate(&["device", "add", "--count", &count, "--tokens-out", path]);
    assert!(success.success(), "{stderr}");
    let wires: Vec<_> =
        server.more_devices().iter().map(|device| Wire::login(server.address(), &device.token)).collect();
    assert_eq!(wires.len(), CONNECTIONS);
    (server, wires)
}

fn a_broken_reload_drops_none(back_end: &str) {
    let (server, mut wires) = server_with_devices(back_end);
    let path = server.folder().join("linchpin.toml");
    let good = std::fs::read_to_string(&path).expect("the configuration");
    for (part, broken, said) in BROKEN {
        assert!(good.contains(part), "{part} is not in the file");
        std::fs::write(&path, good.replacen(part, broken, 1)).expect("write the configuration");
        server.signal(Signal::HUP);
        eventually(EFFECT, &format!("the log says {said:?}"), || server.log().contains(said).then_some(()));
    }
    std::fs::remove_file(&path).expect("remove the configuration");
    server.signal(Signal::HUP);
    let missing = "No such file";
    eventually(EFFECT, "the log says that it is gone", || server.log().contains(missing).then_some(()));

    assert_eq!(server.log().matches("the old one stays").count(), BROKEN.len() + 1);
    assert!(!server.log().contains("limits reloaded"), "{}", server.log());
    let now = server.ask(&["status"]);
    for (name, expected) in [
        ("connections", json!(CONNECTIONS)),
        ("online", json!(CONNECTIONS)),
        ("dropped", json!(0)),
        ("ends", json!({})),
    ] {
        assert_eq!(field(&now, name), &expected, "{name} in {now}");
    }
    wires.iter_mut().for_each(Wire::expect_pong);
    // The old limit holds: none of a burst of a hundred is dropped.
    for _ in 0..90 {
        wires[0].send_parts(command::HARDWARE, &["vw", "1", "1"]);
    }
    wires[0].expect_status(command::INTERNAL, &["ver", "1.4.0"], status::OK);
    assert_eq!(field(&server.ask(&["status"]), "dropped"), &json!(0));
}

#[test]
fn a_broken_reload_drops_none_on_io_uring() {
    a_broken_reload_drops_none("io_uring");
}

#[test]
fn a_broken_reload_drops_none_on_the_portable_back_end() {
    a_broken_reload_drops_none("portable");
}

/// A new configuration with its mistake put right is taken, and drops none either.
#[test]
fn a_good_reload_drops_none() {
    let (server, mut wires) = server_with_devices("auto");
    let path = server.folder().join("linchpin.toml");
    let good = std::fs::read_to_string(&path).expect("the configuration");
    std::fs::write(&path, good.replace("message_burst = 100", "message_burst = 50")).expect("write");
    server.signal(Signal::HUP);
    eventually(EFFECT, "it is reloaded", || server.log().contains("limits reloaded").then_some(()));
    wires.iter_mut().for_each(Wire::expect_pong);
    let now = server.ask(&["status"]);
    assert_eq!(field(&now, "connections"), &json!(CONNECTIONS), "{now}");
}

/// 5,000 a second, each tenth of a second a tenth of them: a thousand connections take at least 100 ms.
#[test]
fn sigterm_drains_at_a_pace() {
    let (mut server, mut wires) = server_with_devices("auto");
    let begun = Instant::now();
    server.signal(Signal::TERM);
    for wire in &mut wires {
        wire.expect_end(EFFECT);
    }
    assert!(begun.elapsed() >= Duration::from_millis(100), "all at once: {:?}", begun.elapsed());
    eventually(EFFECT, "the server ends", || server.has_ended().then_some(()));
    assert!(server.end_status().success(), "{}", server.log());
}

//! The same scenario against Linchpin and against a server that shares no driver with the load generator: the same
//! messages. A mistake of the driver that both sides of the first share cannot hide in the second.

use std::time::Duration;

use linchpin_fleet::server::Server;
use linchpin_loadgen_tests::minimal::Minimal;
use linchpin_loadgen_tests::{Folder, expect_clean, made_up_tokens, program, run, sum};

const DEVICES: u32 = 60;

const SCENARIO: &str = r#"
name = "counts"
[[group]]
name = "asking"
count = 20
h_beat = "1h"
mix = [
  { kind = "ping", rate = "100/s" },
  { kind = "sync", rate = "50/s", pin = 3 },
  { kind = "property", rate = "20/s", pin = 4 },
  { kind = "telemetry", every = "500ms", jitter = "100ms", pin = 6, payload_bytes = [2, 12] },
]
[[group]]
name = "written"
count = 20
h_beat = "1h"
echo = true
mix = [
  { kind = "http_write", rate = "40/s", pin = 5, connections = 4 },
  { kind = "http_read", rate = "20/s", pin = 5 },
]
[[group]]
name = "pairs"
count = 20
h_beat = "1h"
mix = [{ kind = "bridge", rate = "40/s", pin = 7 }]
[[phase]]
kind = "ramp"
duration = "1s"
[[phase]]
kind = "steady"
duration = "4s"
"#;

const KINDS: [&str; 9] =
    ["ping", "sync", "property", "telemetry", "http_read", "http_write", "bridge", "echo", "downlinks"];

#[test]
fn the_same_messages_reach_a_server_that_is_not_built_on_our_driver() {
    let folder = Folder::new();
    let scenario = folder.file("counts.toml", SCENARIO);
    let arguments = ["run", &*scenario.to_string_lossy()];

    let flags = ["--set", "messages_per_second=100000", "--set", "message_burst=100000"];
    let linchpin = Server::start_with(&program("linchpin"), DEVICES, 2, "auto", &flags);
    let ours = run(linchpin.address, &folder.tokens(&linchpin.tokens), &arguments).outcome();
    expect_clean(&ours);

    let minimal = Minimal::start(None, Duration::ZERO);
    let theirs = run(minimal.address, &folder.tokens(&made_up_tokens(DEVICES)), &arguments).outcome();
    expect_clean(&theirs);

    for kind in KINDS {
        assert_eq!(sum(&ours, kind), sum(&theirs, kind), "{kind}");
        assert!(sum(&ours, kind) > 50, "{kind}: {}", sum(&ours, kind));
    }
    // What one side says that it sent is what the other says that it heard.
    let heard = minimal.heard();
    for kind in ["ping", "sync", "property", "http_read", "http_write", "bridge"] {
        assert_eq!(heard.get(kind).copied().unwrap_or(0), sum(&theirs, kind), "{kind}");
    }
    // Values of the mix, those sent back, and one of each device whose pin is asked for.
    assert_eq!(heard["written"], sum(&theirs, "telemetry") + sum(&theirs, "echo") + 20);
    assert_eq!(heard["logins"], u64::from(DEVICES));
    // Everything that has an answer got it.
    let asked: u64 =
        ["ping", "sync", "property", "http_read", "http_write", "bridge"].map(|kind| sum(&theirs, kind)).iter().sum();
    assert_eq!(sum(&theirs, "answers"), asked + sum(&theirs, "http_write"), "a write is answered and arrives");
}

#[test]
fn a_burst_is_so_many_messages_at_once_and_the_rate_stays() {
    let folder = Folder::new();
    let text = r#"
name = "bursts"
[[group]]
name = "all"
count = 20
h_beat = "1h"
mix = [{ kind = "ping", rate = "320/s", burst = 16 }, { kind = "telemetry", rate = "80/s", burst = 4 }]
[[phase]]
kind = "ramp"
duration = "1s"
[[phase]]
kind = "steady"
duration = "4s"
"#;
    let scenario = folder.file("bursts.toml", text);
    let minimal = Minimal::start(None, Duration::ZERO);
    let arguments = ["run", &*scenario.to_string_lossy()];
    let ours = run(minimal.address, &folder.tokens(&made_up_tokens(20)), &arguments).outcome();
    expect_clean(&ours);
    let heard = minimal.heard();
    for (kind, heard, burst, rate) in [("ping", heard["ping"], 16, 320), ("telemetry", heard["written"], 4, 80)] {
        assert_eq!(sum(&ours, kind), heard, "{kind}");
        assert_eq!(heard % burst, 0, "{kind}: {heard} are no whole bursts");
        // Five seconds with the ramp, in which devices begin one after the other.
        assert!((rate * 4 - 2 * burst..=rate * 5 + 2 * burst).contains(&heard), "{kind}: {heard} at {rate}/s");
    }
    assert_eq!(sum(&ours, "answers"), heard["ping"]);
}

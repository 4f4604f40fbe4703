//! Two servers in turn: one that takes 20 % longer is found, and the same one twice is not told apart.
//!
//! `cargo test -p linchpin-loadgen-tests --test rounds -- --test-threads=1`, on a machine without
//! neighbours: it is no part of `make test`, which tests the statistics on synthetic runs (loadgen/src/compare).

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use linchpin_loadgen_tests::minimal::Minimal;
use linchpin_loadgen_tests::{Folder, Loadgen, made_up_tokens};

const SCENARIO: &str = r#"
name = "rounds"
[[group]]
name = "devices"
count = 20
mix = [{ kind = "ping", rate = "60/s" }]
[[phase]]
kind = "ramp"
duration = "300ms"
[[phase]]
kind = "steady"
duration = "1s"
"#;

/// Exit code and what was said.
fn ab(a: SocketAddr, b: SocketAddr, scenario: &Path, tokens: &Path) -> (i32, String) {
    let (a, b) = (a.to_string(), b.to_string());
    let (scenario, tokens) = (scenario.to_string_lossy().into_owned(), tokens.to_string_lossy().into_owned());
    let arguments = ["ab", "--rounds", "8", &a, &b, &scenario, "--tokens", &tokens, "--allow-debug-build"];
    let arguments = [&arguments[..], &["--figure", "p50", "--fail-on", "p50>5%"]].concat();
    let ran = Loadgen::start(&arguments).wait(Duration::from_secs(120));
    (ran.code(), ran.out.clone() + &ran.err)
}

#[test]
fn twenty_percent_more_are_found_and_nothing_more_is_not() {
    let folder = Folder::new();
    let (scenario, tokens) = (folder.file("rounds.toml", SCENARIO), folder.tokens(&made_up_tokens(20)));
    let [a, same, slower] = [20, 20, 24].map(|ms| Minimal::start(None, Duration::from_millis(ms)));
    let (code, text) = ab(a.address, slower.address, &scenario, &tokens);
    assert!(code == 5 && text.contains("p50: B is worse"), "{code}: {text}");
    let (code, text) = ab(a.address, same.address, &scenario, &tokens);
    assert!(code == 0 && text.contains("p50:"), "{code}: {text}");
}

#[test]
fn a_search_finds_where_the_server_is_full() {
    let folder = Folder::new();
    // Two devices, 20 ms a message: 100 messages/s are all that it can answer.
    let server = Minimal::start(None, Duration::from_millis(20));
    let scenario = SCENARIO.replace("count = 20", "count = 2\nh_beat = \"1h\"").replace("60/s", "10/s");
    let scenario = folder.file("search.toml", &scenario);
    let (target, tokens) = (server.address.to_string(), folder.tokens(&made_up_tokens(2)));
    let (scenario, tokens) = (scenario.to_string_lossy().into_owned(), tokens.to_string_lossy().into_owned());
    let arguments =
        ["search", "--slo", "p90<100ms,errors=0", &scenario, &target, "--tokens", &tokens, "--allow-debug-build"];
    let ran = Loadgen::start(&arguments).wait(Duration::from_secs(170));
    let knee = ran.out.lines().find_map(|line| line.strip_prefix("knee: ")?.split(' ').next()?.parse::<f64>().ok());
    let knee = knee.unwrap_or_else(|| panic!("no knee: {}{}", ran.out, ran.err));
    // Above 100/s the queue grows by the difference, so the latency passes 100 ms within the second. A rate below may be
    // INVALID three times where other tests take the CPU.
    assert!((20.0..140.0).contains(&knee), "{}", ran.out);
}

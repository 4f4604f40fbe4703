//! A server that stands still is visible; a generator that stands still says so.

use std::time::Duration;

use linchpin_fleet::server::Server;
use linchpin_loadgen_tests::shell::freeze;
use linchpin_loadgen_tests::{Folder, Loadgen, Ran, program};
use rustix::process::Signal;
use serde_json::Value;

const STOP: Duration = Duration::from_millis(200);
/// Into the measured phase: a second of ramp and some before it.
const BEFORE: Duration = Duration::from_secs(5);

/// Stops what is to be stopped.
type Stop<'a> = &'a dyn Fn(&Loadgen, &Server);

/// A 10 s run of 100 devices, in the middle of which `stop` is called.
fn run_with(arguments: &[&str], stop: Stop<'_>) -> Ran {
    let folder = Folder::new();
    let flags = ["--set", "messages_per_second=100000", "--set", "message_burst=100000"];
    let server = Server::start_with(&program("linchpin"), 100, 1, "auto", &flags);
    let (target, tokens) = (server.address.to_string(), folder.tokens(&server.tokens));
    let tokens = tokens.to_string_lossy().into_owned();
    let mut all = vec!["quick", "-c", "100", "-r", "200/s", "-d", "10s", "--ramp", "1s", &target, "--tokens", &tokens];
    all.extend(["--json", "--quiet", "--allow-debug-build", "--workers", "1"]);
    all.extend(arguments);
    let loadgen = Loadgen::start(&all);
    std::thread::sleep(BEFORE);
    stop(&loadgen, &server);
    loadgen.wait(Duration::from_secs(60))
}

/// Microseconds at a quantile of all messages.
fn quantile(outcome: &Value, which: &str, quantile: f64) -> f64 {
    let quantiles = outcome["measured"]["messages"][which]["quantiles"].as_array().expect("quantiles");
    let pair = quantiles.iter().find(|pair| (pair[0].as_f64().unwrap_or_default() - quantile).abs() < 1e-9);
    pair.expect("the quantile is kept")[1].as_f64().expect("a number")
}

fn server_stops(_: &Loadgen, server: &Server) {
    freeze(server.pid(), STOP);
}

#[test]
fn a_server_that_stops_is_visible_and_one_request_at_a_time_hides_it_from_the_uncorrected_latency() {
    // 200 ms of 10 s are 2 % of the sends: at the 99th percentile half of the stop is left.
    let outcome = run_with(&[], &server_stops).outcome();
    assert!(quantile(&outcome, "corrected", 0.99) > 60_000.0, "{}", outcome["measured"]["messages"]);
    assert!(quantile(&outcome, "corrected", 1.0) > 150_000.0);

    let outcome = run_with(&["--in-flight", "1"], &server_stops).outcome();
    let (corrected, uncorrected) = (quantile(&outcome, "corrected", 0.99), quantile(&outcome, "uncorrected", 0.99));
    assert!(corrected > 60_000.0, "corrected {corrected} us");
    assert!(uncorrected < 30_000.0, "uncorrected {uncorrected} us");
    assert!(quantile(&outcome, "uncorrected", 1.0) > 150_000.0, "one request saw it");
    assert!(outcome["measured"]["counts"]["held"].as_u64() > Some(20), "{}", outcome["measured"]["counts"]);
}

#[test]
fn a_generator_that_stops_is_invalid() {
    let stop = |loadgen: &Loadgen, _: &Server| {
        loadgen.signal(Signal::STOP);
        std::thread::sleep(STOP);
        loadgen.signal(Signal::CONT);
    };
    let ran = run_with(&[], &stop);
    let outcome = ran.outcome();
    assert_eq!(ran.code(), 4, "{}", outcome["verdict"]);
    let reasons = outcome["verdict"]["reasons"].to_string();
    assert!(reasons.contains("the generator stood still for 2"), "{reasons}");
    assert_eq!(outcome["verdict"]["valid"], false);
}

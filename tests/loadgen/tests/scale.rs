//! Thousands of devices from one process.

use linchpin_fleet::server::Server;
use linchpin_loadgen_tests::{Folder, program, run, sum};

const DEVICES: u32 = 5_000;

#[test]
fn five_thousand_devices_send_their_heartbeats_without_an_error() {
    let folder = Folder::new();
    let server = Server::start_with(&program("linchpin"), DEVICES, 2, "io_uring", &[]);
    let devices = DEVICES.to_string();
    let arguments =
        ["quick", "-c", &*devices, "-r", "0/s", "-d", "10s", "--ramp", "5s", "--h-beat", "5s", "--timeout", "10s"];
    let outcome = run(server.address, &folder.tokens(&server.tokens), &arguments).outcome();
    assert_eq!(outcome["online_at_gate"], DEVICES, "{}", outcome["phases"]);
    for phase in outcome["phases"].as_array().expect("phases") {
        assert_eq!(phase["errors"], 0, "{}: {}", phase["name"], phase["counts"]);
    }
    let beats = outcome["measured"]["counts"]["beat"].as_u64().expect("a count");
    assert!((9_000..=11_500).contains(&beats), "{beats} heartbeats of 10,000");
    assert_eq!(sum(&outcome, "beat"), sum(&outcome, "answers"), "every heartbeat was answered");
}

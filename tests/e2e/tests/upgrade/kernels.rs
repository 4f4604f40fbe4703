//! Kernels before 6.8 cannot make a plain descriptor of a direct one.

use linchpin_compat::{BackEnd, Server, Wire, field};
use linchpin_e2e::Successors;
use serde_json::json;

use crate::setting::{Kind, LIMIT, talk_while, talkers, upgrade};

/// Kernels before 6.8 give no descriptor of a direct one: plain ones move all the same.
#[test]
fn without_the_call_of_newer_kernels_plain_descriptors_move() {
    // Few enough for the descriptor limit of any machine.
    let server = Server::dev()
        .shards(2)
        .back_end(BackEnd::IoUring)
        .devices(12)
        .option("--connections", "400")
        .option("--driver-features", "-fd_install")
        .start();
    let driver = field(&server.ask(&["status"]), "driver").to_string();
    assert!(!driver.contains("direct"), "{driver}");
    let _end = Successors(&server);
    let all = talkers(&server, &server.more_devices(), &[Kind::Blynk, Kind::Http]);
    let (all, _) = talk_while(all, || {
        let (report, success) = upgrade(&server, &[]);
        assert!(success && field(&report, "left") == &json!(0), "{report}");
        assert!(field(&report, "moved").as_u64() >= Some(12), "{report}");
    });
    assert_eq!(all.len(), 12);
}

/// Direct ones cannot: their connections end at a pace, nobody is refused meanwhile, and all come back to the new process.
#[test]
fn without_it_direct_ones_end_at_a_pace_and_come_back() {
    let server = Server::dev()
        .under("prlimit", ["--nofile=1024:1024"])
        .shards(2)
        .back_end(BackEnd::IoUring)
        .devices(200)
        .option("--driver-features", "-fd_install")
        .start();
    let _end = Successors(&server);
    let driver = field(&server.ask(&["status"]), "driver").to_string();
    assert!(driver.contains("direct"), "{driver}");
    let devices = server.more_devices();
    let wires: Vec<Wire> = devices.iter().map(|device| Wire::login(server.address(), &device.token)).collect();
    let (report, success) = upgrade(&server, &[]);
    assert!(success && field(&report, "moved") == &json!(0), "{report}\n{}", server.log());
    assert!(server.log().contains("connections are ended at a pace instead"), "{}", server.log());
    for mut wire in wires {
        wire.expect_end(LIMIT);
    }
    let again: Vec<Wire> = devices.iter().map(|device| Wire::login(server.address(), &device.token)).collect();
    let status = server.ask(&["status"]);
    assert_eq!(field(&status, "online"), &json!(again.len()), "{status}");
    assert_eq!(field(&status, "logins"), &json!(again.len()), "each once: {status}");
}

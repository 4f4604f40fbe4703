//! Connections live through upgrades that succeed, and what waits is not lost.

use linchpin_compat::{BackEnd, Client, Library, Server, eventually, field, linchpin_path};
use linchpin_e2e::{Mqtt, Successors, how_many};
use serde_json::json;

use crate::setting::{Kind, LIMIT, talk_while, talkers, upgrade, values_are_there};

/// Devices of the test, each with a connection; `LINCHPIN_UPGRADE_DEVICES` says otherwise.
const DEVICES: u32 = 2_000;

#[test]
fn three_upgrades_end_no_connection_and_lose_no_byte() {
    let count = how_many("LINCHPIN_UPGRADE_DEVICES", DEVICES);
    for back_end in [BackEnd::IoUring, BackEnd::Portable] {
        let server = Server::dev()
            .shards(2)
            .back_end(back_end)
            .devices(count + 2)
            .option("--tls", "127.0.0.1:0")
            .option("--set", "per_address=100000")
            .start();
        let _end = Successors(&server);
        let mut devices = server.more_devices();
        let of_libraries = devices.split_off(count as usize);
        // Real clients among them: what they notice they say.
        let libraries = [Library::BlynkLibrarySsl, Library::Blynklib];
        let mut clients: Vec<Client> = libraries
            .into_iter()
            .zip(&of_libraries)
            .map(|(library, device)| Client::connected(library, &server, device))
            .collect();
        let kinds = [Kind::Blynk, Kind::WebSocket, Kind::Http, Kind::Mqtt];
        let all = talkers(&server, &devices, &kinds);
        let (all, longest_ms) = talk_while(all, || {
            for attempt in 1..=3 {
                let (report, success) = upgrade(&server, &[]);
                assert!(success && field(&report, "state") == "done", "{report}\n{}", server.log());
                assert_eq!(field(&report, "attempt"), &json!(attempt));
                let (moved, left) = (field(&report, "moved"), field(&report, "left"));
                assert_eq!((left, field(&report, "ended")), (&json!(0), &json!([])), "{report}");
                assert!(moved.as_u64() >= Some(u64::from(count)), "{report}");
                eprintln!("{back_end:?}: {report}");
            }
        });
        eprintln!("{back_end:?}: longest answer {longest_ms} ms");
        values_are_there(&server, &all, &devices);
        for (client, device) in clients.iter_mut().zip(&of_libraries) {
            server.write(device, "V4", "77");
            client.expect_event(LIMIT, &json!({"event": "write", "pin": 4, "values": ["77"]}));
            assert!(!client.has_said(&json!({"event": "disconnected"})), "{:?} noticed", client.library());
        }
        let status = server.ask(&["status"]);
        let online = u64::from(count) / 4 * 3;
        assert!(field(&status, "online").as_u64() >= Some(online), "{status}");
        assert_eq!(field(&status, "logins"), &json!(0), "nobody logged in again: {status}");
    }
}

/// The delay of a will is not over when its server ends: the next process does not know of it.
#[test]
fn a_will_that_waits_is_written_before_a_restart_and_before_an_upgrade() {
    let mut server = Server::dev().shards(2).devices(1).start();
    let device = server.more_devices().remove(0);
    let lose = |server: &Server, text: &str| {
        drop(Mqtt::login_with_will(server.address(), &device, Some(("ds/V1", text, 600))));
        eventually(LIMIT, "the device is away", || (!server.is_online(&device)).then_some(()));
        assert_ne!(server.value(&device, "V1").as_deref(), Some(text), "its delay is ten minutes");
    };
    lose(&server, "restarted");
    server.restart();
    let has = |server: &Server, text: &str| (server.value(&device, "V1").as_deref() == Some(text)).then_some(());
    eventually(LIMIT, "the restarted server has the will", || has(&server, "restarted"));
    lose(&server, "upgraded");
    let end = Successors(&server);
    let (report, success) = upgrade(&server, &[]);
    assert!(success, "{report}");
    eventually(LIMIT, "the new process has the will", || has(&server, "upgraded"));
    drop(end);
}

#[test]
fn a_server_in_memory_says_that_it_cannot() {
    let server = Server::dev().flag("--memory").start();
    let data = server.data_path();
    let output =
        std::process::Command::new(linchpin_path()).args(["upgrade", "--data"]).arg(data).output().expect("runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("in memory only"), "{text}");
}

//! Storms against a server of plain threads: who goes, who comes back, and that it is counted.

use std::time::{Duration, Instant};

use linchpin_loadgen_tests::minimal::Minimal;
use linchpin_loadgen_tests::{Folder, made_up_tokens, run};
use serde_json::Value;

const SCENARIO: &str = r#"
name = "storms"
[[group]]
name = "devices"
count = 100
h_beat = "1h"
reconnect = "200ms"
mix = [{ kind = "ping", rate = "100/s" }]
[[phase]]
kind = "ramp"
duration = "1s"
[[phase]]
kind = "steady"
duration = "1s"
[[phase]]
kind = "storm"
name = "herd"
storm = "power_on"
share = "60%"
within = "500ms"
duration = "2s"
[[phase]]
kind = "storm"
name = "flap"
storm = "flap"
share = "20%"
duration = "2s"
[[phase]]
kind = "storm"
name = "half"
storm = "half_handshakes"
rate = "20/s"
hold = "500ms"
duration = "2s"
[[phase]]
kind = "storm"
name = "slow"
storm = "slow_readers"
share = "10%"
duration = "2s"
[[phase]]
kind = "steady"
name = "after"
duration = "2s"
"#;

fn phase<'a>(outcome: &'a Value, name: &str) -> &'a Value {
    let phases = outcome["phases"].as_array().expect("phases");
    phases.iter().find(|phase| phase["name"] == name).unwrap_or_else(|| panic!("no phase {name}"))
}

#[test]
fn devices_go_and_come_back_as_planned() {
    let folder = Folder::new();
    let server = Minimal::start(None, Duration::ZERO);
    let scenario = folder.file("storms.toml", SCENARIO);
    let ran = run(server.address, &folder.tokens(&made_up_tokens(100)), &["run", &scenario.to_string_lossy()]);
    let outcome = ran.outcome();
    let counts = |name: &str, kind: &str| phase(&outcome, name)["counts"][kind].as_u64().expect("a count");

    assert_eq!((counts("herd", "cut"), counts("herd", "logins")), (60, 60), "{}", phase(&outcome, "herd"));
    let back_s = phase(&outcome, "herd")["back_online_s"].as_f64().expect("they came back");
    assert!((0.3..1.5).contains(&back_s), "95 % were back after {back_s} s of 0.5 s and a bit");
    assert_eq!(counts("flap", "cut"), 20);
    // The last ones come back when the next phase has begun.
    assert_eq!(counts("flap", "logins") + counts("half", "logins"), 20);
    assert_eq!(counts("half", "half_open"), 40);
    // Ten devices do not read: their answers are not taken in that phase, and are when they read again.
    assert!(counts("slow", "ping") >= 190, "{}", phase(&outcome, "slow"));
    let slow = &phase(&outcome, "slow")["kinds"]["ping"]["corrected"]["max_us"];
    assert!(slow.as_f64() > Some(500_000.0), "somebody waited for a reader: {slow}");
    // Those who wait for the slow ones do not hide in the calm after.
    let after = phase(&outcome, "after")["kinds"]["ping"]["corrected"]["max_us"].as_f64().expect("pings");
    assert!(after < 400_000.0, "{after} us");
    for name in ["steady", "after"] {
        assert_eq!(phase(&outcome, name)["errors"], 0, "{}", phase(&outcome, name)["counts"]);
        assert_eq!(counts(name, "offline"), 0, "{name}");
    }
    assert_eq!(server.heard()["logins"], 100 + 60 + 20);
}

#[test]
fn a_server_that_goes_takes_its_devices_and_they_come_back() {
    let folder = Folder::new();
    let server = Minimal::start(None, Duration::ZERO);
    let scenario = SCENARIO.split("[[phase]]\nkind = \"storm\"").next().expect("its begin").to_owned()
        + "[[phase]]\nkind = \"storm\"\nname = \"restart\"\nstorm = \"server_restart\"\nduration = \"3s\"\n";
    let scenario = folder.file("restart.toml", &scenario);
    let tokens = folder.tokens(&made_up_tokens(100));
    let path = scenario.to_string_lossy();
    let ran = run(server.address, &tokens, &["run", &path]);
    assert_eq!(ran.code(), 1, "without a program there is no restart");
    assert!(ran.err.contains("--restart-command"), "{}", ran.err);

    // The program leaves a mark; whoever sees it cuts every connection, as a restart would.
    let mark = folder.at("mark");
    let program = folder.file("restart.sh", &format!("#!/bin/sh\ntouch {}\n", mark.display()));
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("its mode");
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            let end = Instant::now() + Duration::from_secs(30);
            while !mark.exists() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(10));
            }
            server.cut_all();
        });
        run(server.address, &tokens, &["run", &path, "--restart-command", &program.to_string_lossy()])
    });
    let outcome = ran.outcome();
    let restart = phase(&outcome, "restart");
    assert_eq!((restart["counts"]["lost"].as_u64(), restart["counts"]["logins"].as_u64()), (Some(100), Some(100)));
    let back_s = restart["back_online_s"].as_f64().expect("they came back");
    assert!((0.1..2.0).contains(&back_s), "{back_s} s");
    assert_eq!(outcome["measured"]["errors"], 0, "what a restart breaks is not measured");
}

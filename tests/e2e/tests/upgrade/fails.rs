//! A new process that fails at any step, in any way, leaves the old one serving.

use linchpin_compat::{Server, field, linchpin_path};
use linchpin_e2e::Successors;
use serde_json::json;

use crate::setting::{Kind, stand_in, talk_while, talkers, upgrade, values_are_there};

#[test]
fn a_new_process_that_fails_leaves_the_old_one_serving() {
    let server = Server::dev().shards(2).devices(12).option("--tls", "127.0.0.1:0").start();
    let _end = Successors(&server);
    let all = talkers(&server, &server.more_devices(), &[Kind::Blynk, Kind::Http]);
    let (all, _) = talk_while(all, || {
        let cases = [
            ("exits at once", "exit 3".to_owned(), "starting"),
            ("is no server", "exec cat /dev/zero >&0 2>/dev/null".to_owned(), "starting"),
            ("says something else", "printf 'not a message at all' >&0; sleep 60".to_owned(), "starting"),
        ];
        for (at, (name, script, step)) in cases.iter().enumerate() {
            let path = stand_in(&server, &format!("stand-in-{at}"), script);
            let (report, success) = upgrade(&server, &["--binary", &path.to_string_lossy()]);
            let state = field(&report, "state");
            assert!(!success && state == "failed", "{name}: {report}");
            assert_eq!(field(&report, "step"), *step, "{name}: {report}");
        }
        let missing = server.folder().join("missing");
        let (report, success) = upgrade(&server, &["--binary", &missing.to_string_lossy()]);
        assert!(!success && report.to_string().contains("cannot be started"), "{report}");
    });
    assert_eq!(all.len(), 12);
}

/// Steps of the conversation at which the new process fails.
const STEPS: [&str; 6] = ["starting", "offered", "listeners", "opening", "moving", "counting"];

/// A new process that says nothing more is ended when its step has taken too long; all steps at once, each with a server of its
/// own, since the longest takes a minute.
#[test]
fn a_new_process_that_hangs_is_ended_in_time() {
    std::thread::scope(|scope| {
        for step in STEPS {
            scope.spawn(move || {
                let server = Server::dev().shards(1).devices(4).option("--tls", "127.0.0.1:0").start();
                let _end = Successors(&server);
                let all = talkers(&server, &server.more_devices(), &[Kind::Blynk, Kind::Http]);
                let (all, _) = talk_while(all, || {
                    let script = format!("exec {} {step} hang", env!("CARGO_BIN_EXE_successor"));
                    let path = stand_in(&server, step, &script);
                    let (report, success) = upgrade(&server, &["--binary", &path.to_string_lossy()]);
                    assert!(!success && field(&report, "state") == "failed", "{step}: {report}");
                    let why = field(&report, "why").as_str().unwrap_or_default();
                    assert!(why.contains("within") || why.contains("time"), "{step}: {report}");
                });
                assert_eq!(all.len(), 4);
            });
        }
    });
}

/// This build's own binary as the new process, where it has not what it needs.
#[test]
fn a_new_process_without_memory_or_descriptors_leaves_the_old_one_serving() {
    let server = Server::dev().shards(2).devices(12).option("--tls", "127.0.0.1:0").start();
    let _end = Successors(&server);
    let all = talkers(&server, &server.more_devices(), &[Kind::Blynk, Kind::Http]);
    let binary = linchpin_path();
    let (all, _) = talk_while(all, || {
        for (name, limit) in [("no memory", "-v 65536"), ("no descriptors", "-n 16"), ("no room in a file", "-f 0")] {
            let script = format!("ulimit {limit}\nexec {} \"$@\"", binary.display());
            let path = stand_in(&server, &name.replace(' ', "-"), &script);
            let (report, success) = upgrade(&server, &["--binary", &path.to_string_lossy()]);
            assert!(!success && field(&report, "state") == "failed", "{name}: {report}");
        }
    });
    assert_eq!(all.len(), 12);
}

/// The old process holds everything until it has said "go": at each step before, whatever the new one does, it serves on.
#[test]
fn at_every_step_the_old_process_takes_everything_back() {
    let server = Server::dev().shards(2).devices(24).option("--tls", "127.0.0.1:0").start();
    let successor = env!("CARGO_BIN_EXE_successor");
    let kinds = [Kind::Blynk, Kind::WebSocket, Kind::Http, Kind::Mqtt];
    let devices = server.more_devices();
    let all = talkers(&server, &devices, &kinds);
    let (all, longest_ms) = talk_while(all, || {
        let modes = ["exit", "lie", "kill", "full"];
        let cases = STEPS.iter().flat_map(|step| modes.iter().map(move |mode| (*step, *mode)));
        for (step, mode) in cases.chain([("starting", "version")]) {
            let path = stand_in(&server, &format!("{step}-{mode}"), &format!("exec {successor} {step} {mode}"));
            let (report, success) = upgrade(&server, &["--binary", &path.to_string_lossy()]);
            assert!(!success && field(&report, "state") == "failed", "{step} {mode}: {report}");
            assert!(field(&report, "why").as_str().is_some_and(|why| !why.is_empty()), "{step} {mode}: {report}");
        }
    });
    eprintln!("longest answer {longest_ms} ms");
    // After all that it can still be replaced.
    let _end = Successors(&server);
    let (all, _) = talk_while(all, || {
        let (report, success) = upgrade(&server, &[]);
        assert!(success && field(&report, "left") == &json!(0), "{report}\n{}", server.log());
    });
    values_are_there(&server, &all, &devices);
}

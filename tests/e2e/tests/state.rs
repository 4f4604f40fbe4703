//! What the server keeps on the disk, and what it does when it may not.

use std::path::Path;

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Device, Server, Wire, command, eventually, field, status, text};
use linchpin_e2e::Http;
use rustix::process::Signal;
use serde_json::Value;

fn kill(server: &mut Server) {
    server.signal(Signal::KILL);
    eventually(EFFECT, "the killed server ends", || server.has_ended().then_some(()));
}

/// All kinds of what a device has: values, a property, metadata, an event.
fn use_device(server: &Server, device: &Device) -> Wire {
    let mut wire = Wire::login(server.address(), &device.token);
    wire.expect_status(command::INTERNAL, &["h-beat", "30", "buff-in", "1024"], status::OK);
    wire.send_parts(command::HARDWARE, &["vw", "1", "first"]);
    wire.send_parts(command::HARDWARE, &["vw", "1", "21.5"]);
    wire.send_parts(command::HARDWARE, &["vw", "2", "a", "b"]);
    wire.expect_status(command::PROPERTY, &["1", "label", "Boiler"], status::OK);
    wire.expect_status(command::INTERNAL, &["meta", "set", "Place", "Attic"], status::OK);
    wire.expect_status(command::EVENT_LOG, &["hot", "over 80 C"], status::OK);
    wire
}

fn expect_state(server: &Server, device: &Device) {
    let view = server.view(device);
    let values: Vec<_> = field(&view, "values").as_array().expect("values").iter().map(|v| text(v, "value")).collect();
    assert_eq!(values, ["21.5", "a\0b"], "{view}");
    assert_eq!(field(&view, "properties").as_array().expect("properties").len(), 1, "{view}");
    assert_eq!(text(field(&view, "metadata"), "Place"), "Attic", "{view}");
    // Events are read while the server serves already.
    eventually(EFFECT, "the event is there again", || {
        let view = server.view(device);
        let events = field(&view, "events").as_array().expect("events").clone();
        (events.len() == 1 && text(&events[0], "code") == "hot").then_some(())
    });
}

#[test]
fn a_restart_changes_nothing_for_devices() {
    let mut server = Server::dev().shards(2).start();
    let devices = server.devices();
    let wire = use_device(&server, &devices[1]);
    let (added, stderr, success) = server.operate(&["device", "add", "--name", "Pump", "--json"]);
    assert!(success.success(), "{stderr}");
    let added: Value = serde_json::from_str(&added).expect("JSON");
    let token = text(&added[0], "token").to_owned();
    drop(wire);
    server.restart();
    assert!(server.devices() == devices, "the same devices with the same tokens");
    expect_state(&server, &devices[1]);
    let mut again = Wire::login(server.address(), &devices[1].token);
    again.expect_status(command::INTERNAL, &["h-beat", "30"], status::OK);
    let id = again.send_parts(command::SYNC, &["vr", "1"]);
    let frame = again.receive(EFFECT).expect("the value from before");
    assert_eq!((frame.id, &frame.body[..]), (id, &b"vw\x001\x0021.5"[..]));
    drop(Wire::login(server.address(), &token));
    let (shown, _, _) = server.operate(&["device", "token", &field(&added[0], "id").to_string(), "--json"]);
    assert!(shown.contains(&token), "the operator sees the token again");
    server.expect_no_token_in_log(&devices[3..]);
}

/// Values are on the disk after 50 ms, events and the like after one second; who waits longer than that finds all.
#[test]
fn a_killed_server_has_lost_nothing_older_than_its_promises() {
    let mut server = Server::dev().shards(2).start();
    let device = server.devices()[1].clone();
    let _wire = use_device(&server, &device);
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    kill(&mut server);
    server.start_again();
    expect_state(&server, &device);
    let mut http = Http::connect(server.address());
    let reply = http.api(&device, "data/get?pin=v1&period=HOUR");
    assert_eq!(reply.status, 200, "{}", reply.body);
    let rows: Value = serde_json::from_str(&reply.body).expect("JSON");
    let numbers: Vec<_> = rows.as_array().expect("rows").iter().map(|row| field(row, "value").as_f64()).collect();
    assert_eq!(numbers, [Some(21.5)], "a text is no point");
}

#[test]
fn history_is_asked_over_http() {
    let server = Server::dev().shards(2).start();
    let device = server.devices()[1].clone();
    let mut http = Http::connect(server.address());
    for value in [3, 1, 2] {
        assert_eq!(http.api(&device, &format!("update?v7={value}")).status, 200);
        // Of points in one millisecond the last is kept.
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let rows = |reply: &str| -> Vec<f64> {
        let rows: Value = serde_json::from_str(reply).unwrap_or_else(|_| panic!("no JSON: {reply}"));
        rows.as_array().expect("rows").iter().map(|row| field(row, "value").as_f64().expect("a number")).collect()
    };
    assert_eq!(rows(&http.api(&device, "data/get?pin=v7").body), [3.0, 1.0, 2.0]);
    let of_minutes = |source: &str, http: &mut Http| {
        let call = format!("data/get?pin=v7&period=DAY&granularityType=MINUTE&sourceType={source}");
        rows(&http.api(&device, &call).body)
    };
    // The three may fall into two minutes.
    assert_eq!(of_minutes("SUM", &mut http).iter().sum::<f64>(), 6.0);
    assert_eq!(of_minutes("COUNT", &mut http).iter().sum::<f64>(), 3.0);
    assert_eq!(of_minutes("MAX", &mut http).into_iter().fold(0.0, f64::max), 3.0);
    let csv = http.api(&device, "data/get?pin=v7&output=CSV&format=ISO_SIMPLE&tzName=%2B02:00").body;
    let lines: Vec<_> = csv.lines().collect();
    assert!(lines.len() == 4 && lines[0] == "time,pin,value" && lines[1].ends_with(",V7,3"), "{csv}");
    assert_eq!(http.api(&device, "data/get?pin=v8").body.trim(), "[]");
    for (call, said) in [
        ("data/get?pin=v7&period=YEAR", "period is one of HOUR"),
        ("data/get?pin=v7&granularityType=WEEKLY", "granularityType is one of RAW_DATA"),
        ("data/get?pin=v7&sourceType=MEDIAN", "sourceType is one of AVG"),
        ("data/get?pin=v7&format=RFC", "format is one of TS"),
    ] {
        let reply = http.api(&device, call);
        assert!(reply.status == 400 && reply.body.contains(said), "{call}: {} {}", reply.status, reply.body);
    }
}

#[test]
fn a_removed_device_is_gone_for_good() {
    let mut server = Server::dev().start();
    let device = server.devices()[2].clone();
    drop(use_device(&server, &device));
    let (_, stderr, success) = server.operate(&["device", "remove", &device.id]);
    assert!(success.success(), "{stderr}");
    let mut wire = Wire::connect(server.address());
    let id = wire.send(command::LOGIN, device.token.as_bytes());
    assert_eq!(wire.receive(EFFECT).map(|frame| (frame.id, frame.status_or_len)), Some((id, status::INVALID_TOKEN)));
    server.restart();
    let (_, stderr, success) = server.operate(&["device", "show", &device.id]);
    assert!(!success.success() && stderr.contains("no device"), "{stderr}");
    assert_eq!(server.devices().len(), 3, "the demo has three devices again");
    assert!(server.devices()[2].id != device.id, "an id is never given out again");
}

#[test]
fn a_lost_or_wrong_key_is_refused_and_changes_nothing() {
    let mut server = Server::dev().start();
    let devices = server.devices();
    let _ = server.stop();
    let key = server.data_path().join("unseal.key");
    let kept = std::fs::read(&key).expect("the key");
    let run = |server: &Server| {
        let data_path = server.data_path();
        let mut line = std::process::Command::new(linchpin_compat::linchpin_path());
        let line = line.args(["dev", "--plain", "127.0.0.1:0", "--tls", "off", "--data"]).arg(data_path);
        let output = line.output().expect("start the binary");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    std::fs::remove_file(&key).expect("lose it");
    let (code, stderr) = run(&server);
    assert!(code == Some(78) && stderr.contains("unseal.key"), "{code:?} {stderr}");
    assert!(!key.exists(), "no other key is made for a store that has one");
    std::fs::write(&key, [1; 32]).expect("a wrong key");
    set_mode(&key, 0o600);
    let (code, stderr) = run(&server);
    assert!(code == Some(78) && stderr.contains("key"), "{code:?} {stderr}");
    std::fs::write(&key, &kept).expect("the right key");
    set_mode(&key, 0o644);
    let (code, stderr) = run(&server);
    assert!(code == Some(78) && stderr.contains("chmod 600"), "{code:?} {stderr}");
    set_mode(&key, 0o600);
    server.start_again();
    assert!(server.devices() == devices);
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("its own file");
}

/// Nothing that a thief of the disk could use: no token, no name, no value; and the search finds what is there.
#[test]
fn the_data_directory_shows_nothing() {
    let config = "[listen]\nplain = [\"127.0.0.1:0\"]\n[data]\ndir = \"@/data\"\n\
                  [[device]]\nname = \"Canary-Boiler\"\n";
    let mut server = Server::serve(config).start();
    let device = server.devices()[0].clone();
    let mut wire = use_device(&server, &device);
    wire.send_parts(command::HARDWARE, &["vw", "9", "Canary-Value"]);
    wire.expect_status(command::PROPERTY, &["9", "label", "Canary-Label"], status::OK);
    wire.expect_status(command::EVENT_LOG, &["canary", "Canary-Event"], status::OK);
    let words = ["Canary-", "canary", "Boiler", "Attic", "over 80 C", &device.token];
    // While it runs, after an end in order, and after a start that has written its logs into tables.
    expect_none(&server.data_path(), &words);
    server.restart();
    expect_none(&server.data_path(), &words);
    let _ = server.stop();
    expect_none(&server.data_path(), &words);
    let log = server.log();
    assert!(!log.contains(&device.token), "the token is in the log");
    let ready = std::fs::read(server.folder().join("ready.json")).expect("the ready file");
    assert!(has(&ready, device.token.as_bytes()), "the search finds what is there");
}

fn has(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

fn expect_none(folder: &Path, words: &[&str]) {
    let mut files = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            // The reserve of the disk is empty space.
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() && !path.ends_with("ballast") {
                // RocksDB removes files as it likes.
                let Ok(bytes) = std::fs::read(&path) else { continue };
                files += 1;
                for word in words {
                    assert!(!has(&bytes, word.as_bytes()), "a secret is in {}", path.display());
                }
            }
        }
    }
    assert!(files >= 8, "only {files} files were searched");
}

#[test]
fn in_memory_nothing_is_kept_and_it_says_so() {
    let mut server = Server::dev().flag("--memory").start();
    let devices = server.devices();
    assert_eq!(text(&server.ask(&["status"]), "state"), "memory");
    assert!(server.log().contains("kept in memory"));
    let reply = Http::connect(server.address()).api(&devices[1], "data/get?pin=v1");
    assert!(reply.status == 503 && reply.body.contains("no history"), "{}", reply.body);
    server.restart();
    assert!(server.devices()[1].token != devices[1].token);
    assert!(!server.data_path().join("store").exists());
}

#[test]
fn history_is_exported_whole() {
    // A batch of 9,000 points takes 563 of the quota.
    let server = Server::dev().shards(2).option("--set", "message_burst=10000").start();
    let device = server.devices()[1].clone();
    let mut http = Http::connect(server.address());
    let now_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    // More than one piece of 64 KiB, and more than an answer of HTTP may have.
    let begin_ms = now_ms - 3_600_000;
    for pin in [4, 5] {
        let rows: Vec<_> = (0..9_000).map(|n| format!("[{},{}]", begin_ms + n * 100, n % 100)).collect();
        let body = format!("[{}]", rows.join(","));
        let path = format!("/external/api/batch/update?pin=v{pin}&token={}", device.token);
        let reply = http.ask("POST", &path, "Content-Type: application/json\r\n", body.as_bytes());
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
    let reply = http.api(&device, "data/get?pin=v4&period=DAY");
    assert!(reply.status == 400 && reply.body.contains("shorter period"), "{} {}", reply.status, reply.body);
    let mut lines = 0;
    eventually(EFFECT, "all points are exported", || {
        let (csv, stderr, success) = server.operate(&["device", "export", &device.id, "--format", "TS"]);
        assert!(success.success(), "{stderr}");
        lines = csv.lines().count();
        (lines == 18_001).then_some(())
    });
    let json =
        server.ask(&["device", "export", &device.id, "--pin", "V5", "--granularity", "HOURLY", "--source", "COUNT"]);
    let rows = json.as_array().expect("rows");
    let count: f64 = rows.iter().map(|row| field(row, "value").as_f64().expect("a number")).sum();
    assert!((1..=2).contains(&rows.len()) && count == 9_000.0, "{json}");
    let (_, stderr, success) = server.operate(&["device", "export", &device.id, "--granularity", "WEEKLY"]);
    assert!(!success.success() && stderr.contains("granularity"), "{stderr}");
}

#[test]
fn the_diary_remembers_ends_of_before_the_start() {
    let mut server = Server::dev().start();
    let device = server.devices()[1].clone();
    let mut wire = Wire::login(server.address(), &device.token);
    wire.finish();
    wire.expect_end(EFFECT);
    server.restart();
    let wire = Wire::login(server.address(), &device.token);
    drop(wire);
    let ends = eventually(EFFECT, "both ends are told", || {
        let diary = server.ask(&["device", "diary", &device.id]);
        let rows = diary.as_array().expect("rows").clone();
        (rows.len() == 2).then_some(rows)
    });
    assert!(ends[0]["peer"].is_string() && ends[1]["peer"].is_null(), "the newest first: {ends:?}");
    assert_eq!(text(&ends[1], "end"), text(&ends[0], "end"));
    let (shown, _, _) = server.operate(&["device", "diary", &device.id]);
    assert!(shown.contains("before the server was started"), "{shown}");
}

/// What an answer acknowledges is on the disk: the server is killed as soon as the client has read it, many times.
/// `LINCHPIN_ACKS` says how often.
#[test]
fn events_and_metadata_that_were_answered_outlive_a_kill_right_after_it() {
    let rounds = std::env::var("LINCHPIN_ACKS").ok().and_then(|count| count.parse().ok()).unwrap_or(100u32);
    let mut server = Server::dev().shards(2).start();
    // One without a template, which may log any event.
    let device = &server.devices()[1];
    for round in 0..rounds {
        let words = format!("round {round}");
        match round % 4 {
            0 => {
                let mut http = Http::connect(server.address());
                let reply = http.api(device, &format!("logEvent?code=ack{round}&description=round%20{round}"));
                assert_eq!(reply.status, 200, "{}", reply.body);
            }
            1 => {
                let mut wire = Wire::login(server.address(), &device.token);
                wire.expect_status(command::INTERNAL, &["meta", "set", "Place", &words], status::OK);
            }
            2 => {
                let mut wire = Wire::login(server.address(), &device.token);
                wire.expect_status(command::EVENT_LOG, &[&format!("ack{round}"), &words], status::OK);
            }
            _ => {
                let mut http = Http::connect(server.address());
                let reply = http.api(device, &format!("device/meta/update?metaFieldName=Place&value=round%20{round}"));
                assert_eq!(reply.status, 200, "{}", reply.body);
            }
        }
        kill(&mut server);
        server.start_again();
        if round % 2 == 1 {
            assert_eq!(text(field(&server.view(device), "metadata"), "Place"), words);
            continue;
        }
        eventually(EFFECT, &format!("the event of {words} is there"), || {
            let view = server.view(device);
            let events = field(&view, "events").as_array().expect("events").clone();
            events.iter().any(|event| text(event, "text") == words).then_some(())
        });
    }
}

//! The log: its two shapes, and that nobody waits for it.

use std::process::Command;
use std::time::Duration;

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Server, Start, Wire, command, eventually, text};
use rustix::process::Signal;
use serde_json::Value;

const JSON: &str = "[listen]\nplain = [\"127.0.0.1:0\"]\n[data]\ndir = \"@/data\"\n[log]\nformat = \"json\"\n";

fn expect_json_lines(log: &str) {
    let objects: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    assert!(objects.iter().any(|object| text(object, "message") == "ready"), "{log}");
    for object in &objects {
        assert!(["ERROR", "WARN", "INFO", "DEBUG"].contains(&text(object, "level")), "{object}");
        assert!(text(object, "timestamp").contains('T'), "{object}");
    }
}

fn ended_log(start: Start) -> String {
    let mut server = start.start();
    let device = server.devices().pop();
    let mut wire = Wire::connect(server.address());
    wire.send(command::LOGIN, "no such token at all, of 32 byte".as_bytes());
    wire.expect_end(EFFECT);
    assert!(server.stop().success());
    assert!(device.is_none_or(|device| !server.log().contains(&device.token)));
    server.log()
}

#[test]
fn json_lines_by_the_file_and_text_by_the_flag() {
    let log = ended_log(Server::serve(JSON));
    expect_json_lines(&log);
    assert!(log.contains("\"code\":\"E0"), "ends have their code as a field: {log}");
    let log = ended_log(Server::serve(JSON).option("--log-format", "text"));
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_err()), "the flag goes first: {log}");
    assert!(log.contains(" INFO ready"), "{log}");
    let json = ended_log(Server::serve(&JSON.replace("json", "text")).option("--log-format", "json"));
    expect_json_lines(&json);
}

/// Standard error is a pipe that nobody reads; when it is full, the server serves and ends as before.
#[test]
fn a_log_that_nobody_reads_stops_no_device() {
    let start = Server::dev();
    let pipe_path = start.folder().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe_path).status().expect("mkfifo");
    assert!(made.success());
    // Open for reading too, so that neither side waits for the other to open it.
    let pipe = std::fs::OpenOptions::new().read(true).write(true).open(&pipe_path).expect("the pipe");
    let line = ["-c", "exec \"$@\" 2>\"$0\"", pipe_path.to_str().expect("UTF-8")];
    let mut server = start.under("sh", line).start();
    let device = &server.devices()[1];
    // Each of these is a line of more than 100 bytes at level "debug"; a pipe holds 64 KiB.
    for _ in 0..1_500 {
        let mut wire = Wire::connect(server.address());
        wire.send_bytes(b"\xff");
        wire.expect_end(EFFECT);
    }
    Wire::login(server.address(), &device.token).expect_pong();
    server.signal(Signal::TERM);
    eventually(Duration::from_secs(5), "the server ends", || server.has_ended().then_some(()));
    assert!(server.end_status().success());
    drop(pipe);
}

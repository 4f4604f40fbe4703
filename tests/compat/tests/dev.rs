//! `linchpin dev` speaks: the lines that a maker reads while a board arrives, writes, is refused and goes.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use linchpin_compat::limits::{EFFECT, LOGIN};
use linchpin_compat::{Client, Folder, Library, Server, Wire, command, eventually, installed_path, status};
use serde_json::json;

/// Lines about devices, without their times.
fn spoken(server: &Server) -> Vec<String> {
    let is_time = |text: &str| text.len() == 8 && text.bytes().enumerate().all(|(at, b)| (b == b':') == (at % 3 == 2));
    let log = server.log();
    let lines = log.lines().filter_map(|line| line.split_once(' ')).filter(|(time, _)| is_time(time));
    lines.map(|(_, said)| said.to_owned()).collect()
}

/// Wait until so many lines are there.
fn lines(server: &Server, count: usize) -> Vec<String> {
    eventually(LOGIN, &format!("{count} lines"), || {
        let lines = spoken(server);
        (lines.len() >= count).then_some(lines)
    })
}

#[test]
fn a_maker_reads_what_happens_to_the_board() {
    for memory in [false, true] {
        let start = Server::dev().shards(2);
        let server = if memory { start.flag("--memory") } else { start }.start();
        let devices = server.devices();
        let data = server.data_path().display().to_string();
        let mut client = Client::connected(Library::Blynklib, &server, &devices[1]);
        assert_eq!(lines(&server, 1), ["device 2 \"Demo 1\" online from 127.0.0.1, python, Blynk 0.2.6, plain"]);
        for value in ["42", "43"] {
            client.order(&json!({"order": "write", "pin": 1, "values": [value]}));
            eventually(EFFECT, "the value arrives", || {
                (server.value(&devices[1], "V1").as_deref() == Some(value)).then_some(())
            });
        }
        assert_eq!(lines(&server, 2)[1..], ["device 2 \"Demo 1\" first value: V1 = 42"]);
        let mut stranger = Wire::connect(server.address());
        stranger.expect_status(command::LOGIN, &["0123456789abcdefghij-_ABCDEFGHIJ"], status::INVALID_TOKEN);
        drop(stranger);
        let refused = format!(
            "refused 127.0.0.1 (E0302): No device has the token of the login. Next: linchpin device token 2 --data {data}"
        );
        assert_eq!(lines(&server, 3)[2..], [refused]);
        drop(client);
        let gone = &lines(&server, 4)[3];
        let is_gone = gone.starts_with("device 2 \"Demo 1\" offline after ") && gone.contains(" s (E010");
        assert!(is_gone, "{gone}");
        let _client = Client::connected(Library::BlynkLibrary, &server, &devices[1]);
        assert_eq!(lines(&server, 5)[4..], ["device 2 \"Demo 1\" online from 127.0.0.1, js, Blynk 0.5.4, plain"]);
        let all = spoken(&server);
        assert_eq!(all.len(), 5, "{all:#?}");
        assert!(devices.iter().all(|device| !all.iter().any(|line| line.contains(&device.token))), "{all:#?}");
    }
}

#[test]
fn a_thousand_devices_at_once_are_a_few_lines() {
    const DEVICES: u64 = 1_000;
    let server = Server::dev().shards(2).devices(DEVICES as u32).start();
    let begun = std::time::Instant::now();
    let wires: Vec<_> =
        server.more_devices().iter().map(|device| Wire::login(server.address(), &device.token)).collect();
    let seconds = begun.elapsed().as_secs();
    let counted = |lines: &[String]| -> u64 {
        let left_out = lines.iter().filter_map(|line| line.split_once(" more lines were left out").map(|it| it.0));
        let left_out: u64 = left_out.map(|count| count.parse::<u64>().expect("a number")).sum();
        lines.iter().filter(|line| line.starts_with("device ")).count() as u64 + left_out
    };
    let lines = eventually(LOGIN, "every login is a line or counted", || {
        let lines = spoken(&server);
        (counted(&lines) >= DEVICES).then_some(lines)
    });
    assert_eq!(counted(&lines), DEVICES);
    // 20 a second, for as long as it took and was waited for, and a count each second.
    assert!(lines.len() as u64 <= 21 * (seconds + 4), "{} lines in {seconds} s", lines.len());
    drop(wires);
}

/// What the banner says of one client, without its heading.
fn snippet(server: &Server, heading: &str) -> String {
    let log = server.log();
    let lines =
        log.lines().skip_while(|line| !line.starts_with(heading)).skip(1).take_while(|line| line.starts_with("  "));
    let found: String = lines.map(|line| format!("{}\n", &line[2..])).collect();
    assert!(!found.is_empty(), "nothing for {heading:?} in {log}");
    found
}

/// A snippet, as somebody who copies it runs it: it writes a value, and prints one that it gets.
fn runs(server: &Server, (program, args): (PathBuf, &[&str]), file: &str, text: &str) {
    let folder = Folder::new();
    let path = folder.path().join(file);
    std::fs::write(&path, text).expect("writes");
    let said = std::fs::File::create(folder.path().join("said")).expect("a file");
    let mut child = Command::new(program)
        .args(args)
        .arg(&path)
        .env("NODE_PATH", installed_path().join("node_modules"))
        .stdin(Stdio::null())
        .stdout(said)
        .stderr(Stdio::inherit())
        .spawn()
        .expect("starts");
    let device = &server.devices()[1];
    eventually(LOGIN, "the snippet writes V1", || server.value(device, "V1"));
    eventually(LOGIN, "the snippet prints V2", || {
        server.write(device, "V2", "7");
        let said = std::fs::read_to_string(folder.path().join("said")).expect("reads");
        said.contains("V2 = 7").then_some(())
    });
    child.kill().expect("kills its own child");
    child.wait().expect("its end");
}

#[test]
fn the_snippets_of_the_banner_write_and_print_a_value() {
    let server = Server::dev().start();
    runs(&server, (installed_path().join("venv/bin/python"), &[]), "snippet.py", &snippet(&server, "Python (pip"));
    let server = Server::dev().start();
    runs(&server, ("node".into(), &[]), "snippet.js", &snippet(&server, "Node (npm"));
}

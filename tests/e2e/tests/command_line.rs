//! The commands that need no device: doctor, top, completions, man pages.

use std::process::{Command, Output};
use std::time::Duration;

use linchpin_compat::{Folder, Server, Wire, field, linchpin_path, text};
use serde_json::Value;

fn run(args: &[&str]) -> Output {
    Command::new(linchpin_path()).args(args).output().expect("runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Commands of the program, from its own help.
fn verbs() -> Vec<String> {
    let help = said(&run(&["--help"]));
    let listed = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let verbs = listed.take_while(|line| line.starts_with("  ")).filter_map(|line| line.split_whitespace().next());
    verbs.filter(|verb| *verb != "help").map(str::to_owned).collect()
}

#[test]
fn the_doctor_judges_this_machine() {
    let folder = Folder::new();
    let config = |connections: u32| {
        let path = folder.path().join("linchpin.toml");
        let data = folder.path().join("data");
        let text = format!(
            "[listen]\nplain = [\"127.0.0.1:0\"]\n[data]\ndir = \"{}\"\n[engine]\nconnections = {connections}\n",
            data.display()
        );
        std::fs::write(&path, text).expect("writes");
        path.to_str().expect("text").to_owned()
    };
    let output = run(&["doctor", "--json", "--config", &config(1_000)]);
    let findings: Value = serde_json::from_str(&said(&output)).expect("JSON");
    let rows = field(&findings, "findings").as_array().expect("rows").clone();
    assert!(rows.len() >= 14, "{findings}");
    for row in &rows {
        assert!(["ok", "warn", "fail"].contains(&text(row, "grade")) && !text(row, "found").is_empty(), "{row}");
    }
    let failed = rows.iter().any(|row| text(row, "grade") == "fail");
    assert_eq!(output.status.success(), !failed, "{findings}");
    // What cannot be: a folder below a file.
    let below = folder.path().join("linchpin.toml");
    let wrong = std::fs::read_to_string(&below).expect("reads").replace("/data\"", "/linchpin.toml/data\"");
    std::fs::write(&below, wrong).expect("writes");
    let output = run(&["doctor", "--config", below.to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).lines().any(|line| line.starts_with("fail") && line.contains("data directory")));
}

#[test]
fn top_shows_what_happens_now() {
    let server = Server::dev().shards(2).devices(2).start();
    let devices = server.more_devices();
    let mut wire = Wire::login(server.address(), &devices[0].token);
    let data = server.data_path();
    let top = std::thread::spawn(move || run(&["top", "--once", "--json", "--data", data.to_str().expect("text")]));
    while !top.is_finished() {
        wire.expect_pong();
        // Within the quota of pings.
        std::thread::sleep(Duration::from_millis(110));
    }
    let shown: Value = serde_json::from_str(&said(&top.join().expect("ends"))).expect("JSON");
    assert!(field(field(&shown, "all"), "frames/s").as_f64().is_some_and(|rate| rate > 1.0), "{shown}");
    assert_eq!(field(field(&shown, "all"), "online"), 1);
    let (table, _, _) = server.operate(&["top", "--once"]);
    assert!(table.contains("frames/s") && !table.contains('\x1b'), "{table}");
}

#[test]
fn completions_and_man_pages_know_every_command() {
    let verbs = verbs();
    assert!(verbs.len() > 10, "{verbs:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = said(&run(&["completions", shell]));
        for verb in &verbs {
            assert!(script.contains(verb.as_str()), "{shell} does not complete {verb}");
        }
        assert!(script.contains("ready-file"), "{shell} does not complete flags");
    }
    let folder = Folder::new();
    assert!(run(&["man", folder.path().to_str().expect("text")]).status.success());
    for verb in &verbs {
        let page = std::fs::read_to_string(folder.path().join(format!("linchpin-{verb}.1"))).expect(verb);
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    assert!(folder.path().join("linchpin.1").exists() && folder.path().join("linchpin-device-diary.1").exists());
}

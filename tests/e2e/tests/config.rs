//! Mistakes in the configuration file: each is named with its line, and the server does not start (exit status 78).

use std::net::TcpStream;
use std::process::Command;

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Folder, Server, Wire, eventually, field, linchpin_path};
use rustix::process::Signal;

/// EX_CONFIG of sysexits.h.
const CONFIGURATION_ERROR: i32 = 78;

/// A configuration that works; `@` is the server's folder.
const GOOD: &str = r#"[listen]
plain = ["127.0.0.1:0"]

[data]
dir = "@/data"

[engine]
shards = 2
driver = "auto"

[limits]
messages_per_second = 50
message_burst = 100

[[template]]
id = "TMPLgarden"
name = "Garden"

[[template.datastream]]
pin = "V0"
name = "Moisture"
type = "int"
min = 0
max = 1023

[[device]]
name = "Greenhouse"
template = "TMPLgarden"

[[device]]
name = "Pump"
"#;

/// What to replace in [`GOOD`], with what, the line of the mistake, and words that help.
const MISTAKES: &[(&str, &str, usize, &[&str])] = &[
    ("[listen]", "[listne]", 1, &["listne", "listen"]),
    ("plain =", "plian =", 2, &["plian", "plain"]),
    ("127.0.0.1:0", "127.0.0.1", 2, &["127.0.0.1"]),
    ("127.0.0.1:0", "127.0.0.1:99999", 2, &["99999"]),
    ("[\"127.0.0.1:0\"]", "8080", 2, &["plain"]),
    ("shards = 2", "shards = 0", 8, &["0"]),
    ("shards = 2", "shards = \"two\"", 8, &["shards"]),
    ("shards = 2", "shards = 2\nshards = 3", 9, &["shards"]),
    ("\"auto\"", "\"fastest\"", 9, &["fastest", "io_uring", "portable"]),
    ("messages_per_second = 50", "messages_per_second = -1", 12, &["-1"]),
    ("messages_per_second = 50", "message_per_second = 50", 12, &["message_per_second", "messages_per_second"]),
    ("message_burst = 100", "message_burst = 1.5", 13, &["message_burst"]),
    ("pin = \"V0\"", "pin = \"V256\"", 20, &["V256"]),
    ("type = \"int\"", "type = \"integer\"", 22, &["integer", "int"]),
    ("min = 0", "min = 2000", 23, &["2000", "1023"]),
    ("template = \"TMPLgarden\"", "template = \"TMPLgardne\"", 28, &["TMPLgardne"]),
    ("name = \"Pump\"", "nmae = \"Pump\"", 31, &["nmae", "name"]),
    ("name = \"Pump\"", "name = \"Pump", 31, &[]),
    ("[\"127.0.0.1:0\"]", "[]", 2, &["at least one address"]),
    ("[\"127.0.0.1:0\"]", "[\"127.0.0.1:9\", \"127.0.0.1:9\"]", 2, &["127.0.0.1:9", "twice"]),
    ("dir = \"@/data\"", "path = \"@/data\"", 5, &["path", "dir"]),
    ("name = \"Pump\"", "name = \"Pump\"\ntoken_file = \"@/no-such-file\"", 32, &["no-such-file"]),
];
/// The issue asks for so many.
const _: () = assert!(MISTAKES.len() >= 20);

#[test]
fn a_good_file_is_accepted_and_serves() {
    let server = Server::serve(GOOD).start();
    let devices = server.devices();
    assert_eq!(devices.len(), 2);
    for device in &devices {
        Wire::login(server.address(), &device.token).expect_pong();
    }
    let mut greenhouse = Wire::login(server.address(), &devices[0].token);
    greenhouse.expect_status(linchpin_compat::command::HARDWARE, &["vw", "0", "1.5"], 11);
    greenhouse.expect_status(linchpin_compat::command::HARDWARE, &["vw", "1", "1"], 11);
}

#[test]
fn mistakes_are_named_with_file_line_and_help() {
    let mut wrong = Vec::new();
    for (good, bad, line, words) in MISTAKES {
        assert_eq!(GOOD.matches(good).count().min(1), 1, "{good} is not in the file");
        let folder = Folder::new();
        let path = folder.path().join("linchpin.toml");
        let text = GOOD.replacen(good, bad, 1).replace('@', folder.path().to_str().expect("UTF-8"));
        std::fs::write(&path, text).expect("write the configuration");
        let output = Command::new(linchpin_path()).args(["check", "--config"]).arg(&path).env("NO_COLOR", "1").output();
        let output = output.expect("start the binary");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let place = format!("{}:{line}", path.display());
        let helps = said.contains(&place) && said.contains('^') && words.iter().all(|word| said.contains(word));
        if output.status.code() != Some(CONFIGURATION_ERROR) || !helps {
            wrong.push(format!("{bad:?} (line {line}, {words:?}) ended with {} and said:\n{said}", output.status));
        }
    }
    assert!(wrong.is_empty(), "{} of {} mistakes are not helped:\n{}", wrong.len(), MISTAKES.len(), wrong.join("\n"));
}

#[test]
fn the_default_file_is_checked_and_right() {
    let folder = Folder::new();
    let path = folder.path().join("linchpin.toml");
    let printed = Command::new(linchpin_path()).args(["config", "default"]).output().expect("start the binary");
    assert!(printed.status.success());
    std::fs::write(&path, &printed.stdout).expect("write the configuration");
    let output =
        Command::new(linchpin_path()).args(["check", "--config"]).arg(&path).output().expect("start the binary");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.stdout == std::fs::read("../../packaging/linchpin.toml").expect("the packaged file"));
}

/// A list that is empty or absent allows nothing: no pin, no event.
#[test]
fn an_empty_list_means_deny() {
    for lists in ["", "events = []\n"] {
        let text = GOOD.split("\n[[template.datastream]]").next().expect("the start");
        let server = Server::serve(&format!("{text}{lists}[[device]]\ntemplate = \"TMPLgarden\"\n")).start();
        let mut wire = Wire::login(server.address(), &server.devices()[0].token);
        wire.expect_status(linchpin_compat::command::INTERNAL, &["ver", "1.4.0"], linchpin_compat::status::OK);
        wire.expect_status(linchpin_compat::command::HARDWARE, &["vw", "0", "1"], 11);
        let id = wire.send_parts(linchpin_compat::command::EVENT_LOG, &["hot", "it is"]);
        let answer = wire.receive(EFFECT).expect("an answer");
        assert_eq!(answer.id, id);
        assert_ne!(answer.status_or_len, linchpin_compat::status::OK, "an event that no list has");
    }
}

#[test]
fn serve_refuses_a_wrong_file_too() {
    let Err((status, log)) = Server::serve(&GOOD.replace("shards = 2", "shards = 0")).try_start() else {
        panic!("no shards at all")
    };
    assert_eq!(status.code(), Some(CONFIGURATION_ERROR), "{log}");
    assert!(log.contains("linchpin.toml:8"), "{log}");
}

#[test]
fn a_missing_file_is_named() {
    let folder = Folder::new();
    let path = folder.path().join("none.toml");
    let output =
        Command::new(linchpin_path()).args(["check", "--config"]).arg(&path).output().expect("start the binary");
    assert_eq!(output.status.code(), Some(CONFIGURATION_ERROR));
    assert!(String::from_utf8_lossy(&output.stderr).contains("none.toml"));
}

#[test]
fn sighup_takes_new_limits_and_keeps_the_old_ones_when_the_new_are_wrong() {
    let server = Server::serve(GOOD).start();
    let path = server.folder().join("linchpin.toml");
    let good = std::fs::read_to_string(&path).expect("the configuration");
    let pump = server.devices().swap_remove(1);
    let mut wire = Wire::login(server.address(), &pump.token);
    let reload = |text: &str, answer: &str| {
        let seen = server.log().matches(answer).count();
        std::fs::write(&path, text).expect("write the configuration");
        server.signal(Signal::HUP);
        eventually(EFFECT, &format!("the log says {answer:?}"), || {
            (server.log().matches(answer).count() > seen).then_some(())
        });
    };

    reload(&good.replace("message_burst = 100", "message_burst = 0"), "linchpin.toml:13");
    wire.expect_pong();

    reload(
        &good.replace("messages_per_second = 50", "messages_per_second = 1").replace("burst = 100", "burst = 3"),
        "reloaded",
    );
    for _ in 0..8 {
        wire.send_parts(linchpin_compat::command::HARDWARE, &["vw", "1", "1"]);
    }
    let notice = wire.receive(EFFECT).expect("a notice that the quota is used up");
    assert_eq!(notice.status_or_len, linchpin_compat::status::QUOTA_LIMIT);
    wire.expect_pong();
    let dropped = field(&server.ask(&["status"]), "dropped").as_u64();
    assert!(dropped >= Some(1), "dropped {dropped:?}");
    assert!(TcpStream::connect(server.address()).is_ok());
}

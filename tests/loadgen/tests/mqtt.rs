//! MQTT against Mosquitto: what loadgen says that it sent is what a listener got, refusals are told in words, and a
//! broker that dies is noticed and found again.

use std::process::Command;
use std::time::Duration;

use linchpin_fleet::server::Server;
use linchpin_loadgen_tests::mosquitto::{Listener, Mosquitto};
use linchpin_loadgen_tests::{Folder, Loadgen, Ran, expect_clean, program, sum};
use linchpin_tls::LocalAuthority;

const OPEN: &str = "allow_anonymous true";

const MIX: &str = r#"
name = "mqtt"
[[group]]
name = "reporting"
count = 30
transport = "mqtt"
h_beat = "1h"
mix = [
  { kind = "telemetry", every = "500ms", jitter = "100ms", pin = 6, payload_bytes = [2, 12] },
  { kind = "publish", rate = "40/s", pin = 7 },
  { kind = "ping", rate = "30/s" },
]
[[group]]
name = "pairs"
count = 20
transport = "mqtt"
h_beat = "1h"
echo = true
mix = [{ kind = "bridge", rate = "40/s", pin = 8 }]
[[phase]]
kind = "ramp"
duration = "1s"
[[phase]]
kind = "steady"
duration = "4s"
"#;

fn start(broker: &Mosquitto, arguments: &[&str]) -> Loadgen {
    let target = broker.address.to_string();
    Loadgen::start(&[arguments, &[&*target, "--json", "--quiet", "--allow-debug-build"]].concat())
}

fn run(broker: &Mosquitto, arguments: &[&str]) -> Ran {
    start(broker, arguments).wait(Duration::from_secs(120))
}

#[test]
fn a_listener_gets_what_the_devices_say_that_they_sent() {
    let folder = Folder::new();
    let broker = Mosquitto::start(&folder, OPEN);
    let listener = Listener::start(broker.address, "loadgen/#");
    let scenario = folder.file("mqtt.toml", MIX);
    let outcome = run(&broker, &["run", &scenario.to_string_lossy()]).outcome();
    expect_clean(&outcome);
    let sent = ["telemetry", "publish", "bridge", "echo"].map(|kind| sum(&outcome, kind));
    assert!(sent.iter().all(|n| *n > 100), "{sent:?}");
    let counts = listener.counts(sent.iter().sum());
    let of = |ending: &str| counts.iter().filter(|(topic, _)| topic.ends_with(ending)).map(|(_, n)| n).sum::<u64>();
    // The echo goes to the pin beside the one that was written.
    assert_eq!(["/6", "/7", "/in/8", "/9"].map(of), sent, "{counts:?}");
    assert_eq!(counts.values().sum::<u64>(), sent.iter().sum::<u64>(), "and nothing else");
    // Numbers of devices go over all groups.
    assert!(counts.contains_key("loadgen/0/6") && counts.contains_key("loadgen/49/in/8"), "{counts:?}");
    let answered = sum(&outcome, "publish") + sum(&outcome, "ping") + sum(&outcome, "bridge");
    assert_eq!(sum(&outcome, "answers"), answered, "PUBACK, PINGRESP and arrivals");
    assert_eq!(sum(&outcome, "downlinks"), sum(&outcome, "bridge"));
}

#[test]
fn the_scenarios_of_blynk_run_over_mqtt() {
    let folder = Folder::new();
    let broker = Mosquitto::start(&folder, OPEN);
    let listener = Listener::start(broker.address, "loadgen/#");
    let shipped = |name: &str| {
        let path = format!("{}/../../loadgen/scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("a shipped scenario");
        text.replace("count = 10_000", "count = 200")
            .replace("duration = \"60s\"", "duration = \"5s\"")
            .replace("duration = \"30s\"", "duration = \"5s\"")
            .replace("h_beat = \"30s\"", "h_beat = \"1s\"")
    };
    let idle = folder.file("idle.toml", &shipped("idle"));
    let outcome = run(&broker, &["run", &idle.to_string_lossy(), "--mqtt"]).outcome();
    expect_clean(&outcome);
    assert_eq!(outcome["online_at_gate"], 200);
    let beats = outcome["measured"]["counts"]["beat"].as_u64().expect("a count");
    assert!((900..=1_100).contains(&beats), "{beats} heartbeats of 1,000");
    assert_eq!(sum(&outcome, "beat"), sum(&outcome, "answers"), "each was answered");
    assert!(listener.counts(0).is_empty(), "idle devices publish nothing");

    let telemetry = folder.file("telemetry.toml", &shipped("telemetry"));
    let outcome = run(&broker, &["run", &telemetry.to_string_lossy(), "--mqtt"]).outcome();
    expect_clean(&outcome);
    let sent = sum(&outcome, "telemetry");
    assert_eq!(listener.counts(sent).values().sum::<u64>(), sent);
    assert!(sent > 60, "{sent}");

    let mixed = folder.file("mixed.toml", &shipped("mixed"));
    let ran = run(&broker, &["run", &mixed.to_string_lossy(), "--mqtt"]);
    assert_eq!(ran.code(), 1, "{}", ran.err);
    assert!(ran.err.contains("MQTT has ping, telemetry, publish and bridge"), "{}", ran.err);
}

/// What a line of the server's own file of tokens is enough for.
#[test]
fn the_scenario_of_devices_runs_against_linchpin() {
    let folder = Folder::new();
    let server = Server::start_with(&program("linchpin"), 100, 2, "auto", &[]);
    let path = format!("{}/../../loadgen/scenarios/mqtt-device.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("a shipped scenario");
    let text = text
        .replace("count = 10_000", "count = 100")
        .replace("duration = \"30s\"", "duration = \"6s\"")
        .replace("every = \"10s\", jitter = \"2s\"", "every = \"1s\", jitter = \"200ms\"");
    let scenario = folder.file("mqtt-device.toml", &text);
    let tokens = folder.tokens(&server.tokens);
    let (target, scenario, tokens) = (server.address.to_string(), scenario.to_string_lossy(), tokens.to_string_lossy());
    let arguments = ["run", &*scenario, "--tokens", &*tokens, &*target, "--json", "--quiet", "--allow-debug-build"];
    let outcome = Loadgen::start(&arguments).wait(Duration::from_secs(120)).outcome();
    expect_clean(&outcome);
    assert_eq!(outcome["online_at_gate"], 100);
    let [telemetry, publish, ping] = ["telemetry", "publish", "ping"].map(|kind| sum(&outcome, kind));
    assert!(telemetry > 300 && publish > 300 && ping > 300, "{telemetry} {publish} {ping}");
    assert_eq!(sum(&outcome, "answers"), publish + ping + sum(&outcome, "beat"), "PUBACK and PINGRESP for each");
}

/// A password file for `mosquitto_passwd`'s own form.
fn password_file(folder: &Folder, text: &str) -> std::path::PathBuf {
    let file = folder.file("passwords", text);
    let made = Command::new("mosquitto_passwd").arg("-U").arg(&file).status().expect("mosquitto_passwd runs");
    assert!(made.success());
    file
}

#[test]
fn names_and_passwords_come_from_the_tokens_file_and_wrong_ones_are_told() {
    let folder = Folder::new();
    let passwords = password_file(&folder, "ann:secretone\nbob:secrettwo\n");
    let lines = format!("allow_anonymous false\npassword_file {}", passwords.display());
    let broker = Mosquitto::start(&folder, &lines);
    let quick = ["quick", "--mqtt", "-c", "2", "-r", "20/s", "-d", "1s", "--tokens"];
    let good = folder.file("good", "1 ann:secretone\n2 bob:secrettwo\n");
    let outcome = run(&broker, &[&quick[..], &[&*good.to_string_lossy()]].concat()).outcome();
    expect_clean(&outcome);
    assert_eq!(outcome["online_at_gate"], 2);

    // One of two is wrong: the run goes on and says so.
    let half = folder.file("half", "ann:secretone\nbob:guessed\n");
    let scenario = MIX.split("[[group]]").next().expect("its begin").to_owned()
        + "[[group]]\nname = \"g\"\ncount = 2\ntransport = \"mqtt\"\n[[phase]]\nkind = \"ramp\"\nduration = \"1s\"\n\
           settle = \"500ms\"\n[[phase]]\nkind = \"steady\"\nduration = \"1s\"\n";
    let scenario = folder.file("half.toml", &scenario);
    let scenario = scenario.to_string_lossy();
    let with = |tokens: &std::path::Path| run(&broker, &["run", &scenario, "--tokens", &tokens.to_string_lossy()]);
    let outcome = with(&half).outcome();
    assert_eq!((&outcome["online_at_gate"], sum(&outcome, "login_failed")), (&1.into(), 1));
    assert!(outcome["verdict"]["notes"].to_string().contains("CONNACK 5"), "{}", outcome["verdict"]);

    // All are wrong: nothing to measure, and the broker's own reason.
    let bad = folder.file("bad", "ann:guessed\nbob:guessed\n");
    let ran = with(&bad);
    assert_eq!(ran.code(), 2, "{}", ran.err);
    assert!(ran.err.contains("none of 2 devices could log in") && ran.err.contains("CONNACK 5"), "{}", ran.err);
    assert!(!(ran.out + &ran.err).contains("guessed"), "passwords are not shown");
}

#[test]
fn a_broker_that_dies_is_noticed_and_found_again() {
    let folder = Folder::new();
    let mut broker = Mosquitto::start(&folder, OPEN);
    let scenario = MIX.split("[[group]]").next().expect("its begin").to_owned()
        + "[[group]]\nname = \"g\"\ncount = 40\ntransport = \"mqtt\"\nreconnect = \"300ms\"\n\
           mix = [{ kind = \"publish\", rate = \"100/s\" }]\n[[phase]]\nkind = \"ramp\"\nduration = \"1s\"\n\
           [[phase]]\nkind = \"steady\"\nduration = \"8s\"\n";
    let scenario = folder.file("dies.toml", &scenario);
    let loadgen = start(&broker, &["run", &scenario.to_string_lossy()]);
    std::thread::sleep(Duration::from_secs(4));
    broker.kill();
    std::thread::sleep(Duration::from_millis(700));
    broker.restart();
    let ran = loadgen.wait(Duration::from_secs(60));
    let outcome = ran.outcome();
    assert_eq!(sum(&outcome, "lost"), 40, "{}", outcome["phases"]);
    assert_eq!(sum(&outcome, "logins"), 80, "all came back: {}", outcome["phases"]);
    assert!(sum(&outcome, "connect_failed") > 0, "they tried while it was gone");
    // What could not be sent meanwhile is missing, and the run says so.
    assert_eq!(ran.code(), 4, "{}", outcome["verdict"]);
    let reasons = outcome["verdict"]["reasons"].to_string();
    assert!(reasons.contains("of devices that were not connected"), "{reasons}");
    let last = outcome["series"].as_array().and_then(|series| series.last()).expect("seconds");
    assert_eq!(last["online"], 40, "{last}");
}

#[test]
fn mqtt_over_tls() {
    let folder = Folder::new();
    let now_s = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    let day = Duration::from_secs(86_400);
    let authority = LocalAuthority::make("Test authority", now_s, 30 * day).expect("an authority");
    let made = authority.server(&["localhost"], now_s, day).expect("a certificate");
    let (chain, key) = (folder.file("chain.pem", &made.chain_pem), folder.file("key.pem", &made.key_pem));
    let ca = folder.file("ca.pem", authority.certificate_pem());
    let lines = format!("{OPEN}\ncertfile {}\nkeyfile {}", chain.display(), key.display());
    let broker = Mosquitto::start(&folder, &lines);
    let ca = ca.to_string_lossy();
    for version in ["1.2", "1.3"] {
        let quick =
            ["quick", "-t", "mqtts", "-c", "20", "-r", "50/s", "-d", "2s", "--tls-version", version, "--ca", &*ca];
        let outcome = run(&broker, &quick).outcome();
        expect_clean(&outcome);
        assert_eq!(outcome["phases"][0]["kinds"]["tls_handshake"]["corrected"]["count"], 20);
        assert_eq!(sum(&outcome, "answers"), sum(&outcome, "ping") + sum(&outcome, "beat"), "TLS {version}");
    }
}

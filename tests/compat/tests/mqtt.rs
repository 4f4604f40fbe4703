//! Real MQTT clients on both back ends: paho-mqtt and gmqtt, mqtt.js, mosquitto's own, in both versions, over TCP, TLS and
//! WebSockets.

#[path = "../../../protocol/tests/mqtt_table/mod.rs"]
mod mqtt_table;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use linchpin_compat::limits::{EFFECT, LOGIN, RECONNECT};
use linchpin_compat::{BackEnd, Device, Server, eventually, installed_path};
use mqtt_table::{Begun, TOKEN};
use serde_json::Value;

const VERSIONS: [&str; 2] = ["4", "5"];
/// Rows of the table that are played at a time.
const AT_ONCE: usize = 8;
const SCRIPTS: [&str; 3] = ["paho_device.py", "mqttjs_device.js", "gmqtt_device.py"];

fn server(back_end: BackEnd) -> Server {
    Server::dev().back_end(back_end).shards(2).start()
}

/// One of `clients/mqtt/`, with its interpreter.
fn client(script: &str) -> Command {
    let installed = installed_path().join("mqtt");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/mqtt").join(script);
    let program = if script.ends_with(".js") { PathBuf::from("node") } else { installed.join("venv/bin/python") };
    let mut command = Command::new(program);
    command.arg(path).env("NODE_PATH", installed.join("node_modules")).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// HOST PORT VERSION TRANSPORT CA
fn arguments(server: &Server, version: &str, transport: &str) -> Vec<String> {
    let is_tls = matches!(transport, "tls" | "wss");
    let address = if is_tls { server.tls_address() } else { server.address() };
    let ca = server.ca().display().to_string();
    vec![address.ip().to_string(), address.port().to_string(), version.to_owned(), transport.to_owned(), ca]
}

fn expect_success(ran: &Output, what: &str) {
    let said = [&ran.stdout[..], &ran.stderr].concat();
    assert!(ran.status.success(), "{what}: {}", String::from_utf8_lossy(&said));
}

fn use_everything(server: &Server, script: &str, mode: Option<&str>, transports: &[&str]) {
    let device = &server.devices()[0];
    for version in VERSIONS {
        for transport in transports {
            let ran = client(script)
                .args(mode)
                .args(arguments(server, version, transport))
                .env("LINCHPIN_TOKEN", &device.token)
                .output()
                .expect("the interpreter runs");
            expect_success(&ran, &format!("{script} {version} {transport}"));
        }
    }
}

/// A client that says what happens, line by line.
struct Waiting {
    name: String,
    process: Child,
    lines: Receiver<String>,
}

impl Waiting {
    fn start(server: &Server, script: &str, mode: &str, version: &str, token: &str) -> Self {
        let mut command = client(script);
        command.arg(mode).args(arguments(server, version, "tcp")).env("LINCHPIN_TOKEN", token);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the interpreter runs");
        let output = process.stdout.take().expect("piped");
        let (send, lines) = channel();
        std::thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).try_for_each(|l| send.send(l)));
        Self { name: format!("{script} {version}"), process, lines }
    }

    /// The next event that is as wanted.
    fn expect(&self, limit: Duration, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut said = Vec::new();
        loop {
            let line = self.lines.recv_timeout(limit);
            let line = line.unwrap_or_else(|_| panic!("{}: no {what} after {said:?}", self.name));
            match serde_json::from_str(&line) {
                Ok(event) if wanted(&event) => return event,
                _ => said.push(line),
            }
        }
    }

    fn ready(&self, limit: Duration) {
        self.expect(limit, "login", |event| event["event"] == "ready");
    }

    fn gone(&self, limit: Duration) {
        self.expect(limit, "end", |event| event["event"] == "gone");
    }

    fn message(&self, topic: &str) -> String {
        let event = self.expect(EFFECT, topic, |event| event["topic"] == topic);
        event["payload"].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Each library in each version, with a device of its own.
fn each(devices: &[Device]) -> impl Iterator<Item = (&'static str, &'static str, &Device)> {
    let kinds = SCRIPTS.into_iter().flat_map(|script| VERSIONS.map(|version| (script, version)));
    assert!(devices.len() >= SCRIPTS.len() * VERSIONS.len());
    kinds.zip(devices).map(|((script, version), device)| (script, version, device))
}

fn all_waiting<'a>(server: &Server, mode: &str, devices: &'a [Device]) -> Vec<(Waiting, &'static str, &'a Device)> {
    let start = |(script, version, device): (_, _, &'a Device)| {
        (Waiting::start(server, script, mode, version, &device.token), version, device)
    };
    each(devices).map(start).collect()
}

fn mosquitto(server: &Server, program: &str, version: &str, token: &str, arguments: &[&str]) -> Output {
    mosquitto_over(server, false, program, version, token, arguments)
}

fn mosquitto_over(
    server: &Server,
    is_tls: bool,
    program: &str,
    version: &str,
    token: &str,
    arguments: &[&str],
) -> Output {
    let address = if is_tls { server.tls_address() } else { server.address() };
    let version = if version == "5" { "5" } else { "311" };
    let mut line = Command::new(program);
    if is_tls {
        line.arg("--cafile").arg(server.ca());
    }
    line.args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()])
        .args(["-V", version, "-u", "device", "-P", token])
        .args(arguments)
        .output()
        .expect("mosquitto's clients are installed")
}

fn libraries(back_end: BackEnd) {
    let server = server(back_end);
    let every = ["tcp", "tls", "ws", "wss"];
    use_everything(&server, "paho_device.py", Some("use"), &every);
    use_everything(&server, "mqttjs_device.js", Some("use"), &every);
    use_everything(&server, "gmqtt_device.py", Some("use"), &["tcp", "tls"]);
}

#[test]
fn libraries_use_everything_on_io_uring() {
    libraries(BackEnd::IoUring);
}

#[test]
fn libraries_use_everything_on_the_portable_back_end() {
    libraries(BackEnd::Portable);
}

fn orders(back_end: BackEnd) {
    // A port that stays the same over restarts.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port");
    let mut server = Server::dev().back_end(back_end).shards(2).devices(6).option("--plain", port.to_string()).start();
    let devices = server.more_devices();
    let all = all_waiting(&server, "wait", &devices);
    for (waiting, version, device) in &all {
        waiting.ready(LOGIN);
        server.write(device, "V1", "from outside");
        assert_eq!(waiting.message("downlink/ds/V1"), "from outside");
        let _ = server.ask(&["device", "push", &device.id, "ota", "http://h.example/f.bin"]);
        assert_eq!(waiting.message("downlink/ota/json"), r#"{"url":"http://h.example/f.bin"}"#);
        let _ = server.ask(&["device", "push", &device.id, "ping"]);
        assert_eq!(waiting.message("downlink/ping"), "");
        let _ = server.ask(&["device", "push", &device.id, "reboot"]);
        assert_eq!(waiting.message("downlink/reboot"), "");
        // Another login with the token wins, and this one comes back.
        let ran = mosquitto(&server, "mosquitto_pub", version, &device.token, &["-t", "ds/V2", "-m", "taken"]);
        expect_success(&ran, "mosquitto_pub");
        waiting.gone(EFFECT);
        assert_eq!(server.value(device, "V2").as_deref(), Some("taken"));
        waiting.ready(RECONNECT);
    }
    server.restart();
    for (waiting, _, device) in &all {
        waiting.ready(RECONNECT);
        server.write(device, "V1", "again");
        assert_eq!(waiting.message("downlink/ds/V1"), "again");
    }
    let (_, said, status) = server.operate(&["drain", "--redirect", "elsewhere.example:1883", "--no-wait"]);
    assert!(status.success(), "{said}");
    for (waiting, ..) in &all {
        assert_eq!(waiting.message("downlink/redirect"), "mqtt://elsewhere.example:1883");
        waiting.gone(EFFECT);
    }
    server.expect_no_token_in_log(&devices);
}

#[test]
fn orders_takeovers_and_restarts_on_io_uring() {
    orders(BackEnd::IoUring);
}

#[test]
fn orders_takeovers_and_restarts_on_the_portable_back_end() {
    orders(BackEnd::Portable);
}

fn killed(back_end: BackEnd) {
    let server = Server::dev().back_end(back_end).shards(2).devices(6).start();
    let devices = server.more_devices();
    let all = all_waiting(&server, "will", &devices);
    for (waiting, ..) in &all {
        waiting.ready(LOGIN);
    }
    assert!(devices.iter().all(|device| server.value(device, "V9").is_none()));
    drop(all);
    for (script, version, device) in each(&devices) {
        let what = format!("the will of {script} {version}");
        eventually(EFFECT, &what, || server.value(device, "V9").filter(|value| value == "by will"));
    }
}

#[test]
fn a_killed_client_leaves_its_will_on_io_uring() {
    killed(BackEnd::IoUring);
}

#[test]
fn a_killed_client_leaves_its_will_on_the_portable_back_end() {
    killed(BackEnd::Portable);
}

/// Log in with a token as often as it goes, until `is_over`: whoever has the same token finds the device busy.
fn fight(server: &Server, token: &str, is_over: &AtomicBool) {
    let login = mqtt_table::login(Begun::V4);
    while !is_over.load(Ordering::Relaxed) {
        let mut stream = TcpStream::connect(server.address()).expect("connects");
        stream.set_read_timeout(Some(LOGIN)).expect("a time limit");
        let _ = stream.write_all(&with_token(&login, token));
        let _ = stream.read(&mut [0; 64]);
    }
}

/// A device that logs in too often is closed without an answer: its libraries come back by themselves, at both back ends.
fn busy(back_end: BackEnd) {
    let server = Server::dev().back_end(back_end).shards(2).devices(6).start();
    let devices = server.more_devices();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for device in &devices {
            scope.spawn(|| fight(&server, &device.token, &is_over));
        }
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let all = all_waiting(&server, "wait", &devices);
            for (waiting, ..) in &all {
                waiting.gone(LOGIN);
            }
            all
        }));
        is_over.store(true, Ordering::Relaxed);
        for (waiting, ..) in ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
            waiting.ready(RECONNECT);
        }
    });
}

#[test]
fn libraries_come_back_to_a_busy_device_on_io_uring() {
    busy(BackEnd::IoUring);
}

#[test]
fn libraries_come_back_to_a_busy_device_on_the_portable_back_end() {
    busy(BackEnd::Portable);
}

/// A wrong token: each client hears that it is refused for good.
fn refused(back_end: BackEnd) {
    let server = server(back_end);
    let wrong = "x".repeat(32);
    let kinds = SCRIPTS.into_iter().flat_map(|script| VERSIONS.map(|version| (script, version)));
    let all: Vec<_> =
        kinds.map(|(script, version)| (Waiting::start(&server, script, "wait", version, &wrong), version)).collect();
    for (waiting, version) in &all {
        let event = waiting.expect(LOGIN, "refusal", |event| event["event"] == "refused");
        let code = event["code"].as_u64().expect("a code");
        // paho says 134 for what was 4 on the wire.
        let is_right = if *version == "5" { code == 134 } else { code == 4 || code == 134 };
        assert!(is_right, "{}: {event}", waiting.name);
    }
    for version in VERSIONS {
        for is_tls in [false, true] {
            let line = ["-t", "downlink/#", "-C", "1"];
            let ran = mosquitto_over(&server, is_tls, "mosquitto_sub", version, &wrong, &line);
            assert_eq!(ran.status.code(), Some(if version == "5" { 134 } else { 4 }), "{ran:?}");
        }
    }
    assert!(!server.log().contains(&wrong), "a token is in the log");
}

#[test]
fn a_wrong_token_is_refused_on_io_uring() {
    refused(BackEnd::IoUring);
}

#[test]
fn a_wrong_token_is_refused_on_the_portable_back_end() {
    refused(BackEnd::Portable);
}

fn mosquittos_clients(back_end: BackEnd) {
    // One device may log in ten times at once.
    let server = Server::dev().back_end(back_end).shards(2).devices(4).start();
    let devices = server.more_devices();
    let ways = VERSIONS.into_iter().flat_map(|version| [(version, false), (version, true)]);
    for ((version, is_tls), device) in ways.zip(&devices) {
        let token = &device.token;
        for (qos, value) in [("0", "10"), ("1", "11"), ("2", "12")] {
            let value = format!("{value}{version}{}", u8::from(is_tls));
            let topic = ["-t", "ds/V5", "-m", &value, "-q", qos];
            let ran = mosquitto_over(&server, is_tls, "mosquitto_pub", version, token, &topic);
            expect_success(&ran, "mosquitto_pub");
            // At QoS 0 the write and the end come in one segment.
            eventually(EFFECT, "the value", || server.value(device, "V5").filter(|found| *found == value));
        }
        let foreign = mosquitto_over(&server, is_tls, "mosquitto_sub", version, token, &["-t", "foreign/#", "-W", "2"]);
        let said = String::from_utf8_lossy(&foreign.stderr).into_owned();
        assert!(said.contains("denied") || said.contains("rejected") || !foreign.status.success(), "{foreign:?}");
        let wait = LOGIN.as_secs().to_string();
        let line = ["-t", "downlink/#", "-C", "1", "-W", &wait, "-q", "1"];
        let heard = std::thread::scope(|scope| {
            let sub = scope.spawn(|| mosquitto_over(&server, is_tls, "mosquitto_sub", version, token, &line));
            let mut n = 0;
            while !sub.is_finished() {
                n += 1;
                server.write(device, "V6", &format!("value {n}"));
            }
            sub.join().expect("mosquitto_sub runs")
        });
        expect_success(&heard, "mosquitto_sub");
        assert!(String::from_utf8_lossy(&heard.stdout).starts_with("value "), "{heard:?}");
    }
}

#[test]
fn mosquittos_clients_on_io_uring() {
    mosquittos_clients(BackEnd::IoUring);
}

#[test]
fn mosquittos_clients_on_the_portable_back_end() {
    mosquittos_clients(BackEnd::Portable);
}

/// Bytes of the table with the token of a device in place of its own.
fn with_token(bytes: &[u8], token: &str) -> Vec<u8> {
    let at = bytes.windows(TOKEN.len()).position(|window| window == TOKEN.as_bytes());
    let mut bytes = bytes.to_vec();
    if let Some(at) = at {
        bytes[at..at + TOKEN.len()].copy_from_slice(token.as_bytes());
    }
    bytes
}

/// One row of the table: is the connection closed, and what was heard; `None`: logins came too often, try again.
fn play(server: &Server, row: &mqtt_table::Rule, token: &str) -> Option<(bool, Vec<u8>)> {
    let mut stream = TcpStream::connect(server.address()).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(300))).ok()?;
    let mut buffer = [0; 4_096];
    if row.begun != Begun::Nothing {
        stream.write_all(&with_token(&mqtt_table::login(row.begun), token)).ok()?;
        // A login that comes too often has no answer: it is tried again.
        stream.read(&mut buffer).ok().filter(|len| *len > 0)?;
    }
    stream.write_all(&with_token(&row.bytes, token)).ok()?;
    let mut heard = Vec::new();
    let closed = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break true,
            Ok(len) => heard.extend_from_slice(&buffer[..len]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break true,
            // A refused login is closed after a second.
            Err(_) if row.closes && row.begun == Begun::Nothing && !heard.is_empty() => continue,
            Err(_) => break false,
        }
    };
    let _ = stream.shutdown(Shutdown::Both);
    let is_throttled = closed && heard.is_empty() && !row.answers.is_empty();
    (!is_throttled).then_some((closed, heard))
}

/// The table of byte sequences, over real sockets.
#[test]
fn every_rule_holds_on_the_wire() {
    let server = Server::dev().shards(2).devices(40).start();
    let devices = server.more_devices();
    // Not the rows that look at names of a template, and those that are long.
    let is_general = |row: &mqtt_table::Rule| !row.answers.contains("PUB") && row.bytes.len() < 4_096;
    let rows: Vec<_> = mqtt_table::rows().into_iter().filter(is_general).collect();
    assert!(rows.len() > 200, "{} rows", rows.len());
    // Each device may log in a few times at once, then once a second.
    std::thread::scope(|scope| {
        for lane in 0..AT_ONCE {
            let (server, rows, devices) = (&server, &rows, &devices);
            scope.spawn(move || {
                for (at, row) in rows.iter().enumerate().filter(|(at, _)| at % AT_ONCE == lane) {
                    let token = &devices[at % devices.len()].token;
                    let (closed, heard) = eventually(LOGIN, &row.rule, || play(server, row, token));
                    let answers = mqtt_table::summary(&heard, row.begun, &row.bytes);
                    assert_eq!((closed, &answers), (row.closes, &row.answers), "{}", row.rule);
                }
            });
        }
    });
    server.expect_no_token_in_log(&devices);
}

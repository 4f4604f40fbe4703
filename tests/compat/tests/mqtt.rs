//! Real MQTT clients on both back ends: paho-mqtt and gmqtt, mqtt.js, mosquitto's own, in both versions, over TCP, TLS and
//! WebSockets.

#[path = "../../../protocol/tests/mqtt_table/mod.rs"]
mod mqtt_table;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use linchpin_compat::limits::{EFFECT, LOGIN, RECONNECT};
use linchpin_compat::{BackEnd, Device, Server, eventually, installed_path};
use serde_json::Value;

const VERSIONS: [&str; 2] = ["4", "5"];

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
        Self { process, lines }
    }

    /// The next event that is as wanted.
    fn expect(&self, limit: Duration, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut said = Vec::new();
        loop {
            let line = self.lines.recv_timeout(limit).unwrap_or_else(|_| panic!("no {what} after {said:?}"));
            match serde_json::from_str(&line) {
                Ok(event) if wanted(&event) => return event,
                _ => said.push(line),
            }
        }
    }

    fn ready(&self, limit: Duration) {
        self.expect(limit, "login", |event| event["event"] == "ready");
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

fn mosquitto(server: &Server, program: &str, version: &str, token: &str, arguments: &[&str]) -> Output {
    let address = server.address();
    let version = if version == "5" { "5" } else { "311" };
    Command::new(program)
        .args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()])
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
    use_everything(&server, "gmqtt_device.py", None, &["tcp", "tls"]);
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
    let mut server = Server::dev().back_end(back_end).shards(2).option("--plain", port.to_string()).start();
    let devices = server.devices();
    for (script, version) in [("paho_device.py", "4"), ("mqttjs_device.js", "5")] {
        let device: &Device = &devices[1];
        let waiting = Waiting::start(&server, script, "wait", version, &device.token);
        waiting.ready(LOGIN);
        server.write(device, "V1", "from outside");
        assert_eq!(waiting.message("downlink/ds/V1"), "from outside");
        let _ = server.ask(&["device", "push", &device.id, "ota", "http://h.example/f.bin"]);
        assert_eq!(waiting.message("downlink/ota/json"), r#"{"url":"http://h.example/f.bin"}"#);
        let _ = server.ask(&["device", "push", &device.id, "reboot"]);
        assert_eq!(waiting.message("downlink/reboot"), "");
        // Another login with the token wins, and this one comes back.
        let ran = mosquitto(&server, "mosquitto_pub", version, &device.token, &["-t", "ds/V2", "-m", "taken"]);
        expect_success(&ran, "mosquitto_pub");
        waiting.expect(EFFECT, "end", |event| event["event"] == "gone");
        assert_eq!(server.value(device, "V2").as_deref(), Some("taken"));
        waiting.ready(RECONNECT);
        server.restart();
        waiting.ready(RECONNECT);
        server.write(device, "V1", "again");
        assert_eq!(waiting.message("downlink/ds/V1"), "again");
    }
}

#[test]
fn orders_takeovers_and_restarts_on_io_uring() {
    orders(BackEnd::IoUring);
}

#[test]
fn orders_takeovers_and_restarts_on_the_portable_back_end() {
    orders(BackEnd::Portable);
}

#[test]
fn a_killed_client_leaves_its_will() {
    let server = server(BackEnd::Auto);
    let device = &server.devices()[0];
    for (script, version) in [("paho_device.py", "5"), ("mqttjs_device.js", "4")] {
        let waiting = Waiting::start(&server, script, "will", version, &device.token);
        waiting.ready(LOGIN);
        drop(waiting);
        let has_will =
            |events: &Value| events.as_array().is_some_and(|list| list.iter().any(|it| it["text"] == "by will"));
        eventually(EFFECT, "the will", || has_will(&server.view(device)["events"]).then_some(()));
    }
}

#[test]
fn mosquittos_clients() {
    let server = server(BackEnd::Auto);
    let devices = server.devices();
    let token = &devices[1].token;
    for version in VERSIONS {
        for (qos, value) in [("0", "10"), ("1", "11"), ("2", "12")] {
            let topic = ["-t", "ds/V5", "-m", value, "-q", qos];
            expect_success(&mosquitto(&server, "mosquitto_pub", version, token, &topic), "mosquitto_pub");
            // At QoS 0 the write and the end come in one segment.
            eventually(EFFECT, "the value", || server.value(&devices[1], "V5").filter(|found| found == value));
        }
        let wrong = "x".repeat(32);
        let refused = mosquitto(&server, "mosquitto_sub", version, &wrong, &["-t", "downlink/#", "-C", "1"]);
        assert_eq!(refused.status.code(), Some(if version == "5" { 134 } else { 4 }), "{refused:?}");
        let foreign = mosquitto(&server, "mosquitto_sub", version, token, &["-t", "foreign/#", "-W", "2"]);
        let said = String::from_utf8_lossy(&foreign.stderr).into_owned();
        assert!(said.contains("denied") || said.contains("rejected") || !foreign.status.success(), "{foreign:?}");
    }
}

/// The table of byte sequences, over real sockets.
#[test]
fn every_rule_holds_on_the_wire() {
    use mqtt_table::{Begun, TOKEN, login, rows, summary};
    let server = Server::dev().shards(2).devices(40).start();
    let devices = server.more_devices();
    // Each device may log in a few times at once, then once a second.
    let own = |bytes: &[u8], at: usize| -> Vec<u8> {
        let token = &devices[at % devices.len()].token;
        let at = bytes.windows(TOKEN.len()).position(|window| window == TOKEN.as_bytes());
        let mut bytes = bytes.to_vec();
        if let Some(at) = at {
            bytes[at..at + TOKEN.len()].copy_from_slice(token.as_bytes());
        }
        bytes
    };
    // Rows that look at names of a template, and one that is long.
    let is_general = |row: &&mqtt_table::Rule| !row.answers.contains("PUB") && row.bytes.len() < 4_096;
    let mut count = 0;
    for row in rows().iter().filter(is_general) {
        let heard = eventually(LOGIN, &row.rule, || {
            let mut stream = TcpStream::connect(server.address()).ok()?;
            stream.set_read_timeout(Some(Duration::from_millis(300))).ok()?;
            let mut buffer = [0; 4_096];
            if row.begun != Begun::Nothing {
                stream.write_all(&own(&login(row.begun), count)).ok()?;
                // A login that comes too often has no answer: it is tried again.
                stream.read(&mut buffer).ok().filter(|len| *len > 0)?;
            }
            stream.write_all(&own(&row.bytes, count)).ok()?;
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
        });
        let answers = summary(&heard.1, row.begun, &row.bytes);
        assert_eq!((heard.0, &answers), (row.closes, &row.answers), "{}", row.rule);
        count += 1;
    }
    assert!(count > 90, "{count} rows");
    server.expect_no_token_in_log(&devices);
}

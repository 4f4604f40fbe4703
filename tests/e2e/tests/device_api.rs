//! The HTTP API of devices by the letter: `api/device_api.txt` says what is asked and what is answered.

use std::time::{SystemTime, UNIX_EPOCH};

use linchpin_compat::{BackEnd, Server};
use linchpin_e2e::Http;

const TABLE: &str = include_str!("../api/device_api.txt");
/// A token of the right shape that no device has.
const NOBODYS: &str = "abcdefghijklmnopqrstuvwxyz012345";
/// Files that a device may have.
const FILES: usize = 10;
/// Files of history that a device may ask for in a day (C21).
const EXPORTS: usize = 10;

const CONFIG: &str = r#"
[listen]
plain = ["127.0.0.1:0"]
[data]
dir = "@/data"
[limits]
messages_per_second = 100000
message_burst = 100000
[[template]]
id = "TMPLletter"
name = "Letter"
events = ["hot"]
[[template.datastream]]
pin = "V0"
name = "Level"
type = "int"
min = 0
max = 1023
id = 10
[[template.datastream]]
pin = "V1"
name = "Counter"
type = "int"
id = 11
[[template.datastream]]
pin = "V2"
name = "Temperature"
type = "double"
min = -55
max = 125
id = 12
[[template.datastream]]
pin = "V3"
name = "Message"
type = "text"
default = "hello"
id = 13
[[template.datastream]]
pin = "V4"
name = "Place"
type = "text"
id = 14
[[template.datastream]]
pin = "V5"
name = "Mode"
type = "enum"
count = 4
fallback = 2
id = 15
[[template.datastream]]
pin = "V6"
name = "Six"
type = "int"
id = 20
[[template.field]]
name = "Room"
id = 3
default = "Hall"
[[device]]
name = "Greenhouse"
template = "TMPLletter"
[[device]]
name = "Pump"
"#;

/// Columns of a row.
struct Row<'a> {
    method: &'a str,
    target: &'a str,
    body: &'a str,
    status: u16,
    answer: &'a str,
}

fn row(line: &str) -> Row<'_> {
    let columns: Vec<_> = line.split(" |").map(str::trim).collect();
    let [ask, body, status, answer] = columns[..] else { panic!("four columns: {line}") };
    let (method, target) = ask.split_once(' ').expect("a method and a URL");
    Row { method, target, body, status: status.parse().expect("a status"), answer }
}

/// The body and its content type.
fn body(text: &str, now_ms: u64) -> (String, String) {
    if let Some(count) = text.strip_prefix("@points ") {
        let rows = vec!["[1,1]"; count.parse().expect("a number")];
        return (format!("[{}]", rows.join(",")), "application/json".to_owned());
    }
    if let Some((name, text)) = text.strip_prefix("@form ").and_then(|rest| rest.split_once(' ')) {
        let head = format!("Content-Disposition: form-data; name=\"upfile\"; filename=\"{name}\"\r\n\r\n");
        return (format!("--cut\r\n{head}{text}\r\n--cut--\r\n"), "multipart/form-data; boundary=cut".to_owned());
    }
    let text = if text == "-" { "" } else { text };
    (with_times(text, now_ms), "application/json".to_owned())
}

fn with_times(text: &str, now_ms: u64) -> String {
    text.replace("$NOW", &now_ms.to_string()).replace("$SOON", &(now_ms + 60_000).to_string())
}

/// Is it the pattern, in which `*` stands for anything?
fn is_like(text: &str, pattern: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(text) = text.strip_prefix(head) else { return false };
    (0..=text.len()).any(|at| text.is_char_boundary(at) && is_like(&text[at..], rest))
}

fn by_the_letter(back_end: BackEnd, shards: u16) {
    let engine = format!("[engine]\nshards = {shards}\ndriver = \"{}\"\n", back_end.name());
    let server = Server::serve(&(engine + CONFIG)).start();
    let devices = server.devices();
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let filled = |text: &str| {
        let text = text.replace("$L", &devices[0].token).replace("$P", &devices[1].token);
        with_times(&text, now_ms).replace("$N", NOBODYS)
    };
    let mut http = Http::connect(server.address());
    let mut wrong = Vec::new();
    let rows = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(row);
    for Row { method, target, body: text, status, answer } in rows {
        let (bytes, kind) = body(text, now_ms);
        let (method, kind) = if method == "TEXT" { ("POST", "text/plain".to_owned()) } else { (method, kind) };
        let fields = if text == "-" { String::new() } else { format!("Content-Type: {kind}\r\n") };
        let reply = http.ask(method, &filled(target), &fields, bytes.as_bytes());
        let expected = match answer.strip_prefix("! ") {
            Some(message) => format!(r#"{{"error":{{"message":"{message}"}}}}"#),
            None => filled(answer),
        };
        if reply.status != status || !is_like(&reply.body, &expected) {
            wrong.push(format!(
                "{method} {target} | {text}\n  {} | {}\n  {status} | {answer}",
                reply.status, reply.body
            ));
        }
    }
    assert!(wrong.is_empty(), "answered and wanted:\n{}", wrong.join("\n"));
    // Two are there already.
    for count in 3..=FILES + 1 {
        let (bytes, kind) = body("@form photo.txt hello", now_ms);
        let fields = format!("Content-Type: {kind}\r\n");
        let reply = http.ask("POST", &filled("/external/api/upload?token=$L"), &fields, bytes.as_bytes());
        let wanted = if count <= FILES { 200 } else { 403 };
        assert_eq!(reply.status, wanted, "{count}: {}", reply.body);
        assert_eq!(reply.body.contains("File uploads limit has been reached."), count > FILES);
    }
    // Two were asked for above, one of them by the legacy path.
    for count in 3..=EXPORTS + 1 {
        let reply = http.get(&filled("/external/api/data/get?token=$P&pin=v50&output=FILE"));
        assert_eq!(reply.status, if count <= EXPORTS { 200 } else { 403 }, "{count}: {}", reply.body);
        assert_eq!(reply.body.contains("10 files of history today"), count > EXPORTS, "{}", reply.body);
    }
    server.expect_no_token_in_log(&devices);
}

#[test]
fn every_example_and_every_error_on_io_uring() {
    by_the_letter(BackEnd::IoUring, 2);
}

#[test]
fn every_example_and_every_error_on_the_portable_back_end() {
    by_the_letter(BackEnd::Portable, 1);
}

//! Writes the seeds of the corpus from the recorded frames: `cargo run -p linchpin-fuzz-props --example seeds`.
//! Each recording gives its whole conversation of one side and every frame of it behind a login, cut in different ways.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

#[expect(dead_code, reason = "seeds need the bytes, not what the tests judge them by")]
#[path = "../../../../protocol/tests/mqtt_table/mod.rs"]
mod mqtt_table;

use mqtt_table::Begun;

const WIRE: &str = include_str!("../../../../protocol/tests/fixtures/wire.txt");
const LIVE: &str = include_str!("../../../../protocol/tests/fixtures/live.json");
const MQTT: &str = include_str!("../../../../protocol/tests/fixtures/mqtt.txt");
const LOGIN: &[u8] = b"\x1d\0\x01\0\x20abcdefghijklmnopqrstuvwxyz012345";
const ACCEPTED: &[u8] = b"\0\0\x01\0\xc8";

fn main() -> io::Result<()> {
    let clients = streams("c ", LOGIN);
    let servers = streams("s ", ACCEPTED);
    let both: BTreeSet<_> = clients.union(&servers).cloned().collect();
    write("frame", &both)?;
    write("session", &clients)?;
    write("device", &servers)?;
    mqtt()?;
    live()?;
    handover()?;
    proxies()?;
    bodies()?;
    ticket_files()?;
    tls()
}

/// Headers of both families, cut at each place, with each byte changed, and without an address.
fn proxies() -> io::Result<()> {
    let mut inputs = BTreeSet::new();
    for client in ["192.0.2.1:50000", "[2001:db8::7]:443"] {
        let client: std::net::SocketAddr = client.parse().map_err(io::Error::other)?;
        let mut header = Vec::new();
        linchpin_protocol::proxy::write(&mut header, client, client);
        header.extend_from_slice(b"behind it");
        for at in 0..header.len() {
            inputs.insert(header[..at].to_vec());
            let mut other = header.clone();
            other[at] ^= 0x21;
            inputs.insert(other);
        }
        inputs.insert(header);
    }
    write_as_they_are("proxy", &inputs)
}

/// Batches, updates and queries, good and bad.
fn bodies() -> io::Result<()> {
    const JSON: [&str; 22] = [
        "[[1700000000000,1]]",
        "[[1700000000000,1.5],[1700000000001,-2e3]]",
        "[[1700000000000,\"on\"]]",
        "[]",
        "[[]]",
        "[[1]]",
        "[[1,2,3]]",
        "[[-1,2]]",
        "[[1e30,2]]",
        "[[1700000000000,null]]",
        "[[1700000000000,[1]]]",
        "[[1700000000000,\"a\\u0000b\"]]",
        "[\"1\"]",
        "[\"1\",\"2\"]",
        "[1,2]",
        "{}",
        "{\"a\":1}",
        "[[[[[[[[[[[[",
        "\"",
        "[[1700000000000,1]",
        "[[1700000000000,99999999999999999999999999999]]",
        "\u{1f525}",
    ];
    const QUERIES: [&str; 12] = [
        "v1=1",
        "v1=1&v2=2",
        "pin=v1&value=%31",
        "dataStreamId=1&value=1",
        "v1",
        "v1=%00",
        "v1=%",
        "v256=1",
        "v1=1&v1=2",
        "token=x&v1=1",
        "v1=+&V1=2",
        "batch=a,b",
    ];
    let mut inputs = BTreeSet::new();
    for text in JSON {
        inputs.insert([&[0], text.as_bytes()].concat());
        inputs.insert([&[1], text.as_bytes()].concat());
    }
    for text in QUERIES {
        inputs.insert([&[2], text.as_bytes()].concat());
        inputs.insert([&[2], text.repeat(40).as_bytes()].concat());
    }
    write_as_they_are("body", &inputs)
}

/// Bytes as they are, and changes of good files.
fn ticket_files() -> io::Result<()> {
    let mut inputs = BTreeSet::new();
    for n in 0..40u8 {
        inputs.insert(vec![(n * 6) | 1]);
        inputs.insert(vec![(n * 6) | 1, n, 1 << (n % 8)]);
        inputs.insert([&[n * 2][..], &vec![n; usize::from(n) * 4]].concat());
    }
    write_as_they_are("ticket_file", &inputs)
}

/// The golden messages of live sockets in both encodings, whole, cut, and with each of their first bytes changed.
fn live() -> io::Result<()> {
    for (side, target) in [("ask", "live_ask"), ("report", "live_report")] {
        let mut inputs = BTreeSet::new();
        for line in LIVE.lines().filter(|line| line.contains(&format!("\"side\":\"{side}\""))) {
            let field = |name: &str, end: &str| {
                let from = line.find(name).map_or(0, |at| at + name.len());
                line[from..].split(end).next().unwrap_or_default()
            };
            let hex = field("\"hex\":\"", "\"");
            let bytes: Vec<u8> =
                (0..hex.len()).step_by(2).filter_map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect();
            inputs.insert([&[1], field("\"json\":", ",\"side\"").as_bytes()].concat());
            inputs.insert([&[0], &bytes[..]].concat());
            inputs.insert([&[0], &bytes[..bytes.len() / 2]].concat());
            for at in 0..bytes.len().min(6) {
                let mut other = bytes.clone();
                other[at] ^= 0x41;
                inputs.insert([&[0], &other[..]].concat());
            }
        }
        write_as_they_are(target, &inputs)?;
    }
    Ok(())
}

/// A section as `protocol::pack` writes it.
fn section(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind, 1][..], &(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

/// Connections of every kind as version 1 writes them, and the messages that they travel in.
fn handover() -> io::Result<()> {
    let live = |device: u32, serving: u8| {
        let mut head = vec![1];
        head.extend_from_slice(&device.to_be_bytes());
        head.push(serving);
        head.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1, 31, 144]);
        head.extend_from_slice(&[0, 0, 0, 9, 0, 0, 1, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 5, 0, 45, 4, 0, 2]);
        head.extend_from_slice(b"\0\0\0\x02\x14\0\0\0\0\x01x\0\0\0\x07ver\x001.0");
        // One frame waits, one bridge stands.
        head.extend_from_slice(b"\0\0\0\x01\x01v\x07\0\0\0\x03abc\x01\x40\0\0\0\x09\0\x01");
        head
    };
    let keys12 = [&[1, 2, 1, 0, 64, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0][..], &[3; 72], &[0; 8]].concat();
    let keys13 = [&[1, 3, 2, 0, 16, 0, 64, 0, 0, 1, 0, 0, 0, 0, 0][..], &[7; 200], &[0; 8]].concat();
    let mqtt = b"\0\0\0\0\0\x2d\0\0\0\0\xff\0\x29\x04\x01\0\0";
    let speeches = [
        (9, 0, section(b'B', &[2, 1])),
        (9, 0, section(b'B', &[3, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9])),
        (9, 0, section(b'M', mqtt)),
        (0, 1, section(b'H', &[1, 0, 0, 0, 9])),
        (0, 0, section(0, &[])),
        (0, 0, section(b'P', &[])),
    ];
    let framings =
        [section(0, &[]), section(b'W', &[0, 0, 0, 0, 0, 255, 0, 1, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])];
    let sealings = [section(0, &[]), section(b'D', &[1]), section(b'T', &keys12), section(b'T', &keys13)];
    let mut inputs = BTreeSet::new();
    for (device, serving, speech) in &speeches {
        for framing in &framings {
            for sealing in &sealings {
                inputs.insert([&live(*device, *serving)[..], framing, speech, sealing].concat());
            }
        }
    }
    let freights: Vec<_> = inputs.iter().cloned().collect();
    let message = |kind: u8, body: &[u8]| [&(body.len() as u32 + 1).to_be_bytes()[..], &[kind], body].concat();
    inputs.insert([message(1, b"linchpin\0\x01\0\x01\0\0\0\x030.1"), message(3, &[]), message(6, &[])].concat());
    inputs.insert([message(2, b"\0\x01\0\0\0\0\0\0\0\x07\0\0\0\x2a"), message(5, &[]), message(12, &[])].concat());
    inputs.insert(message(4, b"\0\0\0\x01\x01\0\0\0\x0b127.0.0.1:0"));
    inputs.insert(message(8, b"\0\0\0\x02\0\0\x01\xfd"));
    inputs.insert(
        [message(9, &[0; 8]), message(10, &[0; 8]), message(11, &[0; 16]), message(13, b"\0\0\0\x02no")].concat(),
    );
    for pair in freights.chunks(2) {
        let mut body = (pair.len() as u32).to_be_bytes().to_vec();
        for freight in pair {
            body.extend_from_slice(&(freight.len() as u32).to_be_bytes());
            body.extend_from_slice(freight);
        }
        inputs.insert(message(7, &body));
    }
    write_as_they_are("handover", &inputs)
}

/// The rows of the table of rules, and the recorded packets one by one.
fn mqtt() -> io::Result<()> {
    let (mut packets, mut sessions) = (BTreeSet::new(), BTreeSet::new());
    for row in mqtt_table::rows().iter().filter(|row| row.bytes.len() < 4_096) {
        let is_v5 = row.begun == Begun::V5 || row.bytes.get(8) == Some(&5);
        packets.insert([&[u8::from(is_v5)], &row.bytes[..]].concat());
        sessions.insert([mqtt_table::login(row.begun), row.bytes.clone()].concat());
    }
    for trace in MQTT.split("## ").skip(1) {
        let mut lines = trace.lines();
        let is_v5 = lines.next().is_some_and(|name| name.ends_with('5'));
        for line in lines.filter(|line| !line.is_empty()) {
            let how = u8::from(is_v5) | u8::from(line.starts_with('s')) << 1;
            packets.insert([&[how], &frame(&line[2..])[..]].concat());
        }
        let client: Vec<_> = trace.lines().filter_map(|line| line.strip_prefix("c ")).map(frame).collect();
        sessions.insert(client.concat());
    }
    write("mqtt_session", &sessions)?;
    write_as_they_are("mqtt_decode", &packets)?;
    write_as_they_are("mqtt_differential", &packets)
}

/// Every operation in every suite, alone and among others; the properties understand any bytes.
fn tls() -> io::Result<()> {
    let mut seeds = BTreeSet::new();
    for suite in 0..6u8 {
        for operation in 0..16u8 {
            let how = operation.wrapping_mul(37);
            seeds.insert(vec![suite, 0, 9, 20, operation, how, 9 | 128, 30, operation, 1, 10, 5]);
        }
        seeds.insert((0..40).flat_map(|n| [n + suite, n * 6]).collect());
    }
    for target in ["tls_hello", "tls_open", "tls_seal"] {
        write_as_they_are(target, &seeds)?;
    }
    Ok(())
}

/// The streams of one side: whole conversations, and each frame behind `login`.
fn streams(side: &str, login: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut streams = BTreeSet::new();
    for trace in WIRE.split("## ").skip(1) {
        let frames: Vec<_> = trace.lines().filter_map(|line| line.strip_prefix(side)).map(frame).collect();
        streams.insert(frames.concat());
        for frame in &frames {
            streams.insert([login, frame].concat());
            // The same with a length that promises more, a command that does not exist, and its end cut off.
            let mut spoilt = frame.clone();
            spoilt[4] = spoilt[4].wrapping_add(1);
            streams.insert([login, &spoilt, frame].concat());
            streams.insert([login, frame, &[frame[0] | 0x80], &frame[1..]].concat());
            streams.insert([login, &frame[..frame.len() - 1]].concat());
        }
    }
    streams
}

fn frame(line: &str) -> Vec<u8> {
    let hex = line.split(' ').next().unwrap_or_default();
    (0..hex.len()).step_by(2).filter_map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

fn write_as_they_are(target: &str, inputs: &BTreeSet<Vec<u8>>) -> io::Result<()> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    std::fs::create_dir_all(&dir)?;
    inputs.iter().enumerate().try_for_each(|(at, input)| std::fs::write(dir.join(format!("seed-{at:03}")), input))
}

fn write(target: &str, streams: &BTreeSet<Vec<u8>>) -> io::Result<()> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    std::fs::create_dir_all(&dir)?;
    for (at, stream) in streams.iter().enumerate() {
        let cuts = (at * 37) as u8;
        std::fs::write(dir.join(format!("seed-{at:03}")), [&[cuts][..], stream].concat())?;
    }
    Ok(())
}

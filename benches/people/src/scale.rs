//! A server on a large store: how long it takes to start, and to list devices.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use linchpin_compat::{Server, Wire, command};
use linchpin_e2e::{SignedIn, create_person};
use linchpin_protocol::model::TemplateId;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use crate::{Outcome, Sizes, at, checks, fill, resident};

const PASSWORD: &str = "a lamp in the harbour";
const START: Duration = Duration::from_secs(3);
/// Rows, requests, and most for the slowest hundredth, ms.
const PAGES: [(u32, usize, f64); 2] = [(10_000, 200, 50.0), (100, 1_000, 5.0)];

pub(crate) fn run(sizes: Sizes) -> Outcome {
    let mut server = Server::dev().shards(2).start();
    create_person(&server, 1, "admin", "bench@example.com", PASSWORD);
    let admin = SignedIn::new(server.address(), "bench@example.com", PASSWORD);
    let sheet = json!({"name": "Pump", "streams": [{"pin": "V1", "name": "Speed", "kind": "double", "unit": "1/s", "writable": true}]});
    let made = admin.good("POST", "/orgs/1/templates", Some(sheet));
    let template =
        TemplateId::parse(made["id"].as_str().ok_or("no template")?.as_bytes()).map_err(|_| "no template")?;
    let small = resident(server.pid())?;
    server.stop();
    let data = server.data_path();
    let begun = Instant::now();
    let store = checks::open(&data)?;
    let before = bytes_below(&data);
    fill::orgs(&store, sizes)?;
    fill::accounts(&store, sizes)?;
    fill::devices(&store, template, sizes)?;
    store.close()?;
    drop(store);
    println!("{{\"filled_s\":{:.1},\"disk_bytes\":{}}}", begun.elapsed().as_secs_f64(), bytes_below(&data) - before);
    checks::run(&data, sizes)?;
    let begun = Instant::now();
    server.start_again();
    let start = begun.elapsed();
    let large = resident(server.pid())?;
    println!(
        "{{\"start_s\":{:.2},\"server_bytes\":{large},\"server_bytes_a_device\":{}}}",
        start.as_secs_f64(),
        large.saturating_sub(small) / u64::from(fill::devices_in_all(sizes))
    );
    let wires = connect(server.address())?;
    let admin = SignedIn::new(server.address(), "bench@example.com", PASSWORD);
    let missed: Vec<String> = PAGES
        .iter()
        .map(|page| pages(&server, &admin, *page))
        .collect::<Outcome<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect();
    drop(wires);
    let late = (start > START).then(|| format!("the start took {:.2} s", start.as_secs_f64()));
    let missed: Vec<String> = missed.into_iter().chain(late).collect();
    if missed.is_empty() { Ok(()) } else { Err(missed.join("; ").into()) }
}

fn bytes_below(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(
            |entry| {
                if entry.path().is_dir() {
                    bytes_below(&entry.path())
                } else {
                    entry.metadata().map_or(0, |of| of.len())
                }
            },
        )
        .sum()
}

/// The devices that are looked at, and those that the tags leave out: each is there and has sent a value.
fn connect(address: SocketAddr) -> Outcome<Vec<Wire>> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    let mut wires = Vec::with_capacity((fill::WATCHED + fill::OTHERWISE) as usize);
    for token in fill::connected() {
        let mut wire = Wire::login(address, token.expose());
        wire.send_parts(command::HARDWARE, &["vw", "1", "21.5"]);
        wires.push(wire);
    }
    wires.iter_mut().for_each(Wire::expect_pong);
    Ok(wires)
}

/// Pages of so many rows; what is wrong with them.
fn pages(server: &Server, admin: &SignedIn, (rows, count, most_ms): (u32, usize, f64)) -> Outcome<Option<String>> {
    let path = format!("/orgs/1/devices?show=online&tag=pump,north&sort=seen&order=desc&limit={rows}");
    let page = admin.good("GET", &path, None);
    let columns = &page["columns"];
    let len = |name: &str| columns[name].as_array().map_or(0, Vec::len);
    let values =
        columns["value"].as_array().map_or(0, |all| all.iter().filter(|value| **value == json!("21.5")).count());
    if (len("id"), values, &page["total"]) != (rows as usize, rows as usize, &Value::from(fill::WATCHED)) {
        return Err(format!("{} rows, {values} values, total {}", len("id"), page["total"]).into());
    }
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        times.push(ask(server.address(), admin.cookie(), &path)?);
    }
    times.sort_unstable();
    let ms = |share| at(&times, share).as_secs_f64() * 1_000.0;
    let (median, p99) = (ms(0.5), ms(0.99));
    println!("{{\"rows\":{rows},\"pages\":{count},\"median_ms\":{median:.2},\"p99_ms\":{p99:.2}}}");
    Ok((p99 > most_ms).then(|| format!("p99 of a page of {rows} is {p99:.1} ms, {most_ms} are allowed")))
}

/// From the request to the last byte of the answer.
fn ask(address: SocketAddr, cookie: &str, path: &str) -> Outcome<Duration> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let head =
        format!("GET /api/v1{path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let (mut bytes, mut some) = (Vec::with_capacity(4 << 20), vec![0; 256 << 10]);
    loop {
        let len = stream.read(&mut some)?;
        bytes.extend_from_slice(&some[..len]);
        if len == 0 || is_whole(&bytes) {
            break;
        }
    }
    let took = begun.elapsed();
    if bytes.starts_with(b"HTTP/1.1 200 ") && is_whole(&bytes) {
        return Ok(took);
    }
    Err(String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned().into())
}

fn is_whole(bytes: &[u8]) -> bool {
    let Some(at) = bytes.windows(4).take(4_096).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
    let len = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    len.map_or_else(|| bytes.ends_with(b"\r\n0\r\n\r\n"), |len| bytes.len() >= at + 4 + len)
}

//! A small fleet over TLS: storms, new certificates in the midst of it, and nothing that stays behind.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use linchpin_built::program;
use linchpin_driver::Choice;
use linchpin_fleet::server::Server;
use linchpin_fleet::survivors::Survivors;
use linchpin_fleet::tls::{Trust, Way};
use linchpin_fleet::{Counts, Fleet, FleetOptions, FleetWire, Order};
use linchpin_tls::{Desk, Version};
use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_secs(60);

fn fleet(server: &Server, devices: usize, in_flight: usize) -> Fleet {
    let fleet = Fleet::start(&FleetOptions {
        target: server.tls,
        tokens: server.tokens[..devices].to_vec(),
        rings: 2,
        driver: Choice::Auto,
        in_flight,
        trust: Some(Trust::new(&server.ca)),
        wire: FleetWire::Blynk,
    });
    fleet.wait_online(PATIENCE).unwrap_or_else(|n| panic!("{n} of {devices} online: {}", server.log()));
    fleet
}

/// The sum of a metric over its shards.
fn metric(server: &Server, name: &str) -> u64 {
    let text = server.scrape();
    let lines = text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')));
    let values: Vec<u64> = lines.filter_map(|line| line.split_whitespace().last()?.parse().ok()).collect();
    assert!(!values.is_empty(), "no metric {name}");
    values.iter().sum()
}

fn eventually(what: &str, look: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !look() {
        assert!(Instant::now() < end, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn everybody_is_answered(driver: &str, layer: &str) {
    let server = Server::start_with(&program("linchpin"), 300, 4, driver, &["--record-layer", layer]);
    let fleet = fleet(&server, 300, 100);
    fleet.order(Order::Introduce);
    fleet.wait(&fleet.counts.answers, 600, PATIENCE).unwrap_or_else(|n| panic!("{n} answers of 600"));
    fleet.order(Order::CutMidFrame);
    fleet.wait(&fleet.counts.logins, 600, PATIENCE).unwrap_or_else(|n| panic!("{n} logins of 600"));
    assert_eq!(Counts::get(&fleet.counts.lost), 0, "{}", server.log());
    drop(fleet);
    eventually("nothing is left", || {
        metric(&server, "linchpin_connections") == 0 && metric(&server, "linchpin_ledger_bytes") == 0
    });
}

#[test]
fn io_uring_serves_a_fleet_over_tls() {
    everybody_is_answered("io_uring", "in-place");
}

#[test]
fn the_portable_back_end_serves_a_fleet_over_tls() {
    everybody_is_answered("portable", "in-place");
}

#[test]
fn rustls_own_record_layer_serves_a_fleet() {
    everybody_is_answered("auto", "rustls");
}

#[test]
fn two_thousand_devices_return_after_a_power_cut_and_nothing_leaks() {
    let server = Server::start(&program("linchpin"), 2_020, 2, "auto");
    let fleet = fleet(&server, 2_000, 2_000);
    let survivors = Survivors::start(server.tls, Some(&Trust::new(&server.ca)), &server.tokens[2_000..]);
    for round in 2..=3 {
        fleet.cut(2_000);
        let wanted = round * 2_000;
        fleet.wait(&fleet.counts.logins, wanted, PATIENCE).unwrap_or_else(|n| panic!("{n} logins of {wanted}"));
    }
    assert_eq!(Counts::get(&fleet.counts.lost), 0, "{}", server.log());
    assert!(!survivors.stop().is_empty(), "survivors pinged all the time");
    drop(fleet);
    eventually("nothing is left", || {
        ["linchpin_connections", "linchpin_ledger_bytes", "linchpin_tls_assembly_bytes"]
            .into_iter()
            .chain(["linchpin_tls_handshakes_running", "linchpin_tls_handshakes_waiting"])
            .all(|name| metric(&server, name) == 0)
    });
}

/// The certificate that the server shows now. TLS 1.2 shows it in the clear.
fn certificate(target: SocketAddr, trust: &Trust) -> Vec<u8> {
    let mut socket = TcpStream::connect(target).expect("connects");
    let (mut out, mut desk) = (Vec::new(), Desk::default());
    let mut way = Way::begin(trust, &mut out);
    let mut flight = Vec::new();
    while !way.is_open() {
        socket.write_all(&out).expect("the server is there");
        out.clear();
        let mut bytes = [0; 4_096];
        let n = socket.read(&mut bytes).expect("an answer");
        assert!(n > 0, "the handshake was refused");
        flight.extend_from_slice(&bytes[..n]);
        way.receive(&mut desk, &mut bytes[..n], &mut Vec::new(), &mut out).expect("a certificate that is trusted");
    }
    // Records of the handshake, then its messages: certificates are those of type 11.
    let mut messages = Vec::new();
    let mut rest = &flight[..];
    while let [22, _, _, high, low, after @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        messages.extend_from_slice(&after[..len]);
        rest = &after[len..];
    }
    let mut rest = &messages[..];
    while let [kind, a, b, c, after @ ..] = rest {
        let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if *kind == 11 {
            return after[..len].to_vec();
        }
        rest = &after[len..];
    }
    panic!("no certificate in {} bytes", flight.len());
}

/// `LINCHPIN_TLS_SESSIONS=10000 cargo test -p linchpin-fleet --test tls certificates` has more sessions live.
#[test]
fn certificates_change_under_live_sessions() {
    let sessions = std::env::var("LINCHPIN_TLS_SESSIONS").map_or(1_000, |text| text.parse().expect("a number"));
    let server = Server::start(&program("linchpin"), sessions, 2, "auto");
    let fleet = fleet(&server, sessions as usize, 200);
    let trust = Trust::with_version(&server.ca, Some(Version::Tls12));
    let before = certificate(server.tls, &trust);
    assert_eq!(certificate(server.tls, &trust), before, "it stays until it is told otherwise");
    let pid = Pid::from_raw(server.pid() as i32).expect("a process");
    kill_process(pid, Signal::HUP).expect("tells the server");
    eventually("the new certificate is shown", || certificate(server.tls, &trust) != before);
    fleet.order(Order::Ping);
    let all = u64::from(sessions);
    fleet.wait(&fleet.counts.answers, all, PATIENCE).unwrap_or_else(|n| panic!("{n} pings of {all} answered"));
    assert_eq!((Counts::get(&fleet.counts.lost), Counts::get(&fleet.counts.online)), (0, all));
}

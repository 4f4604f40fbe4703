//! TLS: the same devices, with every byte sealed.

use linchpin_protocol::ws;
use linchpin_shard::{End, Settings, Via};
use linchpin_sim::tls::{TlsEnd, shake_hands};
use linchpin_sim::{Faults, Random};
use linchpin_tls::{Connector, Fault, Layer, Version};

use super::*;

const VERSIONS: [Version; 2] = [Version::Tls12, Version::Tls13];

fn secure_world(options: WorldOptions) -> World {
    let tls = options.tls.or(Some(Layer::InPlace));
    World::new(&WorldOptions { tls, ..options })
}

fn is_resumed(tls: &TlsEnd) -> bool {
    tls.facts.as_ref().is_some_and(|facts| facts.resumed)
}

fn connector(world: &World, version: Version) -> Connector {
    world.authority.as_ref().expect("a world with TLS").connector(version, false)
}

/// Make a connection end in this way; returns the world.
pub(super) fn provoke(end: End) -> World {
    let settings = Settings { handshake_wait_ms: 100, ..Settings::default() };
    let mut world = secure_world(WorldOptions { shards: 1, slots: 20_000, settings, ..WorldOptions::default() });
    let id = TemplateId::parse(b"TMPLsecure").expect("valid");
    world.add_template(&Template::new(id, "Lock".into(), Vec::new(), Vec::new()).with_tls_required(true));
    let token = world.add_device(1, Some(id));
    let login = linchpin_sim::script::frame(command::LOGIN, 1, token.expose().as_bytes());
    match end {
        End::TlsExpected | End::TlsRequired => {
            let via = if end == End::TlsExpected { Via::Tls } else { Via::Direct };
            let conn = world.connect_via([127, 0, 0, 1], via);
            world.send(conn, &login);
        }
        End::TlsVersion => {
            let conn = world.connect([127, 0, 0, 1]);
            let body = [&[3, 2][..], &[7; 32], &[0, 0, 2, 0, 47, 1, 0]].concat();
            let len = body.len() as u8;
            world.send(conn, &[&[22, 3, 1, 0, len + 4, 1, 0, 0, len][..], &body].concat());
        }
        End::TlsRecord => {
            let script = connect(&mut world, Version::Tls13);
            world.send(script.conn, &[23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
        }
        End::CertificateRevoked => {
            let authority = world.authority.as_ref().expect("TLS");
            let connector = authority.revoked_connector(Version::Tls12);
            drop(Script::connect_tls(&mut world, Via::Mutual, &connector));
        }
        _ => {
            // Hellos that are answered and never continued.
            let (addresses, count) = match end {
                End::HandshakesPerAddress => (1, 1_100),
                End::HandshakeBusy => (8, 4_200),
                _ => (1, 1),
            };
            let mut hello = Vec::new();
            let name = "linchpin.example".try_into().expect("a name");
            let _begun = connector(&world, Version::Tls13).connect(name, &mut hello);
            if end == End::TlsHandshake {
                // An alert instead of the rest.
                hello.extend_from_slice(&[21, 3, 3, 0, 2, 2, 48]);
            }
            for n in 0..count {
                let conn = world.connect([127, 0, 0, 1 + (n % addresses) as u8]);
                world.send(conn, &hello);
            }
        }
    }
    // The diary shows its newest thousand: those that time out later are many.
    world.run_ms(if end == End::HandshakeTimeout { 10_000 } else { 4_000 });
    world
}

fn connect(world: &mut World, version: Version) -> Script {
    let connector = connector(world, version);
    Script::connect_tls(world, Via::Tls, &connector).expect("a handshake")
}

#[test]
fn devices_of_every_home_log_in_write_and_read() {
    for (version, layer) in VERSIONS.into_iter().flat_map(|v| [(v, Layer::InPlace), (v, Layer::Rustls)]) {
        let mut world = secure_world(WorldOptions { shards: 3, tls: Some(layer), ..WorldOptions::default() });
        let tokens: Vec<_> = (1..=12).map(|id| world.add_device(id, None)).collect();
        let mut scripts = Vec::new();
        for (token, id) in tokens.iter().zip(1..) {
            let mut script = connect(&mut world, version);
            script.log_in(&mut world, command::LOGIN, token);
            script.ask(&mut world, command::HARDWARE, b"vw\x005\x0042");
            assert_eq!(world.value(id, 5).as_deref(), Some("42"), "{version:?} {layer:?} device {id}");
            scripts.push(script);
        }
        let moved: u64 = world.status().iter().map(|status| status.moved_out).sum();
        assert!(moved > 0, "some homes are on other shards");
        for (script, id) in scripts.iter_mut().zip(1..) {
            script.expect_alive(&mut world);
            let wanted = hardware(script.ask(&mut world, command::SYNC, b"vr\x005"), b"vw\x005\x0042");
            assert_eq!(script.receive(&mut world), Some(wanted));
            operator_writes(&mut world, id, 7, b"from home");
            world.run_ms(50);
            assert!(script.receive(&mut world).is_some_and(|frame| frame.body == b"vw\x007\0from home"));
        }
        let full: u64 = world.status().iter().map(|status| status.handshakes_full).sum();
        assert_eq!(full, 12);
        for script in &mut scripts {
            let goodbye = script.tls.as_mut().expect("TLS").close();
            world.send(script.conn, &goodbye);
        }
        world.run_ms(3_000);
        assert_eq!(ends(&world), [End::PeerClosed; 12]);
        for mut script in scripts {
            script.bytes(&mut world);
            assert!(script.tls.is_some_and(|tls| tls.said_goodbye), "close_notify is answered with close_notify");
        }
        world.expect_empty();
    }
}

#[test]
fn any_cut_and_delay_on_the_way_changes_nothing() {
    for seed in 1..=20 {
        let faults = Faults { split: 300, delay: 200, short_send: 200, latency_ms: 20, ..Faults::default() };
        let mut world = secure_world(WorldOptions { seed, faults, ..WorldOptions::default() });
        let token = world.add_device(1, None);
        let version = VERSIONS[seed as usize % 2];
        let mut script = connect(&mut world, version);
        let login = script.send(&mut world, command::LOGIN, token.expose().as_bytes());
        world.run_ms(1_000);
        script.expect_status(&mut world, login, 200);
        let mut random = Random::new(seed);
        for n in 0..10 {
            let value = "x".repeat(random.between(1, 900) as usize);
            script.send(&mut world, command::HARDWARE, format!("vw\0{n}\0{value}").as_bytes());
            let ping = script.send(&mut world, command::PING, b"");
            world.run_ms(2_000);
            script.expect_status(&mut world, ping, 200);
            assert_eq!(world.value(1, n), Some(value), "seed {seed}");
        }
        world.abort(script.conn);
        world.run_ms(3_000);
        world.expect_empty();
    }
}

#[test]
fn a_record_in_pieces_travels_home_with_its_connection() {
    // The login and half of the next record in one read: the half must arrive where the device lives.
    for id in 1..=8 {
        let mut world = secure_world(WorldOptions { shards: 4, ..WorldOptions::default() });
        let token = world.add_device(id, None);
        let mut script = connect(&mut world, Version::Tls13);
        let tls = script.tls.as_mut().expect("TLS");
        let mut bytes = tls.seal(&linchpin_sim::script::frame(command::LOGIN, 1, token.expose().as_bytes()));
        let write = tls.seal(&linchpin_sim::script::frame(command::HARDWARE, 2, b"vw\x001\0late"));
        let (first, second) = write.split_at(write.len() / 2);
        bytes.extend_from_slice(first);
        world.send(script.conn, &bytes);
        world.run_ms(100);
        script.expect_status(&mut world, 1, 200);
        world.send(script.conn, second);
        world.run_ms(100);
        assert_eq!(world.value(id, 1).as_deref(), Some("late"));
    }
}

#[test]
fn both_sides_change_their_keys() {
    let mut world = secure_world(WorldOptions::default());
    let token = world.add_device(1, None);
    let mut script = connect(&mut world, Version::Tls13);
    script.log_in(&mut world, command::LOGIN, &token);
    for _ in 0..5 {
        let update = script.tls.as_mut().expect("TLS").update_keys();
        world.send(script.conn, &update);
        script.expect_alive(&mut world);
    }
}

#[test]
fn https_and_wss_share_the_port() {
    let mut world = secure_world(WorldOptions::default());
    let token = world.add_device(1, None);
    let mut https = connect(&mut world, Version::Tls13);
    let request = format!("GET /external/api/update?token={}&v3=9 HTTP/1.1\r\nHost: x\r\n\r\n", token.expose());
    https.transmit(&mut world, request.as_bytes());
    world.run_ms(100);
    assert!(https.bytes(&mut world).starts_with(b"HTTP/1.1 200 "));
    assert_eq!(world.value(1, 3).as_deref(), Some("9"));

    let mut wss = connect(&mut world, Version::Tls12);
    let upgrade = "GET /websockets HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    wss.transmit(&mut world, upgrade.as_bytes());
    world.run_ms(100);
    assert!(wss.bytes(&mut world).starts_with(b"HTTP/1.1 101 "));
    let login = linchpin_sim::script::frame(command::LOGIN, 1, token.expose().as_bytes());
    let mut framed = Vec::new();
    ws::client_frame(&mut framed, ws::FrameKind::Binary, &login, [1, 2, 3, 4]);
    wss.transmit(&mut world, &framed);
    world.run_ms(100);
    assert_eq!(wss.bytes(&mut world), [0x82, 5, 0, 0, 1, 0, 200]);
}

#[test]
fn a_plain_listener_takes_tls_and_a_tls_listener_takes_nothing_else() {
    let mut world = secure_world(WorldOptions::default());
    let token = world.add_device(1, None);
    let connector = connector(&world, Version::Tls13);
    let mut script = Script::connect_tls(&mut world, Via::Direct, &connector).expect("a handshake");
    script.log_in(&mut world, command::LOGIN, &token);
    let plain = world.connect_via([127, 0, 0, 1], Via::Tls);
    world.send(plain, &linchpin_sim::script::frame(command::LOGIN, 1, token.expose().as_bytes()));
    world.run_ms(100);
    assert_eq!(ends(&world), [End::TlsExpected]);
    script.expect_alive(&mut world);
}

#[test]
fn a_template_may_require_tls() {
    let mut world = secure_world(WorldOptions::default());
    let id = TemplateId::parse(b"TMPLsecure").expect("valid");
    world.add_template(&Template::new(id, "Lock".into(), Vec::new(), Vec::new()).with_tls_required(true));
    let token = world.add_device(1, Some(id));
    let mut plain = Script::connect(&mut world);
    let login = plain.send(&mut world, command::LOGIN, token.expose().as_bytes());
    world.run_ms(100);
    plain.expect_status(&mut world, login, 6);
    let http = world.connect([127, 0, 0, 1]);
    let request = format!("GET /external/api/isHardwareConnected?token={} HTTP/1.1\r\nHost: x\r\n\r\n", token.expose());
    world.send(http, request.as_bytes());
    world.run_ms(2_000);
    let said = world.read(http).expect("an answer");
    assert!(said.starts_with(b"HTTP/1.1 403 "), "{}", String::from_utf8_lossy(&said));
    assert_eq!(ends(&world)[0], End::TlsRequired);
    let mut script = connect(&mut world, Version::Tls13);
    script.transmit(&mut world, request.as_bytes());
    world.run_ms(100);
    assert!(script.bytes(&mut world).starts_with(b"HTTP/1.1 200 "));
    connect(&mut world, Version::Tls12).log_in(&mut world, command::LOGIN, &token);
}

#[test]
fn a_device_that_is_taken_over_hears_a_goodbye() {
    let mut world = secure_world(WorldOptions::default());
    let token = world.add_device(1, None);
    let mut first = connect(&mut world, Version::Tls13);
    first.log_in(&mut world, command::LOGIN, &token);
    let mut second = connect(&mut world, Version::Tls13);
    second.log_in(&mut world, command::LOGIN, &token);
    first.bytes(&mut world);
    assert!(first.tls.as_ref().is_some_and(|tls| tls.said_goodbye), "close_notify, so that it is no truncation");
    assert_eq!(ends(&world), [End::TakenOver]);
}

#[test]
fn sessions_resume() {
    for version in VERSIONS {
        let mut world = secure_world(WorldOptions::default());
        let token = world.add_device(1, None);
        let connector = connector(&world, version);
        let mut first = Script::connect_tls(&mut world, Via::Tls, &connector).expect("a handshake");
        first.log_in(&mut world, command::LOGIN, &token);
        assert!(!first.tls.as_ref().is_some_and(is_resumed));
        let second = Script::connect_tls(&mut world, Via::Tls, &connector).expect("a handshake");
        assert!(second.tls.as_ref().is_some_and(is_resumed), "{version:?}");
        world.run_ms(50);
        let resumed: u64 = world.status().iter().map(|status| status.handshakes_resumed).sum();
        assert_eq!(resumed, 1, "{version:?}");
    }
}

#[test]
fn a_listener_may_want_certificates() {
    let mut world = secure_world(WorldOptions::default());
    let token = world.add_device(1, None);
    let authority = world.authority.as_ref().expect("TLS");
    let (with, without) = (authority.connector(Version::Tls12, true), authority.connector(Version::Tls12, false));
    let mut script = Script::connect_tls(&mut world, Via::Mutual, &with).expect("a handshake");
    script.log_in(&mut world, command::LOGIN, &token);
    let refused = Script::connect_tls(&mut world, Via::Mutual, &without).expect_err("no certificate");
    assert!(matches!(refused, Fault::Handshake(_) | Fault::PeerAlert(_)), "{refused:?}");
    world.run_ms(100);
    assert_eq!(ends(&world), [End::TlsHandshake]);
}

#[test]
fn a_storm_is_served_in_turn_and_nobody_is_forgotten() {
    let mut world = secure_world(WorldOptions { slots: 2_000, ..WorldOptions::default() });
    let token = world.add_device(1, None);
    let mut survivor = connect(&mut world, Version::Tls13);
    survivor.log_in(&mut world, command::LOGIN, &token);
    // Clients that begin and say no more: each costs a step, then waits for nobody.
    let connector = connector(&world, Version::Tls13);
    let mut hello = Vec::new();
    let _begun = connector.connect("linchpin.example".try_into().expect("a name"), &mut hello);
    for n in 0..600u32 {
        let conn = world.connect([127, 1, (n >> 8) as u8, n as u8]);
        world.send(conn, &hello);
    }
    world.run_ms(200);
    survivor.expect_alive(&mut world);
    let running: u64 = world.status().iter().map(|status| status.handshakes_running).sum();
    assert_eq!(running, 600, "each has its answer and is waited for");
    world.run_ms(9_000);
    assert_eq!(ends(&world), [End::HandshakeTimeout; 600]);
    let running: u64 = world.status().iter().map(|status| status.handshakes_running).sum();
    assert_eq!(running, 0);
    let mut late = connect(&mut world, Version::Tls13);
    late.log_in(&mut world, command::LOGIN, &token);
}

#[test]
fn damage_ends_only_the_damaged() {
    let mut world = secure_world(WorldOptions::default());
    let token = world.add_device(1, None);
    let other = world.add_device(2, None);
    let mut healthy = connect(&mut world, Version::Tls13);
    healthy.log_in(&mut world, command::LOGIN, &other);
    for version in VERSIONS {
        let mut script = connect(&mut world, version);
        script.log_in(&mut world, command::LOGIN, &token);
        let mut record = script.tls.as_mut().expect("TLS").seal(b"never read");
        let last = record.len() - 1;
        record[last] ^= 1;
        world.send(script.conn, &record);
        world.run_ms(100);
        assert!(world.is_over(script.conn) || world.read(script.conn).is_some());
    }
    assert_eq!(ends(&world), [End::TlsRecord; 2]);
    healthy.expect_alive(&mut world);
    let conn = world.connect([127, 0, 0, 1]);
    let wrong =
        connector(&World::new(&WorldOptions { tls: Some(Layer::InPlace), ..WorldOptions::default() }), Version::Tls13);
    assert!(shake_hands(&mut world, conn, &wrong).is_err(), "the client does not trust this authority");
    world.run_ms(100);
    assert_eq!(ends(&world).last(), Some(&End::TlsHandshake));
}

/// What a client hears that speaks some TLS or SSL and begins as we cannot go on: an alert, and then the end. Others are
/// closed without a byte: what they speak would not understand it.
#[test]
fn who_begins_wrongly_hears_an_alert() {
    const UNEXPECTED: u8 = 10;
    const VERSION: u8 = 70;
    let cases: [(&str, &[u8], Option<u8>); 9] = [
        ("SSL 2", &[0x80, 0x2e, 1, 0, 2, 0, 21, 0, 0, 0, 16], Some(VERSION)),
        ("SSL 3", &[22, 3, 0, 0, 45, 1, 0, 0, 41, 3, 0], Some(VERSION)),
        ("a hello of version 2.0", &[22, 3, 1, 0, 45, 1, 0, 0, 41, 2, 0], Some(VERSION)),
        ("records of version 4", &[22, 4, 0, 0, 45, 1, 0, 0, 41, 3, 3], Some(VERSION)),
        ("a Finished", &[22, 3, 3, 0, 16, 20, 0, 0, 12, 0, 0], Some(UNEXPECTED)),
        ("application bytes", &[23, 3, 3, 0, 3, 1, 2, 3], Some(UNEXPECTED)),
        ("an alert", &[21, 3, 3, 0, 2, 1, 0], Some(UNEXPECTED)),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n", None),
        ("a login", &[29, 0, 1, 0, 32, b'x', b'x'], None),
    ];
    for (name, bytes, alert) in cases {
        let mut world = secure_world(WorldOptions::default());
        let conn = world.connect_via([127, 0, 0, 1], Via::Tls);
        let rest = if name == "SSL 3" { vec![0; 39] } else { Vec::new() };
        world.send(conn, &[bytes, &rest].concat());
        world.run_ms(3_000);
        let mut heard = Vec::new();
        while let Some(segment) = world.read(conn) {
            heard.extend_from_slice(&segment);
        }
        let expected = alert.map_or(Vec::new(), |alert| vec![21, 3, 3, 0, 2, 2, alert]);
        assert_eq!(heard, expected, "{name}");
        assert_eq!(ends(&world).len(), 1, "{name}");
        world.run_ms(3_000);
        world.expect_empty();
    }
}

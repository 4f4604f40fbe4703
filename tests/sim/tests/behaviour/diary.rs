//! The diary: every end code is provoked here and read back.

use linchpin_protocol::proxy;
use linchpin_protocol::ws;
use linchpin_shard::{Command, End, HttpOptions, Settings, Via};
use linchpin_sim::script::frame;

use super::*;

/// Make a connection end in this way; returns the world.
fn provoke(end: End) -> World {
    match end {
        End::HomeFull | End::Busy | End::CarryFull => crowded(end),
        End::TlsNotServed
        | End::MqttMalformed
        | End::MqttVersion
        | End::MqttLogin
        | End::MqttClientId
        | End::UnknownProtocol
        | End::CommandBeforeLogin
        | End::LoginTooLong
        | End::TokenShape
        | End::TokenUnknown
        | End::HttpMalformed
        | End::HttpDone
        | End::HttpIdle
        | End::LoginTimeout => by_first_bytes(end),
        End::AddressThrottled | End::AddressCap | End::ProxyHeader | End::ProxyStranger => by_address(end),
        End::HandshakeTimeout
        | End::TlsExpected
        | End::TlsVersion
        | End::TlsHandshake
        | End::TlsRecord
        | End::TlsRequired
        | End::CertificateRevoked
        | End::HandshakesPerAddress
        | End::HandshakeBusy => tls::provoke(end),
        End::RecordTimeout | End::ShareFull | End::Crowded => hoarders::provoke(end),
        End::AnswerFailed => failed(),
        End::Replaced => replaced(),
        End::LiveClosed | End::LiveSilent | End::LiveFault | End::LiveRevoked | End::LiveSlow | End::LiveCrowded => {
            live_ends::provoke(end)
        }
        _ => logged_in(end),
    }
}

fn by_first_bytes(end: End) -> World {
    let (mut world, _) = world();
    let bytes = match end {
        End::TlsNotServed => vec![22, 3, 1, 0, 9, 1, 0, 0, 5, 3, 3, 0, 0, 0],
        End::MqttMalformed => b"\x10\x0c\0\x04HTTP".to_vec(),
        End::MqttVersion => b"\x10\x0c\0\x04MQTT\x06\x02\0\x3c\0\0".to_vec(),
        End::MqttLogin => b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0".to_vec(),
        End::MqttClientId => b"\x10\x0c\0\x04MQTT\x04\0\0\x3c\0\0".to_vec(),
        End::UnknownProtocol => b"\xff".to_vec(),
        End::CommandBeforeLogin => frame(command::PING, 1, b""),
        End::LoginTooLong => frame(command::LOGIN, 1, &[b' '; 200]),
        End::TokenShape => frame(command::LOGIN, 1, b"short"),
        End::TokenUnknown => frame(command::LOGIN, 1, &[b'x'; 32]),
        End::HttpMalformed => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        End::HttpDone => b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(),
        End::HttpIdle => b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        _ => b"\x1d".to_vec(),
    };
    let conn = world.connect([127, 0, 0, 1]);
    world.send(conn, &bytes);
    world.run_ms(if end == End::HttpIdle { 80_000 } else { 7_000 });
    world
}

fn by_address(end: End) -> World {
    let settings = Settings { per_address: 2, ..Settings::default() };
    let mut world = World::new(&WorldOptions { settings, ..WorldOptions::default() });
    match end {
        End::AddressCap => {
            for _ in 0..10 {
                world.connect([127, 0, 0, 1]);
            }
        }
        End::ProxyStranger => {
            world.connect_via([127, 0, 0, 1], Via::Stranger);
        }
        End::ProxyHeader => {
            let conn = world.connect_via([127, 0, 0, 1], Via::Proxy);
            let mut bytes = Vec::new();
            let address = "127.0.0.1:1".parse().expect("an address");
            proxy::write(&mut bytes, address, address);
            bytes[11] = b'!';
            world.send(conn, &bytes);
        }
        _ => {
            for _ in 0..500 {
                let conn = world.connect([127, 0, 0, 1]);
                world.send(conn, &frame(command::LOGIN, 1, &[b'x'; 32]));
                world.run_ms(5);
                world.close(conn);
                world.run_ms(5);
            }
        }
    }
    world.run_ms(100);
    world
}

/// Tables and lanes that are too small.
fn crowded(end: End) -> World {
    let mut world = match end {
        // One slot a shard: whoever must move finds home full.
        End::HomeFull => World::new(&WorldOptions { slots: 2, ..WorldOptions::default() }),
        // A lane that takes nothing.
        End::Busy => World::new(&WorldOptions { lane: 0, ..WorldOptions::default() }),
        _ => World::new(&WorldOptions { slots: 20_000, shards: 1, ..WorldOptions::default() }),
    };
    let tokens: Vec<_> = (1..=8).map(|device| world.add_device(device, None)).collect();
    if end == End::CarryFull {
        // Half frames of 32 KiB until the memory for them is used up.
        let tokens: Vec<_> = (9..=8_500).map(|device| world.add_device(device, None)).collect();
        let half = [&[command::HARDWARE, 0, 2, 0x80, 0][..], &[b'x'; 32_700]].concat();
        for token in &tokens {
            let conn = world.connect([127, 0, 0, 1]);
            world.send(conn, &frame(command::LOGIN, 1, token.expose().as_bytes()));
            world.send(conn, &half);
        }
    } else {
        for token in tokens {
            let conn = world.connect([127, 0, 0, 1]);
            world.send(conn, &frame(command::LOGIN, 1, token.expose().as_bytes()));
        }
    }
    world.run_ms(900);
    world
}

/// The server is replaced while a refusal is being read.
fn replaced() -> World {
    let mut world = by_first_bytes(End::TokenShape);
    let conn = world.connect([127, 0, 0, 1]);
    world.send(conn, &frame(command::LOGIN, 1, &[b'x'; 32]));
    world.run_ms(100);
    world.end_unready();
    world.run_ms(100);
    world
}

/// The control plane fails while it answers.
fn failed() -> World {
    let http = HttpOptions { asks: true, ..HttpOptions::default() };
    let mut world = World::new(&WorldOptions { http, ..WorldOptions::default() });
    let conn = world.connect([127, 0, 0, 1]);
    world.send(conn, b"GET /api/panic HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.run_ms(2_000);
    world
}

fn logged_in(end: End) -> World {
    let (mut world, token) = if end == End::TemplateMismatch { world_with_template() } else { world() };
    if end == End::WebSocketFault {
        let conn = world.connect([127, 0, 0, 1]);
        let mut bytes = Vec::new();
        ws::upgrade_request(&mut bytes, "/websockets", "x", &[1; 16]);
        world.send(conn, &bytes);
        world.send(conn, &[0xff, 0xff]);
        world.run_ms(100);
        return world;
    }
    let mut script = Script::login(&mut world, &token);
    match end {
        End::PeerClosed => world.close(script.conn),
        End::PeerReset => world.abort(script.conn),
        End::HeartbeatMissed => world.run_ms(200_000),
        End::FrameTooLarge => world.send(script.conn, &[command::HARDWARE, 0, 9, 0xff, 0xff]),
        End::UnknownCommand => world.send(script.conn, &frame(200, 9, b"")),
        End::TemplateMismatch => {
            script.ask(&mut world, command::INTERNAL, b"ver\x001\0tmpl\0TMPLother");
        }
        End::TakenOver => drop(Script::login(&mut world, &token)),
        End::TakeoverTooOften => {
            for n in 0..12 {
                let conn = world.connect([127, 0, 0, 1]);
                world.send(conn, &frame(command::LOGIN, n + 1, token.expose().as_bytes()));
                world.run_ms(20);
            }
        }
        End::DeviceRemoved => {
            world.ask(1, |request, device| Command::RemoveDevice { request, device });
        }
        End::Flood => {
            let write = frame(command::HARDWARE, 7, b"vw\x001\x001");
            world.send(script.conn, &write.repeat(400));
        }
        End::OutboundFull => {
            script.ask(&mut world, command::INTERNAL, b"ver\x001\0buff-in\x004096");
            script.ask(&mut world, command::HARDWARE, format!("vw\x001\0{}", "x".repeat(900)).as_bytes());
            world.set_window(script.conn, 40);
            for _ in 0..90 {
                script.send(&mut world, command::SYNC, b"");
                world.run_ms(30);
            }
        }
        End::Drained => world.order_all(|| Command::Drain { redirect: None, per_second: 1_000 }),
        End::Redirected => {
            world.order_all(|| Command::Drain { redirect: Some(("other".into(), 80)), per_second: 1_000 });
        }
        other => panic!("nothing provokes {other}"),
    }
    world.run_ms(1_500);
    world
}

#[test]
fn every_end_is_provoked_and_read_back() {
    // The client of a challenge offers a protocol that the simulator's does not: engine/tls/tests/challenges.rs has one.
    // What another process cannot read never had a slot there: tests/sim/tests/handover.rs has one.
    let elsewhere = [End::ChallengeAnswered, End::ReplacedUnread];
    for &end in End::ALL.iter().filter(|end| !elsewhere.contains(end)) {
        let mut world = provoke(end);
        assert!(ends(&world).contains(&end), "{end} was not reached: {:?}", ends(&world));
        let rows = world.diary(None);
        let row = rows.iter().find(|row| row.end == end).unwrap_or_else(|| panic!("{end} is not in the diary"));
        assert!(row.at_s >= 1_790_000_000 && row.peer.ip().is_loopback(), "{row:?}");
        world.audit();
    }
}

#[test]
fn an_entry_tells_what_the_connection_was() {
    let (mut world, token) = world();
    let mut script = Script::login(&mut world, &token);
    script.ask(&mut world, command::INTERNAL, b"ver\x001.4.0\0h-beat\x0010\0fw\x002.1\0dev\0ESP32");
    for _ in 0..5 {
        script.ask(&mut world, command::HARDWARE, b"vw\x001\x001");
    }
    world.run_ms(20_000);
    world.run_ms(20_000);
    let rows = world.diary(Some(1));
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((row.end, row.frames, row.device.map(|d| d.get())), (End::HeartbeatMissed, 6, Some(1)));
    assert!((20..=26).contains(&row.lasted_s), "{} s", row.lasted_s);
    assert!(row.firmware.iter().any(|(key, value)| &**key == "fw" && &**value == "2.1"), "{row:?}");
    assert_eq!(world.diary(Some(2)), []);
}

/// A gateway that asks all day must not drive out the end of a device.
#[test]
fn exchanges_that_are_over_are_kept_apart() {
    let (mut world, token) = world();
    let script = Script::introduced(&mut world, &token);
    world.abort(script.conn);
    for _ in 0..2_000 {
        let conn = world.connect([127, 0, 0, 1]);
        world.send(conn, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        world.run_ms(10);
    }
    assert_eq!(world.diary(Some(1)).len(), 1);
    let rows = world.diary(None);
    assert_eq!(rows.iter().filter(|row| row.end == End::PeerReset).count(), 1);
    let exchanges = rows.iter().filter(|row| row.end == End::HttpDone).count();
    assert!((200..=512).contains(&exchanges), "{exchanges} of two shards");
}

#[test]
fn the_oldest_are_forgotten() {
    let mut world = World::new(&WorldOptions { shards: 1, ..WorldOptions::default() });
    let most = linchpin_shard::limits::DIARY_SHARE[1];
    let before = world.status().remove(0).diary_bytes;
    for _ in 0..(most + 500) / 100 {
        for _ in 0..100 {
            let conn = world.connect([127, 0, 0, 1]);
            world.send(conn, b"\xff");
        }
        world.run_ms(20);
    }
    let status = world.status().remove(0);
    assert_eq!(status.diary_bytes, before, "its memory does not grow");
    assert!(before >= most as u64 * 32 && before <= most as u64 * 48, "{before} bytes");
    assert_eq!(world.diary(None).len(), 1_000, "a page");
}

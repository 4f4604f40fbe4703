//! At a shared bound the hoarder is ended, never the newcomer and never a bystander.

use linchpin_shard::{End, Settings, Via};
use linchpin_sim::Random;
use linchpin_sim::driver::Conn;
use linchpin_tls::{Connector, Layer, Version};

use super::*;

/// Settings with so much memory a shard.
fn memory(bytes: u32) -> Settings {
    Settings { ledger_bytes: bytes, ..Settings::default() }
}

fn world_of(shards: u16, slots: usize, settings: Settings) -> World {
    World::new(&WorldOptions { shards, slots, settings, tls: Some(Layer::InPlace), ..WorldOptions::default() })
}

fn connector(world: &World) -> Connector {
    world.authority.as_ref().expect("a world with TLS").connector(Version::Tls13, false)
}

/// Make a connection end in this way; returns the world.
pub(super) fn provoke(end: End) -> World {
    let mut world = world_of(1, if end == End::Crowded { 16 } else { 100 }, memory(1 << 20));
    if end == End::RecordTimeout {
        let tls = connector(&world);
        let script = secure(&mut world, [127, 0, 0, 1], &tls);
        world.send(script.conn, &[0x17, 3, 3, 0x40, 0, 1]);
    }
    for _ in 0..20 {
        let conn = world.connect([127, 0, 0, 1]);
        let filler = if end == End::Crowded { "\r\n\r\n".to_owned() } else { "y".repeat(4_000) };
        world.send(conn, format!("GET /x HTTP/1.1\r\nHost: x\r\nX: {filler}").as_bytes());
        world.run_ms(5);
    }
    world.run_ms(6_000);
    world
}

/// A client over TLS from an address.
fn secure(world: &mut World, address: [u8; 4], connector: &Connector) -> Script {
    Script::connect_tls_from(world, address, Via::Direct, connector).expect("a handshake")
}

/// A request that is not found and leaves the connection open, with so many bytes of a field.
fn request(filler: usize) -> Vec<u8> {
    format!("GET /x HTTP/1.1\r\nHost: x\r\nX-Filler: {}\r\n\r\n", "f".repeat(filler)).into_bytes()
}

/// Is a request answered?
fn is_served(world: &mut World, script: &mut Script, request: &[u8]) -> bool {
    script.transmit(world, request);
    world.run_ms(100);
    script.bytes(world).starts_with(b"HTTP/1.1 404")
}

/// The first `len` bytes of a record that holds `whole`.
fn part_of_record(script: &mut Script, whole: usize, len: usize) -> Vec<u8> {
    let tls = script.tls.as_mut().expect("TLS");
    tls.widen();
    let mut record = tls.seal(&vec![b'r'; whole]);
    record.truncate(len);
    record
}

#[test]
fn a_header_that_claims_much_pins_nothing_and_must_be_followed() {
    let mut world = world_of(1, 2_000, Settings::default());
    let tls = connector(&world);
    let mut hoarders = Vec::new();
    for n in 0..1_100u32 {
        let mut script = secure(&mut world, [127, 0, (n / 200) as u8, 1], &tls);
        assert!(is_served(&mut world, &mut script, &request(1)));
        world.send(script.conn, &[0x17, 3, 3, 0x40, 0, 1]);
        hoarders.push(script.conn);
    }
    world.run_ms(50);
    assert!(world.status()[0].assembly_bytes < 1_100 * 64, "only what is there is charged");
    let mut honest = secure(&mut world, [127, 0, 9, 9], &tls);
    for filler in [2_000, 6_000] {
        assert!(is_served(&mut world, &mut honest, &request(filler)), "{filler} bytes: {:?}", world.ends.last());
    }
    world.run_ms(5_200);
    let gone = hoarders.iter().filter(|conn| world.is_over(**conn) || is_ended(&mut world, **conn)).count();
    assert_eq!(gone, 1_100, "five seconds from the first byte of a record to its last");
    assert!(ends(&world).iter().all(|end| *end == End::RecordTimeout), "{:?}", ends(&world));
    assert!(is_served(&mut world, &mut honest, &request(10)));
}

/// The server has ended it; what it said before is read away.
fn is_ended(world: &mut World, conn: Conn) -> bool {
    while world.read(conn).is_some() {}
    world.is_over(conn)
}

#[test]
fn records_in_pieces_cost_who_holds_most_of_them() {
    // 256 KiB for HTTP, of which one address may have 32.
    let mut world = world_of(1, 1_000, memory(1 << 20));
    let tls = connector(&world);
    let mut honest = secure(&mut world, [10, 0, 9, 9], &tls);
    assert!(is_served(&mut world, &mut honest, &request(1)));
    let mut hoarders: Vec<_> = (0..60u32)
        .map(|n| {
            let mut script = secure(&mut world, [10, 1, (n / 6) as u8, (n % 6) as u8], &tls);
            assert!(is_served(&mut world, &mut script, &request(1)));
            script
        })
        .collect();
    let half = part_of_record(&mut honest, 9_000, 4_000);
    world.send(honest.conn, &half);
    for script in &mut hoarders {
        let part = part_of_record(script, 16_000, 15_000);
        world.send(script.conn, &part);
        world.run_ms(20);
    }
    assert!(ends(&world).len() > 30, "{:?}", ends(&world));
    assert!(ends(&world).iter().all(|end| [End::CarryFull, End::ShareFull].contains(end)), "{:?}", ends(&world));
    assert!(!is_ended(&mut world, honest.conn), "it holds less than any of them");
    world.audit();
}

#[test]
fn a_record_that_drips_ends_and_one_in_time_does_not() {
    let mut world = world_of(1, 100, Settings::default());
    let tls = connector(&world);
    let token = world.add_device(1, None);
    let mut device = secure(&mut world, [127, 0, 0, 1], &tls);
    device.log_in(&mut world, command::LOGIN, &token);
    for step in 0..3 {
        let frame = linchpin_sim::script::frame(command::HARDWARE, 9, b"vw\x005\x0042");
        let sealed = device.tls.as_mut().expect("TLS").seal(&frame);
        let (head, rest) = sealed.split_at(10);
        world.send(device.conn, head);
        world.run_ms(4_000);
        world.send(device.conn, rest);
        world.run_ms(100);
        assert_eq!(world.value(1, 5).as_deref(), Some("42"), "step {step}");
    }
    let dripped = part_of_record(&mut device, 4_000, 12);
    for byte in dripped {
        world.send(device.conn, &[byte]);
        world.run_ms(700);
    }
    assert_eq!(ends(&world), [End::RecordTimeout]);
}

#[test]
fn one_token_fills_its_share_and_not_the_ledger() {
    // 4 MiB for HTTP, 512 KiB a token.
    let quota = Settings { messages_per_second: 10_000, message_burst: 10_000, ..memory(16 << 20) };
    let mut world = world_of(1, 2_000, quota);
    let tokens: Vec<_> = (1..=3).map(|id| world.add_device(id, None)).collect();
    let head = |token: &Token| {
        format!(
            "PUT /external/api/batch/update?token={} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
            token.expose()
        )
    };
    let upload = |world: &mut World, address: [u8; 4], token: &Token, bytes: usize| {
        let conn = world.connect(address);
        world.send(conn, head(token).as_bytes());
        world.send(conn, &vec![b' '; bytes]);
        conn
    };
    let honest = upload(&mut world, [10, 9, 9, 9], &tokens[1], 20_000);
    let mut device = Script::login(&mut world, &tokens[2]);
    // Half a frame of a live device.
    device.transmit(&mut world, &[command::HARDWARE, 0, 2, 0x40, 0]);
    device.transmit(&mut world, &[b'x'; 10_000]);
    for n in 0..60u8 {
        upload(&mut world, [10, 1, n, 1], &tokens[0], 90_000);
        world.run_ms(20);
    }
    assert!(ends(&world).len() > 40 && ends(&world).iter().all(|end| *end == End::ShareFull), "{:?}", ends(&world));
    assert!(!is_ended(&mut world, honest));
    device.transmit(&mut world, &vec![b'x'; 0x4000 - 10_000]);
    world.run_ms(50);
    device.receive_all(&mut world);
    device.expect_alive(&mut world);
    assert!(world.status()[0].ledger_bytes < 1 << 20);
}

#[test]
fn who_does_not_read_is_charged_for_what_waits_in_the_driver() {
    // 256 KiB for HTTP, of which one network has 128 KiB.
    let mut world = world_of(1, 1_000, memory(1 << 20));
    let pipeline = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200);
    let silent: Vec<Conn> = (0..60)
        .map(|n| {
            let conn = world.connect([127, 0, 0, n]);
            world.set_window(conn, 1_000);
            world.send(conn, &pipeline);
            world.run_ms(30);
            conn
        })
        .collect();
    let status = &world.status()[0];
    assert!(status.ledger_bytes > 100_000, "what the driver holds back counts: {}", status.ledger_bytes);
    assert!(status.ledger_bytes < 132_000, "one network has four shares: {}", status.ledger_bytes);
    assert!(ends(&world).iter().all(|end| *end == End::ShareFull) && !ends(&world).is_empty(), "{:?}", ends(&world));
    world.run_ms(40_000);
    assert_eq!((world.status()[0].ledger_bytes, world.status()[0].connections), (0, 0));
    assert!(silent.iter().all(|conn| is_ended(&mut world, *conn)));
}

#[test]
fn a_close_that_cannot_finish_is_a_reset_after_ten_seconds() {
    let mut world = world_of(1, 100, Settings::default());
    let conn = world.connect([127, 0, 0, 1]);
    world.set_window(conn, 10);
    world.send(conn, b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    world.run_ms(9_000);
    assert_eq!(world.status()[0].connections, 1, "it closes as soon as its peer reads");
    assert!(world.status()[0].ledger_bytes > 0);
    world.run_ms(1_500);
    assert_eq!((world.status()[0].connections, world.status()[0].ledger_bytes), (0, 0));
    world.audit();
}

#[test]
fn every_http_connection_has_a_timer_whatever_it_did() {
    let mut world = world_of(2, 200, Settings::default());
    let mut random = Random::new(5);
    let mut all = Vec::new();
    for n in 0..60 {
        let conn = world.connect([127, 0, 0, n]);
        world.set_window(conn, 3_000);
        world.send(conn, &b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n".repeat(random.between(1, 400) as usize));
        world.send(conn, &b"GET /x HTTP/1.1\r\n"[..random.below(17) as usize]);
        all.push(conn);
    }
    for _ in 0..20 {
        world.run_ms(1_000);
        world.audit();
    }
    // All is read, and silence follows.
    for conn in &all {
        world.set_window(*conn, 1 << 20);
    }
    for _ in 0..90 {
        for conn in &all {
            while world.read(*conn).is_some() {}
        }
        world.run_ms(1_000);
        world.audit();
    }
    world.expect_empty();
}

#[test]
fn a_full_table_of_idle_clients_has_room_for_devices() {
    // Two addresses and 300 connections for 128 slots.
    let mut world = world_of(2, 64, Settings::default());
    let tokens: Vec<_> = (1..=10).map(|id| world.add_device(id, None)).collect();
    for n in 0..300u16 {
        let conn = world.connect([127, 0, 0, 1 + (n % 2) as u8]);
        world.send(conn, b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
        if n % 10 == 0 {
            world.run_ms(5);
        }
    }
    let mut devices: Vec<Script> = tokens
        .iter()
        .enumerate()
        .map(|(at, token)| {
            let mut script = Script::connect_from(&mut world, [127, 0, 1, at as u8]);
            script.log_in(&mut world, command::LOGIN, token);
            script
        })
        .collect();
    for _ in 0..300 {
        let conn = world.connect([127, 0, 0, 1]);
        world.send(conn, b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    world.run_ms(1_000);
    devices.iter_mut().for_each(|device| device.expect_alive(&mut world));
    assert!(ends(&world).iter().all(|end| *end == End::Crowded), "{:?}", ends(&world));
}

#[test]
fn idle_clients_of_a_filling_table_leave_after_five_seconds() {
    let mut world = world_of(1, 100, Settings::default());
    let idle = |world: &mut World, n: u8| {
        let conn = world.connect([127, 0, n, 1]);
        world.send(conn, b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
        world.run_ms(5);
        conn
    };
    let tokens: Vec<_> = (1..=45).map(|id| world.add_device(id, None)).collect();
    let mut devices: Vec<_> = tokens.iter().map(|token| Script::introduced(&mut world, token)).collect();
    let early: Vec<_> = (0..34).map(|n| idle(&mut world, n)).collect();
    let late: Vec<_> = (40..50).map(|n| idle(&mut world, n)).collect();
    world.run_ms(5_500);
    assert!(late.iter().skip(1).all(|conn| is_ended(&mut world, *conn)), "the table was filling");
    assert!(early.iter().all(|conn| !is_ended(&mut world, *conn)), "it was not when these came");
    devices.iter_mut().for_each(|device| device.expect_alive(&mut world));
}

#[test]
fn a_hoarder_on_sixteen_shards_is_one() {
    // 16 shards of 4 MiB: 1 MiB for HTTP on each, 128 KiB for one address on all of them.
    let mut world = world_of(16, 500, memory(4 << 20));
    let upload = |world: &mut World, address: [u8; 4]| {
        let conn = world.connect(address);
        // A head that is never finished.
        let head = format!("GET /x HTTP/1.1\r\nHost: x\r\nX: {}", "y".repeat(6_000));
        world.send(conn, head.as_bytes());
        conn
    };
    let bystander = upload(&mut world, [10, 0, 0, 1]);
    for _ in 0..64 {
        upload(&mut world, [10, 1, 1, 1]);
    }
    world.run_ms(2_500);
    let held: u64 = world.status().iter().map(|status| status.ledger_bytes).sum();
    assert!(held <= (128 + 16) << 10, "{held} bytes are held; ends {:?}", ends(&world));
    assert!(held > 32 << 10, "{held}: more ended than must be");
    assert!(ends(&world).iter().all(|end| *end == End::ShareFull), "{:?}", ends(&world));
    assert!(!is_ended(&mut world, bystander));
}

#[test]
fn a_storm_may_take_what_the_table_has_left() {
    let mut world = world_of(1, 64, Settings::default());
    let tokens: Vec<_> = (1..=58).map(|id| world.add_device(id, None)).collect();
    // As many as were online come back at once, and the server or the way to it is slow.
    let mut devices = Vec::new();
    for at in 0..tokens.len() {
        devices.push(Script::connect_from(&mut world, [127, 0, 1, at as u8]));
        world.run_ms(40);
    }
    for (script, token) in devices.iter_mut().zip(&tokens) {
        script.send(&mut world, command::LOGIN, token.expose().as_bytes());
    }
    world.run_ms(500);
    assert_eq!(ends(&world), [], "there is room for all of them");
    assert!(devices.iter_mut().all(|device| device.receive(&mut world).is_some()));
    devices.iter_mut().for_each(|device| device.expect_alive(&mut world));
}

#[test]
fn on_a_table_full_of_devices_those_who_come_wait() {
    let mut world = world_of(1, 32, Settings::default());
    let tokens: Vec<_> = (1..=60).map(|id| world.add_device(id, None)).collect();
    // All connect at once, and log in at once: as many as fit are served, and nobody is sent away for the next.
    let mut devices: Vec<_> = tokens
        .iter()
        .map(|token| {
            let mut script = Script::connect(&mut world);
            script.send(&mut world, command::LOGIN, token.expose().as_bytes());
            script
        })
        .collect();
    world.run_ms(500);
    let served: Vec<usize> = (0..60).filter(|at| devices[*at].receive(&mut world).is_some()).collect();
    assert!(served.len() >= 31, "{served:?}; ends {:?}", ends(&world));
    assert_eq!(ends(&world), [], "who waits in the kernel is no hoarder");
    // Nobody in the table could go: it is not looked through again and again.
    world.run_ms(2_000);
    let until = world.now_ms() + 5_000;
    let steps = std::iter::from_fn(|| world.step(until).then_some(())).count();
    assert!(steps < 10, "{steps} steps in 5 s");
    world.close(devices[served[0]].conn);
    world.close(devices[served[1]].conn);
    world.run_ms(500);
    let late = (0..60).filter(|at| !served.contains(at) && devices[*at].receive(&mut world).is_some()).count();
    assert_eq!(late, 2, "their places are taken by those who waited");
}

//! Seeds full of hoarders, over HTTP, TLS and as devices: the greatest owner pays, everybody else is served, every
//! connection has a timer and is over in time.

use std::net::IpAddr;

use linchpin_protocol::model::Token;
use linchpin_shard::{End, Settings};
use linchpin_sim::driver::Conn;
use linchpin_sim::script::{command, frame};
use linchpin_sim::{Faults, Random, Script, World, WorldOptions};
use linchpin_tls::{Connector, Layer, Version};

/// Ends by which a hoarder pays.
const PAID: [End; 5] = [End::ShareFull, End::CarryFull, End::Crowded, End::HandshakeBusy, End::HandshakesPerAddress];

/// Hoarders come from this network.
const HOARDERS: u8 = 66;

/// A world, who behaves in it and who does not.
struct Scene {
    world: World,
    random: Random,
    tls: Option<Connector>,
    devices: Vec<Script>,
    tokens: Vec<Token>,
    hoarded: Vec<Conn>,
}

impl Scene {
    fn of_seed(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x0b5e_55ed);
        // One world in five speaks TLS; one in ten has sixteen shards.
        let tls = seed.is_multiple_of(5).then_some(Layer::InPlace);
        let shards = if seed % 10 == 3 { 16 } else { random.between(1, 3) as u16 };
        let faults = Faults {
            split: random.below(300),
            delay: random.below(300),
            short_send: random.below(100),
            latency_ms: random.below(50),
            ..Faults::default()
        };
        let settings = Settings { ledger_bytes: (random.between(1, 4) as u32) << 20, ..Settings::default() };
        let slots = random.between(40, 120) as usize;
        let mut world =
            World::new(&WorldOptions { seed, shards, slots, faults, settings, tls, ..WorldOptions::default() });
        let tokens: Vec<Token> = (1..=8).map(|id| world.add_device(id, None)).collect();
        let tls = world.authority.as_ref().map(|authority| authority.connector(Version::Tls13, false));
        let mut scene = Self { world, random, tls, devices: Vec::new(), tokens, hoarded: Vec::new() };
        // Devices 1 to 4 behave; the others' tokens are the hoarders'.
        for at in 0..4u8 {
            let conn = scene.world.connect([127, 1, at, 1]);
            let mut script = Script::over(conn);
            script.send(&mut scene.world, command::LOGIN, scene.tokens[usize::from(at)].expose().as_bytes());
            script.send(&mut scene.world, command::INTERNAL, b"ver\x001.4.0\0h-beat\x00120\0dev\0sim");
            scene.devices.push(script);
        }
        scene.world.run_ms(2_000);
        for device in &mut scene.devices {
            assert_eq!(device.receive_all(&mut scene.world).len(), 2, "logged in; ends {:?}", scene.world.ends);
        }
        scene
    }

    fn address(&mut self) -> [u8; 4] {
        [10, HOARDERS, self.random.below(3) as u8, self.random.below(3) as u8]
    }

    /// One more connection that holds what it can.
    fn hoard(&mut self) {
        let address = self.address();
        let conn = self.world.connect(address);
        let token = &self.tokens[4 + self.random.below(4) as usize];
        match self.random.below(if self.tls.is_some() { 10 } else { 7 }) {
            0 => {
                let head =
                    format!("GET /x HTTP/1.1\r\nHost: x\r\nX: {}", "y".repeat(self.random.between(1, 6_000) as usize));
                self.world.send(conn, head.as_bytes());
            }
            1 => {
                let head =
                    format!("PUT /{}/update/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", token.expose());
                self.world.send(conn, head.as_bytes());
                self.world.send(conn, &vec![b' '; self.random.between(1, 50_000) as usize]);
            }
            2 => {
                self.world.set_window(conn, self.random.between(1, 5_000) as usize);
                let count = self.random.between(1, 300) as usize;
                self.world.send(conn, &b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n".repeat(count));
            }
            3 => self.world.send(conn, b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"),
            4 => {
                self.world.send(conn, &frame(command::LOGIN, 1, token.expose().as_bytes()));
                self.world.send(conn, &[command::HARDWARE, 0, 2, 0x70, 0]);
                self.world.send(conn, &vec![b'x'; self.random.between(1, 28_000) as usize]);
            }
            5 => {
                self.world.send(conn, &frame(command::LOGIN, 1, token.expose().as_bytes()));
                self.world.send(conn, &frame(command::PING, 2, b"").repeat(200));
            }
            6 => {}
            kind => self.hoard_tls(conn, kind),
        }
        self.hoarded.push(conn);
    }

    fn hoard_tls(&mut self, conn: Conn, kind: u64) {
        let Some(connector) = &self.tls else { return };
        let mut hello = Vec::new();
        let name = "linchpin.example".try_into().expect("a name");
        let _begun = connector.connect(name, &mut hello);
        match kind {
            7 => hello.truncate(self.random.between(1, 200) as usize),
            8 => {}
            _ => {
                let Ok((mut end, _)) = linchpin_sim::tls::shake_hands(&mut self.world, conn, connector) else { return };
                end.widen();
                let mut record = end.seal(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
                let mut next = end.seal(&vec![b'r'; self.random.between(100, 16_000) as usize]);
                next.truncate(self.random.between(1, next.len() as u64 - 1) as usize);
                record.extend(next);
                hello = record;
            }
        }
        self.world.send(conn, &hello);
    }

    /// Whoever behaves is served.
    fn expect_served(&mut self, seed: u64) {
        let conn = self.world.connect([127, 9, 9, self.random.below(250) as u8]);
        self.world.send(conn, b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        for device in &mut self.devices {
            device.send(&mut self.world, command::PING, b"");
        }
        self.world.run_ms(1_500);
        let mut answer = Vec::new();
        while let Some(segment) = self.world.read(conn) {
            answer.extend(segment);
        }
        assert!(answer.starts_with(b"HTTP/1.1 404"), "seed {seed}: no answer, ends {:?}", self.world.ends);
        for (at, device) in self.devices.iter_mut().enumerate() {
            let got = device.receive_all(&mut self.world);
            assert!(got.iter().any(|frame| frame.status == 200), "seed {seed}: device {at} has no pong; {got:?}");
        }
    }

    /// Who has paid was a hoarder.
    fn expect_hoarders_paid(&mut self, seed: u64) -> usize {
        let rows = self.world.diary(None);
        let paid: Vec<_> = rows.iter().filter(|row| PAID.contains(&row.end)).collect();
        for row in &paid {
            let IpAddr::V4(ip) = row.peer.ip() else { panic!("seed {seed}: {row:?}") };
            assert_eq!(ip.octets()[1], HOARDERS, "seed {seed}: a bystander paid: {row:?}");
        }
        paid.len()
    }
}

/// Returns how many hoarders paid.
fn run_seed(seed: u64) -> usize {
    let mut scene = Scene::of_seed(seed);
    for round in 0..12 {
        for _ in 0..scene.random.between(1, 14) {
            scene.hoard();
            let pause = scene.random.below(40);
            scene.world.run_ms(pause);
        }
        if round % 3 == 2 {
            scene.expect_served(seed);
        }
    }
    let paid = scene.expect_hoarders_paid(seed);
    // They stay silent and never read: all of them are over in time, and the devices are not.
    for _ in 0..8 {
        scene.world.run_ms(15_000);
        scene.expect_served(seed);
    }
    for at in 0..scene.hoarded.len() {
        let conn = scene.hoarded[at];
        while scene.world.read(conn).is_some() {}
        assert!(scene.world.is_over(conn), "seed {seed}: connection {conn} of a hoarder is still open");
    }
    scene.devices.iter().for_each(|device| scene.world.close(device.conn));
    scene.world.run_ms(30_000);
    scene.world.expect_empty();
    paid
}

#[test]
fn three_hundred_seeds() {
    let paid: usize = (0..300).map(run_seed).sum();
    assert!(paid > 300, "only {paid} hoarders paid in all: the worlds are too roomy to show anything");
}

#[test]
fn one_seed() {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|text| text.parse().ok()) {
        let paid = run_seed(seed);
        assert!(paid < 10_000, "{paid} paid");
    }
}

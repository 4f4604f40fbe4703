//! A world full of devices, and what must be true of it whatever the seed.

use linchpin_protocol::model::{Pin, Token};
use linchpin_shard::{Command, End, Push, Settings};
use linchpin_tls::Layer;

use crate::{Client, Faults, Kind, Random, World, WorldOptions};

/// Devices and their clients.
pub struct Fleet {
    /// Where they live.
    pub world: World,
    /// Several may have one device: then they fight for it.
    pub clients: Vec<Client>,
    /// Writes by device: numbers only go up, over all its clients.
    counts: Vec<u64>,
    /// Latest value seen at the server, by device.
    seen: Vec<u64>,
}

/// Moments between two looks at a client, ms.
const LOOK_MS: u64 = 10;

impl Fleet {
    /// Clients by kind; all connect within `spread_ms`.
    #[must_use]
    pub fn new(options: &WorldOptions, kinds: &[Kind], spread_ms: u64, period_ms: u64) -> Self {
        let mut world = World::new(options);
        let tokens: Vec<Token> = (1..=kinds.len() as u32).map(|id| world.add_device(id, None)).collect();
        let clients = kinds.iter().zip(&tokens).enumerate().map(|(at, (kind, token))| {
            let first = 1_000 + if spread_ms == 0 { 0 } else { world.random.below(spread_ms) };
            Client::new(*kind, at as u32 + 1, *token, first, period_ms + world.random.below(period_ms / 4 + 1))
        });
        let clients = clients.collect();
        Self { world, clients, counts: vec![0; kinds.len() + 1], seen: vec![0; kinds.len() + 1] }
    }

    /// A second client with the token of `device`.
    pub fn add_twin(&mut self, device: u32, kind: Kind, period_ms: u64) {
        let token = self.world.add_device(device, None);
        let first = self.world.now_ms() + self.world.random.below(20_000);
        self.clients.push(Client::new(kind, device, token, first, period_ms));
    }

    /// Let time pass, looking at clients when something may concern them.
    pub fn run_ms(&mut self, ms: u64) {
        let end = self.world.now_ms() + ms;
        while self.world.now_ms() < end {
            let due = self.clients.iter().map(Client::due_ms).min().unwrap_or(end);
            let stop = due.clamp(self.world.now_ms() + 1, self.world.now_ms() + LOOK_MS).min(end);
            self.world.run_ms(stop - self.world.now_ms());
            for client in &mut self.clients {
                client.run(&mut self.world, &mut self.counts[client.device as usize]);
            }
            if self.world.random.chance(30) {
                self.look();
            }
        }
    }

    /// Idle time in big steps: for long runs of healthy devices.
    pub fn run_quietly_ms(&mut self, ms: u64) {
        let end = self.world.now_ms() + ms;
        while self.world.now_ms() < end {
            let due = self.clients.iter().map(Client::due_ms).min().unwrap_or(end);
            let stop = due.max(self.world.now_ms() + 1).min(end);
            // Two looks: when something is due, and when its answers have come.
            for stop in [stop, stop + 30] {
                self.world.run_ms(stop.saturating_sub(self.world.now_ms()));
                for client in &mut self.clients {
                    client.run(&mut self.world, &mut self.counts[client.device as usize]);
                }
            }
        }
    }

    /// O2: the latest value of a device never goes back, whoever wrote it.
    fn look(&mut self) {
        let device = 1 + self.world.random.below(self.seen.len() as u64 - 1) as u32;
        // O1: what is shown was given to the store.
        let view = self.world.view(device);
        self.world.store.assert_keeps(&view);
        if let Some(value) = self.world.value(device, 1) {
            let number: u64 = value.parse().expect("clients write numbers to V1");
            let seen = &mut self.seen[device as usize];
            assert!(number >= *seen, "device {device} went back from {seen} to {number}: a write of an ended session");
            *seen = number;
        }
        if self.world.random.chance(200) {
            let value = b"from the operator".as_slice().into();
            let push = Push::Write { pin: Pin::new_virtual(7), value };
            self.world.ask(device, |request, device| Command::Push { request, device, push });
        }
    }

    /// O6: every healthy client is served.
    ///
    /// # Panics
    /// When one has tried for longer than `most_ms`.
    pub fn expect_served(&self, most_ms: u64) {
        for client in self.clients.iter().filter(|client| client.kind.is_healthy()) {
            if let Some(since) = client.trying_since_ms {
                let tried = self.world.now_ms() - since;
                assert!(tried <= most_ms, "{client:?} has tried for {tried} ms; ends {:?}", self.world.ends.last());
            }
        }
    }

    /// All clients leave; nothing may remain (O4, O5).
    pub fn leave(&mut self) {
        self.world.faults = Faults::default();
        for client in &mut self.clients {
            if let Some(conn) = client.conn.take() {
                self.world.set_window(conn, 1 << 20);
                self.world.close(conn);
            }
            client.next_ms = u64::MAX;
        }
        // Longer than every deadline before login and every answer on its way.
        self.world.run_ms(30_000);
        for _ in 0..200 {
            for conn in 0..self.world.wires.len() {
                while self.world.read(conn).is_some() {}
            }
            self.world.run_ms(1_000);
        }
        self.world.expect_empty();
    }
}

/// A world that the seed chooses: which faults, how many shards, who is there.
#[must_use]
pub fn of_seed(seed: u64) -> Fleet {
    let mut random = Random::new(seed ^ 0x5151_5151);
    let mut some = |most: u64| if random.chance(500) { random.between(1, most) } else { 0 };
    let faults = Faults {
        split: some(700),
        delay: some(400),
        short_send: some(200),
        reset: some(5),
        pause: some(1),
        latency_ms: some(300),
    };
    let settings = Settings { outbound_bytes: 40_000, ..Settings::default() };
    let shards = random.between(1, 5) as u16;
    let (slots, lane) = if is_tight(seed) {
        (random.between(3, 6) as usize, 1)
    } else {
        (random.between(16, 60) as usize, random.between(2, 64) as usize)
    };
    // One world in five speaks TLS: half of its clients, of all kinds.
    let tls = (seed % 5 == 4).then_some(Layer::InPlace);
    let options =
        WorldOptions { seed, shards, slots, lane, faults, settings, replaying: false, tls, ..WorldOptions::default() };
    let all = [
        Kind::Library,
        Kind::FirstFrame,
        Kind::SlowReader,
        Kind::Cutter,
        Kind::Garbage,
        Kind::Guesser,
        Kind::Mute,
        Kind::Flooder,
        Kind::Sleeper,
    ];
    let mut kinds: Vec<Kind> = (0..random.between(6, 12))
        .map(|at| if at < 4 { all[at as usize % 2] } else { all[random.below(all.len() as u64) as usize] })
        .collect();
    // One world in five has devices that speak MQTT.
    let has_mqtt = seed % 5 == 2;
    if has_mqtt {
        kinds[2..5].fill(Kind::Mqtt);
    }
    // And one in five, and each with TLS, has programs that speak HTTP.
    if seed % 5 == 3 || tls.is_some() {
        kinds[2..4].fill(Kind::Http);
    }
    let spread_ms = if is_tight(seed) { 0 } else { 3_000 };
    let mut fleet = Fleet::new(&options, &kinds, spread_ms, random.between(200, 3_000));
    fleet.world.audits_each_step = has_mqtt;
    fleet
        .clients
        .iter_mut()
        .filter(|client| tls.is_some() && client.device % 2 == 1)
        .for_each(|client| client.speaks_tls = true);
    if random.chance(500) {
        // Two wires fight for one token as two of the same do.
        let kind = if has_mqtt { Kind::Mqtt } else { Kind::Library };
        fleet.add_twin(1, kind, 1_500);
    }
    fleet
}

/// One world in four has hardly any room: it need not serve everybody, but must stay sound.
const fn is_tight(seed: u64) -> bool {
    seed.is_multiple_of(4)
}

/// What a run showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Hash of everything that happened.
    pub trace: u64,
    /// Ends that occurred, sorted, each once.
    pub ends: Vec<End>,
    /// Highest write that was seen at the server, over all devices.
    pub writes: u64,
    /// Packets of MQTT, and wills that were written.
    pub mqtt: (u64, u64),
}

/// Run one seed with all oracles.
#[must_use]
pub fn run_seed(seed: u64) -> Outcome {
    let mut fleet = of_seed(seed);
    fleet.run_ms(60_000);
    // Faults stop: now everybody who behaves must be served.
    fleet.world.faults = Faults::default();
    fleet.run_ms(45_000);
    let fights = fleet.clients.iter().filter(|client| client.device == 1).count() > 1;
    if !fights && !is_tight(seed) {
        fleet.expect_served(20_000);
    }
    assert_eq!(fleet.world.torn_sends, 0, "a send that was not blocked left in pieces");
    fleet.leave();
    let mqtt = fleet.world.status().iter().fold((0, 0), |sum, it| (sum.0 + it.packets, sum.1 + it.wills));
    let mut ends: Vec<End> = fleet.world.ends.iter().map(|end| end.1).collect();
    ends.sort();
    ends.dedup();
    Outcome { trace: fleet.world.trace, ends, writes: fleet.seen.into_iter().max().unwrap_or(0), mqtt }
}

//! What a restart does to values: nothing that anybody could see. Values are written in all ways, with times in any order,
//! and the server is started again at any moment; then the latest values and the history are those of a simple model.

mod model;
mod ways;

use linchpin_protocol::model::{DeviceId, TopicMapping};
use linchpin_shard::{Command, Restored};
use linchpin_sim::script::command;

use super::http::Client;
use super::*;
use model::Model;
use ways::Connected;

/// Devices that are written to: the second has a template. One more has the bridges.
const DEVICES: u64 = 2;
/// Pins of each.
const PINS: u8 = 3;
/// A moment of the past that many values have.
const MOMENT_MS: u64 = 1_789_999_000_000;
/// Between two writes: less than what a quota allows in a second.
const PAUSE_MS: u64 = 150;

/// One server process with its clients.
struct Run {
    world: World,
    tokens: Vec<Token>,
    connected: Vec<Connected>,
    /// The device with the bridges.
    source: Script,
    http: Client,
    model: Model,
}

/// A world with its devices, of which nothing is connected.
fn devices(options: &WorldOptions) -> (World, Vec<Token>) {
    let mut world = World::new(options);
    let id = TemplateId::parse(b"TMPLnames").expect("valid");
    let stream = |index, name: &str| Datastream::new(Pin::new_virtual(index), name, ValueKind::Text, "", true);
    let streams = vec![stream(0, "A"), stream(1, "B"), stream(2, "C")];
    let topic = |pointer, pin| TopicMapping::new("tele/SENSOR", pointer, Pin::new_virtual(pin)).expect("valid");
    let template = Template::new(id, "Names".into(), streams, vec![])
        .with_aliases(vec![("Older".into(), Pin::new_virtual(1))])
        .with_topics(vec![topic("/a", 0), topic("/b", 1)]);
    world.add_template(&template);
    let tokens = (1..=DEVICES as u32 + 1).map(|n| world.add_device(n, (n == 2).then_some(id))).collect();
    (world, tokens)
}

impl Run {
    fn start(mut world: World, tokens: Vec<Token>, model: Model) -> Self {
        let mut source = Script::introduced(&mut world, &tokens[DEVICES as usize]);
        for device in 1..=DEVICES as usize {
            let body = format!("{device}\0i\0{}", tokens[device - 1].expose());
            source.refused(&mut world, command::BRIDGE, body.as_bytes(), 200);
        }
        let http = Client::connect(&mut world);
        let mut run = Self { world, tokens, connected: Vec::new(), source, http, model };
        for device in 1..=DEVICES as u32 {
            let connected = if run.world.random.chance(500) {
                Connected::Mqtt(run.log_in_by_mqtt(device))
            } else {
                Connected::Blynk(Box::new(Script::introduced(&mut run.world, &run.tokens[device as usize - 1])))
            };
            run.connected.push(connected);
        }
        run
    }

    /// The process ends and comes back with what the store has, later by the clock. While it reads its journal, devices
    /// write already: at first it has only a part of what was written.
    fn restart(mut self, n: &mut u64) -> Self {
        let replaying = self.world.random.chance(500);
        let options =
            WorldOptions { replaying, shards: 1 + self.world.random.below(3) as u16, ..WorldOptions::default() };
        let (mut next, tokens) = devices(&options);
        next.run_ms(self.world.now_ms());
        next.store = std::mem::take(&mut self.world.store);
        next.random = self.world.random.clone();
        let all: Vec<Restored> = (1..=DEVICES as u32).map(|device| next.store.restored(id(device))).collect();
        if !replaying {
            for (device, restored) in (1..).zip(all) {
                next.restore(device, restored);
            }
            return Self::start(next, tokens, self.model);
        }
        let mut part = World::new(&options).store;
        part.points = next.store.points.clone();
        for points in part.points.values_mut() {
            points.truncate(1 + next.random.below(points.len() as u64) as usize);
        }
        for device in 1..=DEVICES as u32 {
            next.restore(device, part.restored(id(device)));
        }
        let mut run = Self::start(next, tokens, self.model);
        for _ in 0..run.world.random.below(6) {
            run.step(n, false);
        }
        for (device, restored) in (1..).zip(all) {
            run.world.restore(device, restored);
        }
        run.world.order_all(|| Command::Replayed);
        run
    }

    /// Write something, and compare what the store got with what was written.
    fn step(&mut self, n: &mut u64, may_erase: bool) {
        *n += 1;
        self.world.run_ms(PAUSE_MS);
        let from_ms = self.world.wall_ms();
        let writes = self.write(*n, may_erase);
        self.world.run_ms(30);
        self.model.take(&self.world, &writes, (from_ms, self.world.wall_ms()));
    }

    /// The shard shows what the model has, and so does the wire.
    fn compare(&mut self, seed: u64) {
        for device in 1..=DEVICES as u32 {
            let wanted = self.model.latest(device);
            assert_eq!(self.world.view(device).values, wanted, "seed {seed}, device {device}");
            let token = self.tokens[device as usize - 1].expose().to_owned();
            for pin in 0..PINS {
                let path = format!("/external/api/get?token={token}&pin=V{pin}");
                let status = self.http.get(&mut self.world, &path).0;
                let is_there = wanted.iter().any(|value| value.0 == Pin::new_virtual(pin));
                assert_eq!(status, if is_there { 200 } else { 400 }, "seed {seed}, device {device}, V{pin}");
            }
        }
    }
}

fn id(device: u32) -> DeviceId {
    DeviceId::new(device).expect("not 0")
}

/// One life of a server: `steps` writes and about one restart in eight of them.
fn live(seed: u64, steps: u64) -> Model {
    let (world, tokens) = devices(&WorldOptions { seed, ..WorldOptions::default() });
    let mut run = Run::start(world, tokens, Model::default());
    let mut n = 0;
    while n < steps {
        run.step(&mut n, true);
        if run.world.random.chance(120) {
            run.compare(seed);
            run = run.restart(&mut n);
            run.compare(seed);
        }
    }
    run.model.assert_history(&run.world);
    run.model
}

#[test]
fn values_and_history_are_the_same_after_restarts_whatever_wrote_them() {
    let seeds = std::env::var("LINCHPIN_RESTART_SEEDS").map_or(60, |text| text.parse().expect("a number"));
    let points: usize = (0..seeds).map(|seed| live(seed, 80).len()).sum();
    assert!(points > seeds as usize * 100, "{points} points of {seeds} seeds");
}

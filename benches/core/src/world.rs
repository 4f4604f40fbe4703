//! A shard with logged-in devices and no sockets: what a benchmark feeds and drains.

use std::net::SocketAddr;

use linchpin_protocol::blynk::Command as Code;
use linchpin_protocol::blynk::codec::device;
use linchpin_protocol::model::{
    Datastream, DeviceId, Millis, Now, OrgId, Pin, Template, TemplateId, Token, UnixMillis, ValueKind,
};
use linchpin_shard::{
    Command, Effect, Effects, Input, Intake, Letter, Settings, Shard, ShardId, ShardOptions, Slot, TokenRight, Via,
    digest, home_of, index_owner_of,
};

const KEY: [u8; 32] = [9; 32];
/// Heartbeat that devices announce, s: the library's default.
const HEARTBEAT_S: u32 = 50;
const WALL_MS: u64 = 1_700_000_000_000;
/// The pin that devices write; their template knows it.
pub const PIN: Pin = Pin::new_virtual(7);

/// See the module's page.
#[derive(Debug)]
pub struct World {
    /// The shard.
    pub shard: Shard,
    /// What it wants done.
    pub fx: Effects,
    /// Tokens of its devices; device `n` has slot `n`.
    pub tokens: Vec<Token>,
    /// Virtual time, ms.
    pub at_ms: u64,
    heartbeat_s: u32,
    list: Vec<Effect>,
    scratch: Vec<u8>,
}

impl World {
    /// One shard with so many devices that ping every `heartbeat_s`; so many of them log in each millisecond.
    #[must_use]
    pub fn with_heartbeat(devices: usize, heartbeat_s: u32, per_ms: u64) -> Self {
        let mut world = Self::empty(0, 1, devices, heartbeat_s);
        for at in 0..devices {
            world.at_ms += u64::from((at as u64).is_multiple_of(per_ms));
            world.log_in(at);
        }
        world
    }

    /// Shard `own` of so many, with so many devices that live here, have their tokens' index entries here and are
    /// logged in. No quota refuses anything.
    #[must_use]
    pub fn new(own: u16, shards: u16, devices: usize) -> Self {
        let mut world = Self::empty(own, shards, devices, HEARTBEAT_S);
        (0..devices).for_each(|at| world.log_in(at));
        world
    }

    /// One shard with so many devices, logged in over MQTT.
    #[must_use]
    pub fn over_mqtt(devices: usize) -> Self {
        let mut world = Self::empty(0, 1, devices, HEARTBEAT_S);
        for at in 0..devices {
            let peer = SocketAddr::from(([127, 0, 1, at as u8], 40_000));
            let slot = Slot(at as u32);
            world.shard.handle(now(world.at_ms), Input::Accepted { slot, peer, via: Via::Direct }, &mut world.fx);
            let mut bytes = crate::mqtt_cases::connect(world.tokens[at].expose());
            world.feed(at, &mut bytes);
            assert!(!world.fx.sends.is_empty(), "a login is answered");
            world.drain();
        }
        world
    }

    fn empty(own: u16, shards: u16, devices: usize, heartbeat_s: u32) -> Self {
        let settings = Settings {
            messages_per_second: 1_000_000,
            message_burst: 1_000_000,
            per_address: 60_000,
            ..Settings::default()
        };
        let options = ShardOptions {
            id: ShardId(own),
            shards,
            slots: devices as u32,
            seed: [7; 16],
            digest_key: KEY,
            settings,
            intake: Intake::All,
            replaying: false,
            tls: None,
            failures: std::sync::Arc::new(linchpin_shard::LoginFailures::new([7; 16])),
            http: linchpin_shard::HttpOptions::default(),
        };
        let at_ms = 1_000;
        let mut world = Self {
            shard: Shard::new(options, now(at_ms)),
            fx: Effects::new(),
            tokens: Vec::new(),
            at_ms,
            heartbeat_s,
            list: Vec::new(),
            scratch: Vec::new(),
        };
        world.shard.reserve(devices);
        let id = TemplateId::parse(b"TMPLbench").expect("a name");
        let range = ValueKind::Double { min: -40.0, max: 85.0 };
        let stream = Datastream::new(PIN, "t", range, "", true);
        world.order(Command::PutTemplate(Box::new(Template::new(id, "Bench".into(), vec![stream], vec![]))));
        let homes = (1..).filter_map(DeviceId::new).filter(|device| home_of(*device, shards) == ShardId(own));
        for device in homes.take(devices) {
            let token = token_of(device, own, shards);
            world.order(Command::AddDevice { device, org: OrgId::FIRST, template: Some(id), token_epoch: 0 });
            world.order(Command::IndexToken { digest: digest(&KEY, &token), right: TokenRight { device, epoch: 0 } });
            world.tokens.push(token);
        }
        world
    }

    fn order(&mut self, command: Command) {
        self.shard.handle(now(self.at_ms), Input::Command(command), &mut self.fx);
        self.drain();
    }

    /// Connect and log in device `at`; its slot has its number.
    pub fn log_in(&mut self, at: usize) {
        let peer = SocketAddr::from(([127, (at >> 16) as u8, (at >> 8) as u8, at as u8], 40_000));
        let slot = Slot(at as u32);
        self.shard.handle(now(self.at_ms), Input::Accepted { slot, peer, via: Via::Direct }, &mut self.fx);
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        device::login(&mut bytes, 1, Code::Login, &self.tokens[at]);
        // A board says what it is at once; until then nothing is pushed to it.
        device::internal(&mut bytes, 2, &[b"ver", b"1.3.2", b"h-beat", self.heartbeat_s.to_string().as_bytes()]);
        self.feed(at, &mut bytes);
        self.scratch = bytes;
        assert!(!self.fx.sends.is_empty(), "a login is answered");
        self.drain();
    }

    /// All connections end.
    pub fn leave_all(&mut self) {
        let slots = 0..self.tokens.len() as u32;
        for slot in slots.clone().map(Slot) {
            self.shard.handle(now(self.at_ms), Input::PeerClosed { slot }, &mut self.fx);
        }
        self.drain();
        for slot in slots.map(Slot) {
            self.shard.handle(now(self.at_ms), Input::Closed { slot }, &mut self.fx);
        }
    }

    /// Bytes of device `at`. The shard may change them: it opens TLS in place.
    pub fn feed(&mut self, at: usize, bytes: &mut [u8]) {
        self.shard.handle(now(self.at_ms), Input::Received { slot: Slot(at as u32), bytes }, &mut self.fx);
    }

    /// A letter of another shard.
    pub fn take(&mut self, from: ShardId, letter: Letter) {
        self.shard.handle(now(self.at_ms), Input::Letter { from, letter }, &mut self.fx);
    }

    /// Time passes: what is due expires.
    pub fn pass(&mut self, to_ms: u64) {
        self.at_ms = to_ms;
        if self.shard.deadline().is_some_and(|at| at.0 <= to_ms) {
            self.shard.handle(now(to_ms), Input::Timer, &mut self.fx);
        }
    }

    /// What a tick does with the effects, without driver and store: letters are given away, the rest is dropped, and
    /// the memory stays. Returns the bytes that were answered.
    pub fn drain_to(&mut self, mut send: impl FnMut(ShardId, Letter)) -> usize {
        self.shard.seal(now(self.at_ms), &mut self.fx);
        std::mem::swap(&mut self.list, &mut self.fx.list);
        for effect in self.list.drain(..) {
            if let Effect::Letter { to, letter } = effect {
                send(to, letter);
            }
        }
        let answered = self.fx.arena.len();
        self.fx.clear();
        answered
    }

    /// The same without letters.
    pub fn drain(&mut self) -> usize {
        self.drain_to(|to, letter| panic!("nobody takes a letter to {to:?}: {letter:?}"))
    }
}

/// Both clocks at a virtual time.
#[must_use]
pub const fn now(at_ms: u64) -> Now {
    Now { mono: Millis(at_ms), wall: UnixMillis(WALL_MS + at_ms) }
}

/// A token of the device whose index entry belongs to `own`.
fn token_of(device: DeviceId, own: u16, shards: u16) -> Token {
    let mut seed = [0; 24];
    seed[..4].copy_from_slice(&device.get().to_be_bytes());
    (0..=u8::MAX)
        .map(|tried| {
            seed[23] = tried;
            Token::from_random(&seed)
        })
        .find(|token| index_owner_of(&digest(&KEY, token), shards) == ShardId(own))
        .expect("every second one of two shards")
}

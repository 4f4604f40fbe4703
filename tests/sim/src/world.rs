//! The world: time, network and the tick of every shard.

pub mod handover;
mod store;
mod tick;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use linchpin_protocol::model::{DeviceId, Millis, Now, OrgId, Template, TemplateId, Token, UnixMillis};
use linchpin_shard::{
    Command, ConnRef, Effects, End, HttpOptions, Input, Intake, LiveGrant, LoginFailures, Parcel, Report, RequestId,
    Revocation, Settings, Shard, ShardId, ShardOptions, Slot, TappedFrame, TokenRight, Via, WhoseRights, digest,
    home_of, index_owner_of,
};

use linchpin_protocol::http::Reply;
use linchpin_tls::{Layer, Session};

use crate::Random;
use crate::control::SimControl;
use crate::driver::{Completion, Conn, SimDriver, Socket};
use crate::tls::{Authority, TlsEnd, recorded};

/// Chances of things going another way than the straight one, per mille; all zero = a perfect machine.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// A receive gives only a part (short completion, no buffer for the rest).
    pub split: u64,
    /// A completion or letter waits for the next tick.
    pub delay: u64,
    /// A send is taken in part only.
    pub short_send: u64,
    /// A connection is reset on its way.
    pub reset: u64,
    /// A shard stands still for up to 3 s.
    pub pause: u64,
    /// Latency of the network goes up to so many ms.
    pub latency_ms: u64,
}

/// How to make a world.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    /// Everything random comes from here.
    pub seed: u64,
    /// Shards.
    pub shards: u16,
    /// Slots of each shard.
    pub slots: usize,
    /// Letters that a lane takes before it is full.
    pub lane: usize,
    /// What goes wrong.
    pub faults: Faults,
    /// The operator's settings.
    pub settings: Settings,
    /// Values of an earlier run are still to come.
    pub replaying: bool,
    /// Shards speak TLS, with this record layer.
    pub tls: Option<Layer>,
    /// What HTTP needs beside the device APIs.
    pub http: HttpOptions,
    /// Parts of asks and answers that a lane takes before it is full.
    pub ask_lane: usize,
}

impl Default for WorldOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            shards: 2,
            slots: 1_000,
            lane: 1_024,
            faults: Faults::default(),
            settings: Settings::default(),
            replaying: false,
            tls: None,
            http: HttpOptions::default(),
            ask_lane: 256,
        }
    }
}

/// What travels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Travel {
    Connect,
    ToServer(Vec<u8>),
    EndToServer,
    ResetToServer,
    ToClient(Vec<u8>),
    EndToClient,
    ResetToClient,
}

/// A connection as its client sees it.
#[derive(Debug, Default)]
pub struct Wire {
    /// Segments that have arrived: each is what one read returns.
    pub segments: VecDeque<Vec<u8>>,
    /// The server has ended it.
    pub ended: bool,
    /// Either side has reset it.
    pub reset: bool,
    /// Bytes that the client has not read and that may still come: the window.
    window: usize,
    in_flight: usize,
    last_to_server: u64,
    last_to_client: u64,
    address: Option<SocketAddr>,
    /// The first byte that its client sent.
    first: Option<u8>,
    via: Via,
    /// The server's end of a handshake that was recorded; it is taken when the connection is accepted.
    recorded: Option<Session>,
    /// What came before it was accepted.
    early: Vec<Travel>,
    /// Which shard's driver has it, and where.
    place: Option<(usize, Slot)>,
}

struct Node {
    shard: Shard,
    driver: SimDriver,
    fx: Effects,
    /// Letters by sender.
    lanes: Vec<VecDeque<Parcel>>,
    paused_until: u64,
    control: SimControl,
}

/// See the module's page.
pub struct World {
    /// Chance.
    pub random: Random,
    /// What goes wrong from now on.
    pub faults: Faults,
    /// Ends in the order in which they happened: device, why.
    pub ends: Vec<(Option<DeviceId>, End)>,
    /// FNV-1a of everything that happened.
    pub trace: u64,
    /// Client sides by connection.
    pub wires: Vec<Wire>,
    /// Who signs certificates, if shards speak TLS.
    pub authority: Option<Authority>,
    /// Frames of watched devices.
    pub watched: Vec<TappedFrame>,
    /// What shards let it keep.
    pub store: store::Store,
    now_ms: u64,
    /// How far the wall clock is off, ms.
    wall_off_ms: i64,
    nodes: Vec<Node>,
    lane: usize,
    ask_lane: usize,
    events: BinaryHeap<Reverse<(u64, u64, Conn, Travel)>>,
    sequence: u64,
    /// Accepted by the kernel, by no shard yet.
    backlog: VecDeque<Conn>,
    reports: BTreeMap<u64, Report>,
    next_request: u64,
    key: [u8; 32],
    steps: u64,
    /// Look at every invariant after each step, not after one in 16.
    pub audits_each_step: bool,
    /// The kernel always takes whole sends: then frames arrive whole.
    pub sends_whole: bool,
    /// Frames that left with a segment border in them although nothing was blocked.
    pub torn_sends: u64,
}

/// Wall time when the virtual clock is 0.
const WALL_START_MS: u64 = 1_790_000_000_000;
/// Steps of handshakes that a tick makes, and what one costs.
const STEPS_PER_TICK: usize = 16;
const STEP_COST: Duration = Duration::from_micros(60);
/// What a client's socket takes before it reads.
const WINDOW_BYTES: usize = 64 * 1024;

impl Wire {
    /// How it comes in; decided before the server accepts it.
    pub const fn set_via(&mut self, via: Via) {
        self.via = via;
    }
}

impl World {
    /// Shards without devices.
    #[must_use]
    pub fn new(options: &WorldOptions) -> Self {
        let mut random = Random::new(options.seed);
        let key = [random.bits() as u8; 32];
        let now_ms = 1_000;
        let authority = options.tls.map(|layer| Authority::new(now_at(now_ms).wall.seconds(), layer));
        let failures = std::sync::Arc::new(LoginFailures::new([7; 16]));
        let nodes = (0..options.shards).map(|id| Node {
            shard: Shard::new(
                ShardOptions {
                    id: ShardId(id),
                    shards: options.shards,
                    slots: options.slots as u32,
                    seed: [7; 16],
                    digest_key: key,
                    settings: options.settings.clone(),
                    intake: Intake::All,
                    replaying: options.replaying,
                    tls: authority.as_ref().map(Authority::options),
                    failures: failures.clone(),
                    http: options.http.clone(),
                },
                now_at(now_ms),
            ),
            driver: SimDriver::new(options.slots),
            fx: Effects::new(),
            lanes: (0..options.shards).map(|_| VecDeque::new()).collect(),
            paused_until: 0,
            control: SimControl::default(),
        });
        let nodes = nodes.collect();
        Self {
            nodes,
            authority,
            random,
            faults: options.faults.clone(),
            ends: Vec::new(),
            trace: 0xcbf2_9ce4_8422_2325,
            wires: Vec::new(),
            watched: Vec::new(),
            store: store::Store::default(),
            now_ms,
            wall_off_ms: 0,
            lane: options.lane,
            ask_lane: options.ask_lane,
            events: BinaryHeap::new(),
            sequence: 0,
            backlog: VecDeque::new(),
            reports: BTreeMap::new(),
            next_request: 1,
            key,
            steps: 0,
            audits_each_step: false,
            sends_whole: options.faults.short_send == 0,
            torn_sends: 0,
        }
    }

    fn now(&self) -> Now {
        let Now { mono, wall } = now_at(self.now_ms);
        Now { mono, wall: UnixMillis(wall.0.saturating_add_signed(self.wall_off_ms)) }
    }

    /// Set the wall clock so far off; the monotonic one goes on as before.
    pub const fn set_wall_off(&mut self, ms: i64) {
        self.wall_off_ms = ms;
    }

    /// Virtual time, ms.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn shards(&self) -> u16 {
        self.nodes.len() as u16
    }

    fn order(&mut self, shard: ShardId, command: Command) {
        let now = self.now();
        let node = &mut self.nodes[shard.index()];
        node.shard.handle(now, Input::Command(command), &mut node.fx);
        self.carry_out(shard.index());
    }

    /// Tell every shard.
    pub fn order_all(&mut self, make: impl Fn() -> Command) {
        for shard in 0..self.shards() {
            self.order(ShardId(shard), make());
        }
    }

    /// Make a template known.
    pub fn add_template(&mut self, template: &Template) {
        self.order_all(|| Command::PutTemplate(Box::new(template.clone())));
    }

    /// Make a device; returns its token.
    pub fn add_device(&mut self, id: u32, template: Option<TemplateId>) -> Token {
        let mut seed = [0; 24];
        seed[..4].copy_from_slice(&id.to_be_bytes());
        let token = Token::from_random(&seed);
        self.add_device_with(id, template, &token);
        token
    }

    /// Replace a device's token as control does: home is told first, then the index. Returns the new token. Time passes
    /// between the steps, and the old token is worth nothing once the first has been answered.
    pub fn replace_token(&mut self, id: u32, old: &Token, epoch: u16, pause_ms: u64) -> Token {
        let token = Token::from_random(&std::array::from_fn(|n| (id as usize + n * 7 + usize::from(epoch)) as u8));
        let report = self.ask(id, |request, device| Command::Revoke { request, device, token_epoch: epoch });
        assert!(matches!(report, Report::Done), "{report:?}");
        self.run_ms(pause_ms);
        let (old, new) = (digest(&self.key, old), digest(&self.key, &token));
        self.order(index_owner_of(&old, self.shards()), Command::UnindexToken(old));
        self.run_ms(pause_ms);
        let right = TokenRight { device: device_id(id), epoch };
        self.order(index_owner_of(&new, self.shards()), Command::IndexToken { digest: new, right });
        token
    }

    /// Put a device into another organization.
    pub fn move_device(&mut self, id: u32, org: OrgId, token_epoch: u16) {
        let device = device_id(id);
        self.order(home_of(device, self.shards()), Command::AddDevice { device, org, template: None, token_epoch });
    }

    /// Make a device with this token.
    pub fn add_device_with(&mut self, id: u32, template: Option<TemplateId>, token: &Token) {
        self.add_device_of(OrgId::FIRST, id, template, token);
    }

    /// Make a device of an organization, with this token.
    pub fn add_device_of(&mut self, org: OrgId, id: u32, template: Option<TemplateId>, token: &Token) {
        let device = device_id(id);
        let digest = digest(&self.key, token);
        self.order(home_of(device, self.shards()), Command::AddDevice { device, org, template, token_epoch: 0 });
        self.order(
            index_owner_of(&digest, self.shards()),
            Command::IndexToken { digest, right: TokenRight { device, epoch: 0 } },
        );
    }

    /// Give a device back what it had.
    pub fn restore(&mut self, device: u32, restored: linchpin_shard::Restored) {
        let device = device_id(device);
        let restored = Box::new(restored);
        self.order(home_of(device, self.shards()), Command::Restore { device, restored });
    }

    /// Answer a question about history.
    pub fn tell(&mut self, asker: ConnRef, reply: Reply) {
        self.order(asker.shard, Command::HistoryAnswer { asker, reply: Box::new(reply) });
    }

    /// Answer all questions for fields that only the store knows.
    pub fn tell_fields(&mut self, value: Option<&str>) {
        for ask in std::mem::take(&mut self.store.fields) {
            self.order(ask.asker.shard, Command::FieldAnswer { ask, value: value.map(Into::into) });
        }
        self.run_ms(30);
    }

    /// The store has committed all that answers wait for, or could not.
    pub fn give_answers_back(&mut self, is_stored: bool) {
        for answer in std::mem::take(&mut self.store.awaited) {
            self.order(answer.asker.shard, Command::Stored { answer, is_stored });
        }
        self.run_ms(30);
    }

    /// Wall time, ms since 1970.
    #[must_use]
    pub fn wall_ms(&self) -> u64 {
        self.now().wall.0
    }

    /// The newest entries of the diary: of one device, or of everybody.
    pub fn diary(&mut self, device: Option<u32>) -> Vec<linchpin_shard::DiaryEntry> {
        let device = device.map(device_id);
        let mut rows = Vec::new();
        for shard in (0..self.shards()).map(ShardId) {
            let request = self.next_request;
            self.next_request += 1;
            self.order(shard, Command::Diary { request: RequestId(request), device, limit: 1_000 });
            match self.reports.remove(&request) {
                Some(Report::Diary(part)) => rows.extend(part),
                other => panic!("no diary: {other:?}"),
            }
        }
        rows.sort_by_key(|row| Reverse(row.at_s));
        rows
    }

    /// Ask the home of a device something.
    pub fn ask(&mut self, device: u32, make: impl FnOnce(RequestId, DeviceId) -> Command) -> Report {
        let id = device_id(device);
        let request = self.next_request;
        self.next_request += 1;
        self.order(home_of(id, self.shards()), make(RequestId(request), id));
        self.reports.remove(&request).expect("every question is answered in the same call")
    }

    /// The home of a device.
    #[must_use]
    pub fn shard_of(&self, device: u32) -> ShardId {
        home_of(device_id(device), self.shards())
    }

    /// A device as its home knows it.
    pub fn view(&mut self, device: u32) -> linchpin_shard::DeviceView {
        match self.ask(device, |request, device| Command::Device { request, device }) {
            Report::Device(view) => *view,
            other => panic!("device {device} is not known: {other:?}"),
        }
    }

    /// The latest value of a virtual pin, as text.
    pub fn value(&mut self, device: u32, pin: u8) -> Option<String> {
        let view = self.view(device);
        let value = view.values.iter().find(|v| v.0 == linchpin_protocol::model::Pin::new_virtual(pin))?;
        Some(String::from_utf8_lossy(&value.1).into_owned())
    }

    /// Live sockets whose address has this number may see this much, from now on.
    pub fn grant(&mut self, number: usize, grant: &LiveGrant) {
        for node in &mut self.nodes {
            node.control.grants.insert(number, grant.clone());
        }
    }

    /// Rights end: all shards know of it when this returns.
    pub fn revoke(&mut self, who: WhoseRights, signs_out: bool) {
        let number = self.nodes[0].control.stamp + 1;
        for shard in 0..self.shards() {
            let request = RequestId(self.next_request);
            self.next_request += 1;
            self.nodes[usize::from(shard)].control.stamp = number;
            let revocation = Revocation { number, who, signs_out };
            self.order(ShardId(shard), Command::RevokeRights { request, revocation });
            let report = self.reports.remove(&request.0);
            assert!(matches!(report, Some(Report::Done)), "revocations are answered at once: {report:?}");
        }
    }

    /// The control plane of a shard.
    #[must_use]
    pub fn control(&self, shard: usize) -> &SimControl {
        &self.nodes[shard].control
    }

    /// All shards' counters.
    pub fn status(&mut self) -> Vec<linchpin_shard::ShardStatus> {
        (0..self.shards())
            .map(|shard| {
                let request = self.next_request;
                self.next_request += 1;
                self.order(ShardId(shard), Command::Status(RequestId(request)));
                match self.reports.remove(&request) {
                    Some(Report::Status(status)) => *status,
                    other => panic!("no status: {other:?}"),
                }
            })
            .collect()
    }

    // ---- The client's side of the network.

    /// Begin a connection from an address of the loopback network.
    pub fn connect(&mut self, address: [u8; 4]) -> Conn {
        self.connect_via(address, Via::Direct)
    }

    /// Begin a connection to a listener for load balancers.
    pub fn connect_via(&mut self, address: [u8; 4], via: Via) -> Conn {
        let conn = self.wires.len();
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(address)), 1_024 + (conn % 60_000) as u16);
        self.wires.push(Wire { window: WINDOW_BYTES, address: Some(address), via, ..Wire::default() });
        self.travel(conn, Travel::Connect);
        conn
    }

    /// Begin a connection whose handshake was recorded: both ends have its keys, which the seed chooses.
    pub fn connect_recorded(&mut self, address: [u8; 4]) -> (Conn, TlsEnd) {
        let secrets = [(); 2].map(|()| [(); 4].map(|()| self.random.bits().to_be_bytes()).concat());
        let (client, server) = recorded(&secrets);
        let conn = self.connect(address);
        self.wires[conn].recorded = Some(server);
        (conn, client)
    }

    /// Send bytes to the server.
    pub fn send(&mut self, conn: Conn, bytes: &[u8]) {
        if let Some(first) = bytes.first() {
            self.wires[conn].first.get_or_insert(*first);
            self.travel(conn, Travel::ToServer(bytes.to_vec()));
        }
    }

    /// End the client's stream.
    pub fn close(&mut self, conn: Conn) {
        self.travel(conn, Travel::EndToServer);
    }

    /// Reset the connection from the client's side.
    pub fn abort(&mut self, conn: Conn) {
        self.wires[conn].reset = true;
        self.travel(conn, Travel::ResetToServer);
    }

    /// Let the client take only so many bytes from now on before it reads.
    pub fn set_window(&mut self, conn: Conn, bytes: usize) {
        self.wires[conn].window = bytes;
        self.drain_backlog(conn);
    }

    /// Read what one read returns: the next segment, and with it what arrived at the same moment.
    pub fn read(&mut self, conn: Conn) -> Option<Vec<u8>> {
        let segment = self.wires[conn].segments.pop_front()?;
        self.wires[conn].in_flight -= segment.len();
        self.drain_backlog(conn);
        Some(segment)
    }

    /// Anything to read, or the end?
    #[must_use]
    pub fn is_over(&self, conn: Conn) -> bool {
        let wire = &self.wires[conn];
        wire.segments.is_empty() && (wire.ended || wire.reset)
    }

    fn travel(&mut self, conn: Conn, what: Travel) {
        let latency = if self.faults.latency_ms == 0 { 0 } else { self.random.below(self.faults.latency_ms + 1) };
        let wire = &mut self.wires[conn];
        let to_server =
            matches!(what, Travel::Connect | Travel::ToServer(_) | Travel::EndToServer | Travel::ResetToServer);
        // Streams do not overtake themselves.
        let last = if to_server { &mut wire.last_to_server } else { &mut wire.last_to_client };
        *last = (*last).max(self.now_ms + latency);
        let at = *last;
        self.sequence += 1;
        self.events.push(Reverse((at, self.sequence, conn, what)));
    }

    // ---- Time.

    /// Let so much time pass.
    pub fn run_ms(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while self.step(end) {}
        self.now_ms = end;
    }

    /// One step: everything that happens at the next moment. False when nothing happens before `end`.
    pub fn step(&mut self, end: u64) -> bool {
        let Some(at) = self.next_moment().filter(|at| *at <= end) else { return false };
        self.now_ms = self.now_ms.max(at);
        while let Some(Reverse((at, ..))) = self.events.peek()
            && *at <= self.now_ms
        {
            let Some(Reverse((_, _, conn, what))) = self.events.pop() else { break };
            self.arrive(conn, what);
        }
        self.accept();
        for shard in 0..self.nodes.len() {
            if self.nodes[shard].paused_until <= self.now_ms {
                self.tick(shard);
            }
            let (node, lane) = (&mut self.nodes[shard], self.ask_lane);
            node.control.step(&mut self.random, self.faults.delay, lane);
        }
        self.steps += 1;
        if self.audits_each_step || self.steps.is_multiple_of(16) {
            self.audit();
        }
        true
    }

    /// When something happens next.
    fn next_moment(&self) -> Option<u64> {
        let travel = self.events.peek().map(|Reverse((at, ..))| *at);
        let ticks = self.nodes.iter().filter_map(|node| {
            let has_work = !node.driver.completions.is_empty()
                || node.lanes.iter().any(|lane| !lane.is_empty())
                || !node.driver.readable().is_empty()
                || node.shard.has_handshakes()
                || node.control.has_work()
                || !node.control.answers.is_empty()
                || node.shard.has_ask_part() && node.control.asks.len() < self.ask_lane;
            let due = if has_work {
                Some(self.now_ms + 1)
            } else {
                node.shard.deadline().map(|at| at.0.max(self.now_ms + 1))
            };
            due.map(|at| at.max(node.paused_until))
        });
        // A slot that has become free takes who waits in the kernel: the driver needs no timer of the shard for it.
        let has_place = |conn: &Conn| self.nodes[self.accepting_shard(*conn)].driver.has_room();
        let accepts = self.backlog.iter().any(has_place).then(|| self.now_ms + 1);
        ticks.chain(travel).chain(accepts).min()
    }

    /// # Panics
    /// When an invariant of a shard does not hold.
    pub fn audit(&self) {
        for (at, node) in self.nodes.iter().enumerate() {
            if let Err(what) = node.shard.audit() {
                panic!("shard {at} at {} ms: {what}", self.now_ms);
            }
        }
    }

    /// Nothing is left of any connection, anywhere.
    ///
    /// # Panics
    /// When something is.
    pub fn expect_empty(&mut self) {
        self.audit();
        for (at, status) in self.status().into_iter().enumerate() {
            assert_eq!((status.connections, status.online, status.ledger_bytes), (0, 0, 0), "shard {at}: {status:?}");
            assert_eq!((status.asks_under_way, status.ask_bytes), (0, 0), "shard {at}: {status:?}");
            let live = (status.live_sockets, status.live_watched, status.live_watchers, status.live_bytes);
            assert_eq!(live, (0, 0, 0, 0), "shard {at}: {status:?}");
            assert_eq!(self.nodes[at].driver.used(), 0, "shard {at} leaked a slot: {:?}", self.nodes[at].driver);
        }
    }

    fn note(&mut self, words: &[u64]) {
        for byte in words.iter().flat_map(|word| word.to_le_bytes()) {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    // ---- The network's other end.

    fn holder(&self, conn: Conn) -> Option<(usize, Slot)> {
        self.wires[conn].place
    }

    fn arrive(&mut self, conn: Conn, what: Travel) {
        self.note(&[1, self.now_ms, conn as u64]);
        match what {
            Travel::Connect => self.backlog.push_back(conn),
            Travel::ToClient(bytes) => {
                if !self.wires[conn].reset {
                    self.wires[conn].segments.push_back(bytes);
                }
            }
            Travel::EndToClient => self.wires[conn].ended = true,
            Travel::ResetToClient => self.wires[conn].reset = true,
            Travel::ToServer(_) | Travel::EndToServer | Travel::ResetToServer => self.at_server(conn, what),
        }
    }

    fn at_server(&mut self, conn: Conn, what: Travel) {
        let Some((shard, slot)) = self.holder(conn) else {
            if self.backlog.contains(&conn) {
                // Not accepted yet: the kernel keeps it, in order.
                self.wires[conn].early.push(what);
            } else if !self.wires[conn].ended {
                self.wires[conn].reset = true;
            }
            return;
        };
        let breaks = self.random.chance(self.faults.reset);
        let Some(socket) = self.nodes[shard].driver.get(slot) else { return };
        match what {
            Travel::ToServer(bytes) => socket.unread.extend(bytes),
            Travel::EndToServer => socket.ended = true,
            _ => {
                socket.reset = true;
                // The kernel gives up on what it was to send.
                if socket.closing {
                    return self.finish_close(shard, slot, true);
                }
                if !socket.backlog.is_empty() && socket.armed.is_none() && !std::mem::replace(&mut socket.told, true) {
                    socket.backlog.clear();
                    self.nodes[shard].driver.completions.push_back(Completion::Failed(slot));
                    return;
                }
            }
        }
        if breaks {
            socket.reset = true;
            socket.unread.clear();
            self.wires[conn].reset = true;
        }
    }

    /// The shard that the kernel's hash of the addresses gives a connection to.
    fn accepting_shard(&self, conn: Conn) -> usize {
        (conn as u64).wrapping_mul(0x9E37_79B9) as usize % self.nodes.len()
    }

    fn accept(&mut self) {
        for _ in 0..self.backlog.len() {
            let Some(conn) = self.backlog.pop_front() else { return };
            let shard = self.accepting_shard(conn);
            match self.nodes[shard].driver.insert(Socket::new(conn)) {
                Ok(slot) => {
                    self.wires[conn].place = Some((shard, slot));
                    self.nodes[shard].driver.completions.push_back(Completion::Accepted(slot));
                    for what in std::mem::take(&mut self.wires[conn].early) {
                        self.at_server(conn, what);
                    }
                }
                Err(socket) => self.backlog.push_back(socket.conn),
            }
        }
    }
}

fn now_at(ms: u64) -> Now {
    Now { mono: Millis(ms), wall: UnixMillis(WALL_START_MS + ms) }
}

fn device_id(id: u32) -> DeviceId {
    DeviceId::new(id).expect("device ids start at 1")
}

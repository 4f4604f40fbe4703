//! The world: time, network and the tick of every shard.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use linchpin_protocol::model::{DeviceId, Millis, Now, Template, TemplateId, Token, UnixMillis};
use linchpin_shard::{
    Command, Effect, Effects, End, Input, Letter, Report, RequestId, Settings, Shard, ShardId, ShardOptions, Slot, Via,
    WatchedFrame, digest, home_of, index_owner_of,
};

use crate::Random;
use crate::driver::{Completion, Conn, SimDriver, Socket};

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
}

impl Default for WorldOptions {
    fn default() -> Self {
        Self { seed: 1, shards: 2, slots: 1_000, lane: 1_024, faults: Faults::default(), settings: Settings::default() }
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
    via: Via,
    /// Which shard's driver has it, and where.
    place: Option<(usize, Slot)>,
}

struct Node {
    shard: Shard,
    driver: SimDriver,
    fx: Effects,
    /// Letters by sender.
    lanes: Vec<VecDeque<Letter>>,
    paused_until: u64,
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
    /// Frames of watched devices.
    pub watched: Vec<WatchedFrame>,
    now_ms: u64,
    nodes: Vec<Node>,
    lane: usize,
    events: BinaryHeap<Reverse<(u64, u64, Conn, Travel)>>,
    sequence: u64,
    /// Accepted by the kernel, by no shard yet.
    backlog: VecDeque<Conn>,
    reports: BTreeMap<u64, Report>,
    next_request: u64,
    key: [u8; 32],
    steps: u64,
    /// The kernel always takes whole sends: then frames arrive whole.
    pub sends_whole: bool,
    /// Frames that left with a segment border in them although nothing was blocked.
    pub torn_sends: u64,
}

/// Wall time when the virtual clock is 0.
const WALL_START_MS: u64 = 1_790_000_000_000;
/// What a client's socket takes before it reads.
const WINDOW_BYTES: usize = 64 * 1024;

impl World {
    /// Shards without devices.
    #[must_use]
    pub fn new(options: &WorldOptions) -> Self {
        let mut random = Random::new(options.seed);
        let key = [random.bits() as u8; 32];
        let now_ms = 1_000;
        let nodes = (0..options.shards).map(|id| Node {
            shard: Shard::new(
                ShardOptions {
                    id: ShardId(id),
                    shards: options.shards,
                    slots: options.slots as u32,
                    seed: [7; 16],
                    digest_key: key,
                    settings: options.settings.clone(),
                },
                now_at(now_ms),
            ),
            driver: SimDriver::new(options.slots),
            fx: Effects::new(),
            lanes: (0..options.shards).map(|_| VecDeque::new()).collect(),
            paused_until: 0,
        });
        Self {
            nodes: nodes.collect(),
            random,
            faults: options.faults.clone(),
            ends: Vec::new(),
            trace: 0xcbf2_9ce4_8422_2325,
            wires: Vec::new(),
            watched: Vec::new(),
            now_ms,
            lane: options.lane,
            events: BinaryHeap::new(),
            sequence: 0,
            backlog: VecDeque::new(),
            reports: BTreeMap::new(),
            next_request: 1,
            key,
            steps: 0,
            sends_whole: options.faults.short_send == 0,
            torn_sends: 0,
        }
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
        let now = now_at(self.now_ms);
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
        let device = device_id(id);
        let mut seed = [0; 24];
        seed[..4].copy_from_slice(&id.to_be_bytes());
        let token = Token::from_random(&seed);
        let digest = digest(&self.key, &token);
        self.order(home_of(device, self.shards()), Command::AddDevice { device, template });
        self.order(index_owner_of(&digest, self.shards()), Command::IndexToken { digest, device });
        token
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

    /// Send bytes to the server.
    pub fn send(&mut self, conn: Conn, bytes: &[u8]) {
        if !bytes.is_empty() {
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
        }
        self.steps += 1;
        if self.steps.is_multiple_of(16) {
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
                || !node.driver.readable().is_empty();
            let due = if has_work {
                Some(self.now_ms + 1)
            } else {
                node.shard.deadline().map(|at| at.0.max(self.now_ms + 1))
            };
            due.map(|at| at.max(node.paused_until))
        });
        ticks.chain(travel).min()
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
                // Not accepted yet: the kernel keeps it.
                self.sequence += 1;
                self.events.push(Reverse((self.now_ms + 1, self.sequence, conn, what)));
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
            _ => socket.reset = true,
        }
        if breaks {
            socket.reset = true;
            socket.unread.clear();
            self.wires[conn].reset = true;
        }
    }

    fn accept(&mut self) {
        for _ in 0..self.backlog.len() {
            let Some(conn) = self.backlog.pop_front() else { return };
            // The kernel's hash of the addresses.
            let shard = (conn as u64).wrapping_mul(0x9E37_79B9) as usize % self.nodes.len();
            match self.nodes[shard].driver.insert(Socket::new(conn)) {
                Ok(slot) => {
                    self.wires[conn].place = Some((shard, slot));
                    self.nodes[shard].driver.completions.push_back(Completion::Accepted(slot));
                }
                Err(socket) => self.backlog.push_back(socket.conn),
            }
        }
    }

    // ---- The tick, as the engine's core does it.

    fn tick(&mut self, shard: usize) {
        if self.random.chance(self.faults.pause) {
            self.nodes[shard].paused_until = self.now_ms + self.random.between(1, 3_000);
            return;
        }
        let now = now_at(self.now_ms);
        self.completions(shard, now);
        self.receives(shard, now);
        self.letters(shard, now);
        let node = &mut self.nodes[shard];
        if node.shard.deadline().is_some_and(|at| at <= now.mono) {
            node.shard.handle(now, Input::Timer, &mut node.fx);
        }
        self.carry_out(shard);
    }

    fn completions(&mut self, shard: usize, now: Now) {
        for _ in 0..self.nodes[shard].driver.completions.len() {
            if self.random.chance(self.faults.delay) {
                return;
            }
            let Some(completion) = self.nodes[shard].driver.completions.pop_front() else { return };
            let input = match completion {
                Completion::Accepted(slot) => {
                    let Some(conn) = self.nodes[shard].driver.get(slot).map(|s| s.conn) else { continue };
                    let peer = self.wires[conn].address.expect("every wire has an address");
                    Input::Accepted { slot, peer, via: self.wires[conn].via }
                }
                Completion::Blocked(slot) => Input::Blocked { slot },
                Completion::Drained(slot) => Input::Drained { slot },
                Completion::Closed(slot) => {
                    self.nodes[shard].driver.rested();
                    Input::Closed { slot }
                }
                Completion::Arrived(token, slot) => Input::Arrived { token, slot },
                Completion::TransferFailed(token, slot) => Input::TransferFailed { token, slot },
            };
            let node = &mut self.nodes[shard];
            node.shard.handle(now, input, &mut node.fx);
        }
    }

    /// Receives of all readable sockets, in a random order, cut anywhere.
    fn receives(&mut self, shard: usize, now: Now) {
        let mut slots = self.nodes[shard].driver.readable();
        for at in (1..slots.len()).rev() {
            slots.swap(at, self.random.below(at as u64 + 1) as usize);
        }
        for slot in slots {
            if self.random.chance(self.faults.delay) {
                continue;
            }
            let most = if self.random.chance(self.faults.split) { self.random.between(1, 9) as usize } else { 512 };
            let Some(socket) = self.nodes[shard].driver.get(slot) else { continue };
            if socket.closing {
                continue;
            }
            if socket.armed == Some(linchpin_shard::Receive::Once) || socket.reset || socket.unread.is_empty() {
                socket.armed = None;
            }
            let input_bytes: Vec<u8> = if socket.reset {
                Vec::new()
            } else {
                let n = socket.unread.len().min(most);
                socket.unread.drain(..n).collect()
            };
            let reset = socket.reset;
            socket.told |= input_bytes.is_empty();
            self.note(&[2, shard as u64, u64::from(slot.0), input_bytes.len() as u64]);
            let mut buffer = input_bytes;
            let node = &mut self.nodes[shard];
            let input = match (reset, buffer.is_empty()) {
                (true, _) => Input::Failed { slot, errno: 104 },
                (false, true) => Input::PeerClosed { slot },
                (false, false) => Input::Received { slot, bytes: &mut buffer },
            };
            node.shard.handle(now, input, &mut node.fx);
        }
    }

    fn letters(&mut self, shard: usize, now: Now) {
        for from in 0..self.nodes.len() {
            while !self.nodes[shard].lanes[from].is_empty() && !self.random.chance(self.faults.delay) {
                let node = &mut self.nodes[shard];
                let Some(letter) = node.lanes[from].pop_front() else { break };
                node.shard.handle(now, Input::Letter { from: ShardId(from as u16), letter }, &mut node.fx);
            }
        }
    }

    fn carry_out(&mut self, shard: usize) {
        for _ in 0..4 {
            if self.nodes[shard].fx.is_empty() {
                return;
            }
            let mut fx = std::mem::take(&mut self.nodes[shard].fx);
            let mut closes = Vec::new();
            let mut undelivered = Vec::new();
            for effect in std::mem::take(&mut fx.list) {
                self.effect(shard, effect, &mut closes, &mut undelivered);
            }
            let mut seen = Vec::new();
            for range in &fx.sends {
                assert!(!seen.contains(&range.slot), "two sends of one socket in one tick");
                seen.push(range.slot);
                self.flush(shard, range.slot, &fx.arena[range.start as usize..range.end as usize]);
            }
            for (slot, abort) in closes {
                self.close_slot(shard, slot, abort);
            }
            fx.clear();
            let now = now_at(self.now_ms);
            for (to, letter) in undelivered {
                self.nodes[shard].shard.handle(now, Input::Undelivered { to, letter }, &mut fx);
            }
            self.nodes[shard].fx = fx;
        }
    }

    fn effect(
        &mut self,
        shard: usize,
        effect: Effect,
        closes: &mut Vec<(Slot, bool)>,
        back: &mut Vec<(ShardId, Letter)>,
    ) {
        match effect {
            Effect::Arm { slot, receive } => {
                let socket = self.nodes[shard].driver.get(slot).expect("only open connections are armed");
                assert!(socket.armed.is_none(), "{slot:?} of shard {shard} is armed twice");
                socket.armed = Some(receive);
            }
            Effect::Close { slot } => closes.push((slot, false)),
            Effect::Abort { slot } => closes.push((slot, true)),
            Effect::Letter { to, letter } => {
                if let Err(letter) = self.post(shard, to, letter) {
                    back.push((to, letter));
                }
            }
            Effect::Transfer { slot, to, token, cargo } => {
                match self.post(shard, to, Letter::Moving { token, cargo }) {
                    Ok(()) => self.transfer(shard, slot, to, token),
                    Err(letter) => back.push((to, letter)),
                }
            }
            Effect::Report { report: Report::Frame(frame), .. } => self.watched.push(*frame),
            Effect::Report { to, report } => drop(self.reports.insert(to.0, report)),
            Effect::Ended { device, end, slot } => {
                self.note(&[3, shard as u64, u64::from(slot.0), u64::from(end.number())]);
                self.ends.push((device, end));
            }
        }
    }

    fn post(&mut self, from: usize, to: ShardId, letter: Letter) -> Result<(), Letter> {
        assert_ne!(from, to.index(), "a shard writes to itself");
        let lane = &mut self.nodes[to.index()].lanes[from];
        if lane.len() >= self.lane {
            return Err(letter);
        }
        lane.push_back(letter);
        Ok(())
    }

    fn transfer(&mut self, shard: usize, slot: Slot, to: ShardId, token: u64) {
        let socket = self.nodes[shard].driver.remove(slot).expect("only open connections move");
        assert!(socket.armed.is_none(), "an armed connection moves");
        let conn = socket.conn;
        match self.nodes[to.index()].driver.insert(socket) {
            Ok(there) => {
                self.wires[conn].place = Some((to.index(), there));
                self.nodes[to.index()].driver.completions.push_back(Completion::Arrived(token, there));
            }
            Err(socket) => {
                let driver = &mut self.nodes[shard].driver;
                driver.restore(slot, socket);
                driver.completions.push_back(Completion::TransferFailed(token, slot));
            }
        }
    }

    /// What the kernel takes of a send, and what happens to the rest.
    fn flush(&mut self, shard: usize, slot: Slot, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let short = self.random.chance(self.faults.short_send);
        let cut = self.random.below(bytes.len() as u64 + 1) as usize;
        let Some(socket) = self.nodes[shard].driver.get(slot) else { return };
        let conn = socket.conn;
        if !socket.backlog.is_empty() {
            // `Blocked` is on its way to the shard: the driver appends.
            return socket.backlog.extend_from_slice(bytes);
        }
        let wire = &self.wires[conn];
        let room = wire.window.saturating_sub(wire.in_flight).min(bytes.len());
        let taken = if short { room.min(cut) } else { room };
        if taken < bytes.len() {
            socket.backlog.extend_from_slice(&bytes[taken..]);
            self.nodes[shard].driver.completions.push_back(Completion::Blocked(slot));
            if short {
                // Nothing but a moment of the socket: it takes the rest soon.
                let wire = &mut self.wires[conn];
                wire.window = wire.window.max(bytes.len() + wire.in_flight);
            }
        } else if !is_whole(bytes) {
            self.torn_sends += 1;
        }
        self.deliver(conn, &bytes[..taken]);
        self.drain_backlog(conn);
    }

    fn deliver(&mut self, conn: Conn, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.wires[conn].in_flight += bytes.len();
            self.travel(conn, Travel::ToClient(bytes.to_vec()));
        }
    }

    fn drain_backlog(&mut self, conn: Conn) {
        let Some((shard, slot)) = self.holder(conn) else { return };
        let wire = &self.wires[conn];
        let room = wire.window.saturating_sub(wire.in_flight);
        let Some(socket) = self.nodes[shard].driver.get(slot) else { return };
        if socket.backlog.is_empty() || room == 0 {
            return;
        }
        let n = room.min(socket.backlog.len());
        let bytes: Vec<u8> = socket.backlog.drain(..n).collect();
        let (is_done, closing) = (socket.backlog.is_empty(), socket.closing);
        self.deliver(conn, &bytes);
        if is_done && closing {
            self.finish_close(shard, slot, false);
        } else if is_done {
            self.nodes[shard].driver.completions.push_back(Completion::Drained(slot));
        }
    }

    fn close_slot(&mut self, shard: usize, slot: Slot, abort: bool) {
        let Some(socket) = self.nodes[shard].driver.get(slot) else {
            panic!("{slot:?} of shard {shard} is closed twice")
        };
        if !abort && !socket.backlog.is_empty() && !socket.reset {
            socket.closing = true;
            return;
        }
        self.finish_close(shard, slot, abort);
    }

    fn finish_close(&mut self, shard: usize, slot: Slot, abort: bool) {
        let Some(socket) = self.nodes[shard].driver.remove(slot) else { return };
        self.wires[socket.conn].place = None;
        // Unread bytes turn a close into a reset, as the kernel does.
        let resets = abort || !socket.unread.is_empty();
        self.travel(socket.conn, if resets { Travel::ResetToClient } else { Travel::EndToClient });
    }
}

/// Only whole frames?
fn is_whole(mut bytes: &[u8]) -> bool {
    use linchpin_protocol::blynk::{Split, split};
    while !bytes.is_empty() {
        match split(bytes, usize::from(u16::MAX)) {
            Ok(Split::Frame { used, .. }) => bytes = &bytes[used..],
            // An HTTP answer or a TLS alert.
            _ => return bytes.starts_with(b"HTTP/1.1 ") || bytes.starts_with(&[21, 3, 3]),
        }
    }
    true
}

fn now_at(ms: u64) -> Now {
    Now { mono: Millis(ms), wall: UnixMillis(WALL_START_MS + ms) }
}

fn device_id(id: u32) -> DeviceId {
    DeviceId::new(id).expect("device ids start at 1")
}

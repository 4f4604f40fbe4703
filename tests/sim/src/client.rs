//! Simulated devices: libraries as they behave, and peers that mean no good.

use linchpin_protocol::blynk::{DeviceEvent, DeviceOptions, DeviceSession, LoginCommand, Split, split};
use linchpin_protocol::model::{Millis, Pin, Token};

use crate::World;
use crate::driver::Conn;
use crate::http_client::HttpSide;
use crate::mqtt_client::MqttSide;
use crate::script::frame;
use crate::tls::TlsEnd;

/// What a client is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The C++ library: 6 s timeout, retry after 5 s, pings, reads everything.
    Library,
    /// A program that speaks HTTP: long and chunked bodies, pipelined requests; retries after 1 s.
    Http,
    /// Speaks MQTT, one version or the other: writes at all QoS, retries after 1 s.
    Mqtt,
    /// blynklib: logs in with command 2 and reads only the first frame of what arrives at once.
    FirstFrame,
    /// Like the library, but reads rarely.
    SlowReader,
    /// Sends parts of frames and vanishes.
    Cutter,
    /// Sends bytes that are no frames.
    Garbage,
    /// Logs in with tokens that nobody has.
    Guesser,
    /// Connects and says nothing.
    Mute,
    /// Sends far more than its quota.
    Flooder,
    /// Logs in and is cut off from the network: nothing comes, nothing goes, nobody is told.
    Sleeper,
}

impl Kind {
    /// Does it behave, so that the server owes it service?
    #[must_use]
    pub const fn is_healthy(self) -> bool {
        matches!(self, Self::Library | Self::FirstFrame | Self::Mqtt | Self::Http)
    }
}

/// One device.
#[derive(Debug)]
pub struct Client {
    /// What it is like.
    pub kind: Kind,
    /// Its device.
    pub device: u32,
    token: Token,
    options: DeviceOptions,
    session: DeviceSession,
    mqtt: MqttSide,
    http: HttpSide,
    /// It speaks TLS, after a handshake that was recorded.
    pub speaks_tls: bool,
    tls: Option<TlsEnd>,
    /// Its connection.
    pub conn: Option<Conn>,
    /// It logged in and was introduced.
    pub is_ready: bool,
    /// When it connects or acts next.
    pub next_ms: u64,
    period_ms: u64,
    /// When it began to try without success.
    pub trying_since_ms: Option<u64>,
}

/// Time between two attempts of the C++ library.
const RETRY_MS: u64 = 5_000;
/// The same of MQTT clients.
const MQTT_RETRY_MS: u64 = 1_000;

impl Client {
    /// Make one; `period_ms` is the time between its writes.
    #[must_use]
    pub fn new(kind: Kind, device: u32, token: Token, first_ms: u64, period_ms: u64) -> Self {
        let login_command = if kind == Kind::FirstFrame { LoginCommand::Old } else { LoginCommand::Current };
        let heartbeat_s = if matches!(kind, Kind::FirstFrame | Kind::Sleeper) { 10 } else { 40 };
        let options = DeviceOptions { login_command, heartbeat_s, ..DeviceOptions::default() };
        Self {
            kind,
            device,
            token,
            options,
            session: DeviceSession::new(),
            mqtt: MqttSide::default(),
            http: HttpSide::default(),
            speaks_tls: false,
            tls: None,
            conn: None,
            is_ready: false,
            next_ms: first_ms,
            period_ms,
            trying_since_ms: Some(first_ms),
        }
    }

    /// When it must run at the latest.
    #[must_use]
    pub fn due_ms(&self) -> u64 {
        let timer = if self.conn.is_some() { self.session.deadline(&self.options).0 } else { u64::MAX };
        self.next_ms.min(timer)
    }

    /// Read, act, write. `count` numbers the writes of its device.
    pub fn run(&mut self, world: &mut World, count: &mut u64) {
        let Some(conn) = self.conn else {
            if self.next_ms <= world.now_ms() {
                self.connect(world);
            }
            return;
        };
        if self.kind == Kind::Sleeper && self.is_ready && !world.is_over(conn) {
            return;
        }
        if self.kind != Kind::SlowReader || !self.is_ready || world.random.chance(1) {
            self.read(world, conn);
        }
        if self.conn.is_some() && world.is_over(conn) {
            self.hang_up(world);
        }
        let mut out = Vec::new();
        if self.conn.is_some() && self.uses_session() {
            let now = Millis(world.now_ms());
            if self.session.on_timer(now, &self.options, &mut out).is_err() {
                world.abort(conn);
                return self.hang_up(world);
            }
            self.transmit(world, conn, &out);
        }
        if self.conn.is_some() && self.next_ms <= world.now_ms() {
            self.act(world, conn, count);
        }
    }

    const fn uses_session(&self) -> bool {
        matches!(self.kind, Kind::Library | Kind::FirstFrame | Kind::SlowReader | Kind::Flooder | Kind::Sleeper)
    }

    fn connect(&mut self, world: &mut World) {
        let host = self.device.to_be_bytes();
        let address = [127, host[1], host[2], host[3].max(1)];
        let (conn, tls) = if self.speaks_tls {
            let (conn, tls) = world.connect_recorded(address);
            (conn, Some(tls))
        } else {
            (world.connect(address), None)
        };
        (self.conn, self.tls) = (Some(conn), tls);
        self.is_ready = false;
        self.next_ms = world.now_ms() + self.period_ms;
        if self.kind == Kind::SlowReader {
            world.set_window(conn, 600);
        }
        if self.uses_session() {
            let mut out = Vec::new();
            self.session = DeviceSession::new();
            self.session.start(Millis(world.now_ms()), &self.options, &self.token, &mut out);
            self.transmit(world, conn, &out);
        }
        if self.kind == Kind::Http {
            self.http = HttpSide::default();
            self.next_ms = world.now_ms();
        }
        if self.kind == Kind::Mqtt {
            self.mqtt = MqttSide::start(world, conn, self.device, &self.token);
        }
    }

    /// The connection is over: try again as the library does.
    pub fn hang_up(&mut self, world: &World) {
        self.conn = None;
        self.is_ready = false;
        self.trying_since_ms.get_or_insert(world.now_ms());
        let is_quick = matches!(self.kind, Kind::Mqtt | Kind::Http);
        self.next_ms = world.now_ms() + if is_quick { MQTT_RETRY_MS } else { RETRY_MS };
    }

    /// Send, sealed if TLS is spoken.
    fn transmit(&mut self, world: &mut World, conn: Conn, bytes: &[u8]) {
        match &mut self.tls {
            Some(tls) if !bytes.is_empty() => world.send(conn, &tls.seal(bytes)),
            _ => world.send(conn, bytes),
        }
    }

    /// What a segment says; `None`: the server has ended it with an alert.
    fn open(&mut self, segment: Vec<u8>) -> Option<Vec<u8>> {
        let Some(tls) = &mut self.tls else { return Some(segment) };
        let opened = tls.open(segment);
        assert!(opened.is_ok() || !self.kind.is_healthy(), "{:?} hears {opened:?}", self.kind);
        opened.ok()
    }

    fn read(&mut self, world: &mut World, conn: Conn) {
        while let Some(segment) = world.read(conn) {
            let Some(mut segment) = self.open(segment) else {
                world.abort(conn);
                return self.hang_up(world);
            };
            if segment.is_empty() {
                continue;
            }
            if self.kind == Kind::Http && self.http.take(&segment) {
                self.is_ready = true;
                self.trying_since_ms = None;
            }
            if self.kind == Kind::Mqtt && self.mqtt.take(world, conn, &segment) {
                self.is_ready = true;
                self.trying_since_ms = None;
            }
            if !self.uses_session() {
                continue;
            }
            if self.kind == Kind::FirstFrame && world.sends_whole {
                segment = first_frame(&segment);
            }
            let (mut out, mut introduced) = (Vec::new(), false);
            let on = &mut |event: DeviceEvent<'_>| introduced |= event == DeviceEvent::InfoAccepted;
            let now = Millis(world.now_ms());
            let result = self.session.on_bytes(now, &self.options, &segment, &mut out, on);
            self.transmit(world, conn, &out);
            if introduced {
                self.is_ready = true;
                self.trying_since_ms = None;
            }
            if result.is_err() {
                world.abort(conn);
                return self.hang_up(world);
            }
        }
    }

    fn act(&mut self, world: &mut World, conn: Conn, count: &mut u64) {
        self.next_ms = world.now_ms() + self.period_ms;
        match self.kind {
            Kind::Library | Kind::FirstFrame => self.write(world, conn, count, 1),
            Kind::SlowReader => self.write(world, conn, count, 20),
            Kind::Sleeper => {}
            Kind::Http if self.http.is_lost(world.now_ms()) => {
                world.abort(conn);
                self.hang_up(world);
            }
            Kind::Http => {
                let request = self.http.ask(world, &self.token);
                self.transmit(world, conn, &request);
            }
            Kind::Mqtt if self.mqtt.is_lost(world.now_ms()) => {
                world.abort(conn);
                self.hang_up(world);
            }
            Kind::Mqtt if self.is_ready => {
                *count += 1;
                self.mqtt.write(world, conn, &format!("{count:012}"));
            }
            Kind::Mqtt => {}
            Kind::Flooder => self.write(world, conn, count, 400),
            Kind::Mute => {}
            Kind::Guesser => {
                let seed = [world.random.bits() as u8; 24];
                self.transmit(world, conn, &frame(29, 1, Token::from_random(&seed).expose().as_bytes()));
            }
            Kind::Garbage => {
                let mut bytes: Vec<u8> = (0..world.random.between(1, 60)).map(|_| world.random.bits() as u8).collect();
                if world.random.chance(300) {
                    bytes[0] = 20;
                }
                world.send(conn, &bytes);
            }
            Kind::Cutter => self.cut(world, conn),
        }
    }

    fn write(&mut self, world: &mut World, conn: Conn, count: &mut u64, writes: u32) {
        if !self.is_ready {
            return;
        }
        let (mut out, now) = (Vec::new(), Millis(world.now_ms()));
        for _ in 0..writes {
            *count += 1;
            self.session.write(now, Pin::new_virtual(1), format!("{count:012}").as_bytes(), &mut out);
        }
        if self.kind == Kind::SlowReader {
            // Asks much and does not listen.
            for _ in 0..30 {
                self.session.sync(now, &[Pin::new_virtual(1)], &mut out);
            }
        }
        match world.random.below(6) {
            0 => self.session.sync(now, &[], &mut out),
            1 => self.session.property(now, &[1], "label", b"sim", &mut out),
            2 => self.session.event(now, "tick", None, &mut out),
            3 => self.session.internal(now, &[b"utc", b"time"], &mut out),
            _ => 0,
        };
        self.transmit(world, conn, &out);
    }

    /// A good conversation that is cut at a random byte.
    fn cut(&mut self, world: &mut World, conn: Conn) {
        let mut bytes = frame(29, 1, self.token.expose().as_bytes());
        bytes.extend(frame(17, 2, b"ver\x001.0\0h-beat\x0010"));
        for id in 3..10 {
            bytes.extend(frame(20, id, b"vw\x009\0cut"));
        }
        bytes.extend(frame(16, 11, b""));
        if let Some(tls) = &mut self.tls {
            bytes = tls.seal(&bytes);
        }
        let at = world.random.below(bytes.len() as u64) as usize;
        world.send(conn, &bytes[..at]);
        if world.random.chance(500) {
            world.abort(conn)
        } else {
            world.close(conn)
        }
        self.hang_up(world);
    }
}

/// What blynklib looks at. The server must never give it more.
fn first_frame(segment: &[u8]) -> Vec<u8> {
    match split(segment, usize::from(u16::MAX)) {
        Ok(Split::Frame { used, .. }) => {
            assert_eq!(used, segment.len(), "a client that reads one frame a read got more: {segment:?}");
            segment.to_vec()
        }
        other => panic!("a client that needs whole frames got {other:?}"),
    }
}

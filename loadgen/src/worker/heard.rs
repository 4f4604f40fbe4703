//! What the server says.

use linchpin_driver::{ConnId, Event, Mode};
use linchpin_protocol::Status;
use linchpin_protocol::blynk::{DeviceEnd, DeviceEvent};
use linchpin_protocol::model::Pin;

use super::crew::{Crew, millis};
use super::device::ClientStage;
use super::effects::ConnectionOwner;
use super::pending::{by_id, by_stamp};
use super::session::Session;
use super::value;
use super::wire::Broken;
use crate::recorder::Metric;
use crate::scenario::Transport;

/// The part of an event that outlives its bytes.
enum Heard {
    LoggedIn,
    Answer { id: u16, is_ok: bool },
    Write { id: u16, pin: Pin, stamp: Option<u64>, value: Vec<u8> },
}

impl Crew {
    /// Something happened to a connection.
    pub(crate) fn on_event(&mut self, event: Event<'_>, now_ns: u64) {
        match event {
            Event::Connected { conn } => self.connected(conn, now_ns),
            Event::Received { conn, bytes } => match self.owner(conn) {
                ConnectionOwner::Device(at) => self.received(at, conn, bytes, now_ns),
                ConnectionOwner::Http(at) => self.http_received(at, bytes, now_ns),
                ConnectionOwner::Half | ConnectionOwner::Nobody => {}
            },
            Event::ConnectFailed { conn, errno } => {
                let owner = self.owner(conn);
                if owner != ConnectionOwner::Nobody {
                    // `lost` counts the failure; only the reason is noted here.
                    self.no_connection(errno);
                    self.sheet.counts.connect_failed -= 1;
                    self.ended(owner, now_ns);
                }
            }
            Event::EndOfStream { conn } | Event::Failed { conn, .. } => {
                let owner = self.owner(conn);
                if owner == ConnectionOwner::Half {
                    // The server gave up first, as it should.
                    self.owners[conn.index()] = ConnectionOwner::Nobody;
                    self.fx.closes.push((conn, true));
                } else {
                    self.ended(owner, now_ns);
                }
            }
            Event::Blocked { conn, .. } => self.set_blocked(conn, true),
            Event::Drained { conn } => self.set_blocked(conn, false),
            _ => {}
        }
    }

    fn owner(&self, conn: ConnId) -> ConnectionOwner {
        self.owners.get(conn.index()).copied().unwrap_or(ConnectionOwner::Nobody)
    }

    fn set_blocked(&mut self, conn: ConnId, is_blocked: bool) {
        if let ConnectionOwner::Device(at) = self.owner(conn) {
            self.devices[at as usize].is_blocked = is_blocked;
        }
    }

    fn ended(&mut self, owner: ConnectionOwner, now_ns: u64) {
        match owner {
            ConnectionOwner::Device(at) => self.lost(at, now_ns),
            ConnectionOwner::Http(at) => self.http_ended(at, now_ns),
            ConnectionOwner::Half | ConnectionOwner::Nobody => {}
        }
    }

    fn connected(&mut self, conn: ConnId, now_ns: u64) {
        let at = match self.owner(conn) {
            ConnectionOwner::Device(at) => at,
            ConnectionOwner::Http(at) => return self.http_connected(at, conn, now_ns),
            ConnectionOwner::Half => return self.half(conn),
            ConnectionOwner::Nobody => return,
        };
        let device = &mut self.devices[at as usize];
        let transport = self.crowds[usize::from(device.group)].transport;
        self.sheet.answer(Metric::Connect, device.intended_ns, device.since_ns, now_ns);
        (device.since_ns, device.stage, device.is_armed) = (now_ns, ClientStage::Shaking, true);
        self.fx.arms.push((conn, if self.is_single { Mode::Once } else { Mode::Multi }));
        let start = self.fx.arena.len();
        match device.wire.open(&mut self.bench, (transport, device.group), &mut self.fx.arena) {
            Ok(is_ready) => {
                self.fx.send(conn, start);
                if is_ready {
                    self.log_in(at, now_ns);
                }
            }
            Err(_) => self.lost(at, now_ns),
        }
    }

    /// The first bytes of a login or handshake, and no more.
    fn half(&mut self, conn: ConnId) {
        let start = self.fx.arena.len();
        let is_tls = self.crowds.iter().any(|crowd| crowd.transport.is_tls());
        let bytes: &[u8] = match self.crowds.first() {
            _ if is_tls => &[0x16, 3, 1, 2, 0, 1],
            Some(crowd) if crowd.transport.is_mqtt() => b"\x10\x20\x00\x04MQ",
            _ => &[0x1d, 0, 1, 0, 0x20, b'x'],
        };
        self.fx.arena.extend_from_slice(bytes);
        self.fx.send(conn, start);
        self.fx.arms.push((conn, Mode::Multi));
        self.sheet.counts.half_open += 1;
    }

    fn log_in(&mut self, at: u32, now_ns: u64) {
        let device = &mut self.devices[at as usize];
        device.stage = ClientStage::LoggingIn;
        let Some(token) = self.keys.token(at).copied() else { return self.log_in_mqtt(at, now_ns) };
        let options = self.crowds[usize::from(device.group)].options.clone();
        self.tell_blynk(at, now_ns, |session, now, out| session.start(now, &options, &token, out));
    }

    fn received(&mut self, at: u32, conn: ConnId, bytes: &mut [u8], now_ns: u64) {
        if self.is_single {
            let device = &mut self.devices[at as usize];
            device.is_armed = !device.is_deaf;
            if !device.is_deaf {
                self.fx.arms.push((conn, Mode::Once));
            }
        }
        let device = &mut self.devices[at as usize];
        if device.wire.is_plain() {
            return self.session_received(at, bytes, now_ns);
        }
        let mut plain = Vec::new();
        let start = self.fx.arena.len();
        let result = device.wire.receive(&mut self.bench, bytes, &mut plain, &mut self.fx.arena);
        self.fx.send(conn, start);
        match result {
            Ok(done) => {
                if done.tls_done {
                    self.sheet.counts.tls_resumed += u64::from(done.is_resumed);
                    self.sheet.answer(Metric::Tls, device.since_ns, device.since_ns, now_ns);
                    device.since_ns = now_ns;
                }
                if done.ready {
                    self.log_in(at, now_ns);
                }
                if !plain.is_empty() {
                    self.session_received(at, &plain, now_ns);
                }
            }
            Err(broken) => {
                if broken != Broken::Closed && device.stage == ClientStage::Online {
                    self.sheet.counts.faults += 1;
                }
                self.lost(at, now_ns);
            }
        }
    }

    fn session_received(&mut self, at: u32, bytes: &[u8], now_ns: u64) {
        let mut heard = Vec::new();
        let on = &mut |event: DeviceEvent<'_>| match event {
            DeviceEvent::LoggedIn => heard.push(Heard::LoggedIn),
            DeviceEvent::Response { id, status } => {
                heard.push(Heard::Answer { id, is_ok: Status::from_code(status) == Some(Status::Ok) });
            }
            DeviceEvent::Write { pin, value, id } => {
                let bytes = value.as_bytes();
                heard.push(Heard::Write { id, pin, stamp: value::intended(bytes), value: bytes.to_vec() });
            }
            _ => {}
        };
        let device = &mut self.devices[at as usize];
        let Session::Blynk(session) = &mut device.session else { return self.broker_received(at, bytes, now_ns) };
        let options = &self.crowds[usize::from(device.group)].options;
        let mut answer = std::mem::take(&mut self.plain);
        answer.clear();
        let result = session.on_bytes(millis(now_ns), options, bytes, &mut answer, on);
        if !answer.is_empty() {
            self.tell(at, now_ns, |_, _, out| out.extend_from_slice(&answer));
        }
        answer.clear();
        self.plain = answer;
        for heard in heard {
            match heard {
                Heard::LoggedIn => self.logged_in(at, now_ns),
                Heard::Answer { id, is_ok } => self.answered(at, id, is_ok, now_ns),
                Heard::Write { id, pin, stamp, value } => self.written(at, id, (pin, &value), stamp, now_ns),
            }
        }
        if let Err(end) = result {
            if matches!(end, DeviceEnd::LoginRefused { .. }) {
                self.refused(end);
            }
            self.sheet.counts.faults += u64::from(self.devices[at as usize].stage == ClientStage::Online);
            self.lost(at, now_ns);
        }
    }

    pub(super) fn logged_in(&mut self, at: u32, now_ns: u64) {
        let device = &mut self.devices[at as usize];
        if device.stage != ClientStage::LoggingIn {
            return;
        }
        (device.stage, device.is_away) = (ClientStage::Online, false);
        self.online += 1;
        self.sheet.counts.logins += 1;
        self.sheet.answer(Metric::Login, device.since_ns, device.since_ns, now_ns);
        self.introduce(at, now_ns);
    }

    fn answered(&mut self, at: u32, id: u16, is_ok: bool, now_ns: u64) {
        let key = by_id(at, self.devices[at as usize].attempt, id);
        match self.pending.take(key) {
            Some(waiting) if is_ok => self.settle(waiting, now_ns).answers += 1,
            // Also a refusal of what has no answer otherwise, such as a value.
            _ => self.sheet.counts.refused += u64::from(!is_ok),
        }
    }

    fn written(&mut self, at: u32, id: u16, (pin, text): (Pin, &[u8]), stamp: Option<u64>, now_ns: u64) {
        let device = &self.devices[at as usize];
        let by_id = by_id(at, device.attempt, id);
        if self.pending.get(by_id).is_some_and(|waiting| waiting.metric == Metric::Sync) {
            return self.answered(at, id, true, now_ns);
        }
        self.sheet.counts.downlinks += 1;
        if let Some(intended_ns) = stamp {
            self.settle_key(by_stamp(at, intended_ns), now_ns);
        }
        if self.crowds[usize::from(self.devices[at as usize].group)].group.echo {
            self.echo(at, pin, text, now_ns);
        }
    }

    /// How HTTP connects: as the first group does.
    pub(super) fn http_transport(&self) -> Transport {
        let is_tls = self.crowds.first().is_some_and(|crowd| crowd.transport.is_tls());
        if is_tls { Transport::Tls } else { Transport::Plain }
    }
}

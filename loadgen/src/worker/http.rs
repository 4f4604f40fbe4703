//! HTTP calls over a few kept-open connections, one call at a time on each.

use std::collections::VecDeque;

use linchpin_driver::{ConnId, Mode};
use linchpin_protocol::http::client;
use linchpin_protocol::model::Token;

use super::crew::Crew;
use super::effects::{ConnectionOwner, WorkerEffects};
use super::pending::{Waiting, by_stamp};
use super::value;
use super::wire::ClientWire;
use crate::recorder::Metric;
use crate::scenario::{MessageKind, Scenario};

/// Connections unless the mix says otherwise.
const CONNECTIONS: u16 = 8;

/// A call that is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimedCall {
    pub(super) device: u32,
    pub(super) intended_ns: u64,
    pub(super) is_write: bool,
    pub(super) pin: u8,
    pub(super) len_bytes: u16,
}

impl TimedCall {
    const fn metric(self) -> Metric {
        if self.is_write { Metric::HttpWrite } else { Metric::HttpRead }
    }

    const fn waiting(self, sent_ns: u64) -> Waiting {
        Waiting { metric: self.metric(), intended_ns: self.intended_ns, sent_ns }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientStage {
    Off,
    Connecting,
    /// TLS.
    Shaking,
    Idle,
    Busy,
}

struct Arguments {
    stage: ClientStage,
    conn: Option<ConnId>,
    wire: ClientWire,
    call: Option<(TimedCall, u64)>,
    /// When its stage began.
    since_ns: u64,
    received: Vec<u8>,
}

/// The connections of one worker and the calls that wait for one.
pub(super) struct HttpPool {
    lines: Vec<Arguments>,
    idle: Vec<u16>,
    waiting: VecDeque<TimedCall>,
    calls_busy: usize,
}

impl HttpPool {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let mixes = scenario.group.iter().flat_map(|group| &group.mix);
        let counts = mixes
            .filter(|mix| matches!(mix.kind, MessageKind::HttpRead | MessageKind::HttpWrite))
            .map(|mix| mix.connections.unwrap_or(CONNECTIONS));
        let line = |_| Arguments {
            stage: ClientStage::Off,
            conn: None,
            wire: ClientWire::PLAIN,
            call: None,
            since_ns: 0,
            received: Vec::new(),
        };
        let lines = (0..counts.max().unwrap_or(0)).map(line).collect();
        Self { lines, idle: Vec::new(), waiting: VecDeque::new(), calls_busy: 0 }
    }

    /// Calls on their way or waiting.
    pub(super) fn busy(&self) -> usize {
        self.calls_busy + self.waiting.len()
    }

    pub(super) fn queue(&mut self, call: TimedCall) {
        self.waiting.push_back(call);
    }

    /// Open connections that are not.
    pub(super) fn turn(&mut self, fx: &mut WorkerEffects) {
        for (at, line) in self.lines.iter_mut().enumerate().filter(|(_, line)| line.stage == ClientStage::Off) {
            line.stage = ClientStage::Connecting;
            fx.connects.push_back(ConnectionOwner::Http(at as u16));
        }
    }

    pub(super) fn started(&mut self, at: u16, conn: ConnId, now_ns: u64) {
        let line = &mut self.lines[usize::from(at)];
        (line.conn, line.since_ns) = (Some(conn), now_ns);
    }

    pub(super) fn closed(&mut self, at: u16) {
        self.lines[usize::from(at)].stage = ClientStage::Off;
    }

    /// End calls that were begun so early; their connections are not to be trusted any more. Returns them, and how many
    /// waited so long that they are given up.
    pub(super) fn end_waiting(
        &mut self,
        before_ns: u64,
        fx: &mut WorkerEffects,
        owners: &mut [ConnectionOwner],
    ) -> (Vec<Waiting>, u64) {
        let (mut ended, mut skipped) = (Vec::new(), 0);
        for line in self.lines.iter_mut().filter(|line| line.stage == ClientStage::Busy && line.since_ns <= before_ns) {
            if let Some((call, sent_ns)) = line.call.take() {
                ended.push(call.waiting(sent_ns));
                self.calls_busy -= 1;
            }
            line.stage = ClientStage::Off;
            if let Some(conn) = line.conn.take() {
                owners[conn.index()] = ConnectionOwner::Nobody;
                fx.closes.push((conn, true));
            }
        }
        while self.waiting.front().is_some_and(|call| call.intended_ns <= before_ns) {
            let _ = self.waiting.pop_front();
            skipped += 1;
        }
        (ended, skipped)
    }
}

impl Crew {
    pub(super) fn http_connected(&mut self, at: u16, conn: ConnId, now_ns: u64) {
        let transport = self.http_transport();
        let line = &mut self.http.lines[usize::from(at)];
        line.received.clear();
        self.fx.arms.push((conn, Mode::Multi));
        let start = self.fx.arena.len();
        match line.wire.open(&mut self.bench, (transport, 0), &mut self.fx.arena) {
            Ok(true) => self.http_idle(at, now_ns),
            Ok(false) => line.stage = ClientStage::Shaking,
            Err(_) => return self.http_ended(at, now_ns),
        }
        self.fx.send(conn, start);
    }

    fn http_idle(&mut self, at: u16, now_ns: u64) {
        self.http.lines[usize::from(at)].stage = ClientStage::Idle;
        self.http.idle.push(at);
        self.http_turn(now_ns);
    }

    /// Give waiting calls to idle connections.
    pub(super) fn http_turn(&mut self, now_ns: u64) {
        while !self.http.waiting.is_empty() {
            let Some(at) = self.http.idle.pop() else { return };
            if self.http.lines[usize::from(at)].stage != ClientStage::Idle {
                continue;
            }
            if let Some(call) = self.http.waiting.pop_front() {
                self.http_call(at, call, now_ns);
            }
        }
    }

    fn http_call(&mut self, at: u16, call: TimedCall, now_ns: u64) {
        let Some(token) = self.keys.token(call.device).map(Token::expose) else { return };
        let mut target = format!("/external/api/{}?token={token}&", if call.is_write { "update" } else { "get" });
        if call.is_write {
            let mut text = Vec::new();
            value::stamp(&mut text, call.len_bytes, call.intended_ns, now_ns);
            target += &format!("v{}={}", call.pin, String::from_utf8_lossy(&text));
            let waiting = Waiting { metric: Metric::HttpToDevice, intended_ns: call.intended_ns, sent_ns: now_ns };
            self.pending.add(by_stamp(call.device, call.intended_ns), waiting);
        } else {
            target += &format!("v{}", call.pin);
        }
        let mut request = Vec::new();
        client::request(&mut request, "GET", &target, &self.bench.host, "", b"");
        let line = &mut self.http.lines[usize::from(at)];
        (line.stage, line.since_ns, line.call) = (ClientStage::Busy, now_ns, Some((call, now_ns)));
        self.http.calls_busy += 1;
        let Some(conn) = line.conn else { return };
        let start = self.fx.arena.len();
        if line.wire.send(&mut self.bench, &request, &mut self.fx.arena).is_err() {
            return self.http_ended(at, now_ns);
        }
        self.fx.send(conn, start);
    }

    pub(super) fn http_received(&mut self, at: u16, bytes: &mut [u8], now_ns: u64) {
        let line = &mut self.http.lines[usize::from(at)];
        let (Some(conn), start) = (line.conn, self.fx.arena.len()) else { return };
        let result = line.wire.receive(&mut self.bench, bytes, &mut line.received, &mut self.fx.arena);
        self.fx.send(conn, start);
        match result {
            Ok(done) if done.ready => return self.http_idle(at, now_ns),
            Ok(_) => {}
            Err(_) => return self.http_ended(at, now_ns),
        }
        let line = &mut self.http.lines[usize::from(at)];
        let (status, used, keep_alive) = match client::next_response(&line.received, false) {
            Ok(Some(response)) => (response.status, response.used, response.keep_alive),
            Ok(None) => return,
            Err(_) => {
                self.sheet.counts.faults += 1;
                return self.http_ended(at, now_ns);
            }
        };
        line.received.drain(..used);
        if let Some((call, sent_ns)) = line.call.take() {
            self.http.calls_busy -= 1;
            // A pin without a value answers 400 to a read: it is an answer all the same.
            let is_ok = status == 200 || (!call.is_write && status == 400);
            if is_ok {
                self.settle(call.waiting(sent_ns), now_ns).answers += 1;
            } else {
                self.sheet.counts.refused += 1;
                self.pending.take(by_stamp(call.device, call.intended_ns));
            }
        }
        if keep_alive { self.http_idle(at, now_ns) } else { self.http_ended(at, now_ns) }
    }

    pub(super) fn http_ended(&mut self, at: u16, now_ns: u64) {
        if let Some((call, sent_ns)) = self.http.lines[usize::from(at)].call.take() {
            self.http.calls_busy -= 1;
            self.settle(call.waiting(sent_ns), now_ns).lost += 1;
            self.pending.take(by_stamp(call.device, call.intended_ns));
        }
        let line = &mut self.http.lines[usize::from(at)];
        line.stage = ClientStage::Off;
        line.wire.close(&mut self.bench);
        if let Some(conn) = line.conn.take() {
            self.owners[conn.index()] = ConnectionOwner::Nobody;
            self.fx.closes.push((conn, true));
        }
    }
}

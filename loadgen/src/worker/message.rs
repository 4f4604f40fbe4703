//! What devices send.

use linchpin_protocol::blynk::DeviceSession;
use linchpin_protocol::model::{Millis, Pin, PinKind};
use rand::RngExt;

use super::crew::{Crew, millis};
use super::device::ClientStage;
use super::http::TimedCall;
use super::pending::{Waiting, by_id, by_stamp, by_turn};
use super::session::{Known, Session};
use super::value;
use crate::limits;
use crate::plan::{Act, Intended};
use crate::recorder::{Metric, Sheet};
use crate::scenario::{MessageKind, Mix};

/// The bridge's own pin.
const BRIDGE_SLOT: u8 = 64;

const fn virtual_pin(index: u8) -> Pin {
    Pin { kind: PinKind::Virtual, index }
}

fn count(sheet: &mut Sheet, kind: MessageKind) {
    let counts = &mut sheet.counts;
    match kind {
        MessageKind::Ping => counts.ping += 1,
        MessageKind::Sync => counts.sync += 1,
        MessageKind::Property => counts.property += 1,
        MessageKind::Telemetry => counts.telemetry += 1,
        MessageKind::Publish => counts.publish += 1,
        MessageKind::HttpRead => counts.http_read += 1,
        MessageKind::HttpWrite => counts.http_write += 1,
        MessageKind::Bridge => counts.bridge += 1,
    }
}

impl Crew {
    /// The heartbeat of a device; one that is off has none.
    pub(super) fn beat(&mut self, beat: Intended, now_ns: u64) {
        if self.devices[beat.device as usize].stage != ClientStage::Online {
            return;
        }
        crate::recorder::record(&mut self.sheet.lag, now_ns.saturating_sub(beat.at_ns));
        self.sheet.counts.planned += 1;
        if self.devices[beat.device as usize].is_blocked {
            self.sheet.counts.blocked += 1;
            return;
        }
        self.sheet.counts.beat += 1;
        self.request(beat.device, Metric::Ping, (beat.at_ns, now_ns), Session::ping);
    }

    /// A send of the mix is due.
    pub(super) fn send(&mut self, intended: Intended, now_ns: u64) {
        let Act::Send { mix } = intended.act else { return };
        let device = &self.devices[intended.device as usize];
        let mix = &self.crowds[usize::from(device.group)].group.mix[usize::from(mix)];
        let (kind, burst) = (mix.kind, mix.burst);
        self.sheet.counts.planned += u64::from(burst);
        if device.stage != ClientStage::Online {
            self.unconnected(intended.device, burst);
            return;
        }
        let is_full = kind != MessageKind::Telemetry && !self.has_room(burst);
        if !is_full && self.held.is_empty() {
            return self.issue(intended, now_ns);
        }
        if kind == MessageKind::Telemetry {
            return self.issue(intended, now_ns);
        }
        if self.held.len() >= limits::HELD_SENDS {
            self.sheet.counts.skipped += u64::from(burst);
            return;
        }
        self.sheet.counts.held += u64::from(burst);
        self.held.push_back(intended);
    }

    /// Sends of a device without a connection: left out by the plan, or lost.
    fn unconnected(&mut self, at: u32, burst: u16) {
        let is_away = self.devices[at as usize].is_away;
        let counts = &mut self.sheet.counts;
        let count = if is_away { &mut counts.away } else { &mut counts.offline };
        *count += u64::from(burst);
    }

    /// Is there room in flight for so many requests? A burst that is larger than all room goes when nothing else is out.
    fn has_room(&self, burst: u16) -> bool {
        let out = self.pending.len() + self.http.busy();
        out == 0 || out + usize::from(burst) <= self.in_flight
    }

    /// Messages of an intended send.
    fn burst(&self, intended: Intended) -> u16 {
        let Act::Send { mix } = intended.act else { return 1 };
        let group = self.devices[intended.device as usize].group;
        self.crowds[usize::from(group)].group.mix[usize::from(mix)].burst
    }

    /// Send what waited, as far as there is room in flight now.
    pub(super) fn release_held(&mut self, now_ns: u64) {
        while let Some(intended) = self.held.front().copied() {
            let burst = self.burst(intended);
            if now_ns.saturating_sub(intended.at_ns) > self.timeout_ns {
                self.sheet.counts.skipped += u64::from(burst);
            } else if self.has_room(burst) {
                self.issue(intended, now_ns);
            } else {
                return;
            }
            self.held.pop_front();
        }
    }

    /// Send all messages of an intended send.
    fn issue(&mut self, intended: Intended, now_ns: u64) {
        for _ in 0..self.burst(intended) {
            self.issue_one(intended, now_ns);
        }
    }

    fn issue_one(&mut self, intended: Intended, now_ns: u64) {
        let Act::Send { mix: number } = intended.act else { return };
        let at = intended.device;
        let device = &self.devices[at as usize];
        let crowd = &self.crowds[usize::from(device.group)];
        let mix = &crowd.group.mix[usize::from(number)];
        let (kind, pin) = (mix.kind, virtual_pin(mix.pin));
        if device.stage != ClientStage::Online {
            self.unconnected(at, 1);
            return;
        }
        if device.is_blocked && !matches!(kind, MessageKind::HttpRead | MessageKind::HttpWrite) {
            self.sheet.counts.blocked += 1;
            return;
        }
        let times = (intended.at_ns, now_ns);
        let (pin_index, len_bytes, neighbour) = (mix.pin, length(mix, &mut self.random), crowd.neighbour(at));
        let is_mqtt = crowd.transport.is_mqtt();
        count(&mut self.sheet, kind);
        if is_mqtt {
            return self.issue_mqtt(at, (kind, pin_index), len_bytes, times);
        }
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        match kind {
            MessageKind::Ping => self.request(at, Metric::Ping, times, Session::ping),
            MessageKind::Sync => {
                self.ask_blynk(at, Metric::Sync, times, |session, now, out| session.sync(now, &[pin], out))
            }
            MessageKind::Property => {
                value::digits(&mut text, 4, intended.at_ns);
                let pins = pin_index.to_string();
                let write = |session: &mut DeviceSession, now, out: &mut Vec<u8>| {
                    session.property(now, pins.as_bytes(), "label", &text, out)
                };
                self.ask_blynk(at, Metric::Property, times, write);
            }
            MessageKind::Telemetry => {
                value::digits(&mut text, len_bytes, intended.at_ns);
                self.tell_blynk(at, now_ns, |session, now, out| drop_id(session.write(now, pin, &text, out)));
            }
            // MQTT only; the scenario was checked.
            MessageKind::Publish => {}
            MessageKind::Bridge => {
                value::stamp(&mut text, len_bytes, intended.at_ns, now_ns);
                let waiting = Waiting { metric: Metric::DeviceToDevice, intended_ns: times.0, sent_ns: now_ns };
                self.pending.add(by_stamp(neighbour, times.0), waiting);
                let write = |session: &mut DeviceSession, now, out: &mut Vec<u8>| {
                    drop_id(session.bridge_write(now, BRIDGE_SLOT, pin, &text, out));
                };
                self.tell_blynk(at, now_ns, write);
            }
            MessageKind::HttpRead | MessageKind::HttpWrite => {
                let call = TimedCall {
                    device: at,
                    intended_ns: times.0,
                    is_write: kind == MessageKind::HttpWrite,
                    pin: pin_index,
                    len_bytes,
                };
                self.http.queue(call);
                self.http_turn(now_ns);
            }
        }
        self.scratch = text;
    }

    /// Send what Blynk answers with the id of the request.
    fn ask_blynk(
        &mut self,
        at: u32,
        metric: Metric,
        times: (u64, u64),
        write: impl FnOnce(&mut DeviceSession, Millis, &mut Vec<u8>) -> u16,
    ) {
        self.request(at, metric, times, |session, now, out| match session {
            Session::Blynk(session) => Known::Id(write(session, now, out)),
            Session::Mqtt(_) => Known::Id(0),
        });
    }

    /// Send what has an answer.
    pub(super) fn request(
        &mut self,
        at: u32,
        metric: Metric,
        (intended_ns, now_ns): (u64, u64),
        write: impl FnOnce(&mut Session, Millis, &mut Vec<u8>) -> Known,
    ) {
        let mut known = Known::Id(0);
        self.tell(at, now_ns, |session, now, out| known = write(session, now, out));
        let attempt = self.devices[at as usize].attempt;
        let key = match known {
            Known::Id(id) => by_id(at, attempt, id),
            Known::Turn(turn) => by_turn(at, attempt, turn),
        };
        self.pending.add(key, Waiting { metric, intended_ns, sent_ns: now_ns });
    }

    /// Send what a session of Blynk writes.
    pub(super) fn tell_blynk(
        &mut self,
        at: u32,
        now_ns: u64,
        write: impl FnOnce(&mut DeviceSession, Millis, &mut Vec<u8>),
    ) {
        self.tell(at, now_ns, |session, now, out| {
            if let Session::Blynk(session) = session {
                write(session, now, out);
            }
        });
    }

    /// Send what a session writes.
    pub(super) fn tell(&mut self, at: u32, now_ns: u64, write: impl FnOnce(&mut Session, Millis, &mut Vec<u8>)) {
        let device = &mut self.devices[at as usize];
        let Some(conn) = device.conn else { return };
        let start = self.fx.arena.len();
        if device.wire.is_plain() {
            write(&mut device.session, millis(now_ns), &mut self.fx.arena);
        } else {
            self.plain.clear();
            write(&mut device.session, millis(now_ns), &mut self.plain);
            if device.wire.send(&mut self.bench, &self.plain, &mut self.fx.arena).is_err() {
                self.sheet.counts.faults += 1;
                return self.lost(at, now_ns);
            }
        }
        self.fx.send(conn, start);
    }

    /// What a device says once after its login: values to ask for, and where its bridge leads.
    pub(super) fn introduce(&mut self, at: u32, now_ns: u64) {
        let crowd = &self.crowds[usize::from(self.devices[at as usize].group)];
        let (pins, has_bridge, neighbour) = (crowd.synced.clone(), crowd.has_bridge, crowd.neighbour(at));
        for pin in pins {
            self.tell_blynk(at, now_ns, |session, now, out| drop_id(session.write(now, virtual_pin(pin), b"1", out)));
        }
        if has_bridge && let Some(token) = self.keys.token(neighbour).copied() {
            self.tell_blynk(at, now_ns, |session, now, out| {
                drop_id(session.bridge_init(now, BRIDGE_SLOT, &token, out))
            });
        }
    }

    /// A slow reader asks again.
    pub(super) fn nag(&mut self, at: u32, now_ns: u64) {
        let device = &self.devices[at as usize];
        if device.stage == ClientStage::Online && !device.is_blocked {
            self.tell(at, now_ns, |session, now, out| {
                let _ = session.ping(now, out);
            });
        }
    }

    /// Send a value back, to the pin beside it.
    pub(super) fn echo(&mut self, at: u32, pin: Pin, text: &[u8], now_ns: u64) {
        if self.devices[at as usize].is_blocked {
            self.sheet.counts.blocked += 1;
            return;
        }
        self.sheet.counts.echo += 1;
        let to = virtual_pin(pin.index.wrapping_add(1));
        self.tell_blynk(at, now_ns, |session, now, out| drop_id(session.write(now, to, text, out)));
    }
}

const fn drop_id(_: u16) {}

fn length(mix: &Mix, random: &mut rand_pcg::Pcg64Mcg) -> u16 {
    let (shortest, longest) = mix.payload_bytes.bounds();
    if shortest == longest { shortest } else { random.random_range(shortest..=longest) }
}

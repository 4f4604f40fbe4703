//! Connections leave for another process.

use linchpin_protocol::model::{DeviceId, Millis, Now};

use super::freight::{Cover, Footing, Freight, Spans};
use crate::connection::{Connection, Exchange, Extra, NO_DEVICE, Phase, Speech, Ticks, Wire};
use crate::tls::Tls;
use crate::{Effects, End, Shard, Slot, Turn, limits};

/// May a connection travel to another process?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Yes.
    Ready,
    /// Something is under way that will be over soon: a handshake, a login, an answer.
    Soon,
    /// Its state cannot be written down, or is too much.
    Never,
}

fn span(later: Millis, earlier: Millis) -> u32 {
    u32::try_from(later.since(earlier)).unwrap_or(u32::MAX)
}

impl Shard {
    /// May the connection in `slot` travel? [`Readiness::Ready`] for a slot without one.
    #[must_use]
    pub fn readiness(&self, slot: Slot) -> Readiness {
        let Some(connection) = self.connections.get(slot) else { return Readiness::Ready };
        let tls = match &connection.wire.tls {
            Tls::Off | Tls::Due { .. } => Readiness::Ready,
            Tls::Greeting(_) | Tls::Handshake(_) => Readiness::Soon,
            Tls::On(linchpin_tls::Session::InPlace(_)) => Readiness::Ready,
            Tls::On(linchpin_tls::Session::Rustls(_)) => Readiness::Never,
        };
        let footing = match connection.phase {
            Phase::Free | Phase::Away => Readiness::Ready,
            Phase::Opening | Phase::Live => of_layers(connection),
            Phase::Serving => match connection.exchange() {
                Some(Exchange::Reading { .. }) if !self.has_stream_ended(slot) => Readiness::Ready,
                _ => Readiness::Soon,
            },
            // Its page comes back by itself, and what it watches is told anew.
            Phase::Watching => Readiness::Never,
            Phase::Handshake
            | Phase::Resolving { .. }
            | Phase::Leaving { .. }
            | Phase::Refused { .. }
            | Phase::Closing => Readiness::Soon,
        };
        match (footing, tls) {
            (Readiness::Soon, _) | (_, Readiness::Soon) => Readiness::Soon,
            (Readiness::Never, _) | (_, Readiness::Never) => Readiness::Never,
            _ => Readiness::Ready,
        }
    }

    /// Connections of which something is under way.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.connections.iter().filter(|(slot, _)| self.readiness(*slot) == Readiness::Soon).count()
    }

    /// Slots of all connections.
    #[must_use]
    pub fn occupied(&self) -> Vec<Slot> {
        self.connections.iter().map(|(slot, _)| slot).collect()
    }

    /// End what cannot travel: devices come back when the next process listens. Returns how many those were.
    pub fn end_unready(&mut self, now: Now, fx: &mut Effects) -> usize {
        let turn = &mut Turn { now, fx };
        let unready = |slot: &Slot| self.readiness(*slot) != Readiness::Ready;
        let slots: Vec<Slot> = self.occupied().into_iter().filter(unready).collect();
        let mut ended = 0;
        for slot in slots {
            let was_going = matches!(self.connections[slot].phase, Phase::Closing | Phase::Leaving { .. });
            self.end(turn, slot, End::Replaced);
            ended += usize::from(!was_going);
        }
        ended
    }

    /// End at most so many connections, where they cannot travel at all: devices come back to the next process. Returns how
    /// many are left.
    pub fn end_some(&mut self, now: Now, most: usize, fx: &mut Effects) -> usize {
        let turn = &mut Turn { now, fx };
        let is_over = |slot: &Slot| self.connections[*slot].phase == Phase::Closing;
        let slots: Vec<Slot> = self.occupied().into_iter().filter(|slot| !is_over(slot)).collect();
        for slot in slots.iter().take(most) {
            self.end(turn, *slot, End::Replaced);
        }
        slots.len().saturating_sub(most)
    }

    /// Take the state of a connection that is [`Readiness::Ready`] out of the table. `unsent`: what the socket has not
    /// taken. The connection sends and reads nothing from here on; [`Shard::take_freight`] puts it back. `None`: it must
    /// not travel, and is as it was.
    pub fn depart(&mut self, now: Now, slot: Slot, unsent: Vec<u8>) -> Option<Box<Freight>> {
        let connection = self.connections.get(slot)?;
        let footing = match (connection.phase, self.device_of(connection)) {
            (Phase::Live, Some(device)) => Footing::Live(device),
            (Phase::Opening, _) => Footing::Opening,
            (Phase::Serving, _) => Footing::Serving,
            _ => return None,
        };
        let held_bytes = connection.cell_bytes() + unsent.len();
        if self.readiness(slot) != Readiness::Ready || held_bytes > limits::FREIGHT_ROOM_BYTES {
            return None;
        }
        let firmware = match connection.device {
            NO_DEVICE => Box::default(),
            position => {
                self.devices[position].firmware.map(|blob| self.catalog.firmware.get(blob)).unwrap_or_default().into()
            }
        };
        let Wire { tls, framing, speech } = self.connections.hold(slot, |c| std::mem::take(&mut c.wire));
        let tls = match (tls, self.tls.as_mut()) {
            (Tls::Due { mutual }, _) => Cover::Due { mutual },
            (Tls::On(session), Some(shared)) => match session.go_away(&mut shared.desk) {
                Ok(away) => Cover::Away(away),
                // It was asked for above: a session of ours that takes no tickets.
                Err(session) => {
                    let wire = Wire { tls: Tls::On(session), framing, speech };
                    self.connections.hold(slot, |c| c.wire = wire);
                    return None;
                }
            },
            _ => Cover::Off,
        };
        let (carry, extra) = self.connections.hold(slot, |c| (c.carry.take(), c.extra.take()));
        let connection = &mut self.connections[slot];
        let mut extra = extra.unwrap_or_default();
        let times = Spans {
            heard_ms: span(now.mono, connection.heard.millis()),
            begun_ms: span(now.mono, connection.begun.millis()),
            left_ms: span(connection.deadline.millis(), now.mono),
            paced_ms: span(extra.next_paced, now.mono),
        };
        connection.phase = Phase::Away;
        let announced = speech.announced();
        let freight = Freight {
            peer: connection.peer.address(),
            unsent,
            footing,
            tls,
            framing,
            speech,
            carry: carry.map(|carry| *carry).unwrap_or_default(),
            waiting: extra.outbound.take_all(),
            bridges: extra.bridges.iter().filter_map(|bridge| Some((bridge.pin(), bridge.target()?))).collect(),
            firmware,
            times,
            frames: connection.frames,
            heartbeat_s: announced.heartbeat_s,
            buff_in: announced.buff_in,
            gate: connection.gate,
        };
        self.connections.wheel.clear(slot);
        Some(Box::new(freight))
    }

    fn device_of(&self, connection: &Connection) -> Option<DeviceId> {
        (connection.device != NO_DEVICE).then(|| self.devices[connection.device].id)
    }
}

/// What is spoken, and what waits within.
fn of_layers(connection: &Connection) -> Readiness {
    let opens_bridge = |extra: &Extra| extra.bridges.iter().any(|bridge| bridge.target().is_none());
    let is_settled = match (&connection.wire.speech, connection.phase) {
        (Speech::Unknown | Speech::Proxy, Phase::Opening) => true,
        (Speech::Blynk(session, _), Phase::Live) => session.is_live(),
        (Speech::Mqtt(session), Phase::Live) => session.is_live(),
        _ => false,
    };
    let is_opening = connection.extra.as_deref().is_some_and(opens_bridge);
    if is_settled && !is_opening { Readiness::Ready } else { Readiness::Soon }
}

/// A time that lies so far ahead, in ticks that round down: never early.
pub(super) fn ahead(now: Now, ms: u32) -> Ticks {
    Ticks::at(now.mono.after(u64::from(ms) + limits::WHEEL_TICK_MS))
}

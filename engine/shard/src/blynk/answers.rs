//! Answers to the frames of a device: its actions as verbs, and what a verb refuses as a status.

use linchpin_protocol::blynk::{HEADER_BYTES, codec, fits, internal};
use linchpin_protocol::model::{Pin, UnixMillis, ValueRef};
use linchpin_protocol::{Action, ClockQuery, InfoPairs, PinList, Status, SyncPins};

use crate::device::verbs::{Origin, Refused};
use crate::store::identity::FieldWay;
use crate::{AwaitedKind, Effect, End, Shard, Slot, Turn, limits};

/// What a device is answered when a verb is refused.
pub(crate) fn status_of(refused: Refused) -> Status {
    match refused {
        Refused::Fault(fault) => fault.status().unwrap_or(Status::IllegalCommandBody),
        Refused::Time(_) | Refused::TooLarge { .. } | Refused::NoSuchEvent => Status::IllegalCommandBody,
        Refused::Offline | Refused::Unsubscribed => Status::DeviceNotInNetwork,
        Refused::NotStored | Refused::StoreFailed => Status::ServerError,
        Refused::PropertiesFull | Refused::MetadataFull => Status::NotAllowed,
        Refused::NothingThere | Refused::TokenIsSecret => Status::NoData,
        Refused::FieldIsReserved => Status::NotAllowed,
        Refused::NoPlace | Refused::NoSuchStream(_) => Status::IllegalCommandBody,
        Refused::EndsClient | Refused::PingsItself | Refused::NoSuchOrder => Status::DeviceNotInNetwork,
        Refused::EventTooSoon | Refused::EventsUsedUp | Refused::EventCodeUsedUp(_) => Status::QuotaLimit,
        Refused::OtherTemplate => Status::InvalidToken,
    }
}

impl Shard {
    /// Carry out what a frame asks, and answer it.
    pub(crate) fn act(&mut self, turn: &mut Turn<'_>, slot: Slot, id: u16, action: Action<'_>) {
        let position = self.connections[slot].device;
        match action {
            Action::Ping => self.respond(turn, slot, id, Status::Ok),
            Action::Write { pin, value, at } => {
                let at = at.unwrap_or(turn.now.wall);
                if let Some(refused) = self.write_own(turn, position, (pin, value, at)) {
                    self.respond(turn, slot, id, status_of(refused));
                }
            }
            Action::Sync(pins) => self.sync(turn, slot, id, pins),
            Action::Property { pins, name, values } => self.property(turn, slot, id, pins, (name, values)),
            Action::EventLog { code, description } => {
                self.begin_verb();
                let done = self.log_event(turn, position, code, description.unwrap_or(""));
                self.respond_done(turn, slot, id, done);
            }
            Action::EventClear { code, all } => {
                self.begin_verb();
                let done = self.clear_event(turn, position, code, all);
                self.respond_done(turn, slot, id, done);
            }
            Action::Info(pairs) => self.info(turn, slot, id, pairs),
            Action::Clock(query) => self.clock(turn, slot, id, query),
            Action::MetaGet { name } => self.meta_get(turn, slot, id, name),
            Action::MetaSet { name, value } => {
                self.begin_verb();
                let done = self.set_metadata(position, name, value, Origin::Device);
                self.respond_done(turn, slot, id, done);
            }
            Action::BridgeInit { slot: bridge_pin, token } => self.bridge_init(turn, slot, id, bridge_pin, &token),
            Action::BridgeWrite { slot: bridge_pin, pin, value } => {
                self.bridge_send(turn, slot, id, bridge_pin, pin, value);
            }
            Action::Notify { channel } => self.respond(turn, slot, id, channel.refusal()),
            // A login cannot come here: the session answers a second one. Pin modes and answers have no reader yet.
            Action::Login { .. } | Action::PinMode { .. } | Action::Answer { .. } | Action::Nothing => {}
        }
    }

    /// The device sets a pin of its own: what it does most. A function of its own, so that it costs pings nothing.
    #[inline(never)]
    fn write_own(
        &mut self,
        turn: &mut Turn<'_>,
        position: u32,
        write: (Pin, ValueRef<'_>, UnixMillis),
    ) -> Option<Refused> {
        self.write(turn, position, write, Origin::Device).err()
    }

    /// Answer with OK, once what was changed is stored, or with the status of the refusal.
    fn respond_done(&mut self, turn: &mut Turn<'_>, slot: Slot, id: u16, done: Result<(), Refused>) {
        let asker = self.conn_ref(slot);
        match done {
            Ok(()) if self.awaits_store(turn, asker, AwaitedKind::Frame(id)) => {}
            done => self.respond(turn, slot, id, done.map_or_else(status_of, |()| Status::Ok)),
        }
    }

    /// Send stored values back: all that are meant to be synced, or those asked for. No value, no answer.
    fn sync(&mut self, turn: &mut Turn<'_>, slot: Slot, id: u16, pins: SyncPins<'_>) {
        if self.store.parked.is_none() {
            return match pins {
                SyncPins::All => self.answer_sync(turn, slot, id, None),
                SyncPins::Listed(list) => self.answer_sync(turn, slot, id, Some(&mut list.iter())),
            };
        }
        let pins = match pins {
            SyncPins::All => None,
            SyncPins::Listed(list) => Some(list.iter().collect()),
        };
        if !self.park(slot, id, pins) {
            self.respond(turn, slot, id, status_of(Refused::NotStored));
        }
    }

    /// Send these values; `None`: all that are meant to be synced.
    pub(crate) fn answer_sync(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        id: u16,
        pins: Option<&mut dyn Iterator<Item = Pin>>,
    ) {
        let position = self.connections[slot].device;
        if self.is_mqtt(slot) {
            let pins: Option<Vec<Pin>> = pins.map(Iterator::collect);
            // What is not subscribed or too long is left out: its question was answered before.
            let _ = self.publish_values(turn, slot, pins.as_deref());
            return;
        }
        let buff_in = usize::from(self.connections[slot].wire.speech.announced().buff_in);
        let mut frames = std::mem::take(&mut self.scratch);
        frames.clear();
        let mut unsendable = 0;
        let mut put = |pin: Pin, value: &[u8]| {
            let start = frames.len();
            codec::hardware_write(&mut frames, id, pin, value);
            if !fits(frames.len() - start - HEADER_BYTES, buff_in) {
                frames.truncate(start);
                unsendable += 1;
            }
        };
        match pins {
            None => self.read_synced(position).for_each(|(pin, value)| put(pin, value)),
            Some(pins) => {
                for pin in pins {
                    if let Some(value) = self.read(position, pin) {
                        put(pin, value);
                    }
                }
            }
        }
        self.counters.unsendable += unsendable;
        self.answer_frames(turn, slot, &frames);
        self.scratch = frames;
    }

    /// Answer with several whole frames: each is a frame of its own for a paced session.
    fn answer_frames(&mut self, turn: &mut Turn<'_>, slot: Slot, frames: &[u8]) {
        let mut rest = frames;
        while let [_, _, _, high, low, ..] = *rest {
            let (frame, after) = rest.split_at(HEADER_BYTES + usize::from(u16::from_be_bytes([high, low])));
            self.answer(turn, slot, |out| out.extend_from_slice(frame));
            rest = after;
        }
    }

    fn property(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        id: u16,
        pins: PinList<'_>,
        (name, values): (&str, ValueRef<'_>),
    ) {
        let position = self.connections[slot].device;
        let set = std::iter::once((name, values.as_bytes()));
        self.begin_verb();
        let done = self.set_properties(position, pins.iter(), &set);
        self.respond_done(turn, slot, id, done);
    }

    /// INFO: what the firmware says of itself, in any order.
    fn info(&mut self, turn: &mut Turn<'_>, slot: Slot, id: u16, pairs: InfoPairs<'_>) {
        if let Err(refused) = self.introduce(self.connections[slot].device, pairs) {
            self.respond(turn, slot, id, status_of(refused));
            return self.refuse(turn, slot, End::TemplateMismatch);
        }
        self.connections[slot].wire.speech.announce(|announced| {
            if let Some(heartbeat_s) = pairs.heartbeat_s() {
                announced.heartbeat_s = heartbeat_s.clamp(limits::HEARTBEAT_MIN_S, limits::HEARTBEAT_MAX_S) as u16;
            }
            if let Some(bytes) = pairs.buff_in() {
                announced.buff_in = bytes.min(usize::from(u16::MAX)) as u16;
            }
        });
        if self.store.shows_logins {
            turn.fx.push(Effect::Introduced { slot });
        }
        self.respond(turn, slot, id, Status::Ok);
        self.info_answered(turn, slot);
    }

    fn clock(&mut self, turn: &mut Turn<'_>, slot: Slot, id: u16, query: ClockQuery) {
        let wall = turn.now.wall;
        self.answer(turn, slot, |out| internal::clock_answer(out, id, query, wall));
    }

    fn meta_get(&mut self, turn: &mut Turn<'_>, slot: Slot, id: u16, name: &str) {
        let position = self.connections[slot].device;
        if self.asks_identity(turn, position, name, (self.conn_ref(slot), FieldWay::Frame(id))) {
            return;
        }
        match self.metadata(position, name) {
            Ok(value) => {
                let value = value.to_owned();
                self.answer(turn, slot, |out| internal::meta_answer(out, id, name, &value));
            }
            Err(refused) => self.respond(turn, slot, id, status_of(refused)),
        }
    }
}

//! Answers that wait for the store: until it has committed what they acknowledge, or has looked up what they say.

use linchpin_protocol::Status;
use linchpin_protocol::blynk::internal;
use linchpin_protocol::http::{Dialect, Reply};
use linchpin_protocol::mqtt::Owed;

use crate::device::verbs::Refused;
use crate::store::identity::{FieldAsk, FieldWay};
use crate::{ConnRef, Effect, Intake, Shard, Slot, Turn};

/// An answer that says "done", to be given when all changes that were handed over before it are committed. Plain data: the
/// shard remembers nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwaitedAnswer {
    /// The connection that waits, on any shard.
    pub asker: ConnRef,
    /// What it waits for.
    pub kind: AwaitedKind,
}

/// See [`AwaitedAnswer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwaitedKind {
    /// The response to the Blynk frame with this id.
    Frame(u16),
    /// The reply to an HTTP request.
    Http(Dialect),
    /// The acknowledgement of an MQTT message.
    Mqtt(Owed),
}

impl Shard {
    /// A verb has handed the store something whose answer must wait.
    pub(crate) fn must_await(&mut self) {
        self.store.must_await = self.store.intake != Intake::Memory;
    }

    /// Forget what verbs before have handed over: the next answer is about what comes now.
    pub(crate) fn begin_verb(&mut self) {
        self.store.must_await = false;
    }

    /// Has the verb handed something over since [`Shard::begin_verb`]? Then the answer goes the way of the store.
    pub(crate) fn awaits_store(&mut self, turn: &mut Turn<'_>, asker: ConnRef, kind: AwaitedKind) -> bool {
        let must_await = std::mem::take(&mut self.store.must_await);
        if must_await {
            turn.fx.push(Effect::AnswerStored(AwaitedAnswer { asker, kind }));
        }
        must_await
    }

    /// A connection of this shard, for answers that come later.
    pub(crate) fn conn_ref(&self, slot: Slot) -> ConnRef {
        ConnRef { shard: self.id, slot, serial: self.connections[slot].serial }
    }

    /// The store has committed what an answer waits for, or could not.
    pub(crate) fn stored(&mut self, turn: &mut Turn<'_>, answer: AwaitedAnswer, is_stored: bool) {
        if !self.is_current(answer.asker) {
            return;
        }
        let slot = answer.asker.slot;
        match answer.kind {
            AwaitedKind::Frame(id) => {
                self.respond(turn, slot, id, if is_stored { Status::Ok } else { Status::ServerError });
            }
            AwaitedKind::Http(dialect) => {
                let text = || Refused::NotStored.to_string();
                let reply = if is_stored { Reply::empty() } else { Reply::error(dialect, 503, &text()) };
                self.replied(turn, answer.asker, Some(Box::new(reply)));
            }
            AwaitedKind::Mqtt(owed) => {
                let done = if is_stored { Ok(()) } else { Err(Refused::NotStored.into()) };
                self.acknowledge(turn, slot, owed, done);
            }
        }
    }

    /// What the store knows, for a connection of this shard; `None`: there is nothing.
    pub(crate) fn field_found(&mut self, turn: &mut Turn<'_>, ask: FieldAsk, value: Option<&str>) {
        if !self.is_current(ask.asker) {
            return;
        }
        let (slot, name) = (ask.asker.slot, ask.field.name());
        match (ask.way, value) {
            (FieldWay::Frame(id), Some(value)) => {
                self.answer(turn, slot, |out| internal::meta_answer(out, id, name, value));
            }
            (FieldWay::Frame(id), None) => self.respond(turn, slot, id, Status::NoData),
            (FieldWay::Http, value) => {
                let none = || Reply::error(Dialect::Current, 400, "MetaField doesn't exist.");
                self.replied(turn, ask.asker, Some(Box::new(value.map_or_else(none, Reply::text))));
            }
            (FieldWay::Mqtt, value) => self.publish_field(turn, slot, name, value),
        }
    }
}

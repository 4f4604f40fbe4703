//! A login or a bridge asks whose token it has; the owner of its index entry answers.

use linchpin_protocol::blynk::{Split, codec, split_login};
use linchpin_protocol::model::Token;
use linchpin_protocol::{Action, Status};

use crate::connection::Phase;
use crate::{
    ConnRef, Effect, End, Letter, Purpose, Receive, Shard, Slot, TokenRight, Turn, end, index_owner_of, limits,
};

impl Shard {
    /// Bytes of a peer that speaks Blynk and has not logged in.
    pub(crate) fn login_bytes(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &[u8]) {
        let (frame, used) = match split_login(bytes) {
            Ok(Split::Partial { .. }) => return self.wait_for_more(turn, slot, bytes, limits::LOGIN_BUFFER_BYTES),
            Ok(Split::Frame { frame, used }) => (frame, used),
            Err(fault) => return self.end(turn, slot, end::of_fault(fault)),
        };
        let rest = &bytes[used..];
        if rest.len() > limits::CARGO_BYTES {
            return self.end(turn, slot, End::LoginTooLong);
        }
        let Some(session) = self.connections[slot].wire.speech.session() else { return };
        match session.on_frame(turn.now.wall, frame) {
            Ok(request) => {
                let Action::Login { token, .. } = request.action else {
                    return self.end(turn, slot, End::CommandBeforeLogin);
                };
                if !rest.is_empty() {
                    self.connections.hold(slot, |c| c.carry = Some(Box::new(rest.to_vec())));
                }
                self.connections[slot].phase = Phase::Resolving { login_id: request.id };
                self.set_deadline(turn.now, slot, limits::HOME_TIMEOUT_MS);
                self.resolve(turn, slot, &token, Purpose::Login);
            }
            Err(rejected) => match rejected.fault.status() {
                Some(status) => self.refuse_login(turn, slot, rejected.id, status, end::of_fault(rejected.fault)),
                None => self.end(turn, slot, end::of_fault(rejected.fault)),
            },
        }
    }

    /// Ask the owner of the token's index entry, which may be this shard.
    pub(crate) fn resolve(&mut self, turn: &mut Turn<'_>, slot: Slot, token: &Token, purpose: Purpose) {
        let digest = self.catalog.key.digest(token);
        let asker = ConnRef { shard: self.id, slot, serial: self.connections[slot].serial };
        let owner = index_owner_of(&digest, self.shards);
        if owner == self.id {
            let right = self.catalog.tokens.get(&digest);
            self.resolved(turn, asker, right, purpose);
        } else {
            turn.fx.push(Effect::Letter { to: owner, letter: Letter::Resolve { digest, asker, purpose } });
        }
    }

    /// The index owner answered.
    pub(crate) fn resolved(
        &mut self,
        turn: &mut Turn<'_>,
        asker: ConnRef,
        right: Option<TokenRight>,
        purpose: Purpose,
    ) {
        if !self.is_current(asker) {
            return;
        }
        let slot = asker.slot;
        match (purpose, self.connections[slot].phase) {
            (Purpose::Login, Phase::Resolving { login_id }) => match right {
                Some(right) => self.go_home(turn, slot, right, login_id),
                None => self.unknown_token(turn, slot, login_id),
            },
            (Purpose::Bridge { id, bridge_pin }, Phase::Live) => {
                self.bridge_opened(turn, slot, id, bridge_pin, right.ok_or(Status::NotAllowed));
            }
            // The connection ended or went on meanwhile.
            _ => {}
        }
    }

    /// Is this still the connection that asked?
    pub(crate) fn is_current(&self, asker: ConnRef) -> bool {
        asker.shard == self.id && self.connections.get(asker.slot).is_some_and(|c| c.serial == asker.serial)
    }

    fn unknown_token(&mut self, turn: &mut Turn<'_>, slot: Slot, login_id: u16) {
        let ip = self.connections[slot].peer.ip();
        if self.failures.failed_too_often(&ip, turn.now.mono) {
            // Known tokens still log in from this address: only further failures are closed without an answer.
            return self.end(turn, slot, End::AddressThrottled);
        }
        self.refuse_login(turn, slot, login_id, Status::InvalidToken, End::TokenUnknown);
    }

    /// Answer the login with `status` and close a moment later.
    pub(crate) fn refuse_login(&mut self, turn: &mut Turn<'_>, slot: Slot, id: u16, status: Status, end: End) {
        if self.is_mqtt(slot) {
            return self.refuse_mqtt_login(turn, slot, end);
        }
        self.emit(turn, slot, |out| codec::response(out, id, status));
        self.refuse(turn, slot, end);
    }

    /// The answer is already queued: leave the connection open for a moment, so that the peer reads it before the close.
    /// The caller guarantees that nothing is armed or that the connection stays armed.
    pub(crate) fn refuse(&mut self, turn: &mut Turn<'_>, slot: Slot, end: End) {
        if self.connections[slot].phase == Phase::Live {
            self.leave_live(turn, slot, end);
            return self.linger(turn, slot, end, Receive::Stay);
        }
        if !self.is_armed_by_ask(slot) {
            // To notice that the peer is gone already.
            turn.fx.push(Effect::Arm { slot, receive: Receive::Once });
        }
        self.linger(turn, slot, end, Receive::Once);
    }

    /// As [`Self::refuse`] for a connection that is armed like this and has not logged in.
    pub(crate) fn linger(&mut self, turn: &mut Turn<'_>, slot: Slot, end: End, receive: Receive) {
        self.connections.hold(slot, |c| {
            c.carry = None;
            c.extra = None;
            c.refuse(end, receive);
        });
        self.set_deadline(turn.now, slot, limits::REFUSAL_LINGER_MS);
    }

    /// Bytes of a peer that was refused: they are read away, for a close before them would be a reset and the answer lost. Who
    /// sends more than any request has waits for the close: reading at its pace would be work for as long as it likes.
    pub(crate) fn refused_bytes(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: usize) {
        self.forget_armed(slot);
        let Phase::Refused { end, receive } = self.connections[slot].phase else { return };
        match (receive, self.connections[slot].reads_away(bytes)) {
            (Receive::Once, true) => turn.fx.push(Effect::Arm { slot, receive }),
            (Receive::Stay, false) => self.end(turn, slot, end),
            (Receive::Once, false) | (Receive::Stay, true) => {}
        }
    }
}

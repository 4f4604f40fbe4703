//! A login or a bridge asks whose token it has; the owner of its index entry answers.

use linchpin_protocol::blynk::{Split, codec, split_login};
use linchpin_protocol::model::{DeviceId, Now, Token};
use linchpin_protocol::{Action, Status};

use crate::connection::Phase;
use crate::{ConnRef, Effect, Effects, End, Letter, Purpose, Receive, Shard, Slot, end, index_owner_of, limits};

impl Shard {
    /// Bytes of a peer that speaks Blynk and has not logged in.
    pub(crate) fn login_bytes(&mut self, now: Now, slot: Slot, bytes: &[u8], fx: &mut Effects) {
        let (frame, used) = match split_login(bytes) {
            Ok(Split::Partial { .. }) => return self.wait_for_more(now, slot, bytes, limits::LOGIN_BUFFER_BYTES, fx),
            Ok(Split::Frame { frame, used }) => (frame, used),
            Err(fault) => return self.end(now, slot, end::of_fault(fault), fx),
        };
        let rest = &bytes[used..];
        if rest.len() > limits::CARGO_BYTES {
            return self.end(now, slot, End::LoginTooLong, fx);
        }
        match self.connections[slot].session.on_frame(now.wall, frame) {
            Ok(request) => {
                let Action::Login { token, .. } = request.action else {
                    return self.end(now, slot, End::CommandBeforeLogin, fx);
                };
                if !rest.is_empty() {
                    self.connections.hold(slot, |c| c.carry = Some(Box::new(rest.to_vec())));
                }
                self.connections[slot].phase = Phase::Resolving { login_id: request.id };
                self.set_deadline(now, slot, limits::HOME_TIMEOUT_MS);
                self.resolve(now, slot, &token, Purpose::Login, fx);
            }
            Err(rejected) => match rejected.fault.status() {
                Some(status) => self.refuse_login(now, slot, rejected.id, status, end::of_fault(rejected.fault), fx),
                None => self.end(now, slot, end::of_fault(rejected.fault), fx),
            },
        }
    }

    /// Ask the owner of the token's index entry, which may be this shard.
    pub(crate) fn resolve(&mut self, now: Now, slot: Slot, token: &Token, purpose: Purpose, fx: &mut Effects) {
        let digest = self.key.digest(token);
        let asker = ConnRef { shard: self.id, slot, serial: self.connections[slot].serial };
        let owner = index_owner_of(&digest, self.shards);
        if owner == self.id {
            let device = self.index.get(&digest);
            self.resolved(now, asker, device, purpose, fx);
        } else {
            fx.push(Effect::Letter { to: owner, letter: Letter::Resolve { digest, asker, purpose } });
        }
    }

    /// The index owner answered.
    pub(crate) fn resolved(
        &mut self,
        now: Now,
        asker: ConnRef,
        device: Option<DeviceId>,
        purpose: Purpose,
        fx: &mut Effects,
    ) {
        if !self.is_current(asker) {
            return;
        }
        let slot = asker.slot;
        match (purpose, self.connections[slot].phase) {
            (Purpose::Login, Phase::Resolving { login_id }) => match device {
                Some(device) => self.go_home(now, slot, device, login_id, fx),
                None => self.unknown_token(now, slot, login_id, fx),
            },
            (Purpose::Bridge { id, bridge_pin }, Phase::Live) => {
                self.bridge_opened(now, slot, id, bridge_pin, device.ok_or(Status::NotAllowed), fx);
            }
            // The connection ended or went on meanwhile.
            _ => {}
        }
    }

    /// Is this still the connection that asked?
    pub(crate) fn is_current(&self, asker: ConnRef) -> bool {
        asker.shard == self.id && self.connections.get(asker.slot).is_some_and(|c| c.serial == asker.serial)
    }

    fn unknown_token(&mut self, now: Now, slot: Slot, login_id: u16, fx: &mut Effects) {
        let ip = self.connections[slot].peer.ip();
        if self.addresses.failed_too_often(&ip, now.mono) {
            // Known tokens still log in from this address: only further failures are closed without an answer.
            return self.end(now, slot, End::AddressThrottled, fx);
        }
        self.refuse_login(now, slot, login_id, Status::InvalidToken, End::TokenUnknown, fx);
    }

    /// Answer the login with `status` and close a moment later.
    pub(crate) fn refuse_login(&mut self, now: Now, slot: Slot, id: u16, status: Status, end: End, fx: &mut Effects) {
        self.emit(slot, fx, |out| codec::response(out, id, status));
        self.refuse(now, slot, end, fx);
    }

    /// What must be said was said: keep the connection open for a moment, so that the peer reads it before the close.
    /// The caller guarantees that nothing is armed or that the connection stays armed.
    pub(crate) fn refuse(&mut self, now: Now, slot: Slot, end: End, fx: &mut Effects) {
        let was_live = self.connections[slot].phase == Phase::Live;
        if was_live {
            self.leave_device(now, slot, end);
            self.counters.online -= 1;
        } else {
            // To notice that the peer is gone already.
            fx.push(Effect::Arm { slot, receive: Receive::Stay });
        }
        self.connections.hold(slot, |c| {
            c.carry = None;
            c.extra = None;
            c.ws = None;
            c.phase = Phase::Refused(end);
        });
        self.set_deadline(now, slot, limits::REFUSAL_LINGER_MS);
    }
}

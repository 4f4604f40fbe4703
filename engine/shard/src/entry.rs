//! From accept to a resolved login: everything before a connection is known.

use std::net::SocketAddr;

use linchpin_protocol::blynk::{Command, Split, codec, split_login};
use linchpin_protocol::limits::PROXY_HEADER_BYTES;
use linchpin_protocol::model::{DeviceId, Now, Token};
use linchpin_protocol::proxy::{self, Proxy};
use linchpin_protocol::{Action, Sniff, Status, sniff};
use linchpin_tls::{First, classify};

use crate::connection::{Exchange, Peer, Phase, gate};
use crate::{ConnRef, Effect, Effects, End, Letter, Purpose, Receive, Shard, Slot, Via, end, index_owner_of, limits};

impl Shard {
    pub(crate) fn accepted(&mut self, now: Now, slot: Slot, peer: SocketAddr, via: Via, fx: &mut Effects) {
        self.connections.open(slot, peer, now.mono);
        self.set_deadline(now, slot, u64::from(self.settings.login_timeout_ms));
        let is_within_cap = self.addresses.enter(&peer.ip(), self.address_share());
        match via {
            Via::Stranger => return self.end(now, slot, End::ProxyStranger, fx),
            // Many clients share a load balancer: theirs are the addresses that count.
            Via::Proxy => self.connections[slot].gate |= gate::PROXIED,
            _ if !is_within_cap => return self.end(now, slot, End::AddressCap, fx),
            Via::Direct => {}
            Via::Tls => self.connections[slot].gate |= gate::SECURED,
            Via::Mutual => self.connections[slot].gate |= gate::SECURED | gate::MUTUAL,
        }
        if self.drain.is_some() {
            return self.end(now, slot, End::Drained, fx);
        }
        fx.push(Effect::Arm { slot, receive: Receive::Once });
    }

    /// This shard's share of the address cap: the kernel spreads the connections of an address over the shards.
    pub(crate) fn address_share(&self) -> u32 {
        self.settings.per_address.div_ceil(u32::from(self.shards.max(1)))
    }

    pub(crate) fn received(&mut self, now: Now, slot: Slot, bytes: &mut [u8], fx: &mut Effects) {
        let Some(connection) = self.connections.get(slot) else { return };
        match connection.phase {
            Phase::Handshake => self.handshake_bytes(now, slot, bytes, fx),
            Phase::Live | Phase::Opening | Phase::Http(Exchange::Reading { .. }) if connection.tls.is_on() => {
                self.sealed_bytes(now, slot, bytes, fx);
            }
            _ => self.plain_bytes(now, slot, bytes, fx),
        }
    }

    /// Bytes as they came, or as TLS opened them.
    pub(crate) fn plain_bytes(&mut self, now: Now, slot: Slot, bytes: &mut [u8], fx: &mut Effects) {
        let Some(connection) = self.connections.get(slot) else { return };
        match connection.phase {
            Phase::Live | Phase::Opening if connection.gate & gate::WEBSOCKET != 0 => {
                self.websocket_bytes(now, slot, bytes, fx);
            }
            Phase::Live => self.feed(now, slot, bytes, fx),
            Phase::Opening => self.opening(now, slot, bytes, fx),
            Phase::Http(Exchange::Reading { .. }) => self.http_bytes(now, slot, bytes, fx),
            // Bytes after a refusal or a close are nobody's.
            _ => {}
        }
    }

    pub(crate) fn opening(&mut self, now: Now, slot: Slot, bytes: &[u8], fx: &mut Effects) {
        let Some(mut carry) = self.connections.hold(slot, |c| c.carry.take()) else {
            return self.first_bytes(now, slot, bytes, fx);
        };
        carry.extend_from_slice(bytes);
        self.first_bytes(now, slot, &carry, fx);
    }

    /// All bytes so far: which protocol is it?
    fn first_bytes(&mut self, now: Now, slot: Slot, bytes: &[u8], fx: &mut Effects) {
        let bits = self.connections[slot].gate;
        if bits & gate::PROXIED != 0 {
            return self.proxy_header(now, slot, bytes, fx);
        }
        let is_tls = self.connections[slot].tls.is_on();
        match sniff(bytes) {
            Sniff::Tls if is_tls || bits & gate::WEBSOCKET != 0 => self.end(now, slot, End::UnknownProtocol, fx),
            Sniff::Tls => match classify(bytes) {
                First::NeedMore => self.wait_for_more(now, slot, bytes, limits::LOGIN_BUFFER_BYTES, fx),
                First::ClientHello { .. } => self.greet(now, slot, bytes, fx),
                First::NotTls => self.end(now, slot, End::UnknownProtocol, fx),
            },
            _ if bits & gate::SECURED != 0 && !is_tls => self.end(now, slot, End::TlsExpected, fx),
            Sniff::Blynk => self.login_bytes(now, slot, bytes, fx),
            Sniff::NeedMore => self.wait_for_more(now, slot, bytes, limits::LOGIN_BUFFER_BYTES, fx),
            _ if bits & gate::WEBSOCKET != 0 => self.end(now, slot, End::UnknownProtocol, fx),
            Sniff::Http => {
                self.widen_records(slot);
                self.connections[slot].phase = Phase::Http(Exchange::Reading { verified: false });
                self.http_bytes(now, slot, bytes, fx);
            }
            Sniff::Mqtt => self.end(now, slot, End::MqttNotServed, fx),
            Sniff::Unknown(byte) if Command::from_number(byte).is_some() => {
                self.end(now, slot, End::CommandBeforeLogin, fx);
            }
            Sniff::Unknown(_) => self.end(now, slot, End::UnknownProtocol, fx),
        }
    }

    /// Who the client of a load balancer is; what follows is the client's.
    fn proxy_header(&mut self, now: Now, slot: Slot, bytes: &[u8], fx: &mut Effects) {
        match proxy::parse(bytes) {
            Ok(Proxy::Partial) => self.wait_for_more(now, slot, bytes, PROXY_HEADER_BYTES, fx),
            Ok(Proxy::Header { client, used }) => {
                self.connections[slot].gate &= !gate::PROXIED;
                if let Some(client) = client {
                    self.addresses.leave(&self.connections[slot].peer.ip());
                    self.connections[slot].peer = Peer::new(client);
                    if !self.addresses.enter(&client.ip(), self.address_share()) {
                        return self.end(now, slot, End::AddressCap, fx);
                    }
                }
                self.first_bytes(now, slot, &bytes[used..], fx);
            }
            Err(_) => self.end(now, slot, End::ProxyHeader, fx),
        }
    }

    pub(crate) fn wait_for_more(&mut self, now: Now, slot: Slot, bytes: &[u8], cap_bytes: usize, fx: &mut Effects) {
        if bytes.len() > cap_bytes {
            return self.end(now, slot, End::LoginTooLong, fx);
        }
        self.connections.hold(slot, |c| c.carry = Some(Box::new(bytes.to_vec())));
        fx.push(Effect::Arm { slot, receive: Receive::Once });
    }

    fn login_bytes(&mut self, now: Now, slot: Slot, bytes: &[u8], fx: &mut Effects) {
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

//! From accept to the first bytes, which decide what a connection speaks.

use std::net::SocketAddr;

use linchpin_protocol::blynk::Command;
use linchpin_protocol::limits::PROXY_HEADER_BYTES;
use linchpin_protocol::model::Now;
use linchpin_protocol::proxy::{self, Proxy};
use linchpin_protocol::{Sniff, sniff};
use linchpin_tls::{First, classify};

use crate::connection::{Exchange, Peer, Phase, gate};
use crate::{Effect, Effects, End, Receive, Shard, Slot, Via, limits};

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
}

//! From accept to the first bytes, which decide what a connection speaks.

use std::net::SocketAddr;

use linchpin_protocol::blynk::{Command, Session};
use linchpin_protocol::limits::PROXY_HEADER_BYTES;
use linchpin_protocol::proxy::{self, Proxy};
use linchpin_protocol::{Sniff, sniff};
use linchpin_tls::{First, classify, fatal, refusal};

use crate::connection::{Announced, Exchange, Peer, Phase, Speech};
use crate::tls::Tls;
use crate::{Effect, End, Receive, Shard, Slot, Turn, Via, limits};

impl Shard {
    pub(crate) fn accepted(&mut self, turn: &mut Turn<'_>, slot: Slot, peer: SocketAddr, via: Via) {
        self.connections.open(slot, peer, turn.now.mono);
        self.set_deadline(turn.now, slot, u64::from(self.settings.login_timeout_ms));
        let is_within_cap = self.connections.addresses.enter(&peer.ip(), self.address_share());
        let wire = &mut self.connections[slot].wire;
        match via {
            Via::Stranger => return self.end(turn, slot, End::ProxyStranger),
            // Many clients share a load balancer: theirs are the addresses that count.
            Via::Proxy => wire.speech = Speech::Proxy,
            _ if !is_within_cap => return self.end(turn, slot, End::AddressCap),
            Via::Direct => {}
            Via::Tls => wire.tls = Tls::Due { mutual: false },
            Via::Mutual => wire.tls = Tls::Due { mutual: true },
        }
        if self.operator.drain.is_some() {
            return self.end(turn, slot, End::Drained);
        }
        turn.fx.push(Effect::Arm { slot, receive: Receive::Once });
        self.look_for_room(turn);
    }

    /// This shard's share of the address cap: the kernel spreads the connections of an address over the shards.
    pub(crate) fn address_share(&self) -> u32 {
        self.settings.per_address.div_ceil(u32::from(self.shards.max(1)))
    }

    pub(crate) fn received(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &mut [u8]) {
        let Some(connection) = self.connections.get(slot) else { return };
        let is_sealed = connection.wire.tls.is_on();
        match connection.phase {
            Phase::Handshake => self.handshake_bytes(turn, slot, bytes),
            Phase::Live | Phase::Opening if is_sealed => self.sealed_bytes(turn, slot, bytes),
            Phase::Watching => {
                // Armed by the ask that it began as: from now on it stays armed.
                if self.is_armed_by_ask(slot) {
                    self.forget_armed(slot);
                    turn.fx.push(Effect::Arm { slot, receive: Receive::Stay });
                }
                if is_sealed { self.sealed_bytes(turn, slot, bytes) } else { self.plain_bytes(turn, slot, bytes) }
            }
            Phase::Serving => {
                self.forget_armed(slot);
                if is_sealed { self.sealed_bytes(turn, slot, bytes) } else { self.plain_bytes(turn, slot, bytes) }
            }
            Phase::Refused { .. } => self.refused_bytes(turn, slot, bytes.len()),
            _ => self.plain_bytes(turn, slot, bytes),
        }
    }

    /// Bytes as they came, or as TLS opened them.
    pub(crate) fn plain_bytes(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &mut [u8]) {
        let Some(connection) = self.connections.get(slot) else { return };
        match connection.phase {
            Phase::Live | Phase::Opening if connection.wire.framing.is_websocket() => {
                self.websocket_bytes(turn, slot, bytes);
            }
            Phase::Live => self.feed(turn, slot, bytes),
            Phase::Watching => self.live_bytes(turn, slot, bytes),
            Phase::Opening => self.opening(turn, slot, bytes),
            Phase::Serving => match connection.exchange() {
                Some(Exchange::Reading { .. }) => self.http_bytes(turn, slot, bytes),
                Some(Exchange::UnderWay) => {
                    self.ask_step(turn, slot, |ask, now, out| ask.received(now.mono, bytes, out))
                }
                // Armed by an ask before: the request that is being answered came behind it.
                _ => self.http_bytes_behind(slot, bytes),
            },
            // Ignore bytes that arrive after a refusal or close.
            _ => {}
        }
    }

    pub(crate) fn opening(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &[u8]) {
        let Some(mut carry) = self.connections.hold(slot, |c| c.carry.take()) else {
            return self.first_bytes(turn, slot, bytes);
        };
        carry.extend_from_slice(bytes);
        self.first_bytes(turn, slot, &carry);
    }

    /// All bytes so far: which protocol is it?
    fn first_bytes(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &[u8]) {
        let wire = &self.connections[slot].wire;
        if matches!(wire.speech, Speech::Proxy) {
            return self.proxy_header(turn, slot, bytes);
        }
        let (is_tls, is_websocket) = (wire.tls.is_on(), wire.framing.is_websocket());
        match sniff(bytes) {
            Sniff::Tls if is_tls || is_websocket => self.end(turn, slot, End::UnknownProtocol),
            Sniff::Tls => match classify(bytes) {
                First::NeedMore => self.wait_for_more(turn, slot, bytes, limits::LOGIN_BUFFER_BYTES),
                First::ClientHello { .. } => self.greet(turn, slot, bytes),
                First::NotTls => self.refuse_hello(turn, slot, bytes, End::UnknownProtocol),
            },
            _ if matches!(wire.tls, Tls::Due { .. }) => self.refuse_hello(turn, slot, bytes, End::TlsExpected),
            Sniff::Blynk => {
                self.connections[slot].wire.speech = Speech::Blynk(Session::new(), Announced::default());
                self.login_bytes(turn, slot, bytes);
            }
            Sniff::Mqtt => self.connect_bytes(turn, slot, bytes),
            Sniff::NeedMore => self.wait_for_more(turn, slot, bytes, limits::LOGIN_BUFFER_BYTES),
            _ if is_websocket => self.end(turn, slot, End::UnknownProtocol),
            Sniff::Http => {
                self.widen_records(slot);
                self.connections[slot].serve(Exchange::AT_BEGIN);
                self.http_bytes(turn, slot, bytes);
            }
            Sniff::Unknown(byte) if Command::from_number(byte).is_some() => {
                self.end(turn, slot, End::CommandBeforeLogin);
            }
            Sniff::Unknown(_) => self.end(turn, slot, End::UnknownProtocol),
        }
    }

    /// It is no ClientHello: a client that speaks some TLS or SSL learns why, others are closed.
    fn refuse_hello(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &[u8], end: End) {
        match refusal(bytes) {
            Some(alert) => {
                turn.fx.send(slot, |out| fatal(out, alert));
                self.refuse(turn, slot, end);
            }
            None => self.end(turn, slot, end),
        }
    }

    /// Who the client of a load balancer is; what follows is the client's.
    fn proxy_header(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &[u8]) {
        match proxy::parse(bytes) {
            Ok(Proxy::Partial) => self.wait_for_more(turn, slot, bytes, PROXY_HEADER_BYTES),
            Ok(Proxy::Header { client, used }) => {
                self.connections[slot].wire.speech = Speech::Unknown;
                if let Some(client) = client {
                    self.connections.addresses.leave(&self.connections[slot].peer.ip());
                    self.connections[slot].peer = Peer::new(client);
                    if !self.connections.addresses.enter(&client.ip(), self.address_share()) {
                        return self.end(turn, slot, End::AddressCap);
                    }
                }
                self.first_bytes(turn, slot, &bytes[used..]);
            }
            Err(_) => self.end(turn, slot, End::ProxyHeader),
        }
    }

    pub(crate) fn wait_for_more(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &[u8], cap_bytes: usize) {
        if bytes.len() > cap_bytes {
            return self.end(turn, slot, End::LoginTooLong);
        }
        self.connections.hold(slot, |c| c.carry = Some(Box::new(bytes.to_vec())));
        turn.fx.push(Effect::Arm { slot, receive: Receive::Once });
    }
}

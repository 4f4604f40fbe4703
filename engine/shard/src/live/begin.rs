//! From a granted request to a live socket, and its end.

use linchpin_protocol::http::{Head, Target};
use linchpin_protocol::limits::LIVE_MESSAGE_BYTES;
use linchpin_protocol::live::LiveReport;
use linchpin_protocol::ws::{self, CloseCode, Piece};

use super::frames::{LiveEncoding, LiveFrames};
use super::grant::LiveGrant;
use super::socket::LiveSocket;
use super::table::LiveWish;
use crate::connection::{Framing, Phase, Speech, Ticks, gate};
use crate::http::asks::ask::{AskRef, AskStart};
use crate::{Effect, End, Receive, Shard, Slot, Turn, limits};

/// Where live sockets begin.
const PATH: &str = "/api/v1/live";

impl Shard {
    /// Note that a request wants to become a live socket, if it does: control sees it as such.
    pub(crate) fn wish_live(&mut self, slot: Slot, name: AskRef, head: &Head<'_>, ask: &mut AskStart) {
        self.live.wishes.remove(&slot);
        let Some(key) = head.websocket_key.filter(|_| Target::parse(head.target).path == PATH) else { return };
        let protocols = ask.fields.text("sec-websocket-protocol").unwrap_or_default();
        let Some(encoding) = LiveEncoding::offered(protocols) else { return };
        ask.wants_live = true;
        self.live.wishes.insert(slot, LiveWish::new(name, key.into(), encoding, ask.peer.ip()));
    }

    /// The slot is free, or its ask is over.
    pub(crate) fn forget_wish(&mut self, slot: Slot) {
        self.live.wishes.remove(&slot);
    }

    /// Control grants a live socket. False: it cannot begin, and the ask is to be answered as failed.
    pub(crate) fn granted(&mut self, turn: &mut Turn<'_>, name: AskRef, grant: LiveGrant) -> Granted {
        let slot = name.conn.slot;
        let Some(wish) = self.live.wishes.remove(&slot).filter(|wish| wish.ask == name) else { return Granted::Bug };
        // Rights that ended while the grant was under way: the page asks again and hears it from control.
        if self.operator.drain.is_some() || !self.live.revocations.leave(&grant) {
            return Granted::Stale;
        }
        match self.live.payer(grant.owner, slot, self.connections.slots()) {
            None => {}
            Some(payer) if payer == slot => return Granted::Crowded,
            Some(payer) => self.end_live(turn, payer, End::LiveCrowded, None),
        }
        let Some(rest) = self.take_ask(slot) else { return Granted::Bug };
        let (key, protocol) = (&wish.key, wish.encoding.name());
        turn.fx.send(slot, |out| ws::upgrade_answer(out, key, Some(protocol)));
        self.connections.hold(slot, |c| {
            c.phase = Phase::Watching;
            c.wire.framing = Framing::messages(wish.encoding == LiveEncoding::Json);
            c.wire.speech = Speech::Live;
            c.heard = Ticks::at(turn.now.mono);
        });
        self.counters.live_sockets += 1;
        let hello =
            LiveReport::Hello { server_ms: turn.now.wall.0, build: grant.build.to_string(), rights: grant.rights };
        self.live.insert(slot, LiveSocket::new(grant, wish.encoding, wish.address, turn.now.mono));
        self.say_live(turn, slot, hello);
        self.set_deadline(turn.now, slot, limits::LIVE_TICK_MS);
        if !self.is_armed_by_ask(slot) {
            turn.fx.push(Effect::Arm { slot, receive: Receive::Stay });
        }
        let mut rest = rest;
        self.live_bytes(turn, slot, &mut rest);
        Granted::Begun
    }

    /// Bytes of a live socket, opened.
    pub(crate) fn live_bytes(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &mut [u8]) {
        self.connections[slot].heard = Ticks::at(turn.now.mono);
        let mut rest = bytes;
        loop {
            if self.connections[slot].phase != Phase::Watching {
                return;
            }
            let read = self.connections.hold(slot, |c| match &mut c.wire.framing {
                Framing::WebSocket(decoder) => {
                    let read = decoder.next(rest);
                    Some((read, decoder.is_at_end()))
                }
                Framing::Stream => None,
            });
            let Some((read, is_at_end)) = read else { return };
            let Ok((piece, after)) = read else {
                return self.close_live(turn, slot, CloseCode::Protocol, End::WebSocketFault);
            };
            rest = after;
            match piece {
                Piece::Data(data) => self.live_data(turn, slot, data, is_at_end),
                Piece::Ping(payload) if self.connections[slot].gate & gate::BLOCKED == 0 => {
                    turn.fx.send(slot, |out| ws::pong(out, &payload));
                }
                Piece::Ping(_) => {}
                Piece::Close => return self.close_live(turn, slot, CloseCode::Normal, End::LiveClosed),
                Piece::End => return,
            }
        }
    }

    /// A part of a message.
    fn live_data(&mut self, turn: &mut Turn<'_>, slot: Slot, data: &[u8], is_at_end: bool) {
        let Some(socket) = self.live.sockets.get_mut(&slot) else { return };
        let is_whole = is_at_end && socket.message.is_empty();
        if !is_whole {
            if socket.message.len() + data.len() > LIVE_MESSAGE_BYTES {
                return self.close_live(turn, slot, CloseCode::TooBig, End::LiveFault);
            }
            socket.message.extend_from_slice(data);
        }
        if is_at_end {
            let message = std::mem::take(&mut socket.message);
            let encoding = socket.encoding;
            match encoding.read(if is_whole { data } else { &message }) {
                Ok(ask) => self.live_ask(turn, slot, ask),
                Err(_) => return self.close_live(turn, slot, CloseCode::Protocol, End::LiveFault),
            }
        }
        self.live.count(slot);
    }

    /// Report something now, or when the socket has room.
    pub(super) fn say_live(&mut self, turn: &mut Turn<'_>, slot: Slot, report: LiveReport) {
        let Some(socket) = self.live.sockets.get_mut(&slot) else { return };
        if socket.blocked_at.is_none() {
            let mut frames = LiveFrames::new(socket.encoding);
            frames.report(&report);
            turn.fx.send(slot, |out| out.extend_from_slice(&frames.out));
        } else if socket.waiting.len() < limits::LIVE_WAITING {
            socket.waiting.push_back(report);
        } else {
            // It asks on and on and reads nothing.
            self.end(turn, slot, End::LiveSlow);
        }
    }

    /// End a socket with a close frame of this code.
    fn close_live(&mut self, turn: &mut Turn<'_>, slot: Slot, code: CloseCode, end: End) {
        if self.connections[slot].gate & gate::BLOCKED == 0 {
            turn.fx.send(slot, |out| ws::close(out, code));
            self.say_closed(turn, slot);
        }
        // This was the goodbye: nothing more is framed.
        self.connections.hold(slot, |c| c.wire.framing = Framing::Stream);
        self.end(turn, slot, end);
    }

    /// End a socket, with a last report; without one it is told when to come back.
    pub(crate) fn end_live(&mut self, turn: &mut Turn<'_>, slot: Slot, end: End, last: Option<LiveReport>) {
        let Some(socket) = self.live.sockets.get(&slot) else { return };
        if socket.blocked_at.is_none() {
            let last = last.unwrap_or(LiveReport::Bye { code: end.number(), retry_ms: limits::LIVE_RETRY_MS });
            let mut frames = LiveFrames::new(socket.encoding);
            frames.report(&last);
            turn.fx.send(slot, |out| out.extend_from_slice(&frames.out));
        }
        self.end(turn, slot, end);
    }

    /// The connection ends: its watches end with it.
    pub(crate) fn leave_watching(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let sets: Vec<u16> =
            self.live.sockets.get(&slot).into_iter().flat_map(|socket| socket.sets.keys().copied()).collect();
        for set in sets {
            self.unwatch(turn, slot, set);
        }
        if self.live.remove(slot).is_some() {
            self.counters.live_sockets -= 1;
        }
    }

    /// The socket took only a part of what was sent.
    pub(crate) fn live_blocked(&mut self, turn: &Turn<'_>, slot: Slot) {
        if let Some(socket) = self.live.sockets.get_mut(&slot) {
            socket.blocked_at.get_or_insert(turn.now.mono);
        }
    }

    /// It has taken everything.
    pub(crate) fn live_drained(&mut self, turn: &Turn<'_>, slot: Slot) {
        if let Some(socket) = self.live.sockets.get_mut(&slot) {
            socket.blocked_at = None;
            self.live.schedule(slot, turn.now.mono);
        }
    }
}

/// What came of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granted {
    /// The socket has begun.
    Begun,
    /// The rights have changed meanwhile, or the server stops.
    Stale,
    /// There are too many, and most of them are this person's.
    Crowded,
    /// The request wanted no live socket.
    Bug,
}

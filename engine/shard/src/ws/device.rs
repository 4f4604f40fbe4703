//! Devices over WebSocket: frames are a pipe for the bytes of the Blynk or MQTT stream.

use linchpin_protocol::ws::{self, CloseCode, Piece};

use crate::connection::{Framing, Phase, Speech, gate};
use crate::{Effect, End, Receive, Shard, Slot, Turn};

impl Shard {
    /// The connection becomes a WebSocket; `after` came behind the request.
    pub(crate) fn upgrade(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        (key, protocol): (&str, Option<&str>),
        after: &[u8],
    ) {
        turn.fx.send(slot, |out| ws::upgrade_answer(out, key, protocol));
        self.connections.hold(slot, |c| {
            c.phase = Phase::Opening;
            c.wire.framing = Framing::websocket();
            c.wire.speech = Speech::Unknown;
        });
        self.set_deadline(turn.now, slot, u64::from(self.settings.login_timeout_ms));
        let mut after = after.to_vec();
        self.websocket_bytes(turn, slot, &mut after);
    }

    /// Bytes of a WebSocket, before or after the login.
    pub(crate) fn websocket_bytes(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &mut [u8]) {
        // Before the login everything of one read is taken together: the connection is armed once for it.
        let mut opening = Vec::new();
        let is_opening = self.connections[slot].phase == Phase::Opening;
        let mut rest = bytes;
        let over = loop {
            let read = self.connections.hold(slot, |c| match &mut c.wire.framing {
                Framing::WebSocket(decoder) => Some(decoder.next(rest)),
                Framing::Stream => None,
            });
            // The connection has ended meanwhile.
            let Some(read) = read else { return };
            let (piece, after) = match read {
                Ok(read) => read,
                Err(fault) => break Some((fault.code(), End::WebSocketFault)),
            };
            rest = after;
            match piece {
                Piece::Data(data) if is_opening => opening.extend_from_slice(data),
                Piece::Data(data) => self.feed(turn, slot, data),
                // A blocked peer gets no pong.
                Piece::Ping(_) if !is_opening && !self.within_pings(turn, slot) => {}
                Piece::Ping(payload) if self.connections[slot].gate & gate::BLOCKED == 0 => {
                    turn.fx.send(slot, |out| ws::pong(out, &payload));
                }
                Piece::Ping(_) => {}
                Piece::Close => break Some((CloseCode::Normal, End::PeerClosed)),
                Piece::End => break None,
            }
            if !matches!(self.connections[slot].phase, Phase::Live | Phase::Opening) {
                return;
            }
        };
        match over {
            Some((code, end)) => {
                turn.fx.send(slot, |out| ws::close(out, code));
                // This was the goodbye: nothing more is framed.
                self.connections.hold(slot, |c| c.wire.framing = Framing::Stream);
                self.say_closed(turn, slot);
                self.end(turn, slot, end);
            }
            None if is_opening && opening.is_empty() => {
                turn.fx.push(Effect::Arm { slot, receive: Receive::Once });
            }
            None if is_opening => self.opening(turn, slot, &opening),
            None => {}
        }
    }

    /// Say goodbye before the close, if it is a WebSocket and can still be spoken to.
    pub(crate) fn websocket_goodbye(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let connection = &self.connections[slot];
        if connection.wire.framing.is_websocket() && connection.phase != Phase::Closing {
            turn.fx.send(slot, |out| ws::close(out, CloseCode::GoingAway));
        }
    }
}

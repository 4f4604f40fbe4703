//! Requests for the control plane ("asks") and for the browser application's files. The connection stays here: the shard
//! parses the request, passes it on as plain data, and writes the answer as it comes back.
//!
//! ```text
//! bytes -> requests.rs -> begin_ask -> UnderWay -> next_ask_part -> (lane) -> control
//!                                      UnderWay <- answer_part   <- (lane) <- control
//! ```
//!
//! One ask a connection; what is pipelined behind it waits, bounded. Bodies go both ways in chunks, within a credit that
//! the receiver gives, so that whoever does not read stops whoever writes: control gives credit for bytes that its
//! handler has read, the shard for bytes that the socket has taken.
//!
//! **A live socket of the console** (`GET /api/v1/live` with `Upgrade: websocket`) begins here too: it is passed on like any
//! ask, control grants it with [`AnswerPart::Grant`] in the place of an answer, and only then, after the connection's serial
//! and the revocations since were looked at, the shard writes the 101 and the connection is `live`'s.

pub(crate) mod admit;
mod answering;
pub(crate) mod ask;
pub(super) mod files;
mod pace;
pub(super) mod problem;
pub(crate) mod shares;
pub(crate) mod table;
mod under_way;
mod upload;

use linchpin_protocol::http::{Head, ListedFields, Method, Target};
use linchpin_protocol::model::Now;

use answering::Manner;
use ask::{AnswerPart, AskPart, AskRef, AskStart};
use problem::Problem;
use under_way::{AskEnd, AskOut, UnderWay};

use crate::connection::{Exchange, Phase, Ticks, gate};
use crate::live::Granted;
use crate::{Effect, End, Receive, Shard, Slot, Turn, limits};

impl Shard {
    /// A request for the control plane: `bytes` begin with its head. The ask takes all of them.
    pub(super) fn begin_ask(&mut self, turn: &mut Turn<'_>, slot: Slot, head: &Head<'_>, bytes: &[u8]) {
        let mut ask = match self.ask_of(slot, head, bytes) {
            Ok(ask) => Box::new(ask),
            Err(problem) => return self.refuse_ask(turn, slot, problem, head),
        };
        let ip = ask.peer.ip();
        match self.asks.payer(slot, ip) {
            None => {}
            Some(payer) if payer == slot => return self.refuse_ask(turn, slot, Problem::Crowded, head),
            Some(payer) => {
                self.counters.asks_refused += 1;
                self.ask_step(turn, payer, |ask, _, out| ask.refuse(Problem::Crowded, out));
            }
        }
        self.counters.asks += 1;
        let name = self.asks.name(self.id, slot, self.connections[slot].serial);
        self.wish_live(slot, name, head, &mut ask);
        let under_way = UnderWay::begin(turn.now.mono, name, ask, Manner::of(head), head.expects_continue);
        self.connections[slot].serve(Exchange::UnderWay);
        self.asks.insert(slot, ip, under_way, false);
        let rest = &bytes[head.len_bytes..];
        self.ask_step(turn, slot, |ask, now, out| ask.received(now.mono, rest, out));
    }

    /// What travels of a request.
    fn ask_of(&self, slot: Slot, head: &Head<'_>, bytes: &[u8]) -> Result<AskStart, Problem> {
        let connection = &self.connections[slot];
        let mut fields = ListedFields::of_head(&bytes[..head.len_bytes]).map_err(Problem::Malformed)?;
        // Devices call the server what their network calls it; a token or a link lets in there, and no cookie.
        let is_device = Target::parse(head.target).path.starts_with("/external/");
        if !is_device && !self.http.is_own_host(&fields) {
            return Err(Problem::ForeignHost);
        }
        if self.operator.drain.is_some() {
            return Err(Problem::Stopping);
        }
        let target = admit::target_of(head.method, head.target)?;
        let (peer, is_tls) = (connection.peer.address(), connection.wire.tls.is_on());
        let (peer, over_tls) = self.http.client(peer, is_tls, &mut fields).map_err(Problem::Malformed)?;
        let (method, body) = (head.method, head.body);
        Ok(AskStart { method, target: target.into(), fields, peer, over_tls, body, wants_live: false })
    }

    /// Answer a request that does not become an ask, and close.
    fn refuse_ask(&mut self, turn: &mut Turn<'_>, slot: Slot, problem: Problem, head: &Head<'_>) {
        self.counters.asks_refused += 1;
        turn.fx.send(slot, |out| problem.write(head.method == Method::Head, out));
        self.refuse(turn, slot, problem.end());
    }

    /// A part of an answer. Late ones, whose ask is over, are nobody's.
    pub(crate) fn answer_part(&mut self, turn: &mut Turn<'_>, name: AskRef, part: AnswerPart) {
        let slot = name.conn.slot;
        if self.asks.get(slot).is_none_or(|ask| ask.name() != name) {
            return;
        }
        let AnswerPart::Grant(grant) = part else {
            return self.ask_step(turn, slot, |ask, now, out| ask.answered(now.mono, part, out));
        };
        match self.granted(turn, name, *grant) {
            Granted::Begun => {}
            Granted::Stale => self.ask_step(turn, slot, |ask, _, out| ask.refuse(Problem::Busy, out)),
            Granted::Crowded => self.ask_step(turn, slot, |ask, _, out| ask.refuse(Problem::Crowded, out)),
            Granted::Bug => self.ask_step(turn, slot, |ask, _, out| ask.refuse(Problem::Failed, out)),
        }
    }

    /// The ask becomes something else: what was received behind its head.
    pub(crate) fn take_ask(&mut self, slot: Slot) -> Option<Vec<u8>> {
        self.asks.remove(slot).map(UnderWay::into_rest)
    }

    /// The next part for the control plane; `None`: there is nothing. To be called while the lane has room.
    pub fn next_ask_part(&mut self, now: Now) -> Option<(AskRef, AskPart)> {
        let (name, part, slot) = self.asks.next_part(now.mono)?;
        if let Some(slot) = slot {
            self.set_ask_timer(slot);
            let Some(ask) = self.asks.get(slot) else { return Some((name, part)) };
            if ask.has_fault() || ask.has_room() && !self.asks.armed.contains(&slot) {
                self.asks.note(slot, Some(now.mono));
            }
        }
        Some((name, part))
    }

    /// Does an ask have a part for the control plane?
    #[must_use]
    pub fn has_ask_part(&self) -> bool {
        self.asks.has_part()
    }

    /// Let something happen to an ask, and do what comes of it.
    pub(crate) fn ask_step(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        happens: impl FnOnce(&mut UnderWay, Now, &mut AskOut),
    ) {
        let Some(ask) = self.asks.get_mut(slot) else { return };
        let mut out = AskOut { wire: std::mem::take(&mut self.scratch), over: None };
        out.wire.clear();
        happens(ask, turn.now, &mut out);
        let (at, has_room) = (ask.grant_at(), ask.has_room());
        if !out.wire.is_empty() {
            turn.fx.send(slot, |wire| wire.extend_from_slice(&out.wire));
        }
        self.scratch = out.wire;
        if let Some(over) = out.over {
            return self.ask_over(turn, slot, over);
        }
        self.asks.note(slot, at);
        self.set_ask_timer(slot);
        if has_room && self.asks.armed.insert(slot) {
            turn.fx.push(Effect::Arm { slot, receive: Receive::Once });
        }
    }

    fn ask_over(&mut self, turn: &mut Turn<'_>, slot: Slot, over: AskEnd) {
        let Some(ask) = self.asks.remove(slot) else { return };
        let peer_ended = ask.has_peer_ended();
        match over {
            AskEnd::Next | AskEnd::Later => {
                if self.operator.drain.is_some() {
                    return self.refuse(turn, slot, End::HttpDone);
                }
                let rest = ask.into_rest();
                self.connections[slot].serve(Exchange::AT_BEGIN);
                self.set_deadline(turn.now, slot, u64::from(self.settings.login_timeout_ms));
                if peer_ended {
                    self.asks.ended.insert(slot);
                }
                match over {
                    // Refusals that nobody waits for would take a core.
                    AskEnd::Later => self.pause_http(turn, slot, &rest),
                    _ => self.requests(turn, slot, &rest),
                }
            }
            AskEnd::Close(end) if peer_ended => self.end(turn, slot, end),
            AskEnd::Close(end) => self.refuse(turn, slot, end),
            AskEnd::Cut(end) => {
                turn.fx.drop_sends(slot);
                // As one that does not read: aborted, so that the client does not take the part for the whole.
                self.connections[slot].gate |= gate::BLOCKED;
                self.end(turn, slot, end);
            }
        }
    }

    fn set_ask_timer(&mut self, slot: Slot) {
        let Some(ask) = self.asks.get(slot) else { return };
        let at = Ticks::at(ask.deadline().after(limits::WHEEL_TICK_MS));
        if self.connections[slot].deadline != at || !self.connections.wheel.is_set(slot) {
            self.connections[slot].deadline = at;
            self.connections.wheel.set(slot, at.millis());
        }
    }

    /// Asks that have something to do: credit for what the sockets took, bytes of files.
    pub(crate) fn asks_due(&mut self, turn: &mut Turn<'_>) {
        if self.asks.soon_at().is_none_or(|at| at > turn.now.mono) {
            return;
        }
        for slot in self.asks.take_soon() {
            self.ask_step(turn, slot, |ask, now, out| ask.due(now.mono, out));
        }
    }

    /// The server stops: answers have so long.
    pub(crate) fn drain_asks(&mut self, now: Now) {
        let by = now.mono.after(limits::ASK_DRAIN_MS);
        for slot in self.asks.slots().collect::<Vec<_>>() {
            if let Some(ask) = self.asks.get_mut(slot) {
                ask.drain(by);
            }
            self.set_ask_timer(slot);
        }
    }

    /// The connection ends: so does its ask.
    pub(crate) fn leave_ask(&mut self, slot: Slot) {
        self.asks.remove(slot);
    }

    /// Is an ask of this connection under way?
    pub(crate) fn has_ask(&self, slot: Slot) -> bool {
        self.connections.get(slot).is_some_and(|c| c.exchange() == Some(Exchange::UnderWay))
    }

    /// A TLS record is not whole: its connection receives again.
    pub(crate) fn arm_again(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let is_serving = self.connections[slot].phase == Phase::Serving;
        if is_serving && !self.awaits_request(slot) {
            self.asks.armed.insert(slot);
        }
        turn.fx.push(Effect::Arm { slot, receive: Receive::Once });
    }

    /// Is a receive armed by an ask that is over?
    pub(crate) fn is_armed_by_ask(&self, slot: Slot) -> bool {
        self.asks.armed.contains(&slot)
    }

    /// Has the client ended its stream during an ask, so that nothing more comes?
    pub(crate) fn has_stream_ended(&self, slot: Slot) -> bool {
        self.asks.ended.contains(&slot)
    }

    /// The receive that an ask had armed has ended, or is used up.
    pub(crate) fn forget_armed(&mut self, slot: Slot) {
        self.asks.armed.remove(&slot);
    }

    /// The slot is free.
    pub(crate) fn forget_asks(&mut self, slot: Slot) {
        self.asks.armed.remove(&slot);
        self.asks.ended.remove(&slot);
        self.forget_wish(slot);
    }
}

//! HTTP on a device port: requests in, one at a time, answers out.

use linchpin_protocol::http::{
    Answer, BodyLength, Call, ChunksSeen, Dialect, Head, HttpFault, Next, Reply, Request, Route, What, least_bytes,
    next_head, route, token, with_body,
};
use linchpin_protocol::limits::{HTTP_BODY_BYTES, HTTP_HEAD_BYTES};
use linchpin_protocol::model::Token;

use super::asks::files::Place;
use super::asks::problem::Problem;
use crate::connection::{Exchange, Ticks, gate};
use crate::{
    ConnRef, Digest, Effect, End, Letter, Receive, Shard, Slot, TokenRight, Turn, home_of, index_owner_of, limits,
};

/// How an answer is to be written.
#[derive(Clone, Copy)]
struct Manner {
    keep_alive: bool,
    head_only: bool,
}

impl Manner {
    /// The connection ends after it.
    const LAST: Self = Self { keep_alive: false, head_only: false };

    fn of(head: &Head<'_>) -> Self {
        Self { keep_alive: head.keep_alive, head_only: head.method == linchpin_protocol::http::Method::Head }
    }
}

/// Outcome of `ask`.
enum Asked {
    /// Answered at once; `None`: nobody has the token.
    Answered(Option<Reply>),
    /// Another shard was asked.
    Elsewhere,
}

impl Shard {
    /// Bytes of a connection that speaks HTTP and waits for a request.
    pub(crate) fn http_bytes(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &[u8]) {
        self.connections[slot].heard = Ticks::at(turn.now.mono);
        if self.connections[slot].carry.is_none() {
            // A request has begun: it must be whole in time, however slowly it drips.
            self.set_deadline(turn.now, slot, u64::from(self.settings.login_timeout_ms));
            return self.requests(turn, slot, bytes);
        }
        // It grows in place, and is looked at when it can be whole.
        let reading = match self.connections[slot].exchange() {
            Some(Exchange::Reading { verified, need, seen }) => Some((verified, need as usize, seen)),
            _ => None,
        };
        let mut seen = reading.map_or(ChunksSeen::NONE, |(.., seen)| seen);
        let least = self.connections.hold(slot, |c| {
            let carry = c.carry.get_or_insert_default();
            carry.extend_from_slice(bytes);
            match reading {
                Some((_, need, _)) if carry.len() < need => Some(need),
                // Its token is good, so it may be long: chunks are gone through where they are, each once.
                Some((true, ..)) => least_bytes(carry, &mut seen),
                _ => None,
            }
        });
        if let (Some((verified, ..)), Some(least)) = (reading, least) {
            self.connections[slot].serve(Exchange::Reading { verified, need: least as u32, seen });
            return self.arm_for_request(turn, slot);
        }
        let carry = self.connections.hold(slot, |c| c.carry.take());
        self.requests(turn, slot, carry.as_deref().map_or(&[], |carry| carry));
    }

    /// Receive more of a request.
    fn arm_for_request(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        if !self.is_armed_by_ask(slot) {
            turn.fx.push(Effect::Arm { slot, receive: Receive::Once });
        }
    }

    /// Answer all whole requests in `bytes`, as far as it goes.
    pub(crate) fn requests(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            let is_full = turn.fx.pending_bytes(slot) > limits::HTTP_PENDING_BYTES;
            if is_full || self.connections[slot].gate & gate::BLOCKED != 0 {
                return self.pause_http(turn, slot, rest);
            }
            let (head, skipped) = match next_head(rest) {
                Err(fault) => return self.http_fault(turn, slot, fault),
                Ok(None) => return self.await_more(turn, slot, rest),
                Ok(Some(found)) => found,
            };
            if let Some(place) = self.place_of(&head, &rest[skipped..]) {
                match self.request_at(turn, slot, place, &head, &rest[skipped..]) {
                    Some(used) => rest = &rest[skipped + used..],
                    None => return,
                }
                continue;
            }
            match with_body(rest, head, skipped) {
                Err(fault) => return self.http_fault(turn, slot, fault),
                Ok(Next::PartialHead) => return self.await_more(turn, slot, rest),
                Ok(Next::PartialBody { head, received }) => {
                    return self.await_body(turn, slot, &head, received, rest);
                }
                Ok(Next::Whole(request)) => {
                    rest = &rest[request.used..];
                    if !self.request(turn, slot, &request, rest) {
                        return;
                    }
                }
            }
        }
    }

    /// A request that is not a device's: how many of `bytes` were used if the next may follow at once.
    fn request_at(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        place: Place,
        head: &Head<'_>,
        bytes: &[u8],
    ) -> Option<usize> {
        self.counters.requests += 1;
        match place {
            Place::File(file) => self.serve_file(turn, slot, file, head, bytes),
            Place::NoFile => self.no_file(turn, slot, Problem::NoFile, head),
            Place::Control => {
                self.begin_ask(turn, slot, head, bytes);
                None
            }
        }
    }

    /// Bytes behind a request that is being answered: they wait.
    pub(crate) fn http_bytes_behind(&mut self, slot: Slot, bytes: &[u8]) {
        self.connections.hold(slot, |c| c.carry.get_or_insert_default().extend_from_slice(bytes));
    }

    /// One request; `after` came behind it. True: it was answered and the next may follow.
    fn request(&mut self, turn: &mut Turn<'_>, slot: Slot, request: &Request<'_>, after: &[u8]) -> bool {
        let manner = Manner::of(&request.head);
        self.counters.requests += 1;
        let (token, call) = match route(request) {
            Ok(Route::Device { token, call }) => (token, call),
            // Bytes of a WebSocket are received another way.
            Ok(Route::WebSocket { .. }) if self.is_armed_by_ask(slot) => {
                let text = "Send an upgrade request as the first one of its connection.";
                let manner = Manner { keep_alive: false, ..manner };
                return self.reply(turn, slot, &Reply::error(Dialect::Current, 400, text), manner);
            }
            Ok(Route::WebSocket { protocol }) => {
                let key = request.head.websocket_key.unwrap_or_default();
                self.upgrade(turn, slot, (key, protocol), after);
                return false;
            }
            Ok(Route::Preflight { allow }) => return self.preflight(turn, slot, allow, manner),
            Ok(Route::Challenge(challenge)) => {
                let reply = self.answer_challenge(&challenge);
                return self.reply(turn, slot, &reply, manner);
            }
            Err(reply) => return self.reply(turn, slot, &reply, manner),
        };
        let dialect = call.dialect;
        let is_history = matches!(call.what, What::History(_));
        let timeout_ms = if is_history { limits::HISTORY_TIMEOUT_MS } else { limits::HOME_TIMEOUT_MS };
        let call = Call { over_tls: self.connections[slot].wire.tls.is_on(), ..call };
        match self.ask(turn, slot, &token, call) {
            Asked::Answered(reply) => {
                let holds_back = reply.as_ref().is_some_and(|reply| reply.holds_back);
                let goes_on = self.deliver_reply(turn, slot, reply, dialect, manner);
                self.goes_on_at_once(turn, slot, goes_on, holds_back, after)
            }
            Asked::Elsewhere => {
                let Manner { keep_alive, head_only } = manner;
                let is_legacy = dialect == Dialect::Legacy;
                self.connections[slot].serve(Exchange::Asking { keep_alive, head_only, is_legacy });
                self.set_deadline(turn.now, slot, timeout_ms);
                self.retain_http(slot, after);
                false
            }
        }
    }

    /// What an authority that checks a name gets, while its challenge is open.
    fn answer_challenge(&self, challenge: &str) -> Reply {
        let answer = self.tls.as_ref().and_then(|tls| tls.options.challenges.answer(challenge));
        answer.map_or_else(
            || Reply::error(Dialect::Current, 404, "No such challenge is open."),
            |answer| Reply::text(&answer),
        )
    }

    /// Ask the device with this token, which may live on this shard.
    fn ask(&mut self, turn: &mut Turn<'_>, slot: Slot, token: &Token, call: Call) -> Asked {
        let digest = self.catalog.key.digest(token);
        let asker = ConnRef { shard: self.id, slot, serial: self.connections[slot].serial };
        let owner = index_owner_of(&digest, self.shards);
        let (to, right) = if owner == self.id {
            let Some(right) = self.catalog.tokens.get(&digest) else { return Asked::Answered(None) };
            let home = home_of(right.device, self.shards);
            if home == self.id {
                if self.honoured(right).is_none() {
                    return Asked::Answered(None);
                }
                let reply = self.answer_call(turn, right.device, &call, asker);
                return reply.map_or(Asked::Elsewhere, |reply| Asked::Answered(Some(reply)));
            }
            (home, Some(right))
        } else {
            (owner, None)
        };
        turn.fx.push(Effect::Letter { to, letter: Letter::Ask { digest, right, asker, call: Box::new(call) } });
        Asked::Elsewhere
    }

    /// Another shard asks: as the owner of the index entry, as the device's home, or as both.
    pub(crate) fn asked(
        &mut self,
        turn: &mut Turn<'_>,
        digest: Digest,
        right: Option<TokenRight>,
        asker: ConnRef,
        call: Box<Call>,
    ) {
        let Some(right) = right.or_else(|| self.catalog.tokens.get(&digest)) else {
            return self.send_reply(turn, asker, None);
        };
        let home = home_of(right.device, self.shards);
        if home == self.id {
            if self.honoured(right).is_none() {
                return self.send_reply(turn, asker, None);
            }
            if let Some(reply) = self.answer_call(turn, right.device, &call, asker) {
                self.send_reply(turn, asker, Some(Box::new(reply)));
            }
            return;
        }
        turn.fx.push(Effect::Letter { to: home, letter: Letter::Ask { digest, right: Some(right), asker, call } });
    }

    fn send_reply(&mut self, turn: &mut Turn<'_>, asker: ConnRef, reply: Option<Box<Reply>>) {
        if asker.shard == self.id {
            return self.replied(turn, asker, reply);
        }
        turn.fx.push(Effect::Letter { to: asker.shard, letter: Letter::Reply { asker, reply } });
    }

    /// A question could not be passed on.
    pub(crate) fn ask_failed(&mut self, turn: &mut Turn<'_>, asker: ConnRef, dialect: Dialect) {
        let reply = Reply::error(dialect, 503, "The server is too busy: try again in a moment.");
        self.send_reply(turn, asker, Some(Box::new(reply)));
    }

    /// The answer for a connection of this shard.
    pub(crate) fn replied(&mut self, turn: &mut Turn<'_>, asker: ConnRef, reply: Option<Box<Reply>>) {
        if !self.is_current(asker) {
            return;
        }
        let slot = asker.slot;
        let holds_back = reply.as_ref().is_some_and(|reply| reply.holds_back);
        let goes_on = match self.connections[slot].exchange() {
            Some(Exchange::Asking { keep_alive, head_only, is_legacy }) => {
                let dialect = if is_legacy { Dialect::Legacy } else { Dialect::Current };
                let manner = Manner { keep_alive, head_only };
                self.deliver_reply(turn, slot, reply.map(|reply| *reply), dialect, manner)
            }
            Some(Exchange::Verifying) => self.verified(turn, slot, reply.as_deref()),
            _ => false,
        };
        if self.goes_on_at_once(turn, slot, goes_on, holds_back, &[]) {
            // What follows must be whole in time, as if it had come now.
            self.set_deadline(turn.now, slot, u64::from(self.settings.login_timeout_ms));
            let carry = self.connections.hold(slot, |c| c.carry.take());
            self.requests(turn, slot, carry.as_deref().map_or(&[], |carry| carry));
        }
    }

    /// Write what a device's home answered; `None`: no device has the token.
    fn deliver_reply(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        reply: Option<Reply>,
        dialect: Dialect,
        manner: Manner,
    ) -> bool {
        if let Some(reply) = reply {
            return self.reply(turn, slot, &reply, manner);
        }
        let ip = self.connections[slot].peer.ip();
        if self.failures.failed_too_often(&ip, turn.now.mono) {
            let text = "Too many requests with unknown tokens came from this address: wait a minute.";
            self.write_reply(turn, slot, &Reply::error(dialect, 429, text), Manner { keep_alive: false, ..manner }, "");
            self.refuse(turn, slot, End::AddressThrottled);
            return false;
        }
        self.reply(turn, slot, &Reply::error(dialect, 400, "Invalid token."), manner)
    }

    /// Write an answer; true if the connection goes on.
    fn reply(&mut self, turn: &mut Turn<'_>, slot: Slot, reply: &Reply, manner: Manner) -> bool {
        let fields = match (reply.status, &reply.allow) {
            (_, Some(allow)) => &format!("Allow: {allow}\r\n"),
            // The body says where, too.
            (301, _) => &format!("Location: {}\r\n", String::from_utf8_lossy(&reply.body)),
            (426, _) => "Upgrade: websocket\r\n",
            (429 | 503, _) => "Retry-After: 1\r\n",
            _ => "",
        };
        self.write_reply(turn, slot, reply, manner, fields);
        self.after_answer(turn, slot, manner)
    }

    fn after_answer(&mut self, turn: &mut Turn<'_>, slot: Slot, manner: Manner) -> bool {
        if manner.keep_alive && self.operator.drain.is_none() {
            self.connections[slot].serve(Exchange::AT_BEGIN);
            return true;
        }
        self.end(turn, slot, End::HttpDone);
        false
    }

    fn write_reply(&mut self, turn: &mut Turn<'_>, slot: Slot, reply: &Reply, manner: Manner, fields: &str) {
        let answer = Answer {
            status: reply.status,
            content_type: reply.content.media_type(),
            body: &reply.body,
            keep_alive: manner.keep_alive && self.operator.drain.is_none(),
            head_only: manner.head_only,
            fields,
        };
        turn.fx.send(slot, |out| answer.write(out));
    }

    /// A page of another origin may call everything here with a token.
    fn preflight(&mut self, turn: &mut Turn<'_>, slot: Slot, allow: &str, manner: Manner) -> bool {
        let fields = format!(
            "Allow: {allow}\r\nAccess-Control-Allow-Methods: {allow}\r\n\
             Access-Control-Allow-Headers: authorization, content-type\r\nAccess-Control-Max-Age: 86400\r\n"
        );
        self.write_reply(turn, slot, &Reply { status: 204, ..Reply::empty() }, manner, &fields);
        self.after_answer(turn, slot, manner)
    }

    /// Where the next request would begin is not certain any more: answer, and close after a moment.
    fn http_fault(&mut self, turn: &mut Turn<'_>, slot: Slot, fault: HttpFault) {
        let reply = Reply::error(Dialect::Current, fault.status(), &fault.to_string());
        self.write_reply(turn, slot, &reply, Manner::LAST, "");
        self.refuse(turn, slot, End::HttpMalformed);
    }

    /// Retain the bytes of the next request that have come; the ledger knows who pays for them.
    fn retain_http(&mut self, slot: Slot, rest: &[u8]) {
        if !rest.is_empty() {
            self.connections.hold(slot, |c| c.carry = Some(Box::new(rest.to_vec())));
        }
    }

    /// The next request is not whole, or has not begun.
    fn await_more(&mut self, turn: &mut Turn<'_>, slot: Slot, rest: &[u8]) {
        if self.has_stream_ended(slot) {
            return self.end(turn, slot, End::HttpDone);
        }
        if rest.is_empty() {
            self.set_deadline(turn.now, slot, self.http_idle_ms());
        } else if !self.connections.wheel.is_set(slot) {
            self.set_deadline(turn.now, slot, u64::from(self.settings.login_timeout_ms));
        }
        self.retain_http(slot, rest);
        self.arm_for_request(turn, slot);
    }

    /// How long a connection may stay open without a request.
    pub(crate) fn http_idle_ms(&self) -> u64 {
        if self.connections.is_filling() { limits::HTTP_IDLE_FILLING_MS } else { limits::HTTP_IDLE_MS }
    }

    /// The head is whole, the body is not. Long bodies are read only for good tokens.
    fn await_body(&mut self, turn: &mut Turn<'_>, slot: Slot, head: &Head<'_>, received: usize, rest: &[u8]) {
        let is_verified = matches!(self.connections[slot].exchange(), Some(Exchange::Reading { verified: true, .. }));
        if rest.len() > HTTP_HEAD_BYTES && !is_verified {
            let over_tls = self.connections[slot].wire.tls.is_on();
            let bytes = match head.body {
                BodyLength::Known(len) => len,
                BodyLength::Chunked => HTTP_BODY_BYTES,
            };
            let call = Call { dialect: Dialect::Current, what: What::Upload(bytes as u32), over_tls };
            let asked = match token(head) {
                Some(token) => {
                    let digest = self.catalog.key.digest(&token).number();
                    self.connections.ledger.show_token(slot, digest);
                    self.ask(turn, slot, &token, call)
                }
                None => Asked::Answered(None),
            };
            self.connections[slot].serve(Exchange::Verifying);
            self.retain_http(slot, rest);
            if let Asked::Answered(reply) = asked {
                self.verified(turn, slot, reply.as_ref());
            }
            return;
        }
        if head.expects_continue && received == 0 {
            turn.fx.send(slot, |out| out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n"));
        }
        let whole = match head.body {
            BodyLength::Known(len) => rest.len() - received + len,
            BodyLength::Chunked => 0,
        };
        // Before its token was found good no more is read than a head may have.
        let need = if is_verified { whole } else { whole.min(HTTP_HEAD_BYTES + 1) };
        self.connections[slot].serve(Exchange::Reading {
            verified: is_verified,
            need: need as u32,
            seen: ChunksSeen::NONE,
        });
        self.await_more(turn, slot, rest);
    }

    /// The token of a request with a long body was looked up. Never goes on by itself: the body has not come.
    fn verified(&mut self, turn: &mut Turn<'_>, slot: Slot, reply: Option<&Reply>) -> bool {
        let manner = Manner::LAST;
        match reply {
            Some(reply) if reply.status == 200 => {
                self.connections[slot].serve(Exchange::Reading { verified: true, need: 0, seen: ChunksSeen::NONE });
                self.connections.recharge(slot);
                self.set_deadline(turn.now, slot, limits::HTTP_BODY_TIMEOUT_MS);
                self.arm_for_request(turn, slot);
            }
            reply => {
                let unknown = Reply::error(Dialect::Current, 400, "Invalid token.");
                let (end, fields) = match reply {
                    None => (End::TokenUnknown, ""),
                    Some(_) => (End::HttpDone, "Retry-After: 1\r\n"),
                };
                self.write_reply(turn, slot, reply.unwrap_or(&unknown), manner, fields);
                self.refuse(turn, slot, end);
            }
        }
        false
    }

    /// May the next request be read now? Refusals that nobody waits for would take a core: after many of them the next
    /// request, which `after` may begin, has to wait.
    fn goes_on_at_once(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        goes_on: bool,
        holds_back: bool,
        after: &[u8],
    ) -> bool {
        if goes_on && holds_back {
            self.pause_http(turn, slot, after);
        }
        goes_on && !holds_back
    }

    pub(crate) fn pause_http(&mut self, turn: &mut Turn<'_>, slot: Slot, rest: &[u8]) {
        self.connections[slot].serve(Exchange::Pausing);
        self.set_deadline(turn.now, slot, limits::WHEEL_TICK_MS);
        self.retain_http(slot, rest);
    }

    /// Has the client not read for too long, counted from its last bytes?
    fn is_blocked_for_long(&self, turn: &Turn<'_>, slot: Slot) -> bool {
        let connection = &self.connections[slot];
        let is_blocked = connection.gate & gate::BLOCKED != 0;
        is_blocked && turn.now.mono.since(connection.heard.millis()) >= limits::HTTP_BLOCKED_MS
    }

    /// Is the next request awaited?
    pub(crate) fn awaits_request(&self, slot: Slot) -> bool {
        matches!(self.connections[slot].exchange(), Some(Exchange::Reading { .. }))
    }

    /// The deadline of an HTTP connection has come.
    pub(crate) fn expire_http(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        match self.connections[slot].exchange() {
            None => {}
            Some(Exchange::Reading { .. }) if self.is_record_late(turn.now, slot) => {
                self.end(turn, slot, End::RecordTimeout);
            }
            Some(Exchange::Reading { .. }) if self.connections[slot].carry.is_none() => {
                self.end(turn, slot, End::HttpIdle);
            }
            Some(Exchange::Reading { .. }) => {
                let text = "The request did not come in time: send it at once.";
                self.write_reply(turn, slot, &Reply::error(Dialect::Current, 408, text), Manner::LAST, "");
                self.linger(turn, slot, End::LoginTimeout, Receive::Once);
            }
            Some(Exchange::Asking { .. } | Exchange::Verifying) => {
                let reply = Reply::error(Dialect::Current, 503, "The server is too busy: try again in a moment.");
                self.write_reply(turn, slot, &reply, Manner::LAST, "Retry-After: 1\r\n");
                self.refuse(turn, slot, End::Busy);
            }
            Some(Exchange::UnderWay) => self.ask_step(turn, slot, |ask, now, out| ask.due(now.mono, out)),
            // One segment now and then would hold the connection for ever.
            Some(Exchange::Pausing) if self.is_blocked_for_long(turn, slot) => self.end(turn, slot, End::OutboundFull),
            Some(Exchange::Pausing) => {
                // What follows must be whole in time, as if it had come now.
                self.set_deadline(turn.now, slot, u64::from(self.settings.login_timeout_ms));
                let carry = self.connections.hold(slot, |c| c.carry.take());
                self.connections[slot].serve(Exchange::AT_BEGIN);
                self.requests(turn, slot, carry.as_deref().map_or(&[], |carry| carry));
            }
        }
    }
}

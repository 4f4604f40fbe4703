//! HTTP on a device port: requests in, one at a time, answers out.

use linchpin_protocol::http::{
    Answer, Call, Dialect, Head, HttpFault, Next, Reply, Request, Route, What, next_request, route, token,
};
use linchpin_protocol::limits::HTTP_HEAD_BYTES;
use linchpin_protocol::model::{DeviceId, Now, Token};

use crate::connection::{Exchange, Phase, gate};
use crate::{ConnRef, Digest, Effect, Effects, End, Letter, Receive, Shard, Slot, home_of, index_owner_of, limits};

/// How an answer is to be written.
#[derive(Clone, Copy)]
struct Manner {
    keep_alive: bool,
    head_only: bool,
}

impl Manner {
    fn of(head: &Head<'_>) -> Self {
        Self { keep_alive: head.keep_alive, head_only: head.method == linchpin_protocol::http::Method::Head }
    }
}

/// What came of a question.
enum Asked {
    /// Answered at once; `None`: nobody has the token.
    Told(Option<Reply>),
    /// Another shard was asked.
    Elsewhere,
}

impl Shard {
    /// Bytes of a connection that speaks HTTP and waits for a request.
    pub(crate) fn http_bytes(&mut self, now: Now, slot: Slot, bytes: &[u8], fx: &mut Effects) {
        match self.connections.hold(slot, |c| c.carry.take()) {
            Some(mut carry) => {
                carry.extend_from_slice(bytes);
                self.requests(now, slot, &carry, fx);
            }
            None => {
                // A request has begun: it must be whole in time, however slowly it drips.
                self.set_deadline(now, slot, u64::from(self.settings.login_timeout_ms));
                self.requests(now, slot, bytes, fx);
            }
        }
    }

    /// Answer all whole requests in `bytes`, as far as it goes.
    fn requests(&mut self, now: Now, slot: Slot, bytes: &[u8], fx: &mut Effects) {
        let mut rest = bytes;
        loop {
            let is_full = fx.pending_bytes(slot) > limits::HTTP_PENDING_BYTES;
            if is_full || self.connections[slot].gate & gate::BLOCKED != 0 {
                return self.pause_http(now, slot, rest, fx);
            }
            match next_request(rest) {
                Err(fault) => return self.http_fault(now, slot, fault, fx),
                Ok(Next::PartialHead) => return self.await_more(now, slot, rest, fx),
                Ok(Next::PartialBody { head, received }) => {
                    return self.await_body(now, slot, &head, received, rest, fx);
                }
                Ok(Next::Whole(request)) => {
                    rest = &rest[request.used..];
                    if !self.request(now, slot, &request, rest, fx) {
                        return;
                    }
                }
            }
        }
    }

    /// One request; `after` came behind it. True: it was answered and the next may follow.
    fn request(&mut self, now: Now, slot: Slot, request: &Request<'_>, after: &[u8], fx: &mut Effects) -> bool {
        let manner = Manner::of(&request.head);
        self.counters.requests += 1;
        let (token, call) = match route(request) {
            Ok(Route::Device { token, call }) => (token, call),
            Ok(Route::WebSocket) => {
                self.upgrade(now, slot, request.head.websocket_key.unwrap_or_default(), after, fx);
                return false;
            }
            Ok(Route::Preflight { allow }) => return self.preflight(now, slot, allow, manner, fx),
            Err(reply) => return self.reply(now, slot, &reply, manner, fx),
        };
        let dialect = call.dialect;
        let is_history = matches!(call.what, What::History(_));
        let timeout_ms = if is_history { limits::HISTORY_TIMEOUT_MS } else { limits::HOME_TIMEOUT_MS };
        let call = Call { over_tls: self.connections[slot].tls.is_on(), ..call };
        match self.ask(now, slot, &token, call, fx) {
            Asked::Told(reply) => self.answer_call(now, slot, reply, dialect, manner, fx),
            Asked::Elsewhere => {
                let Manner { keep_alive, head_only } = manner;
                let is_legacy = dialect == Dialect::Legacy;
                self.connections[slot].phase = Phase::Http(Exchange::Asking { keep_alive, head_only, is_legacy });
                self.set_deadline(now, slot, timeout_ms);
                self.keep_http(now, slot, after, fx);
                false
            }
        }
    }

    /// Ask the device with this token, which may live on this shard.
    fn ask(&mut self, now: Now, slot: Slot, token: &Token, call: Call, fx: &mut Effects) -> Asked {
        let digest = self.key.digest(token);
        let asker = ConnRef { shard: self.id, slot, serial: self.connections[slot].serial };
        let owner = index_owner_of(&digest, self.shards);
        let (to, device) = if owner == self.id {
            let Some(device) = self.index.get(&digest) else { return Asked::Told(None) };
            let home = home_of(device, self.shards);
            if home == self.id {
                let told = self.call(now, device, &call, asker, fx);
                return told.map_or(Asked::Elsewhere, |reply| Asked::Told(Some(reply)));
            }
            (home, Some(device))
        } else {
            (owner, None)
        };
        fx.push(Effect::Letter { to, letter: Letter::Ask { digest, device, asker, call: Box::new(call) } });
        Asked::Elsewhere
    }

    /// Another shard asks: as the owner of the index entry, as the device's home, or as both.
    pub(crate) fn asked(
        &mut self,
        now: Now,
        digest: Digest,
        device: Option<DeviceId>,
        asker: ConnRef,
        call: Box<Call>,
        fx: &mut Effects,
    ) {
        let Some(device) = device.or_else(|| self.index.get(&digest)) else {
            return self.tell(now, asker, None, fx);
        };
        let home = home_of(device, self.shards);
        if home == self.id {
            if let Some(reply) = self.call(now, device, &call, asker, fx) {
                self.tell(now, asker, Some(Box::new(reply)), fx);
            }
            return;
        }
        fx.push(Effect::Letter { to: home, letter: Letter::Ask { digest, device: Some(device), asker, call } });
    }

    fn tell(&mut self, now: Now, asker: ConnRef, reply: Option<Box<Reply>>, fx: &mut Effects) {
        if asker.shard == self.id {
            return self.told(now, asker, reply, fx);
        }
        fx.push(Effect::Letter { to: asker.shard, letter: Letter::Told { asker, reply } });
    }

    /// A question could not be passed on.
    pub(crate) fn ask_failed(&mut self, now: Now, asker: ConnRef, dialect: Dialect, fx: &mut Effects) {
        let reply = Reply::error(dialect, 503, "The server is too busy: try again in a moment.");
        self.tell(now, asker, Some(Box::new(reply)), fx);
    }

    /// The answer for a connection of this shard.
    pub(crate) fn told(&mut self, now: Now, asker: ConnRef, reply: Option<Box<Reply>>, fx: &mut Effects) {
        if !self.is_current(asker) {
            return;
        }
        let slot = asker.slot;
        let goes_on = match self.connections[slot].phase {
            Phase::Http(Exchange::Asking { keep_alive, head_only, is_legacy }) => {
                let dialect = if is_legacy { Dialect::Legacy } else { Dialect::Current };
                let manner = Manner { keep_alive, head_only };
                self.answer_call(now, slot, reply.map(|reply| *reply), dialect, manner, fx)
            }
            Phase::Http(Exchange::Verifying) => self.verified(now, slot, reply.as_deref(), fx),
            _ => false,
        };
        if goes_on {
            let carry = self.connections.hold(slot, |c| c.carry.take());
            self.requests(now, slot, carry.as_deref().map_or(&[], |carry| carry), fx);
        }
    }

    /// Answer what a device's home said.
    fn answer_call(
        &mut self,
        now: Now,
        slot: Slot,
        reply: Option<Reply>,
        dialect: Dialect,
        manner: Manner,
        fx: &mut Effects,
    ) -> bool {
        if let Some(reply) = reply {
            return self.reply(now, slot, &reply, manner, fx);
        }
        let ip = self.connections[slot].peer.ip();
        if self.addresses.failed_too_often(&ip, now.mono) {
            let text = "Too many requests with unknown tokens came from this address: wait a minute.";
            self.write(slot, &Reply::error(dialect, 429, text), Manner { keep_alive: false, ..manner }, "", fx);
            self.refuse(now, slot, End::AddressThrottled, fx);
            return false;
        }
        self.reply(now, slot, &Reply::error(dialect, 400, "Invalid token."), manner, fx)
    }

    /// Write an answer; true if the connection goes on.
    fn reply(&mut self, now: Now, slot: Slot, reply: &Reply, manner: Manner, fx: &mut Effects) -> bool {
        let fields = match (reply.status, reply.allow) {
            (_, Some(allow)) => &format!("Allow: {allow}\r\n"),
            (426, _) => "Upgrade: websocket\r\n",
            (429 | 503, _) => "Retry-After: 1\r\n",
            _ => "",
        };
        self.write(slot, reply, manner, fields, fx);
        self.after_answer(now, slot, manner, fx)
    }

    fn after_answer(&mut self, now: Now, slot: Slot, manner: Manner, fx: &mut Effects) -> bool {
        if manner.keep_alive && self.drain.is_none() {
            self.connections[slot].phase = Phase::Http(Exchange::Reading { verified: false });
            return true;
        }
        self.end(now, slot, End::HttpDone, fx);
        false
    }

    fn write(&mut self, slot: Slot, reply: &Reply, manner: Manner, fields: &str, fx: &mut Effects) {
        let answer = Answer {
            status: reply.status,
            content_type: reply.content.media_type(),
            body: &reply.body,
            keep_alive: manner.keep_alive && self.drain.is_none(),
            head_only: manner.head_only,
            fields,
        };
        fx.send(slot, |out| answer.write(out));
    }

    /// A page of another origin may call everything here with a token.
    fn preflight(&mut self, now: Now, slot: Slot, allow: &str, manner: Manner, fx: &mut Effects) -> bool {
        let fields = format!(
            "Allow: {allow}\r\nAccess-Control-Allow-Methods: {allow}\r\n\
             Access-Control-Allow-Headers: authorization, content-type\r\nAccess-Control-Max-Age: 86400\r\n"
        );
        self.write(slot, &Reply { status: 204, ..Reply::empty() }, manner, &fields, fx);
        self.after_answer(now, slot, manner, fx)
    }

    /// Where the next request would begin is not certain any more: answer, and close after a moment.
    fn http_fault(&mut self, now: Now, slot: Slot, fault: HttpFault, fx: &mut Effects) {
        let reply = Reply::error(Dialect::Current, fault.status(), &fault.to_string());
        self.write(slot, &reply, Manner { keep_alive: false, head_only: false }, "", fx);
        self.refuse(now, slot, End::HttpMalformed, fx);
    }

    /// Keep what came of the next request. False: there is no room, and the connection has ended.
    fn keep_http(&mut self, now: Now, slot: Slot, rest: &[u8], fx: &mut Effects) -> bool {
        if rest.is_empty() {
            return true;
        }
        if self.connections.ledger_bytes + rest.len() > limits::LEDGER_BYTES {
            self.end(now, slot, End::CarryFull, fx);
            return false;
        }
        self.connections.hold(slot, |c| c.carry = Some(Box::new(rest.to_vec())));
        true
    }

    /// The next request is not whole, or has not begun.
    fn await_more(&mut self, now: Now, slot: Slot, rest: &[u8], fx: &mut Effects) {
        if rest.is_empty() {
            self.set_deadline(now, slot, limits::HTTP_IDLE_MS);
        }
        if self.keep_http(now, slot, rest, fx) {
            fx.push(Effect::Arm { slot, receive: Receive::Once });
        }
    }

    /// The head is whole, the body is not. Long bodies are read only for good tokens.
    fn await_body(&mut self, now: Now, slot: Slot, head: &Head<'_>, received: usize, rest: &[u8], fx: &mut Effects) {
        let is_verified = matches!(self.connections[slot].phase, Phase::Http(Exchange::Reading { verified: true }));
        if rest.len() > HTTP_HEAD_BYTES && !is_verified {
            let over_tls = self.connections[slot].tls.is_on();
            let call = Call { dialect: Dialect::Current, what: What::Exists, over_tls };
            let asked = match token(head) {
                Some(token) => self.ask(now, slot, &token, call, fx),
                None => Asked::Told(None),
            };
            self.connections[slot].phase = Phase::Http(Exchange::Verifying);
            if !self.keep_http(now, slot, rest, fx) {
                return;
            }
            if let Asked::Told(reply) = asked {
                self.verified(now, slot, reply.as_ref(), fx);
            }
            return;
        }
        if head.expects_continue && received == 0 {
            fx.send(slot, |out| out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n"));
        }
        self.await_more(now, slot, rest, fx);
    }

    /// The token of a request with a long body was looked up. Never goes on by itself: the body has not come.
    fn verified(&mut self, now: Now, slot: Slot, reply: Option<&Reply>, fx: &mut Effects) -> bool {
        let manner = Manner { keep_alive: false, head_only: false };
        match reply {
            Some(reply) if reply.status == 200 => {
                self.connections[slot].phase = Phase::Http(Exchange::Reading { verified: true });
                self.set_deadline(now, slot, limits::HTTP_BODY_TIMEOUT_MS);
                fx.push(Effect::Arm { slot, receive: Receive::Once });
            }
            reply => {
                let unknown = Reply::error(Dialect::Current, 400, "Invalid token.");
                self.write(slot, reply.unwrap_or(&unknown), manner, "", fx);
                self.refuse(now, slot, End::TokenUnknown, fx);
            }
        }
        false
    }

    fn pause_http(&mut self, now: Now, slot: Slot, rest: &[u8], fx: &mut Effects) {
        self.connections[slot].phase = Phase::Http(Exchange::Pausing);
        self.set_deadline(now, slot, limits::WHEEL_TICK_MS);
        self.keep_http(now, slot, rest, fx);
    }

    /// The deadline of an HTTP connection has come.
    pub(crate) fn expire_http(&mut self, now: Now, slot: Slot, exchange: Exchange, fx: &mut Effects) {
        match exchange {
            Exchange::Reading { .. } if self.connections[slot].carry.is_none() => {
                self.end(now, slot, End::HttpIdle, fx);
            }
            Exchange::Reading { .. } => self.end(now, slot, End::LoginTimeout, fx),
            Exchange::Asking { .. } | Exchange::Verifying => {
                let reply = Reply::error(Dialect::Current, 503, "The server is too busy: try again in a moment.");
                self.write(slot, &reply, Manner { keep_alive: false, head_only: false }, "Retry-After: 1\r\n", fx);
                self.refuse(now, slot, End::Busy, fx);
            }
            Exchange::Pausing => {
                let carry = self.connections.hold(slot, |c| c.carry.take());
                self.connections[slot].phase = Phase::Http(Exchange::Reading { verified: false });
                self.requests(now, slot, carry.as_deref().map_or(&[], |carry| carry), fx);
            }
        }
    }
}

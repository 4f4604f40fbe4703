//! TLS records of a shard's connections: opened where they lie, sealed once a tick.

use linchpin_protocol::model::{Millis, Now};
use linchpin_tls::limits::MAX_PLAINTEXT_BYTES;
use linchpin_tls::{Fault, Input, Opened, RecordLayer, Session};

use crate::connection::{Exchange, Phase, gate};
use crate::tls::Tls;
use crate::{Effects, End, Shard, Slot, Turn, end, limits};

impl Shard {
    /// A connection that was accepted just now speaks TLS with keys that its peer has too, as after a handshake that was
    /// recorded. For simulations: the random bytes of a handshake would make each run another one.
    pub fn secure(&mut self, slot: Slot, session: Session) {
        if self.connections.get(slot).is_some_and(|connection| connection.phase == Phase::Opening) {
            self.connections.hold(slot, |connection| connection.wire.tls = Tls::On(session));
        }
    }

    /// Sealed bytes of a connection: opened where they lie.
    pub(crate) fn sealed_bytes(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &mut [u8]) {
        let mut input = Input::new(bytes);
        // Before the login everything of one read is taken together: the connection is armed once for it.
        let mut gathered = Vec::new();
        let stays = |phase| matches!(phase, Phase::Live | Phase::Watching);
        let is_live = stays(self.connections[slot].phase);
        let mut is_new = false;
        let awaited_rest = self.connections[slot].wire.tls.awaits_rest();
        loop {
            let Some(secure) = self.tls.as_mut() else { return };
            let (desk, out) = (&mut secure.desk, &mut secure.out);
            let opened = self.connections.hold(slot, |c| match &mut c.wire.tls {
                Tls::On(session) => session.open(desk, &mut input, out),
                _ => Err(Fault::Closed),
            });
            if matches!(opened, Ok(Opened::Drained)) && (awaited_rest || self.connections[slot].wire.tls.awaits_rest())
            {
                self.note_record(turn, slot, is_new);
            }
            is_new = true;
            match opened {
                Ok(Opened::Plain(plain)) if is_live => self.plain_bytes(turn, slot, plain),
                Ok(Opened::Plain(plain)) => gathered.extend_from_slice(plain),
                Ok(Opened::Drained) if is_live => return self.flush_out(turn, slot),
                Ok(Opened::Drained) if gathered.is_empty() => {
                    self.arm_again(turn, slot);
                    return self.flush_out(turn, slot);
                }
                Ok(Opened::Drained) => {
                    self.flush_out(turn, slot);
                    return self.plain_bytes(turn, slot, &mut gathered);
                }
                Ok(Opened::PeerClosed) => {
                    self.flush_out(turn, slot);
                    if !gathered.is_empty() {
                        self.plain_bytes(turn, slot, &mut gathered);
                    }
                    // Who waits for an answer has only ended its own stream.
                    if !self.has_ask(slot) {
                        self.say_closed(turn, slot);
                    }
                    return self.peer_gone(turn, slot, End::PeerClosed);
                }
                Err(fault) => return self.tls_failed(turn, slot, &fault, false),
            }
            if self.connections.get(slot).is_none_or(|c| !stays(c.phase)) && is_live {
                return self.flush_out(turn, slot);
            }
        }
    }

    /// All that came was read, and a record was or is not whole. `is_new`: others were whole since.
    #[cold]
    fn note_record(&mut self, turn: &mut Turn<'_>, slot: Slot, is_new: bool) {
        let Some(secure) = self.tls.as_mut() else { return };
        let connection = &self.connections[slot];
        let is_opening = matches!(connection.phase, Phase::Opening)
            || matches!(connection.exchange(), Some(Exchange::Reading { verified: false, .. }));
        if !connection.wire.tls.awaits_rest() {
            let was_noted = secure.records.remove(&slot).is_some();
            if was_noted && connection.carry.is_none() && self.awaits_request(slot) {
                // If the record held nothing of a request, the connection is as idle as before.
                self.set_deadline(turn.now, slot, self.http_idle_ms());
            }
            return;
        }
        if is_new {
            secure.records.remove(&slot);
        }
        let at = secure.records.entry(slot).or_insert(turn.now.mono).after(limits::RECORD_MS);
        if connection.is_live() {
            self.set_live_timer(slot);
        } else if is_opening && connection.deadline.millis() > at.after(limits::WHEEL_TICK_MS) {
            self.set_deadline(turn.now, slot, at.since(turn.now.mono));
        }
    }

    /// When the record of which a part has come must be whole.
    pub(crate) fn record_due_at(&self, slot: Slot) -> Option<Millis> {
        let secure = self.tls.as_ref().filter(|secure| !secure.records.is_empty())?;
        secure.records.get(&slot).map(|at| at.after(limits::RECORD_MS))
    }

    /// Should it have been?
    pub(crate) fn is_record_late(&self, now: Now, slot: Slot) -> bool {
        self.record_due_at(slot).is_some_and(|at| at <= now.mono)
    }

    /// The slot is free.
    pub(crate) fn forget_record(&mut self, slot: Slot) {
        if let Some(secure) = self.tls.as_mut().filter(|secure| !secure.records.is_empty()) {
            secure.records.remove(&slot);
        }
    }

    /// TLS went wrong; the alert is in `out`.
    pub(crate) fn tls_failed(&mut self, turn: &mut Turn<'_>, slot: Slot, fault: &Fault, in_handshake: bool) {
        self.flush_out(turn, slot);
        self.end(turn, slot, end::of_tls_fault(fault, in_handshake));
    }

    /// Bytes that TLS has for the peer.
    pub(crate) fn flush_out(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let Some(secure) = self.tls.as_mut().filter(|secure| !secure.out.is_empty()) else { return };
        turn.fx.send_sealed(slot, &secure.out);
        secure.out.clear();
    }

    /// HTTP's clients have room for whole records, unless they said otherwise.
    pub(crate) fn widen_records(&mut self, slot: Slot) {
        if let Tls::On(session) = &mut self.connections[slot].wire.tls {
            session.set_fragment_bytes(MAX_PLAINTEXT_BYTES);
        }
    }

    /// Seal what the tick has for connections that speak TLS. To be called before its sends are carried out.
    pub fn seal(&mut self, now: Now, fx: &mut Effects) {
        let turn = &mut Turn { now, fx };
        self.end_overfull(turn);
        let Some(secure) = self.tls.as_mut() else { return };
        let mut sealed = std::mem::take(&mut turn.fx.sealed);
        let (mut failed, mut overfull) = (Vec::new(), Vec::new());
        for at in 0..turn.fx.sends.len() {
            let range = turn.fx.sends[at];
            let connection = self.connections.get_mut(range.slot).filter(|_| range.start < range.end);
            let Some(Tls::On(session)) = connection.map(|c| &mut c.wire.tls) else { continue };
            let start = turn.fx.arena.len();
            turn.fx.arena.extend(sealed.remove(&range.slot.0).unwrap_or_default());
            let sealing = session.begin(&mut secure.desk, &mut turn.fx.arena);
            turn.fx.arena.extend_from_within(range.start as usize..range.end as usize);
            if let Err(fault) = session.seal(&mut secure.desk, &mut turn.fx.arena, sealing) {
                failed.push((range.slot, fault));
            }
            if turn.fx.arena.len() > turn.fx.arena_bytes {
                turn.fx.arena.truncate(start);
                turn.fx.sends[at].end = range.start;
                overfull.push(range.slot);
                continue;
            }
            (turn.fx.sends[at].start, turn.fx.sends[at].end) = (start as u32, turn.fx.arena.len() as u32);
        }
        turn.fx.overfull.extend(overfull);
        for (slot, bytes) in sealed {
            turn.fx.send(Slot(slot), |out| out.extend_from_slice(&bytes));
        }
        self.end_overfull(turn);
        for (slot, fault) in failed {
            // Its alert is sealed, and nothing may follow it: what the end has to say cannot be sealed any more.
            let last_words = turn.fx.take_sends(slot);
            self.end(turn, slot, end::of_tls_fault(&fault, false));
            turn.fx.send(slot, |out| out.extend_from_slice(&last_words));
        }
    }

    /// The tick had no room for what these were to get: their streams have a gap.
    fn end_overfull(&mut self, turn: &mut Turn<'_>) {
        for slot in std::mem::take(&mut turn.fx.overfull) {
            turn.fx.drop_sends(slot);
            if let Some(connection) = self.connections.get_mut(slot) {
                // What came before cannot be said either: reset it.
                connection.gate |= gate::BLOCKED;
            }
            self.end(turn, slot, End::OutboundFull);
        }
    }

    /// Seal what waits for one connection, before its keys leave.
    pub(crate) fn seal_pending(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let Some(secure) = self.tls.as_mut() else { return };
        let Tls::On(session) = &mut self.connections[slot].wire.tls else { return };
        let plain = turn.fx.pending(slot);
        // A fault ends it, too: what could not be sealed is not said.
        let _ = session.seal_slice(&mut secure.desk, &mut secure.out, plain);
        let earlier = turn.fx.sealed.remove(&slot.0);
        turn.fx.drop_sends(slot);
        turn.fx.send_sealed(slot, &earlier.unwrap_or_default());
        self.flush_out(turn, slot);
    }

    /// The connection leaves for another shard: its expanded keys stay behind.
    pub(crate) fn release_keys(&mut self, slot: Slot) {
        let Some(shared) = self.tls.as_mut() else { return };
        if let Tls::On(session) = &mut self.connections[slot].wire.tls {
            session.release(&mut shared.desk);
        }
    }

    /// Say close_notify, after what is left to say: at the end, and when the peer has said its own (RFC 5246, 7.2.1).
    pub(crate) fn say_closed(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let Some(connection) = self.connections.get(slot) else { return };
        if !connection.wire.tls.is_on() || connection.gate & gate::BLOCKED != 0 {
            return;
        }
        self.seal_pending(turn, slot);
        let Some(secure) = self.tls.as_mut() else { return };
        if let Tls::On(session) = &mut self.connections[slot].wire.tls {
            session.close(&mut secure.desk, &mut secure.out);
        }
        self.flush_out(turn, slot);
    }

    /// The connection ends: say so if it can be said, and forget the keys.
    pub(crate) fn tls_goodbye(&mut self, turn: &mut Turn<'_>, slot: Slot, says_goodbye: bool) {
        if says_goodbye {
            self.say_closed(turn, slot);
        } else {
            self.seal_pending(turn, slot);
        }
        let Some(secure) = self.tls.as_mut() else { return };
        match self.connections.hold(slot, |c| std::mem::take(&mut c.wire.tls)) {
            Tls::Off | Tls::Due { .. } | Tls::Greeting(_) => {}
            Tls::Handshake(shaking) => secure.admission.abandoned(shaking.pass),
            Tls::On(mut session) => session.release(&mut secure.desk),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use linchpin_protocol::model::{Millis, Now, UnixMillis};
    use linchpin_tls::limits::GCM_RECORDS;
    use linchpin_tls::{
        Acceptor, AcceptorOptions, Certificates, Clock, Desk, Identity, InPlace, Layer, LocalAuthority, Provider,
        SessionIds, Side, Suite, TicketKey, Tickets,
    };

    use super::*;
    use crate::connection::Framing;
    use crate::{Effect, HttpOptions, Input as Event, Settings, ShardId, ShardOptions, TlsOptions, Via};

    const NOW_S: u64 = 1_800_000_000;
    const SLOT: Slot = Slot(0);
    const KEY: ([u8; 16], [u8; 12]) = ([1; 16], [2; 12]);

    fn tls_options() -> TlsOptions {
        let (provider, clock) = (Provider::default(), Clock::new(NOW_S));
        let year = Duration::from_secs(365 * 86_400);
        let authority = LocalAuthority::make("Test", NOW_S, year).expect("an authority");
        let made = authority.server(&["localhost"], NOW_S, year).expect("a certificate");
        let identity = Identity::from_pem(made.chain_pem.as_bytes(), made.key_pem.as_bytes(), provider, NOW_S);
        let acceptor = Acceptor::new(&AcceptorOptions {
            provider,
            certificates: Arc::new(Certificates::new(vec![identity.expect("an identity")]).expect("one")),
            tickets: Arc::new(Tickets::new(b"", &TicketKey::new(1, [1; 32]), &[]).expect("tickets")),
            session_ids: Arc::new(SessionIds::new(64, clock.clone())),
            clients: None,
            layer: Layer::InPlace,
            alpn: Vec::new(),
            challenges: Default::default(),
            clock: clock.clone(),
        });
        TlsOptions { acceptor: acceptor.expect("an acceptor"), mutual: None, challenges: Arc::default(), clock }
    }

    /// One end of a TLS 1.2 connection whose server has one record left under its key.
    fn nearly_used_up(side: Side) -> Session {
        let (up, down) = ((&KEY.0[..], KEY.1, 1), (&KEY.0[..], KEY.1, GCM_RECORDS - 1));
        let (own, peer) = if side == Side::Client { (up, down) } else { (down, up) };
        Session::InPlace(InPlace::from_keys(side, Suite::Aes128Gcm, own, peer).expect("lengths of the suite"))
    }

    #[test]
    fn a_key_that_is_used_up_in_a_tick_ends_the_connection_with_its_alert() {
        let now = Now { mono: Millis(1), wall: UnixMillis(NOW_S * 1_000) };
        for framing in [|| Framing::Stream, Framing::websocket] {
            let options = ShardOptions {
                id: ShardId(0),
                shards: 1,
                slots: 1,
                seed: [0; 16],
                digest_key: [0; 32],
                settings: Settings::default(),
                intake: crate::Intake::Memory,
                replaying: false,
                tls: Some(tls_options()),
                failures: Arc::new(crate::LoginFailures::new([0; 16])),
                http: HttpOptions::default(),
            };
            let (mut shard, mut fx) = (Shard::new(options, now), Effects::new());
            let peer = ([127, 0, 0, 1], 1_000).into();
            shard.handle(now, Event::Accepted { slot: SLOT, peer, via: Via::Direct }, &mut fx);
            shard.connections.hold(SLOT, |c| {
                c.wire.tls = Tls::On(nearly_used_up(Side::Server));
                c.wire.framing = framing();
            });
            let mut tick = |plain: &[u8]| {
                fx.clear();
                fx.send(SLOT, |out| out.extend_from_slice(plain));
                shard.seal(now, &mut fx);
                let ended: Vec<_> = fx
                    .list
                    .iter()
                    .filter_map(|effect| match effect {
                        Effect::Ended { end, .. } => Some(*end),
                        _ => None,
                    })
                    .collect();
                (fx.pending(SLOT).to_vec(), ended)
            };
            let (mut client, mut desk) = (nearly_used_up(Side::Client), Desk::default());
            let (mut last, ended) = tick(b"the last");
            assert!(ended.is_empty());
            let mut input = Input::new(&mut last);
            let opened = client.open(&mut desk, &mut input, &mut Vec::new());
            assert_eq!(opened, Ok(Opened::Plain(&mut b"the last".to_vec())));
            let (mut alert, ended) = tick(b"one too many");
            assert_eq!(ended, [End::TlsRecord]);
            let len = alert.len();
            let mut input = Input::new(&mut alert);
            let opened = client.open(&mut desk, &mut input, &mut Vec::new());
            assert_eq!(opened, Ok(Opened::PeerClosed));
            assert_eq!(len, 5 + 8 + 2 + 16, "nothing comes after the alert, sealed or not");
        }
    }

    /// Both ways in which a tick can have more to send than the arena takes: before the seal and by it.
    #[test]
    fn a_connection_beyond_the_arena_is_reset_and_others_get_their_bytes() {
        let now = Now { mono: Millis(1), wall: UnixMillis(NOW_S * 1_000) };
        let other = Slot(1);
        for (arena_bytes, plain_bytes) in [(300, 400), (300, 200)] {
            let options = ShardOptions {
                id: ShardId(0),
                shards: 1,
                slots: 8,
                seed: [0; 16],
                digest_key: [0; 32],
                settings: Settings::default(),
                intake: crate::Intake::Memory,
                replaying: false,
                tls: Some(tls_options()),
                failures: Arc::new(crate::LoginFailures::new([0; 16])),
                http: HttpOptions::default(),
            };
            let (mut shard, mut fx) = (Shard::new(options, now), Effects::with_arena_bytes(arena_bytes));
            for slot in [SLOT, other] {
                let peer = ([127, 0, 0, 1], 1_000).into();
                shard.handle(now, Event::Accepted { slot, peer, via: Via::Direct }, &mut fx);
            }
            shard.connections.hold(SLOT, |c| c.wire.tls = Tls::On(nearly_used_up(Side::Server)));
            fx.clear();
            fx.send(other, |out| out.extend_from_slice(b"in clear"));
            let taken = fx.send(SLOT, |out| out.resize(out.len() + plain_bytes, 7));
            assert_eq!(taken, if plain_bytes < arena_bytes { plain_bytes } else { 0 }, "before the seal");
            shard.seal(now, &mut fx);
            assert_eq!(fx.pending(other), b"in clear");
            assert!(fx.pending(SLOT).is_empty());
            let is_reset = |effect: &Effect| matches!(effect, Effect::Abort { slot: SLOT });
            assert!(fx.list.iter().any(is_reset), "{:?}", fx.list);
            assert!(fx.list.iter().any(|it| matches!(it, Effect::Ended { end: End::OutboundFull, .. })));
        }
    }
}

//! TLS handshakes of a shard's connections, in steps.
//!
//! A handshake costs as much as thousands of frames, so its steps are not made when their bytes come: they wait, and the
//! tick makes as many of them as it has time for after everybody else was answered (`Shard::shake`). What a step cost is
//! reported by `Shard::spent`, since a shard has no clock.

use std::time::Duration;

use linchpin_protocol::model::{Millis, Now};
use linchpin_tls::limits::HANDSHAKE_DEADLINE;
use linchpin_tls::{Alert, ArrivalVerdict, Established, Fault, Greeting, Load, Pass, Progress, Refusal, fatal};

use crate::connection::Phase;
use crate::tls::{Greeted, Shaking, Stage, Stepped, Tls, since_start};
use crate::{ConnRef, Effect, Effects, End, Receive, Shard, Slot, Turn, limits};

impl Shard {
    /// A ClientHello begins.
    pub(crate) fn greet(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &[u8]) {
        let mutual = matches!(self.connections[slot].wire.tls, Tls::Due { mutual: true });
        if self.tls.as_ref().is_none_or(|secure| mutual && secure.options.mutual.is_none()) {
            turn.fx.send(slot, |out| fatal(out, Alert::ProtocolVersion));
            return self.refuse(turn, slot, End::TlsNotServed);
        }
        self.connections.hold(slot, |c| {
            c.phase = Phase::Handshake;
            c.wire.tls = Tls::Greeting(Box::new(Greeted { greeting: Greeting::default(), mutual }));
        });
        self.set_deadline(turn.now, slot, HANDSHAKE_DEADLINE.as_millis() as u64);
        self.handshake_bytes(turn, slot, bytes);
    }

    /// Bytes of a connection that negotiates TLS.
    pub(crate) fn handshake_bytes(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: &[u8]) {
        let asker = self.asker(slot);
        let Some(secure) = self.tls.as_mut() else { return };
        let out = &mut secure.out;
        let greeted = self.connections.hold(slot, |c| match &mut c.wire.tls {
            Tls::Greeting(greeted) => {
                Some(greeted.greeting.push(bytes, out).map(|hello| hello.map(|hello| hello.resumes)))
            }
            Tls::Handshake(shaking) => {
                shaking.came.extend_from_slice(bytes);
                None
            }
            Tls::Off | Tls::Due { .. } | Tls::On(_) => None,
        });
        match greeted {
            None => secure.ready.push_back(asker),
            Some(Ok(None)) => turn.fx.push(Effect::Arm { slot, receive: Receive::Once }),
            Some(Ok(Some(resumes))) => self.knock(turn, slot, resumes),
            Some(Err(fault)) => self.tls_failed(turn, slot, &fault, true),
        }
    }

    fn asker(&self, slot: Slot) -> ConnRef {
        ConnRef { shard: self.id, slot, serial: self.connections[slot].serial }
    }

    /// The ClientHello is whole: may the handshake begin?
    fn knock(&mut self, turn: &mut Turn<'_>, slot: Slot, resumes: bool) {
        let (asker, ip) = (self.asker(slot), self.connections[slot].peer.ip());
        let Some(secure) = self.tls.as_mut() else { return };
        match secure.admission.arrive(since_start(turn.now), asker, ip, resumes) {
            ArrivalVerdict::Start(pass) => self.let_in(asker, pass),
            ArrivalVerdict::Wait => {}
            ArrivalVerdict::Instead(other) if self.is_current(other) => self.end(turn, other.slot, End::HandshakeBusy),
            ArrivalVerdict::Instead(_) => {}
            ArrivalVerdict::Refuse(Refusal::Busy) => self.end(turn, slot, End::HandshakeBusy),
            ArrivalVerdict::Refuse(Refusal::Address) => self.end(turn, slot, End::HandshakesPerAddress),
        }
    }

    /// Its turn has come.
    fn let_in(&mut self, asker: ConnRef, pass: Pass) {
        let is_waiting = self.is_current(asker) && matches!(self.connections[asker.slot].wire.tls, Tls::Greeting(_));
        let Some(secure) = self.tls.as_mut() else { return };
        if !is_waiting {
            return secure.admission.abandoned(pass);
        }
        self.connections.hold(asker.slot, |c| {
            let Tls::Greeting(greeted) = std::mem::take(&mut c.wire.tls) else { return };
            let Greeted { greeting, mutual } = *greeted;
            let stage = Stage::Hello(greeting);
            let shaking = Shaking { pass, cost: Duration::ZERO, stage, mutual, came: Vec::new() };
            c.wire.tls = Tls::Handshake(Box::new(shaking));
        });
        secure.ready.push_back(asker);
    }

    /// Are there steps that [`Self::shake`] can make at once?
    #[must_use]
    pub fn has_handshakes(&self) -> bool {
        self.tls.as_ref().is_some_and(|secure| !secure.ready.is_empty())
    }

    /// May [`Self::shake`] find something to do?
    #[must_use]
    pub fn awaits_handshakes(&self) -> bool {
        self.tls.as_ref().is_some_and(|secure| !secure.ready.is_empty() || secure.waiting() > 0)
    }

    /// When a waiting handshake may begin.
    pub(crate) fn handshake_deadline(&self) -> Option<Millis> {
        let at = self.tls.as_ref()?.admission.wake_at()?;
        Some(Millis(at.as_micros().div_ceil(1_000) as u64))
    }

    /// Make one step of one handshake; false: there is none to make. Report what it cost by [`Self::spent`].
    pub fn shake(&mut self, now: Now, fx: &mut Effects) -> bool {
        let turn = &mut Turn { now, fx };
        self.note_load(turn.now);
        // If `spent` was not called, the last step counts as free.
        self.spent(Duration::ZERO);
        loop {
            let Some(secure) = self.tls.as_mut() else { return false };
            if let Some(late) = secure.admission.expired(since_start(turn.now)) {
                if self.is_current(late) {
                    self.end(turn, late.slot, End::HandshakeBusy);
                }
                continue;
            }
            // Finish running handshakes before starting new ones.
            let Some(asker) = secure.ready.pop_front() else {
                let Some((asker, pass)) = secure.admission.next(since_start(turn.now)) else { return false };
                self.let_in(asker, pass);
                continue;
            };
            if self.is_current(asker) && self.connections[asker.slot].phase == Phase::Handshake {
                self.step(turn, asker);
                return true;
            }
        }
    }

    /// Sessions that speak take what they need before a step is made; only where they speak much do handshakes leave more.
    fn note_load(&mut self, now: Now) {
        let Some(secure) = self.tls.as_mut() else { return };
        let passed_ms = now.mono.since(secure.load_at);
        if passed_ms < limits::LOAD_LOOK_MS {
            return;
        }
        let spoken = self.counters.frames + self.counters.packets;
        let per_second = (spoken - secure.spoken) * 1_000 / passed_ms;
        let is_busy = per_second > limits::BUSY_FRAMES_PER_SECOND;
        secure.admission.set_load(if is_busy { Load::Sessions } else { Load::Alone });
        (secure.load_at, secure.spoken) = (now.mono, spoken);
    }

    fn step(&mut self, turn: &mut Turn<'_>, asker: ConnRef) {
        let slot = asker.slot;
        let Some(secure) = self.tls.as_mut() else { return };
        let options = &secure.options;
        if options.clock.unix_s() != turn.now.wall.seconds() {
            options.clock.set(turn.now.wall.seconds());
        }
        let Tls::Handshake(shaking) = self.connections.hold(slot, |c| std::mem::take(&mut c.wire.tls)) else { return };
        let Shaking { mut pass, cost, stage, mutual, came } = *shaking;
        secure.admission.begun(&mut pass);
        let acceptor = if mutual { options.mutual.as_ref() } else { Some(&options.acceptor) };
        let out = &mut secure.out;
        let progress = match (stage, acceptor) {
            (Stage::Hello(greeting), Some(acceptor)) => acceptor.accept(greeting, out),
            (Stage::Going(handshake), _) => handshake.advance(&came, out),
            (Stage::Hello(_), None) => Err(Fault::Internal("a listener for client certificates without roots")),
        };
        match progress {
            Ok(Progress::Pending(handshake)) => {
                secure.stepped = Some(Stepped::Going(asker));
                let stage = Stage::Going(handshake);
                let shaking = Shaking { pass, cost, stage, mutual, came: Vec::new() };
                self.connections.hold(slot, |c| c.wire.tls = Tls::Handshake(Box::new(shaking)));
                self.flush_out(turn, slot);
                turn.fx.push(Effect::Arm { slot, receive: Receive::Once });
            }
            Ok(Progress::Done(established)) => {
                secure.stepped = Some(Stepped::Ended(pass, cost));
                self.flush_out(turn, slot);
                self.established(turn, slot, *established);
            }
            Err(fault) => {
                secure.stepped = Some(Stepped::Ended(pass, cost));
                self.tls_failed(turn, slot, &fault, true);
            }
        }
    }

    /// The last [`Self::shake`] took so much processor time.
    pub fn spent(&mut self, cost: Duration) {
        let Some(secure) = self.tls.as_mut() else { return };
        secure.admission.spent(cost);
        match secure.stepped.take() {
            Some(Stepped::Ended(pass, before)) => secure.admission.ended(pass, before + cost),
            Some(Stepped::Going(asker)) if self.is_current(asker) => {
                if let Tls::Handshake(shaking) = &mut self.connections[asker.slot].wire.tls {
                    shaking.cost += cost;
                }
            }
            Some(Stepped::Going(_)) | None => {}
        }
    }

    /// From now on the connection speaks within TLS: its first bytes decide again.
    fn established(&mut self, turn: &mut Turn<'_>, slot: Slot, established: Established) {
        let Established { session, mut rest, facts } = established;
        self.counters.handshakes[usize::from(facts.resumed)] += 1;
        self.connections.hold(slot, |c| {
            c.wire.tls = Tls::On(session);
            c.phase = Phase::Opening;
        });
        self.set_deadline(turn.now, slot, u64::from(self.settings.login_timeout_ms));
        self.sealed_bytes(turn, slot, &mut rest);
    }

    /// Does the template of the device ask for TLS?
    pub(crate) fn needs_tls(&self, position: u32) -> bool {
        self.template_of(position).is_some_and(|template| template.requires_tls)
    }
}

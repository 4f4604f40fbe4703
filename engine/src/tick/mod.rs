//! The tick: reap completions, let the shard decide, carry out its effects, submit. Where driver and shard meet.

pub(crate) mod clock;
pub(crate) mod command_lane;
pub(crate) mod counters;
pub(crate) mod doors;
mod handover;
pub(crate) mod lanes;
mod log;
pub(crate) mod orders;
pub(crate) mod thread;
mod times;
pub(crate) mod voice;

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use linchpin_control::Answers;
use linchpin_control::http::AskLane;
use linchpin_driver::{ConnId, Driver, Event, ListenerId, Mailbox, Mode, Outgoing, Wait, give_back_freed};
use linchpin_protocol::model::{Millis, Now};
use linchpin_shard::{
    Command, Effect, Effects, Input, LocalLetter, MoveId, Parcel, Receive, Report, RequestId, Shard, ShardId, Slot,
};

use crate::limits;
use crate::serve::progress::ShardProgress;
use crate::store::{HistoryAsk, StoreLane};
use crate::tick::clock::TickClock;
use crate::tick::command_lane::FromControl;
use crate::tick::counters::EngineCounters;
use crate::tick::doors::{Door, Doors};
use crate::tick::lanes::Lanes;
use crate::tick::log::{Gone, ShardLog};
use crate::tick::orders::{Handover, ShardAnswer, ShardOrder};
use crate::tick::times::TickTimes;

/// One shard with everything that its thread needs.
pub(crate) struct Core {
    pub(crate) id: ShardId,
    pub(crate) driver: Driver,
    pub(crate) shard: Shard,
    pub(crate) lanes: Lanes,
    pub(crate) commands: FromControl,
    pub(crate) asks: AskLane,
    pub(crate) store: Option<StoreLane>,
    pub(crate) answers: Answers,
    pub(crate) mailboxes: Vec<Mailbox>,
    pub(crate) listeners: Vec<ListenerId>,
    /// Where they listen, in the same order.
    pub(crate) bound: Vec<SocketAddr>,
    pub(crate) clock: TickClock,
    pub(crate) progress: ShardProgress,
    pub(crate) log: ShardLog,
    pub(crate) doors: Doors,
    pub(crate) ticks: TickTimes,
    /// What the main thread orders while the server is handed over.
    pub(crate) orders: Receiver<ShardOrder>,
    pub(crate) answers_orders: Sender<ShardAnswer>,
    pub(crate) handover: Handover,
}

/// What a tick keeps for the next one, so that it allocates nothing.
#[derive(Default)]
struct Scratch {
    fx: Effects,
    list: Vec<Effect>,
    outgoing: Vec<Outgoing>,
    closes: Vec<(Slot, bool)>,
    undelivered: Vec<(ShardId, Parcel)>,
    /// Requests whose answers come behind all that the shard has said to the store, until they are answered.
    fenced: Vec<RequestId>,
    /// When freed memory was last given back.
    given_back: Millis,
}

const fn conn(slot: Slot) -> ConnId {
    ConnId(slot.0)
}

/// An event of the driver as an input of the shard; `None`: nothing of the shard's.
fn input<'a>(event: Event<'a>, doors: &Doors) -> Option<Input<'a>> {
    let slot = |conn: ConnId| Slot(conn.0);
    Some(match event {
        Event::Received { conn, bytes } => Input::Received { slot: slot(conn), bytes },
        Event::Accepted { conn, listener, peer } => {
            Input::Accepted { slot: slot(conn), peer, via: doors.via(listener, peer) }
        }
        Event::EndOfStream { conn } => Input::PeerClosed { slot: slot(conn) },
        Event::Failed { conn, errno } => Input::Failed { slot: slot(conn), errno },
        Event::Blocked { conn, bytes } => Input::Blocked { slot: slot(conn), bytes },
        Event::Drained { conn } => Input::Drained { slot: slot(conn) },
        Event::Closed { conn } => Input::Closed { slot: slot(conn) },
        Event::Arrived { token, conn } => Input::Arrived { id: MoveId(token), slot: slot(conn) },
        Event::TransferFailed { token, conn, .. } => Input::MoveFailed { id: MoveId(token), slot: slot(conn) },
        Event::Woken
        | Event::Connected { .. }
        | Event::ConnectFailed { .. }
        | Event::AcceptPaused { .. }
        | Event::AcceptResumed { .. } => return None,
    })
}

/// Processor time of this thread: on a busy machine others' work must not count as a handshake's.
fn cpu_time() -> Duration {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(at.tv_sec.unsigned_abs(), at.tv_nsec as u32)
}

impl Core {
    /// Run until the process ends.
    pub(crate) fn run(mut self) {
        let mut scratch = Scratch::default();
        loop {
            let goes_on = match self.progress.has_orders() {
                true => self.follow_orders(&mut scratch),
                false => Ok(true),
            };
            match goes_on.and_then(|goes_on| if goes_on { self.tick(&mut scratch).map(|()| true) } else { Ok(false) }) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::error!(shard = self.id.0, %error, "the driver failed; this shard ends");
                    // What was handed over is stored all the same.
                    if let Some(store) = self.store.take() {
                        store.end(&mut self.shard);
                    }
                    self.progress.shard_failed();
                    return;
                }
            }
            self.progress.report(self.id, self.shard.connections());
            if self.progress.is_over() {
                // The answers of the last tick wait for a poll that does not come.
                self.driver.flush(&[], &[]);
                if let Some(store) = self.store.take() {
                    store.end(&mut self.shard);
                }
                return;
            }
        }
    }

    fn tick(&mut self, scratch: &mut Scratch) -> std::io::Result<()> {
        // What the rounds below left over is carried out now.
        let wait = if scratch.fx.is_empty() { self.sleep_time() } else { Wait::No };
        let Self { driver, shard, lanes, commands, asks, clock, log, doors, .. } = self;
        let (fx, fenced) = (&mut scratch.fx, &mut scratch.fenced);
        // Read when the first event comes: after the sleep, and once a tick.
        let (mut now, mut begun) = (None, None);
        let owes_parts = shard.has_ask_part();
        let mut has_work =
            || lanes.has_work() || commands.has_work() || asks.has_work() || owes_parts && asks.has_room();
        driver.poll(wait, &mut has_work, &mut |event| {
            let now = *now.get_or_insert_with(|| clock.now());
            begun.get_or_insert_with(Instant::now);
            log.accepting(now.mono, &event);
            if let Some(input) = input(event, doors) {
                shard.handle(now, input, fx);
            }
        })?;
        let now = now.unwrap_or_else(|| clock.now());
        let begun = begun.unwrap_or_else(Instant::now);
        lanes.receive(|from, parcel| shard.handle(now, parcel.into_input(from), fx));
        let mut listens = None;
        commands.receive(|command| {
            match command {
                Command::Drain { .. } => listens = Some(false),
                Command::Undrain => listens = Some(true),
                _ => {}
            }
            fenced.extend(command.fenced());
            shard.handle(now, Input::Command(command), fx);
        });
        asks.receive(limits::ANSWERS_PER_TICK, |ask, part| shard.handle(now, Input::Answer { ask, part }, fx));
        match listens {
            Some(true) => self.listen_again(),
            Some(false) => self.stop_listening(),
            None => {}
        }
        if self.shard.deadline().is_some_and(|at| at <= now.mono) {
            self.shard.handle(now, Input::Timer, &mut scratch.fx);
        }
        self.shake_hands(now, &mut scratch.fx);
        self.finish_tick(now, scratch);
        self.pass_asks(now);
        if let Some(store) = &mut self.store {
            store.tick(now.mono, &mut self.shard);
        }
        self.lanes.deliver();
        // Also while nothing happens: the memory of a busy time must not stay.
        if now.mono.since(scratch.given_back) >= limits::GIVE_BACK_MS {
            scratch.given_back = now.mono;
            give_back_freed();
        }
        self.ticks.note(now.mono, begun.elapsed());
        Ok(())
    }

    /// Seal and carry out what was decided, and what that caused.
    fn finish_tick(&mut self, now: Now, scratch: &mut Scratch) {
        for _ in 0..limits::ROUNDS {
            self.shard.seal(now, &mut scratch.fx);
            self.carry_out(now.mono, scratch);
            for (to, parcel) in scratch.undelivered.drain(..) {
                self.shard.handle(now, Input::Undelivered { to, parcel }, &mut scratch.fx);
            }
            if scratch.fx.is_empty() {
                break;
            }
        }
    }

    /// Parts of asks go to the control plane while the lane has room; it wakes this thread when there is more.
    fn pass_asks(&mut self, now: Now) {
        while self.shard.has_ask_part() && self.asks.has_room() {
            let Some((ask, part)) = self.shard.next_ask_part(now) else { return };
            // Only a control plane that is gone does not take it: the ask's time runs out.
            let _ = self.asks.push(ask, part);
        }
    }

    /// Handshakes go on after everybody else was answered, and only so long that the next tick is not late.
    fn shake_hands(&mut self, now: Now, fx: &mut Effects) {
        if !self.shard.awaits_handshakes() {
            return;
        }
        let begun = cpu_time();
        let mut since = begun;
        while since - begun < limits::HANDSHAKES_PER_TICK && self.shard.shake(now, fx) {
            let at = cpu_time();
            self.shard.spent(at - since);
            since = at;
        }
    }

    fn sleep_time(&self) -> Wait {
        if self.lanes.has_work() || self.commands.has_work() || self.asks.has_work() || self.shard.has_handshakes() {
            return Wait::No;
        }
        let now = self.clock.now().mono;
        let store = self.store.as_ref().and_then(|store| store.deadline(&self.shard));
        match self.shard.deadline().into_iter().chain(store).min().map(|at| at.since(now)) {
            Some(0) => Wait::No,
            Some(ms) => Wait::Until(Duration::from_millis(ms).min(limits::IDLE)),
            None => Wait::Until(limits::IDLE),
        }
    }

    /// Effects in their order, then all sends in one submission (the one that the next tick sleeps with), then the closes.
    fn carry_out(&mut self, now: Millis, scratch: &mut Scratch) {
        if !scratch.fx.points.is_empty() {
            self.log.points(&scratch.fx);
            if let Some(store) = &mut self.store {
                store.take_points(now, &scratch.fx);
            }
        }
        std::mem::swap(&mut scratch.list, &mut scratch.fx.list);
        for effect in scratch.list.drain(..) {
            match effect {
                Effect::Arm { slot, receive: Receive::Once } => self.driver.arm(conn(slot), Mode::Once),
                Effect::Arm { slot, receive: Receive::Stay } => self.driver.arm(conn(slot), Mode::Multi),
                Effect::Close { slot } => scratch.closes.push((slot, false)),
                Effect::Abort { slot } => scratch.closes.push((slot, true)),
                Effect::Letter { to, letter } => {
                    if let Err(parcel) = self.lanes.send(to, letter.into()) {
                        scratch.undelivered.push((to, parcel));
                    }
                }
                Effect::LocalLetter { to, letter } => {
                    if let Err(parcel) = self.lanes.send(to, letter.into()) {
                        scratch.undelivered.push((to, parcel));
                    }
                }
                Effect::Move { slot, to, id, cargo } => {
                    match self.lanes.send(to, LocalLetter::Moving { id, cargo }.into()) {
                        Ok(()) => self.driver.transfer(conn(slot), &self.mailboxes[to.index()], id.0),
                        Err(parcel) => scratch.undelivered.push((to, parcel)),
                    }
                }
                Effect::Report { to, report } => self.report(now, to, report, &mut scratch.fenced),
                Effect::Store(change) => {
                    if let Some(store) = &mut self.store {
                        store.take_change(now, *change);
                    }
                }
                Effect::AnswerStored(answer) => {
                    if let Some(store) = &mut self.store {
                        store.await_stored(answer);
                    }
                }
                Effect::History { asker, org, device, ask, pins, over_tls } => {
                    if let Some(store) = &mut self.store {
                        store.ask(asker, HistoryAsk { org, device, ask: *ask, pins, over_tls });
                    }
                }
                Effect::Field(ask) => {
                    if let Some(store) = &mut self.store {
                        store.ask_field(ask);
                    }
                }
                Effect::LoggedIn { slot } => self.log.logged_in(&self.shard, slot),
                Effect::Introduced { slot } => self.log.introduced(&self.shard, slot),
                Effect::Ended { device, end, peer, online_ms, .. } => {
                    self.log.ended(now, &Gone { device, peer: peer.address(), end, online_ms });
                }
            }
        }
        let sends = scratch.fx.sends.iter();
        scratch.outgoing.extend(sends.map(|s| Outgoing { conn: conn(s.slot), start: s.start, end: s.end }));
        self.driver.flush_later(&mut scratch.fx.arena, &mut scratch.outgoing);
        scratch.fx.clear();
        for (slot, abort) in scratch.closes.drain(..) {
            if abort { self.driver.abort(conn(slot)) } else { self.driver.close(conn(slot)) }
        }
    }

    /// Answer the control plane.
    fn report(&mut self, now: Millis, to: RequestId, report: Report, fenced: &mut Vec<RequestId>) {
        let fence = fenced.iter().position(|request| *request == to).map(|at| fenced.swap_remove(at));
        match (report, &mut self.store) {
            (Report::Status(status), _) => {
                let figures = self.count(now).figures();
                self.answers.give_status(to, status, figures);
            }
            // What erases or moves what the device wrote is asked of the store after this answer.
            (report, Some(store)) if fence.is_some() => {
                let answers = self.answers.clone();
                store.fence(now, move || answers.give(to, report));
            }
            (report, _) => self.answers.give(to, report),
        }
    }

    /// What this thread counts besides the shard.
    fn count(&mut self, now: Millis) -> EngineCounters {
        let driver = self.driver.counters();
        let mut counters = EngineCounters {
            lane_depth: self.lanes.depth(),
            enters: driver.enters,
            accepts: driver.accepts,
            accept_pauses: driver.accept_pauses,
            backlog_bytes: driver.backlog_bytes,
            cpu_us: cpu_time().as_micros() as u64,
            ..EngineCounters::default()
        };
        self.ticks.report(now, &mut counters);
        if let Some(store) = &self.store {
            store.count(&mut counters);
        }
        counters
    }

    /// After a drain that was taken back.
    fn listen_again(&mut self) {
        if !self.listeners.is_empty() {
            return;
        }
        let doors: Vec<Door> = self.doors.kinds.iter().rev().take(self.bound.len()).rev().copied().collect();
        if self.doors.kinds.len() + doors.len() > limits::LISTENERS {
            tracing::error!(shard = self.id.0, "drained and taken back too often: restart the server to listen again");
            return;
        }
        for (door, address) in doors.into_iter().zip(self.bound.clone()) {
            match self.driver.listen(address) {
                Ok((listener, _)) => {
                    self.listeners.push(listener);
                    self.doors.kinds.push(door);
                }
                Err(error) => tracing::error!(shard = self.id.0, %address, %error, "cannot listen again"),
            }
        }
    }

    fn stop_listening(&mut self) {
        for listener in self.listeners.drain(..) {
            self.driver.stop_listening(listener);
        }
    }
}

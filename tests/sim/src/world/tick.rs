//! The tick of a shard, as the engine's core does it, and what the kernel does with its sends and closes.

use linchpin_protocol::model::Now;
use linchpin_shard::{Command, Effect, Input, LocalLetter, MoveId, Parcel, Report, ShardId, Slot};

use super::{STEP_COST, STEPS_PER_TICK, Travel, World};
use crate::driver::{Completion, Conn};

impl World {
    pub(super) fn tick(&mut self, shard: usize) {
        if self.random.chance(self.faults.pause) {
            self.nodes[shard].paused_until = self.now_ms + self.random.between(1, 3_000);
            return;
        }
        let now = self.now();
        self.completions(shard, now);
        self.receives(shard, now);
        self.letters(shard, now);
        self.answers(shard, now);
        let node = &mut self.nodes[shard];
        if node.shard.deadline().is_some_and(|at| at <= now.mono) {
            node.shard.handle(now, Input::Timer, &mut node.fx);
        }
        for _ in 0..STEPS_PER_TICK {
            if !node.shard.shake(now, &mut node.fx) {
                break;
            }
            node.shard.spent(STEP_COST);
        }
        self.carry_out(shard);
        let node = &mut self.nodes[shard];
        while node.control.asks.len() < self.ask_lane
            && let Some(part) = node.shard.next_ask_part(now)
        {
            node.control.asks.push_back(part);
        }
    }

    /// Parts of answers that control has sent.
    fn answers(&mut self, shard: usize, now: Now) {
        while !self.nodes[shard].control.answers.is_empty() && !self.random.chance(self.faults.delay) {
            let node = &mut self.nodes[shard];
            let Some((ask, part)) = node.control.answers.pop_front() else { break };
            node.shard.handle(now, Input::Answer { ask, part }, &mut node.fx);
        }
    }

    fn completions(&mut self, shard: usize, now: Now) {
        for _ in 0..self.nodes[shard].driver.completions.len() {
            if self.random.chance(self.faults.delay) {
                return;
            }
            let Some(completion) = self.nodes[shard].driver.completions.pop_front() else { return };
            let input = match completion {
                Completion::Accepted(slot) => {
                    let Some(conn) = self.nodes[shard].driver.get(slot).map(|s| s.conn) else { continue };
                    let peer = self.wires[conn].address.expect("every wire has an address");
                    let input = Input::Accepted { slot, peer, via: self.wires[conn].via };
                    let node = &mut self.nodes[shard];
                    node.shard.handle(now, input, &mut node.fx);
                    if let Some(session) = self.wires[conn].recorded.take() {
                        node.shard.secure(slot, session);
                    }
                    continue;
                }
                Completion::Blocked(slot) => {
                    let bytes = self.nodes[shard].driver.get(slot).map_or(0, |socket| socket.backlog.len());
                    Input::Blocked { slot, bytes }
                }
                Completion::Drained(slot) => Input::Drained { slot },
                Completion::Failed(slot) => {
                    if self.nodes[shard].driver.get(slot).is_none_or(|socket| socket.closing) {
                        continue;
                    }
                    Input::Failed { slot, errno: 104 }
                }
                Completion::Closed(slot) => {
                    self.nodes[shard].driver.rested();
                    Input::Closed { slot }
                }
                Completion::Arrived(id, slot) => Input::Arrived { id, slot },
                Completion::MoveFailed(id, slot) => Input::MoveFailed { id, slot },
            };
            let node = &mut self.nodes[shard];
            node.shard.handle(now, input, &mut node.fx);
        }
    }

    /// Receives of all readable sockets, in a random order, cut anywhere.
    fn receives(&mut self, shard: usize, now: Now) {
        let mut slots = self.nodes[shard].driver.readable();
        for at in (1..slots.len()).rev() {
            slots.swap(at, self.random.below(at as u64 + 1) as usize);
        }
        for slot in slots {
            if self.random.chance(self.faults.delay) {
                continue;
            }
            let most = if self.random.chance(self.faults.split) { self.random.between(1, 9) as usize } else { 512 };
            let Some(socket) = self.nodes[shard].driver.get(slot) else { continue };
            if socket.closing {
                continue;
            }
            if socket.armed == Some(linchpin_shard::Receive::Once) || socket.reset || socket.unread.is_empty() {
                socket.armed = None;
            }
            let input_bytes: Vec<u8> = if socket.reset {
                Vec::new()
            } else {
                let n = socket.unread.len().min(most);
                socket.unread.drain(..n).collect()
            };
            let reset = socket.reset;
            socket.told |= input_bytes.is_empty();
            self.note(&[2, shard as u64, u64::from(slot.0), input_bytes.len() as u64]);
            let mut buffer = input_bytes;
            let node = &mut self.nodes[shard];
            let input = match (reset, buffer.is_empty()) {
                (true, _) => Input::Failed { slot, errno: 104 },
                (false, true) => Input::PeerClosed { slot },
                (false, false) => Input::Received { slot, bytes: &mut buffer },
            };
            node.shard.handle(now, input, &mut node.fx);
        }
    }

    fn letters(&mut self, shard: usize, now: Now) {
        for from in 0..self.nodes.len() {
            while !self.nodes[shard].lanes[from].is_empty() && !self.random.chance(self.faults.delay) {
                let node = &mut self.nodes[shard];
                let Some(parcel) = node.lanes[from].pop_front() else { break };
                node.shard.handle(now, parcel.into_input(ShardId(from as u16)), &mut node.fx);
            }
        }
    }

    pub(super) fn carry_out(&mut self, shard: usize) {
        for _ in 0..4 {
            if self.nodes[shard].fx.is_empty() {
                return;
            }
            let mut fx = std::mem::take(&mut self.nodes[shard].fx);
            let now = self.now();
            self.nodes[shard].shard.seal(now, &mut fx);
            let mut closes = Vec::new();
            let mut undelivered = Vec::new();
            for effect in std::mem::take(&mut fx.list) {
                self.effect(shard, effect, &mut closes, &mut undelivered);
            }
            let mut seen = Vec::new();
            for range in &fx.sends {
                assert!(!seen.contains(&range.slot), "two sends of one socket in one tick");
                seen.push(range.slot);
                self.flush(shard, range.slot, &fx.arena[range.start as usize..range.end as usize]);
            }
            for (slot, abort) in closes {
                self.close_slot(shard, slot, abort);
            }
            self.store.take_points(&fx);
            while let Some(kept) = self.nodes[shard].shard.next_changed() {
                self.store.take(kept);
            }
            fx.clear();
            // Committed at once, unless a test says otherwise; the asker may be on another shard.
            let committed = if self.store.is_slow { Vec::new() } else { std::mem::take(&mut self.store.awaited) };
            for answer in committed {
                let stored = Command::Stored { answer, is_stored: true };
                if answer.asker.shard.index() == shard {
                    self.nodes[shard].shard.handle(now, Input::Command(stored), &mut fx);
                } else {
                    self.order(answer.asker.shard, stored);
                }
            }
            for (to, parcel) in undelivered {
                self.nodes[shard].shard.handle(now, Input::Undelivered { to, parcel }, &mut fx);
            }
            self.nodes[shard].fx = fx;
        }
    }

    fn effect(
        &mut self,
        shard: usize,
        effect: Effect,
        closes: &mut Vec<(Slot, bool)>,
        back: &mut Vec<(ShardId, Parcel)>,
    ) {
        match effect {
            Effect::Arm { slot, receive } => {
                let socket = self.nodes[shard].driver.get(slot).expect("only open connections are armed");
                assert!(socket.armed.is_none(), "{slot:?} of shard {shard} is armed twice");
                socket.armed = Some(receive);
            }
            Effect::Close { slot } => closes.push((slot, false)),
            Effect::Abort { slot } => closes.push((slot, true)),
            Effect::Letter { to, letter } => {
                if let Err(parcel) = self.post(shard, to, letter.into()) {
                    back.push((to, parcel));
                }
            }
            Effect::LocalLetter { to, letter } => {
                if let Err(parcel) = self.post(shard, to, letter.into()) {
                    back.push((to, parcel));
                }
            }
            Effect::Move { slot, to, id, cargo } => {
                match self.post(shard, to, LocalLetter::Moving { id, cargo }.into()) {
                    Ok(()) => self.transfer(shard, slot, to, id),
                    Err(parcel) => back.push((to, parcel)),
                }
            }
            Effect::Report { report: Report::Frame(frame), .. } => self.watched.push(*frame),
            Effect::Report { to, report } => drop(self.reports.insert(to.0, report)),
            Effect::Store(change) => self.store.take(*change),
            Effect::AnswerStored(answer) => self.store.awaited.push(answer),
            Effect::History { asker, device, ask, pins, .. } => self.store.asked.push((asker, device, *ask, pins)),
            Effect::Field(ask) => self.store.fields.push(ask),
            Effect::LoggedIn { .. } | Effect::Introduced { .. } => {}
            Effect::Ended { device, end, slot, .. } => {
                self.note(&[3, shard as u64, u64::from(slot.0), u64::from(end.number())]);
                self.ends.push((device, end));
            }
        }
    }

    fn post(&mut self, from: usize, to: ShardId, parcel: Parcel) -> Result<(), Parcel> {
        assert_ne!(from, to.index(), "a shard writes to itself");
        let lane = &mut self.nodes[to.index()].lanes[from];
        if lane.len() >= self.lane {
            return Err(parcel);
        }
        lane.push_back(parcel);
        Ok(())
    }

    fn transfer(&mut self, shard: usize, slot: Slot, to: ShardId, id: MoveId) {
        let socket = self.nodes[shard].driver.remove(slot).expect("only open connections move");
        assert!(socket.armed.is_none(), "an armed connection moves");
        let conn = socket.conn;
        match self.nodes[to.index()].driver.insert(socket) {
            Ok(there) => {
                self.wires[conn].place = Some((to.index(), there));
                self.nodes[to.index()].driver.completions.push_back(Completion::Arrived(id, there));
            }
            Err(socket) => {
                let driver = &mut self.nodes[shard].driver;
                driver.restore(slot, socket);
                driver.completions.push_back(Completion::MoveFailed(id, slot));
            }
        }
    }

    /// What the kernel takes of a send, and what happens to the rest.
    fn flush(&mut self, shard: usize, slot: Slot, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let short = self.random.chance(self.faults.short_send);
        let cut = self.random.below(bytes.len() as u64 + 1) as usize;
        let Some(socket) = self.nodes[shard].driver.get(slot) else { return };
        let conn = socket.conn;
        if !socket.backlog.is_empty() {
            // `Blocked` is on its way to the shard: the driver appends.
            return socket.backlog.extend_from_slice(bytes);
        }
        let wire = &self.wires[conn];
        let room = wire.window.saturating_sub(wire.in_flight).min(bytes.len());
        let taken = if short { room.min(cut) } else { room };
        if taken < bytes.len() {
            socket.backlog.extend_from_slice(&bytes[taken..]);
            self.nodes[shard].driver.completions.push_back(Completion::Blocked(slot));
            if short {
                // Nothing but a moment of the socket: it takes the rest soon.
                let wire = &mut self.wires[conn];
                wire.window = wire.window.max(bytes.len() + wire.in_flight);
            }
        } else if !(is_records(bytes)
            || if self.wires[conn].first == Some(0x10) { is_whole_mqtt(bytes) } else { is_whole(bytes) })
        {
            self.torn_sends += 1;
        }
        self.deliver(conn, &bytes[..taken]);
        self.drain_backlog(conn);
    }

    fn deliver(&mut self, conn: Conn, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.wires[conn].in_flight += bytes.len();
            self.travel(conn, Travel::ToClient(bytes.to_vec()));
        }
    }

    pub(super) fn drain_backlog(&mut self, conn: Conn) {
        let Some((shard, slot)) = self.holder(conn) else { return };
        let wire = &self.wires[conn];
        let room = wire.window.saturating_sub(wire.in_flight);
        let Some(socket) = self.nodes[shard].driver.get(slot) else { return };
        if socket.backlog.is_empty() || room == 0 {
            return;
        }
        let n = room.min(socket.backlog.len());
        let bytes: Vec<u8> = socket.backlog.drain(..n).collect();
        let (is_done, closing) = (socket.backlog.is_empty(), socket.closing);
        self.deliver(conn, &bytes);
        if is_done && closing {
            self.finish_close(shard, slot, false);
        } else if is_done {
            self.nodes[shard].driver.completions.push_back(Completion::Drained(slot));
        }
    }

    fn close_slot(&mut self, shard: usize, slot: Slot, abort: bool) {
        let Some(socket) = self.nodes[shard].driver.get(slot) else {
            // A close that is on its way is hurried.
            assert!(abort, "{slot:?} of shard {shard} is closed twice");
            return;
        };
        if !abort && !socket.backlog.is_empty() && !socket.reset {
            socket.closing = true;
            return;
        }
        self.finish_close(shard, slot, abort);
    }

    pub(super) fn finish_close(&mut self, shard: usize, slot: Slot, abort: bool) {
        let Some(socket) = self.nodes[shard].driver.remove(slot) else { return };
        self.wires[socket.conn].place = None;
        // Unread bytes turn a close into a reset, as the kernel does.
        let resets = abort || !socket.unread.is_empty();
        self.travel(socket.conn, if resets { Travel::ResetToClient } else { Travel::EndToClient });
    }
}

/// Whole packets of MQTT?
fn is_whole_mqtt(mut bytes: &[u8]) -> bool {
    use linchpin_protocol::mqtt::{Cut, cut};
    while let Ok(Cut::Packet { used, .. }) = cut(bytes, usize::MAX) {
        bytes = &bytes[used..];
    }
    bytes.is_empty()
}

/// A TLS alert, or TLS records?
fn is_records(bytes: &[u8]) -> bool {
    bytes.len() > 2 && (20..24).contains(&bytes[0]) && bytes[1] == 3
}

/// Only whole frames?
fn is_whole(mut bytes: &[u8]) -> bool {
    use linchpin_protocol::blynk::{Split, split};
    while !bytes.is_empty() {
        match split(bytes, usize::from(u16::MAX)) {
            Ok(Split::Frame { used, .. }) => bytes = &bytes[used..],
            _ => return bytes.starts_with(b"HTTP/1.1 "),
        }
    }
    true
}

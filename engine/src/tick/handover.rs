//! Carrying out what a shard's thread is ordered while its server is handed over.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use linchpin_driver::{ConnId, Wait};
use linchpin_shard::handover::Freight;
use linchpin_shard::{Command, End, Input, Slot, limits as shard};
use linchpin_tls::Claim;
use zeroize::Zeroizing;

use super::orders::{Exported, Handover, Resumed, ShardAnswer, ShardOrder};
use super::{Core, Scratch, conn, input};
use crate::limits;

impl Core {
    /// Carry out what was ordered; waits for more while the shard stands still. False: the thread is to end.
    pub(super) fn follow_orders(&mut self, scratch: &mut Scratch) -> std::io::Result<bool> {
        loop {
            let order = if self.handover.stands {
                match self.orders.recv_timeout(limits::IDLE) {
                    Ok(order) => order,
                    Err(std::sync::mpsc::RecvTimeoutError::Timeout) if !self.progress.is_over() => continue,
                    // The main thread has ended, or ends all.
                    Err(_) => return Ok(false),
                }
            } else {
                match self.orders.try_recv() {
                    Ok(order) => order,
                    Err(_) => return Ok(true),
                }
            };
            let goes_on = !matches!(order, ShardOrder::Leave);
            let answer = self.carry_out_order(scratch, order)?;
            if self.answers_orders.send(answer).is_err() || !goes_on {
                return Ok(false);
            }
        }
    }

    fn carry_out_order(&mut self, scratch: &mut Scratch, order: ShardOrder) -> std::io::Result<ShardAnswer> {
        Ok(match order {
            ShardOrder::StopAccepting => {
                self.driver.pause_accepts();
                ShardAnswer::Unsettled(self.shard.unsettled())
            }
            ShardOrder::CanExport => ShardAnswer::Still(self.driver.can_export()),
            ShardOrder::EndSome(most) => {
                let now = self.clock.now();
                let left = self.shard.end_some(now, most, &mut scratch.fx);
                self.finish_tick(now, scratch);
                ShardAnswer::Unsettled(left)
            }
            ShardOrder::CountUnsettled => ShardAnswer::Unsettled(self.shard.unsettled()),
            ShardOrder::StandStill => ShardAnswer::Still(self.stand_still(scratch)?),
            ShardOrder::Round => ShardAnswer::Rounded(self.still_tick(scratch)?),
            ShardOrder::LeaveStore => {
                if let Some(store) = self.store.take() {
                    store.end(&mut self.shard);
                }
                ShardAnswer::Done
            }
            ShardOrder::Listeners => ShardAnswer::Listeners(self.driver.listeners().map(|mut all| {
                // Before them are those that a drain has closed.
                all.drain(..all.len().saturating_sub(self.bound.len()));
                all
            })),
            ShardOrder::Export => ShardAnswer::Exported(self.export()),
            ShardOrder::Resume(with) => {
                self.resume(scratch, *with)?;
                ShardAnswer::Done
            }
            ShardOrder::Leave => {
                self.leave(scratch)?;
                ShardAnswer::Done
            }
            ShardOrder::Take(arrivals) => {
                ShardAnswer::Took(arrivals.into_iter().map(|(fd, freight)| self.take(fd, freight)).collect())
            }
            ShardOrder::Wake(claim) => {
                self.wake(scratch, claim)?;
                ShardAnswer::Done
            }
        })
    }

    /// Until nothing is in flight, or the time is over.
    fn stand_still(&mut self, scratch: &mut Scratch) -> std::io::Result<bool> {
        self.handover.stands = true;
        self.driver.pause();
        let end = Instant::now() + limits::STAND_STILL;
        self.shard.handle(self.clock.now(), Input::Command(Command::WriteWills), &mut scratch.fx);
        loop {
            let was_busy = self.still_tick(scratch)?;
            if !was_busy && self.driver.is_still() {
                return Ok(true);
            }
            if Instant::now() >= end {
                return Ok(false);
            }
        }
    }

    /// A tick without time: what came is handled and answered, nothing expires and no handshake goes on. True if anything
    /// happened.
    fn still_tick(&mut self, scratch: &mut Scratch) -> std::io::Result<bool> {
        let now = self.clock.now();
        let Self { driver, shard, lanes, commands, doors, .. } = self;
        let fx = &mut scratch.fx;
        // That somebody woke this thread is nothing that happened.
        let mut count = 0;
        driver.poll(Wait::Until(Duration::from_millis(1)), &mut || false, &mut |event| {
            if let Some(input) = input(event, doors) {
                count += 1;
                shard.handle(now, input, fx);
            }
        })?;
        lanes.receive(|from, parcel| {
            count += 1;
            shard.handle(now, parcel.into_input(from), fx);
        });
        commands.receive(|command| {
            count += 1;
            shard.handle(now, Input::Command(command), fx);
        });
        count += scratch.fx.list.len() + scratch.fx.sends.len();
        self.finish_tick(now, scratch);
        self.lanes.deliver();
        Ok(count > 0)
    }

    fn export(&mut self) -> Exported {
        let now = self.clock.now();
        let mut left = self.handover.to_export.take().unwrap_or_else(|| self.shard.occupied());
        let mut exported = Exported::default();
        let (mut slots, mut bytes) = (Vec::new(), 0);
        while slots.len() < shard::BATCH_CONNECTIONS
            && bytes < shard::BATCH_BYTES
            && let Some(slot) = left.pop()
        {
            let unsent = self.driver.unsent(conn(slot)).to_vec();
            let Some(freight) = self.shard.depart(now, slot, unsent) else {
                exported.left += 1;
                continue;
            };
            let mut packed = Zeroizing::new(Vec::with_capacity(limits::FREIGHT_RESERVE_BYTES));
            freight.pack(&mut packed);
            bytes += packed.len();
            slots.push((slot, freight, packed));
        }
        let conns: Vec<ConnId> = slots.iter().map(|(slot, ..)| conn(*slot)).collect();
        let descriptors = self.driver.export(&conns);
        for ((slot, freight, packed), descriptor) in slots.into_iter().zip(descriptors) {
            self.handover.away.push((slot, freight));
            match descriptor {
                Ok(descriptor) => exported.passengers.push((descriptor, packed)),
                Err(error) => {
                    tracing::warn!(shard = self.id.0, %error, "a connection cannot go along");
                    exported.left += 1;
                }
            }
        }
        exported.is_last = left.is_empty();
        self.handover.to_export = Some(left);
        exported
    }

    fn resume(&mut self, scratch: &mut Scratch, with: Resumed) -> std::io::Result<()> {
        let now = self.clock.now();
        if let Some(asks) = with.asks {
            self.store = with.store;
            self.asks = asks;
        }
        let away = std::mem::take(&mut self.handover.away);
        for (slot, freight) in away {
            self.shard.take_freight(now, slot, *freight, Claim::TakenBack, &mut scratch.fx);
        }
        self.handover = Handover::default();
        self.finish_tick(now, scratch);
        self.driver.resume();
        Ok(())
    }

    /// What did not go along hears why, as far as that goes at once. The other descriptors are only closed: the other
    /// process has them, too.
    fn leave(&mut self, scratch: &mut Scratch) -> std::io::Result<()> {
        let now = self.clock.now();
        let ended = self.shard.end_unready(now, &mut scratch.fx);
        if ended > 0 {
            tracing::info!(shard = self.id.0, connections = ended, end = %End::Replaced, "connections could not go along");
        }
        let end = Instant::now() + limits::LAST_WORDS;
        self.finish_tick(now, scratch);
        while ended > 0 && Instant::now() < end {
            self.still_tick(scratch)?;
        }
        self.driver.flush(&[], &[]);
        Ok(())
    }

    fn take(&mut self, fd: OwnedFd, freight: Box<Freight>) -> u16 {
        if let Err(end) = self.shard.would_take(&freight) {
            return end.number();
        }
        match self.driver.adopt(fd, &freight.unsent) {
            Ok(conn) => {
                self.handover.away.push((Slot(conn.0), freight));
                0
            }
            Err(error) => {
                tracing::warn!(shard = self.id.0, %error, "a connection finds no room");
                End::HomeFull.number()
            }
        }
    }

    fn wake(&mut self, scratch: &mut Scratch, claim: Claim) -> std::io::Result<()> {
        let now = self.clock.now();
        for (slot, freight) in std::mem::take(&mut self.handover.away) {
            self.shard.take_freight(now, slot, *freight, claim, &mut scratch.fx);
        }
        self.handover = Handover::default();
        self.finish_tick(now, scratch);
        self.driver.resume();
        Ok(())
    }
}

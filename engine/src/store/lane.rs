//! A shard's side of the store: points into the journal's lane, changes to the thread that writes them, questions about
//! history to the store's readers. Never waits.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use linchpin_control::CommandLane;
use linchpin_protocol::http::{Dialect, Reply};
use linchpin_protocol::model::{DeviceId, Millis, Pin};
use linchpin_shard::{AwaitedAnswer, Change, Command, ConnRef, DeviceChange, Effects, FieldAsk, Shard};
use linchpin_storage::{FileShelf, LaneFull, Reads, TelemetryLane, limits as storage};

use super::asked::HistoryAsk;
use super::changes::{Changes, Fence};
use super::export_file::ExportsUnderWay;
use super::replies::Replies;
use super::{field, history};
use crate::limits;
use crate::tick::command_lane::ToShard;
use crate::tick::counters::EngineCounters;

/// See the module's page.
pub(crate) struct StoreLane {
    lane: TelemetryLane,
    /// When the batch that is being filled is handed over.
    due: Option<Millis>,
    /// Pins whose newest value found no room: it is read from the shard again when there is some.
    owed: HashSet<(DeviceId, Pin)>,
    coalesced: u64,
    changes: Changes,
    /// Changes that found no room.
    waiting: VecDeque<DeviceChange>,
    /// Answers that wait until what was handed over before them is committed.
    awaited: Vec<AwaitedAnswer>,
    /// Lines of the diary, handed over together: one by one each login would wake two threads.
    lines: Vec<DeviceChange>,
    lost_lines: u64,
    reads: Reads,
    files: FileShelf,
    /// Files of history that all shards' askers wait for.
    under_way: Arc<ExportsUnderWay>,
    shards: Vec<ToShard>,
    replies: Replies<ToShard>,
    /// Removals that are answered once all before them is with the store.
    fences: VecDeque<Fence>,
}

impl StoreLane {
    pub(super) fn new(
        lane: TelemetryLane,
        changes: Changes,
        (reads, files, under_way): (Reads, FileShelf, Arc<ExportsUnderWay>),
        replies: Replies<ToShard>,
    ) -> Self {
        Self {
            lane,
            due: None,
            owed: HashSet::new(),
            coalesced: 0,
            changes,
            waiting: VecDeque::new(),
            awaited: Vec::new(),
            lines: Vec::new(),
            lost_lines: 0,
            reads,
            files,
            under_way,
            shards: Vec::new(),
            replies,
            fences: VecDeque::new(),
        }
    }

    /// Where answers about history go.
    pub(crate) fn set_shards(&mut self, shards: Vec<ToShard>) {
        self.shards = shards;
    }

    /// Hand over the values of a tick.
    pub(crate) fn take_points(&mut self, now: Millis, fx: &Effects) {
        for (org, device, pin, at, value) in fx.points.iter() {
            // Whatever is owed is read from the shard, which has this value by now.
            if self.owed.contains(&(device, pin)) {
                self.coalesced += 1;
            } else if self.lane.write(org, device, pin, at.0, value).is_err() {
                self.owe(device, pin);
            }
        }
        if self.due.is_none() && !fx.points.is_empty() {
            self.due = Some(now.after(storage::JOURNAL_BATCH_MS));
        }
    }

    fn owe(&mut self, device: DeviceId, pin: Pin) {
        if self.owed.len() < limits::OWED_VALUES {
            self.owed.insert((device, pin));
        } else {
            self.coalesced += 1;
        }
    }

    /// Hand over a change; a line of the diary not yet.
    pub(crate) fn take_change(&mut self, now: Millis, kept: DeviceChange) {
        if matches!(kept.change, Change::Presence { .. }) {
            self.lines.push(kept);
            if self.lines.len() >= limits::LINES_TOGETHER {
                self.give_lines();
            }
            self.due.get_or_insert(now.after(storage::JOURNAL_BATCH_MS));
        } else {
            self.give(kept);
        }
    }

    /// Give an answer back once all changes until now are committed. Beyond the bound it is refused at once.
    pub(crate) fn await_stored(&mut self, answer: AwaitedAnswer) {
        if self.awaited.len() < limits::AWAITED_ANSWERS {
            return self.awaited.push(answer);
        }
        if let Some(shard) = self.shards.get(answer.asker.shard.index()) {
            // Without room there its deadline answers it.
            let _ = shard.push(Command::Stored { answer, is_stored: false });
        }
    }

    fn give(&mut self, kept: DeviceChange) {
        self.waiting.push_back(kept);
        self.give_waiting();
    }

    fn give_waiting(&mut self) {
        while let Some(kept) = self.waiting.pop_front() {
            if let Err(back) = self.changes.give(vec![kept]) {
                back.into_iter().for_each(|kept| self.waiting.push_front(kept));
                return;
            }
        }
    }

    /// Without room they are lost: what was promised comes first.
    fn give_lines(&mut self) {
        let count = self.lines.len() as u64;
        let lines = std::mem::take(&mut self.lines);
        if count == 0 {
            return;
        }
        if !self.waiting.is_empty() || self.changes.is_half_full() || self.changes.give(lines).is_err() {
            self.lost_lines += count;
        }
    }

    /// Once a tick: what is due or was owed.
    pub(crate) fn tick(&mut self, now: Millis, shard: &mut Shard) {
        self.give_waiting();
        // Changes of one device become one while they wait in the shard.
        while self.waiting.is_empty() && shard.has_changed() {
            match shard.next_changed() {
                Some(kept) => self.give(kept),
                None => break,
            }
        }
        if self.waiting.is_empty() && !shard.has_changed() && !self.awaited.is_empty() {
            self.awaited = self.changes.await_stored(std::mem::take(&mut self.awaited)).err().unwrap_or_default();
        }
        if self.due.is_some_and(|due| due <= now) {
            self.close(now, shard);
        }
        self.give_fences(now, shard);
    }

    fn close(&mut self, now: Millis, shard: &Shard) {
        self.give_lines();
        let lane = &mut self.lane;
        // What was not closed has room for some of what is owed.
        let _ = lane.close_due();
        let mut is_full = false;
        self.owed.retain(|(device, pin)| {
            // A removed device owes nothing.
            let Some((org, at, value)) = shard.latest(*device, *pin) else { return false };
            let written = if is_full { Err(LaneFull::Whole) } else { lane.write(org, *device, *pin, at.0, &value) };
            // Without a share for one organization there may be one for the next.
            is_full = written == Err(LaneFull::Whole);
            written.is_err()
        });
        let is_over = self.owed.is_empty() && lane.close_due().is_ok();
        self.due = (!is_over).then(|| now.after(storage::JOURNAL_BATCH_MS));
    }

    /// When [`StoreLane::tick`] is due, though nothing else happens.
    pub(crate) fn deadline(&self, shard: &Shard) -> Option<Millis> {
        if !self.waiting.is_empty() || !self.awaited.is_empty() || shard.has_changed() {
            return Some(Millis(0));
        }
        self.due
    }

    /// Ask for history, with what the device has written until now; the answer goes to the asker's shard.
    pub(crate) fn ask(&mut self, asker: ConnRef, ask: HistoryAsk) {
        // A full lane: what waits is missing in the answer.
        let _ = self.lane.close_batch();
        let to = self.shards[asker.shard.index()].clone();
        let replies = self.replies.clone();
        let late = to.clone();
        let (files, under_way) = (self.files.clone(), Arc::clone(&self.under_way));
        let job = move |reads: &Reads| {
            let reply = Box::new(history::answer(reads, (&files, &under_way), &ask));
            replies.give(to, Command::HistoryAnswer { asker, reply });
        };
        if let Err(error) = self.reads.submit(job) {
            let reply = Box::new(Reply::error(Dialect::Current, 503, &error.to_string()));
            self.replies.give(late, Command::HistoryAnswer { asker, reply });
        }
    }

    /// Look a field of a device up; the answer goes to the asker's shard.
    pub(crate) fn ask_field(&mut self, ask: FieldAsk) {
        let to = self.shards[ask.asker.shard.index()].clone();
        let replies = self.replies.clone();
        let late = to.clone();
        let job = move |reads: &Reads| {
            let value = field::value(reads, ask.org, ask.device, ask.field);
            replies.give(to, Command::FieldAnswer { ask, value });
        };
        if self.reads.submit(job).is_err() {
            self.replies.give(late, Command::FieldAnswer { ask, value: None });
        }
    }

    /// Call this once all that the shard has said so far is with the store.
    pub(crate) fn fence(&mut self, now: Millis, done: impl FnOnce() + Send + 'static) {
        self.fences.push_back(Box::new(done));
        self.due.get_or_insert(now);
    }

    /// Points are in the lane and no change waits here: what is asked of the store now comes behind them.
    fn give_fences(&mut self, now: Millis, shard: &Shard) {
        if self.fences.is_empty() {
            return;
        }
        self.give_lines();
        let is_behind = self.waiting.is_empty() && !shard.has_changed() && self.lane.close_batch().is_ok();
        while is_behind && let Some(fence) = self.fences.pop_front() {
            if let Err(back) = self.changes.fence(fence) {
                self.fences.push_front(back);
                break;
            }
        }
        if !self.fences.is_empty() {
            self.due.get_or_insert(now.after(storage::JOURNAL_BATCH_MS));
        }
    }

    /// What is on its way, for metrics.
    pub(crate) fn count(&self, counters: &mut EngineCounters) {
        counters.owed_values = self.owed.len() as u64;
        counters.coalesced_values = self.coalesced;
        counters.owed_changes = self.waiting.len() as u64;
        counters.lost_diary_lines = self.lost_lines;
    }

    /// The shard ends: hand over what there is, for a moment.
    pub(crate) fn end(mut self, shard: &mut Shard) {
        for _ in 0..limits::LAST_TRIES {
            self.due = Some(Millis(0));
            self.tick(Millis(0), shard);
            if self.due.is_none() && self.waiting.is_empty() && self.awaited.is_empty() && !shard.has_changed() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        tracing::error!(
            values = self.owed.len(),
            changes = self.waiting.len(),
            "the disk is too slow or full: what was not stored is lost"
        );
    }
}

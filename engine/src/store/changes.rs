//! The thread that gives changes to the store: events, properties, metadata, the diary. It waits for the disk so that
//! no shard does, gives answers back once what they acknowledge is committed, and reports what the store takes. What waits
//! while a commit is on its way goes with the next: one sync serves all of it.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use linchpin_control::CommandLane;
use linchpin_shard::{AwaitedAnswer, Change, Command, DeviceChange, End, EventId, Intake};
use linchpin_storage::schema::{
    Attribute, DeviceKey, DiaryKey, DiaryKind, DiaryRecord, Event, EventKey, Properties, Resolution,
};
use linchpin_storage::{Batch, Class, Error, Reads, Writer};

use crate::limits;
use crate::tick::command_lane::ToShard;

/// What is called when everything before it is with the store.
pub(super) type Fence = Box<dyn FnOnce() + Send>;

/// What shards hand over, in order.
enum Given {
    Changes(Vec<DeviceChange>),
    /// To be given back once all changes before are committed.
    Answers(Vec<AwaitedAnswer>),
    Fence(Fence),
}

/// The way to the thread. Copies are cheap; the thread ends when all are gone.
#[derive(Clone)]
pub(crate) struct Changes {
    send: SyncSender<Given>,
    waiting: Arc<AtomicUsize>,
    told: Arc<Mutex<Vec<ToShard>>>,
}

impl Changes {
    /// Hand over changes, all together: each hand-over may wake the thread. Without room for all they come back.
    pub(super) fn give(&self, group: Vec<DeviceChange>) -> Result<(), Vec<DeviceChange>> {
        let count = group.len();
        // Counted first, so that the number never falls below zero.
        if self.waiting.fetch_add(count, Ordering::Relaxed) + count > limits::CHANGES {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            return Err(group);
        }
        self.send.try_send(Given::Changes(group)).map_err(|error| {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            match error {
                TrySendError::Full(Given::Changes(group)) | TrySendError::Disconnected(Given::Changes(group)) => group,
                _ => Vec::new(),
            }
        })
    }

    /// Call this once all changes that were given before are with the store.
    ///
    /// # Errors
    /// There is no room; it comes back.
    pub(super) fn fence(&self, done: Fence) -> Result<(), Fence> {
        self.send.try_send(Given::Fence(done)).map_err(|error| match error {
            TrySendError::Full(Given::Fence(done)) | TrySendError::Disconnected(Given::Fence(done)) => done,
            TrySendError::Full(_) | TrySendError::Disconnected(_) => {
                unreachable!("what was sent comes back")
            }
        })
    }

    /// Hand over answers that wait for all that this shard handed over before. Without room they come back.
    pub(super) fn await_stored(&self, answers: Vec<AwaitedAnswer>) -> Result<(), Vec<AwaitedAnswer>> {
        self.send.try_send(Given::Answers(answers)).map_err(|error| match error {
            TrySendError::Full(Given::Answers(answers)) | TrySendError::Disconnected(Given::Answers(answers)) => {
                answers
            }
            _ => Vec::new(),
        })
    }

    /// Must what may be lost stay out?
    pub(super) fn is_half_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > limits::CHANGES / 2
    }

    /// Whom to tell what the store takes.
    pub(super) fn tell(&self, shards: Vec<ToShard>) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = shards;
    }
}

/// Start the thread.
pub(super) fn start(writer: Writer, reads: Reads) -> io::Result<(Changes, JoinHandle<()>)> {
    let (send, receive) = sync_channel(limits::CHANGES);
    let waiting = Arc::new(AtomicUsize::new(0));
    let told = Arc::new(Mutex::new(Vec::new()));
    let changes = Changes { send, waiting: Arc::clone(&waiting), told: Arc::clone(&told) };
    let (intake, unsent) = (Intake::All, VecDeque::new());
    let thread = Thread { writer, reads, receive, waiting, told, intake, unsent };
    let thread = std::thread::Builder::new().name("store-changes".to_owned()).spawn(move || thread.run())?;
    Ok((changes, thread))
}

/// What is written together.
#[derive(Default)]
struct Together {
    /// Counted in [`Changes::waiting`] until they are written.
    changes: Vec<DeviceChange>,
    answers: Vec<AwaitedAnswer>,
    fences: Vec<Fence>,
}

impl Together {
    fn take(&mut self, given: Given) {
        match given {
            Given::Changes(group) => self.changes.extend(group),
            Given::Answers(group) => self.answers.extend(group),
            Given::Fence(done) => self.fences.push(done),
        }
    }
}

struct Thread {
    writer: Writer,
    reads: Reads,
    receive: Receiver<Given>,
    waiting: Arc<AtomicUsize>,
    told: Arc<Mutex<Vec<ToShard>>>,
    /// What shards were told.
    intake: Intake,
    /// Answers that a shard's lane had no room for.
    unsent: VecDeque<Command>,
}

/// Tells the shards when the thread panics: nothing is stored any more, and nothing may be acknowledged.
struct Alarm(Arc<Mutex<Vec<ToShard>>>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the thread that stores changes has ended by a bug: restart the server");
            for shard in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                let _ = shard.push(Command::Intake(Intake::Nothing));
            }
        }
    }
}

impl Thread {
    fn run(mut self) {
        let _alarm = Alarm(Arc::clone(&self.told));
        loop {
            self.look();
            self.send_unsent();
            let mut next = match self.receive.recv_timeout(limits::CHANGES_TICK) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut turn = Together::default();
            loop {
                turn.take(next);
                if !turn.fences.is_empty() || turn.changes.len() >= limits::CHANGES_BATCH {
                    break;
                }
                let Ok(given) = self.receive.try_recv() else { break };
                next = given;
            }
            self.write(&mut turn);
            turn.fences.into_iter().for_each(|done| done());
        }
    }

    /// Give answers back to the shards of those who wait.
    fn answer(&mut self, answers: Vec<AwaitedAnswer>, is_stored: bool) {
        self.unsent.extend(answers.into_iter().map(|answer| Command::Stored { answer, is_stored }));
        self.send_unsent();
        // A shard that takes none for so long has worse to do; deadlines answer the rest.
        self.unsent.truncate(limits::AWAITED_ANSWERS);
    }

    fn send_unsent(&mut self) {
        let shards = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if shards.is_empty() {
            return;
        }
        for _ in 0..self.unsent.len() {
            let Some(command) = self.unsent.pop_front() else { return };
            let Command::Stored { answer, .. } = &command else { continue };
            let Some(shard) = shards.get(answer.asker.shard.index()) else { continue };
            if let Err(back) = shard.push(command) {
                self.unsent.push_back(*back);
            }
        }
    }

    /// Write all of them, and wait for as long as that takes; then give the answers back. While the disk takes nothing they
    /// are given back at once, as not stored: who waits must hear it.
    fn write(&mut self, turn: &mut Together) {
        let class = if turn.answers.is_empty() { Class::B } else { Class::A };
        let mut is_stored = true;
        // Also with nothing to write: what an answer waits for may have been written by a turn before, without a sync.
        while !turn.changes.is_empty() || !turn.answers.is_empty() {
            let mut batch = self.writer.batch();
            let mut fitting = 0;
            for kept in &turn.changes {
                match put(&mut batch, kept) {
                    Ok(()) => {}
                    // The rest goes into the next batch.
                    Err(Error::TooLarge { .. }) if fitting > 0 => break,
                    // Such as of an organization that was erased meanwhile.
                    Err(error) => {
                        is_stored = false;
                        tracing::debug!(%error, device = %kept.device, "a change is not stored");
                    }
                }
                fitting += 1;
            }
            let is_last = fitting == turn.changes.len();
            let needs_commit = !batch.is_empty() || (is_last && !turn.answers.is_empty());
            let result = if needs_commit { self.writer.commit(class, batch) } else { Ok(()) };
            match result {
                Ok(()) => {
                    turn.changes.drain(..fitting);
                    self.waiting.fetch_sub(fitting, Ordering::Relaxed);
                    if is_last {
                        self.answer(std::mem::take(&mut turn.answers), is_stored);
                    }
                }
                Err(Error::Full { .. } | Error::Busy { .. }) => self.wait_for_room(turn),
                Err(error) => {
                    tracing::error!(%error, changes = turn.changes.len(), "changes are not stored");
                    self.waiting.fetch_sub(turn.changes.len(), Ordering::Relaxed);
                    turn.changes.clear();
                    self.answer(std::mem::take(&mut turn.answers), false);
                }
            }
            self.look();
        }
    }

    /// The disk takes nothing. Shards hear it at once; whoever asked before they did is refused, not left waiting until
    /// there is room. Changes are retained and written then: what they changed is in memory already.
    fn wait_for_room(&mut self, turn: &mut Together) {
        self.look();
        let until = Instant::now() + limits::CHANGES_TICK;
        loop {
            self.answer(std::mem::take(&mut turn.answers), false);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || turn.fences.len() >= limits::FENCES {
                return std::thread::sleep(left);
            }
            match self.receive.recv_timeout(left) {
                Ok(given) => turn.take(given),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return std::thread::sleep(left),
            }
        }
    }

    /// Tell the shards if the store takes more or less than before.
    fn look(&mut self) {
        let figures = self.reads.figures();
        let waiting = self.waiting.load(Ordering::Relaxed);
        let intake = if figures.is_poisoned {
            Intake::Nothing
        } else if figures.is_full || waiting > limits::CHANGES / 4 * 3 {
            Intake::Points
        } else if waiting > limits::CHANGES / 2 {
            // Not back and forth at the border.
            self.intake
        } else {
            Intake::All
        };
        if intake == self.intake {
            return;
        }
        let shards = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match intake {
            Intake::Nothing => tracing::error!("the store takes nothing any more: check the disk and restart"),
            Intake::Points => tracing::warn!("the disk is full or slow: events, properties and metadata are refused"),
            _ => tracing::info!("the store takes everything again"),
        }
        // A shard whose lane is full is told at the next look.
        if shards.iter().all(|shard| shard.push(Command::Intake(intake)).is_ok()) {
            self.intake = intake;
        }
    }
}

fn put(batch: &mut Batch, kept: &DeviceChange) -> Result<(), Error> {
    let DeviceChange { org, device, change } = kept;
    let (org, device) = (*org, *device);
    let event_key = |id: &EventId| EventKey { org, device, at_ms: id.at.0, number: id.number };
    match change {
        Change::Attributes { properties, metadata } => {
            let of_pins = properties.iter().map(|(pin, name, value)| Attribute {
                pin: Some(*pin),
                name: name.clone(),
                value: value.clone(),
            });
            let own = metadata.iter().map(|(name, value)| Attribute {
                pin: None,
                name: name.clone(),
                value: value.as_bytes().into(),
            });
            batch.put(&DeviceKey::new(org, device), &Properties(of_pins.chain(own).collect()))
        }
        Change::Event { id, code, description } => {
            batch.put(&event_key(id), &Event::new(code.clone(), description.clone()))
        }
        Change::EventCleared { id, code, description, at } => {
            let resolved = Some(Resolution { at_ms: at.0, by: None, note: Box::default() });
            let event = Event { resolved, ..Event::new(code.clone(), description.clone()) };
            match batch.put(&event_key(id), &event) {
                // It has no place for the end of an event.
                Err(Error::NotUpgraded { .. }) => batch.delete::<Event>(&event_key(id)),
                done => done,
            }
        }
        Change::Presence { id, end } => {
            let key = DiaryKey { org, device, at_ms: id.at.0, number: id.number };
            let kind = if end.is_some() { DiaryKind::Offline } else { DiaryKind::Online };
            batch.put(&key, &DiaryRecord { kind, reason: end.map_or(String::new(), |end: End| end.to_string()).into() })
        }
    }
}

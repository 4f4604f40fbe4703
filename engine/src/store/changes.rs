//! The thread that gives changes to the store: events, properties, metadata, the diary. It waits for the disk so that
//! no shard does, and tells the shards when the store takes no changes.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use linchpin_control::CommandLane;
use linchpin_shard::{Change, Command, DeviceChange, End, EventId, Intake};
use linchpin_storage::schema::{Attribute, DeviceKey, Diary, DiaryKey, DiaryKind, Event, EventKey, Properties};
use linchpin_storage::{Batch, Class, Error, Reads, Writer};

use crate::limits;
use crate::tick::command_lane::ToShard;

/// What is called when everything before it is with the store.
pub(super) type Fence = Box<dyn FnOnce() + Send>;

/// What shards hand to the thread.
enum Handed {
    Group(Vec<DeviceChange>),
    Fence(Fence),
}

/// The way to the thread. Copies are cheap; the thread ends when all are gone.
#[derive(Clone)]
pub(crate) struct Changes {
    send: SyncSender<Handed>,
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
        self.send.try_send(Handed::Group(group)).map_err(|error| {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            match error {
                TrySendError::Full(Handed::Group(group)) | TrySendError::Disconnected(Handed::Group(group)) => group,
                TrySendError::Full(Handed::Fence(_)) | TrySendError::Disconnected(Handed::Fence(_)) => Vec::new(),
            }
        })
    }

    /// Call this once all changes that were given before are with the store.
    ///
    /// # Errors
    /// There is no room; it comes back.
    pub(super) fn fence(&self, done: Fence) -> Result<(), Fence> {
        self.send.try_send(Handed::Fence(done)).map_err(|error| match error {
            TrySendError::Full(Handed::Fence(done)) | TrySendError::Disconnected(Handed::Fence(done)) => done,
            TrySendError::Full(Handed::Group(_)) | TrySendError::Disconnected(Handed::Group(_)) => {
                unreachable!("what was sent comes back")
            }
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
    let thread = Thread { writer, reads, receive, waiting, told, intake: Intake::All };
    let thread = std::thread::Builder::new().name("store-changes".to_owned()).spawn(move || thread.run())?;
    Ok((changes, thread))
}

struct Thread {
    writer: Writer,
    reads: Reads,
    receive: Receiver<Handed>,
    waiting: Arc<AtomicUsize>,
    told: Arc<Mutex<Vec<ToShard>>>,
    /// What shards were told.
    intake: Intake,
}

impl Thread {
    fn run(mut self) {
        let mut taken: Vec<DeviceChange> = Vec::new();
        loop {
            self.look();
            let mut fence = None;
            match self.receive.recv_timeout(limits::CHANGES_TICK) {
                Ok(Handed::Group(first)) => taken.extend(first),
                Ok(Handed::Fence(done)) => fence = Some(done),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while fence.is_none()
                && taken.len() < limits::CHANGES_BATCH
                && let Ok(next) = self.receive.try_recv()
            {
                match next {
                    Handed::Group(next) => taken.extend(next),
                    Handed::Fence(done) => fence = Some(done),
                }
            }
            let count = taken.len();
            self.write(&mut taken);
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            if let Some(done) = fence {
                done();
            }
        }
    }

    /// Write all of them, and wait for as long as that takes: whoever sent them was told that they are kept.
    fn write(&mut self, taken: &mut Vec<DeviceChange>) {
        loop {
            let mut batch = self.writer.batch();
            let mut fitting = 0;
            for kept in taken.iter() {
                match put(&mut batch, kept) {
                    Ok(()) => {}
                    // The rest goes into the next batch.
                    Err(Error::TooLarge { .. }) if fitting > 0 => break,
                    // Such as of an organization that was erased meanwhile.
                    Err(error) => tracing::debug!(%error, device = %kept.device, "a change is not kept"),
                }
                fitting += 1;
            }
            let result = if batch.is_empty() { Ok(()) } else { self.writer.commit(Class::B, batch) };
            match result {
                Ok(()) => drop(taken.drain(..fitting)),
                Err(Error::Full { .. } | Error::Busy { .. }) => std::thread::sleep(limits::CHANGES_TICK),
                Err(error) => {
                    tracing::error!(%error, changes = taken.len(), "changes are not kept");
                    taken.clear();
                }
            }
            if taken.is_empty() {
                return;
            }
            self.look();
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
            batch.put(&event_key(id), &Event { code: code.clone(), description: description.clone() })
        }
        Change::EventCleared(id) => batch.delete::<Event>(&event_key(id)),
        Change::Presence { id, end } => {
            let key = DiaryKey { org, device, at_ms: id.at.0, number: id.number };
            let kind = if end.is_some() { DiaryKind::Offline } else { DiaryKind::Online };
            batch.put(&key, &Diary { kind, reason: end.map_or(String::new(), |end: End| end.to_string()).into() })
        }
    }
}

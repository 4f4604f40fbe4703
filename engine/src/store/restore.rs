//! What shards are told while they serve already: values that the journal of the last run adds, and recent events.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use linchpin_control::CommandLane;
use linchpin_protocol::model::{DAY_MS, UnixMillis};
use linchpin_shard::{Command, EventDay, EventId, Restored, ShardId, limits as shard};
use linchpin_storage::schema::{DeviceKey, Event};
use linchpin_storage::{Error, Reads};

use super::load::{restore, values};
use crate::limits;
use crate::tick::clock::TickClock;
use crate::tick::command_lane::ToShard;

/// What one device has logged.
#[derive(Default)]
struct Logged {
    open: VecDeque<(EventId, Box<str>, Box<str>)>,
    day: Option<EventDay>,
}

impl Logged {
    /// The newest are retained.
    fn open(&mut self, id: EventId, event: Event) {
        if self.open.len() == shard::EVENTS_RETAINED {
            self.open.pop_front();
        }
        self.open.push_back((id, event.code, event.description));
    }
}

/// Begin on a thread of its own.
pub(super) fn start(reads: Reads, shards: Vec<ToShard>) {
    let begun = TickClock::new().now().wall;
    let run = move || {
        let values = replayed(&reads, &shards);
        // However it ended, reads that wait for it must not wait for ever.
        for shard in 0..shards.len() {
            give(&shards, (ShardId(shard as u16), Command::Replayed));
        }
        match values.and_then(|()| events(&reads, &shards, begun)) {
            Ok(()) => tracing::debug!("the journal of the last run is read"),
            // The server ends before it has begun.
            Err(Error::Closed) => {}
            Err(error) => tracing::error!(%error, "what the journal of the last run adds cannot be read"),
        }
    };
    if let Err(error) = std::thread::Builder::new().name("store-restore".to_owned()).spawn(run) {
        tracing::error!(%error, "what the journal of the last run adds is not read");
    }
}

fn replayed(reads: &Reads, shards: &[ToShard]) -> Result<(), Error> {
    let count = shards.len() as u16;
    reads.load_replayed(|key, latest| {
        give(shards, restore(key, count, Restored { values: values(latest), ..Restored::default() }));
    })
}

/// The last events of each device, and how many it logged in the last day; records of one device follow each other.
fn events(reads: &Reads, shards: &[ToShard], begun: UnixMillis) -> Result<(), Error> {
    let count = shards.len() as u16;
    // What this process has logged meanwhile is counted by the shards.
    let day = begun.0.saturating_sub(DAY_MS)..begun.0;
    let mut last: Option<(DeviceKey, Logged)> = None;
    let tell = |(key, logged): (DeviceKey, Logged)| {
        if !logged.open.is_empty() || logged.day.is_some() {
            let restored = Restored { events: logged.open.into(), day: logged.day, ..Restored::default() };
            give(shards, restore(key, count, restored));
        }
    };
    reads.scan::<Event>(|key, event| {
        let device = DeviceKey::new(key.org, key.device);
        if last.as_ref().is_some_and(|(known, _)| *known != device) {
            last.take().into_iter().for_each(tell);
        }
        let (_, logged) = last.get_or_insert_with(|| (device, Logged::default()));
        if day.contains(&key.at_ms) {
            logged.day.get_or_insert_with(|| EventDay::new(UnixMillis(key.at_ms))).count(&event.code);
        }
        if event.resolved.is_none() {
            logged.open(EventId { at: UnixMillis(key.at_ms), number: key.number }, event);
        }
        ControlFlow::Continue(())
    })?;
    last.into_iter().for_each(tell);
    Ok(())
}

/// A shard that does not keep up is waited for: this thread has time. One that has ended takes nothing any more.
fn give(shards: &[ToShard], (shard, command): (ShardId, Command)) {
    let _ = shards[shard.index()].push_within(command, limits::RESTORE_WITHIN);
}

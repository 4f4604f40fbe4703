//! What shards are told while they serve already: values that the journal of the last run adds, and recent events.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use linchpin_control::CommandLane;
use linchpin_protocol::model::UnixMillis;
use linchpin_shard::{Command, EventId, Restored, ShardId, limits as shard};
use linchpin_storage::schema::{DeviceKey, Event};
use linchpin_storage::{Error, Reads};

use super::load::{restore, values};
use crate::limits;
use crate::tick::command_lane::ToShard;

type Events = VecDeque<(EventId, Box<str>, Box<str>)>;

/// Begin on a thread of its own.
pub(super) fn start(reads: Reads, shards: Vec<ToShard>) {
    let run = move || {
        let values = replayed(&reads, &shards);
        // However it ended, reads that wait for it must not wait for ever.
        for shard in 0..shards.len() {
            give(&shards, (ShardId(shard as u16), Command::Replayed));
        }
        match values.and_then(|()| events(&reads, &shards)) {
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

/// The last events of each device; records of one device follow each other.
fn events(reads: &Reads, shards: &[ToShard]) -> Result<(), Error> {
    let count = shards.len() as u16;
    let mut last: Option<(DeviceKey, Events)> = None;
    let tell = |(key, events): (DeviceKey, Events)| {
        give(shards, restore(key, count, Restored { events: events.into(), ..Restored::default() }));
    };
    reads.scan::<Event>(|key, event| {
        if event.resolved.is_some() {
            return ControlFlow::Continue(());
        }
        let device = DeviceKey::new(key.org, key.device);
        if last.as_ref().is_some_and(|(known, _)| *known != device) {
            last.take().into_iter().for_each(tell);
        }
        let (_, events) = last.get_or_insert_with(|| (device, Events::new()));
        if events.len() == shard::EVENTS_RETAINED {
            events.pop_front();
        }
        let id = EventId { at: UnixMillis(key.at_ms), number: key.number };
        events.push_back((id, event.code, event.description));
        ControlFlow::Continue(())
    })?;
    last.into_iter().for_each(tell);
    Ok(())
}

/// A shard that does not keep up is waited for: this thread has time. One that has ended takes nothing any more.
fn give(shards: &[ToShard], (shard, command): (ShardId, Command)) {
    let _ = shards[shard.index()].push_within(command, limits::RESTORE_WITHIN);
}

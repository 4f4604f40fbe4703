//! What the homes of the devices have changed: presence and metadata. They are asked, and only as often as somebody looks.

use std::sync::{Mutex, PoisonError};

use linchpin_protocol::model::{DeviceId, TemplateId};
use linchpin_shard::limits::LIST_ROWS;
use linchpin_shard::{Blame, Command, DeviceGlance, Report, ShardId};
use tokio::time::Instant;

use super::{Fleet, Presence};
use crate::shards::Shards;
use crate::{CommandError, limits};

/// Brings a [`Fleet`] up to date, one at a time.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    last: tokio::sync::Mutex<Option<Instant>>,
}

/// What a glance says of where a device is.
pub(crate) fn presence(glance: &DeviceGlance) -> Presence {
    let is_of_device = |end: &linchpin_shard::End| end.blame() == Blame::Device;
    let to_look_at = |end: &linchpin_shard::End| {
        // A device that is back has nothing to be looked at, unless it was at fault itself.
        if glance.is_online { is_of_device(end) } else { end.blame() != Blame::Nobody }
    };
    Presence {
        is_online: glance.is_online,
        since_s: glance.since_s as u32,
        seen_s: glance.seen_s as u32,
        trouble: glance.last_end.filter(to_look_at).map_or(0, |end| end.number()),
    }
}

/// A device without a template whose firmware names one.
pub(crate) type NamedTemplate = (DeviceId, TemplateId);

impl Follower {
    /// Ask the homes what has changed, unless that was done a moment ago. Returns devices without a template whose firmware
    /// names one.
    ///
    /// # Errors
    /// A shard does not answer.
    pub(crate) async fn refresh(
        &self,
        shards: &Shards,
        fleet: &Mutex<Fleet>,
    ) -> Result<Vec<NamedTemplate>, CommandError> {
        let mut last = self.last.lock().await;
        if last.is_some_and(|last| last.elapsed() < limits::FLEET_FRESH) {
            return Ok(Vec::new());
        }
        let mut named = Vec::new();
        for shard in shards.all() {
            loop {
                let ask = |request| Command::GlanceChanged { request, limit: LIST_ROWS };
                let Report::Glances { rows, is_more, has_lost } = shards.ask(shard, ask).await? else { break };
                take(fleet, &rows, &mut named);
                if has_lost {
                    walk(shards, shard, fleet, &mut named).await?;
                }
                if !is_more {
                    break;
                }
            }
        }
        *last = Some(Instant::now());
        Ok(named)
    }
}

/// Look at all devices of a shard.
async fn walk(
    shards: &Shards,
    shard: ShardId,
    fleet: &Mutex<Fleet>,
    named: &mut Vec<NamedTemplate>,
) -> Result<(), CommandError> {
    let mut after = 0;
    loop {
        let ask = |request| Command::GlanceAbove { request, after, limit: LIST_ROWS };
        let Report::Glances { rows, is_more, .. } = shards.ask(shard, ask).await? else { return Ok(()) };
        take(fleet, &rows, named);
        match rows.last() {
            Some(last) if is_more => after = last.id.get(),
            _ => return Ok(()),
        }
    }
}

fn take(fleet: &Mutex<Fleet>, rows: &[DeviceGlance], named: &mut Vec<NamedTemplate>) {
    let mut fleet = fleet.lock().unwrap_or_else(PoisonError::into_inner);
    for glance in rows {
        fleet.set_presence(glance.id, presence(glance));
        fleet.describe(glance.id, &glance.metadata);
        if let (Some(name), Some(None)) = (glance.named, fleet.device(glance.id).map(|device| device.template)) {
            named.push((glance.id, name));
        }
    }
}

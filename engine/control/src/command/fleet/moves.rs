//! Devices that go to another organization.

use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, OrgId};

use linchpin_shard::{Command, Report, home_of};

use super::publish;
use crate::access::right;
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::request::{FleetMove, FleetUnclaim};
use crate::loader::device::DeviceEdit;
use crate::{CommandError, Shards, limits};

/// Records go in one batch; its home writes under the new organization from the next point on; history follows on a thread of
/// its own, and goes on after a restart.
pub(super) async fn move_to(
    desk: &Desk,
    call: &Arc<RowCall>,
    (from, to): (OrgId, OrgId),
    device: DeviceId,
) -> Result<(), CommandError> {
    let templates = Arc::clone(&desk.registry);
    let record = desk
        .with_people(call, move |call| {
            let leave = call.scope::<right::DeviceTransfer>(from)?;
            let enter = call.scope::<right::DeviceCreate>(to)?;
            let loader = call.loader()?;
            let known = loader.device(&leave, device, call.now_ms())?;
            let registry = templates.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let template = known.template.and_then(|id| registry.template(id).cloned());
            drop(registry);
            Ok(loader.move_device(&leave, &enter, device, template.as_ref(), call.now_ms())?)
        })
        .await?;
    {
        let mut fleet = desk.fleet.lock();
        fleet.unshare_all(device);
    }
    publish(desk, to, device, &record).await?;
    let (loader, shards) = (Arc::clone(call.loader()?), Arc::clone(&desk.shards));
    tokio::spawn(async move {
        if !settled(&shards, to, device).await {
            tracing::error!(%device, "its home does not take a device's new organization: its history follows after a restart");
            return;
        }
        let moved = move || {
            if let Err(error) = loader.move_history(to, device) {
                tracing::error!(%error, %device, "the history of a device did not follow it yet: it does after a restart");
            }
        };
        let _ = tokio::task::spawn_blocking(moved).await;
    });
    Ok(())
}

/// Wait until the device's home writes under its new organization, and the store has all that it wrote before: points are on
/// their way for some milliseconds. `false`: its lane was full all the time.
async fn settled(shards: &Shards, to: OrgId, device: DeviceId) -> bool {
    for _ in 0..limits::SETTLE_TRIES {
        let ask = |request| Command::Settle { request, device, org: to };
        if let Ok(Report::Done) = shards.ask(home_of(device, shards.count()), ask).await {
            return true;
        }
        tokio::time::sleep(limits::SETTLE_PAUSE).await;
    }
    false
}

/// What a restart interrupted goes on.
pub(crate) fn resume_moves(desk: &Desk) {
    let Ok(people) = desk.people() else { return };
    let loader = Arc::clone(people.loader());
    tokio::task::spawn_blocking(move || {
        let moving = match loader.moving() {
            Ok(moving) => moving,
            Err(error) => return tracing::error!(%error, "devices whose history moves cannot be read"),
        };
        for (org, device) in moving {
            if let Err(error) = loader.move_history(org, device) {
                tracing::error!(%error, %device, "the history of a device did not follow it yet");
            }
        }
    });
}

pub(in crate::command) async fn move_one(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetMove,
) -> Result<(), CommandError> {
    move_to(desk, &call, (asked.org.0, asked.to.0), asked.device.0).await
}

pub(in crate::command) async fn unclaim(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetUnclaim,
) -> Result<(), CommandError> {
    let (org, device) = (asked.org.0, asked.device.0);
    let record = desk
        .with_people(&call, move |call| {
            call.scope::<right::DeviceTransfer>(org)?;
            let scope = call.scope::<right::DeviceEdit>(org)?;
            let edit = DeviceEdit { owner: Some(None), ..DeviceEdit::default() };
            Ok(call.loader()?.edit_device(&scope, device, edit, call.now_ms())?.1)
        })
        .await?;
    publish(desk, org, device, &record).await
}

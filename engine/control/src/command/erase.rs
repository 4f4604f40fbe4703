//! Removing and erasing: what is to go leaves the shards first.

use linchpin_protocol::model::{DeviceId, OrgId};
use linchpin_shard::{Command, home_of};

use super::desk::Desk;
use super::device::{tell_patiently, with_token};
use super::request::{DeviceRemove, EraseDevice, EraseOrg, ErasedDevice, ErasedOrg, RemovedDevice};
use super::store::{self, NOT_IN_BACKUPS};
use super::table::Offline as _;
use crate::{CommandError, DeviceEntry, Made, Registry, limits};

/// Erase a device: its connection ends; its token, values and history are gone.
pub(super) async fn remove(desk: &Desk, asked: DeviceRemove) -> Result<RemovedDevice, CommandError> {
    let device = asked.device.0;
    let mut registry = desk.registry.lock().await;
    let entry = leave(desk, &registry, device).await?;
    if desk.upkeep.is_some() {
        // What the shard has said of it is on its way to the store for so long.
        tokio::time::sleep(limits::LAST_WORDS).await;
        desk.with_store(move |keep| keep.erase_device(&entry)).await?;
    }
    registry.remove(device);
    Ok(RemovedDevice { removed: device.get() })
}

pub(super) async fn device(desk: &Desk, asked: EraseDevice) -> Result<ErasedDevice, CommandError> {
    let removed = remove(desk, DeviceRemove { device: asked.device }).await?;
    Ok(ErasedDevice { erased: removed.removed, note: NOT_IN_BACKUPS.to_owned() })
}

pub(super) async fn org(desk: &Desk, asked: EraseOrg) -> Result<ErasedOrg, CommandError> {
    store::may_be_erased(asked.org.0)?;
    forget_org(desk, asked.org.0).await?;
    desk.with_upkeep(move |upkeep| asked.carry_out(upkeep)).await
}

/// Let a device leave the shards: its connection ends and its token opens nothing.
async fn leave(desk: &Desk, registry: &Registry, device: DeviceId) -> Result<DeviceEntry, CommandError> {
    let Made { entry, token } = with_token(desk, registry, device).await?;
    // The index first: from then on nobody logs in with the token.
    let (owner, unindex) = registry.unindex(&token);
    tell_patiently(desk, owner, unindex).await?;
    let home = home_of(device, desk.shards.count());
    desk.shards.ask(home, |request| Command::RemoveDevice { request, device }).await?;
    Ok(entry)
}

/// Let all devices of an organization leave.
async fn forget_org(desk: &Desk, org: OrgId) -> Result<(), CommandError> {
    let mut registry = desk.registry.lock().await;
    let devices = registry.devices().iter().filter(|device| device.org == org);
    let devices: Vec<DeviceId> = devices.map(|device| device.id).collect();
    for device in &devices {
        leave(desk, &registry, *device).await?;
    }
    devices.into_iter().for_each(|device| drop(registry.remove(device)));
    tokio::time::sleep(limits::LAST_WORDS).await;
    Ok(())
}

//! Removing and erasing. What is to go is marked as leaving, leaves the shards until each has acknowledged it, and is then
//! erased on the disk. A shard acknowledges once all that it had to say of a device is with the store, so nothing comes
//! behind. Each step may be asked for again: what failed half-way goes on from there.

use linchpin_protocol::model::{DeviceId, OrgId};

use super::desk::Desk;
use super::device::with_token;
use super::request::{DeviceRemove, EraseDevice, EraseOrg, ErasedDevice, ErasedOrg, RemovedDevice};
use super::row::Offline as _;
use super::store::{self, NOT_IN_BACKUPS};
use crate::shards::Fact;
use crate::{Code, CommandError, Made, limits};

/// Erase a device: its connection ends; its token, values and history are gone.
pub(super) async fn remove(desk: &Desk, asked: DeviceRemove) -> Result<RemovedDevice, CommandError> {
    let device = asked.device.0;
    let Made { entry, token } = with_token(desk, device).await?;
    leave(desk, &[Made { entry: entry.clone(), token }]).await?;
    desk.with_store(move |keep| keep.erase_device(&entry)).await?;
    desk.registry().remove(device);
    desk.fleet.lock().remove(device);
    Ok(RemovedDevice { removed: device.get() })
}

pub(super) async fn device(desk: &Desk, asked: EraseDevice) -> Result<ErasedDevice, CommandError> {
    let removed = remove(desk, DeviceRemove { device: asked.device }).await?;
    Ok(ErasedDevice { erased: removed.removed, note: NOT_IN_BACKUPS.to_owned() })
}

pub(super) async fn org(desk: &Desk, asked: EraseOrg) -> Result<ErasedOrg, CommandError> {
    let org = asked.org.0;
    store::may_be_erased(org)?;
    forget_org(desk, org).await?;
    let erased = desk.with_upkeep(move |upkeep| asked.carry_out(upkeep)).await;
    // It may be erased here and not in the backups: that is asked for again.
    if desk.with_store(move |keep| keep.has_org(org)).await? == Some(false) {
        desk.registry().remove_org(org);
        desk.fleet.lock().remove_org(org);
    }
    erased
}

/// Let devices leave the shards: their connections end and their tokens open nothing.
async fn leave(desk: &Desk, devices: &[Made]) -> Result<(), CommandError> {
    let (tokens, homes): (Vec<_>, Vec<_>) = {
        let mut registry = desk.registry();
        devices.iter().for_each(|made| registry.leave(made.entry.id));
        let facts = |made: &Made| {
            let id = made.entry.id;
            (Fact::Token(registry.digest(&made.token), id), Fact::Device(id))
        };
        devices.iter().map(facts).unzip()
    };
    // The index first: from then on nobody logs in with the tokens.
    for facts in [tokens, homes] {
        let marks = desk.desired.changed(facts);
        if !desk.desired.acknowledged(&marks, limits::ANSWER_TIMEOUT).await {
            let text = "the shards or the store do not keep up: the removal has begun, ask for it again in a moment";
            return Err(CommandError::new(Code::Busy, text));
        }
    }
    Ok(())
}

/// Let all devices of an organization leave.
async fn forget_org(desk: &Desk, org: OrgId) -> Result<(), CommandError> {
    if !desk.with_upkeep(move |upkeep| Ok(upkeep.keep().knows_org(org)?)).await? {
        return Err(CommandError::no_such_org(org));
    }
    let devices: Vec<DeviceId> = desk.registry().leave_org(org).into_iter().map(|device| device.id).collect();
    for some in devices.chunks(limits::FACTS_TOGETHER) {
        let mut made = Vec::with_capacity(some.len());
        for device in some {
            match with_token(desk, *device).await {
                Ok(one) => made.push(one),
                // Another command has removed it meanwhile.
                Err(error) if error.code == Code::NoSuchDevice => {}
                Err(error) => return Err(error),
            }
        }
        leave(desk, &made).await?;
    }
    Ok(())
}

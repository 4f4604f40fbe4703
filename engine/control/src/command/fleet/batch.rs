//! Many devices at once.

use std::sync::Arc;

use linchpin_protocol::model::DeviceId;
use linchpin_storage::schema::Device;

use super::{moves, one, publish};
use crate::CommandError;
use crate::access::right;
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::request::{FleetBatch, FleetBatchDone};
use crate::loader::device::DeviceEdit;

/// All devices are looked at for all that is asked before the first is changed, so that a foreign one among them changes
/// nothing.
pub(in crate::command) async fn batch(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetBatch,
) -> Result<FleetBatchDone, CommandError> {
    let FleetBatch { org, devices, add_tags, remove_tags, move_to, remove } = asked;
    let org = org.0;
    let mut devices: Vec<DeviceId> = devices.into_iter().map(|device| device.0).collect();
    devices.sort_unstable();
    devices.dedup();
    let has_tags = !add_tags.is_empty() || !remove_tags.is_empty();
    if [has_tags, move_to.is_some(), remove].into_iter().filter(|is_asked| *is_asked).count() != 1 {
        let text = "one of add_tags or remove_tags, move_to, remove";
        return Err(CommandError::parameter("the request", text));
    }
    let (all, to) = (devices.clone(), move_to.map(|to| to.0));
    let known: Vec<Device> = desk
        .with_people(&call, move |call| {
            let (loader, now_ms) = (call.loader()?, call.now_ms());
            call.scope::<right::DeviceBatch>(org)?;
            if remove {
                return Ok(loader.devices(&call.scope::<right::DeviceDelete>(org)?, &all, now_ms)?);
            }
            if let Some(to) = to {
                let leave = call.scope::<right::DeviceTransfer>(org)?;
                call.scope::<right::DeviceCreate>(to)?;
                return Ok(loader.devices(&leave, &all, now_ms)?);
            }
            Ok(loader.devices(&call.scope::<right::DeviceEdit>(org)?, &all, now_ms)?)
        })
        .await?;
    for (device, record) in devices.iter().zip(&known) {
        if remove {
            one::remove_one(desk, &call, org, *device).await?;
        } else if let Some(to) = to {
            moves::move_to(desk, &call, (org, to), *device).await?;
        } else {
            let mut tags = record.tags.clone();
            tags.retain(|tag| !remove_tags.iter().any(|gone| **tag == **gone));
            tags.extend(add_tags.iter().map(|tag| tag.as_str().into()));
            let edit = DeviceEdit { tags: Some(tags), ..DeviceEdit::default() };
            let device = *device;
            let changed = desk
                .with_people(&call, move |call| {
                    let scope = call.scope::<right::DeviceEdit>(org)?;
                    Ok(call.loader()?.edit_device(&scope, device, edit, call.now_ms())?.1)
                })
                .await?;
            publish(desk, org, device, &changed).await?;
        }
    }
    Ok(FleetBatchDone { done: devices.len() })
}

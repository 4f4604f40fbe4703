//! Devices that wait for their board: the first firmware that names a template of the organization makes it theirs; without
//! one they vanish.

use std::sync::Arc;
use std::time::Duration;

use linchpin_protocol::model::{DeviceId, OrgId, TemplateId};

use super::publish;
use crate::command::desk::Desk;
use crate::command::erase;
use crate::command::request::DeviceRemove;
use crate::{CommandError, clock};

/// How often boards are looked for while some device waits for one.
const LOOK: Duration = Duration::from_secs(1);

/// Look for boards, for as long as the server runs.
pub(crate) async fn follow(desk: Arc<Desk>) {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(error) = look(&desk).await {
            tracing::warn!(%error, "boards that are being set up could not be looked for");
        }
    }
}

async fn look(desk: &Desk) -> Result<(), CommandError> {
    let waiting = desk.fleet.waiting();
    if waiting.is_empty() {
        return Ok(());
    }
    desk.fleet.refresh(&desk.shards).await?;
    for (device, template) in desk.fleet.take_named() {
        if let Some((org, _)) = waiting.get(&device) {
            adopt(desk, *org, device, template).await?;
        }
    }
    let now_ms = clock::now_ms();
    for (device, _) in waiting.into_iter().filter(|(_, (_, until_ms))| *until_ms <= now_ms) {
        let is_online = desk.fleet.lock().device(device).is_some_and(|device| device.presence.is_online);
        desk.fleet.board_is_there(device);
        if !is_online {
            tracing::info!(%device, "a device that waited for its board for an hour is removed");
            erase::remove(desk, DeviceRemove { device: device.into() }).await?;
        }
    }
    Ok(())
}

/// The board names this template: the device takes it if its organization has it. If not it stays as it is and its diary says
/// what the board is.
async fn adopt(desk: &Desk, org: OrgId, device: DeviceId, template: TemplateId) -> Result<(), CommandError> {
    let loader = Arc::clone(desk.people()?.loader());
    let entry = desk.registry().template(template).cloned();
    if !entry.is_some_and(|entry| loader.is_template_for(org, &entry)) {
        return Ok(());
    }
    let record = tokio::task::spawn_blocking(move || loader.adopt_template(org, device, template, clock::now_ms()));
    let failed = |_| CommandError::new(crate::Code::Failed, "a device could not take its template");
    desk.fleet.board_is_there(device);
    if let Some(record) = record.await.map_err(failed)?? {
        publish(desk, org, device, &record).await?;
    }
    Ok(())
}

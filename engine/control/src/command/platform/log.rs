//! Events of devices, and when they came and went.

use std::sync::Arc;

use super::{home, of_device};
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::request::*;
use crate::command::{fleet, happening};
use crate::{Code, CommandError, limits};

pub(in crate::command) async fn trigger(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformTrigger,
) -> Result<(), CommandError> {
    let device = asked.device_id.0;
    let org = home(desk, device)?;
    of_device(device, fleet::held::<crate::access::right::DeviceControl>(desk, &call, org, device).await)?;
    let event = (asked.event_code, ("eventDescription", asked.event_description));
    fleet::log_event(desk, &call, (org, device), event).await.map_err(|error| match error.code {
        Code::NotFound => CommandError::new(Code::NotFound, "Event with provided code is not found."),
        _ => error,
    })
}

fn type_of(level: &str) -> PlatformEventType {
    match level {
        "warning" => PlatformEventType::Warning,
        "critical" => PlatformEventType::Critical,
        "content" => PlatformEventType::Content,
        _ => PlatformEventType::Information,
    }
}

pub(in crate::command) async fn timeline(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformTimeline,
) -> Result<PlatformPage<PlatformTimelineLine>, CommandError> {
    let PlatformTimeline { device_id: device, event_type, page, size } = asked;
    let org = home(desk, device.0)?.into();
    let all = HappeningList {
        org,
        device: Some(device),
        below: false,
        open: false,
        from_ms: 0,
        after: None,
        limit: limits::EVENTS_LOOKED_AT,
    };
    let found = of_device(device.0, happening::list(desk, call, all).await)?.items;
    let wanted: Vec<HappeningLine> =
        found.into_iter().filter(|line| event_type.is_none_or(|wanted| type_of(&line.level) == wanted)).collect();
    let line = |line: &HappeningLine| PlatformTimelineLine {
        id: line.id.clone(),
        org_id: line.org,
        event_code: line.code.clone(),
        event_name: line.title.clone(),
        event_type: type_of(&line.level),
        description: line.text.clone(),
        ts: line.at_ms,
        is_resolved: line.resolved_ms.is_some(),
        resolved_at: line.resolved_ms,
        resolved_comment: line.note.clone(),
    };
    Ok(PlatformPage::of(&wanted, (page, size), line))
}

pub(in crate::command) async fn logs(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformLogs,
) -> Result<PlatformPage<PlatformLog>, CommandError> {
    let PlatformLogs { device_id: device, page, size } = asked;
    let org = home(desk, device.0)?.into();
    let found = of_device(device.0, fleet::diary(desk, call, FleetDiary { org, device }).await)?.items;
    let line = |line: &FleetDiaryLine| PlatformLog {
        created_at: line.at_ms,
        is_online: line.kind == "online",
        message: line.sentence.clone(),
        code: line.code,
        ip: line.address.clone(),
    };
    Ok(PlatformPage::of(&found, (page, size), line))
}

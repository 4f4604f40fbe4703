//! Events of devices, for whoever may.

use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, SYSTEM_EVENTS, UnixMillis};
use linchpin_shard::{Command, EventId, home_of};
use linchpin_storage::schema::{Event, EventSeverity};

use super::call::RowCall;
use super::desk::Desk;
use super::fleet::people_name;
use super::request::{HappeningLine, HappeningList, HappeningResolve, ListPage};
use crate::access::right;
use crate::loader::event::{EventFilter, EventRef};
use crate::{Code, CommandError, TemplateEntry};

fn text_of((device, at_ms, number): EventRef) -> String {
    format!("{device}-{at_ms}-{number}")
}

fn name_of(text: &str) -> Option<EventRef> {
    let mut parts = text.split('-');
    let device = parts.next()?.parse().ok().and_then(DeviceId::new)?;
    let (at_ms, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some((device, at_ms, number))
}

fn line(desk: &Desk, call: &RowCall, name: EventRef, event: &Event) -> HappeningLine {
    let (device, at_ms, _) = name;
    let shown = desk.fleet.lock().device(device);
    let template = shown.as_ref().and_then(|device| device.template);
    let entry: Option<TemplateEntry> = template.and_then(|id| desk.registry().template(id).cloned());
    let sheet =
        entry.as_ref().and_then(|entry| entry.record.sheet.events.iter().find(|known| known.code == event.code));
    let level = match sheet.map(|sheet| sheet.severity) {
        _ if event.code.starts_with(SYSTEM_EVENTS) => "system",
        Some(EventSeverity::Warning) => "warning",
        Some(EventSeverity::Critical) => "critical",
        Some(EventSeverity::Content) => "content",
        Some(EventSeverity::Information) | None => "info",
    };
    let said = Some(&event.description).filter(|text| !text.is_empty());
    let resolved = event.resolved.as_ref();
    HappeningLine {
        id: text_of(name),
        device: device.get(),
        device_name: shown.as_ref().map(|device| device.name.to_string()).unwrap_or_default(),
        at_ms,
        level: level.to_owned(),
        code: event.code.to_string(),
        title: sheet.map_or_else(|| event.code.to_string(), |sheet| sheet.name.to_string()),
        text: said.or(sheet.map(|sheet| &sheet.description)).map(ToString::to_string).unwrap_or_default(),
        resolved_ms: resolved.map(|resolved| resolved.at_ms),
        resolved_by: resolved
            .and_then(|resolved| resolved.by)
            .zip(shown)
            .and_then(|(person, device)| people_name(call, device.org, person)),
        note: resolved.map(|resolved| resolved.note.to_string()).filter(|note| !note.is_empty()),
    }
}

pub(super) async fn list(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: HappeningList,
) -> Result<ListPage<HappeningLine>, CommandError> {
    let before = match asked.after.as_deref() {
        None | Some("") => None,
        Some(text) => {
            let wrong = || CommandError::new(Code::BadCursor, "no such place in the list: begin anew").about("after");
            Some(name_of(text).ok_or_else(wrong)?)
        }
    };
    let filter = EventFilter {
        device: asked.device.map(|device| device.0),
        only_open: asked.open,
        from_ms: asked.from_ms,
        before,
    };
    let (org, limit) = (asked.org.0, asked.limit);
    let (found, is_more) = desk
        .with_people(&call, move |call| {
            let scope = call.scope::<right::EventView>(org)?;
            Ok(call.loader()?.events(&scope, &filter, limit, call.now_ms())?)
        })
        .await?;
    let next = found.last().filter(|_| is_more).map(|(name, _)| text_of(*name));
    Ok(ListPage { items: found.iter().map(|(name, event)| line(desk, &call, *name, event)).collect(), next })
}

pub(super) async fn resolve(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: HappeningResolve,
) -> Result<HappeningLine, CommandError> {
    let missing = || CommandError::new(Code::NotFound, "there is no such thing");
    let name = name_of(&asked.event).ok_or_else(missing)?;
    let (org, note) = (asked.org.0, asked.note.unwrap_or_default());
    let event = desk
        .with_people(&call, move |call| {
            let scope = call.scope::<right::EventResolve>(org)?;
            Ok(call.loader()?.resolve_event(&scope, name, &note, call.now_ms())?)
        })
        .await?;
    let (device, at_ms, number) = name;
    let id = EventId { at: UnixMillis(at_ms), number };
    let ask = |request| Command::ForgetEvent { request, device, id };
    desk.shards.ask(home_of(device, desk.shards.count()), ask).await?;
    Ok(line(desk, &call, name, &event))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_names_that_lead_back() {
        let name = (DeviceId::new(7).expect("not zero"), 1_800_000_000_000, 3);
        assert_eq!(name_of(&text_of(name)), Some(name));
        for bad in ["", "7", "7-1", "0-1-1", "7-1-1-1", "x-1-1", "7--1"] {
            assert_eq!(name_of(bad), None, "{bad}");
        }
    }
}

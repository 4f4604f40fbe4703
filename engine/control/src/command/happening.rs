//! Events of devices, for whoever may.

use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, SYSTEM_EVENTS, UnixMillis};
use linchpin_shard::{Command, EventId, home_of};
use linchpin_storage::schema::{Event, EventSeverity, OrgId};

use super::call::RowCall;
use super::desk::Desk;
use super::fleet::people_name;
use super::request::{HappeningLine, HappeningList, HappeningResolve, ListPage};
use crate::access::right;
use crate::loader::event::{EventFilter, EventRef, event_place};
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

fn line(desk: &Desk, call: &RowCall, (org, name): (OrgId, EventRef), event: &Event) -> HappeningLine {
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
        org: org.get(),
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
    let (org, limit, below) = (asked.org.0, asked.limit, asked.below && asked.device.is_none());
    let (found, is_more) = desk.with_people(&call, move |call| events(call, (org, below), &filter, limit)).await?;
    let next = found.last().filter(|_| is_more).map(|(_, name, _)| text_of(*name));
    let items = found.iter().map(|(org, name, event)| line(desk, &call, (*org, *name), event));
    Ok(ListPage { items: items.collect(), next })
}

type OrgEvent = (OrgId, EventRef, Event);

/// The newest of an organization, and of those below it if asked for, each as far as the caller sees events there.
fn events(
    call: &RowCall,
    (org, below): (OrgId, bool),
    filter: &EventFilter,
    limit: usize,
) -> Result<(Vec<OrgEvent>, bool), CommandError> {
    let loader = call.loader()?;
    let mut scopes = vec![call.scope::<right::EventView>(org)?];
    if below {
        let others = loader.directory().tree.below(org).into_iter().filter(|other| *other != org);
        scopes.extend(others.filter_map(|other| call.scope_if::<right::EventView>(other)));
    }
    let (mut all, mut is_more) = (Vec::new(), false);
    for scope in scopes {
        let (found, more) = loader.events(&scope, filter, limit, call.now_ms())?;
        is_more |= more;
        all.extend(found.into_iter().map(|(name, event)| (scope.org(), name, event)));
        // No more is held than an answer has, however many organizations there are.
        all.sort_by_key(|(_, name, _)| event_place(*name));
        is_more |= all.len() > limit;
        all.truncate(limit);
    }
    Ok((all, is_more))
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
    Ok(line(desk, &call, (org, name), &event))
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

//! Templates.

use std::sync::Arc;

use linchpin_protocol::model::{PinKind, TemplateId, ValueKind};
use linchpin_storage::schema::EventSeverity;
use serde_json::Value;

use super::org::of_org;
use super::{hidden, org_or_own, own_org, typed};
use crate::access::right;
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::request::*;
use crate::command::sheet;
use crate::{Code, CommandError, TemplateEntry};

fn line(entry: &TemplateEntry) -> PlatformTemplate {
    let id = entry.template().id.as_str().to_owned();
    PlatformTemplate {
        id: entry.number,
        template_id: id.clone(),
        template_ids: vec![id],
        org_id: entry.org.get(),
        name: entry.template().name.to_string(),
        description: entry.record.sheet.description.to_string(),
    }
}

pub(in crate::command) async fn templates(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformTemplates,
) -> Result<PlatformPage<PlatformTemplate>, CommandError> {
    let org = org_or_own(&call, asked.org_id);
    let seen = of_org(sheet::templates_seen(desk, &call, org).await)?;
    Ok(PlatformPage::of(&seen, (asked.page, asked.size), line))
}

/// By the id that firmware carries, else by the number.
fn known(desk: &Desk, id: TemplateId) -> Option<TemplateEntry> {
    let registry = desk.registry();
    let number = || {
        let number: u32 = id.as_str().parse().ok()?;
        registry.template_entries().find(|entry| entry.number == number)
    };
    registry.template(id).or_else(number).cloned()
}

/// A template that the caller sees: in the organization that it belongs to, or in the caller's own, to which it is given.
async fn seen(desk: &Desk, call: &Arc<RowCall>, id: TemplateId) -> Result<TemplateEntry, CommandError> {
    let missing = || CommandError::new(Code::NotFound, "Template is not found or you don't have access to it.");
    let (entry, own) = (known(desk, id).ok_or_else(missing)?, own_org(call));
    let looked = desk.with_people(call, move |call| {
        let loader = call.loader()?;
        let is_seen = |org| {
            let scope = call.scope_if::<right::TemplateView>(org);
            scope.is_some_and(|scope| loader.sees_template(&scope, &entry))
        };
        if is_seen(entry.org) || is_seen(own) {
            return Ok(entry);
        }
        // Why it is not: said to whoever sees the organization, and written down.
        call.scope::<right::TemplateView>(entry.org)?;
        Err(missing())
    });
    hidden(looked.await, missing)
}

pub(in crate::command) async fn template(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformTemplateShow,
) -> Result<PlatformTemplate, CommandError> {
    Ok(line(&seen(desk, &call, asked.template_id.0).await?))
}

pub(in crate::command) async fn streams(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformStreams,
) -> Result<Vec<PlatformStream>, CommandError> {
    let entry = seen(desk, &call, asked.template_id.0).await?;
    let line = |stream: &linchpin_protocol::model::Datastream| {
        let sheet = entry.record.stream(stream.pin);
        let kind = match stream.kind {
            ValueKind::Int { .. } => "INT",
            ValueKind::Double { .. } => "DOUBLE",
            ValueKind::Enum { .. } => "ENUM",
            ValueKind::Text if sheet.is_some_and(|sheet| sheet.is_location) => "LOCATION",
            ValueKind::Text => "STRING",
        };
        let pin_type = match stream.pin.kind {
            PinKind::Virtual => "VIRTUAL",
            PinKind::Digital => "DIGITAL",
            PinKind::Analog => "ANALOG",
        };
        PlatformStream {
            id: stream.id,
            label: stream.name.to_string(),
            alias: sheet.map(|sheet| sheet.alias.to_string()).unwrap_or_default(),
            units: stream.unit.to_string(),
            kind: kind.to_owned(),
            default_value: stream.default.as_ref().map_or(Value::Null, |text| typed(Some(stream), text.as_bytes())),
            pin: stream.pin.index,
            pin_type: pin_type.to_owned(),
            is_analog_pin: stream.pin.kind == PinKind::Analog,
            is_sync: stream.sync,
        }
    };
    Ok(entry.template().datastreams.iter().map(line).collect())
}

/// As Blynk calls them.
pub(super) const fn severity_name(severity: EventSeverity) -> &'static str {
    match severity {
        EventSeverity::Information => "INFORMATION",
        EventSeverity::Warning => "WARNING",
        EventSeverity::Critical => "CRITICAL",
        EventSeverity::Content => "CONTENT",
    }
}

pub(in crate::command) async fn events(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformEvents,
) -> Result<Vec<PlatformEvent>, CommandError> {
    let entry = seen(desk, &call, asked.template_id.0).await?;
    let all = entry.record.sheet.events.iter();
    let line = |(id, event): (u32, &linchpin_storage::schema::EventSheet)| PlatformEvent {
        id,
        name: event.name.to_string(),
        event_code: event.code.to_string(),
        kind: severity_name(event.severity).to_owned(),
    };
    Ok((1..).zip(all).map(line).collect())
}

pub(in crate::command) async fn fields(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformFields,
) -> Result<Vec<PlatformField>, CommandError> {
    let entry = seen(desk, &call, asked.template_id.0).await?;
    let line = |field: &linchpin_storage::schema::MetaField| PlatformField {
        id: field.id,
        name: field.name.to_string(),
        kind: format!("{:?}", field.kind),
        default_value: field.default.to_string(),
    };
    Ok(entry.record.sheet.fields.iter().map(line).collect())
}

//! Templates as objects of organizations: saved in versions, given to the organizations below.

mod record;

use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, OrgId, TemplateId};
use linchpin_storage::schema::TemplateRecord;

use self::record::{answer, events_of, fields_of, layout_of, parts, streams_of, topics_of};
use super::call::RowCall;
use super::desk::Desk;
use super::fleet::{self, people_name};
use super::request::{
    ListPage, SheetAnswer, SheetKind, SheetList, SheetMake, SheetPublish, SheetRemove, SheetRestore, SheetSave,
    SheetShow, SheetStream, SheetSummary, SheetVersionLine, SheetVersionShow, SheetVersions,
};
use crate::access::{Right, right};
use crate::loader::name::check_name;
use crate::shards::Fact;
use crate::{Code, CommandError, TemplateEntry, limits};

/// Does the name of a template fit?
fn template_named(name: &str) -> Result<(), CommandError> {
    check_name(name, 0..=limits::NAME_BYTES).map_err(|expected| CommandError::parameter("name", &expected))
}

fn missing() -> CommandError {
    CommandError::new(Code::NotFound, "there is no such thing")
}

/// A template that the caller may do `P` with in an organization.
async fn seen<P: Right + 'static>(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
    id: TemplateId,
) -> Result<TemplateEntry, CommandError> {
    let entry = desk.registry().template(id).cloned();
    desk.with_people(call, move |call| {
        let scope = call.scope::<P>(org)?;
        let loader = call.loader()?;
        entry.filter(|entry| loader.sees_template(&scope, entry)).ok_or_else(missing)
    })
    .await
}

pub(super) fn etag(entry: &TemplateEntry) -> String {
    format!("\"{}\"", entry.record.sheet.version)
}

/// A template as exports have it.
pub(super) fn sheet_of(org: OrgId, record: &TemplateRecord) -> SheetAnswer {
    answer(org, record, 0)
}

fn answered(desk: &Desk, call: &RowCall, entry: &TemplateEntry) -> SheetAnswer {
    call.extras(|extras| extras.etag = Some(etag(entry)));
    answer(entry.org, &entry.record, desk.fleet.lock().with_template(&entry.template().id))
}

/// How many devices have it, as far as an organization may know: of a template that one above gives it, its own.
fn counted(desk: &Desk, org: OrgId, entry: &TemplateEntry) -> usize {
    let (fleet, id) = (desk.fleet.lock(), entry.template().id);
    if entry.org == org { fleet.with_template(&id) } else { fleet.templates_at(org).get(&id).copied().unwrap_or(0) }
}

/// The templates that the caller may see in an organization.
pub(super) async fn templates_seen(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
) -> Result<Vec<TemplateEntry>, CommandError> {
    let all: Vec<TemplateEntry> = desk.registry().template_entries().cloned().collect();
    desk.with_people(call, move |call| {
        let scope = call.scope::<right::TemplateView>(org)?;
        let loader = call.loader()?;
        Ok(all.into_iter().filter(|entry| loader.sees_template(&scope, entry)).collect())
    })
    .await
}

pub(super) async fn list(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: SheetList,
) -> Result<ListPage<SheetSummary>, CommandError> {
    let org = asked.org.0;
    let seen = templates_seen(desk, &call, org).await?;
    let fleet = desk.fleet.lock();
    let here = fleet.templates_at(org);
    let line = |entry: &TemplateEntry| {
        let (template, sheet) = (entry.template(), &entry.record.sheet);
        SheetSummary {
            id: template.id.as_str().to_owned(),
            org: entry.org.get(),
            name: template.name.to_string(),
            description: sheet.description.to_string(),
            version: sheet.version,
            devices: if entry.org == org {
                fleet.with_template(&template.id)
            } else {
                here.get(&template.id).copied().unwrap_or(0)
            },
            changed_ms: sheet.changed_ms,
            published: sheet.is_published,
            streams: template.datastreams.len(),
        }
    };
    Ok(ListPage::whole(seen.iter().map(line).collect()))
}

pub(super) async fn show(desk: &Desk, call: Arc<RowCall>, asked: SheetShow) -> Result<SheetAnswer, CommandError> {
    let org = asked.org.0;
    let entry = seen::<right::TemplateView>(desk, &call, org, asked.template.0).await?;
    call.extras(|extras| extras.etag = Some(etag(&entry)));
    Ok(answer(entry.org, &entry.record, counted(desk, org, &entry)))
}

/// An id that no template has.
fn fresh_id(desk: &Desk) -> Result<TemplateId, CommandError> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyzACDEFHJK";
    for _ in 0..8 {
        let mut bytes = [0; 9];
        getrandom::fill(&mut bytes)
            .map_err(|_| CommandError::new(Code::Failed, "there are no random bytes: try again"))?;
        let text: Vec<u8> = b"TMPL".iter().copied().chain(bytes.map(|byte| LETTERS[usize::from(byte % 32)])).collect();
        if let Ok(id) = TemplateId::parse(&text)
            && desk.registry().template(id).is_none()
        {
            return Ok(id);
        }
    }
    Err(CommandError::new(Code::Failed, "no free id was found: try again"))
}

/// Store a record as the next version, let the shards know, and give it back.
async fn save_record(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
    record: TemplateRecord,
) -> Result<TemplateEntry, CommandError> {
    let id = record.template.id;
    let before = desk.registry().template(id).cloned();
    let mut entry = desk.registry().reserve_record(org, record)?;
    let saved = desk
        .with_people(call, move |call| {
            let scope = call.scope::<right::TemplateEdit>(org)?;
            call.loader()?.save_template(&scope, before.as_ref(), &mut entry, call.now_ms())?;
            Ok(entry)
        })
        .await;
    let entry = match saved {
        Ok(entry) => entry,
        Err(error) => {
            desk.registry().give_up_template(id);
            return Err(error);
        }
    };
    desk.registry().publish_template(entry.clone());
    desk.publish([Fact::Template(id)]).await;
    Ok(entry)
}

/// The pins of a device as datastreams.
async fn from_device(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
    device: DeviceId,
) -> Result<Vec<SheetStream>, CommandError> {
    let values = fleet::device_values(desk, call, org, device).await?;
    let line = |(pin, value): (linchpin_protocol::model::Pin, Box<[u8]>)| {
        let is_number = linchpin_protocol::model::ValueRef(&value).as_number().is_some();
        let kind = if is_number { SheetKind::Double } else { SheetKind::String };
        SheetStream { name: pin.to_string(), alias: pin.to_string().to_lowercase(), ..SheetStream::of(pin, kind) }
    };
    Ok(values.into_iter().map(line).collect())
}

pub(super) async fn make(desk: &Desk, call: Arc<RowCall>, asked: SheetMake) -> Result<SheetAnswer, CommandError> {
    let org = asked.org.0;
    desk.with_people(&call, move |call| call.scope::<right::TemplateEdit>(org).map(drop)).await?;
    let id = match asked.id {
        Some(id) if desk.registry().template(id.0).is_some() => {
            return Err(CommandError::new(Code::Conflict, "a template has this id already").about("id"));
        }
        Some(id) => id.0,
        None => fresh_id(desk)?,
    };
    let device = asked.from_device.map(|device| device.0);
    let streams = match device {
        Some(device) if asked.streams.is_empty() => from_device(desk, &call, org, device).await?,
        _ => asked.streams,
    };
    template_named(&asked.name)?;
    let (streams, aliases) = streams_of(streams)?;
    let mut record = parts(id, &asked.name, streams, events_of(asked.events)?, asked.connection);
    record.template.aliases = aliases;
    record.template.topics = topics_of(&record.template, asked.topics)?;
    record.sheet.fields = fields_of(asked.metadata)?;
    record.sheet.description = asked.description.into();
    record.sheet.layout = layout_of(&asked.layout)?;
    let entry = save_record(desk, &call, org, record).await?;
    if let Some(device) = device {
        fleet::give_template(desk, &call, org, device, id).await?;
    }
    call.extras(|extras| extras.status = Some(201));
    Ok(answered(desk, &call, &entry))
}

pub(super) async fn save(desk: &Desk, call: Arc<RowCall>, asked: SheetSave) -> Result<SheetAnswer, CommandError> {
    let (org, id) = (asked.org.0, asked.template.0);
    let before = seen::<right::TemplateEdit>(desk, &call, org, id).await?;
    if before.org != org {
        return Err(CommandError::new(Code::Forbidden, "the template belongs to an organization above"));
    }
    call.check_version(&etag(&before))?;
    let known = answer(before.org, &before.record, 0);
    let (streams, aliases) = streams_of(asked.streams.unwrap_or(known.streams))?;
    let events = events_of(asked.events.unwrap_or(known.events))?;
    asked.name.as_deref().map_or(Ok(()), template_named)?;
    let name = asked.name.unwrap_or(known.name);
    let mut record = parts(id, &name, streams, events, asked.connection.unwrap_or(known.connection));
    record.template.aliases = aliases;
    record.template.topics = topics_of(&record.template, asked.topics.unwrap_or(known.topics))?;
    record.sheet.parent = before.record.sheet.parent;
    record.sheet.is_published = before.record.sheet.is_published;
    record.sheet.fields = fields_of(asked.metadata.unwrap_or(known.metadata))?;
    record.sheet.description = asked.description.unwrap_or(known.description).into();
    record.sheet.layout = match asked.layout {
        Some(layout) => layout_of(&layout)?,
        None => before.record.sheet.layout.clone(),
    };
    record.sheet.note = asked.note.into();
    let entry = save_record(desk, &call, org, record).await?;
    Ok(answered(desk, &call, &entry))
}

pub(super) async fn remove(desk: &Desk, call: Arc<RowCall>, asked: SheetRemove) -> Result<(), CommandError> {
    let (org, id) = (asked.org.0, asked.template.0);
    let entry = seen::<right::TemplateDelete>(desk, &call, org, id).await?;
    let devices = desk.fleet.lock().with_template(&id);
    if devices > 0 {
        let text = format!("{devices} devices have this template: give them another one first");
        return Err(CommandError::new(Code::Conflict, text));
    }
    desk.with_people(&call, move |call| {
        let scope = call.scope::<right::TemplateDelete>(org)?;
        Ok(call.loader()?.delete_template(&scope, &entry, call.now_ms())?)
    })
    .await?;
    // Shards have it until they start anew; no device names it.
    desk.registry().remove_template(id);
    Ok(())
}

pub(super) async fn versions(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: SheetVersions,
) -> Result<ListPage<SheetVersionLine>, CommandError> {
    let (org, id) = (asked.org.0, asked.template.0);
    let entry = seen::<right::TemplateView>(desk, &call, org, id).await?;
    let lines = desk
        .with_people(&call, move |call| {
            let scope = call.scope::<right::TemplateView>(org)?;
            let old = call.loader()?.template_versions(&scope, &entry)?;
            let line = |version, record: &TemplateRecord| SheetVersionLine {
                version,
                at_ms: record.sheet.changed_ms,
                by: record.sheet.changed_by.and_then(|person| people_name(call, org, person)),
                note: record.sheet.note.to_string(),
            };
            let now = line(entry.record.sheet.version, &entry.record);
            Ok(std::iter::once(now).chain(old.iter().map(|(number, old)| line(*number, &old.record))).collect())
        })
        .await?;
    Ok(ListPage::whole(lines))
}

async fn version(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
    entry: &TemplateEntry,
    number: u32,
) -> Result<TemplateRecord, CommandError> {
    if number == entry.record.sheet.version {
        return Ok(entry.record.clone());
    }
    let entry = entry.clone();
    desk.with_people(call, move |call| {
        let scope = call.scope::<right::TemplateView>(org)?;
        let old = call.loader()?.template_versions(&scope, &entry)?;
        old.into_iter().find(|(known, _)| *known == number).map(|(_, old)| old.record).ok_or_else(missing)
    })
    .await
}

pub(super) async fn show_version(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: SheetVersionShow,
) -> Result<SheetAnswer, CommandError> {
    let (org, id) = (asked.org.0, asked.template.0);
    let entry = seen::<right::TemplateView>(desk, &call, org, id).await?;
    let record = version(desk, &call, org, &entry, asked.version).await?;
    Ok(answer(entry.org, &record, counted(desk, org, &entry)))
}

pub(super) async fn restore(desk: &Desk, call: Arc<RowCall>, asked: SheetRestore) -> Result<SheetAnswer, CommandError> {
    let (org, id) = (asked.org.0, asked.template.0);
    let before = seen::<right::TemplateEdit>(desk, &call, org, id).await?;
    call.check_version(&etag(&before))?;
    let mut record = version(desk, &call, org, &before, asked.version).await?;
    record.sheet.is_published = before.record.sheet.is_published;
    record.sheet.note = format!("as version {}", asked.version).into();
    let entry = save_record(desk, &call, org, record).await?;
    Ok(answered(desk, &call, &entry))
}

pub(super) async fn publish(desk: &Desk, call: Arc<RowCall>, asked: SheetPublish) -> Result<SheetAnswer, CommandError> {
    let (org, id, published) = (asked.org.0, asked.template.0, asked.published);
    let before = seen::<right::TemplatePublish>(desk, &call, org, id).await?;
    let mut reserved = desk.registry().reserve_record(org, before.record.clone())?;
    reserved.record.sheet.is_published = published;
    let done = desk
        .with_people(&call, move |call| {
            let scope = call.scope::<right::TemplatePublish>(org)?;
            Ok(call.loader()?.publish_template(&scope, &before, published, call.now_ms())?)
        })
        .await;
    match done {
        Ok(entry) => {
            desk.registry().publish_template(entry.clone());
            Ok(answered(desk, &call, &entry))
        }
        Err(error) => {
            desk.registry().give_up_template(id);
            Err(error)
        }
    }
}

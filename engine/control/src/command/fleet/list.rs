//! Lists of devices, in columns.

use std::collections::HashMap;
use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, OrgId, Pin, TemplateId};
use linchpin_shard::limits::LIST_ROWS;
use linchpin_shard::{Command, DeviceGlance, Report, home_of};

use crate::access::{ScopeReach, right};
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::plain::Plain;
use crate::command::request::{FleetColumns, FleetCounts, FleetList, FleetPage, FleetShow, FleetTags, SortOrder};
use crate::fleet::{DeviceFilter, DeviceSort, FleetDevice, FoundPage, Show};
use crate::{Code, CommandError, limits};

/// What lists need of a template.
pub(super) struct TemplateFace {
    pub(super) name: Box<str>,
    /// The first datastream that is shown, with its unit.
    first: Option<(Pin, Box<str>)>,
}

/// Of all templates, as they are now.
pub(super) fn template_faces(desk: &Desk) -> HashMap<TemplateId, TemplateFace> {
    let registry = desk.registry();
    let face = |entry: &crate::TemplateEntry| {
        let streams = entry.template().datastreams.iter();
        let is_hidden = |pin| entry.record.stream(pin).is_some_and(|sheet| sheet.is_hidden);
        let first = streams.clone().find(|stream| !is_hidden(stream.pin));
        let first = first.map(|stream| (stream.pin, stream.unit.clone()));
        (entry.template().id, TemplateFace { name: entry.template().name.clone(), first })
    };
    registry.template_entries().map(face).collect()
}

/// The organization, and those below it if asked for, each as far as the caller sees devices there.
pub(in crate::command) async fn scopes(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
    below: bool,
) -> Result<Vec<(OrgId, ScopeReach)>, CommandError> {
    desk.with_people(call, move |call| {
        let here = call.scope::<right::DeviceView>(org)?;
        let mut found = vec![(org, here.reach())];
        if below {
            let others = call.loader()?.directory().tree.below(org);
            let others = others.into_iter().filter(|other| *other != org);
            found.extend(others.filter_map(|other| {
                let scope = call.scope_if::<right::DeviceView>(other)?;
                Some((other, scope.reach()))
            }));
        }
        Ok(found)
    })
    .await
}

/// A filter of what was asked for.
pub(super) fn filter_of(
    q: &str,
    show: Option<FleetShow>,
    template: &str,
    tag: &[String],
    ids: &[Plain<DeviceId>],
) -> Result<DeviceFilter, CommandError> {
    let template = match template {
        "" => None,
        id => {
            let wrong = |_| CommandError::parameter("template", "a template id").about("template");
            Some(TemplateId::parse(id.as_bytes()).map_err(wrong)?)
        }
    };
    let mut ids: Vec<DeviceId> = ids.iter().map(|id| id.0).collect();
    ids.sort_unstable();
    Ok(DeviceFilter {
        words: q.to_lowercase().split_whitespace().map(str::to_owned).collect(),
        show: match show {
            None | Some(FleetShow::All) => Show::All,
            Some(FleetShow::Online) => Show::Online,
            Some(FleetShow::Offline) => Show::Offline,
            Some(FleetShow::Never) => Show::Never,
            Some(FleetShow::Trouble) => Show::Trouble,
        },
        template,
        tags: tag.iter().map(|tag| tag.as_str().into()).collect(),
        ids,
        ..DeviceFilter::default()
    })
}

impl FleetList {
    fn filter(&self, org: OrgId) -> Result<DeviceFilter, CommandError> {
        let field = |text: &String| {
            let (name, value) = text.split_once('=')?;
            Some((name.trim().into(), value.trim().into()))
        };
        let metadata = self.meta.iter().map(field).collect::<Option<_>>();
        let wrong = || CommandError::parameter("meta", "NAME=VALUE, several with commas between").about("meta");
        let owner = self.owner.map(|user| (org, user));
        let filter = filter_of(&self.q, self.show, &self.template, &self.tag, &self.ids)?;
        Ok(DeviceFilter { metadata: metadata.ok_or_else(wrong)?, owner, ..filter })
    }

    fn order(&self) -> (DeviceSort, bool) {
        (self.sort.unwrap_or_default(), self.order == Some(SortOrder::Desc))
    }
}

/// Devices that fit, sorted, with one live value each.
pub(in crate::command) async fn list(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetList,
) -> Result<FleetPage, CommandError> {
    let org = asked.org.0;
    let scopes = scopes(desk, &call, org, asked.below).await?;
    let (filter, order) = (asked.filter(org)?, asked.order());
    let question = format!("{:?} {scopes:?} {filter:?} {order:?}", call.by().actor);
    let after = match asked.after.as_deref() {
        None | Some("") => None,
        Some(text) => {
            let wrong =
                |_| CommandError::new(Code::BadCursor, "the cursor is of another question, or too old: begin anew");
            Some(desk.fleet.cursor().read(question.as_bytes(), text).map_err(wrong)?)
        }
    };
    desk.fleet.refresh(&desk.shards).await?;
    let faces = template_faces(desk);
    let name = |id: &TemplateId| faces.get(id).map(|face| face.name.clone());
    let page = desk.fleet.lock().find(&scopes, &filter, order, (after.as_ref(), asked.limit), &name, call.now_ms());
    let glances = glances(desk, &page, &faces).await?;
    let FoundPage { devices, total, counts, next } = page;
    let mut columns = FleetColumns::default();
    devices.iter().for_each(|device| add(&mut columns, device, glances.get(&device.id), &faces));
    let counts =
        FleetCounts { online: counts.online, offline: counts.offline, never: counts.never, trouble: counts.trouble };
    let next = next.map(|key| desk.fleet.cursor().text(question.as_bytes(), &key));
    Ok(FleetPage { columns, total, counts, next })
}

/// What the homes of a page's devices say of them now.
async fn glances(
    desk: &Desk,
    page: &FoundPage,
    faces: &HashMap<TemplateId, TemplateFace>,
) -> Result<HashMap<DeviceId, DeviceGlance>, CommandError> {
    let mut of_shards = vec![Vec::new(); usize::from(desk.shards.count())];
    for device in &page.devices {
        let first = device.template.and_then(|id| faces.get(&id)?.first.as_ref()).map(|(pin, _)| *pin);
        of_shards[home_of(device.id, desk.shards.count()).index()].push((device.id, first));
    }
    let mut found = HashMap::with_capacity(page.devices.len());
    let mut parts: Vec<_> = desk.shards.all().zip(of_shards.iter().map(|of| of.chunks(LIST_ROWS as usize))).collect();
    // A part of each shard at a time: they look at the same time, and none of them for long.
    loop {
        let mut asked = Vec::with_capacity(parts.len());
        for (shard, parts) in &mut parts {
            let Some(some) = parts.next() else { continue };
            let ask = |request| Command::Glance { request, devices: some.to_vec() };
            asked.push((*shard, desk.shards.begin_within(*shard, ask, limits::ANSWER_TIMEOUT).await?));
        }
        if asked.is_empty() {
            break;
        }
        for (shard, asked) in asked {
            if let Report::Glances { rows, .. } = desk.shards.finish(shard, asked).await? {
                found.extend(rows.into_iter().map(|glance| (glance.id, glance)));
            }
        }
    }
    Ok(found)
}

fn add(
    columns: &mut FleetColumns,
    device: &FleetDevice,
    glance: Option<&DeviceGlance>,
    faces: &HashMap<TemplateId, TemplateFace>,
) {
    let ms = |seconds: u32| u64::from(seconds) * 1_000;
    let face = device.template.and_then(|id| faces.get(&id));
    let presence = glance.map_or(device.presence, crate::fleet::presence);
    let was_here = presence.is_online || presence.since_s > 0;
    columns.id.push(device.id.get());
    columns.org.push(device.org.get());
    columns.name.push(device.name.to_string());
    columns.template.push(device.template.map(|id| id.as_str().to_owned()));
    columns.template_name.push(face.map(|face| face.name.to_string()));
    columns.online.push(was_here.then_some(presence.is_online));
    columns.since_ms.push(ms(if was_here { presence.since_s } else { device.created_s }));
    columns.seen_ms.push((presence.seen_s > 0).then(|| ms(presence.seen_s)));
    columns.tags.push(device.tags.iter().map(ToString::to_string).collect());
    columns.trouble.push((presence.trouble > 0).then_some(presence.trouble));
    let value = glance.and_then(|glance| glance.value.as_ref());
    let first = face.and_then(|face| face.first.as_ref());
    let pin = value.map(|(pin, ..)| *pin).or_else(|| first.map(|(pin, _)| *pin));
    columns.pin.push(pin.map(|pin| pin.to_string()));
    columns.value.push(value.map(|(_, value, _)| String::from_utf8_lossy(value).into_owned()));
    columns.value_ms.push(value.map(|(.., at_ms)| *at_ms));
    columns.unit.push(first.map(|(_, unit)| unit.to_string()).filter(|unit| !unit.is_empty()));
}

/// Tags that the organization's devices have.
pub(in crate::command) async fn tags(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetTags,
) -> Result<Vec<String>, CommandError> {
    let org = asked.org.0;
    let scopes = scopes(desk, &call, org, false).await?;
    let fleet = desk.fleet.lock();
    if let [(_, ScopeReach::Org)] = scopes.as_slice() {
        return Ok(fleet.tags_of(org).iter().map(ToString::to_string).collect());
    }
    // Those of one's own devices only.
    let (order, name) = ((DeviceSort::Id, false), |_: &TemplateId| None);
    let page = fleet.find(&scopes, &DeviceFilter::default(), order, (None, usize::MAX), &name, call.now_ms());
    let mut tags: Vec<String> =
        page.devices.iter().flat_map(|device| device.tags.iter().map(ToString::to_string)).collect();
    tags.sort_unstable();
    tags.dedup();
    Ok(tags)
}

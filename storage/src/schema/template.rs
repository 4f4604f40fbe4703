//! Templates.

use linchpin_protocol::limits::{TEMPLATE_ALIASES, TEMPLATE_TOPICS};
use linchpin_protocol::model::{Datastream, Pin, Template, TemplateField, TemplateId, TopicMapping, ValueKind};

use super::{Family, FieldKind, MetaField, Older, OrgId, Record, SheetRecord, StreamSheet, key_in_org, key_of, take};
use crate::schema::bytes::{Fields, Put as _, Shape};

key_in_org!(
    /// The key of a template; its public name is inside the record.
    TemplateKey, template: u32, |fields| fields.u32(), |key, template| key.u32(template)
);

/// A template as it is stored: what shards check values against, and what control adds to it.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateRecord {
    /// What shards know, with the ids of datastreams. Its fields, the limits of its events and how long its devices may be away
    /// are those of the sheet: stored with the sheet.
    pub template: Template,
    /// What else there is of each datastream: one a datastream, in their order.
    pub streams: Vec<StreamSheet>,
    /// What else there is of it.
    pub sheet: SheetRecord,
}

impl From<Template> for TemplateRecord {
    /// Without anything besides.
    fn from(template: Template) -> Self {
        let streams = template.datastreams.iter().map(|_| StreamSheet::default()).collect();
        let sheet = SheetRecord { fields: meta_fields(&template, &[]), ..SheetRecord::default() };
        Self { template, streams, sheet }
    }
}

impl TemplateRecord {
    /// The same with what shards check replaced: what else there is of a datastream stays with its pin, texts of events
    /// stay with their codes. A template that names no metadata fields leaves them as they are.
    #[must_use]
    pub fn with_template(&self, mut template: Template) -> Self {
        if template.fields.is_empty() {
            template.fields.clone_from(&self.template.fields);
        }
        let sheet_of = |stream: &Datastream| self.stream(stream.pin).cloned().unwrap_or_default();
        let streams = template.datastreams.iter().map(sheet_of).collect();
        let mut sheet = self.sheet.clone();
        sheet.events.retain(|event| template.has_event(&event.code));
        sheet.fields = meta_fields(&template, &self.sheet.fields);
        Self { template: with_rules(template, &sheet), streams, sheet }
    }

    /// The same with another sheet.
    #[must_use]
    pub fn with_sheet(self, sheet: SheetRecord) -> Self {
        Self { template: with_rules(self.template, &sheet), sheet, ..self }
    }

    /// What else there is of the datastream on a pin.
    #[must_use]
    pub fn stream(&self, pin: Pin) -> Option<&StreamSheet> {
        let at = self.template.datastreams.binary_search_by_key(&pin, |stream| stream.pin).ok()?;
        self.streams.get(at)
    }

    /// Give each datastream and each metadata field that has none an id that none had before: those of `known`, the version
    /// before, go on by pin and by name.
    pub fn number(&mut self, known: Option<&Self>) {
        self.template.fields = template_fields(&self.sheet.fields);
        self.template = self.template.clone().numbered(known.map(|known| &known.template));
        self.sheet.fields = meta_fields(&self.template, &self.sheet.fields);
    }
}

/// The fields of a template as they are stored; what else there is of those that are known stays with their names.
fn meta_fields(template: &Template, known: &[MetaField]) -> Vec<MetaField> {
    let one = |field: &TemplateField| {
        let TemplateField { id, name, default, by_device } = field.clone();
        match known.iter().find(|known| known.name == name) {
            Some(known) => MetaField { id, default, by_device, ..known.clone() },
            None => {
                MetaField { id, name, kind: FieldKind::Text, more: "".into(), default, is_required: false, by_device }
            }
        }
    };
    template.fields.iter().map(one).collect()
}

/// What shards know of them.
fn template_fields(fields: &[MetaField]) -> Vec<TemplateField> {
    let one = |field: &MetaField| {
        let MetaField { id, name, default, by_device, .. } = field.clone();
        TemplateField { id, name, default, by_device }
    };
    fields.iter().map(one).collect()
}

/// What the sheet says and shards enforce.
fn with_rules(template: Template, sheet: &SheetRecord) -> Template {
    let limited = sheet.events.iter().filter(|event| event.per_day > 0);
    let limits = limited.map(|event| (event.code.clone(), event.per_day)).collect();
    template.with_event_limits(limits).with_offline_wait(sheet.offline_wait_s)
}

const INT: u8 = 1;
const DOUBLE: u8 = 2;
const TEXT: u8 = 3;
const ENUM: u8 = 4;

fn put_kind(kind: ValueKind, out: &mut Vec<u8>) {
    match kind {
        ValueKind::Int { min, max } => {
            out.put_u8(INT);
            out.put_signed(min);
            out.put_signed(max);
        }
        ValueKind::Double { min, max } => {
            out.put_u8(DOUBLE);
            out.put_u64(min.to_bits());
            out.put_u64(max.to_bits());
        }
        ValueKind::Text => out.put_u8(TEXT),
        ValueKind::Enum { count } => {
            out.put_u8(ENUM);
            out.put_u32(count);
        }
    }
}

fn take_kind(fields: &mut Fields<'_>) -> Result<ValueKind, Shape> {
    Ok(match fields.u8()? {
        INT => ValueKind::Int { min: fields.signed()?, max: fields.signed()? },
        DOUBLE => ValueKind::Double { min: f64::from_bits(fields.u64()?), max: f64::from_bits(fields.u64()?) },
        TEXT => ValueKind::Text,
        ENUM => ValueKind::Enum { count: fields.u32()? },
        _ => return Err(Shape),
    })
}

/// What all versions begin with.
fn take_template(fields: &mut Fields<'_>) -> Result<Template, Shape> {
    let id = TemplateId::parse(fields.bytes()?).map_err(|_| Shape)?;
    let name = fields.text()?.into();
    let mut datastreams = Vec::new();
    for _ in 0..fields.varint()? {
        let (pin, name, kind) = (take::pin(fields)?, fields.text()?, take_kind(fields)?);
        let (unit, sync) = (fields.text()?, fields.u8()? != 0);
        datastreams.push(Datastream::new(pin, name, kind, unit, sync));
    }
    let count = fields.varint()?;
    let events = (0..count).map(|_| fields.text().map(Into::into)).collect::<Result<_, _>>()?;
    Ok(Template::new(id, name, datastreams, events))
}

/// What versions from 2 on have next.
fn take_tls(fields: &mut Fields<'_>, template: Template) -> Result<Template, Shape> {
    Ok(template.with_tls_required(take::flag(fields)?))
}

fn put_template(template: &Template, out: &mut Vec<u8>) {
    out.put_bytes(template.id.as_str().as_bytes());
    out.put_bytes(template.name.as_bytes());
    out.put_varint(template.datastreams.len() as u64);
    for datastream in &template.datastreams {
        out.put_u16(datastream.pin.to_u16());
        out.put_bytes(datastream.name.as_bytes());
        put_kind(datastream.kind, out);
        out.put_bytes(datastream.unit.as_bytes());
        out.put_u8(u8::from(datastream.sync));
    }
    out.put_varint(template.events.len() as u64);
    for event in &template.events {
        out.put_bytes(event.as_bytes());
    }
    out.put_u8(u8::from(template.requires_tls));
}

/// Id 4, flags 1 (1 a default, 2 a fallback), default bytes, fallback 4.
fn put_letter(datastream: &Datastream, out: &mut Vec<u8>) {
    out.put_u32(datastream.id);
    out.put_u8(u8::from(datastream.default.is_some()) | u8::from(datastream.fallback.is_some()) << 1);
    if let Some(default) = &datastream.default {
        out.put_bytes(default.as_bytes());
    }
    if let Some(fallback) = datastream.fallback {
        out.put_u32(fallback);
    }
}

/// Ids, defaults and fallbacks of the datastreams.
fn take_letters(fields: &mut Fields<'_>, template: &mut Template) -> Result<(), Shape> {
    for datastream in &mut template.datastreams {
        datastream.id = fields.u32()?;
        let flags = fields.u8()?;
        if flags > 3 {
            return Err(Shape);
        }
        datastream.default = if flags & 1 != 0 { Some(fields.text()?.into()) } else { None };
        datastream.fallback = if flags & 2 != 0 { Some(fields.u32()?) } else { None };
    }
    Ok(())
}

/// Count, then name and pin of each other name; count, then topic, pointer and pin of each topic.
fn put_names(template: &Template, out: &mut Vec<u8>) {
    out.put_varint(template.aliases.len() as u64);
    for (name, pin) in &template.aliases {
        out.put_bytes(name.as_bytes());
        out.put_u16(pin.to_u16());
    }
    out.put_varint(template.topics.len() as u64);
    for TopicMapping { topic, pointer, pin } in &template.topics {
        out.put_bytes(topic.as_bytes());
        out.put_bytes(pointer.as_bytes());
        out.put_u16(pin.to_u16());
    }
}

fn take_names(fields: &mut Fields<'_>, template: &mut Template) -> Result<(), Shape> {
    let alias = |fields: &mut Fields<'_>| Ok((fields.text()?.into(), take::pin(fields)?));
    template.aliases = take::list(fields, TEMPLATE_ALIASES, alias)?;
    let topic = |fields: &mut Fields<'_>| {
        Ok(TopicMapping { topic: fields.text()?.into(), pointer: fields.text()?.into(), pin: take::pin(fields)? })
    };
    template.topics = take::list(fields, TEMPLATE_TOPICS, topic)?;
    Ok(())
}

/// What versions 3 to 5 begin with.
fn take_front(fields: &mut Fields<'_>) -> Result<(Template, Vec<StreamSheet>), Shape> {
    let template = take_template(fields)?;
    let mut template = take_tls(fields, template)?;
    take_letters(fields, &mut template)?;
    let streams = template.datastreams.iter().map(|_| StreamSheet::default()).collect();
    Ok((template, streams))
}

/// As version 3, which the letter of Blynk's documents needs.
fn take_third(bytes: &[u8]) -> Result<TemplateRecord, Shape> {
    let mut fields = Fields(bytes);
    let (template, _) = take_front(&mut fields)?;
    fields.end()?;
    Ok(template.into())
}

/// As version 4: no other names, topics and layout; labels are those of the choices in their order.
fn take_fourth(bytes: &[u8]) -> Result<TemplateRecord, Shape> {
    let mut fields = Fields(bytes);
    let (mut template, mut streams) = take_front(&mut fields)?;
    streams.iter_mut().try_for_each(|sheet| sheet.take_fourth(&mut fields))?;
    let sheet = SheetRecord::take_fourth(&mut fields)?;
    template.fields = template_fields(&sheet.fields);
    fields.end()?;
    Ok(TemplateRecord { template: with_rules(template, &sheet), streams, sheet })
}

impl Record for TemplateRecord {
    type Key = TemplateKey;
    const FAMILY: Family = Family::Template;
    const VERSION: u8 = 5;
    /// Version 1 does not say whether TLS is required; version 2 has no sheets; version 3 has defaults and fallbacks only; version 4
    /// has no other names, topics and layout.
    const OLDER: &'static [Older<Self>] = &[
        (1, |bytes| {
            let mut fields = Fields(bytes);
            let template = take_template(&mut fields)?;
            fields.end()?;
            Ok(template.into())
        }),
        (2, |bytes| {
            let mut fields = Fields(bytes);
            let template = take_template(&mut fields)?;
            let template = take_tls(&mut fields, template)?;
            fields.end()?;
            Ok(template.into())
        }),
        (3, take_third),
        (4, take_fourth),
    ];
    const BEFORE: Option<(Family, super::Before<Self>)> = Some((
        Family::Outbox,
        (2, |record, out| {
            put_template(&record.template, out);
            // Ids that the next start would give again need not be said.
            let mut ids = 1..;
            let is_plain = |stream: &Datastream| {
                let next = ids.next().unwrap_or_default();
                stream.default.is_none() && stream.fallback.is_none() && (stream.id == 0 || stream.id == next)
            };
            record.sheet == SheetRecord::default()
                && record.streams.iter().all(|sheet| *sheet == StreamSheet::default())
                && record.template.datastreams.iter().all(is_plain)
                && record.template.aliases.is_empty()
                && record.template.topics.is_empty()
        }),
    ));

    fn encode(&self, out: &mut Vec<u8>) {
        put_template(&self.template, out);
        // As many as there are datastreams, whatever was filled in.
        let none = StreamSheet::default();
        self.template.datastreams.iter().for_each(|datastream| put_letter(datastream, out));
        for at in 0..self.template.datastreams.len() {
            self.streams.get(at).unwrap_or(&none).put(out);
        }
        self.sheet.put(out);
        put_names(&self.template, out);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let (mut template, mut streams) = take_front(&mut fields)?;
        streams.iter_mut().try_for_each(|sheet| sheet.take(&mut fields))?;
        let sheet = SheetRecord::take(&mut fields)?;
        template.fields = template_fields(&sheet.fields);
        take_names(&mut fields, &mut template)?;
        fields.end()?;
        Ok(Self { template: with_rules(template, &sheet), streams, sheet })
    }
}

key_of!(
    /// The key of an older version of a template.
    VersionKey {
        /// Its organization.
        org: org,
        /// Its number there.
        template: u32,
        /// Which version.
        version: u32,
    }
);

/// A version of a template that another has taken the place of.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateVersion {
    /// When it was replaced, ms since 1970.
    pub at_ms: u64,
    /// By whom: home and number; `None`: the operator.
    pub by: Option<(OrgId, u32)>,
    /// Why, for people.
    pub note: Box<str>,
    /// The template as it was.
    pub record: TemplateRecord,
}

impl Record for TemplateVersion {
    type Key = VersionKey;
    const FAMILY: Family = Family::TemplateVersion;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.at_ms);
        out.put_u32(self.by.map_or(0, |(org, _)| org.get()));
        out.put_u32(self.by.map_or(0, |(_, user)| user));
        out.put_bytes(self.note.as_bytes());
        super::encode(&self.record, out);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let (at_ms, org, user) = (fields.u64()?, OrgId::new(fields.u32()?), fields.u32()?);
        let note = fields.text()?.into();
        Ok(Self { at_ms, by: org.map(|org| (org, user)), note, record: super::decode(fields.0)? })
    }
}

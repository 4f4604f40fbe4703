//! What a template has besides its datastreams: metadata fields, events with their texts, rules of connections.

use super::{OrgId, take};
use crate::limits;
use crate::schema::bytes::{Fields, Put as _, Shape};

/// What a metadata field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FieldKind {
    /// Any text.
    Text = 1,
    /// A number, with its unit.
    Number = 2,
    /// A time of day or a range of them.
    Time = 3,
    /// A person to turn to.
    Contact = 4,
    /// A price, with its currency.
    Cost = 5,
    /// Longitude and latitude.
    Coordinates = 6,
    /// On or off.
    Switch = 7,
    /// One of a list of texts.
    List = 8,
    /// Another device.
    Device = 9,
    /// A time zone.
    TimeZone = 10,
}

impl FieldKind {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Text,
        Self::Number,
        Self::Time,
        Self::Contact,
        Self::Cost,
        Self::Coordinates,
        Self::Switch,
        Self::List,
        Self::Device,
        Self::TimeZone,
    ];
}

/// A metadata field of a template's devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaField {
    /// Its id, the same for ever within its template.
    pub id: u32,
    /// For people, and its name on the wire.
    pub name: Box<str>,
    /// What it holds.
    pub kind: FieldKind,
    /// Of a number its unit, of a list its texts, one a line.
    pub more: Box<str>,
    /// What a new device has.
    pub default: Box<str>,
    /// Must it be filled in when a device is claimed?
    pub is_required: bool,
    /// May the device itself write it?
    pub by_device: bool,
}

/// How bad an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EventSeverity {
    /// Good to know.
    Information = 1,
    /// Look at it.
    Warning = 2,
    /// Act now.
    Critical = 3,
    /// A message of the device's own.
    Content = 4,
}

/// An event that devices may log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSheet {
    /// What devices send.
    pub code: Box<str>,
    /// For people.
    pub name: Box<str>,
    /// The text where the device sends none.
    pub description: Box<str>,
    /// How bad it is.
    pub severity: EventSeverity,
    /// How many a device may log in a day; 0: as many as the server allows.
    pub per_day: u16,
    /// Is it shown on the device's timeline?
    pub is_shown: bool,
}

/// What a template has besides its datastreams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SheetRecord {
    /// Counts its changes.
    pub version: u32,
    /// The template that it was made from: organization and number.
    pub parent: Option<(OrgId, u32)>,
    /// For people.
    pub description: Box<str>,
    /// Metadata fields.
    pub fields: Vec<MetaField>,
    /// Events with their texts; all their codes are among the template's.
    pub events: Vec<EventSheet>,
    /// How long a device may be away before it counts as offline, s.
    pub offline_wait_s: u32,
    /// May the organizations below make devices of it?
    pub is_published: bool,
    /// When it was changed, ms since 1970; 0: never by a person.
    pub changed_ms: u64,
    /// By whom: home and number; `None`: the operator.
    pub changed_by: Option<(OrgId, u32)>,
    /// Why, for people.
    pub note: Box<str>,
    /// How the console shows its devices: JSON, at most [`limits::LAYOUT_BYTES`]; may be empty.
    pub layout: Box<str>,
}

/// An organization and a number there; twice 0: none.
pub(super) fn put_person(person: Option<(OrgId, u32)>, out: &mut Vec<u8>) {
    out.put_u32(person.map_or(0, |(org, _)| org.get()));
    out.put_u32(person.map_or(0, |(_, number)| number));
}

pub(super) fn take_person(fields: &mut Fields<'_>) -> Result<Option<(OrgId, u32)>, Shape> {
    match (OrgId::new(fields.u32()?), fields.u32()?) {
        (None, 0) => Ok(None),
        (None, _) => Err(Shape),
        (Some(org), number) => Ok(Some((org, number))),
    }
}

fn put_flags(flags: [bool; 2], out: &mut Vec<u8>) {
    out.put_u8(u8::from(flags[0]) | u8::from(flags[1]) << 1);
}

fn take_flags(fields: &mut Fields<'_>) -> Result<[bool; 2], Shape> {
    match fields.u8()? {
        flags @ 0..=3 => Ok([flags & 1 != 0, flags & 2 != 0]),
        _ => Err(Shape),
    }
}

impl MetaField {
    fn put(&self, out: &mut Vec<u8>) {
        out.put_u32(self.id);
        out.put_bytes(self.name.as_bytes());
        out.put_u8(self.kind as u8);
        out.put_bytes(self.more.as_bytes());
        out.put_bytes(self.default.as_bytes());
        put_flags([self.is_required, self.by_device], out);
    }

    fn take(fields: &mut Fields<'_>) -> Result<Self, Shape> {
        let (id, name, kind) = (fields.u32()?, fields.text()?.into(), fields.u8()?);
        let kind = FieldKind::ALL.into_iter().find(|known| *known as u8 == kind).ok_or(Shape)?;
        let (more, default) = (fields.text()?.into(), fields.text()?.into());
        let [is_required, by_device] = take_flags(fields)?;
        Ok(Self { id, name, kind, more, default, is_required, by_device })
    }
}

impl EventSheet {
    fn put(&self, out: &mut Vec<u8>) {
        out.put_bytes(self.code.as_bytes());
        out.put_bytes(self.name.as_bytes());
        out.put_bytes(self.description.as_bytes());
        out.put_u8(self.severity as u8);
        out.put_u16(self.per_day);
        out.put_u8(u8::from(self.is_shown));
    }

    fn take(fields: &mut Fields<'_>) -> Result<Self, Shape> {
        let (code, name, description) = (fields.text()?.into(), fields.text()?.into(), fields.text()?.into());
        let severity = match fields.u8()? {
            1 => EventSeverity::Information,
            2 => EventSeverity::Warning,
            3 => EventSeverity::Critical,
            4 => EventSeverity::Content,
            _ => return Err(Shape),
        };
        Ok(Self { code, name, description, severity, per_day: fields.u16()?, is_shown: take::flag(fields)? })
    }
}

impl SheetRecord {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.put_u32(self.version);
        put_person(self.parent, out);
        out.put_bytes(self.description.as_bytes());
        out.put_varint(self.fields.len() as u64);
        self.fields.iter().for_each(|field| field.put(out));
        out.put_varint(self.events.len() as u64);
        self.events.iter().for_each(|event| event.put(out));
        out.put_u32(self.offline_wait_s);
        out.put_u8(u8::from(self.is_published));
        out.put_u64(self.changed_ms);
        put_person(self.changed_by, out);
        out.put_bytes(self.note.as_bytes());
        out.put_bytes(self.layout.as_bytes());
    }

    pub(super) fn take(fields: &mut Fields<'_>) -> Result<Self, Shape> {
        let fourth = Self::take_fourth(fields)?;
        Ok(Self {
            is_published: take::flag(fields)?,
            changed_ms: fields.u64()?,
            changed_by: take_person(fields)?,
            note: fields.text()?.into(),
            layout: fields.text()?.into(),
            ..fourth
        })
    }

    /// As version 4 of a template.
    pub(super) fn take_fourth(fields: &mut Fields<'_>) -> Result<Self, Shape> {
        Ok(Self {
            version: fields.u32()?,
            parent: take_person(fields)?,
            description: fields.text()?.into(),
            fields: take::list(fields, limits::META_FIELDS, MetaField::take)?,
            events: take::list(fields, limits::TEMPLATE_EVENTS, EventSheet::take)?,
            offline_wait_s: fields.u32()?,
            ..Self::default()
        })
    }
}

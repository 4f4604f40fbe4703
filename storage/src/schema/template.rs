//! Templates.

use linchpin_protocol::model::{Datastream, Template, TemplateId, ValueKind};

use super::{Family, Older, Record, key_in_org, take};
use crate::schema::bytes::{Fields, Put as _, Shape};

key_in_org!(
    /// The key of a template; its public name is inside the record.
    TemplateKey, template: u32, |fields| fields.u32(), |key, template| key.u32(template)
);

/// A template as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateRecord(pub Template);

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

impl Record for TemplateRecord {
    type Key = TemplateKey;
    const FAMILY: Family = Family::Template;
    const VERSION: u8 = 2;
    /// Version 1 does not say whether TLS is required.
    const OLDER: &'static [Older<Self>] = &[(1, |bytes| {
        let mut fields = Fields(bytes);
        let template = take_template(&mut fields)?;
        fields.end()?;
        Ok(Self(template))
    })];

    fn encode(&self, out: &mut Vec<u8>) {
        let template = &self.0;
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

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let template = take_template(&mut fields)?;
        let requires_tls = match fields.u8()? {
            0 => false,
            1 => true,
            _ => return Err(Shape),
        };
        fields.end()?;
        Ok(Self(template.with_tls_required(requires_tls)))
    }
}

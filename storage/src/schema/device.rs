//! Devices. The sealed record holds the token, so that it can be shown to its owner again.

use linchpin_protocol::model::{DeviceId, TemplateId, Token};

use super::sheet::{put_person, take_person};
use super::{Before, Family, Older, OrgId, Record, key_in_org, take};
use crate::limits;
use crate::schema::bytes::{Fields, Put as _, Shape};

key_in_org!(
    /// The key of everything that there is once for a device.
    DeviceKey, device: DeviceId, take::device, |key, device| key.u32(device.get())
);

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// For people; may be empty.
    pub name: Box<str>,
    /// Its template.
    pub template: Option<TemplateId>,
    /// What it logs in with. Its digest is in the index.
    pub token: Token,
    /// When it was made, ms since 1970.
    pub created_ms: u64,
    /// The person who owns it: home and number.
    pub owner: Option<(OrgId, u32)>,
    /// Counts its tokens: what was looked up for an older one is good no more.
    pub token_epoch: u16,
    /// Words that people sort devices with, ascending, at most [`limits::DEVICE_TAGS`].
    pub tags: Vec<Box<str>>,
    /// It was made for a board that is being set up, takes its template from the first login and vanishes at this moment
    /// without one, ms since 1970; 0: no such device.
    pub pending_until_ms: u64,
    /// Where it was before and its history still is in part.
    pub moved_from: Option<OrgId>,
}

impl Device {
    /// Without owner and tags.
    #[must_use]
    pub const fn new(name: Box<str>, template: Option<TemplateId>, token: Token, created_ms: u64) -> Self {
        Self {
            name,
            template,
            token,
            created_ms,
            owner: None,
            token_epoch: 0,
            tags: Vec::new(),
            pending_until_ms: 0,
            moved_from: None,
        }
    }
}

fn put_first(device: &Device, out: &mut Vec<u8>) {
    out.put_bytes(device.name.as_bytes());
    out.put_bytes(device.template.as_ref().map_or("", TemplateId::as_str).as_bytes());
    out.put_bytes(device.token.expose().as_bytes());
    out.put_u64(device.created_ms);
}

fn take_first(fields: &mut Fields<'_>) -> Result<Device, Shape> {
    let name = fields.text()?.into();
    let template = match fields.bytes()? {
        b"" => None,
        id => Some(TemplateId::parse(id).map_err(|_| Shape)?),
    };
    let token = Token::parse(fields.bytes()?).map_err(|_| Shape)?;
    Ok(Device::new(name, template, token, fields.u64()?))
}

impl Record for Device {
    type Key = DeviceKey;
    const FAMILY: Family = Family::Device;
    const VERSION: u8 = 2;
    /// Version 1 had a number in the place of an owner that nothing ever set.
    const OLDER: &'static [Older<Self>] = &[(1, |bytes| {
        let mut fields = Fields(bytes);
        let device = take_first(&mut fields)?;
        let _nobody = fields.u32()?;
        fields.end()?;
        Ok(device)
    })];
    const BEFORE: Option<(Family, Before<Self>)> = Some((
        Family::Outbox,
        (1, |device, out| {
            put_first(device, out);
            out.put_u32(0);
            let plain = Self::new(device.name.clone(), device.template, device.token, device.created_ms);
            *device == plain
        }),
    ));

    fn encode(&self, out: &mut Vec<u8>) {
        put_first(self, out);
        put_person(self.owner, out);
        out.put_u16(self.token_epoch);
        out.put_varint(self.tags.len() as u64);
        self.tags.iter().for_each(|tag| out.put_bytes(tag.as_bytes()));
        out.put_u64(self.pending_until_ms);
        out.put_u32(self.moved_from.map_or(0, OrgId::get));
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let first = take_first(&mut fields)?;
        let device = Self {
            owner: take_person(&mut fields)?,
            token_epoch: fields.u16()?,
            tags: take::list(&mut fields, limits::DEVICE_TAGS, |fields| fields.text().map(Into::into))?,
            pending_until_ms: fields.u64()?,
            moved_from: OrgId::new(fields.u32()?),
            ..first
        };
        fields.end()?;
        Ok(device)
    }
}

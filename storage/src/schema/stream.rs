//! What a datastream has besides what shards check.

use super::take;
use crate::limits;
use crate::schema::bytes::{Fields, Put as _, Shape};

/// See the module's page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamSheet {
    /// Another name, for programs.
    pub alias: Box<str>,
    /// Digits behind the point that are shown.
    pub decimals: Option<u8>,
    /// Values and the texts that are shown for them, at most [`limits::STREAM_LABELS`].
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// Is it longitude and latitude?
    pub is_location: bool,
    /// Is it left out of what people see?
    pub is_hidden: bool,
    /// May people write it?
    pub is_writable: bool,
    /// A value that is older than this is shown as stale, s; 0: never.
    pub stale_after_s: u32,
}

const NO_DECIMALS: u8 = u8::MAX;

impl StreamSheet {
    /// Alias bytes, decimals 1 (ff: none), count varint of labels (value, text), flags 1 (1 location, 2 hidden,
    /// 4 writable), stale after s 4. The id is elsewhere.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.put_bytes(self.alias.as_bytes());
        out.put_u8(self.decimals.unwrap_or(NO_DECIMALS));
        out.put_varint(self.labels.len() as u64);
        for (value, text) in &self.labels {
            out.put_bytes(value.as_bytes());
            out.put_bytes(text.as_bytes());
        }
        let flags = [self.is_location, self.is_hidden, self.is_writable];
        out.put_u8(flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag)));
        out.put_u32(self.stale_after_s);
    }

    pub(super) fn take(&mut self, fields: &mut Fields<'_>) -> Result<(), Shape> {
        let label = |fields: &mut Fields<'_>| Ok((fields.text()?.into(), fields.text()?.into()));
        self.take_with(fields, label, 7)
    }

    /// As version 4 of a template: labels have no values.
    pub(super) fn take_fourth(&mut self, fields: &mut Fields<'_>) -> Result<(), Shape> {
        self.take_with(fields, |fields| Ok((Box::default(), fields.text()?.into())), 3)?;
        for (at, (value, _)) in self.labels.iter_mut().enumerate() {
            *value = at.to_string().into();
        }
        Ok(())
    }

    fn take_with(
        &mut self,
        fields: &mut Fields<'_>,
        label: impl FnMut(&mut Fields<'_>) -> Result<(Box<str>, Box<str>), Shape>,
        most_flags: u8,
    ) -> Result<(), Shape> {
        self.alias = fields.text()?.into();
        self.decimals = Some(fields.u8()?).filter(|decimals| *decimals != NO_DECIMALS);
        self.labels = take::list(fields, limits::STREAM_LABELS, label)?;
        let flags = fields.u8()?;
        if flags > most_flags {
            return Err(Shape);
        }
        (self.is_location, self.is_hidden, self.is_writable) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
        self.stale_after_s = fields.u32()?;
        Ok(())
    }
}

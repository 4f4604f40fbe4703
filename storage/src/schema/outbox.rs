//! Mail that is to be sent: stored with what causes it, gone when it was delivered or given up.

use super::{Family, Record, key_of};
use crate::limits;
use crate::schema::bytes::{Fields, Put as _, Shape};

key_of!(
    /// The key of a mail: those that are due stand first.
    MailKey {
        /// When it is to be tried, ms since 1970.
        due_ms: u64,
        /// The organization whose key seals it.
        org: org,
        /// Tells mails apart.
        number: u64,
    }
);

/// A mail. Its texts are made when it is sent: what may be secret is in `fields` only.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboxMail {
    /// Which text: control numbers them.
    pub kind: u16,
    /// Whom to.
    pub to: Box<str>,
    /// The language of the text, such as `de`; empty: English.
    pub locale: Box<str>,
    /// What stands in the text, by name.
    pub fields: Vec<(Box<str>, Box<str>)>,
    /// How often it was tried.
    pub tries: u8,
    /// When it was stored, ms since 1970.
    pub made_ms: u64,
}

impl std::fmt::Debug for OutboxMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mail(kind {}, {} tries)", self.kind, self.tries)
    }
}

impl Record for OutboxMail {
    type Key = MailKey;
    const FAMILY: Family = Family::Outbox;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u16(self.kind);
        out.put_bytes(self.to.as_bytes());
        out.put_bytes(self.locale.as_bytes());
        out.put_varint(self.fields.len() as u64);
        for (name, text) in &self.fields {
            out.put_bytes(name.as_bytes());
            out.put_bytes(text.as_bytes());
        }
        out.put_u8(self.tries);
        out.put_u64(self.made_ms);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let (kind, to, locale) = (fields.u16()?, fields.text()?.into(), fields.text()?.into());
        let count = fields.varint()?;
        if count > limits::MAIL_FIELDS as u64 {
            return Err(Shape);
        }
        let one = |fields: &mut Fields<'_>| Ok((fields.text()?.into(), fields.text()?.into()));
        let list = (0..count).map(|_| one(&mut fields)).collect::<Result<_, Shape>>()?;
        let mail = Self { kind, to, locale, fields: list, tries: fields.u8()?, made_ms: fields.u64()? };
        fields.end()?;
        Ok(mail)
    }
}

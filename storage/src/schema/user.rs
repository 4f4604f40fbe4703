//! Users. The index finds them by their e-mail address.

use super::{Family, Record, key_in_org};
use crate::schema::bytes::{Fields, Put as _, Shape};

key_in_org!(
    /// The key of a user.
    UserKey, user: u32, |fields| fields.u32(), |key, user| key.u32(user)
);

/// A person who may log in.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// As typed; the index holds a digest of it with ASCII letters in lower case.
    pub email: Box<str>,
    /// For people.
    pub name: Box<str>,
    /// Number of the role in the home organization; their grant there says the same.
    pub role: u16,
    /// When the account was made, ms since 1970.
    pub created_ms: u64,
    /// How the person proves who they are: the bytes of an [`super::Account`].
    pub account: Box<[u8]>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User(role {})", self.role)
    }
}

impl Record for User {
    type Key = UserKey;
    const FAMILY: Family = Family::User;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_bytes(self.email.as_bytes());
        out.put_bytes(self.name.as_bytes());
        out.put_u16(self.role);
        out.put_u64(self.created_ms);
        out.put_bytes(&self.account);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let user = Self {
            email: fields.text()?.into(),
            name: fields.text()?.into(),
            role: fields.u16()?,
            created_ms: fields.u64()?,
            account: fields.bytes()?.into(),
        };
        fields.end()?;
        Ok(user)
    }
}

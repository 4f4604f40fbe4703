//! What control stores in a user's record besides the name: the bytes of `User::account`.

use zeroize::{Zeroize as _, Zeroizing};

use crate::limits;
use crate::schema::bytes::{Fields, Put as _, Shape};

const VERSION: u8 = 1;

/// May this person sign in?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum AccountState {
    /// Invited, and has not set a password yet.
    #[default]
    Pending = 1,
    /// Yes.
    Active = 2,
    /// No: an administrator said so.
    Suspended = 3,
}

/// An identity at another sign-in server that stands for this account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountLink {
    /// The server, its `iss`.
    pub issuer: Box<str>,
    /// The person there, their `sub`.
    pub subject: Box<str>,
}

/// An account: how its person proves who they are. Debug output shows no secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// May they sign in?
    pub state: AccountState,
    /// Grows with everything that must end what was granted before: password, factor, suspension, role.
    pub epoch: u32,
    /// Argon2id of the peppered input in PHC form; empty: no password.
    pub password: Zeroizing<String>,
    /// When it was set, ms since 1970.
    pub password_ms: u64,
    /// When the e-mail address was verified, ms since 1970; 0: never.
    pub verified_ms: u64,
    /// The secret of the second factor; empty: none.
    pub totp: Zeroizing<Vec<u8>>,
    /// Was a code of it seen? Before that it is not asked for.
    pub totp_confirmed: bool,
    /// The last step of time whose code was accepted: none is accepted twice.
    pub totp_step: u64,
    /// Digests of recovery codes that were not used yet.
    pub recovery: Vec<[u8; 32]>,
    /// Such as `de`; empty: the organization's.
    pub locale: Box<str>,
    /// What is mailed: bits that control numbers.
    pub notify: u16,
    /// Identities elsewhere.
    pub links: Vec<AccountLink>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({:?}, epoch {})", self.state, self.epoch)
    }
}

impl Account {
    /// Must a code be given besides the password?
    #[must_use]
    pub const fn has_factor(&self) -> bool {
        self.totp_confirmed
    }

    /// As the bytes of a user's record.
    #[must_use]
    pub fn to_bytes(&self) -> Box<[u8]> {
        let mut out = Vec::new();
        out.put_u8(VERSION);
        out.put_u8(self.state as u8);
        out.put_u32(self.epoch);
        out.put_bytes(self.password.as_bytes());
        out.put_u64(self.password_ms);
        out.put_u64(self.verified_ms);
        out.put_bytes(&self.totp);
        out.put_u8(u8::from(self.totp_confirmed));
        out.put_u64(self.totp_step);
        out.put_varint(self.recovery.len() as u64);
        self.recovery.iter().for_each(|digest| out.extend_from_slice(digest));
        out.put_bytes(self.locale.as_bytes());
        out.put_u16(self.notify);
        out.put_varint(self.links.len() as u64);
        for link in &self.links {
            out.put_bytes(link.issuer.as_bytes());
            out.put_bytes(link.subject.as_bytes());
        }
        let boxed = out.as_slice().into();
        out.zeroize();
        boxed
    }

    /// Out of a user's record; no bytes are a person without an account.
    ///
    /// # Errors
    /// [`Shape`]: another version, or not such bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Shape> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut fields = Fields(bytes);
        fields.version(VERSION)?;
        let state = match fields.u8()? {
            1 => AccountState::Pending,
            2 => AccountState::Active,
            3 => AccountState::Suspended,
            _ => return Err(Shape),
        };
        let epoch = fields.u32()?;
        let password = Zeroizing::new(fields.text()?.to_owned());
        let (password_ms, verified_ms) = (fields.u64()?, fields.u64()?);
        let totp = Zeroizing::new(fields.bytes()?.to_vec());
        let totp_confirmed = super::take::flag(&mut fields)?;
        let totp_step = fields.u64()?;
        let count = fields.varint()?;
        if count > limits::RECOVERY_CODES as u64 {
            return Err(Shape);
        }
        let recovery = (0..count).map(|_| fields.array()).collect::<Result<_, _>>()?;
        let (locale, notify) = (fields.text()?.into(), fields.u16()?);
        let count = fields.varint()?;
        if count > limits::ACCOUNT_LINKS as u64 {
            return Err(Shape);
        }
        let link =
            |fields: &mut Fields<'_>| Ok(AccountLink { issuer: fields.text()?.into(), subject: fields.text()?.into() });
        let links = (0..count).map(|_| link(&mut fields)).collect::<Result<_, Shape>>()?;
        fields.end()?;
        Ok(Self {
            state,
            epoch,
            password,
            password_ms,
            verified_ms,
            totp,
            totp_confirmed,
            totp_step,
            recovery,
            locale,
            notify,
            links,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_come_back_and_show_no_secret() {
        let account = Account {
            state: AccountState::Active,
            epoch: 7,
            password: Zeroizing::new("$argon2id$canary".into()),
            totp: Zeroizing::new(vec![0xab; 20]),
            totp_confirmed: true,
            totp_step: 59_000_000,
            recovery: vec![[1; 32], [2; 32]],
            links: vec![AccountLink { issuer: "https://id.example".into(), subject: "42".into() }],
            ..Account::default()
        };
        let bytes = account.to_bytes();
        assert_eq!(Account::parse(&bytes), Ok(account.clone()));
        for len in 1..bytes.len() {
            assert!(Account::parse(&bytes[..len]).is_err(), "cut at {len}");
        }
        assert_eq!(Account::parse(&[]), Ok(Account::default()));
        assert_eq!(format!("{account:?}"), "Account(Active, epoch 7)");
    }
}

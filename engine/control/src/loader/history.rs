//! Pages of the audit log, newest first, and cursors: where the next page of any list begins.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use linchpin_storage::schema::{Actor, AuditEntry, AuditFace, AuditKey, OrgId};
use ring::hmac;

use super::{Loader, LoaderFault};
use crate::access::{Scope, right};
use crate::limits;

/// One entry as people read it.
#[derive(Clone, Debug)]
pub struct AuditLine {
    /// Its number.
    pub number: u64,
    /// The entry.
    pub entry: AuditEntry,
    /// Names and addresses; `None`: they were erased.
    pub face: Option<AuditFace>,
    /// Who acted, as they are called now; empty: nobody knows any more.
    pub actor: Box<str>,
}

const MAC: usize = 16;

impl Loader {
    /// Entries of the organization before a number, newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn audit_page(
        &self,
        scope: &Scope<right::AuditView>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditLine>, LoaderFault> {
        let org = scope.org();
        let last = self.store.last_audit(org)?.map(|(key, _)| key.number() + 1);
        let mut next = before.into_iter().chain(last).min().unwrap_or(0).min(last.unwrap_or(0));
        let mut found = Vec::new();
        while next > 0 && found.len() < limit.min(limits::PAGE) {
            next -= 1;
            let key = AuditKey::new(org, next);
            // Older ones went with age.
            let Some(entry) = self.store.get::<AuditEntry>(&key)? else { break };
            let face = self.store.get::<AuditFace>(&key)?;
            let actor = self.name_of(entry.actor)?;
            found.push(AuditLine { number: next, entry, face, actor });
        }
        Ok(found)
    }

    /// Somebody's name, if they are still there.
    fn name_of(&self, actor: Actor) -> Result<Box<str>, LoaderFault> {
        Ok(match actor {
            Actor::Person(org, user) => match self.myself((org, user)) {
                Ok(person) if person.user.name.is_empty() => person.user.email,
                Ok(person) => person.user.name,
                Err(LoaderFault::Missing) => Box::default(),
                Err(fault) => return Err(fault),
            },
            _ => Box::default(),
        })
    }

    fn cursor_tag(&self, org: OrgId, list: &str, key: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.cursors);
        context.update(&org.get().to_be_bytes());
        context.update(&(list.len() as u32).to_be_bytes());
        context.update(list.as_bytes());
        context.update(key);
        context.sign()
    }

    /// Where the next page of a list begins. It holds for this organization and this list (with its filters) only.
    #[must_use]
    pub fn cursor(&self, org: OrgId, list: &str, key: &[u8]) -> String {
        let mut bytes = self.cursor_tag(org, list, key).as_ref()[..MAC].to_vec();
        bytes.extend_from_slice(key);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The key in a cursor of exactly so many bytes.
    ///
    /// # Errors
    /// It is none of ours, or another list's.
    pub fn read_cursor<const N: usize>(&self, org: OrgId, list: &str, text: &str) -> Result<[u8; N], LoaderFault> {
        let wrong = || LoaderFault::Cursor;
        if text.len() > 2 * (MAC + N) {
            return Err(wrong());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let (mac, key) = bytes.split_at_checked(MAC).ok_or_else(wrong)?;
        let wanted = self.cursor_tag(org, list, key);
        let differs = wanted.as_ref().iter().zip(mac).fold(0, |sum, (a, b)| sum | (a ^ b)) != 0;
        if differs { Err(wrong()) } else { key.try_into().map_err(|_| wrong()) }
    }
}

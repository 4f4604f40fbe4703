//! Keys of people: for their own programs, never more than they may do themselves.

use std::net::IpAddr;

use linchpin_storage::schema::{ClientKey, ClientKind, ClientRecord, CounterName, Digest, IndexEntry};

use super::client::ClientAsked;
use super::{Asker, Loader, LoaderFault};
use crate::access::{Assurance, PersonRef, RoleSets, Standing};
use crate::account::{Changed, GivenSecret, LiveSession, SecretKind, Whose};
use crate::audit::{AuditAction, By, Note, ObjectKind};
use crate::limits;

impl Loader {
    /// The keys of a person; no secret is among it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn personal_keys(&self, id: PersonRef) -> Result<Vec<(u32, ClientRecord)>, LoaderFault> {
        let mut all = self.clients(id.0)?;
        all.retain(|(_, client)| client.kind == ClientKind::Personal && client.person == Some(id));
        Ok(all)
    }

    /// Make a key for a person's own programs. Its secret is in the answer, once.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn create_personal_key(
        &self,
        by: By,
        id: PersonRef,
        asked: ClientAsked,
        now_ms: u64,
    ) -> Result<(u32, GivenSecret), LoaderFault> {
        asked.check()?;
        let mut change = self.ledger.change(by, &[id.0], now_ms);
        if self.personal_keys(id)?.len() >= limits::PERSONAL_KEYS {
            return Err(LoaderFault::Full { what: "keys of a person", limit: limits::PERSONAL_KEYS });
        }
        let (secret, number) =
            (GivenSecret::fresh(SecretKind::Key)?, self.numbers.next(&self.store, CounterName::Client)?);
        let digest = self.store.client_digest(secret.expose().as_bytes());
        let asked = ClientAsked { kind: ClientKind::Personal, ..asked };
        let record = asked.record(digest.long().unwrap_or_default(), Some(id), Some(id), now_ms);
        change.batch.put(&ClientKey::new(id.0, number), &record)?;
        change.batch.put_index(&digest, &IndexEntry { org: id.0, number })?;
        change.commit(id.0, Note::new(AuditAction::KeyCreate, ObjectKind::Client, number, &record.name))?;
        Ok((number, secret))
    }

    /// Take a key of a person away.
    ///
    /// # Errors
    /// [`LoaderFault::Missing`]: also if it is another's.
    pub fn revoke_personal_key(&self, by: By, id: PersonRef, number: u32, now_ms: u64) -> Result<(), LoaderFault> {
        let mut change = self.ledger.change(by, &[id.0], now_ms);
        let key = ClientKey::new(id.0, number);
        let record = self.store.get::<ClientRecord>(&key)?;
        let record = record.filter(|record| record.kind == ClientKind::Personal && record.person == Some(id));
        let record = record.ok_or(LoaderFault::Missing)?;
        change.batch.delete::<ClientRecord>(&key)?;
        change.batch.delete_index(&Digest::Client(record.digest))?;
        change.commit(id.0, Note::new(AuditAction::KeyRevoke, ObjectKind::Client, number, &record.name))?;
        self.sessions.end(Whose::Key(id.0, number));
        self.epochs.bump(Changed::Key(id.0, number));
        Ok(())
    }

    /// A person's key with a request: what they may do now, and no more than the key holds.
    pub(super) fn personal_asker(&self, live: &LiveSession, id: PersonRef, address: IpAddr, request: u64) -> Asker {
        let memberships = self.directory().memberships(id);
        Asker { standing: Standing { memberships, address, request, ..live.standing.clone() }, agent: Box::default() }
    }

    /// The standing of a person's key, before their roles of the moment are put in. `None`: the person may not sign in.
    pub(super) fn personal_standing(
        &self,
        client: &ClientRecord,
        (org, number): (linchpin_storage::schema::OrgId, u32),
    ) -> Result<Option<Standing>, LoaderFault> {
        let Some(id) = client.person else { return Ok(None) };
        let Ok(person) = self.myself(id) else { return Ok(None) };
        if person.account.state != linchpin_storage::schema::AccountState::Active {
            return Ok(None);
        }
        Ok(Some(Standing {
            actor: linchpin_storage::schema::Actor::Key(org, number),
            person: Some(id),
            memberships: Vec::new(),
            limit: Some(RoleSets::from_bits(client.own, client.org)),
            assurance: Assurance::KEY,
            has_factor: false,
            proven_ms: 0,
            view: None,
            address: [127, 0, 0, 1].into(),
            request: 0,
        }))
    }
}

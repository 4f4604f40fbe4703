//! API keys, OAuth clients and their tokens.

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use linchpin_storage::schema::{
    Actor, AddressRange, ClientKey, ClientKind, ClientRecord, CounterName, Digest, IndexEntry, OrgId, PersonSession,
    Refresh, SessionKey, SessionKind,
};

use super::name::name_fits;
use super::{Asker, Loader, LoaderFault, by_of};
use crate::access::role::Giver;
use crate::access::{Assurance, Membership, PersonRef, RoleSets, Scope, Standing, right};
use crate::account::refresh::{self, RefreshUse};
use crate::account::{Changed, GivenSecret, LiveSession, SecretKind, TokenName, Whose};
use crate::audit::{AuditAction, By, Note, ObjectKind};
use crate::limits;

/// A key or client as it is asked for.
#[derive(Clone, Debug)]
pub struct ClientAsked {
    /// [`ClientKind::ApiKey`] or [`ClientKind::OAuth`].
    pub kind: ClientKind,
    /// For people.
    pub name: Box<str>,
    /// What it may do.
    pub sets: RoleSets,
    /// When it ends, ms since 1970; 0: never.
    pub until_ms: u64,
    /// Where it may be used from; empty: wherever the organization allows.
    pub from: Box<[AddressRange]>,
    /// Requests a minute; 0 for the server's setting.
    pub requests_per_minute: u32,
}

impl ClientAsked {
    /// The record of a new key, never used yet.
    pub(super) fn record(
        self,
        digest: [u8; 32],
        person: Option<PersonRef>,
        made_by: Option<PersonRef>,
        now_ms: u64,
    ) -> ClientRecord {
        ClientRecord {
            kind: self.kind,
            name: self.name,
            digest,
            person,
            made_by,
            own: self.sets.own.bits(),
            org: self.sets.org.bits(),
            epoch: 1,
            is_off: false,
            made_ms: now_ms,
            until_ms: self.until_ms,
            used_ms: 0,
            used_from: Vec::new(),
            from: self.from,
            requests_per_minute: self.requests_per_minute,
        }
    }

    /// Is it within what a record takes?
    pub(super) fn check(&self) -> Result<(), LoaderFault> {
        name_fits(&self.name, 1..=linchpin_storage::limits::NAME_BYTES)?;
        if self.from.len() > linchpin_storage::limits::ADDRESS_RANGES {
            let most = linchpin_storage::limits::ADDRESS_RANGES;
            return Err(LoaderFault::field("from", format!("at most {most} ranges")));
        }
        Ok(())
    }
}

/// Tokens as OAuth answers them.
#[derive(Debug)]
pub struct GivenTokens {
    /// For requests.
    pub access: GivenSecret,
    /// For the next tokens.
    pub refresh: GivenSecret,
    /// How long the access token is good, ms.
    pub expires_ms: u64,
}

impl Loader {
    /// Make a key or client. Its secret is in the answer, once.
    ///
    /// # Errors
    /// [`LoaderFault`]: more than the asker has, or what no key may have.
    pub fn create_client(
        &self,
        scope: &Scope<right::KeyManage>,
        giver: &Giver,
        asked: ClientAsked,
        now_ms: u64,
    ) -> Result<(u32, GivenSecret), LoaderFault> {
        let org = scope.org();
        asked.check()?;
        giver.may_make_key(asked.sets)?;
        let mut change = self.ledger.change(by_of(scope), &[org], now_ms);
        if self.clients(org)?.len() >= limits::CLIENTS {
            return Err(LoaderFault::Full { what: "keys of an organization", limit: limits::CLIENTS });
        }
        let (secret, number) =
            (GivenSecret::fresh(SecretKind::Key)?, self.numbers.next(&self.store, CounterName::Client)?);
        let digest = self.store.client_digest(secret.expose().as_bytes());
        let made_by = match scope.actor() {
            Actor::Person(home, user) => Some((home, user)),
            _ => None,
        };
        let record = asked.record(digest.long().unwrap_or_default(), None, made_by, now_ms);
        change.batch.put(&ClientKey::new(org, number), &record)?;
        change.batch.put_index(&digest, &IndexEntry { org, number })?;
        change.commit(org, Note::new(AuditAction::KeyCreate, ObjectKind::Client, number, &record.name))?;
        Ok((number, secret))
    }

    pub(super) fn clients(&self, org: OrgId) -> Result<Vec<(u32, ClientRecord)>, LoaderFault> {
        let mut found = Vec::new();
        self.store.scan_org::<ClientRecord>(org, |key, client| {
            found.push((key.client(), client));
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// The keys and clients of the organization; no secret is among it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn list_clients(&self, scope: &Scope<right::KeyManage>) -> Result<Vec<(u32, ClientRecord)>, LoaderFault> {
        let mut all = self.clients(scope.org())?;
        all.retain(|(_, client)| client.kind != ClientKind::Personal);
        Ok(all)
    }

    /// One of the organization's own; those of its people are theirs.
    fn client_of(&self, org: OrgId, number: u32) -> Result<ClientRecord, LoaderFault> {
        let record = self.store.get::<ClientRecord>(&ClientKey::new(org, number))?;
        record.filter(|client| client.kind != ClientKind::Personal).ok_or(LoaderFault::Missing)
    }

    /// Give a key or client another secret; the one before ends at once, and so do its tokens.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn rotate_client(
        &self,
        scope: &Scope<right::KeyManage>,
        number: u32,
        now_ms: u64,
    ) -> Result<GivenSecret, LoaderFault> {
        let org = scope.org();
        let secret = GivenSecret::fresh(SecretKind::Key)?;
        let digest = self.store.client_digest(secret.expose().as_bytes());
        let mut change = self.ledger.change(by_of(scope), &[org], now_ms);
        let key = ClientKey::new(org, number);
        let mut record = self.client_of(org, number)?;
        change.batch.delete_index(&Digest::Client(record.digest))?;
        record.digest = digest.long().unwrap_or_default();
        record.epoch += 1;
        change.batch.put(&key, &record)?;
        change.batch.put_index(&digest, &IndexEntry { org, number })?;
        change.commit(org, Note::new(AuditAction::KeyRotate, ObjectKind::Client, number, &record.name))?;
        self.client_changed(org, number);
        Ok(secret)
    }

    /// Take a key or client away.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn revoke_client(&self, scope: &Scope<right::KeyManage>, number: u32, now_ms: u64) -> Result<(), LoaderFault> {
        let org = scope.org();
        let mut change = self.ledger.change(by_of(scope), &[org], now_ms);
        let key = ClientKey::new(org, number);
        let record = self.client_of(org, number)?;
        change.batch.delete::<ClientRecord>(&key)?;
        change.batch.delete_index(&Digest::Client(record.digest))?;
        change.commit(org, Note::new(AuditAction::KeyRevoke, ObjectKind::Client, number, &record.name))?;
        self.client_changed(org, number);
        Ok(())
    }

    fn client_changed(&self, org: OrgId, number: u32) {
        self.sessions.end(Whose::Key(org, number));
        self.epochs.bump(Changed::Key(org, number));
    }

    fn good_client(&self, org: OrgId, number: u32, now_ms: u64) -> Result<Option<ClientRecord>, LoaderFault> {
        let client = self.store.get::<ClientRecord>(&ClientKey::new(org, number))?;
        Ok(client.filter(|client| !client.is_off && (client.until_ms == 0 || now_ms < client.until_ms)))
    }

    /// A key's standing: its own sets in its organization, wherever its ranges allow.
    fn client_asker(
        org: OrgId,
        number: u32,
        client: &ClientRecord,
        sets: RoleSets,
        address: IpAddr,
        request: u64,
    ) -> Option<Asker> {
        if !client.from.is_empty() && !client.from.iter().any(|range| range.contains(address)) {
            return None;
        }
        let limit = RoleSets::from_bits(client.own, client.org).both(sets);
        let standing = Standing {
            actor: Actor::Key(org, number),
            person: client.person,
            memberships: vec![Membership { org, role: 0, sets: limit, below: false, until_ms: client.until_ms }],
            limit: Some(limit),
            assurance: Assurance::KEY,
            has_factor: false,
            proven_ms: 0,
            view: None,
            address,
            request,
        };
        Some(Asker { standing, agent: client.name.clone() })
    }

    /// Whoever sends an API key with a request; `None`: it is not good, or not from here. An OAuth client's secret is no
    /// API key.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn api_key(
        &self,
        secret: &GivenSecret,
        address: IpAddr,
        request: u64,
        now_ms: u64,
    ) -> Result<Option<Asker>, LoaderFault> {
        let digest = self.store.client_digest(secret.expose().as_bytes());
        let short = digest.long().unwrap_or_default();
        let live = match self.sessions.get(&short).filter(|live| self.epochs.is_current(&live.stamp)) {
            Some(live) => live,
            None => {
                let Some(entry) = self.store.lookup(&digest)? else { return Ok(None) };
                let mut stamp = self.epochs.stamp([Changed::Key(entry.org, entry.number)]);
                let client = self.good_client(entry.org, entry.number, now_ms)?;
                let Some(client) = client.filter(|client| client.digest == short && client.kind != ClientKind::OAuth)
                else {
                    return Ok(None);
                };
                let standing = if client.kind == ClientKind::Personal {
                    self.personal_standing(&client, (entry.org, entry.number))?
                } else {
                    // Its ranges are looked at for each request, below.
                    let anywhere = ClientRecord { from: Box::default(), ..client.clone() };
                    let asker = Self::client_asker(entry.org, entry.number, &anywhere, RoleSets::ALL, address, request);
                    asker.map(|asker| asker.standing)
                };
                let Some(standing) = standing else { return Ok(None) };
                // What ends the person's rights ends their keys' too.
                if let Some((home, user)) = client.person {
                    stamp = self.epochs.stamp([Changed::Key(entry.org, entry.number), Changed::Person(home, user)]);
                    if self.personal_standing(&client, (entry.org, entry.number))?.is_none() {
                        return Ok(None);
                    }
                }
                let until_ms = if client.until_ms == 0 { u64::MAX } else { client.until_ms };
                let owner = (entry.org, entry.number);
                let live = Arc::new(
                    LiveSession::new(None, owner, (until_ms, 0), standing, stamp, now_ms)
                        .with_from(client.from)
                        .with_pace(client.requests_per_minute),
                );
                self.sessions.put(short, Arc::clone(&live));
                live
            }
        };
        if !live.is_good(now_ms) || !live.may_come_from(address) || !self.epochs.is_current(&live.stamp) {
            return Ok(None);
        }
        let _ = live.touch(now_ms);
        self.pace_of(live.owner, live.requests_per_minute, now_ms)?;
        if let Some(id) = live.standing.person {
            return Ok(Some(self.personal_asker(&live, id, address, request)));
        }
        let mut standing = live.standing.clone();
        (standing.address, standing.request) = (address, request);
        Ok(Some(Asker { standing, agent: Box::default() }))
    }

    /// Tokens for an OAuth client that sends its number and secret. `sets`: what it asks for, at most what it has.
    ///
    /// # Errors
    /// [`LoaderFault::Spent`]: it is not good.
    pub fn grant_tokens(
        &self,
        by: By,
        secret: &GivenSecret,
        sets: RoleSets,
        now_ms: u64,
    ) -> Result<GivenTokens, LoaderFault> {
        let digest = self.store.client_digest(secret.expose().as_bytes());
        let entry = self.store.lookup(&digest)?.ok_or(LoaderFault::Spent)?;
        let (org, number) = (entry.org, entry.number);
        let mut change = self.ledger.change(by, &[org], now_ms);
        let client = self.good_client(org, number, now_ms)?;
        let client = client.filter(|client| digest.long() == Some(client.digest) && client.kind == ClientKind::OAuth);
        let client = client.ok_or(LoaderFault::Spent)?;
        let sets = RoleSets::from_bits(client.own, client.org).both(sets);
        let mut random = [0; 8];
        getrandom::fill(&mut random)?;
        let key = SessionKey::new(org, 0, u64::from_be_bytes(random));
        let refresh =
            Refresh { client: number, generation: 0, rotated_ms: now_ms, bits: (sets.own.bits(), sets.org.bits()) };
        let record = PersonSession {
            kind: SessionKind::Refresh,
            digest: [0; 32],
            made_ms: now_ms,
            seen_ms: now_ms,
            until_ms: now_ms + limits::REFRESH_MS,
            assurance: Assurance::KEY.bits(),
            proven_ms: now_ms,
            epoch: client.epoch,
            agent: client.name.clone(),
            address: [0; 16],
            refresh: Some(refresh),
        };
        change.batch.put(&key, &record)?;
        change.commit(org, Note::new(AuditAction::SignIn, ObjectKind::Client, number, &client.name))?;
        Ok(self.tokens(key, 0))
    }

    fn tokens(&self, key: SessionKey, generation: u32) -> GivenTokens {
        let name = TokenName { org: key.org(), user: key.user(), session: key.session(), generation };
        let token = |kind| self.mint.token(kind, &name);
        GivenTokens {
            access: token(SecretKind::Access),
            refresh: token(SecretKind::Refresh),
            expires_ms: limits::ACCESS_TOKEN_MS,
        }
    }

    /// The next tokens for a refresh token. One that was used before ends its family.
    ///
    /// # Errors
    /// [`LoaderFault::Spent`].
    pub fn refresh_tokens(&self, by: By, token: &GivenSecret, now_ms: u64) -> Result<GivenTokens, LoaderFault> {
        let name = self.mint.name(token).ok_or(LoaderFault::Spent)?;
        let key = SessionKey::new(name.org, name.user, name.session);
        // Twenty at once wait here for each other: the first rotates, the others repeat.
        let mut change = self.ledger.change(by, &[name.org], now_ms);
        let record = self.store.get::<PersonSession>(&key)?.ok_or(LoaderFault::Spent)?;
        let family = record.refresh.ok_or(LoaderFault::Spent)?;
        let client = self.good_client(name.org, family.client, now_ms)?;
        if now_ms >= record.until_ms || client.is_none_or(|client| client.epoch != record.epoch) {
            return Err(LoaderFault::Spent);
        }
        match refresh::look(&family, name.generation, now_ms) {
            RefreshUse::Rotate => {
                let next = refresh::rotated(&family, now_ms);
                let until_ms = now_ms + limits::REFRESH_MS;
                change.batch.put(&key, &PersonSession { refresh: Some(next), seen_ms: now_ms, until_ms, ..record })?;
                change.commit(name.org, Note::new(AuditAction::KeyRotate, ObjectKind::Session, key.session(), ""))?;
                Ok(self.tokens(key, next.generation))
            }
            RefreshUse::Repeat => Ok(self.tokens(key, family.generation)),
            RefreshUse::Reused => {
                change.batch.delete::<PersonSession>(&key)?;
                change.commit(name.org, Note::new(AuditAction::KeyReuse, ObjectKind::Session, key.session(), ""))?;
                Err(LoaderFault::Spent)
            }
        }
    }

    /// Whoever sends an access token with a request; `None`: it is not good, or not from here.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn access_token(
        &self,
        token: &GivenSecret,
        address: IpAddr,
        request: u64,
        now_ms: u64,
    ) -> Result<Option<Asker>, LoaderFault> {
        let Some(name) = self.mint.name(token).filter(|_| token.kind() == SecretKind::Access) else { return Ok(None) };
        let key = SessionKey::new(name.org, name.user, name.session);
        let Some(record) = self.store.get::<PersonSession>(&key)? else { return Ok(None) };
        let Some(family) = record.refresh else { return Ok(None) };
        if now_ms >= record.until_ms || !refresh::is_access_alive(&family, name.generation, now_ms) {
            return Ok(None);
        }
        let client = self.good_client(name.org, family.client, now_ms)?;
        let Some(client) = client.filter(|client| client.epoch == record.epoch) else { return Ok(None) };
        let sets = RoleSets::from_bits(family.bits.0, family.bits.1);
        let asker = Self::client_asker(name.org, family.client, &client, sets, address, request);
        if asker.is_some() {
            self.pace_of((name.org, family.client), client.requests_per_minute, now_ms)?;
        }
        Ok(asker)
    }

    /// Count a request of a key that is good.
    ///
    /// # Errors
    /// [`LoaderFault::Paced`].
    fn pace_of(&self, owner: (OrgId, u32), of_key: u32, now_ms: u64) -> Result<(), LoaderFault> {
        let of_org = self.directory().tree.get(owner.0).map_or(0, |node| node.policy.requests_per_minute);
        self.pace.take(owner, (of_key, of_org), now_ms).map_err(|retry_ms| LoaderFault::Paced { retry_ms })
    }
}

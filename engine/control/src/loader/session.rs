//! Sessions: opened, found by their token, ended.

use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use linchpin_storage::schema::{
    AccountState, Actor, Digest, IndexEntry, OrgId, PersonSession, SessionKey, SessionKind,
};
use ring::hmac;

use super::person::Person;
use super::{Asker, Loader, LoaderFault};
use crate::access::{Assurance, PersonRef, Standing};
use crate::account::{Changed, GivenSecret, LiveSession, SecretKind, SessionDigest, Whose};
use crate::audit::{AuditAction, AuditedChange, By, Note, ObjectKind};
use crate::limits;

/// A session to be opened.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// What uses it.
    pub kind: SessionKind,
    /// How far the person has proven who they are.
    pub assurance: Assurance,
    /// What kind of program.
    pub agent: Box<str>,
    /// Where from.
    pub address: IpAddr,
}

/// A session of somebody, for their own list.
#[derive(Clone, Debug)]
pub struct SessionLine {
    /// Its number.
    pub session: u64,
    /// What is stored of it.
    pub record: PersonSession,
}

impl Loader {
    /// What is stored of an address: enough to see that it is the same, not which it is.
    fn address_digest(&self, address: IpAddr) -> [u8; 16] {
        let mut short = [0; 16];
        short.copy_from_slice(&hmac::sign(&self.marking, address.to_string().as_bytes()).as_ref()[..16]);
        short
    }

    fn of_digest(digest: &Digest) -> SessionDigest {
        digest.long().unwrap_or_default()
    }

    /// Open a session: a fresh token each time, so a planted one is worth nothing. The oldest ends when there are too many.
    ///
    /// # Errors
    /// The store cannot be written.
    pub(crate) fn open_session(
        &self,
        by: By,
        person: &Person,
        new: &NewSession,
        now_ms: u64,
    ) -> Result<(GivenSecret, Arc<LiveSession>), LoaderFault> {
        let id = person.id;
        let stamp = self.epochs.stamp([Changed::Person(id.0, id.1)]);
        let secret = GivenSecret::fresh(SecretKind::Session)?;
        let mut number = [0; 8];
        getrandom::fill(&mut number)?;
        let digest = self.store.session_digest(secret.expose().as_bytes());
        let key = SessionKey::new(id.0, id.1, u64::from_be_bytes(number));
        let record = PersonSession {
            kind: new.kind,
            digest: Self::of_digest(&digest),
            made_ms: now_ms,
            seen_ms: now_ms,
            until_ms: now_ms + self.session_ms(id.0),
            assurance: new.assurance.bits(),
            proven_ms: now_ms,
            epoch: person.account.epoch,
            agent: new.agent.clone(),
            address: self.address_digest(new.address),
            refresh: None,
        };
        let mut change = self.ledger.change(by, &[id.0], now_ms);
        let mut all = self.sessions_of(id)?;
        all.sort_by_key(|line| line.record.seen_ms);
        let surplus = (all.len() + 1).saturating_sub(limits::PERSON_SESSIONS);
        for line in all.drain(..surplus) {
            self.delete_session(&mut change, id, &line)?;
            self.sessions.end(Whose::Session(SessionKey::new(id.0, id.1, line.session)));
        }
        change.batch.put(&key, &record)?;
        change.batch.put_index(&digest, &IndexEntry { org: id.0, number: id.1 })?;
        let note = Note::new(AuditAction::SignIn, ObjectKind::Session, key.session(), &person.user.name);
        change.commit(id.0, note)?;
        let live = self.live(key, &record, person, stamp);
        self.sessions.put(record.digest, Arc::clone(&live));
        Ok((secret, live))
    }

    /// How long a session of somebody at home here lasts, ms.
    fn session_ms(&self, home: OrgId) -> u64 {
        let directory = self.directory();
        let hours = directory.tree.path(home).map(|(_, node)| node.policy.session_hours).filter(|hours| *hours > 0);
        hours.min().map_or(limits::SESSION_MS, |hours| u64::from(hours) * 3_600_000).min(limits::SESSION_MS)
    }

    fn live(
        &self,
        key: SessionKey,
        record: &PersonSession,
        person: &Person,
        stamp: crate::account::Stamp,
    ) -> Arc<LiveSession> {
        let standing = Standing {
            actor: Actor::Person(person.id.0, person.id.1),
            person: Some(person.id),
            memberships: Vec::new(),
            limit: None,
            assurance: Assurance::from_bits(record.assurance),
            has_factor: person.account.has_factor(),
            proven_ms: record.proven_ms,
            view: None,
            address: [127, 0, 0, 1].into(),
            request: 0,
        };
        let times = (record.until_ms, limits::SESSION_IDLE_MS);
        Arc::new(LiveSession::new(Some(key), person.id, times, standing, stamp, record.seen_ms))
    }

    /// The session of a token; `None`: there is none that is good. From memory, or loaded on first use.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn session(&self, token: &GivenSecret, now_ms: u64) -> Result<Option<Arc<LiveSession>>, LoaderFault> {
        let digest = self.store.session_digest(token.expose().as_bytes());
        let short = Self::of_digest(&digest);
        if let Some(live) = self.sessions.get(&short) {
            if self.epochs.is_current(&live.stamp) {
                return Ok(live.is_good(now_ms).then_some(live));
            }
            self.sessions.forget(&short);
        }
        let Some(entry) = self.store.lookup(&digest)? else { return Ok(None) };
        let id = (entry.org, entry.number);
        // Before the store is read: what changes from here on makes this stale.
        let stamp = self.epochs.stamp([Changed::Person(id.0, id.1)]);
        let Some(line) = self.sessions_of(id)?.into_iter().find(|line| line.record.digest == short) else {
            return Ok(None);
        };
        let Ok(person) = self.myself(id) else { return Ok(None) };
        if person.account.epoch != line.record.epoch || person.account.state != AccountState::Active {
            return Ok(None);
        }
        let live = self.live(SessionKey::new(id.0, id.1, line.session), &line.record, &person, stamp);
        if !live.is_good(now_ms) {
            return Ok(None);
        }
        self.sessions.put(short, Arc::clone(&live));
        // A change that was committed meanwhile has bumped: the next request loads again.
        Ok(self.epochs.is_current(&live.stamp).then_some(live))
    }

    /// The number of a session that was used lately, without a look at the store; `None`: it is not in memory.
    #[must_use]
    pub fn session_in_memory(&self, token: &GivenSecret) -> Option<u64> {
        let digest = self.store.session_digest(token.expose().as_bytes());
        self.sessions.get(&Self::of_digest(&digest))?.key.map(|key| key.session())
    }

    /// The token against forged requests of a session.
    #[must_use]
    pub fn csrf(&self, token: &GivenSecret) -> String {
        self.marks.csrf(&Self::of_digest(&self.store.session_digest(token.expose().as_bytes())))
    }

    /// Was it sent?
    #[must_use]
    pub fn is_csrf(&self, token: &GivenSecret, sent: &str) -> bool {
        self.marks.is_csrf(&Self::of_digest(&self.store.session_digest(token.expose().as_bytes())), sent)
    }

    /// Write down when a session was used last. No audit entry: nobody did anything.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn note_seen(&self, live: &LiveSession, now_ms: u64) -> Result<(), LoaderFault> {
        let Some(key) = live.key else { return Ok(()) };
        // Whoever ends it holds this lock too: what ended does not come back.
        let mut change = self.ledger.change(By::system(), &[key.org()], now_ms);
        let Some(record) = self.store.get::<PersonSession>(&key)? else { return Ok(()) };
        change.batch.put(&key, &PersonSession { seen_ms: now_ms, ..record })?;
        change.commit_silently()?;
        Ok(())
    }

    /// Somebody with a session and a request: their rights as of now.
    #[must_use]
    pub fn asker(&self, live: &LiveSession, address: IpAddr, agent: &str, request: u64) -> Asker {
        let mut standing = live.standing.clone();
        if let Some(person) = standing.person {
            standing.memberships = self.directory().memberships(person);
        }
        (standing.address, standing.request) = (address, request);
        Asker { standing, agent: agent.into() }
    }

    /// All sessions of a person.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn sessions_of(&self, (org, user): PersonRef) -> Result<Vec<SessionLine>, LoaderFault> {
        let mut found = Vec::new();
        self.store.scan_numbered::<PersonSession>(org, user, |key, record| {
            found.push(SessionLine { session: key.session(), record });
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    fn delete_session(
        &self,
        change: &mut AuditedChange<'_>,
        id: PersonRef,
        line: &SessionLine,
    ) -> Result<(), LoaderFault> {
        change.batch.delete::<PersonSession>(&SessionKey::new(id.0, id.1, line.session))?;
        if line.record.kind != SessionKind::Refresh {
            change.batch.delete_index(&Digest::Session(line.record.digest))?;
        }
        Ok(())
    }

    /// All sessions of a person go with this change.
    pub(super) fn delete_sessions(&self, change: &mut AuditedChange<'_>, id: PersonRef) -> Result<(), LoaderFault> {
        self.sessions_of(id)?.iter().try_for_each(|line| self.delete_session(change, id, line))
    }

    /// End one session of a person: gone from the disk, then in memory, then answered.
    ///
    /// # Errors
    /// [`LoaderFault::Missing`]; the store cannot be written.
    pub fn end_session(&self, by: By, id: PersonRef, session: u64, now_ms: u64) -> Result<(), LoaderFault> {
        let mut change = self.ledger.change(by, &[id.0], now_ms);
        let line = self.sessions_of(id)?.into_iter().find(|line| line.session == session);
        self.delete_session(&mut change, id, &line.ok_or(LoaderFault::Missing)?)?;
        change.commit(id.0, Note::new(AuditAction::SignOut, ObjectKind::Session, session, ""))?;
        self.sessions.end(Whose::Session(SessionKey::new(id.0, id.1, session)));
        // One that was read before the change and put into memory behind it is stale.
        self.epochs.bump(Changed::Person(id.0, id.1));
        Ok(())
    }

    /// End all sessions of a person; how many there were.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn end_sessions(&self, by: By, id: PersonRef, now_ms: u64) -> Result<usize, LoaderFault> {
        let mut change = self.ledger.change(by, &[id.0], now_ms);
        let count = self.sessions_of(id)?.len();
        self.delete_sessions(&mut change, id)?;
        change.commit(id.0, Note::new(AuditAction::SignOut, ObjectKind::User, id.1, "").with("sessions", count, 0))?;
        self.sessions.end(Whose::Person(id.0, id.1));
        self.epochs.bump(Changed::Person(id.0, id.1));
        Ok(count)
    }

    /// A proof was given again, or a factor was: a new session takes the place of this one, with another token.
    ///
    /// # Errors
    /// The store cannot be written; the session ended meanwhile.
    pub fn renew_session(
        &self,
        by: By,
        live: &LiveSession,
        new: &NewSession,
        now_ms: u64,
    ) -> Result<(GivenSecret, Arc<LiveSession>), LoaderFault> {
        let key = live.key.ok_or(LoaderFault::Missing)?;
        let person = self.myself(live.owner)?;
        let made = self.open_session(by.clone(), &person, new, now_ms)?;
        self.end_session(by, live.owner, key.session(), now_ms)?;
        Ok(made)
    }
}

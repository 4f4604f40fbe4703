//! Writing the audit log: an entry goes into the batch of the change that it is about. No entry, no change.
//!
//! A [`AuditedChange`] holds the locks of its organizations from the first read to the commit, so two changes of one
//! organization never overlap, and numbers have no gaps.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use linchpin_storage::schema::{Actor, AuditEntry, AuditFace, AuditKey, AuditObject, AuditOutcome, OrgId};
use linchpin_storage::{Batch, Class, Error, KeyLabel, Store};

use super::action::{AuditAction, ObjectKind};
use super::checkpoint::{Checkpoint, Signer};
use crate::limits;

/// The end of a chain.
#[derive(Clone, Copy, Debug)]
struct Head {
    /// The number of the next entry.
    next: u64,
    /// Digest of the last.
    digest: [u8; 32],
    /// Refusals that were written within the hour of `hour`.
    refusals: u32,
    hour: u64,
}

type Heads = HashMap<OrgId, Head>;

/// Writes the audit logs of all organizations.
pub struct Ledger {
    store: Arc<Store>,
    stripes: Box<[Mutex<Heads>]>,
    signer: Signer,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ledger")
    }
}

/// Who does something, from where: as the face of an entry has it.
#[derive(Clone, Debug)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// The address; may be empty.
    pub address: Box<str>,
    /// What kind of program; may be empty.
    pub agent: Box<str>,
    /// The request; 0: none.
    pub request: u64,
}

impl By {
    /// The operator, on the command line.
    #[must_use]
    pub fn operator() -> Self {
        Self { actor: Actor::Operator, address: Box::default(), agent: "linchpin".into(), request: 0 }
    }

    /// The server itself.
    #[must_use]
    pub fn system() -> Self {
        Self { actor: Actor::System, address: Box::default(), agent: Box::default(), request: 0 }
    }
}

/// What is written down of a change.
#[derive(Clone, Debug)]
pub struct Note {
    /// What was done.
    pub action: AuditAction,
    /// To what kind of thing.
    pub kind: ObjectKind,
    /// Its number in the organization.
    pub number: u64,
    /// As it is called.
    pub object: Box<str>,
    /// Field, old, new; never a secret.
    pub changes: Vec<(Box<str>, Box<str>, Box<str>)>,
}

impl Note {
    /// Without changes of fields.
    #[must_use]
    pub fn new(action: AuditAction, kind: ObjectKind, number: impl Into<u64>, object: &str) -> Self {
        Self { action, kind, number: number.into(), object: object.into(), changes: Vec::new() }
    }

    /// With one more field that changed.
    #[must_use]
    pub fn with(mut self, field: &str, old: impl fmt::Display, new: impl fmt::Display) -> Self {
        let (old, new) = (old.to_string(), new.to_string());
        if old != new && self.changes.len() < linchpin_storage::limits::AUDIT_CHANGES {
            self.changes.push((field.into(), cut(&old), cut(&new)));
        }
        self
    }
}

/// A text of an entry is bounded.
fn cut(text: &str) -> Box<str> {
    let mut end = text.len().min(limits::AUDIT_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}

impl Ledger {
    /// On an open store.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        let signer = Signer::new(&store.labelled_key(KeyLabel::Audit));
        let stripes = (0..limits::LEDGER_STRIPES).map(|_| Mutex::default()).collect();
        Self { store, stripes, signer }
    }

    /// What checkpoints are checked with.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.signer.public_key()
    }

    const fn stripe(org: OrgId) -> usize {
        org.get() as usize % limits::LEDGER_STRIPES
    }

    /// Begin a change of these organizations: nobody else changes them until it is committed or dropped.
    #[must_use]
    pub fn change(&self, by: By, orgs: &[OrgId], now_ms: u64) -> AuditedChange<'_> {
        let mut stripes: Vec<usize> = orgs.iter().map(|org| Self::stripe(*org)).collect();
        stripes.sort_unstable();
        stripes.dedup();
        // In the order of their numbers, so that no two changes wait for each other.
        let locked =
            stripes.into_iter().map(|at| (at, self.stripes[at].lock().unwrap_or_else(PoisonError::into_inner)));
        let locked = locked.collect();
        AuditedChange { ledger: self, by, now_ms, batch: self.store.batch(), locked, heads: Vec::new() }
    }

    fn head(&self, heads: &mut Heads, org: OrgId) -> Result<Head, Error> {
        if let Some(head) = heads.get(&org) {
            return Ok(*head);
        }
        let last = self.store.last_audit(org)?;
        let (next, digest) = last.map_or((0, [0; 32]), |(key, entry)| (key.number() + 1, entry.digest()));
        let head = Head { next, digest, refusals: 0, hour: 0 };
        heads.insert(org, head);
        Ok(head)
    }

    /// A signed statement of how far a chain reaches now; `None`: it has no entry.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn checkpoint(&self, org: OrgId, now_ms: u64) -> Result<Option<Checkpoint>, Error> {
        let mut heads = self.stripes[Self::stripe(org)].lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.head(&mut heads, org)?;
        Ok((head.next > 0).then(|| self.signer.sign(org, head.next - 1, head.digest, now_ms)))
    }

    /// Write down that somebody was refused. A flood of them is capped: so many an hour and organization.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn refuse(&self, by: By, org: OrgId, note: Note, now_ms: u64) -> Result<(), Error> {
        let mut change = self.change(by, &[org], now_ms);
        let hour = now_ms / 3_600_000;
        let (_, heads) = change.locked.first_mut().expect("one organization is one stripe");
        let mut head = self.head(heads, org)?;
        if head.hour != hour {
            (head.hour, head.refusals) = (hour, 0);
        }
        head.refusals = head.refusals.saturating_add(1);
        heads.insert(org, head);
        if head.refusals > limits::AUDIT_REFUSALS {
            return Ok(());
        }
        change.enter(org, note, AuditOutcome::Refused)?;
        change.finish()
    }
}

/// Locked chains, by stripe.
type Locked<'a> = Vec<(usize, MutexGuard<'a, Heads>)>;

/// A change under way. Dropped without [`AuditedChange::commit`] nothing of it happens.
pub struct AuditedChange<'a> {
    ledger: &'a Ledger,
    by: By,
    now_ms: u64,
    /// What is to be written besides the entry.
    pub batch: Batch,
    locked: Locked<'a>,
    /// Heads as they are once this is committed.
    heads: Vec<(OrgId, Head)>,
}

impl fmt::Debug for AuditedChange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Change({:?})", self.by.actor)
    }
}

impl AuditedChange<'_> {
    /// When it happens, ms since 1970.
    #[must_use]
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn enter(&mut self, org: OrgId, note: Note, outcome: AuditOutcome) -> Result<(), Error> {
        let stripe = Ledger::stripe(org);
        let known = self.heads.iter().find(|(known, _)| *known == org).map(|(_, head)| *head);
        let head = match known {
            Some(head) => head,
            None => {
                let locked = self.locked.iter_mut().find(|(at, _)| *at == stripe);
                let (_, heads) = locked.expect("an organization that changes is locked");
                self.ledger.head(heads, org)?
            }
        };
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| Error::Key { reason: "there are no random bytes: try again".into() })?;
        let By { actor, address, agent, request } = self.by.clone();
        let face = AuditFace {
            salt,
            at_ms: self.now_ms,
            address,
            agent,
            actor: Box::default(),
            object: cut(&note.object),
            changes: note.changes,
        };
        let entry = AuditEntry {
            before: head.digest,
            at_ms: self.now_ms,
            actor,
            action: note.action as u16,
            object: AuditObject { kind: note.kind as u8, org: org.get(), number: note.number },
            outcome,
            request,
            face: face.digest(),
        };
        let key = AuditKey::new(org, head.next);
        self.batch.put(&key, &entry)?;
        self.batch.put(&key, &face)?;
        let head = Head { next: head.next + 1, digest: entry.digest(), ..head };
        self.heads.retain(|(known, _)| *known != org);
        self.heads.push((org, head));
        Ok(())
    }

    /// Write down another part of the change, such as the other organization of a transfer.
    ///
    /// # Errors
    /// The batch is too large, or the store is of an older version.
    pub fn note(&mut self, org: OrgId, note: Note) -> Result<(), Error> {
        self.enter(org, note, AuditOutcome::Done)
    }

    /// Do it: what is in the batch and its entry, together, on the disk when it returns.
    ///
    /// # Errors
    /// The store cannot be written; nothing was changed.
    pub fn commit(mut self, org: OrgId, note: Note) -> Result<(), Error> {
        self.enter(org, note, AuditOutcome::Done)?;
        self.finish()
    }

    /// Do it without an entry: for what nobody did, such as when a session was used last.
    ///
    /// # Errors
    /// The store cannot be written; nothing was changed.
    pub(crate) fn commit_silently(self) -> Result<(), Error> {
        self.finish()
    }

    fn finish(mut self) -> Result<(), Error> {
        let store = &self.ledger.store;
        store.commit(Class::A, std::mem::replace(&mut self.batch, store.batch()))?;
        for (org, head) in &self.heads {
            let stripe = Ledger::stripe(*org);
            if let Some((_, heads)) = self.locked.iter_mut().find(|(at, _)| *at == stripe) {
                heads.insert(*org, *head);
            }
            if head.next % limits::AUDIT_CHECKPOINT == 0 {
                let point = self.ledger.signer.sign(*org, head.next - 1, head.digest, self.now_ms);
                tracing::info!(target: "audit", checkpoint = %point.to_json(), "checkpoint of the audit log");
            }
        }
        Ok(())
    }
}

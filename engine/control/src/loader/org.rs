//! Organizations: made, changed, suspended, moved in the tree.

use linchpin_storage::schema::{Counter, CounterName, Org, OrgId, OrgKind, OrgPolicy, OrgState};

use super::name::name_fits;
use super::{Loader, LoaderFault, by_of};
use crate::access::{Scope, right};
use crate::account::{Changed, Whose};
use crate::audit::{AuditAction, Note, ObjectKind};

/// What may be changed of an organization; `None`: it stays.
#[derive(Clone, Debug, Default)]
pub struct OrgEdit {
    /// Its name.
    pub name: Option<Box<str>>,
    /// What it demands.
    pub policy: Option<OrgPolicy>,
    /// Its time zone.
    pub time_zone: Option<Box<str>>,
    /// Its language.
    pub locale: Option<Box<str>>,
}

/// Does the name of an organization fit?
pub(super) fn org_name_fits(name: &str) -> Result<(), LoaderFault> {
    name_fits(name, 1..=linchpin_storage::limits::NAME_BYTES)
}

impl Loader {
    /// The organization of the scope.
    ///
    /// # Errors
    /// [`LoaderFault::Missing`]; the store cannot be read.
    pub fn org(&self, scope: &Scope<right::OrgView>) -> Result<Org, LoaderFault> {
        self.store.get::<Org>(&scope.org())?.ok_or(LoaderFault::Missing)
    }

    /// The organizations below the one of the scope, by number, behind one: those right below, or all of them.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn orgs_below(
        &self,
        scope: &Scope<right::OrgView>,
        all: bool,
        after: Option<OrgId>,
        limit: usize,
    ) -> Result<Vec<(OrgId, Org)>, LoaderFault> {
        let mut ids: Vec<OrgId> = {
            let directory = self.directory();
            let tree = &directory.tree;
            if all { tree.below(scope.org()) } else { tree.children(scope.org()).map(|(id, _)| id).collect() }
        };
        ids.retain(|id| after.is_none_or(|after| *id > after));
        ids.sort_unstable();
        let mut found = Vec::new();
        for id in ids.into_iter().take(limit.min(crate::limits::PAGE)) {
            // One that is erased this moment is left out.
            found.extend(self.store.get::<Org>(&id)?.map(|org| (id, org)));
        }
        Ok(found)
    }

    /// May the organization of the scope be deleted: nothing is below it, and it is not the first?
    ///
    /// # Errors
    /// [`LoaderFault::Tree`].
    pub fn check_delete_org(&self, scope: &Scope<right::OrgDelete>) -> Result<(), LoaderFault> {
        Ok(self.directory().tree.check_remove(scope.org())?)
    }

    /// The organization of the scope was erased from the store with all that it had: nobody has rights by it any more. Written
    /// down in the one above.
    ///
    /// # Errors
    /// The entry cannot be written.
    pub(crate) fn org_deleted(&self, scope: &Scope<right::OrgDelete>, now_ms: u64) -> Result<(), LoaderFault> {
        let org = scope.org();
        let parent = self.directory().tree.get(org).and_then(|node| node.parent).unwrap_or(OrgId::FIRST);
        self.change_directory(|directory| {
            directory.forget_org(org);
            directory.tree.remove(org);
        });
        self.sessions.end(Whose::Org(org));
        self.epochs.bump(Changed::Roles(org));
        let change = self.ledger.change(by_of(scope), &[parent], now_ms);
        Ok(change.commit(parent, Note::new(AuditAction::OrgDelete, ObjectKind::Org, org.get(), ""))?)
    }

    /// Make an organization below the one of the scope.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn create_org(
        &self,
        scope: &Scope<right::OrgCreate>,
        (name, kind, policy, time_zone): (&str, OrgKind, OrgPolicy, &str),
        now_ms: u64,
    ) -> Result<(OrgId, Org), LoaderFault> {
        org_name_fits(name)?;
        let parent = scope.org();
        // One at a time: the number is taken and written in this change.
        let mut change = self.ledger.change(by_of(scope), &[OrgId::FIRST, parent], now_ms);
        let depth = self.directory().tree.check_add(parent)?;
        let next = self.store.get::<Counter>(&CounterName::Org)?.map_or(2, |counter| counter.0.max(2));
        let org = u32::try_from(next).ok().and_then(OrgId::new);
        let org = org.ok_or(LoaderFault::Full { what: "organizations", limit: u32::MAX as usize })?;
        self.store.add_org(org)?;
        let record =
            Org { kind, policy, time_zone: time_zone.into(), ..Org::new(name, Some((parent, depth - 1)), now_ms) };
        change.batch.put(&org, &record)?;
        change.batch.put(&CounterName::Org, &Counter(next + 1))?;
        change.commit(parent, Note::new(AuditAction::OrgCreate, ObjectKind::Org, org.get(), name))?;
        self.change_directory(|directory| directory.tree.put(org, &record));
        Ok((org, record))
    }

    fn edit(
        &self,
        change: &mut crate::audit::AuditedChange<'_>,
        org: OrgId,
        edit: impl FnOnce(&mut Org),
    ) -> Result<(Org, Org), LoaderFault> {
        let before = self.store.get::<Org>(&org)?.ok_or(LoaderFault::Missing)?;
        let mut after = before.clone();
        edit(&mut after);
        after.epoch += 1;
        change.batch.put(&org, &after)?;
        Ok((before, after))
    }

    /// Change name, policy, zone or language.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn edit_org(&self, scope: &Scope<right::OrgEdit>, asked: OrgEdit, now_ms: u64) -> Result<(), LoaderFault> {
        asked.name.as_deref().map_or(Ok(()), org_name_fits)?;
        let org = scope.org();
        let mut change = self.ledger.change(by_of(scope), &[org], now_ms);
        let (before, after) = self.edit(&mut change, org, |record| {
            record.name = asked.name.unwrap_or_else(|| record.name.clone());
            record.policy = asked.policy.unwrap_or_else(|| record.policy.clone());
            record.time_zone = asked.time_zone.unwrap_or_else(|| record.time_zone.clone());
            record.locale = asked.locale.unwrap_or_else(|| record.locale.clone());
        })?;
        let note = Note::new(AuditAction::OrgEdit, ObjectKind::Org, org.get(), &before.name)
            .with("name", &before.name, &after.name)
            .with("second factor", before.policy.second_factor, after.policy.second_factor)
            .with("session hours", before.policy.session_hours, after.policy.session_hours)
            .with("time zone", &before.time_zone, &after.time_zone);
        change.commit(org, note)?;
        self.change_directory(|directory| directory.tree.put(org, &after));
        Ok(())
    }

    /// Suspend an organization with all below it, or let it be used again. Sessions of its people end.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn suspend_org(&self, scope: &Scope<right::OrgEdit>, suspend: bool, now_ms: u64) -> Result<(), LoaderFault> {
        let org = scope.org();
        if org == OrgId::FIRST {
            return Err(LoaderFault::Conflict("the first organization cannot be suspended"));
        }
        let mut change = self.ledger.change(by_of(scope), &[org], now_ms);
        let state = if suspend { OrgState::Suspended } else { OrgState::Active };
        let (before, after) = self.edit(&mut change, org, |record| record.state = state)?;
        let action = if suspend { AuditAction::OrgSuspend } else { AuditAction::OrgResume };
        change.commit(org, Note::new(action, ObjectKind::Org, org.get(), &before.name))?;
        self.change_directory(|directory| directory.tree.put(org, &after));
        if suspend {
            let below = self.directory().tree.below(org);
            for org in below {
                self.sessions.end(Whose::Org(org));
            }
        }
        self.epochs.bump(Changed::Roles(org));
        Ok(())
    }

    /// Move an organization with all below it. Two scopes: one that lets it go, one that lets it in.
    ///
    /// # Errors
    /// [`LoaderFault`]: below itself, too deep.
    pub fn move_org(
        &self,
        leave: &Scope<right::OrgTransfer>,
        enter: &Scope<right::OrgCreate>,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let (org, parent) = (leave.org(), enter.org());
        let below = self.directory().tree.below(org);
        let mut locked = vec![parent, OrgId::FIRST];
        locked.extend(&below);
        let mut change = self.ledger.change(by_of(leave), &locked, now_ms);
        let depth = self.directory().tree.check_move(org, parent)?;
        let old_parent = self.directory().tree.get(org).and_then(|node| node.parent);
        let mut records = Vec::new();
        for id in below {
            let base = self.directory().tree.depth(org);
            let own = self.directory().tree.depth(id);
            let (_, after) = self.edit(&mut change, id, |record| {
                record.depth = depth + (own - base);
                if id == org {
                    record.parent = Some(parent);
                }
            })?;
            records.push((id, after));
        }
        let old = old_parent.map_or(0, OrgId::get);
        let note = || Note::new(AuditAction::OrgMove, ObjectKind::Org, org.get(), "").with("parent", old, parent.get());
        change.note(parent, note())?;
        change.commit(org, note())?;
        self.change_directory(|directory| records.iter().for_each(|(id, record)| directory.tree.put(*id, record)));
        Ok(())
    }
}

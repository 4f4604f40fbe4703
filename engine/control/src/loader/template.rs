//! Templates: saved with their versions, published, removed.

use std::ops::ControlFlow;

use linchpin_protocol::model::OrgId;
use linchpin_storage::schema::{Actor, Counter, CounterName, TemplateKey, TemplateRecord, TemplateVersion, VersionKey};

use super::{Loader, LoaderFault, by_of};
use crate::TemplateEntry;
use crate::access::{Right, Scope, right};
use crate::audit::{AuditAction, Note, ObjectKind};
use crate::limits;

impl Loader {
    /// Does an organization see a template: its own, or one of an organization above that gives it to those below?
    #[must_use]
    pub fn sees_template<P: Right>(&self, scope: &Scope<P>, template: &TemplateEntry) -> bool {
        self.is_template_for(scope.org(), template)
    }

    /// The same for an organization that something is put into.
    pub(crate) fn is_template_for(&self, org: OrgId, template: &TemplateEntry) -> bool {
        template.org == org
            || (template.record.sheet.is_published && self.directory().tree.is_within(org, template.org))
    }

    /// Store a template of the scope's organization: a new one, or the next version of `before`, which is retained.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn save_template(
        &self,
        scope: &Scope<right::TemplateEdit>,
        before: Option<&TemplateEntry>,
        after: &mut TemplateEntry,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let by = match scope.actor() {
            Actor::Person(home, user) => Some((home, user)),
            _ => None,
        };
        after.record.number(before.map(|before| &before.record));
        after.record.sheet.version = before.map_or(0, |before| before.record.sheet.version) + 1;
        (after.record.sheet.changed_ms, after.record.sheet.changed_by) = (now_ms, by);
        self.put_template((scope, AuditAction::TemplateEdit), before, after, now_ms)
    }

    /// Give a template to the organizations below, or take it back: devices that have it go on.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn publish_template(
        &self,
        scope: &Scope<right::TemplatePublish>,
        before: &TemplateEntry,
        is_published: bool,
        now_ms: u64,
    ) -> Result<TemplateEntry, LoaderFault> {
        let mut after = before.clone();
        after.record.sheet.is_published = is_published;
        self.put_template((scope, AuditAction::TemplateEdit), None, &after, now_ms)?;
        Ok(after)
    }

    fn put_template<P: Right>(
        &self,
        (scope, action): (&Scope<P>, AuditAction),
        before: Option<&TemplateEntry>,
        after: &TemplateEntry,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let org = scope.org();
        if after.org != org || before.is_some_and(|before| before.org != org) {
            return Err(LoaderFault::Missing);
        }
        let mut change = self.ledger.change(by_of(scope), &[org], now_ms);
        change.batch.put(&TemplateKey::new(org, after.number), &after.record)?;
        let next = self.store.get::<Counter>(&CounterName::Template)?.map_or(1, |counter| counter.0);
        change.batch.put(&CounterName::Template, &Counter(next.max(u64::from(after.number) + 1)))?;
        if let Some(before) = before {
            let version = before.record.sheet.version;
            let retained = TemplateVersion {
                at_ms: before.record.sheet.changed_ms,
                by: before.record.sheet.changed_by,
                note: before.record.sheet.note.clone(),
                record: before.record.clone(),
            };
            change.batch.put(&VersionKey::new(org, after.number, version), &retained)?;
            let known = self.version_numbers(org, after.number)?;
            for old in known.iter().rev().skip(limits::TEMPLATE_VERSIONS - 1) {
                change.batch.delete::<TemplateVersion>(&VersionKey::new(org, after.number, *old))?;
            }
        }
        let template = after.template();
        let (old, new) = (before.map_or(0, |before| before.record.sheet.version), after.record.sheet.version);
        let note = Note::new(action, ObjectKind::Template, after.number, template.id.as_str())
            .with("name", before.map_or("", |before| &before.template().name), &template.name)
            .with("version", old, new)
            .with("published", before.is_some_and(|b| b.record.sheet.is_published), after.record.sheet.is_published);
        Ok(change.commit(org, note)?)
    }

    fn version_numbers(&self, org: OrgId, template: u32) -> Result<Vec<u32>, LoaderFault> {
        let mut found = Vec::new();
        self.store.scan_numbered::<TemplateVersion>(org, template, |key, _| {
            found.push(key.version());
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Older versions of a template, the newest first: number and what it was.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn template_versions(
        &self,
        scope: &Scope<right::TemplateView>,
        template: &TemplateEntry,
    ) -> Result<Vec<(u32, TemplateVersion)>, LoaderFault> {
        if !self.sees_template(scope, template) {
            return Err(LoaderFault::Missing);
        }
        let mut found = Vec::new();
        self.store.scan_numbered::<TemplateVersion>(template.org, template.number, |key, version| {
            found.push((key.version(), version));
            ControlFlow::Continue(())
        })?;
        found.reverse();
        Ok(found)
    }

    /// Remove a template that no device has, with its versions.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn delete_template(
        &self,
        scope: &Scope<right::TemplateDelete>,
        template: &TemplateEntry,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let org = scope.org();
        if template.org != org {
            return Err(LoaderFault::Missing);
        }
        let mut change = self.ledger.change(by_of(scope), &[org], now_ms);
        change.batch.delete::<TemplateRecord>(&TemplateKey::new(org, template.number))?;
        for version in self.version_numbers(org, template.number)? {
            change.batch.delete::<TemplateVersion>(&VersionKey::new(org, template.number, version))?;
        }
        let id = template.template().id;
        let note = Note::new(AuditAction::TemplateDelete, ObjectKind::Template, template.number, id.as_str());
        Ok(change.commit(org, note)?)
    }
}

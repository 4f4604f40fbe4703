//! The audit log as people read it, and what may be allowed.

use std::sync::Arc;

use linchpin_storage::schema::{Actor, AuditOutcome, OrgId};

use super::call::{RowCall, org_of};
use super::desk::Desk;
use super::people::checkpoint_line;
use super::request::{
    AuditEntryLine, AuditExport, AuditExportBegun, AuditHead, AuditHeadAnswer, AuditList, ListPage, PermissionLine,
    PermissionList,
};
use super::run::Items;
use crate::access::{Permission, Permissions, right};
use crate::audit::{AuditAction, ObjectKind};
use crate::loader::history::AuditLine;
use crate::{CommandError, limits};

fn actor(line: &AuditLine) -> String {
    if !line.actor.is_empty() {
        return line.actor.to_string();
    }
    match line.entry.actor {
        Actor::System => "server".to_owned(),
        Actor::Operator => "operator".to_owned(),
        Actor::Person(_, user) => format!("person {user}"),
        Actor::Key(_, key) => format!("key {key}"),
        Actor::Device(_, device) => format!("device {device}"),
        Actor::Nobody => "somebody unknown".to_owned(),
    }
}

fn object(line: &AuditLine) -> String {
    let object = &line.entry.object;
    let kind = match ObjectKind::of_number(object.kind) {
        Some(kind) => kind.name().to_owned(),
        None => format!("kind {}", object.kind),
    };
    let name = line.face.as_ref().map(|face| &*face.object).unwrap_or_default();
    if name.is_empty() { format!("{kind} {}", object.number) } else { format!("{kind} {} ({name})", object.number) }
}

fn line(line: &AuditLine) -> AuditEntryLine {
    let entry = &line.entry;
    let action = AuditAction::of_number(entry.action).map_or("unknown", AuditAction::name);
    let face = line.face.as_ref();
    let changes = face.map(|face| face.changes.iter().map(|(a, b, c)| [a, b, c].map(|text| text.to_string())));
    AuditEntryLine {
        number: line.number,
        at_ms: entry.at_ms,
        actor: actor(line),
        action: action.to_owned(),
        object: object(line),
        outcome: if entry.outcome == AuditOutcome::Refused { "refused" } else { "done" }.to_owned(),
        address: face.map(|face| face.address.to_string()).filter(|address| !address.is_empty()),
        request: (entry.request != 0).then(|| format!("{:016x}", entry.request)),
        changes: changes.map(Iterator::collect).unwrap_or_default(),
    }
}

pub(super) fn list(call: &RowCall, asked: &AuditList) -> Result<ListPage<AuditEntryLine>, CommandError> {
    let org = org_of(asked.org)?;
    let (scope, loader) = (call.scope::<right::AuditView>(org)?, call.loader()?);
    let before = asked.after.as_deref().map(|text| loader.read_cursor::<8>(org, "audit", text)).transpose()?;
    let limit = asked.limit.map_or(limits::PAGE, |limit| limit as usize);
    let page = loader.audit_page(&scope, before.map(u64::from_be_bytes), limit)?;
    let next = page.last().filter(|line| page.len() == limit && line.number > 0);
    let next = next.map(|line| loader.cursor(org, "audit", &line.number.to_be_bytes()));
    Ok(ListPage { items: page.iter().map(line).collect(), next })
}

/// All entries, a page at a time: however long the log is, only one is in memory.
pub(super) struct Entries {
    call: Arc<RowCall>,
    org: OrgId,
    before: Option<u64>,
    page: std::vec::IntoIter<AuditEntryLine>,
    is_over: bool,
}

pub(super) async fn export(
    _: &Desk,
    call: Arc<RowCall>,
    asked: AuditExport,
) -> Result<(AuditExportBegun, Entries), CommandError> {
    let org = org_of(asked.org)?;
    call.scope::<right::AuditView>(org)?;
    let name = format!("audit-{}.jsonl", org.get());
    call.extras(|extras| extras.file_name = Some(name));
    let entries = Entries { call, org, before: None, page: Vec::new().into_iter(), is_over: false };
    Ok((AuditExportBegun { org: asked.org }, entries))
}

impl Items for Entries {
    type Item = AuditEntryLine;

    async fn next(&mut self) -> Option<Result<AuditEntryLine, CommandError>> {
        loop {
            if let Some(line) = self.page.next() {
                return Some(Ok(line));
            }
            if self.is_over {
                return None;
            }
            let (call, org, before) = (Arc::clone(&self.call), self.org, self.before);
            let read = tokio::task::spawn_blocking(move || {
                // Rights may have ended since the page before.
                let scope = call.scope::<right::AuditView>(org)?;
                Ok::<_, CommandError>(call.loader()?.audit_page(&scope, before, limits::PAGE)?)
            });
            let page = match read.await {
                Ok(Ok(page)) => page,
                Ok(Err(error)) => return Some(Err(error)),
                Err(_) => return None,
            };
            self.is_over = page.len() < limits::PAGE;
            self.before = page.last().map(|line| line.number);
            self.page = page.iter().map(line).collect::<Vec<_>>().into_iter();
        }
    }
}

pub(super) fn head(call: &RowCall, asked: &AuditHead) -> Result<AuditHeadAnswer, CommandError> {
    let scope = call.scope::<right::AuditView>(org_of(asked.org)?)?;
    let ledger = call.loader()?.ledger();
    let point = ledger.checkpoint(scope.org(), call.now_ms())?;
    let public_key = ledger.public_key().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(AuditHeadAnswer { checkpoint: point.as_ref().map(checkpoint_line).transpose()?, public_key })
}

pub(super) fn permissions(_: &RowCall, _: &PermissionList) -> Result<ListPage<PermissionLine>, CommandError> {
    let one = |permission: Permission| PermissionLine {
        name: permission.name().to_owned(),
        meaning: permission.meaning().to_owned(),
        ownable: Permissions::OWNABLE.has(permission),
        step_up: permission.needs_step_up(),
        for_keys: !Permissions::PEOPLE_ONLY.has(permission),
    };
    Ok(ListPage::whole(Permission::ALL.into_iter().map(one).collect()))
}

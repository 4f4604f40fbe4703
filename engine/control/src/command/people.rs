//! Commands about people, the audit log, and the upgrade that makes room for both. They need the store only.

use std::ops::ControlFlow;

use linchpin_protocol::model::OrgId;
use linchpin_storage::KeyLabel;
use linchpin_storage::schema::{AccountState, Actor, Org};

use super::request::{
    AccessReasons, AccessWhy, AuditVerify, CheckpointLine, FinalizedStore, MadeUser, UpgradeFinalize, UserCreate,
    VerifiedAudit,
};
use crate::access::{Assurance, BuiltIn, Permission, Standing, explain};
use crate::account::{EmailAddress, PasswordInput, pool};
use crate::audit::{By, Checkpoint, Signer, verify};
use crate::backup::Upkeep;
use crate::clock::now_ms;
use crate::loader::LoaderFault;
use crate::loader::person::NewPerson;
use crate::{Code, CommandError, limits};

fn org(number: u32) -> Result<OrgId, CommandError> {
    OrgId::new(number).ok_or_else(|| CommandError::parameter("org", "a number, 1 or more"))
}

pub(super) fn finalize(upkeep: &Upkeep, _: &UpgradeFinalize) -> Result<FinalizedStore, CommandError> {
    let made = upkeep.keep().store().finalize()?.made;
    Ok(FinalizedStore { made: made.into_iter().map(str::to_owned).collect() })
}

pub(super) fn checkpoint_line(point: &Checkpoint) -> Result<CheckpointLine, CommandError> {
    serde_json::from_value(point.to_json()).map_err(|error| CommandError::new(Code::Store, error.to_string()))
}

fn checkpoints(lines: &[CheckpointLine]) -> Result<Vec<Checkpoint>, CommandError> {
    if lines.len() > limits::AUDIT_CHECKPOINTS {
        let most = limits::AUDIT_CHECKPOINTS;
        return Err(CommandError::parameter("checkpoints", &format!("at most {most}, not {}", lines.len())));
    }
    let wrong = || CommandError::parameter("checkpoints", "statements as the log and earlier answers have them");
    let one = |line: &CheckpointLine| {
        let value = serde_json::to_value(line).map_err(|_| wrong())?;
        Checkpoint::of_json(&value).ok_or_else(wrong)
    };
    lines.iter().map(one).collect()
}

pub(super) fn verify_audit(upkeep: &Upkeep, asked: &AuditVerify) -> Result<Vec<VerifiedAudit>, CommandError> {
    let store = upkeep.keep().store();
    let points = checkpoints(&asked.checkpoints)?;
    let mut orgs = Vec::new();
    match asked.org {
        Some(number) => orgs.push(org(number)?),
        None => store.scan::<Org>(|id, _| {
            orgs.push(id);
            ControlFlow::Continue(())
        })?,
    }
    let signer = Signer::new(&store.labelled_key(KeyLabel::Audit));
    let mut found = Vec::new();
    for org in orgs {
        let chain = verify(store, org, &points, &signer.public_key())
            .map_err(|fault| CommandError::new(Code::Store, format!("the audit log of organization {org}: {fault}")))?;
        let point = chain.last.map(|(number, digest)| signer.sign(org, number, digest, now_ms()));
        found.push(VerifiedAudit {
            org: org.get(),
            first: chain.first,
            last: chain.last.map(|(number, _)| number),
            faceless: chain.faceless,
            checkpoint: point.as_ref().map(checkpoint_line).transpose()?,
        });
    }
    Ok(found)
}

fn role(text: &str) -> Result<u16, CommandError> {
    let named = BuiltIn::ALL.into_iter().find(|role| role.name().eq_ignore_ascii_case(text)).map(|role| role as u16);
    let wrong = || CommandError::parameter("role", "admin, staff, user, viewer, installer, or a number");
    named.or_else(|| text.parse().ok()).ok_or_else(wrong)
}

pub(super) fn create_user(upkeep: &Upkeep, asked: &UserCreate) -> Result<MadeUser, CommandError> {
    let loader = upkeep.loader()?;
    let email = EmailAddress::parse(&asked.email).map_err(LoaderFault::from)?;
    let role = role(&asked.role)?;
    let input = PasswordInput::of(asked.password.as_bytes(), &email.folded());
    let pepper = upkeep.keep().store().labelled_key(KeyLabel::Pepper);
    let words = [asked.name.as_str().into()];
    let password = pool::hash_here(&pepper, &input, &email.folded(), &words).map_err(LoaderFault::from)?;
    let below = role == BuiltIn::Admin as u16;
    let new = NewPerson { email, name: asked.name.as_str().into(), role, below, password };
    let (org, user) = loader.create_person(By::operator(), org(asked.org)?, &new, now_ms())?;
    Ok(MadeUser { org: org.get(), user })
}

pub(super) fn why(upkeep: &Upkeep, asked: &AccessWhy) -> Result<AccessReasons, CommandError> {
    let loader = upkeep.loader()?;
    let email = EmailAddress::parse(&asked.email).map_err(LoaderFault::from)?;
    let permission = Permission::parse(&asked.permission);
    let permission =
        permission.ok_or_else(|| CommandError::parameter("permission", "one of docs/admin.md, such as device.view"))?;
    let person = loader.find_person(&email)?;
    let person = person.ok_or_else(|| {
        CommandError::new(Code::Refused, "nobody has this e-mail address (linchpin admin user list shows who is there)")
    })?;
    let now_ms = now_ms();
    let directory = loader.directory();
    // As they would be right after signing in with all that they have.
    let standing = Standing {
        actor: Actor::Person(person.id.0, person.id.1),
        person: Some(person.id),
        memberships: directory.memberships(person.id),
        limit: None,
        assurance: if person.account.has_factor() {
            Assurance::PASSWORD.and(Assurance::FACTOR)
        } else {
            Assurance::PASSWORD
        },
        has_factor: person.account.has_factor(),
        proven_ms: now_ms,
        view: None,
        address: [127, 0, 0, 1].into(),
        request: 0,
    };
    let text = explain(&standing, org(asked.org)?, &directory.tree, permission, now_ms);
    let mut reasons: Vec<String> = text.lines().map(str::to_owned).collect();
    if person.account.state != AccountState::Active {
        reasons.insert(0, "No: the account is not active, so they cannot sign in.".to_owned());
    }
    Ok(AccessReasons { reasons })
}

//! What operators do with people and the audit log.

use std::io::BufRead as _;

use linchpin_control::request::{
    AccessWhy, AuditVerify, GrantSet, InviteList, InviteRevoke, KeyList, KeyRevoke, OrgList, OrgResume, OrgSuspend,
    RoleList, SetupRenew, UserCreate, UserList, UserLogout, UserRemove, UserResetFactor, UserResume, UserSessions,
    UserSuspend,
};

use super::args::{
    AccessVerb, AdminOrgVerb, AdminVerb, AuditVerb, InOrg, InviteVerb, KeyVerb, OfUser, RoleVerb, SessionVerb, UserVerb,
};
use super::device::ask;
use super::failure::Failure;

/// `linchpin audit`.
pub(crate) fn audit(verb: AuditVerb) -> Result<(), Failure> {
    let AuditVerb::Verify { org, checkpoints, at } = verb;
    let text = match &checkpoints {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| Failure::general(format!("{}: {error}", path.display())))?
        }
        None => String::new(),
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str);
    let checkpoints = lines.collect::<Result<_, _>>().map_err(Failure::general)?;
    at.run(&AuditVerify { org, checkpoints })
}

/// `linchpin access`.
pub(crate) fn access(verb: AccessVerb) -> Result<(), Failure> {
    let AccessVerb::Why { email, permission, org, at } = verb;
    at.run(&AccessWhy { email, org, permission })
}

/// What a person's number stands for is said where it is wrong.
fn of_user(of: &OfUser, done: Result<(), Failure>) -> Result<(), Failure> {
    done.map_err(|error| match error {
        Failure::General(text) => Failure::General(format!(
            "user {} of organization {}: {text} (linchpin admin user list --org {} shows who is there)",
            of.user, of.of.org, of.of.org
        )),
        other => other,
    })
}

/// `linchpin admin`.
pub(crate) fn admin(verb: AdminVerb) -> Result<(), Failure> {
    match verb {
        AdminVerb::User(verb) => user(verb),
        AdminVerb::Org(AdminOrgVerb::List(at)) => at.run(&OrgList {}),
        AdminVerb::Org(AdminOrgVerb::Suspend(InOrg { org, at })) => at.run(&OrgSuspend { org }),
        AdminVerb::Org(AdminOrgVerb::Resume(InOrg { org, at })) => at.run(&OrgResume { org }),
        AdminVerb::Role(RoleVerb::List(InOrg { org, at })) => at.run(&RoleList { org }),
        AdminVerb::Session(SessionVerb::List(it)) => {
            of_user(&it, it.of.at.run(&UserSessions { org: it.of.org, user: it.user }))
        }
        AdminVerb::Session(SessionVerb::End(it)) => {
            of_user(&it, it.of.at.run(&UserLogout { org: it.of.org, user: it.user }))
        }
        AdminVerb::Invite(InviteVerb::List(InOrg { org, at })) => at.run(&InviteList { org }),
        AdminVerb::Invite(InviteVerb::Revoke { invite, of }) => of.at.run(&InviteRevoke { org: of.org, invite }),
        AdminVerb::Key(KeyVerb::List(InOrg { org, at })) => at.run(&KeyList { org }),
        AdminVerb::Key(KeyVerb::Revoke { key, of }) => of.at.run(&KeyRevoke { org: of.org, key }),
        AdminVerb::Bootstrap(at) => ask(&at, &SetupRenew {}, |made| format!("{}\n", made.link)),
    }
}

/// `linchpin admin user`.
fn user(verb: UserVerb) -> Result<(), Failure> {
    match verb {
        UserVerb::Create { org, role, email, name, password_stdin: _, at } => {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map_err(Failure::general)?;
            let password = line.trim_end_matches(['\r', '\n']).to_owned();
            at.run(&UserCreate { org, role, email, name, password })
        }
        UserVerb::List(InOrg { org, at }) => at.run(&UserList { org, after: None, limit: None }),
        UserVerb::Suspend(it) => of_user(&it, it.of.at.run(&UserSuspend { org: it.of.org, user: it.user })),
        UserVerb::Resume(it) => of_user(&it, it.of.at.run(&UserResume { org: it.of.org, user: it.user })),
        UserVerb::ResetFactor(it) => of_user(&it, it.of.at.run(&UserResetFactor { org: it.of.org, user: it.user })),
        UserVerb::MakeAdmin(it) => {
            let (org, user) = (it.of.org, it.user);
            of_user(&it, it.of.at.run(&GrantSet { org, user, role: 1, below: true, until: None }))
        }
        UserVerb::Remove(it) => of_user(&it, it.of.at.run(&UserRemove { org: it.of.org, user: it.user })),
    }
}

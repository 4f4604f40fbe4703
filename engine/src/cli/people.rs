//! What operators do with people and the audit log.

use std::io::BufRead as _;

use linchpin_control::request::{
    AccessWhy, AuditVerify, GrantSet, InviteList, InviteRevoke, KeyList, KeyRevoke, OrgList, OrgResume, OrgSuspend,
    RoleList, SetupRenew, UserCreate, UserList, UserLogout, UserRemove, UserResetFactor, UserResume, UserSessions,
    UserSuspend,
};

use linchpin_control::Offline;

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
    let org = org.map(|org| at.org(&org)).transpose()?;
    at.run(&AuditVerify { org, checkpoints })
}

/// `linchpin access`.
pub(crate) fn access(verb: AccessVerb) -> Result<(), Failure> {
    let AccessVerb::Why { email, permission, org, at } = verb;
    at.run(&AccessWhy { email, org: at.org(&org)?, permission })
}

/// Do something with a member; where it fails, it is said how they were named.
fn of_user<R: Offline>(it: &OfUser, make: impl FnOnce(u32, u32) -> R) -> Result<(), Failure> {
    let InOrg { org, at } = &it.of;
    let number = at.org(org)?;
    let user = at.user(number, &it.user)?;
    at.run(&make(number, user)).map_err(|error| match error {
        Failure::General(text) => Failure::General(format!(
            "user {user} of organization {number}: {text} (linchpin admin user list --org {number} shows who is there)"
        )),
        other => other,
    })
}

impl InOrg {
    /// Do something with an organization.
    fn run<R: Offline>(&self, make: impl FnOnce(u32) -> R) -> Result<(), Failure> {
        self.at.run(&make(self.at.org(&self.org)?))
    }
}

/// `linchpin admin`.
pub(crate) fn admin(verb: AdminVerb) -> Result<(), Failure> {
    match verb {
        AdminVerb::User(verb) => user(verb),
        AdminVerb::Org(AdminOrgVerb::List(at)) => at.run(&OrgList {}),
        AdminVerb::Org(AdminOrgVerb::Suspend(it)) => it.run(|org| OrgSuspend { org }),
        AdminVerb::Org(AdminOrgVerb::Resume(it)) => it.run(|org| OrgResume { org }),
        AdminVerb::Role(RoleVerb::List(it)) => it.run(|org| RoleList { org }),
        AdminVerb::Session(SessionVerb::List(it)) => of_user(&it, |org, user| UserSessions { org, user }),
        AdminVerb::Session(SessionVerb::End(it)) => of_user(&it, |org, user| UserLogout { org, user }),
        AdminVerb::Invite(InviteVerb::List(it)) => it.run(|org| InviteList { org }),
        AdminVerb::Invite(InviteVerb::Revoke { invite, of }) => of.run(|org| InviteRevoke { org, invite }),
        AdminVerb::Key(KeyVerb::List(it)) => it.run(|org| KeyList { org }),
        AdminVerb::Key(KeyVerb::Revoke { key, of }) => of.run(|org| KeyRevoke { org, key }),
        AdminVerb::Bootstrap(at) => ask(&at, &SetupRenew {}, |made| format!("{}\n", made.link)),
    }
}

/// `linchpin admin user`.
fn user(verb: UserVerb) -> Result<(), Failure> {
    match verb {
        UserVerb::Create { org, role, email, name, password_stdin: _, at } => {
            let (org, mut line) = (at.org(&org)?, String::new());
            std::io::stdin().lock().read_line(&mut line).map_err(Failure::general)?;
            let password = line.trim_end_matches(['\r', '\n']).to_owned();
            at.run(&UserCreate { org, role, email, name, password })
        }
        UserVerb::List(it) => it.run(|org| UserList { org, after: None, limit: None }),
        UserVerb::Suspend(it) => of_user(&it, |org, user| UserSuspend { org, user }),
        UserVerb::Resume(it) => of_user(&it, |org, user| UserResume { org, user }),
        UserVerb::ResetFactor(it) => of_user(&it, |org, user| UserResetFactor { org, user }),
        UserVerb::MakeAdmin(it) => of_user(&it, |org, user| GrantSet { org, user, role: 1, below: true, until: None }),
        UserVerb::Remove(it) => of_user(&it, |org, user| UserRemove { org, user }),
    }
}

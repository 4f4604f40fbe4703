//! Requests about members of an organization, their roles, and invitations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// Members of an organization.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserList {
    /// The organization.
    pub org: u32,
    /// `next` of the page before.
    #[serde(default)]
    #[schemars(length(max = 128))]
    pub after: Option<String>,
    /// How many, at most.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<u32>,
}

/// A member of an organization.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UserLine {
    /// Their number.
    pub id: u32,
    /// Their home.
    pub home: u32,
    /// Their e-mail address.
    pub email: String,
    /// For people.
    pub name: String,
    /// pending, active or suspended.
    #[schemars(extend("enum" = ["pending", "active", "suspended"]))]
    pub state: String,
    /// The number of their role in the organization that was asked about.
    pub role: u16,
    /// Its name.
    pub role_name: String,
    /// Does it reach the organizations below?
    pub below: bool,
    /// When the membership ends, Unix ms; none: never.
    pub until_ms: Option<u64>,
    /// Do they have a second factor?
    pub factor: bool,
    /// When they were there last, Unix ms; none: no session of theirs is left.
    pub seen_ms: Option<u64>,
    /// Their sessions.
    pub sessions: u64,
}

macro_rules! of_user {
    ($($name:ident $doc:literal)*) => {$(
        #[doc = $doc]
        #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The organization.
            pub org: u32,
            /// The member's number.
            pub user: u32,
        }
    )*};
}

of_user! {
    UserShow "One member."
    UserSuspend "Keep a person from signing in; their sessions end. Their home must be the organization."
    UserResume "Let a person sign in again."
    UserLogout "End all sessions of a person."
    UserSessions "Sessions of a person."
    UserResetFactor "Take a person's second factor away; their sessions end. Their home must be the organization."
    UserReset "Make a person set a new password: they get a mail with a link, and their sessions end when they use it."
    UserRemove "Remove a person with their keys, sessions and consents; from another organization than their home, only from there."
}

/// Change a person's name or language.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserEdit {
    /// The organization; it must be their home.
    pub org: u32,
    /// The member's number.
    pub user: u32,
    /// For people.
    #[serde(default)]
    #[schemars(length(max = limits::NAME_BYTES))]
    pub name: Option<String>,
    /// Such as `de`; empty: the organization's.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub locale: Option<String>,
}

/// Move a person to another home; their sessions and keys end, memberships elsewhere stay.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserMove {
    /// The organization that they leave; it must be their home.
    pub org: u32,
    /// The member's number.
    pub user: u32,
    /// The organization that they come to.
    pub to: u32,
    /// The role that they get there.
    pub role: u16,
    /// Does it reach the organizations below?
    #[serde(default)]
    pub below: bool,
}

/// Give a member another role.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantSet {
    /// The organization.
    pub org: u32,
    /// The member's number.
    pub user: u32,
    /// The role's number.
    pub role: u16,
    /// Does it reach the organizations below?
    #[serde(default)]
    pub below: bool,
    /// When the membership ends, Unix ms; never without it.
    #[serde(default)]
    pub until: Option<u64>,
}

/// Roles that can be given in an organization.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleList {
    /// The organization.
    pub org: u32,
}

/// A role.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RoleLine {
    /// Its number; 1 to 5 are in every organization.
    pub id: u16,
    /// Its name.
    pub name: String,
    /// Is it in every organization?
    pub builtin: bool,
    /// Does an organization above define it?
    pub inherited: bool,
    /// Members who have it.
    pub users: u64,
    /// Permissions in the whole organization.
    pub org: Vec<String>,
    /// Permissions with what is one's own.
    pub own: Vec<String>,
}

/// Make or change a role: at most what the asker may do, and never the role that the asker has.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RolePut {
    /// The organization: `org` in the path.
    pub in_org: u32,
    /// The role's number; from 6 on it is one of the organization's own.
    pub role: u16,
    /// For people.
    #[schemars(length(min = 1, max = limits::NAME_BYTES))]
    pub name: String,
    /// Permissions in the whole organization.
    #[schemars(length(max = 64))]
    pub org: Vec<String>,
    /// Permissions with what is one's own.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub own: Vec<String>,
}

/// Take a role away; whoever has it gets another.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleRemove {
    /// The organization.
    pub org: u32,
    /// The role's number.
    pub role: u16,
    /// What its holders get; Viewer without it.
    #[serde(default)]
    pub replacement: Option<u16>,
}

/// Invitations that nobody has accepted yet.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteList {
    /// The organization.
    pub org: u32,
}

/// An invitation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct InviteLine {
    /// Its number.
    pub id: u32,
    /// Whom it was sent to.
    pub email: String,
    /// The name of the role that it gives.
    pub role_name: String,
    /// Who invited; empty: nobody who is still there.
    pub by: String,
    /// When it ends, Unix ms.
    pub until_ms: u64,
    /// When it was made, Unix ms.
    pub made_ms: u64,
}

/// Invite somebody. The link goes to their mailbox only.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteCreate {
    /// The organization.
    pub org: u32,
    /// Whom.
    #[schemars(length(max = 254))]
    pub email: String,
    /// The number of the role that they get.
    pub role: u16,
    /// Does it reach the organizations below?
    #[serde(default)]
    pub below: bool,
}

impl std::fmt::Debug for InviteCreate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InviteCreate(org {}, role {})", self.org, self.role)
    }
}

/// An invitation that was made; its secret is in the mail.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MadeInvitation {
    /// Its number.
    pub id: u32,
}

/// Take an invitation back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteRevoke {
    /// The organization.
    pub org: u32,
    /// Its number.
    pub invite: u32,
}

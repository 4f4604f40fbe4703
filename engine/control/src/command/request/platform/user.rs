//! Requests about people.

use linchpin_protocol::model::OrgId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PlatformOrder;
use crate::command::plain::Plain;
use crate::limits;

/// A person. A title, a nickname, a telephone number, an address and a time zone are not stored.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformUser {
    /// Their number, the same whatever their home.
    pub id: u32,
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// The number of their role in the organization that was asked about: 1 Admin, 2 Staff, 3 User.
    pub role_id: u16,
    /// Their home.
    pub org_id: u32,
    /// Pending, Active or Suspended.
    #[schemars(extend("enum" = ["Pending", "Active", "Suspended"]))]
    pub status: String,
    /// When they were there last, Unix ms; null: no session of theirs is left.
    pub last_logged_at: Option<u64>,
}

paged! {
    /// Members of an organization.
    PlatformUsers {
        /// Another organization than the asker's.
        #[serde(default)]
        org_id: Option<Plain<OrgId>>,
    }
}

/// By what people are sorted; of equal ones the smaller number comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PlatformUserSort {
    /// By number.
    #[default]
    #[serde(rename = "User Id")]
    Id,
    /// By name, without regard to the case of letters.
    Name,
    /// By address.
    Email,
    /// Pending, active, suspended.
    Status,
    /// By the number of the role.
    Role,
}

paged! {
    /// Members of an organization, by a part of their names or addresses.
    PlatformUserSearch {
        /// What name or address contains, in any case of letters.
        #[schemars(length(max = 255))]
        query: String,
        /// By what they are sorted.
        #[serde(default)]
        sort_by: PlatformUserSort,
        /// In which direction.
        #[serde(default)]
        sort_order: PlatformOrder,
        /// Another organization than the asker's.
        #[serde(default)]
        org_id: Option<Plain<OrgId>>,
    }
}

/// One person, at their home.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformUserShow {
    /// Their number.
    pub user_id: u32,
}

/// Give a person another role at home; how far it reaches, and until when, stays. Programs cannot.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformUserRole {
    /// Their number.
    pub user_id: u32,
    /// The number of the role.
    pub role_id: u16,
}

/// Move a person to another home: their sessions and keys end. Programs cannot.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformUserTransfer {
    /// Their number.
    pub user_id: u32,
    /// Their new home.
    pub target_org_id: Plain<OrgId>,
    /// The number of the role that they get there.
    pub role_id: u16,
}

/// Somebody who was invited: they are nobody here before they accept, so there is no number of a person.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformInvited {
    /// The invitation's number; its secret is in the mail.
    pub invite_id: u32,
    /// Whom.
    pub email: String,
    /// The number of the role that they get.
    pub role_id: u16,
    /// Where.
    pub org_id: u32,
    /// Pending.
    pub status: String,
}

/// Invite somebody: the link goes to their mailbox only.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformInvite {
    /// Whom.
    #[schemars(length(max = 254))]
    pub email: String,
    /// Not stored: whoever accepts gives their own.
    #[serde(default)]
    #[schemars(length(max = limits::NAME_BYTES))]
    pub name: String,
    /// The number of the role that they get.
    pub role_id: u16,
    /// Another organization than the asker's.
    #[serde(default)]
    pub org_id: Option<Plain<OrgId>>,
    /// Not stored: whoever accepts chooses their own.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub locale: Option<String>,
}

/// The same into a given organization. There is no person before they accept, and nobody sets the password of somebody else.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformCreateInOrg {
    /// Whom.
    #[schemars(length(max = 254))]
    pub email: String,
    /// Not stored: whoever accepts gives their own.
    #[serde(default)]
    #[schemars(length(max = limits::NAME_BYTES))]
    pub name: String,
    /// The number of the role that they get.
    pub role_id: u16,
    /// The organization.
    pub org_id: Plain<OrgId>,
    /// Refused, whatever it is: who is invited chooses their password.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub password_hash: Option<String>,
}

/// Make an organization for somebody, and invite them to it. The role of whoever asks must reach below, so programs cannot.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformUserCreate {
    /// Whom.
    #[schemars(length(max = 254))]
    pub email: String,
    /// The name of the organization, where it is given none; whoever accepts gives their own.
    #[schemars(length(min = 1, max = limits::NAME_BYTES))]
    pub name: String,
    /// The name of the organization.
    #[serde(default)]
    #[schemars(length(min = 1, max = limits::NAME_BYTES))]
    pub organization_name: Option<String>,
    /// The organization above it; the asker's without it.
    #[serde(default)]
    pub org_id: Option<Plain<OrgId>>,
    /// The number of the role that they get there; 3, User, without it.
    #[serde(default = "user")]
    pub role_id: u16,
    /// Its time zone, such as `Europe/Berlin`; UTC without it.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub time_zone: Option<String>,
    /// Refused, whatever it is: who is invited chooses their password.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub password_hash: Option<String>,
}

const fn user() -> u16 {
    3
}

/// Begin to sign somebody up, where the operator lets people sign up: a link that makes their account comes by mail.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformRegister {
    /// The e-mail address.
    #[schemars(length(max = 254))]
    pub email: String,
    /// The language of the mail, such as `de`.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub locale: Option<String>,
}

secretive!(PlatformInvited PlatformInvite PlatformCreateInOrg PlatformUserCreate PlatformRegister);

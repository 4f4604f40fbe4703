//! Requests that a link lets anybody make: the first start, invitations, new passwords.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

secretive!(SetupOpen InviteAccept PasswordForgot PasswordReset SetupLink SignUp AddressConfirm AddressStop);

/// Does the server wait to be set up?
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupState {}

/// Does the server wait to be set up?
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SetupAnswer {
    /// Is there nobody yet?
    pub open: bool,
}

/// Set the server up, by the link of the operator: the first person, and the name of the first organization.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupOpen {
    /// The secret of the link.
    #[schemars(length(max = 64))]
    pub token: String,
    /// Their e-mail address.
    #[schemars(length(max = 254))]
    pub email: String,
    /// For people.
    #[serde(default)]
    #[schemars(length(max = limits::NAME_BYTES))]
    pub name: String,
    /// What stands for their password; see `session.open`.
    #[schemars(length(max = 44))]
    pub hash: String,
    /// The name of the organization.
    #[schemars(length(min = 1, max = limits::NAME_BYTES))]
    pub org: String,
}

/// A person that was made by a link.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LinkedPerson {
    /// Their home.
    pub org: u32,
    /// Their number there.
    pub user: u32,
}

/// Accept an invitation, or what signing up began. Who has an account already is signed in to it and sends the token alone;
/// others choose a password, and agree to what their account needs.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteAccept {
    /// The secret of the link.
    #[schemars(length(max = 64))]
    pub token: String,
    /// The address that was invited.
    #[serde(default)]
    #[schemars(length(max = 254))]
    pub email: Option<String>,
    /// For people.
    #[serde(default)]
    #[schemars(length(max = limits::NAME_BYTES))]
    pub name: String,
    /// What stands for their password; see `session.open`.
    #[serde(default)]
    #[schemars(length(max = 44))]
    pub hash: Option<String>,
    /// What a new person agrees to, by the names of `me.consents`; without `account` there is no account.
    #[serde(default)]
    #[schemars(length(max = 16), inner(length(max = 64)))]
    pub consents: Vec<String>,
}

/// Ask for a link to set a new password. The answer is the same whether there is such an account or not.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordForgot {
    /// The e-mail address.
    #[schemars(length(max = 254))]
    pub email: String,
}

/// Set a new password by a link. It signs nobody in; a second factor is due as ever.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// The secret of the link.
    #[schemars(length(max = 64))]
    pub token: String,
    /// The address of the account: what stands for the password is made with it.
    #[serde(default)]
    #[schemars(length(max = 254))]
    pub email: Option<String>,
    /// What stands for the new password.
    #[schemars(length(max = 44))]
    pub hash: String,
}

/// Begin to sign up, where the operator allows it: a link that makes the account comes by mail, for `invite.accept`. The answer
/// is the same whether there is such an account or not.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    /// The e-mail address.
    #[schemars(length(max = 254))]
    pub email: String,
    /// The language of the mail, such as `de`; without it the organization's.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub locale: Option<String>,
}

/// Take another e-mail address, by the link that came to it. All sessions end.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressConfirm {
    /// The secret of the link.
    #[schemars(length(max = 64))]
    pub token: String,
}

/// Stop a change of the e-mail address, by the link that came to the old one. All sessions end.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressStop {
    /// The secret of the link.
    #[schemars(length(max = 64))]
    pub token: String,
}

/// Another link to set the server up; the one before ends. Only while there is nobody.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupRenew {}

/// A link that sets the server up.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct SetupLink {
    /// The link.
    pub link: String,
    /// When it ends, Unix ms.
    pub until_ms: u64,
}

//! Requests about signing in and out, and about who one is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sign in. The answer sets the session's cookie, which page scripts cannot read.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionOpen {
    /// The e-mail address.
    #[schemars(length(max = 254))]
    pub email: String,
    /// base64(SHA-256(password, SHA-256(e-mail address in lower case))): what Blynk's clients send in the place of a
    /// password.
    #[schemars(length(max = 44))]
    pub hash: String,
    /// A code of the second factor, or a recovery code.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub code: Option<String>,
}

impl std::fmt::Debug for SessionOpen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionOpen")
    }
}

/// A session.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionAnswer {
    /// Who it is.
    pub user: MyPerson,
    /// What a page sends in `X-Linchpin-Csrf` with everything that changes something.
    pub csrf: String,
    /// What is missing before the session may do anything: `factor`, a code of the second factor, or one to be set up.
    pub due: Vec<String>,
}

/// A person as they see themselves.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MyPerson {
    /// Their number at home.
    pub id: u32,
    /// Their home.
    pub org: u32,
    /// Their e-mail address.
    pub email: String,
    /// For people.
    pub name: String,
    /// Their language, such as `de`.
    pub locale: Option<String>,
}

/// Sign out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionEnd {}

/// Prove again who one is: dangerous things need a proof of the last ten minutes. Either of the two; with a second factor due
/// it must be the code. The session gets another token.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionStepUp {
    /// What stands for the password; see `session.open`.
    #[serde(default)]
    #[schemars(length(max = 44))]
    pub hash: Option<String>,
    /// A code of the second factor, or a recovery code.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub code: Option<String>,
}

impl std::fmt::Debug for SessionStepUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionStepUp")
    }
}

/// Who one is and what one may do.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeShow {}

/// Who one is and what one may do.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Me {
    /// Who it is.
    pub user: MyPerson,
    /// What a page sends in `X-Linchpin-Csrf` with everything that changes something.
    pub csrf: String,
    /// Roles, with what they allow now.
    pub grants: Vec<MyGrant>,
    /// Is there a second factor?
    pub factor: bool,
    /// What is missing before the session may do anything.
    pub due: Vec<String>,
    /// May the server itself be managed?
    pub operator: bool,
    /// What is to be known of the server.
    pub server: ServerFacts,
}

/// A role in an organization.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MyGrant {
    /// The organization.
    pub org: u32,
    /// Its name.
    pub org_name: String,
    /// The role's number.
    pub role: u16,
    /// Its name.
    pub role_name: String,
    /// Does it reach the organizations below?
    pub below: bool,
    /// Permissions in the whole organization.
    pub all: Vec<String>,
    /// Permissions with what is one's own.
    pub own: Vec<String>,
}

/// What is to be known of the server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServerFacts {
    /// Where browsers find it, or its product's name.
    pub name: String,
    /// The commit that it was built from.
    pub build: String,
    /// What links begin with, if it is configured.
    pub public_url: Option<String>,
    /// Did this request come without TLS?
    pub plain: bool,
}

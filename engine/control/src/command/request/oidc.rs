//! Requests about signing in at another server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Servers where people may sign in (OpenID Connect).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcList {}

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct OidcLine {
    /// Its number.
    pub id: u32,
    /// For people.
    pub name: String,
    /// Its `iss`.
    pub issuer: String,
}

/// Go there to sign in: the answer leads the browser to it (302), with a cookie for the way back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcStart {
    /// The server's number.
    pub provider: u32,
}

/// Come back from there. Whoever the server's identity stands for is signed in, and led to the page (302); a second factor is
/// due as ever. An identity stands for an account that was linked to it, or, once, for the one with its verified address if
/// the operator lets the server speak for that domain.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct OidcCallback {
    /// The server's number.
    pub provider: u32,
    /// The one of the start.
    #[schemars(length(max = 64))]
    pub state: String,
    /// What is exchanged for a token.
    #[serde(default)]
    #[schemars(length(max = 4096))]
    pub code: Option<String>,
    /// The server's `iss`.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub iss: Option<String>,
    /// Why the server did not sign anybody in.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub error: Option<String>,
}

impl std::fmt::Debug for OidcCallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OidcCallback")
    }
}

/// Link one's account with an identity there: the browser goes to the address that is answered.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcLink {
    /// The server's number.
    pub provider: u32,
}

/// Where to go.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct OidcStarted {
    /// The address.
    pub location: String,
}

impl std::fmt::Debug for OidcStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OidcStarted")
    }
}

/// One's identity there stands for the account no more.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcUnlink {
    /// The server's number.
    pub provider: u32,
}

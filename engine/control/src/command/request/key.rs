//! Requests about API keys, OAuth clients and their tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// A key as lists show it: its secret is nowhere.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeyLine {
    /// Its number.
    pub id: u32,
    /// For people.
    pub name: String,
    /// `api`, `oauth` or `personal`.
    pub kind: String,
    /// What its secret begins with.
    pub prefix: String,
    /// What it may do in the whole organization.
    pub permissions: Vec<String>,
    /// When it was made, Unix ms.
    pub made_ms: u64,
    /// When it was used last, Unix ms; none: never, or nobody wrote it down yet.
    pub used_ms: Option<u64>,
    /// When it ends, Unix ms; none: never.
    pub until_ms: Option<u64>,
}

/// A key that was made: its secret is shown once.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct MadeKey {
    /// The key.
    #[serde(flatten)]
    pub key: KeyLine,
    /// Its secret.
    pub secret: String,
}

impl std::fmt::Debug for MadeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MadeKey({})", self.key.id)
    }
}

/// API keys and OAuth clients of an organization.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyList {
    /// The organization.
    pub org: u32,
}

/// What kind of key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyKindName {
    /// Sent with each request.
    #[default]
    Api,
    /// Exchanged for tokens of an hour at `/oauth2/token`.
    Oauth,
}

/// Make an API key or an OAuth client: what it may do is at most what the maker may, and nothing about people's credentials.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyCreate {
    /// The organization.
    pub org: u32,
    /// For people.
    #[schemars(length(min = 1, max = limits::NAME_BYTES))]
    pub name: String,
    /// api or oauth.
    #[serde(default)]
    pub kind: KeyKindName,
    /// Permissions in the whole organization, such as `device.view`.
    #[schemars(length(min = 1, max = 64))]
    pub permissions: Vec<String>,
    /// When it ends, Unix ms; never without it.
    #[serde(default)]
    pub until_ms: Option<u64>,
    /// Addresses and networks that it may be used from; wherever the organization allows without any.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub from: Vec<String>,
    /// Requests a minute; the server's setting without it.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_minute: Option<u32>,
}

/// Another secret for a key; the one before ends at once, and so do its tokens.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRotate {
    /// The organization.
    pub org: u32,
    /// Its number.
    pub key: u32,
}

/// Take a key or client away.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRevoke {
    /// The organization.
    pub org: u32,
    /// Its number.
    pub key: u32,
}

/// Tokens for an OAuth client, by its secret or by a refresh token (RFC 6749, 4.4 and 6). The client's number and secret come
/// by HTTP's Basic, or in the body.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-form" = true))]
pub struct OauthToken {
    /// client_credentials or refresh_token.
    #[schemars(length(max = 32))]
    pub grant_type: String,
    /// The client's number.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub client_id: Option<String>,
    /// Its secret.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub client_secret: Option<String>,
    /// The token of the last answer.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub refresh_token: Option<String>,
    /// Permissions, with spaces between; all that the client has without it.
    #[serde(default)]
    #[schemars(length(max = 2048))]
    pub scope: Option<String>,
}

impl std::fmt::Debug for OauthToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OauthToken")
    }
}

/// Tokens.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct OauthTokens {
    /// For requests.
    pub access_token: String,
    /// Always Bearer.
    pub token_type: String,
    /// How long the access token is good, s.
    pub expires_in: u64,
    /// For the next tokens; good once.
    pub refresh_token: String,
}

impl std::fmt::Debug for OauthTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OauthTokens")
    }
}

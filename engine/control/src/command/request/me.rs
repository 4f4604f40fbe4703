//! Requests of people about themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// Change one's own name or language.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeEdit {
    /// For people.
    #[serde(default)]
    #[schemars(length(max = limits::NAME_BYTES))]
    pub name: Option<String>,
    /// Such as `de`; empty: the organization's.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub locale: Option<String>,
}

/// Set a new password; all other sessions end.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MePassword {
    /// What stands for the password until now; see `session.open`.
    #[schemars(length(max = 44))]
    pub old: String,
    /// What stands for the new one.
    #[schemars(length(max = 44))]
    pub new: String,
}

impl std::fmt::Debug for MePassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MePassword")
    }
}

/// Ask for another e-mail address. A link comes to the new one, which takes it, and one to the old one, which stops it. What
/// stands for a password is made with the address: so it is sent for both.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeAddress {
    /// The new address.
    #[schemars(length(max = 254))]
    pub new_email: String,
    /// What stands for the password, with the address until now; see `session.open`.
    #[schemars(length(max = 44))]
    pub old: String,
    /// What stands for the same password, or another, with the new address.
    #[schemars(length(max = 44))]
    pub new: String,
}

impl std::fmt::Debug for MeAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MeAddress")
    }
}

/// One's own sessions.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MySessions {}

/// A session of somebody.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MySession {
    /// Its number, hexadecimal.
    pub id: String,
    /// browser or live.
    pub kind: String,
    /// What kind of program; may be empty.
    pub agent: String,
    /// Always none: where it came from is stored as a digest only.
    pub address: Option<String>,
    /// When it began, Unix ms.
    pub made_ms: u64,
    /// When it was used last, within five minutes, Unix ms.
    pub seen_ms: u64,
    /// Is it the one that asks?
    pub current: bool,
}

/// End one of one's own sessions.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MySessionEnd {
    /// Its number, hexadecimal.
    #[schemars(length(max = 16))]
    pub session: String,
}

/// End all of one's own sessions but this one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MySessionsEnd {}

/// Begin to set up a second factor.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorBegin {}

/// The secret of a second factor, shown once.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct FactorSecret {
    /// For a QR code (`otpauth://`).
    pub uri: String,
    /// The same to type: Base32.
    pub secret: String,
}

impl std::fmt::Debug for FactorSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FactorSecret")
    }
}

/// Confirm a second factor by its first code; all other sessions end.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorConfirm {
    /// Six digits.
    #[schemars(length(max = 16))]
    pub code: String,
}

impl std::fmt::Debug for FactorConfirm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FactorConfirm")
    }
}

/// New recovery codes; the ones before end.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoveryRenew {}

/// Codes in the place of the second factor, each good once; shown once.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryCodes {
    /// The codes.
    pub recovery: Vec<String>,
}

impl std::fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCodes")
    }
}

/// Remove the second factor; all other sessions end.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorRemove {}

/// One's own keys.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MyKeys {}

/// Make a key for one's own programs: it may do what the person may at the time, and no more than is listed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MyKeyCreate {
    /// For people.
    #[schemars(length(min = 1, max = limits::NAME_BYTES))]
    pub name: String,
    /// Permissions, such as `device.view`.
    #[schemars(length(min = 1, max = 64))]
    pub permissions: Vec<String>,
    /// When it ends, Unix ms; never without it.
    #[serde(default)]
    pub until_ms: Option<u64>,
    /// Addresses and networks that it may be used from; everywhere without any.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub from: Vec<String>,
}

/// Take one of one's own keys away.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MyKeyRevoke {
    /// Its number.
    pub key: u32,
}

/// What one has agreed to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MyConsents {}

/// A decision of a person.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConsentLine {
    /// What it is about.
    pub purpose: String,
    /// The same for people.
    pub text: String,
    /// Given, or not (any more)?
    pub given: bool,
    /// When it was decided, Unix ms; none: never.
    pub at_ms: Option<u64>,
}

/// Agree to something, or take it back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MyConsentSet {
    /// What it is about.
    #[schemars(length(max = 32))]
    pub purpose: String,
    /// Given, or taken back?
    pub given: bool,
}

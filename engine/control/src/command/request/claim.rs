//! Requests about devices that are made before their board: static tokens, claims, provisioning.

use linchpin_protocol::model::{DeviceId, OrgId, TemplateId, Token};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::plain::Plain;
use crate::limits;

/// Make devices whose tokens are flashed in a factory, each with a code that claims it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StaticMake {
    /// The organization.
    pub org: Plain<OrgId>,
    /// Their template.
    pub template: Plain<TemplateId>,
    /// How many.
    #[schemars(range(min = 1, max = limits::STATIC_TOGETHER))]
    pub count: usize,
    /// Their name; several get a number behind it.
    #[serde(default)]
    #[schemars(length(max = 56))]
    pub name: String,
}

/// A device that waits for its owner.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StaticMade {
    /// The pair's number.
    pub number: u32,
    /// The device.
    pub device: u32,
    /// What is flashed: a secret.
    pub token: Plain<Token>,
    /// What claims the device, once: a secret, shown now only.
    pub claim: String,
    /// The text of the QR code: the claim, a plus sign and the organization.
    pub qr: String,
}

/// Pairs of tokens, without their secrets.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StaticList {
    /// The organization.
    pub org: Plain<OrgId>,
    /// Only numbers above this one.
    #[serde(default)]
    pub after: u32,
    /// At most so many.
    #[serde(default = "page")]
    #[schemars(range(min = 1, max = limits::PAGE))]
    pub limit: usize,
}

const fn page() -> usize {
    limits::PAGE
}

/// A pair of tokens.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StaticPair {
    /// Its number.
    pub number: u32,
    /// The template of its device.
    pub template: String,
    /// unclaimed, claimed or withdrawn.
    pub state: String,
    /// The device, once it is claimed.
    pub device: Option<u32>,
    /// When it was made, Unix ms.
    pub made_ms: u64,
}

/// Claim a device with the code on it: one owns it from then on.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimDevice {
    /// The code, or the whole text of the QR code.
    #[schemars(length(min = 4, max = 100))]
    pub code: String,
}

impl std::fmt::Debug for ClaimDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClaimDevice")
    }
}

/// A device that was claimed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ClaimedDevice {
    /// Its organization.
    pub org: u32,
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: String,
}

/// Make a device for a board that is being set up: it takes the template that its firmware names, if the organization has it.
/// Without a login it vanishes after an hour.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvisionMake {
    /// The organization.
    pub org: Plain<OrgId>,
    /// Its name.
    #[serde(default)]
    #[schemars(length(max = limits::NAME_BYTES))]
    pub name: String,
}

/// Give a board that is set up anew another token; the old one opens nothing.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvisionAgain {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
}

/// What a board's own form wants.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Provisioned {
    /// What it logs in with: a secret.
    pub token: Plain<Token>,
    /// The device.
    pub device: u32,
    /// Where the server is; unmodified firmware takes at most 33 characters.
    pub host: String,
    /// The port with TLS.
    pub port_tls: u16,
    /// Until when it must log in, Unix ms; null: it has all the time.
    pub until_ms: Option<u64>,
    /// What is in the way of an unmodified board.
    pub warnings: Vec<String>,
    /// The board's own page with all of this filled in, but the network's name and password.
    pub links: Vec<String>,
}

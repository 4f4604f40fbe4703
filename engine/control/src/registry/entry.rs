//! What the registry holds.

use std::fmt;

use linchpin_protocol::model::{DeviceId, OrgId, Template, TemplateId, Token};

use linchpin_storage::schema::TemplateRecord;

use crate::fleet::Fleet;
use crate::limits;

/// A device as its owner knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceEntry {
    /// The id, never used again.
    pub id: DeviceId,
    /// Its organization.
    pub org: OrgId,
    /// A name for people; may be empty.
    pub name: Box<str>,
    /// Its template.
    pub template: Option<TemplateId>,
    /// Counts its tokens.
    pub token_epoch: u16,
}

/// A device that was made just now, or whose token was asked for.
#[derive(Clone, Debug)]
pub struct Made {
    /// The device.
    pub entry: DeviceEntry,
    /// What it logs in with.
    pub token: Token,
}

/// A template as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateEntry {
    /// Its number in the store.
    pub number: u32,
    /// Its organization.
    pub org: OrgId,
    /// What devices are checked against, and what people add to it.
    pub record: TemplateRecord,
}

impl TemplateEntry {
    /// What shards know of it.
    #[must_use]
    pub const fn template(&self) -> &Template {
        &self.record.template
    }
}

/// What the store knew at the start.
#[derive(Debug, Default)]
pub struct Loaded {
    /// By number.
    pub templates: Vec<TemplateEntry>,
    /// By id.
    pub devices: Vec<DeviceEntry>,
    /// The highest id that was ever given out; 0 = none.
    pub last_device: u32,
    /// The highest number of a template that was ever given out.
    pub last_template: u32,
    /// All devices, for lists.
    pub fleet: Fleet,
}

/// Which devices to make.
#[derive(Clone, Debug)]
pub struct NewDevices {
    /// How many.
    pub count: u32,
    /// Their organization.
    pub org: OrgId,
    /// Their template; must exist.
    pub template: Option<TemplateId>,
    /// Their name; several get a number behind it.
    pub name: String,
}

impl Default for NewDevices {
    fn default() -> Self {
        Self { count: 1, org: OrgId::FIRST, template: None, name: String::new() }
    }
}

/// Why a device or template cannot be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryError {
    /// The template is not known.
    NoSuchTemplate(TemplateId),
    /// Too many devices.
    Full,
    /// The name is too long.
    NameTooLong(usize),
    /// Two devices cannot have one token.
    TokenInUse,
    /// The operating system gives no random bytes.
    NoRandom,
    /// The template is being written for somebody else.
    TemplateIsWritten(TemplateId),
    /// The template belongs to another organization.
    TemplateIsTaken(TemplateId),
    /// There are as many templates as there may be.
    TemplatesFull,
    /// The organization is being erased, or was.
    OrgIsErased(OrgId),
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchTemplate(id) => {
                write!(f, "there is no template {}: `linchpin template list` shows them", id.as_str())
            }
            Self::Full => write!(f, "{} devices are the most that one server stores", limits::DEVICES),
            Self::NameTooLong(len) => {
                write!(f, "a name of {len} bytes is too long, {} are allowed", limits::NAME_BYTES)
            }
            Self::TokenInUse => f.write_str("another device has this token already: give each device its own"),
            Self::NoRandom => f.write_str("the operating system gave no random bytes for a token: try again"),
            Self::TemplateIsWritten(id) => {
                write!(f, "template {} is being stored for somebody else: try again in a moment", id.as_str())
            }
            Self::TemplateIsTaken(id) => write!(f, "template {} belongs to another organization", id.as_str()),
            Self::TemplatesFull => write!(f, "{} templates are the most that one server stores", limits::TEMPLATES),
            Self::OrgIsErased(org) => write!(f, "organization {org} is being erased"),
        }
    }
}

impl std::error::Error for RegistryError {}

//! Templates and devices: who exists. In memory until the storage keeps it.

use std::fmt;

use linchpin_protocol::model::{DeviceId, Template, TemplateId, Token};
use linchpin_shard::{Command, ShardId, digest, home_of, index_owner_of};

use crate::limits;

/// A device as its owner knows it.
#[derive(Clone, Debug)]
pub struct DeviceEntry {
    /// The id, never used again.
    pub id: DeviceId,
    /// A name for people; may be empty.
    pub name: Box<str>,
    /// Its template.
    pub template: Option<TemplateId>,
    /// Its token. Kept in memory only.
    pub token: Token,
}

/// Which devices to make.
#[derive(Clone, Debug, Default)]
pub struct NewDevices {
    /// How many.
    pub count: u32,
    /// Their template; must exist.
    pub template: Option<TemplateId>,
    /// Their name; several get a number behind it.
    pub name: String,
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
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchTemplate(id) => {
                write!(f, "there is no template {}: `linchpin template list` shows them", id.as_str())
            }
            Self::Full => write!(f, "{} devices are the most that one server keeps", limits::DEVICES),
            Self::NameTooLong(len) => {
                write!(f, "a name of {len} bytes is too long, {} are allowed", limits::NAME_BYTES)
            }
            Self::TokenInUse => f.write_str("another device has this token already: give each device its own"),
            Self::NoRandom => f.write_str("the operating system gave no random bytes for a token: try again"),
        }
    }
}

impl std::error::Error for RegistryError {}

/// See the module's page.
#[derive(Debug)]
pub struct Registry {
    templates: Vec<Template>,
    devices: Vec<DeviceEntry>,
    /// The highest id of a removed device.
    last_id: u32,
    digest_key: [u8; 32],
    shards: u16,
}

impl Registry {
    /// Empty, for a process with this many shards and this key of token digests.
    #[must_use]
    pub const fn new(shards: u16, digest_key: [u8; 32]) -> Self {
        Self { templates: Vec::new(), devices: Vec::new(), last_id: 0, digest_key, shards }
    }

    /// Add a template; replaces one with the same id.
    pub fn put_template(&mut self, template: Template) {
        self.templates.retain(|known| known.id != template.id);
        self.templates.push(template);
    }

    /// All templates.
    #[must_use]
    pub fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// All devices by id.
    #[must_use]
    pub fn devices(&self) -> &[DeviceEntry] {
        &self.devices
    }

    /// One device.
    #[must_use]
    pub fn device(&self, id: DeviceId) -> Option<&DeviceEntry> {
        self.devices.binary_search_by_key(&id, |device| device.id).ok().map(|at| &self.devices[at])
    }

    /// Add a device with a token of the operator's choice.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub fn add_with_token(
        &mut self,
        name: &str,
        template: Option<TemplateId>,
        token: Token,
    ) -> Result<DeviceEntry, RegistryError> {
        if self.devices.iter().any(|device| device.token == token) {
            return Err(RegistryError::TokenInUse);
        }
        self.check(name, template, 1)?;
        Ok(self.push(name, template, token))
    }

    /// Make devices with random tokens; returns them.
    ///
    /// # Errors
    /// See [`RegistryError`]; nothing was added then.
    pub fn add(&mut self, new: &NewDevices) -> Result<&[DeviceEntry], RegistryError> {
        self.check(&new.name, new.template, new.count)?;
        let first = self.devices.len();
        let mut seeds = vec![0u8; 24 * new.count as usize];
        getrandom::fill(&mut seeds).map_err(|_| RegistryError::NoRandom)?;
        for (n, seed) in seeds.as_chunks::<24>().0.iter().enumerate() {
            let name = match (new.count, new.name.as_str()) {
                (_, "") => String::new(),
                (1, name) => name.to_owned(),
                (_, name) => format!("{name} {}", n + 1),
            };
            self.push(&name, new.template, Token::from_random(seed));
        }
        Ok(&self.devices[first..])
    }

    fn check(&self, name: &str, template: Option<TemplateId>, count: u32) -> Result<(), RegistryError> {
        if let Some(id) = template
            && !self.templates.iter().any(|known| known.id == id)
        {
            return Err(RegistryError::NoSuchTemplate(id));
        }
        if name.len() > limits::NAME_BYTES {
            return Err(RegistryError::NameTooLong(name.len()));
        }
        if self.devices.len() as u64 + u64::from(count) > u64::from(limits::DEVICES) {
            return Err(RegistryError::Full);
        }
        Ok(())
    }

    fn push(&mut self, name: &str, template: Option<TemplateId>, token: Token) -> DeviceEntry {
        let last = self.devices.last().map_or(0, |last| last.id.get());
        let number = last.max(self.last_id) + 1;
        // Ids start at 1 and are bounded by `limits::DEVICES`.
        let id = DeviceId::new(number).unwrap_or_else(|| unreachable!("ids start at 1"));
        let entry = DeviceEntry { id, name: name.into(), template, token };
        self.devices.push(entry.clone());
        entry
    }

    /// Forget a device; returns it.
    pub fn remove(&mut self, id: DeviceId) -> Option<DeviceEntry> {
        let at = self.devices.binary_search_by_key(&id, |device| device.id).ok()?;
        // Ids are never used again.
        self.last_id = self.last_id.max(id.get());
        Some(self.devices.remove(at))
    }

    /// What the owner of a removed device's index entry must be told.
    #[must_use]
    pub fn denounce(&self, device: &DeviceEntry) -> (ShardId, Command) {
        let digest = digest(&self.digest_key, &device.token);
        (index_owner_of(&digest, self.shards), Command::UnindexToken(digest))
    }

    /// What the shards must be told of a device, and which of them.
    #[must_use]
    pub fn announce(&self, device: &DeviceEntry) -> [(ShardId, Command); 2] {
        let digest = digest(&self.digest_key, &device.token);
        let add = Command::AddDevice { device: device.id, template: device.template };
        let index = Command::IndexToken { digest, device: device.id };
        [(home_of(device.id, self.shards), add), (index_owner_of(&digest, self.shards), index)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_and_tokens_differ() {
        let mut registry = Registry::new(4, [1; 32]);
        let first = registry.add(&NewDevices { count: 3, ..NewDevices::default() }).expect("room").to_vec();
        let more = registry.add(&NewDevices { count: 2, name: "pump".into(), ..NewDevices::default() }).expect("room");
        assert_eq!(more.iter().map(|d| (d.id.get(), &*d.name)).collect::<Vec<_>>(), [(4, "pump 1"), (5, "pump 2")]);
        assert!(first[0].token != first[1].token);
        assert_eq!(registry.device(DeviceId::new(4).expect("not zero")).map(|d| &*d.name), Some("pump 1"));
    }

    #[test]
    fn ids_of_removed_devices_are_not_given_again() {
        let mut registry = Registry::new(1, [1; 32]);
        registry.add(&NewDevices { count: 3, ..NewDevices::default() }).expect("room");
        let id = |n| DeviceId::new(n).expect("not zero");
        assert_eq!(registry.remove(id(3)).map(|d| d.id), Some(id(3)));
        assert!(registry.remove(id(3)).is_none() && registry.device(id(3)).is_none());
        let next = registry.add(&NewDevices { count: 1, ..NewDevices::default() }).expect("room")[0].id;
        assert_eq!(next, id(4));
    }

    #[test]
    fn refuses_unknown_templates_long_names_and_shared_tokens() {
        let mut registry = Registry::new(1, [1; 32]);
        let id = TemplateId::parse(b"TMPLnone").expect("valid");
        let unknown = NewDevices { count: 1, template: Some(id), ..NewDevices::default() };
        assert_eq!(registry.add(&unknown).map(<[_]>::len), Err(RegistryError::NoSuchTemplate(id)));
        let token = Token::from_random(&[5; 24]);
        assert!(registry.add_with_token("a", None, token).is_ok());
        assert_eq!(registry.add_with_token("b", None, token).map(|d| d.id), Err(RegistryError::TokenInUse));
        let long = "x".repeat(limits::NAME_BYTES + 1);
        let other = Token::from_random(&[6; 24]);
        assert!(matches!(registry.add_with_token(&long, None, other), Err(RegistryError::NameTooLong(65))));
        assert_eq!(registry.devices().len(), 1, "refused devices leave nothing behind");
    }

    #[test]
    fn a_device_is_announced_to_its_home_and_its_index_owner() {
        let mut registry = Registry::new(7, [9; 32]);
        let device = registry.add(&NewDevices { count: 1, ..NewDevices::default() }).expect("room")[0].clone();
        let [(home, add), (owner, index)] = registry.announce(&device);
        assert_eq!(home, home_of(device.id, 7));
        assert!(matches!(add, Command::AddDevice { device: id, .. } if id == device.id));
        let expected = digest(&[9; 32], &device.token);
        assert_eq!(owner, index_owner_of(&expected, 7));
        assert!(matches!(index, Command::IndexToken { digest, .. } if digest == expected));
    }
}

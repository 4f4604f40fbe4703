//! Templates and devices: who exists. The store keeps it; without one it is gone with the process.

pub(crate) mod records;

use std::collections::BTreeMap;
use std::fmt;

use linchpin_protocol::model::{DeviceId, OrgId, Template, TemplateId, Token};
use linchpin_shard::{Command, Digest, ShardId, digest, home_of, index_owner_of};

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
    /// What devices are checked against.
    pub template: Template,
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
    templates: Vec<TemplateEntry>,
    devices: Vec<DeviceEntry>,
    /// Tokens, where no store keeps them.
    tokens: Option<BTreeMap<DeviceId, Token>>,
    /// The highest id that was ever given out.
    last_id: u32,
    digest_key: [u8; 32],
    shards: u16,
}

impl Registry {
    /// Empty, for a process with this many shards and this key of token digests, whose state is in memory only.
    #[must_use]
    pub const fn new(shards: u16, digest_key: [u8; 32]) -> Self {
        let tokens = Some(BTreeMap::new());
        Self { templates: Vec::new(), devices: Vec::new(), tokens, last_id: 0, digest_key, shards }
    }

    /// With what the store knows, which keeps the tokens too.
    #[must_use]
    pub fn stored(shards: u16, digest_key: [u8; 32], loaded: Loaded) -> Self {
        let Loaded { templates, devices, last_device } = loaded;
        let last_id = devices.last().map_or(0, |last| last.id.get()).max(last_device);
        Self { templates, devices, tokens: None, last_id, digest_key, shards }
    }

    /// Add a template; replaces one with the same id. Returns how it is to be kept.
    pub fn put_template(&mut self, template: Template) -> TemplateEntry {
        if let Some(known) = self.templates.iter_mut().find(|known| known.template.id == template.id) {
            known.template = template;
            return known.clone();
        }
        let number = self.templates.last().map_or(0, |last| last.number) + 1;
        let entry = TemplateEntry { number, org: OrgId::FIRST, template };
        self.templates.push(entry.clone());
        entry
    }

    /// Take back what [`Registry::put_template`] did.
    pub(crate) fn restore_template(&mut self, id: TemplateId, before: Option<TemplateEntry>) {
        match (self.templates.iter().position(|known| known.template.id == id), before) {
            (Some(at), Some(before)) => self.templates[at] = before,
            (Some(at), None) => drop(self.templates.remove(at)),
            (None, _) => {}
        }
    }

    /// All templates.
    pub fn templates(&self) -> impl ExactSizeIterator<Item = &Template> {
        self.templates.iter().map(|entry| &entry.template)
    }

    /// A template as it is kept.
    #[must_use]
    pub fn template(&self, id: TemplateId) -> Option<&TemplateEntry> {
        self.templates.iter().find(|entry| entry.template.id == id)
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

    /// The token of a device, if the registry itself keeps it.
    #[must_use]
    pub fn token(&self, id: DeviceId) -> Option<Token> {
        self.tokens.as_ref()?.get(&id).copied()
    }

    /// Add a device with a token of the operator's choice.
    ///
    /// # Errors
    /// See [`RegistryError`]. Tokens that a store keeps are not compared: its index is asked before.
    pub fn add_with_token(
        &mut self,
        name: &str,
        template: Option<TemplateId>,
        token: Token,
    ) -> Result<Made, RegistryError> {
        if self.tokens.iter().flat_map(BTreeMap::values).any(|known| *known == token) {
            return Err(RegistryError::TokenInUse);
        }
        self.check(name, template, 1)?;
        Ok(self.push(OrgId::FIRST, name, template, token))
    }

    /// Make devices with random tokens; returns them.
    ///
    /// # Errors
    /// See [`RegistryError`]; nothing was added then.
    pub fn add(&mut self, new: &NewDevices) -> Result<Vec<Made>, RegistryError> {
        self.check(&new.name, new.template, new.count)?;
        let mut seeds = vec![0u8; 24 * new.count as usize];
        getrandom::fill(&mut seeds).map_err(|_| RegistryError::NoRandom)?;
        let made = seeds.as_chunks::<24>().0.iter().enumerate().map(|(n, seed)| {
            let name = match (new.count, new.name.as_str()) {
                (_, "") => String::new(),
                (1, name) => name.to_owned(),
                (_, name) => format!("{name} {}", n + 1),
            };
            self.push(new.org, &name, new.template, Token::from_random(seed))
        });
        Ok(made.collect())
    }

    fn check(&self, name: &str, template: Option<TemplateId>, count: u32) -> Result<(), RegistryError> {
        if let Some(id) = template
            && self.template(id).is_none()
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

    fn push(&mut self, org: OrgId, name: &str, template: Option<TemplateId>, token: Token) -> Made {
        self.last_id += 1;
        // Ids start at 1 and are bounded by `limits::DEVICES`.
        let id = DeviceId::new(self.last_id).unwrap_or_else(|| unreachable!("ids start at 1"));
        let entry = DeviceEntry { id, org, name: name.into(), template };
        self.devices.push(entry.clone());
        if let Some(tokens) = &mut self.tokens {
            tokens.insert(id, token);
        }
        Made { entry, token }
    }

    /// Give a device another name and template.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub fn change(&mut self, entry: &DeviceEntry) -> Result<(), RegistryError> {
        self.check(&entry.name, entry.template, 0)?;
        if let Ok(at) = self.devices.binary_search_by_key(&entry.id, |device| device.id) {
            self.devices[at] = entry.clone();
        }
        Ok(())
    }

    /// Forget a device; returns it. Its id is never used again.
    pub fn remove(&mut self, id: DeviceId) -> Option<DeviceEntry> {
        let at = self.devices.binary_search_by_key(&id, |device| device.id).ok()?;
        if let Some(tokens) = &mut self.tokens {
            tokens.remove(&id);
        }
        Some(self.devices.remove(at))
    }

    /// The digest of a token, as shards compute it.
    #[must_use]
    pub fn digest(&self, token: &Token) -> Digest {
        digest(&self.digest_key, token)
    }

    /// What the home of a device must be told of it.
    #[must_use]
    pub fn introduce(&self, device: &DeviceEntry) -> (ShardId, Command) {
        let add = Command::AddDevice { device: device.id, org: device.org, template: device.template };
        (home_of(device.id, self.shards), add)
    }

    /// What the owner of a token's index entry must be told, so that the device can log in.
    #[must_use]
    pub fn index(&self, device: DeviceId, digest: Digest) -> (ShardId, Command) {
        (index_owner_of(&digest, self.shards), Command::IndexToken { digest, device })
    }

    /// What it must be told, so that nobody logs in with the token any more.
    #[must_use]
    pub fn unindex(&self, token: &Token) -> (ShardId, Command) {
        let digest = self.digest(token);
        (index_owner_of(&digest, self.shards), Command::UnindexToken(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_and_tokens_differ() {
        let mut registry = Registry::new(4, [1; 32]);
        let first = registry.add(&NewDevices { count: 3, ..NewDevices::default() }).expect("room");
        let more = registry.add(&NewDevices { count: 2, name: "pump".into(), ..NewDevices::default() }).expect("room");
        assert_eq!(
            more.iter().map(|d| (d.entry.id.get(), &*d.entry.name)).collect::<Vec<_>>(),
            [(4, "pump 1"), (5, "pump 2")]
        );
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
        let next = registry.add(&NewDevices { count: 1, ..NewDevices::default() }).expect("room")[0].entry.id;
        assert_eq!(next, id(4));
    }

    #[test]
    fn a_store_keeps_tokens_and_the_highest_id() {
        let device = |n: u32| DeviceEntry {
            id: DeviceId::new(n).expect("not zero"),
            org: OrgId::FIRST,
            name: "".into(),
            template: None,
        };
        let loaded = Loaded { devices: vec![device(2), device(5)], last_device: 9, ..Loaded::default() };
        let mut registry = Registry::stored(1, [1; 32], loaded);
        let made = registry.add(&NewDevices::default()).expect("room");
        assert_eq!(made[0].entry.id.get(), 10, "9 was removed before the last end");
        assert!(registry.token(made[0].entry.id).is_none());
        assert_eq!(registry.devices().len(), 3);
    }

    #[test]
    fn refuses_unknown_templates_long_names_and_shared_tokens() {
        let mut registry = Registry::new(1, [1; 32]);
        let id = TemplateId::parse(b"TMPLnone").expect("valid");
        let unknown = NewDevices { count: 1, template: Some(id), ..NewDevices::default() };
        assert_eq!(registry.add(&unknown).map(|made| made.len()), Err(RegistryError::NoSuchTemplate(id)));
        let token = Token::from_random(&[5; 24]);
        assert!(registry.add_with_token("a", None, token).is_ok());
        assert_eq!(registry.add_with_token("b", None, token).map(|d| d.entry.id), Err(RegistryError::TokenInUse));
        let long = "x".repeat(limits::NAME_BYTES + 1);
        let other = Token::from_random(&[6; 24]);
        assert!(matches!(registry.add_with_token(&long, None, other), Err(RegistryError::NameTooLong(65))));
        assert_eq!(registry.devices().len(), 1, "refused devices leave nothing behind");
    }

    #[test]
    fn a_device_is_announced_to_its_home_and_its_index_owner() {
        let mut registry = Registry::new(7, [9; 32]);
        let device = registry.add(&NewDevices { count: 1, ..NewDevices::default() }).expect("room")[0].clone();
        let (home, add) = registry.introduce(&device.entry);
        let (owner, index) = registry.index(device.entry.id, registry.digest(&device.token));
        assert_eq!(home, home_of(device.entry.id, 7));
        assert!(matches!(add, Command::AddDevice { device: id, .. } if id == device.entry.id));
        let expected = digest(&[9; 32], &device.token);
        assert_eq!(owner, index_owner_of(&expected, 7));
        assert!(matches!(index, Command::IndexToken { digest, .. } if digest == expected));
    }
}

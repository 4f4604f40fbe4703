//! Templates and devices: who exists. The store keeps it; without one it is gone with the process.
//!
//! The registry is memory only and its lock is held for moments: ids are **reserved** under it, written to the disk without
//! it, and **published** under it again. Shards are brought to what is published by [`crate::shards::Desired`]. A device
//! that leaves is **leaving** until nothing of it is left, so that nothing brings it back.

mod entry;
pub(crate) mod records;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use linchpin_protocol::model::{DeviceId, OrgId, Template, TemplateId, Token};
use linchpin_shard::{Command, Digest, ShardId, TokenRight, digest, home_of, index_owner_of};
use linchpin_storage::schema::{Device, TemplateRecord};

pub use self::entry::{DeviceEntry, Loaded, Made, NewDevices, RegistryError, TemplateEntry};
use crate::fleet::Fleet;
use crate::{clock, limits};

/// See the module's page.
#[derive(Debug)]
pub struct Registry {
    templates: Vec<TemplateEntry>,
    /// Templates that are being written.
    writing: BTreeSet<TemplateId>,
    last_template: u32,
    devices: Vec<DeviceEntry>,
    /// Devices that are being written.
    reserved: u64,
    /// Devices that leave or have left the shards and are still in the store.
    leaving: BTreeSet<DeviceId>,
    /// Organizations that are being erased, or were. Their numbers are not given out again.
    erased: BTreeSet<OrgId>,
    /// All devices, for lists; taken when the control plane starts.
    fleet: Option<Fleet>,
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
    pub fn new(shards: u16, digest_key: [u8; 32]) -> Self {
        let tokens = Some(BTreeMap::new());
        Self { tokens, ..Self::stored(shards, digest_key, Loaded::default()) }
    }

    /// With what the store knows, which keeps the tokens too.
    #[must_use]
    pub fn stored(shards: u16, digest_key: [u8; 32], loaded: Loaded) -> Self {
        let Loaded { mut templates, devices, last_device, last_template, fleet } = loaded;
        for entry in &mut templates {
            // Records of older versions have no ids: the same order gives the same ones at each start.
            entry.record.number(None);
        }
        let last_id = devices.last().map_or(0, |last| last.id.get()).max(last_device);
        let last_template = templates.last().map_or(0, |last| last.number).max(last_template);
        Self {
            templates,
            writing: BTreeSet::new(),
            last_template,
            devices,
            reserved: 0,
            leaving: BTreeSet::new(),
            erased: BTreeSet::new(),
            fleet: Some(fleet),
            tokens: None,
            last_id,
            digest_key,
            shards,
        }
    }

    /// Reserve a template: nobody else writes one with its id until it is published or given up.
    ///
    /// # Errors
    /// [`RegistryError::TemplateIsWritten`], [`RegistryError::TemplatesFull`].
    pub(crate) fn reserve_template(&mut self, template: Template) -> Result<TemplateEntry, RegistryError> {
        let known = self.template(template.id).cloned();
        if known.is_none() && self.templates.len() + self.writing.len() >= limits::TEMPLATES {
            return Err(RegistryError::TemplatesFull);
        }
        if !self.writing.insert(template.id) {
            return Err(RegistryError::TemplateIsWritten(template.id));
        }
        Ok(match known {
            Some(known) => {
                let mut record = known.record.with_template(template);
                record.number(Some(&known.record));
                TemplateEntry { record, ..known }
            }
            None => {
                self.last_template += 1;
                let mut record = TemplateRecord::from(template);
                record.number(None);
                TemplateEntry { number: self.last_template, org: OrgId::FIRST, record }
            }
        })
    }

    /// The same for a template of an organization, with all that people have added to it.
    ///
    /// # Errors
    /// As [`Registry::reserve_template`]; [`RegistryError::TemplateIsTaken`].
    pub(crate) fn reserve_record(
        &mut self,
        org: OrgId,
        mut record: TemplateRecord,
    ) -> Result<TemplateEntry, RegistryError> {
        let id = record.template.id;
        record.number(self.template(id).map(|known| known.record.clone()).as_ref());
        if self.template(id).is_some_and(|known| known.org != org) {
            return Err(RegistryError::TemplateIsTaken(id));
        }
        let entry = self.reserve_template(record.template.clone())?;
        Ok(TemplateEntry { org, record, ..entry })
    }

    /// A template is gone; no device has it.
    pub(crate) fn remove_template(&mut self, id: TemplateId) {
        self.templates.retain(|entry| entry.template().id != id);
    }

    /// All templates as they are stored.
    pub(crate) fn template_entries(&self) -> impl ExactSizeIterator<Item = &TemplateEntry> {
        self.templates.iter()
    }

    /// All devices, for lists: whoever takes them goes on with them.
    pub(crate) fn take_fleet(&mut self) -> Fleet {
        self.fleet.take().unwrap_or_default()
    }

    /// It is on the disk. Replaces one with the same id; returns whether there was one.
    pub(crate) fn publish_template(&mut self, entry: TemplateEntry) -> bool {
        let id = entry.template().id;
        self.writing.remove(&id);
        match self.templates.iter_mut().find(|known| known.template().id == id) {
            Some(known) => {
                *known = entry;
                true
            }
            None => {
                self.templates.push(entry);
                false
            }
        }
    }

    /// It is not on the disk.
    pub(crate) fn give_up_template(&mut self, id: TemplateId) {
        self.writing.remove(&id);
    }

    /// Add a template at once; replaces one with the same id. Returns how it is to be stored.
    ///
    /// # Errors
    /// As with reserving.
    pub fn put_template(&mut self, template: Template) -> Result<TemplateEntry, RegistryError> {
        let entry = self.reserve_template(template)?;
        self.publish_template(entry.clone());
        Ok(entry)
    }

    /// All templates.
    pub fn templates(&self) -> impl ExactSizeIterator<Item = &Template> {
        self.templates.iter().map(TemplateEntry::template)
    }

    /// A template as it is stored.
    #[must_use]
    pub fn template(&self, id: TemplateId) -> Option<&TemplateEntry> {
        self.templates.iter().find(|entry| entry.template().id == id)
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
        let made = self.next(OrgId::FIRST, name, template, token);
        self.show(std::slice::from_ref(&made));
        Ok(made)
    }

    /// Make devices with random tokens at once; returns them.
    ///
    /// # Errors
    /// See [`RegistryError`]; nothing was added then.
    pub fn add(&mut self, new: &NewDevices) -> Result<Vec<Made>, RegistryError> {
        let made = self.reserve(new)?;
        self.publish(&made)?;
        Ok(made)
    }

    /// Give out ids and tokens for devices that nobody sees until they are published.
    ///
    /// # Errors
    /// See [`RegistryError`]; nothing was reserved then.
    pub(crate) fn reserve(&mut self, new: &NewDevices) -> Result<Vec<Made>, RegistryError> {
        self.check(&new.name, new.template, new.count)?;
        if self.erased.contains(&new.org) {
            return Err(RegistryError::OrgIsErased(new.org));
        }
        let mut seeds = vec![0u8; 24 * new.count as usize];
        getrandom::fill(&mut seeds).map_err(|_| RegistryError::NoRandom)?;
        self.reserved += u64::from(new.count);
        let made = seeds.as_chunks::<24>().0.iter().enumerate().map(|(n, seed)| {
            let name = match (new.count, new.name.as_str()) {
                (_, "") => String::new(),
                (1, name) => name.to_owned(),
                (_, name) => format!("{name} {}", n + 1),
            };
            self.next(new.org, &name, new.template, Token::from_random(seed))
        });
        Ok(made.collect())
    }

    /// Reserved devices are on the disk: from here on they exist.
    ///
    /// # Errors
    /// [`RegistryError::OrgIsErased`] since they were reserved: what is on the disk can be read by nobody.
    pub(crate) fn publish(&mut self, made: &[Made]) -> Result<(), RegistryError> {
        self.give_up(made);
        if let Some(made) = made.iter().find(|made| self.erased.contains(&made.entry.org)) {
            return Err(RegistryError::OrgIsErased(made.entry.org));
        }
        self.show(made);
        Ok(())
    }

    /// Reserved devices are not on the disk. Their ids are not used again.
    pub(crate) fn give_up(&mut self, made: &[Made]) {
        self.reserved = self.reserved.saturating_sub(made.len() as u64);
    }

    fn show(&mut self, made: &[Made]) {
        // Others may have been published before, though their ids are higher.
        let is_behind = |last: &DeviceEntry| made.first().is_some_and(|made| made.entry.id < last.id);
        let is_mixed = self.devices.last().is_some_and(is_behind);
        self.devices.extend(made.iter().map(|made| made.entry.clone()));
        if is_mixed {
            self.devices.sort_unstable_by_key(|device| device.id);
        }
        if let Some(fleet) = &mut self.fleet {
            for Made { entry, token } in made {
                let record = Device::new(entry.name.clone(), entry.template, *token, clock::now_ms());
                fleet.put(entry.org, entry.id, &record);
            }
        }
        if let Some(tokens) = &mut self.tokens {
            tokens.extend(made.iter().map(|made| (made.entry.id, made.token)));
        }
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
        if self.devices.len() as u64 + self.reserved + u64::from(count) > u64::from(limits::DEVICES) {
            return Err(RegistryError::Full);
        }
        Ok(())
    }

    fn next(&mut self, org: OrgId, name: &str, template: Option<TemplateId>, token: Token) -> Made {
        self.last_id += 1;
        // Ids start at 1 and are bounded by `limits::DEVICES`.
        let id = DeviceId::new(self.last_id).unwrap_or_else(|| unreachable!("ids start at 1"));
        Made { entry: DeviceEntry { id, org, name: name.into(), template, token_epoch: 0 }, token }
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

    /// A device leaves the shards, for good. It stays in the list until it is removed.
    pub(crate) fn leave(&mut self, id: DeviceId) {
        self.leaving.insert(id);
    }

    /// An organization is erased, for good: nothing is added to it any more. Returns its devices.
    pub(crate) fn leave_org(&mut self, org: OrgId) -> Vec<DeviceEntry> {
        self.erased.insert(org);
        self.devices.iter().filter(|device| device.org == org).cloned().collect()
    }

    /// Forget a device; returns it. Its id is never used again.
    pub fn remove(&mut self, id: DeviceId) -> Option<DeviceEntry> {
        self.leaving.remove(&id);
        let at = self.devices.binary_search_by_key(&id, |device| device.id).ok()?;
        if let Some(tokens) = &mut self.tokens {
            tokens.remove(&id);
        }
        Some(self.devices.remove(at))
    }

    /// Forget all devices of an organization.
    pub(crate) fn remove_org(&mut self, org: OrgId) {
        for device in self.devices.iter().filter(|device| device.org == org) {
            self.leaving.remove(&device.id);
            self.tokens.as_mut().and_then(|tokens| tokens.remove(&device.id));
        }
        self.devices.retain(|device| device.org != org);
    }

    /// A device that shards are to serve.
    #[must_use]
    pub(crate) fn served(&self, id: DeviceId) -> Option<&DeviceEntry> {
        self.device(id).filter(|_| !self.leaving.contains(&id))
    }

    /// The digest of a token, as shards compute it.
    #[must_use]
    pub fn digest(&self, token: &Token) -> Digest {
        digest(&self.digest_key, token)
    }

    /// What the home of a device must be told of it.
    #[must_use]
    pub fn introduce(&self, device: &DeviceEntry) -> (ShardId, Command) {
        let add = Command::AddDevice {
            device: device.id,
            org: device.org,
            template: device.template,
            token_epoch: device.token_epoch,
        };
        (home_of(device.id, self.shards), add)
    }

    /// What the owner of a token's index entry must be told, so that the device can log in.
    #[must_use]
    pub fn index(&self, device: DeviceId, digest: Digest) -> (ShardId, Command) {
        let epoch = self.device(device).map_or(0, |device| device.token_epoch);
        told(self.shards, digest, TokenRight { device, epoch })
    }

    /// [`Registry::index`] for the tokens of all devices, in any order: tokens come by their digests, and a search for the
    /// device of each of a million would miss the caches twenty times.
    #[must_use]
    pub fn indexer(&self) -> Indexer {
        let with_later = self.devices.iter().filter(|device| device.token_epoch > 0);
        Indexer { shards: self.shards, epochs: with_later.map(|device| (device.id, device.token_epoch)).collect() }
    }
}

/// What owners of index entries are told of the tokens of a registry's devices, as it was when this was made.
#[derive(Debug)]
pub struct Indexer {
    shards: u16,
    /// Of devices that had a token before the present one.
    epochs: HashMap<DeviceId, u16>,
}

impl Indexer {
    /// See [`Registry::index`].
    #[must_use]
    pub fn index(&self, device: DeviceId, digest: Digest) -> (ShardId, Command) {
        let epoch = self.epochs.get(&device).copied().unwrap_or(0);
        told(self.shards, digest, TokenRight { device, epoch })
    }
}

fn told(shards: u16, digest: Digest, right: TokenRight) -> (ShardId, Command) {
    (index_owner_of(&digest, shards), Command::IndexToken { digest, right })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_indexer_says_of_every_token_what_the_registry_says() {
        let mut registry = Registry::new(4, [1; 32]);
        let _ = registry.add(&NewDevices { count: 9, ..NewDevices::default() }).expect("room");
        for (at, epoch) in [(2, 1), (8, 700)] {
            registry.devices[at].token_epoch = epoch;
        }
        let indexer = registry.indexer();
        for id in (1..=10).filter_map(DeviceId::new) {
            let digest = Digest([id.get() as u8; 16]);
            assert_eq!(format!("{:?}", indexer.index(id, digest)), format!("{:?}", registry.index(id, digest)));
        }
    }

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
            token_epoch: 0,
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

    #[test]
    fn reserved_devices_are_seen_when_they_are_published_in_any_order() {
        let mut registry = Registry::new(1, [1; 32]);
        let two = NewDevices { count: 2, ..NewDevices::default() };
        let (first, second) = (registry.reserve(&two).expect("room"), registry.reserve(&two).expect("room"));
        let failed = registry.reserve(&two).expect("room");
        assert!(registry.devices().is_empty());
        registry.publish(&second).expect("nobody is erased");
        registry.give_up(&failed);
        registry.publish(&first).expect("nobody is erased");
        let ids: Vec<_> = registry.devices().iter().map(|device| device.id.get()).collect();
        assert_eq!(ids, [1, 2, 3, 4]);
        assert_eq!(registry.device(second[1].entry.id).map(|device| device.id.get()), Some(4));
        assert_eq!(registry.reserved, 0);
    }

    #[test]
    fn nothing_is_added_to_an_organization_that_is_erased() {
        let mut registry = Registry::new(1, [1; 32]);
        let org = OrgId::new(2).expect("not zero");
        let new = NewDevices { org, ..NewDevices::default() };
        let known = registry.add(&new).expect("room");
        let late = registry.reserve(&new).expect("room");
        assert_eq!(registry.leave_org(org).iter().map(|device| device.id).collect::<Vec<_>>(), [known[0].entry.id]);
        assert_eq!(registry.publish(&late), Err(RegistryError::OrgIsErased(org)));
        assert_eq!(registry.reserve(&new).map(drop), Err(RegistryError::OrgIsErased(org)));
        registry.remove_org(org);
        assert!(registry.devices().is_empty());
    }

    #[test]
    fn a_template_is_written_by_one_at_a_time() {
        let mut registry = Registry::new(1, [1; 32]);
        let template = |name: &str| {
            Template::new(TemplateId::parse(b"TMPLpump").expect("valid"), name.into(), Vec::new(), Vec::new())
        };
        let entry = registry.reserve_template(template("one")).expect("room");
        let id = entry.template().id;
        assert_eq!(registry.reserve_template(template("two")), Err(RegistryError::TemplateIsWritten(id)));
        assert!(!registry.publish_template(entry.clone()) && registry.template(id) == Some(&entry));
        let again = registry.reserve_template(template("two")).expect("free again");
        assert_eq!(again.number, entry.number);
        registry.give_up_template(id);
        assert_eq!(registry.template(id), Some(&entry), "the disk did not take it");
    }

    #[test]
    fn a_leaving_device_is_served_no_more() {
        let mut registry = Registry::new(1, [1; 32]);
        let id = registry.add(&NewDevices::default()).expect("room")[0].entry.id;
        assert!(registry.served(id).is_some());
        registry.leave(id);
        assert!(registry.served(id).is_none() && registry.device(id).is_some());
        assert!(registry.remove(id).is_some() && registry.leaving.is_empty());
    }
}

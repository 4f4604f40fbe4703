//! What control writes to the store and reads from it. All of it blocks for the disk: never on the runtime's thread.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, OrgId, Token};
use linchpin_storage::schema::{
    Counter, CounterName, Device, DeviceKey, DiaryKind, DiaryRecord, IndexEntry, Org, ShareRecord, TemplateKey,
    TemplateRecord,
};
use linchpin_storage::{Batch, Class, Error, FileShelf, Store};

use crate::access::{Permission, Permissions};
use crate::clock::now_ms;
use crate::limits;
use crate::registry::{DeviceEntry, Loaded, Made, TemplateEntry};

/// The store, as control uses it. Copies are cheap.
#[derive(Clone, Debug)]
pub struct Keep {
    store: Arc<Store>,
}

impl Keep {
    /// On an open store.
    #[must_use]
    pub const fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// The way to files.
    #[must_use]
    pub fn files(&self) -> FileShelf {
        self.store.files()
    }

    /// The store itself.
    #[must_use]
    pub const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Who exists. A new store gets its first organization.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn load(&self) -> Result<Loaded, Error> {
        if self.store.get::<Org>(&OrgId::FIRST)?.is_none() {
            self.add_org(OrgId::FIRST, "Linchpin")?;
        }
        let mut loaded = Loaded::default();
        self.store.scan::<TemplateRecord>(|key, record| {
            loaded.templates.push(TemplateEntry { number: key.template(), org: key.org(), record });
            ControlFlow::Continue(())
        })?;
        self.store.scan::<Device>(|key, device| {
            loaded.fleet.put(key.org(), key.device(), &device);
            let Device { name, template, token_epoch, .. } = device;
            loaded.devices.push(DeviceEntry { id: key.device(), org: key.org(), name, template, token_epoch });
            ControlFlow::Continue(())
        })?;
        if self.store.present().has_people() {
            self.store.scan::<ShareRecord>(|key, share| {
                if Permissions::from_bits(share.bits).has(Permission::DeviceView) {
                    loaded.fleet.share(key.device(), (key.user_org(), key.user()), Some(share.until_ms));
                }
                ControlFlow::Continue(())
            })?;
        }
        let next = self.store.get::<Counter>(&CounterName::Template)?.map_or(1, |counter| counter.0);
        loaded.last_template = u32::try_from(next - 1).unwrap_or(u32::MAX);
        // Keys are ordered by organization first.
        loaded.devices.sort_unstable_by_key(|device| device.id);
        loaded.templates.sort_unstable_by_key(|template| template.number);
        let next = self.store.get::<Counter>(&CounterName::Device)?.map_or(1, |counter| counter.0);
        loaded.last_device = u32::try_from(next - 1).unwrap_or(u32::MAX);
        Ok(loaded)
    }

    /// Is there such an organization?
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn has_org(&self, org: OrgId) -> Result<bool, Error> {
        match self.store.get::<Org>(&org) {
            Err(Error::Erased { .. }) => Ok(false),
            found => Ok(found?.is_some()),
        }
    }

    /// Is there such an organization, erased or not?
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn knows_org(&self, org: OrgId) -> Result<bool, Error> {
        match self.store.get::<Org>(&org) {
            Err(Error::Erased { .. }) => Ok(true),
            found => Ok(found?.is_some()),
        }
    }

    /// Make an organization.
    ///
    /// # Errors
    /// The store cannot be written, or the number was used before.
    pub fn add_org(&self, org: OrgId, name: &str) -> Result<(), Error> {
        self.store.add_org(org)?;
        let mut batch = self.store.batch();
        batch.put(&org, &Org::new(name, None, now_ms()))?;
        batch.put(&CounterName::Org, &Counter(u64::from(org.get()) + 1))?;
        self.store.commit(Class::A, batch)
    }

    /// Keep new devices with their tokens; durable when it returns.
    ///
    /// # Errors
    /// The store cannot be written: some of the first ones may be kept.
    pub fn add_devices(&self, made: &[Made]) -> Result<(), Error> {
        let mut batch = self.store.batch();
        for device in made {
            self.put_device(&mut batch, device)?;
            if batch.len_bytes() > limits::KEEP_BATCH_BYTES {
                self.store.commit(Class::A, std::mem::replace(&mut batch, self.store.batch()))?;
            }
        }
        if batch.is_empty() { Ok(()) } else { self.store.commit(Class::A, batch) }
    }

    fn put_device(&self, batch: &mut Batch, made: &Made) -> Result<(), Error> {
        let Made { entry, token } = made;
        let key = DeviceKey::new(entry.org, entry.id);
        let (name, template) = (entry.name.clone(), entry.template);
        let device = Device::new(name, template, *token, now_ms());
        batch.put(&key, &device)?;
        batch.put_index(&self.store.token_digest(token), &IndexEntry { org: entry.org, number: entry.id.get() })?;
        // In the batch that uses the number: it is never given out again.
        batch.put(&CounterName::Device, &Counter(u64::from(entry.id.get()) + 1))
    }

    /// Change the name and the template of a device; durable when it returns.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn change_device(&self, entry: &DeviceEntry) -> Result<(), Error> {
        let key = DeviceKey::new(entry.org, entry.id);
        let Some(known) = self.store.get::<Device>(&key)? else { return Ok(()) };
        let mut batch = self.store.batch();
        batch.put(&key, &Device { name: entry.name.clone(), template: entry.template, ..known })?;
        self.store.commit(Class::A, batch)
    }

    /// Keep a template; durable when it returns.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn put_template(&self, entry: &TemplateEntry) -> Result<(), Error> {
        let mut batch = self.store.batch();
        let key = TemplateKey::new(entry.org, entry.number);
        batch.put(&key, &entry.record)?;
        self.store.commit(Class::A, batch)
    }

    /// Erase a device; nothing of it can be read any more when it returns.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn erase_device(&self, entry: &DeviceEntry) -> Result<(), Error> {
        self.store.erase_device(DeviceKey::new(entry.org, entry.id))
    }

    /// The token of a device.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn token(&self, entry: &DeviceEntry) -> Result<Option<Token>, Error> {
        let key = DeviceKey::new(entry.org, entry.id);
        Ok(self.store.get::<Device>(&key)?.map(|device| device.token))
    }

    /// The last ends of a device's connections that are older than this process, oldest first: Unix ms, code.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn diary(&self, entry: &DeviceEntry, uptime_ms: u64, room: usize) -> Result<Vec<(u64, Box<str>)>, Error> {
        let begun_ms = now_ms().saturating_sub(uptime_ms);
        let mut lines = VecDeque::new();
        self.store.scan_device::<DiaryRecord>(DeviceKey::new(entry.org, entry.id), |key, line| {
            if key.at_ms >= begun_ms {
                return ControlFlow::Break(());
            }
            if line.kind == DiaryKind::Offline {
                if lines.len() == room {
                    lines.pop_front();
                }
                lines.push_back((key.at_ms, line.reason));
            }
            ControlFlow::Continue(())
        })?;
        Ok(lines.into())
    }

    /// The device that has a token.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn find(&self, token: &Token) -> Result<Option<DeviceId>, Error> {
        let entry = self.store.lookup(&self.store.token_digest(token))?;
        Ok(entry.and_then(|entry| DeviceId::new(entry.number)))
    }
}

//! A device goes to another organization: its records get new keys in one batch, its history follows.

use std::ops::ControlFlow;

use linchpin_protocol::model::{DeviceId, OrgId};
use linchpin_storage::schema::{Actor, Device, DeviceKey, IndexEntry, Latest, Properties, ShareKey, ShareRecord};

use super::{Loader, LoaderFault, by_of};
use crate::TemplateEntry;
use crate::access::{Scope, right};
use crate::audit::{AuditAction, Note, ObjectKind};

impl Loader {
    /// Move a device from the organization of one scope to that of another; returns it as it is there. It keeps its id, its
    /// token and its values; its shares end; whoever takes it over owns it, if they are a person. Its history is still to be
    /// moved, by [`Loader::move_history`], which the record says.
    ///
    /// # Errors
    /// [`LoaderFault`]: it is missing, it is there already, or the template is not to be had there.
    pub fn move_device(
        &self,
        leave: &Scope<right::DeviceTransfer>,
        enter: &Scope<right::DeviceCreate>,
        device: DeviceId,
        template: Option<&TemplateEntry>,
        now_ms: u64,
    ) -> Result<Device, LoaderFault> {
        let (from, to) = (leave.org(), enter.org());
        if from == to {
            return Err(LoaderFault::Conflict("the device is in this organization already"));
        }
        // What is collected of its latest values comes along.
        let latest = self.store.latest(DeviceKey::new(from, device))?;
        let mut change = self.ledger.change(by_of(enter), &[from, to], now_ms);
        let (old, before) = self.held(leave, device, now_ms)?;
        if before.moved_from.is_some() {
            return Err(LoaderFault::Conflict("the history of the device is still on its way: try again in a moment"));
        }
        let is_had = |id| template.is_some_and(|entry| entry.template().id == id && self.is_template_for(to, entry));
        if before.template.is_some_and(|id| !is_had(id)) {
            return Err(LoaderFault::Conflict("the template of the device is not given to that organization"));
        }
        let new = DeviceKey::new(to, device);
        let owner = match enter.actor() {
            Actor::Person(home, user) => Some((home, user)),
            _ => None,
        };
        let after = Device { owner, moved_from: Some(from), ..before.clone() };
        change.batch.put(&new, &after)?;
        change.batch.delete::<Device>(&old)?;
        // Nothing of the journal is in it yet, under this key.
        change.batch.put(&new, &Latest { applied: 0, ..latest })?;
        change.batch.delete::<Latest>(&old)?;
        if let Some(properties) = self.store.get::<Properties>(&old)? {
            change.batch.put(&new, &properties)?;
            change.batch.delete::<Properties>(&old)?;
        }
        let entry = IndexEntry { org: to, number: device.get() };
        change.batch.put_index(&self.store.token_digest(&before.token), &entry)?;
        for share in self.share_keys(old)? {
            change.batch.delete::<ShareRecord>(&share)?;
        }
        let note = |action| Note::new(action, ObjectKind::Device, device.get(), &before.name);
        change.note(from, note(AuditAction::DeviceLeave).with("organization", from, to))?;
        change.commit(to, note(AuditAction::DeviceEnter).with("organization", from, to))?;
        Ok(after)
    }

    fn share_keys(&self, device: DeviceKey) -> Result<Vec<ShareKey>, LoaderFault> {
        let mut found = Vec::new();
        self.store.scan_device::<ShareRecord>(device, |key, _| {
            found.push(key);
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Bring the history of a device after it, and say so in its record. For the server itself, once the device's home writes
    /// under the new organization; it may be repeated.
    ///
    /// # Errors
    /// The store.
    pub(crate) fn move_history(&self, org: OrgId, device: DeviceId) -> Result<(), LoaderFault> {
        let key = DeviceKey::new(org, device);
        let Some(from) = self.store.get::<Device>(&key)?.and_then(|record| record.moved_from) else { return Ok(()) };
        self.store.move_history(device, from, org)?;
        // Whoever changes the record meanwhile holds the organization.
        let mut change = self.ledger.change(crate::audit::By::system(), &[org], 0);
        let Some(record) = self.store.get::<Device>(&key)? else { return Ok(()) };
        change.batch.put(&key, &Device { moved_from: None, ..record })?;
        Ok(change.commit_silently()?)
    }

    /// Devices whose history is not all there yet: the server ended while it moved.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn moving(&self) -> Result<Vec<(OrgId, DeviceId)>, LoaderFault> {
        let mut found = Vec::new();
        self.store.scan::<Device>(|key, record| {
            if record.moved_from.is_some() {
                found.push((key.org(), key.device()));
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }
}

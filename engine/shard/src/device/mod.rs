//! One device at its home: what outlives its connections.

pub(crate) mod absence;
pub(crate) mod attributes;
pub(crate) mod catalog;
pub(crate) mod firmware;
pub(crate) mod quota;
pub(crate) mod templates;
pub(crate) mod values;
pub(crate) mod verbs;

use std::collections::BTreeMap;

use linchpin_protocol::model::{DeviceId, Millis, OrgId};

use crate::device::attributes::Attributes;
use crate::device::firmware::BlobId;
use crate::device::quota::{Bucket, Flood};
use crate::device::values::Values;
use crate::{End, Slot};

/// What few devices have.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// Properties, metadata, events.
    pub(crate) attributes: Attributes,
    /// Drops by the message quota.
    pub(crate) flood: Flood,
    /// Properties or metadata changed since the store was given them.
    pub(crate) is_changed: bool,
    /// Quota of PINGs in quick succession.
    pub(crate) pings: Option<Bucket>,
    /// Quota of HTTP requests.
    pub(crate) requests: Option<Bucket>,
    /// Requests that it refused.
    pub(crate) refusals: Flood,
    /// Quota of what bridges of other devices write.
    pub(crate) bridged: Option<Bucket>,
}

/// The record of a device.
#[derive(Debug)]
pub(crate) struct Device {
    /// Latest value of each pin.
    pub(crate) values: Values,
    /// Properties and the like.
    pub(crate) rare: Option<Box<Rare>>,
    /// Message quota.
    pub(crate) messages: Bucket,
    /// Login quota.
    pub(crate) logins: Bucket,
    /// Its organization.
    pub(crate) org: OrgId,
    /// The id.
    pub(crate) id: DeviceId,
    /// Its connection.
    pub(crate) slot: Option<SlotNiche>,
    /// What its firmware said of itself.
    pub(crate) firmware: Option<BlobId>,
    /// When it was last heard, Unix seconds; 0 = never.
    pub(crate) seen_s: u32,
    /// Position of its template + 1; 0 = none.
    pub(crate) template: u16,
    /// How the previous connection ended.
    pub(crate) last_end: Option<End>,
}

/// A slot in 4 bytes with room for `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotNiche(std::num::NonZeroU32);

impl SlotNiche {
    pub(crate) fn new(slot: Slot) -> Self {
        Self(std::num::NonZeroU32::MIN.saturating_add(slot.0))
    }

    pub(crate) fn get(self) -> Slot {
        Slot(self.0.get() - 1)
    }
}

// The other half of what an idle device costs: docs/limits.md.
const _: () = assert!(size_of::<Device>() == crate::limits::DEVICE_BYTES);
const _: () = assert!(size_of::<(DeviceId, u32)>() == crate::limits::DEVICE_POSITION_BYTES);

impl Device {
    pub(crate) fn connection(&self) -> Option<Slot> {
        self.slot.map(SlotNiche::get)
    }

    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

/// The devices that live on this shard.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    table: Vec<Device>,
    /// Ascending ids with their positions: ids are given in order, so adding appends and no hash table is needed.
    by_id: Vec<(DeviceId, u32)>,
    /// Which token is the last one, of devices whose first was replaced.
    token_epochs: BTreeMap<DeviceId, u16>,
}

impl Devices {
    /// Add a device; a known one gets another organization and template.
    pub(crate) fn add(&mut self, id: DeviceId, org: OrgId, template: u16, now: Millis, settings: &crate::Settings) {
        let at = match self.by_id.binary_search_by_key(&id, |e| e.0) {
            Ok(at) => {
                let known = &mut self.table[self.by_id[at].1 as usize];
                (known.org, known.template) = (org, template);
                return;
            }
            Err(at) => at,
        };
        self.by_id.insert(at, (id, self.table.len() as u32));
        self.table.push(Device {
            values: Values::default(),
            rare: None,
            messages: Bucket::full(settings.message_burst, now),
            logins: Bucket::full(crate::limits::TAKEOVER_BURST, now),
            org,
            id,
            slot: None,
            firmware: None,
            seen_s: 0,
            template,
            last_end: None,
        });
    }

    /// Forget a device; its position is not used again. Returns it.
    pub(crate) fn remove(&mut self, id: DeviceId) -> Option<u32> {
        let at = self.by_id.binary_search_by_key(&id, |e| e.0).ok()?;
        let position = self.by_id.remove(at).1;
        self.token_epochs.remove(&id);
        let device = &mut self.table[position as usize];
        (device.values, device.rare) = (Values::default(), None);
        Some(position)
    }

    /// Which of its tokens is the last one.
    pub(crate) fn token_epoch(&self, id: DeviceId) -> u16 {
        if self.token_epochs.is_empty() { 0 } else { self.token_epochs.get(&id).copied().unwrap_or(0) }
    }

    pub(crate) fn set_token_epoch(&mut self, id: DeviceId, epoch: u16) {
        self.token_epochs.insert(id, epoch);
    }

    pub(crate) fn reserve(&mut self, devices: usize) {
        self.table.reserve_exact(devices);
        self.by_id.reserve_exact(devices);
    }

    /// Position of a device.
    pub(crate) fn find(&self, id: DeviceId) -> Option<u32> {
        self.by_id.binary_search_by_key(&id, |e| e.0).ok().map(|at| self.by_id[at].1)
    }

    /// Positions of devices with ids above `after`, ascending.
    pub(crate) fn above(&self, after: u32) -> impl Iterator<Item = u32> {
        let from = self.by_id.partition_point(|e| e.0.get() <= after);
        self.by_id[from..].iter().map(|e| e.1)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Device)> {
        self.table.iter().enumerate().map(|(ix, d)| (ix as u32, d))
    }
}

impl std::ops::Index<u32> for Devices {
    type Output = Device;
    fn index(&self, at: u32) -> &Device {
        &self.table[at as usize]
    }
}

impl std::ops::IndexMut<u32> for Devices {
    fn index_mut(&mut self, at: u32) -> &mut Device {
        &mut self.table[at as usize]
    }
}

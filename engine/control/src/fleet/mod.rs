//! All devices in memory, for lists: who they are, whose they are, when they came and went. A list of ten thousand among a
//! million is answered without the disk and, but for live values, without the shards.
//!
//! It follows the store: whoever changes a device puts it here once the change is durable. Presence and metadata belong to
//! the homes of the devices; they are asked which have changed, at most once in [`crate::limits::FLEET_FRESH`].
//!
//! | file | what |
//! |---|---|
//! | [`desk`] | the index as commands use it |
//! | [`interned`] | values that many devices share |
//! | [`query`] | which devices, in which order |
//! | [`page`] | a page of them, and where the next begins |
//! | [`follow`] | what the homes have changed |

mod desk;
mod follow;
mod interned;
mod page;
mod query;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, OrgId, TemplateId};
use linchpin_storage::schema::Device;

use crate::access::PersonRef;
use interned::Interned;

pub(crate) use desk::FleetDesk;
pub(crate) use follow::presence;
pub use page::{Cursor, CursorFault, CursorKey};
pub use query::{DeviceFilter, DeviceSort, FoundDevice, FoundPage, Show, StateCounts};

/// What is known of where a device is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// It is connected.
    pub is_online: bool,
    /// When it came or went, Unix s; 0: it never was here.
    pub since_s: u32,
    /// When it was last heard, Unix s; 0: never.
    pub seen_s: u32,
    /// The code of the end of its last connection that somebody should look at; 0: none.
    pub trouble: u16,
}

/// Where a device is, as the index knows it.
pub(crate) fn presence_of(fleet: &Fleet, device: DeviceId) -> Presence {
    fleet.row(device).map_or_else(Presence::default, |(_, row)| Presence {
        is_online: row.is_online,
        since_s: row.since_s,
        seen_s: row.seen_s,
        trouble: row.trouble,
    })
}

/// A device in the index. What many share is a number.
#[derive(Debug)]
struct Row {
    name: Arc<str>,
    id: DeviceId,
    template: u32,
    owner: u32,
    tags: u32,
    created_s: u32,
    since_s: u32,
    seen_s: u32,
    trouble: u16,
    is_online: bool,
}

/// Bytes of a device's row, and those that lead from its id to its organization.
pub const ROW_BYTES: usize = 48 + 4;
const _: () = assert!(size_of::<Row>() + size_of::<u32>() == ROW_BYTES);
// A list grows by a sixteenth, so that no more than that is unused.
const _: () = assert!(ROW_BYTES + ROW_BYTES / 16 <= 64, "the index costs at most 64 bytes a device besides its texts");

/// A share as lists need it: until when it counts, ms since 1970; 0: for ever.
type Shares = HashMap<PersonRef, BTreeMap<DeviceId, u64>>;

/// Fields of a device's metadata: number of the name, value.
type Fields = Box<[(u32, Box<str>)]>;

/// See the module's page.
#[derive(Debug, Default)]
pub struct Fleet {
    /// Devices of each organization in the order of their ids.
    orgs: HashMap<OrgId, Vec<Row>>,
    /// The organization of each id; 0: no such device.
    homes: Vec<u32>,
    templates: Interned<TemplateId>,
    people: Interned<PersonRef>,
    tags: Interned<Box<str>>,
    sets: Interned<Box<[u32]>>,
    /// Of devices that have some: field and value, in the order of the fields.
    metadata: HashMap<DeviceId, Fields>,
    fields: Interned<Box<str>>,
    /// Devices that are shared with a person.
    shares: Shares,
    /// Devices that waited for their board when this was loaded.
    waiting: HashMap<DeviceId, (OrgId, u64)>,
}

/// A device as somebody looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetDevice {
    /// Its id.
    pub id: DeviceId,
    /// Its organization.
    pub org: OrgId,
    /// Its name.
    pub name: Arc<str>,
    /// Its template.
    pub template: Option<TemplateId>,
    /// Who owns it.
    pub owner: Option<PersonRef>,
    /// Its tags, ascending.
    pub tags: Vec<Box<str>>,
    /// When it was made, Unix s.
    pub created_s: u32,
    /// Where it is.
    pub presence: Presence,
}

impl Fleet {
    /// How many devices there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.orgs.values().map(Vec::len).sum()
    }

    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.orgs.values().all(Vec::is_empty)
    }

    /// How many devices an organization has.
    #[must_use]
    pub fn count(&self, org: OrgId) -> usize {
        self.orgs.get(&org).map_or(0, Vec::len)
    }

    /// How many devices have a template, in all organizations.
    #[must_use]
    pub fn with_template(&self, template: &TemplateId) -> usize {
        let number = self.templates.number(template);
        self.templates.iter().find(|(known, ..)| Some(*known) == number).map_or(0, |(.., uses)| uses as usize)
    }

    /// How many devices of an organization have a template, for all templates that one has.
    #[must_use]
    pub fn templates_at(&self, org: OrgId) -> HashMap<TemplateId, usize> {
        let mut counts = HashMap::<u32, usize>::new();
        self.orgs.get(&org).into_iter().flatten().for_each(|row| *counts.entry(row.template).or_default() += 1);
        counts.into_iter().filter_map(|(number, count)| Some((*self.templates.get(number)?, count))).collect()
    }

    /// How many devices a person owns, in all organizations.
    #[must_use]
    pub fn owned_by(&self, person: PersonRef) -> usize {
        let number = self.people.number(&person);
        self.people.iter().find(|(known, ..)| Some(*known) == number).map_or(0, |(.., uses)| uses as usize)
    }

    /// Bytes of the rows, with what is reserved for more, and without texts.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        let rows: usize = self.orgs.values().map(Vec::capacity).sum();
        rows * size_of::<Row>() + self.homes.capacity() * size_of::<u32>()
    }

    /// Devices that waited for their board when this was loaded, with their organization and until when.
    pub(crate) fn take_waiting(&mut self) -> HashMap<DeviceId, (OrgId, u64)> {
        std::mem::take(&mut self.waiting)
    }

    /// The organization of a device.
    #[must_use]
    pub fn home(&self, device: DeviceId) -> Option<OrgId> {
        self.homes.get(device.get() as usize).copied().and_then(OrgId::new)
    }

    fn row(&self, device: DeviceId) -> Option<(OrgId, &Row)> {
        let org = self.home(device)?;
        let rows = self.orgs.get(&org)?;
        let at = rows.binary_search_by_key(&device, |row| row.id).ok()?;
        Some((org, &rows[at]))
    }

    fn row_mut(&mut self, device: DeviceId) -> Option<&mut Row> {
        let org = self.home(device)?;
        let rows = self.orgs.get_mut(&org)?;
        let at = rows.binary_search_by_key(&device, |row| row.id).ok()?;
        Some(&mut rows[at])
    }

    /// Devices of an organization that a person owns.
    #[must_use]
    pub fn owned_in(&self, org: OrgId, person: PersonRef) -> Vec<DeviceId> {
        let Some(number) = self.people.number(&person) else { return Vec::new() };
        let rows = self.orgs.get(&org).into_iter().flatten();
        rows.filter(|row| row.owner == number).map(|row| row.id).collect()
    }

    /// Devices that are shared with a person and may be seen.
    #[must_use]
    pub fn shared_with(&self, person: PersonRef, now_ms: u64) -> Vec<DeviceId> {
        let shares = self.shares.get(&person).into_iter().flatten();
        shares.filter(|(_, until_ms)| **until_ms == 0 || now_ms < **until_ms).map(|(device, _)| *device).collect()
    }

    /// One device.
    #[must_use]
    pub fn device(&self, device: DeviceId) -> Option<FleetDevice> {
        self.row(device).map(|(org, row)| self.shown(org, row))
    }

    fn shown(&self, org: OrgId, row: &Row) -> FleetDevice {
        let tags = self.sets.get(row.tags).map_or(&[][..], |set| set);
        let mut tags: Vec<Box<str>> = tags.iter().filter_map(|tag| self.tags.get(*tag).cloned()).collect();
        tags.sort_unstable();
        let presence =
            Presence { is_online: row.is_online, since_s: row.since_s, seen_s: row.seen_s, trouble: row.trouble };
        FleetDevice {
            id: row.id,
            org,
            name: Arc::clone(&row.name),
            template: self.templates.get(row.template).copied(),
            owner: self.people.get(row.owner).copied(),
            tags,
            created_s: row.created_s,
            presence,
        }
    }

    /// A device's metadata, by name.
    #[must_use]
    pub fn metadata(&self, device: DeviceId) -> Vec<(Box<str>, Box<str>)> {
        let Some(fields) = self.metadata.get(&device) else { return Vec::new() };
        let named = |(field, value): &(u32, Box<str>)| Some((self.fields.get(*field)?.clone(), value.clone()));
        let mut all: Vec<_> = fields.iter().filter_map(named).collect();
        all.sort_unstable();
        all
    }

    /// A device is new, or was changed: as it is stored now. Its presence stays.
    pub fn put(&mut self, org: OrgId, device: DeviceId, record: &Device) {
        let known = self.take(device);
        let presence = known.map_or_else(Presence::default, |row| Presence {
            is_online: row.is_online,
            since_s: row.since_s,
            seen_s: row.seen_s,
            trouble: row.trouble,
        });
        let mut set: Vec<u32> = record.tags.iter().map(|tag| self.tags.take(tag)).collect();
        set.sort_unstable();
        let tags = self.take_set(&set);
        let row = Row {
            name: Arc::from(&*record.name),
            id: device,
            template: record.template.as_ref().map_or(0, |template| self.templates.take(template)),
            owner: record.owner.as_ref().map_or(0, |owner| self.people.take(owner)),
            tags,
            created_s: (record.created_ms / 1_000) as u32,
            since_s: presence.since_s,
            seen_s: presence.seen_s,
            trouble: presence.trouble,
            is_online: presence.is_online,
        };
        let rows = self.orgs.entry(org).or_default();
        if rows.len() == rows.capacity() {
            rows.reserve_exact(rows.len() / 16 + 1);
        }
        // Ids ascend, so most are the last of their organization.
        let at = rows.binary_search_by_key(&device, |row| row.id).unwrap_or_else(|at| at);
        rows.insert(at, row);
        let at = device.get() as usize;
        if at >= self.homes.len() {
            if at >= self.homes.capacity() {
                self.homes.reserve_exact(at + at / 16 + 1 - self.homes.len());
            }
            self.homes.resize(at + 1, 0);
        }
        self.homes[at] = org.get();
        if record.pending_until_ms > 0 {
            self.waiting.insert(device, (org, record.pending_until_ms));
        } else {
            self.waiting.remove(&device);
        }
    }

    /// The number of a set of tags. Each tag is used once by each set, not by each device.
    fn take_set(&mut self, set: &[u32]) -> u32 {
        if set.is_empty() {
            return 0;
        }
        let boxed: Box<[u32]> = set.into();
        if self.sets.number(&boxed).is_some() {
            // The set uses its tags already.
            set.iter().for_each(|tag| drop(self.tags.release(*tag)));
        }
        self.sets.take(&boxed)
    }

    /// Take a row out, with what it uses of the shared values.
    fn take(&mut self, device: DeviceId) -> Option<Row> {
        let org = self.home(device)?;
        let rows = self.orgs.get_mut(&org)?;
        let at = rows.binary_search_by_key(&device, |row| row.id).ok()?;
        let row = rows.remove(at);
        if rows.is_empty() {
            self.orgs.remove(&org);
        }
        self.homes[device.get() as usize] = 0;
        self.templates.release(row.template);
        self.people.release(row.owner);
        if let Some(set) = self.sets.release(row.tags) {
            set.iter().for_each(|tag| drop(self.tags.release(*tag)));
        }
        Some(row)
    }

    /// A device is gone.
    pub fn remove(&mut self, device: DeviceId) {
        self.take(device);
        self.describe(device, &[]);
        self.unshare_all(device);
        self.waiting.remove(&device);
    }

    /// All devices of an organization are gone.
    pub fn remove_org(&mut self, org: OrgId) {
        let devices: Vec<DeviceId> = self.orgs.get(&org).into_iter().flatten().map(|row| row.id).collect();
        devices.into_iter().for_each(|device| self.remove(device));
    }

    /// A device came or went.
    pub fn set_presence(&mut self, device: DeviceId, presence: Presence) {
        if let Some(row) = self.row_mut(device) {
            let Presence { is_online, since_s, seen_s, trouble } = presence;
            (row.is_online, row.since_s, row.seen_s, row.trouble) = (is_online, since_s, seen_s, trouble);
        }
    }

    /// All metadata of a device, as they are now.
    pub fn describe(&mut self, device: DeviceId, metadata: &[(Box<str>, Box<str>)]) {
        for (field, _) in self.metadata.remove(&device).into_iter().flatten() {
            self.fields.release(field);
        }
        if metadata.is_empty() || self.home(device).is_none() {
            return;
        }
        let fields = metadata.iter().map(|(name, value)| (self.fields.take(name), value.clone())).collect();
        self.metadata.insert(device, fields);
    }

    /// A device is shared with a person, or no more.
    pub fn share(&mut self, device: DeviceId, person: PersonRef, until_ms: Option<u64>) {
        let shares = self.shares.entry(person).or_default();
        match until_ms {
            Some(until_ms) => drop(shares.insert(device, until_ms)),
            None => drop(shares.remove(&device)),
        }
        if shares.is_empty() {
            self.shares.remove(&person);
        }
    }

    /// A device is shared with nobody any more.
    pub fn unshare_all(&mut self, device: DeviceId) {
        self.shares.retain(|_, shares| {
            shares.remove(&device);
            !shares.is_empty()
        });
    }

    /// Tags of an organization's devices, ascending.
    #[must_use]
    pub fn tags_of(&self, org: OrgId) -> Vec<Box<str>> {
        let mut sets: Vec<u32> = self.orgs.get(&org).into_iter().flatten().map(|row| row.tags).collect();
        sets.sort_unstable();
        sets.dedup();
        let tags = sets.iter().filter_map(|set| self.sets.get(*set)).flat_map(|set| set.iter());
        let mut names: Vec<Box<str>> = tags.filter_map(|tag| self.tags.get(*tag).cloned()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests;

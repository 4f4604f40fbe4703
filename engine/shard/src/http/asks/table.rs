//! The asks of a shard: which are under way, which have something for control, and what they hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use linchpin_protocol::model::Millis;

use super::ask::{AskPart, AskRef};
use super::shares::{Held, who_pays};
use super::under_way::UnderWay;

use crate::limits::{ASKS, FILES_UNDER_WAY};
use crate::{ConnRef, ShardId, Slot};

/// One ask with its place in the lists.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) under_way: UnderWay,
    owner: [u8; 8],
    is_file: bool,
    /// It stands in `ready`.
    is_ready: bool,
    /// It stands in `soon`.
    is_soon: bool,
    /// What it held when that was last counted.
    counted_bytes: usize,
}

/// See the module's page.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    rows: BTreeMap<Slot, Box<Row>>,
    /// Asks of the table that are answered with files.
    files: usize,
    /// Asks with something for control, in turn.
    ready: VecDeque<Slot>,
    /// Asks that ended while control works on them. None begins before control has heard of all of these, so there are
    /// never more than `ASKS`.
    cancels: VecDeque<AskRef>,
    /// Asks that have something to do at `soon_at`.
    soon: Vec<Slot>,
    soon_at: Option<Millis>,
    /// Connections whose receive is armed by an ask, also after it: they must not be armed again.
    pub(super) armed: BTreeSet<Slot>,
    /// Connections whose client ended its stream during an ask: nothing more comes, what it pipelined is answered.
    pub(super) ended: BTreeSet<Slot>,
    /// Bytes that all rows hold.
    held_bytes: usize,
    next_number: u32,
}

/// Who pays for an ask of this address: see [`who_pays`].
fn owner_of(ip: IpAddr) -> [u8; 8] {
    let mut owner = [0; 8];
    match ip.to_canonical() {
        IpAddr::V4(v4) => owner[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => owner.copy_from_slice(&v6.octets()[..8]),
    }
    owner
}

impl Asks {
    /// A name for the next ask of a connection.
    pub(super) fn name(&mut self, shard: ShardId, slot: Slot, serial: u32) -> AskRef {
        self.next_number = self.next_number.wrapping_add(1);
        AskRef { conn: ConnRef { shard, slot, serial }, number: self.next_number }
    }

    /// Whom one more ask of this address would cost its place: `None`: there is room; the slot itself: the newcomer.
    pub(super) fn payer(&self, slot: Slot, ip: IpAddr) -> Option<Slot> {
        let asks = self.rows.iter().filter(|(_, row)| !row.is_file);
        if self.rows.len() - self.files < ASKS {
            return None;
        }
        // By age: numbers wrap after years.
        let mut held: Vec<_> = asks
            .map(|(&key, row)| {
                let may_end = row.under_way.may_end();
                (row.under_way.name().number, Held { owner: row.owner, key, may_end })
            })
            .collect();
        held.sort_unstable_by_key(|(number, _)| *number);
        let newcomer = Held { owner: owner_of(ip), key: slot, may_end: true };
        who_pays(held.into_iter().map(|(_, held)| held).chain([newcomer]))
    }

    /// Is there room for one more file?
    pub(super) fn has_room_for_file(&self) -> bool {
        self.files < FILES_UNDER_WAY
    }

    pub(super) fn insert(&mut self, slot: Slot, ip: IpAddr, under_way: UnderWay, is_file: bool) {
        let owner = owner_of(ip);
        let row = Row { under_way, owner, is_file, is_ready: false, is_soon: false, counted_bytes: 0 };
        let earlier = self.rows.insert(slot, Box::new(row));
        debug_assert!(earlier.is_none(), "one ask a connection");
        self.files += usize::from(is_file);
        self.count(slot);
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut UnderWay> {
        self.rows.get_mut(&slot).map(|row| &mut row.under_way)
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&UnderWay> {
        self.rows.get(&slot).map(|row| &row.under_way)
    }

    /// Take an ask out. If control works on it, it will be told.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<UnderWay> {
        let row = self.rows.remove(&slot)?;
        self.held_bytes -= row.counted_bytes;
        self.files -= usize::from(row.is_file);
        if row.under_way.is_known() {
            self.cancels.push_back(row.under_way.name());
        }
        Some(row.under_way)
    }

    /// After anything happened to an ask: count what it holds, and note what it has to do. `at`: when it has something to
    /// do soon.
    pub(super) fn note(&mut self, slot: Slot, at: Option<Millis>) {
        self.count(slot);
        let Some(row) = self.rows.get_mut(&slot) else { return };
        if row.under_way.has_part() && !std::mem::replace(&mut row.is_ready, true) {
            self.ready.push_back(slot);
        }
        if let Some(at) = at {
            if !std::mem::replace(&mut row.is_soon, true) {
                self.soon.push(slot);
            }
            self.soon_at = Some(self.soon_at.map_or(at, |known| known.min(at)));
        }
    }

    fn count(&mut self, slot: Slot) {
        if let Some(row) = self.rows.get_mut(&slot) {
            let held = size_of::<Row>() + row.under_way.held_bytes();
            self.held_bytes = self.held_bytes + held - row.counted_bytes;
            row.counted_bytes = held;
        }
    }

    /// When one of them has something to do.
    pub(crate) const fn soon_at(&self) -> Option<Millis> {
        self.soon_at
    }

    /// Those that may have something to do now.
    pub(super) fn take_soon(&mut self) -> Vec<Slot> {
        self.soon_at = None;
        let soon = std::mem::take(&mut self.soon);
        for slot in &soon {
            if let Some(row) = self.rows.get_mut(slot) {
                row.is_soon = false;
            }
        }
        soon
    }

    /// The next part for control, and its connection if the ask goes on.
    pub(super) fn next_part(&mut self, now: Millis) -> Option<(AskRef, AskPart, Option<Slot>)> {
        if let Some(name) = self.cancels.pop_front() {
            return Some((name, AskPart::Cancel, None));
        }
        while let Some(slot) = self.ready.pop_front() {
            let Some(row) = self.rows.get_mut(&slot).filter(|row| row.is_ready) else { continue };
            row.is_ready = false;
            let name = row.under_way.name();
            let part = row.under_way.next_part(now);
            self.note(slot, None);
            if let Some(part) = part {
                return Some((name, part, Some(slot)));
            }
        }
        None
    }

    /// Is there anything for control?
    pub(super) fn has_part(&self) -> bool {
        !self.cancels.is_empty() || !self.ready.is_empty()
    }

    /// Asks under way.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes that asks hold.
    pub(crate) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// All connections with an ask.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.rows.keys().copied()
    }

    /// What must always hold; see [`crate::Shard::audit`].
    pub(crate) fn audit(&self) -> Result<(), String> {
        let held: usize = self.rows.values().map(|row| size_of::<Row>() + row.under_way.held_bytes()).sum();
        if held != self.held_bytes {
            return Err(format!("asks hold {held} bytes, {} are counted", self.held_bytes));
        }
        if self.cancels.len() > ASKS || self.rows.len() > ASKS + FILES_UNDER_WAY {
            return Err(format!("{} asks and {} cancelled ones are too many", self.rows.len(), self.cancels.len()));
        }
        for (slot, row) in &self.rows {
            if row.under_way.has_part() && !(row.is_ready && self.ready.contains(slot)) {
                return Err(format!("the ask of {slot:?} has a part for control and does not stand in line"));
            }
        }
        Ok(())
    }
}

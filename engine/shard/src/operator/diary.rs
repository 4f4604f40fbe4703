//! The diary: how connections ended lately, for operators who ask why a device was dropped.

use std::collections::VecDeque;

use linchpin_protocol::InfoPairs;
use linchpin_protocol::model::{DeviceId, Now};

use crate::connection::{NO_DEVICE, Peer};
use crate::device::firmware::BlobId;
use crate::{DiaryEntry, End, Shard, Slot, limits};

/// One ended connection.
#[derive(Debug)]
struct Entry {
    /// Unix seconds of the end.
    at_s: u32,
    lasted_s: u32,
    frames: u32,
    device: Option<DeviceId>,
    firmware: Option<BlobId>,
    peer: Peer,
    end: End,
}

const _: () = assert!(size_of::<Entry>() <= 40, "limits::DIARY_ENTRIES of them stay below 3 MiB");

/// The last ends of a shard.
#[derive(Debug)]
pub(crate) struct Diary {
    ends: VecDeque<Entry>,
    /// HTTP exchanges that ended in order: many, and none of them may displace an end that an operator asks about.
    exchanges: VecDeque<Entry>,
}

impl Diary {
    /// With its memory in place: it does not grow later, whatever peers do.
    pub(crate) fn new(shards: u16) -> Self {
        let [least, most] = limits::DIARY_SHARE;
        let share = (limits::DIARY_ENTRIES / usize::from(shards.max(1))).clamp(least, most);
        Self { ends: Self::ring(share), exchanges: Self::ring(limits::DIARY_EXCHANGES) }
    }

    fn ring(share: usize) -> VecDeque<Entry> {
        let blank = || Entry {
            at_s: 0,
            lasted_s: 0,
            frames: 0,
            device: None,
            firmware: None,
            peer: Peer::new(([0, 0, 0, 0], 0).into()),
            end: End::PeerClosed,
        };
        let mut entries = VecDeque::with_capacity(share);
        entries.resize_with(share, blank);
        entries.clear();
        entries
    }

    /// Memory behind the structure.
    pub(crate) fn heap_bytes(&self) -> usize {
        (self.ends.capacity() + self.exchanges.capacity()) * size_of::<Entry>()
    }
}

impl Shard {
    /// Note an end.
    pub(crate) fn write_diary(&mut self, now: Now, slot: Slot, end: End) {
        let connection = &self.connections[slot];
        let device = (connection.device != NO_DEVICE).then(|| &self.devices[connection.device]);
        let firmware = device.and_then(|device| device.firmware);
        let entry = Entry {
            at_s: now.wall.seconds() as u32,
            lasted_s: (now.mono.since(connection.begun.millis()) / 1_000) as u32,
            frames: connection.frames,
            device: device.map(|device| device.id),
            firmware,
            peer: connection.peer,
            end,
        };
        if let Some(firmware) = firmware {
            self.catalog.firmware.retain(firmware);
        }
        let ring = match end {
            End::HttpDone | End::HttpIdle | End::LiveClosed => &mut self.operator.diary.exchanges,
            _ => &mut self.operator.diary.ends,
        };
        if ring.len() == ring.capacity()
            && let Some(oldest) = ring.pop_front()
            && let Some(firmware) = oldest.firmware
        {
            self.catalog.firmware.release(firmware);
        }
        ring.push_back(entry);
    }

    /// The newest entries first: of one device, or of everybody.
    pub(crate) fn read_diary(&self, device: Option<DeviceId>, limit: u32) -> Vec<DiaryEntry> {
        let wanted = |entry: &&Entry| device.is_none() || entry.device == device;
        let mut entries: Vec<_> = self.operator.diary.ends.iter().rev().filter(wanted).take(limit as usize).collect();
        entries.extend(self.operator.diary.exchanges.iter().rev().filter(wanted).take(limit as usize));
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at_s));
        let firmware = |blob: BlobId| {
            let pairs = InfoPairs::new(self.catalog.firmware.get(blob));
            pairs.iter().map(|(key, value)| (key.into(), value.into())).collect()
        };
        entries
            .into_iter()
            .take(limit.min(limits::DIARY_ROWS) as usize)
            .map(|entry| DiaryEntry {
                at_s: u64::from(entry.at_s),
                lasted_s: entry.lasted_s,
                frames: entry.frames,
                device: entry.device,
                peer: entry.peer.address(),
                end: entry.end,
                firmware: entry.firmware.map(firmware).unwrap_or_default(),
            })
            .collect()
    }
}

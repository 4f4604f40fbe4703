//! What the control plane asks.

use linchpin_protocol::InfoPairs;
use linchpin_protocol::blynk::{codec, internal};
use linchpin_protocol::model::{DeviceId, Now, ValueRef};

use crate::{
    Command, DeviceRow, DeviceView, Effect, Effects, End, EngineCounters, Push, Report, Shard, ShardStatus, limits,
};

impl Shard {
    pub(crate) fn command(&mut self, now: Now, command: Command, fx: &mut Effects) {
        let (to, report) = match command {
            Command::PutTemplate(template) => return self.templates.put(*template),
            Command::AddDevice { device, org, template } => {
                let number = template.map_or(0, |id| self.templates.number(id));
                return self.devices.add(device, org, number, now.mono, &self.settings);
            }
            Command::IndexToken { digest, device } => return self.index.put(digest, device),
            Command::Restore { device, restored } => return self.restore(now, device, *restored),
            Command::Replayed => return self.replayed(now, fx),
            Command::Keep(keeping) => {
                self.keeping = keeping;
                return;
            }
            Command::Told { asker, reply } => return self.told(now, asker, Some(reply), fx),
            Command::Configure(settings) => {
                self.settings = *settings;
                return;
            }
            Command::Drain { redirect, per_second } => return self.start_drain(now, redirect, per_second),
            Command::Status(to) => (to, Report::Status(Box::new(self.status()))),
            Command::Devices { request, after, limit } => (request, Report::Devices(self.rows(after, limit))),
            Command::Device { request, device } => (request, self.view(device)),
            Command::Push { request, device, push } => (request, self.push_to(now, device, &push, fx)),
            Command::Diary { request, device, limit } => (request, Report::Diary(self.read_diary(device, limit))),
            Command::Watch { request, device, seconds } => (request, self.start_watch(now, request, device, seconds)),
            Command::Unwatch(request) => return self.stop_watch(request),
            Command::RemoveDevice { request, device } => (request, self.remove_device(now, device, fx)),
            Command::UnindexToken(digest) => return self.index.remove(&digest),
        };
        fx.push(Effect::Report { to, report });
    }

    fn remove_device(&mut self, now: Now, id: DeviceId, fx: &mut Effects) -> Report {
        let Some(position) = self.devices.find(id) else { return Report::NoSuchDevice };
        if let Some(slot) = self.devices[position].connection() {
            self.end(now, slot, End::DeviceRemoved, fx);
        }
        self.devices.remove(id);
        Report::Done
    }

    fn status(&self) -> ShardStatus {
        ShardStatus {
            connections: self.connections.used as u64,
            online: self.counters.online,
            devices: self.devices.len() as u64,
            ledger_bytes: self.connections.ledger_bytes as u64,
            diary_bytes: self.diary.heap_bytes() as u64,
            frames: self.counters.frames,
            commands: self.counters.commands(),
            requests: self.counters.requests,
            unsendable: self.counters.unsendable,
            logins: self.counters.logins,
            handshakes_full: self.counters.handshakes[0],
            handshakes_resumed: self.counters.handshakes[1],
            handshakes_running: self.secure.as_ref().map_or(0, |secure| secure.running() as u64),
            handshakes_waiting: self.secure.as_ref().map_or(0, |secure| secure.waiting() as u64),
            assembly_bytes: self.secure.as_ref().map_or(0, |secure| secure.assembly_bytes() as u64),
            dropped: self.counters.dropped,
            moved_out: self.counters.moved_out,
            draining: self.drain.is_some(),
            ends: self.counters.ends(),
            engine: EngineCounters::default(),
        }
    }

    fn row(&self, position: u32) -> DeviceRow {
        let device = &self.devices[position];
        DeviceRow {
            id: device.id,
            template: self.templates.get(device.template).map(|t| t.id),
            online: device.slot.is_some(),
            last_seen_s: match device.connection() {
                Some(slot) => self.connections[slot].heard.millis().0 / 1_000 + self.wall_offset_s,
                None => u64::from(device.seen_s),
            },
        }
    }

    fn rows(&self, after: u32, limit: u32) -> Vec<DeviceRow> {
        let limit = limit.min(limits::LIST_ROWS) as usize;
        self.devices.above(after).take(limit).map(|position| self.row(position)).collect()
    }

    fn view(&self, id: DeviceId) -> Report {
        let Some(position) = self.devices.find(id) else { return Report::NoSuchDevice };
        let device = &self.devices[position];
        let firmware = device.firmware.map(|blob| self.blobs.get(blob));
        let attributes = device.rare.as_ref().map(|r| &r.attributes);
        Report::Device(Box::new(DeviceView {
            row: self.row(position),
            values: device.values.iter().map(|(pin, value, at)| (pin, value.into(), at.0)).collect(),
            properties: attributes
                .map(|a| a.properties().map(|(p, n, v)| (p, n.into(), v.into())).collect())
                .unwrap_or_default(),
            metadata: attributes
                .map(|a| a.all_metadata().map(|(n, v)| (n.into(), v.into())).collect())
                .unwrap_or_default(),
            firmware: firmware
                .map(|raw| InfoPairs::new(raw).iter().map(|(key, value)| (key.into(), value.into())).collect())
                .unwrap_or_default(),
            events: attributes
                .map(|a| a.events().map(|(code, text, at)| (code.into(), text.into(), at.0)).collect())
                .unwrap_or_default(),
            peer: device.connection().map(|slot| self.connections[slot].peer.address()),
            last_end: device.last_end,
        }))
    }

    fn push_to(&mut self, now: Now, id: DeviceId, push: &Push, fx: &mut Effects) -> Report {
        let Some(position) = self.devices.find(id) else { return Report::NoSuchDevice };
        if let Push::Write { pin, value } = push
            && let Err(fault) = self.store_value(position, *pin, ValueRef(value), now.wall, fx)
        {
            return Report::Rejected(fault);
        }
        let Some(slot) = self.devices[position].connection() else { return Report::Offline };
        let push_id = self.next_push_id();
        let pin = if let Push::Write { pin, .. } = push { Some(*pin) } else { None };
        let write = |out: &mut Vec<u8>| match push {
            Push::Write { pin, value } => codec::hardware_write(out, push_id, *pin, value),
            Push::Ota { url } => internal::ota(out, push_id, url),
            Push::Reboot => internal::reboot(out, push_id),
            Push::Debug { text } => codec::debug(out, push_id, text),
        };
        if !self.fits_device(slot, write) {
            return Report::TooLarge { buff_in: self.connections[slot].buff_in };
        }
        self.push(now, slot, pin, fx, write);
        Report::Done
    }
}

//! What the control plane asks.

use linchpin_protocol::InfoPairs;
use linchpin_protocol::blynk::{codec, internal};
use linchpin_protocol::model::{DeviceId, OrgId, TemplateId, ValueRef};

use crate::device::verbs::{Delivery, Origin, Refused};
use crate::{Command, DeviceRow, DeviceView, Effect, End, Push, Report, Shard, ShardStatus, Turn, limits};

impl Shard {
    pub(crate) fn command(&mut self, turn: &mut Turn<'_>, command: Command) {
        let (to, report) = match command {
            Command::PutTemplate(template) => return self.catalog.templates.put(*template),
            Command::AddDevice { device, org, template, token_epoch } => {
                self.add_device(turn, device, org, template);
                self.revoke(turn, device, token_epoch);
                if let Some(position) = self.devices.find(device) {
                    self.tell_all(turn.now, position, true);
                }
                return;
            }
            Command::IndexToken { digest, right } => return self.catalog.tokens.put(digest, right),
            Command::Restore { device, restored } => {
                self.restore(turn.now, device, *restored);
                if let Some(position) = self.devices.find(device) {
                    self.tell_all(turn.now, position, false);
                }
                return;
            }
            Command::Replayed => return self.replayed(turn),
            Command::Intake(intake) => {
                self.store.intake = intake;
                return;
            }
            Command::HistoryAnswer { asker, reply } => return self.replied(turn, asker, Some(reply)),
            Command::FieldAnswer { ask, value } => return self.field_found(turn, ask, value.as_deref()),
            Command::Stored { answer, is_stored } => return self.stored(turn, answer, is_stored),
            Command::Configure(settings) => {
                self.settings = *settings;
                return;
            }
            Command::Drain { redirect, per_second } => {
                self.write_wills(turn);
                return self.start_drain(turn.now, redirect, per_second);
            }
            Command::WriteWills => return self.write_wills(turn),
            Command::Undrain => {
                self.operator.drain = None;
                return;
            }
            Command::Assets(assets) => {
                self.http.assets = assets;
                return;
            }
            Command::Status(to) => (to, Report::Status(Box::new(self.status()))),
            Command::Devices { request, after, limit } => (request, Report::Devices(self.rows(after, limit))),
            Command::Device { request, device } => (request, self.view(device)),
            Command::Push { request, device, push } => (request, self.push_to(turn, device, &push)),
            Command::Diary { request, device, limit } => (request, Report::Diary(self.read_diary(device, limit))),
            Command::Tap { request, device, seconds } => (request, self.start_tap(turn.now, request, device, seconds)),
            Command::Untap(request) => return self.stop_tap(request),
            Command::RemoveDevice { request, device } => (request, self.remove_device(turn, device)),
            Command::Glance { request, devices } => (request, self.glances(&devices)),
            Command::GlanceAbove { request, after, limit } => (request, self.glances_above(after, limit)),
            Command::GlanceChanged { request, limit } => (request, self.glances_changed(limit)),
            Command::Describe { request, device, fields } => (request, self.describe(device, &fields)),
            Command::ForgetReports { request, device } => (request, self.forget_reports(device)),
            Command::Settle { request, device, org } => (request, self.settled(device, org)),
            Command::ForgetEvent { request, device, id } => (request, self.forget_event(device, id)),
            Command::Revoke { request, device, token_epoch } => (request, self.revoke(turn, device, token_epoch)),
            Command::RevokeRights { request, revocation } => {
                self.revoke_rights(turn, revocation);
                (request, Report::Done)
            }
            Command::UnindexToken(digest) => return self.catalog.tokens.remove(&digest),
        };
        turn.fx.push(Effect::Report { to, report });
    }

    /// A new device, or one that has another organization or template now.
    fn add_device(&mut self, turn: &Turn<'_>, device: DeviceId, org: OrgId, template: Option<TemplateId>) {
        let number = template.map_or(0, |id| self.catalog.templates.number(id));
        let before = self.devices.find(device).map(|position| self.devices[position].org);
        self.devices.add(device, org, number, turn.now.mono, &self.settings);
        if before.is_some_and(|before| before != org)
            && let Some(position) = self.devices.find(device)
        {
            self.move_attributes(position);
        }
    }

    fn remove_device(&mut self, turn: &mut Turn<'_>, id: DeviceId) -> Report {
        let Some(position) = self.devices.find(id) else { return Report::NoSuchDevice };
        if let Some(slot) = self.devices[position].connection() {
            self.end(turn, slot, End::DeviceRemoved);
        }
        self.revoke_will(position);
        self.absences.take(position);
        self.devices.remove(id);
        self.tell_all(turn.now, position, true);
        Report::Done
    }

    fn status(&self) -> ShardStatus {
        ShardStatus {
            connections: self.connections.used as u64,
            online: self.counters.online,
            devices: self.devices.len() as u64,
            ledger_bytes: self.connections.ledger.held_bytes() as u64,
            diary_bytes: self.operator.diary.heap_bytes() as u64,
            frames: self.counters.frames,
            commands: self.counters.commands(),
            online_mqtt: self.counters.online_mqtt,
            packets: self.counters.packets,
            declined: self.counters.declined,
            wills: self.counters.wills,
            will_bytes: self.wills.bytes() as u64,
            absent: self.absences.len() as u64,
            requests: self.counters.requests,
            asks: self.counters.asks,
            asks_refused: self.counters.asks_refused,
            asks_under_way: self.asks.len() as u64,
            ask_bytes: self.asks.held_bytes() as u64,
            live_sockets: self.live.len() as u64,
            live_watched: self.live.watched() as u64,
            live_watchers: self.live.home.len() as u64,
            live_bytes: self.live.held_bytes() as u64,
            live_flushes: self.live.flushes(),
            unsendable: self.counters.unsendable,
            logins: self.counters.logins,
            handshakes_full: self.counters.handshakes[0],
            handshakes_resumed: self.counters.handshakes[1],
            handshakes_running: self.tls.as_ref().map_or(0, |secure| secure.running() as u64),
            handshakes_waiting: self.tls.as_ref().map_or(0, |secure| secure.waiting() as u64),
            assembly_bytes: self.tls.as_ref().map_or(0, |secure| secure.assembly_bytes() as u64),
            dropped: self.counters.dropped,
            moved_out: self.counters.moved_out,
            draining: self.operator.drain.is_some(),
            ends: self.counters.ends(),
        }
    }

    fn row(&self, position: u32) -> DeviceRow {
        let device = &self.devices[position];
        DeviceRow {
            id: device.id,
            template: self.catalog.templates.get(device.template).map(|t| t.id),
            online: device.slot.is_some(),
            last_seen_s: match device.connection() {
                Some(slot) => self.connections[slot].heard.millis().0 / 1_000 + self.clock.wall_offset_s,
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
        let firmware = device.firmware.map(|blob| self.catalog.firmware.get(blob));
        let attributes = device.rare.as_ref().map(|r| &r.attributes);
        Report::Device(Box::new(DeviceView {
            row: self.row(position),
            absent: self.absences.since_s(position).is_some(),
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

    /// Does the firmware say that Blynk's library for Python runs there?
    fn is_python(&self, position: u32) -> bool {
        let firmware = self.devices[position].firmware.map(|blob| self.catalog.firmware.get(blob));
        let mut pairs = firmware.into_iter().flat_map(|raw| InfoPairs::new(raw).iter());
        pairs.any(|(key, value)| key == "dev" && (value.starts_with("python") || value.ends_with("-py")))
    }

    fn push_to(&mut self, turn: &mut Turn<'_>, id: DeviceId, push: &Push) -> Report {
        let Some(position) = self.devices.find(id) else { return Report::NoSuchDevice };
        let done = match push {
            Push::Write { pin, value } => {
                let write = (*pin, ValueRef(value), turn.now.wall);
                match self.write(turn, position, write, Origin::Operator) {
                    Ok(Delivery::Sent) => Ok(()),
                    Ok(Delivery::Waits) => Err(Refused::Offline),
                    Err(refused) => Err(refused),
                }
            }
            Push::Event { code, description } => self.log_event(turn, position, code, description),
            Push::Property { pin, name, value } => {
                self.set_properties(position, std::iter::once(*pin), &std::iter::once((&**name, &**value)))
            }
            Push::Points { pin, points } => self.batch(turn, position, *pin, points, Origin::Operator),
            other if let Some(slot) = self.devices[position].connection().filter(|slot| self.is_mqtt(*slot)) => {
                self.push_mqtt(turn, slot, other)
            }
            // Two libraries end the connection at a PING of the server.
            Push::Ping if self.devices[position].connection().is_some() => Err(Refused::PingsItself),
            Push::Reconfigure if self.devices[position].connection().is_some() => Err(Refused::NoSuchOrder),
            Push::Ping | Push::Reconfigure => Err(Refused::Offline),
            Push::Ota { url } => self.send_frame(turn, position, |out, id| internal::ota(out, id, url)),
            Push::Reboot => self.send_frame(turn, position, internal::reboot),
            Push::Debug { .. } if self.is_python(position) => Err(Refused::EndsClient),
            Push::Debug { text } => self.send_frame(turn, position, |out, id| codec::debug(out, id, text)),
        };
        done.map_or_else(report_of, |()| Report::Done)
    }
}

/// What an operator is answered when a push is refused.
fn report_of(refused: Refused) -> Report {
    match refused {
        Refused::Offline => Report::Offline,
        Refused::TooLarge { buff_in, .. } => Report::TooLarge { buff_in },
        other => Report::Rejected(other),
    }
}

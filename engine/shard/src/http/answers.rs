//! The device API at a device's home: calls of HTTP clients, wherever their connection is, as verbs.

use linchpin_protocol::http::reply::{put_pin, put_string, put_value};
use linchpin_protocol::http::{Call, Dialect, FieldRef, Reply, What};
use linchpin_protocol::model::{DeviceId, Now, Pin, ValueKind, ValueRef};

use super::named::kind_name;
use crate::device::quota::{Bucket, messages_of_points, messages_of_writes};
use crate::device::verbs::{Origin, Refused};
use crate::limits::{BODY_BYTES_PER_MESSAGE, HISTORY_MESSAGES};
use crate::store::identity::FieldWay;
use crate::{AwaitedKind, ConnRef, Effect, Intake, Shard, Turn};

/// What an HTTP client is answered when a verb is refused.
fn refusal(dialect: Dialect, refused: Refused) -> Reply {
    let status = match refused {
        Refused::Fault(fault) => return Reply::refused(dialect, fault),
        Refused::NothingThere => return Reply::error(dialect, 400, "MetaField doesn't exist."),
        Refused::NoSuchStream(id) => {
            let text = format!("Requested dataStream doesn't exist: the template has none with the id {id}.");
            return Reply::error(dialect, 400, &text);
        }
        Refused::NoSuchEvent => {
            return Reply::error(dialect, 400, "Can't find Event with this code in Product template");
        }
        Refused::NotStored | Refused::StoreFailed => 503,
        Refused::EventTooSoon | Refused::EventsUsedUp | Refused::EventCodeUsedUp(_) => 429,
        Refused::FieldIsReserved => 403,
        Refused::Time(_)
        | Refused::TokenIsSecret
        | Refused::NoPlace
        | Refused::EndsClient
        | Refused::PingsItself
        | Refused::NoSuchOrder
        | Refused::TooLarge { .. }
        | Refused::Offline
        | Refused::Unsubscribed
        | Refused::PropertiesFull
        | Refused::MetadataFull
        | Refused::OtherTemplate => 400,
    };
    Reply::error(dialect, status, &refused.to_string())
}

/// How many messages a call is.
fn messages_of(what: &What) -> usize {
    match what {
        // It pays for the body before that is read; the request pays for what it says.
        What::Upload(bytes) => (*bytes as usize).div_ceil(BODY_BYTES_PER_MESSAGE),
        What::Batch(_, points) => messages_of_points(points.len()),
        What::Update(writes) => messages_of_writes(writes.len()),
        What::History(_) => HISTORY_MESSAGES,
        _ => 1,
    }
}

/// Nothing to say but that it was done.
fn done(dialect: Dialect, done: Result<(), Refused>) -> Reply {
    done.map_or_else(|refused| refusal(dialect, refused), |()| Reply::empty())
}

impl Shard {
    /// Answer a call to a device that lives here; `None`: the answer comes later, as
    /// [`crate::Command::HistoryAnswer`] or [`crate::Command::Stored`].
    pub(crate) fn answer_call(
        &mut self,
        turn: &mut Turn<'_>,
        device: DeviceId,
        call: &Call,
        asker: ConnRef,
    ) -> Option<Reply> {
        let Some(position) = self.devices.find(device) else {
            return Some(Reply::error(call.dialect, 400, "Invalid token."));
        };
        match self.admit(turn.now, position, call) {
            Ok(()) => {
                self.begin_verb();
                self.note_seen(turn.now, position, &call.what);
                let reply = self.carry_out(turn, position, call, asker)?;
                let is_done = reply.status == 200;
                let awaits = is_done && self.awaits_store(turn, asker, AwaitedKind::Http(call.dialect));
                (!awaits).then_some(reply)
            }
            Err(reply) => Some(reply),
        }
    }

    /// A device that has no connection and writes over HTTP is alive.
    fn note_seen(&mut self, now: Now, position: u32, what: &What) {
        let is_said = matches!(what, What::Update(_) | What::Batch(..) | What::LogEvent(..) | What::Upload(_));
        if is_said && self.devices[position].slot.is_none() {
            self.devices[position].seen_s = now.wall.seconds() as u32;
            self.operator.changed.note(position);
        }
    }

    /// Run the checks that every call must pass.
    fn admit(&mut self, now: Now, position: u32, call: &Call) -> Result<(), Reply> {
        let refuse = |status, text| Err(Reply::error(call.dialect, status, text));
        if self.needs_tls(position) && !call.over_tls {
            return refuse(403, "The template of this device requires TLS: use https.");
        }
        if !self.within_http_quota(now, position, messages_of(&call.what)) {
            let text = "Too many requests for this device: send fewer or several values in one.";
            let holds_back = self.devices[position].rare_mut().refusals.holds_back(now.mono);
            return Err(Reply { holds_back, ..Reply::error(call.dialect, 429, text) });
        }
        let reads = matches!(call.what, What::Get(_) | What::GetAll | What::Project);
        if reads && self.store.parked.is_some() {
            let text = "The server has just started and still reads what devices wrote last: try again in a moment.";
            return refuse(503, text);
        }
        if matches!(call.what, What::History(_)) && self.store.intake == Intake::Memory {
            return refuse(503, "This server has no history: its state is in memory only.");
        }
        Ok(())
    }

    /// Carry out a call that was admitted.
    fn carry_out(&mut self, turn: &mut Turn<'_>, position: u32, call: &Call, asker: ConnRef) -> Option<Reply> {
        let dialect = call.dialect;
        let origin = Origin::Http;
        Some(match &call.what {
            What::Upload(_) => Reply::empty(),
            What::Get(pins) => {
                match pins.iter().map(|pin| self.pin_meant(position, *pin)).collect::<Result<Vec<_>, _>>() {
                    Ok(pins) => self.get(position, &pins, dialect),
                    Err(refused) => refusal(dialect, refused),
                }
            }
            What::GetAll => self.get_all(position),
            What::Update(writes) => {
                let meant = self.pins_meant(position, writes);
                done(dialect, meant.and_then(|writes| self.write_all(turn, position, &writes, origin)))
            }
            What::Batch(pin, points) => {
                match self.pin_meant(position, *pin).and_then(|pin| self.batch(turn, position, pin, points, origin)) {
                    Ok(()) if dialect == Dialect::Current => Reply::text("OK"),
                    Ok(()) => Reply::empty(),
                    Err(refused) => refusal(dialect, refused),
                }
            }
            What::Property(pin, set) => {
                let set = set.iter().map(|(name, value)| (&**name, &**value));
                let pin = self.pin_meant(position, *pin);
                done(dialect, pin.and_then(|pin| self.set_properties(position, std::iter::once(pin), &set)))
            }
            What::IsConnected => Reply::json(self.devices[position].slot.is_some().to_string()),
            // Whoever watches it in a page does what an app did.
            What::IsAppConnected => Reply::json(self.live.home.is_watched(self.devices[position].id).to_string()),
            What::LogEvent(code, description) => done(dialect, self.log_event(turn, position, code, description)),
            What::MetaGet(field) => return self.read_field(turn, position, field, asker),
            What::MetaSet(field, value) => {
                let name = self.field_meant(position, field).map(str::to_owned);
                done(dialect, name.and_then(|name| self.set_metadata(position, &name, value, origin)))
            }
            What::Provision(template) => self.provision(position, template.as_deref()),
            // There is nobody to send to: the words are those of the legacy server.
            What::Notify => Reply::error(dialect, 400, "No notification widget."),
            What::Mail => Reply::error(dialect, 400, "No email widget."),
            What::Project => self.project(position),
            What::Clock => Reply::json(format!("[\"{}\"]", turn.now.wall.seconds())),
            What::History(ask) => {
                let pins = match ask.pin.map(|pin| self.pin_meant(position, pin)).transpose() {
                    Ok(Some(pin)) => [pin].into(),
                    Ok(None) => self.pins_with_history(position).into(),
                    Err(refused) => return Some(refusal(dialect, refused)),
                };
                let device = &self.devices[position];
                let (org, device, over_tls) = (device.org, device.id, call.over_tls);
                turn.fx.push(Effect::History { asker, org, device, ask: ask.clone(), pins, over_tls });
                return None;
            }
        })
    }

    /// A field of the metadata; `None`: the store is asked.
    fn read_field(&self, turn: &mut Turn<'_>, position: u32, field: &FieldRef, asker: ConnRef) -> Option<Reply> {
        let dialect = Dialect::Current;
        let name = match self.field_meant(position, field) {
            Ok(name) => name,
            Err(refused) => return Some(refusal(dialect, refused)),
        };
        if self.asks_identity(turn, position, name, (asker, FieldWay::Http)) {
            return None;
        }
        Some(self.metadata(position, name).map_or_else(|refused| refusal(dialect, refused), Reply::text))
    }

    /// HTTP has a quota of its own, so that a script cannot use up the device's.
    fn within_http_quota(&mut self, now: Now, position: u32, messages: usize) -> bool {
        let (rate, burst) = (self.settings.messages_per_second, self.settings.message_burst);
        let bucket = self.devices[position].rare_mut().requests.get_or_insert_with(|| Bucket::full(burst, now.mono));
        let has = bucket.take(now.mono, rate, burst);
        if has {
            bucket.owe(messages.saturating_sub(1));
        }
        self.counters.dropped += u64::from(!has);
        has
    }

    fn get(&self, position: u32, pins: &[Pin], dialect: Dialect) -> Reply {
        let template = self.template_of(position);
        let missing = |pin: Pin| match (dialect, template) {
            (Dialect::Legacy, _) => "Requested pin doesn't exist in the app.".to_owned(),
            (Dialect::Current, Some(template)) if template.datastream(pin).is_none() => {
                format!("Requested dataStream doesn't exist in the product {}", template.name)
            }
            (Dialect::Current, _) => format!("{pin} has no value yet."),
        };
        let kind = |pin| template.and_then(|template| template.datastream(pin)).map(|stream| stream.kind);
        if let [pin] = *pins {
            let Some(value) = self.read(position, pin) else {
                return Reply::error(dialect, 400, &missing(pin));
            };
            if dialect == Dialect::Current && !value.contains(&0) {
                return Reply::text(&String::from_utf8_lossy(value));
            }
            let mut json = String::new();
            match dialect {
                Dialect::Current => put_value(&mut json, kind(pin), ValueRef(value)),
                Dialect::Legacy => put_texts(&mut json, ValueRef(value)),
            }
            return Reply::json(json);
        }
        let mut found = Vec::new();
        for &pin in pins {
            match self.read(position, pin) {
                Some(value) => found.push((pin, value)),
                None if template.is_some_and(|template| template.datastream(pin).is_none()) => {
                    return Reply::error(dialect, 400, &missing(pin));
                }
                None => {}
            }
        }
        Reply::json(object(found.into_iter().map(|(pin, value)| (pin, kind(pin), value))))
    }

    fn get_all(&self, position: u32) -> Reply {
        let template = self.template_of(position);
        let kind = |pin| template.and_then(|template| template.datastream(pin)).map(|stream| stream.kind);
        Reply::json(object(self.read_all(position).map(|(pin, value)| (pin, kind(pin), value))))
    }

    /// The shape that legacy clients look for.
    fn project(&self, position: u32) -> Reply {
        let device = &self.devices[position];
        let status = if device.slot.is_some() { "ONLINE" } else { "OFFLINE" };
        let mut json = format!(
            "{{\"id\":{id},\"isActive\":true,\"devices\":[{{\"id\":{id},\"status\":\"{status}\"}}],\"widgets\":[",
            id = device.id
        );
        for (at, (pin, value)) in self.read_all(position).enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let kind = kind_name(pin.kind);
            json += &format!("{comma}{{\"pinType\":\"{kind}\",\"pin\":{},\"value\":", pin.index);
            put_string(&mut json, &String::from_utf8_lossy(value));
            json.push('}');
        }
        json += "]}";
        Reply::json(json)
    }
}

/// `{"v1":1,"v2":"s"}`.
fn object<'a>(values: impl Iterator<Item = (Pin, Option<ValueKind>, &'a [u8])>) -> String {
    let mut json = String::from("{");
    for (at, (pin, kind, value)) in values.enumerate() {
        if at > 0 {
            json.push(',');
        }
        put_pin(&mut json, pin);
        put_value(&mut json, kind, ValueRef(value));
    }
    json.push('}');
    json
}

/// Parts as an array of strings: the only form of the legacy API.
fn put_texts(out: &mut String, value: ValueRef<'_>) {
    out.push('[');
    for (at, part) in value.parts().enumerate() {
        if at > 0 {
            out.push(',');
        }
        put_string(out, &String::from_utf8_lossy(part));
    }
    out.push(']');
}

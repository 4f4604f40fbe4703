//! The device API at a device's home: calls of HTTP clients, wherever their connection is.

use linchpin_protocol::Fault;
use linchpin_protocol::blynk::codec;
use linchpin_protocol::http::reply::{put_pin, put_string, put_value};
use linchpin_protocol::http::{Call, Dialect, Reply, What, Writes};
use linchpin_protocol::limits::STAMP_RANGE_MS;
use linchpin_protocol::model::{DeviceId, Now, Pin, UnixMillis, ValueRef};

use crate::device::attributes::EventRefused;
use crate::device::quota::Bucket;
use crate::{ConnRef, Effect, Effects, Keeping, Shard};

impl Shard {
    /// Answer a call to a device that lives here; `None`: the answer comes later, as [`crate::Command::Told`].
    pub(crate) fn call(
        &mut self,
        now: Now,
        device: DeviceId,
        call: &Call,
        asker: ConnRef,
        fx: &mut Effects,
    ) -> Option<Reply> {
        let What::History(ask) = &call.what else { return Some(self.answer_at_once(now, device, call, fx)) };
        // Whoever may ask anything may ask this.
        let probe = Call { what: What::IsConnected, ..*call };
        let reply = self.answer_at_once(now, device, &probe, fx);
        if reply.status != 200 {
            return Some(reply);
        }
        if self.keeping == Keeping::Memory {
            let text = "This server keeps no history: its state is in memory only.";
            return Some(Reply::error(call.dialect, 503, text));
        }
        let org = self.devices[self.devices.find(device)?].org;
        fx.push(Effect::History { asker, org, device, ask: ask.clone() });
        None
    }

    fn answer_at_once(&mut self, now: Now, device: DeviceId, call: &Call, fx: &mut Effects) -> Reply {
        let dialect = call.dialect;
        let Some(position) = self.devices.find(device) else {
            return Reply::error(dialect, 400, "Invalid token.");
        };
        if self.needs_tls(position) && !call.over_tls {
            return Reply::error(dialect, 403, "The template of this device requires TLS: use https.");
        }
        if call.what == What::Exists {
            return Reply::empty();
        }
        if !self.within_http_quota(now, position) {
            return Reply::error(
                dialect,
                429,
                "Too many requests for this device: send fewer or several values in one.",
            );
        }
        if self.parked.is_some() && matches!(call.what, What::Get(_) | What::GetAll | What::Project) {
            let text = "The server has just started and still reads what devices wrote last: try again in a moment.";
            return Reply::error(dialect, 503, text);
        }
        match &call.what {
            What::Exists => Reply::empty(),
            What::Get(pins) => self.get(position, pins, dialect),
            What::GetAll => self.get_all(position),
            What::Update(writes) => self.write_pins(now, position, writes, dialect, fx),
            What::Batch(pin, points) => self.batch(now, position, *pin, points, dialect, fx),
            What::Property(pin, set) => self.set_properties(position, *pin, set, dialect),
            What::IsConnected => Reply::json(self.devices[position].slot.is_some().to_string()),
            // Watching apps come with a later version; nobody watches.
            What::IsAppConnected => Reply::json("false".to_owned()),
            What::LogEvent(code, description) => self.log_event(now, position, code, description, dialect, fx),
            What::MetaGet(name) => {
                let rare = self.devices[position].rare.as_ref();
                match rare.and_then(|rare| rare.attributes.metadata(name)) {
                    Some(value) => Reply::text(value),
                    None => Reply::error(dialect, 400, "MetaField doesn't exist."),
                }
            }
            What::MetaSet(..) if !self.takes_changes() => self.not_kept(dialect),
            What::MetaSet(name, value) => {
                match self.devices[position].rare_mut().attributes.set_metadata(name, value) {
                    Ok(()) => {
                        self.attributes_changed(position);
                        Reply::empty()
                    }
                    Err(_) => Reply::error(dialect, 400, "The device has as many meta fields as it may have."),
                }
            }
            What::Project => self.project(position),
            // Answered from the store.
            What::History(_) => Reply::empty(),
            What::Clock => Reply::json(format!("[\"{}\"]", now.wall.seconds())),
        }
    }

    /// HTTP has a quota of its own, so that a script cannot use up the device's.
    fn within_http_quota(&mut self, now: Now, position: u32) -> bool {
        let (rate, burst) = (self.settings.messages_per_second, self.settings.message_burst);
        let bucket = self.devices[position].rare_mut().requests.get_or_insert_with(|| Bucket::full(burst, now.mono));
        let has = bucket.take(now.mono, rate, burst);
        self.counters.dropped += u64::from(!has);
        has
    }

    fn get(&self, position: u32, pins: &[Pin], dialect: Dialect) -> Reply {
        let device = &self.devices[position];
        let template = self.templates.get(device.template);
        let missing = |pin: Pin| match (dialect, template) {
            (Dialect::Legacy, _) => "Requested pin doesn't exist in the app.".to_owned(),
            (Dialect::Current, Some(template)) if template.datastream(pin).is_none() => {
                format!("Requested dataStream doesn't exist in the product {}", template.name)
            }
            (Dialect::Current, _) => format!("{pin} has no value yet."),
        };
        let kind = |pin| template.and_then(|template| template.datastream(pin)).map(|stream| stream.kind);
        if let [pin] = *pins {
            let Some((value, _)) = device.values.get(pin) else {
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
            match device.values.get(pin) {
                Some((value, _)) => found.push((pin, value)),
                None if template.is_some_and(|template| template.datastream(pin).is_none()) => {
                    return Reply::error(dialect, 400, &missing(pin));
                }
                None => {}
            }
        }
        Reply::json(object(found.into_iter().map(|(pin, value)| (pin, kind(pin), value))))
    }

    fn get_all(&self, position: u32) -> Reply {
        let device = &self.devices[position];
        let template = self.templates.get(device.template);
        let kind = |pin| template.and_then(|template| template.datastream(pin)).map(|stream| stream.kind);
        Reply::json(object(device.values.iter().map(|(pin, value, _)| (pin, kind(pin), value))))
    }

    /// All of them or none.
    fn write_pins(&mut self, now: Now, position: u32, writes: &Writes, dialect: Dialect, fx: &mut Effects) -> Reply {
        if self.keeping == Keeping::Nothing {
            return self.not_kept(dialect);
        }
        let connection = self.devices[position].connection();
        for (pin, value) in writes {
            if let Err(fault) = self.check_write(position, *pin, ValueRef(value)) {
                return Reply::refused(dialect, fault);
            }
            if let Some(slot) = connection
                && !self.fits_device(slot, |out| codec::hardware_write(out, 1, *pin, value))
            {
                let buff_in = self.connections[slot].buff_in;
                return Reply::error(
                    dialect,
                    400,
                    &format!("The value of {pin} does not fit into the device's receive buffer of {buff_in} bytes."),
                );
            }
        }
        for (pin, value) in writes {
            if let Err(fault) = self.store_value(position, *pin, ValueRef(value), now.wall, fx) {
                return Reply::refused(dialect, fault);
            }
            if let Some(slot) = connection {
                let id = self.next_push_id();
                self.push(now, slot, Some(*pin), fx, |out| codec::hardware_write(out, id, *pin, value));
            }
        }
        Reply::empty()
    }

    /// What the template says of a value.
    pub(crate) fn check_write(&self, position: u32, pin: Pin, value: ValueRef<'_>) -> Result<(), Fault> {
        match self.templates.get(self.devices[position].template) {
            Some(template) => template.check(pin, value),
            None => Ok(()),
        }
    }

    /// The newest point becomes the latest value if it is newer than that. The device is not told: points are the past.
    fn batch(
        &mut self,
        now: Now,
        position: u32,
        pin: Pin,
        points: &[(u64, Box<[u8]>)],
        dialect: Dialect,
        fx: &mut Effects,
    ) -> Reply {
        if self.keeping == Keeping::Nothing {
            return self.not_kept(dialect);
        }
        for (at, value) in points {
            if UnixMillis(*at).distance(now.wall) > STAMP_RANGE_MS {
                let text = format!("The time {at} is more than a month away: it must be Unix time in ms.");
                return Reply::error(dialect, 400, &text);
            }
            if let Err(fault) = self.check_write(position, pin, ValueRef(value)) {
                return Reply::refused(dialect, fault);
            }
        }
        if let Some((at, value)) = points.iter().max_by_key(|point| point.0)
            && self.devices[position].values.get(pin).is_none_or(|(_, known)| known.0 <= *at)
            && let Err(fault) = self.set_latest(position, pin, ValueRef(value), UnixMillis(*at))
        {
            return Reply::refused(dialect, fault);
        }
        for (at, value) in points {
            self.keep_point(position, pin, UnixMillis(*at), value, fx);
        }
        Reply::text("OK")
    }

    fn set_properties(&mut self, position: u32, pin: Pin, set: &[(Box<str>, Box<[u8]>)], dialect: Dialect) -> Reply {
        let template = self.templates.get(self.devices[position].template);
        if template.is_some_and(|template| template.datastream(pin).is_none()) {
            return Reply::refused(dialect, Fault::NoDatastream { pin });
        }
        if !self.takes_changes() {
            return self.not_kept(dialect);
        }
        for (name, value) in set {
            if self.devices[position].rare_mut().attributes.set_property(pin, name, value).is_err() {
                return Reply::error(dialect, 400, "The device has as many properties as it may have.");
            }
        }
        self.attributes_changed(position);
        Reply::empty()
    }

    fn log_event(
        &mut self,
        now: Now,
        position: u32,
        code: &str,
        description: &str,
        dialect: Dialect,
        fx: &mut Effects,
    ) -> Reply {
        let template = self.templates.get(self.devices[position].template);
        if template.is_some_and(|template| !template.has_event(code)) {
            return Reply::error(dialect, 400, "Can't find Event with this code in Product template");
        }
        if !self.takes_changes() {
            return self.not_kept(dialect);
        }
        match self.log(now, position, code, description, fx) {
            Ok(()) => Reply::empty(),
            Err(EventRefused::TooSoon) => Reply::error(dialect, 429, "The same event came less than a second ago."),
            Err(EventRefused::DayFull) => Reply::error(dialect, 429, "The device has logged 100 events today."),
        }
    }

    /// The shape that legacy clients look for.
    fn project(&self, position: u32) -> Reply {
        let device = &self.devices[position];
        let status = if device.slot.is_some() { "ONLINE" } else { "OFFLINE" };
        let mut json = format!(
            "{{\"id\":{id},\"isActive\":true,\"devices\":[{{\"id\":{id},\"status\":\"{status}\"}}],\"widgets\":[",
            id = device.id
        );
        for (at, (pin, value, _)) in device.values.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let kind = match pin.kind.letter() {
                b'v' => "VIRTUAL",
                b'd' => "DIGITAL",
                _ => "ANALOG",
            };
            json += &format!("{comma}{{\"pinType\":\"{kind}\",\"pin\":{},\"value\":", pin.index);
            put_string(&mut json, &String::from_utf8_lossy(value));
            json.push('}');
        }
        json += "]}";
        Reply::json(json)
    }
}

/// `{"v1":1,"v2":"s"}`.
fn object<'a>(values: impl Iterator<Item = (Pin, Option<linchpin_protocol::model::ValueKind>, &'a [u8])>) -> String {
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

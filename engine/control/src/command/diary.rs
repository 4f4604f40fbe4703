//! Why connections ended, and what is said on them right now.

use linchpin_protocol::blynk::Command as Wire;
use linchpin_protocol::model::DeviceId;
use linchpin_protocol::mqtt::kind_name;
use linchpin_shard::{Command, DiaryEntry, End, Report, TappedFrame, home_of, limits as shard};
use serde_json::{Value, json};

use crate::CommandError;
use crate::command::parameters::{device_id, no_such_device, optional_u32};
use crate::command::{Answer, Desk};
use crate::shards::Watching;

impl Desk {
    /// The latest ends, newest first: of one device, or of everybody.
    pub(crate) async fn diary(&self, parameters: &Value) -> Answer {
        let limit = optional_u32(parameters, "limit")?.unwrap_or(50);
        if limit == 0 || limit > shard::DIARY_ROWS {
            return Err(CommandError::parameter("limit", &format!("1 to {}, not {limit}", shard::DIARY_ROWS)));
        }
        let device = match parameters.get("device") {
            None | Some(Value::Null) => None,
            Some(_) => Some(device_id(parameters)?),
        };
        if let Some(device) = device
            && self.registry.lock().await.device(device).is_none()
        {
            return Err(no_such_device(device));
        }
        let mut rows = Vec::new();
        for shard in self.shards.all() {
            // A device's entries are written where it lives.
            if device.is_some_and(|device| home_of(device, self.shards.count()) != shard) {
                continue;
            }
            let ask = |request| Command::Diary { request, device, limit };
            if let Report::Diary(part) = self.shards.ask(shard, ask).await? {
                rows.extend(part);
            }
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.at_s));
        rows.truncate(limit as usize);
        let mut answer: Vec<Value> = rows.iter().map(entry_json).collect();
        if let Some(device) = device
            && answer.len() < limit as usize
        {
            let room = limit as usize - answer.len();
            answer.extend(self.earlier(device, room).await?);
        }
        Ok(answer.into())
    }

    /// What the store knows of a device from before this process, newest first.
    async fn earlier(&self, device: DeviceId, room: usize) -> Result<Vec<Value>, CommandError> {
        let Some(entry) = self.registry.lock().await.device(device).cloned() else { return Ok(Vec::new()) };
        let uptime_ms = self.facts.started.elapsed().as_millis() as u64;
        let lines = self.with_store(move |keep| keep.diary(&entry, uptime_ms, room)).await?.unwrap_or_default();
        Ok(lines.iter().rev().map(|(at_ms, reason)| earlier_json(*at_ms, device, reason)).collect())
    }

    /// Begin to watch a device.
    pub(crate) async fn watch(&self, parameters: &Value) -> Result<(Watching, u32), CommandError> {
        let device = device_id(parameters)?;
        let seconds = optional_u32(parameters, "seconds")?.unwrap_or(shard::TAP_S);
        if seconds == 0 || seconds > shard::TAP_S {
            return Err(CommandError::parameter("seconds", &format!("1 to {}, not {seconds}", shard::TAP_S)));
        }
        let ask = |request| Command::Tap { request, device, seconds };
        match self.shards.watch(home_of(device, self.shards.count()), ask).await? {
            (Report::Done, watching) => Ok((watching, seconds)),
            (Report::TooMany { limit }, _) => Err(CommandError::new(
                "too-many",
                format!("{limit} devices of this shard are watched already: end one of these watches first"),
            )),
            _ => Err(no_such_device(device)),
        }
    }
}

fn entry_json(entry: &DiaryEntry) -> Value {
    let firmware: serde_json::Map<_, _> =
        entry.firmware.iter().map(|(key, value)| (key.to_string(), Value::from(&**value))).collect();
    json!({
        "at_s": entry.at_s,
        "lasted_s": entry.lasted_s,
        "frames": entry.frames,
        "device": entry.device.map(DeviceId::get),
        "peer": entry.peer.to_string(),
        "end": entry.end.to_string(),
        "what": entry.end.what(),
        "fix": entry.end.fix(),
        "firmware": firmware,
    })
}

/// Of earlier processes the time and the reason are known.
fn earlier_json(at_ms: u64, device: DeviceId, reason: &str) -> Value {
    let end = End::ALL.iter().find(|end| end.to_string() == reason);
    json!({
        "at_s": at_ms / 1_000,
        "lasted_s": null,
        "frames": null,
        "device": device.get(),
        "peer": null,
        "end": reason,
        "what": end.map(|end| end.what()),
        "fix": end.map(|end| end.fix()),
        "firmware": {},
    })
}

/// A frame, decoded as far as its command tells.
pub(crate) fn frame_json(frame: &TappedFrame) -> Value {
    let fields: Vec<_> =
        frame.body.split(|byte| *byte == 0).map(|field| String::from_utf8_lossy(field).into_owned()).collect();
    if frame.is_mqtt {
        return json!({
            "direction": if frame.is_sent { "to-device" } else { "from-device" },
            "command": kind_name(frame.command),
            "id": 0,
            "len_bytes": frame.status_or_len,
            "fields": fields,
        });
    }
    let mut answer = json!({
        "direction": if frame.is_sent { "to-device" } else { "from-device" },
        "command": Wire::from_number(frame.command).map_or_else(|| frame.command.to_string(), |it| it.to_string()),
        "id": frame.id,
    });
    if frame.command == Wire::Response.number() {
        answer["status"] = frame.status_or_len.into();
    } else {
        answer["len_bytes"] = frame.status_or_len.into();
        answer["fields"] = if frame.body.is_empty() { json!([]) } else { fields.into() };
    }
    answer
}

//! What each command of the admin socket does.

use linchpin_protocol::model::{DeviceId, Pin, PinKind, TemplateId};
use linchpin_shard::{Command, Push, Report, ShardStatus, home_of};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::render::{made_json, row_json, status_json, template_json, view_json};
use crate::{CommandError, Facts, NewDevices, Registry, Shards, limits};

/// Everything that commands need.
pub(crate) struct Desk {
    pub(crate) shards: Shards,
    pub(crate) registry: Mutex<Registry>,
    pub(crate) facts: Facts,
}

type Answer = Result<Value, CommandError>;

impl Desk {
    /// Carry out one command with its parameters.
    pub(crate) async fn carry_out(&self, command: &str, parameters: &Value) -> Answer {
        match command {
            "status" => self.status().await,
            "device.list" => self.list(parameters).await,
            "device.show" => self.show(parameters).await,
            "device.add" => self.add(parameters).await,
            "device.write" => self.write(parameters).await,
            "device.push" => self.push(parameters).await,
            "template.list" => Ok(self.registry.lock().await.templates().iter().map(template_json).collect()),
            "drain" => self.drain(parameters),
            _ => {
                Err(CommandError::new("unknown-command", format!("there is no command {command:?}; see docs/admin.md")))
            }
        }
    }

    async fn status(&self) -> Answer {
        let mut shards = Vec::new();
        let mut sum = ShardStatus::default();
        for shard in self.shards.all() {
            let Report::Status(status) = self.shards.ask(shard, Command::Status).await? else { continue };
            sum.connections += status.connections;
            sum.online += status.online;
            sum.devices += status.devices;
            sum.ledger_bytes += status.ledger_bytes;
            sum.frames += status.frames;
            sum.logins += status.logins;
            sum.dropped += status.dropped;
            sum.moved_out += status.moved_out;
            for (end, count) in &status.ends {
                match sum.ends.iter_mut().find(|e| e.0 == *end) {
                    Some(entry) => entry.1 += count,
                    None => sum.ends.push((*end, *count)),
                }
            }
            shards.push(status_json(&status));
        }
        sum.ends.sort_by_key(|e| e.0);
        let mut answer = status_json(&sum);
        answer["shards"] = shards.into();
        answer["version"] = self.facts.version.into();
        answer["driver"] = self.facts.driver.as_str().into();
        answer["capacity"] = self.facts.capacity.into();
        answer["plain"] = self.facts.plain.iter().map(ToString::to_string).collect();
        answer["state"] = "memory".into();
        answer["uptime_s"] = self.facts.started.elapsed().as_secs().into();
        Ok(answer)
    }

    async fn list(&self, parameters: &Value) -> Answer {
        let after = optional_u32(parameters, "after")?.unwrap_or(0);
        let most = linchpin_shard::limits::LIST_ROWS;
        let limit = optional_u32(parameters, "limit")?.unwrap_or(100);
        if limit == 0 || limit > most {
            return Err(CommandError::parameter("limit", &format!("1 to {most}, not {limit}")));
        }
        let mut rows = Vec::new();
        for shard in self.shards.all() {
            let ask = |request| Command::Devices { request, after, limit };
            if let Report::Devices(part) = self.shards.ask(shard, ask).await? {
                rows.extend(part);
            }
        }
        rows.sort_by_key(|row| row.id);
        rows.truncate(limit as usize);
        let registry = self.registry.lock().await;
        Ok(rows.iter().map(|row| row_json(row, &registry)).collect())
    }

    async fn show(&self, parameters: &Value) -> Answer {
        let device = device_id(parameters)?;
        let ask = |request| Command::Device { request, device };
        match self.shards.ask(home_of(device, self.shards.count()), ask).await? {
            Report::Device(view) => Ok(view_json(&view, &*self.registry.lock().await)),
            _ => Err(no_such_device(device)),
        }
    }

    /// Tokens are in the answer: it is the only time that they are told.
    async fn add(&self, parameters: &Value) -> Answer {
        let count = optional_u32(parameters, "count")?.unwrap_or(1);
        if count == 0 || count > limits::ADD_DEVICES {
            return Err(CommandError::parameter("count", &format!("1 to {}, not {count}", limits::ADD_DEVICES)));
        }
        let template = match optional_text(parameters, "template")? {
            Some(text) => Some(
                TemplateId::parse(text.as_bytes())
                    .map_err(|_| CommandError::parameter("template", "a template id such as TMPLxxxxxxxx"))?,
            ),
            None => None,
        };
        let name = optional_text(parameters, "name")?.unwrap_or_default().to_owned();
        let mut registry = self.registry.lock().await;
        let made = registry
            .add(&NewDevices { count, template, name })
            .map_err(|error| CommandError::new("refused", error.to_string()))?
            .to_vec();
        let mut answer = Vec::with_capacity(made.len());
        for device in &made {
            for (shard, command) in registry.announce(device) {
                self.tell_patiently(shard, command).await?;
            }
            answer.push(made_json(device));
        }
        Ok(answer.into())
    }

    /// Many devices at once fill the lane: wait for the shard instead of failing halfway.
    async fn tell_patiently(&self, shard: linchpin_shard::ShardId, command: Command) -> Result<(), CommandError> {
        let deadline = tokio::time::Instant::now() + limits::ANSWER_TIMEOUT;
        let mut command = command;
        loop {
            match self.shards.offer(shard, command) {
                Ok(()) => return Ok(()),
                Err(back) if tokio::time::Instant::now() < deadline => command = *back,
                Err(_) => return Err(CommandError::new("busy", format!("shard {} does not keep up", shard.0))),
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    async fn write(&self, parameters: &Value) -> Answer {
        let pin = pin(parameters)?;
        let value =
            parameters.get("value").and_then(Value::as_str).ok_or(CommandError::parameter("value", "a text"))?;
        if value.len() > linchpin_protocol::limits::MAX_VALUE_BYTES {
            let most = linchpin_protocol::limits::MAX_VALUE_BYTES;
            return Err(CommandError::new(
                "value-too-long",
                format!("a value of {} bytes is too long, {most} are allowed", value.len()),
            ));
        }
        self.send(device_id(parameters)?, Push::Write { pin, value: value.as_bytes().into() }).await
    }

    async fn push(&self, parameters: &Value) -> Answer {
        let text = |name: &str| {
            let text = parameters.get(name).and_then(Value::as_str).filter(|t| !t.is_empty() && !t.contains('\0'));
            let text = text.filter(|t| t.len() <= limits::PUSH_BYTES);
            text.ok_or_else(|| CommandError::parameter(name, &format!("a text of 1 to {} bytes", limits::PUSH_BYTES)))
        };
        let push = match parameters.get("what").and_then(Value::as_str) {
            Some("ota") => {
                let url = text("url")?;
                if !url.starts_with("http://") && !url.starts_with("https://") {
                    return Err(CommandError::parameter("url", "an http:// or https:// address"));
                }
                Push::Ota { url: url.into() }
            }
            Some("reboot") => Push::Reboot,
            Some("debug") => Push::Debug { text: text("text")?.into() },
            _ => return Err(CommandError::parameter("what", "\"ota\", \"reboot\" or \"debug\"")),
        };
        self.send(device_id(parameters)?, push).await
    }

    async fn send(&self, device: DeviceId, push: Push) -> Answer {
        let ask = |request| Command::Push { request, device, push };
        match self.shards.ask(home_of(device, self.shards.count()), ask).await? {
            Report::Done => Ok(json!({"delivered": true})),
            Report::Offline => Ok(json!({"delivered": false})),
            Report::Rejected(fault) => Err(CommandError::new("rejected", fault.to_string())),
            Report::TooLarge { buff_in } => Err(CommandError::new(
                "too-large",
                format!("the device takes messages below {buff_in} bytes (its buff-in): send less"),
            )),
            _ => Err(no_such_device(device)),
        }
    }

    fn drain(&self, parameters: &Value) -> Answer {
        let per_second =
            optional_u32(parameters, "per_second")?.unwrap_or(linchpin_shard::limits::DRAIN_PER_SECOND).max(1);
        let redirect = match optional_text(parameters, "redirect")? {
            Some(text) => Some(host_and_port(text)?),
            None => None,
        };
        for shard in self.shards.all() {
            let per_second = per_second.div_ceil(u32::from(self.shards.count()));
            self.shards.tell(shard, Command::Drain { redirect: redirect.clone(), per_second })?;
        }
        Ok(json!({"draining": true}))
    }
}

fn host_and_port(text: &str) -> Result<(Box<str>, u16), CommandError> {
    let most = linchpin_protocol::limits::MAX_REDIRECT_HOST_BYTES;
    let expected = format!("HOST:PORT with a host of 1 to {most} bytes");
    let split = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let fits = split.filter(|(host, _): &(&str, u16)| !host.is_empty() && host.len() <= most);
    fits.map(|(host, port)| (host.into(), port)).ok_or_else(|| CommandError::parameter("redirect", &expected))
}

fn optional_u32(parameters: &Value, name: &str) -> Result<Option<u32>, CommandError> {
    match parameters.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
            number.map(Some).ok_or_else(|| CommandError::parameter(name, "a whole number from 0 to 4294967295"))
        }
    }
}

fn optional_text<'a>(parameters: &'a Value, name: &str) -> Result<Option<&'a str>, CommandError> {
    match parameters.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or_else(|| CommandError::parameter(name, "a text")),
    }
}

fn device_id(parameters: &Value) -> Result<DeviceId, CommandError> {
    let id = optional_u32(parameters, "device")?.and_then(DeviceId::new);
    id.ok_or_else(|| CommandError::parameter("device", "a device id, 1 or more"))
}

/// `V7`, `D3`, `A0`.
fn pin(parameters: &Value) -> Result<Pin, CommandError> {
    let text = parameters.get("pin").and_then(Value::as_str).unwrap_or("").as_bytes();
    let parsed = text.split_first().and_then(|(letter, index)| {
        PinKind::from_letter(letter.to_ascii_lowercase())?;
        Pin::parse(letter.to_ascii_lowercase(), index)
    });
    parsed.ok_or_else(|| CommandError::parameter("pin", "V0 to V255, D0 to D255 or A0 to A255"))
}

fn no_such_device(device: DeviceId) -> CommandError {
    CommandError::new("no-such-device", format!("there is no device {device}: `linchpin device list` shows them"))
}

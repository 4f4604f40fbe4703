//! Commands about devices.

use linchpin_protocol::model::{DeviceId, OrgId, TemplateId};
use linchpin_shard::{Command, Push, Report, home_of};
use serde_json::{Value, json};

use crate::command::parameters::{device_id, no_such_device, optional_text, optional_u32, pin};
use crate::command::render::{made_json, row_json, view_json};
use crate::command::{Answer, Desk};
use crate::{CommandError, DeviceEntry, Made, NewDevices, Registry, limits};

impl Desk {
    pub(crate) async fn list(&self, parameters: &Value) -> Answer {
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

    pub(crate) async fn show(&self, parameters: &Value) -> Answer {
        let device = device_id(parameters)?;
        let ask = |request| Command::Device { request, device };
        match self.shards.ask(home_of(device, self.shards.count()), ask).await? {
            Report::Device(view) => Ok(view_json(&view, &*self.registry.lock().await)),
            _ => Err(no_such_device(device)),
        }
    }

    /// Tokens are in the answer.
    pub(crate) async fn add(&self, parameters: &Value) -> Answer {
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
        let new = NewDevices { count, template, name, org: self.org(parameters).await? };
        let made = registry.add(&new).map_err(|error| CommandError::new("refused", error.to_string()))?;
        let records = made.clone();
        // What shards know and an answer names is on the disk.
        if let Err(error) = self.with_store(move |keep| keep.add_devices(&records)).await {
            for device in &made {
                registry.remove(device.entry.id);
            }
            return Err(error);
        }
        let mut answer = Vec::with_capacity(made.len());
        for device in &made {
            let known =
                [registry.introduce(&device.entry), registry.index(device.entry.id, registry.digest(&device.token))];
            for (shard, command) in known {
                self.tell_patiently(shard, command).await?;
            }
            answer.push(made_json(device));
        }
        Ok(answer.into())
    }

    /// The organization that new devices belong to.
    async fn org(&self, parameters: &Value) -> Result<OrgId, CommandError> {
        let Some(number) = optional_u32(parameters, "org")? else { return Ok(OrgId::FIRST) };
        let org = OrgId::new(number).ok_or_else(|| CommandError::parameter("org", "a number, 1 or more"))?;
        let known = self.with_store(move |keep| keep.has_org(org)).await?.unwrap_or(org == OrgId::FIRST);
        let text = || format!("there is no organization {org}: `linchpin org list` shows them");
        if known { Ok(org) } else { Err(CommandError::new("no-such-org", text())) }
    }

    /// Many devices at once fill the lane: wait for the shard instead of failing halfway.
    pub(crate) async fn tell_patiently(
        &self,
        shard: linchpin_shard::ShardId,
        command: Command,
    ) -> Result<(), CommandError> {
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

    pub(crate) async fn write(&self, parameters: &Value) -> Answer {
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

    pub(crate) async fn push(&self, parameters: &Value) -> Answer {
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

    /// A device with its token.
    async fn with_token(&self, registry: &Registry, device: DeviceId) -> Result<Made, CommandError> {
        let entry = registry.device(device).ok_or_else(|| no_such_device(device))?.clone();
        let token = match registry.token(device) {
            Some(token) => Some(token),
            None => {
                let asked = entry.clone();
                self.with_store(move |keep| keep.token(&asked)).await?.flatten()
            }
        };
        let token = token.ok_or_else(|| no_such_device(device))?;
        Ok(Made { entry, token })
    }

    /// The token of a device: what goes into its sketch.
    pub(crate) async fn token(&self, parameters: &Value) -> Answer {
        let device = device_id(parameters)?;
        let registry = self.registry.lock().await;
        self.with_token(&registry, device).await.map(|made| made_json(&made))
    }

    /// Let a device leave the shards: its connection ends and its token opens nothing.
    async fn leave(&self, registry: &Registry, device: DeviceId) -> Result<DeviceEntry, CommandError> {
        let Made { entry, token } = self.with_token(registry, device).await?;
        // The index first: from then on nobody logs in with the token.
        let (owner, unindex) = registry.unindex(&token);
        self.tell_patiently(owner, unindex).await?;
        let home = home_of(device, self.shards.count());
        self.shards.ask(home, |request| Command::RemoveDevice { request, device }).await?;
        Ok(entry)
    }

    /// Let all devices of an organization leave.
    pub(crate) async fn forget_org(&self, org: OrgId) -> Result<(), CommandError> {
        let mut registry = self.registry.lock().await;
        let devices = registry.devices().iter().filter(|device| device.org == org);
        let devices: Vec<DeviceId> = devices.map(|device| device.id).collect();
        for device in &devices {
            self.leave(&registry, *device).await?;
        }
        devices.into_iter().for_each(|device| drop(registry.remove(device)));
        tokio::time::sleep(limits::LAST_WORDS).await;
        Ok(())
    }

    /// Erase a device: its connection ends; its token, values and history are gone.
    pub(crate) async fn remove(&self, parameters: &Value) -> Answer {
        let device = device_id(parameters)?;
        let mut registry = self.registry.lock().await;
        let entry = self.leave(&registry, device).await?;
        if self.keep.is_some() {
            // What the shard has said of it is on its way to the store for so long.
            tokio::time::sleep(limits::LAST_WORDS).await;
            self.with_store(move |keep| keep.erase_device(&entry)).await?;
        }
        registry.remove(device);
        Ok(json!({"removed": device.get()}))
    }
}

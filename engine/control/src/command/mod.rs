//! What each command of the admin socket does.

mod device;
pub(crate) mod diary;
pub(crate) mod export;
pub(crate) mod parameters;
pub(crate) mod render;
pub(crate) mod store;
mod template;

use std::sync::Arc;

use linchpin_shard::{Command, Report, ShardStatus};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::command::parameters::{optional_text, optional_u32};
use crate::command::render::{status_json, template_json};
use crate::command::store::Upkeep;
use crate::{CommandError, Facts, Keep, Registry, Shards};

/// Everything that commands need.
pub(crate) struct Desk {
    pub(crate) shards: Arc<Shards>,
    pub(crate) registry: Mutex<Registry>,
    /// The store; `None`: state is in memory only.
    pub(crate) keep: Option<Keep>,
    /// What operators do with it.
    pub(crate) upkeep: Option<Upkeep>,
    pub(crate) facts: Facts,
}

pub(crate) type Answer = Result<Value, CommandError>;

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
            "device.token" => self.token(parameters).await,
            "device.remove" => self.remove(parameters).await,
            "device.diary" => self.diary(parameters).await,
            "template.list" => Ok(self.registry.lock().await.templates().map(template_json).collect()),
            "template.show" => self.show_template(parameters).await,
            "template.add" => self.add_template(parameters).await,
            "drain" => self.drain(parameters),
            _ if Upkeep::knows(command) => self.upkeep(command, parameters).await,
            _ => {
                Err(CommandError::new("unknown-command", format!("there is no command {command:?}; see docs/admin.md")))
            }
        }
    }

    /// Let a thread that may wait for the disk do it; `None`: there is no store.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn with_store<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Keep) -> Result<T, linchpin_storage::Error> + Send + 'static,
    ) -> Result<Option<T>, CommandError> {
        let Some(keep) = self.keep.clone() else { return Ok(None) };
        match tokio::task::spawn_blocking(move || job(&keep)).await {
            Ok(Ok(done)) => Ok(Some(done)),
            Ok(Err(error)) => Err(CommandError::new("store", error.to_string())),
            Err(_) => Err(CommandError::new("store", "the command failed inside the server: see its log")),
        }
    }

    /// Keys, erasing, backups: what is erased leaves the shards first.
    async fn upkeep(&self, command: &str, parameters: &Value) -> Answer {
        let Some(upkeep) = self.upkeep.clone() else {
            return Err(CommandError::new("refused", "this server has no store: its state is in memory only"));
        };
        match command {
            "erase.device" => {
                self.remove(parameters).await?;
                return Ok(json!({"erased": parameters["device"], "note": store::NOT_IN_BACKUPS}));
            }
            "erase.org" => self.forget_org(store::erased_org(parameters)?).await?,
            _ => {}
        }
        let (command, parameters) = (command.to_owned(), parameters.clone());
        match tokio::task::spawn_blocking(move || upkeep.carry_out(&command, &parameters)).await {
            Ok(answer) => answer,
            Err(_) => Err(CommandError::new("store", "the command failed inside the server: see its log")),
        }
    }

    async fn status(&self) -> Answer {
        let parts = self.statuses().await?;
        let mut sum = ShardStatus::default();
        parts.iter().for_each(|part| add(&mut sum, part));
        let mut answer = status_json(&sum);
        answer["shards"] = parts.iter().map(status_json).collect();
        answer["version"] = self.facts.version.into();
        answer["commit"] = self.facts.commit.into();
        answer["driver"] = self.facts.driver.as_str().into();
        answer["capacity"] = self.facts.capacity.into();
        answer["plain"] = self.facts.plain.iter().map(ToString::to_string).collect();
        answer["tls"] = self.facts.tls.iter().map(ToString::to_string).collect();
        answer["mutual"] = self.facts.mutual.iter().map(ToString::to_string).collect();
        answer["proxied"] = self.facts.proxied.iter().map(ToString::to_string).collect();
        answer["state"] = if self.keep.is_some() { "disk" } else { "memory" }.into();
        answer["uptime_s"] = self.facts.started.elapsed().as_secs().into();
        Ok(answer)
    }

    /// What every shard holds and counts, in their order. All are asked at once.
    pub(crate) async fn statuses(&self) -> Result<Vec<ShardStatus>, CommandError> {
        let mut waiting = tokio::task::JoinSet::new();
        for shard in self.shards.all() {
            let shards = Arc::clone(&self.shards);
            waiting.spawn(async move { (shard, shards.ask(shard, Command::Status).await) });
        }
        let mut found = Vec::new();
        while let Some(Ok((shard, report))) = waiting.join_next().await {
            if let Report::Status(status) = report? {
                found.push((shard, *status));
            }
        }
        found.sort_by_key(|(shard, _)| *shard);
        Ok(found.into_iter().map(|(_, status)| status).collect())
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

/// Add up what two shards hold and count.
fn add(sum: &mut ShardStatus, part: &ShardStatus) {
    sum.connections += part.connections;
    sum.online += part.online;
    sum.devices += part.devices;
    sum.ledger_bytes += part.ledger_bytes;
    sum.diary_bytes += part.diary_bytes;
    sum.frames += part.frames;
    sum.requests += part.requests;
    sum.logins += part.logins;
    sum.dropped += part.dropped;
    sum.handshakes_full += part.handshakes_full;
    sum.handshakes_resumed += part.handshakes_resumed;
    sum.handshakes_running += part.handshakes_running;
    sum.handshakes_waiting += part.handshakes_waiting;
    sum.assembly_bytes += part.assembly_bytes;
    sum.unsendable += part.unsendable;
    sum.moved_out += part.moved_out;
    sum.draining |= part.draining;
    for (end, count) in &part.ends {
        match sum.ends.iter_mut().find(|e| e.0 == *end) {
            Some(entry) => entry.1 += count,
            None => sum.ends.push((*end, *count)),
        }
    }
    sum.ends.sort_by_key(|e| e.0);
}

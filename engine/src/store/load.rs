//! What shards are told before they serve.

use std::sync::mpsc::SyncSender;

use linchpin_control::{Keep, Registry};
use linchpin_protocol::model::{DeviceId, UnixMillis};
use linchpin_shard::{Command, Digest, Restored, ShardId, home_of};
use linchpin_storage::schema::{DeviceKey, IndexKind, Latest, Properties};
use linchpin_storage::{Error, schema};

use crate::limits;

/// The way to each shard, in chunks: a million devices leave no heap of commands behind.
pub(super) struct Loaders {
    send: Vec<SyncSender<Vec<Command>>>,
    chunks: Vec<Vec<Command>>,
}

impl Loaders {
    fn new(send: &[SyncSender<Vec<Command>>]) -> Self {
        Self { send: send.to_vec(), chunks: send.iter().map(|_| Vec::new()).collect() }
    }

    fn give(&mut self, (shard, command): (ShardId, Command)) {
        let chunk = &mut self.chunks[shard.index()];
        chunk.push(command);
        if chunk.len() >= limits::LOAD_CHUNK {
            // A thread that has failed has said why; it is heard later.
            let _ = self.send[shard.index()].send(std::mem::take(chunk));
        }
    }

    fn shards(&self) -> u16 {
        self.send.len() as u16
    }
}

impl Drop for Loaders {
    fn drop(&mut self) {
        for (send, chunk) in self.send.iter().zip(self.chunks.drain(..)) {
            let _ = send.send(chunk);
        }
    }
}

/// Tell each shard who exists and, from the store, what they had.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn load_all(
    registry: &Registry,
    keep: Option<&Keep>,
    send: Vec<SyncSender<Vec<Command>>>,
) -> Result<(), Error> {
    let mut loaders = Loaders::new(&send);
    for template in registry.templates() {
        for shard in 0..loaders.shards() {
            loaders.give((ShardId(shard), Command::PutTemplate(Box::new(template.clone()))));
        }
    }
    let Some(keep) = keep else {
        for device in registry.devices() {
            loaders.give(registry.introduce(device));
            if let Some(token) = registry.token(device.id) {
                loaders.give(registry.index(device.id, registry.digest(&token)));
            }
        }
        return Ok(());
    };
    // Tokens and all else are read at the same time.
    std::thread::scope(|scope| {
        let index = Loaders::new(&send);
        drop(send);
        let index = scope.spawn(move || load_index(registry, keep, index));
        for device in registry.devices() {
            loaders.give(registry.introduce(device));
        }
        let state = load_state(keep, loaders);
        index.join().unwrap_or(Err(Error::Closed)).and(state)
    })
}

fn load_index(registry: &Registry, keep: &Keep, mut loaders: Loaders) -> Result<(), Error> {
    let indexer = registry.indexer();
    keep.store().load_index(IndexKind::Token, |digest, entry| {
        if let (schema::Digest::Token(digest), Some(device)) = (digest, DeviceId::new(entry.number)) {
            loaders.give(indexer.index(device, Digest(digest)));
        }
    })
}

fn load_state(keep: &Keep, mut loaders: Loaders) -> Result<(), Error> {
    let shards = loaders.shards();
    keep.store().load_latest(|key, latest| {
        loaders.give(restore(key, shards, Restored { values: values(latest), ..Restored::default() }));
    })?;
    keep.store().scan::<Properties>(|key, properties| {
        let mut restored = Restored::default();
        for attribute in properties.0 {
            match attribute.pin {
                Some(pin) => restored.properties.push((pin, attribute.name, attribute.value)),
                None => {
                    let value = String::from_utf8_lossy(&attribute.value).into();
                    restored.metadata.push((attribute.name, value));
                }
            }
        }
        loaders.give(restore(key, shards, restored));
        std::ops::ControlFlow::Continue(())
    })
}

/// To a device's home.
pub(super) fn restore(key: DeviceKey, shards: u16, restored: Restored) -> (ShardId, Command) {
    (home_of(key.device(), shards), Command::Restore { device: key.device(), restored: Box::new(restored) })
}

/// As shards keep them.
pub(super) fn values(latest: Latest) -> Vec<(linchpin_protocol::model::Pin, Box<[u8]>, UnixMillis)> {
    latest.values.into_iter().map(|(pin, latest)| (pin, latest.value, UnixMillis(latest.at_ms))).collect()
}

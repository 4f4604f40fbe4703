//! Everything Linchpin knows, in one RocksDB whose values are sealed.
//!
//! One [`Store`] is opened at start; it makes the handles that the rest of the program holds:
//!
//! | handle | who holds it | may it block? |
//! |---|---|---|
//! | [`TelemetryLane`] | each shard, one of its own | never: a full lane says [`LaneFull`] |
//! | [`Writer`] | whoever writes records | [`Writer::submit`] never; [`Writer::commit`] for a sync |
//! | [`Reads`] | whoever reads records or history | [`Reads::submit`] never; the rest for the disk |
//! | [`Store`] | who opened it: keys, erasing, backups, the end | for as long as the work takes |
//!
//! # The order of calls
//! 1. [`harden`]: no core dumps, before any key is in memory.
//! 2. [`Store::open`]. A wrong key, damage and a rolled-back folder are refused, and nothing is changed then.
//! 3. [`Reads::load_index`] lists the digests of all device tokens; with [`Reads::token_key`] shards compute the
//!    digest of a token that comes in. Logins can be served from here on.
//! 4. [`Reads::load_latest`] reports latest values as stored. Meanwhile the journal of the last run is replayed;
//!    [`Reads::load_replayed`] reports newer values as the replay finds it: take it unless a device has written since.
//!    Calls about a device's telemetry ([`Reads::latest`], [`Reads::history`]) wait for what the journal holds of this
//!    device by themselves, and for no more.
//! 5. [`Store::telemetry_lane`] for each shard; [`TelemetryLane::close_batch`] every
//!    [`limits::JOURNAL_BATCH_MS`]. At [`LaneFull`] a shard retains the newest value of each pin and tries again.
//! 6. Changes: [`Writer::batch`], [`Batch::put`], [`Writer::submit`] with the [`Class`] that the change needs; the
//!    callback pushes into a lane of the shard that waits and wakes it.
//! 7. [`Reads::figures`] for metrics, at any time.
//! 8. [`Store::close`]. Without it (a crash, a drop) the next start replays the log.
//!
//! An organization has a key of its own: [`Store::add_org`] comes before its first record.
//!
//! ```
//! use linchpin_protocol::model::{DeviceId, Pin, Token};
//! use linchpin_storage::schema::{Device, DeviceKey, IndexEntry, IndexKind, OrgId};
//! use linchpin_storage::{Class, Granularity, Query, Settings, Source, Store, Unseal};
//!
//! # let folder = std::env::temp_dir().join(format!("linchpin-doc-{}", std::process::id()));
//! # fn now_ms() -> u64 {
//! #     std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
//! # }
//! let unseal = Unseal::Passphrase(zeroize::Zeroizing::new("correct horse battery staple".into()));
//! let store = Store::open(Settings::new(&folder, unseal))?;
//! let org = OrgId::new(1).unwrap();
//! store.add_org(org)?;
//!
//! // Any thread writes: a device and its token, together, on the disk when `done` is called.
//! let writer = store.writer();
//! let key = DeviceKey::new(org, DeviceId::new(7).unwrap());
//! let token = Token::from_random(&[42; 24]);
//! let mut batch = writer.batch();
//! batch.put_index(&store.token_digest(&token), &IndexEntry { org, number: 7 })?;
//! batch.put(&key, &Device::new("Lamp".into(), None, token, now_ms()))?;
//! let (done, result) = std::sync::mpsc::channel();
//! writer.submit(Class::A, batch, move |outcome| drop(done.send(outcome)))?;
//! result.recv().unwrap()?;
//!
//! // A shard's telemetry never waits.
//! let mut lane = store.telemetry_lane()?;
//! let pin = Pin::new_virtual(0);
//! lane.write(org, key.device(), pin, now_ms(), b"21.5").unwrap();
//! lane.close_batch().unwrap();
//!
//! // History is read by threads of the store's.
//! let (done, answer) = std::sync::mpsc::channel();
//! let query =
//!     Query { key, pin, from_ms: 0, to_ms: now_ms(), granularity: Granularity::Raw, source: Source::Average };
//! store.reads().submit(move |reads| drop(done.send(reads.history(&query))))?;
//! assert_eq!(answer.recv().unwrap()?[0].value, 21.5);
//!
//! store.close()?;
//! # drop(store);
//! # let store = Store::open(Settings::new(&folder, Unseal::Passphrase(zeroize::Zeroizing::new("correct horse battery staple".into()))))?;
//! let mut tokens = 0;
//! store.load_index(IndexKind::Token, |_digest, entry| tokens += usize::from(entry.org == org))?;
//! assert_eq!(tokens, 1);
//! # drop(store);
//! # std::fs::remove_dir_all(&folder).unwrap();
//! # Ok::<(), linchpin_storage::Error>(())
//! ```

pub mod backup;
mod collect;
mod disk;
mod error;
#[cfg(test)]
mod hostile;
pub mod limits;
mod open;
mod read;
mod retire;
pub mod schema;
mod seal;
mod settings;
mod shared;
mod store;
#[cfg(test)]
mod testing;
mod threads;
mod upgrade;
mod write;

pub use collect::lane::{LaneFull, TelemetryLane};
pub use disk::durable::{check_folder, write_private};
pub use disk::rocks::StoreMemory;
pub use disk::steps::Steps;
pub use disk::verify::Verified;
pub use error::{Error, Problem};
pub use read::chart::{ChartPoint, ChartQuery};
pub use read::export::{Export, ExportFormat, ExportQuery, TimeFormat};
pub use read::figures::{FamilyFigures, StoreFigures};
pub use read::query::{Granularity, Period, Query, Source};
pub use read::reads::Reads;
pub use read::zone::Zone;
pub use schema::bytes::Shape;
pub use seal::cipher::NonceWatch;
pub use seal::harden::harden;
pub use seal::keyring::{KeyLabel, KeyStatus};
pub use seal::rotate::Rotation;
pub use seal::unseal::Unseal;
pub use settings::{Retention, Settings, WallClock};
pub use store::Store;
pub use upgrade::Upgraded;
pub use write::batch::Batch;
pub use write::committer::Class;
pub use write::files::{FileDraft, FileName, FileRefused, FileShelf, NoFileName};
pub use write::writer::Writer;

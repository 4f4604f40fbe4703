//! Bounds of the store, with units and reasons.

use std::time::Duration;

use linchpin_protocol::limits::MAX_VALUE_BYTES;

/// Bytes of one batch: a commit is one write to the log and one sync.
pub const BATCH_BYTES: usize = 4 << 20;
/// Longest key, bytes. Keys hold internal integers only.
pub const KEY_BYTES: usize = 48;
/// Longest value before it is sealed, bytes.
pub const VALUE_BYTES: usize = 1 << 20;
/// What sealing adds to a value, bytes: version, algorithm, key slot, nonce, tag.
pub const SEAL_BYTES: usize = 1 + 1 + 4 + 12 + 16;
/// Files that RocksDB holds open.
pub const OPEN_FILES: i32 = 512;
/// Memory of unwritten records before RocksDB writes a file, bytes a column family.
pub const WRITE_BUFFER_BYTES: usize = 32 << 20;
/// Unwritten records of all column families together, bytes; more are written out.
pub const WRITE_BUFFERS_BYTES: usize = 192 << 20;
/// Write-ahead logs of all column families together, bytes; also what a restart may have to replay.
pub const WAL_BYTES: u64 = 256 << 20;
/// Cache of blocks read, bytes.
pub const BLOCK_CACHE_BYTES: usize = 64 << 20;

/// Records that one key seals before a fresh one is registered: far below what AES-GCM allows with counted nonces.
pub const EPOCH_RECORDS: u64 = 1 << 32;
/// Bytes that one key seals before a fresh one is registered.
pub const EPOCH_BYTES: u64 = 256 << 30;
/// Age at which a fresh data key is registered, s.
pub const EPOCH_S: u64 = 7 * 24 * 3_600;
/// Data keys that a keyring holds; rotation retires those that no record uses.
pub const EPOCHS: usize = 65_536;
/// Data keys beyond that, for rotations only: retiring keys stays possible when nothing else is.
pub const EPOCHS_RESERVE: usize = 1_024;
/// A running store rotates its keys by itself when its keyring holds this part of [`EPOCHS`], percent.
pub const EPOCHS_ROTATE_PERCENT: usize = 75;
/// Pause before a rotation that failed is tried again, s.
pub const ROTATE_RETRY_S: u64 = 3_600;
/// Organizations of one store: their keys are one file.
pub const ORGS: usize = 65_536;
/// Longest keyring file, bytes.
pub const KEYRING_BYTES: usize = 16 << 20;
/// Longest unseal key file, bytes.
pub const UNSEAL_FILE_BYTES: usize = 4_096;
/// Memory of argon2id for a passphrase, KiB.
pub const ARGON_KIB: u32 = 64 << 10;
/// Passes of argon2id.
pub const ARGON_PASSES: u32 = 3;

/// Writes that may wait for the committing thread.
pub const QUEUED_WRITES: usize = 4_096;
/// Bytes that one group commit takes from the queue.
pub const GROUP_BYTES: usize = 16 << 20;
/// Longest time that a class B write waits for its sync, ms; stated as at most 1 s.
pub const CLASS_B_SYNC_MS: u64 = 500;
/// Threads that read history for those who must not wait.
pub const READERS: usize = 2;
/// Questions that may wait for them.
pub const QUEUED_READS: usize = 1_024;
/// How often a shard closes a journal batch, ms.
pub const JOURNAL_BATCH_MS: u64 = 25;
/// Journal batches on their way from one shard.
pub const JOURNAL_LANE: usize = 64;
/// Bytes of one journal batch as a shard fills it; what one organization wrote of it is one record.
pub const JOURNAL_BATCH_BYTES: usize = 768 << 10;
/// An organization has at most so many times in a lane what the lane has free: while the collector is behind, who floods
/// loses raw points and nobody else.
pub const JOURNAL_SHARE: usize = 4;
/// Longest time that the journal retains a point that is not in a chunk yet, ms.
pub const JOURNAL_RETAIN_MS: u64 = 10 * 60 * 1_000;
/// Points of shards that are journaled and wait for the replay of the last run's journal, bytes; beyond that they wait in
/// lanes.
pub const HELD_BYTES: usize = 64 << 20;
/// Devices of one piece of what a replay reports.
pub const REPLAYED_DEVICES: usize = 1_024;
/// Such pieces on their way.
pub const REPLAYED_PIECES: usize = 4;
/// Read ahead of scans at start, bytes.
pub const READ_AHEAD_BYTES: usize = 1 << 20;
/// How far ahead of the clock a point may be, ms: beyond that it would make partitions in the far future.
pub const AHEAD_MS: u64 = 24 * 3_600_000;

/// Points of one chunk.
pub const CHUNK_POINTS: usize = 1_024;
/// Time that one chunk spans at most, ms: an hour of UTC.
pub const CHUNK_SPAN_MS: u64 = 3_600_000;
/// Points that are collected in memory at once (16 bytes each); beyond that all are written out.
pub const OPEN_SAMPLES: usize = 16_000_000;
/// Devices and pins that are open at once, bytes beside their samples; beyond that all are stored and forgotten, before
/// their hour is over.
pub const OPEN_BYTES: usize = 512 << 20;
/// Collected points of several devices are stored in batches of about this size, bytes.
pub const STORE_BYTES: usize = 256 << 10;
/// Devices of one such batch; small, because lanes wait while it is made.
pub const STORE_DEVICES: usize = 256;
/// Pause before a batch that the disk refused is tried again, ms.
pub const STORE_RETRY_MS: u64 = 500;
/// Pins of one device with a latest value.
pub const LATEST_PINS: usize = 768;
/// Points that one history query may return.
pub const QUERY_POINTS: usize = 10_000_000;

/// An unfinished file in a folder of backups is removed at this age: no backup takes so long.
pub const PART_AGE: Duration = Duration::from_secs(24 * 3_600);
/// A piece of an export is handed over when it has this size, bytes; it may be longer by what an hour holds.
pub const EXPORT_PIECE_BYTES: usize = 64 << 10;

/// How often the folder is compared with the inventory, ms.
pub const INVENTORY_TICK_MS: u64 = 1_000;
/// Files checked by their digest at start, bytes in all; the rest is checked in the background.
pub const START_VERIFY_BYTES: u64 = 128 << 20;
/// Tables are compared with their digests in the background, bytes a tick; a start compares the newest at once.
pub const TICK_VERIFY_BYTES: u64 = 32 << 20;
/// RocksDB begins a new MANIFEST beyond this size, bytes: never while it runs. A new one does not say what the one before
/// has dropped since the last inventory, and a start would take that for damage.
pub const MANIFEST_BYTES: usize = 1 << 40;
/// Write-ahead logs that the mark lists.
pub const MARK_LOGS: usize = 200;
/// Bytes of one slot of the mark: a write of this size is torn at worst, never spread.
pub const MARK_SLOT_BYTES: usize = 4_096;
/// Space that must stay free for RocksDB to write its files, as a multiple of a write buffer.
pub const RESERVE_BUFFERS: u64 = 4;
/// Least space that must stay free, bytes.
pub const RESERVE_BYTES: u64 = 8 << 20;

/// How far the wall clock may be ahead of the newest time that was trusted, besides the time that has passed since the
/// start, ms; beyond that nothing expires by it.
pub const CLOCK_AHEAD_MS: u64 = 48 * 3_600_000;
/// A wall clock that goes as fast as the monotonic one for this long is trusted, whatever it says, ms.
pub const CLOCK_AGREES_MS: u64 = 24 * 3_600_000;
/// By how much the two may differ meanwhile, ms.
pub const CLOCK_DRIFT_MS: u64 = 60_000;
/// The newest trusted time is stored when it is further than this from what is stored, ms.
pub const CLOCK_SAVE_MS: u64 = 600_000;
/// How often what is over is looked for, s.
pub const RETENTION_TICK_S: u64 = 3_600;
/// A table of events or of the diary is compacted once it is this old, s: what is over leaves the disk then.
pub const EXPIRE_COMPACTION_S: u64 = 7 * 24 * 3_600;

/// Longest name of an organization, device, template or user, bytes.
pub const NAME_BYTES: usize = 256;
/// Address ranges of one organization's policy, or of one client.
pub const ADDRESS_RANGES: usize = 32;
/// Recovery codes of one account.
pub const RECOVERY_CODES: usize = 10;
/// Identities at other sign-in servers of one account.
pub const ACCOUNT_LINKS: usize = 8;
/// Addresses that a client was used from, as many as are stored.
pub const CLIENT_ADDRESSES: usize = 5;
/// Fields of one mail.
pub const MAIL_FIELDS: usize = 16;
/// Bytes of a piece of a file: what is in memory of one that is read or written.
pub const FILE_PIECE_BYTES: usize = 64 << 10;
/// Longest name of a file, bytes.
pub const FILE_NAME_BYTES: usize = 100;
/// Bytes of a file that is uploaded.
pub const UPLOAD_BYTES: u64 = 5 << 20;
/// Files that a device may have uploaded.
pub const FILES_PER_DEVICE: usize = 10;
/// Files that the devices of an organization may have uploaded.
pub const FILES_PER_ORG: usize = 1_000;
/// Bytes of an export that waits in a file, before it is compressed: as many as it may have after.
pub const EXPORT_BYTES: u64 = 64 << 20;
/// Exports to files of a device in 24 h.
pub const EXPORTS_PER_DAY: usize = 10;
/// Exports to files of an organization in 24 h.
pub const EXPORTS_PER_ORG: usize = 200;
/// The link of an export works for so long, ms; a file that is not whole after it is deleted.
pub const EXPORT_MS: u64 = 60 * 60 * 1_000;
/// Metadata fields of one template.
pub const META_FIELDS: usize = 64;
const _: () = assert!(META_FIELDS == linchpin_protocol::limits::TEMPLATE_FIELDS, "what shards check can be stored");
/// Events of one template.
pub const TEMPLATE_EVENTS: usize = 64;
/// Tags of a device.
pub const DEVICE_TAGS: usize = 32;
/// Layout of a template, bytes.
pub const LAYOUT_BYTES: usize = 256 << 10;
/// Texts of one enumeration.
pub const STREAM_LABELS: usize = 256;
/// Changes that one audit entry lists.
pub const AUDIT_CHANGES: usize = 64;
/// Records that a sweep looks at before it writes and rests.
pub const SWEEP_RECORDS: usize = 512;

/// Structure: a device in the collector, while a value of it is younger than what was stored.
pub const OPEN_DEVICE_BYTES: usize = 64;
/// Structure: a pin of such a device, besides its samples.
pub const OPEN_PIN_BYTES: usize = 56;

const _: () = assert!(VALUE_BYTES + SEAL_BYTES + KEY_BYTES < BATCH_BYTES);
const _: () = assert!(BATCH_BYTES <= GROUP_BYTES);
const _: () = assert!(FILE_PIECE_BYTES <= VALUE_BYTES, "a piece is a record");
const _: () = assert!(
    2 * RESERVE_BUFFERS * WRITE_BUFFER_BYTES as u64 >= WRITE_BUFFERS_BYTES as u64,
    "reserve and ballast hold what RocksDB has not written yet"
);
const _: () = assert!(JOURNAL_BATCH_BYTES + 2 * MAX_VALUE_BYTES < VALUE_BYTES, "a journal batch fits into one record");
const _: () = assert!(STORE_RETRY_MS < 2_000, "writing goes on within 2 s of space");
const _: () = assert!(JOURNAL_BATCH_MS * 2 <= 50, "a batch and its way to the disk stay below the stated 50 ms");
const _: () = assert!(CLASS_B_SYNC_MS * 2 <= 1_000);
const _: () = assert!(CHUNK_SPAN_MS == 60 * 60_000, "a chunk's minutes are one row of the roll-up");
const _: () = assert!(LATEST_PINS * (MAX_VALUE_BYTES + 16) < VALUE_BYTES, "all latest values fit into one record");
const _: () = assert!(CHUNK_POINTS * 17 < VALUE_BYTES, "a chunk of floats fits into one record");
const _: () = assert!(LATEST_PINS == 3 * 256, "every pin may have one");
const _: () = assert!(KEYRING_BYTES > ORGS * 2 * 40 + (EPOCHS + EPOCHS_RESERVE) * 48);
const _: () = assert!(EPOCHS_ROTATE_PERCENT < 100);
const _: () = assert!(64 + MARK_LOGS * 16 <= MARK_SLOT_BYTES);
const _: () = assert!(ARGON_KIB <= 1 << 20 && ARGON_PASSES >= 2);

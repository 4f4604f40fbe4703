//! Bounds of the process, with units and reasons.

use std::time::Duration;

/// Shards of a process. Lanes grow with its square, see [`LANES_BYTES`].
pub(crate) const SHARDS: u16 = 256;
/// Memory that all lanes together may reserve, bytes; the kernel gives it to them page by page as letters first pass.
pub(crate) const LANES_BYTES: usize = 256 << 20;
/// Capacity of a lane between two shards, letters; more wait in the outbox. The ring uses each of its slots in turn, so all
/// of its pages become resident.
pub(crate) const LANE_LETTERS: usize = 256;
/// Letters that wait for a full lane, per destination, before senders are refused.
pub(crate) const OUTBOX_LETTERS: usize = 8_192;
/// Letters that a lane holds at least, whatever the budget.
pub(crate) const LANE_LETTERS_MIN: usize = 32;
/// Letters that one tick takes from one lane before it looks at sockets again.
pub(crate) const LETTERS_PER_TICK: usize = 1_024;
/// Parts of control's answers that one tick takes: of 16 KiB at most each, so that a tick writes a megabyte of them.
pub(crate) const ANSWERS_PER_TICK: usize = 64;
/// New devices of the configuration file that wait to be written to the store together: one sync of the disk for all of them.
pub(crate) const WRITTEN_TOGETHER: usize = 1_000;
/// Rounds in which a tick carries out what its own effects caused (letters that come back undelivered).
pub(crate) const ROUNDS: usize = 4;
/// Pins of a shard whose newest value may wait for the journal, when the disk is slow; of more only the memory knows.
pub(crate) const OWED_VALUES: usize = 1 << 20;
/// Size of the disk for one byte of each of the store's write buffers: they reach their full size with 8 GiB.
pub(crate) const DISK_PER_BUFFER: u64 = 256;
/// Least size of such a buffer, bytes.
pub(crate) const LEAST_BUFFER_BYTES: usize = 1 << 20;
/// Shortest passphrase that may open the store, characters.
pub(crate) const PASSPHRASE_CHARS: usize = 12;
/// Longest time that history is kept, days.
pub(crate) const RETENTION_DAYS: u32 = 36_500;
/// Longest time between two backups, hours.
pub(crate) const BACKUP_HOURS: u32 = 24 * 365;
/// Backups that may be kept.
pub(crate) const BACKUPS: u32 = 10_000;
/// Changes (events, properties, metadata, lines of the diary) of all shards that wait for the thread that writes them.
/// At three quarters new ones are refused, at half of it lines of the diary are left out.
pub(crate) const CHANGES: usize = 16_384;
/// Answers of a shard that wait for the store, and those of all shards that found no room on their way back.
pub(crate) const AWAITED_ANSWERS: usize = 16_384;
/// Removals that wait for the store while the disk is full; beyond that changes wait behind them.
pub(crate) const FENCES: usize = 1_024;
/// Lines of the diary that a shard hands over together, at the latest when a journal batch is due.
pub(crate) const LINES_TOGETHER: usize = 512;
/// Changes that are written together, about: what a shard hands over together stays together.
pub(crate) const CHANGES_BATCH: usize = 1_024;
/// That thread looks this often whether the store takes more or less, and tries again after this time.
pub(crate) const CHANGES_TICK: Duration = Duration::from_millis(50);
/// How often the doctor looks at the machine for the console.
pub(crate) const DOCTOR_LOOK: Duration = Duration::from_secs(60);
/// A certificate that ends within this time is said to end soon.
pub(crate) const CERTIFICATE_SOON: Duration = Duration::from_secs(14 * 24 * 3_600);
/// Files of `linchpin dev --console DIR` together, bytes.
pub(crate) const CONSOLE_FOLDER_BYTES: usize = 16 << 20;
/// How often that folder is looked at for a new build.
pub(crate) const CONSOLE_FOLDER_LOOK: Duration = Duration::from_millis(500);
/// Builds of it that a process reads: what was served once stays in memory.
pub(crate) const CONSOLE_FOLDER_READS: usize = 500;
/// Longest answer about history, bytes.
pub(crate) const HISTORY_BYTES: usize = 256 << 10;
/// Files of history that are made at a time: each takes a reader of the store for seconds.
pub(crate) const EXPORTS_AT_A_TIME: usize = 2;
/// An answer about history is offered to a shard for so long.
pub(crate) const REPLY_WITHIN: Duration = Duration::from_secs(1);
/// Answers about history that wait for shards whose lanes are full; of more the askers' deadlines answer.
pub(crate) const REPLIES: usize = 1_024;
/// What the last run's journal adds is offered to a shard for so long.
pub(crate) const RESTORE_WITHIN: Duration = Duration::from_secs(5);
/// Times, 10 ms apart, that a shard that ends offers what it owes to the store.
pub(crate) const LAST_TRIES: usize = 50;
/// Upper bounds of the buckets that ticks are counted in, us.
pub(crate) const TICK_BOUNDS_US: [u64; 8] = [100, 250, 500, 1_000, 2_000, 5_000, 10_000, 100_000];
/// Descriptors without which nothing can be started: a store holds about 35, each shard a few, a connection one.
pub(crate) const LEAST_DESCRIPTORS: u64 = 48;
/// Addresses without which nothing can be started, bytes. Tables, stacks and files are mapped, most of them never used.
pub(crate) const LEAST_ADDRESS_BYTES: u64 = 4 << 30;
/// A port that is in use is asked for again for so long: the one before may have ended just now.
pub(crate) const PORT_WITHIN: Duration = Duration::from_secs(1);
/// Pause between two such asks.
pub(crate) const PORT_TICK: Duration = Duration::from_millis(20);
/// Longest sleep of an idle shard: its clocks are looked at once in this time.
pub(crate) const IDLE: Duration = Duration::from_secs(1);
/// How often a shard gives memory back that its thread has freed, ms; the allocator itself waits a second before it does.
pub(crate) const GIVE_BACK_MS: u64 = 1_000;
/// Commands in one chunk while a shard is loaded.
pub(crate) const LOAD_CHUNK: usize = 256;
/// Chunks that wait for a shard while it is loaded.
pub(crate) const LOAD_CHUNKS: usize = 4;
/// A shard thread opens its sockets within this time.
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_secs(20);
/// A running shard takes a command of the main thread within this time.
pub(crate) const TELL_TIMEOUT: Duration = Duration::from_secs(5);
/// Shard threads end within this time, or with the process.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// Lines about connections that a shard logs at "info" and above in a second; the others are counted.
pub(crate) const LOG_LINES_PER_SECOND: u32 = 10;
/// What has happened to devices and waits to be printed by `linchpin dev`; more is counted and left out.
pub(crate) const HEARD: usize = 1_024;
/// Bytes of a value that are printed of it.
pub(crate) const HEARD_VALUE_BYTES: usize = 64;
/// Characters of what a device says of itself that are printed.
pub(crate) const HEARD_WORD_CHARS: usize = 40;
/// Lines about devices that `linchpin dev` prints in a second; the others are counted.
pub(crate) const SPOKEN_LINES_PER_SECOND: u32 = 20;
/// So long the line about a login waits for what the firmware says of itself, ms.
pub(crate) const INTRODUCTION_WAIT_MS: u64 = 700;
/// Logins that wait like this; more are printed without it.
pub(crate) const INTRODUCTIONS: usize = 64;
/// Pins of a shard whose first value was printed; of more none is.
pub(crate) const SEEN_PINS: usize = 4_096;
/// Pins that are looked up first.
pub(crate) const RECENT_PINS: usize = 4_096;
/// Lines of the log that wait to be written; when there is no room, lines are lost and counted.
pub(crate) const LOG_LINES_QUEUED: usize = 4_096;
/// Longest line of the log, bytes; the rest is cut off. With [`LOG_LINES_QUEUED`] it bounds the queue.
pub(crate) const LOG_LINE_BYTES: usize = 4 * 1_024;
/// Lines that one place of the program may write at once, at "info" and above, before the others are counted only.
pub(crate) const LOG_REPEATS: u64 = 1_000;
/// Lines that it may write in a second for long.
pub(crate) const LOG_REPEATS_PER_SECOND: u64 = 10;
/// [`LOG_REPEATS`] at "debug".
pub(crate) const LOG_DEBUG_REPEATS: u64 = 20_000;
/// [`LOG_REPEATS_PER_SECOND`] at "debug".
pub(crate) const LOG_DEBUG_REPEATS_PER_SECOND: u64 = 1_000;
/// At the end of the server, what is queued is written for at most this long.
pub(crate) const LOG_END: Duration = Duration::from_millis(500);
/// Receives and sends of a shard that is handed over end within this time.
pub(crate) const STAND_STILL: Duration = Duration::from_secs(2);
/// Room for a connection's state before it is written down, bytes: what is longer is rare, and holds no keys in front.
pub(crate) const FREIGHT_RESERVE_BYTES: usize = 512;
/// Connections that cannot go along to another process have so long to be told why.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(50);
/// A shard carries out an order of a hand-over within this time.
pub(crate) const ORDER_TIMEOUT: Duration = Duration::from_secs(10);
/// Rounds in which letters and commands that are under way come to their end before a hand-over.
pub(crate) const LAST_ROUNDS: usize = 1_000;
/// The control plane ends within this time before a hand-over: what it does with the store is over then.
pub(crate) const CONTROL_END: Duration = Duration::from_secs(5);
/// A store that another process has just closed is free within this time.
pub(crate) const STORE_FREE: Duration = Duration::from_secs(20);
/// It is tried again this often.
pub(crate) const STORE_LOOK: Duration = Duration::from_millis(5);
/// A hand-over that takes longer than all its steps together may ends the process: who supervises it starts it again.
pub(crate) const HANDOVER_LIMIT: Duration = Duration::from_secs(300);
/// After SIGTERM connections are drained for at most this long.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// Answer of the running server to a command of this program.
pub(crate) const ADMIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest configuration file, bytes.
pub(crate) const CONFIG_BYTES: u64 = 1 << 20;
/// Mistakes of a file that are said at once.
pub(crate) const MISTAKES: usize = 20;
/// Listeners that a shard opens in its life: each drain that is taken back opens all of them again.
pub(crate) const LISTENERS: usize = 1_000;
/// Columns of a comment in the file that `linchpin config default` prints.
pub(crate) const COMMENT_COLUMNS: usize = 100;
/// Devices that `--devices` makes at most.
pub(crate) const DEVICES: u32 = 1_000_000;

/// Processor time that a tick gives to TLS handshakes: devices that are logged in wait no longer for theirs.
pub(crate) const HANDSHAKES_PER_TICK: Duration = Duration::from_millis(1);

const _: () = assert!(LOG_REPEATS_PER_SECOND < LOG_REPEATS && LOG_DEBUG_REPEATS_PER_SECOND < LOG_DEBUG_REPEATS);
const _: () = assert!(LOG_LINES_QUEUED * LOG_LINE_BYTES <= 16 << 20, "a blocked log stays small");
const _: () = assert!(CHANGES_BATCH <= CHANGES / 4, "room for what comes while a batch is written");
const _: () = assert!(LAST_TRIES * 10 < STOP_TIMEOUT.as_millis() as usize);
const _: () = assert!(HISTORY_BYTES >= linchpin_storage::limits::EXPORT_PIECE_BYTES);
const _: () = assert!(DEVICES <= linchpin_control::limits::DEVICES);
const _: () = assert!(LANE_LETTERS <= OUTBOX_LETTERS);
const _: () = assert!(LANE_LETTERS_MIN <= LANE_LETTERS);
const _: () = assert!(
    SHARDS as usize * SHARDS as usize * LANE_LETTERS_MIN * size_of::<linchpin_shard::Parcel>() <= LANES_BYTES,
    "the smallest lanes of the most shards stay within the budget"
);
const _: () = assert!(LETTERS_PER_TICK >= LANE_LETTERS);

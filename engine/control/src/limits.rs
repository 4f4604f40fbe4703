//! Bounds of the control plane, with units and reasons.

use std::time::Duration;

/// Threads of the control plane's runtime.
pub const WORKERS: usize = 2;
/// Threads that wait for the disk for it, at most; beyond that, jobs wait for one.
pub const BLOCKING_THREADS: usize = 32;
/// Longest line on the admin socket, bytes.
pub const LINE_BYTES: usize = 64 * 1024;
/// Connections to the admin socket at a time.
pub const ADMIN_CONNECTIONS: usize = 16;
/// An admin connection that says nothing for this long is closed.
pub const ADMIN_IDLE: Duration = Duration::from_secs(300);
/// A shard answers within this time, or the command fails.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Commands that wait for a shard.
pub const COMMANDS: usize = 4_096;
/// An answer that its asker does not read for this long ends the connection: it holds one of [`ADMIN_CONNECTIONS`].
pub const ADMIN_WRITE: Duration = Duration::from_secs(30);
/// Frames of a watched device that wait for the operator's terminal; more are left out.
pub const WATCHED_FRAMES: usize = 1_024;
/// Datastreams of a template.
pub const DATASTREAMS: usize = 768;
/// What a form with a file may have besides it, bytes.
pub const FORM_BYTES: u64 = 64 << 10;
/// Templates of the process.
pub const TEMPLATES: usize = 1_000;
/// Requests to the metrics' listener that are answered at a time.
pub const METRICS_CONNECTIONS: usize = 16;
/// Connections to the metrics' listener; further ones wait in the kernel.
pub const METRICS_SEATS: usize = 64;
/// From the beginning of a connection to it, or from one answer to the next, until the answer to its request.
pub const METRICS_REQUEST: Duration = Duration::from_secs(10);
/// The metrics' listener waits so long after an accept that failed.
pub const METRICS_BACKOFF: Duration = Duration::from_millis(100);
/// Devices that one command adds: their tokens are one answer of about 90 bytes each.
pub const ADD_DEVICES: u32 = 100_000;
/// Devices of the process.
pub const DEVICES: u32 = 10_000_000;
/// The index of devices asks their homes what has changed at most so often.
pub const FLEET_FRESH: Duration = Duration::from_millis(100);
/// A device that goes to another organization: so often its home is asked whether it has noticed.
pub const SETTLE_TRIES: u32 = 60;
/// The pause in between.
pub const SETTLE_PAUSE: Duration = Duration::from_secs(1);
/// Devices of one page of a list: one answer, in columns.
pub const DEVICE_PAGE: usize = 10_000;
/// Devices that are made, and written down in the audit log, in one batch.
pub const DEVICES_TOGETHER: usize = 500;
/// Longest tag of a device, bytes.
pub const TAG_BYTES: usize = 40;
/// People that one device is shared with.
pub const DEVICE_SHARES: usize = 64;
/// Versions of a template that are retained besides the one in force.
pub const TEMPLATE_VERSIONS: usize = 20;
/// Points that one request of Blynk's Platform API puts into a history: they fit into [`API_BODY_BYTES`].
pub const IMPORT_POINTS: usize = 1_000;
/// Members of an organization that a search looks at, each by its record; of more the list is read instead.
pub const MEMBERS_SEARCHED: usize = 10_000;
/// Events that one question for a list looks at; beyond that it must name a device.
pub const EVENTS_LOOKED_AT: usize = 1_000_000;
/// Longest note of who resolves an event, bytes.
pub const EVENT_NOTE_BYTES: usize = 500;
/// Devices of one request that changes many.
pub const BATCH_DEVICES: usize = 10_000;
/// Lines of one text of devices.
pub const BULK_LINES: usize = 1_000;
/// Lines of a device's diary that are shown at once.
pub const DIARY_LINES: u32 = 100;
/// Longest name of a field of metadata, bytes.
pub const META_NAME_BYTES: usize = 64;
/// Longest value of a field of metadata, bytes.
pub const META_VALUE_BYTES: usize = 512;
/// Longest code of an event, bytes.
pub const EVENT_CODE_BYTES: usize = 50;
/// Longest text of an event in a template, bytes.
pub const EVENT_TEXT_BYTES: usize = 300;
/// A device that was made for a board vanishes after this without a login, ms.
pub const PENDING_MS: u64 = 3_600_000;
/// Static tokens that are made at once.
pub const STATIC_TOGETHER: usize = 1_000;
/// Host names that unmodified firmware takes, bytes.
pub const EDGENT_HOST_BYTES: usize = 33;
/// Points of one line of a chart.
pub const CHART_POINTS: usize = 4_000;
/// Longest name of a device, bytes.
pub const NAME_BYTES: usize = 64;
/// Facts (devices, tokens, templates) that wait for shards to acknowledge them; beyond that nothing new is taken.
pub const UNACKNOWLEDGED: usize = 1 << 18;
/// Facts that a shard is sent before it must acknowledge them.
pub const FACTS_TOGETHER: usize = 512;
/// Records of new devices that are committed together, bytes; below what the store takes in one batch.
pub const KEEP_BATCH_BYTES: usize = 2 << 20;
/// Pieces of an export that wait for the operator's program; each has 64 KiB.
pub const EXPORT_PIECES: usize = 4;
/// One request to a store of backups is answered within this time, tries included.
pub const S3_TIMEOUT: Duration = Duration::from_secs(60);
/// A connection to it stands within this time.
pub const S3_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Times that a request to it is tried again.
pub const S3_RETRIES: usize = 3;
/// The first look for a backup that is due, after the start: what comes back after a restart comes first.
pub const BACKUP_FIRST: Duration = Duration::from_secs(60);
/// Virtual devices that the server plays.
pub const PLAYED: usize = 32;
/// Pins that one of them writes.
pub const PLAYED_PINS: usize = 32;
/// How often they write.
pub const PLAYER_STEP: Duration = Duration::from_secs(1);
/// How long they wait before they connect again, at first and at most.
pub const PLAYER_PAUSE: Duration = Duration::from_secs(1);
/// See [`PLAYER_PAUSE`].
pub const PLAYER_PAUSE_MOST: Duration = Duration::from_secs(60);
/// How long they wait for a connection.
pub const PLAYER_CONNECT: Duration = Duration::from_secs(5);
/// Backups that the console lists, and verifications that are remembered.
pub const BACKUPS_SHOWN: usize = 20;
/// How often the place of backups is looked at for the console.
pub const BACKUP_LOOK: Duration = Duration::from_secs(60);
/// A newest backup of this age is old, ms.
pub const BACKUP_OLD_MS: u64 = 7 * 24 * 3_600_000;
/// Pause before a backup that failed is tried again.
pub const BACKUP_RETRY: Duration = Duration::from_secs(15 * 60);
/// Longest URL or text that is pushed to a device, bytes.
pub const PUSH_BYTES: usize = 1_024;
/// Longest path of a Unix socket, bytes (the kernel's bound, less the final NUL).
pub const SOCKET_PATH_BYTES: usize = 107;

/// Organizations below each other.
pub const ORG_DEPTH: u8 = 8;
/// Failed sign-ins from one address within [`SIGN_IN_WINDOW_MS`] that block it.
pub const SIGN_IN_FAILURES: usize = 5;
/// Failed sign-ins count for this long, ms.
pub const SIGN_IN_WINDOW_MS: u64 = 600_000;
/// An address is blocked for this long, ms.
pub const SIGN_IN_BLOCK_MS: u64 = 600_000;
/// Sign-ins from one address that are under way, with its failures, are at most [`SIGN_IN_FAILURES`]; others try again
/// after this, ms.
pub const SIGN_IN_PARALLEL_MS: u64 = 1_000;
/// Addresses whose failed sign-ins are remembered, 128 bytes each.
pub const SIGN_IN_ADDRESSES: usize = 32_768;
/// Accounts whose failed sign-ins are remembered, 128 bytes each.
pub const SIGN_IN_ACCOUNTS: usize = 32_768;
/// How long a proof of who somebody is counts for dangerous things, ms.
pub const STEP_UP_MS: u64 = 600_000;
/// Passwords that may wait to be looked at.
pub const HASH_QUEUE: usize = 16;
/// A password that waited for longer is not looked at.
pub const HASH_WAIT: Duration = Duration::from_secs(1);
/// Hashes of one thread in a second, on the average: a fifth of a core.
pub const HASHES_PER_SECOND: u32 = 10;
/// Hashes of one thread at once after a rest.
pub const HASH_BURST: u32 = 20;
/// How far the threads that hash stand back behind all others (nice).
pub const HASH_NICE: i32 = 10;
/// Sessions in memory, about 500 bytes each; others are loaded when they are used.
pub const SESSIONS: usize = 100_000;
/// A session ends when it was not used for this long, ms.
pub const SESSION_IDLE_MS: u64 = 12 * 3_600_000;
/// A session ends after this in any case, ms.
pub const SESSION_MS: u64 = 30 * 86_400_000;
/// How often the last use of a session is written down, ms.
pub const SESSION_SEEN_MS: u64 = 300_000;
/// A browser that has signed in is known for this long, ms.
pub const KNOWN_BROWSER_MS: u64 = 180 * 86_400_000;
/// Sessions of one person; the oldest ends when there is one more.
pub const PERSON_SESSIONS: usize = 50;
/// Counters of changes of rights; things share them.
pub const EPOCH_SLOTS: usize = 4_096;
/// Requests that a key may send in a minute where it does not say another number.
pub const KEY_REQUESTS_PER_MINUTE: u32 = 6_000;
/// Requests that all keys of an organization may send in a minute, together, where its policy does not say another number.
pub const ORG_REQUESTS_PER_MINUTE: u32 = 10_000;
/// Keys and organizations whose requests are counted, 40 bytes each; those that were counted for longest make room.
pub const PACED: usize = 65_536;
/// An access token of an OAuth client ends after this, ms.
pub const ACCESS_TOKEN_MS: u64 = 3_600_000;
/// A refresh token may be repeated for this long, ms: the answer may have been lost.
pub const REFRESH_GRACE_MS: u64 = 30_000;
/// A family of refresh tokens ends when none was used for this long, ms.
pub const REFRESH_MS: u64 = 30 * 86_400_000;

/// Locks of audit logs; organizations share them.
pub const LEDGER_STRIPES: usize = 256;
/// Longest text of an audit entry, bytes; the rest is cut off.
pub const AUDIT_TEXT_BYTES: usize = 256;
/// Refusals of one organization that are written down in an hour; more are counted only.
pub const AUDIT_REFUSALS: u32 = 1_000;
/// A checkpoint of an organization's audit log is signed and logged after so many entries.
pub const AUDIT_CHECKPOINT: u64 = 1_000;

/// Parts of asks that wait for the control plane, per shard; more wait in the shard, bounded by their credit.
pub const ASK_PARTS: usize = 256;
/// Parts of answers that wait for a shard; who writes more waits.
pub const ANSWER_PARTS: usize = 256;
/// Asks of all shards that are under way; beyond, the owner with most pays.
pub const ASKS_UNDER_WAY: usize = 512;
/// Of these, asks of clients that are not signed in: a quarter is reserved for those who are.
pub const STRANGERS_ASKS: usize = 384;
/// Of these, asks with a body.
pub const ASKS_WITH_BODIES: usize = 128;
/// Of these, asks of one session, or of one address (IPv6: one /64) without a session.
pub const ASKS_PER_OWNER: usize = 16;
/// Longest body of a request to the API, bytes, but for imports.
pub const API_BODY_BYTES: usize = 64 * 1024;
/// Parameters of a request's path and query.
pub const API_PARAMETERS: usize = 64;
/// Longest stream of the test routes, bytes.
pub const TEST_STREAM_BYTES: usize = 1 << 30;

/// Tickets for live sockets that were given and not used.
pub(crate) const LIVE_TICKETS: usize = 1_024;
/// A ticket for a live socket is good for so long, s.
pub(crate) const LIVE_TICKET_S: u64 = 30;
/// A shard that does not know yet of rights that have ended is told again after this time.
pub(crate) const REVOKE_AGAIN: Duration = Duration::from_millis(50);
const _: () = assert!(ASKS_WITH_BODIES <= ASKS_UNDER_WAY / 4 && STRANGERS_ASKS <= ASKS_UNDER_WAY * 3 / 4);
const _: () = assert!(ASKS_PER_OWNER <= ASKS_WITH_BODIES);
const _: () = assert!(KEEP_BATCH_BYTES + 4_096 <= linchpin_storage::limits::BATCH_BYTES);
const _: () = assert!(ADD_DEVICES <= DEVICES);
const _: () = assert!(2 * ADD_DEVICES as usize <= UNACKNOWLEDGED);
const _: () = assert!(FACTS_TOGETHER < COMMANDS);
const _: () = assert!(PUSH_BYTES < LINE_BYTES);
/// Faces of audit entries that are erased in one batch.
pub const FACES_TOGETHER: usize = 1_000;
/// Exports of people and organizations at a time.
pub const EXPORTS: usize = 4;
/// Length of one file in an export, bytes: longer ones are written in parts.
pub const EXPORT_FILE_BYTES: usize = 1 << 20;
/// An erasure that failed is tried again after this.
pub const ERASE_AGAIN: Duration = Duration::from_secs(60);
/// Sign-ins under way at other servers.
pub const OIDC_FLOWS: usize = 4_096;
/// Such a sign-in ends within this time, ms.
pub const OIDC_FLOW_MS: u64 = 600_000;
/// Servers where people may sign in.
pub const OIDC_SERVERS: usize = 16;
/// Such a server answers within this time.
pub const OIDC_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer of such a server, bytes.
pub const OIDC_ANSWER_BYTES: usize = 64 * 1024;
/// Longest id token of such a server, bytes.
pub const OIDC_TOKEN_BYTES: usize = 16 * 1024;
/// Published keys of such a server that are looked at.
pub const OIDC_KEYS: usize = 32;
/// The clock of such a server may differ by this, s.
pub const OIDC_LEEWAY_S: u64 = 60;
/// Longest name of an identity there (`sub`), bytes.
pub const OIDC_SUBJECT_BYTES: usize = 255;
/// What such a server publishes is looked at again after this.
pub const OIDC_FRESH: Duration = Duration::from_secs(3_600);
/// Such a server that did not answer as it must is asked again after this.
pub const OIDC_AGAIN: Duration = Duration::from_secs(5);
/// A token with an unknown key lets its keys be read again, at most so often.
pub const OIDC_KEYS_AGAIN: Duration = Duration::from_secs(60);
/// Checkpoints that an audit log is compared with at once.
pub const AUDIT_CHECKPOINTS: usize = 1_000;
/// Numbers that are taken from the store at once.
pub const NUMBER_BLOCK: u64 = 64;
/// Entries of one page of a list.
pub const PAGE: usize = 500;
/// Roles of one organization, those of organizations above included.
pub const ROLES: usize = 64;
/// API keys and OAuth clients of one organization.
pub const CLIENTS: usize = 256;
/// Keys of one person for their own programs.
pub const PERSONAL_KEYS: usize = 32;
/// Invitations of one organization that nobody has accepted yet.
pub const INVITES: usize = 500;
/// A link that sets the server up ends after this, ms.
pub const SETUP_MS: u64 = 1_800_000;
/// Recovery codes of a person.
pub const RECOVERY_CODES: usize = 10;
/// `/.well-known/security.txt` says that it holds for so long, ms.
pub const SECURITY_TEXT_MS: u64 = 180 * 86_400_000;
/// A link that shows that an address is its owner's ends after this, ms.
pub const VERIFY_MS: u64 = 24 * 3_600_000;
/// People who sign up and have not followed their link yet.
pub const SIGN_UPS: usize = 1_000;
/// People who sign up from one address (IPv6: one /64) within [`MAIL_WINDOW_MS`].
pub const SIGN_UPS_PER_ADDRESS: u32 = 10;
/// Links that are over and go with one change.
pub const LINKS_SWEPT: usize = 256;
/// Mails that wait to be sent; what would make one more is refused.
pub const MAILS: usize = 10_000;
/// Mails of one look at what is due; more wait for the next, which follows at once.
pub const MAILS_TOGETHER: usize = 64;
/// A mail is given up after so many tries, or when its link ends.
pub const MAIL_TRIES: u8 = 12;
/// A step of a talk with the mail server ends within this time.
pub const MAIL_TIMEOUT: Duration = Duration::from_secs(20);
/// The whole talk about one mail ends within this time.
pub const MAIL_WHOLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Nothing is tried for this long when there is no way to the mail server; twice as long each time, up to [`MAIL_LOOK`].
pub const MAIL_SHUT: Duration = Duration::from_secs(2);
/// The outbox is looked at so often when nothing is due.
pub const MAIL_LOOK: Duration = Duration::from_secs(60);
/// Mails that strangers may cause to one address within [`MAIL_WINDOW_MS`].
pub const MAILS_PER_ADDRESS: u32 = 5;
/// Invitations to one address within [`MAIL_WINDOW_MS`].
pub const INVITES_PER_ADDRESS: u32 = 25;
/// Mails to an address are counted for this long, ms.
pub const MAIL_WINDOW_MS: u64 = 3_600_000;
/// Addresses whose mails are counted; beyond, none goes to a further one.
pub const MAIL_ADDRESSES: usize = 16_384;
/// Mails that are written as files and not fetched: older ones go.
pub const MAIL_FILES: usize = 1_000;
/// An invitation ends after this, ms.
pub const INVITE_MS: u64 = 7 * 86_400_000;
/// Who forgot a password is sent another link after this, ms.
pub const RESET_PAUSE_MS: u64 = 300_000;
/// A link that resets a password ends after this, ms.
pub const RESET_MS: u64 = 1_800_000;

const _: () = assert!(EPOCH_SLOTS <= 1 << 16, "a stamp holds their numbers in 16 bits");
const _: () = assert!(SESSION_SEEN_MS < SESSION_IDLE_MS && SESSION_IDLE_MS < SESSION_MS);
const _: () = assert!(OIDC_TOKEN_BYTES < OIDC_ANSWER_BYTES, "the exchange of a code answers with a token");
const _: () =
    assert!(OIDC_KEYS_AGAIN.as_secs() < OIDC_FRESH.as_secs() && OIDC_AGAIN.as_secs() >= OIDC_TIMEOUT.as_secs());
const _: () = assert!(REFRESH_GRACE_MS < ACCESS_TOKEN_MS);

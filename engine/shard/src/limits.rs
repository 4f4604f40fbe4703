//! Every bound of a shard, with its unit and reason. `docs/limits.md` lists them.

/// Messages a second and device on average (the current cloud's figure).
pub const MESSAGES_PER_SECOND: u32 = 50;
/// Messages at once after a pause: the legacy server lets the first 100 of a burst pass.
pub const MESSAGE_BURST: u32 = 100;
/// Points of a batch that count as one message.
pub const POINTS_PER_MESSAGE: usize = 16;
/// A question about history counts as so many messages: a month takes a core 20 ms.
pub const HISTORY_MESSAGES: usize = 5;
/// Pins written at once that count as one message.
pub const WRITES_PER_MESSAGE: usize = 8;
/// Bytes of a long HTTP body that count as one message, before they are read.
pub const BODY_BYTES_PER_MESSAGE: usize = 16 * 1024;
/// PINGs and control frames of a WebSocket that come in quick succession have this part of the messages a second and at
/// once: 10 and 50. Others are free.
pub const PING_PARTS: [u32; 2] = [5, 2];
/// At most one "quota" answer (status 1) in this time, as the legacy server does, ms.
pub const QUOTA_NOTICE_MS: u64 = 60_000;
/// More drops than this within [`FLOOD_WINDOW_MS`] end the connection.
pub const FLOOD_DROPS: u32 = 200;
/// After so many refusals of HTTP requests for a device within [`FLOOD_WINDOW_MS`] the next request on the connection is
/// read a tick of the wheel later, no longer at once.
pub const REFUSALS_AT_ONCE: u32 = 100;
/// Window for [`FLOOD_DROPS`] and [`REFUSALS_AT_ONCE`], ms.
pub const FLOOD_WINDOW_MS: u64 = 10_000;

/// Connections from one address at a time. Generous: cellular fleets share addresses.
pub const PER_ADDRESS: u32 = 65_536;
/// Buckets of the address tables; a power of two. An address hashes to one bucket, so memory is fixed.
pub const ADDRESS_BUCKETS: usize = 65_536;
/// Failed logins that one address may collect before its further failures are closed without an answer.
pub const LOGIN_FAILURE_BURST: u32 = 200;
/// Failed logins a second that an address earns back.
pub const LOGIN_FAILURES_PER_SECOND: u32 = 1;
/// Logins of one device at once (each ends the one before): two devices with one token fight no faster than this.
pub const TAKEOVER_BURST: u32 = 10;
/// Logins a second that a device earns back.
pub const TAKEOVERS_PER_SECOND: u32 = 1;

/// Accept to complete login frame, ms.
pub const LOGIN_TIMEOUT_MS: u32 = 5_000;
/// Bytes buffered before login on the Blynk wire: a login frame is 37.
pub const LOGIN_BUFFER_BYTES: usize = 128;
/// An HTTP connection without a request stays open for this long, ms.
pub const HTTP_IDLE_MS: u64 = 75_000;
/// A long body of an HTTP request with a good token must be whole after this time, ms.
pub const HTTP_BODY_TIMEOUT_MS: u64 = 30_000;
/// A client of the device API that does not read its answers is ended after this time, ms, counted from its last bytes.
pub const HTTP_BLOCKED_MS: u64 = 30_000;
/// Answers of pipelined HTTP requests that may wait for one send; the next requests are read a moment later, bytes.
pub const HTTP_PENDING_BYTES: usize = 64 * 1024;
/// Asks (requests that the control plane answers) of a shard that are under way; beyond, the address with most pays.
pub const ASKS: usize = 512;
/// Requests for files of the browser application that a shard writes at a time.
pub const FILES_UNDER_WAY: usize = 1_024;
/// Bytes of a body that travel together between a shard and the control plane.
pub const ASK_CHUNK_BYTES: usize = 16 * 1024;
/// Bytes of a body that are on their way or unread, per ask and direction: the writer waits when they are used up.
pub const ASK_CREDIT_BYTES: usize = 64 * 1024;
/// Received bytes of an ask's connection that wait, for control's credit or behind the ask; the last receive comes on top.
pub const ASK_HELD_BYTES: usize = 16 * 1024;
/// The control plane answers within this time, ms, counted from the whole request, and goes on with its answer.
pub const ASK_ANSWER_MS: u64 = 30_000;
/// Bodies move at this rate at least, bytes a second, in both directions.
pub const ASK_BYTES_PER_SECOND: u64 = 1_024;
/// A client may stand still for this long, ms, before its rate counts.
pub const ASK_GRACE_MS: u64 = 16_000;
/// When the server stops, answers have so long, ms; then 503.
pub const ASK_DRAIN_MS: u64 = 5_000;
/// Live sockets of a shard; beyond, the person with most pays.
pub const LIVE_SOCKETS: usize = 16_384;
/// Live sockets take at most this part of the connection table: one in so many.
pub const LIVE_SOCKETS_PART: usize = 2;
/// Memory of a shard's live sockets and of what is known of the devices that they watch, bytes; beyond, the same.
pub const LIVE_BYTES: usize = 128 << 20;
/// Organizations of one grant.
pub const LIVE_SCOPES: usize = 1_024;
/// Devices of one grant that are the person's own, beyond those of its organizations.
pub const LIVE_OWN_DEVICES: usize = 2_000;
/// Values are told a live socket at most this often, ms.
pub const LIVE_FLUSH_MS: u64 = 100;
/// Bytes of one flush, about; a device's values are never parted. What is left follows with the next.
pub const LIVE_FLUSH_BYTES: usize = 128 * 1024;
/// Bytes of one letter of news, about; what is left follows with the next tick.
pub const LIVE_NEWS_BYTES: usize = 256 * 1024;
/// Devices of one letter that says what is watched.
pub const LIVE_WATCH_DEVICES: usize = 512;
/// A letter about live sockets that found no room is made again after this time, ms.
pub const LIVE_LANE_MS: u64 = 10;
/// A watch is said to have changed at most this often, ms.
pub const LIVE_CHANGED_MS: u64 = 1_000;
/// A live socket hears the server's time this often, ms.
pub const LIVE_TICK_MS: u64 = 5_000;
/// Of so many of those times, one comes with a ping that browsers answer.
pub const LIVE_PING_ROUNDS: u32 = 4;
/// A live socket from which nothing was heard for so long is over, ms.
pub const LIVE_SILENCE_MS: u64 = 75_000;
/// A live socket that does not read is ended after this time, ms.
pub const LIVE_BLOCKED_MS: u64 = 30_000;
/// When a page comes back that the server has ended, at the earliest, ms.
pub const LIVE_RETRY_MS: u32 = 1_000;
/// Reports that wait for a live socket that does not read: answers to what it asks all the same.
pub const LIVE_WAITING: usize = 256;
/// Values a second that one live socket may write.
pub const LIVE_WRITES_PER_SECOND: u32 = 20;
/// Values at once that it may write after a pause.
pub const LIVE_WRITE_BURST: u32 = 40;
/// Sockets that watch one device, up to which an end of a watch narrows what its home tells.
pub const LIVE_NARROWED: usize = 64;
/// Revocations that a shard remembers for grants under way.
pub const LIVE_REVOCATIONS: usize = 256;
/// Connection ends that all shards together remember, shared out evenly; the oldest of a shard is forgotten first.
pub const DIARY_ENTRIES: usize = 65_536;
/// Connection ends that one shard remembers, at least and at most.
pub const DIARY_SHARE: [usize; 2] = [1_024, 16_384];
/// HTTP exchanges that are simply over, which a shard remembers apart from other ends.
pub const DIARY_EXCHANGES: usize = 256;
/// Rows of one answer to `device diary`.
pub const DIARY_ROWS: u32 = 1_000;
/// Devices of a shard that are tapped at a time.
pub const TAPS: usize = 8;
/// Longest tap, s.
pub const TAP_S: u32 = 3_600;
/// Bytes of a tapped frame's body that are shown.
pub const TAPPED_BODY_BYTES: usize = 1_024;
/// A refused login stays open this long after its answer, ms, so that the client reads status 9 and not a reset.
pub const REFUSAL_LINGER_MS: u64 = 1_000;
/// What it sends meanwhile is read away up to so much, KiB, counted up at each read: more than any request has.
pub const REFUSED_KIB: u32 = 1_024;
const _: () = assert!(REFUSED_KIB as usize * 1_024 > linchpin_protocol::limits::HTTP_BODY_BYTES);
/// A login that another shard must resolve or that travels home gives up after this time, ms. Below the C++ library's
/// 6 s, so that it hears the reason.
pub const HOME_TIMEOUT_MS: u64 = 4_000;
/// Syncs that wait for values of the last run; more are answered with an error, and devices ask again.
pub const PARKED_SYNCS: usize = 65_536;
/// A question about history is answered within this time, ms: it is read from the disk.
pub const HISTORY_TIMEOUT_MS: u64 = 20_000;
/// The shard itself standing still for longer than this (stopped, starved) is a stall: devices could not be heard, ms.
pub const STALL_MS: u64 = 1_000;
/// After a stall devices get its length, and at most this, before their silence counts, ms.
pub const STALL_GRACE_MS: u64 = 60_000;
/// Connections that a drain ends a second, all shards together, unless the operator says otherwise.
pub const DRAIN_PER_SECOND: u32 = 5_000;
/// A drain ends its next few connections this often, ms; divides 1,000.
pub const DRAIN_STEP_MS: u64 = 100;

/// Heartbeat of a device that announces none, s (the current cloud's default).
pub const HEARTBEAT_S: u32 = 45;
/// Smallest heartbeat taken from a device, s.
pub const HEARTBEAT_MIN_S: u32 = 5;
/// Largest heartbeat taken from a device, s (the C++ library's own bound).
pub const HEARTBEAT_MAX_S: u32 = 3_600;
/// A device that is silent for `heartbeat * HEARTBEAT_NUMERATOR / HEARTBEAT_DENOMINATOR` is offline: factor 2.3.
pub const HEARTBEAT_NUMERATOR: u64 = 23;
/// See [`HEARTBEAT_NUMERATOR`].
pub const HEARTBEAT_DENOMINATOR: u64 = 10;

/// An MQTT device that is silent for this share of its keep alive is offline, percent (the standard's figure).
pub const KEEP_ALIVE_PERCENT: u64 = 150;
/// At most one `downlink/diag` a connection in this time, ms.
pub const MQTT_DIAG_MS: u64 = 1_000;
/// Longest delay of a will, s; a longer one is cut: as long as a device may be away without being offline.
pub const WILL_DELAY_S: u32 = 1_800;
/// Bytes of all wills of a shard that wait for their delay; beyond it wills are written at once.
pub const WILLS_BYTES: usize = 16 << 20;

/// Bytes that may wait for a device that does not read, after coalescing.
pub const OUTBOUND_BYTES: u32 = 64 * 1024;
/// A session that logged in with command 2 gets one frame a send, this far apart, ms.
pub const PACED_SEND_MS: u64 = 50;
/// Frames for a session that has not had its info answered wait at most this long after login, ms.
pub const INFO_WAIT_MS: u64 = 1_000;

/// Bytes of an unfinished frame that a connection retains: one whole frame.
pub const CARRY_BYTES: usize = linchpin_protocol::limits::MAX_BODY_BYTES + linchpin_protocol::blynk::HEADER_BYTES;
/// Connections of one shard: a move names them in 20 bits.
pub const SLOTS: u32 = 1 << 20;
/// Bytes of output that a connection takes along to another process: what its driver may hold.
pub const FREIGHT_UNSENT_BYTES: usize = 4 << 20;
/// Frames that a connection takes along to another process.
pub const FREIGHT_FRAMES: usize = 65_536;
/// What a connection holds at most if it is to go to another process, bytes; one with more is ended instead.
pub const FREIGHT_ROOM_BYTES: usize = 7 << 20;
/// A connection's whole state on its way to another process, bytes.
pub const FREIGHT_BYTES: usize = 8 << 20;
/// Connections that go to another process together: below the 253 descriptors of one message.
pub const BATCH_CONNECTIONS: usize = 128;
/// States of a batch are gathered until they have so many bytes.
pub const BATCH_BYTES: usize = 1 << 20;
/// Longest message between two processes of a hand-over, bytes.
pub const HANDOVER_MESSAGE_BYTES: usize = 16 << 20;
/// Listeners that are handed over: below the 253 descriptors of one message.
pub const HANDOVER_LISTENERS: usize = 16_384;
/// A new process says that it could start within this time, ms.
pub const HANDOVER_READY_MS: u64 = 30_000;
/// Handshakes, logins and answers that are under way may end for so long, ms.
pub const HANDOVER_SETTLE_MS: u64 = 2_000;
/// Receives and sends in flight end within this time, ms.
pub const HANDOVER_FREEZE_MS: u64 = 5_000;
/// The new process opens the store and loads its shards within this time, ms: devices are silent meanwhile, and heartbeats
/// of the default give up after 103 s.
pub const HANDOVER_OPEN_MS: u64 = 60_000;
/// The other process answers within this time while connections move, ms.
pub const HANDOVER_ANSWER_MS: u64 = 20_000;
/// Connections on their way to this shard at a time.
pub const ARRIVALS: usize = 8_192;
/// Bytes that a device may send behind its login before that is answered; a moving connection carries them.
pub const CARGO_BYTES: usize = 2 * 1024;
/// Writes that wait for a bridge whose token is still being looked up, per bridge.
pub const BRIDGE_WRITES_HELD: usize = 16;
/// Bytes of unfinished input, handshakes and waiting output of all connections of a shard. Each class of connections has
/// its part; when one is used up, the token or network that holds most of it gives back.
pub const LEDGER_BYTES: usize = 256 << 20;
/// The parts of [`LEDGER_BYTES`]: not logged in, TLS handshakes, HTTP, logged-in devices, sixteenths. Handshakes: 16,384
/// seats of 5 KiB.
pub const LEDGER_SIXTEENTHS: [u64; 4] = [1, 5, 4, 6];
/// One token or address has this part of [`LEDGER_BYTES`] in each class, on all shards together.
pub const LEDGER_SHARES: u64 = 32;
/// The first bytes of each connection are charged to nobody: its idle state, which the number of connections bounds.
pub const CELL_FREE_BYTES: usize = 512;
/// IPv4 networks that pay together: length of the prefix, and how many times an address's share they have.
pub const V4_LEVELS: [(u8, u64); 2] = [(32, 1), (24, 4)];
/// The same for IPv6: a customer has a /64 at least, and often a /56 or a /48.
pub const V6_LEVELS: [(u8, u64); 3] = [(64, 1), (56, 4), (48, 16)];
/// A shard where somebody holds much reports it to the others this often, ms.
pub const HOLDINGS_MS: u64 = 500;
/// A report of another shard counts for this long, ms.
pub const HOLDINGS_STALE_MS: u64 = 5_000;
/// Lines of a report.
pub const HOLDINGS_ROWS: usize = 64;
/// From this part of the table on an HTTP connection without a request stays open for [`HTTP_IDLE_FILLING_MS`] only, %.
pub const FILLING_PERCENT: usize = 80;
/// See [`FILLING_PERCENT`], ms.
pub const HTTP_IDLE_FILLING_MS: u64 = 5_000;
/// Connections that have not logged in may take what devices leave of this part of the table, sixteenths. Beyond it they
/// make room: the oldest of the network that has most. The driver takes no more at 63/64.
pub const FULL_SIXTEENTHS: usize = 15;
/// Those of one address may take one in so many of the table, but always [`STRANGERS_OF_ONE`].
pub const STRANGER_SHARES: usize = 32;
/// See [`STRANGER_SHARES`].
pub const STRANGERS_OF_ONE: usize = 1_024;
/// A connection that has asked nothing yet makes room only after this time, ms: its first bytes may wait to be read.
pub const NEWCOMER_MS: u64 = 250;
/// One look at the table gives back one place in so many.
pub const TABLE_BATCH: usize = 64;
/// Addresses beyond their share are looked for this often, and room on a full table after a look in vain, ms.
pub const ROOM_LOOK_MS: u64 = 250;
/// A close that cannot finish, since the peer does not read what was sent last, becomes a reset after this time, ms.
pub const CLOSING_MS: u64 = 10_000;
/// More frames and packets a second than this of a shard's sessions bound the share of handshakes.
pub const BUSY_FRAMES_PER_SECOND: u64 = 10_000;
/// That is looked at this often while there are handshakes, ms.
pub const LOAD_LOOK_MS: u64 = 50;
/// A TLS record must be whole after this time, ms, counted from its first byte.
pub const RECORD_MS: u64 = 5_000;
/// Distinct device info blobs that a shard shares between devices of the same firmware.
pub const INFO_BLOBS: usize = 65_536;
/// Bytes of info that a device may have stored.
pub const INFO_BYTES: usize = 1_024;
/// Pins with a latest value per device: three kinds of 256.
pub const PINS: usize = 768;
/// Bytes of all latest values of a device.
pub const VALUES_BYTES: usize = 32 * 1024;
/// Properties per device.
pub const PROPERTIES: usize = 256;
/// Metadata fields per device.
pub const METADATA: usize = 64;
/// Most recent events retained per device.
pub const EVENTS_RETAINED: usize = 16;
/// Events a device may log in 24 hours (the current cloud's figure).
pub const EVENTS_PER_DAY: u32 = 100;
/// Same event code at most once in this time, ms.
pub const EVENT_REPEAT_MS: u64 = 1_000;

/// Devices of a shard that are away and still shown as online (a template's offline wait), about 80 bytes each; beyond that they
/// are shown as offline at once.
pub const ABSENCES: usize = 1 << 20;

/// Devices that have changed since lists last looked; beyond that all are looked at.
pub const CHANGED_DEVICES: usize = 65_536;
/// Rows of one device list page.
pub const LIST_ROWS: u32 = 1_000;
/// What all connections of a shard get in one tick, bytes. Offsets have 32 bits; the bounds of single connections keep
/// the sum below this, and if they ever do not, the connection that would go beyond it ends.
pub const ARENA_BYTES: usize = 0xF000_0000;
/// The send arena retains at most this much memory over ticks, bytes.
pub const EFFECTS_RETAINED_BYTES: usize = 1 << 20;

/// Width of a slot of the timer wheel, ms.
pub const WHEEL_TICK_MS: u64 = 64;
/// Slots of the timer wheel; a power of two. Longer deadlines go round again.
pub const WHEEL_SLOTS: usize = 1_024;
/// Entries that one tick expires at most, so that a mass expiry cannot stall the loop.
pub const EXPIRE_PER_TICK: usize = 2_048;

/// Structure: a connection in the shard's table, idle or not.
pub const CONNECTION_BYTES: usize = 112;
/// Structure: a connection's links in the timer wheel.
pub const TIMER_BYTES: usize = 8;
/// Structure: a device's record at its home; its latest values are one allocation more.
pub const DEVICE_BYTES: usize = 64;
/// Structure: a device's place in the list that finds records by id.
pub const DEVICE_POSITION_BYTES: usize = 8;
/// Structure: a token's entry in the index, and a byte of the hash table; a table is seven eighths full at most.
pub const TOKEN_BYTES: usize = 20;

const _: () = assert!(ARENA_BYTES <= u32::MAX as usize && EFFECTS_RETAINED_BYTES < ARENA_BYTES);
const _: () = assert!(LIVE_BLOCKED_MS > LIVE_TICK_MS && LIVE_SILENCE_MS > 2 * LIVE_TICK_MS * LIVE_PING_ROUNDS as u64);
const _: () = assert!(LIVE_FLUSH_BYTES >= VALUES_BYTES, "a device's values fit into a flush");
const _: () = assert!(ADDRESS_BUCKETS.is_power_of_two() && WHEEL_SLOTS.is_power_of_two());
const _: () = assert!(LOGIN_BUFFER_BYTES >= linchpin_protocol::limits::MAX_LOGIN_FRAME_BYTES);
const _: () = assert!(LOGIN_BUFFER_BYTES <= CARGO_BYTES && CARGO_BYTES <= CARRY_BYTES);
const _: () = assert!(BATCH_CONNECTIONS < 253, "SCM_RIGHTS takes so many");
const _: () = assert!(BATCH_BYTES + FREIGHT_BYTES + 4_096 < HANDOVER_MESSAGE_BYTES, "the last freight of a batch fits");
const _: () = assert!(FREIGHT_UNSENT_BYTES + CARRY_BYTES < FREIGHT_ROOM_BYTES);
const _: () = assert!(HOME_TIMEOUT_MS < 6_000, "the C++ library gives up after 6 s");
const _: () = assert!((LOGIN_TIMEOUT_MS as u64) < 6_000);
const _: () = assert!(HEARTBEAT_MIN_S <= HEARTBEAT_S && HEARTBEAT_S <= HEARTBEAT_MAX_S);
const _: () = assert!(FLOOD_DROPS > MESSAGE_BURST);
const _: () = assert!(
    OUTBOUND_BYTES as usize >= linchpin_protocol::limits::MAX_BODY_BYTES + linchpin_protocol::blynk::HEADER_BYTES,
    "the largest frame must fit a waiting queue"
);
const _: () = assert!(VALUES_BYTES > linchpin_protocol::limits::MAX_VALUE_BYTES);
const _: () = assert!(1_000 % DRAIN_STEP_MS == 0);
const _: () = assert!(LEDGER_BYTES > 1_000 * CARRY_BYTES);
const _: () = assert!(
    LEDGER_SIXTEENTHS[0] + LEDGER_SIXTEENTHS[1] + LEDGER_SIXTEENTHS[2] + LEDGER_SIXTEENTHS[3] == 16,
    "the parts are the whole"
);
const _: () = assert!(LEDGER_BYTES / 16 > LEDGER_BYTES / LEDGER_SHARES as usize, "nobody alone can fill a class");
const _: () = assert!(HOLDINGS_MS * 4 < HOLDINGS_STALE_MS);
const _: () = assert!(ASK_CHUNK_BYTES <= ASK_CREDIT_BYTES && ASK_CREDIT_BYTES <= u32::MAX as usize);
const _: () = assert!(ASK_HELD_BYTES >= linchpin_protocol::limits::HTTP_HEAD_BYTES, "a pipelined head fits");
const _: () = assert!(ASKS * (2 * ASK_CREDIT_BYTES + 2 * ASK_HELD_BYTES) <= 96 << 20, "what a shard holds for asks");

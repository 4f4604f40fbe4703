//! Bounds of the driver, with units and reasons. `docs/limits.md` lists them.

/// Submission queue, entries: one tick rarely submits more, and a full queue is only submitted earlier.
pub const SQ_ENTRIES: u32 = 4_096;
/// Completion queue, entries. More wait in the kernel and are counted as overflows.
pub const CQ_ENTRIES: u32 = 16_384;
/// Completions that are collected at most before the tick goes on: with 10,000 connections at half load no tick is longer
/// than 2 ms. Twice as many cost the same processor time.
pub const REAP: usize = 128;
/// Length of a receive buffer, bytes. Most frames of devices are below 100.
pub const RECEIVE_BUFFER_BYTES: usize = 512;
/// Receive buffers of a ring; a power of two. A connection that finds none waits for the next tick.
pub const RECEIVE_BUFFERS: u16 = 2_048;
/// Largest receive buffer, bytes.
pub const RECEIVE_BUFFER_MAX_BYTES: usize = 65_536;
/// Receive buffer of the portable back end, bytes; one for all connections.
pub const PORTABLE_BUFFER_BYTES: usize = 16 * 1_024;
/// Connections of one driver: slots are told apart in 20 bits wherever they travel.
pub const MAX_CONNECTIONS: u32 = 1 << 20;
/// Bytes of a send that the socket did not take, per connection. The caller stops sending at `Blocked`, so one tick's
/// send is all that comes.
pub const BACKLOG_BYTES: usize = 4 << 20;
/// Pause after an accept failed for want of descriptors, ms.
pub const ACCEPT_BACKOFF_MS: u64 = 100;
/// Slots that stay free of accepted connections, for those that other drivers transfer here: a share of 1/64.
pub const ARRIVAL_SHARE: u32 = 64;
/// Numbers of the ring's table that an outgoing connection tries before it is refused: those of connections whose close
/// has happened and was not looked at are passed over.
pub const INSTALL_TRIES: usize = 64;
/// Accepts of one listener that are in flight at once; small tables have fewer, a share of 1/64.
pub const ACCEPTS_IN_FLIGHT: u32 = 64;
/// Connections that the portable back end accepts in one turn.
pub const ACCEPTS_PER_TURN: usize = 256;
/// Queue of connections that wait for accept (the kernel may cap it at net.core.somaxconn).
pub const LISTEN_BACKLOG: i32 = 65_535;
/// Descriptors of a process that are not connections: logs, files, listeners, rings.
pub const RESERVED_DESCRIPTORS: u32 = 128;
/// Unacknowledged data for this long breaks a connection, ms (TCP_USER_TIMEOUT).
pub const USER_TIMEOUT_MS: u32 = 30_000;
/// Idle time before TCP probes a peer, s.
pub const KEEPALIVE_IDLE_S: u32 = 120;
/// Time between probes, s.
pub const KEEPALIVE_INTERVAL_S: u32 = 30;
/// Probes without an answer before a connection is broken.
pub const KEEPALIVE_PROBES: u32 = 4;
/// Unsent bytes that the kernel takes per connection before it says "full" (TCP_NOTSENT_LOWAT).
pub const NOT_SENT_BYTES: u32 = 16 * 1_024;
/// Descriptors that go to another process beside one message; the kernel takes 253.
pub const PASSAGE_DESCRIPTORS: usize = 128;
/// Tokens of transfers fit in this many bits.
pub const TOKEN_BITS: u32 = 56;

const _: () =
    assert!(RECEIVE_BUFFERS.is_power_of_two() && SQ_ENTRIES.is_power_of_two() && CQ_ENTRIES.is_power_of_two());
/// Structure: a connection's slot in the driver.
pub const SLOT_BYTES: usize = 8;

const _: () = assert!(PASSAGE_DESCRIPTORS <= 253);
const _: () = assert!(REAP <= CQ_ENTRIES as usize && SQ_ENTRIES <= CQ_ENTRIES);
const _: () = assert!(RECEIVE_BUFFER_BYTES <= RECEIVE_BUFFER_MAX_BYTES);

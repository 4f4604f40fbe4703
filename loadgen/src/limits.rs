//! Bounds of the load generator, with units and reasons.

/// Devices of one run: message tables and permutations count in 32 bits, memory in hundreds of MB.
pub(crate) const DEVICES: u64 = 2_000_000;
/// Faults of the form of a scenario file that are told at once.
pub(crate) const FORM_FAULTS: usize = 20;
/// Device groups of a scenario.
pub(crate) const GROUPS: usize = 64;
/// Entries of a group's mix.
pub(crate) const MIX_ENTRIES: usize = 32;
/// Phases of a scenario.
pub(crate) const PHASES: usize = 256;
/// Longest run, seconds: a week.
pub(crate) const RUN_S: u64 = 7 * 86_400;
/// Sends a second of a whole scenario; beyond it the send times of a worker are closer than its clock.
pub(crate) const RATE_PER_S: f64 = 50_000_000.0;
/// Longest payload of a write, bytes: with its pin it must fit into one frame of a stock device.
pub(crate) const PAYLOAD_BYTES: u16 = 1_000;
/// Shortest payload that carries a send time, bytes: a mark and two numbers of 16 digits.
pub(crate) const STAMP_BYTES: u16 = 36;
/// Longest packet that is taken from a broker, bytes: values here are short, and a device keeps what has come of it.
pub(crate) const PACKET_BYTES: usize = 64 << 10;
/// Messages that a device sends at once, as one send: with the longest payload they fill a socket's buffer by half.
pub(crate) const BURST: u16 = 64;
/// Threads of a run.
pub(crate) const WORKERS: u16 = 256;
/// Connections of one worker: below the 20,000 descriptors that a ring's own table may have where the limit is low.
pub(crate) const WORKER_CONNECTIONS: u32 = 19_000;
/// Connections that a worker keeps room for beyond its devices: HTTP and half handshakes.
pub(crate) const SPARE_CONNECTIONS: u32 = 512;
/// Connections of one source address on the loopback. The kernel looks for a free port from one of even or odd number on;
/// with more than about a third of them taken it searches for long: at 19,000 an address a connect took 1 ms.
pub(crate) const SOURCE_CONNECTIONS: u32 = 2_000;
/// Source addresses of one worker: the last byte of 127.x.y.z.
pub(crate) const SOURCES: u32 = 250;
/// HTTP connections of one worker.
pub(crate) const HTTP_CONNECTIONS: u16 = 256;
/// Requests that wait for room in flight, a worker; more are skipped and counted.
pub(crate) const HELD_SENDS: usize = 1 << 20;
/// Longest sleep of a worker, ms: a longer gap between two turns means that the machine did not let it run.
pub(crate) const TURN_MS: u64 = 20;
/// Sends of one turn of a worker: what is behind is sent in several turns, so that answers are looked at between them.
pub(crate) const TURN_SENDS: usize = 512;
/// Connections that one turn begins: each costs a system call.
pub(crate) const TURN_CONNECTS: usize = 32;
/// Time between two records of a worker, ms.
pub(crate) const INTERVAL_MS: u64 = 1_000;
/// Seconds whose histograms are kept open for sheets that come late; a megabyte each.
pub(crate) const OPEN_SECONDS: usize = 5;
/// Shortest time that a histogram tells apart, ns.
pub(crate) const LOWEST_NS: u64 = 100;
/// Longest time that a histogram holds, ns; longer ones enter as this.
pub(crate) const HIGHEST_NS: u64 = 600_000_000_000;
/// Digits that histograms keep.
pub(crate) const DIGITS: u8 = 3;
/// A worker that stood still for so long makes a run invalid, ms.
pub(crate) const STALL_MS: u64 = 100;
/// Schedule lag (99th percentile) that is always allowed, us: a timer and a wake-up of a virtual machine.
pub(crate) const LAG_FREE_US: u64 = 2_000;
/// Schedule lag (99th percentile) beyond `LAG_FREE_US` that is allowed, share of the reported 99th percentile.
pub(crate) const LAG_SHARE: f64 = 0.25;
/// Time at work of one worker in the measured phases, share; beyond it the generator is what is measured.
pub(crate) const WORKER_BUSY: f64 = 0.95;
/// Sends that may be missing (skipped, blocked, without a connection, never due in time), share of those planned.
pub(crate) const MISSING_SHARE: f64 = 0.001;
/// Time that connections may take after the ramp, s, unless the scenario says otherwise.
pub(crate) const SETTLE_S: u64 = 60;
/// Bytes of a page of metrics that are read.
pub(crate) const METRICS_BYTES: u64 = 16 << 20;
/// Longest wait for a target or its metrics, ms.
pub(crate) const PROBE_MS: u64 = 3_000;
/// Draws of a bootstrap.
pub(crate) const BOOTSTRAP_DRAWS: usize = 4_000;
/// Fewest runs of a side that can be compared: below it an interval says nothing.
pub(crate) const COMPARED_RUNS: usize = 4;
/// Part of the comparisons of a build with itself in which any figure may be called different.
pub(crate) const WRONG_SHARE: f64 = 0.05;
/// Smallest change of a figure that is called one, share. The rate of a plan moves by less, and always the same way.
pub(crate) const LEAST_CHANGE: f64 = 0.01;
/// Times that a comparison makes a round anew because it was INVALID, over all its rounds.
pub(crate) const REPEATED_ROUNDS: u32 = 9;
/// Rounds of an A/B comparison.
pub(crate) const ROUNDS: u32 = 1_000;
/// Runs of a search at most.
pub(crate) const SEARCH_RUNS: usize = 40;
/// Times that a search runs a rate until the run is valid.
pub(crate) const SEARCH_TRIES: u32 = 3;
/// A search ends when the rate that meets the SLO and the one that does not are so close, share.
pub(crate) const SEARCH_WIDTH: f64 = 0.05;
/// Stalls and reasons that a report lists; the rest is counted.
pub(crate) const LISTED: usize = 20;
/// Columns of a report's heat map; seconds of longer runs share one.
pub(crate) const HEAT_COLUMNS: usize = 240;
/// Rows of a report's heat map, from the shortest to the longest latency.
pub(crate) const HEAT_ROWS: usize = 32;
/// Logins that must be refused, with none accepted, before a run ends at once: nothing else will come of it.
pub(crate) const REFUSED_LOGINS: u64 = 20;
/// Size of a device without TLS or WebSocket in memory, bytes, with its entries in the tables of its worker.
pub(crate) const DEVICE_BYTES: usize = 512;

const _: () = assert!(STAMP_BYTES <= PAYLOAD_BYTES, "a stamp fits into a payload");
const _: () = assert!((PAYLOAD_BYTES as usize) < linchpin_protocol::limits::MAX_BODY_BYTES - 8);
const _: () = assert!(BURST as usize * (PAYLOAD_BYTES as usize + 12) <= 128 * 1024, "half of a usual send buffer");
const _: () = assert!(WORKER_CONNECTIONS + SPARE_CONNECTIONS < 20_000, "the usual hard limit of descriptors");
const _: () = assert!((HTTP_CONNECTIONS as u32) < SPARE_CONNECTIONS);
const _: () = assert!(WORKER_CONNECTIONS as u64 * WORKERS as u64 >= DEVICES, "all devices find a worker");
const _: () = assert!(STALL_MS >= 4 * TURN_MS, "an ordinary sleep is no stall");
const _: () = assert!(LOWEST_NS < HIGHEST_NS && LAG_FREE_US * 1_000 > LOWEST_NS);
const _: () = assert!(SOURCE_CONNECTIONS * 4 <= 28_000, "the usual range of local ports has 28,232");
const _: () = assert!(SOURCES <= 254 && SOURCE_CONNECTIONS * SOURCES >= WORKER_CONNECTIONS);

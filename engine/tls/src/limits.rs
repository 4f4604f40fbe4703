//! Bounds of TLS, with their sources.

use std::time::Duration;

/// Bytes before a record's fragment: type, version, length (RFC 8446, 5.1).
pub const RECORD_HEADER_BYTES: usize = 5;

/// Longest fragment of a plaintext record, bytes (RFC 8446, 5.1). A ClientHello is never encrypted.
pub const MAX_PLAINTEXT_BYTES: usize = 1 << 14;

/// Most that sealing adds to a fragment, bytes (RFC 8446, 5.2). The AEAD suites of TLS 1.2 add 24 at most.
pub const MAX_EXPANSION_BYTES: usize = 256;

/// Longest sealed record with its header, bytes.
pub const MAX_RECORD_BYTES: usize = RECORD_HEADER_BYTES + MAX_PLAINTEXT_BYTES + MAX_EXPANSION_BYTES;

/// Length of an AEAD tag, bytes.
pub const TAG_BYTES: usize = 16;

/// Explicit part of the nonce of AES-GCM in TLS 1.2, bytes (RFC 5288, 3).
pub const EXPLICIT_NONCE_BYTES: usize = 8;

/// Bytes of a first record that [`crate::classify`] looks at: record header, handshake type, length, version.
pub const HELLO_HEAD_BYTES: usize = RECORD_HEADER_BYTES + 6;

/// Longest ClientHello with its record headers, bytes. A browser's with a post-quantum key share takes about 2 KiB.
pub const HELLO_BYTES: usize = 8 * 1_024;

/// Bytes that a peer may send until its handshake is complete, ClientHello and certificates included.
pub const HANDSHAKE_BYTES: usize = 16 * 1_024;

/// Records of a ClientHello at most: a client that cuts it into single bytes wants to cost time, not to connect.
pub const HELLO_RECORDS: usize = 64;

/// Application bytes in a record of ours unless the peer asked for less or the caller allows more: a stock ESP8266 sketch
/// receives into 2,048 bytes.
pub const FRAGMENT_BYTES: usize = 1_024;

/// Smallest fragment that a peer can ask for, bytes (RFC 6066, 4).
pub const MIN_FRAGMENT_BYTES: usize = 512;

/// Records without content in a row; one more ends the connection.
pub const EMPTY_RECORDS: u8 = 32;

/// Key updates of the peer without application bytes between them; one more ends the connection.
pub const KEY_UPDATES: u8 = 32;

/// Warnings (TLS 1.2) that a peer may send in a connection; one more ends it.
pub const WARNINGS: u8 = 4;

/// Wishes to negotiate again (TLS 1.2) that are refused politely; one more ends the connection.
pub const RENEGOTIATIONS: u8 = 1;

/// Records under one AES-GCM key (RFC 8446, 5.5 allows 2^24.5). TLS 1.3 changes the key, TLS 1.2 ends the connection.
pub const GCM_RECORDS: u64 = 1 << 24;

/// Records under one ChaCha20-Poly1305 key. RFC 8446 sets no limit before the sequence number wraps.
pub const CHACHA_RECORDS: u64 = 1 << 48;

/// Records before the end of a key when TLS 1.3 changes it, so that one seal of many fragments never crosses the limit.
pub const REKEY_MARGIN: u64 = 1 << 16;

/// Bytes of messages after the handshake that a client keeps until they are whole: session tickets.
pub const POST_HANDSHAKE_BYTES: usize = 20 * 1_024;

/// Connections of a shard whose expanded keys are kept, 1.1 KiB each; a power of two. Others expand theirs in 0.2 us.
pub const CACHED_KEYS: usize = 1_024;

/// Bytes of all records of a shard that wait for their rest: a last bound. The shard's ledger charges them to who sent
/// them, as bytes that are there, and ends whoever holds most before.
pub const ASSEMBLY_BYTES: usize = (256 << 20) + MAX_RECORD_BYTES;

/// Bytes that an idle connection of a suite may take on the heap: state, keys and secrets of both directions.
pub const IDLE_SESSION_BYTES: usize = 232;

/// Keys of earlier ticket epochs that still open tickets.
pub const PREVIOUS_EPOCHS: usize = 2;

/// Length of a ticket epoch. A ticket resumes for two of them at least and three at most.
pub const TICKET_EPOCH: Duration = Duration::from_secs(6 * 3_600);

/// Longest ticket content, bytes: a session with the client's certificate chain.
pub const TICKET_BYTES: usize = 8 * 1_024;

/// Session ids that all shards remember for TLS 1.2 clients without tickets.
pub const SESSION_IDS: usize = 65_536;

/// Locks of the session-id store; a power of two.
pub const SESSION_STRIPES: usize = 64;

/// Longest session in the session-id store, bytes.
pub const SESSION_BYTES: usize = 2 * 1_024;

/// How long a session id resumes.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(12 * 3_600);

/// Longest certificate chain that is served, bytes of DER.
pub const CHAIN_BYTES: usize = 16 * 1_024;

/// A chain longer than this draws a warning, bytes: it does not fit in three packets and costs small clients memory.
pub const CHAIN_WARN_BYTES: usize = 4_096;

/// Certificates that expire sooner than this draw a warning.
pub const EXPIRY_WARN: Duration = Duration::from_secs(14 * 86_400);

/// Handshakes of a shard at a time, each about 5 KiB: most of them only wait for a slow network. The shard's ledger has
/// 80 MiB for them, and ends the oldest that waits for its peer of the address or network with most.
pub const HANDSHAKES: usize = 16_384;

/// Handshakes of one address at a time, waiting ones counted: a peer that begins many and ends none leaves room for others.
pub const ADDRESS_HANDSHAKES: usize = 1_024;

/// Of the starts from the queue, one in so many is a full handshake while resumed ones wait, too.
pub const FULL_TURN: u32 = 8;

/// Processor time of a full handshake before one was measured.
pub const FULL_COST: Duration = Duration::from_micros(100);

/// Processor time of a resumed handshake before one was measured.
pub const RESUMED_COST: Duration = Duration::from_micros(60);

/// Bytes that rustls holds for a handshake, about: measured, for ledgers.
pub const HANDSHAKE_HEAP_BYTES: usize = 5 * 1_024;

/// A handshake that is not complete by then is closed: mobile networks need about three round trips of a second.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(8);

/// Longest wait for a handshake to begin, unless the operator says otherwise. Devices give up after 6 s and then pause for
/// 5: whoever can be served before is not sent away, and a later start only costs.
pub const HANDSHAKE_WAIT: Duration = Duration::from_millis(4_500);

/// Clients that wait for their handshake to begin, per shard.
pub const HANDSHAKES_WAITING: usize = 16_384;

/// Share of a core that handshakes may take while sessions live, per cent.
pub const HANDSHAKE_SHARE_PERCENT: u64 = 40;

/// Share of a core that handshakes may take while no session lives, per cent.
pub const HANDSHAKE_SHARE_ALONE_PERCENT: u64 = 95;

/// Processor time that handshakes may take at once after a pause.
pub const HANDSHAKE_BURST: Duration = Duration::from_millis(20);

/// Buckets of the handshake table; a power of two. An address hashes to one, so memory is fixed.
pub const HANDSHAKE_BUCKETS: usize = 16_384;

/// Handshakes that one address may begin at once. Generous: cellular fleets share addresses.
pub const ADDRESS_BURST: u32 = 2_000;

/// Handshakes a second that an address earns back.
pub const ADDRESS_PER_SECOND: u32 = 200;

/// Networks of so many leading bits have a rate of their own, [`NETWORK_SHARES`] times that of an address.
pub const V4_NETWORK_BITS: u32 = 24;
/// The same for IPv6: a customer has a /48 at most.
pub const V6_NETWORK_BITS: u32 = 48;
/// See [`V4_NETWORK_BITS`].
pub const NETWORK_SHARES: u32 = 16;
/// Buckets of the table of networks; a power of two.
pub const NETWORK_BUCKETS: usize = 4_096;

/// IPv6 addresses with this many equal leading bits are one owner.
pub const V6_PREFIX_BITS: u32 = 64;

/// Structure: TLS in its connection, on or off.
pub const TLS_SLOT_BYTES: usize = 16;
/// Structure: a TLS 1.2 connection's keys and state on the heap, AES-128-GCM: most devices.
pub const TLS12_STATE_BYTES: usize = 104;
/// Structure: a TLS 1.3 connection's keys, secrets and state on the heap, AES-128-GCM.
pub const TLS13_STATE_BYTES: usize = 168;

const _: () = assert!(HELLO_HEAD_BYTES < MAX_PLAINTEXT_BYTES);
const _: () = assert!(MAX_RECORD_BYTES == 16_645);
const _: () = assert!(EXPLICIT_NONCE_BYTES + TAG_BYTES < MAX_EXPANSION_BYTES);
const _: () = assert!(HELLO_BYTES <= HANDSHAKE_BYTES, "a ClientHello is part of a handshake");
const _: () = assert!(MIN_FRAGMENT_BYTES <= FRAGMENT_BYTES && FRAGMENT_BYTES <= MAX_PLAINTEXT_BYTES);
const _: () = assert!(REKEY_MARGIN < GCM_RECORDS && GCM_RECORDS < CHACHA_RECORDS);
const _: () = assert!(CACHED_KEYS.is_power_of_two() && SESSION_STRIPES.is_power_of_two());
const _: () = assert!(HANDSHAKE_BUCKETS.is_power_of_two() && NETWORK_BUCKETS.is_power_of_two());
const _: () = assert!(ADDRESS_BURST as u64 * NETWORK_SHARES as u64 * 1_000 < u32::MAX as u64);
const _: () = assert!(MAX_RECORD_BYTES <= ASSEMBLY_BYTES);
const _: () = assert!(SESSION_IDS.is_multiple_of(SESSION_STRIPES));
const _: () = assert!(HANDSHAKE_WAIT.as_millis() < HANDSHAKE_DEADLINE.as_millis());
const _: () = assert!(ADDRESS_HANDSHAKES <= HANDSHAKES / 4, "four owners at least");
const _: () = assert!(HANDSHAKES <= HANDSHAKES_WAITING && FULL_TURN > 1);
const _: () = assert!(RESUMED_COST.as_nanos() <= FULL_COST.as_nanos());
const _: () = assert!(HANDSHAKE_SHARE_PERCENT < HANDSHAKE_SHARE_ALONE_PERCENT && HANDSHAKE_SHARE_ALONE_PERCENT < 100);
const _: () = assert!(CHAIN_WARN_BYTES < CHAIN_BYTES && SESSION_BYTES <= TICKET_BYTES);
const _: () = assert!(V6_PREFIX_BITS > 0 && V6_PREFIX_BITS <= 128);

/// Challenges of an authority that are open at a time, of each kind; also names of one certificate.
pub const CHALLENGES: usize = 64;

/// Longest token of a challenge, bytes; RFC 8555, 8.1 asks for 128 bits of entropy, in base64url.
pub const CHALLENGE_TOKEN_BYTES: usize = 128;

/// Bits of RSA keys that are made: what all devices can verify.
pub const RSA_BITS: usize = 2_048;

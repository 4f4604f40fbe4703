//! What an operator may set. Defaults and ranges stand in [`crate::limits`].

use crate::limits;

/// Settings of a shard. Every field has a default; the configuration file refuses values outside the ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Messages a second that a device may send on average; PING has a bucket of its own.
    pub messages_per_second: u32,
    /// Messages that may come at once after a pause.
    pub message_burst: u32,
    /// Connections from one address (IPv6: one /64) at a time, over all shards.
    pub per_address: u32,
    /// Time from accept to a complete login frame, ms.
    pub login_timeout_ms: u32,
    /// Heartbeat of a device that announces none, s.
    pub heartbeat_s: u32,
    /// Bytes that may wait for a device that does not read.
    pub outbound_bytes: u32,
    /// Longest wait for a TLS handshake to begin, ms; whoever would wait longer is closed at once.
    pub handshake_wait_ms: u32,
    /// Bytes of unfinished input, handshakes and waiting output of all connections of a shard.
    pub ledger_bytes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            messages_per_second: limits::MESSAGES_PER_SECOND,
            message_burst: limits::MESSAGE_BURST,
            per_address: limits::PER_ADDRESS,
            login_timeout_ms: limits::LOGIN_TIMEOUT_MS,
            heartbeat_s: limits::HEARTBEAT_S,
            outbound_bytes: limits::OUTBOUND_BYTES,
            handshake_wait_ms: linchpin_tls::limits::HANDSHAKE_WAIT.as_millis() as u32,
            ledger_bytes: limits::LEDGER_BYTES as u32,
        }
    }
}

//! Bounds of TLS, with their sources.

/// Bytes before a record's fragment: type, version, length (RFC 8446, 5.1).
pub const RECORD_HEADER_BYTES: usize = 5;

/// Longest fragment of a plaintext record, bytes (RFC 8446, 5.1). A ClientHello is never encrypted.
pub const MAX_PLAINTEXT_BYTES: usize = 1 << 14;

/// Bytes of a first record that [`crate::classify`] looks at: record header, handshake type, length, version.
pub const HELLO_HEAD_BYTES: usize = RECORD_HEADER_BYTES + 6;

const _: () = assert!(HELLO_HEAD_BYTES < MAX_PLAINTEXT_BYTES);

//! What a peer can do wrong, and what it is told.

use crate::Alert;
use crate::limits::{
    EMPTY_RECORDS, HANDSHAKE_BYTES, HELLO_BYTES, HELLO_RECORDS, KEY_UPDATES, MAX_RECORD_BYTES, RECORD_HEADER_BYTES,
    RENEGOTIATIONS, WARNINGS,
};

/// Why a TLS connection ended. Every fault ends it: nothing is read or written afterwards.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The connection ended before.
    Closed,
    /// A record does not open with its key: damaged on the way, or forged.
    BadRecordMac,
    /// A record of this many bytes.
    RecordOverflow(usize),
    /// A record type that has no place here.
    RecordType(u8),
    /// The major version of a record is not 3.
    RecordVersion(u8),
    /// A handshake message that has no place here, by its type.
    UnexpectedMessage(u8),
    /// A record or message that breaks its format; says which.
    Malformed(&'static str),
    /// A field out of its range; says which.
    Illegal(&'static str),
    /// A record without the content that its type must have; says which.
    NoContent(&'static str),
    /// More than [`EMPTY_RECORDS`] records without content in a row.
    EmptyRecords,
    /// More than [`KEY_UPDATES`] key updates in a row.
    KeyUpdates,
    /// More than [`WARNINGS`] warnings.
    Warnings,
    /// More than [`RENEGOTIATIONS`] wishes to negotiate again.
    Renegotiation,
    /// The peer says that something is wrong, by this alert.
    PeerAlert(u8),
    /// A TLS 1.2 key protected as many records as it may.
    KeyExhausted(u64),
    /// No memory for a record that came in pieces; the shard's budget, bytes.
    AssemblyBudget(usize),
    /// A ClientHello of more than [`HELLO_BYTES`] bytes or [`HELLO_RECORDS`] records.
    HelloTooLong,
    /// A handshake of more than [`HANDSHAKE_BYTES`] bytes.
    HandshakeTooLong,
    /// The peer speaks no version from TLS 1.2 on; its minor version.
    OldVersion(u8),
    /// The client's certificate is on the list of revoked ones.
    Revoked,
    /// The client's certificate, or one above it, is not valid any more.
    ClientExpired,
    /// An authority checks a name that no open challenge is about.
    NoChallenge,
    /// An authority has seen the answer to its challenge: nothing else happens on such a connection.
    ChallengeAnswered,
    /// The handshake failed; rustls says why.
    Handshake(rustls::Error),
    /// A mistake of this program; says which.
    Internal(&'static str),
}

impl Fault {
    /// What the peer is told, if anything.
    #[must_use]
    pub const fn alert(&self) -> Option<Alert> {
        Some(match self {
            // rustls writes its own alerts, and the sealed close_notify of an answered challenge.
            Self::Closed | Self::PeerAlert(_) | Self::Handshake(_) | Self::ChallengeAnswered => return None,
            Self::BadRecordMac => Alert::BadRecordMac,
            Self::RecordOverflow(_) => Alert::RecordOverflow,
            Self::RecordVersion(_) | Self::OldVersion(_) => Alert::ProtocolVersion,
            Self::RecordType(_)
            | Self::UnexpectedMessage(_)
            | Self::NoContent(_)
            | Self::EmptyRecords
            | Self::KeyUpdates
            | Self::Warnings
            | Self::Renegotiation => Alert::UnexpectedMessage,
            Self::Malformed(_) | Self::HelloTooLong | Self::HandshakeTooLong => Alert::DecodeError,
            Self::Illegal(_) => Alert::IllegalParameter,
            Self::KeyExhausted(_) => Alert::CloseNotify,
            Self::Revoked => Alert::CertificateRevoked,
            Self::ClientExpired => Alert::CertificateExpired,
            Self::NoChallenge => Alert::NoApplicationProtocol,
            Self::AssemblyBudget(_) | Self::Internal(_) => Alert::InternalError,
        })
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => write!(f, "the TLS connection ended before; open a new one"),
            Self::BadRecordMac => write!(f, "a record does not open with its key: it was damaged or forged on the way"),
            Self::RecordOverflow(len) => {
                write!(f, "a record of {len} bytes, allowed are {}", MAX_RECORD_BYTES - RECORD_HEADER_BYTES)
            }
            Self::RecordType(number) => write!(f, "record type {number} has no place here"),
            Self::RecordVersion(major) => write!(f, "major version {major} is not TLS (3)"),
            Self::UnexpectedMessage(kind) => write!(f, "handshake message {kind} has no place here"),
            Self::Illegal(what) => write!(f, "out of its range: {what}"),
            Self::NoContent(what) => write!(f, "nothing in it: {what}"),
            Self::Malformed(what) => write!(f, "malformed: {what}"),
            Self::EmptyRecords => write!(f, "more than {EMPTY_RECORDS} empty records in a row"),
            Self::KeyUpdates => write!(f, "more than {KEY_UPDATES} key updates without application bytes between"),
            Self::Warnings => write!(f, "more than {WARNINGS} warnings"),
            Self::Renegotiation => {
                write!(f, "the client insists on renegotiation ({RENEGOTIATIONS} refused); switch it off there")
            }
            Self::PeerAlert(number) => write!(f, "the peer sent alert {number}; its own log says why"),
            Self::KeyExhausted(limit) => write!(f, "a TLS 1.2 key protected {limit} records; connect again"),
            Self::AssemblyBudget(budget) => write!(
                f,
                "no memory for a record in pieces: the shard's budget of {budget} bytes is taken; connect again later"
            ),
            Self::HelloTooLong => {
                write!(f, "a ClientHello of more than {HELLO_BYTES} bytes or {HELLO_RECORDS} records")
            }
            Self::HandshakeTooLong => {
                write!(f, "a handshake of more than {HANDSHAKE_BYTES} bytes; send a shorter certificate chain")
            }
            Self::OldVersion(minor) => {
                write!(f, "the client offers 3.{minor} at most, TLS 1.2 (3.3) is the least; use the plain port")
            }
            Self::ClientExpired => write!(f, "the client's certificate has expired; issue a new one"),
            Self::Revoked => write!(f, "the client's certificate is revoked; issue a new one"),
            Self::NoChallenge => write!(f, "acme-tls/1 is offered, and no challenge is open for the name"),
            Self::ChallengeAnswered => write!(f, "the authority has seen the answer to its challenge"),
            Self::Handshake(error) => write!(f, "the handshake failed: {error}"),
            Self::Internal(what) => write!(f, "a mistake of this program, please report it: {what}"),
        }
    }
}

impl std::error::Error for Fault {}

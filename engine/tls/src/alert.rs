//! Alerts.

/// Why a connection cannot go on (RFC 8446, 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Alert {
    /// The sender writes no more. The only alert that is no fault.
    CloseNotify = 0,
    /// A message that has no place here.
    UnexpectedMessage = 10,
    /// A record that its key does not open.
    BadRecordMac = 20,
    /// A record that is too long.
    RecordOverflow = 22,
    /// The parameters are not acceptable.
    HandshakeFailure = 40,
    /// The peer's certificate was revoked.
    CertificateRevoked = 44,
    /// The peer's certificate is not valid any more.
    CertificateExpired = 45,
    /// A field out of its range.
    IllegalParameter = 47,
    /// A message that cannot be parsed.
    DecodeError = 50,
    /// No common protocol version; also what a port says that does not speak TLS at all.
    ProtocolVersion = 70,
    /// The server failed.
    InternalError = 80,
    /// The peer gave up, without a fault.
    UserCanceled = 90,
    /// A TLS 1.2 peer wants to negotiate again, which is refused.
    NoRenegotiation = 100,
    /// No certificate for this name.
    UnrecognizedName = 112,
    /// None of the application protocols that the client offers.
    NoApplicationProtocol = 120,
}

const LEVEL_WARNING: u8 = 1;
pub(crate) const LEVEL_FATAL: u8 = 2;

impl Alert {
    /// Its two bytes.
    pub(crate) const fn body(self) -> [u8; 2] {
        let level = match self {
            Self::CloseNotify | Self::UserCanceled | Self::NoRenegotiation => LEVEL_WARNING,
            _ => LEVEL_FATAL,
        };
        [level, self as u8]
    }
}

/// Append a fatal alert as one plaintext record.
pub fn fatal(out: &mut Vec<u8>, alert: Alert) {
    out.extend_from_slice(&[21, 3, 3, 0, 2, LEVEL_FATAL, alert as u8]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ContentType, RecordHead, header};

    #[test]
    fn is_one_whole_record() {
        let mut out = Vec::new();
        fatal(&mut out, Alert::ProtocolVersion);
        assert_eq!(header(&out), Ok(Some(RecordHead { content: ContentType::Alert, minor: 3, len_bytes: 2 })));
        assert_eq!(out[5..], [2, 70]);
    }

    #[test]
    fn only_polite_alerts_are_warnings() {
        assert_eq!(Alert::CloseNotify.body(), [1, 0]);
        assert_eq!(Alert::NoRenegotiation.body(), [1, 100]);
        assert_eq!(Alert::BadRecordMac.body(), [2, 20]);
    }
}

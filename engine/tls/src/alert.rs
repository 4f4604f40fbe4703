//! Alerts in the clear.

/// Why a connection cannot go on (RFC 8446, 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Alert {
    /// The parameters are not acceptable.
    HandshakeFailure = 40,
    /// No common protocol version; also what a port says that does not speak TLS at all.
    ProtocolVersion = 70,
    /// The server failed.
    InternalError = 80,
    /// No certificate for this name.
    UnrecognizedName = 112,
}

const LEVEL_FATAL: u8 = 2;

/// Append a fatal alert as one plaintext record.
pub fn fatal(out: &mut Vec<u8>, alert: Alert) {
    out.extend_from_slice(&[21, 3, 3, 0, 2, LEVEL_FATAL, alert as u8]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ContentType, Record, header};

    #[test]
    fn is_one_whole_record() {
        let mut out = Vec::new();
        fatal(&mut out, Alert::ProtocolVersion);
        assert_eq!(header(&out), Ok(Some(Record { content: ContentType::Alert, minor: 3, len_bytes: 2 })));
        assert_eq!(out[5..], [2, 70]);
    }
}

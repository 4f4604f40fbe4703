//! What can be wrong with a request's form.

use std::fmt;

use crate::limits;

/// A request that is refused before it is understood. All of them end the connection after the answer: where the next
/// request would begin is not certain any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpFault {
    /// The head is no HTTP/1.x.
    Syntax {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A version other than 1.0 and 1.1.
    Version,
    /// The head is longer than `limits::HTTP_HEAD_BYTES`, or has more than `limits::HTTP_HEADERS` fields.
    HeadTooLarge,
    /// The body is longer than `limits::HTTP_BODY_BYTES`.
    BodyTooLarge,
    /// Two ways to tell where the body ends, or one that cannot be read: the classic of request smuggling.
    AmbiguousLength {
        /// What contradicts what.
        what: &'static str,
    },
    /// A transfer coding other than "chunked".
    TransferCoding,
    /// A chunked body that is none.
    Chunk {
        /// What is wrong with it.
        what: &'static str,
    },
    /// An HTTP/1.1 request without exactly one Host field, or one that is no host and port.
    Host,
    /// A field that may stand once stands twice.
    RepeatedField {
        /// Its name, in lower case.
        name: &'static str,
    },
    /// An `Expect` other than 100-continue.
    Expect,
}

impl HttpFault {
    /// The status that answers it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Syntax { .. }
            | Self::AmbiguousLength { .. }
            | Self::Chunk { .. }
            | Self::Host
            | Self::RepeatedField { .. } => 400,
            Self::BodyTooLarge => 413,
            Self::Expect => 417,
            Self::HeadTooLarge => 431,
            Self::TransferCoding => 501,
            Self::Version => 505,
        }
    }
}

impl std::error::Error for HttpFault {}

impl fmt::Display for HttpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { what } => write!(f, "the request is not HTTP/1.1: {what}; check the client"),
            Self::Version => f.write_str("only HTTP/1.0 and HTTP/1.1 are spoken here; use one of them"),
            Self::HeadTooLarge => write!(
                f,
                "the head of the request is longer than {} bytes or has more than {} fields; send less",
                limits::HTTP_HEAD_BYTES,
                limits::HTTP_HEADERS
            ),
            Self::BodyTooLarge => {
                write!(f, "the body is longer than {} bytes; send it in parts", limits::HTTP_BODY_BYTES)
            }
            Self::AmbiguousLength { what } => {
                write!(f, "the length of the body is ambiguous: {what}; send one Content-Length or chunks")
            }
            Self::TransferCoding => f.write_str("the only transfer coding taken is \"chunked\"; send the body in it"),
            Self::Chunk { what } => write!(f, "the chunked body is broken: {what}; check the client"),
            Self::Host => {
                f.write_str("an HTTP/1.1 request has exactly one Host field, with a host and perhaps a port; mend it")
            }
            Self::RepeatedField { name } => write!(f, "the field {name} stands twice; send it once"),
            Self::Expect => f.write_str("the only expectation met is 100-continue; leave the other out"),
        }
    }
}

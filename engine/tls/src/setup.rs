//! What an operator can set up wrong.

use crate::limits::{CHAIN_BYTES, CHALLENGE_TOKEN_BYTES, CHALLENGES, PREVIOUS_EPOCHS};

/// Why TLS cannot be set up as asked.
#[derive(Clone, Debug, PartialEq)]
pub enum SetupFault {
    /// There is no certificate at all.
    NoCertificate,
    /// A PEM text cannot be read; says what was looked for.
    Pem(&'static str),
    /// A certificate cannot be parsed.
    Certificate,
    /// The private key is of no known kind, or damaged.
    Key,
    /// The private key is not the certificate's.
    KeyMismatch,
    /// A chain of so many bytes.
    ChainTooLong(usize),
    /// Certificate `.0` of the chain was not issued by the next one.
    ChainOrder(usize),
    /// So many earlier ticket epochs.
    Epochs(usize),
    /// Two ticket keys of one epoch.
    EpochTwice(u32),
    /// The certificates could not be made.
    Making(String),
    /// A token of a challenge that is no base64url, or of so many bytes.
    ChallengeToken(usize),
    /// Too many open challenges.
    Challenges,
    /// rustls refuses; says why.
    Rustls(rustls::Error),
    /// The roots for clients' certificates are unusable; says why.
    ClientRoots(String),
}

impl std::fmt::Display for SetupFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoCertificate => write!(f, "no certificate is given; name a chain and its key"),
            Self::Pem(what) => write!(f, "the PEM text holds no readable {what}"),
            Self::Certificate => write!(f, "a certificate of the chain cannot be parsed; export it again"),
            Self::Key => write!(f, "the private key is damaged or of no known kind; use PKCS #8, SEC 1 or PKCS #1"),
            Self::KeyMismatch => write!(f, "the private key is not the one of the chain's first certificate"),
            Self::ChainTooLong(len) => {
                write!(f, "a chain of {len} bytes, allowed are {CHAIN_BYTES}; leave out what clients have themselves")
            }
            Self::ChainOrder(at) => {
                write!(f, "certificate {at} of the chain was not issued by the next; order them from the server up")
            }
            Self::Epochs(given) => write!(f, "{given} earlier ticket epochs, allowed are {PREVIOUS_EPOCHS}"),
            Self::EpochTwice(epoch) => write!(f, "two ticket keys for epoch {epoch}; number each key once"),
            Self::Making(why) => write!(f, "the local certificates cannot be made: {why}"),
            Self::ChallengeToken(len) => write!(
                f,
                "a token of {len} bytes; allowed are 1 to {CHALLENGE_TOKEN_BYTES} characters of A-Z, a-z, 0-9, - and _"
            ),
            Self::Challenges => write!(f, "more than {CHALLENGES} open challenges; order certificates for fewer names"),
            Self::Rustls(error) => write!(f, "TLS cannot be set up: {error}"),
            Self::ClientRoots(why) => write!(f, "the roots for clients' certificates are unusable: {why}"),
        }
    }
}

impl std::error::Error for SetupFault {}

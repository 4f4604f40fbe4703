//! Why a command was not carried out, or the control plane did not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::limits;

/// A stable code for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError {
    /// Stable, in kebab case.
    pub code: &'static str,
    /// What happened, with the value and the limit, and what to do.
    pub text: String,
}

impl CommandError {
    /// With a sentence.
    pub fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// A parameter is missing or has the wrong shape.
    pub(crate) fn parameter(name: &str, expected: &str) -> Self {
        Self::new("bad-parameter", format!("parameter {name:?} must be {expected}"))
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}

impl std::error::Error for CommandError {}

/// Why the control plane does not start.
#[derive(Debug)]
pub enum StartError {
    /// The path of the socket is longer than the kernel takes.
    SocketPath {
        /// The path.
        path: PathBuf,
        /// Its length.
        len_bytes: usize,
    },
    /// Another server uses the data directory.
    InUse {
        /// Its socket.
        path: PathBuf,
    },
    /// Something else has the name of the socket.
    NotASocket {
        /// What is in the way.
        path: PathBuf,
    },
    /// The address of the metrics cannot be bound.
    Metrics {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system refuses.
    Io {
        /// What it is about.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SocketPath { path, len_bytes } => write!(
                f,
                "the path of the admin socket has {len_bytes} bytes, {} are allowed: choose a shorter data directory with --data ({})",
                limits::SOCKET_PATH_BYTES,
                path.display()
            ),
            Self::InUse { path } => write!(
                f,
                "another Linchpin server uses this data directory ({} answers): stop it, or choose another one with --data",
                path.display()
            ),
            Self::NotASocket { path } => write!(
                f,
                "{} is in the place of the admin socket and is no socket: move it away, or choose another data directory with --data",
                path.display()
            ),
            Self::Metrics { address, source } => write!(
                f,
                "the metrics' address {address} cannot be bound ({source}): choose another with --metrics or listen.metrics"
            ),
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for StartError {}

//! Why a server does not start or ends.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::cli::failure::Failure;
use crate::limits;
use crate::store::{FillError, StoreError};
use crate::tls::TlsError;

/// Why the engine does not start.
#[derive(Debug)]
pub(crate) enum BootError {
    /// The back end cannot be opened.
    Driver(linchpin_driver::OpenError),
    /// An address cannot be bound.
    Bind { address: SocketAddr, source: io::Error },
    /// A thread or random bytes are missing.
    Io(io::Error),
    /// The store cannot be read.
    Store(StoreError),
    /// What TLS needs is missing.
    Tls(TlsError),
    /// A shard's thread ended or did not answer.
    Shard(u16),
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(source) => {
                write!(f, "{source}. Use --driver portable (or driver = \"portable\") to start without it")
            }
            Self::Bind { address, source } if source.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "{address} is in use by another program: choose another port with --plain {}:{}, or any free one with port 0",
                address.ip(),
                address.port().wrapping_add(1).max(1024)
            ),
            Self::Bind { address, source } if source.kind() == io::ErrorKind::PermissionDenied => write!(
                f,
                "{address} may not be bound: ports below 1024 need CAP_NET_BIND_SERVICE, others do not (--plain {}:8080)",
                address.ip()
            ),
            Self::Bind { address, source } => write!(f, "{address} cannot be bound: {source}; see --plain"),
            Self::Io(source) => write!(f, "{source}"),
            Self::Tls(error) => write!(f, "{error}"),
            Self::Store(error) => write!(f, "{error}"),
            Self::Shard(id) => write!(f, "shard {id} did not start within {:?}; see the log", limits::OPEN_TIMEOUT),
        }
    }
}

/// Why a server ended with an error.
#[derive(Debug)]
pub(crate) enum ServeError {
    Boot(BootError),
    Tls(TlsError),
    Store(StoreError),
    Fill(FillError),
    Control(linchpin_control::StartError),
    Io(String),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Fill(error) => error.fmt(f),
            Self::Control(error) => error.fmt(f),
            Self::Io(text) => f.write_str(text),
        }
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Fill(FillError::Config(text)) => Self::Config(text),
            other => Self::general(other),
        }
    }
}

//! Why a server does not start or ends.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::cause::Cause;
use crate::limits;
use crate::store::{FillError, StoreError};
use crate::tick::doors::Door;
use crate::tls::TlsError;

/// Why the engine does not start.
#[derive(Debug)]
pub(crate) enum BootError {
    /// The back end cannot be opened.
    Driver(linchpin_driver::OpenError),
    /// An address cannot be bound.
    Bind { door: Door, address: SocketAddr, source: io::Error },
    /// A thread or random bytes are missing.
    Io(io::Error),
    /// The store cannot be read.
    Store(StoreError),
    /// What TLS needs is missing.
    Tls(TlsError),
    /// A shard's thread ended or did not answer.
    Shard(u16),
    /// The operating system allows the process too little of something.
    TooFew { found: u64, least: u64, unit: &'static str, advice: &'static str },
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(source) => write!(f, "{source}"),
            Self::Bind { door, address, source } => write!(f, "{address} ({}) cannot be bound: {source}", door.flag()),
            Self::TooFew { found, least, unit, advice } => {
                write!(f, "the system allows this process {found} {unit}, it needs {least} to start: {advice}")
            }
            Self::Io(source) => write!(f, "{source}"),
            Self::Tls(error) => write!(f, "{error}"),
            Self::Store(error) => write!(f, "{error}"),
            Self::Shard(id) => write!(f, "shard {id} did not start within {:?}; see the log", limits::OPEN_TIMEOUT),
        }
    }
}

impl Error for BootError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Driver(source) => Some(source),
            Self::Bind { source, .. } | Self::Io(source) => Some(source),
            Self::Store(source) => Some(source),
            Self::Tls(source) => Some(source),
            Self::Shard(_) | Self::TooFew { .. } => None,
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
    /// The server before this one does not hand its connections over.
    Handover(Cause),
    /// A file, a folder or a signal: what it is about, what the operating system or the store said, and what to do.
    Io {
        what: String,
        source: Cause,
        advice: &'static str,
    },
}

impl ServeError {
    /// Connections are not handed over, for this reason.
    pub(crate) fn handover(why: impl fmt::Display) -> Self {
        Self::Handover(why.to_string().into())
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Fill(error) => error.fmt(f),
            Self::Control(error) => error.fmt(f),
            Self::Handover(cause) => cause.fmt(f),
            Self::Io { what, source, advice: "" } => write!(f, "{what}: {source}"),
            Self::Io { what, source, advice } => write!(f, "{what}: {source}; {advice}"),
        }
    }
}

impl Error for ServeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Boot(source) => Some(source),
            Self::Tls(source) => Some(source),
            Self::Store(source) => Some(source),
            Self::Fill(source) => Some(source),
            Self::Control(source) => Some(source),
            Self::Handover(source) | Self::Io { source, .. } => Some(&**source),
        }
    }
}

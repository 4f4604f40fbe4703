//! Why a command was not carried out, or the control plane did not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use linchpin_protocol::model::{DeviceId, OrgId};
use serde::{Deserialize, Serialize};

use crate::{RegistryError, limits};

macro_rules! codes {
    ($($variant:ident $name:literal $status:literal $meaning:literal)*) => {
        /// Why a command was not carried out, for programs. Names and statuses are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $(#[doc = $meaning] #[serde(rename = $name)] $variant,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name, in kebab case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Its status over HTTP.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// What it means.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    BadJson "bad-json" 400 "The line or body is not one JSON object."
    BadParameter "bad-parameter" 422 "A parameter is missing, unknown or out of its range."
    ValueTooLong "value-too-long" 422 "A value is longer than a pin takes."
    Rejected "rejected" 422 "The device's template does not take this pin or value."
    LineTooLong "line-too-long" 413 "The line or body is longer than is read."
    UnknownCommand "unknown-command" 404 "There is no such command."
    NoSuchDevice "no-such-device" 404 "There is no such device."
    NoSuchTemplate "no-such-template" 404 "There is no such template."
    NoSuchOrg "no-such-org" 404 "There is no such organization."
    Refused "refused" 409 "The state of the server does not allow it; the text says why."
    TooLarge "too-large" 409 "The device's receive buffer is too small for it."
    TooMany "too-many" 429 "There are too many of these already."
    Busy "busy" 503 "A shard does not keep up: try again in a moment. Nothing has changed."
    NoAnswer "no-answer" 504 "A shard did not answer in time."
    Backup "backup" 502 "The place of backups cannot be used, or the backup is damaged."
    Key "key" 500 "The keys cannot be read, or are wrong."
    Store "store" 500 "The store cannot be read or written."
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A stable code for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandError {
    /// For programs.
    pub code: Code,
    /// What happened, with the value and the limit, and what to do.
    pub text: String,
}

impl CommandError {
    /// With a sentence.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// A parameter is missing or has the wrong shape.
    pub(crate) fn parameter(name: &str, expected: &str) -> Self {
        Self::new(Code::BadParameter, format!("parameter {name:?} must be {expected}"))
    }

    /// There is no device with this id.
    pub(crate) fn no_such_device(device: DeviceId) -> Self {
        Self::new(Code::NoSuchDevice, format!("there is no device {device}: `linchpin device list` shows them"))
    }

    /// There is no organization with this number.
    pub(crate) fn no_such_org(org: OrgId) -> Self {
        Self::new(Code::NoSuchOrg, format!("there is no organization {org}: `linchpin org list` shows them"))
    }
}

impl From<RegistryError> for CommandError {
    fn from(error: RegistryError) -> Self {
        let code = match error {
            RegistryError::TemplateIsWritten(_) => Code::Busy,
            RegistryError::OrgIsErased(_) => Code::NoSuchOrg,
            _ => Code::Refused,
        };
        Self::new(code, error.to_string())
    }
}

impl From<linchpin_storage::Error> for CommandError {
    fn from(error: linchpin_storage::Error) -> Self {
        use linchpin_storage::Error;
        let code = match error {
            Error::Backup { .. } => Code::Backup,
            Error::Key { .. } => Code::Key,
            _ => Code::Store,
        };
        Self::new(code, error.to_string())
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
    /// Certificates cannot be ordered; says why.
    Acme(String),
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
            Self::Acme(why) => write!(f, "certificates cannot be ordered: {why}"),
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Metrics { source, .. } | Self::Io { source, .. } => Some(source),
            Self::SocketPath { .. } | Self::InUse { .. } | Self::NotASocket { .. } | Self::Acme(_) => None,
        }
    }
}

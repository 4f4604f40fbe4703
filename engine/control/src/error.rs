//! Why a command was not carried out, or the control plane did not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use linchpin_protocol::model::{DeviceId, OrgId};
use serde::{Deserialize, Serialize};

use crate::access::Denial;
use crate::account::EmailFault;
use crate::loader::LoaderFault;
use crate::{RegistryError, limits};

macro_rules! codes {
    ($($variant:ident $name:literal $status:literal $number:literal $meaning:literal)*) => {
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

            /// Its code over HTTP, as the console and docs/admin.md name it.
            #[must_use]
            pub const fn number(self) -> &'static str {
                match self { $(Self::$variant => $number,)* }
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
    BadJson "bad-json" 400 "E0620" "The line or body is not one JSON object."
    BadParameter "bad-parameter" 422 "E0622" "A parameter is missing, unknown or out of its range."
    ValueTooLong "value-too-long" 422 "E0623" "A value is longer than a pin takes."
    Rejected "rejected" 422 "E0624" "The device's template does not take this pin or value."
    LineTooLong "line-too-long" 413 "E0625" "The line or body is longer than is read."
    BadCursor "bad-cursor" 400 "E0627" "The cursor is of another question, or too old."
    UnsupportedMedia "unsupported-media" 415 "E0626" "The body is of a kind that is not taken there."
    UnknownCommand "unknown-command" 404 "E0600" "There is no such command or route."
    MethodNotAllowed "method-not-allowed" 405 "E0607" "The route does not take this method."
    NotFound "not-found" 404 "E0601" "There is no such thing, or it may not be seen."
    NoSuchDevice "no-such-device" 404 "E0641" "There is no such device."
    NoSuchTemplate "no-such-template" 404 "E0642" "There is no such template."
    NoSuchOrg "no-such-org" 404 "E0643" "There is no such organization."
    SignInFirst "sign-in-first" 401 "E0602" "Nobody is signed in, or the session, key or token is not good (any more)."
    WrongCredentials "wrong-credentials" 401 "E0604" "Address, password or code is wrong."
    Forbidden "forbidden" 403 "E0603" "The role, or the rules of giving, do not allow it."
    StepUpDue "step-up" 403 "E_STEP_UP" "It needs a proof of the last minutes: a password or code."
    FactorDue "factor-due" 403 "E0608" "A second factor must be given first."
    OrgSuspended "org-suspended" 403 "E0609" "The organization, or one above it, is suspended."
    Elsewhere "address-not-allowed" 403 "E0610" "The organization does not allow it from this address."
    ForgedRequest "forged-request" 403 "E0606" "The request was not made by the server's own page: Origin or X-Linchpin-Csrf is wrong."
    Blocked "blocked" 429 "E0605" "Too many attempts failed: nothing was looked at."
    Conflict "conflict" 409 "E0611" "It is so already, or something else has the place."
    Outdated "outdated" 412 "E0612" "Somebody else has changed it meanwhile."
    Spent "spent" 410 "E0613" "The link, code or token was used, has ended, or was taken back."
    WrongCode "wrong-code" 422 "E0631" "The code of the second factor is wrong."
    Refused "refused" 409 "E0614" "The state of the server does not allow it; the text says why."
    TooLarge "too-large" 409 "E0615" "The device's receive buffer is too small for it."
    TooMany "too-many" 429 "E0616" "There are too many of these already."
    TooFast "too-fast" 429 "E0617" "A key, or all keys of its organization, sent more requests than they may in a minute."
    Busy "busy" 503 "E0630" "The server does not keep up: try again in a moment. Nothing has changed."
    NoAnswer "no-answer" 504 "E0632" "A shard did not answer in time."
    Backup "backup" 502 "E0633" "The place of backups cannot be used, or the backup is damaged."
    OtherServer "other-server" 502 "E0637" "The server where people sign in does not answer as it must."
    Key "key" 500 "E0634" "The keys cannot be read, or are wrong."
    Store "store" 500 "E0635" "The store cannot be read or written."
    Failed "failed" 500 "E0636" "The server failed: a bug. Its log says more."
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
    /// Which parameter, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Try again after so long, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<u64>,
}

impl CommandError {
    /// With a sentence.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), field: None, retry_ms: None }
    }

    /// It is about this parameter.
    #[must_use]
    pub fn about(self, field: &str) -> Self {
        Self { field: Some(field.to_owned()), ..self }
    }

    /// Try again after so long.
    #[must_use]
    pub fn again_in(self, retry_ms: u64) -> Self {
        Self { retry_ms: Some(retry_ms), ..self }
    }

    /// A parameter is missing or has the wrong shape.
    pub(crate) fn parameter(name: &str, expected: &str) -> Self {
        Self::new(Code::BadParameter, format!("parameter {name:?} must be {expected}")).about(name)
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

impl From<Denial> for CommandError {
    fn from(denial: Denial) -> Self {
        let code = match denial {
            Denial::Unseen => Code::NotFound,
            Denial::Missing(_) => Code::Forbidden,
            Denial::Suspended(_) => Code::OrgSuspended,
            Denial::FactorDue => Code::FactorDue,
            Denial::StepUp(_) => Code::StepUpDue,
            Denial::Elsewhere => Code::Elsewhere,
        };
        Self::new(code, denial.to_string())
    }
}

impl From<LoaderFault> for CommandError {
    fn from(fault: LoaderFault) -> Self {
        let code = match fault {
            LoaderFault::Denied(denial) => return denial.into(),
            LoaderFault::Store(error) => return error.into(),
            LoaderFault::Field { field, .. } => {
                return Self::new(Code::BadParameter, fault.to_string()).about(field);
            }
            LoaderFault::Paced { retry_ms } => {
                return Self::new(Code::TooFast, fault.to_string()).again_in(retry_ms);
            }
            LoaderFault::Cursor => return Self::new(Code::BadCursor, fault.to_string()).about("after"),
            LoaderFault::Missing => Code::NotFound,
            LoaderFault::Give(_) => Code::Forbidden,
            LoaderFault::Tree(_) | LoaderFault::Conflict(_) => Code::Conflict,
            LoaderFault::Full { .. } | LoaderFault::Often { .. } => Code::TooMany,
            LoaderFault::Spent => Code::Spent,
        };
        Self::new(code, fault.to_string())
    }
}

impl From<EmailFault> for CommandError {
    fn from(fault: EmailFault) -> Self {
        LoaderFault::from(fault).into()
    }
}

impl From<linchpin_storage::Error> for CommandError {
    fn from(error: linchpin_storage::Error) -> Self {
        use linchpin_storage::Error;
        let code = match error {
            Error::Backup { .. } => Code::Backup,
            Error::Key { .. } => Code::Key,
            Error::Busy { .. } => return Self::new(Code::Busy, error.to_string()).again_in(1_000),
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
    /// Mail cannot be sent; says why.
    Mail(String),
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
            Self::Mail(why) => write!(f, "mail cannot be sent: {why}"),
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Metrics { source, .. } | Self::Io { source, .. } => Some(source),
            Self::SocketPath { .. } | Self::InUse { .. } | Self::NotASocket { .. } | Self::Acme(_) | Self::Mail(_) => {
                None
            }
        }
    }
}

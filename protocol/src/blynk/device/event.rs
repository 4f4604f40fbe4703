//! What happens to a device: what the server does, and how it ends.

use std::fmt;

use crate::Status;
use crate::limits::DEVICE_LOGIN_TIMEOUT_MS;
use crate::model::{Pin, ValueRef};

/// What the server did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceEvent<'a> {
    /// The login was accepted; the introduction has been written behind.
    LoggedIn,
    /// The introduction was accepted.
    InfoAccepted,
    /// A pin was set, by an app or by another device's bridge.
    Write {
        /// Which.
        pin: Pin,
        /// To what; may be empty.
        value: ValueRef<'a>,
        /// Message id.
        id: u16,
    },
    /// The server asks for the value of a pin: answer with [`DeviceSession::answer`](super::DeviceSession::answer).
    Read {
        /// Which.
        pin: Pin,
        /// Message id.
        id: u16,
    },
    /// Pins get their modes: `pin NUL mode NUL ...`.
    PinMode {
        /// As on the wire, unchecked.
        pairs: &'a [u8],
    },
    /// INTERNAL: an answer about the clock or metadata, or a push.
    Internal {
        /// Message id.
        id: u16,
        /// Fields joined by NUL.
        body: &'a [u8],
    },
    /// An answer, other than that to the login.
    Response {
        /// Message id of the question.
        id: u16,
        /// The number as received; see [`Status::from_code`].
        status: u16,
    },
    /// Connect there with the same token; the session ends with [`DeviceEnd::Redirected`].
    Redirect {
        /// The host's name or address.
        host: &'a str,
        /// `None`: the port in use.
        port: Option<u16>,
    },
    /// A text for the console.
    Debug {
        /// Usually UTF-8.
        text: &'a [u8],
    },
}

/// Why a device closes its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceEnd {
    /// The login was not answered in time.
    LoginTimeout,
    /// The login was refused, by a status other than 200 and 4.
    LoginRefused {
        /// The number as received.
        status: u16,
    },
    /// The server said that the device is not logged in (status 5).
    NotAuthenticated,
    /// Nothing was heard for the heartbeat and 18 s.
    Silent {
        /// How long, ms.
        silent_ms: u64,
    },
    /// The server sent a command that devices do not know.
    UnknownCommand {
        /// Its number.
        command: u8,
    },
    /// The server sent a message id of 0.
    IdZero,
    /// The server sent a body that is not shorter than the receive buffer.
    BodyTooLarge {
        /// Announced by the header.
        len_bytes: usize,
        /// The receive buffer.
        buff_in_bytes: usize,
    },
    /// The server sent the device elsewhere.
    Redirected,
}

impl fmt::Display for DeviceEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoginTimeout => {
                write!(f, "the login was not answered within {DEVICE_LOGIN_TIMEOUT_MS} ms; is it a Blynk server?")
            }
            Self::LoginRefused { status } => match Status::from_code(*status) {
                Some(status) => write!(f, "the login was refused with status {status}; check the token"),
                None => write!(f, "the login was refused with the unknown status {status}; check the token"),
            },
            Self::NotAuthenticated => f.write_str("the server says that the device is not logged in; log in again"),
            Self::Silent { silent_ms } => {
                write!(f, "nothing was heard from the server for {silent_ms} ms; connect again")
            }
            Self::UnknownCommand { command } => {
                write!(f, "the server sent command {command}, which devices do not know; connect again")
            }
            Self::IdZero => f.write_str("the server sent message id 0, ids start at 1; connect again"),
            Self::BodyTooLarge { len_bytes, buff_in_bytes } => write!(
                f,
                "the server sent a body of {len_bytes} bytes into a buffer of {buff_in_bytes}, it must be shorter; \
                 connect again"
            ),
            Self::Redirected => f.write_str("the server sent the device elsewhere; connect there"),
        }
    }
}

impl std::error::Error for DeviceEnd {}

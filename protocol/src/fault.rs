//! A peer's mistake, and the one mapping from it to what the wire says.

use std::fmt;

use crate::blynk::Command;
use crate::limits;
use crate::model::{Number, Pin};

macro_rules! statuses {
    ($( $name:ident = $code:literal, $doc:literal; )*) => {
        /// What a RESPONSE carries. Not all are ever sent by this server; all can be received.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[repr(u16)]
        pub enum Status { $( #[doc = $doc] $name = $code, )* }

        impl Status {
            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> u16 {
                self as u16
            }

            /// The status with this number, if the protocol has it.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code { $( $code => Some(Self::$name), )* _ => None }
            }
        }
    };
}

statuses! {
    QuotaLimit = 1, "The device sends more than it may.";
    IllegalCommand = 2, "The command does not exist or its body has the wrong shape.";
    NotRegistered = 3, "The account does not exist (app protocol).";
    AlreadyRegistered = 4, "Already logged in.";
    NotAuthenticated = 5, "Not logged in. The C++ library drops the connection whenever it reads this: never send it.";
    NotAllowed = 6, "Not permitted.";
    DeviceNotInNetwork = 7, "The device that a bridge leads to is offline.";
    NoActiveDashboard = 8, "The project is not running (legacy).";
    InvalidToken = 9, "The token is unknown or belongs to another template.";
    IllegalCommandBody = 11, "The command is known, its body is not acceptable.";
    GetGraphFailed = 12, "Graph values could not be read (legacy).";
    NotificationInvalidBody = 13, "The text of a notification is empty or too long.";
    NotificationNotAuthorized = 14, "There is no such notification channel.";
    NotificationError = 15, "The channel failed.";
    Timeout = 16, "The answer took too long.";
    NoData = 17, "There is nothing to return.";
    DeviceWentOffline = 18, "The device is gone.";
    ServerError = 19, "The server failed.";
    NotSupportedVersion = 20, "The library is too old.";
    EnergyLimit = 21, "The account has no energy left (legacy).";
    FacebookLoginWithPassword = 22, "The account logs in elsewhere (legacy).";
    OperationAccept = 23, "The operation is accepted.";
    OperationDecline = 24, "The operation is declined.";
    Ok = 200, "Done.";
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.code(), self)
    }
}

/// What a peer did wrong. `Display` says what was found, the limit, and what to do; it never carries bytes of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A header announces a body longer than the reader takes.
    BodyTooLarge {
        /// Announced.
        len_bytes: usize,
        /// Taken.
        limit_bytes: usize,
    },
    /// A command number that no dialect of the protocol has.
    UnknownCommand {
        /// The number, [`limits::COMMAND_NUMBERS`] or more.
        command: u8,
    },
    /// A command that a device may not send, or that only the app protocol has.
    UnsupportedCommand {
        /// The number.
        command: u8,
    },
    /// Anything but a login as the first frame.
    BeforeLogin {
        /// The number of its command.
        command: u8,
    },
    /// The first frame is a login, but far too long for one.
    LoginTooLong {
        /// The announced frame, header included.
        len_bytes: usize,
        /// See [`limits::MAX_LOGIN_FRAME_BYTES`].
        limit_bytes: usize,
    },
    /// A frame was given to a session whose login is not answered yet.
    LoginPending {
        /// The number of its command.
        command: u8,
    },
    /// A second login on one connection.
    AlreadyLoggedIn,
    /// A login token that cannot be one.
    TokenShape {
        /// Length after trimming.
        len_bytes: usize,
    },
    /// A template id that cannot be one.
    TemplateIdShape {
        /// Its length.
        len_bytes: usize,
    },
    /// A body that does not have the shape of its command.
    BodyShape {
        /// The command.
        command: Command,
        /// The shape that it should have.
        expected: &'static str,
    },
    /// A text in a body is longer than it may be.
    TextTooLong {
        /// The command.
        command: Command,
        /// Which text.
        part: &'static str,
        /// Its length, in the unit of the limit.
        len: usize,
        /// Its limit: bytes, or characters for descriptions and notifications.
        limit: usize,
    },
    /// A frame lists too many pins.
    TooManyPins {
        /// The command.
        command: Command,
        /// See [`limits::MAX_PINS_LISTED`].
        limit: usize,
    },
    /// A property that no widget has.
    UnknownProperty,
    /// A value is longer than a pin's value may be.
    ValueTooLong {
        /// Its length.
        len_bytes: usize,
        /// See [`limits::MAX_VALUE_BYTES`].
        limit_bytes: usize,
    },
    /// The template has no datastream on this pin.
    NoDatastream {
        /// The pin.
        pin: Pin,
    },
    /// The value is not of the datastream's type.
    ValueKind {
        /// The pin.
        pin: Pin,
        /// What the datastream takes.
        wanted: &'static str,
    },
    /// The value is outside the datastream's bounds.
    ValueRange {
        /// The pin.
        pin: Pin,
        /// The value.
        value: Number,
        /// Smallest.
        min: Number,
        /// Largest.
        max: Number,
    },
    /// A GROUP inside a GROUP.
    GroupNested,
    /// The explicit time of a GROUP is too far from the server's.
    StampRange {
        /// How far, ms.
        distance_ms: u64,
        /// See [`limits::STAMP_RANGE_MS`].
        limit_ms: u64,
    },
    /// A bridge token that cannot be one.
    BridgeToken {
        /// Length after trimming.
        len_bytes: usize,
    },
}

impl Fault {
    /// What is answered to the frame; `None`: nothing, the connection just ends.
    #[must_use]
    pub const fn status(self) -> Option<Status> {
        Some(match self {
            Self::BodyTooLarge { .. }
            | Self::UnknownCommand { .. }
            | Self::BeforeLogin { .. }
            | Self::LoginTooLong { .. }
            | Self::LoginPending { .. } => return None,
            Self::UnsupportedCommand { .. } | Self::GroupNested => Status::IllegalCommand,
            Self::AlreadyLoggedIn => Status::AlreadyRegistered,
            Self::TokenShape { .. } | Self::TemplateIdShape { .. } => Status::InvalidToken,
            Self::BridgeToken { .. } => Status::NotAllowed,
            Self::BodyShape { command, .. } | Self::TextTooLong { command, .. } | Self::TooManyPins { command, .. } => {
                body_status(command)
            }
            Self::UnknownProperty
            | Self::ValueTooLong { .. }
            | Self::NoDatastream { .. }
            | Self::ValueKind { .. }
            | Self::ValueRange { .. }
            | Self::StampRange { .. } => Status::IllegalCommandBody,
        })
    }

    /// Must the connection be closed, after the answer if there is one? Otherwise only the frame is lost.
    #[must_use]
    pub const fn ends(self) -> bool {
        matches!(
            self,
            Self::BodyTooLarge { .. }
                | Self::UnknownCommand { .. }
                | Self::BeforeLogin { .. }
                | Self::LoginTooLong { .. }
                | Self::LoginPending { .. }
                | Self::TokenShape { .. }
                | Self::TemplateIdShape { .. }
        )
    }
}

/// What a body of the wrong shape is answered with: as the legacy server does for the commands that it has.
const fn body_status(command: Command) -> Status {
    match command {
        Command::Hardware | Command::Sync | Command::Bridge | Command::Email => Status::IllegalCommand,
        Command::Tweet | Command::Push | Command::Sms => Status::NotificationInvalidBody,
        _ => Status::IllegalCommandBody,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BodyTooLarge { len_bytes, limit_bytes } => write!(
                f,
                "a frame announced a body of {len_bytes} bytes, at most {limit_bytes} are taken; send smaller values"
            ),
            Self::UnknownCommand { command } => write!(
                f,
                "command {command} does not exist, the highest is {}; check that the client speaks Blynk and loses no bytes",
                limits::COMMAND_NUMBERS - 1
            ),
            Self::UnsupportedCommand { command } => {
                write!(f, "command {command} is not one that a device may send; leave it out")
            }
            Self::BeforeLogin { command } => {
                write!(f, "command {command} came before the login; send HARDWARE_LOGIN (29) with the token first")
            }
            Self::LoginTooLong { len_bytes, limit_bytes } => write!(
                f,
                "the login frame has {len_bytes} bytes, at most {limit_bytes} are taken; send the 32-character token only"
            ),
            Self::LoginPending { command } => {
                write!(f, "command {command} came before the login was answered; wait for the answer")
            }
            Self::AlreadyLoggedIn => {
                f.write_str("the connection is logged in already; open another one for another device")
            }
            Self::TokenShape { len_bytes } => write!(
                f,
                "the token has {len_bytes} characters or characters other than A-Z a-z 0-9 - _, it must have {}; copy it again",
                limits::TOKEN_BYTES
            ),
            Self::TemplateIdShape { len_bytes } => write!(
                f,
                "the template id has {len_bytes} characters or characters other than A-Z a-z 0-9 - _, it may have 1 to {}; \
                 copy it again",
                limits::MAX_TEMPLATE_ID_BYTES
            ),
            Self::BodyShape { .. } | Self::TextTooLong { .. } | Self::TooManyPins { .. } | Self::UnknownProperty => {
                self.fmt_body(f)
            }
            Self::ValueTooLong { .. }
            | Self::NoDatastream { .. }
            | Self::ValueKind { .. }
            | Self::ValueRange { .. } => self.fmt_value(f),
            Self::GroupNested => f.write_str("a group was begun inside a group; end the first one before"),
            Self::StampRange { distance_ms, limit_ms } => write!(
                f,
                "the group's time is {distance_ms} ms away from now, at most {limit_ms} are taken; set the device's clock"
            ),
            Self::BridgeToken { len_bytes } => write!(
                f,
                "the bridge's token has {len_bytes} characters or wrong ones, it must have {}; copy it again",
                limits::TOKEN_BYTES
            ),
        }
    }
}

impl Fault {
    /// The faults of bodies.
    fn fmt_body(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BodyShape { command, expected } => {
                write!(f, "the body of {command} has the wrong shape; it must be {expected}")
            }
            Self::TextTooLong { command, part, len, limit } => {
                write!(f, "the {part} in {command} has a length of {len}, at most {limit} is taken; shorten it")
            }
            Self::TooManyPins { command, limit } => {
                write!(f, "{command} lists more than {limit} pins; send several frames")
            }
            Self::UnknownProperty => {
                f.write_str("no widget has a property of this name; check its spelling, case matters")
            }
            _ => Ok(()),
        }
    }

    /// The faults of values.
    fn fmt_value(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ValueTooLong { len_bytes, limit_bytes } => {
                write!(f, "the value has {len_bytes} bytes, at most {limit_bytes} are taken; shorten it")
            }
            Self::NoDatastream { pin } => {
                write!(f, "the template has no datastream on {pin}; add one or write to another pin")
            }
            Self::ValueKind { pin, wanted } => {
                write!(f, "the datastream on {pin} takes {wanted}; change the sketch or the datastream's type")
            }
            Self::ValueRange { pin, value, min, max } => write!(
                f,
                "the value {value} is outside the range of the datastream on {pin}, {min} to {max}; change one of them"
            ),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_round_trip() {
        let known = (0..=u16::MAX).filter_map(|code| Status::from_code(code).map(|status| (code, status)));
        let known: Vec<_> = known.collect();
        assert_eq!(known.len(), 24);
        assert!(known.iter().all(|(code, status)| status.code() == *code));
        assert_eq!(Status::from_code(10), None);
        assert_eq!(Status::Ok.to_string(), "200 (Ok)");
    }

    #[test]
    fn a_fault_answers_or_ends() {
        let (pin, command) = (Pin::new_virtual(7), Command::Push);
        let number = Number::new;
        let samples = [
            Fault::BodyTooLarge { len_bytes: 9, limit_bytes: 8 },
            Fault::UnknownCommand { command: 200 },
            Fault::UnsupportedCommand { command: 99 },
            Fault::BeforeLogin { command: 20 },
            Fault::LoginTooLong { len_bytes: 129, limit_bytes: 128 },
            Fault::LoginPending { command: 20 },
            Fault::AlreadyLoggedIn,
            Fault::TokenShape { len_bytes: 31 },
            Fault::TemplateIdShape { len_bytes: 17 },
            Fault::BodyShape { command, expected: "text" },
            Fault::TextTooLong { command, part: "text", len: 256, limit: 255 },
            Fault::TooManyPins { command: Command::Sync, limit: 256 },
            Fault::UnknownProperty,
            Fault::ValueTooLong { len_bytes: 1_025, limit_bytes: 1_024 },
            Fault::NoDatastream { pin },
            Fault::ValueKind { pin, wanted: "a number" },
            Fault::ValueRange { pin, value: number(3.0), min: number(0.0), max: number(1.5) },
            Fault::GroupNested,
            Fault::StampRange { distance_ms: 10, limit_ms: 9 },
            Fault::BridgeToken { len_bytes: 31 },
        ];
        for fault in samples {
            assert!(fault.ends() || fault.status().is_some(), "{fault:?} has no consequence");
            assert_ne!(fault.status(), Some(Status::NotAuthenticated), "the C++ library drops the link at status 5");
            assert!(fault.to_string().contains(';'), "{fault} says what to do");
        }
    }

    #[test]
    fn a_fault_stays_small() {
        assert!(size_of::<Fault>() <= 40, "{}", size_of::<Fault>());
    }
}

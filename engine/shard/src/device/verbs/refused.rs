//! Why a verb was not carried out.

use std::fmt;

use linchpin_protocol::Fault;
use linchpin_protocol::model::Pin;

use crate::limits::{EVENTS_PER_DAY, METADATA, PROPERTIES};

/// Why a verb was not carried out; nothing has changed. `Display` says it to people, with the limit and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The template or a limit of values says no.
    Fault(Fault),
    /// The time of a point, Unix ms, is further away than `limits::STAMP_RANGE_MS`.
    Time(u64),
    /// The frame would not fit into the receive buffer that the device announced.
    TooLarge {
        /// The announced size, bytes.
        buff_in: u16,
        /// Whose value it is, if it is one.
        pin: Option<Pin>,
    },
    /// The device is not connected.
    Offline,
    /// The device has not subscribed to it (MQTT).
    Unsubscribed,
    /// The store cannot take it now: the disk is full or slow.
    NotStored,
    /// The store takes nothing any more: a sync has failed.
    StoreFailed,
    /// The device has `limits::PROPERTIES` properties.
    PropertiesFull,
    /// The device has `limits::METADATA` fields.
    MetadataFull,
    /// There is no such field, or no such open event.
    NothingThere,
    /// The token was asked for: only a digest of it is known.
    TokenIsSecret,
    /// The field is set by people: its device, or no client of the device API, may not.
    FieldIsReserved,
    /// The value of `loc.latlon` is no place.
    NoPlace,
    /// The template has no datastream with this id.
    NoSuchStream(u32),
    /// The device's library ends its connection at such a message.
    EndsClient,
    /// Devices on the Blynk wire are not pinged: they ping.
    PingsItself,
    /// Devices on the Blynk wire know no such order.
    NoSuchOrder,
    /// The template has no event with this code.
    NoSuchEvent,
    /// The same event came less than `limits::EVENT_REPEAT_MS` ago.
    EventTooSoon,
    /// The device has logged `limits::EVENTS_PER_DAY` events today.
    EventsUsedUp,
    /// The device has logged as many events of this code today as its template allows.
    EventCodeUsedUp(u16),
    /// The firmware was made for another template.
    OtherTemplate,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Time(at) => write!(f, "The time {at} is more than a month away: it must be Unix time in ms."),
            Self::TooLarge { buff_in, pin: Some(pin) } => {
                write!(f, "The value of {pin} does not fit into the device's receive buffer of {buff_in} bytes.")
            }
            Self::TooLarge { buff_in, pin: None } => {
                write!(f, "The message does not fit into the device's receive buffer of {buff_in} bytes.")
            }
            Self::Offline => f.write_str("The device is not connected: try again when it is."),
            Self::Unsubscribed => f.write_str("The device has not subscribed to this: subscribe to downlink/#."),
            Self::NotStored => {
                f.write_str("The server's disk is full or too slow, the change was not stored: try again later.")
            }
            Self::StoreFailed => {
                f.write_str("The server's disk has failed and nothing can be stored: its operator must restart it.")
            }
            Self::PropertiesFull => {
                write!(f, "The device has {PROPERTIES} properties, as many as it may have: change those.")
            }
            Self::MetadataFull => {
                write!(f, "The device has {METADATA} meta fields, as many as it may have: change those.")
            }
            Self::FieldIsReserved => f.write_str("This field is set by people, not with the device's token."),
            Self::NoPlace => f.write_str(
                "A place is its latitude (-90 to 90) and its longitude (-180 to 180) in degrees, such as 50.45,30.52.",
            ),
            Self::NoSuchStream(id) => {
                write!(f, "The template has no datastream with the id {id}: `linchpin template show` lists them.")
            }
            Self::EndsClient => {
                f.write_str("Not sent: Blynk's libraries for Python end the connection when they get a debug message.")
            }
            Self::PingsItself => f.write_str(
                "Not sent: this device speaks Blynk, in which devices ping and some libraries break when the server does.",
            ),
            Self::NoSuchOrder => {
                f.write_str("Not sent: this device speaks Blynk, which has no such order; devices on MQTT take it.")
            }
            Self::NothingThere => f.write_str("There is no such field or open event: check the name."),
            Self::TokenIsSecret => {
                f.write_str("The server keeps a digest of the Auth Token only: the device has the token already.")
            }
            Self::NoSuchEvent => f.write_str("The template has no event with this code: add it or check the code."),
            Self::EventTooSoon => f.write_str("The same event came less than a second ago: log it less often."),
            Self::EventsUsedUp => {
                write!(f, "The device has logged {EVENTS_PER_DAY} events today: log fewer.")
            }
            Self::EventCodeUsedUp(limit) => {
                let events = if limit == 1 { "event" } else { "events" };
                write!(f, "The template allows {limit} {events} of this code a day, the device has logged them: log fewer.")
            }
            Self::OtherTemplate => f.write_str("The firmware names another template than the device has."),
        }
    }
}

impl std::error::Error for Refused {}

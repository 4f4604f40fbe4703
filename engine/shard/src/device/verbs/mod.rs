//! Verbs: everything that can be asked of a device, written once.
//!
//! Each wire (Blynk frames, HTTP, bridges, operators) maps its requests to verbs, and a [`Refused`] to its own answer.
//! Nothing else changes a device. What a verb has done is passed on by [`Origin`]: who asked is not notified again.
//!
//! | verb | does |
//! |---|---|
//! | `write`, `write_all` | set pins: template, latest value, journal, and the device unless it wrote itself |
//! | `batch` | points of one pin with times of their own; the device is not notified: points are the past |
//! | `read`, `read_synced`, `read_all` | latest values |
//! | `set_properties` | how pins are shown |
//! | `erase`, `erase_property` | forget a value or a property |
//! | `metadata`, `set_metadata` | fields that describe the device |
//! | `log_event`, `clear_event` | events |
//! | `introduce` | what the firmware says of itself |
//! | `send_frame` | a frame to the device that changes nothing here |

mod attributes;
mod metadata;
mod read;
mod refused;
mod write;

use linchpin_protocol::model::Pin;
pub(crate) use metadata::PLACE;
pub use refused::Refused;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The device itself: nothing is sent back to it.
    Device,
    /// Another device, over a bridge: the device hears of it as BRIDGE, and must be connected.
    Bridge,
    /// A client of the HTTP API: the device hears of it as HARDWARE.
    Http,
    /// An operator: as [`Origin::Http`].
    Operator,
    /// A person on a live socket: as [`Origin::Http`].
    Person,
}

/// Where a write that was carried out has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Delivery {
    /// To the connected device, or it came from it.
    Sent,
    /// The device is not connected, or has not subscribed: it gets the value at its next sync.
    Waits,
}

/// A latest value that has just changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LatestChange<'a> {
    /// The device's position.
    pub(crate) position: u32,
    /// The pin.
    pub(crate) pin: Pin,
    /// Its new raw value.
    pub(crate) value: &'a [u8],
    /// Who changed it.
    pub(crate) origin: Origin,
}

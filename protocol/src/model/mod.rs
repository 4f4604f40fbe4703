//! The nouns of the wire, parsed once: whoever holds one need not check it again.

mod datastream;
mod ids;
mod mapping;
mod network;
mod pin;
mod property;
mod text;
mod time;
mod token;
mod value;

pub use crate::fault::Status;
pub use datastream::{
    AmbiguousTemplate, Datastream, SYSTEM_EVENTS, SubstituteFault, Template, TemplateField, ValueKind,
};
pub use ids::{DeviceId, OrgId, TemplateId};
pub use mapping::{TopicMapping, fits_topics, is_barred_in_topics};
pub use network::Network;
pub use pin::{Pin, PinKind};
pub use property::is_known_property;
pub use text::{is_barred_in_names, is_hidden, one_line};
pub use time::{DAY_MS, Millis, Now, UnixMillis};
pub use token::Token;
pub use value::{Number, ValueRef};

//! The Blynk device protocol: frames of a 5-byte header and a body of NUL-joined fields.

mod body;
pub mod codec;
mod command;
mod device;
mod frame;
pub mod internal;
mod session;

pub use codec::fits;
pub use command::Command;
pub use device::{DeviceEnd, DeviceEvent, DeviceOptions, DeviceSession, LoginCommand};
pub use frame::{Frame, HEADER_BYTES, Split, split, split_login};
pub use session::{Rejected, Request, Session};

//! WebSockets.

pub(crate) mod device;

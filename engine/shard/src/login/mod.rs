//! From a token to a connection at the home of its device.

mod absent;
pub(crate) mod arrive;
pub(crate) mod attach;
pub(crate) mod depart;
pub(crate) mod index;
pub(crate) mod resolve;
pub(crate) mod right;

//! HTTP: requests in, answers out. Those of the device APIs are answered by the devices' homes, all others are asks.

pub(crate) mod answers;
pub(crate) mod asks;
mod named;
pub(crate) mod requests;
#[cfg(test)]
mod tests;

//! Devices that speak Blynk: frames in, answers out.

pub(crate) mod answers;
pub(crate) mod bridge;
pub(crate) mod frames;

//! Real Blynk clients against the binary.
//!
//! The harness ([`Server`], [`Wire`], [`Client`]) starts the `linchpin` binary on a free port of the loopback with its
//! own data directory, speaks raw frames to it and drives the unmodified client libraries that `tests/setup.sh`
//! installs. [`scenario`] is what every client must be able to do; the end-to-end tests run it too.
//!
//! The binary is built first, or named in `LINCHPIN_BIN`. Everything panics with what was expected and what came, because
//! its callers are tests.

mod client;
mod folder;
mod json;
pub mod limits;
pub mod scenario;
mod server;
mod slow;
pub mod trace;
mod wait;
mod wire;

pub use client::{Client, Library, installed_path};
pub use folder::Folder;
pub use json::{field, text};
pub use server::{BackEnd, Device, Server, Start, linchpin_path};
pub use slow::SlowProxy;
pub use wait::eventually;
pub use wire::{Frame, Wire, command, status};

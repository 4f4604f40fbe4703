//! Certificates that are ordered from an authority of our own (pebble), by a server that knows nothing but names.

mod bad;
mod issue;
mod kinds;
mod sessions;
mod setting;

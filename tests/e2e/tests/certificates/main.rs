//! Certificates that are ordered from an authority of our own (pebble), by a server that knows nothing but names.

#![allow(clippy::print_stderr, reason = "the report of a test")]

mod bad;
mod issue;
mod kinds;
mod operate;
mod sessions;
mod setting;

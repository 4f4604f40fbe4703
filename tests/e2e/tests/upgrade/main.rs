//! A running server is replaced by another process, and no device notices: every client checks its own stream byte by byte.

#![allow(clippy::print_stderr, reason = "the report of a test")]

mod fails;
mod kernels;
mod lives;
mod setting;

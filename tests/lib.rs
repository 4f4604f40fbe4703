//! Checks over the whole source tree live in `tidy.rs`.

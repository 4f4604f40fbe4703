//! Standard output.

use std::io::Write as _;

use serde::Serialize;

use super::args::At;
use super::client::Got;
use super::failure::Failure;

/// Write to standard output.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        // The reader may go away (`| head`): nothing is lost then.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::General(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// A line of JSON.
pub(super) fn json_line(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map(|json| format!("{json}\n")).map_err(Failure::general)
}

/// Print an answer: as JSON, or as text for people.
pub(super) fn print<T>(at: &At, answer: &Got<T>, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
    say(&if at.json { json_line(&answer.json)? } else { text(&answer.it) })
}

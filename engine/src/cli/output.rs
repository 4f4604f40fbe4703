//! Standard output.

use std::io::Write as _;

use serde_json::Value;

use super::args::At;
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

/// Print an answer: as JSON, or as text for people.
pub(super) fn print(at: &At, answer: &Value, text: impl FnOnce(&Value) -> String) {
    let shown = if at.json { format!("{answer}\n") } else { text(answer) };
    let _ = say(&shown);
}

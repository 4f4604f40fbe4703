//! The ready file: tells scripts where the server listens and which devices it made.

use linchpin_control::Made;
use serde_json::{Value, json};

/// A device as the ready file and `--tokens-out` show it.
pub(crate) fn device_json(made: &Made) -> Value {
    json!({
        "id": made.entry.id.get(),
        "token": made.token.expose(),
        "template": made.entry.template.map(|template| template.as_str().to_owned()),
    })
}

/// One line a device: id and token.
pub(crate) fn token_lines(devices: &[Made]) -> String {
    devices.iter().map(|made| format!("{} {}\n", made.entry.id, made.token.expose())).collect()
}

//! What the ready file and `--tokens-out` say of devices.

use linchpin_control::Made;

/// One line a device: id and token.
pub(crate) fn token_lines(devices: &[Made]) -> String {
    devices.iter().map(|made| format!("{} {}\n", made.entry.id, made.token.expose())).collect()
}

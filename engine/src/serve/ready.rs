//! The ready file: tells scripts where the server listens and which devices it made.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

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

/// Write a file that only its owner may read, whole or not at all: it holds tokens.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let part = path.with_file_name(name);
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(bytes)?;
        std::fs::rename(&part, path)
    };
    write().inspect_err(|_| {
        let _ = std::fs::remove_file(&part);
    })
}

/// One line a device: id and token.
pub(crate) fn token_lines(devices: &[Made]) -> String {
    devices.iter().map(|made| format!("{} {}\n", made.entry.id, made.token.expose())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn files_with_tokens_are_private_and_whole() {
        let folder = std::env::temp_dir().join(format!("linchpin-ready-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("ready.json");
        write_private(&path, b"one").expect("writes");
        write_private(&path, b"two").expect("writes over");
        assert_eq!(std::fs::read(&path).expect("reads"), b"two");
        assert_eq!(std::fs::metadata(&path).expect("exists").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&folder).expect("lists").count(), 1, "no temporary file is left");
        assert!(write_private(&folder.join("no/such/folder/x"), b"").is_err());
        std::fs::remove_dir_all(&folder).expect("removes its own folder");
    }
}

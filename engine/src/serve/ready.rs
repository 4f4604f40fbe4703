//! What a server says of itself once it runs: the ready file, and what `linchpin dev` prints from it.
//!
//! A new fact is one field here, absent while there is none (`docs/ready-file.schema.json` is made from the fields), and, if
//! people are to read it, one section in `announce.rs`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use linchpin_control::request::MadeDevice;
use linchpin_control::{Control, Made};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cause::Cause;
use crate::serve::boot::Engine;
use crate::serve::error::ServeError;
use crate::tick::doors::Door;

/// The ready file: written once, when the server listens, for its owner only. Keys of what there is not are absent; a later
/// version may have more keys.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Ready {
    /// Absolute path of the socket for operators' commands.
    pub(crate) admin: PathBuf,
    /// Devices that this start has made, with their tokens: secrets.
    pub(crate) devices: Vec<MadeDevice>,
    /// First address of devices and HTTP without TLS, with the port that was bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plain: Option<SocketAddr>,
    /// First address with TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<SocketAddr>,
    /// First address that asks clients for certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mutual: Option<SocketAddr>,
    /// First address behind a load balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proxied: Option<SocketAddr>,
    /// Address of metrics and health.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metrics: Option<SocketAddr>,
    /// The console, such as `http://127.0.0.1:8080/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) console: Option<String>,
    /// Base URL of the API, such as `http://127.0.0.1:8080/api/v1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api: Option<String>,
    /// While nobody can sign in: a link that sets the server up, good once and for half an hour. A secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) setup: Option<String>,
    /// Absolute path of the certificate of the server's own authority, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
}

impl Ready {
    /// Of a server that listens. `ca`: where the certificate of its own authority is.
    pub(crate) fn new(engine: &Engine, control: &Control, admin: &Path, ca: Option<&Path>, devices: &[Made]) -> Self {
        let first = |door| engine.addresses(door).first().copied();
        Self {
            admin: admin.to_owned(),
            devices: devices.iter().map(MadeDevice::from).collect(),
            plain: first(Door::Plain),
            tls: first(Door::Tls),
            mutual: first(Door::Mutual),
            proxied: first(Door::Proxied),
            metrics: control.metrics(),
            console: None,
            api: None,
            setup: None,
            ca: ca.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned())),
        }
    }

    /// Write the file, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written: the text names it and the flag.
    pub(crate) fn write(&self, path: &Path) -> Result<(), ServeError> {
        let failed = |source: Cause| ServeError::Io {
            what: format!("ready file {}", path.display()),
            source,
            advice: "choose another one with --ready-file",
        };
        let text = serde_json::to_string(self).map_err(|error| failed(error.into()))?;
        linchpin_storage::write_private(path, text.as_bytes()).map_err(|error| failed(error.into()))
    }
}

#[cfg(test)]
impl Ready {
    /// Of a server with nothing but a plain door.
    pub(crate) fn small(devices: Vec<MadeDevice>) -> Self {
        Self {
            admin: "/data/admin.sock".into(),
            devices,
            plain: Some(SocketAddr::from(([127, 0, 0, 1], 8080))),
            tls: None,
            mutual: None,
            proxied: None,
            metrics: None,
            console: None,
            api: None,
            setup: None,
            ca: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_that_of_the_code() {
        let schema = serde_json::to_string_pretty(&schemars::schema_for!(Ready)).expect("a schema") + "\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ready-file.schema.json");
        if std::env::var_os("LINCHPIN_BLESS").is_some() {
            std::fs::write(path, &schema).expect("writes the schema");
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(found == schema, "docs/ready-file.schema.json is old: LINCHPIN_BLESS=1 cargo test -p linchpin ready");
    }

    #[test]
    fn keys_of_what_there_is_not_are_absent_and_required_keys_are_always_there() {
        let schema = serde_json::to_value(schemars::schema_for!(Ready)).expect("a schema");
        let small = serde_json::to_value(Ready::small(Vec::new())).expect("JSON");
        let keys: Vec<_> = small.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, ["admin", "devices", "plain"]);
        assert_eq!(schema["required"], serde_json::json!(["admin", "devices"]));
        assert!(keys.iter().all(|key| schema["properties"].get(key).is_some()), "{schema}");
    }
}

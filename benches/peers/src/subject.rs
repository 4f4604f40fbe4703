//! The servers: where they are, which version, how to get them.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

/// A server that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    /// Ours, without a store.
    Linchpin,
    /// Ours, its devices speak MQTT.
    LinchpinMqtt,
    /// Eclipse Mosquitto, C.
    Mosquitto,
    /// NATS, Go, through its MQTT gateway.
    NatsServer,
    /// Aedes, JavaScript on Node.js.
    Aedes,
    /// rumqttd, Rust on tokio.
    Rumqttd,
}

/// One that is there.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Which.
    pub(crate) subject: Subject,
    /// Its program; of Aedes the script.
    pub(crate) program: PathBuf,
    /// Its name in the results: ours without version, so that other programs find it.
    pub(crate) label: String,
    /// What else is to be known of this build.
    version: String,
}

impl Found {
    /// The note of a valid measurement.
    pub(crate) fn note(&self) -> String {
        format!("{}; {}", self.version, self.subject.raised())
    }
}

impl Subject {
    /// All, in the order of the table.
    pub(crate) const ALL: [Self; 6] =
        [Self::Linchpin, Self::LinchpinMqtt, Self::Mosquitto, Self::NatsServer, Self::Aedes, Self::Rumqttd];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Linchpin => "linchpin",
            Self::LinchpinMqtt => "linchpin-mqtt",
            Self::Mosquitto => "mosquitto",
            Self::NatsServer => "nats-server",
            Self::Aedes => "aedes",
            Self::Rumqttd => "rumqttd",
        }
    }

    /// What its connections speak.
    pub(crate) const fn wire(self) -> &'static str {
        match self {
            Self::Linchpin => "Blynk",
            Self::NatsServer => "MQTT 3.1.1 (JetStream)",
            _ => "MQTT 3.1.1",
        }
    }

    /// What to do when it is missing.
    pub(crate) const fn how_to_get(self) -> &'static str {
        match self {
            Self::Linchpin | Self::LinchpinMqtt => "cargo build --release -p linchpin",
            Self::Mosquitto => "sudo apt-get install -y mosquitto",
            _ => "benches/peers/setup.sh",
        }
    }

    /// What was raised beyond its defaults, beside the descriptors of the process.
    const fn raised(self) -> &'static str {
        match self {
            Self::Linchpin | Self::LinchpinMqtt => "--memory, 1 shard, --connections",
            Self::Mosquitto => "no limit raised",
            Self::NatsServer => "raised: TLS and login timeouts",
            Self::Aedes => "raised: listen backlog",
            Self::Rumqttd => "raised: max_connections, connection_timeout_ms",
        }
    }

    /// Look for it: ours at `linchpin`, the others in the search path and below `tools`.
    pub(crate) fn find(self, linchpin: &Path, tools: &Path) -> Option<Found> {
        let first = |paths: Vec<PathBuf>| paths.into_iter().find(|path| path.is_file());
        let program = match self {
            Self::Linchpin | Self::LinchpinMqtt => first(vec![linchpin.to_owned()])?,
            Self::Aedes => first(vec![tools.join("aedes/broker.mjs")])?,
            Self::Rumqttd => first(vec![tools.join("bin/rumqttd")])?,
            Self::NatsServer => first([vec![tools.join("nats-server")], in_search_path("nats-server")].concat())?,
            Self::Mosquitto => first(in_search_path("mosquitto"))?,
        };
        let version = self.version(&program)?;
        let label = match self {
            Self::Linchpin | Self::LinchpinMqtt => self.name().to_owned(),
            _ => format!("{} {}", self.name(), version.split(' ').next().unwrap_or_default()),
        };
        Some(Found { subject: self, program, label, version })
    }

    /// Its version, the number first.
    fn version(self, program: &Path) -> Option<String> {
        match self {
            Self::Aedes => {
                let manifest = program.with_file_name("node_modules").join("aedes/package.json");
                let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(manifest).ok()?).ok()?;
                let node = said(Path::new("node"), "--version")?;
                Some(format!("{} on Node.js {}", manifest["version"].as_str()?, number(&node)?))
            }
            // It ends with a failure when it is asked for its help.
            Self::Mosquitto => number(&said(program, "-h")?),
            _ => number(&said(program, "--version")?),
        }
    }
}

/// Where a program may be; Debian keeps servers where only root looks.
fn in_search_path(name: &str) -> Vec<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&paths).chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join(name)).collect()
}

/// The first line that a program prints for this argument.
fn said(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
}

/// The first word of a line that is a version number.
fn number(line: &str) -> Option<String> {
    let words = line.split_whitespace().map(|word| word.trim_start_matches('v'));
    let mut numbers = words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'));
    numbers.next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (line, version) in [
            ("mosquitto version 2.0.11", "2.0.11"),
            ("nats-server: v2.9.10", "2.9.10"),
            ("v20.20.2", "20.20.2"),
            ("rumqttd 0.20.0", "0.20.0"),
        ] {
            assert_eq!(number(line).as_deref(), Some(version));
        }
        assert_eq!(number("version unknown"), None);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let nowhere = Path::new("/nonexistent");
        assert!(Subject::Rumqttd.find(nowhere, nowhere).is_none());
        assert!(Subject::Linchpin.find(nowhere, nowhere).is_none());
        assert!(!Subject::Rumqttd.how_to_get().is_empty());
    }
}

//! What the sealed store costs: group commit beside plain RocksDB in one run, telemetry on one core, bytes on the disk a
//! point, and a restart with a million devices.
//!
//! `bench-storage [commit] [telemetry] [restart] [--folder PATH] [--devices N] [--points N]`; all three without a name.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]

mod commit;
mod restart;
mod telemetry;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use linchpin_storage::{Settings, Unseal};

pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

pub(crate) fn settings(folder: &Path) -> Settings {
    Settings::new(folder, Unseal::Key(zeroize::Zeroizing::new([1; 32])))
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Bytes of all files below a folder whose path does not contain any of these.
pub(crate) fn bytes_below(folder: &Path, without: &[&str]) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let counts = |path: &PathBuf| !without.iter().any(|part| path.to_string_lossy().contains(part));
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path()).filter(counts);
    paths
        .map(|path| {
            if path.is_dir() {
                bytes_below(&path, without)
            } else {
                path.metadata().map_or(0, |metadata| metadata.len())
            }
        })
        .sum()
}

/// A folder that is removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(below: &Path, name: &str) -> std::io::Result<Self> {
        let path = below.join(format!("bench-storage-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn main() -> Outcome {
    let (mut names, mut folder, mut devices, mut points) =
        (Vec::new(), std::env::temp_dir(), 1_000_000u32, 20_000_000u64);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--folder" => folder = value()?.into(),
            "--devices" => devices = value()?.parse()?,
            "--points" => points = value()?.parse()?,
            "commit" | "telemetry" | "restart" => names.push(argument),
            _ => return Err(format!("unknown: {argument}; see the head of main.rs").into()),
        }
    }
    let wants = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    if wants("commit") {
        commit::run(&folder)?;
    }
    if wants("telemetry") {
        telemetry::run(&folder, points)?;
    }
    if wants("restart") {
        restart::run(&folder, devices)?;
    }
    Ok(())
}

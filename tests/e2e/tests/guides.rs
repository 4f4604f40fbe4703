//! The guides, by the letter: each block of `sh` runs, in its order, in a network of its own, and prints what follows it.

use std::path::{Path, PathBuf};
use std::process::Command;

use linchpin_compat::{Folder, linchpin_path};

/// A block that is run, with the lines that its output must have.
#[derive(Debug, Default)]
struct Block {
    script: String,
    wanted: Vec<String>,
}

/// The blocks of a guide: what stands between fences called `sh`, each with the lines of a fence `output` behind it.
fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut fence: Option<&str> = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("```") {
            fence = if fence.is_some() { None } else { Some(name) };
            if fence == Some("sh") {
                found.push(Block::default());
            }
            continue;
        }
        match (fence, found.last_mut()) {
            (Some("sh"), Some(block)) => block.script += &format!("{line}\n"),
            (Some("output"), Some(block)) => block.wanted.push(line.to_owned()),
            _ => {}
        }
    }
    found
}

/// Does a line of the output fit, in which `…` stands for anything?
fn fits(wanted: &str, line: &str) -> bool {
    let mut parts = wanted.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Run a guide in a fresh home, working folder and network, in which its ports are free.
fn follow(guide: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides").join(guide);
    let text = std::fs::read_to_string(&path).expect("the guide");
    let blocks = blocks(&text);
    assert!(blocks.len() > 3, "{guide}: {} blocks", blocks.len());
    let folder = Folder::new();
    let mut script = String::from("set -euo pipefail\nip link set lo up\n");
    for (at, block) in blocks.iter().enumerate() {
        script += &format!("echo '== block {at}'\n{}", block.script);
    }
    let binaries = linchpin_path().parent().map(PathBuf::from).expect("a folder");
    let old = std::env::var("PATH").expect("a PATH");
    let output = Command::new("timeout")
        .args(["60", "unshare", "--net", "--map-root-user", "bash", "-c", &script])
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .env_remove("XDG_DATA_HOME")
        .env("PATH", format!("{}:{old}", binaries.display()))
        .output()
        .expect("unshare runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    let log = std::fs::read_to_string(folder.path().join("dev.log")).unwrap_or_default();
    assert!(output.status.success(), "{guide}: {}\n{said}\n{complaint}\n{log}", output.status);
    let mut parts = said.split("== block ").skip(1);
    for (at, block) in blocks.iter().enumerate() {
        let part = parts.next().unwrap_or_default();
        for wanted in &block.wanted {
            assert!(part.lines().any(|line| fits(wanted, line)), "{guide}, block {at}: no {wanted:?} in {part}");
        }
    }
}

#[test]
fn the_first_device_is_seen_as_its_guide_says() {
    follow("first-device.md");
}

#[test]
fn a_server_is_run_and_restored_as_its_guide_says() {
    follow("operator.md");
}

#[test]
fn a_fleet_moves_here_as_its_guide_says() {
    follow("migrate.md");
}

#[test]
fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
    assert!(fits("linchpin …", "linchpin 0.1.0") && fits("…V1…", "  V1  21.5") && fits("21.5", "21.5"));
    assert!(!fits("21.5", "21.5 ") && !fits("linchpin …", "Linchpin 0") && !fits("…a…b", "b a"));
    assert_eq!(blocks("```sh\na\n```\n```output\nb\n```\n```cpp\nc\n```").len(), 1);
}

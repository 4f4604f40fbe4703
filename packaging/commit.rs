//! Notes which commit a program is built from: `LINCHPIN_COMMIT` if it is set, else what git says, else `unknown`, as in
//! a source archive. The build script of every program that tells it.
#![allow(clippy::print_stdout, reason = "cargo reads it there")]

use std::process::Command;

/// What git says here, without its line end.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn commit() -> Option<String> {
    // An archive that was unpacked inside another repository is none of its files.
    git(&["ls-files", "--error-unmatch", "Cargo.toml"])?;
    git(&["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
}

fn committed_s() -> Option<String> {
    git(&["ls-files", "--error-unmatch", "Cargo.toml"])?;
    git(&["log", "-1", "--format=%ct"])
}

/// Say it to cargo.
pub(crate) fn main() {
    let told = std::env::var("LINCHPIN_COMMIT").ok().filter(|text| !text.is_empty());
    let commit = told.or_else(commit).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=LINCHPIN_COMMIT={commit}");
    println!("cargo::rerun-if-env-changed=LINCHPIN_COMMIT");
    // When it was committed, Unix s: the same for everybody who builds it.
    println!("cargo::rustc-env=LINCHPIN_COMMIT_S={}", committed_s().unwrap_or_default());
    // Every commit, checkout and merge writes a line there. The sources decide whether it is `-dirty`.
    for path in git(&["rev-parse", "--git-path", "logs/HEAD"]).iter().map(String::as_str).chain(["src", "Cargo.toml"]) {
        println!("cargo::rerun-if-changed={path}");
    }
}

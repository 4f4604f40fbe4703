//! The programs that tests start. They are built first, so that no test runs against a binary older than the sources.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Built together, as `tests/run.sh` builds them: another selection has other features, and each would undo the other's work.
const PACKAGES: [&str; 3] = ["linchpin", "loadgen", "linchpin-bench-runtimes"];

/// How variables begin that cargo sets for a running test.
const OF_THE_TEST: [&str; 5] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_NAME", "CARGO_BIN_", "CARGO_PRIMARY_PACKAGE"];

/// The path of a program: from `LINCHPIN_BIN`, `LOADGEN_BIN` and so on, else built beside the running test.
///
/// The build runs once a test program, about half a second when nothing changed.
///
/// # Panics
/// When the build fails or leaves no such program.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    if let Some(path) = named(name) {
        return path.into();
    }
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let path = BUILT.get_or_init(build).join(name);
    assert!(path.exists(), "the build left no {}", path.display());
    path
}

fn named(name: &str) -> Option<OsString> {
    std::env::var_os(format!("{}_BIN", name.to_uppercase().replace('-', "_")))
}

/// Build all programs in the profile and target folder of the running test; the folder that they are in.
fn build() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let (target, folder) = folders(&test);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--target-dir"]).arg(&target);
    cargo.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    // What cargo says to this test is not for the build: build scripts that look at it (ring's does) would run again, and all
    // that depends on them would be compiled again, here and at the next build outside.
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| OF_THE_TEST.iter().any(|start| name.starts_with(start))) {
        cargo.env_remove(name);
    }
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace"));
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "the build failed:\n{}", String::from_utf8_lossy(&output.stderr));
    folder
}

/// From target/debug/deps/test-hash: target, and target/debug.
fn folders(test: &Path) -> (PathBuf, PathBuf) {
    let folder = test.ancestors().nth(2).expect("a profile's folder");
    (folder.parent().expect("a target folder").to_owned(), folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_those_of_the_test() {
        let (target, folder) = folders(Path::new("/t/debug/deps/small-0123"));
        assert_eq!((target.as_path(), folder.as_path()), (Path::new("/t"), Path::new("/t/debug")));
    }

    #[test]
    fn a_program_that_is_not_built_is_named() {
        let caught = std::panic::catch_unwind(|| program("no-such-program"));
        let said = *caught.expect_err("no such program").downcast::<String>().expect("a sentence");
        assert!(said.contains("no-such-program"), "{said}");
    }
}

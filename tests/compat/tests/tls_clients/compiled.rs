//! The clients in C, compiled once a run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// `clients/bearssl_device.c`.
pub(crate) static BEARSSL: LazyLock<PathBuf> = LazyLock::new(|| compile("bearssl_device", &["-lbearssl"]));
/// `clients/mbedtls_device.c`.
pub(crate) static MBEDTLS: LazyLock<PathBuf> =
    LazyLock::new(|| compile("mbedtls_device", &["-lmbedtls", "-lmbedx509", "-lmbedcrypto"]));

fn compile(name: &str, libraries: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("clients/{name}.c"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Another run of the tests may do the same: each has a file of its own until it is whole.
    let part = folder.join(format!("{name}.{}", std::process::id()));
    let ran = Command::new("cc")
        .args(["-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([&part, &source])
        .args(libraries)
        .output()
        .expect("cc: run make setup");
    assert!(ran.status.success(), "{name}.c: {}\nrun make setup", String::from_utf8_lossy(&ran.stderr));
    let program = folder.join(name);
    std::fs::rename(part, &program).expect("rename the program");
    program
}

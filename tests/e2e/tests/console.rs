//! The console in browsers, against the binary, with a real board: the journeys of engine/console/tests/real.

#![allow(clippy::print_stdout, reason = "each journey's time is worth seeing")]

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use linchpin_compat::linchpin_path;

/// One browser after the other: each is as much as two cores do.
static TURN: Mutex<()> = Mutex::new(());

fn journeys(browser: &str) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../console.sh");
    // Every wait within is bounded; this one is for a browser that hangs.
    let output = Command::new("timeout")
        .args(["900", "bash"])
        .arg(script)
        .arg("real")
        .env("CONSOLE_BROWSER", browser)
        .env("LINCHPIN_BIN", linchpin_path())
        .output()
        .expect("a shell");
    let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "{browser}: {}\n{said}\n{complaint}", output.status);
}

#[test]
fn what_people_do_in_chromium() {
    journeys("chromium");
}

#[test]
fn what_people_do_in_firefox() {
    journeys("firefox");
}

//! What a test could not do on this machine: listed at the end of `make test`, never passed over in silence.

use std::fs::File;
use std::io::Write;

/// Can the test run here? What it cannot do without root is a failure, unless `LINCHPIN_LEAVE_OUT` says to leave it out.
///
/// # Panics
/// It cannot, and nobody says to leave it out.
pub fn can_or_left_out(can: bool, what: &str) -> bool {
    if !can {
        assert!(std::env::var_os("LINCHPIN_LEAVE_OUT").is_some(), "{what}; LINCHPIN_LEAVE_OUT=1 leaves this test out");
        left_out(what);
    }
    can
}

/// List it, in a line of its own.
///
/// # Panics
/// The list cannot be written.
#[allow(clippy::print_stdout, reason = "who runs one test by hand shall see it too")]
pub fn left_out(what: &str) {
    println!("LEFT OUT: {what}");
    if let Some(path) = std::env::var_os("LINCHPIN_LEFT_OUT") {
        let mut list = File::options().create(true).append(true).open(path).expect("the list can be written");
        list.write_all(format!("{what}\n").as_bytes()).expect("a line can be written");
    }
}

//! `linchpin drain`: begins, shows how many are left, ends when nobody is.

use std::time::{Duration, Instant};

use linchpin_control::request::{Drain, Status};

use super::args::At;
use super::client;
use super::failure::Failure;
use super::output::{json_line, say};
use crate::when;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// Connections that do not end in so long have trouble of their own.
const PATIENCE: Duration = Duration::from_secs(600);

/// See the module's page.
pub(super) fn run(at: &At, request: &Drain, no_wait: bool) -> Result<(), Failure> {
    let socket = at.socket()?;
    let begun = client::ask(&socket, request).map_err(Failure::general)?;
    if at.json {
        return say(&json_line(&begun.json)?);
    }
    if request.undo {
        return say("not draining any more: new connections are taken again\n");
    }
    say("draining; to take it back: linchpin drain --undo\n")?;
    if no_wait {
        return Ok(());
    }
    let (since, mut last) = (Instant::now(), None);
    while since.elapsed() < PATIENCE {
        let status = client::ask(&socket, &Status {}).map_err(Failure::general)?.it;
        if status.all.number("draining") == 0 {
            return Err(Failure::general("the drain was taken back by somebody else"));
        }
        match status.all.number("connections") {
            0 => return say(&format!("drained in {}: nobody is connected\n", when::span(since.elapsed().as_secs()))),
            left if last == Some(left) => {}
            left => {
                say(&format!("{left} connections are left\n"))?;
                last = Some(left);
            }
        }
        std::thread::sleep(LOOK);
    }
    Err(Failure::General(format!(
        "{} connections are left after {}: `linchpin status` and `linchpin device list --online` show them",
        last.unwrap_or(0),
        when::span(PATIENCE.as_secs())
    )))
}

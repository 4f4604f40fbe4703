//! `linchpin upgrade`: ask the running server to be replaced, and wait until it has been or says why not.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use linchpin_control::request::{UpgradeBegin, UpgradeFinalize, UpgradeLast, UpgradeReport, UpgradeState};

use super::args::{Upgrade, UpgradeVerb};
use super::client::{self, ClientError, Got};
use super::failure::Failure;
use super::output::print;
use crate::limits;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(50);

/// See the module's page.
pub(super) fn upgrade(flags: Upgrade) -> Result<(), Failure> {
    let Upgrade { verb, binary, status, at } = flags;
    if let Some(UpgradeVerb::Finalize(place)) = verb {
        return place.run(&UpgradeFinalize {});
    }
    let socket = at.socket()?;
    if status {
        return print(&at, &client::ask(&socket, &UpgradeLast {}).map_err(Failure::general)?, text);
    }
    let binary = binary.as_deref().map(absolute).transpose()?;
    let attempt = client::ask(&socket, &UpgradeBegin { binary }).map_err(Failure::general)?.it.attempt;
    let report = wait(&socket, attempt)?;
    print(&at, &report, text)?;
    match (report.it.state, report.it.why) {
        (UpgradeState::Done, _) => Ok(()),
        (_, why) => Err(Failure::General(why.unwrap_or_else(|| "the upgrade did not end in time".to_owned()))),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::General(format!("{}: {error}", path.display())))
}

/// Ask whichever process serves until the attempt is over. In between nobody answers for a moment.
fn wait(socket: &Path, attempt: u64) -> Result<Got<UpgradeReport>, Failure> {
    let end = Instant::now() + limits::HANDOVER_LIMIT;
    loop {
        match client::ask(socket, &UpgradeLast {}) {
            Ok(report) if report.it.attempt >= attempt && report.it.state != UpgradeState::UnderWay => {
                return Ok(report);
            }
            Err(ClientError::Refused(error)) => return Err(Failure::general(error)),
            Err(error) if Instant::now() >= end => return Err(Failure::general(error)),
            _ if Instant::now() >= end => {
                return Err(Failure::General(format!(
                    "attempt {attempt} is not over after {:?}",
                    limits::HANDOVER_LIMIT
                )));
            }
            _ => std::thread::sleep(LOOK),
        }
    }
}

fn text(report: &UpgradeReport) -> String {
    let UpgradeReport { attempt, version, moved, left, pause_ms, total_ms, .. } = report;
    match report.state {
        UpgradeState::None => format!("this server ({version}) was not upgraded since it was started\n"),
        UpgradeState::UnderWay => format!("attempt {attempt} is under way\n"),
        UpgradeState::Failed => {
            let step = report.step.as_deref().unwrap_or("starting");
            let why = report.why.as_deref().unwrap_or("for a reason that is in the log");
            format!("attempt {attempt} failed while {step}, and the old process serves on: {why}\n")
        }
        UpgradeState::Done => {
            let ended: String =
                report.ended.iter().map(|(code, count)| format!(", {count} ended with {code}")).collect();
            format!(
                "attempt {attempt}: version {version} serves; {moved} connections moved, {left} could not{ended}; they stood \
                 still for {pause_ms} ms of {total_ms} ms\n"
            )
        }
    }
}

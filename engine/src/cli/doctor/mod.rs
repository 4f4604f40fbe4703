//! `linchpin doctor`: would the server start, and is this machine ready for it? A start is tried without anything that stays;
//! facts are gathered ([`gather`]), then judged ([`checks`]), so that every judgement is tested with made-up facts.

mod certificates;
mod checks;
mod gather;
mod unit_user;
mod wanted;

use std::path::{Path, PathBuf};

use linchpin_control::request::{ServerFinding, ServerGrade};
use serde_json::json;

use super::args::{At, FoundServer, default_data};
use super::failure::Failure;
use super::output::say;
use crate::config::EngineOptions;
use crate::serve::advice::StartedBy;
use crate::serve::launch::{of_file, start_log};
use crate::serve::log::LogOptions;
use crate::serve::trial::{Trial, trial};
use checks::{Finding, Grade};
use unit_user::ServiceUnit;
use wanted::Wanted;

/// What is to be said of this machine, for the console.
pub(crate) fn examine(lowest_port: u16, engine: &EngineOptions, data_path: &Path) -> Vec<ServerFinding> {
    let wanted = Wanted { engine: engine.clone(), data_path: data_path.to_owned(), lowest_port, backup: None };
    let judged = checks::judge(&wanted, &gather::gather(&wanted));
    let one = |finding: Finding| ServerFinding {
        level: match finding.grade {
            Grade::Ok => ServerGrade::Good,
            Grade::Warn => ServerGrade::Warning,
            Grade::Fail => ServerGrade::Bad,
        },
        title: finding.check.to_owned(),
        text: format!("{}. {}", finding.found, finding.why),
        fix: Some(finding.fix).filter(|fix| finding.grade != Grade::Ok && !fix.is_empty()),
    };
    judged.into_iter().map(one).collect()
}

/// Print what was found.
///
/// # Errors
/// The server would not start: as it would end itself.
pub(crate) fn run(config: Option<PathBuf>, user: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let found = (At { config, ..At::default() }).found();
    let path = match &found {
        FoundServer::Config(path) => Some(path.as_path()),
        FoundServer::Data(_) => None,
    };
    if let Some(unit) = ServiceUnit::find(path, user) {
        return unit.look();
    }
    // Warnings about certificates and the clock.
    let _log = start_log(LogOptions { level: tracing::Level::WARN, ..LogOptions::default() })?;
    let Some(path) = path else {
        let (engine, data_path) = (EngineOptions::default(), default_data());
        return report(&Wanted { engine, data_path, lowest_port: 8080, backup: None }, None, Vec::new(), as_json);
    };
    let (server, _) = of_file(path)?;
    let doors = server.listen.doors();
    let wanted = Wanted {
        engine: server.engine.clone(),
        data_path: server.data_path.clone(),
        lowest_port: doors.iter().map(|(_, address)| address.port()).min().unwrap_or(0),
        backup: server.store.as_ref().and_then(|store| store.backup.as_ref()).map(|plan| plan.place.clone()),
    };
    let listen = server.listen.clone();
    let ordered = certificates::look(server.tls.as_ref(), &server.listen)?;
    let tried = trial(&server, unit_user::made_at_start().as_deref())
        .map_err(|error| StartedBy::File(path, &listen).failure(error));
    report(&wanted, Some(tried), ordered, as_json)
}

fn report(
    wanted: &Wanted,
    tried: Option<Result<Trial, Failure>>,
    ordered: Vec<Finding>,
    as_json: bool,
) -> Result<(), Failure> {
    let facts = gather::gather(wanted);
    let mut findings = checks::judge(wanted, &facts);
    findings.extend(ordered);
    let mut failure = None;
    if let Some(tried) = tried {
        let (grade, found) = match tried {
            Ok(Trial::WouldStart) => (Grade::Ok, "the server would start".to_owned()),
            Ok(Trial::Runs) => (Grade::Ok, "the server runs: its ports and its store were not tried".to_owned()),
            Err(error) => {
                let text = match &error {
                    Failure::General(text) | Failure::Config(text) => text.clone(),
                    Failure::Ended(_) => String::new(),
                };
                failure = Some(error);
                (Grade::Fail, text)
            }
        };
        let why = match unit_user::looking_as() {
            Some(user) => format!("Tried as the user {user}."),
            None => "Tried as the user who runs this.".to_owned(),
        };
        findings.insert(0, Finding { check: "start", grade, found, why: why.into(), fix: String::new() });
    }
    say(&if as_json { json_text(&findings) } else { plain_text(&findings) })?;
    match failure {
        None => Ok(()),
        Some(Failure::General(_)) => Err(Failure::General("the server would not start, see above".to_owned())),
        Some(_) => Err(Failure::Config("the server would not start, see above".to_owned())),
    }
}

fn json_text(findings: &[Finding]) -> String {
    let rows: Vec<_> = findings
        .iter()
        .map(|f| json!({"check": f.check, "grade": f.grade.word(), "found": f.found, "why": f.why, "fix": f.fix}))
        .collect();
    format!("{}\n", json!({"findings": rows}))
}

fn plain_text(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        out += &format!("{:<5} {:<22} {}\n", finding.grade.word(), finding.check, finding.found);
        if finding.grade != Grade::Ok {
            out += &format!("      {:<22} {}\n", "", finding.why);
            if !finding.fix.is_empty() {
                out += &format!("      {:<22} $ {}\n", "", finding.fix);
            }
        }
    }
    out
}

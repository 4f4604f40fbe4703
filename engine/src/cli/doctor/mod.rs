//! `linchpin doctor`: is this machine ready for the server? Facts are gathered first ([`gather`]), then judged
//! ([`checks`]), so that every judgement is tested with made-up facts.

mod checks;
mod gather;
mod wanted;

use std::path::Path;

use serde_json::json;

use super::args::default_data;
use super::failure::Failure;
use super::output::say;
use crate::config::{self, EngineOptions};
use checks::{Finding, Grade};
use wanted::Wanted;

/// Print what was found.
///
/// # Errors
/// A check failed: the server would not start or not hold what it is asked for.
pub(crate) fn run(config: Option<&Path>, as_json: bool) -> Result<(), Failure> {
    let wanted = match config {
        Some(path) => {
            let config = config::read(path).map_err(|error| Failure::Config(error.to_string()))?;
            let lowest_port = config.listen.doors().iter().map(|(_, address)| address.port()).min();
            Wanted { engine: config.engine, data_path: config.data_path, lowest_port: lowest_port.unwrap_or(0) }
        }
        None => Wanted { engine: EngineOptions::default(), data_path: default_data(), lowest_port: 8080 },
    };
    let facts = gather::gather(&wanted);
    let findings = checks::judge(&wanted, &facts);
    say(&if as_json { json_text(&findings) } else { plain_text(&findings) })?;
    let failed = findings.iter().filter(|finding| finding.grade == Grade::Fail).count();
    if failed > 0 {
        return Err(Failure::General(format!("{failed} of {} checks failed, see above", findings.len())));
    }
    Ok(())
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

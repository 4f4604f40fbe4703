//! Two sets of kept runs.

use std::path::{Path, PathBuf};

use super::sheet::ComparisonSheet;
use super::{builds, shown, statistics, verdict, words, wrong_share};
use crate::cli::Compare;
use crate::console::{say, warn};
use crate::exit::{EndCode, Exit};
use crate::report::RunOutcome;
use crate::report::outcome::VERSION;

/// Compare what was kept.
pub(crate) fn run_compare(sets: &Compare) -> Result<EndCode, Exit> {
    let (base, new) = (read_all(&sets.base, sets.force)?, read_all(&sets.new, sets.force)?);
    let unlike = unlike(&base, &new);
    if !unlike.is_empty() && !sets.force {
        return Err(Exit::usage(format!(
            "the runs cannot be compared ({}); make them alike, or add --force",
            unlike.join("; ")
        )));
    }
    let mut code = EndCode::Ok;
    let mut lines = vec![format!("A: {} runs, B: {} runs of scenario {}", base.len(), new.len(), base[0].scenario)];
    lines.extend(builds(&base, &new));
    say(&(lines.join("\n  ") + "\n"));
    let mut page = ComparisonSheet::new(format!("{}: two sets of runs", base[0].scenario), lines);
    for figure in shown(sets.figure) {
        let figures = |runs: &[RunOutcome]| runs.iter().filter_map(|run| run.figure(figure)).collect::<Vec<_>>();
        let (a, b) = (figures(&base), figures(&new));
        if a.len() != base.len() || b.len() != new.len() {
            continue;
        }
        let change = statistics::unpaired(&a, &b, wrong_share(figure == sets.figure));
        let said = words(figure, &change, &a, &b);
        say(&format!("  {said}\n"));
        page.add(figure, &change, (&a, &b), &said);
        if verdict(sets.fail_on, figure, &change) != EndCode::Ok {
            code = EndCode::Regression;
        }
    }
    if let Some(path) = &sets.page {
        page.write(path)?;
    }
    Ok(code)
}

/// Outcomes of files and folders. Invalid runs are left out and named.
fn read_all(paths: &[PathBuf], is_forced: bool) -> Result<Vec<RunOutcome>, Exit> {
    let mut files = Vec::new();
    for path in paths {
        gather(path, &mut files)?;
    }
    let mut runs = Vec::new();
    for file in files {
        let run = read(&file)?;
        if run.verdict.valid || is_forced {
            runs.push(run);
        } else {
            warn(&format!("{} is left out: the run is INVALID", file.display()));
        }
    }
    if runs.is_empty() {
        return Err(Exit::usage(format!("there is no valid run in {paths:?}; keep some with --out FOLDER")));
    }
    Ok(runs)
}

fn gather(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Exit> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let kept = path.join("outcome.json");
    if kept.is_file() {
        files.push(kept);
        return Ok(());
    }
    let bad = |error| Exit::usage(format!("cannot read {}: {error}", path.display()));
    let mut below: Vec<PathBuf> = std::fs::read_dir(path).map_err(bad)?.flatten().map(|entry| entry.path()).collect();
    below.sort();
    files.extend(below.into_iter().map(|folder| folder.join("outcome.json")).filter(|file| file.is_file()));
    Ok(())
}

pub(super) fn read(path: &Path) -> Result<RunOutcome, Exit> {
    let bad = |error: &dyn std::fmt::Display| {
        Exit::usage(format!("{} is no outcome of a run: {error}; give an outcome.json", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|error| bad(&error))?;
    let run: RunOutcome = serde_json::from_str(&text).map_err(|error| bad(&error))?;
    if run.version != VERSION {
        return Err(bad(&format!("its version is {}, this loadgen reads {VERSION}", run.version)));
    }
    Ok(run)
}

/// Why figures of the two sets do not belong beside each other.
fn unlike(base: &[RunOutcome], new: &[RunOutcome]) -> Vec<String> {
    let mut unlike = Vec::new();
    let first = &base[0];
    for run in base.iter().chain(new) {
        if (&run.scenario, run.devices) != (&first.scenario, first.devices) {
            unlike.push(format!(
                "scenario {} of {} devices and {} of {}",
                first.scenario, first.devices, run.scenario, run.devices
            ));
        }
        if (run.planned_rate - first.planned_rate).abs() > 1e-6 {
            unlike.push(format!("rates {} and {}", first.planned_rate, run.planned_rate));
        }
        unlike.extend(first.environment.unlike(&run.environment));
    }
    unlike.sort();
    unlike.dedup();
    unlike
}

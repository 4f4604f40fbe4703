//! Does `loadgen ab` find what is there, and nothing else? Comparisons of a server with itself and with one whose answers
//! take 20 % longer, in turn. `tests/loadgen/series.sh` builds what it needs and runs it.
//!
//! `series FOLDER LINCHPIN LOADGEN [PAIRS [ROUNDS]]`. Everything is kept in the folder: what is there is not made again.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;

/// What every answer takes in the process between, microseconds: both sides have it, so that their timers cost alike.
const BASE_US: f64 = 200.0;
/// How much longer B's answers take, as a share of A's median.
const SLOWER: f64 = 0.2;
/// The measure that decides.
const FIGURE: &str = "p50";
/// Of 20 comparisons: how many may find something in equal servers, how many must find the delay.
const FALSE_FINDINGS: usize = 2;
const FOUND: usize = 18;

const SCENARIO: &str = r#"
name = "series"
[[group]]
name = "devices"
count = 50
mix = [{ kind = "ping", rate = "1000/s" }]
[[phase]]
kind = "ramp"
duration = "250ms"
[[phase]]
kind = "steady"
duration = "1500ms"
"#;

struct Series {
    folder: PathBuf,
    linchpin: String,
    loadgen: String,
    scenario: PathBuf,
    rounds: usize,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            say(&format!("series: {why}\n"));
            ExitCode::from(2)
        }
    }
}

fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn run() -> Result<bool, String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, linchpin, loadgen, numbers @ ..] = arguments.as_slice() else {
        return Err("usage: series FOLDER LINCHPIN LOADGEN [PAIRS [ROUNDS]]".to_owned());
    };
    let number = |at: usize, usual: usize| {
        numbers.get(at).map_or(Ok(usual), |text| text.parse().map_err(|_| format!("{text:?} is no number")))
    };
    let (pairs, rounds) = (number(0, 20)?, number(1, 9)?);
    let folder = PathBuf::from(folder);
    let io = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(&folder).map_err(io)?;
    let scenario = folder.join("series.toml");
    std::fs::write(&scenario, SCENARIO).map_err(io)?;
    let series = Series { folder, linchpin: linchpin.clone(), loadgen: loadgen.clone(), scenario, rounds };

    let median_us = median(&figure(&series.compare("calibration", BASE_US)?, FIGURE).ok_or("no median")?["a"]);
    let slower_us = (BASE_US + median_us * SLOWER).round();
    say(&format!("A's median is {median_us:.0} us; B's answers wait {:.0} us longer\n", slower_us - BASE_US));
    let mut sets: [Vec<Value>; 2] = [Vec::new(), Vec::new()];
    for pair in 0..pairs {
        // In turn, so that what drifts hits both alike.
        for which in if pair % 2 == 0 { [0, 1] } else { [1, 0] } {
            let (name, delay_us) = [("same", BASE_US), ("slower", slower_us)][which];
            let comparison = series.compare(&format!("{name}-{pair:02}"), delay_us)?;
            say(&format!("{name} {}: {}\n", pair + 1, findings(&comparison).join(", ")));
            sets[which].push(comparison);
        }
    }
    let (text, is_met) = summary(&sets, median_us, slower_us - BASE_US, rounds);
    std::fs::write(series.folder.join("summary.md"), &text).map_err(|error| error.to_string())?;
    say(&text);
    Ok(is_met)
}

impl Series {
    /// A comparison: from its file, or made.
    fn compare(&self, name: &str, delay_us: f64) -> Result<Value, String> {
        let kept = self.folder.join(format!("{name}.json"));
        if let Ok(text) = std::fs::read(&kept) {
            return serde_json::from_slice(&text).map_err(|error| format!("{}: {error}; remove it", kept.display()));
        }
        let slower = std::env::current_exe().map_err(|error| error.to_string())?.with_file_name("slower");
        let server = format!("--server={}", self.linchpin);
        let delay = |us: f64| format!("--delay-us={us:.0}");
        let mut command = Command::new(&self.loadgen);
        command.args(["ab", "--json", "--resume", "--workers", "1", "--figure", FIGURE, "--rounds"]);
        command.arg(self.rounds.to_string()).arg("--out").arg(self.folder.join("runs").join(name));
        command.args([format!("--a-flag={server}"), format!("--b-flag={server}")]);
        command.args([format!("--a-flag={}", delay(BASE_US)), format!("--b-flag={}", delay(delay_us))]);
        command.args([&slower, &slower, &self.scenario]).stdin(Stdio::null()).stderr(log(&self.folder)?);
        let output = command.output().map_err(|error| format!("cannot start {}: {error}", self.loadgen))?;
        let comparison: Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| format!("{name} ended with {}; see {}/log", output.status, self.folder.display()))?;
        let part = kept.with_extension("part");
        let written = std::fs::write(&part, &output.stdout).and_then(|()| std::fs::rename(&part, &kept));
        written.map_err(|error| error.to_string())?;
        Ok(comparison)
    }
}

fn log(folder: &Path) -> Result<std::fs::File, String> {
    let path = folder.join("log");
    std::fs::OpenOptions::new().create(true).append(true).open(path).map_err(|error| error.to_string())
}

fn figures(comparison: &Value) -> &[Value] {
    comparison["figures"].as_array().map_or(&[], Vec::as_slice)
}

fn figure<'a>(comparison: &'a Value, name: &str) -> Option<&'a Value> {
    figures(comparison).iter().find(|figure| figure["figure"] == name)
}

fn is_finding(figure: &Value) -> bool {
    figure["finding"] == "higher" || figure["finding"] == "lower"
}

fn is_too_few(comparison: &Value) -> bool {
    figures(comparison).iter().all(|figure| figure["finding"] == "too_few")
}

/// What a comparison reports as different.
fn findings(comparison: &Value) -> Vec<String> {
    if is_too_few(comparison) {
        return vec!["cannot separate".to_owned()];
    }
    let found = figures(comparison).iter().filter(|figure| is_finding(figure));
    let percent = |figure: &Value| (figure["ratio"].as_f64().unwrap_or(1.0) - 1.0) * 100.0;
    let found: Vec<String> = found
        .map(|figure| format!("{} {:+.1} %", figure["figure"].as_str().unwrap_or_default(), percent(figure)))
        .collect();
    if found.is_empty() { vec!["no evidence of a difference".to_owned()] } else { found }
}

fn median(values: &Value) -> f64 {
    let mut values: Vec<f64> = values.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Standard deviation of the logarithms of B's figure over A's, within rounds.
fn spread(comparisons: &[Value], name: &str) -> f64 {
    let ratios = |comparison: &Value| -> Vec<f64> {
        let Some(figure) = figure(comparison, name) else { return Vec::new() };
        let side =
            |key: &str| figure[key].as_array().into_iter().flatten().filter_map(Value::as_f64).collect::<Vec<_>>();
        side("a").iter().zip(side("b")).map(|(a, b)| (b / a).ln()).collect()
    };
    let all: Vec<f64> = comparisons.iter().flat_map(ratios).collect();
    let mean = all.iter().sum::<f64>() / all.len().max(1) as f64;
    (all.iter().map(|ratio| (ratio - mean).powi(2)).sum::<f64>() / all.len().saturating_sub(1).max(1) as f64).sqrt()
}

/// The tables for docs/loadgen.md, and whether the promise was kept.
fn summary([same, slower]: &[Vec<Value>; 2], median_us: f64, delay_us: f64, rounds: usize) -> (String, bool) {
    let pairs = same.len();
    let false_findings = same.iter().filter(|comparison| figures(comparison).iter().any(is_finding)).count();
    let found = |comparison: &&Value| figure(comparison, FIGURE).is_some_and(|figure| figure["finding"] == "higher");
    let found = slower.iter().filter(found).count();
    let too_few = |set: &[Value]| set.iter().filter(|comparison| is_too_few(comparison)).count();
    let (no_same, no_slower) = (too_few(same), too_few(slower));
    let invalid = |set: &[Value]| set.iter().filter_map(|it| it["invalid_rounds"].as_u64()).sum::<u64>();
    let mut text = format!(
        "{pairs} comparisons of a server with itself, {pairs} with one whose answers take {delay_us:.0} us longer, {:.0} % of \
         the median of {median_us:.0} us; {rounds} rounds each, {} and {} more were INVALID and made again.\n\n\
         - Equal servers: {false_findings} of {pairs} comparisons report any finding ({FALSE_FINDINGS} of 20 are allowed); {no_same} more \
         cannot separate.\n\
         - The delay: {found} of {pairs} report {FIGURE} as higher ({FOUND} of 20 are demanded); {no_slower} more cannot \
         separate.\n\n\
         | measure | found in equal servers | found with the delay | middle of the change | deviation of ln(B/A) |\n\
         |---|---|---|---|---|\n",
        delay_us / median_us * 100.0,
        invalid(same),
        invalid(slower),
    );
    let names = same.first().map(figures).unwrap_or_default();
    for name in names.iter().filter_map(|figure| figure["figure"].as_str()) {
        let count = |set: &[Value]| set.iter().filter(|it| figure(it, name).is_some_and(is_finding)).count();
        let ratios: Vec<Value> = slower
            .iter()
            .filter(|it| !is_too_few(it))
            .filter_map(|it| Some(figure(it, name)?["ratio"].clone()))
            .collect();
        let middle = (median(&ratios.into()) - 1.0) * 100.0;
        let (equal, delayed, spread) = (count(same), count(slower), spread(same, name));
        let _ = writeln!(text, "| {name} | {equal} | {delayed} | {middle:+.1} % | {spread:.3} |");
    }
    // The bounds are of 20; fewer or more comparisons are held to the same shares. One that cannot separate proves nothing.
    let is_met = pairs > 0 && (false_findings + no_same) * 20 <= FALSE_FINDINGS * pairs && found * 20 >= FOUND * pairs;
    (text, is_met)
}

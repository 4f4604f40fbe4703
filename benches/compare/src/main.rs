//! `bench-compare`: CPU and memory of Linchpin's whole engine beside the same small server on other runtimes. In each round
//! every server does every row once, in an order that is shuffled, so that a ratio is of two runs of the same minutes. The
//! same command goes on after an interruption. docs/performance.md says how to read it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]

mod row;
mod subject;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;

use linchpin_bench_compare::report::{Head, lines, markdown};
use linchpin_bench_compare::results::{Measurement, Results};
use row::{ROWS, Row};
use subject::{BEFORE, Programs, SUBJECTS, may_go_first};

/// Linchpin beside other runtimes, on one core each for the server and for the load.
///
/// Exit codes: 0 all is measured, 1 something could not be or the time is over, 2 usage, 3 all is measured and some of it
/// does not count. The same command measures what is missing or does not count.
#[derive(Parser)]
#[command(name = "bench-compare", version)]
struct Line {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Measure what RESULTS does not have yet.
    Run(Run),
    /// Keep a figure that was measured in another way.
    Keep(Keep),
    /// Print the table of RESULTS, with what other programs have added there.
    Report {
        /// Folder of results.jsonl.
        results: PathBuf,
        /// Write it here as Markdown.
        #[arg(long, value_name = "FILE")]
        markdown: Option<PathBuf>,
        /// Write it here as JSON.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
}

#[derive(clap::Args)]
struct Keep {
    /// Folder of results.jsonl.
    #[arg(long, value_name = "FOLDER")]
    results: PathBuf,
    /// What was done.
    #[arg(long)]
    row: String,
    /// By what.
    #[arg(long)]
    subject: String,
    /// What was measured; ends with its unit.
    #[arg(long)]
    metric: String,
    /// In which round.
    #[arg(long, default_value_t = 1)]
    round: u32,
    /// The figure.
    #[arg(long)]
    value: f64,
}

#[derive(clap::Args)]
struct Run {
    /// Folder of results.jsonl.
    #[arg(long, value_name = "FOLDER")]
    results: PathBuf,
    /// Rounds.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Only rows whose name begins so, separated by commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    rows: Vec<String>,
    /// Only these servers, separated by commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = SUBJECTS)]
    subjects: Vec<String>,
    /// Seconds that are measured of each run.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// CPUs of the server and of the load.
    #[arg(long, value_name = "N,N", value_delimiter = ',', num_args = 1, default_value = "0,1")]
    cpus: Vec<usize>,
    /// Begin nothing that would not be over after so many minutes.
    #[arg(long, value_name = "MINUTES")]
    time_limit_min: Option<u64>,
    /// Divide rates and numbers of devices: for tests of this program, whose figures mean nothing.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    divide: u32,
    /// Take a load generator that was built for debugging; for tests.
    #[arg(long)]
    allow_debug_build: bool,
    /// Decides the order of each round.
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
    /// Folder of linchpin, loadgen and bench-runtimes; default: that of this program.
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// Another build of linchpin, as one more server named `before`: the ratio to it is what the changes since cost.
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
}

/// What is still to be measured in a round, shuffled.
fn steps<'a>(run: &'a Run, results: &Results, round: u32) -> Vec<(Row, &'a str)> {
    let is_wanted = |row: &Row| run.rows.is_empty() || run.rows.iter().any(|name| row.name.starts_with(name.as_str()));
    let mut steps = Vec::new();
    let mut random = Pcg64Mcg::seed_from_u64(run.seed ^ (u64::from(round) << 32));
    for row in ROWS.into_iter().filter(is_wanted).map(|row| row.divided(run.divide)) {
        // By row, so that servers of a pair follow each other within a minute.
        let mut subjects: Vec<&str> = SUBJECTS.into_iter().collect();
        subjects.retain(|name| run.subjects.is_empty() || run.subjects.iter().any(|wanted| wanted == name));
        subjects.retain(|name| !row.is_ours_only || *name == SUBJECTS[0]);
        subjects.extend(run.before.is_some().then_some(BEFORE));
        subjects.shuffle(&mut random);
        let is_open = |name: &&str| !results.has(row.name, name, round, row.devices);
        steps.extend(subjects.into_iter().filter(is_open).map(|name| (row, name)));
    }
    steps
}

fn programs(run: &Run) -> Result<Programs, String> {
    let own = std::env::current_exe().map_err(|error| format!("the path of this program: {error}"))?;
    let folder = run.programs.as_deref().or(own.parent()).unwrap_or(Path::new("."));
    let find = |name: &str| {
        let path = folder.join(name);
        if path.is_file() { Ok(path) } else { Err(format!("{} is missing: cargo build --release", path.display())) }
    };
    Ok(Programs {
        allow_debug_build: run.allow_debug_build,
        before: run.before.clone(),
        goes_first: may_go_first(),
        linchpin: find("linchpin")?,
        loadgen: find("loadgen")?,
        runtimes: find("bench-runtimes")?,
    })
}

/// False if something of it does not count.
fn measure(run: &Run) -> Result<bool, String> {
    let [server, load] = run.cpus[..] else { return Err("--cpus takes two: server,load".to_owned()) };
    let programs = programs(run)?;
    if !programs.goes_first {
        eprintln!("SCHED_FIFO is not allowed here (chrt): other programs on these CPUs count");
    }
    let mut results = Results::open(&run.results)?;
    let begun = Instant::now();
    let left: u32 =
        (1..=run.rounds).flat_map(|round| steps(run, &results, round)).map(|(row, _)| row.seconds(run.seconds)).sum();
    eprintln!("about {} minutes", left.div_ceil(60));
    let mut is_whole = true;
    for round in 1..=run.rounds {
        for (row, subject) in steps(run, &results, round) {
            let needed = Duration::from_secs(row.seconds(run.seconds).into());
            if run.time_limit_min.is_some_and(|limit| begun.elapsed() + needed > Duration::from_secs(60 * limit)) {
                return Err(format!("the time is over in round {round} of {}; the same command goes on", run.rounds));
            }
            let outcome = row.measure(&programs, subject, [server, load], run.seconds)?;
            is_whole &= outcome.wrong.is_none();
            for figure in outcome.figures {
                eprintln!(
                    "round {round}: {}: {subject}: {:.0} {}{}",
                    row.name,
                    figure.value,
                    figure.metric,
                    outcome.wrong.as_ref().map_or(String::new(), |why| format!(", does not count: {why}"))
                );
                results.append(Measurement {
                    row: row.name.to_owned(),
                    subject: subject.to_owned(),
                    round,
                    metric: figure.metric.to_owned(),
                    value: figure.value,
                    valid: outcome.wrong.is_none(),
                    note: outcome.wrong.clone().unwrap_or_default(),
                    connections: row.devices,
                    before_bytes: 0,
                })?;
            }
        }
    }
    Ok(is_whole)
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let ran = std::process::Command::new(program).args(arguments).output();
    ran.map(|ran| String::from_utf8_lossy(&ran.stdout).lines().next().unwrap_or_default().to_owned())
        .unwrap_or_default()
}

fn head() -> Head {
    let field = |path: &str, name: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kib: u64 = field("/proc/meminfo", "MemTotal").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let dirty = if first_line("git", &["status", "--porcelain"]).is_empty() { "" } else { " with changes" };
    Head {
        machine: format!("{}, {cores} cores, {} GiB", field("/proc/cpuinfo", "model name"), kib.div_ceil(1 << 20)),
        kernel: first_line("uname", &["-r"]),
        commit: first_line("git", &["rev-parse", "--short", "HEAD"]) + dirty,
        date: first_line("date", &["-u", "+%Y-%m-%dT%H:%MZ"]),
    }
}

fn report(results: &Path, to_markdown: Option<&Path>, to_json: Option<&Path>) -> Result<(), String> {
    let (head, lines) = (head(), lines(Results::open(results)?.all()));
    let text = markdown(&head, &lines);
    let write =
        |path: &Path, text: &str| std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()));
    if let Some(path) = to_markdown {
        write(path, &text)?;
    }
    if let Some(path) = to_json {
        let all = serde_json::json!({"head": head, "lines": lines});
        write(path, &(serde_json::to_string_pretty(&all).map_err(|error| error.to_string())? + "\n"))?;
    }
    print!("{text}");
    Ok(())
}

fn main() -> ExitCode {
    let measured = match Line::parse().verb {
        Verb::Run(run) => measure(&run),
        Verb::Keep(Keep { results, row, subject, metric, round, value }) => Results::open(&results)
            .and_then(|mut results| results.append(Measurement::new(&row, &subject, round, &metric, value)))
            .map(|()| true),
        Verb::Report { results, markdown, json } => {
            report(&results, markdown.as_deref(), json.as_deref()).map(|()| true)
        }
    };
    match measured {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(3),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

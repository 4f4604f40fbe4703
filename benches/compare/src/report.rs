//! One table of all kept results: Markdown for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::results::Measurement;
use crate::statistics::{interval, median};

/// Whose figures the ratios have above the line.
pub const OURS: &str = "linchpin";

/// What was aimed at: row, metric, subject, and the greatest ratio.
const AIMS: &[(&str, &str, &str, f64)] = &[
    ("request/response", "cpu_ns_per_message", "ring", 1.10),
    ("request/response", "cpu_ns_per_message", "epoll", 0.97),
    ("request/response", "cpu_ns_per_message", "tokio", 0.85),
    ("request/response", "cpu_ns_per_message", "monoio", 1.02),
    ("request/response", "cpu_ns_per_message", "monoio-defer", 1.05),
    ("accept and login", "cpu_ns_per_login", "tokio", 0.80),
];

/// What was aimed at for our own figure: how the row begins, metric, and the limit. A rate is a lower limit.
const OWN_AIMS: &[(&str, &str, f64)] = &[
    ("pipelined x16, 2,", "answers_per_second", 2_000_000.0),
    ("request/response, 10,000", "longest_tick_us", 2_000.0),
    ("telemetry", "cpu_ns_per_message", 1_500.0),
    ("accept and login, 39,000", "cpu_ns_per_login", 20_000.0),
    ("idle device, plain", "rss_bytes_per_device", 256.0),
    ("idle device, TLS", "rss_bytes_per_device", 768.0),
];

/// Where and of what the figures are.
#[derive(Clone, Debug, Serialize)]
pub struct Head {
    /// Processor, cores, memory.
    pub machine: String,
    /// Kernel release.
    pub kernel: String,
    /// Commit of the tree.
    pub commit: String,
    /// UTC, ISO 8601.
    pub date: String,
}

/// A subject's figures in a row.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// What was done.
    pub row: String,
    /// What was measured; its unit ends the name.
    pub metric: String,
    /// By which server.
    pub subject: String,
    /// Valid rounds.
    pub rounds: usize,
    /// Measurements that did not count, also those that were made again.
    pub invalid: usize,
    /// Least of the valid ones.
    pub least: f64,
    /// Their median.
    pub median: f64,
    /// Median of ours over theirs in the same round.
    pub ratio: Option<f64>,
    /// Its 95 % interval; none with less than three pairs.
    pub interval: Option<[f64; 2]>,
    /// What was aimed at: the greatest ratio, or for our own figure the figure.
    pub aim: Option<f64>,
}

fn by_round<'a>(all: impl Iterator<Item = &'a Measurement>) -> BTreeMap<u32, f64> {
    all.filter(|one| one.valid).map(|one| (one.round, one.value)).collect()
}

/// All lines, in the order in which rows and subjects appeared.
#[must_use]
pub fn lines(all: &[Measurement]) -> Vec<Line> {
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for one in all {
        if !keys.contains(&(&one.row, &one.metric)) {
            keys.push((&one.row, &one.metric));
        }
    }
    let mut lines = Vec::new();
    for (row, metric) in keys {
        let of_row: Vec<&Measurement> = all.iter().filter(|one| one.row == row && one.metric == metric).collect();
        let ours = by_round(of_row.iter().copied().filter(|one| one.subject == OURS));
        let mut subjects: Vec<&str> = of_row.iter().map(|one| one.subject.as_str()).collect();
        subjects.sort_by_key(|subject| (*subject != OURS, *subject));
        subjects.dedup();
        for subject in subjects {
            let theirs = by_round(of_row.iter().copied().filter(|one| one.subject == subject));
            let figures: Vec<f64> = theirs.values().copied().collect();
            let pairs = theirs.iter().filter(|(_, value)| **value > 0.0 && subject != OURS);
            let ratios: Vec<f64> = pairs.filter_map(|(round, value)| Some(ours.get(round)? / value)).collect();
            let aim = AIMS.iter().find(|aim| (aim.0, aim.1, aim.2) == (row, metric, subject)).map(|aim| aim.3);
            let is_own = |aim: &&(&str, &str, f64)| subject == OURS && row.starts_with(aim.0) && metric == aim.1;
            let aim = aim.or_else(|| OWN_AIMS.iter().find(is_own).map(|aim| aim.2));
            lines.push(Line {
                row: row.to_owned(),
                metric: metric.to_owned(),
                subject: subject.to_owned(),
                rounds: figures.len(),
                invalid: of_row.iter().filter(|one| one.subject == subject && !one.valid).count(),
                least: figures.iter().copied().fold(f64::INFINITY, f64::min),
                median: median(&figures).unwrap_or(f64::NAN),
                ratio: median(&ratios),
                interval: interval(&ratios),
                aim,
            });
        }
    }
    lines
}

fn number(value: f64) -> String {
    match value {
        v if !v.is_finite() => "-".to_owned(),
        v if v.abs() >= 100.0 => format!("{v:.0}"),
        v => format!("{v:.2}"),
    }
}

/// The Markdown table.
#[must_use]
pub fn markdown(head: &Head, lines: &[Line]) -> String {
    let Head { machine, kernel, commit, date } = head;
    let mut text = format!("{machine}; Linux {kernel}; commit {commit}; {date}\n");
    let mut before = None;
    for line in lines {
        if before != Some((&line.row, &line.metric)) {
            before = Some((&line.row, &line.metric));
            let _ = write!(text, "\n**{}**, {}\n\n", line.row, line.metric);
            text += "| server | rounds (invalid) | least | median | ours to it | 95 % interval | aim |\n";
            text += "|---|---|---|---|---|---|---|\n";
        }
        let ratio = line.ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        let interval = line.interval.map_or("-".to_owned(), |[low, high]| format!("{low:.2} to {high:.2}"));
        let aim = line.aim.map_or("-".to_owned(), number);
        let (least, middle) = (number(line.least), number(line.median));
        let Line { subject, rounds, invalid, .. } = line;
        let _ =
            writeln!(text, "| {subject} | {rounds} ({invalid}) | {least} | {middle} | {ratio} | {interval} | {aim} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(subject: &str, round: u32, value: f64, valid: bool) -> Measurement {
        Measurement {
            row: "request/response".to_owned(),
            subject: subject.to_owned(),
            round,
            metric: "cpu_ns_per_message".to_owned(),
            value,
            valid,
            note: String::new(),
            connections: 1_000,
            before_bytes: 0,
        }
    }

    #[test]
    fn pairs_are_those_of_the_same_round_and_invalid_ones_are_counted_only() {
        let mut all = Vec::new();
        for round in 1..=4 {
            all.push(one("tokio", round, 1_000.0 * f64::from(round), round != 4));
            all.push(one(OURS, round, 800.0 * f64::from(round), true));
        }
        all.push(one("epoll", 5, 1_000.0, true));
        let lines = lines(&all);
        let names: Vec<_> = lines.iter().map(|line| line.subject.as_str()).collect();
        assert_eq!(names, [OURS, "epoll", "tokio"]);
        let tokio = &lines[2];
        assert_eq!((tokio.rounds, tokio.invalid, tokio.median), (3, 1, 2_000.0));
        assert_eq!((tokio.ratio, tokio.interval, tokio.aim), (Some(0.8), Some([0.8, 0.8]), Some(0.85)));
        assert_eq!((lines[0].ratio, lines[1].ratio), (None, None), "ours to itself, and no round of both");
        let head = Head { machine: "m".into(), kernel: "k".into(), commit: "c".into(), date: "d".into() };
        let text = markdown(&head, &lines);
        assert!(text.contains("| tokio | 3 (1) | 1000 | 2000 | 0.80 | 0.80 to 0.80 | 0.85 |"), "{text}");
    }
}

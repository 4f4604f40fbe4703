//! Answers about certificates, for people.

use std::fmt::Write as _;

use linchpin_control::acme::{CertificateReport, Gravity, LineReport, PlanFinding};

use crate::cli::show::printable;
use crate::when::TimeStyle;

/// Lines of the log that are shown.
const NOTES: usize = 6;

/// Findings, one a line.
pub(super) fn plan(found: &[PlanFinding]) -> String {
    let word = |mark| match mark {
        Gravity::Ok => "ok",
        Gravity::Warn => "warn",
        Gravity::Fail => "fail",
    };
    found.iter().map(|one| format!("{:<5} {}\n", word(one.mark), printable(&one.text))).collect()
}

/// How a try went.
pub(super) fn tried(line: &LineReport, times: TimeStyle) -> String {
    let end = match &line.current {
        Some(held) => format!("a certificate came: {}\n", certificate(held, times)),
        None => "no certificate came\n".to_owned(),
    };
    format!("{}\n{}{end}", line.title(), notes(line, usize::MAX, times))
}

/// Each line with its certificate, what comes next, and the end of its log.
pub(super) fn lines(lines: &[LineReport], times: TimeStyle) -> String {
    lines.iter().map(|one| line(one, times)).collect()
}

fn line(line: &LineReport, times: TimeStyle) -> String {
    let mut out = format!("{}\n  names     {}\n", line.title(), line.names.join(", "));
    let held = line.current.as_ref().map_or_else(|| "none yet".to_owned(), |held| certificate(held, times));
    let _ = writeln!(out, "  serves    {held}");
    if let Some(previous) = &line.previous {
        let _ = writeln!(out, "  before    {}", certificate(previous, times));
    }
    let due = match line.due_s.max(line.not_before_s) {
        0 => "now".to_owned(),
        at_s => times.date(at_s),
    };
    let _ = writeln!(out, "  next      {due} ({}, {} failures in a row)", line.state, line.failures);
    let _ = writeln!(out, "  alarm     {}", line.alarm);
    out + &notes(line, NOTES, times)
}

fn certificate(held: &CertificateReport, times: TimeStyle) -> String {
    let reaches = if held.reaches_devices { "devices have its root" } else { "NO device has its root" };
    let revoked = if held.revoked { ", REVOKED" } else { "" };
    format!(
        "{} until {}, {reaches}{revoked}, by {}",
        held.serial,
        times.date(held.not_after_s),
        printable(&held.directory)
    )
}

fn notes(line: &LineReport, most: usize, times: TimeStyle) -> String {
    let skipped = line.log.len().saturating_sub(most);
    line.log[skipped..].iter().map(|note| format!("  {}  {}\n", times.date(note.at_s), printable(&note.text))).collect()
}

/// What happened last.
pub(super) fn last_note(line: &LineReport) -> &str {
    line.log.last().map_or("the log says why", |note| note.text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use linchpin_control::acme::OrderNote;

    #[test]
    fn a_line_says_what_serves_what_comes_and_what_was() {
        let held = CertificateReport {
            serial: "0a1b".to_owned(),
            directory: "https://ca/dir".to_owned(),
            not_before_s: 1_800_000_000,
            not_after_s: 1_807_776_000,
            reaches_devices: true,
            revoked: false,
        };
        let log = (0..9).map(|at| OrderNote { at_s: 1_800_000_000 + at, text: format!("step {at}\u{7}") }).collect();
        let line = LineReport {
            names: vec!["node.example".to_owned(), "www.example".to_owned()],
            kind: "rsa".to_owned(),
            profile: String::new(),
            current: Some(held.clone()),
            previous: Some(CertificateReport { reaches_devices: false, revoked: true, ..held }),
            state: "idle".to_owned(),
            due_s: 1_805_000_000,
            not_before_s: 0,
            failures: 0,
            alarm: "ok".to_owned(),
            log,
        };
        let text = lines(std::slice::from_ref(&line), TimeStyle::Utc);
        for part in [
            "node.example (rsa)\n",
            "node.example, www.example",
            "0a1b until 2027-04-15T08:00:00Z, devices have its root, by https://ca/dir",
            "NO device has its root, REVOKED",
            "next      2027-03-14T04:53:20Z (idle, 0 failures in a row)",
            "step 8\u{fffd}\n",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("step 2"), "only the end of the log: {text}");
        let fresh = LineReport { current: None, previous: None, due_s: 0, ..line };
        assert!(lines(std::slice::from_ref(&fresh), TimeStyle::Utc).contains("serves    none yet\n  next      now"));
        assert!(tried(&fresh, TimeStyle::Utc).ends_with("no certificate came\n"));
    }
}

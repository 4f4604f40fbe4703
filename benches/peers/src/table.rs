//! The table: middle and range of each server's rounds, and how often ours fits into it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use linchpin_bench_compare::results::Measurement;

use crate::METRIC;
use crate::plan::Transport;
use crate::subject::Subject;

/// Middle, least and most of some figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) count: usize,
    pub(crate) least: f64,
    pub(crate) middle: f64,
    pub(crate) most: f64,
}

impl Summary {
    /// `None` without any figure. The middle of an even number is the mean of its two middle ones.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let half = values.len() / 2;
        let middle =
            if values.len().is_multiple_of(2) { f64::midpoint(values[half - 1], values[half]) } else { values[half] };
        Some(Self { count: values.len(), least, middle, most })
    }
}

/// Valid measurements of a server with so many connections.
fn valid<'a>(all: &'a [Measurement], subject: &str, connections: u32) -> impl Iterator<Item = &'a Measurement> {
    all.iter().filter(move |one| {
        one.valid && one.metric == METRIC && one.subject == subject && one.connections == connections
    })
}

/// Figures of a row and a server: (round, value). Of a round that was made again, the last counts.
fn figures(all: &[Measurement], row: &str, subject: &str, connections: u32) -> Vec<(u32, f64)> {
    let wanted = valid(all, subject, connections).filter(|one| one.row == row);
    let by_round: BTreeMap<u32, f64> = wanted.map(|one| (one.round, one.value)).collect();
    by_round.into_iter().collect()
}

/// Ratios of the rounds that both have, second to first.
fn paired(ours: &[(u32, f64)], theirs: &[(u32, f64)]) -> Vec<f64> {
    let same = |round: u32| ours.iter().find(|(other, value)| *other == round && *value > 0.0);
    theirs.iter().filter_map(|(round, value)| Some(value / same(*round)?.1)).collect()
}

/// The Markdown table of these servers, each with the name of its wire.
pub(crate) fn markdown(all: &[Measurement], subjects: &[(&str, &str)], connections: u32) -> String {
    let mut text = format!(
        "### Memory per idle connection, {connections} connections: growth of the resident set, bytes a connection\n\n\
         Median (least to most; rounds) of fresh servers; times Linchpin: median of the rounds' ratios; before: resident \
         without a connection, MiB.\n\n\
         | server | wire | plain | times Linchpin | TLS 1.3 | times Linchpin | before |\n|---|---|---|---|---|---|---|\n"
    );
    for (subject, wire) in subjects {
        let _ = write!(text, "| {subject} | {wire} |");
        for transport in Transport::ALL {
            let of = |name: &str| figures(all, transport.row(), name, connections);
            let (ours, theirs) = (of(Subject::Linchpin.name()), of(subject));
            let ratio = Summary::of(paired(&ours, &theirs)).map_or("-".to_owned(), |s| format!("{:.1}", s.middle));
            let cell = Summary::of(theirs.iter().map(|figure| figure.1).collect())
                .map_or("-".to_owned(), |s| format!("{:.0} ({:.0} to {:.0}; {})", s.middle, s.least, s.most, s.count));
            let _ = write!(text, " {cell} | {ratio} |");
        }
        let before = valid(all, subject, connections).map(|one| one.before_bytes as f64 / f64::from(1 << 20)).collect();
        let before = Summary::of(before).map_or("-".to_owned(), |s| format!("{:.1}", s.middle));
        let _ = writeln!(text, " {before} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(subject: &str, transport: Transport, round: u32, value: f64, valid: bool) -> Measurement {
        Measurement {
            row: transport.row().to_owned(),
            subject: subject.to_owned(),
            round,
            metric: METRIC.to_owned(),
            value,
            valid,
            note: String::new(),
            connections: 50,
            before_bytes: 3 << 19,
        }
    }

    #[test]
    fn the_middle_is_between_the_ends() {
        assert_eq!(Summary::of(vec![]), None);
        let of = |values: &[f64]| Summary::of(values.to_vec()).expect("some");
        assert_eq!(of(&[3.0, -1.0, 2.0]), Summary { count: 3, least: -1.0, middle: 2.0, most: 3.0 });
        assert_eq!(of(&[4.0, 1.0, 3.0, 2.0]).middle, 2.5);
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        assert_eq!(paired(&[(1, 100.0), (3, 200.0)], &[(1, 300.0), (2, 9.0), (3, 400.0)]), [3.0, 2.0]);
        assert_eq!(paired(&[(1, 0.0)], &[(1, 300.0)]), [0.0; 0], "nothing is a multiple of nothing");
    }

    #[test]
    fn a_table_has_what_counts() {
        let all = [
            one("linchpin", Transport::Plain, 1, 100.0, true),
            one("linchpin", Transport::Plain, 2, 200.0, true),
            one("peer 1.0", Transport::Plain, 1, 400.0, true),
            one("peer 1.0", Transport::Plain, 2, 9.0, false),
            one("peer 1.0", Transport::Plain, 2, 1_000.0, true),
            Measurement { connections: 60, ..one("peer 1.0", Transport::Plain, 3, 7.0, true) },
        ];
        let text = markdown(&all, &[("linchpin", "Blynk"), ("peer 1.0", "MQTT")], 50);
        assert!(text.contains("| linchpin | Blynk | 150 (100 to 200; 2) | 1.0 | - | - | 1.5 |"), "{text}");
        assert!(text.contains("| peer 1.0 | MQTT | 700 (400 to 1000; 2) | 4.5 | - | - | 1.5 |"), "{text}");
    }
}

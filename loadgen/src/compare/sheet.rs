//! A comparison as data and as one HTML page.

use std::path::Path;

use serde_json::{Value, json};

use super::statistics::{Difference, Significance};
use crate::exit::Exit;
use crate::report::{html, outcome};
use crate::slo::SloFigure;

/// What a comparison found, figure by figure.
#[derive(Debug)]
pub(super) struct ComparisonSheet {
    title: String,
    /// What to know about both sides.
    pub(super) lines: Vec<String>,
    pub(super) figures: Vec<Value>,
}

impl ComparisonSheet {
    pub(super) const fn new(title: String, lines: Vec<String>) -> Self {
        Self { title, lines, figures: Vec::new() }
    }

    /// Add a figure: what can be said of it, and the value of each run.
    pub(super) fn add(&mut self, figure: SloFigure, change: &Difference, sides: (&[f64], &[f64]), words: &str) {
        let mut entry = found(figure, change, sides);
        entry["words"] = words.into();
        self.figures.push(entry);
    }

    /// Write the page.
    pub(super) fn write(&self, path: &Path) -> Result<(), Exit> {
        let words = self.figures.iter().filter_map(|figure| figure["words"].as_str());
        let text = self.lines.iter().map(String::as_str).chain(words).collect::<Vec<_>>().join("\n");
        let data = json!({
            "title": self.title, "lines": self.lines, "figures": self.figures,
            "command": outcome::command_line(std::env::args()),
        });
        write(path, &html::page(html::PageKind::Comparison, &self.title, &text, &data.to_string()))
    }
}

/// Write a page, in a folder that may be new.
pub(super) fn write(path: &Path, page: &str) -> Result<(), Exit> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(path, page))
        .map_err(|error| Exit::usage(format!("cannot write {}: {error}; choose another place", path.display())))
}

/// A figure for programs. Ratios are B's figure over A's.
fn found(figure: SloFigure, change: &Difference, (a, b): (&[f64], &[f64])) -> Value {
    let finding = match change.finding {
        Significance::Higher => "higher",
        Significance::Lower => "lower",
        Significance::None => "none",
        Significance::TooFew => "too_few",
    };
    // Too few runs have no ratio: nobody is to take a placeholder for one.
    let known = |value: f64| (change.finding != Significance::TooFew).then_some(value);
    let unit = match figure {
        SloFigure::Latency(_) | SloFigure::Mean | SloFigure::Cpu => "us",
        SloFigure::Rate => "per_s",
        SloFigure::Errors => "",
    };
    json!({
        "figure": figure.to_string(), "unit": unit, "finding": finding,
        "ratio": known(change.middle), "low": known(change.low), "high": known(change.high),
        "least": known(change.least()), "level": change.level, "runs": change.runs, "a": a, "b": b,
    })
}

//! The kept results: one JSON object a line, appended when a measurement is done. Several programs append to one file, also
//! lines of other shapes, which are left out.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// What was done.
    pub row: String,
    /// To which server.
    pub subject: String,
    /// In which round, from 1.
    pub round: u32,
    /// What was measured.
    pub metric: String,
    /// The figure, in the unit that the metric's name ends with.
    pub value: f64,
    /// Does it count?
    pub valid: bool,
    /// Remarks; of an invalid one the reason.
    pub note: String,
    /// Connections that were held; 0 in lines of programs that do not say it.
    #[serde(default)]
    pub connections: u32,
    /// Resident memory before the first connection, bytes; 0 in lines of programs that do not say it.
    #[serde(default)]
    pub before_bytes: u64,
}

impl Measurement {
    /// One that counts.
    #[must_use]
    pub fn new(row: &str, subject: &str, round: u32, metric: &str, value: f64) -> Self {
        let (row, subject, metric) = (row.to_owned(), subject.to_owned(), metric.to_owned());
        Self { row, subject, round, metric, value, valid: true, note: String::new(), connections: 0, before_bytes: 0 }
    }
}

/// The file with the measurements that it holds.
#[derive(Debug)]
pub struct Results {
    path: PathBuf,
    file: File,
    all: Vec<Measurement>,
}

/// Measurements of a text, and how many of its bytes are whole lines.
///
/// # Errors
/// The number of a whole line that is no JSON.
fn parse(text: &str) -> Result<(Vec<Measurement>, usize), usize> {
    // A program that was killed leaves a line without its end.
    let whole = text.rfind('\n').map_or(0, |at| at + 1);
    let mut all = Vec::new();
    for (at, line) in text[..whole].lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let value: serde_json::Value = serde_json::from_str(line).map_err(|_| at + 1)?;
        all.extend(serde_json::from_value::<Measurement>(value).ok());
    }
    Ok((all, whole))
}

impl Results {
    /// Open `results.jsonl` in a folder; both are made if they are missing. A torn last line is cut off.
    ///
    /// # Errors
    /// It cannot be read or written, or a line is no JSON.
    pub fn open(folder: &Path) -> Result<Self, String> {
        let path = folder.join("results.jsonl");
        let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
        std::fs::create_dir_all(folder).map_err(wrong)?;
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(wrong)?;
        // A line may be torn within a character.
        let bytes = std::fs::read(&path).map_err(wrong)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let text = String::from_utf8_lossy(&bytes[..whole]);
        let (all, _) =
            parse(&text).map_err(|line| format!("{}: line {line} is no JSON: mend or remove it", path.display()))?;
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(wrong)?;
        }
        Ok(Self { path, file, all })
    }

    /// Is there a valid one?
    #[must_use]
    pub fn has(&self, row: &str, subject: &str, round: u32, connections: u32) -> bool {
        let same = |one: &Measurement| {
            one.valid
                && one.row == row
                && one.subject == subject
                && one.round == round
                && one.connections == connections
        };
        self.all.iter().any(same)
    }

    /// Keep one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn append(&mut self, one: Measurement) -> Result<(), String> {
        let wrong = |error: std::io::Error| format!("{}: {error}", self.path.display());
        let line = serde_json::to_string(&one).map_err(|error| wrong(error.into()))? + "\n";
        // In one piece, so that lines of other programs are not torn.
        self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data()).map_err(wrong)?;
        self.all.push(one);
        Ok(())
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Measurement] {
        &self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(round: u32, valid: bool) -> Measurement {
        Measurement {
            row: "a row".to_owned(),
            subject: "a server 1.0".to_owned(),
            round,
            metric: "rss_bytes_per_connection".to_owned(),
            value: 123.5,
            valid,
            note: "μ".to_owned(),
            connections: 50,
            before_bytes: 4_096,
        }
    }

    /// A folder of one test.
    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("linchpin-results-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn what_was_kept_is_there_again_and_invalid_ones_are_made_again() {
        let folder = folder("kept");
        let mut results = Results::open(&folder).expect("opens");
        results.append(one(1, true)).expect("appends");
        results.append(one(2, false)).expect("appends");
        drop(results);
        let results = Results::open(&folder).expect("opens again");
        assert_eq!(results.all(), [one(1, true), one(2, false)]);
        assert!(results.has("a row", "a server 1.0", 1, 50));
        assert!(!results.has("a row", "a server 1.0", 2, 50), "it was invalid");
        assert!(!results.has("a row", "a server 1.0", 1, 60), "another number of connections");
        assert!(!results.has("a row", "a server 1.1", 1, 50), "another version");
        std::fs::remove_dir_all(folder).expect("removes");
    }

    #[test]
    fn a_torn_line_is_cut_off_wherever_it_was_torn() {
        let line = serde_json::to_string(&one(2, true)).expect("JSON");
        let first = serde_json::to_string(&one(1, true)).expect("JSON") + "\n";
        let folder = folder("torn");
        std::fs::create_dir_all(&folder).expect("a folder");
        for len in 0..=line.len() {
            let torn = [first.as_bytes(), &line.as_bytes()[..len]].concat();
            std::fs::write(folder.join("results.jsonl"), torn).expect("writes");
            let mut results = Results::open(&folder).expect("opens");
            assert_eq!(results.all(), [one(1, true)], "torn at {len}");
            results.append(one(3, true)).expect("appends");
            let results = Results::open(&folder).expect("opens again");
            assert_eq!(results.all(), [one(1, true), one(3, true)], "torn at {len}");
        }
        std::fs::remove_dir_all(folder).expect("removes");
    }

    #[test]
    fn lines_of_other_programs_stay_and_damage_is_told() {
        let mine = serde_json::to_string(&one(1, true)).expect("JSON");
        let others = "{\"row\":\"x\",\"value\":1}\n{\"machine\":\"y\"}\n";
        assert_eq!(parse(&format!("{others}{mine}\n")).map(|parsed| parsed.0), Ok(vec![one(1, true)]));
        assert_eq!(parse(&format!("{mine}\n{{\"row\":\n{mine}\n")), Err(2));
    }
}

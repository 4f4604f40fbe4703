//! `docs/faults.md`: each fault that was found names the tests that show that it is gone.

use std::collections::BTreeMap;

/// A row's name, and what it names: path and test.
pub type Rows = BTreeMap<String, Vec<(String, String)>>;

/// The rows of the tables: `| V1 | ... | `storage/tests/epochs.rs::name` |`.
#[must_use]
pub fn rows(text: &str) -> Rows {
    let mut found = Rows::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let name = line.trim_start_matches("| ").split(' ').next().unwrap_or_default();
        let is_name = name.len() > 1 && name[1..].bytes().all(|byte| byte.is_ascii_digit());
        if !is_name {
            continue;
        }
        let named = line.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::"));
        let named = named.map(|(path, test)| (path.to_owned(), test.to_owned()));
        found.entry(name.to_owned()).or_default().extend(named);
    }
    found
}

/// What is missing: rows that must be there, tests that are not where a row says. `read` gives a file's text.
#[must_use]
pub fn check(rows: &Rows, wanted: &[String], read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let without_row = wanted.iter().filter(|name| rows.get(*name).is_none_or(Vec::is_empty));
    let mut wrong: Vec<_> = without_row.map(|name| format!("{name} names no test")).collect();
    for (name, tests) in rows {
        for (path, test) in tests {
            let has_test = |text: String| {
                let at = text.find(&format!("fn {test}("));
                // A test that nothing runs shows nothing. The lines before it have its mark.
                at.is_some_and(|at| {
                    let before: Vec<&str> = text[..at].lines().rev().take(6).collect();
                    before.iter().any(|line| line.contains("#[test]") || line.contains("#[tokio::test"))
                })
            };
            if !read(path).is_some_and(has_test) {
                wrong.push(format!("{name}: {path} has no test {test}"));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str =
        "| | fault | test |\n|---|---|---|\n| V1 | a `word` | `a.rs::one`, `b.rs::two` |\n| V2 | b | |\nV3";

    #[test]
    fn a_row_without_a_test_and_a_test_that_is_gone_are_named() {
        let rows = rows(PAGE);
        assert_eq!(rows["V1"].len(), 2);
        let read = |path: &str| (path == "a.rs").then(|| "#[test]\nfn one() {}\nfn two() {}".to_owned());
        let wanted = ["V1", "V2", "V3"].map(str::to_owned);
        let wrong = check(&rows, &wanted, read);
        assert_eq!(wrong, ["V2 names no test", "V3 names no test", "V1: b.rs has no test two"]);
    }
}

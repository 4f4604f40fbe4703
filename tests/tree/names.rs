//! Names of types that are defined in more than one file.

use std::collections::{BTreeMap, BTreeSet};

use crate::without_tests;

/// Types that other files can name (`pub`, `pub(crate)`, `pub(super)`), with every file that defines one, where more than
/// one does.
#[must_use]
pub fn twice<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in files {
        for line in without_tests(text).lines() {
            if let Some(name) = defined(line) {
                found.entry(name.to_owned()).or_default().insert(path.to_owned());
            }
        }
    }
    found.retain(|_, paths| paths.len() > 1);
    found
}

/// The type that a line defines for others to use.
fn defined(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let seen = words.next()?;
    if seen != "pub" && !seen.starts_with("pub(") {
        return None;
    }
    if !["struct", "enum", "trait", "type", "union"].contains(&words.next()?) {
        return None;
    }
    let name = words.next()?;
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    (end > 0).then(|| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_two_files_is_found_and_one_in_a_test_is_not() {
        let files = [
            ("a.rs", "pub struct Report<T> {}\npub(crate) enum Only;"),
            ("b.rs", "    pub(super) trait Report: Sized {}\nstruct Only;"),
            ("c.rs", "use x;\n#[cfg(test)]\nmod tests {\n    pub struct Report;\n}"),
        ];
        let found = twice(files);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found["Report"].iter().map(String::as_str).collect::<Vec<_>>(), ["a.rs", "b.rs"]);
    }
}

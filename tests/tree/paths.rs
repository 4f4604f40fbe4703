//! Paths that documents name.

use std::path::Path;

/// Folders that a path of this tree begins with.
const ROOMS: [&str; 9] =
    ["benches/", "docs/", "engine/", "loadgen/", "packaging/", "protocol/", "storage/", "tests/", ".ci/"];

/// Paths of this tree in a document, without a line or item behind them: `engine/tls/src/lib.rs`, `docs/limits.md#x`.
#[must_use]
pub fn named(text: &str) -> Vec<String> {
    let separators = |c: char| c.is_whitespace() || "`\"'()[]<>,;|*".contains(c);
    let mut found = Vec::new();
    for word in text.split(separators) {
        let word = word.split(['#', ':']).next().unwrap_or_default().trim_end_matches(['.', '/']);
        let in_room = ROOMS.iter().any(|room| word.starts_with(room)) && !word.contains("//");
        if in_room && !word.contains(['{', '$', '?', '=', '…']) && !word.contains("...") {
            found.push(word.to_owned());
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Paths in a document at `path` that are neither in the tree nor beside the document.
#[must_use]
pub fn missing(root: &Path, path: &str, text: &str) -> Vec<String> {
    let beside = root.join(path);
    let beside = beside.parent().unwrap_or(root);
    let is_there = |name: &String| root.join(name).exists() || beside.join(name).exists();
    let lost = named(text).into_iter().filter(|name| !is_there(name));
    lost.map(|name| format!("{path} names {name}, which does not exist")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_and_what_only_looks_like_one_is_not() {
        let text =
            "See `engine/tls/src/lib.rs:12`, (docs/limits.md#x). Not engine/{a,b}, nor tests/$NAME, http://docs/x.";
        assert_eq!(named(text), ["docs/limits.md", "engine/tls/src/lib.rs"]);
    }

    #[test]
    fn a_path_that_is_gone_is_named() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let wrong = missing(root, "docs/x.md", "engine/src/no_such_file.rs and docs/limits.md and decisions");
        assert_eq!(wrong, ["docs/x.md names engine/src/no_such_file.rs, which does not exist"]);
    }
}

//! Rules of the source tree, as functions of its texts: `tidy.rs` applies them to the tree, and each is tested on a text
//! that breaks it.

use std::collections::BTreeSet;

pub use left_out::{can_or_left_out, left_out};
use tree::units;

mod left_out;
pub mod tree;

/// What each crate of ours may use of ours. Tests and benches may use anything.
pub const ARROWS: &[(&str, &[&str])] = &[
    (
        "linchpin",
        &[
            "linchpin-cluster",
            "linchpin-console",
            "linchpin-control",
            "linchpin-driver",
            "linchpin-protocol",
            "linchpin-shard",
            "linchpin-storage",
            "linchpin-tls",
        ],
    ),
    ("linchpin-control", &["linchpin-protocol", "linchpin-shard", "linchpin-storage", "linchpin-tls"]),
    ("linchpin-console", &[]),
    ("linchpin-shard", &["linchpin-protocol", "linchpin-tls"]),
    ("linchpin-storage", &["linchpin-protocol"]),
    ("loadgen", &["linchpin-driver", "linchpin-protocol", "linchpin-tls"]),
    ("linchpin-driver", &[]),
    ("linchpin-tls", &[]),
    ("linchpin-protocol", &[]),
];

/// Crates of others that only these of ours may use.
pub const OWNED: &[(&str, &[&str])] = &[
    ("io-uring", &["linchpin-driver"]),
    ("mio", &["linchpin-driver"]),
    ("libc", &["linchpin-driver"]),
    ("tokio", &["linchpin-control"]),
    ("rocksdb", &["linchpin-storage"]),
    ("rustls", &["linchpin-tls", "linchpin-control"]),
];

/// Words that name nothing.
pub const BANNED_WORDS: &[&str] =
    &["manager", "helper", "util", "utils", "common", "misc", "handler", "service", "data", "info", "process"];

/// Longest source file without its tests, lines.
pub const FILE_LINES: usize = 800;
/// Longest function, lines; what is longer stands in `fixtures/tidy.toml` and may only shrink.
pub const FUNCTION_LINES: usize = 70;

fn dependencies<'a>(manifest: &'a toml::Table, section: &str) -> impl Iterator<Item = &'a String> {
    manifest.get(section).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys)
}

/// Arrows of a manifest that the design does not have.
#[must_use]
pub fn wrong_arrows(manifest: &toml::Table) -> Vec<String> {
    let name = manifest["package"]["name"].as_str().unwrap_or_default().to_owned();
    let Some((_, allowed)) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name) else { return Vec::new() };
    let mut wrong = Vec::new();
    for used in dependencies(manifest, "dependencies") {
        if used.starts_with("linchpin") && !allowed.contains(&used.as_str()) {
            wrong.push(format!("{name} must not use {used}"));
        }
        if let Some((_, owners)) = OWNED.iter().find(|(owned, _)| owned == used)
            && !owners.contains(&name.as_str())
        {
            wrong.push(format!("{name} must not use {used}: it belongs to {owners:?}"));
        }
    }
    wrong
}

/// A crate of ours that does not take the workspace's lints (and with them `unsafe_code = "forbid"`).
#[must_use]
pub fn lints_missing(manifest: &toml::Table) -> Option<String> {
    let name = manifest["package"]["name"].as_str().unwrap_or_default().to_owned();
    let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
    let explains_unsafe = ["linchpin-driver", "linchpin-bench-runtimes"].contains(&name.as_str());
    (inherits != Some(true) && !explains_unsafe).then(|| format!("{name} does not take the workspace's lints"))
}

/// Source without its test module at the end.
#[must_use]
pub fn without_tests(source: &str) -> &str {
    source.find("\n#[cfg(test)]\nmod tests").map_or(source, |at| &source[..at])
}

/// Is the file too long?
#[must_use]
pub fn too_long(source: &str) -> Option<usize> {
    let lines = without_tests(source).lines().count();
    (lines > FILE_LINES).then_some(lines)
}

/// Functions with their lengths, as rustfmt lays them out: from `fn` to the brace in the same column.
#[must_use]
pub fn functions(source: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let words = [
            "fn ",
            "pub fn ",
            "pub(crate) fn ",
            "pub(super) fn ",
            "const fn ",
            "pub const fn ",
            "async fn ",
            "unsafe fn ",
        ];
        let Some(rest) = words.iter().find_map(|word| code.strip_prefix(word)) else { continue };
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let end = lines[at..].iter().position(|l| *l == format!("{}}}", " ".repeat(indent)));
        if let Some(end) = end
            && !code.ends_with(';')
        {
            found.push((name, end + 1));
        }
    }
    found
}

/// Types, functions and modules that are called by a word that names nothing.
#[must_use]
pub fn banned_names(path: &str, source: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let file = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    if BANNED_WORDS.contains(&file) {
        wrong.push(format!("{path}: a file called {file}"));
    }
    for (number, line) in without_tests(source).lines().enumerate() {
        let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
        let kind = words.next().unwrap_or_default();
        if !["struct", "enum", "trait", "mod", "type"].contains(&kind) {
            continue;
        }
        let name: String =
            words.next().unwrap_or_default().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let last =
            name.char_indices().rev().find(|(_, c)| c.is_uppercase()).map_or(name.as_str(), |(at, _)| &name[at..]);
        if BANNED_WORDS.contains(&last.to_lowercase().as_str()) {
            wrong.push(format!("{path}:{}: {kind} {name}", number + 1));
        }
    }
    wrong
}

/// Uses of `unsafe` that are outside the driver or have no reason above them.
#[must_use]
pub fn wrong_unsafe(path: &str, source: &str) -> Vec<String> {
    let lines: Vec<&str> = source.lines().collect();
    let mut wrong = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        if !code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe") {
            continue;
        }
        let allowed = path.starts_with("engine/driver/") || path.starts_with("benches/runtimes/");
        let reason = lines[at.saturating_sub(12)..=at].iter().any(|above| above.contains("SAFETY:"));
        if !allowed || !reason {
            wrong.push(format!(
                "{path}:{}: unsafe {}",
                at + 1,
                if allowed { "without a reason" } else { "outside the driver" }
            ));
        }
    }
    wrong
}

/// Marks of unfinished work and of tests that are switched off.
#[must_use]
pub fn unfinished(path: &str, source: &str) -> Vec<String> {
    let marks = [
        concat!("#[", "ignore"),
        concat!("to", "do!("),
        concat!("un", "implemented!("),
        concat!("FIX", "ME"),
        concat!("assert!(", "true)"),
    ];
    let lines = source.lines().enumerate();
    let hits = lines.filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)));
    hits.map(|(at, line)| format!("{path}:{}: {}", at + 1, line.trim())).collect()
}

/// One bound of a `limits.rs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its name.
    pub name: String,
    /// Its value as written.
    pub value: String,
    /// What it bounds, with its unit and reason.
    pub meaning: String,
}

impl Limit {
    /// Is it the size of something that is kept for each connection or device?
    #[must_use]
    pub fn is_of_structure(&self) -> bool {
        self.meaning.starts_with(STRUCTURE)
    }
}

/// The bounds of a `limits.rs`, in their order.
#[must_use]
pub fn limits(source: &str) -> Vec<Limit> {
    let mut meaning = String::new();
    let (mut found, mut unfinished) = (Vec::new(), None);
    for line in source.lines() {
        if let Some(text) = line.strip_prefix("///") {
            meaning += text;
            continue;
        }
        if let Some(open) = unfinished.as_mut() {
            let Limit { value, .. }: &mut Limit = open;
            *value = format!("{value} {}", line.trim());
            if line.trim_end().ends_with(';') {
                *value = value.trim_end_matches(';').replace("[ ", "[").replace(", ]", "]");
                found.extend(unfinished.take());
            }
            continue;
        }
        let code = line.strip_prefix("pub(crate) const ").or_else(|| line.strip_prefix("pub const "));
        if let Some((name, rest)) = code.and_then(|code| code.split_once(':')) {
            let value = rest.split_once('=').map_or("", |(_, value)| value).trim().trim_end_matches(';');
            let limit = Limit { name: name.to_owned(), value: value.to_owned(), meaning: meaning.trim().to_owned() };
            if line.trim_end().ends_with(';') {
                found.push(limit);
            } else {
                unfinished = Some(limit);
            }
        }
        meaning.clear();
    }
    found
}

/// How the meaning of a size that is kept for each connection or device begins. The code asserts each at compile time.
const STRUCTURE: &str = "Structure: ";

/// `docs/limits.md` from all `limits.rs` files.
#[must_use]
pub fn limits_page(files: &[(String, String)]) -> String {
    let page = String::from(
        "# Limits\n\nEvery queue, buffer, table and timeout is bounded. This page is generated from the `limits.rs` files \
         (`LINCHPIN_BLESS=1 cargo test -p linchpin-tests`).\n\n## Bytes of each connection and device\n\nWhat is kept for \
         each, asserted at compile time: a structure that grows does not build before this page says so.\n",
    );
    let all: Vec<_> = files.iter().map(|(path, source)| (path, limits(source))).collect();
    let known = units::numbers(all.iter().flat_map(|(_, found)| found).map(|one| (&*one.name, &*one.value)));
    let (mut structures, mut bounds) = (String::from("\n| name | size | what |\n|---|---|---|\n"), String::new());
    for (path, found) in all {
        bounds += &format!("\n## {path}\n\n| name | value | what |\n|---|---|---|\n");
        for Limit { name, value, meaning } in found {
            let of = if meaning.starts_with(STRUCTURE) { &mut structures } else { &mut bounds };
            let what = meaning.strip_prefix(STRUCTURE).unwrap_or(&meaning).replace('|', "\\|");
            let value = units::in_words(&name, &value, &known).replace('|', "\\|");
            *of += &format!("| `{name}` | {value} | {what} |\n");
        }
    }
    page + &structures + &bounds
}

/// The entries of a catalogue, `macro! { .. }` in a source.
fn entries<'a>(source: &'a str, begins: &str) -> Result<impl Iterator<Item = &'a str>, String> {
    let table = source.split_once(begins).and_then(|(_, rest)| rest.split_once("\n}\n"));
    let table = table.ok_or_else(|| format!("no {} }} in the file", begins.trim()))?.0;
    let entries = table.split(";\n").map(|entry| entry.trim().trim_end_matches(';'));
    Ok(entries.filter(|entry| !entry.is_empty()))
}

/// `docs/errors.md` from the catalogues of ends and of what live sockets are refused.
///
/// # Errors
/// A catalogue could not be read.
pub fn errors_page(ends: &str, refusals: &str) -> Result<String, String> {
    let mut page = String::from(
        "# How connections end\n\nEvery end has a code that never changes its meaning; `linchpin explain CODE` says the same. \
         This page is generated from `engine/shard/src/end.rs` (`LINCHPIN_BLESS=1 cargo test -p linchpin-tests`).\n\n\
         | code | what happened | what to do | who |\n|---|---|---|---|\n",
    );
    for entry in entries(ends, "\nends! {\n")? {
        let (name, rest) = entry.split_once(" = ").ok_or_else(|| format!("no code in {entry:?}"))?;
        let (code, rest) = rest.split_once(", ").ok_or_else(|| format!("no blame for {name}"))?;
        let (blame, rest) = rest.split_once(", ").ok_or_else(|| format!("no text for {name}"))?;
        let texts: Vec<&str> = rest.split('"').collect();
        let (Some(what), Some(fix)) = (texts.get(1), texts.get(3)) else {
            return Err(format!("no sentence or fix for {name}"));
        };
        page += &format!("| E{code:0>4} | {what} | {fix} | {} |\n", blame.to_lowercase());
    }
    page += "\n## What a live socket is refused\n\nThe socket goes on. From `engine/shard/src/live/refusal.rs`.\n\n\
             | code | what happened | what to do |\n|---|---|---|\n";
    for entry in entries(refusals, "\nrefusals! {\n")? {
        let texts: Vec<&str> = entry.split('"').collect();
        let code = entry.split_once(" = ").and_then(|(_, rest)| rest.split_once(',')).map(|(code, _)| code);
        let (Some(code), Some(what), Some(fix)) = (code, texts.get(1), texts.get(3)) else {
            return Err(format!("no code, sentence or fix in {entry:?}"));
        };
        page += &format!("| E{code:0>4} | {what} | {fix} |\n");
    }
    Ok(page)
}

/// Crates that a set of ours needs in normal builds on this machine, from what `cargo tree --edges normal --prefix none`
/// printed.
#[must_use]
pub fn crates_needed(tree: &str) -> BTreeSet<String> {
    tree.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

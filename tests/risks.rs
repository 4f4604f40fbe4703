//! What a review would look for at every change: known weaknesses of crates, dangerous patterns, faults that were mended.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use linchpin_tests::tree;
use linchpin_tests::tree::advisories::{Snapshot, locked};
use linchpin_tests::tree::files::{expect_none, files, read, root};

fn snapshot() -> Snapshot {
    Snapshot::parse(&read("tests/fixtures/advisories.toml")).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn no_locked_crate_has_a_known_weakness() {
    let packages = locked(&read("Cargo.lock")).expect("a lock file");
    assert!(packages.len() > 100, "{} packages", packages.len());
    expect_none(snapshot().check(&packages));
}

/// The age of what is known is said at the end of `make test`; `LINCHPIN_RELEASE=1`, which releases are made with, fails.
#[test]
fn the_advisories_are_not_old() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let Some(said) = snapshot().stale((now.as_secs() / 86_400) as i64) else { return };
    assert!(std::env::var_os("LINCHPIN_RELEASE").is_none(), "{said}");
    linchpin_tests::left_out(&format!("known weaknesses of crates: {said}"));
}

/// What `patch` says of a patch that does not fit the tree.
fn misfit(patch: &Path) -> Option<String> {
    let mut tried = Command::new("patch");
    tried.args(["--dry-run", "--force", "--strip=1", "--directory"]).arg(root()).arg("--input").arg(patch);
    let said = tried.output().expect("patch is installed: run make setup");
    (!said.status.success()).then(|| String::from_utf8_lossy(&said.stdout).into_owned())
}

/// `tests/mutants.sh` is run by hand: what it takes out must fit the tree meanwhile, and be there for each line of its list.
#[test]
fn the_switches_of_the_mutants_fit_the_tree() {
    /// Switches from here on are permissions, all in one place.
    const PERMISSIONS: u32 = 100;
    expect_none(misfit(&root().join("tests/mutants/switches.patch")));
    let (list, switches) = (read("tests/mutants/list"), read("tests/mutants/switches.patch"));
    let numbers = list.lines().filter_map(|line| line.split_once(" | ")?.0.parse::<u32>().ok());
    let missing = |number: &u32| *number < PERMISSIONS && !switches.contains(&format!("mutant({number})"));
    expect_none(numbers.filter(missing).map(|number| format!("no switch {number}")));
    let bad = std::env::temp_dir().join(format!("linchpin-bad-{}.patch", std::process::id()));
    let text = switches.replacen("pub fn may_assign", "pub fn may_not_assign", 1);
    std::fs::write(&bad, text).expect("writes");
    let found = misfit(&bad);
    std::fs::remove_file(&bad).expect("is there");
    assert!(found.is_some_and(|said| said.contains("FAILED")));
}

/// Lists of files in `tests/fixtures/tidy.toml`.
fn listed(name: &str) -> Vec<String> {
    let list: toml::Table = read("tests/fixtures/tidy.toml").parse().expect("TOML");
    list["dangers"][name].clone().try_into().expect("paths")
}

fn product() -> Vec<(String, String)> {
    files(".rs").into_iter().filter(|(path, _)| tree::is_product(path)).collect()
}

/// Files where a rule holds must be among those that the list names.
fn expect_listed(what: &str, name: &str, holds: impl Fn(&str) -> bool) {
    let known = listed(name);
    let found: Vec<String> = product().into_iter().filter(|(_, text)| holds(text)).map(|(path, _)| path).collect();
    let new = found.iter().filter(|path| !known.contains(path));
    expect_none(new.map(|path| format!("{path} {what}: tests/fixtures/tidy.toml lists those that have a reason")));
}

#[test]
fn no_channel_of_the_product_is_without_a_bound() {
    expect_listed("has a channel without a bound", "channels", |text| !tree::dangers::unbounded("", text).is_empty());
}

#[test]
fn no_secret_is_put_into_a_text() {
    expect_listed("puts a secret into a text", "shown", tree::dangers::shows_secrets);
}

#[test]
fn threads_begin_where_somebody_watches_them() {
    expect_listed("begins a thread", "threads", tree::dangers::begins_threads);
}

#[test]
fn every_fault_that_was_found_names_its_tests() {
    let rows = tree::faults::rows(&read("docs/faults.md"));
    let names = [("V", 19), ("A", 8), ("T", 10)];
    let wanted: Vec<String> =
        names.iter().flat_map(|(letter, last)| (1..=*last).map(move |n| format!("{letter}{n}"))).collect();
    expect_none(tree::faults::check(&rows, &wanted, |path| std::fs::read_to_string(root().join(path)).ok()));
}

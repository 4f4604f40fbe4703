//! Known weaknesses of the crates that are locked, from a snapshot in the tree: nothing is asked of a network.

use std::collections::BTreeMap;

use semver::{Version, VersionReq};

/// At this age of the snapshot tests say so, and releases fail, days.
pub const FRESH_DAYS: i64 = 60;

/// What is known of one crate.
#[derive(Debug)]
struct Advisory {
    id: String,
    package: String,
    patched: Vec<VersionReq>,
    unaffected: Vec<VersionReq>,
}

/// A snapshot.
#[derive(Debug)]
pub struct Snapshot {
    /// Day of its newest advisory, days since 1970.
    pub day: i64,
    covers: Vec<String>,
    accepted: BTreeMap<String, String>,
    advisories: Vec<Advisory>,
}

/// Days since 1970 of `2026-11-29`.
fn day(date: &str) -> Option<i64> {
    let mut parts = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    // Years begin in March, so that the day that may be missing is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    Some(year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469)
}

fn texts(table: &toml::Table, name: &str) -> Result<Vec<String>, String> {
    let Some(list) = table.get(name) else { return Ok(Vec::new()) };
    list.clone().try_into().map_err(|error| format!("{name}: {error}"))
}

fn ranges(table: &toml::Table, name: &str) -> Result<Vec<VersionReq>, String> {
    let parse = |text: String| VersionReq::parse(&text).map_err(|error| format!("{text}: {error}"));
    texts(table, name)?.into_iter().map(parse).collect()
}

impl Snapshot {
    /// From `tests/fixtures/advisories.toml`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error| format!("{error}"))?;
        let date = table.get("date").and_then(toml::Value::as_str).unwrap_or_default();
        let accepted = table.get("accepted").cloned().unwrap_or_else(|| toml::Table::new().into());
        let mut advisories = Vec::new();
        for entry in table.get("advisory").and_then(toml::Value::as_array).into_iter().flatten() {
            let entry = entry.as_table().ok_or("an advisory is no table")?;
            let text = |name| entry.get(name).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
            let (id, package) = (text("id"), text("package"));
            let (patched, unaffected) = (ranges(entry, "patched")?, ranges(entry, "unaffected")?);
            advisories.push(Advisory { id, package, patched, unaffected });
        }
        Ok(Self {
            day: day(date).ok_or_else(|| format!("{date:?} is no date"))?,
            covers: texts(&table, "covers")?,
            accepted: accepted.try_into().map_err(|error| format!("accepted: {error}"))?,
            advisories,
        })
    }

    /// What is wrong with the locked packages, and with the snapshot itself.
    #[must_use]
    pub fn check(&self, locked: &[(String, String)]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut unused: Vec<&String> = self.accepted.keys().collect();
        for (name, text) in locked {
            let Ok(version) = Version::parse(text) else {
                wrong.push(format!("{name}: {text} is no version"));
                continue;
            };
            for advisory in self.advisories.iter().filter(|advisory| advisory.package == *name) {
                let is_in = |ranges: &[VersionReq]| ranges.iter().any(|range| range.matches(&version));
                if is_in(&advisory.patched) || is_in(&advisory.unaffected) {
                    continue;
                }
                unused.retain(|id| **id != advisory.id);
                if !self.accepted.contains_key(&advisory.id) {
                    wrong.push(format!("{name} {version} has {}: mended in {:?}", advisory.id, advisory.patched));
                }
            }
        }
        wrong.extend(unused.into_iter().map(|id| format!("{id} is accepted and hits nothing: take it out")));
        let is_locked = |name: &String| locked.iter().any(|(locked, _)| locked == name);
        let gone = self.covers.iter().filter(|name| !is_locked(name));
        wrong.extend(gone.map(|name| format!("{name} is covered and not locked: take it out")));
        let strangers = self.advisories.iter().filter(|advisory| !self.covers.contains(&advisory.package));
        wrong.extend(strangers.map(|advisory| format!("{} is not among what is covered", advisory.package)));
        wrong
    }

    /// Is it older than [`FRESH_DAYS`]? What to say then.
    #[must_use]
    pub fn stale(&self, today: i64) -> Option<String> {
        let age = today - self.day;
        (age > FRESH_DAYS).then(|| {
            format!("the advisories in tests/fixtures/advisories.toml are {age} days old, {FRESH_DAYS} are allowed for a release")
        })
    }
}

/// Name and version of each package of a lock file that is not of the workspace.
///
/// # Errors
/// It is no lock file.
pub fn locked(text: &str) -> Result<Vec<(String, String)>, String> {
    let table: toml::Table = text.parse().map_err(|error| format!("{error}"))?;
    let packages = table.get("package").and_then(toml::Value::as_array).ok_or("no packages")?;
    let text = |package: &toml::Value, name| {
        package.get(name).and_then(toml::Value::as_str).map(str::to_owned).ok_or_else(|| format!("no {name}"))
    };
    let foreign = packages.iter().filter(|package| package.get("source").is_some());
    foreign.map(|package| Ok((text(package, "name")?, text(package, "version")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNAPSHOT: &str = "date = \"2026-09-14\"\ncovers = [\"a\", \"b\"]\n[accepted]\nX-2 = \"why\"\n\
        [[advisory]]\nid = \"X-1\"\npackage = \"a\"\npatched = [\">= 1.2.3\"]\nunaffected = [\"< 1.0.0\"]\n\
        [[advisory]]\nid = \"X-2\"\npackage = \"b\"\npatched = []\n";

    fn check(a: &str) -> Vec<String> {
        let locked = [("a".to_owned(), a.to_owned()), ("b".to_owned(), "0.1.0".to_owned())];
        Snapshot::parse(SNAPSHOT).expect("a snapshot").check(&locked)
    }

    #[test]
    fn a_locked_version_with_a_weakness_is_named() {
        assert_eq!(check("1.2.3"), [""; 0]);
        assert_eq!(check("0.9.0"), [""; 0]);
        assert!(check("1.2.2")[0].starts_with("a 1.2.2 has X-1"));
        assert!(check("1.2.3+5")[..].is_empty(), "build metadata does not count");
        let lock = "[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n[[package]]\nname = \"a\"\nversion = \"1.2.2\"\nsource = \"r\"";
        assert_eq!(locked(lock), Ok(vec![("a".to_owned(), "1.2.2".to_owned())]));
    }

    #[test]
    fn what_is_of_no_use_any_more_is_named() {
        let snapshot = Snapshot::parse(SNAPSHOT).expect("a snapshot");
        let wrong = snapshot.check(&[("a".to_owned(), "1.2.3".to_owned())]);
        assert_eq!(
            wrong,
            ["X-2 is accepted and hits nothing: take it out", "b is covered and not locked: take it out"]
        );
    }

    #[test]
    fn an_old_snapshot_says_so() {
        let snapshot = Snapshot::parse(SNAPSHOT).expect("a snapshot");
        assert_eq!((day("1970-01-01"), day("2000-03-01"), day("2026-11-29")), (Some(0), Some(11_017), Some(20_786)));
        assert_eq!(snapshot.stale(snapshot.day + FRESH_DAYS), None);
        assert!(snapshot.stale(snapshot.day + FRESH_DAYS + 1).expect("old").contains("61 days old"));
        assert!(Snapshot::parse("date = \"soon\"").is_err());
    }
}

//! `linchpin status`: how the server is, for people.

use std::time::Duration;

use linchpin_control::request::{Status, StatusAnswer, StoreGlance};
use linchpin_control::{Figure, OF_SHARD};

use super::args::At;
use super::client;
use super::failure::Failure;
use super::output::{json_line, say};
use crate::when::{self, TimeStyle};

/// Rates are what grew in this time.
const SAMPLE: Duration = Duration::from_millis(500);
/// Ends that are listed.
const ENDS: usize = 8;
const DAY_S: u64 = 86_400;

/// See the module's page.
pub(super) fn run(at: &At, shards: bool) -> Result<(), Failure> {
    let socket = at.socket()?;
    let look = || client::ask(&socket, &Status {}).map_err(Failure::general);
    let first = look()?;
    if at.json {
        return say(&json_line(&first.json)?);
    }
    std::thread::sleep(SAMPLE);
    let now = look()?.it;
    let grown = messages(&now).saturating_sub(messages(&first.it)) as f64 / SAMPLE.as_secs_f64();
    say(&text(&now, grown, TimeStyle::of(at.utc), when::now_s()))?;
    if shards { say(&table(&now)) } else { Ok(()) }
}

/// What devices have sent, by any wire.
pub(super) fn messages(status: &StatusAnswer) -> u64 {
    ["frames", "packets", "requests"].iter().map(|key| status.all.number(key)).sum()
}

/// A number with commas: `1,912`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes in the unit that fits: `92 MB`.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} KB", count / 1_000),
        10_000_000..10_000_000_000 => format!("{} MB", count / 1_000_000),
        _ => format!("{} GB", count / 1_000_000_000),
    }
}

/// The page, without the table of shards.
fn text(status: &StatusAnswer, per_second: f64, times: TimeStyle, now_s: u64) -> String {
    let all = &status.all;
    let drains =
        if all.number("draining") > 0 { "DRAINING (linchpin drain --undo takes it back)" } else { "not draining" };
    let mut out = format!(
        "linchpin {} ({}), up {}, {drains}\n{} of {} devices online, {} of {} connections, {:.0} messages a second{}\n",
        status.version,
        status.commit,
        when::span(status.uptime_s),
        grouped(all.number("online")),
        grouped(all.number("devices")),
        grouped(all.number("connections")),
        grouped(status.capacity),
        per_second,
        status.memory_bytes.map_or_else(String::new, |held| format!(", {} of memory", bytes(held))),
    );
    match &status.store {
        Some(store) => out += &store_text(store, times, now_s),
        None => out += "state in memory only: it is gone when the server stops\n",
    }
    if let Some(end_s) = status.certificate_end_s {
        out += &match end_s.checked_sub(now_s) {
            Some(left_s) => format!("certificate ends in {} days ({})\n", left_s / DAY_S, times.date(end_s)),
            None => format!("certificate ENDED on {}: devices refuse it\n", times.date(end_s)),
        };
    }
    let doors =
        [("plain", &status.plain), ("tls", &status.tls), ("mutual", &status.mutual), ("proxied", &status.proxied)];
    let open =
        doors.iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| format!("{name} {}", list.join(" ")));
    out += &format!("{}; {}\n", open.collect::<Vec<_>>().join(", "), status.driver);
    if let Some(Figure::Labelled(ends)) = all.get("ends") {
        let mut ends: Vec<_> = ends.iter().filter(|(_, count)| **count > 0).collect();
        ends.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (code, count) in ends.iter().take(ENDS) {
            out += &format!("{:>10} x {code} (linchpin explain {code})\n", grouped(**count));
        }
        if ends.len() > ENDS {
            out += &format!("{:>10} codes more: linchpin status --json\n", ends.len() - ENDS);
        }
    }
    out
}

fn store_text(store: &StoreGlance, times: TimeStyle, now_s: u64) -> String {
    let used = store.disk_bytes.saturating_sub(store.disk_free_bytes) * 100 / store.disk_bytes.max(1);
    let disk = match (store.poisoned, store.full) {
        (true, _) => "disk FAILED: nothing is stored; check the disk and restart the server".to_owned(),
        (_, true) => {
            format!("disk FULL ({} free): values wait in memory; free some space", bytes(store.disk_free_bytes))
        }
        _ => format!("disk {used} % used, {} free", bytes(store.disk_free_bytes)),
    };
    let backup = match (store.last_backup_s, store.backs_up) {
        (Some(at_s), _) => format!("last backup {}", times.since(at_s, now_s)),
        (None, true) => "no backup since the start".to_owned(),
        (None, false) => "no backups by themselves ([backup] to)".to_owned(),
    };
    let failed = match store.backup_failures {
        0 => String::new(),
        count => format!(", {count} FAILED: see the log"),
    };
    format!("{disk}, journal {} ms behind, {backup}{failed}\n", store.at_risk_ms)
}

/// What each shard holds and has counted.
fn table(status: &StatusAnswer) -> String {
    let abouts = OF_SHARD.iter().map(|counter| counter.about);
    let columns: Vec<_> = abouts.filter_map(|about| Some((about.key, about.column?))).collect();
    let titles: String = columns.iter().map(|column| format!("{:>13}", column.1)).collect();
    let mut out = format!("\n{:<8}{titles}\n", "shard");
    let named = status.shards.iter().enumerate().map(|(at, shard)| (at.to_string(), shard));
    for (name, figures) in named.chain([("all".to_owned(), &status.all)]) {
        let row: String = columns.iter().map(|column| format!("{:>13}", figures.number(column.0))).collect();
        out += &format!("{name:<8}{row}\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(more: &serde_json::Value) -> StatusAnswer {
        let mut it = json!({
            "online": 1_912, "devices": 2_000, "connections": 1_930, "draining": false, "ends": {"E0101": 3, "E0103": 12, "E0104": 0},
            "shards": [{"online": 1_912}], "version": "0.1.0", "commit": "abc", "driver": "driver: io_uring",
            "capacity": 100_000, "plain": ["0.0.0.0:8080"], "tls": [], "mutual": [], "proxied": [], "state": "disk",
            "uptime_s": 273_600, "memory_bytes": 92_000_000, "certificate_end_s": 1_795_457_730 + 61 * DAY_S + 5,
            "store": {"disk_bytes": 100_000_000_000u64, "disk_free_bytes": 59_000_000_000u64, "full": false,
                "poisoned": false, "at_risk_ms": 25, "last_backup_s": 1_795_457_730 - 7_800, "backup_failures": 0, "backs_up": true},
        });
        for (key, value) in more.as_object().expect("an object") {
            it[key] = value.clone();
        }
        serde_json::from_value(it).expect("an answer")
    }

    #[test]
    fn the_page_says_what_matters() {
        let text = text(&answer(&json!({})), 310.4, TimeStyle::Utc, 1_795_457_730);
        assert_eq!(
            text,
            "linchpin 0.1.0 (abc), up 3 d 4 h, not draining\n\
             1,912 of 2,000 devices online, 1,930 of 100,000 connections, 310 messages a second, 92 MB of memory\n\
             disk 41 % used, 59 GB free, journal 25 ms behind, last backup 2026-11-23T16:05:30Z\n\
             certificate ends in 61 days (2027-01-23T18:15:35Z)\n\
             plain 0.0.0.0:8080; driver: io_uring\n\
             \x20       12 x E0103 (linchpin explain E0103)\n\
             \x20        3 x E0101 (linchpin explain E0101)\n"
        );
    }

    #[test]
    fn trouble_is_in_capitals() {
        let full = json!({"draining": true, "certificate_end_s": 5, "store": {"disk_bytes": 10, "disk_free_bytes": 0, "full": true,
            "poisoned": false, "at_risk_ms": 9_000, "backup_failures": 2, "backs_up": true}});
        let text = text(&answer(&full), 0.0, TimeStyle::Local, 1_795_457_730);
        for word in
            ["DRAINING", "drain --undo", "disk FULL", "no backup since the start, 2 FAILED", "certificate ENDED"]
        {
            assert!(text.contains(word), "no {word:?} in {text}");
        }
        let memory = super::text(&answer(&json!({"store": null, "state": "memory"})), 0.0, TimeStyle::Local, 0);
        assert!(memory.contains("in memory only"), "{memory}");
    }

    #[test]
    fn numbers_are_grouped_and_bytes_have_units() {
        assert_eq!(
            (grouped(0), grouped(999), grouped(1_000), grouped(1_234_567)),
            ("0".into(), "999".into(), "1,000".into(), "1,234,567".into())
        );
        assert_eq!(
            (bytes(9_999), bytes(92_000_000), bytes(120_000_000_000)),
            ("9999 B".into(), "92 MB".into(), "120 GB".into())
        );
    }
}

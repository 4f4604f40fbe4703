//! `linchpin top`: what the shards do, again and again.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::args::At;
use super::client;
use super::failure::Failure;
use super::output::say;

/// Counters whose growth is shown a second, with their columns.
const RATES: [(&str, &str); 5] = [
    ("frames", "frames/s"),
    ("requests", "http/s"),
    ("logins", "logins/s"),
    ("dropped", "dropped/s"),
    ("moved_out", "moves/s"),
];
/// What is shown as it is.
const LEVELS: [&str; 3] = ["online", "connections", "ledger_bytes"];

/// Look every so often until interrupted, or once.
pub(crate) fn run(at: &At, every: Duration, once: bool) -> Result<(), Failure> {
    let look = || client::ask(&at.socket(), "status", json!({})).map_err(Failure::general);
    let clears = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() && !at.json && !once;
    let (mut before, mut seen) = (look()?, Instant::now());
    loop {
        std::thread::sleep(every);
        let (now, time) = (look()?, Instant::now());
        let shown = rates(&before, &now, (time - seen).as_secs_f64());
        say(&match (at.json, clears) {
            (true, _) => format!("{shown}\n"),
            // Home, the table, and nothing of the last one below it.
            (false, true) => format!("\x1b[H{}\x1b[J", table(&shown).replace('\n', "\x1b[K\n")),
            (false, false) => table(&shown),
        })?;
        if once {
            return Ok(());
        }
        (before, seen) = (now, time);
    }
}

/// Rows of what happened between two looks: one for all, one for each shard.
fn rates(before: &Value, now: &Value, seconds: f64) -> Value {
    let row = |before: &Value, now: &Value| {
        let mut row = json!({});
        for (counter, column) in RATES {
            let grown = now[counter].as_u64().unwrap_or(0).saturating_sub(before[counter].as_u64().unwrap_or(0));
            row[column] = ((grown as f64 / seconds.max(0.001) * 10.0).round() / 10.0).into();
        }
        for level in LEVELS {
            row[level] = now[level].clone();
        }
        row
    };
    let shards = now["shards"].as_array().into_iter().flatten().enumerate();
    let shards: Vec<_> = shards.map(|(at, shard)| row(&before["shards"][at], shard)).collect();
    json!({"uptime_s": now["uptime_s"], "all": row(before, now), "shards": shards})
}

fn table(shown: &Value) -> String {
    let columns: Vec<&str> = LEVELS.into_iter().chain(RATES.map(|rate| rate.1)).collect();
    let mut out = format!("up {} s\n{:<8}", shown["uptime_s"], "shard");
    out.extend(columns.iter().map(|column| format!("{column:>13}")));
    let mut row = |name: &str, row: &Value| {
        out.push_str(&format!("\n{name:<8}"));
        out.extend(columns.iter().map(|column| format!("{:>13}", row[*column].to_string())));
    };
    for (at, shard) in shown["shards"].as_array().into_iter().flatten().enumerate() {
        row(&at.to_string(), shard);
    }
    row("all", &shown["all"]);
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_shown_a_second_and_a_restart_is_no_negative_number() {
        let before = json!({"frames": 100, "online": 1, "shards": [{"frames": 100, "online": 1}]});
        let now = json!({"frames": 300, "online": 5, "uptime_s": 9, "shards": [{"frames": 50, "online": 5}]});
        let shown = rates(&before, &now, 2.0);
        assert_eq!(shown["all"]["frames/s"], 100.0);
        assert_eq!(shown["shards"][0]["frames/s"], 0.0);
        let text = table(&shown);
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.contains("frames/s") && text.lines().last().is_some_and(|line| line.starts_with("all")), "{text}");
    }
}

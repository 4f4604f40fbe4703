//! `linchpin top`: what the shards do, again and again.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use linchpin_control::request::{Status, StatusAnswer};
use linchpin_control::{About, Figures, Kind, OF_SHARD};
use serde::Serialize;
use serde_json::Value;

use super::args::At;
use super::client;
use super::failure::Failure;
use super::output::{json_line, say};

/// What one line shows, by column.
type Row = BTreeMap<String, Value>;

/// What happened between two looks.
#[derive(Serialize)]
struct Shown {
    uptime_s: u64,
    all: Row,
    shards: Vec<Row>,
}

/// The counters with a column, and the column's title: growth is shown a second.
fn columns() -> impl Iterator<Item = (&'static About, String)> {
    OF_SHARD.iter().filter_map(|counter| {
        let title = counter.about.column?;
        let is_rate = counter.about.kind == Kind::Counter;
        Some((&counter.about, if is_rate { format!("{title}/s") } else { title.to_owned() }))
    })
}

/// Look every so often until interrupted, or once.
pub(super) fn run(at: &At, every: Duration, once: bool) -> Result<(), Failure> {
    let look = || client::ask(&at.socket(), &Status {}).map(|got| got.it).map_err(Failure::general);
    let clears = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() && !at.json && !once;
    let (mut before, mut seen) = (look()?, Instant::now());
    loop {
        std::thread::sleep(every);
        let (now, time) = (look()?, Instant::now());
        let shown = shown(&before, &now, (time - seen).as_secs_f64());
        say(&match (at.json, clears) {
            (true, _) => json_line(&shown)?,
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

fn shown(before: &StatusAnswer, now: &StatusAnswer, seconds: f64) -> Shown {
    let nothing = Figures::default();
    let shards = now.shards.iter().enumerate();
    let shards = shards.map(|(at, figures)| row(before.shards.get(at).unwrap_or(&nothing), figures, seconds));
    Shown { uptime_s: now.uptime_s, all: row(&before.all, &now.all, seconds), shards: shards.collect() }
}

fn row(before: &Figures, now: &Figures, seconds: f64) -> Row {
    let of = |(about, title): (&About, String)| {
        let number = now.number(about.key);
        let shown = match about.kind {
            Kind::Counter => {
                let grown = number.saturating_sub(before.number(about.key));
                ((grown as f64 / seconds.max(0.001) * 10.0).round() / 10.0).into()
            }
            _ => number.into(),
        };
        (title, shown)
    };
    columns().map(of).collect()
}

fn table(shown: &Shown) -> String {
    let titles: Vec<String> = columns().map(|(_, title)| title).collect();
    let mut out = format!("up {} s\n{:<8}", shown.uptime_s, "shard");
    out.extend(titles.iter().map(|title| format!("{title:>13}")));
    let mut line = |name: &str, row: &Row| {
        out.push_str(&format!("\n{name:<8}"));
        out.extend(
            titles.iter().map(|title| format!("{:>13}", row.get(title).map_or_else(String::new, Value::to_string))),
        );
    };
    for (at, shard) in shown.shards.iter().enumerate() {
        line(&at.to_string(), shard);
    }
    line("all", &shown.all);
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn growth_is_shown_a_second_and_a_restart_is_no_negative_number() {
        let answer = |frames: u64, shard: u64, online: u64| -> StatusAnswer {
            serde_json::from_value(json!({
                "frames": frames, "online": online, "shards": [{"frames": shard, "online": online}], "version": "",
                "commit": "", "driver": "", "capacity": 1, "plain": [], "tls": [], "mutual": [], "proxied": [],
                "state": "memory", "uptime_s": 9,
            }))
            .expect("an answer")
        };
        let shown = shown(&answer(100, 100, 1), &answer(300, 50, 5), 2.0);
        assert_eq!(shown.all["frames/s"], 100.0);
        assert_eq!(shown.shards[0]["frames/s"], 0.0);
        assert_eq!(shown.all["online"], 5);
        let text = table(&shown);
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.contains("frames/s") && text.lines().last().is_some_and(|line| line.starts_with("all")), "{text}");
    }
}

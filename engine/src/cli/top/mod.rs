//! `linchpin top`: what the server does, again and again.

mod keys;
mod page;
mod shown;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use linchpin_control::request::{DeviceDiary, DiaryLine, Status, StatusAnswer};
use linchpin_control::{About, Figure, Figures, Kind, OF_SHARD};
use serde_json::Value;

use super::args::At;
use super::client;
use super::failure::Failure;
use super::output::{json_line, say};
use crate::when;
use keys::{Keyboard, TopKey};
use shown::{Row, TopOrder, TopSample, WorstDevice};

/// Ends are counted over so long, s.
const RECENT_S: u64 = 60;

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
    let socket = at.socket()?;
    let look = || client::ask(&socket, &Status {}).map(|got| got.it).map_err(Failure::general);
    let is_live = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() && !at.json && !once;
    let mut keyboard = if is_live { Keyboard::open() } else { None };
    let mut order = TopOrder::Shard;
    let (mut before, mut seen) = (look()?, Instant::now());
    loop {
        let end = Instant::now() + every;
        loop {
            match keys::wait(keyboard.as_mut(), end) {
                None => break,
                Some(TopKey::Quit) => return Ok(()),
                Some(TopKey::TopOrder(wanted)) => order = wanted,
            }
        }
        let (now, time) = (look()?, Instant::now());
        let diary = DeviceDiary { device: None, limit: linchpin_shard::limits::DIARY_ROWS };
        let diary = client::ask(&socket, &diary).map_err(Failure::general)?.it;
        let mut shown = shown(&before, &now, (time - seen).as_secs_f64());
        shown.worst = worst(&diary, when::now_s());
        say(&match (at.json, is_live) {
            (true, _) => json_line(&shown)?,
            // Home, the page, and nothing of the last one below it.
            (false, true) => format!("\x1b[H{}\x1b[J", page::text(&shown, &now, order).replace('\n', "\x1b[K\n")),
            (false, false) => page::text(&shown, &now, order),
        })?;
        if once {
            return Ok(());
        }
        (before, seen) = (now, time);
    }
}

fn shown(before: &StatusAnswer, now: &StatusAnswer, seconds: f64) -> TopSample {
    let nothing = Figures::default();
    let shards = now.shards.iter().enumerate();
    let shards = shards.map(|(at, figures)| row(before.shards.get(at).unwrap_or(&nothing), figures, seconds));
    let (all, shards) = (row(&before.all, &now.all, seconds), shards.collect());
    TopSample { uptime_s: now.uptime_s, all, shards, worst: Vec::new() }
}

/// To a tenth.
fn tenths(value: f64) -> Value {
    ((value * 10.0).round() / 10.0).into()
}

fn row(before: &Figures, now: &Figures, seconds: f64) -> Row {
    let seconds = seconds.max(0.001);
    let grown = |key: &str| now.number(key).saturating_sub(before.number(key)) as f64 / seconds;
    let of = |(about, title): (&About, String)| match about.kind {
        Kind::Counter => (title, tenths(grown(about.key))),
        _ => (title, now.number(about.key).into()),
    };
    let mut row: Row = columns().map(of).collect();
    // Microseconds a second are ten thousandths of a per cent.
    row.insert("cpu %".to_owned(), tenths(grown("cpu_us") / 10_000.0));
    row.insert("tick p99 us".to_owned(), tick_p99_us(before, now).map_or(Value::Null, Into::into));
    row
}

/// The bound below which 99 of 100 ticks were since the last look; `None`: there was none, or it is beyond the last bound.
fn tick_p99_us(before: &Figures, now: &Figures) -> Option<u64> {
    let Some(Figure::Times(now)) = now.get("ticks") else { return None };
    let earlier = match before.get("ticks") {
        Some(Figure::Times(times)) => times.counts.as_slice(),
        _ => &[],
    };
    let counts: Vec<u64> = now
        .counts
        .iter()
        .enumerate()
        .map(|(at, count)| count.saturating_sub(earlier.get(at).copied().unwrap_or(0)))
        .collect();
    let (all, mut below) = (counts.iter().sum::<u64>(), 0);
    let wanted = all - all / 100;
    let bucket = counts.iter().position(|count| {
        below += count;
        below >= wanted.max(1)
    })?;
    now.bounds_us.get(bucket).copied()
}

/// Devices whose connections ended at least twice in the last minute, most first.
fn worst(diary: &[DiaryLine], now_s: u64) -> Vec<WorstDevice> {
    let mut found: BTreeMap<u32, WorstDevice> = BTreeMap::new();
    for line in diary.iter().filter(|line| line.at_s + RECENT_S >= now_s) {
        let Some(device) = line.device else { continue };
        // The newest comes first.
        found.entry(device).or_insert_with(|| WorstDevice { ends: 0, device, last_end: line.end.clone() }).ends += 1;
    }
    let mut worst: Vec<_> = found.into_values().filter(|it| it.ends > 1).collect();
    worst.sort_by(|a, b| b.cmp(a));
    worst
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(frames: u64, shard: u64, online: u64) -> StatusAnswer {
        let ticks = |slow: u64| json!({"bounds_us": [100, 1_000], "counts": [frames, slow, 0], "sum_us": 0});
        serde_json::from_value(json!({
            "frames": frames, "online": online, "cpu_us": frames * 1_000, "ticks": ticks(frames / 50),
            "shards": [{"frames": shard, "online": online, "ticks": ticks(0)}], "version": "0.1.0",
            "commit": "", "driver": "", "capacity": 1, "plain": [], "tls": [], "mutual": [], "proxied": [],
            "state": "memory", "uptime_s": 9,
        }))
        .expect("an answer")
    }

    #[test]
    fn growth_is_shown_a_second_and_a_restart_is_no_negative_number() {
        let shown = shown(&answer(100, 100, 1), &answer(300, 50, 5), 2.0);
        assert_eq!(shown.all["frames/s"], 100.0);
        assert_eq!(shown.shards[0]["frames/s"], 0.0);
        assert_eq!(shown.all["online"], 5);
        assert_eq!((&shown.all["cpu %"], &shown.all["tick p99 us"]), (&json!(10.0), &json!(1_000)));
        assert_eq!(shown.shards[0]["tick p99 us"], 100);
    }

    #[test]
    fn the_page_fits_80_columns_whatever_the_numbers() {
        let big = 9_999_999_999;
        let mut shown = shown(&answer(0, 0, 0), &answer(big, big, big), 1.0);
        shown.worst = vec![WorstDevice { ends: 999, device: u32::MAX, last_end: "E0103".to_owned() }];
        for order in [TopOrder::Shard, TopOrder::Cpu, TopOrder::Online, TopOrder::Messages] {
            let text = page::text(&shown, &answer(big, big, big), order);
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            assert!(text.contains("frames/s") && text.contains("device 4294967295") && text.contains("q"), "{text}");
        }
    }

    #[test]
    fn devices_that_come_and_go_are_the_worst() {
        let line = |at_s: u64, device: u32, end: &str| -> DiaryLine {
            serde_json::from_value(
                json!({"at_s": at_s, "end": end, "device": device, "peer": null, "lasted_s": 1, "frames": 1,
                "what": "", "fix": "", "firmware": {}}),
            )
            .expect("a line")
        };
        let diary = [line(100, 7, "E0103"), line(99, 7, "E0101"), line(98, 8, "E0101"), line(20, 8, "E0101")];
        let worst = worst(&diary, 100);
        assert!(worst.len() == 1 && worst[0].device == 7 && worst[0].ends == 2 && worst[0].last_end == "E0103");
    }
}

//! One page of `linchpin top`, 80 columns wide.

use linchpin_control::request::StatusAnswer;
use serde_json::Value;

use super::shown::{Row, TopOrder, TopSample};
use crate::cli::status::{bytes, grouped};
use crate::when;

/// Title, column of the row, width.
const COLUMNS: [(&str, &str, usize); 8] = [
    ("CPU %", "cpu %", 7),
    ("p99 tick", "tick p99 us", 10),
    ("online", "online", 10),
    ("conns", "connections", 10),
    ("frames/s", "frames/s", 12),
    ("http/s", "http/s", 8),
    ("logins/s", "logins/s", 9),
    ("lost/s", "dropped/s", 7),
];
/// Devices that are listed.
const WORST: usize = 5;

fn number(row: &Row, column: &str) -> f64 {
    row.get(column).and_then(Value::as_f64).unwrap_or(0.0)
}

/// A value that is no wider than its column.
fn cell(row: &Row, (_, column, width): (&str, &str, usize)) -> String {
    let value = row.get(column).unwrap_or(&Value::Null);
    let text = match value {
        Value::Null => "-".to_owned(),
        us if column == "tick p99 us" => format!("{us} us"),
        other => other.to_string(),
    };
    let short = match value.as_f64() {
        Some(value) if text.len() >= width && value >= 1e9 => format!("{:.1}G", value / 1e9),
        Some(value) if text.len() >= width && value >= 1e6 => format!("{:.1}M", value / 1e6),
        Some(value) if text.len() >= width && value >= 1e3 => format!("{:.1}k", value / 1e3),
        _ => text,
    };
    format!("{short:>width$}")
}

/// The page.
pub(super) fn text(shown: &TopSample, now: &StatusAnswer, order: TopOrder) -> String {
    let drains = if now.all.number("draining") > 0 { ", DRAINING" } else { "" };
    let memory = now.memory_bytes.map_or_else(String::new, |held| format!("memory {}", bytes(held)));
    let store = now.store.as_ref().map_or_else(String::new, |store| {
        let used = store.disk_bytes.saturating_sub(store.disk_free_bytes) * 100 / store.disk_bytes.max(1);
        let full = if store.full || store.poisoned { " FULL OR FAILED" } else { "" };
        format!(", disk {used} %{full}, journal {} ms behind", store.at_risk_ms)
    });
    let mut out = format!(
        "linchpin {}, up {}{drains}; keys: q quit, sort c cpu o online m messages s shard\n{} of {} devices online; {memory}{store}\n\n{:>6}",
        now.version,
        when::span(shown.uptime_s),
        grouped(now.all.number("online")),
        grouped(now.all.number("devices")),
        "shard",
    );
    out.extend(COLUMNS.iter().map(|(title, _, width)| format!("{title:>width$}")));
    let mut shards: Vec<_> = shown.shards.iter().enumerate().collect();
    let column = match order {
        TopOrder::Shard => None,
        TopOrder::Cpu => Some("cpu %"),
        TopOrder::Online => Some("online"),
        TopOrder::Messages => Some("frames/s"),
    };
    if let Some(column) = column {
        shards.sort_by(|a, b| number(b.1, column).total_cmp(&number(a.1, column)));
    }
    let named = shards.into_iter().map(|(at, row)| (at.to_string(), row)).chain([("all".to_owned(), &shown.all)]);
    for (name, row) in named {
        out.push_str(&format!("\n{name:>6}"));
        out.extend(COLUMNS.iter().map(|column| cell(row, *column)));
    }
    out.push('\n');
    if !shown.worst.is_empty() {
        out.push_str("\ncame and went in the last minute (linchpin device diary ID):\n");
    }
    for it in shown.worst.iter().take(WORST) {
        out.push_str(&format!("  device {:<10} {:>4} ends, the last with {}\n", it.device, it.ends, it.last_end));
    }
    out.lines().map(|line| format!("{}\n", line.chars().take(80).collect::<String>())).collect()
}

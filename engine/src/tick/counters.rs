//! What the thread around a shard counts besides the shard.

use linchpin_control::{About, Counter, Figure, Times};

/// See [`OF_THREAD`].
#[derive(Clone, Debug, Default)]
pub(crate) struct EngineCounters {
    pub(crate) ticks: Times,
    pub(crate) tick_max_us: u64,
    pub(crate) lane_depth: u64,
    pub(crate) enters: u64,
    /// Processor time of the thread.
    pub(crate) cpu_us: u64,
    pub(crate) accepts: u64,
    pub(crate) accept_pauses: u64,
    pub(crate) backlog_bytes: u64,
    pub(crate) owed_values: u64,
    pub(crate) coalesced_values: u64,
    pub(crate) owed_changes: u64,
    pub(crate) lost_diary_lines: u64,
}

const fn number(value: u64) -> Figure {
    Figure::Number(value)
}

/// All of them. A new one stands here, in the struct above, and where it is counted.
const OF_THREAD: &[Counter<EngineCounters>] = &[
    Counter::histogram(
        "ticks",
        "linchpin_tick_seconds",
        "Time from a tick's first event to its submission.",
        |c: &EngineCounters| Figure::Times(c.ticks.clone()),
    ),
    Counter::gauge(
        "tick_max_us",
        "linchpin_tick_max_seconds",
        "Longest tick of this minute and the one before, whoever asks and how often.",
        |c: &EngineCounters| number(c.tick_max_us),
    )
    .greatest(),
    Counter::total("accepts", "linchpin_accepts_total", "Connections accepted.", |c: &EngineCounters| {
        number(c.accepts)
    }),
    Counter::total(
        "accept_pauses",
        "linchpin_accept_pauses_total",
        "Times that accepting paused because no descriptor or slot was left.",
        |c: &EngineCounters| number(c.accept_pauses),
    ),
    Counter::total(
        "enters",
        "linchpin_driver_enters_total",
        "System calls that submitted or waited.",
        |c: &EngineCounters| number(c.enters),
    ),
    Counter::total(
        "cpu_us",
        "linchpin_shard_cpu_seconds_total",
        "Processor time of the shard's thread.",
        |c: &EngineCounters| number(c.cpu_us),
    ),
    Counter::gauge(
        "backlog_bytes",
        "linchpin_send_backlog_bytes",
        "Bytes that sockets have not taken yet.",
        |c: &EngineCounters| number(c.backlog_bytes),
    ),
    Counter::gauge(
        "lane_depth",
        "linchpin_lane_depth_letters",
        "Letters that wait for other shards.",
        |c: &EngineCounters| number(c.lane_depth),
    ),
    Counter::gauge(
        "owed_values",
        "linchpin_owed_values",
        "Pins whose newest value waits for room on the way to the journal.",
        |c: &EngineCounters| number(c.owed_values),
    ),
    Counter::total(
        "coalesced_values",
        "linchpin_coalesced_values_total",
        "Values that are not in history because a newer one of the same pin replaced them while the disk was slow.",
        |c: &EngineCounters| number(c.coalesced_values),
    ),
    Counter::gauge(
        "owed_changes",
        "linchpin_owed_changes",
        "Changes (events, properties, metadata, diary) that wait for room on the way to the store.",
        |c: &EngineCounters| number(c.owed_changes),
    ),
    Counter::total(
        "lost_diary_lines",
        "linchpin_lost_diary_lines_total",
        "Lines of the diary that are not stored because the disk was full or slow.",
        |c: &EngineCounters| number(c.lost_diary_lines),
    ),
];

impl EngineCounters {
    /// Their figures, in the order of [`abouts`].
    pub(crate) fn figures(&self) -> Vec<Figure> {
        OF_THREAD.iter().map(|counter| (counter.read)(self)).collect()
    }
}

/// What is known of them without their values.
pub(crate) fn abouts() -> Vec<About> {
    OF_THREAD.iter().map(|counter| counter.about).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::PathBuf;

    use linchpin_control::metrics::catalogue;
    use serde_json::Value;

    use super::*;

    fn path(name: &str) -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(name)
    }

    /// docs/metrics.md says what is exported, and nothing else.
    #[test]
    fn the_page_of_metrics_lists_every_metric() {
        let mut page = String::from(
            "# Metrics\n\nPrometheus text format at `http://ADDRESS/metrics`; `listen.metrics` in the configuration or `linchpin dev \
             --metrics` sets the address, which is of this machine only. Every shard counts for itself and answers each scrape; \
             sum over `shard` for the process. `/healthz` answers 200 while the process serves; `/readyz` answers 200 when every \
             shard answers, and 503 while the server is being drained, or with a line for what is full or has failed: the disk, \
             the connection table. Connections that ask for another host than this machine get 421. `packaging/grafana-dashboard.json` shows them.\n\nThis page \
             is made from the lists of counters: `engine/control/src/monitor/status.rs` (a shard), `engine/src/tick/counters.rs` \
             (the thread around it), `engine/control/src/monitor/metrics/store.rs` (the store), \
             `engine/control/src/acme/metrics.rs` (certificates that are ordered, where some are). `linchpin status --json` answers \
             those of shards by the names in the second column. `LINCHPIN_BLESS=1 cargo test -p linchpin metrics` writes it.\n\n\
             | metric | in `status` | type | labels | meaning |\n|---|---|---|---|---|\n",
        );
        for row in catalogue(&abouts()) {
            let key = if row.key.is_empty() { String::new() } else { format!("`{}`", row.key) };
            let (name, kind, labels, help) = (row.name, row.kind.name(), row.labels, row.help);
            let _ = writeln!(page, "| `{name}` | {key} | {kind} | {labels} | {help} |");
        }
        if std::env::var_os("LINCHPIN_BLESS").is_some() {
            std::fs::write(path("docs/metrics.md"), &page).expect("writes the page");
        }
        let written = std::fs::read_to_string(path("docs/metrics.md")).expect("the page");
        assert!(written == page, "docs/metrics.md is old: LINCHPIN_BLESS=1 cargo test -p linchpin metrics");
    }

    /// Every query of the dashboard asks for metrics that exist.
    #[test]
    fn the_dashboard_of_metrics_asks_for_what_there_is() {
        let text = std::fs::read_to_string(path("packaging/grafana-dashboard.json")).expect("the dashboard");
        let dashboard: Value = serde_json::from_str(&text).expect("JSON");
        let mut asked = Vec::new();
        for panel in dashboard["panels"].as_array().expect("panels") {
            assert!(panel["title"].as_str().is_some_and(|title| !title.is_empty()));
            for target in panel["targets"].as_array().expect("targets") {
                asked.extend(asked_for(target["expr"].as_str().expect("a query")));
            }
        }
        asked.sort();
        asked.dedup();
        assert!(asked.len() >= 12, "the dashboard shows only {asked:?}");
    }

    /// The metrics that a query asks for, all of which there are.
    fn asked_for(query: &str) -> Vec<String> {
        let all = catalogue(&abouts());
        let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let name = |word: &str| {
            let name = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
            assert!(all.iter().any(|metric| metric.name == name), "{query}: there is no {word}");
            name.to_owned()
        };
        words.filter(|word| word.starts_with("linchpin_")).map(name).collect()
    }

    /// So does every alert.
    #[test]
    fn the_alerts_of_metrics_ask_for_what_there_is() {
        let rules = std::fs::read_to_string(path("packaging/linchpin.rules.yml")).expect("the rules");
        let queries = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
        assert!(queries.map(asked_for).filter(|asked| !asked.is_empty()).count() >= 16, "{rules}");
    }

    #[test]
    fn keys_and_names_stand_once() {
        let all = catalogue(&abouts());
        let mut names: Vec<_> = all.iter().map(|metric| metric.name).collect();
        let mut keys: Vec<_> = all.iter().map(|metric| metric.key).filter(|key| !key.is_empty()).collect();
        for list in [&mut names, &mut keys] {
            let count = list.len();
            list.sort_unstable();
            list.dedup();
            assert_eq!(list.len(), count, "{list:?}");
        }
    }
}

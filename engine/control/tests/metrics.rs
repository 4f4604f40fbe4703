//! docs/metrics.md and the dashboard say what is exported, and nothing else.

use std::fmt::Write as _;
use std::path::PathBuf;

use linchpin_control::metrics::catalogue;
use serde_json::Value;

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(name)
}

#[test]
fn the_page_lists_every_metric() {
    let mut page = String::from(
        "# Metrics\n\nPrometheus text format at `http://ADDRESS/metrics`; `listen.metrics` in the configuration or `linchpin dev \
         --metrics` sets the address, which is of this machine only. Every shard counts for itself and answers each scrape; \
         sum over `shard` for the process. `/healthz` answers 200 while the process serves; `/readyz` answers 200 when every \
         shard answers, and 503 while the server is being drained. `packaging/grafana-dashboard.json` shows them.\n\nThis page \
         is generated from `engine/control/src/monitor/metrics/mod.rs` (`LINCHPIN_BLESS=1 cargo test -p linchpin-control`).\n\n\
         | metric | type | labels | meaning |\n|---|---|---|---|\n",
    );
    for (name, kind, labels, help) in catalogue() {
        let _ = writeln!(page, "| `{name}` | {} | {labels} | {help} |", kind.name());
    }
    if std::env::var_os("LINCHPIN_BLESS").is_some() {
        std::fs::write(path("docs/metrics.md"), &page).expect("writes the page");
    }
    let written = std::fs::read_to_string(path("docs/metrics.md")).expect("the page");
    assert!(written == page, "docs/metrics.md is old: LINCHPIN_BLESS=1 cargo test -p linchpin-control");
}

/// Every query of the dashboard asks for metrics that exist.
#[test]
fn the_dashboard_asks_for_what_there_is() {
    let text = std::fs::read_to_string(path("packaging/grafana-dashboard.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let known: Vec<_> = catalogue().iter().map(|metric| metric.0).collect();
    let mut asked = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(panel["title"].as_str().is_some_and(|title| !title.is_empty()));
        for target in panel["targets"].as_array().expect("targets") {
            let query = target["expr"].as_str().expect("a query");
            let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for word in words.filter(|word| word.starts_with("linchpin_")) {
                let name = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
                assert!(known.contains(&name), "{query}: there is no {word}");
                asked.push(name.to_owned());
            }
        }
    }
    asked.sort();
    asked.dedup();
    assert!(asked.len() >= 12, "the dashboard shows only {asked:?}");
}

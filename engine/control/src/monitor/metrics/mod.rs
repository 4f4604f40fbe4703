//! Metrics in Prometheus' text format, from the lists of counters ([`super::status`], the engine's, [`store`], those of
//! [`crate::acme`]). The page docs/metrics.md is made from the same lists.

mod store;

use std::fmt::Write as _;

use linchpin_storage::{StoreFigures, StoreMemory};

use super::figure::{About, Figure, Kind, Times};
use super::status::{OF_SHARD, ShardFigures, abouts};
use crate::Facts;
use crate::backup::BackupFigures;
use store::{OF_BACKUPS, OF_MEMORY, OF_STORE, Single};

/// Metrics of the process: name, kind, labels, help.
const OF_PROCESS: &[(&str, Kind, &str, &str)] = &[
    ("linchpin_uptime_seconds", Kind::Gauge, "", "Time since the start."),
    ("linchpin_capacity_connections", Kind::Gauge, "", "Connections that the limits of the process allow."),
    (
        "linchpin_unacknowledged_facts",
        Kind::Gauge,
        "",
        "Devices, tokens and templates that some shard has yet to acknowledge.",
    ),
    (
        "linchpin_api_paced_total",
        Kind::Counter,
        "",
        "Requests of keys that were refused because the minute of the key or of its organization was used up.",
    ),
    ("linchpin_build_info", Kind::Gauge, "version, commit", "Always 1."),
];

const US_PER_S: f64 = 1e6;

/// What is known of a metric without its value.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its name.
    pub name: &'static str,
    /// Its name in the answer to `status`; empty: it is not there.
    pub key: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Names of its labels, with commas between them.
    pub labels: String,
    /// One sentence.
    pub help: &'static str,
}

/// Everything that is exported, in the order of the output. `of_thread` is the list of the thread around a shard.
#[must_use]
pub fn catalogue(of_thread: &[About]) -> Vec<Described> {
    let of_shards = abouts(of_thread).map(|about| Described {
        name: about.metric,
        key: about.key,
        kind: about.kind,
        labels: if about.label.is_empty() { "shard".to_owned() } else { format!("shard, {}", about.label) },
        help: about.help,
    });
    let plain = |name, kind, labels: &str, help| Described { name, key: "", kind, labels: labels.to_owned(), help };
    let of_process = OF_PROCESS.iter().map(|(name, kind, labels, help)| plain(name, *kind, labels, help));
    let of_store = OF_STORE.iter().map(|metric| plain(metric.name, metric.kind, "", metric.help));
    let of_memory = OF_MEMORY.iter().map(|metric| plain(metric.name, metric.kind, "", metric.help));
    let of_backups = OF_BACKUPS.iter().map(|metric| plain(metric.name, metric.kind, "", metric.help));
    let of_orders = crate::acme::metric_abouts().map(|(name, labels, help)| {
        let kind = if name.ends_with("_total") { Kind::Counter } else { Kind::Gauge };
        plain(name, kind, labels, help)
    });
    of_shards.chain(of_process).chain(of_store).chain(of_memory).chain(of_backups).chain(of_orders).collect()
}

/// The page, from what each shard and the store say; without a store its metrics are left out.
#[must_use]
pub fn page(
    shards: &[ShardFigures],
    facts: &Facts,
    (unacknowledged, paced): (usize, u64),
    store: Option<&(StoreFigures, StoreMemory, BackupFigures)>,
) -> String {
    let mut out = String::new();
    for counter in OF_SHARD {
        let figures = shards.iter().map(|shard| (counter.read)(&shard.shard));
        series(&mut out, &counter.about, figures);
    }
    for (at, about) in facts.counters.iter().enumerate() {
        // A shard without them leaves its lines out.
        series(&mut out, about, shards.iter().filter_map(|shard| shard.thread.get(at).cloned()));
    }
    for &(name, kind, _, help) in OF_PROCESS {
        head(&mut out, name, kind, help);
        let _ = match name {
            "linchpin_uptime_seconds" => writeln!(out, "{name} {}", facts.started.elapsed().as_secs_f64()),
            "linchpin_unacknowledged_facts" => writeln!(out, "{name} {unacknowledged}"),
            "linchpin_api_paced_total" => writeln!(out, "{name} {paced}"),
            "linchpin_capacity_connections" => writeln!(out, "{name} {}", facts.capacity),
            _ => writeln!(out, "{name}{{version=\"{}\",commit=\"{}\"}} 1", facts.version, facts.commit),
        };
    }
    if let Some((figures, memory, backups)) = store {
        singles(&mut out, OF_STORE, figures);
        singles(&mut out, OF_MEMORY, memory);
        singles(&mut out, OF_BACKUPS, backups);
    }
    out
}

fn singles<T>(out: &mut String, metrics: &[Single<T>], from: &T) {
    for metric in metrics {
        head(out, metric.name, metric.kind, metric.help);
        let _ = writeln!(out, "{} {}", metric.name, (metric.value)(from));
    }
}

fn head(out: &mut String, name: &str, kind: Kind, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
}

/// One counter, shard by shard.
fn series(out: &mut String, about: &About, figures: impl Iterator<Item = Figure>) {
    let About { metric: name, kind, label, help, key, .. } = about;
    head(out, name, *kind, help);
    for (at, figure) in figures.enumerate() {
        let _ = match &figure {
            Figure::Times(times) => buckets(out, name, at, times),
            Figure::Labelled(counts) => counts
                .iter()
                .try_for_each(|(value, count)| writeln!(out, "{name}{{shard=\"{at}\",{label}=\"{value}\"}} {count}")),
            figure if key.ends_with("_us") => {
                writeln!(out, "{name}{{shard=\"{at}\"}} {}", figure.number() as f64 / US_PER_S)
            }
            figure => writeln!(out, "{name}{{shard=\"{at}\"}} {}", figure.number()),
        };
    }
}

fn buckets(out: &mut String, name: &str, at: usize, times: &Times) -> std::fmt::Result {
    let mut sum = 0;
    for (count, bound) in times.counts.iter().zip(&times.bounds_us) {
        sum += count;
        writeln!(out, "{name}_bucket{{shard=\"{at}\",le=\"{}\"}} {sum}", *bound as f64 / US_PER_S)?;
    }
    let all: u64 = times.counts.iter().sum();
    let seconds = times.sum_us as f64 / US_PER_S;
    writeln!(out, "{name}_bucket{{shard=\"{at}\",le=\"+Inf\"}} {all}")?;
    writeln!(out, "{name}_sum{{shard=\"{at}\"}} {seconds}\n{name}_count{{shard=\"{at}\"}} {all}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::figure::Counter;
    use linchpin_shard::{End, ShardStatus};

    const OF_THREAD: &[Counter<()>] = &[
        Counter::histogram("ticks", "linchpin_tick_seconds", "How long ticks take.", |()| {
            let counts = vec![5, 0, 1, 0, 2];
            Figure::Times(Times { bounds_us: vec![100, 250, 500, 100_000], counts, sum_us: 1_500 })
        }),
        Counter::gauge("tick_max_us", "linchpin_tick_max_seconds", "The longest.", |()| Figure::Number(2_500)),
    ];

    #[test]
    fn every_metric_of_the_catalogue_is_on_the_page_with_its_labels() {
        let shard = ShardStatus {
            connections: 7,
            commands: vec![(20, 3), (99, 1)],
            ends: vec![(End::HeartbeatMissed, 4)],
            ..ShardStatus::default()
        };
        let shard = ShardFigures { shard, thread: OF_THREAD.iter().map(|counter| (counter.read)(&())).collect() };
        let facts = Facts {
            version: "1.2.3",
            commit: "1f2e3d",
            driver: String::new(),
            capacity: 1_000,
            plain: Vec::new(),
            tls: Vec::new(),
            mutual: Vec::new(),
            proxied: Vec::new(),
            started: std::time::Instant::now(),
            machine: None,
            counters: OF_THREAD.iter().map(|counter| counter.about).collect(),
            certificate_end: None,
            config: None,
        };
        let figures = StoreFigures { unsynced_ms: 28, is_full: true, ..StoreFigures::default() };
        let page = page(
            &[shard.clone(), shard],
            &facts,
            (0, 3),
            Some(&(figures, StoreMemory::default(), BackupFigures::default())),
        );
        // Those of orders come behind the page, from `acme`, whose test looks at each.
        let of_orders: Vec<&str> = crate::acme::metric_abouts().map(|(name, ..)| name).collect();
        let of_page = catalogue(&facts.counters).into_iter().filter(|it| !of_orders.contains(&it.name));
        for Described { name, kind, labels, help, .. } in of_page {
            assert!(page.contains(&format!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.name())), "{name}");
            for label in labels.split(", ").filter(|label| !label.is_empty()) {
                assert!(
                    page.lines().any(|line| line.starts_with(name) && line.contains(&format!("{label}=\""))),
                    "{name} {label}"
                );
            }
        }
        for line in [
            "linchpin_connections{shard=\"1\"} 7",
            "linchpin_frames_total{shard=\"0\",command=\"HARDWARE\"} 3",
            "linchpin_frames_total{shard=\"0\",command=\"99\"} 1",
            "linchpin_ends_total{shard=\"0\",code=\"E0103\"} 4",
            "linchpin_tick_seconds_bucket{shard=\"0\",le=\"0.0005\"} 6",
            "linchpin_tick_seconds_bucket{shard=\"0\",le=\"0.1\"} 6",
            "linchpin_tick_seconds_bucket{shard=\"0\",le=\"+Inf\"} 8",
            "linchpin_tick_seconds_count{shard=\"0\"} 8",
            "linchpin_tick_seconds_sum{shard=\"0\"} 0.0015",
            "linchpin_tick_max_seconds{shard=\"1\"} 0.0025",
            "linchpin_store_at_risk_seconds 0.028",
            "linchpin_store_full 1",
            "linchpin_api_paced_total 3",
            "linchpin_build_info{version=\"1.2.3\",commit=\"1f2e3d\"} 1",
        ] {
            assert!(page.lines().any(|found| found == line), "no {line} in\n{page}");
        }
    }
}

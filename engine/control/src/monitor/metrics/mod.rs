//! Metrics in Prometheus' text format: one table of all of them, which docs/metrics.md is made from too.

mod store;

use std::fmt::Write as _;

use linchpin_protocol::blynk::Command as Wire;
use linchpin_shard::{ShardStatus, limits::TICK_BOUNDS_US};
use linchpin_storage::Figures;

use crate::Facts;
use crate::backup::BackupFigures;
use store::{OF_BACKUPS, OF_STORE, Single};

/// Kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by bucket.
    Histogram,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric with one value a shard.
struct PerShard {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    value: fn(&ShardStatus) -> u64,
}

const PER_SHARD: &[PerShard] = &[
    PerShard {
        name: "linchpin_connections",
        kind: Kind::Gauge,
        help: "Connections in any state.",
        value: |s| s.connections,
    },
    PerShard {
        name: "linchpin_devices_online",
        kind: Kind::Gauge,
        help: "Devices with a logged-in connection.",
        value: |s| s.online,
    },
    PerShard { name: "linchpin_devices", kind: Kind::Gauge, help: "Devices that live here.", value: |s| s.devices },
    PerShard {
        name: "linchpin_ledger_bytes",
        kind: Kind::Gauge,
        help: "Memory of unfinished input and waiting output of all connections.",
        value: |s| s.ledger_bytes,
    },
    PerShard {
        name: "linchpin_diary_bytes",
        kind: Kind::Gauge,
        help: "Memory of the diary.",
        value: |s| s.diary_bytes,
    },
    PerShard {
        name: "linchpin_logins_total",
        kind: Kind::Counter,
        help: "Successful logins of devices.",
        value: |s| s.logins,
    },
    PerShard {
        name: "linchpin_tls_handshakes_full_total",
        kind: Kind::Counter,
        help: "TLS handshakes that were completed in full.",
        value: |s| s.handshakes_full,
    },
    PerShard {
        name: "linchpin_tls_handshakes_resumed_total",
        kind: Kind::Counter,
        help: "TLS handshakes that continued an earlier session.",
        value: |s| s.handshakes_resumed,
    },
    PerShard {
        name: "linchpin_tls_handshakes_running",
        kind: Kind::Gauge,
        help: "TLS handshakes under way.",
        value: |s| s.handshakes_running,
    },
    PerShard {
        name: "linchpin_tls_handshakes_waiting",
        kind: Kind::Gauge,
        help: "Clients that wait for their TLS handshake to begin.",
        value: |s| s.handshakes_waiting,
    },
    PerShard {
        name: "linchpin_tls_assembly_bytes",
        kind: Kind::Gauge,
        help: "Memory of TLS records that wait for their rest.",
        value: |s| s.assembly_bytes,
    },
    PerShard {
        name: "linchpin_http_requests_total",
        kind: Kind::Counter,
        help: "Requests to the HTTP device API.",
        value: |s| s.requests,
    },
    PerShard {
        name: "linchpin_dropped_messages_total",
        kind: Kind::Counter,
        help: "Messages and HTTP requests that a quota refused.",
        value: |s| s.dropped,
    },
    PerShard {
        name: "linchpin_unsendable_frames_total",
        kind: Kind::Counter,
        help: "Frames that were not sent because the device's receive buffer is too small for them.",
        value: |s| s.unsendable,
    },
    PerShard {
        name: "linchpin_connections_moved_total",
        kind: Kind::Counter,
        help: "Connections that moved to the shard of their device.",
        value: |s| s.moved_out,
    },
    PerShard {
        name: "linchpin_accepts_total",
        kind: Kind::Counter,
        help: "Connections accepted.",
        value: |s| s.engine.accepts,
    },
    PerShard {
        name: "linchpin_accept_pauses_total",
        kind: Kind::Counter,
        help: "Times that accepting paused because no descriptor or slot was left.",
        value: |s| s.engine.accept_pauses,
    },
    PerShard {
        name: "linchpin_driver_enters_total",
        kind: Kind::Counter,
        help: "System calls that submitted or waited.",
        value: |s| s.engine.enters,
    },
    PerShard {
        name: "linchpin_send_backlog_bytes",
        kind: Kind::Gauge,
        help: "Bytes that sockets have not taken yet.",
        value: |s| s.engine.backlog_bytes,
    },
    PerShard {
        name: "linchpin_lane_depth_letters",
        kind: Kind::Gauge,
        help: "Letters that wait for other shards.",
        value: |s| s.engine.lane_depth,
    },
    PerShard {
        name: "linchpin_owed_values",
        kind: Kind::Gauge,
        help: "Pins whose newest value waits for room on the way to the journal.",
        value: |s| s.engine.owed_values,
    },
    PerShard {
        name: "linchpin_coalesced_values_total",
        kind: Kind::Counter,
        help: "Values that are not in history because a newer one of the same pin replaced them while the disk was slow.",
        value: |s| s.engine.coalesced_values,
    },
    PerShard {
        name: "linchpin_owed_changes",
        kind: Kind::Gauge,
        help: "Changes (events, properties, metadata, diary) that wait for room on the way to the store.",
        value: |s| s.engine.owed_changes,
    },
    PerShard {
        name: "linchpin_lost_diary_lines_total",
        kind: Kind::Counter,
        help: "Lines of the diary that are not kept on the disk because it was full or slow.",
        value: |s| s.engine.lost_diary_lines,
    },
];

/// Metrics with more than one value a shard, and those of the process: name, kind, labels, help.
const OTHERS: &[(&str, Kind, &str, &str)] = &[
    ("linchpin_frames_total", Kind::Counter, "shard, command", "Frames received from logged-in devices."),
    ("linchpin_ends_total", Kind::Counter, "shard, code", "Ended connections by end code; see docs/errors.md."),
    ("linchpin_tick_seconds", Kind::Histogram, "shard", "Time from a tick's first event to its submission."),
    (
        "linchpin_tick_max_seconds",
        Kind::Gauge,
        "shard",
        "Longest tick since these numbers were last asked for, by anybody.",
    ),
    ("linchpin_uptime_seconds", Kind::Gauge, "", "Time since the start."),
    ("linchpin_capacity_connections", Kind::Gauge, "", "Connections that the limits of the process allow."),
    ("linchpin_build_info", Kind::Gauge, "version, commit", "Always 1."),
];

/// Everything that is exported: name, kind, labels, help; in the order of the output.
#[must_use]
pub fn catalogue() -> Vec<(&'static str, Kind, &'static str, &'static str)> {
    let per_shard = PER_SHARD.iter().map(|metric| (metric.name, metric.kind, "shard", metric.help));
    let of_store = OF_STORE.iter().map(|metric| (metric.name, metric.kind, "", metric.help));
    let of_backups = OF_BACKUPS.iter().map(|metric| (metric.name, metric.kind, "", metric.help));
    per_shard.chain(OTHERS.iter().copied()).chain(of_store).chain(of_backups).collect()
}

/// The page, from what each shard and the store said; without a store its metrics are left out.
#[must_use]
pub fn page(shards: &[ShardStatus], facts: &Facts, store: Option<&(Figures, BackupFigures)>) -> String {
    let mut out = String::new();
    for metric in PER_SHARD {
        head(&mut out, metric.name, metric.kind, metric.help);
        for (at, shard) in shards.iter().enumerate() {
            let _ = writeln!(out, "{}{{shard=\"{at}\"}} {}", metric.name, (metric.value)(shard));
        }
    }
    for &(name, kind, _, help) in OTHERS {
        head(&mut out, name, kind, help);
        for (at, shard) in shards.iter().enumerate() {
            one_shard(&mut out, name, at, shard);
        }
        match name {
            "linchpin_uptime_seconds" => {
                let _ = writeln!(out, "{name} {}", facts.started.elapsed().as_secs_f64());
            }
            "linchpin_capacity_connections" => {
                let _ = writeln!(out, "{name} {}", facts.capacity);
            }
            "linchpin_build_info" => {
                let _ = writeln!(out, "{name}{{version=\"{}\",commit=\"{}\"}} 1", facts.version, facts.commit);
            }
            _ => {}
        }
    }
    if let Some((figures, backups)) = store {
        singles(&mut out, OF_STORE, figures);
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

fn one_shard(out: &mut String, name: &str, at: usize, shard: &ShardStatus) {
    const US_PER_S: f64 = 1e6;
    match name {
        "linchpin_frames_total" => {
            for (number, count) in &shard.commands {
                let command = Wire::from_number(*number).map_or_else(|| number.to_string(), |it| it.to_string());
                let _ = writeln!(out, "{name}{{shard=\"{at}\",command=\"{command}\"}} {count}");
            }
        }
        "linchpin_ends_total" => {
            for (end, count) in &shard.ends {
                let _ = writeln!(out, "{name}{{shard=\"{at}\",code=\"{end}\"}} {count}");
            }
        }
        "linchpin_tick_seconds" => {
            let mut sum = 0;
            for (count, bound) in shard.engine.ticks.iter().zip(TICK_BOUNDS_US) {
                sum += count;
                let bound = bound as f64 / US_PER_S;
                let _ = writeln!(out, "{name}_bucket{{shard=\"{at}\",le=\"{bound}\"}} {sum}");
            }
            let all: u64 = shard.engine.ticks.iter().sum();
            let seconds = shard.engine.tick_sum_us as f64 / US_PER_S;
            let _ = writeln!(out, "{name}_bucket{{shard=\"{at}\",le=\"+Inf\"}} {all}");
            let _ = writeln!(out, "{name}_sum{{shard=\"{at}\"}} {seconds}\n{name}_count{{shard=\"{at}\"}} {all}");
        }
        "linchpin_tick_max_seconds" => {
            let seconds = shard.engine.tick_max_us as f64 / US_PER_S;
            let _ = writeln!(out, "{name}{{shard=\"{at}\"}} {seconds}");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linchpin_shard::{End, EngineCounters};

    #[test]
    fn every_metric_of_the_catalogue_is_on_the_page_with_its_labels() {
        let engine =
            EngineCounters { ticks: [5, 0, 1, 0, 0, 0, 0, 0, 2], tick_sum_us: 1_500, ..EngineCounters::default() };
        let shard = ShardStatus {
            connections: 7,
            commands: vec![(20, 3), (99, 1)],
            ends: vec![(End::HeartbeatMissed, 4)],
            engine,
            ..ShardStatus::default()
        };
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
        };
        let figures = Figures { unsynced_ms: 28, is_full: true, ..Figures::default() };
        let page = page(&[shard.clone(), shard], &facts, Some(&(figures, BackupFigures::default())));
        for (name, kind, labels, help) in catalogue() {
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
            "linchpin_store_at_risk_seconds 0.028",
            "linchpin_store_full 1",
            "linchpin_build_info{version=\"1.2.3\",commit=\"1f2e3d\"} 1",
        ] {
            assert!(page.lines().any(|found| found == line), "no {line} in\n{page}");
        }
    }
}

//! The machine during a run: what else could have shaped its figures.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the machine did between the begin and the end of a run. A share is part of the time of all processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct HostUse {
    /// Load average over one minute at the begin and at the end: threads that ran or wanted to.
    pub(crate) load_start: f64,
    pub(crate) load_end: f64,
    /// Share of time at work, for anybody.
    pub(crate) busy: f64,
    /// Share of time that the host of this virtual machine gave to others.
    pub(crate) steal: f64,
    /// Share of time in software interrupts: mostly the network.
    pub(crate) softirq: f64,
    /// TCP segments sent again.
    pub(crate) retransmits: u64,
    /// Connections dropped because a listener's queue was full.
    pub(crate) listen_drops: u64,
}

/// Counters of the machine at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostCounters {
    load: f64,
    /// Ticks of all processors by kind, in the order of /proc/stat.
    ticks: Vec<u64>,
    retransmits: u64,
    listen_drops: u64,
}

const IDLE: usize = 3;
const IO_WAIT: usize = 4;
const SOFTIRQ: usize = 6;
const STEAL: usize = 7;

impl HostCounters {
    /// Now.
    pub(crate) fn now() -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let load = text("/proc/loadavg").split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
        Self {
            load,
            ticks: ticks(&text("/proc/stat")),
            retransmits: named(&text("/proc/net/snmp"), "Tcp:", "RetransSegs"),
            listen_drops: named(&text("/proc/net/netstat"), "TcpExt:", "ListenDrops"),
        }
    }

    /// What happened since then.
    pub(crate) fn until(&self, end: &Self) -> HostUse {
        let spent = |at: usize| {
            let of = |counters: &Self| counters.ticks.get(at).copied().unwrap_or(0);
            of(end).saturating_sub(of(self))
        };
        // Guests' time stands in "user" already.
        let all: u64 = (0..=STEAL).map(spent).sum();
        let share = |ticks: u64| ticks as f64 / all.max(1) as f64;
        HostUse {
            load_start: self.load,
            load_end: end.load,
            busy: share(all - spent(IDLE) - spent(IO_WAIT) - spent(STEAL)),
            steal: share(spent(STEAL)),
            softirq: share(spent(SOFTIRQ)),
            retransmits: end.retransmits.saturating_sub(self.retransmits),
            listen_drops: end.listen_drops.saturating_sub(self.listen_drops),
        }
    }
}

fn ticks(stat: &str) -> Vec<u64> {
    let line = stat.lines().find(|line| line.starts_with("cpu ")).unwrap_or_default();
    line.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect()
}

/// A value of a table whose names stand in the line before its values.
fn named(table: &str, prefix: &str, name: &str) -> u64 {
    let mut lines = table.lines().filter(|line| line.starts_with(prefix));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return 0 };
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    pairs.find(|(is, _)| *is == name).and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_time_between_two_looks() {
        let at = |text: &str, retransmits| HostCounters { ticks: ticks(text), retransmits, ..HostCounters::default() };
        let begin = at("cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1\n", 5);
        let end = at("cpu  130 0 120 830 0 0 10 10 0 0\n", 9);
        let used = begin.until(&end);
        assert!((used.busy - 0.6).abs() < 1e-9 && (used.steal - 0.1).abs() < 1e-9, "{used:?}");
        assert!((used.softirq - 0.1).abs() < 1e-9 && used.retransmits == 4, "{used:?}");
    }

    #[test]
    fn a_counter_is_found_by_its_name() {
        let table = "Tcp: RtoMin RetransSegs\nTcp: 200 17\nUdp: A\nUdp: 1\n";
        assert_eq!((named(table, "Tcp:", "RetransSegs"), named(table, "Tcp:", "None")), (17, 0));
        assert!(!HostCounters::now().ticks.is_empty());
    }
}

//! What was measured: latency from the intended send time beside latency from the real one, schedule lag, counts.

mod counts;
mod histogram;
mod seconds;
pub(crate) mod totals;
pub(crate) mod verdict;

pub(crate) use counts::Counts;
pub(crate) use histogram::{Pair, empty, record};
pub(crate) use seconds::Closed;
pub(crate) use totals::Totals;

use hdrhistogram::Histogram;

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    /// TCP connection.
    Connect,
    /// TLS handshake.
    Tls,
    /// Login, WebSocket upgrade included.
    Login,
    /// PING.
    Ping,
    /// SYNC to the first value.
    Sync,
    /// PROPERTY.
    Property,
    /// HTTP read.
    HttpRead,
    /// HTTP write, to its answer.
    HttpWrite,
    /// HTTP write, to its arrival at the device.
    HttpToDevice,
    /// MQTT value at QoS 1, to its PUBACK.
    Publish,
    /// Bridge, to its arrival at the other device.
    DeviceToDevice,
}

impl Metric {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 11] = [
        Self::Connect,
        Self::Tls,
        Self::Login,
        Self::Ping,
        Self::Sync,
        Self::Property,
        Self::HttpRead,
        Self::HttpWrite,
        Self::HttpToDevice,
        Self::Publish,
        Self::DeviceToDevice,
    ];

    /// Its name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls_handshake",
            Self::Login => "login",
            Self::Ping => "ping",
            Self::Sync => "sync",
            Self::Property => "property",
            Self::HttpRead => "http_read",
            Self::HttpWrite => "http_write",
            Self::HttpToDevice => "http_to_device",
            Self::Publish => "publish",
            Self::DeviceToDevice => "device_to_device",
        }
    }

    /// Is it a message, not the making of a connection? Only these are summed up as "latency".
    pub(crate) const fn is_message(self) -> bool {
        !matches!(self, Self::Connect | Self::Tls | Self::Login)
    }
}

/// A time that a worker stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stall {
    /// When, on the run's clock.
    pub(crate) at_ns: u64,
    pub(crate) len_ns: u64,
}

/// What one worker measured in one interval of one phase.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) worker: u32,
    pub(crate) phase: usize,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) pairs: [Option<Box<Pair>>; Metric::ALL.len()],
    pub(crate) lag: Histogram<u64>,
    pub(crate) counts: Counts,
    pub(crate) stalls: Vec<Stall>,
    /// Devices online at its end.
    pub(crate) online: u64,
    /// Time at work and time of waiting for a CPU of the worker's thread in the interval.
    pub(crate) busy_ns: u64,
    pub(crate) waited_ns: u64,
}

impl Sheet {
    pub(crate) fn new(worker: u32, phase: usize, start_ns: u64) -> Self {
        Self {
            worker,
            phase,
            start_ns,
            end_ns: start_ns,
            pairs: [const { None }; Metric::ALL.len()],
            lag: empty(),
            counts: Counts::default(),
            stalls: Vec::new(),
            online: 0,
            busy_ns: 0,
            waited_ns: 0,
        }
    }

    /// An answer, or the end of waiting for it: intended, sent, now.
    pub(crate) fn answer(&mut self, metric: Metric, intended_ns: u64, sent_ns: u64, now_ns: u64) {
        let pair = self.pairs[metric as usize].get_or_insert_default();
        record(&mut pair.corrected, now_ns.saturating_sub(intended_ns));
        record(&mut pair.uncorrected, now_ns.saturating_sub(sent_ns));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn numbers_follow_the_list() {
        for (at, metric) in Metric::ALL.into_iter().enumerate() {
            assert_eq!(metric as usize, at);
        }
    }

    /// A server that stands still for 200 ms in a second of 100 requests/s, one in flight: 20 sends are late by up to
    /// 200 ms. From the real send time only one request was slow.
    #[test]
    fn waiting_that_the_server_causes_is_in_the_corrected_latency_only() {
        let mut sheet = Sheet::new(0, 0, 0);
        let mut free_at = 0;
        for n in 0..100 {
            let intended = n * 10 * MS;
            let sent = intended.max(free_at);
            let took = if n == 50 { 200 * MS } else { MS };
            free_at = sent + took;
            sheet.answer(Metric::Ping, intended, sent, free_at);
        }
        let pair = sheet.pairs[Metric::Ping as usize].as_ref().expect("recorded");
        let (corrected, uncorrected) = (pair.corrected.value_at_quantile(0.9), pair.uncorrected.value_at_quantile(0.9));
        assert!(corrected > 90 * MS, "{corrected}");
        assert!(uncorrected < 2 * MS, "{uncorrected}");
        assert_eq!(pair.corrected.len(), 100);
    }
}

//! Seconds of a run: open while sheets come, then packed.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

use super::{Counts, Metric, Pair, Sheet, empty};

/// A second that sheets may still come for.
#[derive(Clone, Debug)]
pub(super) struct Second {
    phase: usize,
    counts: Counts,
    messages: Pair,
    connect: Pair,
    lag: Histogram<u64>,
    /// Devices online, by worker.
    pub(super) online: Vec<u64>,
}

/// A second that is over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Closed {
    pub(crate) phase: usize,
    pub(crate) counts: Counts,
    pub(crate) online: u64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    pub(crate) uncorrected_p99_us: f64,
    pub(crate) lag_p99_us: f64,
    /// Histograms by tag, serialized and deflated.
    pub(super) packed: Vec<(&'static str, Vec<u8>)>,
}

impl Second {
    pub(super) fn new(phase: usize, online: Vec<u64>) -> Self {
        let (messages, connect) = (Pair::default(), Pair::default());
        Self { phase, counts: Counts::default(), messages, connect, lag: empty(), online }
    }

    pub(super) fn take(&mut self, sheet: &Sheet) {
        // Late answers of an earlier phase have no time of their own.
        if sheet.start_ns < sheet.end_ns {
            self.phase = self.phase.max(sheet.phase);
        }
        self.counts.add(&sheet.counts);
        for (metric, pair) in Metric::ALL.into_iter().zip(&sheet.pairs) {
            match pair {
                Some(pair) if metric.is_message() => self.messages.add(pair),
                Some(pair) if metric == Metric::Connect => self.connect.add(pair),
                _ => {}
            }
        }
        // Same bounds: nothing to refuse.
        let _ = self.lag.add(&sheet.lag);
    }

    pub(super) fn close(&self, is_packed: bool) -> Closed {
        let us = |ns: u64| ns as f64 / 1e3;
        let (corrected, uncorrected) = (&self.messages.corrected, &self.messages.uncorrected);
        let mut closed = Closed {
            phase: self.phase,
            counts: self.counts,
            online: self.online.iter().sum(),
            p50_us: us(corrected.value_at_quantile(0.5)),
            p99_us: us(corrected.value_at_quantile(0.99)),
            max_us: us(corrected.max()),
            uncorrected_p99_us: us(uncorrected.value_at_quantile(0.99)),
            lag_p99_us: us(self.lag.value_at_quantile(0.99)),
            packed: Vec::new(),
        };
        if is_packed {
            let all = [
                ("messages", corrected),
                ("messages_uncorrected", uncorrected),
                ("connect", &self.connect.corrected),
                ("lag", &self.lag),
            ];
            let mut serializer = V2DeflateSerializer::new();
            for (tag, histogram) in all.into_iter().filter(|(_, histogram)| !histogram.is_empty()) {
                let mut bytes = Vec::new();
                if serializer.serialize(histogram, &mut bytes).is_ok() {
                    closed.packed.push((tag, bytes));
                }
            }
        }
        closed
    }
}

impl Closed {
    /// Its histograms by tag.
    pub(crate) fn unpack(&self) -> Vec<(&'static str, Histogram<u64>)> {
        let mut deserializer = Deserializer::new();
        let unpack =
            |(tag, bytes): &(&'static str, Vec<u8>)| Some((*tag, deserializer.deserialize(&mut &bytes[..]).ok()?));
        self.packed.iter().filter_map(unpack).collect()
    }
}

//! All sheets of a run, put together by phase and by second.

use std::collections::VecDeque;

use hdrhistogram::Histogram;

use super::seconds::{Closed, Second};
use super::{Counts, Metric, Pair, Sheet, Stall, empty};
use crate::limits;

/// Everything of one phase.
#[derive(Clone, Debug)]
pub(crate) struct PhaseTotals {
    pub(crate) pairs: Vec<Option<Pair>>,
    pub(crate) lag: Histogram<u64>,
    pub(crate) counts: Counts,
    pub(crate) stalls: Vec<Stall>,
    /// First begin and last end, on the run's clock.
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    /// Time between them that other phases took.
    pub(crate) between_ns: u64,
    /// Of each worker: CPU time, time of waiting for a CPU, length.
    pub(crate) workers: Vec<[u64; 3]>,
}

impl PhaseTotals {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            pairs: vec![None; Metric::ALL.len()],
            lag: empty(),
            counts: Counts::default(),
            stalls: Vec::new(),
            start_ns: u64::MAX,
            end_ns: 0,
            between_ns: 0,
            workers: vec![[0; 3]; workers],
        }
    }

    fn take(&mut self, sheet: &Sheet) {
        for (mine, theirs) in self.pairs.iter_mut().zip(&sheet.pairs) {
            if let Some(theirs) = theirs {
                mine.get_or_insert_default().add(theirs);
            }
        }
        let _ = self.lag.add(&sheet.lag);
        self.counts.add(&sheet.counts);
        self.stalls.extend(&sheet.stalls);
        self.start_ns = self.start_ns.min(sheet.start_ns);
        self.end_ns = self.end_ns.max(sheet.end_ns);
        let worker = &mut self.workers[sheet.worker as usize];
        let added = [sheet.busy_ns, sheet.waited_ns, sheet.end_ns - sheet.start_ns];
        worker.iter_mut().zip(added).for_each(|(sum, more)| *sum += more);
    }

    /// Add a later phase's.
    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.pairs.iter_mut().zip(&other.pairs) {
            if let Some(theirs) = theirs {
                mine.get_or_insert_default().add(theirs);
            }
        }
        let _ = self.lag.add(&other.lag);
        self.counts.add(&other.counts);
        self.stalls.extend(&other.stalls);
        if self.end_ns > 0 && other.end_ns > 0 {
            self.between_ns += other.start_ns.saturating_sub(self.end_ns) + other.between_ns;
        }
        self.start_ns = self.start_ns.min(other.start_ns);
        self.end_ns = self.end_ns.max(other.end_ns);
        for (mine, theirs) in self.workers.iter_mut().zip(&other.workers) {
            mine.iter_mut().zip(theirs).for_each(|(sum, more)| *sum += more);
        }
    }

    /// All messages together.
    pub(crate) fn messages(&self) -> Pair {
        let mut all = Pair::default();
        for (metric, pair) in Metric::ALL.into_iter().zip(&self.pairs) {
            if let Some(pair) = pair
                && metric.is_message()
            {
                all.add(pair);
            }
        }
        all
    }

    /// Its length.
    pub(crate) fn len_s(&self) -> f64 {
        self.end_ns.saturating_sub(self.start_ns).saturating_sub(self.between_ns) as f64 / 1e9
    }
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Totals {
    pub(crate) phases: Vec<PhaseTotals>,
    /// Seconds that are over; histograms of a second take a megabyte, so these are packed.
    closed: Vec<Closed>,
    /// Those that sheets may still come for.
    open: VecDeque<Second>,
    workers: usize,
}

impl Totals {
    pub(crate) fn new(phases: usize, workers: usize) -> Self {
        Self { phases: vec![PhaseTotals::new(workers); phases], closed: Vec::new(), open: VecDeque::new(), workers }
    }

    /// Add a sheet.
    pub(crate) fn take(&mut self, sheet: &Sheet) {
        if let Some(phase) = self.phases.get_mut(sheet.phase) {
            phase.take(sheet);
        }
        // A sheet belongs to the second of its middle; one that comes very late to the oldest that is open.
        let at = ((sheet.start_ns + sheet.end_ns) / 2 / 1_000_000_000) as usize;
        let at = at.saturating_sub(self.closed.len());
        while self.open.len() <= at {
            let online = self.open.back().map_or_else(|| vec![0; self.workers], |second| second.online.clone());
            self.open.push_back(Second::new(sheet.phase, online));
        }
        self.open[at].take(sheet);
        if sheet.start_ns < sheet.end_ns {
            // Workers report seconds at different moments: what is known of a later second stays.
            for second in self.open.iter_mut().skip(at) {
                second.online[sheet.worker as usize] = sheet.online;
            }
        }
        while self.open.len() > limits::OPEN_SECONDS {
            if let Some(second) = self.open.pop_front() {
                self.closed.push(second.close(true));
            }
        }
    }

    /// Seconds of which something is known.
    pub(crate) fn len_s(&self) -> usize {
        self.closed.len() + self.open.len()
    }

    /// All seconds from `first` on.
    pub(crate) fn seconds(&self, first: usize, is_packed: bool) -> impl Iterator<Item = Closed> {
        let closed = self.closed.iter().skip(first).cloned();
        closed.chain(self.open.iter().skip(first.saturating_sub(self.closed.len())).map(move |s| s.close(is_packed)))
    }

    /// The phases that count.
    pub(crate) fn measured(&self, is_measured: &[bool]) -> PhaseTotals {
        let mut all = PhaseTotals::new(self.workers);
        for (phase, _) in self.phases.iter().zip(is_measured).filter(|(_, measured)| **measured) {
            all.add(phase);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_time_is_that_of_the_measured_phases() {
        let mut totals = Totals::new(3, 1);
        for (phase, from_s, to_s) in [(0, 1, 3), (1, 3, 10), (2, 10, 11)] {
            let mut sheet = Sheet::new(0, phase, from_s * 1_000_000_000);
            sheet.end_ns = to_s * 1_000_000_000;
            totals.take(&sheet);
        }
        let len_s = |is_measured: &[bool]| totals.measured(is_measured).len_s();
        assert!((len_s(&[true, false, true]) - 3.0).abs() < 1e-9 && (len_s(&[true; 3]) - 10.0).abs() < 1e-9);
        assert!((len_s(&[false, true, false]) - 7.0).abs() < 1e-9);
    }

    #[test]
    fn seconds_are_packed_and_keep_their_figures() {
        let mut totals = Totals::new(1, 2);
        for second in 0..20_u64 {
            for worker in 0..2 {
                let mut sheet = Sheet::new(worker, 0, second * 1_000_000_000);
                sheet.end_ns = sheet.start_ns + 1_000_000_000;
                sheet.online = second + u64::from(worker);
                sheet.counts.ping = 3;
                sheet.answer(Metric::Ping, 0, 0, (second + 1) * 1_000_000);
                totals.take(&sheet);
            }
        }
        assert_eq!((totals.closed.len(), totals.open.len()), (20 - limits::OPEN_SECONDS, limits::OPEN_SECONDS));
        let seconds: Vec<_> = totals.seconds(0, true).collect();
        assert_eq!(seconds.len(), 20);
        for (at, second) in seconds.iter().enumerate() {
            assert_eq!((second.counts.ping, second.online), (6, 2 * at as u64 + 1));
            assert!((second.p99_us - (at + 1) as f64 * 1e3).abs() < 20.0, "{}", second.p99_us);
            let messages = second.unpack().into_iter().find(|(tag, _)| *tag == "messages").expect("kept").1;
            assert_eq!(messages.len(), 2);
            let bytes: usize = second.packed.iter().map(|(_, bytes)| bytes.len()).sum();
            assert!(bytes < 1_000, "{bytes} bytes");
        }
        assert_eq!(totals.seconds(18, false).count(), 2);
    }
}

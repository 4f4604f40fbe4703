//! All sheets of a run, put together by phase and by second.

use hdrhistogram::Histogram;

use super::{Counts, Metric, Pair, Sheet, Stall, empty};

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
        let added = [sheet.cpu_ns, sheet.waited_ns, sheet.end_ns - sheet.start_ns];
        worker.iter_mut().zip(added).for_each(|(sum, more)| *sum += more);
    }

    /// Add another phase's.
    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.pairs.iter_mut().zip(&other.pairs) {
            if let Some(theirs) = theirs {
                mine.get_or_insert_default().add(theirs);
            }
        }
        let _ = self.lag.add(&other.lag);
        self.counts.add(&other.counts);
        self.stalls.extend(&other.stalls);
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
        self.end_ns.saturating_sub(self.start_ns) as f64 / 1e9
    }
}

/// One second of a run.
#[derive(Clone, Debug)]
pub(crate) struct Second {
    pub(crate) phase: usize,
    pub(crate) counts: Counts,
    pub(crate) messages: Pair,
    pub(crate) connect: Pair,
    pub(crate) lag: Histogram<u64>,
    /// Devices online, by worker.
    pub(crate) online: Vec<u64>,
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Totals {
    pub(crate) phases: Vec<PhaseTotals>,
    pub(crate) seconds: Vec<Second>,
    workers: usize,
}

impl Totals {
    pub(crate) fn new(phases: usize, workers: usize) -> Self {
        Self { phases: vec![PhaseTotals::new(workers); phases], seconds: Vec::new(), workers }
    }

    /// Add a sheet.
    pub(crate) fn take(&mut self, sheet: &Sheet) {
        if let Some(phase) = self.phases.get_mut(sheet.phase) {
            phase.take(sheet);
        }
        // A sheet belongs to the second of its middle.
        let at = ((sheet.start_ns + sheet.end_ns) / 2 / 1_000_000_000) as usize;
        while self.seconds.len() <= at {
            let online = self.seconds.last().map_or_else(|| vec![0; self.workers], |second| second.online.clone());
            self.seconds.push(Second {
                phase: sheet.phase,
                counts: Counts::default(),
                messages: Pair::default(),
                connect: Pair::default(),
                lag: empty(),
                online,
            });
        }
        let second = &mut self.seconds[at];
        if sheet.start_ns < sheet.end_ns {
            second.phase = second.phase.max(sheet.phase);
        }
        second.counts.add(&sheet.counts);
        for (metric, pair) in Metric::ALL.into_iter().zip(&sheet.pairs) {
            match pair {
                Some(pair) if metric.is_message() => second.messages.add(pair),
                Some(pair) if metric == Metric::Connect => second.connect.add(pair),
                _ => {}
            }
        }
        let _ = second.lag.add(&sheet.lag);
        if sheet.start_ns == sheet.end_ns {
            // Late answers of an earlier phase: they say nothing about now.
            return;
        }
        second.online[sheet.worker as usize] = sheet.online;
        // Workers report seconds at different moments: what is known of a later second stays.
        for later in &mut self.seconds[at + 1..] {
            later.online[sheet.worker as usize] = sheet.online;
        }
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

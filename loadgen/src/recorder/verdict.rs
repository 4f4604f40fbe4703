//! Does the run say something about the server, or only about this generator?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::totals::PhaseTotals;
use crate::limits;

/// What to think of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Verdict")]
pub(crate) struct RunVerdict {
    /// Does it say something about the server?
    pub(crate) valid: bool,
    /// Why not, in plain words.
    pub(crate) reasons: Vec<String>,
    /// What to know although it is valid.
    pub(crate) notes: Vec<String>,
}

/// Judge the measured phases. `unsent`: sends that were due and never looked at.
pub(crate) fn judge(measured: &PhaseTotals, unsent: u64) -> RunVerdict {
    let mut reasons = Vec::new();
    let mut notes = Vec::new();
    let us = |ns: u64| ns as f64 / 1e3;
    let lag = us(measured.lag.value_at_quantile(0.99));
    let p99 = us(measured.messages().corrected.value_at_quantile(0.99));
    let allowed = (limits::LAG_FREE_US as f64).max(p99 * limits::LAG_SHARE);
    if lag > allowed {
        reasons.push(format!(
            "the generator was late: 1 of 100 sends left {:.1} ms or more after its time, {:.1} ms are allowed; \
             give it a CPU of its own, more --workers, or a lower rate",
            lag / 1e3,
            allowed / 1e3
        ));
    }
    if let Some(longest) = measured.stalls.iter().max_by_key(|stall| stall.len_ns) {
        reasons.push(format!(
            "the generator stood still for {:.0} ms at {:.1} s of the run ({} times {} ms or more); \
             something stopped it or took its CPU",
            longest.len_ns as f64 / 1e6,
            longest.at_ns as f64 / 1e9,
            measured.stalls.len(),
            limits::STALL_MS
        ));
    }
    judge_workers(&measured.workers, &mut reasons, &mut notes);
    let counts = &measured.counts;
    if counts.no_address > 0 {
        reasons.push(format!(
            "{} connections found no free source address and port (EADDRNOTAVAIL); give more addresses with --source \
             or fewer devices",
            counts.no_address
        ));
    }
    if counts.no_descriptor > 0 {
        reasons.push(format!(
            "{} connections found no descriptor; use more --workers (each has up to {} connections) or raise ulimit -n",
            counts.no_descriptor,
            limits::WORKER_CONNECTIONS
        ));
    }
    let missing = counts.missing() + unsent;
    let share = missing as f64 / (counts.planned + unsent).max(1) as f64;
    if share > limits::MISSING_SHARE {
        reasons.push(format!(
            "{missing} of {} planned sends never left ({} for want of room in flight, {} behind a full socket, {} of \
             devices that were not connected, {unsent} not in time; {} more were left out as planned and do not count): the server, or --in-flight, cannot \
             take this rate",
            counts.planned + unsent,
            counts.skipped,
            counts.blocked,
            counts.offline,
            counts.away
        ));
    }
    if counts.held > 0 {
        notes.push(format!(
            "{} sends waited for room in flight; their waiting is in the corrected latency",
            counts.held
        ));
    }
    reasons.truncate(limits::LISTED);
    notes.truncate(limits::LISTED);
    RunVerdict { valid: reasons.is_empty(), reasons, notes }
}

/// Were the workers busy, or kept waiting?
fn judge_workers(workers: &[[u64; 3]], reasons: &mut Vec<String>, notes: &mut Vec<String>) {
    for (number, [busy_ns, waited_ns, len_ns]) in workers.iter().enumerate() {
        let share = |ns: u64| ns as f64 / (*len_ns).max(1) as f64;
        if share(*busy_ns) > limits::WORKER_BUSY {
            reasons.push(format!(
                "worker {number} was busy {:.0} % of the time, {:.0} % are allowed; use more --workers or a lower rate",
                share(*busy_ns) * 100.0,
                limits::WORKER_BUSY * 100.0
            ));
        }
        if share(*waited_ns) > 0.1 {
            notes.push(format!(
                "worker {number} waited for a CPU {:.0} % of the time: the machine is too small for both sides",
                share(*waited_ns) * 100.0
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{Metric, Pair, Stall, record};

    /// A second of one worker in which everything went well.
    fn good() -> PhaseTotals {
        let mut phase = PhaseTotals::new(1);
        phase.workers[0] = [500_000_000, 10_000_000, 1_000_000_000];
        phase.counts.planned = 10_000;
        let mut pair = Pair::default();
        for _ in 0..10_000 {
            record(&mut pair.corrected, 1_000_000);
            record(&mut phase.lag, 60_000);
        }
        phase.pairs[Metric::Ping as usize] = Some(pair);
        phase
    }

    #[track_caller]
    fn expect_reason(phase: &PhaseTotals, unsent: u64, words: &[&str]) {
        let verdict = judge(phase, unsent);
        let reason = verdict.reasons.first().cloned().unwrap_or_default();
        assert!(!verdict.valid && verdict.reasons.len() == 1, "{verdict:?}");
        assert!(words.iter().all(|word| reason.contains(word)), "{reason}");
    }

    #[test]
    fn a_good_run_is_valid() {
        assert_eq!(judge(&good(), 0), RunVerdict { valid: true, reasons: vec![], notes: vec![] });
    }

    #[test]
    fn each_weakness_of_the_generator_has_its_words() {
        let mut late = good();
        (0..200).for_each(|_| record(&mut late.lag, 5_000_000));
        expect_reason(&late, 0, &["5.0 ms", "2.0 ms are allowed", "--workers"]);

        let mut stopped = good();
        stopped.stalls.push(Stall { at_ns: 5_100_000_000, len_ns: 203_000_000 });
        expect_reason(&stopped, 0, &["stood still for 203 ms", "5.1 s"]);

        let mut busy = good();
        busy.workers[0][0] = 990_000_000;
        expect_reason(&busy, 0, &["worker 0", "99 %", "95 %"]);

        let mut ports = good();
        ports.counts.no_address = 3;
        expect_reason(&ports, 0, &["3 connections", "EADDRNOTAVAIL", "--source"]);

        let mut descriptors = good();
        descriptors.counts.no_descriptor = 4;
        expect_reason(&descriptors, 0, &["4 connections", "descriptor"]);

        let mut skipped = good();
        skipped.counts.skipped = 11;
        expect_reason(&skipped, 0, &["11 of 10000", "room in flight"]);
        expect_reason(&good(), 50, &["50 of 10050", "50 not in time"]);
    }

    #[test]
    fn what_the_plan_cut_is_no_overload() {
        let mut cut = good();
        cut.counts.away = 5_600;
        assert!(judge(&cut, 0).valid, "the plan itself left more than half out");
        cut.counts.offline = 5_600;
        expect_reason(&cut, 0, &["5600 of 10000", "5600 more were left out as planned"]);
    }

    #[test]
    fn lag_is_judged_by_what_is_reported() {
        let mut slow_server = good();
        let pair = slow_server.pairs[Metric::Ping as usize].get_or_insert_default();
        (0..10_000).for_each(|_| record(&mut pair.corrected, 100_000_000));
        (0..200).for_each(|_| record(&mut slow_server.lag, 5_000_000));
        assert!(judge(&slow_server, 0).valid, "5 ms do not matter beside 100 ms");
    }

    #[test]
    fn waiting_for_a_cpu_is_a_note() {
        let mut shared = good();
        shared.workers[0][1] = 200_000_000;
        let verdict = judge(&shared, 0);
        assert!(verdict.valid && verdict.notes[0].contains("20 %"), "{verdict:?}");
    }
}

//! The files of a run.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::{RunOutcome, html, series};
use crate::exit::Exit;
use crate::recorder::{Metric, Totals};
use crate::run::RunEnd;
use crate::scenario::{Scenario, ScenarioPhase};

/// Write everything about a run into a folder: outcome.json, report.html, series.ndjson, intervals.hlog, and a .hgrm
/// of each kind of latency, corrected and not.
pub(crate) fn write_all(folder: &Path, outcome: &RunOutcome, done: &RunEnd, scenario: &Scenario) -> Result<(), Exit> {
    let write = || -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("report.html"), html::run_page(outcome))?;
        std::fs::write(folder.join("series.ndjson"), series::ndjson(&outcome.series))?;
        interval_log(&folder.join("intervals.hlog"), &done.totals, outcome.started_unix_s)?;
        let is_measured: Vec<bool> = scenario.phase.iter().map(ScenarioPhase::is_measured).collect();
        let measured = done.totals.measured(&is_measured);
        let all = measured.messages();
        let named = Metric::ALL.into_iter().zip(&measured.pairs);
        let named = named.filter_map(|(metric, pair)| Some((metric.name(), pair.as_ref()?)));
        for (name, pair) in named.chain([("messages", &all)]).filter(|(_, pair)| !pair.corrected.is_empty()) {
            hgrm(&folder.join(format!("{name}.hgrm")), &pair.corrected)?;
            hgrm(&folder.join(format!("{name}.uncorrected.hgrm")), &pair.uncorrected)?;
        }
        // Last and at once: where it is, the run is whole.
        std::fs::write(folder.join("outcome.part"), outcome.json())?;
        std::fs::rename(folder.join("outcome.part"), folder.join("outcome.json"))
    };
    write().map_err(|error| Exit::usage(format!("cannot write to {}: {error}; choose another --out", folder.display())))
}

/// The percentile distribution that the HdrHistogram plotter reads; values in milliseconds.
fn hgrm(path: &Path, histogram: &Histogram<u64>) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "{:>12} {:>14} {:>10} {:>14}\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")?;
    let mut seen = 0;
    for value in histogram.iter_quantiles(5) {
        seen += value.count_since_last_iteration();
        let (ms, quantile) = (value.value_iterated_to() as f64 / 1e6, value.quantile_iterated_to());
        if quantile < 1.0 {
            writeln!(out, "{ms:>12.3} {quantile:>14.12} {seen:>10} {:>14.2}", 1.0 / (1.0 - quantile))?;
        } else {
            writeln!(out, "{ms:>12.3} {quantile:>14.12} {seen:>10}")?;
        }
    }
    let (mean, deviation, max) = (histogram.mean() / 1e6, histogram.stdev() / 1e6, histogram.max() as f64 / 1e6);
    writeln!(out, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]")?;
    writeln!(out, "#[Max     = {max:>12.3}, Total count    = {:>12}]", histogram.len())?;
    writeln!(out, "#[Buckets = {:>12}, SubBuckets     = {:>12}]", histogram.buckets(), 2_048)?;
    out.flush()
}

/// Histograms of each second with tags; values in ns.
fn interval_log(path: &Path, totals: &Totals, started_unix_s: u64) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut serializer = V2DeflateSerializer::new();
    let begin = std::time::UNIX_EPOCH + Duration::from_secs(started_unix_s);
    let mut log = IntervalLogWriterBuilder::new()
        .with_start_time(begin)
        .with_base_time(begin)
        .with_max_value_divisor(1e6)
        .add_comment("loadgen: latency in ns, maximum in ms")
        .begin_log_with(&mut out, &mut serializer)?;
    let other = |error| io::Error::other(format!("{error:?}"));
    for (at, second) in totals.seconds(0, true).enumerate() {
        let start = Duration::from_secs(at as u64);
        for (tag, histogram) in second.unpack() {
            log.write_histogram(&histogram, start, Duration::from_secs(1), Tag::new(tag)).map_err(other)?;
        }
    }
    drop(log);
    out.flush()
}

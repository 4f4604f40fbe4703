//! A run as text.

use std::fmt::Write;

use super::outcome::{OutcomePart, RunOutcome};
use super::summary::{Latency, Summary};

/// Times as people write them.
pub(crate) fn time(us: f64) -> String {
    match us {
        us if us >= 1e6 => format!("{:.2} s", us / 1e6),
        us if us >= 10_000.0 => format!("{:.0} ms", us / 1e3),
        us if us >= 1_000.0 => format!("{:.2} ms", us / 1e3),
        us => format!("{us:.0} us"),
    }
}

/// A quantile; a dash where too few samples reach so far.
fn quantile(summary: &Summary, at: f64) -> String {
    summary.at(at).map_or_else(|| "-".to_owned(), time)
}

const HEAD: [&str; 8] = ["latency", "count", "p50", "p90", "p99", "p99.9", "max", "uncorrected p99"];

fn row(name: &str, latency: &Latency) -> [String; 8] {
    let corrected = &latency.corrected;
    [
        name.to_owned(),
        corrected.count.to_string(),
        quantile(corrected, 0.5),
        quantile(corrected, 0.9),
        quantile(corrected, 0.99),
        quantile(corrected, 0.999),
        time(corrected.max_us),
        quantile(&latency.uncorrected, 0.99),
    ]
}

/// Rows under each other.
pub(crate) fn aligned(rows: &[[String; 8]]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().enumerate().map(|(at, cell)| {
            if at == 0 { format!("{cell:<w$}", w = width(at)) } else { format!("{cell:>w$}", w = width(at)) }
        });
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

fn counts(part: &OutcomePart) -> String {
    let listed = part.counts.list().into_iter().filter(|(_, n)| *n > 0);
    listed.map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")
}

/// What became of the plan, before any latency: devices that were not connected have none.
pub(crate) fn delivered(measured: &OutcomePart) -> String {
    let counts = &measured.counts;
    let share = counts.sent() as f64 / counts.planned.max(1) as f64 * 100.0;
    let mut text = format!(
        "sent {} of {} planned messages ({share:.1} %), {} answers ({:.0} sent/s, {:.0} answers/s)",
        counts.sent(),
        counts.planned,
        counts.answers,
        measured.sent_per_s,
        measured.answers_per_s
    );
    if counts.away > 0 {
        let _ = write!(text, "; {} were left out while the plan had cut their devices", counts.away);
    }
    text
}

/// The whole run.
pub(crate) fn table(outcome: &RunOutcome) -> String {
    let measured = &outcome.measured;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}: {} devices at {}, {:.1} s measured",
        outcome.scenario, outcome.devices, outcome.target, measured.length_s
    );
    let _ = writeln!(text, "{}", delivered(measured));
    let _ = writeln!(text, "Latency is measured from the time at which a message should have left (corrected).\n");
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.push(row("all messages", &measured.messages));
    // What makes connections is mostly not in the measured phases.
    let all = outcome.phases.iter().filter(|phase| !phase.measured && !phase.kinds.is_empty());
    rows.extend(measured.kinds.iter().map(|(name, latency)| row(name, latency)));
    for phase in all {
        rows.extend(phase.kinds.iter().map(|(name, latency)| row(&format!("{}: {name}", phase.name), latency)));
    }
    text += &aligned(&rows);
    let _ = writeln!(text, "\nmeasured: {}", counts(measured));
    for phase in outcome.phases.iter().filter(|phase| !phase.measured) {
        let _ = writeln!(text, "{}: {}", phase.name, counts(phase));
    }
    for phase in outcome.phases.iter().filter(|phase| phase.back_online_s.is_some()) {
        let back_s = phase.back_online_s.unwrap_or_default();
        let _ = writeln!(text, "{}: 95 % of the devices were online again after {back_s:.1} s", phase.name);
    }
    if let Some(cost) = &outcome.cost {
        let _ = writeln!(
            text,
            "server: {:.2} us CPU per message ({:.2} of it in the kernel), {:.2} cores, {:.0} bytes of its memory per \
             connection",
            cost.cpu_us_per_message, cost.system_us_per_message, cost.cores, cost.bytes_per_connection
        );
    }
    let busy = measured.worker_busy.iter().map(|part| format!("{:.0} %", part * 100.0)).collect::<Vec<_>>().join(", ");
    let _ = writeln!(
        text,
        "generator: workers busy {busy}; resolution {} (its own schedule lag, p99): smaller differences are not the server's",
        time(outcome.resolution_us)
    );
    if let Some(slo) = &outcome.slo {
        let _ = writeln!(text, "SLO {}: {}", slo.text, slo.in_words(outcome.verdict.valid));
    }
    for note in &outcome.verdict.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let _ = writeln!(text, "run: {}", if outcome.verdict.valid { "VALID" } else { "INVALID" });
    for reason in &outcome.verdict.reasons {
        let _ = writeln!(text, "  {reason}");
    }
    text
}

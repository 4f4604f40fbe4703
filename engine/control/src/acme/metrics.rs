//! Figures of certificates, in Prometheus' text format.

use std::fmt::Write as _;
use std::sync::PoisonError;

use super::{AcmeDesk, LineReport};

impl AcmeDesk {
    /// All of them.
    #[must_use]
    pub fn metrics(&self) -> String {
        let (lines, is_halted, orders) = {
            let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            (shown.lines.clone(), shown.is_halted, shown.orders)
        };
        render(&lines, is_halted, orders)
    }
}

/// What a line of orders says, where it says something.
type OfLine = fn(&LineReport) -> Option<u64>;

/// A figure of each certificate.
const OF_CERTIFICATES: &[(&str, &str, OfLine)] = &[
    ("linchpin_certificate_not_after_seconds", "End of the certificate, s since 1970.", |line| {
        line.current.as_ref().map(|held| held.not_after_s)
    }),
    ("linchpin_certificate_lifetime_seconds", "Whole lifetime of the certificate.", |line| {
        line.current.as_ref().map(|held| held.not_after_s - held.not_before_s)
    }),
    ("linchpin_certificate_reaches_devices", "1 if devices have a root of its chain.", |line| {
        line.current.as_ref().map(|held| u64::from(held.reaches_devices))
    }),
    ("linchpin_certificate_alarm", "1 if something is wrong; the log says what.", |line| {
        Some(u64::from(line.alarm != "ok"))
    }),
    ("linchpin_acme_next_attempt_seconds", "Next order, s since 1970.", |line| Some(line.due_s.max(line.not_before_s))),
    ("linchpin_acme_failures", "Attempts in a row that failed.", |line| Some(u64::from(line.failures))),
];

const ORDERS: (&str, &str) = ("linchpin_acme_orders_total", "Orders that ended, by outcome.");
const HALTED: (&str, &str) = ("linchpin_acme_halted", "1 while the store takes no records of orders.");

/// Name, labels and help of each, in the order of the output. A counter's name ends in `_total`.
pub(crate) fn abouts() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let of_certificates = OF_CERTIFICATES.iter().map(|(name, help, _)| (*name, "name, kind, profile", *help));
    of_certificates.chain([(ORDERS.0, "outcome", ORDERS.1), (HALTED.0, "", HALTED.1)])
}

fn render(lines: &[LineReport], is_halted: bool, [issued, failed]: [u64; 2]) -> String {
    let mut text = String::new();
    for (name, help, value) in OF_CERTIFICATES {
        head(&mut text, name, help);
        for line in lines {
            let (Some(value), Some(first)) = (value(line), line.names.first()) else { continue };
            let (kind, profile) = (&line.kind, &line.profile);
            // Two profiles of the same names would be one series.
            let _ = writeln!(text, "{name}{{name=\"{first}\",kind=\"{kind}\",profile=\"{profile}\"}} {value}");
        }
    }
    let (name, help) = ORDERS;
    head(&mut text, name, help);
    let _ = writeln!(text, "{name}{{outcome=\"issued\"}} {issued}\n{name}{{outcome=\"failed\"}} {failed}");
    let (name, help) = HALTED;
    head(&mut text, name, help);
    let _ = writeln!(text, "{name} {}", u8::from(is_halted));
    text
}

fn head(text: &mut String, name: &str, help: &str) {
    let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::super::CertificateReport;
    use super::*;

    #[test]
    fn every_line_has_its_figures() {
        let current = CertificateReport {
            serial: "0a".to_owned(),
            directory: "https://ca/dir".to_owned(),
            not_before_s: 100,
            not_after_s: 1_100,
            reaches_devices: true,
            revoked: false,
        };
        let line = LineReport {
            names: vec!["node.example".to_owned()],
            kind: "rsa".to_owned(),
            profile: "tlsserver".to_owned(),
            current: Some(current),
            previous: None,
            state: "idle".to_owned(),
            due_s: 700,
            not_before_s: 800,
            failures: 2,
            alarm: "late".to_owned(),
            log: Vec::new(),
        };
        let text = render(&[line], false, [3, 1]);
        for expected in [
            "linchpin_certificate_not_after_seconds{name=\"node.example\",kind=\"rsa\",profile=\"tlsserver\"} 1100\n",
            "linchpin_certificate_lifetime_seconds{name=\"node.example\",kind=\"rsa\",profile=\"tlsserver\"} 1000\n",
            "linchpin_acme_next_attempt_seconds{name=\"node.example\",kind=\"rsa\",profile=\"tlsserver\"} 800\n",
            "linchpin_acme_failures{name=\"node.example\",kind=\"rsa\",profile=\"tlsserver\"} 2\n",
            "linchpin_certificate_alarm{name=\"node.example\",kind=\"rsa\",profile=\"tlsserver\"} 1\n",
            "linchpin_acme_orders_total{outcome=\"issued\"} 3\n",
            "linchpin_acme_orders_total{outcome=\"failed\"} 1\n",
        ] {
            assert!(text.contains(expected), "{expected}{text}");
        }
        for (name, ..) in abouts() {
            assert!(text.contains(&format!("# TYPE {name} ")), "{name}");
        }
    }
}

//! What a run must meet: `p99<5ms,errors=0`. The same words say which change fails a comparison: `p99>5%`.

use std::fmt;
use std::str::FromStr;

use crate::units::{Share, Span};

/// A figure of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SloFigure {
    /// Corrected latency of messages at a quantile, as millionths.
    Latency(u32),
    /// Mean corrected latency.
    Mean,
    /// Errors in the measured phases.
    Errors,
    /// Messages a second.
    Rate,
    /// Server CPU per message.
    Cpu,
}

impl FromStr for SloFigure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "errors" => return Ok(Self::Errors),
            "rate" => return Ok(Self::Rate),
            "cpu" => return Ok(Self::Cpu),
            "mean" => return Ok(Self::Mean),
            "max" => return Ok(Self::Latency(1_000_000)),
            _ => {}
        }
        let percent = text.strip_prefix('p').and_then(|number| number.parse::<f64>().ok());
        match percent {
            Some(percent) if (0.0..=100.0).contains(&percent) => Ok(Self::Latency((percent * 10_000.0).round() as u32)),
            _ => Err(format!("{text:?} is no figure; write p50, p99, p99.9, max, mean, errors, rate or cpu")),
        }
    }
}

impl fmt::Display for SloFigure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(1_000_000) => f.write_str("max"),
            Self::Latency(millionths) => write!(f, "p{}", f64::from(*millionths) / 10_000.0),
            Self::Mean => f.write_str("mean"),
            Self::Errors => f.write_str("errors"),
            Self::Rate => f.write_str("rate"),
            Self::Cpu => f.write_str("cpu"),
        }
    }
}

/// What a run must meet. Times are in microseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slo {
    text: String,
    parts: Vec<(SloFigure, char, f64)>,
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Result<Vec<_>, String> =
            text.split([',', '&']).filter(|part| !part.trim().is_empty()).map(part).collect();
        match parts? {
            parts if parts.is_empty() => Err("an SLO is empty; write such as \"p99<5ms,errors=0\"".to_owned()),
            parts => Ok(Self { text: text.to_owned(), parts }),
        }
    }
}

fn part(text: &str) -> Result<(SloFigure, char, f64), String> {
    let text = text.trim();
    let at =
        text.find(['<', '>', '=']).ok_or_else(|| format!("{text:?} compares nothing; write such as \"p99<5ms\""))?;
    let (figure, sign) = (text[..at].trim().parse()?, text.as_bytes()[at] as char);
    let value = text[at + 1..].trim_start_matches('=').trim();
    let number = match figure {
        SloFigure::Latency(_) | SloFigure::Mean => value.parse::<Span>()?.0.as_secs_f64() * 1e6,
        _ => value.parse().map_err(|_| format!("{value:?} is no number in {text:?}; write such as \"errors=0\""))?,
    };
    Ok((figure, sign, number))
}

impl Slo {
    /// What is not met, in words; `figure` tells a run's figures, `None` where it has none.
    pub(crate) fn missed(&self, figure: impl Fn(SloFigure) -> Option<f64>) -> Vec<String> {
        let mut missed = Vec::new();
        for (which, sign, wanted) in &self.parts {
            let Some(is) = figure(*which) else {
                missed.push(format!("{which} is not known: too few answers reach so far, or nobody measured it"));
                continue;
            };
            let is_met = match sign {
                '<' => is < *wanted,
                '>' => is > *wanted,
                _ => (is - wanted).abs() < 1e-9,
            };
            if !is_met {
                let unit = if matches!(which, SloFigure::Latency(_) | SloFigure::Mean) { " us" } else { "" };
                missed.push(format!("{which} is {is:.0}{unit}, wanted {sign} {wanted:.0}{unit}"));
            }
        }
        missed
    }
}

impl Slo {
    /// The first figure that it names and a run does not have.
    pub(crate) fn unknown(&self, figure: impl Fn(SloFigure) -> Option<f64>) -> Option<SloFigure> {
        self.parts.iter().map(|(which, ..)| *which).find(|which| figure(*which).is_none())
    }
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The change that fails a comparison: `p99>5%` is a 99th percentile more than 5 % worse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FailOn {
    pub(crate) figure: SloFigure,
    pub(crate) share: f64,
}

impl FromStr for FailOn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (figure, share) = text
            .split_once('>')
            .ok_or_else(|| format!("{text:?} is no change; write such as \"p99>5%\": worse by more than 5 %"))?;
        Ok(Self { figure: figure.trim().parse()?, share: share.trim().parse::<Share>()?.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(figure: SloFigure) -> Option<f64> {
        match figure {
            SloFigure::Latency(990_000) => Some(4_000.0),
            SloFigure::Latency(_) => Some(9_000.0),
            SloFigure::Errors => Some(2.0),
            SloFigure::Rate => Some(100.0),
            _ => None,
        }
    }

    #[test]
    fn what_is_missed_is_told_with_both_values() {
        let missed = |text: &str| text.parse::<Slo>().expect(text).missed(figures);
        assert_eq!(missed("p99<5ms, rate>99"), Vec::<String>::new());
        assert_eq!(missed("p99<5ms,errors=0"), ["errors is 2, wanted = 0"]);
        assert_eq!(missed("p99.9<8ms"), ["p99.9 is 9000 us, wanted < 8000 us"]);
        assert_eq!(missed("cpu<5").len(), 1, "a figure that is missing is not met");
        let unknown = |text: &str| text.parse::<Slo>().expect(text).unknown(figures);
        assert_eq!((unknown("p99<5ms,cpu<5"), unknown("p99<1ms")), (Some(SloFigure::Cpu), None));
    }

    #[test]
    fn what_is_no_slo_is_refused() {
        for text in ["", "p99", "p101<5ms", "p99<5", "errors=none", "speed>1"] {
            assert!(text.parse::<Slo>().is_err(), "{text}");
        }
        assert_eq!("p99>5%".parse(), Ok(FailOn { figure: SloFigure::Latency(990_000), share: 0.05 }));
        assert!("p99>5".parse::<FailOn>().is_err() && "p99".parse::<FailOn>().is_err());
    }
}

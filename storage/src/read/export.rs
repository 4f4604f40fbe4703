//! History as text, piece by piece: however much there is, a piece and not the whole is in memory.

use linchpin_protocol::model::Pin;

use crate::read::query::{Granularity, Query, Source};
use crate::read::reads::Reads;
use crate::schema::{DeviceKey, Sample};
use crate::{Error, limits};

/// What the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Lines of `time,pin,value` under a line with these names; RFC 4180.
    Csv,
    /// One array of `{"time":...,"pin":"V1","value":1.5}`.
    Json,
}

/// How times are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// ms since 1970.
    Ms,
    /// `2026-11-23T21:18:40.123Z`
    Iso,
    /// `11/23/2026 21:18:40`
    Us,
    /// `2026-11-23 21:18:40`
    Simple,
}

/// What to export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportQuery {
    /// The device.
    pub key: DeviceKey,
    /// Its pins, one after the other.
    pub pins: Vec<Pin>,
    /// From this moment on, ms since 1970.
    pub from_ms: u64,
    /// Up to and with this moment, ms since 1970.
    pub to_ms: u64,
    /// How fine.
    pub granularity: Granularity,
    /// Which value of a row.
    pub source: Source,
    /// Which text.
    pub format: ExportFormat,
    /// Which times.
    pub time: TimeFormat,
    /// Minutes that local times are ahead of UTC, for [`TimeFormat::Us`] and [`TimeFormat::Simple`].
    pub ahead_minutes: i32,
}

/// The pieces of an export; ends after the first error.
#[derive(Debug)]
pub struct Export {
    reads: Reads,
    query: ExportQuery,
    /// Which pin, and the first moment of it that is not written.
    at: (usize, u64),
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begin,
    /// Is anything written that the next value must be parted from?
    Middle(bool),
    Over,
}

impl Reads {
    /// Export history, with all that was handed over before this call.
    ///
    /// # Errors
    /// As [`Reads::history`]; so do the pieces.
    pub fn export(&self, query: ExportQuery) -> Result<Export, Error> {
        self.stored(query.key)?;
        let at = (0, query.from_ms);
        Ok(Export { reads: self.clone(), query, at, state: State::Begin })
    }
}

impl Iterator for Export {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.piece();
        if piece.as_ref().is_some_and(Result::is_err) {
            self.state = State::Over;
        }
        piece
    }
}

impl Export {
    fn piece(&mut self) -> Option<Result<Vec<u8>, Error>> {
        let mut out = String::new();
        let mut any = match self.state {
            State::Over => return None,
            State::Begin => {
                out.push_str(if self.query.format == ExportFormat::Csv { "time,pin,value\r\n" } else { "[" });
                false
            }
            State::Middle(any) => any,
        };
        while out.len() < limits::EXPORT_PIECE_BYTES {
            let Some(pin) = self.query.pins.get(self.at.0).copied() else {
                out.push_str(if self.query.format == ExportFormat::Csv { "" } else { "]\n" });
                self.state = State::Over;
                return (!out.is_empty()).then(|| Ok(out.into_bytes()));
            };
            let samples = match self.window(pin) {
                Ok(samples) => samples,
                Err(error) => return Some(Err(error)),
            };
            for sample in samples {
                self.write(pin, sample, any, &mut out);
                any = true;
            }
        }
        self.state = State::Middle(any);
        Some(Ok(out.into_bytes()))
    }

    /// The next stretch of time of a pin.
    fn window(&mut self, pin: Pin) -> Result<Vec<Sample>, Error> {
        let ExportQuery { key, to_ms, granularity, source, .. } = self.query;
        let (span, family) = match granularity {
            Granularity::Raw => (limits::CHUNK_SPAN_MS, crate::schema::Family::Raw),
            Granularity::Rows(grain) => (grain.record_ms(), grain.family()),
        };
        // Time without partitions is passed over at once.
        let from_ms = self.reads.first_retained(family, self.at.1).unwrap_or(u64::MAX);
        let last_ms = (from_ms - from_ms % span).saturating_add(span - 1).min(to_ms);
        if from_ms > to_ms || last_ms == to_ms {
            self.at = (self.at.0 + 1, self.query.from_ms);
        } else {
            self.at.1 = last_ms + 1;
        }
        if from_ms > to_ms {
            return Ok(Vec::new());
        }
        self.reads.history_stored(&Query { key, pin, from_ms, to_ms: last_ms, granularity, source })
    }

    fn write(&self, pin: Pin, sample: Sample, any: bool, out: &mut String) {
        use std::fmt::Write as _;
        let ExportQuery { format, time, ahead_minutes, .. } = self.query;
        let at = time.text(sample.at_ms, ahead_minutes);
        // Writing into a string does not fail.
        let _ = match (format, time) {
            (ExportFormat::Csv, _) => write!(out, "{at},{pin},{}\r\n", sample.value),
            (ExportFormat::Json, time) => {
                let part = if any { ",\n" } else { "" };
                let quote = if time == TimeFormat::Ms { "" } else { "\"" };
                write!(out, "{part}{{\"time\":{quote}{at}{quote},\"pin\":\"{pin}\",\"value\":{}}}", sample.value)
            }
        };
    }
}

/// Year, month and day of a day since 1970, in the calendar of Gregory: years begin in March, so that the leap day is
/// the last of its year.
const fn date(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, of_month)
}

impl TimeFormat {
    /// By the name that the HTTP API uses; `None` for another.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "TS" => Self::Ms,
            "ISO" => Self::Iso,
            "ISO_US" => Self::Us,
            "ISO_SIMPLE" => Self::Simple,
            _ => return None,
        })
    }

    /// A moment, ms since 1970, as text.
    #[must_use]
    pub fn text(self, at_ms: u64, ahead_minutes: i32) -> String {
        let local_ms = at_ms.saturating_add_signed(i64::from(ahead_minutes) * 60_000);
        let shown_ms = if matches!(self, Self::Iso) { at_ms } else { local_ms };
        let (seconds, ms) = (shown_ms / 1_000, shown_ms % 1_000);
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        match self {
            Self::Ms => at_ms.to_string(),
            Self::Iso => format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z"),
            Self::Us => format!("{month:02}/{day:02}/{year:04} {hour:02}:{minute:02}:{second:02}"),
            Self::Simple => format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_asked_for() {
        let at_ms = 1_795_468_720_123;
        assert_eq!(TimeFormat::Ms.text(at_ms, 60), "1795468720123");
        assert_eq!(TimeFormat::Iso.text(at_ms, 60), "2026-11-23T21:18:40.123Z");
        assert_eq!(TimeFormat::Us.text(at_ms, 180), "11/24/2026 00:18:40");
        assert_eq!(TimeFormat::Simple.text(at_ms, -60), "2026-11-23 20:18:40");
        assert_eq!(TimeFormat::Simple.text(951_782_400_000, 0), "2000-02-29 00:00:00");
        assert_eq!(TimeFormat::Simple.text(0, 0), "1970-01-01 00:00:00");
    }
}

//! History as text, piece by piece: however much there is, a piece and not the whole is in memory.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use linchpin_protocol::http::reply::put_string;
use linchpin_protocol::model::Pin;

use crate::read::query::{Granularity, Query, Source};
use crate::read::reads::Reads;
use crate::read::zone::Zone;
use crate::schema::{DeviceKey, Event, EventKey, Sample};
use crate::{Error, limits};

/// What the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Lines of `time,pin,value` under a line with these names; RFC 4180. With events `time,pin,value,event,description`.
    Csv,
    /// One array of `{"time":...,"pin":"V1","value":1.5}`, and of `{"time":...,"event":"hot","description":"..."}`.
    Json,
}

/// How times are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// ms since 1970.
    Ms,
    /// `2026-11-23T21:18:40.123Z`
    Iso,
    /// `11/23/26 09:18:40 PM`
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
    /// The zone of local times, for [`TimeFormat::Us`] and [`TimeFormat::Simple`].
    pub zone: Zone,
    /// Events too, behind the values.
    pub events: bool,
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
                out.push_str(match (self.query.format, self.query.events) {
                    (ExportFormat::Csv, false) => "time,pin,value\r\n",
                    (ExportFormat::Csv, true) => "time,pin,value,event,description\r\n",
                    (ExportFormat::Json, _) => "[",
                });
                false
            }
            State::Middle(any) => any,
        };
        while out.len() < limits::EXPORT_PIECE_BYTES {
            let Some(pin) = self.query.pins.get(self.at.0).copied() else {
                if let Err(error) = self.write_events(any, &mut out) {
                    return Some(Err(error));
                }
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
        let at = self.query.time.text(sample.at_ms, &self.query.zone);
        // Writing into a string does not fail.
        let _ = match (self.query.format, self.query.events) {
            (ExportFormat::Csv, events) => {
                write!(out, "{at},{pin},{}{}\r\n", sample.value, if events { ",," } else { "" })
            }
            (ExportFormat::Json, _) => {
                let at = self.quoted_time(&at);
                let part = if any { ",\n" } else { "" };
                write!(out, "{part}{{\"time\":{at},\"pin\":\"{pin}\",\"value\":{}}}", sample.value)
            }
        };
    }

    /// A time in JSON: a number, or a text.
    fn quoted_time(&self, at: &str) -> String {
        if self.query.time == TimeFormat::Ms { at.to_owned() } else { format!("\"{at}\"") }
    }

    /// The events of the time, the oldest first.
    fn write_events(&self, mut any: bool, out: &mut String) -> Result<(), Error> {
        let ExportQuery { key, from_ms, to_ms, format, time, ref zone, events, .. } = self.query;
        if !events {
            return Ok(());
        }
        let mut count = 0;
        self.reads.scan_device::<Event>(key, |EventKey { at_ms, .. }, event| {
            if at_ms > to_ms || count == limits::QUERY_POINTS {
                return ControlFlow::Break(());
            }
            if at_ms < from_ms {
                return ControlFlow::Continue(());
            }
            count += 1;
            let at = time.text(at_ms, zone);
            let Event { code, description, .. } = event;
            let _ = match format {
                ExportFormat::Csv => {
                    let (code, description) = (csv_text(&code), csv_text(&description));
                    write!(out, "{at},,,{code},{description}\r\n")
                }
                ExportFormat::Json => {
                    let (at, part) = (self.quoted_time(&at), if any { ",\n" } else { "" });
                    let _ = write!(out, "{part}{{\"time\":{at},\"event\":");
                    put_string(out, &code);
                    out.push_str(",\"description\":");
                    put_string(out, &description);
                    write!(out, "}}")
                }
            };
            any = true;
            ControlFlow::Continue(())
        })
    }
}

/// A text as RFC 4180 has it. One that a spreadsheet would take for a formula begins with an apostrophe.
fn csv_text(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
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
    pub fn text(self, at_ms: u64, zone: &Zone) -> String {
        let at = if self == Self::Iso { Zone::UTC.local(at_ms) } else { zone.local(at_ms) };
        let (year, month, day) = (at.year(), at.month(), at.day());
        let (hour, minute, second) = (at.hour(), at.minute(), at.second());
        match self {
            Self::Ms => at_ms.to_string(),
            Self::Iso => {
                format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", at.millisecond())
            }
            Self::Us => {
                let (of_12, half) = ((hour + 11) % 12 + 1, if hour < 12 { "AM" } else { "PM" });
                format!("{month:02}/{day:02}/{:02} {of_12:02}:{minute:02}:{second:02} {half}", year % 100)
            }
            Self::Simple => format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_csv_are_texts() {
        assert_eq!(csv_text("too \"hot\", now"), "\"too \"\"hot\"\", now\"");
        assert_eq!(csv_text("=1+1"), "\"'=1+1\"");
    }

    #[test]
    fn times_are_written_as_asked_for() {
        let at_ms = 1_795_468_720_123;
        let zone = |name| Zone::parse(name).expect(name);
        assert_eq!(TimeFormat::Ms.text(at_ms, &zone("+1")), "1795468720123");
        assert_eq!(TimeFormat::Iso.text(at_ms, &zone("+1")), "2026-11-23T21:18:40.123Z");
        assert_eq!(TimeFormat::Us.text(at_ms, &zone("+3")), "11/24/26 12:18:40 AM");
        // The documentation's own example.
        assert_eq!(TimeFormat::Us.text(1_554_896_741_000, &Zone::UTC), "04/10/19 11:45:41 AM");
        assert_eq!(TimeFormat::Us.text(1_554_896_741_000, &zone("Europe/Kyiv")), "04/10/19 02:45:41 PM");
        assert_eq!(TimeFormat::Simple.text(at_ms, &zone("-1")), "2026-11-23 20:18:40");
        assert_eq!(TimeFormat::Simple.text(951_782_400_000, &Zone::UTC), "2000-02-29 00:00:00");
        assert_eq!(TimeFormat::Simple.text(0, &Zone::UTC), "1970-01-01 00:00:00");
    }
}

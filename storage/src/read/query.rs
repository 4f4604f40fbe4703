//! Questions to history as the HTTP API asks them: which values, how fine, over which time.

use linchpin_protocol::model::Pin;

use crate::Error;
use crate::read::reads::Reads;
use crate::schema::{DeviceKey, Grain, Row, Sample};

/// How fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// Every point.
    Raw,
    /// One value a minute, an hour or a day.
    Rows(Grain),
}

/// Which value stands for a minute, an hour or a day; of raw points each stands for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Sum by count.
    Average,
    /// Least.
    Min,
    /// Greatest.
    Max,
    /// Sum.
    Sum,
    /// Number of points.
    Count,
    /// The last by time.
    Last,
}

/// How far back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// 60 minutes.
    Hour,
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
    /// 90 days.
    ThreeMonths,
}

impl Granularity {
    /// By the name that the HTTP API uses; `None` for another.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RAW_DATA" => Self::Raw,
            "MINUTE" => Self::Rows(Grain::Minute),
            "HOURLY" => Self::Rows(Grain::Hour),
            "DAILY" => Self::Rows(Grain::Day),
            _ => return None,
        })
    }
}

impl Source {
    /// By the name that the HTTP API uses; `None` for another.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "AVG" => Self::Average,
            "MIN" => Self::Min,
            "MAX" => Self::Max,
            "SUM" => Self::Sum,
            "COUNT" => Self::Count,
            "LAST" => Self::Last,
            _ => return None,
        })
    }

    /// Its value of a row.
    #[must_use]
    pub fn of(self, row: &Row) -> f64 {
        match self {
            Self::Average => row.sum / row.count.max(1) as f64,
            Self::Min => row.min,
            Self::Max => row.max,
            Self::Sum => row.sum,
            Self::Count => row.count as f64,
            Self::Last => row.last,
        }
    }
}

impl Period {
    /// By the name that the HTTP API uses; `None` for another.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "HOUR" => Self::Hour,
            "DAY" => Self::Day,
            "WEEK" => Self::Week,
            "MONTH" => Self::Month,
            "THREE_MONTHS" => Self::ThreeMonths,
            _ => return None,
        })
    }

    /// Its length, ms.
    #[must_use]
    pub const fn ms(self) -> u64 {
        const HOUR: u64 = 3_600_000;
        match self {
            Self::Hour => HOUR,
            Self::Day => 24 * HOUR,
            Self::Week => 7 * 24 * HOUR,
            Self::Month => 30 * 24 * HOUR,
            Self::ThreeMonths => 90 * 24 * HOUR,
        }
    }
}

/// A question to the history of a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// The device.
    pub key: DeviceKey,
    /// The pin.
    pub pin: Pin,
    /// From this moment on, ms since 1970.
    pub from_ms: u64,
    /// Up to and with this moment, ms since 1970.
    pub to_ms: u64,
    /// How fine.
    pub granularity: Granularity,
    /// Which value of a row.
    pub source: Source,
}

impl Query {
    /// The period that ends at `to_ms`.
    #[must_use]
    pub const fn last(mut self, period: Period, to_ms: u64) -> Self {
        (self.from_ms, self.to_ms) = (to_ms.saturating_sub(period.ms()), to_ms);
        self
    }
}

impl Reads {
    /// The values that a question asks for, by time. Rows stand at the begin of their minute, hour or day (UTC).
    ///
    /// # Errors
    /// As [`Reads::samples`].
    pub fn history(&self, query: &Query) -> Result<Vec<Sample>, Error> {
        self.stored(query.key)?;
        self.history_stored(query)
    }

    pub(crate) fn history_stored(&self, query: &Query) -> Result<Vec<Sample>, Error> {
        let Query { key, pin, from_ms, to_ms, granularity, source } = *query;
        match granularity {
            Granularity::Raw => self.samples_stored(key, pin, from_ms, to_ms),
            Granularity::Rows(grain) => {
                let rows = self.rows_stored(key, pin, grain, from_ms, to_ms)?;
                Ok(rows.iter().map(|row| Sample { at_ms: row.start_ms, value: source.of(row) }).collect())
            }
        }
    }
}

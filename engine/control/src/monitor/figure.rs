//! A counter is declared once, as a [`Counter`] in a list. From the lists come the sums over shards, the JSON of
//! `linchpin status`, the columns of `linchpin top`, the metrics and docs/metrics.md.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by bucket.
    Histogram,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What a counter says of one shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Figure {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(u64),
    /// How long things took.
    Times(Times),
    /// A number for each label.
    Labelled(BTreeMap<String, u64>),
}

/// How long things took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Times {
    /// Upper bounds of the buckets, us; one bucket more has what took longer.
    pub bounds_us: Vec<u64>,
    /// How many fell into each bucket.
    pub counts: Vec<u64>,
    /// Time of all of them, us.
    pub sum_us: u64,
}

impl Figure {
    /// As a number: a flag is 0 or 1, the rest is the number of things that were counted.
    #[must_use]
    pub fn number(&self) -> u64 {
        match self {
            Self::Flag(is_set) => u64::from(*is_set),
            Self::Number(number) => *number,
            Self::Times(times) => times.counts.iter().sum(),
            Self::Labelled(counts) => counts.values().sum(),
        }
    }

    /// Add what another shard says.
    pub(crate) fn add(&mut self, other: &Self, over: Over) {
        match (self, other) {
            (Self::Flag(all), Self::Flag(one)) => *all |= one,
            (Self::Number(all), Self::Number(one)) => {
                *all = if over == Over::Greatest { (*all).max(*one) } else { *all + one };
            }
            (Self::Times(all), Self::Times(one)) => {
                all.counts.iter_mut().zip(&one.counts).for_each(|(all, one)| *all += one);
                all.sum_us += one.sum_us;
            }
            (Self::Labelled(all), Self::Labelled(one)) => {
                one.iter().for_each(|(label, count)| *all.entry(label.clone()).or_default() += count);
            }
            _ => debug_assert!(false, "a counter has one kind of figure"),
        }
    }
}

/// What shards make of a figure together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Its sum.
    Sum,
    /// Its greatest.
    Greatest,
}

/// What is known of a counter without its value.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its name in JSON; ends with its unit.
    pub key: &'static str,
    /// Its name as a metric. Numbers whose key ends with `_us` are exported in seconds.
    pub metric: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Name of the label that its figure has besides the shard; empty: none.
    pub label: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// What shards make of it together.
    pub over: Over,
    /// Its column in the tables of `status` and `top`, where a counter is shown as its growth a second.
    pub column: Option<&'static str>,
}

/// A counter of what is counted in `T`.
#[derive(Debug)]
pub struct Counter<T> {
    /// All but its value.
    pub about: About,
    /// Its value.
    pub read: fn(&T) -> Figure,
}

impl<T> Counter<T> {
    const fn new(
        kind: Kind,
        key: &'static str,
        metric: &'static str,
        help: &'static str,
        read: fn(&T) -> Figure,
    ) -> Self {
        Self { about: About { key, metric, kind, label: "", help, over: Over::Sum, column: None }, read }
    }

    /// Something that only grows.
    pub const fn total(key: &'static str, metric: &'static str, help: &'static str, read: fn(&T) -> Figure) -> Self {
        Self::new(Kind::Counter, key, metric, help, read)
    }

    /// Something that goes up and down.
    pub const fn gauge(key: &'static str, metric: &'static str, help: &'static str, read: fn(&T) -> Figure) -> Self {
        Self::new(Kind::Gauge, key, metric, help, read)
    }

    /// Counts by bucket.
    pub const fn histogram(
        key: &'static str,
        metric: &'static str,
        help: &'static str,
        read: fn(&T) -> Figure,
    ) -> Self {
        Self::new(Kind::Histogram, key, metric, help, read)
    }

    /// Its figure has a label besides the shard.
    #[must_use]
    pub const fn by(mut self, label: &'static str) -> Self {
        self.about.label = label;
        self
    }

    /// Of several shards the greatest counts.
    #[must_use]
    pub const fn greatest(mut self) -> Self {
        self.about.over = Over::Greatest;
        self
    }

    /// It has a column in tables for people.
    #[must_use]
    pub const fn column(mut self, name: &'static str) -> Self {
        self.about.column = Some(name);
        self
    }
}

/// Figures by the keys of their counters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Figures(pub BTreeMap<String, Figure>);

impl Figures {
    /// The figure with this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Figure> {
        self.0.get(key)
    }

    /// The figure with this key as a number; 0 without one.
    #[must_use]
    pub fn number(&self, key: &str) -> u64 {
        self.get(key).map_or(0, Figure::number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_shards_add_up() {
        let labelled = |pairs: &[(&str, u64)]| {
            Figure::Labelled(pairs.iter().map(|(label, count)| ((*label).to_owned(), *count)).collect())
        };
        let times = |counts: &[u64], sum_us| Figure::Times(Times { bounds_us: vec![1], counts: counts.into(), sum_us });
        for (mut one, other, over, both) in [
            (Figure::Number(2), Figure::Number(3), Over::Sum, Figure::Number(5)),
            (Figure::Number(2), Figure::Number(3), Over::Greatest, Figure::Number(3)),
            (Figure::Flag(false), Figure::Flag(true), Over::Sum, Figure::Flag(true)),
            (times(&[1, 2], 9), times(&[0, 4], 2), Over::Sum, times(&[1, 6], 11)),
            (labelled(&[("a", 1)]), labelled(&[("a", 2), ("b", 3)]), Over::Sum, labelled(&[("a", 3), ("b", 3)])),
        ] {
            one.add(&other, over);
            assert_eq!(one, both);
        }
    }

    #[test]
    fn figures_are_read_from_json_as_they_were_written() {
        let json =
            r#"{"draining":false,"ends":{"E0101":3},"frames":7,"ticks":{"bounds_us":[1],"counts":[2,3],"sum_us":4}}"#;
        let figures: Figures = serde_json::from_str(json).expect("figures");
        assert_eq!((figures.number("frames"), figures.number("ends"), figures.number("ticks")), (7, 3, 5));
        assert_eq!(serde_json::to_string(&figures).expect("JSON"), json);
    }
}

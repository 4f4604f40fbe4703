//! What a virtual device writes: waves on what boards measure, and the first value of what people set.

use std::f64::consts::TAU;

use linchpin_protocol::model::{Pin, ValueKind};
use linchpin_storage::schema::TemplateRecord;

use crate::limits;

/// A pin that goes up and down between two numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Wave {
    pin: Pin,
    low: f64,
    high: f64,
    decimals: u8,
    /// How long up and down take together, ms.
    period_ms: u64,
}

impl Wave {
    /// Its value at a moment. Pins begin at different heights.
    fn at(&self, now_ms: u64) -> String {
        let turn = (now_ms % self.period_ms) as f64 / self.period_ms as f64 + f64::from(self.pin.index) * 0.17;
        let share = 0.5 + 0.5 * (turn * TAU).sin();
        format!("{:.*}", usize::from(self.decimals), self.low + (self.high - self.low) * share)
    }
}

/// See the module's page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Script {
    waves: Vec<Wave>,
    first: Vec<(Pin, Vec<u8>)>,
}

impl Script {
    /// Of a device without a template: temperature, humidity, light, a lamp, a text.
    pub(super) fn free() -> Self {
        let wave = |index, low, high, decimals, seconds: u64| Wave {
            pin: Pin::new_virtual(index),
            low,
            high,
            decimals,
            period_ms: seconds * 1_000,
        };
        let waves = vec![wave(0, 17.5, 26.5, 1, 40), wave(1, 42.0, 64.0, 0, 65), wave(2, 5.0, 48.0, 1, 90)];
        let first = [(3, "1"), (4, "Hello from your virtual device")];
        let first = first.map(|(index, text)| (Pin::new_virtual(index), text.as_bytes().to_vec()));
        Self { waves, first: first.to_vec() }
    }

    /// Of a device with this template: what people write has its default, numbers go through the middle of their range.
    pub(super) fn of(record: &TemplateRecord) -> Self {
        let mut script = Self::default();
        for stream in record.template.datastreams.iter().take(limits::PLAYED_PINS) {
            let sheet = record.stream(stream.pin);
            let is_set_by_people = sheet.is_some_and(|sheet| sheet.is_writable);
            let bounds = match stream.kind {
                ValueKind::Int { min, max } => Some((min as f64, max as f64, 0)),
                ValueKind::Double { min, max } => {
                    Some((min, max, sheet.and_then(|sheet| sheet.decimals).unwrap_or(1).min(4)))
                }
                ValueKind::Text | ValueKind::Enum { .. } => None,
            };
            match bounds {
                Some((min, max, decimals)) if !is_set_by_people && max > min => {
                    // A range that nobody narrowed says nothing of what is measured.
                    let (low, high) = if max - min > 1e6 { (0.0, 100.0) } else { (min, max) };
                    let inset = (high - low) * 0.25;
                    let is_flag = decimals == 0 && high - low <= 1.0;
                    let (low, high) = if is_flag { (low, high) } else { (low + inset, high - inset) };
                    let period_ms = 40_000 + u64::from(stream.pin.index) * 7_000;
                    script.waves.push(Wave { pin: stream.pin, low, high, decimals, period_ms });
                }
                _ => {
                    let zero = bounds.map_or("0".to_owned(), |(min, ..)| format!("{min:.0}"));
                    let text = match stream.kind {
                        ValueKind::Text => "Hello".to_owned(),
                        _ => zero,
                    };
                    let value = stream.default.as_deref().map_or(text, str::to_owned);
                    script.first.push((stream.pin, value.into_bytes()));
                }
            }
        }
        script
    }

    /// What is written once, after a login.
    pub(super) fn first(&self) -> impl Iterator<Item = (Pin, Vec<u8>)> + '_ {
        self.first.iter().cloned()
    }

    /// What is written at a moment, ms since the login.
    pub(super) fn moving(&self, now_ms: u64) -> impl Iterator<Item = (Pin, String)> + '_ {
        self.waves.iter().map(move |wave| (wave.pin, wave.at(now_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_move_and_stay_within_their_bounds() {
        let script = Script::free();
        let mut seen = std::collections::BTreeSet::new();
        for second in 0..120_u64 {
            for (pin, text) in script.moving(second * 1_000) {
                let value: f64 = text.parse().expect("a number");
                let wave = script.waves.iter().find(|wave| wave.pin == pin).expect("its wave");
                assert!(value >= wave.low && value <= wave.high, "{pin} {value}");
                if pin == Pin::new_virtual(0) {
                    seen.insert(text);
                }
            }
        }
        assert!(seen.len() > 15, "a gauge that moves: {seen:?}");
        assert_eq!(script.first().count(), 2);
    }
}

//! Templates and their datastreams: what the values of a kind of device may be.

use crate::Fault;
use crate::limits::MAX_VALUE_BYTES;

use super::{Number, Pin, TemplateId, ValueRef};

/// What a datastream takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueKind {
    /// A whole number within the bounds, both included.
    Int {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A number within the bounds, both included.
    Double {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// Any bytes, several values too.
    Text,
    /// One of so many choices, counted from 0.
    Enum {
        /// How many choices.
        count: u32,
    },
}

/// A pin of a template: its name and what it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Datastream {
    /// Where it is.
    pub pin: Pin,
    /// For people and for the addresses of MQTT.
    pub name: Box<str>,
    /// What it takes.
    pub kind: ValueKind,
    /// Unit, for display; may be empty.
    pub unit: Box<str>,
    /// Is the latest value sent again when a device asks to sync everything?
    pub sync: bool,
}

impl Datastream {
    /// May this value be written here?
    ///
    /// # Errors
    /// [`Fault::ValueTooLong`], [`Fault::ValueKind`] or [`Fault::ValueRange`].
    pub fn check(&self, value: ValueRef<'_>) -> Result<(), Fault> {
        let len_bytes = value.as_bytes().len();
        if len_bytes > MAX_VALUE_BYTES {
            return Err(Fault::ValueTooLong { len_bytes, limit_bytes: MAX_VALUE_BYTES });
        }
        match self.kind {
            ValueKind::Text => Ok(()),
            ValueKind::Int { min, max } => self.check_whole(value, min, max, "a whole number"),
            ValueKind::Enum { count } => self.check_whole(value, 0, i64::from(count) - 1, "the number of a choice"),
            ValueKind::Double { min, max } => {
                let number = value.as_number().ok_or(Fault::ValueKind { pin: self.pin, wanted: "a number" })?;
                self.check_range(number >= min && number <= max, number, min, max)
            }
        }
    }

    fn check_whole(&self, value: ValueRef<'_>, min: i64, max: i64, wanted: &'static str) -> Result<(), Fault> {
        let number = value.as_integer().ok_or(Fault::ValueKind { pin: self.pin, wanted })?;
        self.check_range((min..=max).contains(&number), number as f64, min as f64, max as f64)
    }

    fn check_range(&self, inside: bool, value: f64, min: f64, max: f64) -> Result<(), Fault> {
        if inside {
            return Ok(());
        }
        let (value, min, max) = (Number::new(value), Number::new(min), Number::new(max));
        Err(Fault::ValueRange { pin: self.pin, value, min, max })
    }
}

/// A kind of device.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The name that firmware carries.
    pub id: TemplateId,
    /// For people.
    pub name: Box<str>,
    /// Sorted by pin, each pin once: see [`Template::new`].
    pub datastreams: Vec<Datastream>,
    /// Codes of the events that its devices may log.
    pub events: Vec<Box<str>>,
    /// Its devices are served over TLS only.
    pub requires_tls: bool,
}

impl Template {
    /// Sorts the datastreams; of two on the same pin the first stays.
    #[must_use]
    pub fn new(id: TemplateId, name: Box<str>, mut datastreams: Vec<Datastream>, events: Vec<Box<str>>) -> Self {
        datastreams.sort_by_key(|datastream| datastream.pin);
        datastreams.dedup_by_key(|datastream| datastream.pin);
        Self { id, name, datastreams, events, requires_tls: false }
    }

    /// The same, served over TLS only or not.
    #[must_use]
    pub fn with_tls_required(self, requires_tls: bool) -> Self {
        Self { requires_tls, ..self }
    }

    /// The datastream on this pin.
    #[must_use]
    pub fn datastream(&self, pin: Pin) -> Option<&Datastream> {
        let at = self.datastreams.binary_search_by_key(&pin, |datastream| datastream.pin).ok()?;
        self.datastreams.get(at)
    }

    /// May this value be written to this pin of a device of this template?
    ///
    /// # Errors
    /// [`Fault::NoDatastream`] and those of [`Datastream::check`].
    pub fn check(&self, pin: Pin, value: ValueRef<'_>) -> Result<(), Fault> {
        self.datastream(pin).ok_or(Fault::NoDatastream { pin })?.check(value)
    }

    /// May its devices log this event?
    #[must_use]
    pub fn has_event(&self, code: &str) -> bool {
        self.events.iter().any(|known| &**known == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datastream(index: u8, kind: ValueKind) -> Datastream {
        Datastream { pin: Pin::new_virtual(index), name: "t".into(), kind, unit: "".into(), sync: true }
    }

    fn check(kind: ValueKind, value: &[u8]) -> Result<(), Fault> {
        datastream(1, kind).check(ValueRef(value))
    }

    #[test]
    fn whole_numbers_have_bounds() {
        let kind = ValueKind::Int { min: -1, max: 10 };
        for good in [&b"-1"[..], b"10", b"0", b"2.000"] {
            assert_eq!(check(kind, good), Ok(()), "{good:?}");
        }
        for bad in [&b"2.5"[..], b"", b"on", b"1\x002"] {
            assert!(matches!(check(kind, bad), Err(Fault::ValueKind { .. })), "{bad:?}");
        }
        let Err(fault) = check(kind, b"11") else { panic!("11 is above 10") };
        assert!(fault.to_string().contains("11") && fault.to_string().contains("-1 to 10"), "{fault}");
    }

    #[test]
    fn numbers_choices_and_text() {
        let kind = ValueKind::Double { min: 0.0, max: 1.5 };
        assert_eq!(check(kind, b"1.500"), Ok(()));
        assert!(matches!(check(kind, b"1.51"), Err(Fault::ValueRange { .. })));
        assert!(matches!(check(kind, b"nan"), Err(Fault::ValueKind { .. })));
        assert_eq!(check(ValueKind::Enum { count: 3 }, b"2"), Ok(()));
        assert!(matches!(check(ValueKind::Enum { count: 3 }, b"3"), Err(Fault::ValueRange { .. })));
        assert!(check(ValueKind::Enum { count: 0 }, b"0").is_err());
        assert_eq!(check(ValueKind::Text, &[0xff; MAX_VALUE_BYTES]), Ok(()));
        assert!(matches!(check(ValueKind::Text, &[0; MAX_VALUE_BYTES + 1]), Err(Fault::ValueTooLong { .. })));
    }

    #[test]
    fn a_template_finds_its_datastreams() {
        let id = TemplateId::parse(b"TMPL1").expect("valid");
        let streams = [9, 3, 200, 3].map(|index| datastream(index, ValueKind::Text)).to_vec();
        let template = Template::new(id, "lamp".into(), streams, vec!["hot".into()]);
        assert_eq!(template.datastreams.len(), 3);
        for index in [3, 9, 200] {
            let pin = Pin::new_virtual(index);
            assert_eq!(template.datastream(pin).map(|found| found.pin), Some(pin));
            assert_eq!(template.check(pin, ValueRef(b"x")), Ok(()));
        }
        let pin = Pin::new_virtual(4);
        assert_eq!(template.check(pin, ValueRef(b"x")), Err(Fault::NoDatastream { pin }));
        assert!(template.has_event("hot") && !template.has_event("cold"));
    }
}

//! Templates and their datastreams: what the values of a kind of device may be.

use std::borrow::Cow;
use std::fmt;

use crate::Fault;
use crate::limits::MAX_VALUE_BYTES;

use super::{Number, Pin, TemplateId, TopicMapping, ValueRef};

/// What codes of the system's own events begin with.
pub const SYSTEM_EVENTS: &str = "sys_";

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
    /// What reads and syncs get while nothing was written; a value that may be written here.
    pub default: Option<Box<str>>,
    /// The choice that takes the place of a foreign one; for enumerations only, below their count.
    pub fallback: Option<u32>,
}

impl Datastream {
    /// Without a default and a fallback.
    #[must_use]
    pub fn new(pin: Pin, name: &str, kind: ValueKind, unit: &str, sync: bool) -> Self {
        Self { pin, name: name.into(), kind, unit: unit.into(), sync, default: None, fallback: None }
    }

    /// The same with a default and a fallback.
    ///
    /// # Errors
    /// See [`SubstituteFault`].
    pub fn with_substitutes(self, default: Option<&str>, fallback: Option<u32>) -> Result<Self, SubstituteFault> {
        match (self.kind, fallback) {
            (ValueKind::Enum { count }, Some(fallback)) if fallback >= count => {
                return Err(SubstituteFault::NoSuchChoice { fallback, count });
            }
            (ValueKind::Enum { .. }, _) | (_, None) => {}
            (_, Some(_)) => return Err(SubstituteFault::NoChoices),
        }
        if let Some(default) = default {
            match self.admit(ValueRef(default.as_bytes())) {
                Ok(Cow::Borrowed(_)) => {}
                Ok(Cow::Owned(_)) => return Err(SubstituteFault::DefaultOutside),
                Err(fault) => return Err(SubstituteFault::Default(fault)),
            }
        }
        Ok(Self { default: default.map(Into::into), fallback, ..self })
    }

    /// The value that is stored when this one is written here: itself, or as Blynk does, the nearest bound for a number
    /// outside of them, and the fallback for a choice that does not exist.
    ///
    /// # Errors
    /// [`Fault::ValueTooLong`]; [`Fault::ValueKind`] for the wrong type; [`Fault::ValueRange`] for a choice that does not
    /// exist where there is no fallback.
    #[inline]
    pub fn admit<'a>(&self, value: ValueRef<'a>) -> Result<Cow<'a, [u8]>, Fault> {
        let bytes = value.as_bytes();
        if bytes.len() > MAX_VALUE_BYTES {
            return Err(Fault::ValueTooLong { len_bytes: bytes.len(), limit_bytes: MAX_VALUE_BYTES });
        }
        match self.kind {
            ValueKind::Text => {}
            ValueKind::Int { min, max } => {
                let number = value.as_integer().ok_or_else(|| self.wrong_kind("a whole number"))?;
                if let Some(bound) = cropped(number, min, max) {
                    return Ok(Cow::Owned(bound.to_string().into_bytes()));
                }
            }
            ValueKind::Double { min, max } => {
                let number = value.as_number().ok_or_else(|| self.wrong_kind("a number"))?;
                if let Some(bound) = cropped(number, min, max) {
                    return Ok(Cow::Owned(bound.to_string().into_bytes()));
                }
            }
            ValueKind::Enum { count } => {
                let choice = value.as_integer().ok_or_else(|| self.wrong_kind("the number of a choice"))?;
                if !(0..i64::from(count)).contains(&choice) {
                    let fallback = self.fallback.ok_or_else(|| self.no_such_choice(choice, count))?;
                    return Ok(Cow::Owned(fallback.to_string().into_bytes()));
                }
            }
        }
        Ok(Cow::Borrowed(bytes))
    }

    fn wrong_kind(&self, wanted: &'static str) -> Fault {
        Fault::ValueKind { pin: self.pin, wanted }
    }

    fn no_such_choice(&self, choice: i64, count: u32) -> Fault {
        let (value, min, max) = (choice as f64, 0.0, f64::from(count) - 1.0);
        Fault::ValueRange { pin: self.pin, value: Number::new(value), min: Number::new(min), max: Number::new(max) }
    }
}

/// A default or a fallback that a datastream cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubstituteFault {
    /// A fallback that is no choice of the enumeration.
    NoSuchChoice {
        /// The fallback.
        fallback: u32,
        /// How many choices there are.
        count: u32,
    },
    /// A fallback of a datastream that is no enumeration.
    NoChoices,
    /// A default outside the bounds.
    DefaultOutside,
    /// A default that could not be written.
    Default(Fault),
}

impl fmt::Display for SubstituteFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchChoice { fallback, count } => {
                write!(f, "the fallback {fallback} is not one of the {count} choices, which count from 0")
            }
            Self::NoChoices => f.write_str("only an enum has a fallback: numbers take the nearest bound"),
            Self::DefaultOutside => f.write_str("the default lies outside of min and max, or is no choice of the enum"),
            Self::Default(fault) => write!(f, "the default cannot be written: {fault}"),
        }
    }
}

impl std::error::Error for SubstituteFault {}

/// The bound that is nearest to a number outside of them.
fn cropped<T: PartialOrd + Copy>(number: T, min: T, max: T) -> Option<T> {
    if number < min {
        Some(min)
    } else if number > max {
        Some(max)
    } else {
        None
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
    /// Other names of datastreams.
    pub aliases: Vec<(Box<str>, Pin)>,
    /// Topics that devices publish to besides those of the device API.
    pub topics: Vec<TopicMapping>,
}

impl Template {
    /// Sorts the datastreams; of two on the same pin the first stays.
    #[must_use]
    pub fn new(id: TemplateId, name: Box<str>, mut datastreams: Vec<Datastream>, events: Vec<Box<str>>) -> Self {
        datastreams.sort_by_key(|datastream| datastream.pin);
        datastreams.dedup_by_key(|datastream| datastream.pin);
        Self { id, name, datastreams, events, requires_tls: false, aliases: Vec::new(), topics: Vec::new() }
    }

    /// With other names of datastreams, at most `limits::TEMPLATE_ALIASES`: firmware that has an old one goes on.
    #[must_use]
    pub fn with_aliases(self, aliases: Vec<(Box<str>, Pin)>) -> Self {
        Self { aliases, ..self }
    }

    /// With topics of the firmware's own, at most `limits::TEMPLATE_TOPICS`.
    #[must_use]
    pub fn with_topics(self, topics: Vec<TopicMapping>) -> Self {
        Self { topics, ..self }
    }

    /// May this be another name of a datastream, besides these? It must lead to one only, and fit into a topic of MQTT.
    #[must_use]
    pub fn may_alias(&self, known: &[(Box<str>, Pin)], name: &str) -> bool {
        let is_taken =
            known.iter().any(|known| *known.0 == *name) || self.datastreams.iter().any(|stream| *stream.name == *name);
        !is_taken && !name.is_empty() && !name.contains([',', '+', '#', '\0'])
    }

    /// The same, served over TLS only or not.
    #[must_use]
    pub fn with_tls_required(self, requires_tls: bool) -> Self {
        Self { requires_tls, ..self }
    }

    /// The datastream on this pin.
    #[inline]
    #[must_use]
    pub fn datastream(&self, pin: Pin) -> Option<&Datastream> {
        let at = self.datastreams.binary_search_by_key(&pin, |datastream| datastream.pin).ok()?;
        self.datastreams.get(at)
    }

    /// The value that is stored when this one is written to a device of this template: see [`Datastream::admit`].
    ///
    /// # Errors
    /// [`Fault::NoDatastream`] and those of [`Datastream::admit`].
    #[inline]
    pub fn admit<'a>(&self, pin: Pin, value: ValueRef<'a>) -> Result<Cow<'a, [u8]>, Fault> {
        self.datastream(pin).ok_or(Fault::NoDatastream { pin })?.admit(value)
    }

    /// May its devices log this event? Those of the system are in every template: an unmodified Edgent logs `sys_ota`.
    #[must_use]
    pub fn has_event(&self, code: &str) -> bool {
        code.starts_with(SYSTEM_EVENTS) || self.events.iter().any(|known| &**known == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datastream(index: u8, kind: ValueKind) -> Datastream {
        Datastream::new(Pin::new_virtual(index), "t", kind, "", true)
    }

    fn admit(kind: ValueKind, value: &[u8]) -> Result<String, Fault> {
        datastream(1, kind).admit(ValueRef(value)).map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    #[track_caller]
    fn becomes(kind: ValueKind, value: &str, stored: &str) {
        assert_eq!(admit(kind, value.as_bytes()).as_deref(), Ok(stored), "{value:?}");
    }

    #[test]
    fn whole_numbers_are_cropped_to_their_bounds() {
        let kind = ValueKind::Int { min: -1, max: 10 };
        for (value, stored) in [("-1", "-1"), ("10", "10"), ("2.000", "2.000"), ("11", "10"), ("-5000", "-1")] {
            becomes(kind, value, stored);
        }
        for bad in [&b"2.5"[..], b"", b"on", b"1\x002"] {
            assert!(matches!(admit(kind, bad), Err(Fault::ValueKind { .. })), "{bad:?}");
        }
        let all = ValueKind::Int { min: i64::MIN, max: i64::MAX };
        becomes(all, "-9223372036854775808", "-9223372036854775808");
    }

    #[test]
    fn numbers_are_cropped_and_text_is_taken() {
        let kind = ValueKind::Double { min: -55.0, max: 125.5 };
        for (value, stored) in [("1.500", "1.500"), ("500.000", "125.5"), ("-1e9", "-55"), ("125.51", "125.5")] {
            becomes(kind, value, stored);
        }
        assert!(matches!(admit(kind, b"nan"), Err(Fault::ValueKind { .. })));
        assert!(admit(ValueKind::Text, &[b'x'; MAX_VALUE_BYTES]).is_ok());
        assert!(matches!(admit(ValueKind::Text, &[0; MAX_VALUE_BYTES + 1]), Err(Fault::ValueTooLong { .. })));
        // Bounds the wrong way round are the operator's mistake, no reason to end the process.
        becomes(ValueKind::Int { min: 5, max: 1 }, "3", "5");
    }

    #[test]
    fn a_foreign_choice_takes_the_fallback_or_is_refused() {
        let kind = ValueKind::Enum { count: 4 };
        becomes(kind, "3", "3");
        let Err(fault) = admit(kind, b"9") else { panic!("there are four") };
        assert!(fault.to_string().contains('9') && fault.to_string().contains("0 to 3"), "{fault}");
        assert!(admit(ValueKind::Enum { count: 0 }, b"0").is_err());
        let with_fallback = Datastream { fallback: Some(2), ..datastream(1, kind) };
        for (value, stored) in [(&b"9"[..], &b"2"[..]), (b"-1", b"2"), (b"1", b"1")] {
            assert_eq!(with_fallback.admit(ValueRef(value)).as_deref(), Ok(stored));
        }
        assert!(
            matches!(with_fallback.admit(ValueRef(b"on")), Err(Fault::ValueKind { .. })),
            "the wrong type is dropped"
        );
    }

    #[test]
    fn substitutes_must_be_values_of_their_datastream() {
        let number = || datastream(1, ValueKind::Int { min: 0, max: 9 });
        let choice = || datastream(1, ValueKind::Enum { count: 2 });
        let good = number().with_substitutes(Some("7"), None).expect("within the bounds");
        assert_eq!(good.default.as_deref(), Some("7"));
        assert_eq!(number().with_substitutes(Some("10"), None), Err(SubstituteFault::DefaultOutside));
        assert!(matches!(number().with_substitutes(Some("x"), None), Err(SubstituteFault::Default(_))));
        assert_eq!(number().with_substitutes(None, Some(1)), Err(SubstituteFault::NoChoices));
        assert!(choice().with_substitutes(Some("1"), Some(0)).is_ok());
        let outside = choice().with_substitutes(None, Some(2));
        assert_eq!(outside, Err(SubstituteFault::NoSuchChoice { fallback: 2, count: 2 }));
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
            assert_eq!(template.admit(pin, ValueRef(b"x")).as_deref(), Ok(&b"x"[..]));
        }
        let pin = Pin::new_virtual(4);
        assert_eq!(template.admit(pin, ValueRef(b"x")), Err(Fault::NoDatastream { pin }));
        assert!(template.has_event("hot") && template.has_event("sys_ota") && !template.has_event("cold"));
    }
}

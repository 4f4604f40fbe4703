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
    /// Names it in the HTTP API, the same for ever within its template; 0: none was given yet, see [`Template::numbered`].
    pub id: u32,
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
    /// Without an id, a default and a fallback.
    #[must_use]
    pub fn new(pin: Pin, name: &str, kind: ValueKind, unit: &str, sync: bool) -> Self {
        Self { id: 0, pin, name: name.into(), kind, unit: unit.into(), sync, default: None, fallback: None }
    }

    /// With an id of the maker's choice, such as the one that it has in Blynk's cloud; 0: none.
    #[must_use]
    pub fn with_id(self, id: u32) -> Self {
        Self { id, ..self }
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
    /// outside of them, and the fallback for a choice that does not exist. Where numbers are, `true` and `false` are 1 and 0.
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
                let Some(number) = value.as_integer() else { return self.admit_word(bytes, "a whole number") };
                if let Some(bound) = cropped(number, min, max) {
                    return Ok(Cow::Owned(bound.to_string().into_bytes()));
                }
            }
            ValueKind::Double { min, max } => {
                let Some(number) = value.as_number() else { return self.admit_word(bytes, "a number") };
                if let Some(bound) = cropped(number, min, max) {
                    return Ok(Cow::Owned(bound.to_string().into_bytes()));
                }
            }
            ValueKind::Enum { count } => {
                let Some(choice) = value.as_integer() else { return self.admit_word(bytes, "the number of a choice") };
                if !(0..i64::from(count)).contains(&choice) {
                    let fallback = self.fallback.ok_or_else(|| self.no_such_choice(choice, count))?;
                    return Ok(Cow::Owned(fallback.to_string().into_bytes()));
                }
            }
        }
        Ok(Cow::Borrowed(bytes))
    }

    /// What is no number: a truth value may stand for one.
    #[cold]
    fn admit_word<'a>(&self, word: &[u8], wanted: &'static str) -> Result<Cow<'a, [u8]>, Fault> {
        match word {
            b"true" => self.admit(ValueRef(b"1")),
            b"false" => self.admit(ValueRef(b"0")),
            _ => Err(Fault::ValueKind { pin: self.pin, wanted }),
        }
    }

    fn no_such_choice(&self, choice: i64, count: u32) -> Fault {
        let (value, min, max) = (choice as f64, 0.0, f64::from(count) - 1.0);
        Fault::ValueRange { pin: self.pin, value: Number::new(value), min: Number::new(min), max: Number::new(max) }
    }
}

/// Two of a template's that cannot be told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AmbiguousTemplate {
    /// Two datastreams with one id.
    Stream(u32),
    /// Two metadata fields with one id.
    Field(u32),
    /// Two metadata fields with one name, or one without a name or with a reserved one.
    FieldName(Box<str>),
}

impl AmbiguousTemplate {
    /// Which list of the template is wrong.
    #[must_use]
    pub const fn list(&self) -> &'static str {
        match self {
            Self::Stream(_) => "datastreams",
            Self::Field(_) | Self::FieldName(_) => "fields",
        }
    }
}

impl fmt::Display for AmbiguousTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(id) => write!(f, "two datastreams have the id {id}: each needs its own"),
            Self::Field(id) => write!(f, "two fields have the id {id}: each needs its own"),
            Self::FieldName(name) => {
                write!(f, "the field name {name:?} is empty, there twice, or reserved: give it another")
            }
        }
    }
}

impl std::error::Error for AmbiguousTemplate {}

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

/// A metadata field that the devices of a template have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateField {
    /// Names it in the HTTP API, the same for ever within its template; 0: none was given yet, see [`Template::numbered`].
    pub id: u32,
    /// Its name on the wire.
    pub name: Box<str>,
    /// What reads get while nothing was written; may be empty.
    pub default: Box<str>,
    /// May the device itself write it? Clients of the HTTP API may in any case.
    pub by_device: bool,
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
    /// How many events of a code a device may log in a day, 1 or more; a code without a line: as many as the server allows.
    pub event_limits: Vec<(Box<str>, u16)>,
    /// How long a device may be away before it is shown as offline, s.
    pub offline_wait_s: u32,
    /// The metadata fields that its devices have; empty: any.
    pub fields: Vec<TemplateField>,
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
        Self {
            id,
            name,
            datastreams,
            events,
            event_limits: Vec::new(),
            offline_wait_s: 0,
            fields: Vec::new(),
            requires_tls: false,
            aliases: Vec::new(),
            topics: Vec::new(),
        }
    }

    /// With these metadata fields and no others, at most `limits::TEMPLATE_FIELDS`; none: its devices have any.
    #[must_use]
    pub fn with_fields(self, fields: Vec<TemplateField>) -> Self {
        Self { fields, ..self }
    }

    /// Gives an id to each datastream and field that has none: the one that the same pin or name had in `earlier`, which
    /// this template takes the place of, else one above all that are or were in use. What has an id stays as it is.
    #[must_use]
    pub fn numbered(mut self, earlier: Option<&Self>) -> Self {
        let known = earlier.map_or(&[][..], |earlier| &earlier.datastreams);
        let mut last = known.iter().chain(&self.datastreams).map(|stream| stream.id).max().unwrap_or_default();
        for at in 0..self.datastreams.len() {
            let pin = self.datastreams[at].pin;
            let before = known.iter().find(|stream| stream.pin == pin).map_or(0, |stream| stream.id);
            let is_free = before != 0 && self.datastreams.iter().all(|stream| stream.id != before);
            if self.datastreams[at].id == 0 {
                self.datastreams[at].id = if is_free { before } else { next(&mut last) };
            }
        }
        let known = earlier.map_or(&[][..], |earlier| &earlier.fields);
        let mut last = known.iter().chain(&self.fields).map(|field| field.id).max().unwrap_or_default();
        for at in 0..self.fields.len() {
            let name = &self.fields[at].name;
            let before = known.iter().find(|field| field.name == *name).map_or(0, |field| field.id);
            let is_free = before != 0 && self.fields.iter().all(|field| field.id != before);
            if self.fields[at].id == 0 {
                self.fields[at].id = if is_free { before } else { next(&mut last) };
            }
        }
        self
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
        !is_taken && super::fits_topics(name) && !name.contains(',')
    }

    /// The same, served over TLS only or not.
    #[must_use]
    pub fn with_tls_required(self, requires_tls: bool) -> Self {
        Self { requires_tls, ..self }
    }

    /// The same, whose devices are shown as offline after this time only, s.
    #[must_use]
    pub fn with_offline_wait(self, offline_wait_s: u32) -> Self {
        Self { offline_wait_s, ..self }
    }

    /// With limits of events, each with its code, 1 or more a device and day.
    #[must_use]
    pub fn with_event_limits(self, event_limits: Vec<(Box<str>, u16)>) -> Self {
        Self { event_limits, ..self }
    }

    /// Are ids and names of fields each there once?
    ///
    /// # Errors
    /// The first that is not.
    pub fn check_ids(&self) -> Result<(), AmbiguousTemplate> {
        let twice = |ids: Vec<u32>| {
            let mut seen = std::collections::BTreeSet::new();
            ids.into_iter().find(|id| *id != 0 && !seen.insert(*id))
        };
        if let Some(id) = twice(self.datastreams.iter().map(|stream| stream.id).collect()) {
            return Err(AmbiguousTemplate::Stream(id));
        }
        if let Some(id) = twice(self.fields.iter().map(|field| field.id).collect()) {
            return Err(AmbiguousTemplate::Field(id));
        }
        let mut names = std::collections::BTreeSet::from(["", "Auth Token", "Device Name", "Device Owner"]);
        match self.fields.iter().find(|field| !names.insert(&field.name)) {
            Some(field) => Err(AmbiguousTemplate::FieldName(field.name.clone())),
            None => Ok(()),
        }
    }

    /// The datastream on this pin.
    #[inline]
    #[must_use]
    pub fn datastream(&self, pin: Pin) -> Option<&Datastream> {
        let at = self.datastreams.binary_search_by_key(&pin, |datastream| datastream.pin).ok()?;
        self.datastreams.get(at)
    }

    /// The datastream with this id.
    #[must_use]
    pub fn datastream_by_id(&self, id: u32) -> Option<&Datastream> {
        self.datastreams.iter().find(|stream| stream.id == id && id != 0)
    }

    /// The metadata field with this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&TemplateField> {
        self.fields.iter().find(|field| *field.name == *name)
    }

    /// The metadata field with this id.
    #[must_use]
    pub fn field_by_id(&self, id: u32) -> Option<&TemplateField> {
        self.fields.iter().find(|field| field.id == id && id != 0)
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

    /// How many events of this code a device may log in a day; none: as many as the server allows.
    #[must_use]
    pub fn event_limit(&self, code: &str) -> Option<u16> {
        self.event_limits.iter().find(|(known, _)| **known == *code).map(|(_, limit)| *limit)
    }
}

/// The next id. Four thousand million are not used up; then the last is given twice.
fn next(last: &mut u32) -> u32 {
    *last = last.saturating_add(1);
    *last
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
    fn truth_values_are_numbers_where_numbers_are() {
        for kind in
            [ValueKind::Int { min: 0, max: 9 }, ValueKind::Double { min: 0.0, max: 9.0 }, ValueKind::Enum { count: 2 }]
        {
            becomes(kind, "true", "1");
            becomes(kind, "false", "0");
        }
        becomes(ValueKind::Int { min: 5, max: 9 }, "true", "5");
        becomes(ValueKind::Text, "true", "true");
        assert!(admit(ValueKind::Int { min: 0, max: 9 }, b"True").is_err());
    }

    #[test]
    fn ids_are_given_once_and_stay_with_their_pins() {
        let id = TemplateId::parse(b"TMPL1").expect("valid");
        let made = |pins: &[u8]| {
            let streams = pins.iter().map(|pin| datastream(*pin, ValueKind::Text)).collect();
            Template::new(id, "lamp".into(), streams, vec![])
        };
        let ids = |template: &Template| -> Vec<_> {
            template.datastreams.iter().map(|stream| (stream.pin.index, stream.id)).collect()
        };
        let first = made(&[6, 1]).numbered(None);
        assert_eq!(ids(&first), [(1, 1), (6, 2)]);
        assert_eq!(first.clone().numbered(None), first, "what has an id stays as it is");
        let second = made(&[1, 3]).numbered(Some(&first));
        assert_eq!(ids(&second), [(1, 1), (3, 3)], "2 is not given again in the change that takes V6 away");
        let mut chosen = made(&[1, 2, 6]);
        chosen.datastreams[2].id = 1;
        let chosen = chosen.numbered(Some(&first));
        assert_eq!(ids(&chosen), [(1, 3), (2, 4), (6, 1)], "a chosen id is not taken from its pin");
        assert_eq!(chosen.datastream_by_id(1).map(|stream| stream.pin.index), Some(6));
        assert_eq!((chosen.datastream_by_id(0), chosen.datastream_by_id(2)), (None, None));
        let field = |name: &str| TemplateField { id: 0, name: name.into(), default: "".into(), by_device: true };
        let first = made(&[]).with_fields(vec![field("Room"), field("Floor")]).numbered(None);
        let second = made(&[]).with_fields(vec![field("Floor"), field("House")]).numbered(Some(&first));
        assert_eq!(second.fields.iter().map(|field| field.id).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(second.field_by_id(2), second.field("Floor"));
        assert_eq!(second.field_by_id(0), None);
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

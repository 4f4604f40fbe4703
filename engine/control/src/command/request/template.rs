//! Requests about templates.

use std::num::NonZeroU32;

use linchpin_protocol::limits::{MAX_META_NAME_BYTES, MAX_META_VALUE_BYTES, TEMPLATE_FIELDS, TEMPLATE_TOPICS};
use linchpin_protocol::model::{
    Datastream, Pin, SubstituteFault, Template, TemplateField, TemplateId, TopicMapping, ValueKind,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::plain::Plain;
use crate::limits;

/// All templates.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateList {}

/// One template with its datastreams.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateShow {
    /// Its id.
    pub template: Plain<TemplateId>,
}

/// Add a template, or replace the one with its id: each shard checks writes against it from then on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateAdd {
    /// The id that firmware carries.
    pub template: Plain<TemplateId>,
    /// For people.
    #[serde(default)]
    #[schemars(length(max = limits::NAME_BYTES))]
    pub name: String,
    /// Are its devices served over TLS only?
    #[serde(default)]
    pub tls: bool,
    /// What each pin takes; a pin has one at most.
    #[serde(default)]
    #[schemars(length(max = limits::DATASTREAMS))]
    pub datastreams: Vec<StreamLine>,
    /// Codes of the events that its devices may log.
    #[serde(default)]
    pub events: Vec<String>,
    /// Metadata fields that its devices have; none: any.
    #[serde(default)]
    #[schemars(length(max = TEMPLATE_FIELDS))]
    pub fields: Vec<FieldLine>,
    /// Topics of MQTT of the firmware's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = TEMPLATE_TOPICS))]
    pub topics: Vec<TopicLine>,
}

/// A value of a topic of MQTT that sets a pin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicLine {
    /// Without wildcards.
    pub topic: String,
    /// Where the value stands in the JSON payload (RFC 6901); empty: the payload is the value.
    #[serde(default)]
    pub pointer: String,
    /// Such as `V7`; has a datastream.
    pub pin: Plain<Pin>,
}

/// It is stored.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AddedTemplate {
    /// Its id.
    pub template: String,
    /// Was there one with this id before?
    pub replaced: bool,
}

/// A template.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TemplateSheet {
    /// The id that firmware carries.
    pub id: String,
    /// For people.
    pub name: String,
    /// Are its devices served over TLS only?
    pub tls: bool,
    /// What each pin takes, in the order of the pins.
    pub datastreams: Vec<StreamLine>,
    /// Codes of the events that its devices may log.
    pub events: Vec<String>,
    /// Topics of MQTT of the firmware's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<TopicLine>,
    /// Metadata fields that its devices have; none: any.
    pub fields: Vec<FieldLine>,
}

/// A metadata field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldLine {
    /// Its name, once in a template.
    #[schemars(length(min = 1, max = MAX_META_NAME_BYTES))]
    pub name: String,
    /// `metaFieldId` of the HTTP API; 0 or none: the next one is given, and stays.
    #[serde(default)]
    pub id: u32,
    /// What a read gets while nothing was written.
    #[serde(default)]
    #[schemars(length(max = MAX_META_VALUE_BYTES))]
    pub default: String,
    /// May the device itself write it?
    #[serde(default = "FieldLine::by_device")]
    pub by_device: bool,
}

impl FieldLine {
    const fn by_device() -> bool {
        true
    }
}

impl From<&TemplateField> for FieldLine {
    fn from(field: &TemplateField) -> Self {
        let TemplateField { id, name, default, by_device } = field;
        Self { name: name.as_ref().into(), id: *id, default: default.as_ref().into(), by_device: *by_device }
    }
}

impl From<FieldLine> for TemplateField {
    fn from(line: FieldLine) -> Self {
        let FieldLine { name, id, default, by_device } = line;
        Self { id, name: name.into(), default: default.into(), by_device }
    }
}

/// What a pin takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamLine {
    /// Such as `V7`.
    pub pin: Plain<Pin>,
    /// `dataStreamId` of the HTTP API; 0 or none: the next one is given, and stays.
    #[serde(default)]
    pub id: u32,
    /// For people.
    #[serde(default)]
    pub name: String,
    /// Other names of it: firmware that has an old one goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Unit, for display.
    #[serde(default)]
    pub unit: String,
    /// Is the latest value sent again when a device asks to sync everything?
    #[serde(default)]
    pub sync: bool,
    /// Which values.
    pub kind: StreamKind,
    /// What a first sync or a read gets while nothing was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The choice that takes the place of one that an enum does not have; without it such a write is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<u32>,
}

/// Which values a pin takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum StreamKind {
    /// A whole number within the bounds, both included.
    Int {
        /// Smallest.
        #[serde(default = "StreamKind::least_int")]
        min: i64,
        /// Largest.
        #[serde(default = "StreamKind::most_int")]
        max: i64,
    },
    /// A number within the bounds, both included.
    Double {
        /// Smallest.
        #[serde(default = "StreamKind::least_double")]
        min: f64,
        /// Largest.
        #[serde(default = "StreamKind::most_double")]
        max: f64,
    },
    /// Any text.
    Text,
    /// The number of a choice, from 0.
    Enum {
        /// How many choices.
        count: NonZeroU32,
    },
}

impl StreamKind {
    const fn least_int() -> i64 {
        i64::MIN
    }

    const fn most_int() -> i64 {
        i64::MAX
    }

    const fn least_double() -> f64 {
        f64::MIN
    }

    const fn most_double() -> f64 {
        f64::MAX
    }
}

impl From<ValueKind> for StreamKind {
    fn from(kind: ValueKind) -> Self {
        match kind {
            ValueKind::Int { min, max } => Self::Int { min, max },
            ValueKind::Double { min, max } => Self::Double { min, max },
            ValueKind::Text => Self::Text,
            ValueKind::Enum { count } => Self::Enum { count: NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN) },
        }
    }
}

impl From<StreamKind> for ValueKind {
    fn from(kind: StreamKind) -> Self {
        match kind {
            StreamKind::Int { min, max } => Self::Int { min, max },
            StreamKind::Double { min, max } => Self::Double { min, max },
            StreamKind::Text => Self::Text,
            StreamKind::Enum { count } => Self::Enum { count: count.get() },
        }
    }
}

impl From<&Datastream> for StreamLine {
    fn from(stream: &Datastream) -> Self {
        Self {
            pin: stream.pin.into(),
            id: stream.id,
            name: stream.name.as_ref().into(),
            aliases: Vec::new(),
            unit: stream.unit.as_ref().into(),
            sync: stream.sync,
            kind: stream.kind.into(),
            default: stream.default.as_ref().map(|text| text.to_string()),
            fallback: stream.fallback,
        }
    }
}

impl TryFrom<StreamLine> for Datastream {
    type Error = SubstituteFault;

    fn try_from(line: StreamLine) -> Result<Self, SubstituteFault> {
        let StreamLine { pin, id, name, aliases: _, unit, sync, kind, default, fallback } = line;
        let made = Self::new(pin.0, &name, kind.into(), &unit, sync).with_id(id);
        made.with_substitutes(default.as_deref(), fallback)
    }
}

impl From<&TopicMapping> for TopicLine {
    fn from(mapping: &TopicMapping) -> Self {
        let TopicMapping { topic, pointer, pin } = mapping;
        Self { topic: topic.to_string(), pointer: pointer.to_string(), pin: (*pin).into() }
    }
}

/// A datastream with its other names.
fn line(template: &Template, stream: &Datastream) -> StreamLine {
    let of_it = template.aliases.iter().filter(|(_, pin)| *pin == stream.pin);
    StreamLine { aliases: of_it.map(|(name, _)| name.to_string()).collect(), ..stream.into() }
}

impl From<&Template> for TemplateSheet {
    fn from(template: &Template) -> Self {
        Self {
            id: template.id.as_str().to_owned(),
            name: template.name.as_ref().into(),
            tls: template.requires_tls,
            datastreams: template.datastreams.iter().map(|stream| line(template, stream)).collect(),
            events: template.events.iter().map(|code| code.as_ref().into()).collect(),
            topics: template.topics.iter().map(TopicLine::from).collect(),
            fields: template.fields.iter().map(FieldLine::from).collect(),
        }
    }
}

impl From<&Template> for TemplateAdd {
    fn from(template: &Template) -> Self {
        let TemplateSheet { name, tls, datastreams, events, topics, fields, .. } = template.into();
        Self { template: template.id.into(), name, tls, datastreams, events, topics, fields }
    }
}

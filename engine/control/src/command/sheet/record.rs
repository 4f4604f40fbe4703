//! A template's sheet as people have it, and as it is stored.

use std::ops::RangeInclusive;

use linchpin_protocol::limits::{TEMPLATE_ALIASES, TEMPLATE_TOPICS};
use linchpin_protocol::model::{Datastream, OrgId, Pin, SYSTEM_EVENTS, Template, TemplateId, TopicMapping, ValueKind};
use linchpin_storage::limits::{LAYOUT_BYTES, META_FIELDS, STREAM_LABELS, TEMPLATE_EVENTS};
use linchpin_storage::schema::{
    EventSeverity, EventSheet, FieldKind, MetaField, SheetRecord, StreamSheet, TemplateRecord,
};
use serde_json::{Value, json};

use crate::command::request::{
    SheetAnswer, SheetConnection, SheetEvent, SheetField, SheetFieldKind, SheetKind, SheetLabel, SheetLevel,
    SheetStream, TopicLine,
};
use crate::loader::name::check_name;
use crate::{CommandError, limits};

fn wrong(field: &str, expected: &str) -> CommandError {
    CommandError::parameter(field, expected).about(field)
}

/// The name of something in a template.
pub(super) fn named(field: &str, name: &str, lens: RangeInclusive<usize>) -> Result<(), CommandError> {
    check_name(name, lens).map_err(|expected| wrong(field, &format!("with a name that is {expected}")))
}

impl SheetStream {
    /// Without anything besides.
    pub(super) fn of(pin: Pin, kind: SheetKind) -> Self {
        Self {
            id: 0,
            pin: pin.into(),
            name: String::new(),
            alias: String::new(),
            aliases: Vec::new(),
            kind,
            unit: None,
            min: None,
            max: None,
            decimals: None,
            default: None,
            fallback: None,
            labels: Vec::new(),
            stale_after_s: None,
            hidden: false,
            writable: false,
            sync: false,
        }
    }
}

type Streams = Vec<(Datastream, StreamSheet)>;
type Aliases = Vec<(Box<str>, Pin)>;

/// Datastreams in the order of their pins, with their other names.
pub(super) fn streams_of(mut lines: Vec<SheetStream>) -> Result<(Streams, Aliases), CommandError> {
    lines.sort_by_key(|line| line.pin);
    if lines.windows(2).any(|pair| pair[0].pin == pair[1].pin) {
        return Err(wrong("streams", "one datastream a pin"));
    }
    let names: Vec<(Pin, Vec<String>)> = lines.iter().map(|line| (line.pin.0, line.aliases.clone())).collect();
    let streams = lines.into_iter().map(stream_of).collect::<Result<Streams, _>>()?;
    // The template is needed only to tell whether a name is taken.
    let all = streams.iter().map(|(stream, _)| stream.clone()).collect();
    let id = TemplateId::parse(b"TMPL").map_err(|_| wrong("streams", "checked"))?;
    let template = Template::new(id, "".into(), all, Vec::new());
    let mut aliases = Aliases::new();
    for (pin, name) in names.into_iter().flat_map(|(pin, names)| names.into_iter().map(move |name| (pin, name))) {
        if aliases.len() >= TEMPLATE_ALIASES || !template.may_alias(&aliases, &name) {
            let text = format!(
                "other names of one datastream each, at most {TEMPLATE_ALIASES}, without , + # and control characters"
            );
            return Err(wrong("aliases", &text));
        }
        aliases.push((name.into(), pin));
    }
    Ok((streams, aliases))
}

fn stream_of(line: SheetStream) -> Result<(Datastream, StreamSheet), CommandError> {
    let pin = line.pin.0;
    for text in [&line.name, &line.alias] {
        named("streams", text, 0..=limits::NAME_BYTES)?;
    }
    if line.min.zip(line.max).is_some_and(|(min, max)| min > max) {
        return Err(wrong("streams", &format!("min at most max ({pin})")));
    }
    if line.labels.len() > STREAM_LABELS {
        return Err(wrong("streams", &format!("at most {STREAM_LABELS} labels ({pin})")));
    }
    let kind = match line.kind {
        SheetKind::Integer => ValueKind::Int {
            min: line.min.map_or(i64::MIN, |min| min as i64),
            max: line.max.map_or(i64::MAX, |max| max as i64),
        },
        SheetKind::Double => ValueKind::Double { min: line.min.unwrap_or(f64::MIN), max: line.max.unwrap_or(f64::MAX) },
        SheetKind::String | SheetKind::Location => ValueKind::Text,
        SheetKind::Enumeration => {
            let in_order = line.labels.iter().enumerate().all(|(at, label)| label.value == at.to_string());
            if line.labels.is_empty() || !in_order {
                return Err(wrong("streams", &format!("labels with the values 0, 1, 2 and so on ({pin})")));
            }
            ValueKind::Enum { count: line.labels.len() as u32 }
        }
    };
    let unit = line.unit.unwrap_or_default();
    let stream = Datastream::new(pin, &line.name, kind, &unit, line.sync)
        .with_substitutes(line.default.as_deref(), line.fallback)
        .map_err(|fault| wrong("streams", &format!("datastreams with a default of their own ({pin}: {fault})")))?;
    let sheet = StreamSheet {
        alias: line.alias.into(),
        decimals: line.decimals.filter(|decimals| *decimals < 16),
        labels: line.labels.into_iter().map(|label| (label.value.into(), label.text.into())).collect(),
        is_location: line.kind == SheetKind::Location,
        is_hidden: line.hidden,
        is_writable: line.writable,
        stale_after_s: line.stale_after_s.unwrap_or(0),
    };
    Ok((stream, sheet))
}

/// Events with codes that Blynk's libraries can send.
pub(super) fn events_of(lines: Vec<SheetEvent>) -> Result<Vec<EventSheet>, CommandError> {
    if lines.len() > TEMPLATE_EVENTS {
        return Err(wrong("events", &format!("at most {TEMPLATE_EVENTS}")));
    }
    let fits = |code: &str| {
        (1..=limits::EVENT_CODE_BYTES).contains(&code.len())
            && code.chars().all(|c| c.is_alphanumeric() || c == ' ' || c == '_')
            && !code.starts_with(SYSTEM_EVENTS)
    };
    let mut found: Vec<EventSheet> = Vec::new();
    for line in lines {
        if !fits(&line.code) || found.iter().any(|known| *known.code == *line.code) {
            let text = format!(
                "events with a code of their own of 1 to {} letters, digits, spaces and _, not {SYSTEM_EVENTS}...",
                limits::EVENT_CODE_BYTES
            );
            return Err(wrong("events", &text));
        }
        named("events", &line.name, 0..=limits::NAME_BYTES)?;
        if line.text.len() > limits::EVENT_TEXT_BYTES {
            return Err(wrong("events", &format!("with texts of at most {} bytes", limits::EVENT_TEXT_BYTES)));
        }
        found.push(EventSheet {
            code: line.code.into(),
            name: line.name.into(),
            description: line.text.into(),
            severity: match line.level {
                SheetLevel::Info => EventSeverity::Information,
                SheetLevel::Warning => EventSeverity::Warning,
                SheetLevel::Critical => EventSeverity::Critical,
                SheetLevel::Content => EventSeverity::Content,
            },
            per_day: line.per_day,
            is_shown: true,
        });
    }
    Ok(found)
}

const KINDS: [(SheetFieldKind, FieldKind); 10] = [
    (SheetFieldKind::Text, FieldKind::Text),
    (SheetFieldKind::Number, FieldKind::Number),
    (SheetFieldKind::Time, FieldKind::Time),
    (SheetFieldKind::Contact, FieldKind::Contact),
    (SheetFieldKind::Cost, FieldKind::Cost),
    (SheetFieldKind::Coordinates, FieldKind::Coordinates),
    (SheetFieldKind::Switch, FieldKind::Switch),
    (SheetFieldKind::List, FieldKind::List),
    (SheetFieldKind::Device, FieldKind::Device),
    (SheetFieldKind::TimeZone, FieldKind::TimeZone),
];

pub(super) fn fields_of(lines: Vec<SheetField>) -> Result<Vec<MetaField>, CommandError> {
    if lines.len() > META_FIELDS {
        return Err(wrong("metadata", &format!("at most {META_FIELDS}")));
    }
    let mut found: Vec<MetaField> = Vec::new();
    for line in lines {
        named("metadata", &line.name, 1..=limits::META_NAME_BYTES)?;
        if line.default.len() > limits::META_VALUE_BYTES || found.iter().any(|known| *known.name == *line.name) {
            return Err(wrong("metadata", "fields with a name of their own"));
        }
        let kind = KINDS.iter().find(|(kind, _)| *kind == line.kind).map_or(FieldKind::Text, |(_, kind)| *kind);
        found.push(MetaField {
            id: 0,
            name: line.name.into(),
            kind,
            more: line.unit.unwrap_or_default().into(),
            default: line.default.into(),
            is_required: line.required,
            by_device: line.by_device,
        });
    }
    Ok(found)
}

pub(super) fn topics_of(template: &Template, lines: Vec<TopicLine>) -> Result<Vec<TopicMapping>, CommandError> {
    if lines.len() > TEMPLATE_TOPICS {
        return Err(wrong("topics", &format!("at most {TEMPLATE_TOPICS}")));
    }
    let topic = |line: TopicLine| {
        template.datastream(line.pin.0).ok_or_else(|| wrong("topics", "mapped to a pin that has a datastream"))?;
        TopicMapping::new(&line.topic, &line.pointer, line.pin.0).map_err(|expected| wrong("topics", expected))
    };
    lines.into_iter().map(topic).collect()
}

/// The text of a layout; the server looks at its size and that it is an object, and no further.
pub(super) fn layout_of(layout: &Value) -> Result<Box<str>, CommandError> {
    if layout.is_null() {
        return Ok(Box::default());
    }
    let text = layout.to_string();
    if !layout.is_object() || text.len() > LAYOUT_BYTES {
        return Err(wrong("layout", &format!("an object of at most {LAYOUT_BYTES} bytes")));
    }
    Ok(text.into())
}

/// A record of its parts.
pub(super) fn parts(
    id: TemplateId,
    name: &str,
    streams: Streams,
    events: Vec<EventSheet>,
    connection: SheetConnection,
) -> TemplateRecord {
    let (streams, sheets) = streams.into_iter().unzip();
    let codes = events.iter().map(|event| event.code.clone()).collect();
    let template = Template::new(id, name.into(), streams, codes).with_tls_required(connection.tls_required);
    let sheet = SheetRecord { events, offline_wait_s: connection.offline_wait_s, ..SheetRecord::default() };
    TemplateRecord { template, streams: sheets, sheet: SheetRecord::default() }.with_sheet(sheet)
}

fn line_of(template: &Template, stream: &Datastream, sheet: &StreamSheet) -> SheetStream {
    let (kind, min, max) = match stream.kind {
        ValueKind::Int { min, max } => {
            (SheetKind::Integer, (min > i64::MIN).then_some(min as f64), (max < i64::MAX).then_some(max as f64))
        }
        ValueKind::Double { min, max } => {
            (SheetKind::Double, (min > f64::MIN).then_some(min), (max < f64::MAX).then_some(max))
        }
        ValueKind::Text if sheet.is_location => (SheetKind::Location, None, None),
        ValueKind::Text => (SheetKind::String, None, None),
        ValueKind::Enum { .. } => (SheetKind::Enumeration, None, None),
    };
    let labels = match stream.kind {
        // A template of the configuration file has choices without texts.
        ValueKind::Enum { count } if sheet.labels.is_empty() => (0..count.min(STREAM_LABELS as u32))
            .map(|n| SheetLabel { value: n.to_string(), text: n.to_string() })
            .collect(),
        _ => sheet
            .labels
            .iter()
            .map(|(value, text)| SheetLabel { value: value.to_string(), text: text.to_string() })
            .collect(),
    };
    let of_it = template.aliases.iter().filter(|(_, pin)| *pin == stream.pin);
    SheetStream {
        id: stream.id,
        name: stream.name.to_string(),
        alias: sheet.alias.to_string(),
        aliases: of_it.map(|(name, _)| name.to_string()).collect(),
        unit: Some(stream.unit.to_string()).filter(|unit| !unit.is_empty()),
        min,
        max,
        decimals: sheet.decimals,
        default: stream.default.as_ref().map(ToString::to_string),
        fallback: stream.fallback,
        labels,
        stale_after_s: Some(sheet.stale_after_s).filter(|seconds| *seconds > 0),
        hidden: sheet.is_hidden,
        writable: sheet.is_writable,
        sync: stream.sync,
        ..SheetStream::of(stream.pin, kind)
    }
}

pub(super) fn level(severity: EventSeverity) -> SheetLevel {
    match severity {
        EventSeverity::Information => SheetLevel::Info,
        EventSeverity::Warning => SheetLevel::Warning,
        EventSeverity::Critical => SheetLevel::Critical,
        EventSeverity::Content => SheetLevel::Content,
    }
}

/// Codes of the configuration file have no texts.
fn event_lines(record: &TemplateRecord) -> Vec<SheetEvent> {
    let line = |code: &str| match record.sheet.events.iter().find(|event| *event.code == *code) {
        Some(event) => SheetEvent {
            code: code.to_string(),
            name: event.name.to_string(),
            level: level(event.severity),
            text: event.description.to_string(),
            per_day: event.per_day,
        },
        None => SheetEvent {
            code: code.to_string(),
            name: code.to_string(),
            level: SheetLevel::Info,
            text: String::new(),
            per_day: 0,
        },
    };
    record.template.events.iter().map(|code| line(code)).collect()
}

/// As people have it.
pub(super) fn answer(org: OrgId, record: &TemplateRecord, devices: usize) -> SheetAnswer {
    let TemplateRecord { template, streams, sheet } = record;
    let none = StreamSheet::default();
    let stream = |(at, stream): (usize, &Datastream)| line_of(template, stream, streams.get(at).unwrap_or(&none));
    let field = |field: &MetaField| SheetField {
        id: field.id,
        name: field.name.to_string(),
        kind: KINDS.iter().find(|(_, kind)| *kind == field.kind).map_or(SheetFieldKind::Text, |(kind, _)| *kind),
        unit: Some(field.more.to_string()).filter(|more| !more.is_empty()),
        required: field.is_required,
        default: field.default.to_string(),
        by_device: field.by_device,
    };
    let empty = || json!({"version": 1, "pages": [{"id": "p1", "title": "Overview", "roles": null, "widgets": []}]});
    SheetAnswer {
        id: template.id.as_str().to_owned(),
        org: org.get(),
        name: template.name.to_string(),
        description: sheet.description.to_string(),
        version: sheet.version,
        devices,
        changed_ms: sheet.changed_ms,
        published: sheet.is_published,
        streams: template.datastreams.iter().enumerate().map(stream).collect(),
        events: event_lines(record),
        metadata: sheet.fields.iter().map(field).collect(),
        topics: template.topics.iter().map(TopicLine::from).collect(),
        connection: SheetConnection { tls_required: template.requires_tls, offline_wait_s: sheet.offline_wait_s },
        layout: serde_json::from_str(&sheet.layout).unwrap_or_else(|_| empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<SheetStream> {
        let label = |value: &str, text: &str| SheetLabel { value: value.into(), text: text.into() };
        let pin = Pin::new_virtual;
        vec![
            SheetStream {
                labels: vec![label("0", "off"), label("1", "on")],
                ..SheetStream::of(pin(3), SheetKind::Enumeration)
            },
            SheetStream {
                name: "Temperature".into(),
                alias: "temperature".into(),
                aliases: vec!["Temp".into()],
                unit: Some("°C".into()),
                min: Some(-40.0),
                max: Some(125.0),
                decimals: Some(1),
                default: Some("20".into()),
                stale_after_s: Some(600),
                writable: true,
                sync: true,
                ..SheetStream::of(pin(1), SheetKind::Double)
            },
            SheetStream {
                min: Some(0.0),
                labels: vec![label("7", "lucky")],
                ..SheetStream::of(pin(2), SheetKind::Integer)
            },
            SheetStream { hidden: true, ..SheetStream::of(pin(4), SheetKind::Location) },
            SheetStream::of(pin(5), SheetKind::String),
        ]
    }

    #[test]
    fn what_is_answered_can_be_saved_again() {
        let id = TemplateId::parse(b"TMPLlamp").expect("valid");
        let (streams, aliases) = streams_of(lines()).expect("good");
        let event = SheetEvent {
            code: "too hot".into(),
            name: "Too hot".into(),
            level: SheetLevel::Critical,
            text: "Look at the fan.".into(),
            per_day: 5,
        };
        let connection = SheetConnection { tls_required: true, offline_wait_s: 60 };
        let mut record = parts(id, "Lamp", streams, events_of(vec![event]).expect("good"), connection);
        record.template.aliases = aliases;
        record.number(None);
        let first = answer(OrgId::FIRST, &record, 3);
        let (streams, aliases) = streams_of(first.streams.clone()).expect("good");
        let mut again =
            parts(id, &first.name, streams, events_of(first.events.clone()).expect("good"), first.connection);
        again.template.aliases = aliases;
        again.number(Some(&record));
        assert_eq!(again, record);
        assert_eq!(first.streams.iter().map(|line| line.pin.0.index).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert!(first.streams.iter().all(|line| line.id > 0));
    }

    #[test]
    fn ids_go_on_with_their_pins() {
        let id = TemplateId::parse(b"TMPLlamp").expect("valid");
        let made = |lines| parts(id, "", streams_of(lines).expect("good").0, Vec::new(), SheetConnection::default());
        let mut first = made(lines());
        first.number(None);
        let mut fewer = made(lines().into_iter().filter(|line| line.pin.0.index != 2).collect());
        fewer.number(Some(&first));
        let mut more = made(lines());
        more.number(Some(&fewer));
        let of = |record: &TemplateRecord, index| {
            record.template.datastream(Pin::new_virtual(index)).map(|stream| stream.id)
        };
        assert_eq!(of(&more, 1), of(&first, 1));
        assert_ne!(of(&more, 2), None);
        let earlier = &first.template.datastreams;
        assert!(earlier.iter().all(|stream| Some(stream.id) != of(&more, 2)) || of(&fewer, 5) == of(&first, 5));
    }

    #[test]
    fn mistakes_are_named() {
        let pin = Pin::new_virtual(1);
        let stream = |edit: fn(&mut SheetStream)| {
            let mut line = SheetStream::of(pin, SheetKind::Double);
            edit(&mut line);
            streams_of(vec![line])
        };
        assert!(stream(|line| (line.min, line.max) = (Some(2.0), Some(1.0))).is_err());
        assert!(stream(|line| line.default = Some("x".into())).is_err());
        assert!(stream(|line| line.kind = SheetKind::Enumeration).is_err());
        assert!(stream(|line| line.name = "x".repeat(65)).is_err());
        assert!(stream(|line| line.aliases = vec!["a".into(), "a".into()]).is_err());
        assert!(
            streams_of(vec![SheetStream::of(pin, SheetKind::Double), SheetStream::of(pin, SheetKind::String)]).is_err()
        );
        let event = |code: &str| SheetEvent {
            code: code.into(),
            name: String::new(),
            level: SheetLevel::Info,
            text: String::new(),
            per_day: 0,
        };
        for bad in ["", "sys_ota", "a-b", "a\n"] {
            assert!(events_of(vec![event(bad)]).is_err(), "{bad:?}");
        }
        assert!(events_of(vec![event("a"), event("a")]).is_err());
        assert!(layout_of(&json!([1])).is_err() && layout_of(&Value::Null).is_ok_and(|text| text.is_empty()));
    }
}

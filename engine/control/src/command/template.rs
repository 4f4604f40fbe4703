//! Commands about templates.

use linchpin_protocol::limits::TEMPLATE_ALIASES;
use linchpin_protocol::model::{Datastream, Pin, Template, TopicMapping};

use super::desk::Desk;
use super::request::{AddedTemplate, TemplateAdd, TemplateList, TemplateSheet, TemplateShow, TopicLine};
use crate::shards::Fact;
use crate::{Code, CommandError};

pub(super) async fn list(desk: &Desk, _: TemplateList) -> Result<Vec<TemplateSheet>, CommandError> {
    Ok(desk.registry().templates().map(TemplateSheet::from).collect())
}

pub(super) async fn show(desk: &Desk, asked: TemplateShow) -> Result<TemplateSheet, CommandError> {
    let id = asked.template.0;
    let registry = desk.registry();
    registry.template(id).map(|entry| TemplateSheet::from(entry.template())).ok_or_else(|| {
        let text = format!("there is no template {}: `linchpin template list` shows them", id.as_str());
        CommandError::new(Code::NoSuchTemplate, text)
    })
}

/// Add a template, or replace the one with its id: every shard checks writes against it from now on.
pub(super) async fn add(desk: &Desk, asked: TemplateAdd) -> Result<AddedTemplate, CommandError> {
    let template = template(asked)?;
    let id = template.id;
    let entry = desk.registry().reserve_template(template)?;
    let record = entry.clone();
    if let Err(error) = desk.with_store(move |keep| keep.put_template(&record)).await {
        desk.registry().give_up_template(id);
        return Err(error);
    }
    let replaced = desk.registry().publish_template(entry);
    desk.publish([Fact::Template(id)]).await;
    Ok(AddedTemplate { template: id.as_str().to_owned(), replaced })
}

fn template(asked: TemplateAdd) -> Result<Template, CommandError> {
    let TemplateAdd { template, name, tls, datastreams, events, topics, fields } = asked;
    let count = datastreams.len();
    let names: Vec<_> = datastreams.iter().map(|line| (line.pin.0, line.aliases.clone())).collect();
    let datastreams = datastreams.into_iter().map(Datastream::try_from).collect::<Result<_, _>>();
    let datastreams = datastreams.map_err(|fault| CommandError::new(Code::Refused, fault.to_string()))?;
    let events = events.into_iter().map(Into::into).collect();
    let fields = fields.into_iter().map(Into::into).collect();
    let template =
        Template::new(template.0, name.into(), datastreams, events).with_tls_required(tls).with_fields(fields);
    if let Err(twice) = template.check_ids() {
        return Err(CommandError::parameter(twice.list(), &twice.to_string()));
    }
    if template.datastreams.len() < count {
        return Err(CommandError::parameter("datastreams", "one datastream a pin"));
    }
    let aliases = aliases(&template, names)?;
    let topics = topics.into_iter().map(|line| {
        let TopicLine { topic, pointer, pin } = line;
        let no_stream = || CommandError::parameter("topics", "mapped to a pin that has a datastream");
        template.datastream(pin.0).ok_or_else(no_stream)?;
        TopicMapping::new(&topic, &pointer, pin.0).map_err(|expected| CommandError::parameter("topics", expected))
    });
    let topics = topics.collect::<Result<_, _>>()?;
    Ok(template.with_aliases(aliases).with_topics(topics))
}

/// Other names of datastreams, each of one only.
fn aliases(template: &Template, names: Vec<(Pin, Vec<String>)>) -> Result<Vec<(Box<str>, Pin)>, CommandError> {
    let mut found = Vec::new();
    for (pin, name) in names.into_iter().flat_map(|(pin, names)| names.into_iter().map(move |name| (pin, name))) {
        if found.len() >= TEMPLATE_ALIASES || !template.may_alias(&found, &name) {
            let expected = format!(
                "at most {TEMPLATE_ALIASES} in a template, each of one datastream only, not empty, without , + # and control characters"
            );
            return Err(CommandError::parameter("aliases", &expected));
        }
        found.push((name.into(), pin));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::run::read;
    use crate::limits;
    use serde_json::json;

    fn read_template(asked: serde_json::Value) -> Result<Template, CommandError> {
        template(read(&schemars::schema_for!(TemplateAdd), asked)?)
    }

    #[test]
    fn what_is_shown_can_be_added() {
        let asked = json!({
            "template": "TMPLpump", "name": "Pump", "events": ["dry"],
            "datastreams": [
                {"pin": "V0", "name": "Speed", "aliases": ["rpm", "n"], "unit": "rpm", "sync": true, "kind": {"type": "int", "min": 0, "max": 3000}},
                {"pin": "V1", "name": "Load", "kind": {"type": "double", "min": 0.0, "max": 1.5}},
                {"pin": "V2", "name": "Mode", "kind": {"type": "enum", "count": 3}, "default": "1", "fallback": 0},
                {"pin": "V3", "name": "Note", "kind": {"type": "text"}},
                {"pin": "V4", "name": "Any", "kind": {"type": "int"}, "id": 20},
            ],
            "topics": [{"topic": "tele/pump", "pointer": "/speed", "pin": "V0"}, {"topic": "any", "pin": "V4"}],
            "fields": [{"name": "Room", "id": 7, "default": "Bath"}, {"name": "Serial", "by_device": false}],
        });
        let made = read_template(asked).expect("good");
        let again = serde_json::to_value(TemplateAdd::from(&made)).expect("JSON");
        assert_eq!(read_template(again).expect("good"), made);
        assert_eq!((made.aliases.len(), made.topics.len()), (2, 2));
    }

    #[test]
    fn mistakes_are_named() {
        for (asked, words) in [
            (json!({}), "template"),
            (json!({"template": "x y"}), "template"),
            (json!({"template": "T", "events": [1]}), "events"),
            (json!({"template": "T", "streams": []}), "streams"),
            (json!({"template": "T", "name": "x".repeat(limits::NAME_BYTES + 1)}), "name"),
            (json!({"template": "T", "datastreams": [{"pin": "V0"}]}), "kind"),
            (json!({"template": "T", "fields": [{"name": ""}]}), "fields"),
            (json!({"template": "T", "fields": [{"name": "a"}, {"name": "a"}]}), "fields"),
            (json!({"template": "T", "fields": [{"name": "a", "id": 1}, {"name": "b", "id": 1}]}), "fields"),
            (
                json!({"template": "T", "datastreams": [
                    {"pin": "V0", "id": 3, "kind": {"type": "text"}}, {"pin": "V1", "id": 3, "kind": {"type": "text"}}]}),
                "datastreams",
            ),
            (json!({"template": "T", "datastreams": [{"pin": "V0", "kind": {"type": "float"}}]}), "kind"),
            (json!({"template": "T", "datastreams": [{"pin": "V0", "kind": {"type": "enum"}}]}), "count"),
            (json!({"template": "T", "datastreams": [{"pin": "V0", "kind": {"type": "enum", "count": 0}}]}), "kind"),
            (json!({"template": "T", "datastreams": [{"pin": "X0", "kind": {"type": "text"}}]}), "pin"),
            (
                json!({"template": "T", "datastreams": [
                    {"pin": "V0", "kind": {"type": "text"}}, {"pin": "V0", "kind": {"type": "text"}}]}),
                "datastreams",
            ),
            (
                json!({"template": "T", "datastreams": [{"pin": "V0", "aliases": ["a", "a"], "kind": {"type": "text"}}]}),
                "aliases",
            ),
            (
                json!({"template": "T", "datastreams": [{"pin": "V0", "aliases": ["a+"], "kind": {"type": "text"}}]}),
                "aliases",
            ),
            (json!({"template": "T", "topics": [{"topic": "a", "pin": "V0"}]}), "topics"),
            (
                json!({"template": "T", "datastreams": [{"pin": "V0", "kind": {"type": "text"}}],
                    "topics": [{"topic": "a/#", "pin": "V0"}]}),
                "topics",
            ),
        ] {
            let error = read_template(asked.clone()).expect_err("must be refused");
            assert!(error.code == Code::BadParameter && error.text.contains(words), "{asked}: {error}");
        }
    }
}

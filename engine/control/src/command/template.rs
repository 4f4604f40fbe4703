//! Commands about templates.

use linchpin_protocol::model::{Datastream, Template, TemplateId, ValueKind};
use linchpin_shard::Command;
use serde_json::{Value, json};

use crate::command::parameters::{optional_text, pin};
use crate::command::render::template_json;
use crate::command::{Answer, Desk};
use crate::{CommandError, limits};

impl Desk {
    pub(crate) async fn show_template(&self, parameters: &Value) -> Answer {
        let id = template_id(parameters, "template")?;
        let registry = self.registry.lock().await;
        registry.template(id).map(|entry| template_json(&entry.template)).ok_or_else(|| {
            let text = format!("there is no template {}: `linchpin template list` shows them", id.as_str());
            CommandError::new("no-such-template", text)
        })
    }

    /// Add a template, or replace the one with its id: every shard checks writes against it from now on.
    pub(crate) async fn add_template(&self, parameters: &Value) -> Answer {
        let template = template(parameters)?;
        let mut registry = self.registry.lock().await;
        let before = registry.template(template.id).cloned();
        let is_known = before.is_some();
        if !is_known && registry.templates().len() >= limits::TEMPLATES {
            let text = format!("{} templates are the most that one server keeps", limits::TEMPLATES);
            return Err(CommandError::new("refused", text));
        }
        let id = template.id;
        let entry = registry.put_template(template.clone());
        if let Err(error) = self.with_store(move |keep| keep.put_template(&entry)).await {
            registry.restore_template(id, before);
            return Err(error);
        }
        for shard in self.shards.all() {
            self.tell_patiently(shard, Command::PutTemplate(Box::new(template.clone()))).await?;
        }
        Ok(json!({"template": id.as_str(), "replaced": is_known}))
    }
}

fn template_id(parameters: &Value, name: &str) -> Result<TemplateId, CommandError> {
    let text = optional_text(parameters, name)?.unwrap_or_default();
    TemplateId::parse(text.as_bytes()).map_err(|_| CommandError::parameter(name, "a template id such as TMPLxxxxxxxx"))
}

/// The shape that `template.show` answers.
fn template(parameters: &Value) -> Result<Template, CommandError> {
    let id = template_id(parameters, "template")?;
    let name = optional_text(parameters, "name")?.unwrap_or_default();
    let list = |name: &str| parameters.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let streams = list("datastreams");
    if name.len() > limits::NAME_BYTES || streams.len() > limits::DATASTREAMS {
        let text = format!(
            "a template has a name of at most {} bytes and at most {} datastreams",
            limits::NAME_BYTES,
            limits::DATASTREAMS
        );
        return Err(CommandError::new("refused", text));
    }
    let datastreams = streams.iter().map(datastream).collect::<Result<Vec<_>, _>>()?;
    let events = list("events").iter().map(|event| event.as_str().map(Into::into)).collect::<Option<Vec<_>>>();
    let events = events.ok_or_else(|| CommandError::parameter("events", "a list of texts"))?;
    let count = datastreams.len();
    let tls = parameters.get("tls").map_or(Some(false), Value::as_bool);
    let tls = tls.ok_or_else(|| CommandError::parameter("tls", "true or false"))?;
    let template = Template::new(id, name.into(), datastreams, events).with_tls_required(tls);
    if template.datastreams.len() < count {
        return Err(CommandError::parameter("datastreams", "one datastream a pin"));
    }
    Ok(template)
}

fn datastream(stream: &Value) -> Result<Datastream, CommandError> {
    let text = |name: &str| optional_text(stream, name).map(Option::unwrap_or_default);
    let wrong = || {
        let expected = "{\"type\": \"int\" or \"double\" with min and max, \"text\", or \"enum\" with count}";
        CommandError::parameter("kind", expected)
    };
    let kind = stream.get("kind").ok_or_else(wrong)?;
    let number = |name: &str| kind.get(name).and_then(Value::as_f64);
    let whole = |name: &str| kind.get(name).and_then(Value::as_i64);
    let kind = match kind.get("type").and_then(Value::as_str) {
        Some("int") => ValueKind::Int { min: whole("min").unwrap_or(i64::MIN), max: whole("max").unwrap_or(i64::MAX) },
        Some("double") => {
            ValueKind::Double { min: number("min").unwrap_or(f64::MIN), max: number("max").unwrap_or(f64::MAX) }
        }
        Some("text") => ValueKind::Text,
        Some("enum") => {
            let count = whole("count").and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0);
            ValueKind::Enum { count: count.ok_or_else(wrong)? }
        }
        _ => return Err(wrong()),
    };
    let sync = stream.get("sync").and_then(Value::as_bool).unwrap_or(false);
    let made = Datastream::new(pin(stream)?, text("name")?, kind, text("unit")?, sync);
    let fallback = match stream.get("fallback").filter(|fallback| !fallback.is_null()) {
        None => None,
        Some(given) => Some(
            given
                .as_u64()
                .and_then(|choice| u32::try_from(choice).ok())
                .ok_or_else(|| CommandError::parameter("fallback", "the number of a choice, from 0"))?,
        ),
    };
    let default = optional_text(stream, "default")?;
    made.with_substitutes(default, fallback).map_err(|fault| CommandError::new("refused", fault.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_added() {
        let asked = json!({
            "template": "TMPLpump", "name": "Pump", "events": ["dry"],
            "datastreams": [
                {"pin": "V0", "name": "Speed", "unit": "rpm", "sync": true, "kind": {"type": "int", "min": 0, "max": 3000}},
                {"pin": "V1", "name": "Load", "kind": {"type": "double", "min": 0.0, "max": 1.5}},
                {"pin": "V2", "name": "Mode", "kind": {"type": "enum", "count": 3}, "default": "1", "fallback": 0},
                {"pin": "V3", "name": "Note", "kind": {"type": "text"}},
            ],
        });
        let made = template(&asked).expect("good");
        let mut shown = template_json(&made);
        shown["template"] = shown["id"].take();
        assert_eq!(template(&shown).expect("good"), made);
    }

    #[test]
    fn mistakes_are_named() {
        for (asked, words) in [
            (json!({}), "template"),
            (json!({"template": "x y"}), "template"),
            (json!({"template": "T", "events": [1]}), "events"),
            (json!({"template": "T", "datastreams": [{"pin": "V0"}]}), "kind"),
            (json!({"template": "T", "datastreams": [{"pin": "V0", "kind": {"type": "float"}}]}), "kind"),
            (json!({"template": "T", "datastreams": [{"pin": "V0", "kind": {"type": "enum"}}]}), "kind"),
            (json!({"template": "T", "datastreams": [{"pin": "X0", "kind": {"type": "text"}}]}), "pin"),
            (
                json!({"template": "T", "datastreams": [
                    {"pin": "V0", "kind": {"type": "text"}}, {"pin": "V0", "kind": {"type": "text"}}]}),
                "datastreams",
            ),
        ] {
            let error = template(&asked).expect_err("must be refused");
            assert!(error.text.contains(words), "{asked}: {error}");
        }
    }
}

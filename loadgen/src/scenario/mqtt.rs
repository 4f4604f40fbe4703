//! How MQTT devices name themselves and what they publish to.

use mqtt_proto::TopicName;
use schemars::JsonSchema;
use serde::Deserialize;

/// MQTT names of a group's devices. `{n}` is the device's number in the run, from 0; `{user}` and `{password}` stand in
/// its line of the tokens file; `{pin}` is the pin of the mix.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mqtt {
    /// Client id; each device needs its own.
    pub(crate) client_id: String,
    /// User name; without a tokens file a name with `{user}` is not sent.
    pub(crate) username: String,
    /// Password; without one in the line a password with `{password}` is not sent.
    pub(crate) password: String,
    /// Topic of values.
    pub(crate) topic: String,
    /// Topic that the device listens to, in groups with `echo` or a bridge; `{pin}` must be a level of its own.
    pub(crate) listen: String,
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            client_id: "loadgen-{n}".into(),
            username: "{user}".into(),
            password: "{password}".into(),
            topic: "loadgen/{n}/{pin}".into(),
            listen: "loadgen/{n}/in/{pin}".into(),
        }
    }
}

/// What stands for the names in braces.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names<'a> {
    pub(crate) number: u64,
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) pin: &'a str,
}

impl Names<'_> {
    /// A template with its names put in.
    pub(crate) fn fill(&self, template: &str) -> String {
        let mut out = String::with_capacity(template.len() + 16);
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            out.push_str(&rest[..open]);
            rest = &rest[open..];
            let close = rest.find('}').map_or(rest.len(), |close| close + 1);
            match &rest[..close] {
                "{n}" => out.push_str(&self.number.to_string()),
                "{user}" => out.push_str(self.user),
                "{password}" => out.push_str(self.password),
                "{pin}" => out.push_str(self.pin),
                other => out.push_str(other),
            }
            rest = &rest[close..];
        }
        out + rest
    }
}

/// Names in braces of a template that are none of `known`.
fn unknown(template: &str, known: &[&str]) -> Option<String> {
    let parts = template.split('{').skip(1).map(|part| part.split('}').next().unwrap_or_default());
    parts.map(str::to_owned).find(|name| !known.contains(&name.as_str()))
}

impl Mqtt {
    /// The topic to subscribe to.
    pub(crate) fn filter(&self, names: Names<'_>) -> String {
        Names { pin: "+", ..names }.fill(&self.listen)
    }

    /// Everything that is wrong with it.
    pub(crate) fn faults(&self, devices: u64) -> Vec<String> {
        let mut faults = Vec::new();
        for (key, template, known) in [
            ("client_id", &self.client_id, &["n", "user"][..]),
            ("username", &self.username, &["n", "user"]),
            ("password", &self.password, &["n", "user", "password"]),
            ("topic", &self.topic, &["n", "user", "pin"]),
            ("listen", &self.listen, &["n", "user", "pin"]),
        ] {
            if let Some(name) = unknown(template, known) {
                faults.push(format!("mqtt.{key} has {{{name}}}; it may have {{{}}}", known.join("}, {")));
            }
        }
        if devices > 1 && !self.client_id.contains("{n}") && !self.client_id.contains("{user}") {
            faults.push(format!(
                "mqtt.client_id is {:?} for all {devices} devices; write {{n}} or {{user}} into it",
                self.client_id
            ));
        }
        let names = Names { user: "u", pin: "1", ..Names::default() };
        for (key, template) in [("topic", &self.topic), ("listen", &self.listen)] {
            let topic = names.fill(template);
            if topic.is_empty() || TopicName::is_invalid(&topic) {
                faults.push(format!("mqtt.{key} is {template:?}; write a topic without + and #"));
            }
        }
        if self.listen.split('/').any(|level| level.contains("{pin}") && level != "{pin}") {
            faults.push(format!("mqtt.listen is {:?}; {{pin}} must be a level of its own", self.listen));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_in_once() {
        let names = Names { number: 7, user: "{n}", password: "p", pin: "3" };
        assert_eq!(names.fill("a/{n}/{user}/{pin}/{odd}/{"), "a/7/{n}/3/{odd}/{");
        assert_eq!(Mqtt::default().filter(names), "loadgen/7/in/+");
    }

    #[test]
    fn templates_are_checked() {
        assert_eq!(Mqtt::default().faults(1_000), Vec::<String>::new());
        let bad = Mqtt {
            client_id: "me".into(),
            username: "{token}".into(),
            topic: "a/#".into(),
            listen: "in/v{pin}".into(),
            ..Mqtt::default()
        };
        let faults = bad.faults(2);
        for words in ["{token}", "for all 2 devices", "mqtt.topic is \"a/#\"", "a level of its own"] {
            assert!(faults.iter().any(|fault| fault.contains(words)), "{words}: {faults:?}");
        }
        assert_eq!(bad.faults(1).len(), 3);
    }
}

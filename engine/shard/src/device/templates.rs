//! The templates that a shard knows, and the names of their datastreams.

use std::fmt::Write as _;

use linchpin_protocol::model::{Pin, PinKind, Template, TemplateId, fits_topics};

/// Templates that this shard knows; devices refer to them by position.
#[derive(Debug, Default)]
pub(crate) struct Templates(Vec<Known>);

#[derive(Debug)]
struct Known {
    template: Template,
    /// Names and other names of datastreams, ascending; of equal ones the first counts.
    names: Box<[(Box<str>, Pin)]>,
}

/// Can a list of names, which commas separate?
fn is_of_lists(name: &str) -> bool {
    fits_topics(name) && !name.contains(',') && name.trim() == name
}

impl Known {
    fn new(template: Template) -> Self {
        let template = template.numbered(None);
        let own = template.datastreams.iter().map(|stream| (stream.name.clone(), stream.pin));
        // What cannot be said everywhere is called by its pin, too.
        let unsaid = template.datastreams.iter().filter(|stream| !is_of_lists(&stream.name));
        let by_pin = unsaid.map(|stream| (stream.pin.to_string().into(), stream.pin));
        let all = own.chain(template.aliases.iter().cloned()).chain(by_pin);
        let mut names: Vec<(Box<str>, Pin)> = all.filter(|it| !it.0.is_empty()).collect();
        // Stable: a datastream's own name comes before another's alias, and both before a pin.
        names.sort_by(|a, b| a.0.cmp(&b.0));
        names.dedup_by(|later, first| later.0 == first.0);
        Self { template, names: names.into() }
    }
}

/// The text of a pin of a device without template, such as `V5`.
#[derive(Debug, Default)]
pub(crate) struct PinName(String);

impl Templates {
    /// Add or replace.
    pub(crate) fn put(&mut self, template: Template) {
        let known = Known::new(template);
        match self.0.iter_mut().find(|it| it.template.id == known.template.id) {
            Some(place) => *place = known,
            None => self.0.push(known),
        }
    }

    /// Position + 1 of a template, 0 when it is not known.
    pub(crate) fn number(&self, id: TemplateId) -> u16 {
        self.0.iter().position(|it| it.template.id == id).map_or(0, |at| at as u16 + 1)
    }

    /// The template with a number.
    pub(crate) fn get(&self, number: u16) -> Option<&Template> {
        self.known(number).map(|known| &known.template)
    }

    fn known(&self, number: u16) -> Option<&Known> {
        usize::from(number).checked_sub(1).and_then(|at| self.0.get(at))
    }

    /// The pin of a datastream's name; without a template (0) names are those of pins.
    pub(crate) fn pin_of(&self, number: u16, name: &str) -> Option<Pin> {
        match self.known(number) {
            Some(known) => {
                let at = known.names.binary_search_by(|it| (*it.0).cmp(name)).ok()?;
                known.names.get(at).map(|it| it.1)
            }
            None => {
                let letter = name.as_bytes().first()?.to_ascii_lowercase();
                Pin::parse(letter, name.as_bytes()).filter(|_| PinKind::from_letter(letter).is_some() && name.len() > 1)
            }
        }
    }

    /// The name of a pin's datastream; the pin's own, which is written to `text`, where no topic can hold that.
    pub(crate) fn name_of<'a>(&'a self, number: u16, pin: Pin, text: &'a mut PinName) -> &'a str {
        let stream = self.known(number).and_then(|known| known.template.datastream(pin));
        if let Some(stream) = stream.filter(|stream| fits_topics(&stream.name)) {
            return &stream.name;
        }
        text.0.clear();
        // Writing to a String cannot fail.
        let _ = write!(text.0, "{pin}");
        &text.0
    }
}

#[cfg(test)]
mod tests {
    use linchpin_protocol::model::{Datastream, ValueKind};

    use super::*;

    fn templates() -> Templates {
        let stream = |index, name: &str| Datastream::new(Pin::new_virtual(index), name, ValueKind::Text, "", false);
        let id = TemplateId::parse(b"TMPL1").expect("valid");
        let streams = vec![stream(1, "Set Point"), stream(2, "Alpha"), stream(3, "")];
        let aliases = vec![("Old".into(), Pin::new_virtual(1)), ("Alpha".into(), Pin::new_virtual(3))];
        let mut templates = Templates::default();
        templates.put(Template::new(id, "t".into(), streams, vec![]).with_aliases(aliases));
        templates
    }

    #[test]
    fn names_and_aliases_lead_to_pins() {
        let templates = templates();
        let pin = |name| templates.pin_of(1, name).map(|pin| pin.index);
        assert_eq!((pin("Set Point"), pin("Old"), pin("Alpha")), (Some(1), Some(1), Some(2)));
        assert_eq!((pin("V1"), pin(""), pin("set point")), (None, None, None));
        let mut text = PinName::default();
        assert_eq!(templates.name_of(1, Pin::new_virtual(1), &mut text), "Set Point");
        assert_eq!(templates.name_of(1, Pin::new_virtual(3), &mut text), "V3");
    }

    #[test]
    fn names_that_topics_cannot_hold_are_those_of_pins() {
        let stream = |index, name: &str| Datastream::new(Pin::new_virtual(index), name, ValueKind::Text, "", false);
        let id = TemplateId::parse(b"TMPL2").expect("valid");
        let streams = vec![
            stream(1, "Humidity, %"),
            stream(2, "A+B"),
            stream(3, "No. #3"),
            stream(4, " spaced "),
            stream(5, "V6"),
            stream(6, "Plain"),
            stream(7, ""),
        ];
        let mut templates = Templates::default();
        templates.put(Template::new(id, "t".into(), streams, vec![]));
        let pin = |name| templates.pin_of(1, name).map(|pin| pin.index);
        for name in ["V1", "V2", "V3", "V4", "V7"] {
            assert_eq!(pin(name), name[1..].parse().ok(), "{name}");
        }
        assert_eq!((pin("Humidity, %"), pin("A+B"), pin(" spaced ")), (Some(1), Some(2), Some(4)));
        assert_eq!((pin("V6"), pin("V5"), pin("Plain")), (Some(5), None, Some(6)), "a name comes before a pin");
        let heard = [1, 2, 3, 4, 5, 6, 7].map(|index| {
            let mut text = PinName::default();
            templates.name_of(1, Pin::new_virtual(index), &mut text).to_owned()
        });
        assert_eq!(heard, ["Humidity, %", "V2", "V3", " spaced ", "V6", "Plain", "V7"]);
    }

    #[test]
    fn without_a_template_names_are_those_of_pins() {
        let templates = templates();
        for (name, pin) in [("V5", "V5"), ("v255", "V255"), ("D13", "D13"), ("A0", "A0")] {
            assert_eq!(templates.pin_of(0, name).map(|pin| pin.to_string()).as_deref(), Some(pin));
        }
        for bad in ["", "V", "V256", "5", "X1", "V05x", "Vv5"] {
            assert_eq!(templates.pin_of(0, bad), None, "{bad}");
        }
        let mut text = PinName::default();
        assert_eq!(templates.name_of(0, Pin::new_virtual(7), &mut text), "V7");
    }
}

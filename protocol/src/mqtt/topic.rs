//! What a client asks for with the topic of a message.

/// What a topic asks for, before names are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uplink<'a> {
    /// `info/mcu`: the device says what it is; see [`super::payload::about`].
    About,
    /// `ds/...`: something about one datastream.
    Stream(StreamPath<'a>),
    /// `batch_ds`: several datastreams at one time; see [`super::payload::batch`].
    Batch,
    /// `event/CODE`: an event happened; the payload describes it.
    Event {
        /// Not empty.
        code: &'a str,
    },
    /// `meta/NAME`: set a field of the metadata to the payload.
    MetaSet {
        /// Not empty.
        name: &'a str,
    },
    /// `get/ds`: send the values of the datastreams that the payload lists, separated by commas.
    SyncListed,
    /// `get/ds/all`: send all values that a login sends.
    SyncAll,
    /// `get/meta`: send the fields that the payload lists, separated by commas.
    MetaGet,
    /// `get/utc/all/json`: send time and zone.
    Clock,
    /// `get/loc/all`: send the place.
    Place,
    /// A topic of the firmware's own; a template may map it.
    Other(&'a str),
}

impl<'a> Uplink<'a> {
    /// What a topic asks for.
    #[must_use]
    pub fn parse(topic: &'a str) -> Self {
        let after = |prefix: &str| topic.strip_prefix(prefix).filter(|rest| !rest.is_empty());
        if let Some(rest) = after("ds/") {
            return Self::Stream(StreamPath(rest));
        }
        match topic {
            "batch_ds" => Self::Batch,
            "info/mcu" => Self::About,
            "get/ds" => Self::SyncListed,
            "get/ds/all" => Self::SyncAll,
            "get/meta" => Self::MetaGet,
            "get/utc/all/json" => Self::Clock,
            "get/loc/all" => Self::Place,
            _ => match (after("event/"), after("meta/")) {
                (Some(code), _) => Self::Event { code },
                (_, Some(name)) => Self::MetaSet { name },
                _ => Self::Other(topic),
            },
        }
    }
}

/// What stands behind `ds/`: a name, and perhaps what is asked of it. Names may hold `/`, so only the template can say
/// where the name ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPath<'a>(&'a str);

/// What is asked of a datastream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamAsk<'a> {
    /// Set its value to the payload.
    Write,
    /// Forget its value.
    Erase,
    /// Add values of other times; see [`super::payload::timestamped`].
    Batch,
    /// Set a property to the payload.
    Property {
        /// Its name, unchecked.
        name: &'a str,
    },
    /// Forget a property.
    EraseProperty {
        /// Its name, unchecked.
        name: &'a str,
    },
}

impl<'a> StreamPath<'a> {
    /// The text as it came.
    #[must_use]
    pub const fn text(self) -> &'a str {
        self.0
    }

    /// The datastream and what is asked of it: the whole text as a name first, then shorter ones. `find` looks a name up.
    pub fn resolve<T>(self, find: impl Fn(&'a str) -> Option<T>) -> Option<(T, StreamAsk<'a>)> {
        let Self(text) = self;
        if let Some(found) = find(text) {
            return Some((found, StreamAsk::Write));
        }
        if let Some(found) = text.strip_suffix("/timestamped_batch").and_then(&find) {
            return Some((found, StreamAsk::Batch));
        }
        let erased = text.strip_suffix("/erase");
        if let Some(found) = erased.and_then(&find) {
            return Some((found, StreamAsk::Erase));
        }
        let (name, property) = erased.unwrap_or(text).rsplit_once("/prop/")?;
        let found = find(name)?;
        let ask = match erased {
            Some(_) => StreamAsk::EraseProperty { name: property },
            None => StreamAsk::Property { name: property },
        };
        Some((found, ask))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_ask_for_something() {
        for (topic, uplink) in [
            ("info/mcu", Uplink::About),
            ("ds/Set Point", Uplink::Stream(StreamPath("Set Point"))),
            ("batch_ds", Uplink::Batch),
            ("event/hot", Uplink::Event { code: "hot" }),
            ("meta/Hotspot Name", Uplink::MetaSet { name: "Hotspot Name" }),
            ("get/ds", Uplink::SyncListed),
            ("get/ds/all", Uplink::SyncAll),
            ("get/meta", Uplink::MetaGet),
            ("get/utc/all/json", Uplink::Clock),
            ("get/loc/all", Uplink::Place),
        ] {
            assert_eq!(Uplink::parse(topic), uplink);
        }
        for other in ["ds/", "ds", "event/", "meta/", "get/utc", "/ds/a", "DS/a", "downlink/ds/a", "home/kitchen"] {
            assert_eq!(Uplink::parse(other), Uplink::Other(other));
        }
    }

    #[test]
    fn names_may_look_like_suffixes() {
        let find = |name: &str| ["A", "A/erase", "B/prop/x", "C/C"].iter().position(|known| *known == name);
        let resolve = |text| StreamPath(text).resolve(find);
        assert_eq!(resolve("A"), Some((0, StreamAsk::Write)));
        assert_eq!(resolve("A/erase"), Some((1, StreamAsk::Write)), "the whole text is a name first");
        assert_eq!(resolve("A/erase/erase"), Some((1, StreamAsk::Erase)));
        assert_eq!(resolve("B/prop/x"), Some((2, StreamAsk::Write)));
        assert_eq!(resolve("B/prop/x/prop/color"), Some((2, StreamAsk::Property { name: "color" })));
        assert_eq!(resolve("C/C/erase"), Some((3, StreamAsk::Erase)));
        assert_eq!(resolve("C/C/timestamped_batch"), Some((3, StreamAsk::Batch)));
        assert_eq!(resolve("C/C/prop/color/erase"), Some((3, StreamAsk::EraseProperty { name: "color" })));
        for unknown in ["B", "B/erase", "C", "D/prop/x", "C/C/prop", "A/"] {
            assert_eq!(resolve(unknown), None, "{unknown}");
        }
    }
}

//! What few devices have besides values: widget properties, metadata, events. Small sorted lists, all bounded.

use std::collections::VecDeque;

use linchpin_protocol::model::SYSTEM_EVENTS;
use linchpin_protocol::model::{Millis, Now, Pin, UnixMillis};

use crate::EventId;
use crate::limits::{EVENT_REPEAT_MS, EVENTS_PER_DAY, EVENTS_RETAINED, METADATA, PROPERTIES};

/// One logged event.
#[derive(Debug)]
struct Event {
    code: Box<str>,
    description: Box<str>,
    at: UnixMillis,
    number: u32,
    /// `None`: before this process began.
    logged: Option<Millis>,
}

/// See the module's page.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    properties: Vec<(Pin, Box<str>, Box<[u8]>)>,
    metadata: Vec<(Box<str>, Box<str>)>,
    events: VecDeque<Event>,
    day_start: Millis,
    events_today: u32,
}

/// [`PROPERTIES`] or [`METADATA`] is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AttributesFull;

/// Why an event is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventRefused {
    /// The same code came less than [`EVENT_REPEAT_MS`] ago.
    TooSoon,
    /// [`EVENTS_PER_DAY`] is reached.
    DayFull,
}

const DAY_MS: u64 = 24 * 3_600 * 1_000;

impl Attributes {
    /// Set a widget property of a pin.
    pub(crate) fn set_property(&mut self, pin: Pin, name: &str, value: &[u8]) -> Result<(), AttributesFull> {
        match self.properties.binary_search_by(|p| (p.0, &*p.1).cmp(&(pin, name))) {
            Ok(at) => self.properties[at].2 = value.into(),
            Err(_) if self.properties.len() >= PROPERTIES => return Err(AttributesFull),
            Err(at) => self.properties.insert(at, (pin, name.into(), value.into())),
        }
        Ok(())
    }

    /// Forget a property; false if there was none.
    pub(crate) fn remove_property(&mut self, pin: Pin, name: &str) -> bool {
        let found = self.properties.binary_search_by(|p| (p.0, &*p.1).cmp(&(pin, name)));
        found.map(|at| self.properties.remove(at)).is_ok()
    }

    /// All properties by pin and name.
    pub(crate) fn properties(&self) -> impl Iterator<Item = (Pin, &str, &[u8])> {
        self.properties.iter().map(|(pin, name, value)| (*pin, &**name, &**value))
    }

    /// Set a field of the metadata.
    pub(crate) fn set_metadata(&mut self, name: &str, value: &str) -> Result<(), AttributesFull> {
        match self.metadata.binary_search_by(|m| (*m.0).cmp(name)) {
            Ok(at) => self.metadata[at].1 = value.into(),
            Err(_) if self.metadata.len() >= METADATA => return Err(AttributesFull),
            Err(at) => self.metadata.insert(at, (name.into(), value.into())),
        }
        Ok(())
    }

    /// Set fields, or remove those without a value: all of them or none.
    pub(crate) fn describe(&mut self, fields: &[(Box<str>, Option<Box<str>>)]) -> Result<(), AttributesFull> {
        let mut all = self.metadata.clone();
        for (name, value) in fields {
            match (all.binary_search_by(|known| known.0.cmp(name)), value) {
                (Ok(at), Some(value)) => all[at].1 = value.clone(),
                (Ok(at), None) => drop(all.remove(at)),
                (Err(at), Some(value)) => all.insert(at, (name.clone(), value.clone())),
                (Err(_), None) => {}
            }
        }
        if all.len() > METADATA {
            return Err(AttributesFull);
        }
        self.metadata = all;
        Ok(())
    }

    /// A field of the metadata.
    pub(crate) fn metadata(&self, name: &str) -> Option<&str> {
        self.metadata.binary_search_by(|m| (*m.0).cmp(name)).ok().map(|at| &*self.metadata[at].1)
    }

    /// All fields by name.
    pub(crate) fn all_metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metadata.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Log an event under a number; at [`EVENTS_RETAINED`] the oldest is forgotten.
    pub(crate) fn log_event(
        &mut self,
        code: &str,
        description: &str,
        now: Now,
        number: u32,
    ) -> Result<(), EventRefused> {
        let is_recent = |e: &Event| e.logged.is_some_and(|logged| now.mono.since(logged) < EVENT_REPEAT_MS);
        if self.events.iter().any(|e| *e.code == *code && is_recent(e)) {
            return Err(EventRefused::TooSoon);
        }
        if now.mono.since(self.day_start) >= DAY_MS || self.events_today == 0 {
            self.day_start = now.mono;
            self.events_today = 0;
        }
        // Events of the system, such as that of an update, are outside of it.
        if !code.starts_with(SYSTEM_EVENTS) {
            if self.events_today >= EVENTS_PER_DAY {
                return Err(EventRefused::DayFull);
            }
            self.events_today += 1;
        }
        self.push_event(Event {
            code: code.into(),
            description: description.into(),
            at: now.wall,
            number,
            logged: Some(now.mono),
        });
        Ok(())
    }

    fn push_event(&mut self, event: Event) {
        if self.events.len() >= EVENTS_RETAINED {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// Restore an event that was logged before this process began; those of today count for the day.
    pub(crate) fn restore_event(&mut self, id: EventId, code: Box<str>, description: Box<str>, now: Now) {
        self.events_today += u32::from(now.wall.0.saturating_sub(id.at.0) < DAY_MS);
        self.push_event(Event { code, description, at: id.at, number: id.number, logged: None });
    }

    /// No event is open any more.
    pub(crate) fn forget_events(&mut self) {
        self.events.clear();
    }

    /// An event is open no more.
    pub(crate) fn forget_event(&mut self, id: EventId) {
        self.events.retain(|event| event.at != id.at || event.number != id.number);
    }

    /// Resolve the most recent event with this code, or all of them; returns which, with code and description.
    pub(crate) fn clear_event(&mut self, code: &str, all: bool) -> Vec<(EventId, Box<str>, Box<str>)> {
        let mut cleared = Vec::new();
        while let Some(at) = self.events.iter().rposition(|e| *e.code == *code) {
            let removed = self.events.remove(at);
            cleared.extend(
                removed.map(|event| (EventId { at: event.at, number: event.number }, event.code, event.description)),
            );
            if !all {
                break;
            }
        }
        cleared
    }

    /// DeviceChange events, oldest first: code, description, time.
    pub(crate) fn events(&self) -> impl Iterator<Item = (&str, &str, UnixMillis)> {
        self.events.iter().map(|e| (&*e.code, &*e.description, e.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(ms: u64) -> Now {
        Now { mono: Millis(ms), wall: UnixMillis(1_700_000_000_000 + ms) }
    }

    #[test]
    fn properties_and_metadata_are_replaced_sorted_and_bounded() {
        let mut attributes = Attributes::default();
        attributes.set_property(Pin::new_virtual(2), "label", b"b").expect("room");
        attributes.set_property(Pin::new_virtual(1), "label", b"a").expect("room");
        attributes.set_property(Pin::new_virtual(2), "label", b"c").expect("room");
        let all: Vec<_> = attributes.properties().map(|(p, n, v)| (p.index, n.to_owned(), v.to_vec())).collect();
        assert_eq!(all, [(1, "label".to_owned(), b"a".to_vec()), (2, "label".to_owned(), b"c".to_vec())]);
        assert!(attributes.remove_property(Pin::new_virtual(1), "label"));
        assert!(!attributes.remove_property(Pin::new_virtual(1), "label"));
        assert_eq!(attributes.properties().count(), 1);
        for n in 0..METADATA {
            attributes.set_metadata(&format!("field {n}"), "x").expect("room");
        }
        assert_eq!(attributes.set_metadata("one more", "x"), Err(AttributesFull));
        attributes.set_metadata("field 3", "new").expect("known fields can change");
        assert_eq!(attributes.metadata("field 3"), Some("new"));
        assert_eq!(attributes.metadata("one more"), None);
    }

    #[test]
    fn events_are_limited_per_second_and_day_and_can_be_resolved() {
        let mut attributes = Attributes::default();
        assert_eq!(attributes.log_event("hot", "first", now(0), 0), Ok(()));
        assert_eq!(attributes.log_event("hot", "again", now(EVENT_REPEAT_MS - 1), 0), Err(EventRefused::TooSoon));
        assert_eq!(attributes.log_event("cold", "", now(1), 0), Ok(()));
        assert_eq!(attributes.log_event("hot", "second", now(EVENT_REPEAT_MS), 0), Ok(()));
        assert_eq!(attributes.clear_event("hot", false).len(), 1);
        let left: Vec<_> = attributes.events().map(|(c, d, _)| format!("{c}:{d}")).collect();
        assert_eq!(left, ["hot:first", "cold:"]);
        assert_eq!(attributes.clear_event("hot", true).len(), 1);
        assert!(attributes.clear_event("hot", true).is_empty());
        let mut refused = 0;
        for n in 0..u64::from(EVENTS_PER_DAY) + 10 {
            refused += u32::from(attributes.log_event("tick", "", now((n + 2) * EVENT_REPEAT_MS), 0).is_err());
        }
        assert_eq!(refused, 10 + 3, "three were logged before");
        assert_eq!(attributes.log_event("tick", "", now(DAY_MS), 0), Ok(()));
        assert!(attributes.events().count() <= EVENTS_RETAINED);
    }
}

//! What few devices have besides values: widget properties, metadata, events. Small sorted lists, all bounded.

use std::collections::VecDeque;

use linchpin_protocol::model::SYSTEM_EVENTS;
use linchpin_protocol::model::{DAY_MS, Millis, Now, Pin, UnixMillis};

use crate::limits::{EVENT_REPEAT_MS, EVENTS_PER_DAY, EVENTS_RETAINED, METADATA, PROPERTIES};
use crate::{EventDay, EventId};

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
    /// When the day of the counts below is over.
    day_end: Millis,
    events_today: u32,
    /// Of the codes that have limits of their own, how many of each; no more lines than events.
    of_codes: Vec<(Box<str>, u16)>,
}

/// An event that is about to be logged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewEvent<'a> {
    /// What the device sent.
    pub(crate) code: &'a str,
    /// For people; may be empty.
    pub(crate) description: &'a str,
    /// Its number.
    pub(crate) number: u32,
    /// How many of its code the template allows in a day.
    pub(crate) limit: Option<u16>,
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
    /// So many of the code is what the template allows in a day.
    CodeFull(u16),
}

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

    /// Log an event; at [`EVENTS_RETAINED`] the oldest is forgotten. A day begins with its first event. What is refused does not
    /// count.
    pub(crate) fn log_event(&mut self, event: NewEvent<'_>, now: Now) -> Result<(), EventRefused> {
        let NewEvent { code, description, number, limit } = event;
        let is_recent = |e: &Event| e.logged.is_some_and(|logged| now.mono.since(logged) < EVENT_REPEAT_MS);
        if self.events.iter().any(|e| *e.code == *code && is_recent(e)) {
            return Err(EventRefused::TooSoon);
        }
        if now.mono >= self.day_end || self.events_today == 0 {
            self.begin_day(now.mono.after(DAY_MS));
        }
        // Events of the system, such as that of an update, are outside of it.
        if !code.starts_with(SYSTEM_EVENTS) {
            if self.events_today >= EVENTS_PER_DAY {
                return Err(EventRefused::DayFull);
            }
            if let Some(limit) = limit {
                self.count_code(code, limit)?;
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

    fn begin_day(&mut self, end: Millis) {
        (self.day_end, self.events_today) = (end, 0);
        self.of_codes = Vec::new();
    }

    fn count_code(&mut self, code: &str, limit: u16) -> Result<(), EventRefused> {
        match self.of_codes.iter_mut().find(|(known, _)| **known == *code) {
            Some((_, count)) if *count >= limit => return Err(EventRefused::CodeFull(limit)),
            Some((_, count)) => *count += 1,
            None => self.of_codes.push((code.into(), 1)),
        }
        Ok(())
    }

    fn push_event(&mut self, event: Event) {
        if self.events.len() >= EVENTS_RETAINED {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// Restore an open event that was logged before this process began.
    pub(crate) fn restore_event(&mut self, id: EventId, code: Box<str>, description: Box<str>) {
        self.push_event(Event { code, description, at: id.at, number: id.number, logged: None });
    }

    /// What was logged in the day before this process began counts for the device's day.
    pub(crate) fn restore_day(&mut self, day: EventDay, now: Now) {
        let left_ms = DAY_MS.saturating_sub(now.wall.0.saturating_sub(day.first.0));
        self.day_end = now.mono.after(left_ms);
        for (code, count) in day.counts.into_iter().take(EVENTS_PER_DAY as usize) {
            if code.starts_with(SYSTEM_EVENTS) {
                continue;
            }
            self.events_today += u32::from(count);
            // It may have logged some already.
            match self.of_codes.iter_mut().find(|(known, _)| *known == code) {
                Some((_, known)) => *known = known.saturating_add(count),
                None => self.of_codes.push((code, count)),
            }
        }
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
        let event = |code, description| NewEvent { code, description, number: 0, limit: None };
        assert_eq!(attributes.log_event(event("hot", "first"), now(0)), Ok(()));
        assert_eq!(attributes.log_event(event("hot", "again"), now(EVENT_REPEAT_MS - 1)), Err(EventRefused::TooSoon));
        assert_eq!(attributes.log_event(event("cold", ""), now(1)), Ok(()));
        assert_eq!(attributes.log_event(event("hot", "second"), now(EVENT_REPEAT_MS)), Ok(()));
        assert_eq!(attributes.clear_event("hot", false).len(), 1);
        let left: Vec<_> = attributes.events().map(|(c, d, _)| format!("{c}:{d}")).collect();
        assert_eq!(left, ["hot:first", "cold:"]);
        assert_eq!(attributes.clear_event("hot", true).len(), 1);
        assert!(attributes.clear_event("hot", true).is_empty());
        let mut refused = 0;
        for n in 0..u64::from(EVENTS_PER_DAY) + 10 {
            refused += u32::from(attributes.log_event(event("tick", ""), now((n + 2) * EVENT_REPEAT_MS)).is_err());
        }
        assert_eq!(refused, 10 + 3, "three were logged before");
        assert_eq!(attributes.log_event(event("tick", ""), now(DAY_MS)), Ok(()));
        assert!(attributes.events().count() <= EVENTS_RETAINED);
    }
    #[test]
    fn events_of_a_code_are_limited_by_the_template() {
        let mut attributes = Attributes::default();
        let event = |code, limit| NewEvent { code, description: "", number: 0, limit };
        for n in 0..3 {
            assert_eq!(attributes.log_event(event("hot", Some(3)), now(n * EVENT_REPEAT_MS)), Ok(()));
        }
        assert_eq!(attributes.log_event(event("hot", Some(3)), now(DAY_MS - 1)), Err(EventRefused::CodeFull(3)));
        // Others go on; a higher limit counts what was logged; one that was taken away is none.
        assert_eq!(attributes.log_event(event("cold", Some(1)), now(DAY_MS - 1)), Ok(()));
        assert_eq!(attributes.log_event(event("hot", Some(4)), now(DAY_MS - 1)), Ok(()));
        // The day began with the first event.
        assert_eq!(attributes.log_event(event("hot", Some(3)), now(DAY_MS + EVENT_REPEAT_MS)), Ok(()));
    }

    #[test]
    fn what_was_logged_before_a_restart_counts_until_its_day_is_over() {
        let mut attributes = Attributes::default();
        let event = |code, limit| NewEvent { code, description: "", number: 0, limit };
        let first = UnixMillis(now(0).wall.0 - DAY_MS + 5_000);
        let counts = vec![("hot".into(), 2), ("cold".into(), 96), ("sys_ota".into(), 40)];
        attributes.restore_day(EventDay { first, counts }, now(0));
        assert_eq!(attributes.log_event(event("hot", Some(2)), now(0)), Err(EventRefused::CodeFull(2)));
        assert_eq!(attributes.log_event(event("cold", None), now(0)), Ok(()));
        assert_eq!(attributes.log_event(event("mild", None), now(0)), Ok(()));
        assert_eq!(attributes.log_event(event("wet", None), now(4_999)), Err(EventRefused::DayFull));
        assert_eq!(attributes.log_event(event("hot", Some(2)), now(5_000)), Ok(()));
    }
}

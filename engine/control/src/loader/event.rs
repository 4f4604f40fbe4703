//! Events of devices: listed, and seen to.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use linchpin_protocol::model::DeviceId;
use linchpin_storage::schema::{Actor, Event, EventKey, Resolution};

use super::{Loader, LoaderFault, by_of};
use crate::access::{Scope, ScopeReach, right};
use crate::audit::{AuditAction, Note, ObjectKind};
use crate::limits;

/// Names an event: device, when, which of that moment.
pub type EventRef = (DeviceId, u64, u32);

/// Which events.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventFilter {
    /// Of this device only.
    pub device: Option<DeviceId>,
    /// Only those that nobody has resolved.
    pub only_open: bool,
    /// From this moment on, ms since 1970.
    pub from_ms: u64,
    /// Only those before this one.
    pub before: Option<EventRef>,
}

/// Where an event is in a list: the newest first; of one moment by device and number.
pub(crate) type ListPlace = Reverse<(u64, u32, u32)>;

pub(crate) fn event_place((device, at_ms, number): EventRef) -> ListPlace {
    Reverse((at_ms, device.get(), number))
}

impl Loader {
    /// Events of an organization as far as the scope reaches, the newest first, and whether there are more.
    ///
    /// # Errors
    /// [`LoaderFault::Missing`]: the device; [`LoaderFault::Field`]: more events lie there than are looked at: ask for one
    /// device.
    pub fn events(
        &self,
        scope: &Scope<right::EventView>,
        filter: &EventFilter,
        limit: usize,
        now_ms: u64,
    ) -> Result<(Vec<(EventRef, Event)>, bool), LoaderFault> {
        let org = scope.org();
        // The newest `limit` + 1 of all that is looked at, so it is known whether there are more.
        let mut found: BTreeSet<(ListPlace, EventRef)> = BTreeSet::new();
        let mut events: HashMap<EventRef, Event> = HashMap::new();
        let mut looked = 0;
        let mut take = |key: EventKey, event: Event| {
            looked += 1;
            if looked > limits::EVENTS_LOOKED_AT {
                return ControlFlow::Break(());
            }
            let name = (key.device, key.at_ms, key.number);
            let is_before = filter.before.is_none_or(|before| event_place(name) > event_place(before));
            if key.at_ms < filter.from_ms || (filter.only_open && event.resolved.is_some()) || !is_before {
                return ControlFlow::Continue(());
            }
            found.insert((event_place(name), name));
            events.insert(name, event);
            if found.len() > limit + 1
                && let Some((_, last)) = found.pop_last()
            {
                events.remove(&last);
            }
            ControlFlow::Continue(())
        };
        match filter.device {
            Some(device) => {
                let (key, _) = self.held(scope, device, now_ms)?;
                self.store.scan_device::<Event>(key, &mut take)?;
            }
            None if scope.reach() == ScopeReach::Org => self.store.scan_org::<Event>(org, &mut take)?,
            None => {
                let mut reached: HashMap<DeviceId, bool> = HashMap::new();
                self.store.scan_org::<Event>(org, |key, event| {
                    let is_reached =
                        *reached.entry(key.device).or_insert_with(|| self.held(scope, key.device, now_ms).is_ok());
                    if is_reached { take(key, event) } else { ControlFlow::Continue(()) }
                })?;
            }
        }
        if looked > limits::EVENTS_LOOKED_AT {
            let most = limits::EVENTS_LOOKED_AT;
            return Err(LoaderFault::field("device", format!("given: there are more than {most} events")));
        }
        let is_more = found.len() > limit;
        let list = found.into_iter().take(limit).filter_map(|(_, name)| Some((name, events.remove(&name)?)));
        Ok((list.collect(), is_more))
    }

    /// Somebody has seen to an event.
    ///
    /// # Errors
    /// [`LoaderFault::Missing`]; [`LoaderFault::Conflict`]: somebody has already.
    pub fn resolve_event(
        &self,
        scope: &Scope<right::EventResolve>,
        (device, at_ms, number): EventRef,
        note: &str,
        now_ms: u64,
    ) -> Result<Event, LoaderFault> {
        if note.len() > limits::EVENT_NOTE_BYTES {
            return Err(LoaderFault::field("note", format!("at most {} bytes", limits::EVENT_NOTE_BYTES)));
        }
        let org = scope.org();
        let mut change = self.ledger.change(by_of(scope), &[org], now_ms);
        self.held(scope, device, now_ms)?;
        let key = EventKey { org, device, at_ms, number };
        let event = self.store.get::<Event>(&key)?.ok_or(LoaderFault::Missing)?;
        if event.resolved.is_some() {
            return Err(LoaderFault::Conflict("the event is resolved already"));
        }
        let by = match scope.actor() {
            Actor::Person(home, user) => Some((home, user)),
            _ => None,
        };
        let event = Event { resolved: Some(Resolution { at_ms: now_ms, by, note: note.into() }), ..event };
        change.batch.put(&key, &event)?;
        let entry = Note::new(AuditAction::EventResolve, ObjectKind::Event, at_ms, &event.code);
        change.commit(org, entry.with("note", "", note))?;
        Ok(event)
    }
}

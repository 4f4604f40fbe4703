//! Which devices, in which order.

use std::cmp::Ordering;
use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, OrgId, TemplateId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::page::{CursorKey, SortKey};
use super::{Fleet, FleetDevice, Row};
use crate::access::{PersonRef, ScopeReach};

/// Which states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// All.
    #[default]
    All,
    /// Those that are connected.
    Online,
    /// Those that were here and are not.
    Offline,
    /// Those that never were here.
    Never,
    /// Those whose last connection ended in a way that somebody should look at.
    Trouble,
}

/// By what devices are sorted; of equal ones the smaller id comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceSort {
    /// By name, without regard to the case of letters.
    #[default]
    Name,
    /// Online, offline, never here.
    State,
    /// By the name of the template; those without one come first.
    Template,
    /// The last heard first. A connected device counts as heard now.
    Seen,
    /// The newest first.
    Created,
    /// By id.
    Id,
}

/// Which devices. What is empty restricts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceFilter {
    /// Words that name, id, template's name or tags contain, in any order and case.
    pub words: Vec<String>,
    /// Which states.
    pub show: Show,
    /// The template.
    pub template: Option<TemplateId>,
    /// Tags, all of them.
    pub tags: Vec<Box<str>>,
    /// Fields of the metadata with their values.
    pub metadata: Vec<(Box<str>, Box<str>)>,
    /// The owner.
    pub owner: Option<PersonRef>,
    /// Only these.
    pub ids: Vec<DeviceId>,
}

/// How many there are in each state, whatever [`DeviceFilter::show`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateCounts {
    /// Connected.
    pub online: usize,
    /// Were here and are not.
    pub offline: usize,
    /// Never were here.
    pub never: usize,
    /// Should be looked at; they count above too.
    pub trouble: usize,
}

/// A device that was found.
pub type FoundDevice = FleetDevice;

/// A page of devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundPage {
    /// In the order that was asked for.
    pub devices: Vec<FoundDevice>,
    /// How many there are in all.
    pub total: usize,
    /// By state.
    pub counts: StateCounts,
    /// Where the next page begins; `None`: this was the last.
    pub next: Option<CursorKey>,
}

/// A filter with its texts as numbers: what nobody has fits nobody.
struct Prepared<'a> {
    fleet: &'a Fleet,
    filter: &'a DeviceFilter,
    template: Option<u32>,
    tags: Vec<u32>,
    metadata: Vec<(u32, &'a str)>,
    owner: Option<u32>,
    template_name: &'a dyn Fn(&TemplateId) -> Option<Box<str>>,
    now_ms: u64,
}

impl<'a> Prepared<'a> {
    /// `None`: nothing can fit.
    fn new(
        fleet: &'a Fleet,
        filter: &'a DeviceFilter,
        template_name: &'a dyn Fn(&TemplateId) -> Option<Box<str>>,
        now_ms: u64,
    ) -> Option<Self> {
        let template = match &filter.template {
            Some(template) => Some(fleet.templates.number(template)?),
            None => None,
        };
        let owner = match &filter.owner {
            Some(owner) => Some(fleet.people.number(owner)?),
            None => None,
        };
        let tags = filter.tags.iter().map(|tag| fleet.tags.number(tag)).collect::<Option<_>>()?;
        let field = |(name, value): &'a (Box<str>, Box<str>)| Some((fleet.fields.number(name)?, &**value));
        let metadata = filter.metadata.iter().map(field).collect::<Option<_>>()?;
        Some(Self { fleet, filter, template, tags, metadata, owner, template_name, now_ms })
    }

    /// Does it fit, whatever its state?
    fn fits(&self, row: &Row, reach: ScopeReach) -> bool {
        self.reaches(row, reach)
            && self.template.is_none_or(|template| row.template == template)
            && self.owner.is_none_or(|owner| row.owner == owner)
            && (self.filter.ids.is_empty() || self.filter.ids.binary_search(&row.id).is_ok())
            && (self.tags.is_empty() || self.has_tags(row))
            && (self.metadata.is_empty() || self.has_metadata(row))
            && (self.filter.words.is_empty() || self.has_words(row))
    }

    fn reaches(&self, row: &Row, reach: ScopeReach) -> bool {
        let ScopeReach::Own(home, user) = reach else { return true };
        let person = (home, user);
        let until_ms = self.fleet.shares.get(&person).and_then(|shares| shares.get(&row.id));
        self.fleet.people.get(row.owner) == Some(&person)
            || until_ms.is_some_and(|until_ms| *until_ms == 0 || self.now_ms < *until_ms)
    }

    fn has_tags(&self, row: &Row) -> bool {
        let set = self.fleet.sets.get(row.tags);
        set.is_some_and(|set| self.tags.iter().all(|tag| set.binary_search(tag).is_ok()))
    }

    fn has_metadata(&self, row: &Row) -> bool {
        let has = |(field, value): &(u32, Box<str>), wanted: &(u32, &str)| *field == wanted.0 && **value == *wanted.1;
        let fields = self.fleet.metadata.get(&row.id);
        fields.is_some_and(|fields| self.metadata.iter().all(|wanted| fields.iter().any(|field| has(field, wanted))))
    }

    fn has_words(&self, row: &Row) -> bool {
        let template = self.fleet.templates.get(row.template).and_then(|id| (self.template_name)(id));
        let mut text = format!("{}\n{}\n{}", row.name, row.id, template.unwrap_or_default());
        for tag in self.fleet.sets.get(row.tags).into_iter().flat_map(|set| set.iter()) {
            text.push('\n');
            text.push_str(self.fleet.tags.get(*tag).map_or("", |tag| tag));
        }
        let text = text.to_lowercase();
        self.filter.words.iter().all(|word| text.contains(word.as_str()))
    }
}

/// 0 online, 1 offline, 2 never here.
const fn state(row: &Row) -> u32 {
    match (row.is_online, row.since_s) {
        (true, _) => 0,
        (false, 0) => 2,
        (false, _) => 1,
    }
}

const fn is_shown(row: &Row, show: Show) -> bool {
    match show {
        Show::All => true,
        Show::Online => state(row) == 0,
        Show::Offline => state(row) == 1,
        Show::Never => state(row) == 2,
        Show::Trouble => row.trouble != 0,
    }
}

impl Fleet {
    fn key_of(&self, row: &Row, sort: DeviceSort, names: &dyn Fn(&TemplateId) -> Option<Box<str>>) -> SortKey {
        match sort {
            DeviceSort::Name => SortKey::Text(lower(&row.name)),
            DeviceSort::State => SortKey::Number(state(row)),
            DeviceSort::Template => {
                let name = self.templates.get(row.template).and_then(names);
                SortKey::Text(name.map_or_else(|| "".into(), |name| Arc::from(name.to_lowercase())))
            }
            // Turned round: the last comes first.
            DeviceSort::Seen if row.is_online => SortKey::Number(0),
            DeviceSort::Seen => SortKey::Number(u32::MAX - row.seen_s),
            DeviceSort::Created => SortKey::Number(u32::MAX - row.created_s),
            DeviceSort::Id => SortKey::Number(0),
        }
    }

    /// Devices of these organizations, each as far as it is reached: those that fit, sorted, from `after` on.
    #[must_use]
    pub fn find(
        &self,
        scopes: &[(OrgId, ScopeReach)],
        filter: &DeviceFilter,
        (sort, is_descending): (DeviceSort, bool),
        (after, limit): (Option<&CursorKey>, usize),
        template_name: &dyn Fn(&TemplateId) -> Option<Box<str>>,
        now_ms: u64,
    ) -> FoundPage {
        let mut page = FoundPage::default();
        let Some(prepared) = Prepared::new(self, filter, template_name, now_ms) else { return page };
        let order = |a: &(SortKey, DeviceId), b: &(SortKey, DeviceId)| {
            let keys = if is_descending { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) };
            keys.then(a.1.cmp(&b.1))
        };
        let after = after.map(CursorKey::sorted);
        let mut found: Vec<(SortKey, DeviceId)> = Vec::new();
        for (org, reach) in scopes {
            for row in self.orgs.get(org).into_iter().flatten().filter(|row| prepared.fits(row, *reach)) {
                match state(row) {
                    0 => page.counts.online += 1,
                    1 => page.counts.offline += 1,
                    _ => page.counts.never += 1,
                }
                page.counts.trouble += usize::from(row.trouble != 0);
                if !is_shown(row, filter.show) {
                    continue;
                }
                page.total += 1;
                let key = (self.key_of(row, sort, template_name), row.id);
                if after.as_ref().is_none_or(|after| order(&key, after) == Ordering::Greater) {
                    found.push(key);
                }
            }
        }
        let is_more = found.len() > limit;
        if is_more && limit > 0 {
            // The first `limit` in any order, then those in theirs.
            found.select_nth_unstable_by(limit - 1, order);
            found.truncate(limit);
        }
        found.sort_unstable_by(order);
        if is_more {
            page.next = found.last().map(|(key, id)| CursorKey::of(key, *id));
        }
        page.devices = found.iter().filter_map(|(_, id)| self.device(*id)).collect();
        page
    }
}

/// Most names need no new text.
fn lower(name: &Arc<str>) -> Arc<str> {
    if name.chars().any(char::is_uppercase) { Arc::from(name.to_lowercase()) } else { Arc::clone(name) }
}

//! The index against a list that is searched one by one.

use std::collections::BTreeMap;

use linchpin_protocol::model::Token;
use proptest::prelude::*;

use super::*;
use crate::access::ScopeReach;

const NOW: u64 = 1_800_000_000_000;

fn device(number: u32) -> DeviceId {
    DeviceId::new(number).expect("not zero")
}

fn org(number: u32) -> OrgId {
    OrgId::new(number).expect("not zero")
}

fn template(number: u8) -> TemplateId {
    TemplateId::parse(format!("TMPL{number}").as_bytes()).expect("valid")
}

fn template_name(id: &TemplateId) -> Option<Box<str>> {
    // TMPL2 is called what TMPL0 would be: names are not ids.
    match id.as_str() {
        "TMPL1" => Some("Pump".into()),
        "TMPL2" => Some("Attic lamp".into()),
        _ => None,
    }
}

/// Name and value of fields.
type Described = Vec<(Box<str>, Box<str>)>;

/// As simple as can be.
#[derive(Clone, Debug, Default)]
struct Naive {
    devices: BTreeMap<u32, (OrgId, Device, Presence, Described)>,
    shares: BTreeMap<(PersonRef, u32), u64>,
}

#[derive(Clone, Debug)]
enum Step {
    Put { id: u32, org: u32, name: String, template: u8, owner: u8, tags: Vec<u8>, created_s: u32 },
    Remove(u32),
    RemoveOrg(u32),
    Presence { id: u32, is_online: bool, since_s: u32, seen_s: u32, trouble: u16 },
    Describe { id: u32, fields: Vec<(u8, u8)> },
    Share { id: u32, user: u32, until: Option<u8> },
}

const TAGS: [&str; 4] = ["attic", "cold", "east", "Pump"];
const FIELDS: [&str; 3] = ["Room", "Floor", "Serial"];

fn step() -> impl Strategy<Value = Step> {
    let ids = 1..40u32;
    let names = prop_oneof![Just(String::new()), "[a-cA-C]{1,3}", Just("Pumpe Süd".to_owned())];
    let put = (ids.clone(), 1..5u32, names, 0..3u8, 0..3u8, prop::collection::vec(0..4u8, 0..3), 1..9u32).prop_map(
        |(id, org, name, template, owner, tags, created_s)| Step::Put {
            id,
            org,
            name,
            template,
            owner,
            tags,
            created_s,
        },
    );
    let presence = (ids.clone(), any::<bool>(), 0..4u32, 0..4u32, 0..2u16).prop_map(
        |(id, is_online, since_s, seen_s, trouble)| Step::Presence { id, is_online, since_s, seen_s, trouble },
    );
    let fields = prop::collection::vec((0..3u8, 0..3u8), 0..3);
    prop_oneof![
        6 => put,
        1 => ids.clone().prop_map(Step::Remove),
        1 => (1..5u32).prop_map(Step::RemoveOrg),
        4 => presence,
        2 => (ids.clone(), fields).prop_map(|(id, fields)| Step::Describe { id, fields }),
        2 => (ids, 1..3u32, prop::option::of(0..3u8)).prop_map(|(id, user, until)| Step::Share { id, user, until }),
    ]
}

fn person(user: u32) -> PersonRef {
    (org(1), user)
}

impl Naive {
    fn take(&mut self, step: &Step, fleet: &mut Fleet) {
        match step {
            Step::Put { id, org: at, name, template: kind, owner, tags, created_s } => {
                let mut record = Device::new(
                    name.as_str().into(),
                    (*kind > 0).then(|| template(*kind)),
                    Token::from_random(&[*id as u8; 24]),
                    u64::from(*created_s) * 1_000,
                );
                record.owner = (*owner > 0).then(|| person(u32::from(*owner)));
                record.tags = tags.iter().map(|tag| TAGS[usize::from(*tag)].into()).collect();
                record.tags.sort_unstable();
                record.tags.dedup();
                let (presence, fields) =
                    self.devices.get(id).map(|known| (known.2, known.3.clone())).unwrap_or_default();
                fleet.put(org(*at), device(*id), &record);
                self.devices.insert(*id, (org(*at), record, presence, fields));
            }
            Step::Remove(id) => {
                fleet.remove(device(*id));
                self.forget(*id);
            }
            Step::RemoveOrg(at) => {
                fleet.remove_org(org(*at));
                let of_it = self.devices.iter().filter(|(_, known)| known.0 == org(*at));
                let ids: Vec<u32> = of_it.map(|(id, _)| *id).collect();
                ids.into_iter().for_each(|id| self.forget(id));
            }
            Step::Presence { id, is_online, since_s, seen_s, trouble } => {
                let presence =
                    Presence { is_online: *is_online, since_s: *since_s, seen_s: *seen_s, trouble: *trouble };
                fleet.set_presence(device(*id), presence);
                self.devices.entry(*id).and_modify(|known| known.2 = presence);
            }
            Step::Describe { id, fields } => {
                let named: BTreeMap<Box<str>, Box<str>> = fields
                    .iter()
                    .map(|(field, value)| (FIELDS[usize::from(*field)].into(), format!("{value}").into()))
                    .collect();
                let fields: Vec<_> = named.into_iter().collect();
                fleet.describe(device(*id), &fields);
                self.devices.entry(*id).and_modify(|known| known.3 = fields);
            }
            Step::Share { id, user, until } => {
                // 0: for ever; 1: it is over; 2: not yet.
                let until_ms = until.map(|until| [0, NOW, NOW + 1][usize::from(until)]);
                fleet.share(device(*id), person(*user), until_ms);
                match until_ms {
                    Some(until_ms) => drop(self.shares.insert((person(*user), *id), until_ms)),
                    None => drop(self.shares.remove(&(person(*user), *id))),
                }
            }
        }
    }

    fn forget(&mut self, id: u32) {
        self.devices.remove(&id);
        self.shares.retain(|(_, shared), _| *shared != id);
    }

    /// Ids in order, and how many of each state.
    fn find(
        &self,
        scopes: &[(OrgId, ScopeReach)],
        filter: &DeviceFilter,
        (sort, is_descending): (DeviceSort, bool),
    ) -> (Vec<u32>, StateCounts) {
        let mut counts = StateCounts::default();
        let mut found = Vec::new();
        for (id, (at, record, presence, fields)) in &self.devices {
            let Some((_, reach)) = scopes.iter().find(|(org, _)| org == at) else { continue };
            let is_reached = match reach {
                ScopeReach::Org => true,
                ScopeReach::Own(home, user) => {
                    let share = self.shares.get(&((*home, *user), *id));
                    record.owner == Some((*home, *user)) || share.is_some_and(|until| *until == 0 || NOW < *until)
                }
            };
            let called = record.template.as_ref().and_then(template_name).unwrap_or_default();
            let text = format!("{}\n{id}\n{called}\n{}", record.name, record.tags.join("\n")).to_lowercase();
            let fits = is_reached
                && filter.template.is_none_or(|template| record.template == Some(template))
                && filter.owner.is_none_or(|owner| record.owner == Some(owner))
                && (filter.ids.is_empty() || filter.ids.contains(&device(*id)))
                && filter.tags.iter().all(|tag| record.tags.contains(tag))
                && filter.metadata.iter().all(|wanted| fields.contains(wanted))
                && filter.words.iter().all(|word| text.contains(word.as_str()));
            if !fits {
                continue;
            }
            let state = if presence.is_online { 0u64 } else { 1 + u64::from(presence.since_s == 0) };
            *[&mut counts.online, &mut counts.offline, &mut counts.never][state as usize] += 1;
            counts.trouble += usize::from(presence.trouble > 0);
            let is_shown = match filter.show {
                Show::All => true,
                Show::Online => state == 0,
                Show::Offline => state == 1,
                Show::Never => state == 2,
                Show::Trouble => presence.trouble > 0,
            };
            let last_first = |second: u32| format!("{:010}", u32::MAX - second);
            let key = match sort {
                DeviceSort::Name => record.name.to_lowercase(),
                DeviceSort::State => state.to_string(),
                DeviceSort::Template => called.to_lowercase(),
                DeviceSort::Seen => last_first(if presence.is_online { u32::MAX } else { presence.seen_s }),
                DeviceSort::Created => last_first((record.created_ms / 1_000) as u32),
                DeviceSort::Id => String::new(),
            };
            if is_shown {
                found.push((key, *id));
            }
        }
        found.sort_by(|a, b| {
            let keys = if is_descending { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) };
            keys.then(a.1.cmp(&b.1))
        });
        (found.into_iter().map(|(_, id)| id).collect(), counts)
    }
}

fn filter() -> impl Strategy<Value = DeviceFilter> {
    let words = prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("pump"), Just("3"), Just("ü")], 0..3);
    let show = prop_oneof![
        4 => Just(Show::All), 1 => Just(Show::Online), 1 => Just(Show::Offline), 1 => Just(Show::Never),
        1 => Just(Show::Trouble)
    ];
    let tags = prop::collection::vec(0..5usize, 0..3);
    let metadata = prop::collection::vec((0..3usize, 0..3u8), 0..2);
    let ids = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::btree_set(1..40u32, 1..20)
        .prop_map(|ids| ids.into_iter().map(device).collect())];
    (words, show, prop::option::weighted(0.3, 1..4u8), tags, metadata, prop::option::weighted(0.2, 1..4u32), ids)
        .prop_map(|(words, show, kind, tags, metadata, owner, ids)| DeviceFilter {
            words: words.into_iter().map(str::to_owned).collect(),
            show,
            template: kind.map(template),
            tags: tags.into_iter().map(|tag| TAGS.get(tag).map_or("nobody's", |tag| tag).into()).collect(),
            metadata: metadata.into_iter().map(|(f, v)| (FIELDS[f].into(), format!("{v}").into())).collect(),
            owner: owner.map(person),
            ids,
        })
}

fn sorts() -> impl Strategy<Value = (DeviceSort, bool)> {
    use DeviceSort::{Created, Id, Name, Seen, State, Template};
    (prop::sample::select(vec![Created, Id, Name, Seen, State, Template]), any::<bool>())
}

fn reaches() -> impl Strategy<Value = Vec<(OrgId, ScopeReach)>> {
    let reach = prop_oneof![Just(ScopeReach::Org), (1..4u32).prop_map(|user| ScopeReach::Own(org(1), user))];
    prop::collection::btree_map(1..6u32, reach, 1..4)
        .prop_map(|all| all.into_iter().map(|(at, reach)| (org(at), reach)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lists_are_those_of_a_search_one_by_one(
        steps in prop::collection::vec(step(), 0..120),
        questions in prop::collection::vec((reaches(), filter(), sorts(), 1..20usize), 1..8),
    ) {
        let (mut fleet, mut naive) = (Fleet::default(), Naive::default());
        steps.iter().for_each(|step| naive.take(step, &mut fleet));
        prop_assert_eq!(fleet.len(), naive.devices.len());
        for (scopes, filter, order, limit) in questions {
            let (wanted, counts) = naive.find(&scopes, &filter, order);
            let (mut got, mut after) = (Vec::new(), None);
            loop {
                let page = fleet.find(&scopes, &filter, order, (after.as_ref(), limit), &template_name, NOW);
                prop_assert_eq!(page.total, wanted.len());
                prop_assert_eq!(page.counts, counts);
                prop_assert!(page.devices.len() <= limit);
                got.extend(page.devices.iter().map(|device| device.id.get()));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            prop_assert_eq!(got, wanted, "{:?} {:?}", filter, order);
        }
    }

    #[test]
    fn nothing_stays_of_devices_that_are_gone(steps in prop::collection::vec(step(), 0..120)) {
        let (mut fleet, mut naive) = (Fleet::default(), Naive::default());
        steps.iter().for_each(|step| naive.take(step, &mut fleet));
        for id in 1..40 {
            let shown = fleet.device(device(id));
            prop_assert_eq!(shown.is_some(), naive.devices.contains_key(&id));
            if let Some((at, record, presence, fields)) = naive.devices.get(&id) {
                let shown = shown.expect("it is there");
                prop_assert_eq!((shown.org, shown.presence, &shown.tags), (*at, *presence, &record.tags));
                prop_assert_eq!(fleet.metadata(device(id)), fields.clone());
            }
            fleet.remove(device(id));
        }
        prop_assert!(fleet.is_empty() && fleet.metadata.is_empty() && fleet.shares.is_empty());
        prop_assert_eq!((fleet.templates.len(), fleet.people.len(), fleet.tags.len(), fleet.sets.len()), (0, 0, 0, 0));
        prop_assert_eq!(fleet.fields.len(), 0);
    }
}

#[test]
fn a_row_costs_at_most_64_bytes() {
    let mut fleet = Fleet::default();
    let record = Device::new("x".into(), Some(template(1)), Token::from_random(&[1; 24]), NOW);
    for id in 1..=100_000 {
        fleet.put(org(1 + id % 7), device(id), &record);
    }
    let each = fleet.row_bytes() as f64 / 100_000.0;
    assert!((52.0..=64.0).contains(&each), "{each} bytes");
    assert_eq!((fleet.with_template(&template(1)), fleet.with_template(&template(2))), (100_000, 0));
}

//! Cells of the matrix: one request of one caller, and what must come of it.

use std::collections::BTreeMap;

use linchpin_compat::eventually;
use linchpin_compat::limits::EFFECT;
use linchpin_e2e::{Answered, SignedIn};
use linchpin_tests::tree::permissions::PermissionLine;
use serde_json::Value;

use crate::world::{Caller, Place, World, without_numbers};

/// What must come of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// It is done.
    Done,
    /// This status.
    Status(u16),
    /// 403 or 404.
    Refused,
    /// 403, 404 or this.
    RefusedOr(u16),
}

/// Rows after which a person is not as before.
const USED_UP: [&str; 6] =
    ["user.remove", "user.move", "user.suspend", "user.reset", "user.reset-factor", "platform.user-transfer"];

/// A request with nothing left open.
struct Filled {
    path: String,
    body: Option<Value>,
}

pub(crate) struct Cells {
    pub(crate) world: World,
    routes: BTreeMap<String, (String, String)>,
    /// Somebody who owes a second factor.
    half: SignedIn,
    /// What was made for a line in a place and not used up.
    unused: BTreeMap<(String, Place, u64), BTreeMap<String, Value>>,
    /// What a refusal said where there is nothing at all, by line, caller and way.
    missing: BTreeMap<(String, usize, String), String>,
    cells: usize,
    allowed: usize,
    wrong: Vec<String>,
}

/// The names between braces.
fn slots(text: &str) -> Vec<String> {
    let parts = text.split('{').skip(1).filter_map(|part| part.split_once('}'));
    let names =
        parts.map(|(name, _)| name).filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase()));
    names.map(str::to_owned).collect()
}

fn fill(text: &str, values: &BTreeMap<String, Value>) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| {
        let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // As a whole value it is of its own type; inside of a text it is a part of it.
        text.replace(&format!("\"{{{name}}}\""), &value.to_string()).replace(&format!("{{{name}}}"), &plain)
    })
}

impl Cells {
    pub(crate) fn new(world: World, routes: BTreeMap<String, (String, String)>, half: SignedIn) -> Self {
        let (unused, missing) = (BTreeMap::new(), BTreeMap::new());
        Self { world, routes, half, unused, missing, cells: 0, allowed: 0, wrong: Vec::new() }
    }

    /// How many cells there were, how many of them allowed, and what was not as expected.
    pub(crate) fn finished(self) -> (usize, usize, Vec<String>) {
        (self.cells, self.allowed, self.wrong)
    }

    fn route(&self, line: &PermissionLine) -> (String, String) {
        self.routes.get(&line.name).unwrap_or_else(|| panic!("there is no route {}", line.name)).clone()
    }

    /// All that a line leaves open.
    fn open(&self, line: &PermissionLine) -> Vec<String> {
        let (_, path) = self.route(line);
        let mut found = slots(&path);
        found.extend(slots(&line.query));
        found.extend(slots(&line.body));
        found.retain(|name| !["org", "pin", "version", "now"].contains(&&**name));
        if line.reach == "below" {
            found.push("below".to_owned());
        }
        found.sort();
        found.dedup();
        found
    }

    fn names_org(&self, line: &PermissionLine) -> bool {
        let (_, path) = self.route(line);
        [&path, &line.query, &line.body].iter().any(|text| text.contains("{org}"))
    }

    /// The slot by which a line without an organization says where it acts; what else it names is looked for there.
    fn says_place(&self, line: &PermissionLine) -> Option<&'static str> {
        let open = self.open(line);
        let mut named = ["device", "bare", "code", "template", "user"].into_iter();
        named.find(|name| !self.names_org(line) && open.iter().any(|slot| slot == name))
    }

    /// What the line acts on in a place, made when it is not there any more. `owner`: whose devices are.
    fn things(&mut self, line: &PermissionLine, place: Place, owner: Option<u64>) -> BTreeMap<String, Value> {
        let key = (format!("{}/{}", line.name, line.case), place, owner.unwrap_or(0));
        if let Some(known) = self.unused.get(&key) {
            return known.clone();
        }
        let mut made = BTreeMap::new();
        for slot in self.open(line) {
            let is_spent = slot == "user" && USED_UP.contains(&&*line.name);
            let kind = match &*slot {
                "user" if is_spent => "fresh user",
                "device" if line.is_bare => "bare",
                slot => slot,
            };
            let value = self.world.make(kind, place, owner);
            made.insert(slot, value);
        }
        // A share that can be ended.
        if line.name == "fleet.unshare" && place != Place::Nobody {
            let (org, device, user) = (self.world.org(place), &made["device"], &made["user"]);
            let path = format!("/orgs/{org}/devices/{device}/shares/{user}");
            self.world.root.good("PUT", &path, Some(serde_json::json!({"permissions": ["device.view"]})));
        }
        self.unused.insert(key, made.clone());
        made
    }

    fn filled(&self, line: &PermissionLine, org: &Value, things: &BTreeMap<String, Value>) -> Filled {
        let (_, path) = self.route(line);
        let mut values = things.clone();
        values.insert("org".into(), org.clone());
        values.insert("pin".into(), "V0".into());
        values.insert("version".into(), 1.into());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        values.insert("now".into(), (now.as_millis() as u64).into());
        let query = fill(&line.query, &values);
        let path = fill(&path, &values);
        let path = if query.is_empty() { path } else { format!("{path}?{query}") };
        let body = (!line.body.is_empty()).then(|| {
            let text = fill(&line.body, &values);
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error} in {text}", line.name))
        });
        Filled { path, body }
    }

    fn ask(&self, line: &PermissionLine, client: &SignedIn, request: &Filled) -> Answered {
        let (method, _) = self.route(line);
        if line.name != "fleet.wire" {
            return client.ask(&method, &request.path, request.body.clone());
        }
        // Frames go on as long as they are asked for, and few may look at once.
        eventually(EFFECT, "one who looks has ended", || {
            let answer = client.ask_first(&method, &request.path);
            (answer.status != 429).then_some(answer)
        })
    }

    fn expect(&mut self, what: &str, answer: &Answered, wanted: Wanted) -> bool {
        self.cells += 1;
        let is_done = (200..300).contains(&answer.status);
        self.allowed += usize::from(is_done);
        let is_right = match wanted {
            Wanted::Done => is_done,
            Wanted::Status(status) => answer.status == status,
            Wanted::Refused => matches!(answer.status, 403 | 404),
            Wanted::RefusedOr(status) => matches!(answer.status, 403 | 404) || answer.status == status,
        };
        if !is_right {
            let text = format!("{what}: {} instead of {wanted:?}: {:.160}", answer.status, answer.text);
            println!("WRONG {text}");
            self.wrong.push(text);
        }
        is_done
    }

    /// Nothing of an organization that the caller does not see stands in an answer, nor of devices that are not theirs.
    fn expect_no_leak(&mut self, what: &str, line: &PermissionLine, caller: &Caller, text: &str) {
        let mut hidden: Vec<String> =
            [Place::Parent, Place::Sibling, Place::Root].into_iter().map(Place::mark).collect();
        // That an organization was made below stands in the log of the one in which it was made, with its name.
        if !caller.below && !line.name.starts_with("audit.") {
            hidden.push(Place::Child.mark());
        }
        let is_own_only = line.may.contains(caller.role.to_ascii_lowercase()) && !line.may.contains(caller.role);
        if is_own_only {
            hidden.push("hid-".to_owned());
        }
        for mark in hidden.iter().filter(|mark| text.contains(&***mark)) {
            self.wrong.push(format!("{what}: the answer holds {mark}"));
        }
    }

    /// For every role in every place.
    pub(crate) fn in_every_place(&mut self, line: &PermissionLine, callers: &[Caller]) {
        let acts_on_devices = self.open(line).iter().any(|slot| ["device", "bare", "event"].contains(&&**slot));
        let mut places: Vec<(Place, bool)> = Place::ALL.into_iter().rev().map(|place| (place, false)).collect();
        if acts_on_devices {
            places.push((Place::Own, true));
        }
        for (place, is_theirs) in places {
            for (number, caller) in callers.iter().enumerate() {
                if is_theirs && caller.role == 'K' {
                    continue;
                }
                let owner = is_theirs.then_some(caller.user);
                let wanted = wanted_at(line, caller, place, acts_on_devices && !is_theirs);
                if wanted == Wanted::Done && !line.elsewhere.is_empty() {
                    continue;
                }
                let things = self.things(line, place, owner);
                let org = things.get("below").filter(|_| line.reach == "below").cloned();
                let org = org.unwrap_or_else(|| self.world.org(place).into());
                let request = self.filled(line, &org, &things);
                let answer = self.ask(line, &caller.client, &request);
                let whose = if is_theirs { ", theirs" } else { "" };
                let what =
                    format!("{} {} for {}{} in {place:?}{whose}", line.name, line.case, caller.role, below(caller));
                if self.expect(&what, &answer, wanted) {
                    self.expect_no_leak(&what, line, caller, &answer.text);
                    let key = (format!("{}/{}", line.name, line.case), place, owner.unwrap_or(0));
                    if self.route(line).0 != "GET" {
                        self.unused.remove(&key);
                    }
                }
                self.expect_as_missing(&what, (line, number, "place"), place, &answer);
            }
        }
    }

    /// What is hidden reads like what there is not.
    fn expect_as_missing(
        &mut self,
        what: &str,
        (line, caller, way): (&PermissionLine, usize, &str),
        place: Place,
        answer: &Answered,
    ) {
        let text =
            format!("{} {}", answer.body["code"], without_numbers(answer.body["detail"].as_str().unwrap_or_default()));
        let key = (format!("{}/{}", line.name, line.case), caller, way.to_owned());
        if place == Place::Nobody {
            self.missing.insert(key, text);
        } else if answer.status == 404
            && let Some(known) = self.missing.get(&key)
            && *known != text
        {
            self.wrong.push(format!("{what}: says {text}, and {known} of what there is not"));
        }
    }

    /// With ids of other organizations in one's own: in the path, the query and the body.
    pub(crate) fn with_foreign_ids(&mut self, line: &PermissionLine, callers: &[Caller]) {
        for slot in self.open(line) {
            // What says itself where it is has been in every place.
            let says_place = self.says_place(line).is_some_and(|named| named == slot);
            if slot == "email" || says_place || line.reach == "below" && slot == "below" {
                continue;
            }
            for place in Place::FOREIGN.into_iter().rev() {
                let foreign = match (&*slot, place) {
                    ("below" | "parent", Place::Nobody) => 60_001.into(),
                    ("below" | "parent", _) => self.world.org(place).into(),
                    _ => self.things_of(line, &slot, place),
                };
                for (number, caller) in callers.iter().enumerate() {
                    let mut things = self.things(line, Place::Own, None);
                    let org = things.get("below").filter(|_| line.reach == "below").cloned();
                    let org = org.unwrap_or_else(|| self.world.org(Place::Own).into());
                    things.insert(slot.clone(), foreign.clone());
                    let request = self.filled(line, &org, &things);
                    let answer = self.ask(line, &caller.client, &request);
                    let wanted = wanted_foreign(line, caller, (&slot, place));
                    let what = format!(
                        "{} {} for {}{} with {slot} of {place:?}",
                        line.name,
                        line.case,
                        caller.role,
                        below(caller)
                    );
                    if self.expect(&what, &answer, wanted) {
                        self.expect_no_leak(&what, line, caller, &answer.text);
                        if self.route(line).0 != "GET" {
                            self.unused.retain(|(name, ..), _| *name != format!("{}/{}", line.name, line.case));
                        }
                    }
                    self.expect_as_missing(&what, (line, number, &slot), place, &answer);
                }
            }
        }
    }

    fn things_of(&mut self, line: &PermissionLine, slot: &str, place: Place) -> Value {
        self.things(line, place, None)[slot].clone()
    }

    /// What is one's own: each with theirs, and with another's.
    pub(crate) fn for_oneself(&mut self, line: &PermissionLine, callers: &mut [Caller]) {
        let slots = self.open(line);
        for at in 0..callers.len() {
            let other = if at == 0 { 1 } else { 0 };
            let is_named = |slot: &&String| ["session", "key"].contains(&slot.as_str());
            for whose in [other, at] {
                let is_own = whose == at;
                if !line.elsewhere.is_empty() && (callers[at].role != 'K' || line.key) {
                    continue;
                }
                if !is_own && (!slots.iter().any(|slot| is_named(&slot)) || callers[at].role == 'K') {
                    continue;
                }
                let mut things = BTreeMap::new();
                for slot in &slots {
                    let from = if is_named(&slot) && callers[at].role != 'K' { whose } else { at };
                    let value =
                        if callers[at].role == 'K' { "9".into() } else { self.world.own(slot, &mut callers[from]) };
                    things.insert(slot.clone(), value);
                }
                let request = self.filled(line, &Value::Null, &things);
                let answer = self.ask(line, &callers[at].client, &request);
                let caller = &mut callers[at];
                let wanted = match (caller.role, is_own) {
                    ('K', _) if line.key => Wanted::Done,
                    // What is the server's is out of sight for a key of another organization.
                    ('K', _) => Wanted::Refused,
                    (_, false) => Wanted::Status(404),
                    (role, _) if line.may.contains(role) => Wanted::Done,
                    _ => Wanted::Status(403),
                };
                if let Some(secret) = answer.body["secret"].as_str().filter(|_| line.name == "me.totp") {
                    caller.factor = secret.to_owned();
                }
                caller.client.take(&answer);
                let what = format!("{} for {}{} (own: {is_own})", line.name, caller.role, below(caller));
                if self.expect(&what, &answer, wanted) {
                    self.expect_no_leak(&what, line, &callers[at], &answer.text);
                }
            }
        }
    }

    /// For whoever is not signed in, owes a factor, or comes from a page that is not ours.
    pub(crate) fn for_others(&mut self, line: &PermissionLine, admin: &SignedIn) {
        let things = if line.has_place {
            self.things(line, Place::Own, None)
        } else {
            self.open(line).into_iter().map(|slot| (slot, "999999".into())).collect()
        };
        let org = things.get("below").filter(|_| line.reach == "below").cloned();
        let org = org.unwrap_or_else(|| self.world.org(Place::Own).into());
        let request = self.filled(line, &org, &things);
        let stranger = SignedIn::stranger(self.world.server.address());
        let answer = self.ask(line, &stranger, &request);
        self.expect(&format!("{} {} for a stranger", line.name, line.case), &answer, Wanted::Status(401));
        let wrong_key =
            SignedIn::with_key(self.world.server.address(), "lpk_0000000000000000000000000000000000000000000");
        let answer = self.ask(line, &wrong_key, &request);
        self.expect(&format!("{} {} for a wrong key", line.name, line.case), &answer, Wanted::Status(401));
        if !line.half {
            let half = self.half.clone();
            let answer = self.ask(line, &half, &request);
            self.expect(&format!("{} {} while a factor is due", line.name, line.case), &answer, Wanted::Refused);
        }
        let (method, _) = self.route(line);
        if method != "GET" {
            let answer = self.ask(line, &admin.unmarked(), &request);
            self.expect(&format!("{} {} without the mark", line.name, line.case), &answer, Wanted::Status(403));
            let from = "Origin: https://evil.example\r\n";
            let answer = admin.ask_with(&method, &request.path, from, request.body);
            self.expect(&format!("{} {} from another site", line.name, line.case), &answer, Wanted::Status(403));
        }
    }
}

fn below(caller: &Caller) -> &'static str {
    if caller.below { " who reaches below" } else { "" }
}

/// By the fields of the line, in words at the head of its file.
fn wanted_at(line: &PermissionLine, caller: &Caller, place: Place, is_anothers: bool) -> Wanted {
    let reaches = place == Place::Own || place == Place::Child && caller.below;
    if caller.role == 'K' {
        return match (reaches, line.key) {
            (false, true) => Wanted::Status(line.missing),
            (false, false) => Wanted::Refused,
            (true, true) if line.reach == "below" => Wanted::Status(404),
            (true, true) => Wanted::Done,
            (true, false) => Wanted::Refused,
        };
    }
    let (all, own) = (line.may.contains(caller.role), line.may.contains(caller.role.to_ascii_lowercase()));
    match (reaches, &*line.reach) {
        (false, _) => Wanted::Status(line.missing),
        (true, "below") if !caller.below => Wanted::Status(404),
        (true, "second") if all && !caller.below => Wanted::Status(404),
        (true, "inherited") if all && !caller.below => Wanted::Status(403),
        (true, _) if all => Wanted::Done,
        (true, _) if own && is_anothers && line.foreign != 200 => Wanted::Status(404),
        (true, _) if own => Wanted::Done,
        (true, _) if is_anothers && line.unseen.contains(caller.role) => Wanted::Status(404),
        (true, _) => Wanted::Status(403),
    }
}

/// The same with an id of elsewhere in one's own organization.
fn wanted_foreign(line: &PermissionLine, caller: &Caller, (slot, place): (&str, Place)) -> Wanted {
    let letter = caller.role;
    let (all, own) = if letter == 'K' {
        (line.key, false)
    } else {
        (line.may.contains(letter), line.may.contains(letter.to_ascii_lowercase()))
    };
    // Whoever reaches below may use what is there: as a target it is theirs to name.
    let is_target = matches!(slot, "below" | "parent" | "person");
    if is_target && place == Place::Child && all && caller.below {
        return Wanted::Done;
    }
    let is_device = matches!(slot, "device" | "bare" | "event");
    let foreign = if is_device && line.foreign != 200 { 404 } else { line.foreign };
    match (all, own) {
        (true, _) if (200..300).contains(&foreign) && (line.reach != "inherited" || caller.below) => Wanted::Done,
        (true, _) if line.reach == "inherited" && !caller.below => Wanted::Status(403),
        (true, _) if !line.reach.is_empty() && !caller.below => Wanted::Refused,
        (true, _) if is_target => Wanted::Status(404),
        (true, _) => Wanted::Status(foreign),
        (_, true) if (200..300).contains(&foreign) => Wanted::Done,
        (_, true) => Wanted::RefusedOr(foreign),
        _ => Wanted::Refused,
    }
}

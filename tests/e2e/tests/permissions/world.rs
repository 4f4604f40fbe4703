//! A tree of organizations on a real server, people of every role in one of them, and what rows act on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Server, Wire, command, eventually};
use linchpin_e2e::{SignedIn, create_person, password_hash, totp};
use serde_json::{Value, json};

pub(crate) const PASSWORD: &str = "a lamp in the harbour";

/// Where something is, as seen from the organization in which the callers have their roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// There.
    Own,
    /// In the one below.
    Child,
    /// In the one above.
    Parent,
    /// In the one beside.
    Sibling,
    /// In the first one.
    Root,
    /// There is none.
    Nobody,
}

impl Place {
    pub(crate) const ALL: [Self; 6] = [Self::Own, Self::Child, Self::Parent, Self::Sibling, Self::Root, Self::Nobody];
    /// Those that ids are taken from.
    pub(crate) const FOREIGN: [Self; 4] = [Self::Child, Self::Parent, Self::Sibling, Self::Nobody];

    /// What stands in every name there.
    pub(crate) fn mark(self) -> String {
        format!("mark-{self:?}-").to_lowercase()
    }
}

/// Somebody with a role in [`Place::Own`].
pub(crate) struct Caller {
    /// A, S, U, V, I; `K` for a key.
    pub(crate) role: char,
    pub(crate) below: bool,
    pub(crate) user: u64,
    pub(crate) email: String,
    pub(crate) client: SignedIn,
    /// The secret of their factor, while they have one.
    pub(crate) factor: String,
}

pub(crate) struct World {
    pub(crate) server: Server,
    /// The Admin of the first organization, who makes everything.
    pub(crate) root: SignedIn,
    orgs: BTreeMap<Place, u64>,
    templates: BTreeMap<Place, String>,
    members: BTreeMap<Place, (u64, String)>,
    next: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let server = Server::dev().shards(2).start();
        let root = set_up(&server);
        let mut world = Self {
            server,
            root,
            orgs: BTreeMap::new(),
            templates: BTreeMap::new(),
            members: BTreeMap::new(),
            next: 100,
        };
        world.orgs.insert(Place::Root, 1);
        let tree = [
            (Place::Parent, Place::Root),
            (Place::Own, Place::Parent),
            (Place::Sibling, Place::Parent),
            (Place::Child, Place::Own),
        ];
        for (place, above) in tree {
            let body = json!({"name": format!("{}org", place.mark())});
            let made = world.root.good("POST", &format!("/orgs/{}/orgs", world.org(above)), Some(body));
            world.orgs.insert(place, made["id"].as_u64().expect("a number"));
        }
        world.orgs.insert(Place::Nobody, 60_000);
        world
    }

    pub(crate) fn org(&self, place: Place) -> u64 {
        self.orgs[&place]
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(crate) fn fresh_email(&mut self, place: Place) -> String {
        format!("{}{}@example.com", place.mark(), self.fresh())
    }

    fn post(&self, place: Place, path: &str, body: Value) -> Value {
        self.root.good("POST", &format!("/orgs/{}/{path}", self.org(place)), Some(body))
    }

    /// A new member of an organization.
    fn member(&mut self, place: Place, role: &str) -> (u64, String) {
        let email = self.fresh_email(place);
        create_person(&self.server, self.org(place) as u32, role, &email, PASSWORD);
        let all = self.root.good("GET", &format!("/orgs/{}/users?limit=500", self.org(place)), None);
        let items = all["items"].as_array().expect("a list");
        let found = items.iter().find(|user| user["email"] == email.as_str()).expect("a member");
        (found["id"].as_u64().expect("a number"), email)
    }

    /// Somebody who stays a member.
    fn known_member(&mut self, place: Place) -> (u64, String) {
        if let Some(known) = self.members.get(&place) {
            return known.clone();
        }
        let made = self.member(place, "viewer");
        self.members.insert(place, made.clone());
        made
    }

    /// Somebody with a role in [`Place::Own`], signed in.
    pub(crate) fn caller(&mut self, (letter, role, number): (char, &str, u16), below: bool) -> Caller {
        let (user, email) = self.member(Place::Own, role);
        let path = format!("/orgs/{}/users/{user}/grant", self.org(Place::Own));
        self.root.good("PUT", &path, Some(json!({"role": number, "below": below})));
        let client = SignedIn::new(self.server.address(), &email, PASSWORD);
        Caller { role: letter, below, user, email, client, factor: String::new() }
    }

    /// A key of the callers' organization that holds all that keys can.
    pub(crate) fn key_caller(&self) -> Caller {
        // By hand: what no key may hold.
        const PEOPLE_ONLY: [&str; 8] = [
            "user.reset",
            "role.view",
            "role.edit",
            "role.assign",
            "privacy.export",
            "privacy.erase",
            "key.manage",
            "server.manage",
        ];
        let all = self.root.good("GET", "/permissions", None);
        let names: Vec<&str> =
            all["items"].as_array().expect("a list").iter().filter_map(|line| line["name"].as_str()).collect();
        let names: Vec<&str> = names.into_iter().filter(|name| !PEOPLE_ONLY.contains(name)).collect();
        assert_eq!(names.len(), 37, "{names:?}");
        let made = self.post(Place::Own, "keys", json!({"name": "all of them", "permissions": names}));
        let client = SignedIn::with_key(self.server.address(), made["secret"].as_str().expect("a secret"));
        Caller { role: 'K', below: false, user: 0, email: String::new(), client, factor: String::new() }
    }

    /// What a template's devices show.
    fn template(&mut self, place: Place) -> String {
        if let Some(known) = self.templates.get(&place) {
            return known.clone();
        }
        let made = self.new_template(place);
        self.templates.insert(place, made.clone());
        made
    }

    fn new_template(&self, place: Place) -> String {
        let sheet = json!({
            "name": format!("{}template", place.mark()),
            "streams": [{"pin": "V0", "name": "Speed", "kind": "integer", "min": 0, "max": 100, "writable": true}],
            "events": [{"code": "dry", "name": "It runs dry", "level": "critical", "text": "Look."}],
            "metadata": [{"name": "Room", "kind": "text"}],
        });
        let made = self.post(place, "templates", sheet);
        assert_eq!((&made["streams"][0]["id"], &made["metadata"][0]["id"]), (&json!(1), &json!(1)), "{made}");
        made["id"].as_str().expect("an id").to_owned()
    }

    /// A device with its token: of a caller, or of somebody else.
    fn device(&mut self, place: Place, owner: Option<u64>, template: Option<String>) -> (u64, String) {
        let whose = if owner.is_some() { "theirs" } else { "hid" };
        let name = format!("{}{whose}-{}", place.mark(), self.fresh());
        let mut body = json!({"name": name, "tags": [format!("{}{whose}", place.mark())]});
        if let Some(template) = template {
            body["template"] = template.into();
        }
        let made = self.post(place, "devices", body);
        let id = made["id"].as_u64().expect("a number");
        if let Some(owner) = owner {
            let path = format!("/orgs/{}/devices/{id}", self.org(place));
            self.root.good("PATCH", &path, Some(json!({"owner": owner})));
        }
        (id, made["token"].as_str().expect("a token").to_owned())
    }

    fn event(&mut self, place: Place, owner: Option<u64>) -> Value {
        let template = self.template(place);
        let (device, token) = self.device(place, owner, Some(template));
        let mut wire = Wire::login(self.server.address(), &token);
        wire.expect_status(command::EVENT_LOG, &["dry", "no water"], 200);
        let path = format!("/orgs/{}/events?device={device}", self.org(place));
        eventually(EFFECT, "the event is listed", || {
            let found = self.root.good("GET", &path, None);
            found["items"].as_array()?.first().map(|event| event["id"].clone())
        })
    }

    /// What a row acts on, anew.
    pub(crate) fn make(&mut self, slot: &str, place: Place, owner: Option<u64>) -> Value {
        if place == Place::Nobody {
            return match slot {
                "template" => "TMPLnobody".into(),
                "code" => "sqr_nobody".into(),
                "event" => "4000000-1800000000000-1".into(),
                "email" => self.fresh_email(Place::Own).into(),
                "member" | "person" => "nobody@example.com".into(),
                "below" | "parent" => 60_001.into(),
                "device" | "bare" => 4_000_000.into(),
                // Never the same: a role of any number can be made.
                "role" => (5_000 + self.fresh()).into(),
                _ => 9_999.into(),
            };
        }
        match slot {
            "fresh user" => self.member(place, "viewer").0.into(),
            "user" => self.known_member(place).0.into(),
            // By their addresses: in the organization that is asked about, or in one below it.
            "member" | "person" => self.known_member(place).1.into(),
            "role" => {
                let number = 6 + self.fresh();
                let path = format!("/orgs/{}/roles/{number}", self.org(place));
                let role = json!({"name": format!("{}role", place.mark()), "org": [], "own": []});
                self.root.good("PUT", &path, Some(role));
                number.into()
            }
            "invite" => {
                let email = self.fresh_email(place);
                self.post(place, "invites", json!({"email": email, "role": 4}))["id"].clone()
            }
            "email" => self.fresh_email(place).into(),
            "key" => {
                let name = format!("{}key", place.mark());
                self.post(place, "keys", json!({"name": name, "permissions": ["device.view"]}))["id"].clone()
            }
            "below" => self.post(place, "orgs", json!({"name": format!("{}below", place.mark())}))["id"].clone(),
            "parent" => self.org(place).into(),
            "device" => {
                let template = self.template(place);
                self.device(place, owner, Some(template)).0.into()
            }
            "bare" => self.device(place, owner, None).0.into(),
            "template" => self.new_template(place).into(),
            "event" => self.event(place, owner),
            "code" => {
                let template = self.template(place);
                let made = self.post(place, "static", json!({"template": template, "count": 1}));
                made["items"][0]["qr"].clone()
            }
            other => panic!("{other:?} is no slot"),
        }
    }

    /// What somebody sends about themselves. `of`: whose it is.
    pub(crate) fn own(&mut self, slot: &str, of: &mut Caller) -> Value {
        match slot {
            "email" => of.email.clone().into(),
            "hash" => password_hash(&of.email, PASSWORD).into(),
            "purpose" => "news".into(),
            "totp" => totp(&of.factor, 0).into(),
            "session" => {
                let all = || of.client.good("GET", "/me/sessions", None)["items"].as_array().expect("a list").clone();
                let known: Vec<Value> = all().into_iter().map(|line| line["id"].clone()).collect();
                let _ = SignedIn::new(self.server.address(), &of.email, PASSWORD);
                all().into_iter().map(|line| line["id"].clone()).find(|id| !known.contains(id)).expect("one more")
            }
            "key" => {
                let body = json!({"name": "mine", "permissions": ["org.view"]});
                of.client.good("POST", "/me/keys", Some(body))["id"].clone()
            }
            other => panic!("{other:?} is nobody's own"),
        }
    }
}

/// The server is set up by its link, once.
fn set_up(server: &Server) -> SignedIn {
    const EMAIL: &str = "root@example.com";
    let link = server.ready()["setup"].as_str().expect("a link in the ready file").to_owned();
    let (_, token) = link.split_once('#').expect("a fragment");
    let stranger = SignedIn::stranger(server.address());
    assert_eq!(stranger.good("GET", "/bootstrap", None), json!({"open": true}));
    let body =
        json!({"token": token, "email": EMAIL, "name": "Root", "hash": password_hash(EMAIL, PASSWORD), "org": "Root"});
    assert_eq!(stranger.good("POST", "/bootstrap", Some(body.clone()))["org"], 1);
    stranger.refused("POST", "/bootstrap", Some(body), 410);
    SignedIn::new(server.address(), EMAIL, PASSWORD)
}

/// A text with its numbers left out: two refusals that differ in ids only are the same.
pub(crate) fn without_numbers(text: &str) -> String {
    let mut kept = String::new();
    for letter in text.chars().filter(|letter| !letter.is_ascii_digit()) {
        let _ = write!(kept, "{letter}");
    }
    kept
}

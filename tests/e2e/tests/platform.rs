//! Blynk's Platform API, as its programs use it: each route of it with the shape of its answer and what it does.

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Device, Server, Wire, command, eventually};
use linchpin_e2e::{Answered, SignedIn, create_person};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery staple";
const EVE: &str = "eve@example.com";

struct World {
    server: Server,
    admin: SignedIn,
    template: String,
    device: Device,
}

/// A server with an Admin, a template and a device of it.
fn world() -> World {
    let server = Server::dev().shards(2).start();
    create_person(&server, 1, "admin", EVE, PASSWORD);
    let admin = SignedIn::new(server.address(), EVE, PASSWORD);
    let sheet = json!({
        "name": "Pump",
        "streams": [
            {"pin": "V0", "name": "Speed", "alias": "speed", "kind": "integer", "min": 0, "max": 100, "unit": "%", "default": "5"},
            {"pin": "V2", "name": "Place", "kind": "location"},
        ],
        "events": [{"code": "dry", "name": "It runs dry", "level": "critical", "text": "Look at the well."},
                   {"code": "note", "name": "A note", "level": "info"}],
        "metadata": [{"name": "Room", "kind": "text", "default": "Cellar"}],
    });
    let template = text(&admin.good("POST", "/orgs/1/templates", Some(sheet)), "id").to_owned();
    let body = json!({"name": "Cellar", "template": template});
    let made = admin.good("POST", "/orgs/1/devices", Some(body));
    let device =
        Device { id: made["id"].to_string(), token: text(&made, "token").to_owned(), template: Some(template.clone()) };
    World { server, admin, template, device }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name} in {value}"))
}

impl World {
    fn ask(&self, method: &str, call: &str, body: Option<Value>) -> Answered {
        self.admin.ask(method, &format!("/organization{call}"), body)
    }

    fn get(&self, call: &str) -> Value {
        let answer = self.ask("GET", call, None);
        assert_eq!(answer.status, 200, "{call}: {}", answer.text);
        answer.body
    }

    fn post(&self, call: &str, body: Value, status: u16) -> Value {
        let answer = self.ask("POST", call, Some(body));
        assert_eq!(answer.status, status, "{call}: {}", answer.text);
        answer.body
    }

    /// Refused in Blynk's shape, with this in the message.
    fn refused(&self, (method, call): (&str, &str), body: Option<Value>, status: u16, part: &str) {
        let answer = self.ask(method, call, body);
        assert_eq!(answer.status, status, "{call}: {}", answer.text);
        let message = text(&answer.body["error"], "message");
        assert!(message.contains(part), "{call}: {message}");
    }

    fn names(&self, call: &str) -> Vec<String> {
        let page = self.get(call);
        let content = page["content"].as_array().expect("a list");
        content.iter().map(|line| text(line, "name").to_owned()).collect()
    }
}

#[test]
fn organizations_and_templates() {
    let world = world();
    let own = world.get("/profile");
    assert_eq!((&own["id"], &own["isActive"], &own["tz"]), (&json!(1), &json!(true), &json!("UTC")));
    let body = json!({"name": "Wells North", "type": "BUSINESS", "tz": "Europe/Berlin"});
    let made = world.post("/create", body, 201);
    let id = made["id"].as_u64().expect("a number");
    let shown = world.get(&format!("?orgId={id}"));
    assert_eq!(shown, made);
    assert_eq!((&shown["parentOrganizationId"], text(&shown, "tz")), (&json!(1), "Europe/Berlin"));
    let below = world.post("/create", json!({"name": "Wells South", "type": "RESELLER", "parentId": id}), 201);
    assert_eq!(below["parentOrganizationId"], id);
    assert_eq!(world.names("/search?query=WELLS&sortBy=Name&sortOrder=DESC"), ["Wells South", "Wells North"]);
    assert_eq!(world.names("/search?query=wells&sortBy=Sub%20Organizations"), ["Wells South", "Wells North"]);
    let page = world.get("/search?query=&sortBy=Device%20Count&sortOrder=DESC&size=1");
    assert_eq!((&page["content"][0]["id"], &page["totalElements"]), (&json!(1), &json!(3)));
    assert_eq!(world.get("/search?query=wells&sortBy=User%20Count&page=1&size=1")["content"][0]["id"], below["id"]);
    let missing = "Organization is not found or you don't have access to it.";
    world.refused(("GET", "?orgId=4000"), None, 404, missing);
    world.refused(("POST", "/create"), Some(json!({"name": "x", "type": "ROOT"})), 422, "RESELLER");
    world.refused(("GET", "/search?query=x&size=1001"), None, 422, "1001");
    // A key never reaches below its organization, whatever it holds.
    let key = json!({"name": "all", "permissions": ["org.view", "org.delete", "user.invite", "org.create"]});
    let key = world.admin.good("POST", "/orgs/1/keys", Some(key));
    let program = SignedIn::with_key(world.server.address(), text(&key, "secret"));
    let answer = program.ask("DELETE", &format!("/organization?orgId={id}"), None);
    assert_eq!((answer.status, text(&answer.body["error"], "message")), (404, missing));
    let create = json!({"email": "bob@example.com", "name": "Bob"});
    let answer = program.ask("POST", "/organization/users/create", Some(create));
    assert_eq!(answer.status, 403, "{}", answer.text);
    // Nor does one that may not look at organizations.
    let key = json!({"name": "devices", "permissions": ["device.view"]});
    let key = world.admin.good("POST", "/orgs/1/keys", Some(key));
    let program = SignedIn::with_key(world.server.address(), text(&key, "secret"));
    let answer = program.ask("GET", "/organization/profile", None);
    assert_eq!((answer.status, text(&answer.body["error"], "message").contains("org.view")), (403, true));
    assert_eq!(world.ask("DELETE", &format!("?orgId={}", below["id"]), None).status, 204);
    world.refused(("GET", &format!("?orgId={}", below["id"])), None, 404, missing);

    let page = world.get("/templates?orgId=1");
    let mut lines = page["content"].as_array().expect("a list").iter();
    let line = lines.find(|line| line["name"] == "Pump").expect("the template").clone();
    assert_eq!((&line["templateIds"], &line["orgId"]), (&json!([world.template]), &json!(1)));
    for name in [line["id"].to_string(), world.template.clone()] {
        assert_eq!(world.get(&format!("/template?templateId={name}")), line);
    }
    let streams = world.get(&format!("/template/datastreams?templateId={}", line["id"]));
    let wanted = json!({"id": 1, "label": "Speed", "alias": "speed", "units": "%", "type": "INT", "defaultValue": 5,
                        "pin": 0, "pinType": "VIRTUAL", "isAnalogPin": false, "isSync": false});
    assert_eq!((&streams[0], &streams[1]["type"]), (&wanted, &json!("LOCATION")));
    let events = world.get(&format!("/template/events?templateId={}", world.template));
    assert_eq!(events[0], json!({"id": 1, "name": "It runs dry", "eventCode": "dry", "type": "CRITICAL"}));
    let fields = world.get(&format!("/template/metafields?templateId={}", world.template));
    assert_eq!(fields, json!([{"id": 1, "name": "Room", "type": "Text", "defaultValue": "Cellar"}]));
    world.refused(("GET", "/template/events?templateId=999"), None, 404, "Template is not found");
}

#[test]
fn devices_are_found_described_and_written_to() {
    let world = world();
    create_person(&world.server, 1, "user", "bob@example.com", PASSWORD);
    let bob = world.get("/search/users?query=bob@&sortBy=Email")["content"][0].clone();
    let id: u32 = world.device.id.parse().expect("a number");
    let before = world.get("/devices")["totalElements"].as_u64().expect("a number");
    let second = json!({"templateId": world.template, "name": "Attic", "ownerId": bob["id"]});
    let second = world.post("/device/create", second, 201)["id"].clone();
    assert_eq!(world.names("/search/devices?query=pump&sortBy=Name"), ["Attic", "Cellar"]);
    assert_eq!(world.names("/search/devices?query=cell&orgId=1"), ["Cellar"]);
    assert_eq!(world.names("/device/by-owner?ownerEmail=bob@example.com"), ["Attic"]);
    assert_eq!(world.get("/device/by-user-org?userEmail=bob@example.com")["totalElements"], before + 1);
    for call in ["/device/by-owner?ownerEmail=nobody@example.com", "/device/by-user-org?userEmail=nobody@example.com"] {
        world.refused(("GET", call), None, 404, "User is not found");
    }
    let last = world.get("/device/last-activated?size=1");
    assert_eq!((&last["totalElements"], last["content"].as_array().map(Vec::len)), (&json!(before + 1), Some(1)));
    let base = world.get(&format!("/device/baseInfo?deviceId={id}"));
    assert_eq!((text(&base, "token"), &base["dataStreamValues"]), (world.device.token.as_str(), &Value::Null));
    // No device is left over of what could not be done in full.
    let body = json!({"templateId": world.template, "name": "Third", "ownerId": 4_000_000});
    world.refused(("POST", "/device/create"), Some(body), 422, "somebody with a role");
    assert_eq!(world.get("/devices")["totalElements"], before + 1);

    let property = json!({"deviceId": id, "dataStreamId": 1, "property": "color", "value": "#FF0000"});
    world.post("/device/datastream/property", property, 204);
    let values = world.admin.good("GET", &format!("/orgs/1/devices/{id}/values"), None);
    assert_eq!(values[0]["properties"]["color"], "#FF0000");
    let wrong = json!({"deviceId": id, "dataStreamId": 1, "property": "colour", "value": "red"});
    world.refused(("POST", "/device/datastream/property"), Some(wrong), 422, "property");

    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let points = json!([{"value": 5, "ts": now - 20_000}, {"value": 7, "ts": now - 10_000}]);
    let import = |values: Value| json!({"deviceId": id, "dataStreamId": 1, "values": values});
    world.post("/device/import/batch", import(points), 204);
    eventually(EFFECT, "the points are in the history", || {
        let page = world.get(&format!("/device/datastream/history?deviceId={id}&pin=v0"));
        (page["totalElements"] == 2 && page["content"][1]["value"] == 7.0).then_some(())
    });
    world.refused(("POST", "/device/import/batch"), Some(import(json!([{"value": 1, "ts": 1}]))), 422, "month");
    let many: Vec<Value> = (0..1_001).map(|n| json!({"value": 1, "ts": now + n})).collect();
    world.refused(("POST", "/device/import/batch"), Some(import(many.into())), 422, "1001");
    let gone = json!({"deviceId": 4_000_000, "dataStreamId": 1, "values": [{"value": 1, "ts": now}]});
    world.refused(("POST", "/device/import/batch"), Some(gone), 404, "Device with identifier 4000000");
    assert_eq!(world.ask("DELETE", &format!("/device?deviceId={second}"), None).status, 204);
}

#[test]
fn events_boards_and_static_tokens() {
    let world = world();
    let id: u32 = world.device.id.parse().expect("a number");
    let event = |code: &str| json!({"deviceId": id, "eventCode": code, "eventDescription": "by a program"});
    world.post("/device/trigger-event", event("dry"), 204);
    world.post("/device/trigger-event", event("note"), 204);
    world.refused(("POST", "/device/trigger-event"), Some(event("wet")), 404, "Event with provided code");
    let long = json!({"deviceId": id, "eventCode": "note", "eventDescription": "x".repeat(301)});
    world.refused(("POST", "/device/trigger-event"), Some(long), 422, "301");
    let page = eventually(EFFECT, "both are in the timeline", || {
        let page = world.get(&format!("/device/timeline?deviceId={id}"));
        (page["totalElements"] == 2).then_some(page)
    });
    assert_eq!(page["content"][0]["eventCode"], "note", "the newest first");
    let page = world.get(&format!("/device/timeline?deviceId={id}&eventType=CRITICAL"));
    let line = &page["content"][0];
    assert_eq!(
        (&page["totalElements"], text(line, "eventName"), text(line, "description"), &line["isResolved"]),
        (&json!(1), "It runs dry", "by a program", &json!(false))
    );
    let path = format!("/orgs/1/events/{}/resolve", text(line, "id"));
    world.admin.good("POST", &path, Some(json!({"note": "seen"})));
    let page = world.get(&format!("/device/timeline?deviceId={id}&eventType=CRITICAL"));
    assert_eq!(text(&page["content"][0], "resolvedComment"), "seen");

    let reconfigure = || json!({"deviceId": id});
    assert_eq!(world.post("/device/provision/reconfigure", reconfigure(), 200), json!({"deviceIsOffline": true}));
    let mut wire = Wire::login(world.server.address(), &world.device.token);
    wire.expect_pong();
    world.refused(("POST", "/device/provision/reconfigure"), Some(reconfigure()), 409, "speaks Blynk");
    let page = eventually(EFFECT, "its login is in the log", || {
        let page = world.get(&format!("/device/logs?deviceId={id}"));
        (page["totalElements"].as_u64() >= Some(1)).then_some(page)
    });
    assert_eq!(page["content"][0]["isOnline"], true, "{page}");
    drop(wire);
    eventually(EFFECT, "and its end", || {
        let page = world.get(&format!("/device/logs?deviceId={id}"));
        (page["content"][0]["isOnline"] == false).then_some(())
    });

    let eve = world.get("/users")["content"][0].clone();
    let body = json!({"orgId": 1, "ownerId": eve["id"]});
    let board = world.post("/device/provision/token", body, 200);
    assert_eq!(text(&board, "token").len(), 32);
    let mut wire = Wire::login(world.server.address(), text(&board, "token"));
    wire.expect_status(command::INTERNAL, &["ver", "1.3.2", "tmpl", &world.template, "dev", "ESP32"], 200);
    let shown = world.get(&format!("/device/baseInfo?deviceId={}", board["deviceId"]));
    assert_eq!(shown["ownerUserId"], eve["id"]);
    let before = world.get("/devices")["totalElements"].clone();
    let body = json!({"orgId": 1, "ownerId": 4_000_000});
    world.refused(("POST", "/device/provision/token"), Some(body), 422, "somebody with a role");
    assert_eq!(world.get("/devices")["totalElements"], before, "no device is made for nobody");

    let body = json!({"template": world.template, "count": 2});
    let made = world.admin.good("POST", "/orgs/1/static", Some(body));
    let claimed = world.admin.good("POST", "/claim", Some(json!({"code": made["items"][0]["qr"]})));
    let page = world.get("/static-tokens?orgId=1");
    let line = |at: usize| {
        let line = &page["content"][at];
        (text(line, "status").to_owned(), line["deviceId"].clone(), line["ownerId"].clone())
    };
    assert_eq!(line(0), ("CLAIMED".to_owned(), claimed["id"].clone(), eve["id"].clone()));
    assert_eq!((line(1), &page["totalElements"]), (("UNCLAIMED".to_owned(), json!(0), json!(0)), &json!(2)));
    let secrets = [text(&made["items"][0], "token"), text(&made["items"][1], "claim")];
    assert!(secrets.iter().all(|secret| !page.to_string().contains(secret)), "secrets were shown once");
    assert_eq!(world.get("/static-tokens?page=1&size=1")["content"][0]["id"], page["content"][1]["id"]);
}

#[test]
fn people_are_found_invited_and_moved() {
    let world = world();
    for (email, role) in [("bob@example.com", "viewer"), ("ann@example.com", "user")] {
        create_person(&world.server, 1, role, email, PASSWORD);
    }
    let page = world.get("/users?size=2");
    assert_eq!((&page["totalElements"], page["content"].as_array().map(Vec::len)), (&json!(3), Some(2)));
    let bob = world.get("/search/users?query=BOB")["content"][0].clone();
    assert_eq!((&bob["roleId"], text(&bob, "status"), &bob["orgId"]), (&json!(4), "Active", &json!(1)));
    let emails = |call: &str| {
        let page = world.get(call);
        let lines = page["content"].as_array().expect("a list").iter();
        lines.map(|line| text(line, "email").to_owned()).collect::<Vec<_>>()
    };
    let found = emails("/search/users?query=example&sortBy=Email&sortOrder=DESC");
    assert_eq!(found, [EVE, "bob@example.com", "ann@example.com"]);
    assert_eq!(emails("/search/users?query=example&sortBy=Role&size=1"), [EVE]);
    assert_eq!(world.get(&format!("/user?userId={}", bob["id"])), bob);
    world.refused(("GET", "/user?userId=4000000"), None, 404, "User is not found");
    let changed = world.ask("PUT", &format!("/users/role?userId={}&roleId=2", bob["id"]), None);
    assert_eq!((changed.status, &changed.body["roleId"]), (200, &json!(2)), "{}", changed.text);
    assert_eq!(world.get(&format!("/user?userId={}", bob["id"]))["roleId"], 2);

    let body = json!({"name": "Branch", "type": "BRANCH"});
    let branch = world.post("/create", body, 201)["id"].clone();
    let body = json!({"userId": bob["id"], "targetOrgId": branch, "roleId": 3});
    let moved = world.post("/users/transfer", body, 201);
    assert_eq!((&moved["orgId"], &moved["roleId"], &moved["id"]), (&branch, &json!(3), &bob["id"]));
    assert_eq!(world.get(&format!("/user?userId={}", bob["id"])), moved, "numbers stay");
    assert_eq!(world.get(&format!("/users?orgId={branch}"))["totalElements"], 1);

    let body = json!({"email": "carl@example.com", "name": "Carl", "roleId": 3, "locale": "en_US"});
    let invited = world.post("/users/invite", body, 201);
    assert_eq!((text(&invited, "status"), &invited["orgId"], &invited["id"]), ("Pending", &json!(1), &Value::Null));
    let body = json!({"email": "dora@example.com", "name": "Dora", "orgId": branch, "roleId": 3});
    let mut with_hash = body.clone();
    with_hash["passwordHash"] = "tk++TTJLCEKfWuhQyGAKCSRMop6wyIexGKylaknsUo8=".into();
    world.refused(("POST", "/users/create-in-org"), Some(with_hash), 422, "chooses their password");
    assert_eq!(world.post("/users/create-in-org", body, 201)["orgId"], branch);
    let pending = world.admin.good("GET", &format!("/orgs/{branch}/invites"), None);
    assert_eq!(text(&pending["items"][0], "email"), "dora@example.com");
    let body = json!({"email": "emil@example.com", "name": "Emil", "organizationName": "Emil's home"});
    let made = world.post("/users/create", body, 201);
    let home = world.get(&format!("?orgId={}", made["orgId"]));
    assert_eq!((text(&home, "name"), &made["roleId"]), ("Emil's home", &json!(3)));
    let pending = world.admin.good("GET", &format!("/orgs/{}/invites", made["orgId"]), None);
    assert_eq!(
        (text(&pending["items"][0], "email"), text(&pending["items"][0], "role_name")),
        ("emil@example.com", "User")
    );
    // Nothing is made for an address that is none.
    let before = world.get("/search?query=")["totalElements"].clone();
    let body = json!({"email": "emil", "name": "Emil"});
    world.refused(("POST", "/users/create"), Some(body), 422, "e-mail address");
    assert_eq!(world.get("/search?query=")["totalElements"], before);
    // Signing up is off here, as for our own route.
    let body = Some(json!({"email": "fred@example.com", "locale": "en_US"}));
    world.refused(("POST", "/users/register"), body.clone(), 409, "do not sign up here");
    let ann = SignedIn::new(world.server.address(), "ann@example.com", PASSWORD);
    assert_eq!(ann.ask("POST", "/organization/users/register", body).status, 403);
}

#[test]
fn nothing_is_made_for_an_address_that_takes_no_more_mails() {
    let world = world();
    let invite = json!({"email": "gus@example.com", "name": "Gus", "roleId": 3, "locale": "en_US"});
    let full = (0..100).map(|_| world.ask("POST", "/users/invite", Some(invite.clone()))).find(|it| it.status != 201);
    let full = full.expect("somebody has had enough mails");
    let message = text(&full.body["error"], "message");
    assert!(full.status == 429 && message.ends_with("are the most: try again later"), "{}", full.text);
    let count = || world.get("/search?query=")["totalElements"].clone();
    let before = count();
    let create = |email: &str| json!({"email": email, "name": "Gus", "organizationName": "Gus's home"});
    world.refused(("POST", "/users/create"), Some(create("gus@example.com")), 429, message);
    assert_eq!(count(), before, "no organization without its person");
    world.post("/users/create", create("hal@example.com"), 201);
    // Who is refused later, as one organization too deep, has not used up a mail.
    let mut above = json!(1);
    let refused = (0..20).find_map(|n| {
        let body = json!({"email": format!("deep{n}@example.com"), "name": "Deep", "orgId": above});
        let made = world.ask("POST", "/users/create", Some(body));
        if made.status != 201 {
            return Some(made);
        }
        above = made.body["orgId"].clone();
        None
    });
    let refused = refused.expect("the tree ends somewhere");
    let message = text(&refused.body["error"], "message");
    for _ in 0..30 {
        let deep = json!({"email": "ivy@example.com", "name": "Ivy", "orgId": above});
        world.refused(("POST", "/users/create"), Some(deep), refused.status, message);
    }
    world.post("/users/create", create("ivy@example.com"), 201);
}

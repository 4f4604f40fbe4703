//! Devices, templates and events as objects of an organization, over HTTP, with a real client.

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Client, Device, Library, Server, Wire, command, eventually};
use linchpin_e2e::{Http, LivePage, SignedIn, create_person};
use linchpin_protocol::live::LiveReport;
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery staple";

fn signed_in(server: &Server, org: u32, role: &str, email: &str) -> SignedIn {
    create_person(server, org, role, email, PASSWORD);
    SignedIn::new(server.address(), email, PASSWORD)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name} in {value}"))
}

fn sheet() -> Value {
    json!({
        "name": "Pump", "description": "Keeps the cellar dry.",
        "streams": [
            {"pin": "V0", "name": "Speed", "alias": "speed", "kind": "integer", "min": 0, "max": 100, "unit": "%", "writable": true},
            {"pin": "V1", "name": "Level", "alias": "level", "kind": "double", "decimals": 1},
            {"pin": "V2", "name": "Mode", "kind": "enumeration",
                "labels": [{"value": "0", "text": "off"}, {"value": "1", "text": "on"}]},
        ],
        "events": [{"code": "dry", "name": "It runs dry", "level": "critical", "text": "Look at the well."}],
        "metadata": [{"name": "Room", "kind": "text"}],
        "connection": {"tls_required": false, "offline_wait_s": 30},
    })
}

/// A template and a device that has it.
fn pump(admin: &SignedIn) -> (String, Device, String) {
    let template = text(&admin.good("POST", "/orgs/1/templates", Some(sheet())), "id").to_owned();
    let made = admin.good(
        "POST",
        "/orgs/1/devices",
        Some(json!({"name": "Cellar", "template": template, "tags": ["cellar"]})),
    );
    let device =
        Device { id: made["id"].to_string(), token: text(&made, "token").to_owned(), template: Some(template.clone()) };
    let path = format!("/orgs/1/devices/{}", device.id);
    (template, device, path)
}

#[test]
fn a_device_is_made_used_and_given_another_token() {
    let server = Server::dev().shards(2).start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let (template, device, path) = pump(&admin);

    let mut client = Client::connected(Library::BlynkLibrary, &server, &device);
    eventually(EFFECT, "the device is online in the list", || {
        let page = admin.good("GET", "/orgs/1/devices?show=online&tag=cellar", None);
        (page["columns"]["id"] == json!([device.id.parse::<u32>().expect("a number")])).then_some(())
    });
    let written = admin.good("PUT", &format!("{path}/values/V0"), Some(json!({"value": "70"})));
    assert_eq!(written["result"], "delivered");
    let _ = client.expect_event(EFFECT, &json!({"event": "write", "pin": 0, "values": ["70"]}));
    eventually(EFFECT, "the value is readable", || {
        let values = admin.good("GET", &format!("{path}/values"), None);
        let speed = values.as_array().expect("a list").iter().find(|value| value["pin"] == "V0").cloned();
        (speed.expect("V0")["value"] == "70").then_some(())
    });
    // Refusals say why, with a code.
    let refused = admin.good("PUT", &format!("{path}/values/V9"), Some(json!({"value": "1"})));
    assert_eq!((text(&refused, "result"), refused["code"].is_string()), ("refused", true));

    let sheet = admin.good("GET", &path, None);
    assert_eq!(
        (text(&sheet, "name"), text(&sheet, "template"), &sheet["online"]),
        ("Cellar", template.as_str(), &json!(true))
    );
    assert!(sheet["may"].as_array().expect("a list").iter().any(|may| may == "device.control"));

    assert_eq!(text(&admin.good("GET", &format!("{path}/token"), None), "token"), device.token);
    let new = admin.good("POST", &format!("{path}/token"), Some(json!({})));
    let new = text(&new, "token").to_owned();
    assert_ne!(new, device.token);
    // Answered means dead: nobody logs in with the old one from here on.
    let mut late = Wire::connect(server.address());
    let id = late.send(command::LOGIN, device.token.as_bytes());
    assert_eq!(late.receive(EFFECT).map(|frame| (frame.id, frame.status_or_len)), Some((id, 9)));
    drop(client);
    let again = Device { token: new, ..device.clone() };
    let mut wire = Wire::login(server.address(), &again.token);
    wire.send_parts(command::HARDWARE, &["vw", "1", "3.5"]);
    wire.expect_pong();
    let values = admin.good("GET", &format!("{path}/values"), None);
    assert!(values.to_string().contains("3.5"), "{values}");
    server.expect_no_token_in_log(&[device, again]);
}

#[test]
fn templates_are_saved_in_versions() {
    let server = Server::dev().start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let (id, _, _) = pump(&admin);
    let path = format!("/orgs/1/templates/{id}");
    let first = admin.ask("GET", &path, None);
    let etag = first.field("etag").expect("a version").to_owned();
    assert_eq!((first.body["version"].as_u64(), first.body["devices"].as_u64()), (Some(1), Some(1)));
    let mut next = first.body.clone();
    next["streams"].as_array_mut().expect("a list").retain(|stream| stream["pin"] != "V2");
    next["layout"] = json!({"version": 1, "pages": [{"id": "p1", "title": "All", "roles": null, "widgets": []}]});
    let fields = next.as_object_mut().expect("an object");
    fields.remove("org");
    let saved = admin.ask_with("PUT", &path, &format!("If-Match: {etag}\r\n"), Some(next.clone()));
    assert_eq!((saved.status, saved.body["version"].as_u64()), (200, Some(2)), "{}", saved.text);
    assert_eq!(saved.body["streams"][0]["id"], first.body["streams"][0]["id"], "ids stay");
    let late = admin.ask_with("PUT", &path, &format!("If-Match: {etag}\r\n"), Some(next));
    assert_eq!((late.status, text(&late.body, "code")), (412, "E0612"));
    let versions = admin.good("GET", &format!("{path}/versions"), None);
    assert_eq!(versions["items"].as_array().map(Vec::len), Some(2));
    let old = admin.good("GET", &format!("{path}/versions/1"), None);
    assert_eq!(old["streams"].as_array().map(Vec::len), Some(3));
    let restored = admin.good("POST", &format!("{path}/restore"), Some(json!({"version": 1})));
    assert_eq!((restored["version"].as_u64(), restored["streams"].as_array().map(Vec::len)), (Some(3), Some(3)));
    assert_eq!(admin.refused("DELETE", &path, None, 409)["code"], "E0611");
    for (body, field) in [
        (json!({"name": "x", "streams": [{"pin": "V0", "kind": "integer", "min": 2, "max": 1}]}), "streams"),
        (json!({"name": "x", "events": [{"code": "sys_x", "name": "", "level": "info"}]}), "events"),
        (json!({"name": "x", "layout": [1]}), "layout"),
        (json!({"name": "x".repeat(65)}), "name"),
    ] {
        let problem = admin.refused("POST", "/orgs/1/templates", Some(body), 422);
        assert_eq!(text(&problem, "field"), field, "{problem}");
    }
}

#[test]
fn events_are_listed_and_resolved() {
    let server = Server::dev().shards(2).start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let (_, device, _) = pump(&admin);
    let mut wire = Wire::login(server.address(), &device.token);
    wire.expect_status(command::EVENT_LOG, &["dry", "no water"], 200);
    wire.expect_status(command::EVENT_LOG, &["sys_ota"], 200);
    let list = || admin.good("GET", &format!("/orgs/1/events?device={}&open=true", device.id), None);
    let event = eventually(EFFECT, "both events are listed", || {
        let found = list();
        let items = found["items"].as_array().expect("a list");
        let dry = items.iter().find(|event| event["code"] == "dry").cloned();
        dry.filter(|_| items.len() == 2)
    });
    assert_eq!(
        (text(&event, "level"), text(&event, "title"), text(&event, "text")),
        ("critical", "It runs dry", "no water")
    );
    let path = format!("/orgs/1/events/{}/resolve", text(&event, "id"));
    let resolved = admin.good("POST", &path, Some(json!({"note": "refilled"})));
    assert_eq!((text(&resolved, "note"), resolved["resolved_ms"].is_u64()), ("refilled", true));
    assert_eq!(list()["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(admin.refused("POST", &path, Some(json!({})), 409)["code"], "E0611");
    let first = admin.good("GET", "/orgs/1/events?limit=1", None);
    let next = text(&first, "next").to_owned();
    let second = admin.good("GET", &format!("/orgs/1/events?limit=1&after={next}"), None);
    assert_ne!(first["items"][0]["id"], second["items"][0]["id"]);
    assert_eq!(second["next"], Value::Null);
}

#[test]
fn a_template_says_how_often_events_come_and_when_a_device_is_away() {
    let mut server = Server::dev().shards(2).start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let (template, device, path) = pump(&admin);
    let change = json!({
        "events": [{"code": "dry", "name": "It runs dry", "level": "critical", "per_day": 1}],
        "connection": {"tls_required": false, "offline_wait_s": 86_400},
    });
    admin.good("PUT", &format!("/orgs/1/templates/{template}"), Some(change));
    let log = |server: &Server| Http::connect(server.address()).api(&device, "logEvent?code=dry");
    assert_eq!(log(&server).status, 200);
    let is_used_up = |server: &Server| {
        let reply = log(server);
        (reply.status == 429 && reply.body.contains("allows 1 event")).then_some(())
    };
    // Not "too soon".
    eventually(EFFECT, "no second event of this code is taken", || is_used_up(&server));

    let wire = Wire::login(server.address(), &device.token);
    eventually(EFFECT, "it is online", || (admin.good("GET", &path, None)["online"] == true).then_some(()));
    drop(wire);
    eventually(EFFECT, "the diary says that it has gone", || {
        let diary = admin.good("GET", &format!("{path}/diary"), None);
        (diary["items"][0]["kind"] == "offline").then_some(())
    });
    assert_eq!(admin.good("GET", &path, None)["online"], true, "people are shown that later");
    assert_eq!(admin.good("GET", "/orgs/1/devices?show=online", None)["total"], 1);
    assert!(!server.is_online(&device), "an operator sees what is");

    server.restart();
    eventually(EFFECT, "what was logged before counts", || is_used_up(&server));
}

#[test]
fn many_are_made_tagged_and_removed() {
    let server = Server::dev().shards(2).start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let csv = "name,tags,Serial\npump 1,a;b,17\npump 2,,18\n\"pump, 3\",,\n";
    let lines = admin.good("POST", "/orgs/1/devices/bulk", Some(json!({"csv": csv})));
    let ids: Vec<u64> =
        lines["items"].as_array().expect("a list").iter().map(|line| line["id"].as_u64().expect("made")).collect();
    let page = admin.good("GET", "/orgs/1/devices?q=pump&sort=id&limit=2", None);
    assert_eq!((page["columns"]["id"].clone(), page["total"].as_u64()), (json!(ids[..2]), Some(3)));
    let next = text(&page, "next").to_owned();
    let rest = admin.good("GET", &format!("/orgs/1/devices?q=pump&sort=id&limit=2&after={next}"), None);
    assert_eq!((rest["columns"]["id"].clone(), &rest["next"]), (json!(ids[2..]), &Value::Null));
    // A cursor is of one question only.
    assert_eq!(admin.refused("GET", &format!("/orgs/1/devices?q=x&sort=id&after={next}"), None, 400)["code"], "E0627");
    let by_meta = admin.good("GET", "/orgs/1/devices?meta=Serial%3D18", None);
    assert_eq!(by_meta["columns"]["id"], json!([ids[1]]));
    // One foreign device among them: nothing changes.
    let foreign = json!({"devices": [ids[0], 4_000_000], "add_tags": ["x"]});
    admin.refused("POST", "/orgs/1/devices/batch", Some(foreign), 404);
    assert_eq!(admin.good("GET", "/orgs/1/devices?tag=x", None)["total"], 0);
    let done = admin.good("POST", "/orgs/1/devices/batch", Some(json!({"devices": ids, "add_tags": ["x"]})));
    assert_eq!(
        (done["done"].as_u64(), admin.good("GET", "/orgs/1/devices?tag=x", None)["total"].as_u64()),
        (Some(3), Some(3))
    );
    admin.good("POST", "/orgs/1/devices/batch", Some(json!({"devices": ids, "remove": true})));
    assert_eq!(admin.good("GET", "/orgs/1/devices?q=pump", None)["total"], 0);
    admin.refused("GET", &format!("/orgs/1/devices/{}", ids[0]), None, 404);
}

#[test]
fn lists_of_all_below_show_what_the_role_reaches() {
    let server = Server::dev().start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let (_, said, status) = server.operate(&["admin", "user", "make-admin", "eve@example.com"]);
    assert!(status.success(), "{said}{}", server.log());
    let shop = admin.good("POST", "/orgs/1/orgs", Some(json!({"name": "Shop"})))["id"].clone();
    let made = admin.good("POST", &format!("/orgs/{shop}/devices"), Some(json!({"name": "Till"})));
    let staff = signed_in(&server, 1, "staff", "sam@example.com");
    let me = staff.good("GET", "/me", None)["user"]["id"].clone();
    let grant = |below: bool| {
        admin.good("PUT", &format!("/orgs/1/users/{me}/grant"), Some(json!({"role": 2, "below": below})));
        let list = staff.good("GET", "/orgs/1/devices?below=true", None);
        let ids = list["columns"]["id"].as_array().expect("a column");
        (ids.contains(&made["id"]), list["counts"].clone(), list["total"].clone())
    };
    let (reaches, [without, with]) = (|(is_listed, ..): &(bool, Value, Value)| *is_listed, [false, true].map(grant));
    assert!(!reaches(&without) && reaches(&with), "{without:?}, {with:?}");
    let total = |seen: &(bool, Value, Value)| seen.2.as_u64().expect("a number");
    assert_eq!(total(&without) + 1, total(&with), "totals count what is reached");
}

/// Ask through the eyes of a role.
fn through(who: &SignedIn, role: &str, method: &str, path: &str, body: Option<Value>) -> linchpin_e2e::Answered {
    who.ask_with(method, path, &format!("X-Linchpin-View-As: {role}\r\n"), body)
}

#[test]
fn a_view_as_a_role_reads_what_the_role_allows_and_no_more() {
    let server = Server::dev().start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let staff = signed_in(&server, 1, "staff", "sam@example.com");
    let user = signed_in(&server, 1, "user", "bob@example.com");
    // Whoever makes a device owns it: this one is the Admin's, the other is Staff's.
    let (template, device, path) = pump(&admin);
    let other = staff.good("POST", "/orgs/1/devices", Some(json!({"name": "Attic"})))["id"].clone();
    let other_path = format!("/orgs/1/devices/{other}");
    let ids = |who: &SignedIn, role: &str| {
        through(who, role, "GET", "/orgs/1/devices?sort=name", None).body["columns"]["id"].clone()
    };
    let own = json!([device.id.parse::<u32>().expect("a number")]);
    // Viewer sees all, also those that nobody owns; User what the person who looks owns, and what is shared with them.
    let all = admin.good("GET", "/orgs/1/devices?sort=name", None)["columns"]["id"].clone();
    assert!(all.as_array().is_some_and(|all| all.len() > 2 && all.contains(&other)), "{all}");
    assert_eq!(ids(&admin, "1/4"), all);
    assert_eq!((ids(&admin, "1/3"), ids(&staff, "1/3")), (own, json!([other])));
    let shop = admin.good("POST", "/orgs/1/orgs", Some(json!({"name": "Shop"})))["id"].clone();
    for (call, role, status) in [
        (path.clone(), "1/4", 200),
        (path.clone(), "1/3", 200),
        (other_path, "1/3", 404),
        (format!("{path}/token"), "1/1", 403),
        (format!("/orgs/1/templates/{template}"), "1/3", 403),
        ("/orgs/1/audit".to_owned(), "1/4", 403),
        ("/orgs/1/audit".to_owned(), "1/1", 200),
        (format!("/orgs/{shop}"), "1/1", 404),
        (format!("/orgs/{shop}"), format!("{shop}/4").as_str(), 200),
        ("/orgs/1".to_owned(), "1/999", 404),
        ("/orgs/1".to_owned(), "777/1", 404),
        ("/orgs/1".to_owned(), "Viewer", 422),
        // What is the person's own has no role.
        ("/me".to_owned(), "1/3", 200),
    ] {
        let answer = through(&admin, role, "GET", &call, None);
        assert_eq!(answer.status, status, "{call} as {role}: {}", answer.text);
    }
    // Nothing is changed, not even as the role that may.
    let write = || Some(json!({"value": "1"}));
    let refused = through(&admin, "1/1", "PUT", &format!("{path}/values/V0"), write());
    assert_eq!((refused.status, text(&refused.body, "code")), (403, "E0603"), "{}", refused.text);
    assert_eq!(text(&refused.body, "field"), "x-linchpin-view-as");
    assert_eq!(server.value(&device, "V0"), None);
    // A role is no way up: Staff as Admin sees what Staff sees, and whoever may not see roles has no view.
    assert_eq!(through(&staff, "1/1", "GET", "/orgs/1/audit", None).status, 403);
    assert_eq!(through(&staff, "1/1", "GET", &path, None).status, 200);
    assert_eq!(through(&user, "1/1", "GET", "/orgs/1/devices", None).status, 403);
}

#[test]
fn a_live_socket_has_the_eyes_that_its_ticket_was_asked_with() {
    let server = Server::dev().start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let staff = signed_in(&server, 1, "staff", "sam@example.com");
    let made = |who: &SignedIn, name: &str| {
        let made = who.good("POST", "/orgs/1/devices", Some(json!({"name": name})));
        let mut wire = Wire::login(server.address(), text(&made, "token"));
        wire.send_parts(command::HARDWARE, &["vw", "0", name]);
        let id = u32::try_from(made["id"].as_u64().expect("a number")).expect("a number of a device");
        (id, wire)
    };
    let [(mine, _mine), (theirs, _theirs)] = [made(&admin, "mine"), made(&staff, "theirs")];
    let seen = |role: &str, count: usize| {
        let given = through(&admin, role, "POST", "/live/ticket", None);
        let ticket = given.body["ticket"].as_str().unwrap_or_else(|| panic!("no ticket: {}", given.text));
        let mut page = LivePage::open_by_ticket(server.address(), ticket);
        // What may be seen comes with the first snapshot, in the order that it was asked for: the device that the view does
        // not see is asked for first.
        page.watch(1, &[theirs, mine], &[0]);
        let mut values = Vec::new();
        eventually(EFFECT, "the values come", || {
            values.extend(told(&mut page).expect("the socket stands"));
            (values.len() >= count).then_some(())
        });
        values.sort();
        values
    };
    assert_eq!(seen("1/4", 2), ["mine", "theirs"]);
    assert_eq!(seen("1/3", 1), ["mine"]);
}

#[test]
fn a_refusal_of_the_view_only_is_none_of_the_person() {
    let server = Server::dev().start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let staff = signed_in(&server, 1, "staff", "sam@example.com");
    let refusals = || {
        let log = admin.good("GET", "/orgs/1/audit", None)["items"].as_array().expect("a list").clone();
        log.iter().filter(|line| line["action"] == "access.deny").count()
    };
    // An Admin may read the log, a Viewer may not: that is how a Viewer sees it.
    assert_eq!(through(&admin, "1/4", "GET", "/orgs/1/audit", None).status, 403);
    assert_eq!(refusals(), 0);
    // Staff may not read it with their own eyes either: the view is no way to look for what is open without a trace.
    assert_eq!(through(&staff, "1/1", "GET", "/orgs/1/audit", None).status, 403);
    assert_eq!(refusals(), 1);
    staff.refused("GET", "/orgs/1/audit", None, 403);
    assert_eq!(refusals(), 2);
}

#[test]
fn a_role_without_dashboard_view_sees_no_dashboard() {
    let server = Server::dev().start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let (template, device, path) = pump(&admin);
    let layout = json!({"version": 1, "pages": [{"id": "p1", "title": "All", "roles": null, "widgets": []}]});
    let whole = format!("/orgs/1/templates/{template}");
    let etag = admin.ask("GET", &whole, None).field("etag").expect("a version").to_owned();
    let body = json!({"streams": sheet()["streams"], "layout": layout, "note": "a dashboard"});
    let saved = admin.ask_with("PUT", &whole, &format!("if-match: {etag}\r\n"), Some(body));
    assert_eq!(saved.status, 200, "{}", saved.body);
    let mut wire = Wire::login(server.address(), &device.token);
    let id: u32 = device.id.parse().expect("a number");

    let mut number = 20;
    let mut member = |permissions: Value, email: &str| {
        let role = json!({"name": format!("Role {number}"), "org": permissions});
        admin.good("PUT", &format!("/orgs/1/roles/{number}"), Some(role));
        let person = signed_in(&server, 1, "viewer", email);
        let me = person.good("GET", "/me", None)["user"]["id"].clone();
        admin.good("PUT", &format!("/orgs/1/users/{me}/grant"), Some(json!({"role": number})));
        number += 1;
        person
    };
    let values = member(json!(["device.view"]), "val@example.com");
    let both = member(json!(["device.view", "dashboard.view"]), "bea@example.com");
    let boards = member(json!(["dashboard.view"]), "dan@example.com");
    let own = format!("{path}/template");
    let shown = |who: &SignedIn| who.good("GET", &own, None)["layout"].clone();
    assert_eq!((shown(&values), shown(&both)), (Value::Null, layout));
    // Without the device there is no dashboard of it, whatever else the role has; nor the template of all.
    boards.refused("GET", &own, None, 403);
    [&values, &both, &boards].into_iter().for_each(|who| drop(who.refused("GET", &whole, None, 403)));
    // Values belong to the device: a live socket gives them without a dashboard, and not with a dashboard only.
    let mut pages = [&boards, &values, &both].map(|who| LivePage::open(server.address(), who, 0));
    pages.iter_mut().for_each(|page| page.watch(1, &[id], &[0]));
    for value in ["42", "43"] {
        wire.send_parts(command::HARDWARE, &["vw", "0", value]);
        for page in &mut pages[1..] {
            eventually(EFFECT, "the value comes", || {
                told(page).expect("the socket stands").contains(&value.to_owned()).then_some(())
            });
        }
        assert_eq!(told(&mut pages[0]).unwrap_or_default(), Vec::<String>::new());
    }
}

#[test]
fn people_see_what_is_theirs() {
    let server = Server::dev().start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let (_, device, path) = pump(&admin);
    let user = signed_in(&server, 1, "user", "bob@example.com");
    let me = user.good("GET", "/me", None)["user"]["id"].as_u64().expect("a number");
    assert_eq!(user.good("GET", "/orgs/1/devices", None)["total"], 0);
    user.refused("GET", &path, None, 404);
    admin.good("PUT", &format!("{path}/shares/{me}"), Some(json!({"permissions": ["device.view"]})));
    assert_eq!(
        user.good("GET", "/orgs/1/devices", None)["columns"]["id"],
        json!([device.id.parse::<u32>().expect("a number")])
    );
    assert_eq!(user.good("GET", &path, None)["name"], "Cellar");
    // It is shared to be looked at.
    user.refused("PUT", &format!("{path}/values/V0"), Some(json!({"value": "1"})), 404);
    user.refused("GET", &format!("{path}/token"), None, 403);
    admin.good("DELETE", &format!("{path}/shares/{me}"), None);
    user.refused("GET", &path, None, 404);
    admin.good("PATCH", &path, Some(json!({"owner": me, "metadata": {"Room": "Cellar"}, "tags": ["a"]})));
    let mine = user.good("GET", &path, None);
    assert_eq!(
        (mine["owner"].as_u64(), &mine["metadata"]["Room"], &mine["tags"]),
        (Some(me), &json!("Cellar"), &json!(["a"]))
    );
    assert_eq!(user.good("PUT", &format!("{path}/values/V0"), Some(json!({"value": "1"})))["result"], "kept");
    user.refused("DELETE", &path, None, 403);
}

#[test]
fn a_user_sees_the_dashboard_of_their_own_device_without_a_right_to_templates() {
    let server = Server::dev().start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let (template, device, path) = pump(&admin);
    let (_, _, of_others) = pump(&admin);
    let layout = json!({"version": 1, "pages": [{"id": "p1", "title": "All", "roles": null, "widgets": []}]});
    let mut streams = sheet()["streams"].clone();
    streams[1]["hidden"] = json!(true);
    let whole = format!("/orgs/1/templates/{template}");
    let etag = admin.ask("GET", &whole, None).field("etag").expect("a version").to_owned();
    let body = json!({"streams": streams, "layout": layout, "note": "hides one"});
    let saved = admin.ask_with("PUT", &whole, &format!("if-match: {etag}\r\n"), Some(body));
    assert_eq!(saved.status, 200, "{}", saved.body);

    let user = signed_in(&server, 1, "user", "bob@example.com");
    let me = user.good("GET", "/me", None)["user"]["id"].as_u64().expect("a number");
    let mine = format!("{path}/template");
    user.refused("GET", &mine, None, 404);
    // Of a share to look at: the same.
    admin.good("PUT", &format!("{path}/shares/{me}"), Some(json!({"permissions": ["device.view"]})));
    assert_eq!(text(&user.good("GET", &mine, None), "name"), "Pump");
    admin.good("DELETE", &format!("{path}/shares/{me}"), None);
    user.refused("GET", &mine, None, 404);
    admin.good("PATCH", &path, Some(json!({"owner": me})));

    let shown = user.ask("GET", &mine, None);
    assert_eq!((shown.status, shown.field("etag")), (200, saved.field("etag")), "{}", shown.body);
    assert_eq!(
        (text(&shown.body, "id"), text(&shown.body, "name"), &shown.body["layout"]),
        (template.as_str(), "Pump", &layout)
    );
    let pins =
        |answer: &Value| answer["streams"].as_array().expect("a list").iter().map(|one| one["pin"].clone()).collect();
    let (seen, all): (Vec<Value>, Vec<Value>) = (pins(&shown.body), pins(&admin.good("GET", &mine, None)));
    assert_eq!((seen, all), (vec![json!("V0"), json!("V2")], vec![json!("V0"), json!("V1"), json!("V2")]));
    assert_eq!((&shown.body["streams"][0]["unit"], &shown.body["metadata"][0]["name"]), (&json!("%"), &json!("Room")));
    // No right besides comes of it; another's device is as one that is not there.
    let refusals = [(whole, 403), (format!("{of_others}/template"), 404), ("/orgs/1/devices/999/template".into(), 404)];
    refusals.into_iter().for_each(|(path, status)| drop(user.refused("GET", &path, None, status)));
    // A device without a template has none to show.
    admin.good("PATCH", &path, Some(json!({"template": null})));
    user.refused("GET", &mine, None, 404);
    server.expect_no_token_in_log(&[device]);
}

/// What a live socket has been told of values since it was last read; `None`: the server has ended it.
fn told(page: &mut LivePage) -> Option<Vec<String>> {
    let mut values = Vec::new();
    let stands = page.read(&mut vec![0; 65_536], &mut |report| {
        if let LiveReport::Values { rows } = report {
            let texts = rows.iter().filter_map(|row| String::from_utf8(row.value.to_bytes()?).ok());
            values.extend(texts);
        }
    });
    stands.then_some(values)
}

#[test]
fn a_device_that_is_given_away_goes_from_one_live_socket_to_the_other() {
    let server = Server::dev().shards(2).start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let (_, device, path) = pump(&admin);
    let id: u32 = device.id.parse().expect("a number");
    let [bob, lea] = ["bob@example.com", "lea@example.com"].map(|email| signed_in(&server, 1, "user", email));
    let give = |to: &SignedIn| {
        let owner = to.good("GET", "/me", None)["user"]["id"].clone();
        admin.good("PATCH", &path, Some(json!({ "owner": owner })));
    };
    let look = |who: &SignedIn| {
        let mut page = LivePage::open(server.address(), who, 0);
        page.watch(1, &[id], &[0]);
        page
    };
    give(&bob);
    let mut wire = Wire::login(server.address(), &device.token);
    wire.send_parts(command::HARDWARE, &["vw", "0", "7"]);
    let [mut his, mut hers] = [&bob, &lea].map(look);
    eventually(EFFECT, "he sees his device", || told(&mut his)?.contains(&"7".to_owned()).then_some(()));
    give(&lea);
    eventually(EFFECT, "what he saw as his own is not told any more", || told(&mut his).is_none().then_some(()));
    eventually(EFFECT, "her rights are new, and her page comes back", || told(&mut hers).is_none().then_some(()));
    let [mut his, mut hers] = [&bob, &lea].map(look);
    wire.send_parts(command::HARDWARE, &["vw", "0", "8"]);
    eventually(EFFECT, "she sees hers", || told(&mut hers)?.contains(&"8".to_owned()).then_some(()));
    assert_eq!(told(&mut his), Some(Vec::new()), "he is told nothing of it");
}

#[test]
fn a_device_is_claimed_by_its_code_and_a_board_finds_its_template() {
    let server = Server::dev().shards(2).start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let (template, _, _) = pump(&admin);
    let user = signed_in(&server, 1, "user", "bob@example.com");
    let made = admin.good("POST", "/orgs/1/static", Some(json!({"template": template, "count": 2, "name": "Box"})));
    let pair = &made["items"][0];
    // A board that is tried out in the factory is served.
    let mut wire = Wire::login(server.address(), text(pair, "token"));
    wire.expect_pong();
    let qr = text(pair, "qr").to_owned();
    assert!(qr.starts_with("sqr_") && qr.ends_with("+1"), "{}", qr.len());
    assert_eq!(user.refused("POST", "/claim", Some(json!({"code": "sqr_nothing"})), 410)["code"], "E0613");
    let claimed = user.good("POST", "/claim", Some(json!({"code": qr})));
    assert_eq!((claimed["id"].clone(), text(&claimed, "name")), (pair["device"].clone(), "Box 1"));
    assert_eq!(user.refused("POST", "/claim", Some(json!({"code": qr})), 410)["code"], "E0613", "once");
    assert_eq!(user.good("GET", "/orgs/1/devices", None)["columns"]["id"], json!([claimed["id"]]));
    let listed = admin.good("GET", "/orgs/1/static", None);
    let states: Vec<&str> =
        listed["items"].as_array().expect("a list").iter().map(|pair| text(pair, "state")).collect();
    assert_eq!(states, ["claimed", "unclaimed"]);

    let waiting = admin.good("POST", "/orgs/1/provision", Some(json!({"name": "New board"})));
    let path = format!("/orgs/1/devices/{}", waiting["device"]);
    assert_eq!(admin.good("GET", &path, None)["template"], Value::Null);
    let mut board = Wire::login(server.address(), text(&waiting, "token"));
    board.expect_status(command::INTERNAL, &["ver", "1.3.2", "tmpl", &template, "dev", "ESP32"], 200);
    board.expect_status(command::INTERNAL, &["meta", "set", "Hotspot Name", "attic"], 200);
    eventually(EFFECT, "it takes the template that its firmware names", || {
        (admin.good("GET", &path, None)["template"] == template.as_str()).then_some(())
    });
}

#[test]
fn programs_of_blynks_platform_api_find_their_shapes() {
    let server = Server::dev().shards(2).start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let (template, device, path) = pump(&admin);
    let api = |method: &str, call: &str, body: Option<Value>| admin.ask(method, &format!("/organization{call}"), body);
    let id: u32 = device.id.parse().expect("a number");
    let page = api("GET", "/devices?page=0&size=100", None).body;
    let listed =
        page["content"].as_array().expect("a list").iter().any(|line| line["id"] == id && line["name"] == "Cellar");
    assert!(listed && page["totalElements"].as_u64() >= Some(1), "{page}");
    let sheet = admin.good("GET", &format!("/orgs/1/templates/{template}"), None);
    let stream = sheet["streams"][0]["id"].clone();
    let set = api("POST", "/device/datastream", Some(json!({"deviceId": id, "dataStreamId": stream, "value": 42})));
    assert_eq!(set.status, 204, "{}", set.text);
    assert_eq!(api("GET", &format!("/device/datastreams?deviceId={id}&pins=v0"), None).body, json!({"v0": 42}));
    let full = api("GET", &format!("/device?deviceId={id}"), None).body;
    assert_eq!((text(&full, "token"), &full["dataStreamValues"][0]["value"]), (device.token.as_str(), &json!(42)));
    assert_eq!(api("GET", &format!("/device/online?deviceId={id}"), None).body, json!({"connected": false}));
    let field = sheet["metadata"][0]["id"].clone();
    let set =
        api("POST", "/device/metafield", Some(json!({"deviceId": id, "metaFieldId": field, "newValue": "Attic"})));
    assert_eq!(set.status, 204, "{}", set.text);
    let fields = api("GET", &format!("/device/metafield?deviceId={id}"), None).body;
    assert_eq!((&fields[0]["name"], &fields[0]["value"]["value"]), (&json!("Room"), &json!("Attic")));
    let points = eventually(EFFECT, "the point is in the history", || {
        let page = api("GET", &format!("/device/datastream/history?deviceId={id}&pin=v0"), None).body;
        (page["totalElements"] == 1).then_some(page)
    });
    assert_eq!(points["content"][0]["value"], 42.0);
    let made = api("POST", "/device/create", Some(json!({"templateId": template, "name": "Second"})));
    assert_eq!((made.status, text(&made.body, "name")), (201, "Second"), "{}", made.text);
    assert_eq!(api("DELETE", &format!("/device?deviceId={}", made.body["id"]), None).status, 204);
    // Foreign and missing read the same, as Blynk says it.
    let gone = api("GET", "/device?deviceId=4000000", None);
    let wanted = "Device with identifier 4000000 is not found or belong to another organization.";
    assert_eq!((gone.status, text(&gone.body["error"], "message")), (404, wanted));
    assert!(api("GET", "/templates", None).body.to_string().contains(&template));
    drop(path);
}

#[test]
fn files_of_history_and_of_the_fleet() {
    let server = Server::dev().start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let (_, _, path) = pump(&admin);
    admin.good("PATCH", &path, Some(json!({"name": "=1+1"})));
    admin.good("PUT", &format!("{path}/values/V0"), Some(json!({"value": "7"})));
    let fleet = admin.ask("GET", "/orgs/1/devices/export?format=csv&tag=cellar", None);
    assert_eq!(fleet.field("content-type"), Some("text/csv; charset=utf-8"));
    assert!(fleet.text.lines().count() == 2 && fleet.text.contains("\"'=1+1\""), "{}", fleet.text);
    let history = eventually(EFFECT, "the point is in the file", || {
        let file = admin.ask("GET", &format!("{path}/export?output=CSV&format=TS"), None);
        (file.text.lines().count() == 2).then_some(file.text)
    });
    assert!(history.ends_with(",V0,7\r\n"), "{history}");
    let chart = admin.good("GET", &format!("{path}/history?pins=V0,V1&points=10"), None);
    assert_eq!((&chart["series"][0]["last"], &chart["series"][1]["last"]), (&json!([7.0]), &json!([])));
}

#[test]
fn what_was_written_just_before_an_erasure_stays_erased() {
    let server = Server::dev().shards(2).start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let (_, device, path) = pump(&admin);
    let mut wire = Wire::login(server.address(), &device.token);
    for n in 0..5 {
        wire.send_parts(command::HARDWARE, &["vw", "1", &n.to_string()]);
        wire.expect_pong();
        admin.good("DELETE", &format!("{path}/data"), None);
    }
    wire.send_parts(command::HARDWARE, &["vw", "0", "7"]);
    eventually(EFFECT, "what comes after it is stored", || {
        let chart = admin.good("GET", &format!("{path}/history?pins=V0,V1&points=10"), None);
        assert_eq!(chart["series"][1]["last"], json!([]), "erased");
        (chart["series"][0]["last"] == json!([7.0])).then_some(())
    });
}

#[test]
fn a_sibling_sees_nothing_until_a_device_is_given_to_it() {
    let server = Server::dev().shards(2).start();
    let admin = signed_in(&server, 1, "admin", "eve@example.com");
    let (template, device, path) = pump(&admin);
    let org = |name: &str| {
        let made = admin.good("POST", "/orgs/1/orgs", Some(json!({"name": name, "kind": "business"})));
        made["id"].as_u64().expect("a number") as u32
    };
    let (north, south) = (org("North"), org("South"));
    let (northern, southern) =
        (signed_in(&server, north, "admin", "nora@example.com"), signed_in(&server, south, "admin", "sam@example.com"));
    for other in [&northern, &southern] {
        // Not in the list, not by its id in the other organization's path, not in one's own path, not in a batch.
        assert_eq!(
            other.good(
                "GET",
                &format!("/orgs/{}/devices", if std::ptr::eq(other, &northern) { north } else { south }),
                None
            )["total"],
            0
        );
        other.refused("GET", &path, None, 404);
        other.refused("GET", "/orgs/1/devices", None, 404);
    }
    northern.refused("GET", &format!("/orgs/{north}/devices/{}", device.id), None, 404);
    northern.refused(
        "PUT",
        &format!("/orgs/{north}/devices/{}/values/V0", device.id),
        Some(json!({"value": "1"})),
        404,
    );
    northern.refused("GET", &format!("/orgs/{north}/devices/{}/token", device.id), None, 404);
    let batch = json!({"devices": [device.id.parse::<u32>().expect("a number")], "add_tags": ["x"]});
    northern.refused("POST", &format!("/orgs/{north}/devices/batch"), Some(batch), 404);

    let mut wire = Wire::login(server.address(), &device.token);
    for n in 0..5 {
        wire.send_parts(command::HARDWARE, &["vw", "1", &n.to_string()]);
    }
    wire.expect_pong();
    // The template is not given to it yet.
    assert_eq!(admin.refused("POST", &format!("{path}/move"), Some(json!({"to": north})), 409)["code"], "E0611");
    admin.good("POST", &format!("/orgs/1/templates/{template}/publish"), Some(json!({"published": true})));
    admin.good("POST", &format!("{path}/move"), Some(json!({"to": north})));
    admin.refused("GET", &path, None, 404);
    let there = format!("/orgs/{north}/devices/{}", device.id);
    assert_eq!(northern.good("GET", &there, None)["name"], "Cellar");
    southern.refused("GET", &there, None, 404);
    // Its connection stands, and what it writes goes on where it is now.
    wire.send_parts(command::HARDWARE, &["vw", "1", "5"]);
    wire.expect_pong();
    eventually(EFFECT, "its history is there", || {
        let chart = northern.good("GET", &format!("{there}/history?pins=V1&points=4000"), None);
        let last = chart["series"][0]["last"].as_array().expect("a list").last().cloned();
        // The first value was 0, before the move; it may share its point with the last.
        let lowest = chart["series"][0]["min"].as_array().expect("a list").iter().filter_map(Value::as_f64).next();
        (last == Some(json!(5.0)) && lowest == Some(0.0)).then_some(())
    });
    // Bridges between organizations are refused.
    let made = southern.good("POST", &format!("/orgs/{south}/devices"), Some(json!({"name": "Other"})));
    let mut other = Wire::login(server.address(), text(&made, "token"));
    other.expect_status(command::BRIDGE, &["64", "i", &device.token], 200);
    other.expect_status(command::BRIDGE, &["64", "vw", "1", "9"], 6);
}

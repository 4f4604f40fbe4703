//! Devices, templates and events as objects of an organization, over HTTP, with a real client.

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Client, Device, Library, Server, Wire, command, eventually};
use linchpin_e2e::{SignedIn, create_person};
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

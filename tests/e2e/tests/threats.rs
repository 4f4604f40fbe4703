//! Threats that show at the running server only; docs/threats.md lists the tests of all of them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Server, Wire, command, eventually};
use linchpin_e2e::{SignedIn, create_person, password_hash};
use serde_json::{Value, json};

const PASSWORD: &str = "a lamp in the harbour";

fn admin(server: &Server) -> SignedIn {
    create_person(server, 1, "admin", "eve@example.com", PASSWORD);
    SignedIn::new(server.address(), "eve@example.com", PASSWORD)
}

/// Send bytes as they are; all that comes until the server closes, or says nothing more for a second.
fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(1))).expect("an open socket");
    let _ = stream.write_all(request.as_bytes());
    let (mut all, mut bytes) = (Vec::new(), [0; 4_096]);
    while let Ok(len @ 1..) = stream.read(&mut bytes) {
        all.extend_from_slice(&bytes[..len]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

fn id(made: &Value) -> u64 {
    made["id"].as_u64().unwrap_or_else(|| panic!("no id in {made}"))
}

#[test]
fn threat_2_a_foreign_id_among_many_changes_nothing() {
    let server = Server::dev().shards(2).start();
    let eve = admin(&server);
    let north = id(&eve.good("POST", "/orgs/1/orgs", Some(json!({"name": "North"}))));
    let device = |org: u64| id(&eve.good("POST", &format!("/orgs/{org}/devices"), Some(json!({"name": "d"}))));
    let (mine, foreign) = (vec![device(1), device(1)], device(north));
    let mixed = [mine[0], foreign, mine[1]];
    for change in [json!({"add_tags": ["x"]}), json!({"remove": true}), json!({"move_to": north})] {
        let mut body = change;
        body["devices"] = json!(mixed);
        eve.refused("POST", "/orgs/1/devices/batch", Some(body), 404);
    }
    for device in &mine {
        let sheet = eve.good("GET", &format!("/orgs/1/devices/{device}"), None);
        assert_eq!(sheet["tags"], json!([]));
    }
    eve.good("POST", "/orgs/1/devices/batch", Some(json!({"devices": mine, "add_tags": ["x"]})));
}

/// Links begin with what the configuration says, whatever a request says of itself.
#[test]
fn threat_6_links_never_come_from_a_request() {
    let server = Server::dev().start();
    let address = server.address();
    // A name that the server answers for, and that links do not begin with.
    let other = format!("Host: localhost:{}\r\n", address.port());
    let ways: [(&str, &str, String, bool); 8] = [
        ("/api/v1/reset", "", format!("Host: {address}\r\n"), true),
        ("/api/v1/reset", "", other, true),
        ("/api/v1/reset", "X-Forwarded-Host: evil.example\r\n", format!("Host: {address}\r\n"), true),
        ("/api/v1/reset", "Forwarded: host=evil.example;proto=https\r\n", format!("Host: {address}\r\n"), true),
        ("http://evil.example/api/v1/reset", "", format!("Host: {address}\r\n"), false),
        ("/api/v1/reset", "", "Host: evil.example\r\n".to_owned(), false),
        ("/api/v1/reset", "", format!("Host: {address}\r\nHost: evil.example\r\n"), false),
        ("/api/v1/reset", "", format!("Host: evil.example\r\nHost: {address}\r\n"), false),
    ];
    for (number, (target, fields, host, may_be_taken)) in ways.iter().enumerate() {
        let email = format!("eve{number}@example.com");
        create_person(&server, 1, "admin", &email, PASSWORD);
        let body = json!({"email": email}).to_string();
        let len = body.len();
        let head = format!(
            "POST {target} HTTP/1.1\r\n{host}{fields}Content-Type: application/json\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n"
        );
        let status = status(&raw(address, &(head + &body)));
        assert!(
            if *may_be_taken { status == 202 || status == 204 } else { status != 500 },
            "{target} {fields}{host}: {status}"
        );
        if *may_be_taken {
            let text = mail_to(&server, &email);
            assert!(text.contains(&format!("http://{address}/reset#")), "{text}");
        }
    }
    let all = mails(&server);
    assert!(all.len() >= 3 && all.iter().all(|text| !text.contains("evil")), "{all:?}");
}

fn mails(server: &Server) -> Vec<String> {
    let entries = std::fs::read_dir(server.data_path().join("mail")).into_iter().flatten();
    entries.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok()).collect()
}

fn mail_to(server: &Server, email: &str) -> String {
    let to = format!("To: {email}\r\n");
    eventually(EFFECT, "the mail is there", || mails(server).into_iter().find(|text| text.contains(&to)))
}

#[test]
fn threat_8_other_pages_change_nothing_and_reading_does_not_write() {
    let server = Server::dev().start();
    let eve = admin(&server);
    let body = json!({"name": "Mallory"});
    let name = || eve.good("GET", "/me", None)["user"]["name"].clone();
    let before = name();
    for fields in [
        "Origin: https://evil.example\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
    ] {
        let answer = eve.ask_with("PATCH", "/me", fields, Some(body.clone()));
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!("E0606")), "{fields}");
    }
    assert_eq!(eve.unmarked().ask("PATCH", "/me", Some(body)).status, 403);
    // What a form can send is not read.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let text = "{\"name\":\"Mallory\"}";
        let (address, cookie, len) = (server.address(), eve.cookie(), text.len());
        let head = format!(
            "PATCH /api/v1/me HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nContent-Type: {kind}\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n"
        );
        assert_eq!(status(&raw(address, &(head + text))), 403, "{kind}");
    }
    assert_eq!(name(), before);
    // Nothing that a picture or a link can ask for changes anything: each route that reads says so.
    let document = eve.good("GET", "/openapi.json", None);
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let audit = methods["get"]["x-audit"].as_str().unwrap_or("look");
        // A return from another server is a GET by OpenID Connect's rules; threat 22 is what it must not do.
        let is_return = path == "/api/v1/oidc/{provider}/callback";
        assert!(["look", "reveal"].contains(&audit) || is_return, "GET {path} is {audit}");
    }
}

/// Each field of each answer is sent in the request of its route: what is not a parameter is refused by name.
#[test]
fn threat_16_what_answers_say_cannot_be_set() {
    let server = Server::dev().start();
    let eve = admin(&server);
    let document = eve.good("GET", "/openapi.json", None);
    let named = |schema: &Value| names_of(&document, schema, 0);
    let mut tried = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let Some(request) = operation["requestBody"]["content"]["application/json"]["schema"].as_object() else {
                continue;
            };
            let properties = request.get("properties").and_then(Value::as_object);
            let taken: Vec<&String> = properties.into_iter().flatten().map(|(name, _)| name).collect();
            let mut fields = named(&operation["responses"]["2XX"]["content"]["application/json"]["schema"]);
            fields.extend(["is_admin", "epoch", "state", "owner", "home", "role", "made_ms"].map(str::to_owned));
            fields.retain(|name| !taken.contains(&name));
            fields.sort();
            fields.dedup();
            let path = path.strip_prefix("/api/v1").unwrap_or(path);
            let parts = path.split('/').map(|part| match part {
                "{pin}" => "V0",
                part if part.starts_with('{') => "1",
                part => part,
            });
            let target = parts.collect::<Vec<_>>().join("/");
            for name in fields {
                let mut body = json!({});
                body[&name] = json!(1);
                let answer = eve.ask(&method.to_uppercase(), &target, Some(body));
                let says = answer.body["detail"].as_str().unwrap_or_default();
                let is_twice = says.contains("is there twice");
                assert!(
                    answer.status == 422 && (is_twice || says.contains("unknown field")),
                    "{method} {target} with {name}: {} {}",
                    answer.status,
                    answer.text
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 300, "{tried} fields");
}

/// Names of the properties of a schema, and of those in it.
fn names_of(document: &Value, schema: &Value, depth: usize) -> Vec<String> {
    if depth > 4 {
        return Vec::new();
    }
    if let Some(path) = schema["$ref"].as_str() {
        let referred = document.pointer(path.trim_start_matches('#')).cloned().unwrap_or_default();
        return names_of(document, &referred, depth + 1);
    }
    let mut found = names_of_items(document, schema, depth);
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        found.push(name.clone());
        found.extend(names_of(document, inner, depth + 1));
    }
    found
}

fn names_of_items(document: &Value, schema: &Value, depth: usize) -> Vec<String> {
    if schema["items"].is_object() { names_of(document, &schema["items"], depth + 1) } else { Vec::new() }
}

#[test]
fn threat_17_cursors_and_counts_stay_in_their_organization() {
    let server = Server::dev().shards(2).start();
    let eve = admin(&server);
    let org = |name: &str| id(&eve.good("POST", "/orgs/1/orgs", Some(json!({"name": name}))));
    let (north, south) = (org("North"), org("South"));
    for number in 0..2 {
        for at in [north, south] {
            create_person(&server, at as u32, "viewer", &format!("p{number}-{at}@example.com"), PASSWORD);
            eve.good("POST", &format!("/orgs/{at}/devices"), Some(json!({"name": format!("d{number}")})));
            eve.good("POST", &format!("/orgs/{at}/orgs"), Some(json!({"name": format!("below {number}")})));
        }
    }
    for list in ["users", "orgs", "devices", "audit"] {
        let first = eve.good("GET", &format!("/orgs/{north}/{list}?limit=1"), None);
        let next = first["next"].as_str().unwrap_or_else(|| panic!("{list}: no next in {first}")).to_owned();
        eve.good("GET", &format!("/orgs/{north}/{list}?limit=1&after={next}"), None);
        let answer = eve.ask("GET", &format!("/orgs/{south}/{list}?limit=1&after={next}"), None);
        assert_eq!((answer.status, &answer.body["code"]), (400, &json!("E0627")), "{list}: {}", answer.text);
    }
    // A template that is given to both: each knows of its own devices only.
    let made = eve.good("POST", "/orgs/1/templates", Some(json!({"name": "Pump"})));
    let template = made["id"].as_str().expect("an id").to_owned();
    eve.good("POST", &format!("/orgs/1/templates/{template}/publish"), Some(json!({"published": true})));
    for _ in 0..3 {
        eve.good("POST", &format!("/orgs/{south}/devices"), Some(json!({"name": "d", "template": template})));
    }
    eve.good("POST", &format!("/orgs/{north}/devices"), Some(json!({"name": "d", "template": template})));
    create_person(&server, north as u32, "admin", "nora@example.com", PASSWORD);
    let nora = SignedIn::new(server.address(), "nora@example.com", PASSWORD);
    let count = |who: &SignedIn, at: u64| {
        let list = who.good("GET", &format!("/orgs/{at}/templates"), None);
        let one = who.good("GET", &format!("/orgs/{at}/templates/{template}"), None);
        let version = who.good("GET", &format!("/orgs/{at}/templates/{template}/versions/1"), None);
        let listed = list["items"].as_array().expect("a list").iter().find(|line| line["id"] == *template);
        let counts = [listed.expect("it is listed"), &one, &version].map(|line| line["devices"].as_u64());
        assert_eq!(counts, [counts[0]; 3]);
        counts[0]
    };
    assert_eq!((count(&nora, north), count(&eve, south), count(&eve, 1)), (Some(1), Some(3), Some(4)));
    let sheet = nora.good("GET", &format!("/orgs/{north}"), None);
    assert_eq!(
        (sheet["devices"].as_u64(), sheet["users"].as_u64(), &sheet["parent"]),
        (Some(3), Some(3), &Value::Null)
    );
    assert_eq!(nora.good("GET", &format!("/orgs/{north}/devices?below=true"), None)["total"], 3);
    assert_eq!(nora.good("GET", "/organization/devices", None)["totalElements"], 3);
}

#[test]
fn threat_18_a_live_socket_needs_our_own_page() {
    let server = Server::dev().start();
    let eve = admin(&server);
    let address = server.address();
    let open = |target: &str, fields: &str| {
        let head = format!(
            "GET /api/v1/{target} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: linchpin.live.1\r\n{fields}\r\n"
        );
        status(&raw(address, &head))
    };
    let cookie = format!("Cookie: {}\r\n", eve.cookie());
    for origin in ["Origin: https://evil.example\r\n", "Origin: null\r\n", "", "Origin: http://127.0.0.1:1\r\n"] {
        assert_eq!(open("live", &format!("{cookie}{origin}")), 403, "{origin:?}");
    }
    let own = format!("Origin: http://{address}\r\n");
    assert_eq!(open("live", &format!("{cookie}{own}")), 101);
    assert_eq!(open("live", &own), 401, "nobody is signed in");
    // A ticket is good once, and needs no cookie; a session's token in the URL is none.
    let ticket = eve.good("POST", "/live/ticket", None)["ticket"].as_str().expect("a ticket").to_owned();
    assert_eq!(open(&format!("live?ticket={ticket}"), ""), 101);
    assert_eq!(open(&format!("live?ticket={ticket}"), ""), 401);
    let (_, token) = eve.cookie().split_once('=').expect("a cookie");
    assert_eq!(open(&format!("live?ticket={}", token.split(';').next().unwrap_or_default()), ""), 401);
}

/// Whatever names are, each line of the log is one of ours, and nothing in it turns the text around.
#[test]
fn threat_21_names_stay_within_a_line_of_the_log() {
    let server = Server::dev().start();
    let eve = admin(&server);
    let address = server.address();
    for bad in ["x\r\nFORGED line", "x\nFORGED line", "x\u{202e}gnp.exe", "x\u{0}y", "x\u{1b}[2Jy", "x\u{2028}FORGED"] {
        for (method, path, body) in [
            ("POST", "/orgs/1/devices", json!({"name": bad})),
            ("POST", "/orgs/1/devices", json!({"name": "d", "tags": [bad]})),
            ("POST", "/orgs/1/orgs", json!({"name": bad})),
            ("POST", "/orgs/1/keys", json!({"name": bad, "permissions": ["device.view"]})),
            ("PUT", "/orgs/1/roles/20", json!({"name": bad, "org": []})),
            ("POST", "/orgs/1/invites", json!({"email": format!("{bad}@example.com"), "role": 4})),
            ("POST", "/orgs/1/templates", json!({"name": bad, "description": bad})),
            ("PATCH", "/me", json!({"name": bad})),
            ("POST", "/session", json!({"email": bad, "hash": password_hash("a@b", bad)})),
            ("GET", "/orgs/1/devices?q=%0d%0aFORGED%00%e2%80%ae", Value::Null),
            ("GET", "/%0d%0aFORGED%00%e2%80%ae", Value::Null),
        ] {
            let is_named = body["name"] == *bad;
            let answer = eve.ask(method, path, (!body.is_null()).then_some(body));
            if is_named {
                let said = (answer.status, answer.body["field"].as_str(), answer.text.contains("must be without U+"));
                assert_eq!(said, (422, Some("name"), true), "{method} {path}: {}", answer.text);
            }
            assert!(answer.status < 500, "{method} {path}: {}", answer.text);
            assert!(!answer.fields.iter().any(|(name, _)| name.contains("forged")), "{:?}", answer.fields);
        }
        let mut wire = Wire::connect(address);
        wire.send(command::LOGIN, bad.as_bytes());
    }
    let device = &server.devices()[0];
    for bad in ["a\u{202e}b", "a\r\nFORGED", "a\u{2067}b", "a\nFORGED"] {
        let mut wire = Wire::login(address, &device.token);
        wire.send_parts(command::INTERNAL, &["ver", bad, "dev", bad]);
        wire.send_parts(command::HARDWARE, &["vw", "1", bad]);
        wire.send_parts(command::EVENT_LOG, &["dry", bad]);
        // All of it was looked at when nothing more is answered.
        while wire.receive(Duration::from_millis(500)).is_some() {}
    }
    // What the device says of itself is in the lines of its arrivals.
    let log = eventually(EFFECT, "four arrivals", || {
        Some(server.log()).filter(|log| log.matches(" online from 127.0.0.1, ").count() == 4)
    });
    for line in log.lines() {
        assert!(!line.trim_start().starts_with("FORGED"), "{line:?}");
        let is_hidden = |letter: char| {
            letter != '\t' && letter.is_control() || matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!line.contains(is_hidden), "{line:?}");
    }
}

/// There is one parser for all requests: what is not clear to it ends the connection, and nothing behind it is served.
#[test]
fn threat_24_nothing_is_smuggled_to_control() {
    let server = Server::dev().start();
    let eve = admin(&server);
    let (address, cookie) = (server.address(), eve.cookie());
    let behind = format!("GET /api/v1/me HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n\r\n");
    for framing in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        "Content-Length: +4\r\n\r\nabcd",
        "Content-Length: 4, 4\r\n\r\nabcd",
        "Transfer-Encoding: chunked, identity\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n",
        " Content-Length: 4\r\n\r\nabcd",
    ] {
        let head =
            format!("POST /api/v1/reset HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{framing}");
        let answer = raw(address, &(head + &behind));
        assert!(!answer.contains("eve@example.com"), "{framing:?}: {answer}");
        assert!(matches!(status(&answer), 400 | 501), "{framing:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{framing:?}: {answer}");
    }
    // The positive control: a clear request lets the one behind it through.
    let head = format!("GET /api/v1/ping HTTP/1.1\r\nHost: {address}\r\n\r\n");
    assert!(raw(address, &(head + &behind)).contains("eve@example.com"));
}

#[test]
fn threat_25_every_credential_opens_its_own_door_only() {
    let server = Server::dev().start();
    let eve = admin(&server);
    let address = server.address();
    let key = |kind: &str| {
        let made =
            eve.good("POST", "/orgs/1/keys", Some(json!({"name": kind, "kind": kind, "permissions": ["org.view"]})));
        made["secret"].as_str().expect("a secret").to_owned()
    };
    let (api_key, client) = (key("api"), key("oauth"));
    let grant = |secret: &str| {
        let body = json!({"grant_type": "client_credentials", "client_id": "1", "client_secret": secret});
        SignedIn::stranger(address).ask("POST", "/oauth2/token", Some(body))
    };
    let tokens = grant(&client).body;
    let token = |name: &str| tokens[name].as_str().expect("a token").to_owned();
    let cookie = eve.cookie().split_once('=').map(|(_, value)| value.split(';').next().unwrap_or_default().to_owned());
    create_person(&server, 1, "viewer", "bob@example.com", PASSWORD);
    SignedIn::stranger(address).good("POST", "/reset", Some(json!({"email": "bob@example.com"})));
    let mail = mail_to(&server, "bob@example.com");
    let reset = mail.split("#token=").nth(1).and_then(|rest| rest.split('&').next()).expect("a link").to_owned();
    let all = [
        ("session", cookie.expect("a cookie")),
        ("key", api_key),
        ("client", client),
        ("access", token("access_token")),
        ("refresh", token("refresh_token")),
        ("reset", reset),
        ("device", server.devices()[0].token.clone()),
    ];
    let cookie_name = format!("linchpin-session-{}", address.port());
    for (name, secret) in &all {
        let as_bearer = SignedIn::with_key(address, secret).ask("GET", "/orgs/1", None).status;
        assert_eq!(as_bearer == 200, ["key", "access"].contains(name), "{name} as bearer: {as_bearer}");
        let field = format!("Cookie: {cookie_name}={secret}\r\n");
        let as_cookie = SignedIn::stranger(address).ask_with("GET", "/orgs/1", &field, None).status;
        assert_eq!(as_cookie == 200, *name == "session", "{name} as cookie: {as_cookie}");
        let target = format!(
            "GET /external/api/isHardwareConnected?token={secret} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        );
        let as_device = status(&raw(address, &target));
        assert_eq!(as_device == 200, *name == "device", "{name} at the device API: {as_device}");
        let refresh = json!({"grant_type": "refresh_token", "refresh_token": secret});
        let as_refresh = SignedIn::stranger(address).ask("POST", "/oauth2/token", Some(refresh)).status;
        assert_eq!(as_refresh == 200, *name == "refresh", "{name} as refresh token: {as_refresh}");
        assert_eq!(grant(secret).status == 200, *name == "client", "{name} as client");
        let hash = password_hash("bob@example.com", PASSWORD);
        let body = json!({"token": secret, "email": "bob@example.com", "name": "Bob", "hash": hash});
        let as_invite = SignedIn::stranger(address).ask("POST", "/verify", Some(body)).status;
        assert!(matches!(as_invite, 410 | 422), "{name} as invitation: {as_invite}");
        let mut wire = Wire::connect(address);
        let sent = wire.send(command::LOGIN, secret.as_bytes());
        let answer = wire.receive(EFFECT).filter(|frame| frame.id == sent).map(|frame| frame.status_or_len);
        assert_eq!(answer == Some(200), *name == "device", "{name} as a device's login: {answer:?}");
    }
    let (_, reset) = &all[5];
    let hash = password_hash("bob@example.com", "another lamp in the harbour");
    let body = json!({"token": reset, "email": "bob@example.com", "hash": hash});
    SignedIn::stranger(address).good("POST", "/reset/confirm", Some(body));
}

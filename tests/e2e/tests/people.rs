//! People against the binary: the set-up link, organizations, invitations, roles, keys, sessions, the second factor.

use linchpin_compat::{Server, eventually};
use linchpin_e2e::{ApiAnswer, Browser, password_hash, totp};
use serde_json::{Value, json};
use std::time::Duration;

const PASSWORD: &str = "a lamp in the harbour";
const EVE: &str = "eve@example.com";

/// The secret of a link: what stands behind `#`, without its name.
fn secret(link: &str) -> String {
    let (_, fragment) = link.trim().split_once('#').expect("a fragment");
    let token = fragment.split('&').next().unwrap_or_default();
    token.strip_prefix("token=").unwrap_or(token).to_owned()
}

fn set_up(server: &Server) -> Browser {
    let link = server.ready()["setup"].as_str().expect("a link in the ready file").to_owned();
    let mut browser = Browser::new(server);
    let body = json!({"token": secret(&link), "email": EVE, "name": "Eve", "hash": password_hash(EVE, PASSWORD), "org": "Harbour"});
    assert_eq!(browser.post("/bootstrap", &body).status, 201);
    let _ = browser.sign_in(EVE, PASSWORD, None).good();
    browser
}

/// The link of the newest mail to somebody.
fn mailed(server: &Server, to: &str) -> String {
    let folder = server.data_path().join("mail");
    eventually(Duration::from_secs(20), "the mail is there", || {
        let mut paths: Vec<_> = std::fs::read_dir(&folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        let texts = paths.iter().rev().filter_map(|path| std::fs::read_to_string(path).ok());
        let text = texts.into_iter().find(|text| text.contains(&format!("To: {to}\r\n")))?;
        text.lines().find(|line| line.contains('#')).map(str::to_owned)
    })
}

/// Invite somebody, who accepts; they are signed in.
fn join(server: &Server, admin: &mut Browser, org: u64, email: &str, role: u16) -> Browser {
    let body = json!({"email": email, "role": role, "below": false});
    let made = admin.post(&format!("/orgs/{org}/invites"), &body);
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.body.as_object().map(|all| all.len()), Some(1), "the secret is in the mail only: {made:?}");
    let hash = password_hash(email, PASSWORD);
    let mut body = json!({"token": secret(&mailed(server, email)), "email": email, "name": email, "hash": hash});
    let mut browser = Browser::new(server);
    // Whoever does not agree that their address is stored gets no account; the link stays good.
    browser.post("/verify", &body).expect_problem(422, "E0622");
    body["consents"] = json!(["account"]);
    let _ = browser.post("/verify", &body).good();
    browser.post("/verify", &body).expect_problem(410, "E0613");
    let _ = browser.sign_in(email, PASSWORD, None).good();
    browser
}

/// Sign in, and wait as long as the server says after an attempt that failed; never for the ten minutes of a block.
fn sign_in_patiently(browser: &mut Browser, password: &str, code: Option<&str>) -> ApiAnswer {
    loop {
        let answer = browser.sign_in(EVE, password, code);
        let wait = answer.field("retry-after").and_then(|text| text.parse().ok()).unwrap_or(0_u64);
        if answer.status != 429 || wait > 60 {
            return answer;
        }
        std::thread::sleep(Duration::from_secs(wait));
    }
}

fn items(answer: ApiAnswer) -> Vec<Value> {
    answer.good()["items"].as_array().expect("a list").clone()
}

#[test]
fn a_server_is_set_up_once_by_its_link() {
    let server = Server::dev().start();
    let link = server.ready()["setup"].as_str().expect("a link").to_owned();
    assert!(link.starts_with(&format!("http://{}/welcome#lpi_", server.address())), "{link}");
    assert_eq!(server.ready()["api"], format!("http://{}/api/v1", server.address()));
    let file = server.data_path().join("bootstrap");
    assert_eq!(std::fs::read_to_string(&file).expect("a file").trim(), link);
    // What `dev` prints is for the person in front of it; lines of the log have a level.
    let log = server.log();
    let logged = log.lines().filter(|line| line.contains(" INFO ") || line.contains(" WARN "));
    assert!(logged.clone().count() > 0 && logged.clone().all(|line| !line.contains("lpi_")), "{log}");
    let mut browser = Browser::new(&server);
    assert_eq!(browser.get("/bootstrap").good(), json!({"open": true}));
    let body = |token: &str, password: &str| json!({"token": token, "email": EVE, "name": "Eve", "hash": password_hash(EVE, password), "org": "Harbour"});
    browser.post("/bootstrap", &body("lpi_wrong", PASSWORD)).expect_problem(410, "E0613");
    let weak = browser.post("/bootstrap", &body(&secret(&link), "password1"));
    weak.expect_problem(422, "E0622");
    // The one before ends when the operator asks for another.
    let renewed = server.ask(&["admin", "bootstrap"])["link"].as_str().expect("a link").to_owned();
    browser.post("/bootstrap", &body(&secret(&link), PASSWORD)).expect_problem(410, "E0613");
    let made = browser.post("/bootstrap", &body(&secret(&renewed), PASSWORD));
    assert_eq!((made.status, &made.body["org"]), (201, &json!(1)));
    browser.post("/bootstrap", &body(&secret(&renewed), PASSWORD)).expect_problem(410, "E0613");
    assert_eq!(browser.get("/bootstrap").good(), json!({"open": false}));
    assert!(!file.exists(), "the link is no use any more");
    browser.get("/me").expect_problem(401, "E0602");
    let _ = browser.sign_in(EVE, PASSWORD, None).good();
    let me = browser.get("/me").good();
    assert_eq!(
        (&me["user"]["email"], &me["grants"][0]["org_name"], &me["grants"][0]["role_name"], &me["operator"]),
        (&json!(EVE), &json!("Harbour"), &json!("Admin"), &json!(true))
    );
}

#[test]
fn sessions_are_by_cookie_and_only_for_our_own_page() {
    let server = Server::dev().start();
    let mut eve = set_up(&server);
    let name = format!("linchpin-session-{}", server.address().port());
    assert!(eve.cookies().contains_key(&name), "{:?}", eve.cookies().keys());
    let signed = Browser::new(&server).sign_in(EVE, PASSWORD, None);
    let cookie = signed.fields.iter().find(|(field, value)| field == "set-cookie" && value.starts_with(&name));
    let (_, cookie) = cookie.expect("a cookie");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains("Domain"),
        "{cookie}"
    );
    assert_eq!(signed.field("cache-control"), Some("no-store"));
    let json_body = "Content-Type: application/json".to_owned();
    let change = Some("{\"name\": \"Mallory\"}");
    eve.ask_raw("PATCH", "/api/v1/me", std::slice::from_ref(&json_body), change).expect_problem(403, "E0606");
    let other = [json_body, "Origin: http://evil.example".to_owned()];
    eve.ask_raw("PATCH", "/api/v1/me", &other, change).expect_problem(403, "E0606");
    let form = ["Content-Type: text/plain".to_owned()];
    let answer = eve.ask_raw("POST", "/api/v1/session", &form, Some("{}"));
    answer.expect_problem(415, "E0626");
    assert_eq!(eve.get("/me").good()["user"]["name"], "Eve");
    let renamed = eve.ask("PATCH", "/me", Some(&json!({"name": "Eve P."}))).good();
    assert_eq!(renamed["name"], "Eve P.");
    eve.ask("PATCH", "/me", Some(&json!({"id": 7}))).expect_problem(422, "E0622");
    let mut other = Browser::new(&server);
    let _ = other.sign_in(EVE, PASSWORD, None).good();
    let sessions = items(eve.get("/me/sessions"));
    assert_eq!(sessions.len(), 3, "{sessions:?}");
    assert_eq!(sessions.iter().filter(|line| line["current"] == true).count(), 1);
    assert_eq!(eve.ask("DELETE", "/me/sessions", None).status, 204);
    other.get("/me").expect_problem(401, "E0602");
    let _ = eve.get("/me").good();
    let changed = eve.ask(
        "PUT",
        "/me/password",
        Some(&json!({"old": password_hash(EVE, PASSWORD), "new": password_hash(EVE, "another lamp, another harbour")})),
    );
    assert_eq!(changed.status, 204, "{changed:?}");
    let _ = eve.get("/me").good();
    Browser::new(&server).sign_in(EVE, PASSWORD, None).expect_problem(401, "E0604");
    assert_eq!(eve.ask("DELETE", "/session", None).status, 204);
    eve.get("/me").expect_problem(401, "E0602");
}

#[test]
fn organizations_invitations_roles_and_keys() {
    let mut server = Server::dev().start();
    let mut eve = set_up(&server);
    let made = eve.post("/orgs/1/orgs", &json!({"name": "Bakery", "kind": "customer"})).good();
    let bakery = made["id"].as_u64().expect("a number");
    let second = eve.post("/orgs/1/orgs", &json!({"name": "Brewery", "kind": "branch"})).good()["id"].clone();
    assert_eq!(items(eve.get("/orgs/1/orgs?below=true")).len(), 3);
    let mut staff = join(&server, &mut eve, bakery, "staff@example.com", 2);
    let mut admin = join(&server, &mut eve, bakery, "admin@example.com", 1);
    // Staff sees its own organization, and no other exists for it.
    assert_eq!(items(staff.get(&format!("/orgs/{bakery}/users"))).len(), 2);
    for foreign in ["1".to_owned(), second.to_string(), "99".to_owned()] {
        staff.get(&format!("/orgs/{foreign}/users")).expect_problem(404, "E0601");
        staff
            .post(&format!("/orgs/{foreign}/invites"), &json!({"email": "x@y.z", "role": 2}))
            .expect_problem(404, "E0601");
    }
    staff.get(&format!("/orgs/{bakery}/keys")).expect_problem(403, "E0603");
    staff.ask("PATCH", &format!("/orgs/{bakery}"), Some(&json!({"name": "Mine"}))).expect_problem(403, "E0603");
    staff.post(&format!("/orgs/{bakery}/invites"), &json!({"email": "x@y.z", "role": 1})).expect_problem(403, "E0603");
    // A key may do what it holds, and nothing of people's own.
    let new = json!({"name": "export", "permissions": ["user.view", "org.view"]});
    let key = admin.post(&format!("/orgs/{bakery}/keys"), &new).good();
    let secret = key["secret"].as_str().expect("a secret").to_owned();
    let mut program = Browser::with_key(&server, &secret);
    assert_eq!(items(program.get(&format!("/orgs/{bakery}/users"))).len(), 2);
    program.get("/orgs/1/users").expect_problem(404, "E0601");
    program.get("/me/sessions").expect_problem(403, "E0603");
    program
        .post(&format!("/orgs/{bakery}/invites"), &json!({"email": "x@y.z", "role": 2}))
        .expect_problem(403, "E0603");
    let much = json!({"name": "much", "permissions": ["user.reset"]});
    admin.post(&format!("/orgs/{bakery}/keys"), &much).expect_problem(403, "E0603");
    let number = key["id"].to_string();
    let rotated = admin.post(&format!("/orgs/{bakery}/keys/{number}/rotate"), &json!({})).good();
    program.get(&format!("/orgs/{bakery}/users")).expect_problem(401, "E0602");
    let mut program = Browser::with_key(&server, rotated["secret"].as_str().expect("a secret"));
    assert_eq!(items(program.get(&format!("/orgs/{bakery}/users"))).len(), 2);
    assert_eq!(admin.ask("DELETE", &format!("/orgs/{bakery}/keys/{number}"), None).status, 204);
    program.get(&format!("/orgs/{bakery}/users")).expect_problem(401, "E0602");
    // A suspended person's sessions end at once.
    let users = items(admin.get(&format!("/orgs/{bakery}/users")));
    let of_staff = users.iter().find(|line| line["email"] == "staff@example.com").expect("is a member")["id"].clone();
    assert_eq!(admin.post(&format!("/orgs/{bakery}/users/{of_staff}/suspend"), &json!({})).status, 204);
    staff.get("/me").expect_problem(401, "E0602");
    assert_eq!(admin.post(&format!("/orgs/{bakery}/users/{of_staff}/resume"), &json!({})).status, 204);
    // Pages do not go from one organization to another.
    let page = admin.get(&format!("/orgs/{bakery}/users?limit=1")).good();
    let next = page["next"].as_str().expect("one more").to_owned();
    assert_eq!(items(admin.get(&format!("/orgs/{bakery}/users?limit=1&after={next}"))).len(), 1);
    eve.get(&format!("/orgs/1/users?limit=1&after={next}")).expect_problem(400, "E0627");
    // What happened stands in the log, which is whole.
    let log = items(admin.get(&format!("/orgs/{bakery}/audit")));
    let has = |action: &str, outcome: &str| {
        log.iter().any(|line| line["action"] == action && line["outcome"] == outcome && line["address"] == "127.0.0.1")
    };
    assert!(has("key.create", "done") && has("user.suspend", "done") && has("access.deny", "refused"), "{log:?}");
    let lines = admin.get(&format!("/orgs/{bakery}/audit.jsonl"));
    assert_eq!(lines.field("content-type"), Some("application/x-ndjson"));
    assert!(lines.body.as_str().is_some_and(|text| text.lines().count() >= log.len()), "{lines:?}");
    assert_eq!(eve.ask("DELETE", &format!("/orgs/{second}"), None).status, 204);
    eve.get(&format!("/orgs/{second}")).expect_problem(404, "E0601");
    let verified = server.ask(&["audit", "verify"]);
    assert!(verified.as_array().is_some_and(|all| all.len() == 2), "{verified}");
    // All of it is still there after a restart, and the sessions are too.
    server.restart();
    let mut again = Browser::new(&server);
    let _ = again.sign_in("admin@example.com", PASSWORD, None).good();
    assert_eq!(items(again.get(&format!("/orgs/{bakery}/users"))).len(), 2);
}

#[test]
fn a_second_factor_is_set_up_demanded_and_recovered() {
    let server = Server::dev().start();
    let mut eve = set_up(&server);
    let secret = eve.post("/me/totp", &json!({})).good();
    assert!(secret["uri"].as_str().is_some_and(|uri| uri.starts_with("otpauth://totp/")), "{secret}");
    let secret = secret["secret"].as_str().expect("a text").to_owned();
    eve.post("/me/totp/confirm", &json!({"code": "000000"})).expect_problem(422, "E0631");
    let codes = eve.post("/me/totp/confirm", &json!({"code": totp(&secret, 0)})).good();
    let recovery: Vec<_> = codes["recovery"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(recovery.len(), 10);
    let _ = eve.get("/me").good();
    let mut other = Browser::new(&server);
    let due = other.sign_in(EVE, PASSWORD, None).good();
    assert_eq!(due["due"], json!(["factor"]));
    other.get("/me/sessions").expect_problem(403, "E0608");
    other.get("/orgs/1/users").expect_problem(403, "E0608");
    assert_eq!(other.get("/me").good()["grants"], json!([]));
    // A wrong code is none; that of the next step is taken, the one that confirmed would not be.
    sign_in_patiently(&mut other, PASSWORD, Some("000000")).expect_problem(401, "E0604");
    let due = sign_in_patiently(&mut other, PASSWORD, Some(&totp(&secret, 1))).good();
    assert_eq!(due["due"], json!([]));
    assert_eq!(items(other.get("/orgs/1/users")).len(), 1);
    let mut lost = Browser::new(&server);
    let due = sign_in_patiently(&mut lost, PASSWORD, Some(recovery[0])).good();
    assert_eq!(due["due"], json!([]));
    sign_in_patiently(&mut lost, PASSWORD, Some(recovery[0])).expect_problem(401, "E0604");
    // The operator takes it away.
    let users = server.ask(&["admin", "user", "list"]);
    let number = users["items"][0]["id"].to_string();
    let (_, said, status) = server.operate(&["admin", "user", "reset-factor", &number]);
    assert!(status.success(), "{said}");
    other.get("/me").expect_problem(401, "E0602");
    let due = sign_in_patiently(&mut other, PASSWORD, None).good();
    assert_eq!(due["due"], json!([]));
}

#[test]
fn an_address_that_fails_five_times_waits() {
    let server = Server::dev().start();
    let _ = set_up(&server);
    let mut browser = Browser::new(&server);
    for _ in 0..5 {
        sign_in_patiently(&mut browser, "wrong password", None).expect_problem(401, "E0604");
    }
    let blocked = sign_in_patiently(&mut browser, PASSWORD, None);
    blocked.expect_problem(429, "E0605");
    let wait: u64 = blocked.field("retry-after").and_then(|text| text.parse().ok()).expect("how long");
    assert!((500..=600).contains(&wait), "{wait}");
}

#[test]
fn oauth_clients_get_tokens_that_rotate() {
    let server = Server::dev().start();
    let mut eve = set_up(&server);
    let new = json!({"name": "erp", "kind": "oauth", "permissions": ["user.view"]});
    let client = eve.post("/orgs/1/keys", &new).good();
    let (id, secret) = (client["id"].to_string(), client["secret"].as_str().expect("a secret").to_owned());
    Browser::with_key(&server, &secret).get("/orgs/1/users").expect_problem(401, "E0602");
    let form = ["Content-Type: application/x-www-form-urlencoded".to_owned()];
    let mut program = Browser::new(&server);
    let body = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let first = program.ask_raw("POST", "/oauth2/token", &form, Some(&body)).good();
    assert_eq!((&first["token_type"], &first["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let text = |tokens: &Value, name: &str| tokens[name].as_str().expect("a token").to_owned();
    assert_eq!(items(Browser::with_key(&server, &text(&first, "access_token")).get("/orgs/1/users")).len(), 1);
    let mut refresh = |token: &str| {
        let body = format!("grant_type=refresh_token&refresh_token={token}");
        program.ask_raw("POST", "/oauth2/token", &form, Some(&body))
    };
    let second = refresh(&text(&first, "refresh_token")).good();
    // Within the grace the same answer again; a token of two generations ago ends them all.
    assert_eq!(refresh(&text(&first, "refresh_token")).good(), second);
    let third = refresh(&text(&second, "refresh_token")).good();
    refresh(&text(&first, "refresh_token")).expect_problem(401, "E0604");
    refresh(&text(&third, "refresh_token")).expect_problem(401, "E0604");
    Browser::with_key(&server, &text(&third, "access_token")).get("/orgs/1/users").expect_problem(401, "E0602");
}

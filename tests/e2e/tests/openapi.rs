//! The API of people against its own description: schemathesis asks every route as an Admin, with what the description allows
//! and what it does not, and looks at the answers.

use std::fmt::Write as _;
use std::process::Command;

use linchpin_compat::{Server, installed_path};
use linchpin_e2e::{SignedIn, create_person};
use serde_json::{Value, json};

const PASSWORD: &str = "a lamp in the harbour";

/// Routes that are left out, each with the reason.
const LEFT_OUT: [(&str, &str); 10] = [
    ("session.close", "it ends the session that asks"),
    ("session.open", "five wrong passwords block the address; doors are tried by tests/e2e/tests/people.rs"),
    ("session.step-up", "five wrong passwords block the person"),
    ("me.totp-confirm", "a wrong code counts like a wrong password"),
    ("me.totp-remove", "it has nothing to vary, and gives the session another token"),
    ("me.password", "a wrong password counts, and five of them block the person"),
    ("me.erase", "it erases the one who asks"),
    ("me.email", "a wrong password counts, and five of them block the person"),
    ("privacy.erase", "it erases the organization that is asked about"),
    ("fleet.wire", "it goes on for as long as is asked for"),
];

/// How a request is refused that is not as described. 413 and 431: a long body and the head of a long query are refused before
/// anybody looks into them.
const REFUSALS: [u16; 13] = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, 431];

/// Values for what routes name, so that they find something: by the name of the parameter.
fn known(admin: &SignedIn) -> Vec<(&'static str, Value)> {
    let template = admin.good(
        "POST",
        "/orgs/1/templates",
        Some(json!({"name": "Pump", "streams": [{"pin": "V0", "name": "Speed", "kind": "integer", "writable": true}]})),
    );
    let made = admin.good("POST", "/orgs/1/devices", Some(json!({"name": "d", "template": template["id"]})));
    vec![
        ("org", json!(1)),
        ("orgId", json!(1)),
        ("device", made["id"].clone()),
        ("deviceId", made["id"].clone()),
        ("template", template["id"].clone()),
        ("templateId", template["id"].clone()),
        ("user", json!(1)),
        ("userId", json!(1)),
        ("ownerEmail", json!("bob1@example.com")),
        ("userEmail", json!("bob1@example.com")),
    ]
}

/// Numbers below this one are of people who do nothing: made-up numbers of people are small, and what can be done to people ends
/// sessions.
const OTHERS: u32 = 8;

/// With a second factor: an organization that is made to demand one shuts nobody out then.
fn second_factor(admin: &mut SignedIn) {
    let begun = admin.good("POST", "/me/totp", Some(json!({})));
    let code = linchpin_e2e::totp(begun["secret"].as_str().expect("a secret"), 0);
    let confirmed = admin.ask("POST", "/me/totp/confirm", Some(json!({"code": code})));
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    admin.take(&confirmed);
}

/// What is drawn for parameters besides what the description allows: nearly always something that is there. The one who asks
/// would be shut out if it were drawn for people, so that they are always the first one.
fn settings(known: &[(&str, Value)]) -> String {
    let mut text = format!("[checks]\nnegative_data_rejection.expected-statuses = {REFUSALS:?}\n");
    for (name, value) in known {
        let often = if matches!(*name, "user" | "userId") { 1.0 } else { 0.9 };
        let _ = writeln!(text, "[dictionaries.{name}]\nvalues = [{value}]");
        for place in ["path", "query"] {
            let _ = writeln!(text, "[parameters.\"{place}.{name}\"]\ndictionary = \"{name}\"\nprobability = {often:?}");
        }
    }
    text
}

/// The served document without who may ask: that is said by fields of the head for all requests, and the cookie has another name
/// without TLS.
fn opened(mut document: Value) -> Value {
    let paths = document["paths"].as_object_mut().expect("paths");
    for (_, operation) in paths.values_mut().flat_map(|methods| methods.as_object_mut().expect("methods")) {
        let _ = operation.as_object_mut().map(|fields| fields.remove("security"));
    }
    document
}

#[test]
fn every_route_answers_as_it_is_described() {
    let examples = std::env::var("LINCHPIN_EXAMPLES").unwrap_or_else(|_| "20".to_owned());
    let server = Server::dev().shards(2).start();
    for number in 1..OTHERS {
        create_person(&server, 1, "viewer", &format!("bob{number}@example.com"), PASSWORD);
    }
    create_person(&server, 1, "admin", "eve@example.com", PASSWORD);
    let mut admin = SignedIn::new(server.address(), "eve@example.com", PASSWORD);
    second_factor(&mut admin);
    let known = known(&admin);
    std::fs::write(server.folder().join("schemathesis.toml"), settings(&known)).expect("writes");
    let served = admin.good("GET", "/openapi.json", None);
    let count: usize = served["paths"]
        .as_object()
        .expect("paths")
        .values()
        .filter_map(|all| all.as_object())
        .map(|all| all.len())
        .sum();
    let path = server.folder().join("openapi.json");
    std::fs::write(&path, opened(served).to_string()).expect("writes");
    let mut line = Command::new(installed_path().join("schemathesis/bin/schemathesis"));
    line.arg("run")
        .arg(&path)
        .args(["--url", &format!("http://{}", server.address()), "--seed", "1", "--max-examples", &examples])
        .args(["--header", &format!("Cookie: {}", admin.cookie())])
        .args(["--header", &format!("X-Linchpin-Csrf: {}", admin.csrf())])
        .args(["--no-color", "--generation-database", "none", "--phases", "examples,coverage,fuzzing"])
        // Names, references between records and rules of giving refuse more than a schema can say; who may do what is tried
        // by the matrix of permissions.
        .args(["--exclude-checks", "positive_data_acceptance,ignored_auth"]);
    for (name, _) in LEFT_OUT {
        line.args(["--exclude-operation-id", name]);
    }
    let ran = line.current_dir(server.folder()).output().expect("schemathesis runs: make setup");
    let said = String::from_utf8_lossy(&ran.stdout);
    if let Ok(path) = std::env::var("LINCHPIN_SAID") {
        std::fs::write(path, said.as_bytes()).expect("writes");
    }
    // It asked as somebody who may, to the end.
    let still = admin.ask("GET", "/orgs/1", None);
    assert_eq!(still.status, 200, "{}\n{said}", still.text);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains(&format!("Tested: {}", count - LEFT_OUT.len())), "{said}");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

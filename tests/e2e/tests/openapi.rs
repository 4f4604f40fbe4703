//! The API of people against its own description: schemathesis asks every route as an Admin, with what the description allows
//! and what it does not, and looks at the answers.

use std::process::Command;

use linchpin_compat::{Server, installed_path};
use linchpin_e2e::{SignedIn, create_person};
use serde_json::{Value, json};

const PASSWORD: &str = "a lamp in the harbour";

/// Routes that are left out, each with the reason.
const LEFT_OUT: [(&str, &str); 8] = [
    ("session.close", "it ends the session that asks"),
    ("session.open", "five wrong passwords block the address; doors are tried by tests/e2e/tests/people.rs"),
    ("session.step-up", "five wrong passwords block the person"),
    ("me.totp-confirm", "a wrong code counts like a wrong password"),
    ("me.erase", "it erases the one who asks"),
    ("me.email", "a wrong password counts, and five of them block the person"),
    ("privacy.erase", "it erases the organization that is asked about"),
    ("fleet.wire", "it goes on for as long as is asked for"),
];

/// Values for what routes name, so that they find something: by the name of the parameter.
fn known(server: &Server, admin: &SignedIn) -> Vec<(&'static str, Value)> {
    let template = admin.good(
        "POST",
        "/orgs/1/templates",
        Some(json!({"name": "Pump", "streams": [{"pin": "V0", "name": "Speed", "kind": "integer", "writable": true}]})),
    );
    let made = admin.good("POST", "/orgs/1/devices", Some(json!({"name": "d", "template": template["id"]})));
    create_person(server, 1, "viewer", "bob@example.com", PASSWORD);
    let users = admin.good("GET", "/orgs/1/users", None);
    let items = users["items"].as_array().expect("a list");
    let bob = items.iter().find(|user| user["email"] == "bob@example.com").expect("a member");
    vec![
        ("org", json!(1)),
        ("orgId", json!(1)),
        ("device", made["id"].clone()),
        ("deviceId", made["id"].clone()),
        ("template", template["id"].clone()),
        ("templateId", template["id"].clone()),
        ("user", bob["id"].clone()),
    ]
}

/// The served document with these values for parameters of paths and queries, half of the time.
fn narrowed(mut document: Value, known: &[(&str, Value)]) -> Value {
    for (_, methods) in document["paths"].as_object_mut().expect("paths") {
        for (_, operation) in methods.as_object_mut().expect("methods") {
            for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap_or_default().to_owned();
                if let Some((_, value)) = known.iter().find(|(known, _)| *known == name) {
                    parameter["schema"] = json!({"enum": [value]});
                }
            }
        }
    }
    // Who asks is said by fields of the head for all requests: the cookie has another name without TLS.
    for (_, methods) in document["paths"].as_object_mut().expect("paths") {
        for (_, operation) in methods.as_object_mut().expect("methods") {
            operation.as_object_mut().map(|fields| fields.remove("security"));
        }
    }
    document
}

#[test]
fn every_route_answers_as_it_is_described() {
    let examples = std::env::var("LINCHPIN_EXAMPLES").unwrap_or_else(|_| "20".to_owned());
    let server = Server::dev().shards(2).start();
    create_person(&server, 1, "admin", "eve@example.com", PASSWORD);
    let admin = SignedIn::new(server.address(), "eve@example.com", PASSWORD);
    let known = known(&server, &admin);
    let served = admin.good("GET", "/openapi.json", None);
    let count: usize = served["paths"]
        .as_object()
        .expect("paths")
        .values()
        .filter_map(|all| all.as_object())
        .map(|all| all.len())
        .sum();
    let path = server.folder().join("openapi.json");
    std::fs::write(&path, narrowed(served, &known).to_string()).expect("writes");
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
    // It asked as somebody who may; else the audit log says what ended that.
    if admin.ask("GET", "/me", None).status != 200 {
        let again = SignedIn::new(server.address(), "eve@example.com", PASSWORD);
        let list = again.ask("GET", "/orgs/1/audit?limit=200", None);
        panic!("the session ended meanwhile: {}", list.text);
    }
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains(&format!("Tested: {}", count - LEFT_OUT.len())), "{said}");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

//! A company on Linchpin, from the set-up link to the last byte: people by mail, a second factor, a real device, and what the
//! law demands. Over HTTPS, against a mail server, with codes by oathtool.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use linchpin_compat::{Client, Device, Library, Server, eventually, limits};
use linchpin_e2e::mail::{MailPartner, Trusted, config};
use linchpin_e2e::{Browser, password_hash};
use serde_json::{Value, json};

const PASSWORD: &str = "a lamp in the harbour";
const EVE: &str = "eve@example.com";
const BOB: &str = "bob@example.com";
const MAL: &str = "mallory@example.com";

/// The code of a second factor, by a program that is not ours.
fn code(secret: &str, later_s: u32) -> String {
    let later = format!("now + {later_s} seconds");
    let output = Command::new("oathtool").args(["--totp", "--base32", "--now", &later, secret]).output();
    let output = output.expect("oathtool is installed: run make setup");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn items(answer: &Value) -> Vec<Value> {
    answer["items"].as_array().expect("a list").clone()
}

/// Everything in a file of an archive.
fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Follow the link of an invitation, and sign in.
fn join(server: &Server, trusted: &Trusted, mail: &MailPartner, email: &str) -> Browser {
    let taken = mail.mail(email, "invited");
    assert!(taken.tls && taken.secret().starts_with("lpi_"), "{}", taken.text);
    let mut browser = Browser::over_tls(server, &trusted.path("ca.pem"));
    let hash = password_hash(email, PASSWORD);
    let body = json!({"token": taken.secret(), "email": email, "name": email, "hash": hash});
    let _ = browser.post("/verify", &body).good();
    let _ = browser.sign_in(email, PASSWORD, None).good();
    browser
}

struct World {
    trusted: Trusted,
    mail: MailPartner,
    server: Server,
    eve: Browser,
}

fn world(console: &str) -> World {
    let trusted = Trusted::make();
    let mail = MailPartner::start(&trusted);
    let server = Server::serve(&config(&trusted, &mail, console)).start();
    let mut eve = Browser::over_tls(&server, &trusted.path("ca.pem"));
    let link = server.ready()["setup"].as_str().expect("a link in the ready file").to_owned();
    let (_, token) = link.split_once('#').expect("a secret");
    let hash = password_hash(EVE, PASSWORD);
    let body = json!({"token": token, "email": EVE, "name": "Eve", "hash": hash, "org": "Harbour"});
    assert_eq!(eve.post("/bootstrap", &body).status, 201);
    let _ = eve.sign_in(EVE, PASSWORD, None).good();
    World { trusted, mail, server, eve }
}

#[test]
fn a_company_from_the_first_link_to_the_last_byte() {
    let World { trusted, mail, mut server, mut eve } = world("");
    // Organizations, and people by mail.
    let bakery = eve.post("/orgs/1/orgs", &json!({"name": "Bakery", "kind": "customer"})).good()["id"].clone();
    let brewery = eve.post("/orgs/1/orgs", &json!({"name": "Brewery", "kind": "customer"})).good()["id"].clone();
    let _ = eve.post(&format!("/orgs/{bakery}/invites"), &json!({"email": BOB, "role": 1, "below": false})).good();
    let _ = eve.post(&format!("/orgs/{brewery}/invites"), &json!({"email": MAL, "role": 1, "below": false})).good();
    let mut bob = join(&server, &trusted, &mail, BOB);
    let mut mallory = join(&server, &trusted, &mail, MAL);
    // A second factor: every sign-in asks for it from now on.
    let secret = bob.post("/me/totp", &json!({})).good()["secret"].as_str().expect("a secret").to_owned();
    let _ = bob.post("/me/totp/confirm", &json!({"code": code(&secret, 0)})).good();
    let changed = mail.mail(BOB, "second factor");
    assert!(changed.plain().contains("administrator of Bakery") && !changed.text.contains("token="));
    let mut again = Browser::over_tls(&server, &trusted.path("ca.pem"));
    assert_eq!(again.sign_in(BOB, PASSWORD, None).good()["due"], json!(["factor"]));
    let signed = again.sign_in(BOB, PASSWORD, Some(&code(&secret, 30))).good();
    assert_eq!(signed["due"], json!([]));
    let mut bob = again;
    // A template, a device, a real client.
    let stream = json!({"pin": "V1", "name": "Heat", "kind": "double", "min": 0, "max": 100});
    let template = bob.post(&format!("/orgs/{bakery}/templates"), &json!({"name": "Oven", "streams": [stream]})).good();
    let id = template["id"].as_str().expect("an id").to_owned();
    let devices = format!("/orgs/{bakery}/devices");
    let made = bob.post(&devices, &json!({"name": "Oven 1", "template": id})).good();
    let number = made["id"].to_string();
    let token = made["token"].as_str().expect("a token").to_owned();
    let device = Device { id: number.clone(), token, template: Some(id) };
    let ca = trusted.path("ca.pem");
    let mut client = Client::start_trusting(Library::BlynklibSsl, &server, &device, &ca);
    client.expect_event(limits::LOGIN, &json!({"event": "connected"}));
    client.order(&json!({"order": "write", "pin": 1, "values": [42.5]}));
    let one = format!("{devices}/{number}");
    eventually(limits::EFFECT, "the value is there", || {
        let values = bob.get(&format!("{one}/values")).good();
        values.to_string().contains("42.5").then_some(())
    });
    let _ = bob.ask("PUT", &format!("{one}/values/V1"), Some(&json!({"value": "60"}))).good();
    client.expect_event(limits::EFFECT, &json!({"event": "write", "pin": 1}));
    // The sibling sees nothing of it.
    for path in [one.clone(), format!("{one}/values"), devices.clone(), format!("/orgs/{bakery}/users")] {
        mallory.get(&path).expect_problem(404, "E0601");
    }
    let moves = json!({"to": brewery});
    mallory.post(&format!("{one}/move"), &moves).expect_problem(404, "E0601");
    // Another token ends the client.
    let replaced = bob.post(&format!("{one}/token"), &json!({})).good();
    client.expect_event(limits::EFFECT, &json!({"event": "disconnected"}));
    let token = replaced["token"].as_str().expect("a token").to_owned();
    let device = Device { token, ..device };
    let mut client = Client::start_trusting(Library::BlynklibSsl, &server, &device, &ca);
    client.expect_event(limits::LOGIN, &json!({"event": "connected"}));
    // Bob's own data, which holds what his device said.
    let folder: PathBuf = server.folder().join("bob");
    let _ = bob.ask("PATCH", &one, Some(&json!({"tags": ["kitchen"]}))).good();
    bob.archive("GET", "/me/export", &folder);
    assert!(read(&folder, "profile.json").contains(BOB) && read(&folder, "memberships.json").contains("Bakery"));
    assert!(read(&folder, &format!("devices/{number}/values.json")).contains("60"));
    assert!(read(&folder, &format!("devices/{number}/history-0001.csv")).contains(",V1,42.5"));
    assert!(read(&folder, &format!("audit-{bakery}-0001.jsonl")).contains("device.token-replace"));
    // The device goes to the sibling: whoever may let go and take it in.
    let _ = eve.post("/session/step-up", &json!({"hash": password_hash(EVE, PASSWORD)})).good();
    let _ = eve.post(&format!("{one}/move"), &moves).good();
    bob.get(&one).expect_problem(404, "E0601");
    let there = format!("/orgs/{brewery}/devices/{number}");
    assert_eq!(mallory.get(&there).good()["name"], "Oven 1");
    assert!(mallory.get(&format!("{there}/values")).good().to_string().contains("60"), "values come along");
    client.order(&json!({"order": "write", "pin": 1, "values": [77]}));
    eventually(limits::EFFECT, "the device writes on", || {
        mallory.get(&format!("{there}/values")).good().to_string().contains("77").then_some(())
    });
    // The organization's export; and Bob hands over and is erased.
    let whole = server.folder().join("bakery");
    eve.archive("POST", &format!("/orgs/{bakery}/export"), &whole);
    assert!(read(&whole, "people-0001.jsonl").contains(BOB) && read(&whole, "templates-0001.jsonl").contains("Oven"));
    let all = format!("{}{}", read(&whole, "audit-0001.jsonl"), read(&folder, "profile.json"));
    assert!(!all.contains(&device.token) && !all.contains("argon2"));
    bob.ask("DELETE", "/me", None).expect_problem(409, "E0603");
    let users = items(&eve.get(&format!("/orgs/{bakery}/users")).good());
    assert_eq!(users.len(), 1);
    let _ = eve.post(&format!("/orgs/{bakery}/invites"), &json!({"email": "carol@example.com", "role": 1})).good();
    let mut carol = join(&server, &trusted, &mail, "carol@example.com");
    assert_eq!(bob.ask("DELETE", "/me", None).status, 202);
    bob.get("/me").expect_problem(401, "E0602");
    let goodbye = mail.mail(BOB, "erased");
    assert!(goodbye.plain().contains("your data were erased"));
    eventually(Duration::from_secs(60), "he has left the audit log", || {
        let log = items(&carol.get(&format!("/orgs/{bakery}/audit?limit=500")).good());
        (!Value::from(log).to_string().contains(BOB)).then_some(())
    });
    let _ = again_wrong(&server, &trusted);
    let verified = server.ask(&["audit", "verify"]);
    let faceless: u64 = verified.as_array().expect("a list").iter().filter_map(|one| one["faceless"].as_u64()).sum();
    assert!(faceless > 0, "{verified}");
    // No address and no link in the log.
    let log = server.log();
    for canary in [EVE, BOB, MAL, "lpi_", MailPartner::LOGIN.1, &device.token] {
        let line = log.lines().find(|line| line.contains(canary));
        assert!(line.is_none(), "{canary}: {line:?}");
    }
    flip_a_byte(&mut server, brewery.as_u64().expect("a number"));
}

/// Somebody who was erased is somebody unknown.
fn again_wrong(server: &Server, trusted: &Trusted) -> Browser {
    let mut browser = Browser::over_tls(server, &trusted.path("ca.pem"));
    browser.sign_in(BOB, PASSWORD, None).expect_problem(401, "E0604");
    browser
}

/// A byte of the audit log is changed on the disk: the log is not whole any more, and says where.
fn flip_a_byte(server: &mut Server, org: u64) {
    assert!(server.stop().success());
    let asked = org.to_string();
    let before = server.ask(&["audit", "verify", "--org", &asked]);
    assert!(before[0]["last"].as_u64().is_some_and(|last| last > 2), "{before}");
    let mut key = u32::try_from(org).expect("a number").to_be_bytes().to_vec();
    key.extend_from_slice(&1_u64.to_be_bytes());
    let path = damage(&server.data_path(), &key).expect("a file of the store has entry 1");
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
    let (stdout, stderr, status) = server.operate(&["audit", "verify", "--org", &asked]);
    assert!(!status.success(), "{stdout}{stderr}");
    assert!(stderr.contains(&name) || stderr.contains("entry 1"), "{name}: {stdout}{stderr}");
}

/// Flip a byte of what stands behind a key in the first file of the store that has it.
fn damage(folder: &Path, key: &[u8]) -> Option<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if let Some(found) = damage(&path, key) {
                return Some(found);
            }
            continue;
        }
        let is_table = path.extension().is_some_and(|kind| kind == "sst" || kind == "log");
        let Ok(mut bytes) = std::fs::read(&path) else { continue };
        let at = bytes.windows(key.len()).position(|window| window == key).filter(|_| is_table);
        if let Some(byte) = at.and_then(|at| bytes.get_mut(at + key.len() + 20)) {
            *byte ^= 1;
            std::fs::write(&path, bytes).expect("the store is not in use");
            return Some(path);
        }
    }
    None
}

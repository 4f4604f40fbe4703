//! A company on Linchpin, from the set-up link to the last byte: people by mail, a second factor, a real device, and what the
//! law demands. Over HTTPS, against a mail server, with codes by oathtool.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use linchpin_compat::{Client, Device, Library, Server, eventually, limits};
use linchpin_e2e::mail::{MailPartner, Trusted, config};
use linchpin_e2e::{Browser, password_hash};
use linchpin_storage::schema::{AuditEntry, AuditFace, AuditKey, OrgId, Record};
use linchpin_storage::{Class, Settings, Store, Unseal};
use serde_json::{Value, json};

const PASSWORD: &str = "a lamp in the harbour";
const EVE: &str = "eve@example.com";
const BOB: &str = "bob@example.com";
const MAL: &str = "mallory@example.com";
/// Until a library that hears no end has missed its heartbeats.
const SILENCE: Duration = Duration::from_secs(90);

/// The code of a second factor, by a program that is not ours.
fn code(secret: &str, later_s: u32) -> String {
    let later = format!("now + {later_s} seconds");
    let output = Command::new("oathtool").args(["--totp", "--base32", "--now", &later, secret]).output();
    let output = output.expect("oathtool is installed: run make setup");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
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
    let body = json!({"token": taken.secret(), "email": email, "name": email, "hash": hash, "consents": ["account"]});
    let _ = browser.post("/verify", &body).good();
    let _ = browser.sign_in(email, PASSWORD, None).good();
    browser
}

/// Everybody and everything in it.
struct Story {
    trusted: Trusted,
    mail: MailPartner,
    server: Server,
    eve: Browser,
    bob: Browser,
    mallory: Browser,
    bakery: u64,
    brewery: u64,
}

impl Story {
    /// The set-up link, two organizations, and their people by mail.
    fn begin() -> Self {
        let trusted = Trusted::make();
        let mail = MailPartner::start(&trusted);
        let server = Server::serve(&config(&trusted, &mail, "")).start();
        let mut eve = Browser::over_tls(&server, &trusted.path("ca.pem"));
        let link = server.ready()["setup"].as_str().expect("a link in the ready file").to_owned();
        let (_, token) = link.split_once('#').expect("a secret");
        let hash = password_hash(EVE, PASSWORD);
        let body = json!({"token": token, "email": EVE, "name": "Eve", "hash": hash, "org": "Harbour"});
        assert_eq!(eve.post("/bootstrap", &body).status, 201);
        let _ = eve.sign_in(EVE, PASSWORD, None).good();
        let mut org = |name: &str, admin: &str| {
            let made = eve.post("/orgs/1/orgs", &json!({"name": name, "kind": "customer"})).good()["id"].clone();
            let invited = json!({"email": admin, "role": 1, "below": false});
            let _ = eve.post(&format!("/orgs/{made}/invites"), &invited).good();
            made.as_u64().expect("a number")
        };
        let (bakery, brewery) = (org("Bakery", BOB), org("Brewery", MAL));
        let bob = join(&server, &trusted, &mail, BOB);
        let mallory = join(&server, &trusted, &mail, MAL);
        Self { trusted, mail, server, eve, bob, mallory, bakery, brewery }
    }

    /// A second factor: every sign-in asks for it from now on.
    fn second_factor(&mut self) {
        let secret = self.bob.post("/me/totp", &json!({})).good()["secret"].as_str().expect("a secret").to_owned();
        let _ = self.bob.post("/me/totp/confirm", &json!({"code": code(&secret, 0)})).good();
        let changed = self.mail.mail(BOB, "second factor");
        assert!(changed.plain().contains("administrator of Bakery") && changed.secret().is_empty());
        let mut again = Browser::over_tls(&self.server, &self.trusted.path("ca.pem"));
        assert_eq!(again.sign_in(BOB, PASSWORD, None).good()["due"], json!(["factor"]));
        let signed = again.sign_in(BOB, PASSWORD, Some(&code(&secret, 30))).good();
        assert_eq!(signed["due"], json!([]));
        self.bob = again;
    }

    fn connect(&self, device: &Device) -> Client {
        let ca = self.trusted.path("ca.pem");
        let mut client = Client::start_trusting(Library::BlynklibSsl, &self.server, device, &ca);
        client.expect_event(limits::LOGIN, &json!({"event": "connected"}));
        client
    }

    /// A template, a device, a real client: values come, control goes, and another token ends the client.
    fn device(&mut self) -> (Device, Client) {
        let stream = json!({"pin": "V1", "name": "Heat", "kind": "double", "min": 0, "max": 100, "writable": true});
        let made = self.eve.post("/orgs/1/templates", &json!({"name": "Oven", "streams": [stream]})).good();
        let id = made["id"].as_str().expect("an id").to_owned();
        let _ = self.eve.post(&format!("/orgs/1/templates/{id}/publish"), &json!({"published": true})).good();
        let devices = format!("/orgs/{}/devices", self.bakery);
        let made = self.bob.post(&devices, &json!({"name": "Oven 1", "template": id})).good();
        let token = made["token"].as_str().expect("a token").to_owned();
        let device = Device { id: made["id"].to_string(), token, template: Some(id) };
        let one = format!("{devices}/{}", device.id);
        let mut client = self.connect(&device);
        client.order(&json!({"order": "write", "pin": 1, "values": [42.5]}));
        eventually(limits::EFFECT, "the value is there", || {
            self.bob.get(&format!("{one}/values")).good().to_string().contains("42.5").then_some(())
        });
        let _ = self.bob.ask("PUT", &format!("{one}/values/V1"), Some(&json!({"value": "60"}))).good();
        client.expect_event(limits::EFFECT, &json!({"event": "write", "pin": 1}));
        let replaced = self.bob.post(&format!("{one}/token"), &json!({})).good();
        // The library takes an end of TLS for silence: it notices by its heartbeats.
        client.expect_event(SILENCE, &json!({"event": "disconnected"}));
        let device = Device { token: replaced["token"].as_str().expect("a token").to_owned(), ..device };
        let client = self.connect(&device);
        (device, client)
    }

    /// The sibling organization sees nothing of it.
    fn sibling(&mut self, device: &Device) {
        let devices = format!("/orgs/{}/devices", self.bakery);
        let one = format!("{devices}/{}", device.id);
        for path in [one.clone(), format!("{one}/values"), devices, format!("/orgs/{}/users", self.bakery)] {
            self.mallory.get(&path).expect_problem(404, "E0601");
        }
        self.mallory.post(&format!("{one}/move"), &json!({"to": self.brewery})).expect_problem(404, "E0601");
    }

    /// Bob's own data, with what his device said.
    fn export_person(&mut self, device: &Device) {
        let folder = self.server.folder().join("bob");
        self.bob.archive("GET", "/me/export", &folder);
        assert!(read(&folder, "profile.json").contains(BOB) && read(&folder, "memberships.json").contains("Bakery"));
        let of_device = |name: &str| read(&folder, &format!("devices/{}/{name}", device.id));
        assert!(of_device("values.json").contains("60"));
        assert!(of_device("history-0001.csv").contains(",V1,42.5"));
        let audit = read(&folder, &format!("audit-{}-0001.jsonl", self.bakery));
        assert!(audit.contains("device.token-replace"));
        assert!(!format!("{audit}{}", read(&folder, "profile.json")).contains("argon2"), "no hash leaves the server");
    }

    /// The device goes to the sibling, by somebody who may let go and take in; values come along, and the device writes on.
    fn transfer(&mut self, device: &Device, client: &mut Client) {
        let one = format!("/orgs/{}/devices/{}", self.bakery, device.id);
        let _ = self.eve.post("/session/step-up", &json!({"hash": password_hash(EVE, PASSWORD)})).good();
        let _ = self.eve.post(&format!("{one}/move"), &json!({"to": self.brewery})).good();
        self.bob.get(&one).expect_problem(404, "E0601");
        let there = format!("/orgs/{}/devices/{}", self.brewery, device.id);
        assert_eq!(self.mallory.get(&there).good()["name"], "Oven 1");
        assert!(self.mallory.get(&format!("{there}/values")).good().to_string().contains("60"));
        client.order(&json!({"order": "write", "pin": 1, "values": [77]}));
        eventually(limits::EFFECT, "the device writes on", || {
            self.mallory.get(&format!("{there}/values")).good().to_string().contains("77").then_some(())
        });
    }

    fn export_org(&mut self, device: &Device) {
        let whole = self.server.folder().join("bakery");
        self.eve.archive("POST", &format!("/orgs/{}/export", self.bakery), &whole);
        let audit = read(&whole, "audit-0001.jsonl");
        assert!(read(&whole, "people-0001.jsonl").contains(BOB) && audit.contains("device.leave"));
        assert!(!audit.contains(&device.token) && !audit.contains("argon2"));
    }

    /// The last Admin hands over, and is erased: mailbox, audit log and sign-in know him no more.
    fn erase(&mut self) {
        self.bob.ask("DELETE", "/me", None).expect_problem(403, "E0603");
        let carol = json!({"email": "carol@example.com", "role": 1, "below": false});
        let _ = self.eve.post(&format!("/orgs/{}/invites", self.bakery), &carol).good();
        let mut carol = join(&self.server, &self.trusted, &self.mail, "carol@example.com");
        assert_eq!(self.bob.ask("DELETE", "/me", None).status, 202);
        self.bob.get("/me").expect_problem(401, "E0602");
        assert!(self.mail.mail(BOB, "erased").plain().contains("your data were erased"));
        let log = format!("/orgs/{}/audit?limit=500", self.bakery);
        eventually(Duration::from_secs(120), "he has left the audit log", || {
            (!carol.get(&log).good().to_string().contains(BOB)).then_some(())
        });
        let mut gone = Browser::over_tls(&self.server, &self.trusted.path("ca.pem"));
        gone.sign_in(BOB, PASSWORD, None).expect_problem(401, "E0604");
        let verified = self.server.ask(&["audit", "verify"]);
        let faceless = |one: &Value| one["faceless"].as_u64();
        assert!(verified.as_array().is_some_and(|all| all.iter().filter_map(faceless).sum::<u64>() > 0), "{verified}");
    }

    /// No address, no secret and no link in the log.
    fn expect_silence(&self, device: &Device) {
        let log = self.server.log();
        for canary in [EVE, BOB, MAL, "lpi_", "lps_", MailPartner::LOGIN.1, &device.token] {
            let line = log.lines().find(|line| line.contains(canary));
            assert!(line.is_none(), "{canary}: {line:?}");
        }
    }
}

#[test]
fn a_company_from_the_first_link_to_the_last_byte() {
    let mut story = Story::begin();
    story.second_factor();
    let (device, mut client) = story.device();
    story.sibling(&device);
    story.export_person(&device);
    story.transfer(&device, &mut client);
    story.export_org(&device);
    story.erase();
    story.expect_silence(&device);
    verify(&mut story.server, story.brewery);
}

/// The audit log of an organization is whole; after one byte of it was changed it is not, and it is said where.
fn verify(server: &mut Server, org: u64) {
    assert!(server.stop().success());
    let asked = org.to_string();
    let whole = server.ask(&["audit", "verify", "--org", &asked]);
    assert!(whole[0]["last"].as_u64().is_some_and(|last| last > 2), "{whole}");
    let data = server.data_path();
    let refused = |why: &str| {
        let (stdout, stderr, status) = server.operate(&["audit", "verify", "--org", &asked]);
        assert!(!status.success() && stderr.contains(why), "{why}: {stdout}{stderr}");
    };
    let key = |number| AuditKey::new(OrgId::new(org.try_into().expect("a number")).expect("not zero"), number);
    // By somebody with the keys of the store: it opens, and the chain says so.
    let other_action = |entry: &mut AuditEntry| entry.action ^= 1;
    change(&data, &key(1), other_action);
    refused("entry 2 was not written behind the entry that is before it");
    change(&data, &key(1), other_action);
    let other_salt = |face: &mut AuditFace| face.salt[0] ^= 1;
    change(&data, &key(2), other_salt);
    refused("the names and addresses of entry 2 are not those it was written with");
    change(&data, &key(2), other_salt);
    assert_eq!(
        server.ask(&["audit", "verify", "--org", &asked])[0]["last"],
        whole[0]["last"],
        "what was put back is whole"
    );
    // By somebody without them: on the disk.
    let table = flip_on_disk(&data.join("store/db"));
    refused(&format!("{table} has changed"));
}

/// Change a record of the audit log, and seal it as the server does.
fn change<R: Record<Key = AuditKey>>(data: &Path, key: &AuditKey, edit: impl FnOnce(&mut R)) {
    let settings = Settings::new(data.join("store"), Unseal::File(data.join("unseal.key")));
    let store = Store::open(settings).expect("nobody uses it");
    let mut record = store.get::<R>(key).expect("reads").expect("is there");
    edit(&mut record);
    let mut batch = store.batch();
    batch.put(key, &record).expect("fits");
    store.commit(Class::A, batch).expect("commits");
    store.close().expect("closes");
}

/// Flip a byte of a record in a table of the audit log; its name. The end of a table says what it is of: the name of this value
/// ends with `name`, the one before it is 22 bytes longer.
fn flip_on_disk(folder: &Path) -> String {
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    for path in files {
        let mut bytes = std::fs::read(&path).expect("reads");
        if bytes.windows(12).any(|window| window == b"\x16\x04\x05nameaudit") {
            // Behind the key: in the sealed bytes of the first record.
            bytes[60] ^= 1;
            std::fs::write(&path, bytes).expect("nobody uses it");
            return path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        }
    }
    panic!("no table in {} is of the audit log", folder.display());
}

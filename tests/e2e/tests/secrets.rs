//! Everything secret and everything personal of people and programs goes through the whole server, rightly and wrongly, and is
//! then looked for where it must not be: log at debug, metrics, error answers, diaries, after panics, backups, the data directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Server, Wire, command, eventually, text};
use linchpin_e2e::{Http, Secure, SignedIn, create_person, password_hash, totp};
use linchpin_fleet::tls::Trust;
use memchr::memmem;
use serde_json::{Value, json};

const EMAIL: &str = "canary.eve@birds.example";
const OTHER: &str = "canary.bob@birds.example";
const PASSWORD: &str = "Canary-Password-4711 lamp";
const WRONG: &str = "Canary-Wrong-0815 lamp";
const WRONG_TOKEN: &str = "CanaryWrongToken0123456789abcdef";
const VALUE: &str = "Canary-Value-2718";

/// What is looked for: what it is, and its bytes in every form that it could have.
struct Canaries(Vec<(String, Vec<u8>)>);

impl Canaries {
    fn add(&mut self, what: &str, secret: &str) {
        assert!(secret.len() >= 6, "{what}: {secret:?} is too short to be looked for");
        self.0.push((what.to_owned(), secret.as_bytes().to_vec()));
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.0.push((format!("{what} in hexadecimal"), hex.into_bytes()));
        if secret.contains('@') {
            self.0.push((format!("{what} folded"), secret.to_ascii_uppercase().into_bytes()));
        }
        // Behind its prefix the secret itself.
        if let Some((_, body)) = secret.split_once('_').filter(|(prefix, _)| prefix.len() == 3) {
            self.0.push((format!("{what} without its prefix"), body.as_bytes().to_vec()));
        }
    }

    fn in_bytes(&self, bytes: &[u8]) -> Vec<String> {
        let is_in = |needle: &[u8]| memmem::find(bytes, needle).is_some();
        self.0.iter().filter(|(_, needle)| is_in(needle)).map(|(what, _)| what.clone()).collect()
    }

    /// Nothing of them is there.
    fn expect_none(&self, place: &str, bytes: &[u8]) {
        let found = self.in_bytes(bytes);
        assert!(found.is_empty(), "{place} holds {found:?}");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let kind = entry.file_type().expect("a type");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found
}

/// All files of a folder but the mails and the set-up link: those are for a person, and private.
fn expect_none_in(canaries: &Canaries, folder: &Path) -> usize {
    let all = files(folder);
    let looked = all.iter().filter(|path| !path.components().any(|part| part.as_os_str() == "mail"));
    let mut bytes = 0;
    for path in looked {
        let Ok(text) = std::fs::read(path) else { continue };
        bytes += text.len();
        canaries.expect_none(&path.display().to_string(), &text);
        assert!(memmem::find(&text, b"argon2id").is_none(), "{} holds a hash", path.display());
    }
    bytes
}

fn link(server: &Server, to: &str, page: &str) -> String {
    let to = format!("To: {to}\r\n");
    let page = format!("/{page}#token=");
    let mail = eventually(EFFECT, "the mail is there", || {
        let texts =
            files(&server.data_path().join("mail")).into_iter().filter_map(|path| std::fs::read_to_string(path).ok());
        texts.into_iter().find(|text| text.contains(&to) && text.contains(&page))
    });
    let (_, rest) = mail.split_once("#token=").expect("a link");
    rest.split('&').next().unwrap_or_default().to_owned()
}

/// Send secrets where they do not belong; the answers say nothing of them.
fn misuse(server: &Server, eve: &SignedIn, canaries: &Canaries) {
    let secrets: Vec<String> =
        canaries.0.iter().filter_map(|(_, bytes)| String::from_utf8(bytes.clone()).ok()).collect();
    let stranger = SignedIn::stranger(server.address());
    for secret in secrets.iter().filter(|secret| !secret.contains(' ')) {
        let mut answers = vec![
            eve.ask("GET", &format!("/me?token={secret}"), None),
            eve.ask("GET", &format!("/{secret}"), None),
            eve.ask("GET", &format!("/orgs/1/devices?after={secret}"), None),
            eve.ask("PATCH", "/me", Some(json!({"name": 5, "password": secret}))),
            eve.ask("PATCH", "/me", Some(json!({"locale": {"x": secret}}))),
            eve.ask("PUT", "/me/password", Some(json!({"old": [secret], "new": secret}))),
            eve.ask("POST", "/orgs/1/keys", Some(json!({"name": "k", "permissions": [secret]}))),
            stranger.ask("POST", "/verify", Some(json!({"token": secret, "email": 7}))),
            stranger.ask(
                "POST",
                "/oauth2/token",
                Some(json!({"grant_type": "refresh_token", "refresh_token": secret})),
            ),
            stranger.ask("POST", "/oauth2/token", Some(json!({"grant_type": secret}))),
            stranger.ask_with("GET", "/me", &format!("Authorization: Token {secret}\r\n"), None),
            stranger.ask_with(
                "POST",
                "/test/panic",
                &format!("Authorization: Bearer {secret}\r\n"),
                Some(json!({"x": secret})),
            ),
            stranger.ask_with("GET", "/test/panic", &format!("Cookie: a={secret}\r\n"), None),
        ];
        answers.retain(|answer| answer.status >= 400);
        assert!(answers.len() >= 10, "{answers:?}");
        for answer in answers {
            canaries.expect_none("an answer", answer.text.as_bytes());
        }
        let mut http = Http::connect(server.address());
        for path in [
            format!("/{secret}/get/V1"),
            format!("/external/api/get?token={secret}&v1"),
            format!("/external/api/{secret}"),
        ] {
            let reply = http.get(&path);
            canaries.expect_none("an answer of the device API", reply.body.as_bytes());
        }
        let mut wire = Wire::connect(server.address());
        wire.send(command::LOGIN, secret.as_bytes());
        drop(wire);
    }
}

#[test]
fn nothing_secret_is_where_it_must_not_be() {
    let mut server = Server::dev().shards(2).flag("--test-routes").start();
    create_person(&server, 1, "admin", EMAIL, PASSWORD);
    let address = server.address();
    let mut eve = SignedIn::new(address, EMAIL, PASSWORD);
    let mut canaries = Canaries(Vec::new());
    for (what, secret) in [
        ("an address", EMAIL),
        ("another address", OTHER),
        ("a password", PASSWORD),
        ("a wrong password", WRONG),
        ("a wrong token", WRONG_TOKEN),
        ("a value", VALUE),
    ] {
        canaries.add(what, secret);
    }
    canaries.add("what stands for a password", &password_hash(EMAIL, PASSWORD));
    canaries.add("what stands for a wrong password", &password_hash(EMAIL, WRONG));
    let wrong = json!({"email": EMAIL, "hash": password_hash(EMAIL, WRONG)});
    let refused = SignedIn::stranger(address).ask("POST", "/session", Some(wrong));
    assert_eq!(refused.status, 401);
    canaries.expect_none("a refusal", refused.text.as_bytes());
    let text_of =
        |value: &Value, name: &str| value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned();

    // What people and programs hold.
    let made = eve.good("POST", "/orgs/1/keys", Some(json!({"name": "CI", "permissions": ["device.view"]})));
    let key = text_of(&made, "secret");
    canaries.add("a key", &key);
    SignedIn::with_key(address, &key).good("GET", "/orgs/1/devices", None);
    canaries.add(
        "a key that was rotated",
        &text_of(&eve.good("POST", &format!("/orgs/1/keys/{}/rotate", made["id"]), Some(json!({}))), "secret"),
    );
    canaries.add(
        "a personal key",
        &text_of(&eve.good("POST", "/me/keys", Some(json!({"name": "mine", "permissions": ["org.view"]}))), "secret"),
    );
    let made =
        eve.good("POST", "/orgs/1/keys", Some(json!({"name": "app", "kind": "oauth", "permissions": ["device.view"]})));
    let client = text_of(&made, "secret");
    canaries.add("the secret of a client", &client);
    let ask = json!({"grant_type": "client_credentials", "client_id": made["id"].to_string(), "client_secret": client});
    let tokens = SignedIn::stranger(address).good("POST", "/oauth2/token", Some(ask));
    canaries.add("an access token", &text_of(&tokens, "access_token"));
    canaries.add("a refresh token", &text_of(&tokens, "refresh_token"));
    eve.good("POST", "/orgs/1/invites", Some(json!({"email": OTHER, "role": 4})));
    let invite = link(&server, OTHER, "invite");
    canaries.add("the secret of an invitation", &invite);
    let body = json!({"token": invite, "email": OTHER, "name": "Bob", "hash": password_hash(OTHER, PASSWORD),
                      "consents": ["account"]});
    SignedIn::stranger(address).good("POST", "/verify", Some(body));
    SignedIn::stranger(address).good("POST", "/reset", Some(json!({"email": OTHER})));
    canaries.add("the secret of a reset", &link(&server, OTHER, "reset"));
    let secret = text_of(&eve.good("POST", "/me/totp", Some(json!({}))), "secret");
    canaries.add("the secret of a factor", &secret);
    let confirmed = eve.ask("POST", "/me/totp/confirm", Some(json!({"code": totp(&secret, 0)})));
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    for code in confirmed.body["recovery"].as_array().expect("codes") {
        canaries.add("a recovery code", code.as_str().expect("a text"));
    }
    eve.take(&confirmed);
    let (_, session) = eve.cookie().split_once('=').expect("a cookie");
    canaries.add("a session", session.split(';').next().unwrap_or_default());
    canaries.add("a mark against forged requests", eve.csrf());

    // What devices hold.
    let template = json!({"name": "Pump", "streams": [{"pin": "V1", "name": "Speed", "kind": "double"}], "events": [{"code": "dry", "name": "Dry", "level": "info", "text": ""}]});
    let template = text_of(&eve.good("POST", "/orgs/1/templates", Some(template)), "id");
    let made = eve.good("POST", "/orgs/1/devices", Some(json!({"name": "d", "template": template})));
    let (id, old) = (made["id"].clone(), text_of(&made, "token"));
    canaries.add("a token that was replaced", &old);
    let mut wire = Wire::login(address, &old);
    wire.send_parts(command::HARDWARE, &["vw", "1", "7"]);
    wire.send_parts(command::EMAIL, &[OTHER, "subject", "body"]);
    wire.send_parts(command::BRIDGE, &["64", "i", WRONG_TOKEN]);
    // All of it was looked at when nothing more is answered.
    while wire.receive(Duration::from_millis(500)).is_some() {}
    let token = text_of(&eve.good("POST", &format!("/orgs/1/devices/{id}/token"), Some(json!({}))), "token");
    canaries.add("a token", &token);
    let mut wire = Wire::login(address, &token);
    wire.send_parts(command::HARDWARE, &["vw", "1", "8"]);
    wire.expect_pong();
    let pairs = eve.good("POST", "/orgs/1/static", Some(json!({"template": template, "count": 1})));
    canaries.add("a token from the factory", &text_of(&pairs["items"][0], "token"));
    canaries.add("the code of a claim", &text_of(&pairs["items"][0], "claim"));
    let board = eve.good("POST", "/orgs/1/provision", Some(json!({"name": "b"})));
    canaries.add("the token of a board", &text_of(&board, "token"));
    let mut late = Wire::connect(address);
    late.send(command::LOGIN, WRONG_TOKEN.as_bytes());
    late.expect_end(EFFECT);
    misuse(&server, &eve, &canaries);

    // The same over TLS; a value as a device may write it, and as it may not.
    let mut secure = Secure::connect(server.tls_address(), &Trust::new(&server.ca()));
    assert!(secure.get(&format!("/external/api/update?token={token}&v1=9"), 1).starts_with("HTTP/1.1 200"));
    for path in [format!("/{WRONG_TOKEN}/get/V1"), format!("/external/api/update?token={token}&v1={VALUE}")] {
        let answer = secure.get(&path, 1);
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        canaries.expect_none("an answer over TLS", answer.as_bytes());
    }
    let free = server.devices()[1].clone();
    let mut wire = Wire::login(address, &free.token);
    wire.send_parts(command::HARDWARE, &["vw", "2", VALUE]);
    wire.expect_pong();
    assert_eq!(server.value(&free, "V2").as_deref(), Some(VALUE));
    let unseal = std::fs::read(server.data_path().join("unseal.key")).expect("the key of a demo");

    // Where they must not be.
    let backups = server.folder().join("backups");
    let _ = server.ask(&["backup", "create", "--to", backups.to_str().expect("UTF-8")]);
    let monitor = text(server.ready(), "metrics").parse().expect("an address");
    let page = Http::connect(monitor).get("/metrics").body;
    canaries.expect_none("the metrics", page.as_bytes());
    for path in [format!("/orgs/1/devices/{id}/diary"), "/orgs/1/attempts".to_owned()] {
        canaries.expect_none(&path, eve.ask("GET", &path, None).text.as_bytes());
    }
    let id = id.to_string();
    for args in [&["device", "diary", &id][..], &["device", "show", &id], &["device", "list"], &["status"]] {
        canaries.expect_none(&format!("{args:?}"), server.operate(args).0.as_bytes());
    }
    assert!(server.log().matches("panicked").count() > 10, "the test route panics: {}", server.log());
    let bytes = expect_none_in(&canaries, &server.data_path()) + expect_none_in(&canaries, &backups);
    assert!(bytes > 10_000, "only {bytes} bytes were looked at");
    assert!(server.stop().success());
    expect_none_in(&canaries, &server.data_path());
    // `dev` prints the first value of each pin, for whoever stands before the board.
    let first = format!(" first value: V2 = {VALUE}");
    let log: String = server.log().split_inclusive('\n').filter(|line| !line.trim_end().ends_with(&first)).collect();
    canaries.expect_none("the log", log.as_bytes());
    let copies = files(&backups).into_iter().map(|path| std::fs::read(path).expect("reads"));
    for bytes in copies.chain([server.log().into_bytes(), page.clone().into_bytes()]) {
        assert!(memmem::find(&bytes, &unseal).is_none(), "what unseals the store has left its file");
    }
    positive_control(&server, &canaries, (&invite, &page));
}

/// The search finds each of them where it is, and the places that it looked at hold what they should.
fn positive_control(server: &Server, canaries: &Canaries, (invite, page): (&str, &str)) {
    assert!(canaries.0.len() > 60, "{} canaries", canaries.0.len());
    for (what, needle) in &canaries.0 {
        let planted = [b"before ", needle.as_slice(), b" after"].concat();
        assert!(canaries.in_bytes(&planted).contains(what), "{what} is not found");
    }
    let mails: Vec<u8> = files(&server.data_path().join("mail"))
        .into_iter()
        .flat_map(|path| std::fs::read(path).expect("reads"))
        .collect();
    let found = canaries.in_bytes(&mails);
    assert!(
        found.iter().any(|what| what == "another address")
            && found.iter().any(|what| what == "the secret of an invitation"),
        "{found:?}"
    );
    assert!(!invite.is_empty() && page.contains("linchpin_connections"));
    let log = server.log();
    assert!(log.contains("DEBUG") && log.contains("E0"), "the log is at debug, and has ends: {log}");
}

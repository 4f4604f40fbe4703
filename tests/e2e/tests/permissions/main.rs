//! Threat 1: every line of `tests/fixtures/permissions.toml` on the running server, for every role, in the organization where
//! it counts, the one below, above, beside, the first one, and one that there is not; and with ids of those in the path, the
//! query and the body. What is expected is written there by hand.

#![allow(clippy::print_stdout, reason = "what was tried, and how many cells there are, is part of the outcome")]

mod cells;
mod world;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use linchpin_compat::eventually;
use linchpin_e2e::{SignedIn, password_hash};
use linchpin_tests::tree::permissions::PermissionTable;
use serde_json::{Value, json};

use cells::Cells;
use world::{Caller, PASSWORD, World};

const ROLES: [(char, &str, u16); 5] =
    [('A', "admin", 1), ('S', "staff", 2), ('U', "user", 3), ('V', "viewer", 4), ('I', "installer", 5)];

fn table() -> PermissionTable {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/permissions.toml");
    PermissionTable::parse(&std::fs::read_to_string(path).expect("the table")).expect("as it should be")
}

/// Method and path of each row, as the server says it.
fn routes(served: &Value) -> BTreeMap<String, (String, String)> {
    let mut found = BTreeMap::new();
    for (path, methods) in served["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let name = operation["operationId"].as_str().expect("a name").to_owned();
            let path = path.strip_prefix("/api/v1").unwrap_or(path).to_owned();
            found.insert(name, (method.to_uppercase(), path));
        }
    }
    found
}

#[test]
fn threat_1_every_route_for_every_role_everywhere() {
    let table = table();
    let mut world = World::new();
    let served = SignedIn::stranger(world.server.address()).good("GET", "/openapi.json", None);
    let routes = routes(&served);
    for name in routes.keys() {
        let is_known = table.open.contains_key(name) || table.lines.iter().any(|line| line.name == *name);
        assert!(is_known, "{name}: write in tests/fixtures/permissions.toml who may use it");
    }
    let mut callers: Vec<Caller> = Vec::new();
    for below in [true, false] {
        callers.extend(ROLES.map(|role| world.caller(role, below)));
    }
    callers.push(world.key_caller());
    let half = half_signed_in(&mut world);
    let mut cells = Cells::new(world, routes, half);
    // `LINCHPIN_ROWS=fleet.` tries those rows only.
    let wanted = std::env::var("LINCHPIN_ROWS").unwrap_or_default();
    for line in table.lines.iter().filter(|line| line.name.starts_with(&wanted)) {
        let begun = Instant::now();
        cells.for_others(line, &callers[0].client);
        if line.has_place {
            cells.in_every_place(line, &callers);
            cells.with_foreign_ids(line, &callers);
        } else {
            cells.for_oneself(line, &mut callers);
        }
        println!("{} {}: {} ms", line.name, line.case, begun.elapsed().as_millis());
    }
    if wanted.is_empty() {
        open_doors(&mut cells.world, &table);
    }
    let (cells, allowed, wrong) = cells.finished();
    assert!(wrong.is_empty(), "{} of {cells} cells are not as expected:\n{}", wrong.len(), wrong.join("\n"));
    println!("permissions: {cells} cells, {allowed} of them allowed, {} lines", table.lines.len());
    assert!(!wanted.is_empty() || cells > 5_000 && allowed > 500, "{cells} cells, {allowed} allowed");
}

/// An Admin who has a second factor and has given only the password.
fn half_signed_in(world: &mut World) -> SignedIn {
    let mut caller = world.caller(('A', "admin", 1), true);
    let secret =
        caller.client.good("POST", "/me/totp", Some(json!({})))["secret"].as_str().expect("a secret").to_owned();
    let code = linchpin_e2e::totp(&secret, 0);
    let confirmed = caller.client.ask("POST", "/me/totp/confirm", Some(json!({"code": code})));
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    caller.client.take(&confirmed);
    SignedIn::new(world.server.address(), &caller.email, PASSWORD)
}

/// What whoever comes may do, once each; the first two were done when the world was made.
fn open_doors(world: &mut World, table: &PermissionTable) {
    // The last ones are tried by the tests of mail and of sign-ins at another server.
    let done = [
        "setup.open",
        "setup.state",
        "session.open",
        "invite.accept",
        "password.forgot",
        "password.reset",
        "oauth.token",
        "sign-up",
        "me.email-confirm",
        "me.email-stop",
        "oidc.list",
        "oidc.start",
        "oidc.callback",
    ];
    for name in table.open.keys() {
        assert!(done.contains(&&**name), "{name} is open to everybody: use it in open_doors() once");
    }
    let stranger = SignedIn::stranger(world.server.address());
    let email = world.fresh_email(world::Place::Own);
    let org = world.org(world::Place::Own);
    world.root.good("POST", &format!("/orgs/{org}/invites"), Some(json!({"email": email, "role": 4})));
    let token = mailed(world, &email, "invite");
    let hash = password_hash(&email, PASSWORD);
    let body = json!({"token": token, "email": email, "name": "New", "hash": hash, "consents": ["account"]});
    stranger.good("POST", "/verify", Some(body.clone()));
    stranger.refused("POST", "/verify", Some(body), 410);
    let _ = SignedIn::new(world.server.address(), &email, PASSWORD);
    stranger.good("POST", "/reset", Some(json!({"email": email})));
    let token = mailed(world, &email, "reset");
    let body = json!({"token": token, "email": email, "hash": hash});
    stranger.good("POST", "/reset/confirm", Some(body.clone()));
    stranger.refused("POST", "/reset/confirm", Some(body), 410);
    let client = json!({"name": "CI", "kind": "oauth", "permissions": ["device.view"]});
    let made = world.root.good("POST", &format!("/orgs/{org}/keys"), Some(client));
    let ask = json!({"grant_type": "client_credentials", "client_id": made["id"].to_string(), "client_secret": made["secret"]});
    let tokens = stranger.good("POST", "/oauth2/token", Some(ask));
    let program = SignedIn::with_key(world.server.address(), tokens["access_token"].as_str().expect("a token"));
    program.good("GET", &format!("/orgs/{org}/devices"), None);
    program.refused("GET", &format!("/orgs/{org}"), None, 403);
}

/// The secret of a link that was mailed to somebody.
fn mailed(world: &World, to: &str, page: &str) -> String {
    let folder = world.server.data_path().join("mail");
    let (to, page) = (format!("To: {to}\r\n"), format!("/{page}#"));
    eventually(Duration::from_secs(20), "the mail is there", || {
        let entries = std::fs::read_dir(&folder).ok()?;
        let texts = entries.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok());
        let text = texts.into_iter().find(|text| text.contains(&to) && text.contains(&page))?;
        let link = text.lines().find(|line| line.contains('#'))?.to_owned();
        let (_, fragment) = link.trim().split_once('#')?;
        let token = fragment.split('&').next().unwrap_or_default();
        Some(token.strip_prefix("token=").unwrap_or(token).to_owned())
    })
}

//! How many requests a minute programs may send.

use linchpin_compat::Server;
use linchpin_e2e::{Http, SignedIn, create_person};
use serde_json::{Value, json};

const PASSWORD: &str = "a lamp in the harbour";

fn key(admin: &SignedIn, org: u64, more: &Value) -> (String, String) {
    let mut body = json!({"name": "CI", "permissions": ["device.view", "org.view"]});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let made = admin.good("POST", &format!("/orgs/{org}/keys"), Some(body));
    (made["id"].to_string(), made["secret"].as_str().expect("a secret").to_owned())
}

/// Ask until it is too much; how many requests were answered.
fn answered(program: &SignedIn, path: &str, most: usize) -> usize {
    for count in 0..most {
        let answer = program.ask("GET", path, None);
        if answer.status == 429 {
            assert_eq!(answer.body["code"], "E0617", "{}", answer.text);
            let wait: u64 = answer.field("retry-after").expect("when").parse().expect("seconds");
            assert!((1..=60).contains(&wait), "{wait} s");
            return count;
        }
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    panic!("{most} requests were answered");
}

#[test]
fn keys_and_their_organizations_have_so_many_requests_a_minute() {
    let server = Server::dev().start();
    create_person(&server, 1, "admin", "eve@example.com", PASSWORD);
    let eve = SignedIn::new(server.address(), "eve@example.com", PASSWORD);
    let made = eve.good("POST", "/orgs/1/orgs", Some(json!({"name": "North", "policy": {"requests_per_minute": 12}})));
    let org = made["id"].as_u64().expect("a number");
    let path = format!("/orgs/{org}");
    let with = |secret: &str| SignedIn::with_key(server.address(), secret);

    let (_, slow) = key(&eve, org, &json!({"requests_per_minute": 5}));
    assert_eq!(answered(&with(&slow), &path, 20), 5);
    // An access token counts for its client, whatever token it is.
    let (id, secret) = key(&eve, org, &json!({"kind": "oauth", "requests_per_minute": 3}));
    let token = || {
        let ask = json!({"grant_type": "client_credentials", "client_id": id, "client_secret": secret});
        let tokens = SignedIn::stranger(server.address()).good("POST", "/oauth2/token", Some(ask));
        with(tokens["access_token"].as_str().expect("a token"))
    };
    with_two(&token(), &token(), &path);
    // All of them together: 12, of which 8 are gone.
    let (_, other) = key(&eve, org, &json!({}));
    assert_eq!(answered(&with(&other), &path, 30), 4);
    // Another organization's keys, and people, go on.
    let (_, elsewhere) = key(&eve, 1, &json!({}));
    for _ in 0..30 {
        assert_eq!(with(&elsewhere).ask("GET", "/orgs/1", None).status, 200);
        assert_eq!(eve.ask("GET", &path, None).status, 200);
    }
    let monitor = server.ready()["metrics"].as_str().expect("an address").parse().expect("an address");
    let page = Http::connect(monitor).get("/metrics").body;
    let line = page.lines().find(|line| line.starts_with("linchpin_api_paced_total ")).expect("a metric");
    assert_eq!(line, "linchpin_api_paced_total 3");
}

fn with_two(one: &SignedIn, other: &SignedIn, path: &str) {
    assert_eq!(one.ask("GET", path, None).status, 200);
    assert_eq!(answered(other, path, 20), 2);
}

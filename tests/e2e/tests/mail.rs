//! Mail against a mail server: what waits survives kill -9, what is refused is tried again or given up, and links do what they
//! say.

use std::process::Command;
use std::time::Duration;

use linchpin_compat::{Server, eventually, text};
use linchpin_e2e::mail::{MailPartner, Trusted, config};
use linchpin_e2e::{Browser, create_person, password_hash};
use rustix::process::Signal;
use serde_json::json;

const PASSWORD: &str = "a lamp in the harbour";
const EVE: &str = "eve@example.com";
/// For what the task of mails does: a pause of 5 s between two tries, and a busy machine.
const TRIES: Duration = Duration::from_secs(90);

struct World {
    trusted: Trusted,
    mail: MailPartner,
    server: Server,
    eve: Browser,
}

/// Eve is the Admin, and signed in.
fn world(console: &str) -> World {
    let trusted = Trusted::make();
    let mail = MailPartner::start(&trusted);
    let server = Server::serve(&config(&trusted, &mail, console)).start();
    create_person(&server, 1, "admin", EVE, PASSWORD);
    let mut eve = Browser::over_tls(&server, &trusted.path("ca.pem"));
    let _ = eve.sign_in(EVE, PASSWORD, None).good();
    let _ = mail.mail(EVE, "new browser");
    eventually(TRIES, "nothing waits", || (metric(&server, "linchpin_mails_waiting") == 0).then_some(()));
    World { trusted, mail, server, eve }
}

fn invite(eve: &mut Browser, email: &str) {
    let body = json!({"email": email, "role": 2, "below": false});
    assert_eq!(eve.post("/orgs/1/invites", &body).status, 201);
}

/// A figure of the metrics.
fn metric(server: &Server, name: &str) -> u64 {
    let url = format!("http://{}/metrics", text(server.ready(), "metrics"));
    let output = Command::new("curl").args(["--silent", "--max-time", "30", &url]).output().expect("curl is installed");
    let page = String::from_utf8(output.stdout).expect("text");
    let line =
        page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap_or_else(|| panic!("{page}"));
    line.parse().expect("a number")
}

#[test]
fn what_waits_survives_a_kill_and_is_sent_once_it_can_be() {
    let World { trusted: _trusted, mail, mut server, mut eve } = world("");
    // The server takes the mail and does not say so: whether it was sent is not known when the program is killed.
    mail.mode("hold");
    invite(&mut eve, "bob@example.com");
    let first = mail.mail("bob@example.com", "invited");
    server.signal(Signal::KILL);
    eventually(TRIES, "it has ended", || server.has_ended().then_some(()));
    mail.mode("take");
    server.start_again();
    let of_bob =
        |mail: &MailPartner| mail.taken().into_iter().filter(|taken| taken.to == "bob@example.com").collect::<Vec<_>>();
    eventually(TRIES, "it is sent again after the start", || (of_bob(&mail).len() == 2).then_some(()));
    let both = of_bob(&mail);
    assert_eq!(both[0].field("Message-ID"), both[1].field("Message-ID"), "a mailbox can tell that it is one mail");
    assert!(first.secret().starts_with("lpi_") && both[1].secret() == first.secret());
    eventually(TRIES, "it is done", || (metric(&server, "linchpin_mails_waiting") == 0).then_some(()));
    // Not a third time: neither now nor after another start.
    server.restart();
    let mut again = Browser::over_tls(&server, &_trusted.path("ca.pem"));
    let _ = again.sign_in(EVE, PASSWORD, None).good();
    invite(&mut again, "carol@example.com");
    let _ = mail.mail("carol@example.com", "invited");
    assert_eq!(of_bob(&mail).len(), 2);
}

#[test]
fn what_is_refused_is_tried_again_or_given_up_and_counted() {
    let World { trusted: _trusted, mail, server, mut eve } = world("");
    mail.mode("451");
    invite(&mut eve, "bob@example.com");
    eventually(TRIES, "it was tried", || (mail.refused() > 0).then_some(()));
    assert!(metric(&server, "linchpin_mails_waiting") >= 1);
    mail.mode("take");
    // What waits is looked at once a minute.
    let has_come = || mail.taken().iter().any(|taken| taken.to == "bob@example.com").then_some(());
    eventually(2 * TRIES, "the mail comes at a later try", has_come);
    let taken = mail.mail("bob@example.com", "invited");
    assert!(taken.tls, "nothing goes without TLS");
    mail.mode("550");
    invite(&mut eve, "nobody@example.com");
    let given_up = || (metric(&server, "linchpin_mails_given_up_total") == 1).then_some(());
    eventually(TRIES, "it is given up", given_up);
    eventually(TRIES, "nothing waits", || (metric(&server, "linchpin_mails_waiting") == 0).then_some(()));
    assert!(metric(&server, "linchpin_mail_failures_total") >= 2);
    // The operator hears of it, and of no address: the mail server's words had one.
    let log = server.log();
    assert!(log.contains("a mail was given up: the server answered 550"), "{log}");
    for canary in ["nobody@", "bob@", EVE, "lpi_", MailPartner::LOGIN.1] {
        let line = log.lines().find(|line| line.contains(canary));
        assert!(line.is_none(), "{canary}: {line:?}");
    }
}

#[test]
fn a_forgotten_password_is_set_by_a_link_and_the_owner_hears_of_it() {
    let World { trusted, mail, server, mut eve } = world("");
    let _ = eve.ask("PATCH", "/me", Some(&json!({"locale": "de"}))).good();
    let ca = trusted.path("ca.pem");
    let mut stranger = Browser::over_tls(&server, &ca);
    for email in ["nobody@example.com", EVE] {
        assert_eq!(stranger.post("/reset", &json!({"email": email})).status, 202);
    }
    let taken = mail.mail(EVE, "Neues Passwort");
    assert!(taken.plain().contains("für Ihr Konto"), "{}", taken.plain());
    assert!(mail.taken().iter().all(|mail| mail.to == EVE), "nobody is written to who has no account");
    let hash = password_hash(EVE, "another lamp, another harbour");
    let body = json!({"token": taken.secret(), "email": EVE, "hash": hash});
    assert_eq!(stranger.post("/reset/confirm", &body).status, 204);
    stranger.post("/reset/confirm", &body).expect_problem(410, "E0613");
    eve.get("/me").expect_problem(401, "E0602");
    let notice = mail.mail(EVE, "Passwort hat sich");
    assert!(notice.secret().is_empty() && notice.plain().contains("setzen Sie sofort ein neues"));
    let _ = eve.sign_in(EVE, "another lamp, another harbour", None).good();
}

/// The way of the journeys in tests/console.rs, whose mails are files, with a mail server between.
#[test]
fn an_invitation_by_mail_is_accepted_in_a_browser() {
    let World { trusted: _trusted, mail, server, mut eve } = world("");
    let to = "jonas@example.com";
    assert_eq!(eve.post("/orgs/1/invites", &json!({"email": to, "role": 2})).status, 201);
    let taken = mail.mail(to, "invited");
    let plain = taken.plain();
    let path = plain.split_once("/invite#").map(|(_, rest)| rest).unwrap_or_else(|| panic!("no link in {plain}"));
    let path = path.split_whitespace().next().unwrap_or_default();
    // The server was given port 0, which its links cannot name.
    let link = format!("https://{}/invite#{path}", server.tls_address());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../console.sh");
    let output = Command::new("timeout").args(["120", "bash", script, "invited", &link]).output().expect("a shell");
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}\n{}", words(&output.stdout), words(&output.stderr), server.log());
    let users = eve.get("/orgs/1/users").good();
    assert!(users["items"].as_array().expect("a list").iter().any(|user| user["email"] == to), "{users}");
}

#[test]
fn an_address_changes_by_the_new_mailbox_and_is_stopped_by_the_old_one() {
    let World { trusted, mail, server, mut eve } = world("");
    let new = "eve@harbour.example";
    let ask = |eve: &mut Browser, new: &str| {
        let (old_hash, new_hash) = (password_hash(EVE, PASSWORD), password_hash(new, PASSWORD));
        eve.ask("PUT", "/me/email", Some(&json!({"new_email": new, "old": old_hash, "new": new_hash})))
    };
    assert_eq!(ask(&mut eve, "mallory@example.com").status, 202);
    let stop = mail.mail(EVE, "about to change");
    let (_, confirm) = (mail.mail(EVE, "about to change"), mail.mail("mallory@example.com", "Confirm"));
    let mut stranger = Browser::over_tls(&server, &trusted.path("ca.pem"));
    assert_eq!(stranger.post("/verify/stop", &json!({"token": stop.secret()})).status, 204);
    stranger.post("/verify/address", &json!({"token": confirm.secret()})).expect_problem(410, "E0613");
    eve.get("/me").expect_problem(401, "E0602");
    let _ = eve.sign_in(EVE, PASSWORD, None).good();
    assert_eq!(ask(&mut eve, new).status, 202);
    let confirm = mail.mail(new, "Confirm");
    assert_eq!(stranger.post("/verify/address", &json!({"token": confirm.secret()})).status, 204);
    eve.get("/me").expect_problem(401, "E0602");
    for mailbox in [EVE, new] {
        assert!(mail.mail(mailbox, "has changed").secret().is_empty());
    }
    stranger.sign_in(EVE, PASSWORD, None).expect_problem(401, "E0604");
    eventually(TRIES, "the new address signs in", || {
        let answer = eve.sign_in(new, PASSWORD, None);
        (answer.status != 429).then(|| answer.good())
    });
    assert_eq!(eve.get("/me").good()["user"]["email"], new);
}

#[test]
fn people_sign_up_where_the_operator_allows_it() {
    let World { trusted, mail, server, mut eve } =
        world("register = 1\nsecurity_contact = [\"mailto:security\\u0040iot.example\"]");
    let mut stranger = Browser::over_tls(&server, &trusted.path("ca.pem"));
    for email in ["bob@example.com", EVE] {
        assert_eq!(stranger.post("/register", &json!({"email": email, "locale": "de"})).status, 202);
    }
    let link = mail.mail("bob@example.com", "Anmeldung");
    let exists = mail.mail(EVE, "account already");
    assert!(exists.secret().is_empty());
    let hash = password_hash("bob@example.com", PASSWORD);
    let body = json!({"token": link.secret(), "email": "bob@example.com", "name": "Bob", "hash": hash,
                      "consents": ["account"]});
    let _ = stranger.post("/verify", &body).good();
    let _ = stranger.sign_in("bob@example.com", PASSWORD, None).good();
    let me = stranger.get("/me").good();
    assert_eq!((&me["grants"][0]["org"], &me["grants"][0]["role_name"]), (&json!(1), &json!("User")));
    // So does a program of Blynk's Platform API for somebody.
    let body = json!({"email": "fred@example.com", "locale": "en"});
    assert_eq!(eve.post("/organization/users/register", &body).status, 204);
    assert!(!mail.mail("fred@example.com", "signing up").secret().is_empty());
    let page = stranger.ask_raw("GET", "/.well-known/security.txt", &[], None);
    let page = page.body.as_str().unwrap_or_default().to_owned();
    assert!(page.starts_with("Contact: mailto:security@iot.example\nExpires: 20"), "{page}");
    // Elsewhere nobody does.
    let closed = Server::dev().start();
    let mut stranger = Browser::new(&closed);
    stranger.post("/register", &json!({"email": "bob@example.com"})).expect_problem(409, "E0614");
    assert_eq!(stranger.ask_raw("GET", "/.well-known/security.txt", &[], None).status, 404);
}

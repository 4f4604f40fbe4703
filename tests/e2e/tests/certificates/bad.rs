//! An authority that misbehaves, and the server's real client: the certificate that works serves on, and a server that is
//! killed at any step goes on with its key and its order. Weeks of it pass in virtual time in control's own tests.

use std::time::{Duration, SystemTime};

use linchpin_compat::{Server, eventually, field, text};
use linchpin_e2e::BadAuthority;
use linchpin_e2e::authority::PebbleAuthority;
use linchpin_tls::LocalAuthority;
use rustix::process::Signal;
use serde_json::Value;

use crate::setting::{ISSUED, NAME, Ports, issued, served_serial, status};

/// A client gives an answer up after 30 s.
const GIVEN_UP: Duration = Duration::from_secs(60);

fn config(ports: &Ports, good: &PebbleAuthority, bad: &BadAuthority) -> String {
    let config = ports.config(good, "challenges = [\"tls-alpn-01\"]", &format!("names = [\"{NAME}\"]"));
    config.replace(&good.directory(), &bad.directory())
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_secs()
}

/// What the log of orders says last.
fn last_word(line: &Value) -> String {
    let log = field(line, "log").as_array().expect("a list");
    log.last().map(|note| text(note, "text").to_owned()).unwrap_or_default()
}

#[test]
fn whatever_the_authority_does_the_old_certificate_serves_on() {
    let ports = Ports::free();
    let good = PebbleAuthority::start(&ports.options());
    let bad = BadAuthority::start(&good);
    let now = now_s();
    let another = LocalAuthority::make("Another", now, Duration::from_secs(864_000)).expect("an authority");
    let another = another.server(&[NAME], now, Duration::from_secs(432_000)).expect("a certificate");
    bad.set_other_chain(&another.chain_pem);
    let server = Server::serve(&config(&ports, &good, &bad)).start();
    issued(ports.address(), &[]);
    let first = served_serial(ports.address()).expect("it is served");
    let cases = [
        ("error-500", "serverInternal"),
        ("limited 3600", "the next attempt is in 60 min"),
        ("nonces", "badNonce"),
        ("replaced", "alreadyReplaced"),
        ("page", "the next attempt is in"),
        ("cut", "the next attempt is in"),
        ("another-key", "the order ended without a certificate"),
        ("hangs", "no answer in time"),
    ];
    for (mode, expected) in cases {
        bad.set(mode);
        let failures = field(&status(&server), "failures").as_u64().expect("a number");
        let (_, said, ended) = server.operate(&["cert", "renew"]);
        assert!(ended.success(), "{mode}: {said}");
        let line = eventually(GIVEN_UP, "the attempt fails", || {
            Some(status(&server)).filter(|line| field(line, "failures").as_u64() > Some(failures))
        });
        assert!(last_word(&line).contains(expected), "{mode}: {line}");
        assert_eq!(served_serial(ports.address()).as_ref(), Some(&first), "{mode}: the old one serves on");
        let again_s = field(&line, "not_before_s").as_u64().expect("s").saturating_sub(now_s());
        let least = if mode.starts_with("limited") { 3_500 } else { 30 };
        assert!(again_s >= least, "{mode}: the next attempt is in {again_s} s");
    }
    // An order that is worked on for ever holds nothing up, and is done once the authority is well again.
    bad.set("works-on");
    let finalized = bad.seen("finalize");
    let (_, said, ended) = server.operate(&["cert", "renew"]);
    assert!(ended.success(), "{said}");
    eventually(ISSUED, "the order is finalized", || (bad.seen("finalize") > finalized).then_some(()));
    assert_eq!(served_serial(ports.address()).as_ref(), Some(&first));
    let orders = bad.seen("order");
    bad.set("good");
    let second =
        eventually(ISSUED, "the order is done", || served_serial(ports.address()).filter(|serial| *serial != first));
    assert_eq!(bad.seen("order"), orders, "the same order: nothing was placed anew");
    // A window that has passed means now, but not twice a day; one in a hundred years means when two thirds have passed.
    if good.is_modern {
        windows(&server, &bad, &ports, &second);
    }
}

fn windows(server: &Server, bad: &BadAuthority, ports: &Ports, serial: &str) {
    for window in ["window 1970", "window 2100"] {
        bad.set(window);
        let asked = bad.seen("window");
        let orders = bad.seen("order");
        // Pebble shows a certificate shortly before it can look its order up: an order that replaces it fails until then.
        let (said, ended) = eventually(ISSUED, "pebble knows the certificate", || {
            let (_, said, ended) = server.operate(&["cert", "renew", "--wait"]);
            (!said.contains("could not find order")).then_some((said, ended))
        });
        assert!(ended.success(), "{window}: {said}");
        eventually(ISSUED, "the window is asked for", || (bad.seen("window") > asked).then_some(()));
        let line =
            eventually(ISSUED, "it is idle", || Some(status(server)).filter(|line| text(line, "state") == "idle"));
        let held = field(&line, "current");
        let [from_s, until_s] = ["not_before_s", "not_after_s"].map(|name| held[name].as_u64().expect("s"));
        let due_s = field(&line, "due_s").as_u64().expect("s");
        assert!(due_s > now_s() + 80_000 && due_s < from_s + (until_s - from_s) / 4 * 3 + 1, "{window}: {line}");
        assert_eq!(bad.seen("order"), orders + 1, "{window}: one order");
    }
    assert_ne!(served_serial(ports.address()).as_deref(), Some(serial));
}

/// Steps of an order at which the server is killed, before the authority hears of the request or after it has answered.
const STEPS: [(&str, &str); 9] = [
    ("hold-before", "account"),
    ("hold-after", "account"),
    ("hold-before", "order"),
    ("hold-before", "authorization"),
    ("hold-before", "challenge"),
    ("hold-after", "challenge"),
    ("hold-before", "finalize"),
    ("hold-after", "finalize"),
    ("hold-before", "certificate"),
];

#[test]
fn a_server_that_is_killed_at_any_step_goes_on_with_its_order() {
    for (when, step) in STEPS {
        let ports = Ports::free();
        let good = PebbleAuthority::start(&ports.options());
        let bad = BadAuthority::start(&good);
        bad.set(&format!("{when} {step}"));
        let mut server = Server::serve(&config(&ports, &good, &bad)).start();
        eventually(ISSUED, "the step is reached", || bad.takes_hold().then_some(()));
        server.signal(Signal::KILL);
        eventually(ISSUED, "it is dead", || server.has_ended().then_some(()));
        bad.set("good");
        server.start_again();
        issued(ports.address(), &[]);
        // What the authority itself has seen: one order, and one account.
        let log = good.log();
        assert_eq!(log.matches("POST /order-plz").count(), 1, "{when} {step}: {log}");
        let has = |accounts: u8| log.contains(&format!("There are now {accounts} accounts in memory"));
        assert!(has(1) && !has(2), "{when} {step}: {log}");
        let line = eventually(ISSUED, "it is shown", || Some(status(&server)).filter(|it| !it["current"].is_null()));
        assert_eq!(field(&line, "failures"), &Value::from(0), "{when} {step}: {line}");
    }
}

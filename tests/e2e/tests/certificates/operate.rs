//! What an operator does with certificates that are ordered: plan, try, status, renew, roll back, revoke, export.

use linchpin_compat::{Server, eventually, field, text};
use linchpin_e2e::authority::{PebbleAuthority, s_client};

use crate::setting::{ISSUED, NAME, Ports, issued, program, served_serial, status};

fn serial_of(line: &serde_json::Value) -> String {
    text(field(line, "current"), "serial").to_owned()
}

/// Is this what a client is given?
fn serves(ports: &Ports, serial: &str) {
    eventually(ISSUED, "the certificate is served", || {
        let seen = served_serial(ports.address())?.to_lowercase();
        (seen.trim_start_matches("serial=").trim_start_matches('0') == serial.trim_start_matches('0')).then_some(())
    });
}

/// What the authority says of a certificate.
fn revoked(authority: &PebbleAuthority, serial: &str) -> bool {
    let question = format!("GET /cert-status-by-serial/{serial} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    s_client(authority.management(), &["-quiet"], &question).contains("Revoked")
}

#[test]
fn an_operator_can_plan_try_renew_roll_back_revoke_and_export() {
    let ports = Ports::free();
    let authority = PebbleAuthority::start(&ports.options());
    let config = ports.config(&authority, "challenges = [\"tls-alpn-01\"]", &format!("names = [\"{NAME}\"]"));
    let mut server = Server::serve(&config).start();
    issued(ports.address(), &[]);
    let first = eventually(ISSUED, "it is shown", || {
        let line = status(&server);
        (!field(&line, "current").is_null()).then(|| serial_of(&line))
    });
    serves(&ports, &first);

    // Nothing that a plan looks at would make an order fail here but a name that nobody can look up.
    let (plan, _, _) = server.operate(&["cert", "plan"]);
    assert!(plan.contains("ok    the clock is right") && plan.contains("dir answers"), "{plan}");
    assert!(plan.contains("fail  node.example.com has no address"), "{plan}");
    assert!(plan.contains("warn  tls-alpn-01: nothing listens on port 443"), "{plan}");

    let tried = server.ask(&["cert", "try", NAME]);
    assert!(!field(&tried, "current").is_null(), "{tried}");
    let line = status(&server);
    assert_eq!(serial_of(&line), first, "a try changes nothing: {line}");

    let renewed = server.ask(&["cert", "renew", NAME, "--wait"]);
    let second = serial_of(&renewed[0]);
    assert_ne!(second, first);
    serves(&ports, &second);

    let rolled_back = server.ask(&["cert", "rollback", NAME]);
    assert_eq!(serial_of(&rolled_back[0]), first);
    serves(&ports, &first);

    let (_, refused, _) = server.operate(&["cert", "rollback", "other.example"]);
    assert!(refused.contains("no such certificate is ordered; there are node.example.com (ecdsa)"), "{refused}");
    assert!(!revoked(&authority, &first));
    let _ = server.ask(&["cert", "revoke", NAME, "--reason", "key-compromise", "--yes"]);
    assert!(revoked(&authority, &first), "the authority knows of it");
    let third = eventually(ISSUED, "another one has come", || {
        let line = status(&server);
        Some(serial_of(&line)).filter(|serial| ![&first, &second].contains(&serial))
    });
    serves(&ports, &third);
    // What is revoked does not come back.
    let (_, refused, status_of) = server.operate(&["cert", "rollback", NAME]);
    assert!(!status_of.success() && refused.contains("no rollback"), "{refused}");

    let into = server.folder().join("exported");
    let (_, said, success) = program(&["cert", "export", NAME, "--into", &into.to_string_lossy()], &server);
    assert!(success, "{said}");
    let chain = std::fs::read_to_string(into.join("fullchain.pem")).expect("the chain");
    assert!(chain.starts_with("-----BEGIN CERTIFICATE"));
    let mode = std::os::unix::fs::MetadataExt::mode(&into.join("privkey.pem").metadata().expect("the key"));
    assert_eq!(mode & 0o777, 0o600);

    offline(&mut server, &third, &chain);
}

/// What only looks works without a server; what changes something says that there is none.
fn offline(server: &mut Server, serial: &str, chain: &str) {
    assert!(server.stop().success());
    let (shown, said, success) = program(&["cert", "status", "--json"], server);
    assert!(success && shown.contains(&format!("\"serial\":\"{serial}\"")), "{shown} {said}");
    let (exported, said, success) = program(&["cert", "export", NAME, "--json"], server);
    let exported: serde_json::Value = serde_json::from_str(&exported).unwrap_or_else(|_| panic!("{said}"));
    assert!(success && text(&exported, "chain_pem") == chain);
    let (plan, _, _) = program(&["cert", "plan"], server);
    assert!(plan.contains("ok    the clock is right"), "{plan}");
    let (_, said, success) = program(&["cert", "renew"], server);
    assert!(!success && said.contains("no server answers"), "{said}");
    // The file has no mistake, whatever the world outside is like; `doctor` says it, and ends as the server would: it starts.
    let (checked, said, success) = program(&["check"], server);
    assert!(success && checked.contains("no mistakes"), "{said}");
    assert!(said.contains("an order would fail: node.example.com has no address"), "{said}");
    let (checked, said, success) = program(&["check", "--offline"], server);
    assert!(success && checked.contains("no mistakes") && !said.contains("has no address"), "{said}");
    let (found, _, success) = program(&["doctor"], server);
    assert!(success && found.contains("fail  certificates           node.example.com has no address"), "{found}");
}

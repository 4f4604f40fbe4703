//! Certificates and authorities of other kinds: addresses, accounts that are known, records, other roots, a second authority.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use linchpin_compat::{Server, eventually, field, text};
use linchpin_e2e::authority::{AuthorityOptions, PebbleAuthority};

use crate::setting::{ISSUED, NAME, Ports, issued, program, seen, status};

const DAY_S: u64 = 86_400;

#[test]
fn an_address_gets_a_certificate_for_days() {
    let ports = Ports::free();
    let authority = PebbleAuthority::start(&ports.options());
    let order = r#"names = ["127.0.0.1"], profile = "shortlived""#;
    let server = Server::serve(&ports.config(&authority, "challenges = [\"tls-alpn-01\"]", order)).start();
    let (description, _) = issued(ports.address(), &[]);
    assert!(description.contains("IP Address:127.0.0.1"), "{description}");
    let line = eventually(ISSUED, "it is shown", || Some(status(&server)).filter(|line| !line["current"].is_null()));
    let held = field(&line, "current");
    let lifetime_s = held["not_after_s"].as_u64().expect("s") - held["not_before_s"].as_u64().expect("s");
    // Profiles came to pebble with renewal information.
    if authority.is_modern {
        assert!(lifetime_s < 8 * DAY_S, "{line}");
        let due_s = line["due_s"].as_u64().expect("s") - held["not_before_s"].as_u64().expect("s");
        assert!(due_s < lifetime_s / 4 * 3 + 1, "{line}");
    }
}

#[test]
fn an_account_that_the_authority_must_know() {
    let ports = Ports::free();
    let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let binding = Some(("kid-1".to_owned(), key.to_owned()));
    let authority = PebbleAuthority::start(&AuthorityOptions { binding, ..ports.options() });
    let order = format!("names = [\"{NAME}\"]");
    let without = Server::serve(&ports.config(&authority, "", &order)).start();
    let (plan, _, _) = without.operate(&["cert", "plan"]);
    assert!(plan.contains("wants an account that is known to it: set [acme] eab"), "{plan}");
    eventually(ISSUED, "the authority refuses it", || {
        let line = status(&without);
        (field(&line, "failures").as_u64() >= Some(1)).then_some(())
    });
    drop(without);
    let eab = "eab = { kid = \"kid-1\", key = \"file:@/eab.key\" }";
    let with = Server::serve(&ports.config(&authority, eab, &order));
    std::fs::write(with.folder().join("eab.key"), key).expect("writes");
    let mut server = with.start();
    issued(ports.address(), &[]);
    assert!(!server.log().contains(key), "no key in the log");
    // The account is known from then on, by the key that was bound.
    server.restart();
    let _ = server.ask(&["cert", "renew", "--wait"]);
}

#[test]
fn a_wildcard_by_records_that_a_hook_sets_and_removes() {
    let ports = Ports::free();
    let authority = PebbleAuthority::start(&ports.options());
    let order = r#"names = ["*.node.example.com", "node.example.com"]"#;
    let more = "challenges = [\"dns-01\"]\ndns_hook = \"@/hook\"";
    let start = Server::serve(&ports.config(&authority, more, order));
    let (hook, said) = (start.folder().join("hook"), start.folder().join("said"));
    // Both names have the same record, with a text each: the name server keeps what was added.
    let script = format!(
        "#!/bin/sh\necho \"$1 $2 $3\" >> {}\ncase $1 in present) way=set-txt;; *) way=clear-txt;; esac\n\
         exec curl -sf -d \"{{\\\"host\\\":\\\"$3.\\\",\\\"value\\\":\\\"$4\\\"}}\" http://{}/$way >/dev/null\n",
        said.display(),
        authority.dns_management()
    );
    std::fs::write(&hook, script).expect("writes");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o700)).expect("its own file");
    let server = start.start();
    let (description, _) = issued(ports.address(), &[]);
    assert!(description.contains("DNS:*.node.example.com"), "{description}");
    let said = || std::fs::read_to_string(&said).expect("the hook ran");
    for name in ["*.node.example.com", "node.example.com"] {
        assert!(said().contains(&format!("present {name} _acme-challenge.node.example.com")), "{}", said());
        eventually(ISSUED, "the record is removed", || {
            said().contains(&format!("cleanup {name} _acme-challenge.node.example.com")).then_some(())
        });
    }
    assert!(server.log().contains("by dns-01"), "{}", server.log());
}

/// Two roots, of which devices have the second only.
#[test]
fn the_chain_is_the_one_that_devices_can_use() {
    let ports = Ports::free();
    let authority = PebbleAuthority::start(&AuthorityOptions { alternate: true, chain_len: 2, ..ports.options() });
    let order = format!("names = [\"{NAME}\"]");
    for root in [0, 1] {
        let trust = "device_roots = [\"@/root.pem\"]";
        let config = ports.config_with(&authority, "challenges = [\"tls-alpn-01\"]", &order, trust);
        let start = Server::serve(&config);
        let path = start.folder().join("root.pem");
        std::fs::write(&path, authority.root(root)).expect("writes");
        let server = start.start();
        issued(ports.address(), &[]);
        let line = eventually(ISSUED, "it is shown", || Some(status(&server)).filter(|it| !it["current"].is_null()));
        assert!(field(&line, "current")["reaches_devices"] == true, "root {root}: {line}");
        assert_eq!(text(&line, "alarm"), "ok");
        // With OpenSSL's eyes: the chain that is served ends at the root that devices have, and at no other.
        let (_, said, success) =
            program(&["cert", "export", NAME, "--into", &server.folder().to_string_lossy()], &server);
        assert!(success, "{said}");
        let chain = server.folder().join("fullchain.pem");
        let other = server.folder().join("other.pem");
        std::fs::write(&other, authority.root(1 - root)).expect("writes");
        let verifies = |ca: &std::path::Path| {
            let mut openssl = Command::new("openssl");
            openssl.args(["verify", "-CAfile"]).arg(ca).arg("-untrusted").args([&chain, &chain]);
            openssl.output().expect("OpenSSL is installed").status.success()
        };
        assert!(verifies(&path) && !verifies(&other), "root {root}");
    }
}

#[test]
fn a_second_authority_helps_when_the_first_one_is_gone() {
    let ports = Ports::free();
    let (gone, authority) = (linchpin_e2e::authority::free_port(), PebbleAuthority::start(&ports.options()));
    let (directory, ca) = (authority.directory(), authority.ca().display().to_string());
    let more = format!("[acme.fallback]\ndirectory = \"{directory}\"\nca = \"{ca}\"");
    let config = ports.config(&authority, &more, &format!("names = [\"{NAME}\"]"));
    let config = config.replacen(&directory, &format!("https://127.0.0.1:{gone}/dir"), 1);
    let server = Server::serve(&config).start();
    // The first attempts fail, minutes apart; an operator who insists does not wait for them.
    eventually(ISSUED, "it is served", || {
        let (_, said, ended) = server.operate(&["cert", "renew"]);
        assert!(ended.success(), "{said}");
        seen(ports.address(), &[]).filter(|(description, _)| description.contains("Pebble Intermediate"))
    });
    let line = status(&server);
    assert_eq!(text(field(&line, "current"), "directory"), directory, "{line}");
    let log = server.log();
    assert!(log.contains("the next attempt is in 1 min"), "{log}");
}

/// Renewal information (RFC 9773); pebble 2.4 of Debian 12 does not have it.
#[test]
fn the_authority_says_when_to_renew() {
    let ports = Ports::free();
    let authority = PebbleAuthority::start(&ports.options());
    if !authority.is_modern {
        linchpin_tests::left_out("renewal information (RFC 9773): pebble 2.4 has none");
        return;
    }
    let server = Server::serve(&ports.config(&authority, "", &format!("names = [\"{NAME}\"]"))).start();
    issued(ports.address(), &[]);
    eventually(ISSUED, "the authority is asked", || authority.log().contains("renewalInfo").then_some(()));
    let renewed = server.ask(&["cert", "renew", "--wait"]);
    let log = field(&renewed[0], "log").to_string();
    assert!(!log.contains("without saying so"), "the order named what it replaces: {log}");
}

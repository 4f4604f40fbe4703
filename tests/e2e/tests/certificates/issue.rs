//! A fresh server has a certificate within seconds, whichever way its names are proven.

use std::time::{Duration, Instant};

use linchpin_compat::{Server, eventually};
use linchpin_e2e::authority::{AuthorityOptions, PebbleAuthority};

use crate::setting::{ISSUED, Ports, issued, seen, serial};

#[test]
fn a_fresh_server_has_its_certificate_within_seconds_by_a_handshake() {
    let ports = Ports::free();
    let authority = PebbleAuthority::start(&AuthorityOptions { chain_len: 3, bad_nonces: 20, ..ports.options() });
    let more = "challenges = [\"tls-alpn-01\"]";
    let begun = Instant::now();
    let server = Server::serve(&ports.config(
        &authority,
        more,
        r#"names = ["node.example.com", "www.example.com"], keys = ["ecdsa", "rsa"], profile = "classic""#,
    ))
    .start();
    let (description, count) = issued(ports.address(), &["-sigalgs", "ECDSA+SHA256"]);
    let took = begun.elapsed();
    eprintln!("certificate by tls-alpn-01 {} ms after the start of the process", took.as_millis());
    assert!(took < Duration::from_secs(20), "{took:?}: {}", server.log());
    assert!(description.contains("DNS:node.example.com, DNS:www.example.com"), "{description}");
    assert!(description.contains("id-ecPublicKey") && count == 4, "{count} certificates: {description}");
    let (of_rsa, _) = eventually(ISSUED, "the RSA twin is served", || {
        seen(ports.address(), &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"])
            .filter(|(description, _)| description.contains("rsaEncryption"))
    });
    assert_ne!(serial(&description), serial(&of_rsa));
    let log = server.log();
    assert!(log.contains("node.example.com by tls-alpn-01"), "{log}");
    assert!(!log.contains("PRIVATE KEY"), "no key in the log");
}

#[test]
fn the_plain_listener_proves_names_and_only_while_it_must() {
    let ports = Ports::free();
    let authority = PebbleAuthority::start(&ports.options());
    let begun = Instant::now();
    let mut server =
        Server::serve(&ports.config(&authority, "challenges = [\"http-01\"]", r#"names = ["node.example.com"]"#))
            .start();
    let (description, _) = issued(ports.address(), &[]);
    eprintln!("certificate by http-01 {} ms after the start of the process", begun.elapsed().as_millis());
    assert!(server.log().contains("node.example.com by http-01"), "{}", server.log());
    // Nothing is left to be asked for.
    let mut curl = std::net::TcpStream::connect(server.address()).expect("the plain port");
    let question = b"GET /.well-known/acme-challenge/abc HTTP/1.0\r\nHost: node.example.com\r\n\r\n";
    std::io::Write::write_all(&mut curl, question).expect("writes");
    let mut answer = String::new();
    let _ = std::io::Read::read_to_string(&mut curl, &mut answer);
    assert!(answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.0 404"), "{answer}");
    // After a restart the same certificate is there at once, and nothing is ordered.
    let orders = authority.log().matches("POST /order-plz").count();
    let before = serial(&description);
    server.restart();
    let (again, _) = issued(ports.address(), &[]);
    assert_eq!(serial(&again), before);
    assert_eq!(authority.log().matches("POST /order-plz").count(), orders);
}

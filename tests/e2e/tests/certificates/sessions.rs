//! A challenge lets nobody in.

use linchpin_compat::{Frame, Server, command, eventually, field};
use linchpin_e2e::BadAuthority;
use linchpin_e2e::authority::{PebbleAuthority, s_client};

use crate::setting::{ISSUED, NAME, Ports, issued};

/// What OpenSSL's client gets that offers `acme-tls/1` and then speaks.
fn challenged(ports: &Ports, input: &str) -> String {
    s_client(ports.address(), &["-alpn", "acme-tls/1", "-servername", NAME, "-ign_eof"], input)
}

#[test]
fn a_challenge_lets_nobody_in() {
    let ports = Ports::free();
    let good = PebbleAuthority::start(&ports.options());
    let bad = BadAuthority::start(&good);
    // The challenge is open while the authority has not heard of it.
    bad.set("hold-before challenge");
    let config = ports.config(&good, "challenges = [\"tls-alpn-01\"]", &format!("names = [\"{NAME}\"]"));
    let server = Server::serve(&config.replace(&good.directory(), &bad.directory())).start();
    eventually(ISSUED, "the challenge is open", || bad.takes_hold().then_some(()));
    let device = server.devices().swap_remove(0);
    let login = String::from_utf8(Frame::new(command::LOGIN, 1, device.token.as_bytes()).bytes()).expect("ASCII");
    for input in
        [login.as_str(), "GET /external/api/isHardwareConnected?token=x HTTP/1.1\r\nHost: localhost\r\n\r\n", ""]
    {
        let seen = challenged(&ports, input);
        assert!(seen.contains("ALPN protocol: acme-tls/1") && seen.contains("BEGIN CERTIFICATE"), "{seen}");
        assert!(!seen.contains("HTTP/1") && !seen.contains('\u{1}'), "{seen}");
    }
    assert!(!server.is_online(&device));
    let status = server.ask(&["status"]);
    assert_eq!(field(&status, "logins"), &serde_json::Value::from(0), "{status}");
    // Who offers more than that is no authority, another name has no challenge.
    for more in
        [["-alpn", "acme-tls/1,http/1.1", "-servername", NAME], ["-alpn", "acme-tls/1", "-servername", "other.example"]]
    {
        let seen = s_client(ports.address(), &more, "");
        assert!(!seen.contains("ALPN protocol: acme-tls/1"), "{seen}");
    }
    // Once it is closed there is nothing to be seen with it.
    bad.set("good");
    drop(server);
    let server = Server::serve(&config).start();
    issued(ports.address(), &[]);
    let seen = challenged(&ports, "");
    assert!(!seen.contains("BEGIN CERTIFICATE") && seen.contains("alert"), "{seen}");
    drop(server);
}

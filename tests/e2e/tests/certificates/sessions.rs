//! Who is connected does not notice that certificates come and go; and a challenge lets nobody in.

use std::time::Duration;

use linchpin_compat::{Frame, Server, command, eventually, field, text};
use linchpin_e2e::authority::{PebbleAuthority, s_client};
use linchpin_e2e::{BadAuthority, Stream, how_many};
use linchpin_fleet::tls::Trust;

use crate::setting::{ISSUED, NAME, Ports, issued, served_serial};

/// Live sessions with TLS; `LINCHPIN_TLS_SESSIONS` says otherwise.
const SESSIONS: u32 = 1_000;
/// More than [`SESSIONS`] come in shares of so many, this far apart.
const BETWEEN_SHARES: Duration = Duration::from_secs(3);
/// Renewals while they live.
const RENEWALS: u16 = 20;

#[test]
fn a_thousand_sessions_live_through_twenty_renewals() {
    let ports = Ports::free();
    let authority = PebbleAuthority::start(&ports.options());
    let order = format!("names = [\"{NAME}\"]");
    let count = how_many("LINCHPIN_TLS_SESSIONS", SESSIONS);
    // The configuration has two already.
    let devices = "[[device]]\n".repeat(count as usize - 2);
    let config = ports.config(&authority, "challenges = [\"tls-alpn-01\"]", &order);
    let server = Server::serve(&format!("{config}{devices}")).start();
    issued(ports.address(), &[]);
    let root = server.folder().join("root.pem");
    std::fs::write(&root, authority.root(0)).expect("writes");
    let trust = Trust::new(&root).named(NAME);
    let devices = server.devices();
    assert_eq!(devices.len(), count as usize);
    let login = |device: &linchpin_compat::Device| {
        let mut stream = Stream::connect(ports.address(), Some(&trust));
        stream.send(&Frame::new(command::LOGIN, 1, device.token.as_bytes()).bytes());
        stream.expect(&Frame::response(1, 200).bytes());
        stream
    };
    let mut streams = Vec::with_capacity(devices.len());
    for share in devices.chunks(SESSIONS as usize) {
        // One address may shake hands so often and no more: E0405.
        if !streams.is_empty() {
            std::thread::sleep(BETWEEN_SHARES);
        }
        streams.extend(share.iter().map(login));
    }
    let mut serials = vec![served_serial(ports.address()).expect("it is served")];
    for renewal in 1..=RENEWALS {
        let renewed = server.ask(&["cert", "renew", "--wait"]);
        let serial = text(field(&renewed[0], "current"), "serial").trim_start_matches('0').to_owned();
        // The very next handshake has it.
        let seen = served_serial(ports.address()).expect("a handshake");
        let shown = seen.trim_start_matches("serial=").trim_start_matches('0').to_lowercase();
        assert_eq!(shown, serial, "renewal {renewal}");
        assert!(!serials.contains(&seen), "a new one each time");
        serials.push(seen);
        for stream in &mut streams {
            stream.send(&Frame::new(command::PING, renewal, b"").bytes());
        }
        for stream in &mut streams {
            stream.expect(&Frame::response(renewal, 200).bytes());
        }
    }
    let status = server.ask(&["status"]);
    assert_eq!(field(&status, "online"), &serde_json::Value::from(count), "nobody was closed: {status}");
}

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

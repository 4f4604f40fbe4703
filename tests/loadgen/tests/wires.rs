//! TLS, WebSocket and both, against a server of plain threads; WebSocket against Linchpin too.

use std::sync::Arc;
use std::time::Duration;

use linchpin_fleet::server::Server;
use linchpin_loadgen_tests::minimal::Minimal;
use linchpin_loadgen_tests::{Folder, made_up_tokens, program, run, sum};
use linchpin_tls::{
    Acceptor, AcceptorOptions, Certificates, Clock, Identity, Layer, LocalAuthority, Provider, SessionIds, TicketKey,
    Tickets,
};
use serde_json::Value;

const DEVICES: u32 = 40;

/// What serves, and the certificate that it is checked against.
fn acceptor() -> (Acceptor, String) {
    let now_s = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    let day = Duration::from_secs(86_400);
    let (clock, provider) = (Clock::new(now_s), Provider::default());
    let authority = LocalAuthority::make("Test authority", now_s, 30 * day).expect("an authority");
    let made = authority.server(&["localhost"], now_s, day).expect("a certificate");
    let identity = Identity::from_pem(made.chain_pem.as_bytes(), made.key_pem.as_bytes(), provider, now_s);
    let acceptor = Acceptor::new(&AcceptorOptions {
        provider,
        certificates: Arc::new(Certificates::new(vec![identity.expect("an identity")]).expect("certificates")),
        tickets: Arc::new(Tickets::new(b"test", &TicketKey::new(1, [2; 32]), &[]).expect("tickets")),
        session_ids: Arc::new(SessionIds::new(1_024, clock.clone())),
        clients: None,
        layer: Layer::InPlace,
        alpn: Vec::new(),
        challenges: Default::default(),
        clock,
    });
    (acceptor.expect("an acceptor"), authority.certificate_pem().to_owned())
}

#[track_caller]
fn expect_good(outcome: &Value, has_tls: bool) {
    assert_eq!(outcome["online_at_gate"], DEVICES, "{}", outcome["phases"]);
    assert_eq!(outcome["measured"]["errors"], 0, "{}", outcome["measured"]["counts"]);
    assert_eq!(outcome["measured"]["counts"]["faults"], 0);
    assert!(outcome["measured"]["counts"]["answers"].as_u64() > Some(550), "{}", outcome["measured"]["counts"]);
    let handshakes = &outcome["phases"][0]["kinds"]["tls_handshake"]["corrected"]["count"];
    assert_eq!(handshakes.as_u64(), has_tls.then_some(u64::from(DEVICES)));
}

fn quick(transport: &str) -> [String; 11] {
    let words = ["quick", "-c", "40", "-r", "200/s", "-d", "3s", "--ramp", "1s", "-t", transport];
    words.map(str::to_owned)
}

fn run_transport(target: std::net::SocketAddr, tokens: &std::path::Path, transport: &str, more: &[&str]) -> Value {
    let words = quick(transport);
    let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
    arguments.extend(more);
    run(target, tokens, &arguments).outcome()
}

#[test]
fn tls_and_websocket_over_tls_carry_the_same_messages() {
    let (acceptor, pem) = acceptor();
    let folder = Folder::new();
    let (tokens, ca) = (folder.tokens(&made_up_tokens(DEVICES)), folder.file("ca.pem", &pem));
    for transport in ["tls", "wss"] {
        let server = Minimal::start(Some(acceptor.clone()), Duration::ZERO);
        let outcome = run_transport(server.address, &tokens, transport, &["--ca", &ca.to_string_lossy()]);
        expect_good(&outcome, true);
        let pings = sum(&outcome, "ping") + sum(&outcome, "beat");
        assert_eq!(server.heard()["ping"], pings, "{transport}");
    }
}

#[test]
fn a_group_speaks_one_version_of_tls_and_resumes_if_it_is_told_to() {
    let (acceptor, pem) = acceptor();
    let folder = Folder::new();
    let (tokens, ca) = (folder.tokens(&made_up_tokens(DEVICES)), folder.file("ca.pem", &pem));
    for (version, resume, resumed) in [("1.2", true, 20), ("1.3", true, 20), ("1.3", false, 0)] {
        let server = Minimal::start(Some(acceptor.clone()), Duration::ZERO);
        let scenario = format!(
            "name = \"t\"\n[[group]]\nname = \"g\"\ncount = {DEVICES}\ntransport = \"tls\"\ntls = \"{version}\"\n\
             resume = {resume}\nreconnect = \"100ms\"\n[[phase]]\nkind = \"ramp\"\nduration = \"1s\"\n\
             [[phase]]\nkind = \"storm\"\nstorm = \"power_on\"\nshare = \"50%\"\nduration = \"2s\"\n\
             [[phase]]\nkind = \"steady\"\nduration = \"1s\"\n"
        );
        let scenario = folder.file("resume.toml", &scenario);
        let arguments = ["run", &*scenario.to_string_lossy(), "--ca", &*ca.to_string_lossy()];
        let outcome = run(server.address, &tokens, &arguments).outcome();
        assert_eq!(sum(&outcome, "logins"), u64::from(DEVICES) + 20, "{version}: {}", outcome["phases"]);
        assert_eq!(sum(&outcome, "tls_failed"), 0);
        // TLS 1.2 uses a session as often as it likes, so devices of the ramp may resume another's.
        let found = sum(&outcome, "tls_resumed");
        assert!(
            if version == "1.2" { found >= resumed } else { found >= resumed && found <= resumed * 3 },
            "{version}: {found}"
        );
        let facts = server.handshakes();
        assert_eq!(facts.iter().filter(|(_, is_resumed)| *is_resumed).count() as u64, found, "{version}");
        assert!(facts.iter().all(|(spoken, _)| *spoken == version), "{version}: {facts:?}");
    }
}

#[test]
fn a_server_of_another_authority_is_not_spoken_to() {
    let (acceptor, _) = acceptor();
    let (_, other_pem) = self::acceptor();
    let folder = Folder::new();
    let (tokens, ca) = (folder.tokens(&made_up_tokens(DEVICES)), folder.file("ca.pem", &other_pem));
    let server = Minimal::start(Some(acceptor), Duration::ZERO);
    let scenario = "name = \"t\"\n[[group]]\nname = \"g\"\ncount = 4\ntransport = \"tls\"\n[[phase]]\nkind = \"ramp\"\n\
                    duration = \"500ms\"\nsettle = \"500ms\"\n[[phase]]\nkind = \"steady\"\nduration = \"1s\"\n";
    let scenario = folder.file("tls.toml", scenario);
    let ran = run(server.address, &tokens, &["run", &scenario.to_string_lossy(), "--ca", &ca.to_string_lossy()]);
    assert_eq!(ran.code(), 2, "{}", ran.err);
    assert!(ran.err.contains("none of 4 devices could log in"), "{}", ran.err);
    assert!(server.heard().is_empty(), "{:?}", server.heard());
}

#[test]
fn websocket_reaches_both_servers() {
    let folder = Folder::new();
    let minimal = Minimal::start(None, Duration::ZERO);
    expect_good(&run_transport(minimal.address, &folder.tokens(&made_up_tokens(DEVICES)), "ws", &[]), false);
    let flags = ["--set", "messages_per_second=100000", "--set", "message_burst=100000"];
    let linchpin = Server::start_with(&program("linchpin"), DEVICES, 2, "auto", &flags);
    expect_good(&run_transport(linchpin.address, &folder.tokens(&linchpin.tokens), "ws", &[]), false);
}

#[test]
fn both_back_ends_send_the_same() {
    let folder = Folder::new();
    let tokens = folder.tokens(&made_up_tokens(DEVICES));
    let minimal = Minimal::start(None, Duration::ZERO);
    let counts = ["io_uring", "portable"].map(|driver| {
        let outcome = run_transport(minimal.address, &tokens, "plain", &["--driver", driver, "--h-beat", "1h"]);
        expect_good(&outcome, false);
        outcome["measured"]["counts"]["ping"].as_u64()
    });
    assert_eq!(counts, [Some(600); 2]);
}

//! OpenSSL's `s_client` as a device: both versions, tickets and session ids, new keys, and what is refused.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use linchpin_compat::{BackEnd, Folder, Server};

use crate::chain::{self, Kind};
use crate::pipe::Pipe;

/// `s_client` that ends when it does not trust the server.
pub(crate) fn command(server: &Server, name: &str, ca: &Path, options: &[&str]) -> Command {
    command_to(server.tls_address(), name, ca, options)
}

/// The same to any address.
pub(crate) fn command_to(address: SocketAddr, name: &str, ca: &Path, options: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address.to_string(), "-servername", name]);
    command.args(["-verify_return_error", "-verify_hostname", name, "-CAfile"]).arg(ca).args(options);
    command
}

fn dev(options: &[&str], server: &Server) -> Pipe {
    Pipe::start(&mut command(server, "localhost", &server.ca(), options))
}

/// Both versions, with and without tickets.
fn versions(back_end: BackEnd, layer: &str) {
    let start = Server::dev().back_end(back_end).shards(2).option("--record-layer", layer);
    let server = start.devices(4).start();
    let devices = server.more_devices();
    let cases: [(&[&str], &str); 4] = [
        (&["-tls1_2"], "New, TLSv1.2, Cipher is ECDHE-ECDSA-AES"),
        (&["-tls1_2", "-no_ticket"], "New, TLSv1.2, Cipher is ECDHE-ECDSA-AES"),
        (&["-tls1_3"], "New, TLSv1.3, Cipher is TLS_AES_"),
        (&["-tls1_3", "-no_ticket"], "New, TLSv1.3, Cipher is TLS_AES_"),
    ];
    for ((options, shows), device) in cases.into_iter().zip(&devices) {
        let mut pipe = dev(options, &server);
        pipe.live(&server, device);
        pipe.expect_text(shows);
        pipe.expect_text("Verify return code: 0 (ok)");
        assert!(pipe.finish(), "{}", pipe.said());
        // With TLS 1.3 the option changes nothing but what OpenSSL does with its ticket.
        let has_ticket = options != ["-tls1_2", "-no_ticket"];
        assert_eq!(pipe.said().contains("TLS session ticket:"), has_ticket, "{}", pipe.said());
    }
    server.expect_no_token_in_log(&devices);
}

#[test]
fn both_versions_on_io_uring_in_place() {
    versions(BackEnd::IoUring, "in-place");
}

#[test]
fn both_versions_on_io_uring_in_rustls() {
    versions(BackEnd::IoUring, "rustls");
}

#[test]
fn both_versions_on_the_portable_back_end_in_place() {
    versions(BackEnd::Portable, "in-place");
}

#[test]
fn both_versions_on_the_portable_back_end_in_rustls() {
    versions(BackEnd::Portable, "rustls");
}

#[test]
fn every_suite_carries_frames() {
    let server = Server::dev().shards(2).devices(1).start();
    let device = server.more_devices().swap_remove(0);
    let older = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"];
    let newer = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
    for (version, option, suites) in [("-tls1_2", "-cipher", older), ("-tls1_3", "-ciphersuites", newer)] {
        for suite in suites {
            let mut pipe = dev(&[version, option, suite], &server);
            pipe.login(&device);
            pipe.write(&server, &device, 1, suite);
            pipe.receive(&server, &device, 2, suite);
            pipe.expect_text(&format!("Cipher is {suite}"));
        }
    }
}

/// Tickets, and the session ids of clients without tickets; each session is used again, as devices do.
fn resumption(layer: &str) {
    let server = Server::dev().shards(2).devices(1).option("--record-layer", layer).start();
    let (device, folder) = (server.more_devices().swap_remove(0), Folder::new());
    let session = folder.path().join("session");
    let session = session.to_str().expect("a path in UTF-8");
    for options in [&["-tls1_2"][..], &["-tls1_2", "-no_ticket"], &["-tls1_3"]] {
        let mut pipe = dev(&[options, &["-sess_out", session]].concat(), &server);
        pipe.login(&device);
        pipe.expect_text("New, TLSv1");
        assert!(pipe.finish(), "{}", pipe.said());
        if options[0] == "-tls1_3" {
            // No early data may follow.
            pipe.expect_text("Post-Handshake New Session Ticket arrived");
            pipe.expect_text("Max Early Data: 0\n");
        }
        for _ in 0..2 {
            let mut pipe = dev(&[options, &["-sess_in", session]].concat(), &server);
            pipe.login(&device);
            pipe.write(&server, &device, 1, "resumed");
            pipe.receive(&server, &device, 2, "resumed");
            pipe.expect_text("Reused, TLSv1");
        }
        std::fs::remove_file(session).expect("the session was written");
    }
}

#[test]
fn it_resumes_in_place() {
    resumption("in-place");
}

#[test]
fn it_resumes_in_rustls() {
    resumption("rustls");
}

/// `K`: new keys in both directions; `k`: only the client's.
fn new_keys(layer: &str, suite: &str) {
    let server = Server::dev().shards(2).devices(1).option("--record-layer", layer).start();
    let device = server.more_devices().swap_remove(0);
    let mut pipe = dev(&["-tls1_3", "-ciphersuites", suite], &server);
    pipe.login(&device);
    for (round, key) in ["K\n", "k\n", "k\n", "K\n"].into_iter().enumerate() {
        let updates = pipe.said().matches("KEYUPDATE").count();
        pipe.send_bytes(key.as_bytes());
        pipe.expect_count("KEYUPDATE", updates + 1);
        pipe.write(&server, &device, 1, &format!("round {round}"));
        pipe.receive(&server, &device, 2, &format!("round {round}"));
        pipe.ping();
    }
    assert!(server.is_online(&device), "{}", pipe.said());
}

#[test]
fn it_changes_keys_in_place() {
    for suite in ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"] {
        new_keys("in-place", suite);
    }
}

#[test]
fn it_changes_keys_in_rustls() {
    new_keys("rustls", "TLS_AES_128_GCM_SHA256");
}

#[test]
fn older_versions_and_weak_suites_are_refused() {
    let server = Server::dev().devices(1).start();
    let weak = "DEFAULT:@SECLEVEL=0";
    let cases: [(&[&str], &str); 6] = [
        (&["-tls1_1", "-cipher", weak], "alert protocol version"),
        (&["-tls1", "-cipher", weak], "alert protocol version"),
        (&["-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"], "alert handshake failure"),
        (
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"],
            "alert handshake failure",
        ),
        (&["-tls1_2", "-cipher", "DHE:@SECLEVEL=0"], "alert handshake failure"),
        (&["-tls1_2", "-cipher", "aNULL:eNULL:@SECLEVEL=0"], "alert handshake failure"),
    ];
    for (options, alert) in cases {
        let mut pipe = dev(options, &server);
        assert!(!pipe.ended(), "{options:?} is taken: {}", pipe.said());
        assert!(pipe.said().contains(alert), "{options:?}: {}", pipe.said());
    }
}

#[test]
fn renegotiation_is_refused_and_the_connection_goes_on() {
    let server = Server::dev().devices(1).start();
    let device = server.more_devices().swap_remove(0);
    let mut pipe = dev(&["-tls1_2"], &server);
    pipe.login(&device);
    pipe.send_bytes(b"R\n");
    pipe.expect_text("RENEGOTIATING");
    // OpenSSL gives up by itself when it is told that there is none.
    assert!(!pipe.ended(), "{}", pipe.said());
    assert!(pipe.said().contains("no renegotiation"), "{}", pipe.said());
}

#[test]
fn of_a_pair_the_client_chooses_by_what_it_verifies() {
    let (server, roots) = chain::serve(&[Kind::Ecdsa, Kind::Rsa], BackEnd::Auto, "in-place");
    let device = &server.devices()[0];
    let cases: [(&[&str], &str, &Path); 4] = [
        (&["-tls1_3"], "Peer signature type: ECDSA", &roots[0]),
        (&["-tls1_2"], "Peer signature type: ECDSA", &roots[0]),
        (&["-tls1_3", "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"], "Peer signature type: RSA-PSS", &roots[1]),
        (&["-tls1_2", "-sigalgs", "RSA+SHA256"], "Peer signature type: RSA\n", &roots[1]),
    ];
    for (options, signed, root) in cases {
        let mut pipe = Pipe::start(&mut command(&server, chain::NAME, root, options));
        pipe.login(device);
        pipe.ping();
        pipe.expect_text(signed);
    }
}

#[test]
fn it_refuses_a_server_of_another_authority_and_another_name() {
    let folder = Folder::new();
    let other = chain::authority(folder.path(), Kind::Ecdsa, "other");
    let server = Server::dev().start();
    for (name, ca) in [("localhost", other), ("other.example", server.ca())] {
        let mut pipe = Pipe::start(&mut command(&server, name, &ca, &[]));
        assert!(!pipe.ended(), "it trusts everybody: {}", pipe.said());
        assert!(pipe.said().contains("certificate verify failed"), "{}", pipe.said());
    }
}

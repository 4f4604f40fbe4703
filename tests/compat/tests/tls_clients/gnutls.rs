//! GnuTLS's `gnutls-cli` as a device.

use std::path::Path;
use std::process::Command;

use linchpin_compat::{Folder, Server};

use crate::chain::{self, Kind};
use crate::pipe::Pipe;

/// TLS 1.2 only.
const OLDER: &str = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
/// TLS 1.3 only.
const NEWER: &str = "NORMAL:-VERS-ALL:+VERS-TLS1.3";

fn start(server: &Server, ca: &Path, priority: &str, options: &[&str]) -> Pipe {
    let mut command = Command::new("gnutls-cli");
    command.args(["--port", &server.tls_address().port().to_string(), "--priority", priority, "--x509cafile"]).arg(ca);
    Pipe::start(command.args(options).arg("localhost"))
}

fn lives(layer: &str) {
    let server = Server::dev().shards(2).devices(2).option("--record-layer", layer).start();
    let devices = server.more_devices();
    for ((priority, version), device) in [(OLDER, "(TLS1.2"), (NEWER, "(TLS1.3")].into_iter().zip(&devices) {
        let mut pipe = start(&server, &server.ca(), priority, &[]);
        pipe.live(&server, device);
        pipe.expect_text(version);
        pipe.expect_text("The certificate is trusted");
    }
    server.expect_no_token_in_log(&devices);
}

#[test]
fn both_versions_in_place() {
    lives("in-place");
}

#[test]
fn both_versions_in_rustls() {
    lives("rustls");
}

#[test]
fn it_resumes_by_ticket_and_by_session_id() {
    let server = Server::dev().shards(2).devices(1).start();
    let device = server.more_devices().swap_remove(0);
    let without_tickets = format!("{OLDER}:%NO_TICKETS");
    for priority in [OLDER, &without_tickets, NEWER] {
        let mut pipe = start(&server, &server.ca(), priority, &["--resume", "--waitresumption"]);
        pipe.expect_text("*** This is a resumed session");
        pipe.login(&device);
        pipe.write(&server, &device, 1, priority);
        pipe.receive(&server, &device, 2, priority);
    }
}

#[test]
fn older_versions_are_refused() {
    let server = Server::dev().start();
    for version in ["1.1", "1.0"] {
        let priority = format!("NORMAL:-VERS-ALL:+VERS-TLS{version}:%COMPAT:@LEGACY");
        let mut pipe = start(&server, &server.ca(), priority.trim_end_matches(":@LEGACY"), &[]);
        assert!(!pipe.ended(), "TLS {version} is taken: {}", pipe.said());
        assert!(pipe.said().contains("protocol version"), "{}", pipe.said());
    }
}

#[test]
fn it_refuses_a_server_of_another_authority() {
    let folder = Folder::new();
    let other = chain::authority(folder.path(), Kind::Ecdsa, "other");
    let server = Server::dev().start();
    let mut pipe = start(&server, &other, "NORMAL", &[]);
    assert!(!pipe.ended(), "it trusts everybody: {}", pipe.said());
    assert!(pipe.said().contains("NOT trusted"), "{}", pipe.said());
}

//! mbedTLS 2.28 as on the ESP32. It cannot put a handshake message together that comes in several records, so that each
//! of its connections shows that the server has sent its chain in one.

use std::path::Path;
use std::process::Command;

use linchpin_compat::{BackEnd, Folder, Server};

use crate::chain::{self, Kind};
use crate::compiled::MBEDTLS;
use crate::pipe::Pipe;

/// mbedTLS's number for a certificate that does not verify.
const NOT_VERIFIED: &str = "failed -0x2700 handshake";

fn command(server: &Server, name: &str, ca: &Path) -> Command {
    let address = server.tls_address();
    let mut command = Command::new(&*MBEDTLS);
    command.args([&address.ip().to_string(), &address.port().to_string(), name]).arg(ca);
    command
}

fn lives(back_end: BackEnd, layer: &str) {
    let start = Server::dev().back_end(back_end).shards(2).option("--record-layer", layer);
    let server = start.devices(1).start();
    let devices = server.more_devices();
    let mut pipe = Pipe::start(&mut command(&server, "localhost", &server.ca()));
    pipe.live(&server, &devices[0]);
    pipe.expect_text("connected TLSv1.2 TLS-ECDHE-ECDSA-");
    assert!(pipe.finish(), "{}", pipe.said());
    server.expect_no_token_in_log(&devices);
}

#[test]
fn it_lives_on_io_uring_in_place() {
    lives(BackEnd::IoUring, "in-place");
}

#[test]
fn it_lives_on_the_portable_back_end_in_rustls() {
    lives(BackEnd::Portable, "rustls");
}

fn realistic_chain(kind: Kind, suite: &str) {
    let (server, roots) = chain::serve(&[kind], BackEnd::Auto, "in-place");
    let mut pipe = Pipe::start(&mut command(&server, chain::NAME, &roots[0]));
    pipe.live(&server, &server.devices()[0]);
    pipe.expect_text(suite);
}

#[test]
fn a_realistic_chain_of_ecdsa() {
    realistic_chain(Kind::Ecdsa, "TLS-ECDHE-ECDSA-");
}

#[test]
fn a_realistic_chain_of_rsa() {
    realistic_chain(Kind::Rsa, "TLS-ECDHE-RSA-");
}

#[test]
fn it_resumes_by_ticket() {
    let server = Server::dev().shards(2).devices(1).start();
    let (device, folder) = (server.more_devices().swap_remove(0), Folder::new());
    for how in ["full", "resumed", "resumed"] {
        let mut command = command(&server, "localhost", &server.ca());
        let mut pipe = Pipe::start(command.arg(folder.path().join("session")));
        pipe.login(&device);
        pipe.expect_text(&format!(" {how}\n"));
        assert!(pipe.finish(), "{}", pipe.said());
    }
}

#[test]
fn it_refuses_a_server_of_another_authority_and_another_name() {
    let folder = Folder::new();
    let other = chain::authority(folder.path(), Kind::Ecdsa, "other");
    let server = Server::dev().start();
    for (name, ca) in [("localhost", other), ("other.example", server.ca())] {
        let mut pipe = Pipe::start(&mut command(&server, name, &ca));
        assert!(!pipe.ended(), "it trusts everybody: {}", pipe.said());
        assert!(pipe.said().contains(NOT_VERIFIED), "{}", pipe.said());
    }
}

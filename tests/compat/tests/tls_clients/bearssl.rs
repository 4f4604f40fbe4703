//! BearSSL as Blynk's library for the ESP8266 has it: small buffers, and fragments to fit them asked of the server.
//!
//! It reads handshake messages piece by piece, however long their records are, but no sealed record that is longer than
//! its buffer. So what shows here is that values come in records as short as it has asked for; how long those of the
//! handshake are is in `fragments`.

use std::path::Path;
use std::process::Command;

use linchpin_compat::{BackEnd, Device, Folder, Server};

use crate::chain::{self, Kind};
use crate::compiled::BEARSSL;
use crate::pipe::Pipe;

/// What Blynk's ESP8266 library sets: bytes to receive and to send.
const STOCK: [usize; 2] = [2_048, 512];
/// The least that BearSSL takes.
const LEAST: [usize; 2] = [512, 512];
/// BearSSL's number for a chain that leads to no root that it trusts.
const NOT_TRUSTED: &str = "closed 62";

fn command(server: &Server, name: &str, ca: &Path, [receive, send]: [usize; 2]) -> Command {
    let address = server.tls_address();
    let mut command = Command::new(&*BEARSSL);
    command.args([&address.ip().to_string(), &address.port().to_string(), name]).arg(ca);
    command.args([receive.to_string(), send.to_string()]);
    command
}

/// It lives, says what it asked for, and both sides part with close_notify.
fn lives(server: &Server, name: &str, ca: &Path, buffers: [usize; 2], device: &Device) {
    let mut pipe = Pipe::start(&mut command(server, name, ca, buffers));
    pipe.live(server, device);
    pipe.expect_text(" 512 full\n");
    assert!(pipe.finish(), "{}", pipe.said());
    assert!(pipe.said().contains("closed 0"), "the server has not said goodbye: {}", pipe.said());
}

fn small_buffers(back_end: BackEnd, layer: &str) {
    let start = Server::dev().back_end(back_end).shards(2).option("--record-layer", layer);
    let server = start.devices(2).start();
    let devices = server.more_devices();
    lives(&server, "localhost", &server.ca(), STOCK, &devices[0]);
    lives(&server, "localhost", &server.ca(), LEAST, &devices[1]);
    server.expect_no_token_in_log(&devices);
}

#[test]
fn small_buffers_on_io_uring_in_place() {
    small_buffers(BackEnd::IoUring, "in-place");
}

#[test]
fn small_buffers_on_io_uring_in_rustls() {
    small_buffers(BackEnd::IoUring, "rustls");
}

#[test]
fn small_buffers_on_the_portable_back_end_in_place() {
    small_buffers(BackEnd::Portable, "in-place");
}

#[test]
fn small_buffers_on_the_portable_back_end_in_rustls() {
    small_buffers(BackEnd::Portable, "rustls");
}

/// Four certificates of more than 2,048 bytes: more than any of its small buffers holds.
fn realistic_chain(kind: Kind, layer: &str) {
    let (server, roots) = chain::serve(&[kind], BackEnd::Auto, layer);
    let devices = server.devices();
    lives(&server, chain::NAME, &roots[0], STOCK, &devices[0]);
    lives(&server, chain::NAME, &roots[0], LEAST, &devices[1]);
    // And with room for whole records.
    let mut roomy = Pipe::start(&mut command(&server, chain::NAME, &roots[0], [16_384, 16_384]));
    roomy.login(&devices[0]);
    roomy.expect_text(" 16384 full\n");
}

#[test]
fn a_realistic_chain_of_ecdsa() {
    realistic_chain(Kind::Ecdsa, "in-place");
}

#[test]
fn a_realistic_chain_of_rsa() {
    realistic_chain(Kind::Rsa, "in-place");
}

#[test]
fn a_realistic_chain_of_rsa_in_rustls() {
    realistic_chain(Kind::Rsa, "rustls");
}

#[test]
fn it_resumes_by_session_id() {
    let server = Server::dev().shards(2).devices(1).start();
    let (device, folder) = (server.more_devices().swap_remove(0), Folder::new());
    for how in ["full", "resumed", "resumed"] {
        let mut command = command(&server, "localhost", &server.ca(), STOCK);
        let mut pipe = Pipe::start(command.arg(folder.path().join("session")));
        pipe.login(&device);
        pipe.expect_text(&format!(" 512 {how}\n"));
        assert!(pipe.finish(), "{}", pipe.said());
    }
}

#[test]
fn it_refuses_a_server_of_another_authority_and_another_name() {
    let folder = Folder::new();
    let other = chain::authority(folder.path(), Kind::Ecdsa, "other");
    let server = Server::dev().start();
    for (name, ca) in [("localhost", other), ("other.example", server.ca())] {
        let mut pipe = Pipe::start(&mut command(&server, name, &ca, STOCK));
        assert!(!pipe.ended(), "it trusts everybody: {}", pipe.said());
        let refusal = if name == "localhost" { NOT_TRUSTED } else { "closed 56" };
        assert!(pipe.said().contains(refusal) && !pipe.said().contains("connected"), "{}", pipe.said());
    }
}

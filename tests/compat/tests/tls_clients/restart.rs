//! Sessions that outlive the server.

use std::path::Path;

use linchpin_compat::{Folder, Server};

use crate::openssl;
use crate::pipe::Pipe;

fn connect(server: &Server, options: &[&str], session: [&str; 2]) -> Pipe {
    let mut pipe =
        Pipe::start(&mut openssl::command(server, "localhost", &server.ca(), &[options, &session[..]].concat()));
    // Devices of `linchpin dev` are made at each start.
    pipe.login(&server.devices()[1]);
    pipe.ping();
    pipe
}

/// One session from before the first restart is used after each of two.
fn ticket(options: &[&str], layer: &str) {
    let mut server = Server::dev().shards(2).option("--record-layer", layer).start();
    let folder = Folder::new();
    let session = folder.path().join("session");
    let session = session.to_str().expect("a path in UTF-8");
    let mut pipe = connect(&server, options, ["-sess_out", session]);
    pipe.expect_text("New, TLSv1");
    assert!(pipe.finish(), "{}", pipe.said());
    pipe.expect_text("TLS session ticket:");
    assert!(Path::new(session).exists(), "no session was kept: {}", pipe.said());
    for _ in 0..2 {
        server.restart();
        connect(&server, options, ["-sess_in", session]).expect_text("Reused, TLSv1");
    }
    // The keys are what it lives by: without them the same ticket means a full handshake.
    server.stop();
    std::fs::remove_file(server.data_path().join("tickets.keys")).expect("remove the ticket keys");
    server.start_again();
    connect(&server, options, ["-sess_in", session]).expect_text("New, TLSv1");
}

#[test]
fn a_ticket_of_tls_1_3_resumes_after_a_restart() {
    ticket(&["-tls1_3"], "in-place");
}

#[test]
fn a_ticket_of_tls_1_2_resumes_after_a_restart() {
    ticket(&["-tls1_2"], "in-place");
}

#[test]
fn a_ticket_resumes_after_a_restart_in_rustls() {
    ticket(&["-tls1_3"], "rustls");
}

#[test]
fn a_session_id_is_lost_with_the_server_and_costs_a_full_handshake() {
    let mut server = Server::dev().shards(2).start();
    let folder = Folder::new();
    let session = folder.path().join("session");
    let session = session.to_str().expect("a path in UTF-8");
    let options = ["-tls1_2", "-no_ticket"];
    assert!(connect(&server, &options, ["-sess_out", session]).finish());
    connect(&server, &options, ["-sess_in", session]).expect_text("Reused, TLSv1.2");
    server.restart();
    connect(&server, &options, ["-sess_in", session]).expect_text("New, TLSv1.2");
}

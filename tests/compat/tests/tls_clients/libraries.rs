//! The libraries of Blynk that have TLS: npm `blynk-library` and PyPI `blynklib`.

use std::time::Duration;

use serde_json::json;

use linchpin_compat::limits::{EFFECT, LOGIN};
use linchpin_compat::{BackEnd, Client, Folder, Library, Server, scenario};

use crate::chain;

/// Everything that a client can do, on one back end with one record layer.
fn everything(library: Library, back_end: BackEnd, layer: &str) {
    let start = Server::dev().back_end(back_end).shards(2).option("--record-layer", layer);
    let server = start.devices(2).start();
    let devices = server.more_devices();
    scenario::use_everything(library, &server, &devices[0], &devices[1]);
    server.expect_no_token_in_log(&devices);
}

#[test]
fn npm_blynk_library_on_io_uring_in_place() {
    everything(Library::BlynkLibrarySsl, BackEnd::IoUring, "in-place");
}

#[test]
fn npm_blynk_library_on_io_uring_in_rustls() {
    everything(Library::BlynkLibrarySsl, BackEnd::IoUring, "rustls");
}

#[test]
fn npm_blynk_library_on_the_portable_back_end_in_place() {
    everything(Library::BlynkLibrarySsl, BackEnd::Portable, "in-place");
}

#[test]
fn npm_blynk_library_on_the_portable_back_end_in_rustls() {
    everything(Library::BlynkLibrarySsl, BackEnd::Portable, "rustls");
}

#[test]
fn pypi_blynklib_in_place() {
    everything(Library::BlynklibSsl, BackEnd::Auto, "in-place");
}

#[test]
fn pypi_blynklib_in_rustls() {
    everything(Library::BlynklibSsl, BackEnd::Portable, "rustls");
}

#[test]
fn both_stay_for_longer_than_their_heartbeat() {
    let server = Server::dev().shards(2).devices(2).start();
    let devices = server.more_devices();
    std::thread::scope(|scope| {
        let server = &server;
        for (library, device) in [Library::BlynkLibrarySsl, Library::BlynklibSsl].into_iter().zip(&devices) {
            scope.spawn(move || scenario::stay(library, server, device));
        }
    });
}

/// Four certificates, as public authorities give them.
#[test]
fn both_log_in_over_a_realistic_chain() {
    for kind in [chain::Kind::Ecdsa, chain::Kind::Rsa] {
        let (server, roots) = chain::serve(&[kind], BackEnd::Auto, "in-place");
        let devices = server.devices();
        for (library, device) in [Library::BlynkLibrarySsl, Library::BlynklibSsl].into_iter().zip(&devices) {
            let mut client = Client::start_trusting(library, &server, device, &roots[0]);
            client.expect_event(LOGIN, &json!({"event": "connected"}));
            server.write(device, "V4", "77");
            client.expect_event(EFFECT, &json!({"event": "write", "pin": 4, "values": ["77"]}));
        }
    }
}

#[test]
fn both_refuse_a_server_of_another_authority() {
    let folder = Folder::new();
    let other = chain::authority(folder.path(), chain::Kind::Ecdsa, "other");
    let server = Server::dev().devices(2).start();
    let devices = server.more_devices();
    let refusals =
        [(Library::BlynkLibrarySsl, "SSL not authorized"), (Library::BlynklibSsl, "CERTIFICATE_VERIFY_FAILED")];
    for ((library, refusal), device) in refusals.into_iter().zip(&devices) {
        let mut client = Client::start_trusting(library, &server, device, &other);
        client.expect_line(LOGIN, refusal);
        std::thread::sleep(Duration::from_millis(500));
        assert!(!client.has_said(&json!({"event": "connected"})), "{library:?} trusts everybody");
        assert!(!server.is_online(device), "{library:?} has told its token to a server that it does not trust");
    }
}

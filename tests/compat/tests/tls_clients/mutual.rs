//! Devices with certificates of the operator's own authority, on a listener that wants one.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Server, eventually, field};
use rustix::process::Signal;

use crate::chain::{self, Kind};
use crate::openssl;
use crate::pipe::Pipe;

const CONFIG: &str = r#"
[listen]
tls = ["127.0.0.1:0"]
mutual = ["127.0.0.1:0"]
[data]
dir = "@/data"
[tls]
client_ca = "@/devices.pem"
revoked = "@/revoked"
[[certificate]]
chain = "@/ecdsa.chain"
key = "@/ecdsa.key"
[[device]]
name = "one"
"#;

/// The server, the root of its certificate, and its listener for devices with certificates.
fn serve() -> (Server, std::path::PathBuf, SocketAddr) {
    let start = Server::serve(CONFIG);
    let folder = start.folder();
    let root = chain::chain(folder, Kind::Ecdsa);
    for (authority, device) in [("devices", "pump"), ("strangers", "stranger")] {
        chain::authority(folder, Kind::Ecdsa, authority);
        chain::signed(folder, Kind::Ecdsa, device, authority, "extendedKeyUsage=clientAuth\n");
    }
    std::fs::write(folder.join("revoked"), "").expect("write the list");
    let server = start.start();
    let status = server.ask(&["status"]);
    let mutual = field(&status, "mutual")[0].as_str().and_then(|address| address.parse().ok()).expect("an address");
    (server, root, mutual)
}

/// `s_client` with this device's certificate, or with none.
fn client(server: &Server, root: &Path, to: SocketAddr, version: &str, device: Option<&str>) -> Command {
    let mut command = openssl::command_to(to, chain::NAME, root, &[version]);
    if let Some(device) = device {
        let path = |ending| server.folder().join(format!("{device}.{ending}"));
        command.arg("-cert").arg(path("pem")).arg("-key").arg(path("key"));
    }
    command
}

fn expect_refused(mut command: Command, alerts: &[&str]) {
    let mut pipe = Pipe::start(&mut command);
    assert!(!pipe.ended(), "{command:?} is taken: {}", pipe.said());
    assert!(alerts.iter().any(|alert| pipe.said().contains(alert)), "no {alerts:?}: {}", pipe.said());
}

#[test]
fn only_devices_with_a_certificate_of_the_authority_are_let_in() {
    let (server, root, mutual) = serve();
    let device = &server.devices()[0];
    for version in ["-tls1_2", "-tls1_3"] {
        Pipe::start(&mut client(&server, &root, mutual, version, Some("pump"))).live(&server, device);
        expect_refused(
            client(&server, &root, mutual, version, None),
            &["alert certificate required", "alert handshake failure"],
        );
        expect_refused(client(&server, &root, mutual, version, Some("stranger")), &["alert unknown ca"]);
        // The other listener asks nobody.
        Pipe::start(&mut client(&server, &root, server.tls_address(), version, None)).login(device);
    }
}

#[test]
fn a_certificate_that_is_taken_back_does_not_even_resume() {
    let (server, root, mutual) = serve();
    let device = &server.devices()[0];
    let session = server.folder().join("session");
    for version in ["-tls1_2", "-tls1_3"] {
        let mut command = client(&server, &root, mutual, version, Some("pump"));
        let mut pipe = Pipe::start(command.arg("-sess_out").arg(&session));
        pipe.login(device);
        assert!(pipe.finish(), "{}", pipe.said());
        let resume = || {
            let mut command = client(&server, &root, mutual, version, Some("pump"));
            command.arg("-sess_in").arg(&session);
            command
        };
        let mut pipe = Pipe::start(&mut resume());
        pipe.login(device);
        pipe.expect_text("Reused, TLSv1");
        revoke(&server, &fingerprint(&server, "pump"));
        expect_refused(resume(), &["alert certificate revoked", "alert access denied"]);
        expect_refused(client(&server, &root, mutual, version, Some("pump")), &["alert certificate revoked"]);
        // The connection of before stands.
        pipe.ping();
        revoke(&server, "");
    }
}

/// The SHA-256 fingerprint of a device's certificate.
fn fingerprint(server: &Server, device: &str) -> String {
    let certificate = format!("{device}.pem");
    let shown = chain::openssl(server.folder(), &["x509", "-in", &certificate, "-noout", "-fingerprint", "-sha256"]);
    shown.trim().split_once('=').expect("a name and the digits").1.to_owned()
}

/// Let the server read a new list of certificates that are taken back.
fn revoke(server: &Server, list: &str) {
    std::fs::write(server.folder().join("revoked"), format!("{list}\n")).expect("write the list");
    let reloads = || server.log().matches("certificates reloaded").count();
    let before = reloads();
    server.signal(Signal::HUP);
    eventually(EFFECT, "the certificates are reloaded", || (reloads() > before).then_some(()));
}

//! TLS of `linchpin serve`: certificates from files, clients' certificates, plain ports that are off.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{Folder, Server, Wire, command, eventually, linchpin_path, text};
use linchpin_e2e::Secure;
use linchpin_fleet::survivors::Survivors;
use linchpin_fleet::tls::Trust;
use linchpin_protocol::model::Token;
use linchpin_tls::{Identity, LocalAuthority, Provider, Version, fingerprint};
use rustix::process::Signal;

const DAY: Duration = Duration::from_secs(86_400);

/// `@` is the server's folder, `%` the one with the certificates.
const CONFIG: &str = r#"[listen]
tls = ["127.0.0.1:0"]
mutual = ["127.0.0.1:0"]
[tls]
names = ["localhost"]
client_ca = "%/ca.pem"
revoked = "%/revoked"
[[certificate]]
chain = "%/chain.pem"
key = "%/key.pem"
[data]
dir = "@/data"
[[template]]
id = "TMPLlock"
tls = true
[[device]]
template = "TMPLlock"
[[device]]
"#;

/// An authority with what it has issued, in a folder of its own.
struct Issued {
    folder: Folder,
    authority: LocalAuthority,
    now_s: u64,
}

impl Issued {
    fn new() -> Self {
        let now_s = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_secs();
        let authority = LocalAuthority::make("Test authority", now_s, 30 * DAY).expect("an authority");
        let issued = Self { folder: Folder::new(), authority, now_s };
        issued.write("ca.pem", issued.authority.certificate_pem());
        issued.write("revoked", "# nobody yet\n");
        let (chain, key) = issued.server("localhost");
        issued.write("chain.pem", &chain);
        issued.write("key.pem", &key);
        issued
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("writes into its own folder");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn server(&self, name: &str) -> (String, String) {
        self.server_from(name, self.now_s)
    }

    /// Valid for 10 days from `unix_s` on.
    fn server_from(&self, name: &str, unix_s: u64) -> (String, String) {
        let made = self.authority.server(&[name], unix_s, 10 * DAY).expect("a certificate");
        (made.chain_pem, made.key_pem.to_string())
    }

    fn write_server(&self, (chain, key): &(String, String)) {
        self.write("chain.pem", chain);
        self.write("key.pem", key);
    }

    fn client(&self) -> Identity {
        let made = self.authority.client("device-7", self.now_s, 10 * DAY).expect("a certificate");
        let (chain, key) = (made.chain_pem.as_bytes(), made.key_pem.as_bytes());
        Identity::from_pem(chain, key, Provider::default(), self.now_s).expect("an identity")
    }

    fn config(&self) -> String {
        CONFIG.replace('%', self.folder.path().to_str().expect("UTF-8"))
    }
}

/// The tokens of the server's devices.
fn tokens(server: &Server) -> Vec<Token> {
    server.devices().iter().map(|device| Token::parse(device.token.as_bytes()).expect("a token")).collect()
}

/// Devices log in at this listener and ping for a moment.
fn serves(server: &Server, listener: &str, trust: &Trust) -> bool {
    let target = text(server.ready(), listener).parse().expect("an address");
    let (tokens, trust) = (tokens(server), trust.clone());
    // A survivor that is refused panics: here that is an answer.
    let attempt = std::thread::spawn(move || {
        let survivors = Survivors::start(target, Some(&trust), &tokens);
        std::thread::sleep(Duration::from_millis(100));
        !survivors.stop().is_empty()
    });
    attempt.join().unwrap_or(false)
}

#[test]
fn devices_come_with_tls_only_when_the_plain_port_is_off() {
    let issued = Issued::new();
    let server = Server::serve(&issued.config()).start();
    assert!(server.ready().get("plain").is_none(), "{}", server.ready());
    for version in [Version::Tls12, Version::Tls13] {
        assert!(serves(&server, "tls", &Trust::with_version(&issued.path("ca.pem"), Some(version))), "{version:?}");
    }
    let log = server.log();
    assert!(log.contains("reaches none of the roots"), "the operator hears what stock sketches will say: {log}");
    let stranger = Issued::new();
    assert!(!serves(&server, "tls", &Trust::new(&stranger.path("ca.pem"))), "the client does not know this authority");
}

#[test]
fn a_template_that_requires_tls_refuses_plain_logins() {
    let issued = Issued::new();
    let server = Server::serve(&issued.config().replace("tls = [", "plain = [\"127.0.0.1:0\"]\ntls = [")).start();
    let devices = server.devices();
    Wire::login(server.address(), &devices[1].token).expect_pong();
    let mut refused = Wire::connect(server.address());
    refused.expect_status(command::LOGIN, &[&devices[0].token], 6);
    assert!(serves(&server, "tls", &Trust::new(&issued.path("ca.pem"))), "both devices, over TLS");
}

/// A board in clear may not write through BRIDGE what it may not write itself.
#[test]
fn a_bridge_in_clear_does_not_reach_a_device_that_requires_tls() {
    let issued = Issued::new();
    let config = issued.config().replace("tls = [", "plain = [\"127.0.0.1:0\"]\ntls = [") + "[[device]]\n";
    let server = Server::serve(&config).start();
    let devices = server.devices();
    let trust = Trust::new(&issued.path("ca.pem"));
    // Both targets are connected over TLS; one of them need not be.
    let online = [0, 2].map(|at| Secure::log_in(server.tls_address(), &trust, &devices[at].token));
    let mut clear = Wire::login(server.address(), &devices[1].token);
    clear.expect_status(command::BRIDGE, &["64", "i", &devices[0].token], 200);
    clear.expect_status(command::BRIDGE, &["64", "vw", "5", "77"], 6);
    clear.expect_status(command::BRIDGE, &["65", "i", &devices[2].token], 200);
    clear.send_parts(command::BRIDGE, &["65", "vw", "5", "77"]);
    eventually(EFFECT, "the other one has it", || server.value(&devices[2], "V5").filter(|value| value == "77"));
    assert_eq!(server.value(&devices[0], "V5"), None);
    clear.expect_pong();
    drop(online);
}

#[test]
fn certificates_of_clients_are_asked_for_and_can_be_taken_back() {
    let issued = Issued::new();
    let server = Server::serve(&issued.config()).start();
    let identity = issued.client();
    let print = fingerprint(&identity.chain()[0]);
    let with = Trust::with_identity(&issued.path("ca.pem"), Some(Version::Tls13), Some(identity));
    assert!(serves(&server, "mutual", &with));
    assert!(!serves(&server, "mutual", &Trust::new(&issued.path("ca.pem"))), "without a certificate");
    let digits: String = print.iter().map(|byte| format!("{byte:02X}")).collect();
    issued.write("revoked", &format!("{digits} # lost board\n"));
    server.signal(Signal::HUP);
    eventually(EFFECT, "the list is read again", || server.log().contains("certificates reloaded").then_some(()));
    assert!(!serves(&server, "mutual", &with), "taken back");
    assert!(serves(&server, "tls", &with), "elsewhere it is not asked for");
}

#[test]
fn new_files_are_taken_at_sighup_and_broken_ones_are_not() {
    let issued = Issued::new();
    let server = Server::serve(&issued.config()).start();
    let trust = Trust::new(&issued.path("ca.pem"));
    let key = std::fs::read_to_string(issued.path("key.pem")).expect("the key");
    issued.write("key.pem", &issued.server("localhost").1);
    server.signal(Signal::HUP);
    let said = "is not the one of the chain's first certificate";
    eventually(EFFECT, "the log says what is wrong", || server.log().contains(said).then_some(()));
    assert!(serves(&server, "tls", &trust), "the old certificate stays");
    issued.write("key.pem", &key);
    let (chain, key) = issued.server("other.example");
    issued.write("chain.pem", &chain);
    issued.write("key.pem", &key);
    server.signal(Signal::HUP);
    eventually(EFFECT, "the new one is warned of", || server.log().contains("not valid for localhost").then_some(()));
    eventually(EFFECT, "the new one is taken", || server.log().contains("certificates reloaded").then_some(()));
    assert!(!serves(&server, "tls", &trust), "the new certificate is for another name");
}

#[test]
fn a_certificate_that_is_not_valid_replaces_none_that_is() {
    let issued = Issued::new();
    let server = Server::serve(&issued.config()).start();
    let trust = Trust::new(&issued.path("ca.pem"));
    let expired = issued.server_from("localhost", issued.now_s - 20 * DAY.as_secs());
    issued.write_server(&expired);
    server.signal(Signal::HUP);
    eventually(EFFECT, "the log says why", || server.log().contains("chain.pem: expired ").then_some(()));
    assert!(server.log().contains("the old ones stay") && serves(&server, "tls", &trust), "the valid one stays");
    let (status, said) = check(&issued.config());
    assert!(status == Some(78) && said.contains("days ago; renew it now"), "{said}");
    issued.write_server(&issued.server_from("localhost", issued.now_s + 20 * DAY.as_secs()));
    server.signal(Signal::HUP);
    eventually(EFFECT, "the log says why", || server.log().contains("chain.pem: becomes valid in").then_some(()));
    assert!(serves(&server, "tls", &trust));
    let (status, said) = check(&issued.config());
    assert!(status == Some(78) && said.contains("check this machine's clock"), "{said}");
    // A server that has nothing better starts, and takes whatever is newer.
    issued.write_server(&expired);
    let server = Server::serve(&issued.config()).start();
    assert!(server.log().contains("days ago; renew it now") && !serves(&server, "tls", &trust));
    issued.write_server(&issued.server("localhost"));
    server.signal(Signal::HUP);
    eventually(EFFECT, "the valid one is taken", || server.log().contains("certificates reloaded").then_some(()));
    assert!(serves(&server, "tls", &trust));
}

/// Ends of `linchpin check` with this configuration: status and what it says.
fn check(config: &str) -> (Option<i32>, String) {
    let folder = Folder::new();
    let path = folder.path().join("linchpin.toml");
    let config = config.replace('@', folder.path().to_str().expect("UTF-8"));
    std::fs::write(&path, config).expect("write the configuration");
    let output = Command::new(linchpin_path()).args(["check", "--config"]).arg(&path).env("NO_COLOR", "1").output();
    let output = output.expect("start the binary");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn lines_without(config: &str, words: &[&str]) -> String {
    let lines = config.lines().filter(|line| !words.iter().any(|word| line.starts_with(word)));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn mistakes_name_the_file_and_what_is_wrong() {
    let issued = Issued::new();
    let good = issued.config();
    let (status, said) = check(&good);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("ISRG Root X1") && said.contains("days_left"), "{said}");
    let wrong = |config: &str, words: &[&str]| {
        let (status, said) = check(config);
        assert_eq!(status, Some(78), "{config}\n{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{words:?} in {said}");
        assert!(!said.contains("BEGIN"), "no part of a key is shown: {said}");
    };
    wrong(&lines_without(&good, &["[[certificate]]", "chain", "key"]), &["needs a certificate", "[[certificate]]"]);
    wrong(&lines_without(&good, &["client_ca"]), &["mutual", "client_ca"]);
    wrong(&good.replace("chain.pem", "none.pem"), &["none.pem", "No such file"]);
    wrong(&good.replace("/key.pem", "/chain.pem"), &["chain.pem", "private key"]);
    wrong(&good.replace("/chain.pem", "/key.pem"), &["key.pem", "certificate"]);
    wrong(&good.replace("[tls]", "[tls]\nrecord_layer = \"fast\""), &["record_layer", "in-place", "fast"]);
    issued.write("revoked", "12:34\n");
    wrong(&good, &["revoked", "line 1", "64 hexadecimal digits"]);
    issued.write("revoked", "");
    issued.write("ca.pem", "nothing");
    wrong(&good, &["ca.pem", "no certificate"]);
}

/// The server goes on with it: whoever could read it has it.
#[test]
fn a_key_of_a_certificate_that_others_may_read_is_said() {
    let issued = Issued::new();
    for (mode, is_exposed) in [(0o644, true), (0o660, true), (0o640, false), (0o600, false)] {
        std::fs::set_permissions(issued.path("key.pem"), Permissions::from_mode(mode)).expect("its own file");
        let server = Server::serve(&issued.config()).start();
        let said = format!("key.pem: others may read or exchange this key (mode {mode:o}): run chmod");
        assert_eq!(server.log().contains(&said), is_exposed, "{mode:o}: {}", server.log());
        let (status, text) = check(&issued.config());
        assert_eq!((status, text.contains(&said)), (Some(0), is_exposed), "{mode:o}: {text}");
    }
}

#[test]
fn a_key_of_tickets_that_others_may_read_stops_the_start() {
    let mut server = Server::dev().start();
    let _ = server.stop();
    let data = server.data_path();
    let key: &Path = &data.join("unseal.key");
    std::fs::set_permissions(key, Permissions::from_mode(0o644)).expect("its own file");
    let Err((status, log)) = Server::dev().option("--data", &data).option("--tls", "127.0.0.1:0").try_start() else {
        panic!("it must not start")
    };
    assert!(!status.success() && log.contains("unseal.key") && log.contains("chmod 600"), "{log}");
}

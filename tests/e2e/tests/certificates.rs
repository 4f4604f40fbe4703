//! Certificates that are ordered from an authority of our own (pebble), by a server that knows nothing but names.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use linchpin_compat::{Server, eventually};
use linchpin_e2e::authority::{AuthorityOptions, PebbleAuthority, free_port, s_client};

/// From the start of the server to its certificate.
const ISSUED: Duration = Duration::from_secs(120);

/// `@` is the server's folder, `%` the authority's address, `&` the root of its HTTPS, `PLAIN` and `TLS` ports, `MORE`
/// further lines of `[acme]`.
const CONFIG: &str = r#"[listen]
plain = ["127.0.0.1:PLAIN"]
tls = ["127.0.0.1:TLS"]
metrics = "127.0.0.1:0"
[data]
dir = "@/data"
[acme]
directory = "%"
ca = "&"
MORE
[[certificate]]
acme = { ORDER }
[[device]]
[[device]]
"#;

struct Ports {
    plain: u16,
    tls: u16,
}

impl Ports {
    fn free() -> Self {
        Self { plain: free_port(), tls: free_port() }
    }

    fn options(&self) -> AuthorityOptions {
        AuthorityOptions::new(self.tls, self.plain)
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.tls))
    }

    fn config(&self, authority: &PebbleAuthority, more: &str, order: &str) -> String {
        let resolver = format!("resolver = \"{}\"", authority.resolver());
        CONFIG
            .replace("PLAIN", &self.plain.to_string())
            .replace("TLS", &self.tls.to_string())
            .replace('%', &authority.directory())
            .replace('&', &authority.ca().display().to_string())
            .replace("MORE", &format!("{resolver}\n{more}"))
            .replace("ORDER", order)
    }
}

/// What a client that offers these signature algorithms sees: serial, issuer and names of the first certificate, and how
/// many there are. `None`: no handshake.
fn seen(address: SocketAddr, more: &[&str]) -> Option<(String, usize)> {
    let mut options = vec!["-showcerts", "-servername", "node.example.com"];
    options.extend(more);
    let text = s_client(address, &options, "");
    let count = text.matches("-----BEGIN CERTIFICATE").count();
    let begin = text.find("-----BEGIN CERTIFICATE")?;
    let mut x509 = Command::new("openssl")
        .args(["x509", "-noout", "-serial", "-issuer", "-text"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("OpenSSL is installed");
    let pem = text[begin..].to_owned();
    std::io::Write::write_all(&mut x509.stdin.take().expect("a pipe"), pem.as_bytes()).expect("writes");
    let output = x509.wait_with_output().expect("it ends");
    Some((String::from_utf8_lossy(&output.stdout).into_owned(), count))
}

fn serial(description: &str) -> String {
    description.lines().find(|line| line.starts_with("serial=")).expect("a serial").to_owned()
}

/// Wait until the authority's certificate is served.
fn issued(address: SocketAddr, more: &[&str]) -> (String, usize) {
    eventually(ISSUED, "a certificate of the authority is served", || {
        seen(address, more).filter(|(description, _)| description.contains("Pebble Intermediate"))
    })
}

#[test]
fn a_fresh_server_has_its_certificate_by_a_handshake() {
    let ports = Ports::free();
    let authority = PebbleAuthority::start(&AuthorityOptions { chain_len: 3, bad_nonces: 20, ..ports.options() });
    let more = "challenges = [\"tls-alpn-01\"]";
    let server = Server::serve(&ports.config(
        &authority,
        more,
        r#"names = ["node.example.com", "www.example.com"], keys = ["ecdsa", "rsa"], profile = "classic""#,
    ))
    .start();
    let (description, count) = issued(ports.address(), &["-sigalgs", "ECDSA+SHA256"]);
    assert!(description.contains("DNS:node.example.com, DNS:www.example.com"), "{description}");
    assert!(description.contains("id-ecPublicKey") && count == 4, "{count} certificates: {description}");
    let (of_rsa, _) = eventually(ISSUED, "the RSA twin is served", || {
        seen(ports.address(), &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"])
            .filter(|(description, _)| description.contains("rsaEncryption"))
    });
    assert_ne!(serial(&description), serial(&of_rsa));
    let log = server.log();
    assert!(log.contains("node.example.com by tls-alpn-01"), "{log}");
    assert!(!log.contains("PRIVATE KEY"), "no key in the log");
}

#[test]
fn the_plain_listener_proves_names_and_only_while_it_must() {
    let ports = Ports::free();
    let authority = PebbleAuthority::start(&ports.options());
    let mut server =
        Server::serve(&ports.config(&authority, "challenges = [\"http-01\"]", r#"names = ["node.example.com"]"#))
            .start();
    let (description, _) = issued(ports.address(), &[]);
    assert!(server.log().contains("node.example.com by http-01"), "{}", server.log());
    // Nothing is left to be asked for.
    let mut curl = std::net::TcpStream::connect(server.address()).expect("the plain port");
    let question = b"GET /.well-known/acme-challenge/abc HTTP/1.0\r\nHost: node.example.com\r\n\r\n";
    std::io::Write::write_all(&mut curl, question).expect("writes");
    let mut answer = String::new();
    let _ = std::io::Read::read_to_string(&mut curl, &mut answer);
    assert!(answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.0 404"), "{answer}");
    // After a restart the same certificate is there at once, and nothing is ordered.
    let orders = authority.log().matches("POST /order-plz").count();
    let before = serial(&description);
    server.restart();
    let (again, _) = issued(ports.address(), &[]);
    assert_eq!(serial(&again), before);
    assert_eq!(authority.log().matches("POST /order-plz").count(), orders);
}

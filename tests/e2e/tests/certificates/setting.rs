//! A server and an authority that look for each other on loopback.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use linchpin_compat::{Server, eventually};
use linchpin_e2e::authority::{AuthorityOptions, PebbleAuthority, free_port, s_client};
use serde_json::Value;

/// From the start of the server to its certificate, on a machine that does much else.
pub(crate) const ISSUED: Duration = Duration::from_secs(30);
/// The name that most certificates are for.
pub(crate) const NAME: &str = "node.example.com";

/// `@` is the server's folder, `%` the authority's address, `&` the root of its HTTPS, `PLAIN` and `TLS` ports, `MORE`
/// further lines of `[acme]`, `TRUST` of `[tls]`.
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
[tls]
TRUST
[[certificate]]
acme = { ORDER }
[[device]]
[[device]]
"#;

/// Both of a server, chosen before the authority is told of them.
pub(crate) struct Ports {
    plain: u16,
    tls: u16,
}

impl Ports {
    pub(crate) fn free() -> Self {
        Self { plain: free_port(), tls: free_port() }
    }

    pub(crate) fn options(&self) -> AuthorityOptions {
        AuthorityOptions::new(self.tls, self.plain)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.tls))
    }

    pub(crate) fn config(&self, authority: &PebbleAuthority, more: &str, order: &str) -> String {
        self.config_with(authority, more, order, "")
    }

    /// The same with lines of `[tls]`.
    pub(crate) fn config_with(&self, authority: &PebbleAuthority, more: &str, order: &str, trust: &str) -> String {
        let resolver = format!("resolver = \"{}\"", authority.resolver());
        CONFIG
            .replace("PLAIN", &self.plain.to_string())
            .replace("TLS", &self.tls.to_string())
            .replace('%', &authority.directory())
            .replace('&', &authority.ca().display().to_string())
            .replace("MORE", &format!("{resolver}\n{more}"))
            .replace("ORDER", order)
            .replace("TRUST", trust)
    }
}

/// What a client that offers these signature algorithms sees: serial, issuer and names of the first certificate, and how
/// many there are. `None`: no handshake.
pub(crate) fn seen(address: SocketAddr, more: &[&str]) -> Option<(String, usize)> {
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

pub(crate) fn serial(description: &str) -> String {
    description.lines().find(|line| line.starts_with("serial=")).expect("a serial").to_owned()
}

/// Wait until the authority's certificate is served.
pub(crate) fn issued(address: SocketAddr, more: &[&str]) -> (String, usize) {
    eventually(ISSUED, "a certificate of the authority is served", || {
        seen(address, more).filter(|(description, _)| description.contains("Pebble Intermediate"))
    })
}

/// The serial number of what a client is given, as the authority writes it.
pub(crate) fn served_serial(address: SocketAddr) -> Option<String> {
    seen(address, &[]).map(|(description, _)| serial(&description))
}

/// The one line of orders that `linchpin cert status` shows.
pub(crate) fn status(server: &Server) -> Value {
    server.ask(&["cert", "status"]).as_array().expect("a list").first().expect("a line").clone()
}

/// Run the program beside the server, which may have ended: standard output and error, and whether it succeeded.
pub(crate) fn program(args: &[&str], server: &Server) -> (String, String, bool) {
    let config = server.folder().join("linchpin.toml");
    let ran = Command::new(linchpin_compat::linchpin_path()).args(args).arg("--config").arg(config).output();
    let ran = ran.expect("start the binary");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&ran.stdout), text(&ran.stderr), ran.status.success())
}

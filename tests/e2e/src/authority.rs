//! An authority that signs certificates for tests (pebble), with the name server that it asks, both on loopback.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use linchpin_compat::Folder;
use linchpin_tls::LocalAuthority;
use serde_json::json;

/// A program answers on its port within this time.
const START: Duration = Duration::from_secs(10);

/// How to start one.
#[derive(Clone, Debug)]
pub struct AuthorityOptions {
    /// Where it looks for `acme-tls/1`.
    pub tls_port: u16,
    /// Where it looks for http-01.
    pub http_port: u16,
    /// Certificates between its root and the server's, this one counted: 1 to 4.
    pub chain_len: usize,
    /// It has a second root, with a chain of its own.
    pub alternate: bool,
    /// It takes accounts only with this key: kid, base64url.
    pub binding: Option<(String, String)>,
    /// Good nonces that it calls bad, in a hundred.
    pub bad_nonces: u32,
    /// Its own port; 0: a free one.
    pub port: u16,
}

impl AuthorityOptions {
    /// For a server on these ports.
    #[must_use]
    pub const fn new(tls_port: u16, http_port: u16) -> Self {
        Self { tls_port, http_port, chain_len: 1, alternate: false, binding: None, bad_nonces: 0, port: 0 }
    }
}

/// A running authority; it ends with this.
#[derive(Debug)]
pub struct PebbleAuthority {
    folder: Folder,
    programs: Vec<Child>,
    directory: SocketAddr,
    management: SocketAddr,
    resolver: SocketAddr,
    dns_management: SocketAddr,
    /// It knows renewal information and profiles.
    pub is_modern: bool,
}

/// Ports that the system gives to nobody who asks for any: Linux' own choice begins above them.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A port that nobody else gets while this program runs: not another test, not a connection that goes out.
///
/// # Panics
/// All are taken.
#[must_use]
pub fn free_port() -> u16 {
    // The names are the tests' alone, whatever process they run in. They end with it.
    static TAKEN: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    // Each process looks from another one on.
    let first = PORTS.start + (std::process::id() * 64 % PORTS.len() as u32) as u16;
    for port in (first..PORTS.end).chain(PORTS.start..first) {
        let name = UnixAddress::from_abstract_name(format!("linchpin-test-port-{port}")).expect("a short name");
        let Ok(reserved) = UnixListener::bind_addr(&name) else { continue };
        if TcpListener::bind(loopback(port)).is_ok() {
            TAKEN.lock().expect("no test fails here").push(reserved);
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// The newest pebble that is installed: from the tools' folder, or Debian's.
fn program(name: &str) -> (PathBuf, bool) {
    let cache = std::env::var_os("LINCHPIN_CACHE").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/linchpin"));
    let tool = cache.or(home).map(|folder| folder.join("tools").join(name)).filter(|path| path.exists());
    tool.map_or_else(|| (PathBuf::from("/usr/bin").join(name), false), |path| (path, true))
}

impl PebbleAuthority {
    /// Start one.
    ///
    /// # Panics
    /// It is not installed or does not answer.
    #[must_use]
    pub fn start(options: &AuthorityOptions) -> Self {
        let folder = Folder::new();
        let now_s = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_secs();
        let own = LocalAuthority::make("Authority's own", now_s, Duration::from_secs(864_000)).expect("an authority");
        let https =
            own.server(&["localhost", "127.0.0.1"], now_s, Duration::from_secs(432_000)).expect("a certificate");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("writes");
        write("ca.pem", own.certificate_pem());
        write("cert.pem", &https.chain_pem);
        write("key.pem", &https.key_pem);
        let port = if options.port == 0 { free_port() } else { options.port };
        let (directory, management) = (loopback(port), loopback(free_port()));
        let (resolver, dns_management) = (loopback(free_port()), loopback(free_port()));
        write("config.json", &config(folder.path(), options, directory, management));
        let (dns, _) = program("pebble-challtestsrv");
        let (pebble, is_modern) = program("pebble");
        let flag = if is_modern { "-dnsserver" } else { "-dns01" };
        let mut names = Command::new(dns);
        names.args([flag, &resolver.to_string(), "-management", &dns_management.to_string()]);
        names.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]);
        if is_modern {
            names.args(["-doh", ""]);
        }
        let mut authority = Command::new(pebble);
        authority.args(["-config", "config.json", "-dnsserver", &resolver.to_string()]).current_dir(folder.path());
        authority.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_CHAIN_LENGTH", options.chain_len.to_string());
        authority.env("PEBBLE_WFE_NONCEREJECT", options.bad_nonces.to_string()).env("PEBBLE_AUTHZREUSE", "0");
        if options.alternate {
            authority.env("PEBBLE_ALTERNATE_ROOTS", "1");
        }
        let log = |name: &str| std::fs::File::create(folder.path().join(name)).expect("a log");
        let run = |command: &mut Command, name: &str| {
            let started = command.stdin(Stdio::null()).stdout(log(name)).stderr(Stdio::null()).spawn();
            started.unwrap_or_else(|error| panic!("{command:?}: {error}; tests/setup.sh installs it"))
        };
        let programs = vec![run(&mut names, "dns.log"), run(&mut authority, "pebble.log")];
        let started = Self { folder, programs, directory, management, resolver, dns_management, is_modern };
        for address in [dns_management, directory, management] {
            started.answers(address);
        }
        started
    }

    fn answers(&self, address: SocketAddr) {
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < START, "{address} does not answer: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it printed.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("pebble.log")).unwrap_or_default()
    }

    /// The address of its directory.
    #[must_use]
    pub fn directory(&self) -> String {
        format!("https://{}/dir", self.directory)
    }

    /// Its own port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.directory.port()
    }

    /// Where it says what it has signed.
    #[must_use]
    pub const fn management(&self) -> SocketAddr {
        self.management
    }

    /// `cert.pem` or `key.pem` of its own HTTPS.
    #[must_use]
    pub fn https(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// The root of its own HTTPS.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The name server that it asks.
    #[must_use]
    pub const fn resolver(&self) -> SocketAddr {
        self.resolver
    }

    /// The root that it signs under, PEM; 1 is the alternative.
    ///
    /// # Panics
    /// It does not answer.
    #[must_use]
    pub fn root(&self, number: usize) -> String {
        let question = format!("GET /roots/{number} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        let answer = s_client(self.management, &["-quiet"], &question);
        let begin = answer.find("-----BEGIN CERTIFICATE").unwrap_or_else(|| panic!("no root: {answer}"));
        answer[begin..].to_owned()
    }

    /// Let the name server answer a TXT question.
    ///
    /// # Panics
    /// It does not answer.
    pub fn set_txt(&self, name: &str, text: &str) {
        use std::io::{Read as _, Write as _};
        let body = json!({"host": format!("{name}."), "value": text}).to_string();
        let mut stream = TcpStream::connect(self.dns_management).expect("the name server's management");
        let head = format!("POST /set-txt HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(head.as_bytes()).expect("writes");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("reads");
        assert!(answer.contains("200"), "{answer}");
    }

    /// Where the name server is managed, for hooks.
    #[must_use]
    pub const fn dns_management(&self) -> SocketAddr {
        self.dns_management
    }
}

impl Drop for PebbleAuthority {
    fn drop(&mut self) {
        for program in &mut self.programs {
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}

fn config(folder: &Path, options: &AuthorityOptions, directory: SocketAddr, management: SocketAddr) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    let days = |days: u64| days * 86_400;
    let mut pebble = json!({
        "listenAddress": directory.to_string(),
        "managementListenAddress": management.to_string(),
        "certificate": path("cert.pem"),
        "privateKey": path("key.pem"),
        "httpPort": options.http_port,
        "tlsPort": options.tls_port,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": options.binding.is_some(),
        "keyAlgorithm": "ecdsa",
        "domainBlocklist": ["blocked.example"],
        "retryAfter": {"authz": 1, "order": 1},
        "profiles": {
            "classic": {"description": "90 days", "validityPeriod": days(90)},
            "tlsserver": {"description": "45 days", "validityPeriod": days(45)},
            "shortlived": {"description": "160 hours", "validityPeriod": 576_000},
        },
    });
    if let Some((kid, key)) = &options.binding {
        pebble["externalAccountMACKeys"] = json!({kid: key});
    }
    json!({"pebble": pebble}).to_string()
}

/// What OpenSSL's client prints after it sent `input`.
///
/// # Panics
/// There is no OpenSSL.
#[must_use]
pub fn s_client(address: SocketAddr, options: &[&str], input: &str) -> String {
    use std::io::Write as _;
    let mut client = Command::new("timeout");
    client.args(["10", "openssl", "s_client", "-connect", &address.to_string()]).args(options);
    let mut client = client
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("OpenSSL is installed");
    if let Some(mut stdin) = client.stdin.take() {
        // A server that closes at once does not read it.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = client.wait_with_output().expect("it ends");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

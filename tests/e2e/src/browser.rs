//! A browser of one person: its cookies and its token against forged requests. It speaks by curl.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use linchpin_compat::Server;
use ring::{digest, hmac};
use serde_json::{Value, json};

/// An answer of the API.
#[derive(Clone, Debug)]
pub struct ApiAnswer {
    /// Status.
    pub status: u16,
    /// Header fields, names in lower case.
    pub fields: Vec<(String, String)>,
    /// Body; null if there is none, a text if it is no JSON.
    pub body: Value,
}

impl ApiAnswer {
    /// A header field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The code of a problem; empty if it is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The body of an answer that must be a success.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    #[track_caller]
    pub fn good(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.body
    }

    /// It must have this status and code.
    ///
    /// # Panics
    /// When it has not.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{self:?}");
        assert_eq!(self.field("content-type"), Some("application/problem+json"));
    }
}

/// What stands for a password, as Blynk's clients and the console make it.
#[must_use]
pub fn password_hash(email: &str, password: &str) -> String {
    let salt = digest::digest(&digest::SHA256, email.to_ascii_lowercase().as_bytes());
    let mut both = password.as_bytes().to_vec();
    both.extend_from_slice(salt.as_ref());
    STANDARD.encode(digest::digest(&digest::SHA256, &both))
}

/// The code of a second factor, now or so many steps later.
///
/// # Panics
/// When the secret is no Base32.
#[must_use]
pub fn totp(secret: &str, steps: u64) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in secret.bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter).expect("Base32") as u32;
        (held, bits) = (held << 5 | value, bits + 5);
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let step = now / 30 + steps;
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes), &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 15);
    let number = u32::from_be_bytes([tag[at] & 0x7f, tag[at + 1], tag[at + 2], tag[at + 3]]);
    format!("{:06}", number % 1_000_000)
}

/// See the module's page.
#[derive(Clone, Debug)]
pub struct Browser {
    base: String,
    ca: Option<PathBuf>,
    cookies: BTreeMap<String, String>,
    csrf: String,
    /// Header fields that every request has besides.
    pub fields: Vec<String>,
}

impl Browser {
    /// At the plain port of a server; nobody is signed in.
    #[must_use]
    pub fn new(server: &Server) -> Self {
        let base = format!("http://{}", server.address());
        Self { base, ca: None, cookies: BTreeMap::new(), csrf: String::new(), fields: Vec::new() }
    }

    /// At its TLS port, trusting this authority (PEM).
    #[must_use]
    pub fn over_tls(server: &Server, ca: &Path) -> Self {
        let base = format!("https://localhost:{}", server.tls_address().port());
        let ca = Some(ca.to_owned());
        Self { base, ca, cookies: BTreeMap::new(), csrf: String::new(), fields: Vec::new() }
    }

    /// A program with this key instead.
    #[must_use]
    pub fn with_key(server: &Server, key: &str) -> Self {
        Self { fields: vec![format!("Authorization: Bearer {key}")], ..Self::new(server) }
    }

    /// Ask `/api/v1` + path, with a JSON body or none.
    ///
    /// # Panics
    /// When the server does not answer.
    pub fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> ApiAnswer {
        let csrf = format!("X-Linchpin-Csrf: {}", self.csrf);
        let mut fields = vec![csrf];
        if body.is_some() {
            fields.push("Content-Type: application/json".to_owned());
        }
        let body = body.map(ToString::to_string);
        // A server that does not keep up with passwords says when to come again; nothing has changed then.
        for _ in 0..30 {
            let answer = self.ask_raw(method, &format!("/api/v1{path}"), &fields, body.as_deref());
            let wait = answer.field("retry-after").and_then(|text| text.parse().ok()).filter(|_| answer.status == 503);
            let Some(wait) = wait else { return answer };
            std::thread::sleep(Duration::from_secs(wait));
        }
        self.ask_raw(method, &format!("/api/v1{path}"), &fields, body.as_deref())
    }

    /// Ask with these header fields and no others but the cookies.
    ///
    /// # Panics
    /// When the server does not answer.
    pub fn ask_raw(&mut self, method: &str, path: &str, fields: &[String], body: Option<&str>) -> ApiAnswer {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "60", "--include", "-H", "Expect:", "-X", method]);
        if let Some(ca) = &self.ca {
            // The server's own port is where it listens: whatever the machine calls itself.
            curl.arg("--cacert").arg(ca).args(["--connect-to", "localhost::127.0.0.1:"]);
        }
        for field in fields.iter().chain(&self.fields) {
            curl.args(["-H", field]);
        }
        if !self.cookies.is_empty() {
            let all: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            curl.args(["-H", &format!("Cookie: {}", all.join("; "))]);
        }
        if let Some(body) = body {
            curl.args(["--data-binary", body]);
        }
        let output = curl.arg(format!("{}{path}", self.base)).output().expect("curl is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{method} {path}: {}", String::from_utf8_lossy(&output.stderr));
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
        let fields: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let body = serde_json::from_str(body)
            .unwrap_or_else(|_| if body.is_empty() { Value::Null } else { Value::String(body.to_owned()) });
        let answer = ApiAnswer { status, fields, body };
        self.take(&answer);
        answer
    }

    /// Cookies and tokens of an answer.
    fn take(&mut self, answer: &ApiAnswer) {
        for (_, line) in answer.fields.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, value) = line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        if let Some(csrf) = answer.body["csrf"].as_str().or(answer.field("x-linchpin-csrf")) {
            self.csrf = csrf.to_owned();
        }
    }

    /// Fetch an archive of `/api/v1` + path and unpack it into a folder.
    ///
    /// # Panics
    /// When it is none, or is cut off.
    pub fn archive(&mut self, method: &str, path: &str, folder: &Path) {
        let csrf = [format!("X-Linchpin-Csrf: {}", self.csrf)];
        let answer = self.ask_raw(method, &format!("/api/v1{path}"), &csrf, None);
        assert_eq!((answer.status, answer.field("content-type")), (200, Some("application/x-tar")), "{answer:?}");
        let text = answer.body.as_str().expect("an archive");
        std::fs::create_dir_all(folder).expect("a folder");
        std::fs::write(folder.join("export.tar"), text).expect("is written");
        let status = Command::new("tar").arg("-xf").arg("export.tar").current_dir(folder).status();
        assert!(status.expect("tar is installed").success());
    }

    /// Read something.
    pub fn get(&mut self, path: &str) -> ApiAnswer {
        self.ask("GET", path, None)
    }

    /// Send something.
    pub fn post(&mut self, path: &str, body: &Value) -> ApiAnswer {
        self.ask("POST", path, Some(body))
    }

    /// Sign in.
    pub fn sign_in(&mut self, email: &str, password: &str, code: Option<&str>) -> ApiAnswer {
        let mut body = json!({"email": email, "hash": password_hash(email, password)});
        if let Some(code) = code {
            body["code"] = code.into();
        }
        self.post("/session", &body)
    }

    /// Names and values of its cookies.
    #[must_use]
    pub const fn cookies(&self) -> &BTreeMap<String, String> {
        &self.cookies
    }
}

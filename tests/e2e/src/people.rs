//! Somebody who is signed in and asks the API, as a program without a browser does.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use linchpin_compat::{Server, linchpin_path};
use ring::digest::{Context, SHA256};
use serde_json::{Value, json};

/// What came back.
#[derive(Debug)]
pub struct Answered {
    /// Status code.
    pub status: u16,
    /// Fields of the head, their names in lower case.
    pub fields: Vec<(String, String)>,
    /// The body; null: there was none.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Answered {
    /// A field of the head.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// See the module's page.
#[derive(Clone, Debug)]
pub struct SignedIn {
    address: SocketAddr,
    cookie: String,
    csrf: String,
    /// The rest of the field `Authorization`; empty: there is none.
    authorization: String,
}

/// What browsers make of a password before it leaves them.
fn hash(email: &str, password: &str) -> String {
    let digest = |parts: &[&[u8]]| {
        let mut context = Context::new(&SHA256);
        parts.iter().for_each(|part| context.update(part));
        context.finish()
    };
    let salt = digest(&[email.to_ascii_lowercase().as_bytes()]);
    STANDARD.encode(digest(&[password.as_bytes(), salt.as_ref()]))
}

/// Make a person on the running server.
///
/// # Panics
/// When the server refuses.
pub fn create_person(server: &Server, org: u32, role: &str, email: &str, password: &str) {
    let org = org.to_string();
    let mut child = Command::new(linchpin_path())
        .args([
            "admin",
            "user",
            "create",
            "--org",
            &org,
            "--role",
            role,
            "--email",
            email,
            "--password-stdin",
            "--data",
        ])
        .arg(server.data_path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start the binary");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(password.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), server.log());
}

impl SignedIn {
    /// Sign in.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn new(address: SocketAddr, email: &str, password: &str) -> Self {
        let mut made = Self::stranger(address);
        let answer = made.ask("POST", "/session", Some(json!({"email": email, "hash": hash(email, password)})));
        assert_eq!(answer.status, 200, "{}", answer.text);
        made.take(&answer);
        assert!(!made.csrf.is_empty(), "a mark against forged requests");
        made
    }

    /// Somebody whom the server does not know.
    #[must_use]
    pub const fn stranger(address: SocketAddr) -> Self {
        Self { address, cookie: String::new(), csrf: String::new(), authorization: String::new() }
    }

    /// A program with this key or token.
    #[must_use]
    pub fn with_key(address: SocketAddr, key: &str) -> Self {
        Self { authorization: format!("Bearer {key}"), ..Self::stranger(address) }
    }

    /// The same person without the mark against forged requests.
    #[must_use]
    pub fn unmarked(&self) -> Self {
        Self { csrf: String::new(), ..self.clone() }
    }

    /// Its cookies, as a header field has them.
    #[must_use]
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Its mark against forged requests.
    #[must_use]
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Go on with the cookies and the mark of an answer.
    pub fn take(&mut self, answer: &Answered) {
        let cookies = answer.fields.iter().filter(|(name, _)| name == "set-cookie");
        let pairs: Vec<&str> = cookies.filter_map(|(_, line)| line.split(';').next()).collect();
        if !pairs.is_empty() {
            self.cookie = pairs.join("; ");
        }
        if let Some(csrf) = answer.body["csrf"].as_str().or(answer.field("x-linchpin-csrf")) {
            self.csrf = csrf.to_owned();
        }
    }

    /// Ask for a path below `/api/v1`.
    ///
    /// # Panics
    /// When the server does not answer.
    pub fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answered {
        self.ask_with(method, path, "", body)
    }

    /// The same with fields of the head, each ended by CR LF.
    ///
    /// # Panics
    /// When the server does not answer.
    pub fn ask_with(&self, method: &str, path: &str, fields: &str, body: Option<Value>) -> Answered {
        let mut stream = self.send(method, path, fields, body);
        let (mut bytes, mut some) = (Vec::new(), [0; 16_384]);
        // The server waits a moment for the client to close first: what is whole is not waited for.
        while !is_whole(&bytes) {
            match stream.read(&mut some).expect("an answer within 30 s") {
                0 => break,
                len => bytes.extend_from_slice(&some[..len]),
            }
        }
        parse(&String::from_utf8_lossy(&bytes))
    }

    /// Ask for something that does not end by itself: what came first of the answer.
    ///
    /// # Panics
    /// When the server does not answer.
    pub fn ask_first(&self, method: &str, path: &str) -> Answered {
        let mut stream = self.send(method, path, "", None);
        let mut bytes = vec![0; 16_384];
        let len = stream.read(&mut bytes).expect("an answer within 30 s");
        let text = String::from_utf8_lossy(&bytes[..len]);
        let (head, _) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        parse(&format!("{}\r\n\r\n", head.replace("chunked", "")))
    }

    fn send(&self, method: &str, path: &str, fields: &str, body: Option<Value>) -> TcpStream {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let cookie = if self.cookie.is_empty() { String::new() } else { format!("Cookie: {}\r\n", self.cookie) };
        let csrf = if self.csrf.is_empty() { String::new() } else { format!("X-Linchpin-Csrf: {}\r\n", self.csrf) };
        let key = if self.authorization.is_empty() {
            String::new()
        } else {
            format!("Authorization: {}\r\n", self.authorization)
        };
        let (host, len) = (self.address, body.len());
        let path = if path.starts_with("/oauth2/") { path.to_owned() } else { format!("/api/v1{path}") };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{kind}{cookie}{csrf}{key}{fields}Content-Length: {len}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("an open socket");
        // A refusal before the body may close the connection while it is still sent.
        let _ = stream.write_all(format!("{head}{body}").as_bytes());
        stream
    }

    /// Ask for something that must succeed; returns the body.
    ///
    /// # Panics
    /// When it does not.
    pub fn good(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self.ask(method, path, body);
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text);
        answer.body
    }

    /// Ask for something that must be refused with this status; returns the problem.
    ///
    /// # Panics
    /// When it is not.
    pub fn refused(&self, method: &str, path: &str, body: Option<Value>, status: u16) -> Value {
        let answer = self.ask(method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        answer.body
    }
}

/// Is this a whole answer? One without a length ends with its connection.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
    let body = &bytes[at + 4..];
    let len = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    match len {
        Some(len) => body.len() >= len,
        None if head.contains("transfer-encoding: chunked") => body.ends_with(b"0\r\n\r\n"),
        None => head.starts_with("http/1.1 204"),
    }
}

fn parse(text: &str) -> Answered {
    let (head, mut body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
    let field = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let fields: Vec<(String, String)> = lines.filter_map(field).collect();
    let mut whole = String::new();
    if fields.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
        while let Some((len, rest)) = body.split_once("\r\n") {
            let len = usize::from_str_radix(len, 16).expect("a length");
            whole.push_str(&rest[..len]);
            body = rest[len..].strip_prefix("\r\n").unwrap_or("");
        }
    } else {
        whole.push_str(body);
    }
    Answered { status, fields, body: serde_json::from_str(&whole).unwrap_or(Value::Null), text: whole }
}

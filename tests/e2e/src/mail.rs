//! A mail server (aiosmtpd) as a test runs it: STARTTLS and a login are demanded, and what it takes are files.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use linchpin_compat::{Folder, eventually, installed_path};
use linchpin_tls::LocalAuthority;
use serde_json::Value;

const DAY: Duration = Duration::from_secs(86_400);
/// How long a mail may take on a busy machine.
const MAIL: Duration = Duration::from_secs(60);

/// An authority, and a certificate of it for this machine.
#[derive(Debug)]
pub struct Trusted {
    folder: Folder,
}

impl Trusted {
    /// In a folder of its own: `ca.pem`, `chain.pem`, `key.pem`.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn make() -> Self {
        let now_s = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_secs();
        let authority = LocalAuthority::make("Test authority", now_s, 30 * DAY).expect("an authority");
        let made = authority.server(&["localhost", "127.0.0.1"], now_s, 10 * DAY).expect("a certificate");
        let folder = Folder::new();
        for (name, text) in [
            ("ca.pem", authority.certificate_pem()),
            ("chain.pem", &made.chain_pem),
            ("key.pem", made.key_pem.as_str()),
        ] {
            std::fs::write(folder.path().join(name), text).expect("writes into its own folder");
        }
        Self { folder }
    }

    /// One of its files.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A mail that it took.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Whom to.
    pub to: String,
    /// Did it come over TLS?
    pub tls: bool,
    /// Head and body as they came.
    pub text: String,
}

impl Taken {
    /// The plain text of the body, decoded.
    #[must_use]
    pub fn plain(&self) -> String {
        // A line of a part may begin with dashes too: a secret goes on there now and then.
        let boundary = self.text.split_once("boundary=\"").and_then(|(_, rest)| Some(rest.split_once('"')?.0));
        let mark = format!("\r\n--{}", boundary.unwrap_or_default());
        let part = self.text.split(&*mark).find(|part| part.contains("Content-Type: text/plain")).unwrap_or_default();
        let (head, body) = part.split_once("\r\n\r\n").unwrap_or_default();
        if head.contains("base64") {
            let bytes = STANDARD.decode(body.replace(['\r', '\n'], "")).unwrap_or_default();
            return String::from_utf8_lossy(&bytes).into_owned();
        }
        if head.contains("quoted-printable") { quoted(body) } else { body.to_owned() }
    }

    /// A field of the head.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let (head, _) = self.text.split_once("\r\n\r\n")?;
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The secret of its link; empty: it has none.
    #[must_use]
    pub fn secret(&self) -> String {
        let plain = self.plain();
        let token = plain.split_once("#token=").map(|(_, rest)| rest).unwrap_or_default();
        token.split(['&', '\r', '\n']).next().unwrap_or_default().to_owned()
    }
}

fn quoted(body: &str) -> String {
    let joined = body.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let code = (*first == b'=').then(|| std::str::from_utf8(more.get(..2)?).ok()).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => (bytes.push(byte), rest = &more[2..]).0,
            None => (bytes.push(*first), rest = more).0,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A running mail server; ends when dropped.
#[derive(Debug)]
pub struct MailPartner {
    child: Child,
    folder: Folder,
    /// Its port on the loopback.
    pub port: u16,
}

impl MailPartner {
    /// Name and password that it asks for.
    pub const LOGIN: (&'static str, &'static str) = ("iot", "canary-mail-password");

    /// With this certificate.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(trusted: &Trusted) -> Self {
        let folder = Folder::new();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("mail/server.py");
        let mut child = Command::new(installed_path().join("mail/bin/python"))
            .arg(script)
            .args([folder.path(), &trusted.path("chain.pem"), &trusted.path("key.pem")])
            .args([Self::LOGIN.0, Self::LOGIN.1])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // It warns of its own parts.
            .stderr(Stdio::null())
            .spawn()
            .expect("the mail server starts: run make setup");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("its port");
        let port = line.trim().parse().unwrap_or_else(|_| panic!("the mail server said {line:?}"));
        Self { child, folder, port }
    }

    /// What it does with mails from now on: `take`, `hold`, or a status.
    ///
    /// # Panics
    /// When its folder cannot be written.
    pub fn mode(&self, mode: &str) {
        let path = self.folder.path().join("mode");
        std::fs::write(path.with_extension("part"), mode).expect("writes into its own folder");
        std::fs::rename(path.with_extension("part"), path).expect("its own folder");
    }

    /// How many tries it has refused.
    #[must_use]
    pub fn refused(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("refused")).unwrap_or_default().lines().count()
    }

    /// Mails that it took, in order.
    ///
    /// # Panics
    /// When a file is not as it writes them.
    #[must_use]
    pub fn taken(&self) -> Vec<Taken> {
        let entries = std::fs::read_dir(self.folder.path()).expect("its folder");
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|kind| kind == "json"));
        paths.sort();
        let one = |path: PathBuf| {
            let mail: Value = serde_json::from_slice(&std::fs::read(path).expect("a mail")).expect("JSON");
            Taken {
                to: mail["to"][0].as_str().expect("an address").to_owned(),
                tls: mail["tls"] == true,
                text: mail["text"].as_str().expect("a text").to_owned(),
            }
        };
        paths.into_iter().map(one).collect()
    }

    /// The newest mail to somebody whose subject has this word; waits for it.
    ///
    /// # Panics
    /// When it does not come in time.
    #[must_use]
    pub fn mail(&self, to: &str, word: &str) -> Taken {
        eventually(MAIL, "the mail arrives", || {
            let all = self.taken();
            all.into_iter()
                .rev()
                .find(|mail| mail.to == to && mail.field("Subject").is_some_and(|it| it.contains(word)))
        })
    }
}

impl Drop for MailPartner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `linchpin serve` over TLS with this mail server; `@` is the server's own folder.
#[must_use]
pub fn config(trusted: &Trusted, mail: &MailPartner, console: &str) -> String {
    let path = |name| trusted.path(name).display().to_string();
    let password = trusted.path("password");
    std::fs::write(&password, format!("{}\n", MailPartner::LOGIN.1)).expect("writes into its own folder");
    format!(
        "[listen]\ntls = [\"127.0.0.1:0\"]\nmetrics = \"127.0.0.1:0\"\n[tls]\nnames = [\"localhost\"]\n\
         [[certificate]]\nchain = \"{}\"\nkey = \"{}\"\n[data]\ndir = \"@/data\"\n[console]\n{console}\n\
         [mail]\nserver = \"localhost\"\nport = {}\nfrom = \"Linchpin <linchpin\\u0040iot.example>\"\nuser = \"{}\"\n\
         password = \"file:{}\"\nca = \"{}\"\n",
        path("chain.pem"),
        path("key.pem"),
        mail.port,
        MailPartner::LOGIN.0,
        password.display(),
        path("ca.pem"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_on_in_a_line_that_begins_with_dashes() {
        let text = "Subject: You are invited\r\nContent-Type: multipart/alternative;\r\n boundary=\"cut\"\r\n\r\n\
                    --cut\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
                    Hello,\r\n\r\nhttps://localhost:43211/invite#token=3Dlpi_abc=\r\n--def&email=3Dbob@example.com\r\n\r\n\
                    --cut\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>#token=other</p>\r\n--cut--\r\n";
        let taken = Taken { to: "bob@example.com".to_owned(), tls: true, text: text.to_owned() };
        assert_eq!(taken.secret(), "lpi_abc--def");
        assert!(!taken.plain().contains("other"), "{}", taken.plain());
    }
}

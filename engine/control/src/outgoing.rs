//! What is mailed to people. Until there is a way to a mail server, each mail is a file in `DATA/mail` that only the server's
//! user can read: the operator passes the link on. A link never stands in an answer or in the log.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::account::EmailAddress;
use crate::limits;

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MailKind {
    /// Come in: an invitation.
    Invite,
    /// Set a new password.
    Reset,
}

impl MailKind {
    /// The page that its link opens.
    const fn page(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Reset => "reset",
        }
    }

    const fn subject(self) -> &'static str {
        match self {
            Self::Invite => "You are invited",
            Self::Reset => "Set a new password",
        }
    }
}

/// A mail to be sent. Debug output shows what it is about only.
pub(crate) struct Mail {
    /// What it is about.
    pub(crate) kind: MailKind,
    /// Whom it goes to.
    pub(crate) to: EmailAddress,
    /// Where the link leads: `https://NAME/PAGE#token=SECRET`. The secret is in the fragment, which browsers do not send.
    pub(crate) link: String,
    /// When the link ends, ms since 1970.
    pub(crate) until_ms: u64,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mail({:?})", self.kind)
    }
}

/// The link of a secret.
#[must_use]
pub(crate) fn link(public_url: &str, kind: MailKind, secret: &str, to: &EmailAddress) -> String {
    let email: String = to.expose().bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    });
    format!("{public_url}/{}#token={secret}&email={email}", kind.page())
}

/// Takes mails. Blocks for the disk; it does not wait for any network.
pub(crate) trait MailWay: fmt::Debug + Send + Sync {
    /// Take one: when this returns it is not lost any more.
    ///
    /// # Errors
    /// The disk.
    fn send(&self, mail: &Mail, now_ms: u64) -> std::io::Result<()>;
}

/// Mails as files, the newest [`limits::MAIL_FILES`] of them.
#[derive(Debug)]
pub(crate) struct MailFolder {
    path: PathBuf,
    next: Mutex<Option<u64>>,
}

impl MailFolder {
    /// In this folder, which is made when the first mail comes.
    #[must_use]
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), next: Mutex::new(None) }
    }

    /// Numbers of the mails that are there, in order.
    fn numbers(&self) -> std::io::Result<Vec<u64>> {
        let names = std::fs::read_dir(&self.path)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut numbers: Vec<u64> = names.filter_map(|name| name.strip_suffix(".eml")?.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn file(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:08}.eml"))
    }
}

/// As mail programs read it. Addresses are ASCII without control characters, and nothing else in it comes from people.
fn text(mail: &Mail, now_ms: u64) -> String {
    let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_millis(now_ms));
    let date = date.replace("GMT", "+0000");
    let until = httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_millis(mail.until_ms));
    format!(
        "From: linchpin@localhost\r\nTo: {}\r\nSubject: {}\r\nDate: {date}\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{}:\r\n\r\n{}\r\n\r\nThe link is good once, until {until}.\r\n",
        mail.to.expose(),
        mail.kind.subject(),
        mail.kind.subject(),
        mail.link,
    )
}

impl MailWay for MailFolder {
    fn send(&self, mail: &Mail, now_ms: u64) -> std::io::Result<()> {
        use std::os::unix::fs::DirBuilderExt as _;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        let numbers = self.numbers()?;
        let number = next.unwrap_or_else(|| numbers.last().map_or(1, |last| last + 1));
        linchpin_storage::write_private(&self.file(number), text(mail, now_ms).as_bytes())
            .map_err(std::io::Error::other)?;
        *next = Some(number + 1);
        for old in numbers.iter().rev().skip(limits::MAIL_FILES - 1) {
            std::fs::remove_file(self.file(*old))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(to: &str) -> Mail {
        let to = EmailAddress::parse(to).expect("an address");
        let link = link("https://iot.example", MailKind::Invite, "lpi_x", &to);
        Mail { kind: MailKind::Invite, to, link, until_ms: 1_800_000_000_000 }
    }

    #[test]
    fn threat_21_a_mail_has_one_header_of_each() {
        let text = text(&mail("o'neil+x@example.com"), 1_700_000_000_000);
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert_eq!(head.lines().count(), 6);
        assert!(head.contains("To: o'neil+x@example.com\r\n"));
        assert!(body.contains("https://iot.example/invite#token=lpi_x&email=o%27neil%2Bx@example.com\r\n"), "{body}");
        for wrong in ["eve@example.com\r\nBcc: x@y.z", "eve\u{202e}@example.com", "eve\0@example.com"] {
            assert!(EmailAddress::parse(wrong).is_err());
        }
        assert_eq!(format!("{:?}", mail("a@b")), "Mail(Invite)");
    }

    #[test]
    fn mails_are_private_files_and_bounded() {
        use std::os::unix::fs::PermissionsExt as _;
        let path = std::env::temp_dir().join(format!("linchpin-mail-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder");
        for number in 1..=limits::MAIL_FILES {
            std::fs::write(path.join(format!("{number:08}.eml")), "old").expect("writes");
        }
        let folder = MailFolder::new(&path);
        folder.send(&mail("a@b"), 1).expect("is written");
        let numbers = folder.numbers().expect("reads");
        assert_eq!((numbers.len(), numbers[0]), (limits::MAIL_FILES, 2));
        let made = folder.file(limits::MAIL_FILES as u64 + 1);
        assert_eq!(std::fs::metadata(&made).expect("is there").permissions().mode() & 0o777, 0o600);
        std::fs::remove_dir_all(&path).expect("is ours");
    }
}

//! From a record to a mail: plain text and HTML, in German or English. Addresses are ASCII without control characters; names
//! of organizations come from people, and are written as such.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use linchpin_protocol::model::is_hidden;
use linchpin_storage::schema::{MailKey, OutboxMail};

use super::kind::MailKind;

/// Names of the fields of a record.
pub(super) const TOKEN: &str = "token";
pub(super) const UNTIL: &str = "until";
pub(super) const ORG: &str = "org";

/// How the bodies are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyForm {
    /// For mail servers: 7 bit, with what needs it coded.
    Coded,
    /// For files: as it is, so that a link is one line.
    Plain,
}

/// What every mail needs.
#[derive(Clone, Debug)]
pub(super) struct MailFrame {
    /// What links begin with.
    pub(super) public_url: Box<str>,
    /// Who writes.
    pub(super) from: Mailbox,
}

/// Why a record makes no mail: what it says is not what this version knows.
pub(super) type NoMail = &'static str;

pub(super) fn field<'a>(mail: &'a OutboxMail, name: &str) -> Option<&'a str> {
    mail.fields.iter().find(|(known, _)| **known == *name).map(|(_, text)| &**text)
}

/// When the mail is of no use any more, ms since 1970; 0: never.
pub(super) fn until_ms(mail: &OutboxMail) -> u64 {
    field(mail, UNTIL).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Where the link of a mail leads; the secret is in the fragment, which browsers do not send.
pub(super) fn link(public_url: &str, kind: MailKind, mail: &OutboxMail) -> Option<String> {
    let page = kind.page()?;
    let Some(secret) = field(mail, TOKEN) else { return Some(format!("{public_url}/{page}")) };
    let email: String = mail.to.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    });
    Some(format!("{public_url}/{page}#token={secret}&email={email}"))
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
        out
    })
}

/// Texts of people are one line, without what turns letters round.
fn without_hidden(text: &str) -> String {
    text.replace(is_hidden, "")
}

/// `2026-11-29 18:04 UTC`.
pub(crate) fn moment(time: SystemTime) -> String {
    let text = httpdate::fmt_http_date(time);
    // `Sun, 29 Nov 2026 18:04:05 GMT`
    let parts: Vec<&str> = text.split(' ').collect();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    match parts.as_slice() {
        [_, day, month, year, clock, _] => {
            let month = months.iter().position(|name| name == month).map_or(0, |at| at + 1);
            format!("{year}-{month:02}-{day} {} UTC", clock.get(..5).unwrap_or(clock))
        }
        _ => text,
    }
}

struct Bodies {
    subject: &'static str,
    text: String,
    html: String,
}

fn bodies(public_url: &str, kind: MailKind, mail: &OutboxMail) -> Bodies {
    let is_german = mail.locale.get(..2).is_some_and(|front| front.eq_ignore_ascii_case("de"));
    let words = kind.words(is_german);
    let org =
        field(mail, ORG).map(without_hidden).filter(|org| !org.is_empty()).unwrap_or_else(|| "Linchpin".to_owned());
    let sentence = words.sentence.replace("{org}", &org);
    let (hello, once) =
        if is_german { ("Guten Tag,", "Der Link gilt einmal, bis") } else { ("Hello,", "The link works once, until") };
    let mut text = format!("{hello}\r\n\r\n{sentence}\r\n");
    let mut html = format!(
        "<!doctype html><html lang=\"{}\"><body><p>{hello}</p><p>{}</p>",
        if is_german { "de" } else { "en" },
        escaped(&sentence)
    );
    if let Some(link) = link(public_url, kind, mail) {
        text.push_str(&format!("\r\n{link}\r\n"));
        html.push_str(&format!("<p><a href=\"{}\">{}</a></p>", escaped(&link), words.action));
        let until = until_ms(mail);
        if until > 0 && field(mail, TOKEN).is_some() {
            let until = format!("{once} {}.", moment(UNIX_EPOCH + Duration::from_millis(until)));
            text.push_str(&format!("\r\n{until}\r\n"));
            html.push_str(&format!("<p>{until}</p>"));
        }
    }
    text.push_str(&format!("\r\n{public_url}\r\n"));
    html.push_str(&format!("<p>{}</p></body></html>\r\n", escaped(public_url)));
    Bodies { subject: words.subject, text, html }
}

fn part(kind: ContentType, text: String, form: BodyForm) -> SinglePart {
    let body = match form {
        BodyForm::Coded => Body::new(text),
        BodyForm::Plain => Body::dangerous_pre_encoded(text.into_bytes(), ContentTransferEncoding::EightBit),
    };
    SinglePart::builder().header(kind).body(body)
}

/// The mail of a record. Its id is the record's: a mail that comes twice is known by it.
pub(super) fn message(
    frame: &MailFrame,
    (key, mail): (&MailKey, &OutboxMail),
    form: BodyForm,
    now_ms: u64,
) -> Result<Message, NoMail> {
    let kind = MailKind::of_number(mail.kind).ok_or("this version does not know what it is about")?;
    let to: Address = mail.to.parse().map_err(|_| "its address is not one that mail is sent to")?;
    let bodies = bodies(&frame.public_url, kind, mail);
    let parts = MultiPart::alternative().singlepart(part(ContentType::TEXT_PLAIN, bodies.text, form)).singlepart(part(
        ContentType::TEXT_HTML,
        bodies.html,
        form,
    ));
    let id = format!("<{}.{}.{}@{}>", mail.made_ms, key.org(), key.number(), frame.from.email.domain());
    Message::builder()
        .from(frame.from.clone())
        .to(Mailbox::new(None, to))
        .subject(bodies.subject)
        .date(UNIX_EPOCH + Duration::from_millis(now_ms))
        .message_id(Some(id))
        .multipart(parts)
        .map_err(|_| "it cannot be written as a mail")
}

#[cfg(test)]
mod tests {
    use linchpin_storage::schema::OrgId;

    use super::*;

    pub(crate) fn record(kind: MailKind, to: &str, locale: &str, org: &str) -> OutboxMail {
        let fields = [(TOKEN, "lpi_x"), (UNTIL, "1800000000000"), (ORG, org)];
        OutboxMail {
            kind: kind as u16,
            to: to.into(),
            locale: locale.into(),
            fields: fields.map(|(name, text)| (name.into(), text.into())).into(),
            tries: 0,
            made_ms: 1_700_000_000_000,
        }
    }

    fn shown(mail: &OutboxMail, form: BodyForm) -> String {
        let frame = MailFrame {
            public_url: "https://iot.example".into(),
            from: "Linchpin <linchpin@iot.example>".parse().expect("a mailbox"),
        };
        let key = MailKey::new(1_700_000_000_000, OrgId::FIRST, 7);
        let made = message(&frame, (&key, mail), form, 1_700_000_000_000).expect("a mail");
        String::from_utf8(made.formatted()).expect("text")
    }

    #[test]
    fn threat_21_a_mail_has_one_header_of_each() {
        let mail = record(MailKind::Invite, "o'neil+x@example.com", "", "Acme\r\nBcc: eve@example.com\u{202e}<b>");
        for form in [BodyForm::Plain, BodyForm::Coded] {
            let text = shown(&mail, form);
            let (head, body) = text.split_once("\r\n\r\n").expect("a head");
            let names: Vec<&str> = head.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
            let unique: std::collections::BTreeSet<&str> = names.iter().copied().collect();
            assert_eq!(names.len(), unique.len(), "{head}");
            assert!(head.contains("To: o'neil+x@example.com\r\n") && !names.contains(&"Bcc"), "{head}");
            assert!(!body.contains("\nBcc:") && !body.contains('\u{202e}'), "{body}");
        }
        let text = shown(&mail, BodyForm::Plain);
        assert!(
            text.contains("\r\nhttps://iot.example/invite#token=lpi_x&email=o%27neil%2Bx@example.com\r\n"),
            "{text}"
        );
        assert!(text.contains("Acme") && text.contains("&lt;b&gt;"), "{text}");
        assert!(text.contains("until 2027-01-15 08:00 UTC."), "{text}");
        assert!(shown(&mail, BodyForm::Coded).is_ascii());
    }

    #[test]
    fn people_are_written_to_in_their_language() {
        let german = shown(&record(MailKind::Reset, "a@b.example", "de-AT", "Bäckerei"), BodyForm::Plain);
        assert!(german.contains("Subject: Neues Passwort setzen\r\n") && german.contains("für Ihr Konto"), "{german}");
        let english = shown(&record(MailKind::Reset, "a@b.example", "pt-BR", "Bäckerei"), BodyForm::Plain);
        assert!(english.contains("Subject: Set a new password\r\n"), "{english}");
        let notice = shown(&record(MailKind::FactorChanged, "a@b.example", "de", "Bäckerei"), BodyForm::Plain);
        assert!(notice.contains("Bäckerei") && !notice.contains("lpi_x"), "{notice}");
    }
}

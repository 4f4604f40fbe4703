//! E-mail addresses, parsed once.

use std::fmt;

/// An e-mail address: ASCII, its domain as it stands in the DNS. Debug output and logs do not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress(Box<str>);

/// Why a text is not an address that can be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailFault {
    /// Longer than a mail server takes, bytes.
    Long(usize),
    /// Characters beyond ASCII: look-alikes of other people's addresses are among them.
    NotAscii,
    /// Not `LOCAL@DOMAIN`.
    Shape,
}

/// Longest address, bytes.
const LONGEST: usize = 254;
/// Longest part before the `@`, bytes.
const LONGEST_LOCAL: usize = 64;
/// Longest label of a domain, bytes.
const LONGEST_LABEL: usize = 63;

impl fmt::Display for EmailFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long(len) => write!(f, "an e-mail address of {len} bytes is too long, {LONGEST} are allowed"),
            Self::NotAscii => f.write_str(
                "an e-mail address has letters of ASCII only here: give an international domain in its xn-- form",
            ),
            Self::Shape => f.write_str("this is not an e-mail address such as eve@example.com"),
        }
    }
}

impl std::error::Error for EmailFault {}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress")
    }
}

fn is_local(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte);
    (1..=LONGEST_LOCAL).contains(&text.len())
        && text.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(allowed))
}

fn is_domain(text: &str) -> bool {
    text.split('.').all(|label| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

impl EmailAddress {
    /// Take an address as it was typed.
    ///
    /// # Errors
    /// [`EmailFault`].
    pub fn parse(text: &str) -> Result<Self, EmailFault> {
        if text.len() > LONGEST {
            return Err(EmailFault::Long(text.len()));
        }
        if !text.is_ascii() {
            return Err(EmailFault::NotAscii);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(EmailFault::Shape)?;
        if is_local(local) && is_domain(domain) { Ok(Self(text.into())) } else { Err(EmailFault::Shape) }
    }

    /// As it was typed: what mail goes to.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// In lower case: what it is compared by and what passwords are salted with.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// What stands behind the `@`, in lower case.
    #[must_use]
    pub fn domain(&self) -> String {
        self.0.rsplit_once('@').map_or_else(String::new, |(_, domain)| domain.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_5_no_two_look_alikes_are_one() {
        let plain = EmailAddress::parse("Mike@Example.com").expect("an address");
        assert_eq!(plain.folded(), "mike@example.com");
        let alike = [
            "mi\u{212a}e@example.com", // Kelvin sign
            "m\u{131}ke@example.com",  // dotless i
            "\u{ff4d}ike@example.com", // full-width m
            "mike\u{301}@example.com", // NFD
            "mike@ex\u{430}mple.com",  // Cyrillic a
            "mike@example\u{3002}com", // ideographic full stop
            "mike@example.com.",       // trailing dot
            " mike@example.com",
            "mike@example.com\r\nBcc: x@y.z",
            "mike\0@example.com",
        ];
        for text in alike {
            assert!(EmailAddress::parse(text).is_err(), "{text:?}");
        }
        let coded = EmailAddress::parse("mike@xn--exmple-4nf.com").expect("an A-label");
        assert_ne!(coded.folded(), plain.folded());
    }

    #[test]
    fn shapes() {
        for good in ["a@b", "a.b+c@d-e.example", "o'neil@example.com", &format!("{}@b", "x".repeat(64))] {
            assert!(EmailAddress::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a..b@c", ".a@b", "a@-b", "a@b-", "a@b..c", "a b@c", "<a@b>", "a@b@c d"] {
            assert_eq!(EmailAddress::parse(bad), Err(EmailFault::Shape), "{bad}");
        }
        assert_eq!(EmailAddress::parse(&"x".repeat(255)), Err(EmailFault::Long(255)));
        assert_eq!(format!("{:?}", EmailAddress::parse("a@b")), "Ok(EmailAddress)");
    }
}

//! Secrets that are given out once: a prefix that says what each is, and 32 random bytes (of a client's tokens 36, which
//! [`super::refresh`] makes). A scanner of repositories finds them by the prefix, and none is taken at a door that is not
//! its own.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// A session of a browser or a live socket.
    Session,
    /// An API key, or the secret of an OAuth client.
    Key,
    /// An access token of an OAuth client.
    Access,
    /// A refresh token of an OAuth client.
    Refresh,
    /// A link that is good once.
    Invite,
    /// A code that claims a device.
    Claim,
}

impl SecretKind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Session, Self::Key, Self::Access, Self::Refresh, Self::Invite, Self::Claim];

    /// What its text begins with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "lps_",
            Self::Key => "lpk_",
            Self::Access => "lpa_",
            Self::Refresh => "lpr_",
            Self::Invite => "lpi_",
            Self::Claim => "sqr_",
        }
    }

    /// Characters behind the prefix.
    const fn letters(self) -> usize {
        match self {
            Self::Access | Self::Refresh => 48,
            _ => 43,
        }
    }
}

/// A secret's text. Debug output shows its kind only.
#[derive(Clone, PartialEq, Eq)]
pub struct GivenSecret {
    kind: SecretKind,
    text: Zeroizing<String>,
}

impl fmt::Debug for GivenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GivenSecret({:?})", self.kind)
    }
}

impl GivenSecret {
    /// Out of random bytes.
    #[must_use]
    pub fn from_random(kind: SecretKind, random: &[u8; 32]) -> Self {
        Self::of_bytes(kind, random)
    }

    pub(super) fn of_bytes(kind: SecretKind, bytes: &[u8]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(4 + kind.letters()));
        text.push_str(kind.prefix());
        URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
        Self { kind, text }
    }

    pub(super) fn bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        URL_SAFE_NO_PAD.decode(&self.text[4..]).ok().map(Zeroizing::new)
    }

    /// A fresh one.
    ///
    /// # Errors
    /// The operating system gives no random bytes.
    pub fn fresh(kind: SecretKind) -> Result<Self, getrandom::Error> {
        let mut random = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *random)?;
        Ok(Self::from_random(kind, &random))
    }

    /// Take one that somebody sends; `None`: it is none of this kind, without a look at what it might be else.
    #[must_use]
    pub fn parse(kind: SecretKind, text: &str) -> Option<Self> {
        let rest = text.strip_prefix(kind.prefix())?;
        let fits =
            rest.len() == kind.letters() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        fits.then(|| Self { kind, text: Zeroizing::new(text.to_owned()) })
    }

    /// What it is for.
    #[must_use]
    pub const fn kind(&self) -> SecretKind {
        self.kind
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_25_no_secret_passes_at_anothers_door() {
        for kind in SecretKind::ALL {
            let secret = GivenSecret::of_bytes(kind, &[0xfb; 36][..kind.letters() * 3 / 4]);
            assert_eq!(secret.expose().len(), 4 + kind.letters());
            for door in SecretKind::ALL {
                assert_eq!(GivenSecret::parse(door, secret.expose()).is_some(), door == kind, "{kind:?} at {door:?}");
            }
            assert_eq!(format!("{secret:?}"), format!("GivenSecret({kind:?})"));
        }
        // A device's token has 32 characters and no prefix.
        let token = linchpin_protocol::model::Token::from_random(&[0x5a; 24]);
        assert!(SecretKind::ALL.into_iter().all(|door| GivenSecret::parse(door, token.expose()).is_none()));
        for kind in SecretKind::ALL {
            let text = GivenSecret::of_bytes(kind, &[1; 36][..kind.letters() * 3 / 4]);
            assert!(linchpin_protocol::model::Token::parse(text.expose().as_bytes()).is_err(), "{kind:?}");
        }
        assert!(GivenSecret::parse(SecretKind::Key, "lpk_short").is_none());
        assert_ne!(
            GivenSecret::fresh(SecretKind::Key).expect("random"),
            GivenSecret::fresh(SecretKind::Key).expect("random")
        );
    }
}

//! What mails are about. The numbers are stored: never change or reuse one.

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum MailKind {
    /// Come in: an invitation.
    Invite = 1,
    /// Set a new password.
    Reset = 2,
    /// Finish what was begun by registering.
    Register = 3,
    /// Somebody registered with an address that has an account.
    AccountExists = 4,
    /// Take this address in the place of another: to the new one.
    AddressConfirm = 5,
    /// Somebody wants another address: to the old one, with a link that stops it.
    AddressStop = 6,
    /// It is another address now: to both.
    AddressChanged = 7,
    /// The password is another one.
    PasswordChanged = 8,
    /// The second factor was set or removed.
    FactorChanged = 9,
    /// A browser that was not known has signed in.
    NewSignIn = 10,
    /// The account was erased.
    Erased = 11,
}

/// The words of a mail in one language.
pub(super) struct MailWords {
    pub(super) subject: &'static str,
    /// A sentence; `{org}` is the organization's name.
    pub(super) sentence: &'static str,
    /// What the link is called; empty: there is none.
    pub(super) action: &'static str,
}

const fn words(subject: &'static str, sentence: &'static str, action: &'static str) -> MailWords {
    MailWords { subject, sentence, action }
}

impl MailKind {
    /// All of them.
    pub(crate) const ALL: [Self; 11] = [
        Self::Invite,
        Self::Reset,
        Self::Register,
        Self::AccountExists,
        Self::AddressConfirm,
        Self::AddressStop,
        Self::AddressChanged,
        Self::PasswordChanged,
        Self::FactorChanged,
        Self::NewSignIn,
        Self::Erased,
    ];

    /// The one with this number.
    pub(crate) fn of_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u16 == number)
    }

    /// The page that its link opens; `None`: it has no link.
    pub(super) const fn page(self) -> Option<&'static str> {
        match self {
            Self::Invite | Self::Register => Some("invite"),
            Self::Reset => Some("reset"),
            Self::AccountExists => Some("sign-in"),
            Self::AddressConfirm => Some("verify"),
            Self::AddressStop => Some("stop"),
            Self::AddressChanged | Self::PasswordChanged | Self::FactorChanged | Self::NewSignIn | Self::Erased => None,
        }
    }

    /// In German, else in English.
    pub(super) const fn words(self, is_german: bool) -> MailWords {
        if is_german { self.german() } else { self.english() }
    }

    const fn english(self) -> MailWords {
        match self {
            Self::Invite => words("You are invited", "You are invited to {org}.", "Accept the invitation"),
            Self::Reset => words(
                "Set a new password",
                "Somebody asked for a new password for your account. If it was not you, do nothing.",
                "Set a new password",
            ),
            Self::Register => words(
                "Finish signing up",
                "Somebody signed up with this address. If it was not you, do nothing.",
                "Finish signing up",
            ),
            Self::AccountExists => words(
                "You have an account already",
                "Somebody signed up with this address, which has an account already. If you forgot the password, set a \
                 new one on the page for signing in.",
                "Sign in",
            ),
            Self::AddressConfirm => words(
                "Confirm your new address",
                "Somebody wants to sign in with this address from now on. If it was not you, do nothing.",
                "Take this address",
            ),
            Self::AddressStop => words(
                "Your address is about to change",
                "Somebody who is signed in to your account wants to use another address. If it was not you, stop it: all \
                 sessions end.",
                "Stop it",
            ),
            Self::AddressChanged => words(
                "Your address has changed",
                "Your account has another address now. If it was not you, tell the administrator of {org}.",
                "",
            ),
            Self::PasswordChanged => words(
                "Your password has changed",
                "The password of your account is another one now. If it was not you, set a new one at once.",
                "",
            ),
            Self::FactorChanged => words(
                "Your second factor has changed",
                "The second factor of your account was set up or removed. If it was not you, tell the administrator of \
                 {org}.",
                "",
            ),
            Self::NewSignIn => words(
                "A new browser has signed in",
                "A browser that was not known has signed in to your account. If it was not you, end its session and set a \
                 new password.",
                "",
            ),
            Self::Erased => words("Your account was erased", "Your account and your data were erased.", ""),
        }
    }

    const fn german(self) -> MailWords {
        match self {
            Self::Invite => words("Sie sind eingeladen", "Sie sind zu {org} eingeladen.", "Einladung annehmen"),
            Self::Reset => words(
                "Neues Passwort setzen",
                "Jemand hat für Ihr Konto ein neues Passwort verlangt. Waren Sie es nicht, tun Sie nichts.",
                "Neues Passwort setzen",
            ),
            Self::Register => words(
                "Anmeldung abschließen",
                "Jemand hat sich mit dieser Adresse angemeldet. Waren Sie es nicht, tun Sie nichts.",
                "Anmeldung abschließen",
            ),
            Self::AccountExists => words(
                "Sie haben schon ein Konto",
                "Jemand hat sich mit dieser Adresse angemeldet, die schon ein Konto hat. Haben Sie das Passwort vergessen, \
                 setzen Sie auf der Seite zum Anmelden ein neues.",
                "Anmelden",
            ),
            Self::AddressConfirm => words(
                "Neue Adresse bestätigen",
                "Jemand möchte sich künftig mit dieser Adresse anmelden. Waren Sie es nicht, tun Sie nichts.",
                "Diese Adresse nehmen",
            ),
            Self::AddressStop => words(
                "Ihre Adresse soll sich ändern",
                "Jemand, der in Ihrem Konto angemeldet ist, möchte eine andere Adresse benutzen. Waren Sie es nicht, halten \
                 Sie es auf: Alle Sitzungen enden.",
                "Aufhalten",
            ),
            Self::AddressChanged => words(
                "Ihre Adresse hat sich geändert",
                "Ihr Konto hat jetzt eine andere Adresse. Waren Sie es nicht, sagen Sie es dem Administrator von {org}.",
                "",
            ),
            Self::PasswordChanged => words(
                "Ihr Passwort hat sich geändert",
                "Ihr Konto hat jetzt ein anderes Passwort. Waren Sie es nicht, setzen Sie sofort ein neues.",
                "",
            ),
            Self::FactorChanged => words(
                "Ihr zweiter Faktor hat sich geändert",
                "Der zweite Faktor Ihres Kontos wurde eingerichtet oder entfernt. Waren Sie es nicht, sagen Sie es dem \
                 Administrator von {org}.",
                "",
            ),
            Self::NewSignIn => words(
                "Ein neuer Browser hat sich angemeldet",
                "Ein unbekannter Browser hat sich in Ihrem Konto angemeldet. Waren Sie es nicht, beenden Sie seine Sitzung \
                 und setzen Sie ein neues Passwort.",
                "",
            ),
            Self::Erased => words("Ihr Konto wurde gelöscht", "Ihr Konto und Ihre Daten wurden gelöscht.", ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_words_are_whole() {
        for kind in MailKind::ALL {
            assert_eq!(MailKind::of_number(kind as u16), Some(kind));
            for is_german in [false, true] {
                let words = kind.words(is_german);
                assert!(!words.subject.is_empty() && !words.sentence.is_empty(), "{kind:?}");
                assert_eq!(words.action.is_empty(), kind.page().is_none(), "{kind:?}");
            }
        }
        assert_eq!(MailKind::of_number(0), None);
    }
}

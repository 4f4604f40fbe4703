//! Passwords that everybody would try first. The server never sees the password, but it can do what somebody who guesses
//! would do: take each candidate, salt it with the person's address, and compare.

use super::password::PasswordInput;

/// What people begin with.
const BASES: &[&str] = &[
    "password",
    "passw0rd",
    "p@ssword",
    "p@ssw0rd",
    "pass",
    "passwort",
    "motdepasse",
    "contrasena",
    "senha",
    "parola",
    "qwerty",
    "qwertz",
    "azerty",
    "qwertyuiop",
    "asdfgh",
    "asdfghjkl",
    "zxcvbn",
    "zxcvbnm",
    "1q2w3e",
    "1q2w3e4r",
    "1qaz2wsx",
    "qazwsx",
    "q1w2e3r4",
    "abc",
    "abcd",
    "abcdef",
    "abc123",
    "a1b2c3",
    "aaaaaa",
    "letmein",
    "welcome",
    "willkommen",
    "admin",
    "administrator",
    "root",
    "user",
    "guest",
    "test",
    "demo",
    "changeme",
    "default",
    "secret",
    "geheim",
    "master",
    "login",
    "access",
    "hello",
    "hallo",
    "iloveyou",
    "love",
    "monkey",
    "dragon",
    "tiger",
    "lion",
    "eagle",
    "shadow",
    "sunshine",
    "princess",
    "prinzessin",
    "football",
    "fussball",
    "baseball",
    "basketball",
    "soccer",
    "hockey",
    "superman",
    "batman",
    "spiderman",
    "pokemon",
    "starwars",
    "matrix",
    "ninja",
    "killer",
    "hunter",
    "ranger",
    "freedom",
    "whatever",
    "trustno",
    "trustnoone",
    "flower",
    "summer",
    "winter",
    "spring",
    "autumn",
    "sommer",
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "monday",
    "friday",
    "sunday",
    "michael",
    "daniel",
    "thomas",
    "andrea",
    "jessica",
    "jennifer",
    "charlie",
    "jordan",
    "ashley",
    "maria",
    "anna",
    "alex",
    "max",
    "computer",
    "internet",
    "server",
    "network",
    "samsung",
    "google",
    "apple",
    "microsoft",
    "facebook",
    "linkedin",
    "blynk",
    "linchpin",
    "arduino",
    "esp32",
    "esp8266",
    "raspberry",
    "raspberrypi",
    "iot",
    "sensor",
    "device",
    "smarthome",
    "home",
    "house",
    "family",
    "chocolate",
    "cookie",
    "pepper",
    "ginger",
    "cheese",
    "banana",
    "orange",
    "mustang",
    "ferrari",
    "porsche",
    "mercedes",
    "bmw",
    "london",
    "paris",
    "berlin",
    "newyork",
    "germany",
    "deutschland",
    "america",
    "test123",
    "mypassword",
    "nopassword",
];

/// Short runs of the same or of neighbours are tried up to this length.
const RUN: usize = 20;

/// A candidate is compared by its hash: about 200 ns.
struct Tries<'a> {
    input: &'a PasswordInput,
    salt: [u8; 32],
    text: Vec<u8>,
}

impl Tries<'_> {
    fn is(&mut self, parts: &[&str]) -> bool {
        self.text.clear();
        parts.iter().for_each(|part| self.text.extend_from_slice(part.as_bytes()));
        PasswordInput::salted(&self.text, &self.salt).is(self.input)
    }

    /// A word as people write it, with what they put behind it.
    fn word(&mut self, word: &str) -> bool {
        let lower = word.to_lowercase();
        let mut letters = lower.chars();
        let title: String = letters.next().map(|c| c.to_uppercase().chain(letters).collect()).unwrap_or_default();
        let upper = lower.to_uppercase();
        [lower.as_str(), &title, &upper].into_iter().any(|form| self.endings(form))
    }

    fn endings(&mut self, form: &str) -> bool {
        const MARKS: [&str; 8] = ["", "!", "!!", ".", "?", "#", "$", "@"];
        const ENDINGS: [&str; 14] = [
            "12",
            "123",
            "1234",
            "12345",
            "123456",
            "1234567",
            "12345678",
            "123456789",
            "321",
            "007",
            "11",
            "111",
            "69",
            "00",
        ];
        if MARKS.into_iter().any(|mark| self.is(&[form, mark])) || self.is(&[form, form]) {
            return true;
        }
        for ending in ENDINGS {
            if ["", "!", "."].into_iter().any(|mark| self.is(&[form, ending, mark]) || self.is(&[form, mark, ending])) {
                return true;
            }
        }
        for number in 0..100u32 {
            let text = number.to_string();
            if self.is(&[form, &text]) || self.is(&[form, &text, "!"]) {
                return true;
            }
        }
        for year in 1950..2036u32 {
            let text = year.to_string();
            if ["", "!", "."].into_iter().any(|mark| self.is(&[form, &text, mark]) || self.is(&[form, mark, &text])) {
                return true;
            }
        }
        false
    }

    /// Digits, dates and runs.
    fn runs(&mut self) -> bool {
        const ROWS: [&str; 6] = [
            "01234567890123456789",
            "98765432109876543210",
            "12345678901234567890",
            "abcdefghijklmnopqrst",
            "qwertyuiopasdfghjklz",
            "1q2w3e4r5t6z7u8i9o0p",
        ];
        for row in ROWS {
            if (1..=RUN).any(|len| self.is(&[&row[..len]])) {
                return true;
            }
        }
        for byte in b' '..=b'~' {
            let run = char::from(byte).to_string().repeat(RUN);
            if (0..=RUN).any(|len| self.is(&[&run[..len]])) {
                return true;
            }
        }
        (0..10_000u32).any(|number| {
            let text = format!("{number:04}");
            self.is(&[&text]) || self.is(&[&text, &text])
        })
    }
}

/// Would it be among the first that somebody tries? About 200,000 candidates, some ten ms: only on the pool's threads.
pub(crate) fn is_weak(input: &PasswordInput, folded_email: &str, words: &[Box<str>]) -> bool {
    let salt = *PasswordInput::salt(folded_email);
    let mut tries = Tries { input, salt, text: Vec::new() };
    if tries.runs() || tries.is(&[folded_email]) {
        return true;
    }
    let (local, domain) = folded_email.rsplit_once('@').unwrap_or((folded_email, ""));
    let near = [local, domain].into_iter().flat_map(|part| part.split(|c: char| !c.is_alphanumeric()).chain([part]));
    let near = near.chain(words.iter().flat_map(|word| word.split_whitespace().chain([&**word])));
    near.filter(|word| !word.is_empty() && word.len() <= 64).take(32).any(|word| tries.word(word))
        || BASES.iter().any(|word| tries.word(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weak(password: &str) -> bool {
        is_weak(
            &PasswordInput::of(password.as_bytes(), "eve.smith@acme.example"),
            "eve.smith@acme.example",
            &["Acme GmbH".into()],
        )
    }

    #[test]
    fn what_everybody_tries_is_weak() {
        for password in [
            "",
            "1",
            "12345678",
            "11111111",
            "zzzzzzzz",
            "password",
            "Password1!",
            "QWERTY2024",
            "letmein123",
            "eve",
            "Smith1985",
            "acme2026!",
            "eve.smith@acme.example",
            "acmeacme",
            "19841984",
            "gmbh123",
            "Summer2025",
        ] {
            assert!(weak(password), "{password}");
        }
        for password in ["correct horse battery staple", "xK9#mq2Lw!"] {
            assert!(!weak(password), "{password}");
        }
    }
}

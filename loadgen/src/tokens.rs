//! What devices log in with, from a file. It is secret: no message shows it.

use std::ops::Range;
use std::path::Path;

use linchpin_protocol::model::Token;

use crate::exit::Exit;

/// User name and password of an MQTT device.
#[derive(Clone)]
pub(crate) struct Name {
    pub(crate) user: Box<str>,
    pub(crate) password: Option<Box<str>>,
}

/// What the devices of a run log in with, in their order.
#[derive(Clone)]
pub(crate) enum Keys {
    /// Blynk.
    Tokens(Vec<Token>),
    /// MQTT.
    Names(Vec<Name>),
    /// MQTT without user names, for any number of devices.
    Nobody,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({:?})", self.len())
    }
}

impl Keys {
    /// Read a file: one key a line, the last word of it; empty lines and those that begin with # are skipped.
    pub(crate) fn read(path: &Path, is_mqtt: bool) -> Result<Self, Exit> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let make = if is_mqtt {
                "write USER:PASSWORD lines"
            } else {
                "make some with `linchpin device add --count N --tokens-out FILE`"
            };
            Exit::usage(format!("cannot read the tokens {}: {error}; {make}", path.display()))
        })?;
        if is_mqtt {
            return Ok(Self::Names(words(&text).map(|(_, word)| name(word)).collect()));
        }
        tokens(&text).map(Self::Tokens).map_err(|line| {
            Exit::usage(format!(
                "{} line {line}: the last word is no token (32 letters, digits, - and _); write one token a line",
                path.display()
            ))
        })
    }

    /// For how many devices; `None`: for any number.
    pub(crate) const fn len(&self) -> Option<usize> {
        match self {
            Self::Tokens(tokens) => Some(tokens.len()),
            Self::Names(names) => Some(names.len()),
            Self::Nobody => None,
        }
    }

    /// Those of some of the devices.
    pub(crate) fn part(&self, ranges: &[Range<usize>]) -> Self {
        fn pick<T: Clone>(all: &[T], ranges: &[Range<usize>]) -> Vec<T> {
            ranges.iter().flat_map(|range| all[range.clone()].iter().cloned()).collect()
        }
        match self {
            Self::Tokens(tokens) => Self::Tokens(pick(tokens, ranges)),
            Self::Names(names) => Self::Names(pick(names, ranges)),
            Self::Nobody => Self::Nobody,
        }
    }

    /// A device's token, where devices have tokens.
    pub(crate) fn token(&self, at: u32) -> Option<&Token> {
        if let Self::Tokens(tokens) = self { tokens.get(at as usize) } else { None }
    }

    /// A device's name, where devices have names.
    pub(crate) fn name(&self, at: u32) -> Option<&Name> {
        if let Self::Names(names) = self { names.get(at as usize) } else { None }
    }
}

/// The last word of each line, with the number of the line.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(number, line)| (number, line.split_whitespace().last().unwrap_or_default()))
}

/// The tokens of a text, or the number of the line that has none.
fn tokens(text: &str) -> Result<Vec<Token>, usize> {
    words(text).map(|(number, word)| Token::parse(word.as_bytes()).map_err(|_| number)).collect()
}

/// USER:PASSWORD, or USER alone.
fn name(word: &str) -> Name {
    match word.split_once(':') {
        Some((user, password)) => Name { user: user.into(), password: Some(password.into()) },
        None => Name { user: word.into(), password: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_line_is_the_token() {
        let one = "abcdefghijklmnopqrstuvwxyz012345";
        let found = tokens(&format!("# made by hand\n1 {one}\n\n{one}\n")).expect("two tokens");
        assert_eq!(found.iter().map(Token::expose).collect::<Vec<_>>(), [one, one]);
        assert_eq!(tokens(&format!("{one}\n1 short\n")).expect_err("a short one"), 2);
    }

    #[test]
    fn errors_do_not_show_what_stands_in_the_file() {
        let path = std::env::temp_dir().join(format!("loadgen-tokens-{}", std::process::id()));
        std::fs::write(&path, "1 almostatoken\n").expect("writes");
        let (failure, names) = (Keys::read(&path, false).expect_err("no token"), Keys::read(&path, true));
        std::fs::remove_file(&path).expect("removes");
        assert!(failure.text.contains("line 1") && !failure.text.contains("almost"), "{failure}");
        assert!(!format!("{names:?}").contains("almost"), "{names:?}");
    }

    #[test]
    fn a_name_ends_at_the_first_colon() {
        let names: Vec<Name> = words("7 ann:se:cret\nbob\n").map(|(_, word)| name(word)).collect();
        assert_eq!((&*names[0].user, names[0].password.as_deref()), ("ann", Some("se:cret")));
        assert_eq!((&*names[1].user, names[1].password.as_deref()), ("bob", None));
        let part = Keys::Names(names).part(&[1..2, 0..1]);
        assert_eq!(part.name(1).map(|name| &*name.user), Some("ann"));
        assert!(part.token(0).is_none() && Keys::Nobody.len().is_none());
    }
}

//! All mistakes of a file at once. Reading stops at the first one: so what is wrong is taken out, and the rest is read again.

use std::path::Path;

use super::{Config, ConfigError, file};
use crate::limits;

/// Read a file, or find all of its mistakes.
///
/// # Errors
/// All of them, in the order in which they are found; the texts have the lines as they are in the file.
pub(super) fn read(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let mut found = match file::parse(path, text) {
        Ok(config) => return Ok(config),
        Err(errors) => errors,
    };
    let (mut left, mut taken, was_toml) = (text.to_owned(), 0, is_toml(text));
    while found.len() < limits::MISTAKES {
        let places: Vec<usize> = found[taken..].iter().filter_map(ConfigError::place).collect();
        taken = found.len();
        // Half of a value that goes over several lines is no mistake of the file.
        if !take_out_all(&mut left, &places) || was_toml && !is_toml(&left) {
            break;
        }
        let Err(errors) = file::parse(path, &left) else { break };
        // What is missing now may be what was taken out.
        let is_new = |error: &ConfigError| {
            error.place().is_some_and(|place| !error.is_of_absence() && !is_of_table(&left, place))
        };
        found.extend(errors.into_iter().filter(is_new));
    }
    found.truncate(limits::MISTAKES);
    found.sort_by_key(ConfigError::place);
    Err(ConfigError::join(found))
}

/// Take the lines at these places out; false: there was none.
fn take_out_all(text: &mut String, places: &[usize]) -> bool {
    let taken = places.iter().filter(|place| take_out(text, **place)).count();
    taken > 0
}

/// Is it about a table as a whole? That may come from what was taken out of it.
fn is_of_table(text: &str, place: usize) -> bool {
    text[line_at(text, place)].trim_start().starts_with('[') && text[place..].starts_with('[')
}

fn is_toml(text: &str) -> bool {
    text.parse::<toml::Table>().is_ok()
}

fn line_at(text: &str, place: usize) -> std::ops::Range<usize> {
    let start = text[..place].rfind('\n').map_or(0, |at| at + 1);
    let end = text[place..].find('\n').map_or(text.len(), |at| place + at);
    start..end
}

/// Replace the line there by spaces, so that places stay; with the header of a table all that is in it. False: nothing is left
/// to take out.
fn take_out(text: &mut String, place: usize) -> bool {
    let place = place.min(text.len());
    let mut lines = line_at(text, place);
    if text[lines.clone()].trim_start().starts_with('[') {
        let rest = &text[lines.end..];
        let next = rest
            .match_indices('\n')
            .map(|(at, _)| at + 1)
            .find(|at| rest[*at..].trim_start_matches(' ').starts_with('['));
        lines.end = next.map_or(text.len(), |at| lines.end + at - 1);
    }
    if text[lines.clone()].trim().is_empty() {
        return false;
    }
    let blank: String = text[lines.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    text.replace_range(lines, &blank);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> Vec<String> {
        let error = read(Path::new("x.toml"), text).expect_err("mistakes").to_string();
        error.lines().filter(|line| line.starts_with("x.toml")).map(str::to_owned).collect()
    }

    const GOOD: &str = "[listen]\nplain = [\"127.0.0.1:0\"]\n[data]\ndir = \"/data\"\n";

    #[test]
    fn four_mistakes_are_four_wherever_they_are() {
        let text = format!("{GOOD}[limits]\nmesage_burst = 1\nper_address = 0\n[engine]\nshards = 0\n[lisen]\nx = 1\n");
        let found = mistakes(&text);
        assert_eq!(found.len(), 4, "{found:#?}");
        let words = [
            "did you mean `listen`",
            "shards must be 1 to 256, not 0",
            "did you mean `message_burst`",
            "per_address must",
        ];
        for word in words {
            assert!(found.iter().any(|line| line.contains(word)), "no {word:?} in {found:#?}");
        }
    }

    #[test]
    fn one_mistake_is_one() {
        for (line, word) in [
            ("[limits]\nper_address = \"x\"\n", "x.toml:6:15"),
            (
                "[[template]]\nid = \"a b\"\n[[template.datastream]]\npin = \"V1\"\nname = \"n\"\ntype = \"int\"\n",
                "x.toml:6:6",
            ),
            ("[[template]]\nname = \"x\"\n", "missing field `id`"),
            ("x = [1,\n", "x.toml"),
        ] {
            let found = mistakes(&format!("{GOOD}{line}"));
            assert!(found.len() == 1 && found[0].contains(word), "{line:?}: {found:#?}");
        }
        let found = mistakes("[listen]\nplain = \"127.0.0.1:8080\"\n[data]\ndir = \"/data\"\n");
        assert!(found.len() == 1 && found[0].contains("write plain = [\"127.0.0.1:8080\"]"), "{found:#?}");
    }

    #[test]
    fn mistakes_are_bounded() {
        let many: String = (0..200).map(|n| format!("unknown_{n} = 1\n")).collect();
        assert_eq!(mistakes(&format!("{GOOD}[limits]\n{many}")).len(), limits::MISTAKES);
    }
}

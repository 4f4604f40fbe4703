//! Tokens of the devices, from a file. They are secrets: no message shows one.

use std::path::Path;

use linchpin_protocol::model::Token;

use crate::exit::Failure;

/// Read a file of tokens: one a line, the last word of it; empty lines and those that begin with # are skipped.
pub(crate) fn read(path: &Path) -> Result<Vec<Token>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!(
            "cannot read the tokens {}: {error}; make some with `linchpin device add --count N --tokens-out FILE`",
            path.display()
        ))
    })?;
    parse(&text).map_err(|line| {
        Failure::usage(format!(
            "{} line {line}: the last word is no token (32 letters, digits, - and _); write one token a line",
            path.display()
        ))
    })
}

/// The tokens of a text, or the number of the line that has none.
fn parse(text: &str) -> Result<Vec<Token>, usize> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| {
            let word = line.split_whitespace().last().unwrap_or_default();
            Token::parse(word.as_bytes()).map_err(|_| number)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_line_is_the_token() {
        let one = "abcdefghijklmnopqrstuvwxyz012345";
        let tokens = parse(&format!("# made by hand\n1 {one}\n\n{one}\n")).expect("two tokens");
        assert_eq!(tokens.iter().map(Token::expose).collect::<Vec<_>>(), [one, one]);
        assert_eq!(parse(&format!("{one}\n1 short\n")).expect_err("a short one"), 2);
    }

    #[test]
    fn errors_do_not_show_what_stands_in_the_file() {
        let path = std::env::temp_dir().join(format!("loadgen-tokens-{}", std::process::id()));
        std::fs::write(&path, "1 almostatoken\n").expect("writes");
        let failure = read(&path).expect_err("no token");
        std::fs::remove_file(&path).expect("removes");
        assert!(failure.text.contains("line 1") && !failure.text.contains("almost"), "{failure}");
    }
}

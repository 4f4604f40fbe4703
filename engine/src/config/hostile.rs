//! Texts that are nearly a configuration: each is taken, or refused in words, and nothing panics. `LINCHPIN_HOSTILE=1000000` tries
//! as many.

use std::path::Path;

use super::{default_file, file};

/// Words that mean something, or too much.
const WORDS: [&str; 16] = [
    "-1",
    "0",
    "18446744073709551616",
    "1e400",
    "nan",
    "true",
    "\"\"",
    "[]",
    "{}",
    "[[",
    "\"\\u0000\"",
    "'''",
    "#",
    "=",
    "\n",
    "é",
];

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        // xorshift64: the same texts at every run.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// The file with every setting said.
fn all_said() -> String {
    let say = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    default_file().lines().map(say).collect::<Vec<_>>().join("\n")
}

/// Lines and characters of it, changed in a few places.
fn changed(lines: &[&str], dice: &mut Dice) -> String {
    let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    for _ in 0..=dice.below(4) {
        if lines.is_empty() {
            break;
        }
        let (at, other) = (dice.below(lines.len()), dice.below(lines.len()));
        match dice.below(6) {
            0 => drop(lines.remove(at)),
            1 => lines.swap(at, other),
            2 => lines.insert(at, lines[other].clone()),
            3 => {
                let name = lines[at].split('=').next().unwrap_or_default().to_owned();
                lines[at] = format!("{name}= {}", WORDS[dice.below(WORDS.len())]);
            }
            4 => {
                let chars: Vec<char> = lines[at].chars().collect();
                let cut = dice.below(chars.len());
                lines[at] = chars[..cut].iter().collect::<String>() + WORDS[dice.below(WORDS.len())];
            }
            _ => lines[at] = lines[at].repeat(2),
        }
    }
    lines.join("\n")
}

#[test]
fn any_text_of_a_configuration_is_taken_or_refused_in_words() {
    let (said, path) = (all_said(), Path::new("/nowhere/linchpin.toml"));
    let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert!(lines.len() > 60, "{} lines", lines.len());
    let times = std::env::var("LINCHPIN_HOSTILE").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000);
    let (mut dice, mut refused) = (Dice(0x9e37_79b9_7f4a_7c15), 0);
    for _ in 0..times {
        // A few of its lines: all of them together name files that are not there.
        let begin = dice.below(lines.len());
        let part = &lines[begin..lines.len().min(begin + 1 + dice.below(20))];
        let text = changed(part, &mut dice);
        if let Err(errors) = file::parse(path, &text) {
            let has_words = !errors.is_empty() && errors.iter().all(|error| !error.to_string().is_empty());
            assert!(has_words, "no words for {text:?}");
            refused += 1;
        }
    }
    assert!(refused > times / 2 && times > 0, "{refused} of {times} are refused");
}

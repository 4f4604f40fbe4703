//! `linchpin explain`: what a code means and what to do about it.

use linchpin_control::Code;
use linchpin_shard::{End, LiveRefusal, MESSAGE_CODES};

use super::failure::Failure;
use super::output::say;

/// A number, what it means, and what to do; empty: the answer of the server says it.
struct Explained {
    number: u16,
    what: &'static str,
    fix: &'static str,
}

/// All codes of all kinds, in the order of their numbers.
fn all() -> Vec<Explained> {
    let messages = MESSAGE_CODES.iter().map(|(number, what, fix)| Explained { number: *number, what, fix });
    let ends = End::ALL.iter().map(|end| Explained { number: end.number(), what: end.what(), fix: end.fix() });
    let live = LiveRefusal::ALL.iter();
    let live = live.map(|it| Explained { number: it.number(), what: it.what(), fix: it.fix() });
    let asks = Code::ALL.iter().filter_map(|code| {
        let number = number(code.number())?;
        Some(Explained { number, what: code.meaning(), fix: "" })
    });
    let mut all: Vec<_> = messages.chain(ends).chain(live).chain(asks).collect();
    all.sort_by_key(|it| it.number);
    all
}

/// `E0103`, `e103`, `103`.
fn number(text: &str) -> Option<u16> {
    let text = text.trim();
    text.strip_prefix(['e', 'E']).unwrap_or(text).parse().ok()
}

/// See the module's page.
pub(super) fn run(code: &str) -> Result<(), Failure> {
    let all = all();
    let Some(wanted) = number(code) else {
        return Err(Failure::General(format!("{code:?} is no code: give one such as E0103, or 103")));
    };
    let Some(found) = all.iter().find(|it| it.number == wanted) else {
        let nearest = all.iter().min_by_key(|it| it.number.abs_diff(wanted)).map_or(0, |it| it.number);
        return Err(Failure::General(format!(
            "there is no code E{wanted:04}; the nearest is E{nearest:04} (docs/errors.md lists all)"
        )));
    };
    let fix = match found.fix {
        "" => "the text of the answer says it; docs/admin.md lists these codes.",
        fix => fix,
    };
    say(&format!("E{:04}: {}\nWhat to do: {fix}\n", found.number, found.what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_case_and_any_number_of_zeros_will_do() {
        for text in ["E0103", "e0103", "e103", "E103", "103", "0103", " E0103 "] {
            assert_eq!(number(text), Some(103), "{text}");
        }
        assert!(
            number("").is_none() && number("E").is_none() && number("E99999").is_none() && number("help").is_none()
        );
    }

    #[test]
    fn a_number_is_one_code() {
        let all = all();
        let twice: Vec<_> =
            all.windows(2).filter(|two| two[0].number == two[1].number).map(|it| it[0].number).collect();
        assert!(all.len() > 80 && twice.is_empty(), "{twice:?}");
    }

    /// Verbs behind `linchpin` in a text that the command line does not have, and keys that the file does not have.
    fn missing(text: &str) -> Vec<String> {
        use clap::CommandFactory as _;
        let line = crate::cli::args::Line::command();
        let (mut wrong, file) = (Vec::new(), crate::config::default_file());
        for quoted in text.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.strip_prefix("linchpin ")) {
            let (mut at, mut words) = (&line, quoted.split(' ').peekable());
            while let Some(below) = words.peek().and_then(|word| at.find_subcommand(word)) {
                at = below;
                words.next();
            }
            if at.get_name() == "linchpin" {
                wrong.push(format!("linchpin {quoted}"));
            }
            for flag in words.filter_map(|word| word.strip_prefix("--")) {
                if !at.get_arguments().any(|it| it.get_long() == Some(flag)) {
                    wrong.push(format!("--{flag} of linchpin {quoted}"));
                }
            }
        }
        for (table, key) in
            text.split([' ', ',', ')', '(']).filter_map(|word| word.trim_end_matches('.').split_once('.'))
        {
            let is_key = ["limits", "listen", "engine", "tls"].contains(&table) && !key.is_empty();
            let has = |line: &str| line.trim_start_matches(['#', ' ']).starts_with(&format!("{key} ="));
            if is_key && !file.lines().any(has) {
                wrong.push(format!("{table}.{key}"));
            }
        }
        for table in text.split("[").skip(1).filter_map(|rest| rest.split(']').next()).filter(|name| !name.is_empty()) {
            if !file.contains(&format!("[{table}]")) {
                wrong.push(format!("[{table}]"));
            }
        }
        wrong
    }

    #[test]
    fn what_a_code_names_exists() {
        let wrong: Vec<_> = all()
            .iter()
            .flat_map(|it| {
                missing(it.what).into_iter().chain(missing(it.fix)).map(|what| format!("E{:04}: {what}", it.number))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(
            missing("see `linchpin devise list`, `linchpin device list --onlin`, limits.per_adress, [tls2]").len(),
            4
        );
    }
}

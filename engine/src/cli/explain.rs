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
    match all.iter().find(|it| it.number == wanted) {
        Some(Explained { number, what, fix: "" }) => {
            say(&format!("E{number:04}: {what}\nWhat to do: the text of the answer says it; docs/admin.md lists these codes.\n"))
        }
        Some(Explained { number, what, fix }) => say(&format!("E{number:04}: {what}\nWhat to do: {fix}\n")),
        None => {
            let nearest = all.iter().min_by_key(|it| it.number.abs_diff(wanted)).map_or(0, |it| it.number);
            Err(Failure::General(format!(
                "there is no code E{wanted:04}; the nearest is E{nearest:04} (docs/errors.md lists all)"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_case_and_any_number_of_zeros_will_do() {
        for text in ["E0103", "e0103", "e103", "E103", "103", "0103", " E0103 "] {
            assert_eq!(number(text), Some(103), "{text}");
        }
        assert!(number("").is_none() && number("E").is_none() && number("E99999").is_none() && number("help").is_none());
    }

    #[test]
    fn a_number_is_one_code() {
        let all = all();
        assert!(all.len() > 80 && all.windows(2).all(|pair| pair[0].number < pair[1].number));
    }
}

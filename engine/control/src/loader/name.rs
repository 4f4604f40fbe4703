//! What names are held to: those of organizations, people, roles, keys, devices, and of what templates hold
//! (docs/decisions/0236).

use std::ops::RangeInclusive;

use linchpin_protocol::model::is_barred_in_names;

use super::LoaderFault;

/// What of a name is wrong, as the end of "must be ..."; `Ok` if it is good. `lens` is in bytes.
///
/// # Errors
/// How long it must be; which letter is barred, by its number and its place from 1 on.
pub(crate) fn check_name(name: &str, lens: RangeInclusive<usize>) -> Result<(), String> {
    if !lens.contains(&name.len()) {
        let (least, most) = (lens.start(), lens.end());
        let range = if *least == 0 { format!("at most {most}") } else { format!("{least} to {most}") };
        return Err(format!("{range} bytes long, not {}", name.len()));
    }
    let barred = name.chars().enumerate().find(|(_, letter)| is_barred_in_names(*letter));
    barred.map_or(Ok(()), |(at, letter)| {
        Err(format!(
            "without U+{:04X} (character {}): control characters, and marks that turn the direction of writing, are not \
             for names",
            letter as u32,
            at + 1
        ))
    })
}

/// As [`check_name`], for the field `name`.
///
/// # Errors
/// [`LoaderFault::Field`].
pub(super) fn name_fits(name: &str, lens: RangeInclusive<usize>) -> Result<(), LoaderFault> {
    check_name(name, lens).map_err(|expected| LoaderFault::field("name", expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_told_by_length_or_letter() {
        let wrong = |name: &str, lens| check_name(name, lens).expect_err(name);
        assert_eq!(wrong("", 1..=8), "1 to 8 bytes long, not 0");
        assert_eq!(wrong("äöüßé", 0..=8), "at most 8 bytes long, not 10");
        assert!(wrong("ab\u{202e}c", 0..=8).starts_with("without U+202E (character 3): "));
        assert!(wrong("ä\tb", 0..=8).starts_with("without U+0009 (character 2): "));
        for good in ["", "Pumpe", "גן\u{200f}", "8 bytes."] {
            assert_eq!(check_name(good, 0..=8), Ok(()), "{good:?}");
        }
    }
}

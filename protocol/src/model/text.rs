//! What people and devices wrote, within a line of ours: a log, a terminal, the subject of a mail.

/// Whether a letter changes how the rest of its line is read without being seen: control characters, the separators of
/// lines and paragraphs, and the marks that turn the direction of writing.
#[must_use]
pub fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a letter is not for names: one of the hidden ones, for a name with it breaks its line or looks like another. The
/// marks that only say to which side a sign belongs (U+061C, U+200E, U+200F) are allowed, as are the joiners of letters: whoever
/// writes from right to left, or an emoji, needs them, and they turn no letter around.
#[must_use]
pub fn is_barred_in_names(letter: char) -> bool {
    is_hidden(letter) && !matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}')
}

/// The text with bars between its parts (NUL is between parts of a value) and U+FFFD in the place of each hidden letter.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.replace('\0', " | ").replace(is_hidden, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_every_script_and_turn_nothing_around() {
        for barred in [
            '\0', '\n', '\u{1b}', '\u{7f}', '\u{85}', '\u{2028}', '\u{2029}', '\u{202a}', '\u{202e}', '\u{2066}',
            '\u{2069}',
        ] {
            assert!(is_barred_in_names(barred), "{barred:?}");
        }
        for name in
            ["حديقة", "גינה (2)\u{200f}", "می\u{200c}خواهم", "👩\u{200d}🌾", "Ångström", "温室", "\u{61c}١٢", "a b"]
        {
            assert!(!name.contains(is_barred_in_names), "{name:?}");
        }
    }

    #[test]
    fn nothing_hidden_stays_in_a_line() {
        for hidden in
            ["\n", "\r", "\u{1b}", "\u{7f}", "\u{85}", "\u{9b}", "\u{2028}", "\u{2029}", "\u{202e}", "\u{2067}"]
        {
            assert_eq!(one_line(&format!("a{hidden}b")), "a\u{fffd}b", "{hidden:?}");
        }
        // What other scripts are written with stays.
        for text in ["", "Gerät 1", "שלום", "مرحبا", "\u{645}\u{6cc}\u{200c}\u{62e}", "👩\u{200d}🔧", "\u{fffd}"]
        {
            assert_eq!(one_line(text), text);
        }
        assert_eq!(one_line("V1\0V2"), "V1 | V2");
    }
}

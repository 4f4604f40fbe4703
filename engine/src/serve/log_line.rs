//! How a line of the log is written: one line whatever is in it, with nothing that turns it around, and not too long.

use linchpin_protocol::model::is_hidden;

use crate::limits;

/// The event as it was formatted, with its line end; hidden letters become U+FFFD, a long line is cut. Escapes stay: the
/// formatter writes those of its colours, and none of what is told.
pub(super) fn log_line(formatted: &[u8]) -> Vec<u8> {
    let kept = &formatted[..formatted.len().min(limits::LOG_LINE_BYTES)];
    let text = String::from_utf8_lossy(kept.strip_suffix(b"\n").unwrap_or(kept));
    let mut line = text.replace(|letter| is_hidden(letter) && !matches!(letter, '\t' | '\u{1b}'), "\u{fffd}");
    if kept.len() < formatted.len() || line.len() > limits::LOG_LINE_BYTES {
        line.truncate(line.floor_char_boundary(limits::LOG_LINE_BYTES));
        line.push_str("...");
    }
    line.push('\n');
    line.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        for (formatted, line) in [
            ("a b=c\n", "a b=c\n"),
            ("a\r\nFORGED\n", "a\u{fffd}\u{fffd}FORGED\n"),
            ("a\u{202e}b\u{2028}c\n", "a\u{fffd}b\u{fffd}c\n"),
            ("\u{1b}[32mINFO\u{1b}[0m \tü\n", "\u{1b}[32mINFO\u{1b}[0m \tü\n"),
        ] {
            assert_eq!(String::from_utf8(log_line(formatted.as_bytes())).as_deref(), Ok(line));
        }
    }

    #[test]
    fn long_lines_are_cut() {
        for piece in ["ü", "€", "\n", "\u{202e}"] {
            let line = log_line(piece.repeat(limits::LOG_LINE_BYTES).as_bytes());
            assert!(line.len() <= limits::LOG_LINE_BYTES + 4 && line.ends_with(b"...\n"), "{}", line.len());
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        }
    }
}

//! Mistakes of the operator, shown where they are.

use std::fmt;
use std::ops::Range;
use std::path::Path;

/// A mistake in the configuration; the program ends with status 78.
#[derive(Debug)]
pub(crate) struct ConfigError {
    text: String,
    /// Where in the file, bytes from its begin; `None`: nowhere in particular.
    place: Option<usize>,
    /// The file could not be read.
    source: Option<std::io::Error>,
}

impl ConfigError {
    const fn new(text: String) -> Self {
        Self { text, place: None, source: None }
    }

    /// Where in the file it is.
    pub(super) const fn place(&self) -> Option<usize> {
        self.place
    }

    /// Is something missing, or there in vain?
    pub(super) fn is_of_absence(&self) -> bool {
        self.text.contains(": missing field") || self.text.contains(" must have at least one address")
    }

    /// Several as one.
    pub(super) fn join(mut errors: Vec<Self>) -> Self {
        if errors.len() == 1 {
            return errors.remove(0);
        }
        let texts: Vec<_> = errors.iter().map(|error| error.text.as_str()).collect();
        Self::new(format!("{}\n{} mistakes", texts.join("\n"), errors.len()))
    }

    pub(crate) fn unreadable(path: &Path, source: std::io::Error) -> Self {
        let text = format!("{}: {source}: {}", path.display(), unreadable_advice(&source));
        Self { text, place: None, source: Some(source) }
    }

    pub(crate) fn too_long(path: &Path, length: u64) -> Self {
        Self::new(format!(
            "{}: {length} bytes are too many, {} are allowed",
            path.display(),
            crate::limits::CONFIG_BYTES
        ))
    }

    /// At a place in the file: `path:line:column: what`, the line, and a caret under the place.
    pub(crate) fn at(path: &Path, text: &str, place: Option<Range<usize>>, what: &str) -> Self {
        let Some(place) = place else { return Self::new(format!("{}: {what}", path.display())) };
        let start = place.start.min(text.len());
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[line_start..].find('\n').map_or(text.len(), |at| line_start + at);
        let number = text[..line_start].matches('\n').count() + 1;
        let column = text[line_start..start].chars().count() + 1;
        let line = &text[line_start..line_end];
        let width = text[start..place.end.clamp(start, line_end.max(start))].chars().count().max(1);
        // Tabs stay tabs, so that the caret stands below its place.
        let gap: String = text[line_start..start].chars().map(|c| if c == '\t' { c } else { ' ' }).collect();
        let (margin, carets) = (number.to_string(), "^".repeat(width));
        let blank = " ".repeat(margin.len());
        let text = format!(
            "{}:{number}:{column}: {what}\n {blank} |\n {margin} | {}\n {blank} | {gap}{carets}",
            path.display(),
            without_tokens(line)
        );
        Self { text, place: Some(start), source: None }
    }
}

/// What to do about a file that cannot be read.
fn unreadable_advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => "run this as the user of the server, or as root",
        std::io::ErrorKind::NotFound => "is the path right?",
        std::io::ErrorKind::InvalidData => "it must be text in UTF-8",
        _ => "it must be a readable file",
    }
}

/// A line of the file with stars in place of what may be a token that stands there by mistake: errors end up in logs.
fn without_tokens(line: &str) -> String {
    hide_runs(line, |run_bytes| run_bytes == linchpin_protocol::limits::TOKEN_BYTES)
}

/// A text with stars in place of runs of characters of tokens that are as long as this.
pub(crate) fn hide_runs(line: &str, is_hidden: impl Fn(usize) -> bool) -> String {
    let is_token_char = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let run = rest.find(|c| !is_token_char(c)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(if run == 0 { first.len_utf8() } else { run });
        if is_hidden(run) {
            shown.push_str(&"*".repeat(run));
        } else {
            shown.push_str(part);
        }
        rest = after;
    }
    shown
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_at_the_place() {
        let text = "a = 1\nshards = 0\nb = 2\n";
        let error = ConfigError::at(Path::new("x.toml"), text, Some(15..16), "must be 1 or more, not 0");
        assert_eq!(error.to_string(), "x.toml:2:10: must be 1 or more, not 0\n   |\n 2 | shards = 0\n   |          ^");
    }

    #[test]
    fn a_token_in_the_line_is_hidden() {
        let text = "token = \"0123456789abcdefghij-_ABCDEFGHIJ\" # ä\n";
        let error = ConfigError::at(Path::new("x.toml"), text, Some(0..5), "unknown").to_string();
        assert!(error.contains(&format!("1 | token = \"{}\" # ä\n   | ^^^^^", "*".repeat(32))), "{error}");
        assert!(!error.contains("0123"), "{error}");
    }

    #[test]
    fn a_place_at_the_end_of_the_file_is_shown_too() {
        let error = ConfigError::at(Path::new("x.toml"), "a = \"x", Some(6..6), "not closed");
        assert!(error.to_string().starts_with("x.toml:1:7: not closed"), "{error}");
    }
}

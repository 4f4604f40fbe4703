//! Patterns that have no place in the product: channels without a bound, secrets in texts, threads that nobody watches.

use crate::without_tests;

/// Channels that grow for as long as nobody takes: a bound belongs to each.
const UNBOUNDED: [&str; 5] = ["mpsc::channel()", "= channel()", "(channel()", "unbounded_channel", "unbounded("];

/// Macros that make a text.
const FORMATTING: [&str; 12] = [
    "format!(",
    "format_args!(",
    "write!(",
    "writeln!(",
    "print!(",
    "println!(",
    "eprintln!(",
    "panic!(",
    "error!(",
    "warn!(",
    "info!(",
    "debug!(",
];

/// What makes a secret readable.
const EXPOSING: [&str; 2] = [".expose()", ".expose_secret()"];

/// Lines of the product's part of a source that are no comment, with their numbers.
fn code(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = without_tests(source).lines().enumerate().map(|(at, line)| (at + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Channels without a bound.
#[must_use]
pub fn unbounded(path: &str, source: &str) -> Vec<String> {
    let hits = code(source).filter(|(_, line)| UNBOUNDED.iter().any(|pattern| line.contains(pattern)));
    hits.map(|(at, line)| format!("{path}:{at}: a channel without a bound: {}", line.trim())).collect()
}

/// Threads that are begun here; each must end the process, or be missed by somebody, when it panics.
#[must_use]
pub fn begins_threads(source: &str) -> bool {
    code(source).any(|(_, line)| line.contains("thread::spawn(") || line.contains("thread::Builder::new()"))
}

/// The arguments of a macro from behind its opening bracket.
fn arguments(text: &str) -> &str {
    let (mut depth, mut in_text, mut escaped) = (1, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'(' if !in_text => depth += 1,
            b')' if !in_text => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

/// Does a source put a secret into a text?
#[must_use]
pub fn shows_secrets(source: &str) -> bool {
    let source = without_tests(source);
    FORMATTING.iter().any(|name| {
        source.match_indices(name).any(|(at, _)| {
            // `panic!` also ends other names.
            let is_whole = !source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let arguments = arguments(&source[at + name.len()..]);
            is_whole && EXPOSING.iter().any(|exposing| arguments.contains(exposing))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_without_a_bound_is_found() {
        assert_eq!(unbounded("a.rs", "let (a, b) = mpsc::channel();").len(), 1);
        assert_eq!(unbounded("a.rs", "use tokio::sync::mpsc::unbounded_channel;").len(), 1);
        assert!(unbounded("a.rs", "let (a, b) = mpsc::sync_channel(8); // not mpsc::channel::<u8>(4)").is_empty());
        assert!(unbounded("a.rs", "//! mpsc::channel()\nx();\n#[cfg(test)]\nmod tests { mpsc::channel() }").is_empty());
    }

    #[test]
    fn a_secret_in_a_text_is_found() {
        assert!(shows_secrets("let x = format!(\"{}\", token.expose());"));
        assert!(shows_secrets("tracing::warn!(\n    token = key.expose(),\n    \"(\"\n);"));
        assert!(!shows_secrets("out.extend(token.expose()); let x = format!(\"{}\", token.len());"));
        assert!(!shows_secrets("x();\n#[cfg(test)]\nmod tests { format!(\"{}\", token.expose()); }"));
        assert!(!shows_secrets("own_format!(token.expose())"));
    }

    #[test]
    fn a_thread_is_found() {
        assert!(begins_threads("std::thread::spawn(move || run());"));
        assert!(begins_threads("let thread = std::thread::Builder::new().name(name).spawn(run);"));
        assert!(!begins_threads("// std::thread::spawn(run)\nscope.spawn(run);"));
    }
}

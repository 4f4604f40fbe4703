//! Why a command was not carried out.

use std::fmt;

/// A stable code for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError {
    /// Stable, in kebab case.
    pub code: &'static str,
    /// What happened, with the value and the limit, and what to do.
    pub text: String,
}

impl CommandError {
    /// With a sentence.
    pub fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// A parameter is missing or has the wrong shape.
    pub(crate) fn parameter(name: &str, expected: &str) -> Self {
        Self::new("bad-parameter", format!("parameter {name:?} must be {expected}"))
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}

impl std::error::Error for CommandError {}

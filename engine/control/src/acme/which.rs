//! Which lines of orders a command is about.

use linchpin_tls::KeyKind;

use super::report::LineReport;
use crate::{Code, CommandError};

/// Which lines a command is about.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// One of its names; `None`: every line.
    pub name: Option<String>,
    /// Its kind of key; `None`: both.
    pub kind: Option<KeyKind>,
}

impl Which {
    /// The places of those that fit.
    ///
    /// # Errors
    /// None does.
    pub(super) fn find(&self, lines: &[LineReport]) -> Result<Vec<usize>, CommandError> {
        let is_it = |line: &LineReport| {
            self.name.as_ref().is_none_or(|name| line.names.iter().any(|own| own.eq_ignore_ascii_case(name)))
                && self.kind.is_none_or(|kind| line.kind == kind.name())
        };
        let found: Vec<usize> = (0..lines.len()).filter(|at| is_it(&lines[*at])).collect();
        if found.is_empty() {
            let known: Vec<_> = lines.iter().map(LineReport::title).collect();
            let text = format!("no such certificate is ordered; there are {}", known.join(", "));
            return Err(CommandError::new(Code::NotFound, text));
        }
        Ok(found)
    }

    /// The lines that fit.
    ///
    /// # Errors
    /// None does.
    pub fn pick(&self, lines: Vec<LineReport>) -> Result<Vec<LineReport>, CommandError> {
        let found = self.find(&lines)?;
        Ok(lines.into_iter().enumerate().filter(|(at, _)| found.contains(at)).map(|(_, line)| line).collect())
    }
}

//! How the program ends.

use std::fmt;

/// Why the program ends, with its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndCode {
    /// Everything is as asked.
    Ok = 0,
    /// A flag, a file or the machine does not allow it.
    Usage = 1,
    /// Nobody answers there.
    Unreachable = 2,
    /// The server did not meet the SLO.
    Slo = 3,
    /// The run says nothing about the server.
    Invalid = 4,
    /// Slower than before.
    Regression = 5,
}

/// An end before the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) code: EndCode,
    pub(crate) text: String,
}

impl Exit {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { code: EndCode::Usage, text: text.into() }
    }

    pub(crate) fn unreachable(text: impl Into<String>) -> Self {
        Self { code: EndCode::Unreachable, text: text.into() }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

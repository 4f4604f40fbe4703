//! How the program ends when something does not work.

/// How this program ends besides with 0 and clap's own 2 for a usage error.
pub(crate) enum Failure {
    /// Something did not work.
    General(String),
    /// The configuration is wrong, or something else that another start would not mend.
    Config(String),
    /// Another program has said why, and ended with this status.
    Ended(u8),
}

impl Failure {
    /// With 1 and this sentence.
    pub(crate) fn general(error: impl std::fmt::Display) -> Self {
        Self::General(error.to_string())
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::General(text)
    }
}

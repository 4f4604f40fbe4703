//! Who may run a row.

use crate::access::Permission;

/// Who may. Operators at the admin socket may everything that is not somebody's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Whoever comes: what they send is the proof.
    Nobody,
    /// Somebody with a session, also while a second factor is due.
    Partly,
    /// Somebody who is signed in, for themselves; no key.
    Myself,
    /// The same, with a proof of the last minutes.
    MyselfFresh,
    /// These permissions, in the organizations that the request names: the first is that of the organization in the path.
    In(&'static [Permission]),
}

impl std::fmt::Display for Needs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nobody => f.write_str("nothing"),
            Self::Partly => f.write_str("a session"),
            Self::Myself => f.write_str("to be signed in"),
            Self::MyselfFresh => f.write_str("to be signed in, with a fresh proof"),
            Self::In(all) => {
                let names: Vec<&str> = all.iter().map(|permission| permission.name()).collect();
                f.write_str(&names.join(" and "))
            }
        }
    }
}

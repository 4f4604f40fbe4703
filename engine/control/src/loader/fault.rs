//! Why a loader did not do it.

use std::fmt;

use linchpin_storage::Error;

use crate::access::{Denial, GiveRule, TreeError};
use crate::account::{EmailFault, NewPasswordFault};

/// See the module's page. Nothing was changed.
#[derive(Clone, Debug)]
pub enum LoaderFault {
    /// Not for this person.
    Denied(Denial),
    /// There is no such thing in the organization.
    Missing,
    /// A rule of giving is in the way.
    Give(GiveRule),
    /// The tree cannot be changed like this.
    Tree(TreeError),
    /// It is so already, or something else has the place.
    Conflict(&'static str),
    /// A field is wrong.
    Field {
        /// Which.
        field: &'static str,
        /// What it must be.
        expected: String,
    },
    /// The cursor is none of ours, or of another list or organization.
    Cursor,
    /// There are as many as there may be.
    Full {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// As many in a while as there may be.
    Often {
        /// Of what, and in which time.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The link or token is not good (any more).
    Spent,
    /// The key, or its organization, has sent as many requests as it may in a minute.
    Paced {
        /// When there is room again, ms from now.
        retry_ms: u64,
    },
    /// The store.
    Store(Error),
}

impl LoaderFault {
    /// A field is wrong.
    pub(crate) fn field(field: &'static str, expected: impl Into<String>) -> Self {
        Self::Field { field, expected: expected.into() }
    }

    /// The status of HTTP.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Denied(denial) => denial.status(),
            Self::Missing => 404,
            Self::Give(_) => 403,
            Self::Tree(_) | Self::Conflict(_) | Self::Full { .. } => 409,
            Self::Field { .. } => 422,
            Self::Cursor => 400,
            Self::Spent => 410,
            Self::Often { .. } | Self::Paced { .. } => 429,
            Self::Store(_) => 503,
        }
    }

    /// For programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::Missing => "not-found",
            Self::Give(_) => "not-yours-to-give",
            Self::Tree(_) => "tree",
            Self::Conflict(_) => "conflict",
            Self::Field { .. } => "field",
            Self::Cursor => "bad-cursor",
            Self::Full { .. } => "full",
            Self::Often { .. } => "often",
            Self::Spent => "spent",
            Self::Paced { .. } => "too-fast",
            Self::Store(_) => "store",
        }
    }
}

impl fmt::Display for LoaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denial) => denial.fmt(f),
            Self::Missing => f.write_str("there is no such thing"),
            Self::Give(rule) => rule.fmt(f),
            Self::Tree(error) => error.fmt(f),
            Self::Conflict(what) => f.write_str(what),
            Self::Field { field, expected } => write!(f, "{field} must be {expected}"),
            Self::Cursor => f.write_str("the cursor is of another list, or too old: begin anew"),
            Self::Full { what, limit } => write!(f, "{limit} {what} are the most: remove one first"),
            Self::Often { what, limit } => write!(f, "{limit} {what} are the most: try again later"),
            Self::Spent => f.write_str("this link or token was used, has ended, or was taken back"),
            Self::Paced { retry_ms } => {
                let seconds = retry_ms.div_ceil(1_000);
                write!(
                    f,
                    "the key or its organization has sent as many requests as it may in a minute: again in {seconds} s"
                )
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LoaderFault {}

macro_rules! from {
    ($($variant:ident: $inner:ty),+) => {
        $(impl From<$inner> for LoaderFault {
            fn from(inner: $inner) -> Self {
                Self::$variant(inner)
            }
        })+
    };
}
from!(Denied: Denial, Give: GiveRule, Tree: TreeError, Store: Error);

impl From<EmailFault> for LoaderFault {
    fn from(fault: EmailFault) -> Self {
        Self::field("email", fault.to_string())
    }
}

impl From<getrandom::Error> for LoaderFault {
    fn from(_: getrandom::Error) -> Self {
        Self::Store(Error::Key { reason: "the operating system gives no random bytes: try again".into() })
    }
}

impl From<NewPasswordFault> for LoaderFault {
    fn from(fault: NewPasswordFault) -> Self {
        match fault {
            NewPasswordFault::Weak => Self::field("password", "one that is not among the first that somebody tries"),
            NewPasswordFault::Full | NewPasswordFault::Failed => {
                Self::Store(Error::Busy { limit: crate::limits::HASH_QUEUE })
            }
        }
    }
}

//! Accounts: how people and programs prove who they are. No store and no network here; what takes time or memory is on
//! threads of its own ([`pool`]).
//!
//! | file | what |
//! |---|---|
//! | [`email`] | addresses, parsed once |
//! | [`throttle`] | how often sign-in may fail |
//! | [`pace`] | how many requests a minute programs may send |
//! | [`password`], [`pool`] | passwords, and the threads that hash them |
//! | [`totp`] | codes of the second factor, recovery codes |
//! | [`known`] | marks of browsers, tokens against forged requests |
//! | [`secret`], [`refresh`] | secrets with their prefixes; tokens of OAuth clients and their rotation |
//! | [`session`], [`epochs`] | sessions in memory; whether their rights are still those |
//! | [`ended`] | rights that have ended, for live sockets |

pub mod email;
pub mod ended;
pub mod epochs;
pub mod known;
pub mod pace;
pub mod password;
pub mod pool;
pub mod refresh;
pub mod secret;
pub mod session;
pub mod throttle;
pub mod totp;
mod weak;

pub use email::{EmailAddress, EmailFault};
pub use ended::EndedRights;
pub use epochs::{Changed, Epochs, Stamp};
pub use known::Marks;
pub use pace::KeyPace;
pub use password::{HashCost, PasswordInput};
pub use pool::{HashPool, NewPasswordFault, PoolFigures, PoolFull, PoolPlan};
pub use refresh::{RefreshUse, TokenMint, TokenName};
pub use secret::{GivenSecret, SecretKind};
pub use session::{LiveSession, SessionDigest, SessionTable, Whose};
pub use throttle::{Attempt, AttemptEnd, Blocked, BlockedBy, Throttle};

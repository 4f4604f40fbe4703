//! End-to-end tests of the binary: what an operator and a hostile network can do to it.
//!
//! The harness is that of the compatibility tests. Like them, these build the binary first.

pub mod authority;
mod bad_authority;
mod browser;
pub mod hostile;
mod http;
mod live;
pub mod mail;
mod mqtt;
mod people;
mod random;
mod secure;
mod stream;
mod successors;

pub use bad_authority::BadAuthority;
pub use browser::{ApiAnswer, Browser, password_hash, totp};
pub use http::{Http, Reply};
pub use live::LivePage;
pub use mqtt::Mqtt;
pub use people::{Answered, SignedIn, create_person};
pub use random::Random;
pub use secure::Secure;
pub use stream::Stream;
pub use successors::Successors;

/// How many of something a test has: as many as a variable of the environment says, for a run on a larger scale by hand.
///
/// # Panics
/// The variable is no number.
#[must_use]
pub fn how_many(variable: &str, usual: u32) -> u32 {
    let said = std::env::var(variable).ok();
    said.map_or(usual, |said| said.parse().unwrap_or_else(|error| panic!("{variable}={said}: {error}")))
}

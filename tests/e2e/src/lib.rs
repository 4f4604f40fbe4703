//! End-to-end tests of the binary: what an operator and a hostile network can do to it.
//!
//! The harness is that of the compatibility tests. Like them, these build the binary first.

pub mod authority;
mod bad_authority;
mod browser;
pub mod hostile;
mod http;
pub mod mail;
mod mqtt;
mod people;
mod random;
mod secure;
mod stream;

pub use bad_authority::BadAuthority;
pub use browser::{ApiAnswer, Browser, password_hash, totp};
pub use http::{Http, Reply};
pub use mqtt::Mqtt;
pub use people::{Answered, SignedIn, create_person};
pub use random::Random;
pub use secure::Secure;
pub use stream::Stream;

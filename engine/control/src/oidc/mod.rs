//! Signing in at another server: an OpenID Connect relying party with the code flow and PKCE.
//!
//! | file | what |
//! |---|---|
//! | [`jws`] | is a token signed by one of these keys? Pure |
//! | [`claims`] | does a token say what it must? Pure |
//! | [`flow`] | sign-ins under way: state, nonce, PKCE, bound to one browser. Pure |
//! | `server` | what the configuration says of one |
//! | `reach` | may an address be asked? Only the operator's server may be in this network |
//! | `provider` | one server: what it publishes, and the exchange of a code |

pub mod claims;
pub mod flow;
pub mod jws;
mod provider;
mod reach;
mod server;
#[cfg(test)]
mod tests;

pub(crate) use provider::OidcProvider;
pub use provider::check_server;
pub use server::OidcServer;

//! A server where people may sign in, as the configuration has it.

use std::fmt;

use zeroize::Zeroizing;

/// A server where people may sign in. Debug output shows no secret.
#[derive(Clone)]
pub struct OidcServer {
    /// For people.
    pub name: Box<str>,
    /// Its `iss`, exactly.
    pub issuer: Box<str>,
    /// Who we are there.
    pub client_id: Box<str>,
    /// What shows it; `None`: PKCE alone.
    pub client_secret: Option<Zeroizing<String>>,
    /// Domains whose verified addresses it speaks for: their people need not link their accounts by hand.
    pub domains: Vec<Box<str>>,
    /// Authorities, PEM, in the place of the system's; `None`: the system's.
    pub ca: Option<Box<[u8]>>,
}

impl fmt::Debug for OidcServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OidcServer({})", self.issuer)
    }
}

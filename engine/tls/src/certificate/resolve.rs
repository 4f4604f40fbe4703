//! Which certificate a client gets.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use webpki::EndEntityCert;

use super::Identity;
use crate::SetupFault;

/// Certificates by name. The first identity and those that share a name with it serve clients that name nobody.
#[derive(Debug)]
struct ByName {
    names: HashMap<String, Vec<Identity>>,
    default: Vec<Identity>,
}

impl ByName {
    fn new(identities: Vec<Identity>) -> Result<Self, SetupFault> {
        let mut names: HashMap<String, Vec<Identity>> = HashMap::new();
        let mut firsts = None;
        for identity in &identities {
            let own = EndEntityCert::try_from(&identity.chain()[0]).map_err(|_| SetupFault::Certificate)?;
            let of_this: Vec<String> = own.valid_dns_names().map(str::to_ascii_lowercase).collect();
            for name in &of_this {
                names.entry(name.clone()).or_default().push(identity.clone());
            }
            firsts.get_or_insert(of_this);
        }
        // ECDSA first: smaller and three times cheaper to sign with.
        names.values_mut().for_each(|list| list.sort_by_key(|identity| !identity.is_ecdsa()));
        let first_name = firsts.and_then(|names| names.into_iter().next());
        let default = match first_name.and_then(|name| names.get(&name)) {
            Some(list) => list.clone(),
            None => identities.into_iter().take(1).collect(),
        };
        if default.is_empty() {
            return Err(SetupFault::NoCertificate);
        }
        Ok(Self { names, default })
    }

    fn find(&self, name: Option<&str>) -> &[Identity] {
        let Some(name) = name else { return &self.default };
        let name = name.to_ascii_lowercase();
        let wildcard = || name.split_once('.').and_then(|(_, rest)| self.names.get(&format!("*.{rest}")));
        // A device may know the server under a name that no certificate has; whether it cares is its decision.
        self.names.get(&name).or_else(wildcard).unwrap_or(&self.default)
    }
}

/// The certificates of a listener, replaced as a whole while connections live.
#[derive(Debug)]
pub struct Certificates(ArcSwap<ByName>);

impl Certificates {
    /// An ECDSA and an RSA identity of the same name are a pair: each client gets what it can verify.
    ///
    /// # Errors
    /// There is none.
    pub fn new(identities: Vec<Identity>) -> Result<Self, SetupFault> {
        Ok(Self(ArcSwap::from_pointee(ByName::new(identities)?)))
    }

    /// The next handshake has these. Connections that live keep what they have.
    ///
    /// # Errors
    /// There is none; then the old ones stay.
    pub fn replace(&self, identities: Vec<Identity>) -> Result<(), SetupFault> {
        self.0.store(Arc::new(ByName::new(identities)?));
        Ok(())
    }
}

/// rustls' question, for clients with or without room for a whole chain.
#[derive(Debug)]
pub(crate) struct Resolver {
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) short: bool,
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let map = self.certificates.0.load();
        let candidates = map.find(hello.server_name());
        let fits = |identity: &&Identity| {
            identity.certified(self.short).key.choose_scheme(hello.signature_schemes()).is_some()
        };
        // With none that fits rustls itself finds the right words.
        candidates.iter().find(fits).or(candidates.first()).map(|identity| identity.certified(self.short).clone())
    }
}

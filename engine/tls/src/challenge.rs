//! Answers for an authority that checks whether a name is ours (ACME): a certificate in a handshake (RFC 8737) or a text
//! in the plain listener (RFC 8555, 8.3). Control opens and closes them; nothing else on disk or in memory is reachable.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::limits::{CHALLENGE_TOKEN_BYTES, CHALLENGES};
use crate::{Provider, SetupFault};

/// The application protocol of authorities that check names.
pub(crate) const ACME_PROTOCOL: &[u8] = b"acme-tls/1";

/// The server name under which an authority asks for `name`: a DNS name in lower case, for an address the name of its
/// reverse lookup (RFC 8738, 6).
#[must_use]
pub fn validation_name(name: &str) -> String {
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Ok(IpAddr::V6(ip)) => {
            let nibbles = ip.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa"
        }
        Err(_) => name.to_ascii_lowercase(),
    }
}

#[derive(Debug, Default)]
struct Open {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    by_token: HashMap<String, Arc<str>>,
}

/// The open challenges of a process. Readers never wait.
#[derive(Debug, Default)]
pub struct Challenges {
    open: ArcSwap<Open>,
}

impl Challenges {
    /// Answer `acme-tls/1` handshakes for `name` (a DNS name or an address) with `digest`, the SHA-256 of the key
    /// authorization.
    ///
    /// # Errors
    /// `name` is none; more than [`CHALLENGES`] are open.
    pub fn open_tls(&self, name: &str, digest: &[u8; 32], provider: Provider) -> Result<(), SetupFault> {
        let certified = Arc::new(certificate(name, digest, provider)?);
        self.change(|open| {
            open.by_name.insert(validation_name(name), Arc::clone(&certified));
            open.by_name.len() <= CHALLENGES
        })
    }

    /// Answer the token of an http-01 challenge with this key authorization.
    ///
    /// # Errors
    /// The token is not 1 to [`CHALLENGE_TOKEN_BYTES`] characters of base64url; more than [`CHALLENGES`] are open.
    pub fn open_http(&self, token: &str, answer: &str) -> Result<(), SetupFault> {
        let is_token = (1..=CHALLENGE_TOKEN_BYTES).contains(&token.len())
            && token.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
        if !is_token {
            return Err(SetupFault::ChallengeToken(token.len()));
        }
        self.change(|open| {
            open.by_token.insert(token.to_owned(), answer.into());
            open.by_token.len() <= CHALLENGES
        })
    }

    /// Close all: from the next connection on nothing is answered.
    pub fn close(&self) {
        self.open.store(Arc::default());
    }

    /// Challenges that are open.
    #[must_use]
    pub fn len(&self) -> usize {
        let open = self.open.load();
        open.by_name.len() + open.by_token.len()
    }

    /// Is none open?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What an authority that asks for this token gets.
    #[must_use]
    pub fn answer(&self, token: &str) -> Option<Arc<str>> {
        self.open.load().by_token.get(token).cloned()
    }

    pub(crate) fn is_open_for(&self, server_name: Option<&str>) -> bool {
        server_name.is_some_and(|name| self.open.load().by_name.contains_key(name))
    }

    /// Change a copy, then show it; not if there are too many.
    fn change(&self, change: impl Fn(&mut Open) -> bool) -> Result<(), SetupFault> {
        let mut has_room = true;
        self.open.rcu(|current| {
            let mut next = Open { by_name: current.by_name.clone(), by_token: current.by_token.clone() };
            has_room = change(&mut next);
            if has_room { Arc::new(next) } else { Arc::clone(current) }
        });
        if has_room { Ok(()) } else { Err(SetupFault::Challenges) }
    }
}

/// A certificate that carries the digest (RFC 8737, 3), with a key of its own.
fn certificate(name: &str, digest: &[u8; 32], provider: Provider) -> Result<CertifiedKey, SetupFault> {
    let failed = |error: rcgen::Error| SetupFault::Making(error.to_string());
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::new(vec![name.to_ascii_lowercase()]).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let made = params.self_signed(&key).map_err(failed)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = provider.crypto().key_provider.load_private_key(key).map_err(|_| SetupFault::Key)?;
    Ok(CertifiedKey::new(vec![made.der().clone()], key))
}

/// rustls' question in a handshake that validates.
#[derive(Debug)]
pub(crate) struct ChallengeResolver(pub(crate) Arc<Challenges>);

impl ResolvesServerCert for ChallengeResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?.to_ascii_lowercase();
        self.0.open.load().by_name.get(&name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_asked_for_by_their_reverse_names() {
        assert_eq!(validation_name("127.0.0.1"), "1.0.0.127.in-addr.arpa");
        let v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(validation_name("2001:db8::1"), v6);
        assert_eq!(validation_name("Node.Example"), "node.example");
    }

    #[test]
    fn answers_open_tokens_exactly_and_nothing_after_the_end() {
        let challenges = Challenges::default();
        challenges.open_http("abc-_1", "abc-_1.thumb").expect("opens");
        assert_eq!(challenges.answer("abc-_1").as_deref(), Some("abc-_1.thumb"));
        for other in ["", "abc-_", "abc-_1/", "ABC-_1", "../abc-_1"] {
            assert_eq!(challenges.answer(other), None, "{other}");
        }
        for bad in ["", "a/b", "a.b", "%41", &"a".repeat(CHALLENGE_TOKEN_BYTES + 1)] {
            assert!(challenges.open_http(bad, "x").is_err(), "{bad}");
        }
        challenges.open_tls("node.example", &[7; 32], Provider::default()).expect("opens");
        assert!(challenges.is_open_for(Some("node.example")) && !challenges.is_open_for(None));
        assert_eq!(challenges.len(), 2);
        challenges.close();
        assert!(challenges.is_empty() && challenges.answer("abc-_1").is_none());
    }

    #[test]
    fn too_many_are_refused_and_those_before_stay() {
        let challenges = Challenges::default();
        (0..CHALLENGES).for_each(|n| challenges.open_http(&format!("t{n}"), "x").expect("opens"));
        assert_eq!(challenges.open_http("more", "x"), Err(SetupFault::Challenges));
        assert_eq!(challenges.len(), CHALLENGES);
        challenges.open_http("t0", "y").expect("the same token again is no more");
        assert_eq!(challenges.answer("t0").as_deref(), Some("y"));
    }
}

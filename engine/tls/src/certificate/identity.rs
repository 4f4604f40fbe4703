//! A chain and its key.

use std::sync::Arc;

use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys, SignatureAlgorithm};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::roots::DeviceRoot;
use super::{der, roots};
use crate::limits::CHAIN_BYTES;
use crate::{Provider, SetupFault};

/// A certificate chain with its private key, fit to be served.
#[derive(Clone)]
pub struct Identity {
    /// For clients with room.
    full: Arc<CertifiedKey>,
    /// For clients that asked for small fragments: as short as still leads to a root that devices have.
    short: Arc<CertifiedKey>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({} certificates, {:?})", self.full.cert.len(), self.full.key.algorithm())
    }
}

impl Identity {
    /// Read a chain, the server's own certificate first, and its key.
    ///
    /// # Errors
    /// One of them cannot be read, they do not belong together, or the chain is too long or out of order.
    pub fn from_pem(chain: &[u8], key: &[u8], provider: Provider, unix_s: u64) -> Result<Self, SetupFault> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|_| SetupFault::Pem("certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| SetupFault::Pem("private key"))?;
        Self::from_der(chain, key, provider, unix_s)
    }

    /// As [`Self::from_pem`], from DER.
    ///
    /// # Errors
    /// As [`Self::from_pem`].
    pub fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: Provider,
        unix_s: u64,
    ) -> Result<Self, SetupFault> {
        if chain.is_empty() {
            return Err(SetupFault::Pem("certificate"));
        }
        let len: usize = chain.iter().map(|certificate| certificate.len()).sum();
        if len > CHAIN_BYTES {
            return Err(SetupFault::ChainTooLong(len));
        }
        let fields: Vec<_> =
            chain.iter().map(|c| der::read(c).ok_or(SetupFault::Certificate)).collect::<Result<_, _>>()?;
        if let Some(at) = fields.windows(2).position(|pair| pair[0].issuer != pair[1].subject) {
            return Err(SetupFault::ChainOrder(at));
        }
        let kept = short_len(&chain, &DeviceRoot::ALL.map(DeviceRoot::certificate), unix_s);
        let key = provider.crypto().key_provider.load_private_key(key).map_err(|_| SetupFault::Key)?;
        let full = CertifiedKey::new(chain, key);
        match full.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => return Err(SetupFault::KeyMismatch),
            Err(_) => return Err(SetupFault::Certificate),
        }
        let short = CertifiedKey::new(full.cert[..kept].to_vec(), full.key.clone());
        Ok(Self { full: Arc::new(full), short: Arc::new(short) })
    }

    /// What is served, the server's own certificate first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.full.cert
    }

    /// What clients with little memory get.
    #[must_use]
    pub fn short_chain(&self) -> &[CertificateDer<'static>] {
        &self.short.cert
    }

    /// What names it in questions about its renewal; `None`: its authority's key is not named.
    #[must_use]
    pub fn renewal_id(&self) -> Option<RenewalId> {
        let fields = der::read(self.chain().first()?)?;
        Some(RenewalId { authority_key: fields.authority_key?.to_vec(), serial: fields.serial.to_vec() })
    }

    /// Its serial number, hexadecimal in lower case, without the zero byte that keeps it positive.
    #[must_use]
    pub fn serial(&self) -> String {
        let serial = self.chain().first().and_then(|leaf| der::read(leaf)).map_or(&[][..], |fields| fields.serial);
        let serial = serial.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(serial);
        serial.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn is_ecdsa(&self) -> bool {
        self.full.key.algorithm() == SignatureAlgorithm::ECDSA
    }

    pub(super) fn certified(&self, short: bool) -> &Arc<CertifiedKey> {
        if short { &self.short } else { &self.full }
    }

    pub(crate) fn single(&self) -> SingleCertAndKey {
        SingleCertAndKey::from(self.full.clone())
    }
}

/// What names a certificate in questions about its renewal (RFC 9773, 4.1): the contents of two DER fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalId {
    /// The identifier of the authority's key.
    pub authority_key: Vec<u8>,
    /// The serial number, with the zero byte that keeps it positive.
    pub serial: Vec<u8>,
}

/// Of several chains of one certificate the one that devices can use with the least memory: its place, and how many of
/// its certificates they need to reach one of `roots` at `unix_s`. `None`: no chain reaches any.
#[must_use]
pub fn device_chain(
    chains: &[Vec<CertificateDer<'static>>],
    trusted: &[CertificateDer<'_>],
    unix_s: u64,
) -> Option<(usize, usize)> {
    let needed = |chain: &Vec<CertificateDer<'static>>| {
        (1..=chain.len()).find(|len| trusted.iter().any(|root| roots::reaches(root, &chain[..*len], unix_s)))
    };
    let usable = chains.iter().enumerate().filter_map(|(at, chain)| Some((at, needed(chain)?)));
    // Ties: the first, as the authority prefers.
    usable.min_by_key(|(at, len)| (*len, *at))
}

/// How many certificates of the chain a client needs that has one of `roots`, or else the chain's own root.
fn short_len(chain: &[CertificateDer<'static>], trusted: &[CertificateDer<'_>], unix_s: u64) -> usize {
    let reaches = |len: &usize| trusted.iter().any(|root| roots::reaches(root, &chain[..*len], unix_s));
    if let Some(len) = (1..=chain.len()).find(reaches) {
        return len;
    }
    // A private authority: its root is at home with the client, or nowhere.
    let is_root = |certificate: &CertificateDer<'_>| der::read(certificate).is_some_and(|f| f.issuer == f.subject);
    match chain.last() {
        Some(last) if chain.len() > 1 && is_root(last) => chain.len() - 1,
        _ => chain.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    const NOW_S: u64 = 1_800_000_000;

    fn params(name: &str, is_ca: bool) -> CertificateParams {
        let names = if is_ca { Vec::new() } else { vec![name.to_owned()] };
        let mut params = CertificateParams::new(names).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params
    }

    /// A chain as Let's Encrypt serves it: server, intermediate, and the root once more, signed by an older one.
    #[test]
    fn small_clients_are_spared_what_is_above_their_root() {
        let [root, old_root, middle, server] = [(); 4].map(|()| KeyPair::generate().expect("a key"));
        let old_root_der = params("Old root", true).self_signed(&old_root).expect("made").der().clone();
        let root_der = params("Root", true).self_signed(&root).expect("made").der().clone();
        let by_old_root = Issuer::new(params("Old root", true), old_root);
        let crossed = params("Root", true).signed_by(&root, &by_old_root).expect("made").der().clone();
        let by_root = Issuer::new(params("Root", true), root);
        let middle_der = params("Middle", true).signed_by(&middle, &by_root).expect("made").der().clone();
        let by_middle = Issuer::new(params("Middle", true), middle);
        let leaf = params("node.example", false).signed_by(&server, &by_middle).expect("made").der().clone();
        let chain = [leaf, middle_der, crossed];
        assert_eq!(short_len(&chain, std::slice::from_ref(&root_der), NOW_S), 2);
        assert_eq!(short_len(&chain, std::slice::from_ref(&old_root_der), NOW_S), 3);
        assert_eq!(short_len(&chain, &[old_root_der, root_der.clone()], NOW_S), 2, "the shorter one");
        assert_eq!(short_len(&chain, &[], NOW_S), 3);
        let late_s = NOW_S + 15 * 365 * 86_400;
        assert_eq!(short_len(&chain, std::slice::from_ref(&root_der), late_s), 3, "expired: nothing is reached");
        let whole = [chain[0].clone(), chain[1].clone(), root_der];
        assert_eq!(short_len(&whole, &[], NOW_S), 2, "a private root stays at home");
        assert!(whole.iter().all(|certificate| der::read(certificate).is_some()));
        let (long, short) = (chain.to_vec(), chain[..2].to_vec());
        let [old, new] = [long[2].clone(), whole[2].clone()];
        assert_eq!(device_chain(&[long.clone(), short.clone()], std::slice::from_ref(&new), NOW_S), Some((0, 2)));
        assert_eq!(device_chain(&[short.clone(), long.clone()], std::slice::from_ref(&new), NOW_S), Some((0, 2)));
        assert_eq!(device_chain(std::slice::from_ref(&short), &[], NOW_S), None);
        assert_eq!(device_chain(&[], std::slice::from_ref(&old), NOW_S), None);
        assert_eq!(device_chain(&[short], std::slice::from_ref(&new), late_s), None, "expired");
    }

    /// The identifier that RFC 9773, 4.1 computes for its example comes from such fields; here, from a known certificate.
    #[test]
    fn the_renewal_id_is_that_of_the_authority_and_the_serial() {
        let authority = KeyPair::generate().expect("a key");
        let mut of_authority = params("Root", true);
        of_authority.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![0xc0, 0xff, 0xee]);
        let issuer = Issuer::new(of_authority, authority);
        let key = KeyPair::generate().expect("a key");
        let mut server = params("node.example", false);
        server.serial_number = Some(rcgen::SerialNumber::from_slice(&[0xca, 0xfe]));
        server.use_authority_key_identifier_extension = true;
        let leaf = server.signed_by(&key, &issuer).expect("made");
        let identity = |der: CertificateDer<'static>| {
            let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
            Identity::from_der(vec![der], key, Provider::default(), NOW_S).expect("an identity")
        };
        let expected = RenewalId { authority_key: vec![0xc0, 0xff, 0xee], serial: vec![0, 0xca, 0xfe] };
        assert_eq!(identity(leaf.der().clone()).renewal_id(), Some(expected));
        server.use_authority_key_identifier_extension = false;
        let bare = server.signed_by(&key, &issuer).expect("made");
        assert_eq!(identity(bare.der().clone()).renewal_id(), None);
    }
}

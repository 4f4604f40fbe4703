//! An authority of one's own, for `linchpin dev` and for certificates of devices.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::roots;
use crate::SetupFault;

/// Clocks of devices may lag: certificates are valid from an hour ago on.
const BACKDATED: Duration = Duration::from_secs(3_600);

/// An authority: its name, its certificate and its key, both PEM.
pub struct LocalAuthority {
    name: String,
    certificate_pem: String,
    key_pem: zeroize::Zeroizing<String>,
}

/// A certificate with its key, both PEM.
pub struct LocalCertificate {
    /// The certificate alone; clients have the authority's.
    pub chain_pem: String,
    /// Its key, PKCS #8.
    pub key_pem: zeroize::Zeroizing<String>,
}

impl std::fmt::Debug for LocalAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalAuthority")
    }
}

impl std::fmt::Debug for LocalCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalCertificate")
    }
}

fn made<T>(result: Result<T, rcgen::Error>) -> Result<T, SetupFault> {
    result.map_err(|error| SetupFault::Making(error.to_string()))
}

fn validity(params: &mut CertificateParams, unix_s: u64, lifetime: Duration) -> Result<(), SetupFault> {
    let day_one = rcgen::date_time_ymd(1970, 1, 1);
    let at = |seconds: u64| day_one.checked_add(Duration::from_secs(seconds).try_into().ok()?);
    let range =
        || Some((at(unix_s.saturating_sub(BACKDATED.as_secs()))?, at(unix_s.checked_add(lifetime.as_secs())?)?));
    let (from, until) = range().ok_or_else(|| SetupFault::Making("a time beyond the calendar".to_owned()))?;
    (params.not_before, params.not_after) = (from, until);
    Ok(())
}

/// What is the same in every certificate of an authority.
fn authority(name: &str) -> Result<CertificateParams, SetupFault> {
    let mut params = made(CertificateParams::new(Vec::new()))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

impl LocalAuthority {
    /// Make one, ECDSA P-256, that only issues certificates for servers and clients.
    ///
    /// # Errors
    /// No randomness, or a time beyond the calendar.
    pub fn make(name: &str, unix_s: u64, lifetime: Duration) -> Result<Self, SetupFault> {
        let key = made(KeyPair::generate())?;
        let mut params = authority(name)?;
        validity(&mut params, unix_s, lifetime)?;
        let certificate = made(params.self_signed(&key))?;
        let key_pem = key.serialize_pem().into();
        Ok(Self { name: name.to_owned(), certificate_pem: certificate.pem(), key_pem })
    }

    /// One that was made before, under the same name.
    #[must_use]
    pub fn from_pem(name: &str, certificate_pem: &str, key_pem: &str) -> Self {
        let (certificate_pem, key_pem) = (certificate_pem.to_owned(), key_pem.to_owned().into());
        Self { name: name.to_owned(), certificate_pem, key_pem }
    }

    /// Its certificate: what sketches must trust.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Its key; keep it as carefully as any.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// Issue a certificate for a server under these names (DNS names or addresses).
    ///
    /// # Errors
    /// A name is none, or the authority's own texts are damaged.
    pub fn server(&self, names: &[&str], unix_s: u64, lifetime: Duration) -> Result<LocalCertificate, SetupFault> {
        self.issue(
            names,
            names.first().copied().unwrap_or_default(),
            ExtendedKeyUsagePurpose::ServerAuth,
            unix_s,
            lifetime,
        )
    }

    /// Issue a certificate for a client that is called `name`.
    ///
    /// # Errors
    /// As [`Self::server`].
    pub fn client(&self, name: &str, unix_s: u64, lifetime: Duration) -> Result<LocalCertificate, SetupFault> {
        self.issue(&[], name, ExtendedKeyUsagePurpose::ClientAuth, unix_s, lifetime)
    }

    fn issue(
        &self,
        names: &[&str],
        subject: &str,
        usage: ExtendedKeyUsagePurpose,
        unix_s: u64,
        lifetime: Duration,
    ) -> Result<LocalCertificate, SetupFault> {
        let issuer = Issuer::new(authority(&self.name)?, made(KeyPair::from_pem(&self.key_pem))?);
        let key = made(KeyPair::generate())?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = made(CertificateParams::new(names))?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, subject);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        validity(&mut params, unix_s, lifetime)?;
        let certificate = made(params.signed_by(&key, &issuer))?;
        let own = CertificateDer::from_pem_slice(self.certificate_pem.as_bytes())
            .map_err(|_| SetupFault::Pem("certificate of the authority"))?;
        if !roots::is_issued_by(&own, certificate.der(), unix_s) {
            return Err(SetupFault::Making("name, certificate and key of the authority do not match".to_owned()));
        }
        Ok(LocalCertificate { chain_pem: certificate.pem(), key_pem: key.serialize_pem().into() })
    }
}

//! TLS of the whole process: certificates, ticket keys, and what each shard gets of them.

mod error;
mod local;
mod ordered;
mod tickets;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use linchpin_control::CertificateEnd;
use linchpin_control::acme::AcmeSettings;
use linchpin_shard::TlsOptions;
use linchpin_tls::pki_types::CertificateDer;
use linchpin_tls::pki_types::pem::PemObject;
use linchpin_tls::{
    Acceptor, AcceptorOptions, Certificates, Challenges, ClientAuth, Clock, Identity, Layer, Provider, Revoked,
    SessionIds, SetupFault, Tickets, limits,
};

pub(crate) use error::TlsError;
use error::{exposed, read, wrong};
pub(crate) use local::Local;
pub(crate) use ordered::{AcmeConfig, Ordering, TrustedRoot, open_tls, order_again};
use tickets::TicketFile;
use zeroize::Zeroizing;

/// Where certificates come from.
#[derive(Clone, Debug)]
pub(crate) enum CertificateSource {
    /// Files of the operator: chain and key, each PEM.
    Files(Vec<(PathBuf, PathBuf)>),
    /// An authority of our own, for `linchpin dev`.
    Local(Local),
}

/// The `[tls]` table, checked.
#[derive(Clone, Debug)]
pub(crate) struct TlsConfig {
    pub(crate) source: CertificateSource,
    pub(crate) layer: Layer,
    /// Names under which devices know the server: the certificates are checked for them.
    pub(crate) names: Vec<String>,
    /// Who signs clients' certificates.
    pub(crate) client_ca: Option<PathBuf>,
    /// Fingerprints of clients' certificates that are taken back.
    pub(crate) revoked: Option<PathBuf>,
    /// Certificates that are ordered.
    pub(crate) acme: Option<AcmeConfig>,
    /// Roots that devices have.
    pub(crate) device_roots: Vec<TrustedRoot>,
}

pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl TlsConfig {
    /// The authority of our own, if it is one.
    pub(crate) const fn local(&self) -> Option<&Local> {
        match &self.source {
            CertificateSource::Local(local) => Some(local),
            CertificateSource::Files(_) => None,
        }
    }

    /// Names under which people and programs may ask this server.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &String> {
        let ordered = self.acme.iter().flat_map(|acme| &acme.certificates).flat_map(|wanted| &wanted.names);
        self.names.iter().chain(ordered.filter(|name| !name.starts_with('*')))
    }

    /// Could a server start with it? Certificates that are not valid now do not keep it from that.
    ///
    /// # Errors
    /// A file cannot be read or used.
    pub(crate) fn would_open(&self) -> Result<(), TlsError> {
        self.identities()?;
        self.client_roots()?;
        self.acme_settings()?;
        self.trusted_roots()?;
        self.revoked_list().map(drop)
    }

    /// Read everything that the server would read.
    ///
    /// # Errors
    /// A file cannot be read or used, or its certificate is not valid now: a server would start with it, and devices would
    /// refuse it.
    pub(crate) fn check(&self) -> Result<(), TlsError> {
        let now_s = now_s();
        for (at, identity) in self.identities()?.iter().enumerate() {
            if let Some(warning) = identity.untimely(now_s) {
                return Err(wrong(&self.chain_path(at), warning.to_string()));
            }
        }
        self.client_roots()?;
        self.trusted_roots()?;
        self.revoked_list().map(drop)
    }

    /// The certificates as they are now, checked; what devices will stumble over is logged.
    ///
    /// # Errors
    /// A file cannot be read or used.
    pub(crate) fn identities(&self) -> Result<Vec<Identity>, TlsError> {
        let now_s = now_s();
        match &self.source {
            CertificateSource::Files(files) => {
                files.iter().map(|(chain, key)| self.identity(chain, key, now_s)).collect()
            }
            CertificateSource::Local(local) => Ok(vec![local.identity(now_s)?]),
        }
    }

    /// Where the chain of the `at`th of [`Self::identities`] came from.
    fn chain_path(&self, at: usize) -> PathBuf {
        match &self.source {
            CertificateSource::Files(files) => files.get(at).map(|(chain, _)| chain.clone()).unwrap_or_default(),
            CertificateSource::Local(local) => local.certificate_path(),
        }
    }

    fn identity(&self, chain: &Path, key: &Path, now_s: u64) -> Result<Identity, TlsError> {
        let (chain_pem, key_pem) = (read(chain)?, zeroize(read(key)?));
        if let Some(warning) = exposed(key) {
            tracing::warn!("{}: {warning}", key.display());
        }
        let at = |fault: &SetupFault| match fault {
            SetupFault::Key | SetupFault::KeyMismatch | SetupFault::Pem("private key") => key,
            _ => chain,
        };
        let identity = Identity::from_pem(&chain_pem, &key_pem, Provider::default(), now_s)
            .map_err(|fault| wrong(at(&fault), fault))?;
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let report = identity.check(now_s, &names);
        let roots: Vec<_> = report.roots.iter().map(|root| root.name()).collect();
        tracing::info!(
            names = report.names.join(" "),
            certificates = report.chain_len,
            bytes = report.chain_bytes,
            days_left = report.not_after_s.saturating_sub(now_s) / 86_400,
            device_roots = roots.join(", "),
            "certificate {}",
            chain.display()
        );
        for warning in &report.warnings {
            tracing::warn!("certificate {}: {warning}", chain.display());
        }
        Ok(identity)
    }

    fn client_roots(&self) -> Result<Option<Vec<CertificateDer<'static>>>, TlsError> {
        let Some(path) = &self.client_ca else { return Ok(None) };
        let pem = read(path)?;
        let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        match roots {
            Ok(roots) if !roots.is_empty() => Ok(Some(roots)),
            _ => {
                Err(wrong(path, "it holds no certificate in PEM; name the authority that signs clients' certificates"))
            }
        }
    }

    fn revoked_list(&self) -> Result<Vec<[u8; 32]>, TlsError> {
        let Some(path) = &self.revoked else { return Ok(Vec::new()) };
        let text = String::from_utf8(read(path)?).map_err(|_| wrong(path, "it is no text"))?;
        let mut list = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                let what = "a fingerprint is 64 hexadecimal digits (SHA-256 of the certificate), colons may be between";
                list.push(fingerprint(line).ok_or_else(|| wrong(path, format!("line {}: {what}", at + 1)))?);
            }
        }
        Ok(list)
    }
}

fn zeroize(bytes: Vec<u8>) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes)
}

fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().filter(|c| *c != ':').map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

/// What is shared by all shards, and changed while they run.
pub(crate) struct ServerTls {
    config: Mutex<TlsConfig>,
    certificates: Arc<Certificates>,
    /// Certificates from files that are served.
    from_files: Mutex<Vec<Identity>>,
    /// Certificates that were ordered; served behind those from files.
    ordered: Mutex<Vec<Identity>>,
    /// For listeners without and with clients' certificates: what one remembers is nothing to the other.
    session_ids: [Arc<SessionIds>; 2],
    revoked: Revoked,
    client_roots: Option<Vec<CertificateDer<'static>>>,
    layer: Layer,
    /// What authorities that check names get.
    challenges: Arc<Challenges>,
    clock: Clock,
    tickets: Mutex<AllTickets>,
}

/// Ticket keys, and all that use them.
struct AllTickets {
    file: TicketFile,
    used: Vec<Arc<Tickets>>,
}

impl ServerTls {
    /// Read everything.
    ///
    /// # Errors
    /// A file cannot be read or used.
    pub(crate) fn open(
        config: TlsConfig,
        data_path: &Path,
        ticket_key: Option<Zeroizing<[u8; 32]>>,
    ) -> Result<Arc<Self>, TlsError> {
        let clock = Clock::new(now_s());
        let from_files = config.identities()?;
        let identities = config.with_placeholder(from_files.clone())?;
        let certificates = Certificates::new(identities).map_err(TlsError::new)?;
        let revoked = Revoked::default();
        revoked.replace(config.revoked_list()?);
        let store = || Arc::new(SessionIds::new(limits::SESSION_IDS, clock.clone()));
        let tls = Arc::new(Self {
            certificates: Arc::new(certificates),
            from_files: Mutex::new(from_files),
            ordered: Mutex::default(),
            session_ids: [store(), store()],
            revoked,
            client_roots: config.client_roots()?,
            layer: config.layer,
            challenges: Arc::default(),
            tickets: Mutex::new(AllTickets {
                file: TicketFile::open(data_path, ticket_key, now_s())?,
                used: Vec::new(),
            }),
            clock,
            config: Mutex::new(config),
        });
        tls.keep_turning()?;
        Ok(tls)
    }

    /// What one shard gets.
    ///
    /// # Errors
    /// The clients' authority is unusable.
    pub(crate) fn for_shard(&self) -> Result<TlsOptions, TlsError> {
        let mutual = match &self.client_roots {
            Some(roots) => Some(self.acceptor(b"mutual", 1, Some(roots.clone()))?),
            None => None,
        };
        Ok(TlsOptions {
            acceptor: self.acceptor(b"devices", 0, None)?,
            mutual,
            challenges: Arc::clone(&self.challenges),
            clock: self.clock.clone(),
        })
    }

    fn acceptor(
        &self,
        policy: &[u8],
        store: usize,
        roots: Option<Vec<CertificateDer<'static>>>,
    ) -> Result<Acceptor, TlsError> {
        let failed = |fault: SetupFault| TlsError::new(fault);
        let mut all = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        let ring = all.file.ring();
        let tickets = Arc::new(Tickets::new(policy, ring.current(), ring.previous()).map_err(failed)?);
        all.used.push(Arc::clone(&tickets));
        Acceptor::new(&AcceptorOptions {
            provider: Provider::default(),
            certificates: Arc::clone(&self.certificates),
            tickets,
            session_ids: Arc::clone(&self.session_ids[store]),
            clients: roots.map(|roots| ClientAuth { roots, required: true, revoked: self.revoked.clone() }),
            layer: self.layer,
            // For browsers and HTTP clients; devices offer none.
            alpn: vec![b"http/1.1".to_vec()],
            challenges: Arc::clone(&self.challenges),
            clock: self.clock.clone(),
        })
        .map_err(failed)
    }

    /// Read certificates and revoked fingerprints again; connections that stand keep what they were let in with. Certificates
    /// that have ended are refused while one is served that has not.
    ///
    /// # Errors
    /// A file cannot be read or used, or its certificate has ended; then everything stays as it was.
    pub(crate) fn reload(&self, config: Option<TlsConfig>) -> Result<(), TlsError> {
        let mut current = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let config = config.unwrap_or_else(|| current.clone());
        let (identities, revoked) = (config.identities()?, config.revoked_list()?);
        self.check_dates(&config, &identities)?;
        self.replace(&config, identities.clone())?;
        *self.from_files.lock().unwrap_or_else(PoisonError::into_inner) = identities;
        self.revoked.replace(revoked);
        *current = config;
        Ok(())
    }

    /// What ordering needs; `None`: nothing is ordered.
    pub(crate) fn acme_settings(&self) -> Result<Option<AcmeSettings>, TlsError> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).acme_settings()
    }

    /// A certificate that devices refuse does not take the place of one that they accept.
    fn check_dates(&self, config: &TlsConfig, fresh: &[Identity]) -> Result<(), TlsError> {
        let now_s = now_s();
        let running = self.from_files.lock().unwrap_or_else(PoisonError::into_inner);
        if running.iter().all(|identity| identity.untimely(now_s).is_some()) {
            return Ok(());
        }
        for (at, identity) in fresh.iter().enumerate() {
            let is_served = running.iter().any(|served| served.chain() == identity.chain());
            match identity.untimely(now_s) {
                Some(warning) if !is_served => return Err(wrong(&config.chain_path(at), warning.to_string())),
                _ => {}
            }
        }
        Ok(())
    }

    /// The certificates that are served, with where each is from.
    pub(crate) fn served_from(&self) -> Vec<(Identity, &'static str)> {
        let is_own = self.config.lock().unwrap_or_else(PoisonError::into_inner).local().is_some();
        let source = if is_own { "own authority" } else { "file" };
        let all = |list: &Mutex<Vec<Identity>>| list.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let from_files = all(&self.from_files).into_iter().map(|identity| (identity, source));
        from_files.chain(all(&self.ordered).into_iter().map(|identity| (identity, "ordered"))).collect()
    }

    /// What authorities that check names get.
    pub(crate) fn challenges(&self) -> Arc<Challenges> {
        Arc::clone(&self.challenges)
    }

    /// Serve these ordered certificates from the next handshake on, behind those from files.
    ///
    /// # Errors
    /// They cannot be used; then everything stays as it was.
    pub(crate) fn serve_ordered(&self, identities: Vec<Identity>) -> Result<(), TlsError> {
        let current = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        // Files are read at a reload only: a renewal must not take in what somebody is about to change.
        let from_files = self.from_files.lock().unwrap_or_else(PoisonError::into_inner).clone();
        *self.ordered.lock().unwrap_or_else(PoisonError::into_inner) = identities;
        self.replace(&current, from_files)
    }

    /// All certificates that are served, from files and ordered.
    fn served(&self) -> Vec<Identity> {
        let from_files = self.from_files.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ordered = self.ordered.lock().unwrap_or_else(PoisonError::into_inner);
        from_files.into_iter().chain(ordered.iter().cloned()).collect()
    }

    fn replace(&self, config: &TlsConfig, mut identities: Vec<Identity>) -> Result<(), TlsError> {
        identities.extend(self.ordered.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        let identities = config.with_placeholder(identities)?;
        self.certificates.replace(identities).map_err(TlsError::new)
    }

    /// Go on to a new ticket key when its epoch has come.
    fn turn(&self) {
        let mut all = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        let AllTickets { file, used } = &mut *all;
        if !file.turn(now_s()) {
            return;
        }
        for tickets in used {
            if let Err(fault) = tickets.replace(file.ring().current(), file.ring().previous()) {
                tracing::error!("the ticket keys stay as they were: {fault}");
            }
        }
    }

    /// A thread that turns the keys, until nobody needs them.
    fn keep_turning(self: &Arc<Self>) -> Result<(), TlsError> {
        let tls: Weak<Self> = Arc::downgrade(self);
        let run = move || {
            loop {
                std::thread::sleep(LOOK_AT_EPOCH);
                let Some(tls) = tls.upgrade() else { return };
                tls.turn();
            }
        };
        let thread = std::thread::Builder::new().name("ticket-keys".to_owned()).spawn(run);
        thread.map(drop).map_err(TlsError::new)
    }
}

impl CertificateEnd for ServerTls {
    fn unix_s(&self) -> Option<u64> {
        self.served().iter().map(|identity| identity.check(now_s(), &[]).not_after_s).min()
    }
}

/// How often it is looked whether a new epoch has begun.
const LOOK_AT_EPOCH: Duration = Duration::from_secs(30);

/// Names for a certificate of this machine: what its clients may call it.
pub(crate) fn names_of_this_machine(more: Option<IpAddr>) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy().into_owned();
    let is_name = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    names.extend(is_name.then(|| [host.clone(), format!("{host}.local")]).into_iter().flatten());
    names.extend(more.map(|ip| ip.to_string()));
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_with_and_without_colons() {
        let plain = "ab".repeat(32);
        assert_eq!(fingerprint(&plain), Some([0xab; 32]));
        assert_eq!(fingerprint(&vec!["AB"; 32].join(":")), Some([0xab; 32]));
        for bad in ["", "ab", &"ag".repeat(32), &"ab".repeat(33)] {
            assert_eq!(fingerprint(bad), None, "{bad}");
        }
    }

    #[test]
    fn this_machine_has_names() {
        let names = names_of_this_machine(Some(IpAddr::from([192, 0, 2, 7])));
        assert!(names.contains(&"localhost".to_owned()) && names.contains(&"192.0.2.7".to_owned()), "{names:?}");
    }
}

//! The client's side: the load generator and the tests.

use std::sync::Arc;

use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};

use super::keylog::Hook;
use super::remembered::Remembered;
use super::step::HandshakeOptions;
use super::{Conn, Handshake, Hello, Progress, Provider};
use crate::certificate::Identity;
use crate::session::{Layer, Version};
use crate::{Clock, Fault, SetupFault};

/// How a client connects.
#[derive(Debug)]
pub struct ConnectorOptions {
    /// Who does the cryptography.
    pub provider: Provider,
    /// Whom it trusts, DER.
    pub roots: Vec<CertificateDer<'static>>,
    /// Its own certificate, if it has one.
    pub identity: Option<Identity>,
    /// Which record layer follows the handshake.
    pub layer: Layer,
    /// It offers the post-quantum hybrid, if the provider has it; boards do not.
    pub post_quantum: bool,
    /// The one version that it speaks; none: both.
    pub version: Option<Version>,
    /// Application protocols that it offers.
    pub alpn: Vec<Vec<u8>>,
    /// TLS 1.3 tickets that it remembers for all its connections together, and servers of which it remembers a TLS 1.2
    /// session; 0: it never resumes. Each ticket serves once.
    pub remembered: usize,
    /// What time it is.
    pub clock: Clock,
}

/// Begins handshakes with servers. Made once; cheap to clone. Clones share what they remember.
#[derive(Clone, Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    layer: Layer,
    keep_tickets: bool,
}

impl Connector {
    /// Check and combine.
    ///
    /// # Errors
    /// A root is no certificate, or the client's own is unusable.
    pub fn new(options: &ConnectorOptions) -> Result<Self, SetupFault> {
        let mut roots = RootCertStore::empty();
        for root in &options.roots {
            roots.add(root.clone()).map_err(SetupFault::Rustls)?;
        }
        let versions = match options.version {
            Some(Version::Tls12) => &[&TLS12][..],
            Some(Version::Tls13) => &[&TLS13][..],
            None => &[&TLS13, &TLS12][..],
        };
        let mut crypto = options.provider.crypto();
        if !options.post_quantum {
            let hybrid = rustls::NamedGroup::X25519MLKEM768;
            Arc::make_mut(&mut crypto).kx_groups.retain(|group| group.name() != hybrid);
        }
        let builder = ClientConfig::builder_with_details(crypto, Arc::new(options.clock.clone()))
            .with_protocol_versions(versions)
            .map_err(SetupFault::Rustls)?
            .with_root_certificates(roots);
        let mut config = match &options.identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::new(identity.single())),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols.clone_from(&options.alpn);
        config.resumption = match options.remembered {
            0 => Resumption::disabled(),
            tickets => Resumption::store(Arc::new(Remembered::new(tickets))),
        };
        if options.layer == Layer::InPlace {
            config.enable_secret_extraction = true;
            config.key_log = Arc::new(Hook);
        }
        Ok(Self { config: Arc::new(config), layer: options.layer, keep_tickets: options.remembered > 0 })
    }

    /// Begin a connection to `server`: the ClientHello is appended to `out`.
    ///
    /// # Errors
    /// The handshake failed at once.
    pub fn connect(&self, server: ServerName<'static>, out: &mut Vec<u8>) -> Result<Progress, Fault> {
        let conn = UnbufferedClientConnection::new(self.config.clone(), server).map_err(Fault::Handshake)?;
        let options = HandshakeOptions {
            layer: self.layer,
            hello: Hello::default(),
            keep_tickets: self.keep_tickets,
            clients: None,
        };
        Handshake::new(Conn::Client(Box::new(conn)), options).advance(&[], out)
    }
}

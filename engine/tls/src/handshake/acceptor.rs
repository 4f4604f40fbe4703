//! The server's side.

use std::sync::Arc;

use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, crypto::CryptoProvider};

use super::keylog::Hook;
use super::step::{HandshakeOptions, refuse};
use super::{Conn, Greeting, Handshake, Hello, Progress, Provider};
use crate::certificate::Resolver;
use crate::challenge::{ACME_PROTOCOL, ChallengeResolver};
use crate::client_auth::ClientRules;
use crate::limits::{MIN_FRAGMENT_BYTES, RECORD_HEADER_BYTES};
use crate::session::Layer;
use crate::ticket::BoundTickets;
use crate::{Certificates, Challenges, ClientAuth, Clock, Fault, SessionIds, SetupFault, Tickets};

/// What a listener of a shard serves.
#[derive(Debug)]
pub struct AcceptorOptions {
    /// Who does the cryptography.
    pub provider: Provider,
    /// Which certificates; shared by all shards.
    pub certificates: Arc<Certificates>,
    /// How tickets are sealed; one object a shard, with the same keys. Not shared with a listener of other [`ClientAuth`].
    pub tickets: Arc<Tickets>,
    /// Memory for TLS 1.2 clients without tickets; shared by all shards. Not shared with a listener of other [`ClientAuth`].
    pub session_ids: Arc<SessionIds>,
    /// Certificates of clients, if they are asked for.
    pub clients: Option<ClientAuth>,
    /// Which record layer follows the handshake.
    pub layer: Layer,
    /// Application protocols, the preferred one first. With any, a client that offers only others is refused; one that
    /// offers none never is.
    pub alpn: Vec<Vec<u8>>,
    /// What authorities that check names get; shared by all shards.
    pub challenges: Arc<Challenges>,
    /// What time it is.
    pub clock: Clock,
}

/// Fragment lengths that a client can ask for, by code (RFC 6066, 4), and none.
const FRAGMENTS: usize = 5;

/// Begins handshakes with clients. Made once; cheap to clone.
#[derive(Clone, Debug)]
pub struct Acceptor {
    /// By fragment length, then by whether session ids are remembered.
    configs: Arc<[[Arc<ServerConfig>; 2]; FRAGMENTS]>,
    /// For authorities that check names.
    validating: Arc<ServerConfig>,
    challenges: Arc<Challenges>,
    layer: Layer,
    clients: Option<ClientRules>,
}

impl Acceptor {
    /// Check and combine.
    ///
    /// # Errors
    /// The roots of client certificates are unusable.
    pub fn new(options: &AcceptorOptions) -> Result<Self, SetupFault> {
        let crypto = options.provider.crypto();
        let mut configs = Vec::with_capacity(FRAGMENTS);
        for code in 0..FRAGMENTS {
            let fragment = (code > 0).then(|| MIN_FRAGMENT_BYTES << (code - 1));
            let without = config(options, &crypto, fragment)?;
            let mut with = without.clone();
            with.session_storage = options.session_ids.clone();
            configs.push([Arc::new(without), Arc::new(with)]);
        }
        Ok(Self {
            configs: Arc::new(configs.try_into().expect("there are as many as were made")),
            validating: Arc::new(validating(options, &crypto)?),
            challenges: Arc::clone(&options.challenges),
            layer: options.layer,
            clients: options
                .clients
                .as_ref()
                .map(|clients| ClientRules { revoked: clients.revoked.clone(), clock: options.clock.clone() }),
        })
    }

    /// Answer a complete [`Greeting`].
    ///
    /// # Errors
    /// The handshake failed at once; the alert is in `out`.
    pub fn accept(&self, greeting: Greeting, out: &mut Vec<u8>) -> Result<Progress, Fault> {
        let Greeting { bytes, hello } = greeting;
        let Some(hello) = hello else { return Err(refuse(Fault::Internal("the ClientHello is not complete"), out)) };
        if hello.validates && !self.challenges.is_open_for(hello.server_name.as_deref()) {
            return Err(refuse(Fault::NoChallenge, out));
        }
        let conn = UnbufferedServerConnection::new(self.config(&hello)).map_err(Fault::Handshake)?;
        let options = HandshakeOptions { layer: self.layer, hello, keep_tickets: false, clients: self.clients.clone() };
        Handshake::new(Conn::Server(Box::new(conn)), options).advance(&bytes, out)
    }

    fn config(&self, hello: &Hello) -> Arc<ServerConfig> {
        if hello.validates {
            return self.validating.clone();
        }
        let code = hello.max_fragment_bytes.map_or(0, |bytes| (bytes / MIN_FRAGMENT_BYTES).ilog2() as usize + 1);
        // rustls would remember the id of a client that takes a ticket, too, and of no use to anybody.
        let remember = !hello.takes_tickets && !hello.tls13;
        self.configs[code.min(FRAGMENTS - 1)][usize::from(remember)].clone()
    }
}

/// Serves the certificate of an open challenge and nothing else: its keys never become a [`crate::Session`].
fn validating(options: &AcceptorOptions, crypto: &Arc<CryptoProvider>) -> Result<ServerConfig, SetupFault> {
    let builder = ServerConfig::builder_with_details(crypto.clone(), Arc::new(options.clock.clone()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(SetupFault::Rustls)?;
    let resolver = Arc::new(ChallengeResolver(options.challenges.clone()));
    let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
    config.alpn_protocols = vec![ACME_PROTOCOL.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

fn config(
    options: &AcceptorOptions,
    crypto: &Arc<CryptoProvider>,
    fragment: Option<usize>,
) -> Result<ServerConfig, SetupFault> {
    let builder = ServerConfig::builder_with_details(crypto.clone(), Arc::new(options.clock.clone()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(SetupFault::Rustls)?;
    let builder = match &options.clients {
        Some(clients) => builder.with_client_cert_verifier(clients.verifier(crypto)?),
        None => builder.with_no_client_auth(),
    };
    // A client with little memory gets the short chain.
    let resolver = Resolver { certificates: options.certificates.clone(), short: fragment.is_some() };
    let mut config = builder.with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols.clone_from(&options.alpn);
    config.max_fragment_size = fragment.map(|bytes| bytes + RECORD_HEADER_BYTES);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = match &options.clients {
        Some(clients) => Arc::new(BoundTickets { tickets: options.tickets.clone(), roots: clients.digest() }),
        None => options.tickets.clone(),
    };
    // Devices resume once: the second ticket of rustls' default would only cost.
    config.send_tls13_tickets = 1;
    // A device's writes are not idempotent, so nothing may be replayed.
    config.max_early_data_size = 0;
    config.send_half_rtt_data = false;
    if options.layer == Layer::InPlace {
        config.enable_secret_extraction = true;
        config.key_log = Arc::new(Hook);
    }
    Ok(config)
}

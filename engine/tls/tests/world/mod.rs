//! A server of ours, clients of ours and of rustls, and wires in memory between them.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use std::sync::Arc;
use std::time::Duration;

use linchpin_tls::pki_types::pem::PemObject;
use linchpin_tls::pki_types::{CertificateDer, ServerName};
use linchpin_tls::{
    Acceptor, AcceptorOptions, Certificates, ClientAuth, Clock, Connector, ConnectorOptions, Desk, Established, Fault,
    Greeting, Handshake, Identity, Input, Layer, LocalAuthority, Opened, Progress, Provider, RecordLayer, Session,
    SessionIds, TicketKey, Tickets, Version,
};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedCipherSuite};

pub const NOW_S: u64 = 1_800_000_000;
pub const NAME: &str = "linchpin.example";
const YEAR: Duration = Duration::from_secs(365 * 86_400);

pub fn name() -> ServerName<'static> {
    ServerName::try_from(NAME).expect("a name")
}

/// An authority, a listener's settings, and what time it is.
pub struct World {
    pub authority: LocalAuthority,
    pub clock: Clock,
    pub options: AcceptorOptions,
}

impl World {
    pub fn new(provider: Provider, layer: Layer) -> Self {
        let authority = LocalAuthority::make("Test authority", NOW_S, YEAR).expect("an authority");
        let clock = Clock::new(NOW_S);
        let identity = identity(&authority, &[NAME, "localhost", "127.0.0.1"], provider);
        let options = AcceptorOptions {
            provider,
            certificates: Arc::new(Certificates::new(vec![identity]).expect("a certificate")),
            tickets: Arc::new(tickets(1, &[])),
            session_ids: Arc::new(SessionIds::new(1_024, clock.clone())),
            clients: None,
            layer,
            alpn: Vec::new(),
            challenges: Default::default(),
            clock: clock.clone(),
        };
        Self { authority, clock, options }
    }

    pub fn with_clients(mut self, clients: ClientAuth) -> Self {
        self.options.clients = Some(clients);
        self
    }

    pub fn acceptor(&self) -> Acceptor {
        Acceptor::new(&self.options).expect("an acceptor")
    }

    pub fn root(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.authority.certificate_pem().as_bytes()).expect("a certificate")
    }

    pub fn connector_options(&self, version: Option<Version>) -> ConnectorOptions {
        ConnectorOptions {
            provider: self.options.provider,
            roots: vec![self.root()],
            identity: None,
            layer: self.options.layer,
            post_quantum: true,
            version,
            alpn: Vec::new(),
            remembered: 8,
            clock: self.clock.clone(),
        }
    }

    pub fn connector(&self, version: Option<Version>) -> Connector {
        Connector::new(&self.connector_options(version)).expect("a connector")
    }

    /// rustls' own client with one suite, or all.
    pub fn rustls_client(&self, suite: Option<SupportedCipherSuite>) -> Arc<ClientConfig> {
        let mut crypto = crypto(self.options.provider);
        if let Some(suite) = suite {
            crypto.cipher_suites.retain(|s| *s == suite);
        }
        let mut roots = RootCertStore::empty();
        roots.add(self.root()).expect("a root");
        let versions: &[&rustls::SupportedProtocolVersion] = match suite {
            Some(suite) => &[suite.version()],
            None => rustls::ALL_VERSIONS,
        };
        let config = ClientConfig::builder_with_details(Arc::new(crypto), Arc::new(self.clock.clone()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }
}

pub fn crypto(provider: Provider) -> rustls::crypto::CryptoProvider {
    match provider {
        #[cfg(feature = "aws-lc-rs")]
        Provider::AwsLcRs => rustls::crypto::aws_lc_rs::default_provider(),
        #[cfg(feature = "ring")]
        Provider::Ring => rustls::crypto::ring::default_provider(),
    }
}

pub fn tickets(epoch: u32, previous: &[u32]) -> Tickets {
    let key = |epoch: u32| TicketKey::new(epoch, [epoch as u8; 32]);
    let previous: Vec<_> = previous.iter().map(|epoch| key(*epoch)).collect();
    Tickets::new(b"devices", &key(epoch), &previous).expect("tickets")
}

pub fn identity(authority: &LocalAuthority, names: &[&str], provider: Provider) -> Identity {
    let made = authority.server(names, NOW_S, YEAR).expect("a certificate");
    Identity::from_pem(made.chain_pem.as_bytes(), made.key_pem.as_bytes(), provider, NOW_S).expect("an identity")
}

pub fn client_identity(authority: &LocalAuthority, provider: Provider) -> Identity {
    let made = authority.client("device-7", NOW_S, YEAR).expect("a certificate");
    Identity::from_pem(made.chain_pem.as_bytes(), made.key_pem.as_bytes(), provider, NOW_S).expect("an identity")
}

/// An RSA certificate for `name` with its own root.
#[cfg(feature = "aws-lc-rs")]
pub fn rsa_identity(name: &str) -> (Identity, CertificateDer<'static>) {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    let key = KeyPair::generate(KeySize::Rsa2048).expect("an RSA key");
    let key = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key).expect("PKCS #8").as_ref().to_vec();
    let key = linchpin_tls::pki_types::PrivateKeyDer::Pkcs8(key.into());
    let pair = rcgen::KeyPair::from_der_and_sign_algo(&key, &rcgen::PKCS_RSA_SHA256).expect("an RSA key");
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    let certificate = params.self_signed(&pair).expect("a certificate").der().clone();
    let provider = Provider::default();
    let identity = Identity::from_der(vec![certificate.clone()], key, provider, NOW_S).expect("an identity");
    (identity, certificate)
}

/// A server of ours until its handshake is done.
pub enum Server {
    Greeting(Greeting),
    Handshake(Box<Handshake>),
    Done(Box<Established>),
    Over,
}

impl Server {
    pub fn new() -> Self {
        Self::Greeting(Greeting::new())
    }

    pub fn feed(&mut self, acceptor: &Acceptor, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let progress = match std::mem::replace(self, Self::Over) {
            Self::Greeting(mut greeting) => {
                if greeting.push(bytes, out)?.is_none() {
                    *self = Self::Greeting(greeting);
                    return Ok(());
                }
                acceptor.accept(greeting, out)?
            }
            Self::Handshake(handshake) => handshake.advance(bytes, out)?,
            Self::Done(mut done) => {
                done.rest.extend_from_slice(bytes);
                Progress::Done(done)
            }
            Self::Over => return Err(Fault::Closed),
        };
        *self = match progress {
            Progress::Pending(handshake) => Self::Handshake(handshake),
            Progress::Done(done) => Self::Done(done),
        };
        Ok(())
    }

    pub fn done(self) -> Established {
        match self {
            Self::Done(done) => *done,
            _ => panic!("the handshake is not done"),
        }
    }
}

/// Let rustls' client shake hands with a server of ours, `chunk` bytes at a time.
pub fn meet(
    acceptor: &Acceptor,
    config: &Arc<ClientConfig>,
    chunk: usize,
) -> Result<(Established, ClientConnection), Fault> {
    let mut client = ClientConnection::new(config.clone(), name()).expect("a client");
    let mut server = Server::new();
    let mut to_client = Vec::new();
    while client.is_handshaking() || client.wants_write() {
        let mut to_server = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut to_server).expect("memory");
        }
        for piece in to_server.chunks(chunk) {
            server.feed(acceptor, piece, &mut to_client)?;
        }
        if to_client.is_empty() && !client.wants_write() {
            break;
        }
        hand(&mut client, &std::mem::take(&mut to_client), chunk).map_err(Fault::Handshake)?;
    }
    hand(&mut client, &to_client, chunk).map_err(Fault::Handshake)?;
    Ok((server.done(), client))
}

/// Give sealed bytes to rustls' client.
pub fn hand(client: &mut ClientConnection, mut bytes: &[u8], chunk: usize) -> Result<(), rustls::Error> {
    while !bytes.is_empty() {
        let (mut piece, rest) = bytes.split_at(bytes.len().min(chunk));
        while !piece.is_empty() {
            client.read_tls(&mut piece).expect("memory");
            client.process_new_packets()?;
        }
        bytes = rest;
    }
    Ok(())
}

/// What rustls' client has read so far.
pub fn heard(client: &mut ClientConnection) -> Vec<u8> {
    use std::io::Read;
    let mut plain = Vec::new();
    // Ends in WouldBlock, or in an end of file.
    let _ = client.reader().read_to_end(&mut plain);
    plain
}

/// Let rustls' client say something; gives the sealed bytes.
pub fn say(client: &mut ClientConnection, plain: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut sealed = Vec::new();
    for piece in plain.chunks(16_000) {
        client.writer().write_all(piece).expect("memory");
        while client.wants_write() {
            client.write_tls(&mut sealed).expect("memory");
        }
    }
    while client.wants_write() {
        client.write_tls(&mut sealed).expect("memory");
    }
    sealed
}

/// How reading ended.
#[derive(Debug, PartialEq)]
pub enum End {
    Open,
    PeerClosed,
    Failed(Fault),
}

/// Let a session read `bytes` in pieces of `chunk`; gives the plaintext and how it ended.
pub fn listen(session: &mut Session, desk: &mut Desk, bytes: &[u8], chunk: usize, out: &mut Vec<u8>) -> (Vec<u8>, End) {
    let mut plain = Vec::new();
    for piece in bytes.to_vec().chunks_mut(chunk) {
        let mut input = Input::new(piece);
        loop {
            match session.open(desk, &mut input, out) {
                Ok(Opened::Plain(bytes)) => {
                    assert!(!bytes.is_empty());
                    plain.extend_from_slice(bytes);
                }
                Ok(Opened::Drained) => break,
                Ok(Opened::PeerClosed) => return (plain, End::PeerClosed),
                Err(fault) => return (plain, End::Failed(fault)),
            }
        }
    }
    (plain, End::Open)
}

/// Let both of ours shake hands.
pub fn meet_ours(acceptor: &Acceptor, connector: &Connector) -> Result<(Established, Established), Fault> {
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let mut client = connector.connect(name(), &mut to_server)?;
    let mut server = Server::new();
    loop {
        server.feed(acceptor, &std::mem::take(&mut to_server), &mut to_client)?;
        client = match client {
            Progress::Pending(pending) => pending.advance(&std::mem::take(&mut to_client), &mut to_server)?,
            Progress::Done(mut done) => {
                if matches!(server, Server::Done(_)) {
                    done.rest.append(&mut to_client);
                    return Ok((server.done(), *done));
                }
                Progress::Done(done)
            }
        };
    }
}

//! TLS in a world: a local authority, what shards serve, and a client's end.

use std::sync::Arc;
use std::time::Duration;

use linchpin_shard::TlsOptions;
use linchpin_tls::pki_types::pem::PemObject;
use linchpin_tls::pki_types::{CertificateDer, ServerName};
use linchpin_tls::{
    Acceptor, AcceptorOptions, Certificates, Challenges, ClientAuth, Clock, Connector, ConnectorOptions, Desk, Fault,
    Handshake, HandshakeFacts, Identity, InPlace, Input, Layer, LocalAuthority, Opened, Progress, Provider,
    RecordLayer, Revoked, Session, SessionIds, Side, Suite, TicketKey, Tickets, Version, fingerprint,
};

use crate::World;
use crate::driver::Conn;

const NAME: &str = "linchpin.example";
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Who signs the certificates of a world.
pub struct Authority {
    local: LocalAuthority,
    clock: Clock,
    layer: Layer,
    certificates: Arc<Certificates>,
    session_ids: Arc<SessionIds>,
    /// Fingerprints of clients' certificates that are taken back.
    pub revoked: Revoked,
    /// What authorities that check names get.
    pub challenges: Arc<Challenges>,
}

impl Authority {
    /// One whose time is `now_s`.
    ///
    /// # Panics
    /// When the operating system has no random bytes.
    #[must_use]
    pub fn new(now_s: u64, layer: Layer) -> Self {
        let local = LocalAuthority::make("Simulated", now_s, YEAR).expect("an authority");
        let made = local.server(&[NAME], now_s, YEAR).expect("a certificate");
        let identity = identity(&made.chain_pem, &made.key_pem, now_s);
        let clock = Clock::new(now_s);
        Self {
            certificates: Arc::new(Certificates::new(vec![identity]).expect("certificates")),
            session_ids: Arc::new(SessionIds::new(1_024, clock.clone())),
            revoked: Revoked::default(),
            local,
            challenges: Arc::default(),
            clock,
            layer,
        }
    }

    fn root(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.local.certificate_pem().as_bytes()).expect("a certificate")
    }

    fn acceptor(&self, policy: &[u8], clients: Option<ClientAuth>) -> Acceptor {
        Acceptor::new(&AcceptorOptions {
            provider: Provider::default(),
            certificates: Arc::clone(&self.certificates),
            tickets: Arc::new(Tickets::new(policy, &TicketKey::new(1, [1; 32]), &[]).expect("tickets")),
            session_ids: Arc::clone(&self.session_ids),
            clients,
            layer: self.layer,
            alpn: Vec::new(),
            challenges: Arc::clone(&self.challenges),
            clock: self.clock.clone(),
        })
        .expect("an acceptor")
    }

    /// What one shard serves.
    #[must_use]
    pub fn options(&self) -> TlsOptions {
        let clients = ClientAuth { roots: vec![self.root()], revoked: self.revoked.clone(), required: true };
        TlsOptions {
            acceptor: self.acceptor(b"devices", None),
            mutual: Some(self.acceptor(b"mutual", Some(clients))),
            challenges: Arc::clone(&self.challenges),
            clock: self.clock.clone(),
        }
    }

    /// A client that trusts this authority; `certificate`: with one of its own.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn connector(&self, version: Version, certificate: bool) -> Connector {
        let identity = certificate.then(|| self.client_identity());
        self.connector_with(version, identity)
    }

    /// A client with a certificate that is taken back.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn revoked_connector(&self, version: Version) -> Connector {
        let identity = self.client_identity();
        self.revoked.replace([fingerprint(&identity.chain()[0])]);
        self.connector_with(version, Some(identity))
    }

    fn client_identity(&self) -> Identity {
        let made = self.local.client("device-1", self.clock.unix_s(), YEAR).expect("a certificate");
        identity(&made.chain_pem, &made.key_pem, self.clock.unix_s())
    }

    fn connector_with(&self, version: Version, identity: Option<Identity>) -> Connector {
        Connector::new(&ConnectorOptions {
            provider: Provider::default(),
            roots: vec![self.root()],
            identity,
            layer: Layer::InPlace,
            post_quantum: true,
            version: Some(version),
            alpn: Vec::new(),
            remembered: 8,
            clock: self.clock.clone(),
        })
        .expect("a connector")
    }
}

fn identity(chain: &str, key: &str, now_s: u64) -> Identity {
    Identity::from_pem(chain.as_bytes(), key.as_bytes(), Provider::default(), now_s).expect("an identity")
}

/// A client's end after the handshake.
pub struct TlsEnd {
    session: Session,
    desk: Desk,
    /// What was agreed on; `None`: its handshake was recorded.
    pub facts: Option<HandshakeFacts>,
    /// The server said close_notify.
    pub said_goodbye: bool,
}

impl std::fmt::Debug for TlsEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TlsEnd({:?})", self.facts)
    }
}

/// How long a handshake may take, ms.
const PATIENCE_MS: u64 = 10_000;

/// Bring a new connection to the end of its handshake.
///
/// # Errors
/// What the client found wrong; `Closed`: the server ended it.
///
/// # Panics
/// When nothing comes of it.
pub fn shake_hands(world: &mut World, conn: Conn, connector: &Connector) -> Result<(TlsEnd, Vec<u8>), Fault> {
    let mut out = Vec::new();
    let name = ServerName::try_from(NAME).expect("a name");
    let mut progress = connector.connect(name, &mut out)?;
    let until = world.now_ms() + PATIENCE_MS;
    loop {
        world.send(conn, &std::mem::take(&mut out));
        match progress {
            Progress::Done(done) => {
                let mut end = TlsEnd::new(done.session, Some(done.facts));
                let plain = end.open(done.rest)?;
                return Ok((end, plain));
            }
            Progress::Pending(handshake) => progress = advance(world, conn, handshake, &mut out)?,
        }
        assert!(world.now_ms() < until, "no handshake in {PATIENCE_MS} ms; ends so far {:?}", world.ends);
    }
}

fn advance(world: &mut World, conn: Conn, handshake: Box<Handshake>, out: &mut Vec<u8>) -> Result<Progress, Fault> {
    world.run_ms(10);
    let mut came = Vec::new();
    while let Some(segment) = world.read(conn) {
        came.extend(segment);
    }
    if came.is_empty() && world.is_over(conn) {
        return Err(Fault::Closed);
    }
    let progress = handshake.advance(&came, out);
    if progress.is_err() {
        // The alert.
        world.send(conn, out);
    }
    progress
}

/// Both ends of a connection with these traffic secrets, the client's first.
///
/// # Panics
/// When they are not of 32 bytes.
#[must_use]
pub fn recorded([client, server]: &[Vec<u8>; 2]) -> (TlsEnd, Session) {
    let end = |side, own: &[u8], peer: &[u8]| {
        let in_place = InPlace::from_secrets(side, Suite::Aes128Gcm, (own, 0), (peer, 0));
        Session::InPlace(in_place.expect("secrets of the suite's length"))
    };
    (TlsEnd::new(end(Side::Client, client, server), None), end(Side::Server, server, client))
}

impl TlsEnd {
    fn new(session: Session, facts: Option<HandshakeFacts>) -> Self {
        Self { session, desk: Desk::default(), facts, said_goodbye: false }
    }

    /// Open what came.
    ///
    /// # Errors
    /// It is not what a server may send.
    pub fn open(&mut self, mut bytes: Vec<u8>) -> Result<Vec<u8>, Fault> {
        let (mut plain, mut out) = (Vec::new(), Vec::new());
        let mut input = Input::new(&mut bytes);
        loop {
            match self.session.open(&mut self.desk, &mut input, &mut out)? {
                Opened::Plain(bytes) => plain.extend_from_slice(bytes),
                Opened::Drained => return Ok(plain),
                Opened::PeerClosed => {
                    self.said_goodbye = true;
                    return Ok(plain);
                }
            }
        }
    }

    /// Seal what is to be sent.
    ///
    /// # Panics
    /// When the session is over.
    pub fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.session.seal_slice(&mut self.desk, &mut out, plain).expect("the session is open");
        out
    }

    /// Fill whole records from now on.
    pub fn widen(&mut self) {
        self.session.set_fragment_bytes(linchpin_tls::limits::MAX_PLAINTEXT_BYTES);
    }

    /// Say close_notify.
    pub fn close(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.session.close(&mut self.desk, &mut out);
        out
    }

    /// Change the keys, and ask the server to.
    pub fn update_keys(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Session::InPlace(session) = &mut self.session {
            session.send_key_update(&mut self.desk, &mut out, true);
        }
        out
    }
}

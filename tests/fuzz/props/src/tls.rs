//! TLS records: our record layer beside rustls', with the same keys and the same bytes.
//!
//! The first byte chooses version and suite, the second the cuts; the rest is what the client does, an operation a few
//! bytes. Whatever the client says, both read the same and end the same. Ours may be stricter in one thing: it looks at
//! every byte of a record's header, which rustls does not.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use linchpin_tls::pki_types::pem::PemObject;
use linchpin_tls::pki_types::{CertificateDer, ServerName};
use linchpin_tls::{
    Acceptor, AcceptorOptions, Certificates, Clock, Desk, Established, Greeting, Identity, InPlace, Input, Layer,
    LocalAuthority, Opened, Progress, Provider, RecordLayer, Session, SessionIds, Side, Suite, TicketKey, Tickets,
    Version,
};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::client::ClientConnectionData;
use rustls::{ClientConfig, ClientConnection, ConnectionTrafficSecrets, KeyLog, RootCertStore, SupportedCipherSuite};

const NOW_S: u64 = 1_800_000_000;
/// Bytes on the wire: more only takes time, most of all in small pieces.
const fn wire_bytes(cut: u8) -> usize {
    if cut < 8 { 3_000 } else { 40_000 }
}

/// The six ways in which records are protected.
struct Wires {
    acceptor: Acceptor,
    configs: Vec<Arc<ClientConfig>>,
    secrets: Arc<Secrets>,
}

/// What a client's handshake says of its secrets.
#[derive(Debug, Default)]
struct Secrets(Mutex<[Vec<u8>; 2]>);

impl KeyLog for Secrets {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        let mut pair = self.0.lock().expect("never poisoned");
        match label {
            "CLIENT_TRAFFIC_SECRET_0" => pair[0] = secret.to_vec(),
            "SERVER_TRAFFIC_SECRET_0" => pair[1] = secret.to_vec(),
            _ => {}
        }
    }
}

fn wires() -> &'static Wires {
    static WIRES: OnceLock<Wires> = OnceLock::new();
    WIRES.get_or_init(|| {
        let provider = Provider::default();
        let year = Duration::from_secs(365 * 86_400);
        let authority = LocalAuthority::make("Fuzz", NOW_S, year).expect("an authority");
        let made = authority.server(&["localhost"], NOW_S, year).expect("a certificate");
        let identity = Identity::from_pem(made.chain_pem.as_bytes(), made.key_pem.as_bytes(), provider, NOW_S);
        let clock = Clock::new(NOW_S);
        let acceptor = Acceptor::new(&AcceptorOptions {
            provider,
            certificates: Arc::new(Certificates::new(vec![identity.expect("an identity")]).expect("one")),
            tickets: Arc::new(Tickets::new(b"", &TicketKey::new(1, [1; 32]), &[]).expect("tickets")),
            session_ids: Arc::new(SessionIds::new(64, clock.clone())),
            clients: None,
            layer: Layer::Rustls,
            alpn: Vec::new(),
            clock: clock.clone(),
        });
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes()).expect("a certificate");
        roots.add(root).expect("a root");
        let secrets = Arc::new(Secrets::default());
        let all = rustls::crypto::aws_lc_rs::default_provider();
        let is_rsa = |suite: &SupportedCipherSuite| format!("{:?}", suite.suite()).contains("_RSA_");
        let configs = all.cipher_suites.iter().filter(|suite| !is_rsa(suite)).map(|suite| {
            let mut crypto = all.clone();
            crypto.cipher_suites = vec![*suite];
            crypto.kx_groups = vec![rustls::crypto::aws_lc_rs::kx_group::X25519];
            let builder = ClientConfig::builder_with_details(Arc::new(crypto), Arc::new(clock.clone()));
            let mut config = builder
                .with_protocol_versions(&[suite.version()])
                .expect("a version")
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
            config.enable_secret_extraction = true;
            config.key_log = secrets.clone();
            Arc::new(config)
        });
        Wires { acceptor: acceptor.expect("an acceptor"), configs: configs.collect(), secrets: secrets.clone() }
    })
}

/// A client that can say anything, and two servers that cannot tell each other apart.
struct Trio {
    client: InPlace,
    version: Version,
    suite: Suite,
    /// The client as it is at a record.
    at_record: Box<dyn Fn(u64) -> InPlace>,
    /// The client's key and iv for records of its own making; gone with the first key update.
    raw: Option<(Vec<u8>, [u8; 12])>,
    ours: Server,
    theirs: Server,
}

/// A server, and what it has heard.
struct Server {
    session: Session,
    desk: Desk,
    plain: Vec<u8>,
    said: Vec<u8>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    PeerClosed,
    Failed,
}

impl Server {
    fn new(session: Session) -> Self {
        Self { session, desk: Desk::default(), plain: Vec::new(), said: Vec::new(), end: End::Open }
    }

    fn hear(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let mut input = Input::new(&mut bytes);
        loop {
            match self.session.open(&mut self.desk, &mut input, &mut self.said) {
                Ok(Opened::Plain(plain)) => {
                    assert!(self.end == End::Open && !plain.is_empty(), "nothing comes after an end");
                    self.plain.extend_from_slice(plain);
                }
                Ok(Opened::Drained) => return assert_eq!(self.end, End::Open),
                Ok(Opened::PeerClosed) => {
                    assert_ne!(self.end, End::Failed);
                    self.end = End::PeerClosed;
                    return;
                }
                Err(_) => {
                    self.end = End::Failed;
                    return;
                }
            }
        }
    }
}

fn meet(wires: &Wires, config: &Arc<ClientConfig>) -> (Established, rustls::client::UnbufferedClientConnection) {
    // A buffered client shakes hands; only an unbuffered one gives its secrets away together with what is unread.
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = rustls::client::UnbufferedClientConnection::new(config.clone(), name).expect("a client");
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let mut progress: Option<Progress> = None;
    loop {
        let ready = step(&mut client, &mut to_client, &mut to_server);
        let bytes = std::mem::take(&mut to_server);
        progress = Some(match progress {
            None => {
                let mut greeting = Greeting::new();
                assert!(greeting.push(&bytes, &mut to_client).expect("a hello").is_some());
                wires.acceptor.accept(greeting, &mut to_client).expect("accepts")
            }
            Some(Progress::Pending(pending)) => pending.advance(&bytes, &mut to_client).expect("goes on"),
            Some(Progress::Done(done)) if ready => return (*done, client),
            Some(done) => done,
        });
    }
}

/// Let the client work until it waits or is done (true).
fn step(client: &mut rustls::client::UnbufferedClientConnection, incoming: &mut Vec<u8>, out: &mut Vec<u8>) -> bool {
    use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
    loop {
        let UnbufferedStatus { discard, state, .. }: UnbufferedStatus<'_, '_, ClientConnectionData> =
            client.process_tls_records(incoming);
        let done = match state.expect("a good handshake") {
            ConnectionState::EncodeTlsData(mut encode) => {
                let at = out.len();
                out.resize(at + 20_000, 0);
                let len = encode.encode(&mut out[at..]).expect("room");
                out.truncate(at + len);
                None
            }
            ConnectionState::TransmitTlsData(transmit) => {
                transmit.done();
                None
            }
            ConnectionState::BlockedHandshake => Some(false),
            ConnectionState::WriteTraffic(_) => Some(true),
            other => panic!("{other:?}"),
        };
        incoming.drain(..discard);
        if let Some(done) = done {
            return done;
        }
    }
}

fn key_of(secrets: &ConnectionTrafficSecrets) -> (Suite, Vec<u8>, [u8; 12]) {
    let (suite, key, iv) = match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (Suite::Aes128Gcm, key, iv),
        ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (Suite::Aes256Gcm, key, iv),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (Suite::ChaCha20Poly1305, key, iv),
        _ => panic!("a suite that was not offered"),
    };
    (suite, key.as_ref().to_vec(), iv.as_ref().try_into().expect("12 bytes"))
}

impl Trio {
    fn new(which: u8) -> Self {
        let wires = wires();
        let config = &wires.configs[usize::from(which) % wires.configs.len()];
        // One handshake at a time: the secrets are put down in one place.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (server, client) = meet(wires, config);
        let (secrets, _) = client.dangerous_into_kernel_connection().expect("secrets");
        let [up_secret, down_secret] = std::mem::take(&mut *wires.secrets.0.lock().expect("never poisoned"));
        let (suite, up_key, up_iv) = key_of(&secrets.tx.1);
        let (_, down_key, down_iv) = key_of(&secrets.rx.1);
        // The client has read all that the server said, its ticket included.
        let (up_seq, down_seq) = (secrets.tx.0, secrets.rx.0);
        let version = server.facts.version;
        let raw = Some((up_key.clone(), up_iv));
        let make = move |side: Side, up_seq: u64| match (version, side) {
            (Version::Tls13, Side::Client) => {
                InPlace::from_secrets(side, suite, (&up_secret, up_seq), (&down_secret, down_seq))
            }
            (Version::Tls13, Side::Server) => {
                InPlace::from_secrets(side, suite, (&down_secret, down_seq), (&up_secret, up_seq))
            }
            (Version::Tls12, Side::Client) => {
                InPlace::from_keys(side, suite, (&up_key, up_iv, up_seq), (&down_key, down_iv, down_seq))
            }
            (Version::Tls12, Side::Server) => {
                InPlace::from_keys(side, suite, (&down_key, down_iv, down_seq), (&up_key, up_iv, up_seq))
            }
        };
        let ours = make(Side::Server, up_seq).expect("lengths of the suite");
        let at_record = Box::new(move |seq| make(Side::Client, seq).expect("lengths of the suite"));
        Self {
            client: at_record(up_seq),
            at_record,
            version,
            suite,
            raw,
            ours: Server::new(Session::InPlace(ours)),
            theirs: Server::new(server.session),
        }
    }

    /// A record with any content, as the client's next one.
    fn forge(&mut self, kind: u8, content: &[u8], padding: usize, ahead: u64) -> Vec<u8> {
        let Some((key, iv)) = &self.raw else { return Vec::new() };
        let algorithm = match self.suite {
            Suite::Aes128Gcm => &ring::aead::AES_128_GCM,
            Suite::Aes256Gcm => &ring::aead::AES_256_GCM,
            Suite::ChaCha20Poly1305 => &ring::aead::CHACHA20_POLY1305,
        };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).expect("a key"));
        let seq = self.client.records().0 + ahead;
        let mut nonce = *iv;
        nonce[4..].iter_mut().zip(seq.to_be_bytes()).for_each(|(byte, number)| *byte ^= number);
        let explicit = if self.version == Version::Tls12 && self.suite != Suite::ChaCha20Poly1305 { 8 } else { 0 };
        let mut body = content.to_vec();
        let outer = if self.version == Version::Tls13 {
            body.push(kind);
            body.resize(body.len() + padding, 0);
            23
        } else {
            kind
        };
        let [high, low] = ((explicit + body.len() + 16) as u16).to_be_bytes();
        let header = [outer, 3, 3, high, low];
        let aad = match self.version {
            Version::Tls13 => header.to_vec(),
            Version::Tls12 => {
                let len = (body.len() as u16).to_be_bytes();
                [&seq.to_be_bytes()[..], &header[..3], &len].concat()
            }
        };
        let unique = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(unique, Aad::from(aad), &mut body).expect("seals");
        [&header[..], &nonce[12 - explicit..], &body].concat()
    }
}

/// What the client does: an operation and its argument, out of two bytes.
fn operation(trio: &mut Trio, desk: &mut Desk, [what, how]: [u8; 2], wire: &mut Vec<u8>, strict: &mut bool) {
    let from = wire.len();
    let forged = match what % 16 {
        // An alert; TLS 1.2 warnings and all.
        0 => trio.forge(21, &[how >> 7 | 1 << (how >> 6 & 1), how & 63], 0, 0),
        1 => trio.forge(23, &[], usize::from(how), 0),
        2 => trio.forge(23, &[how; 9], usize::from(how), 0),
        // Types that nobody knows, and one that has no place here.
        3 => trio.forge(if how & 1 == 0 { 20 } else { 24 + (how & 7) }, &[1], 0, 0),
        4 if trio.version == Version::Tls13 => trio.forge(22, &[24, 0, 0, 1, 2 | how], 0, 0),
        // A record out of turn.
        5 => trio.forge(23, &[how], 0, 1 + u64::from(how)),
        6 if trio.version == Version::Tls13 => {
            // The client's own key is only known before it changes.
            trio.raw = None;
            trio.client.send_key_update(desk, wire, how & 1 == 1);
            return;
        }
        7 if how < 16 => {
            trio.client.close(desk, wire);
            return;
        }
        8 if how < 64 && !wire.is_empty() => {
            // Damage to what is on the wire already, in its body or anywhere.
            let at = usize::from(how) * wire.len() / 64;
            wire[at] ^= 1 << (how & 7);
            *strict = true;
            return;
        }
        _ => {
            let sealing = trio.client.begin(desk, wire);
            wire.resize(wire.len() + usize::from(how) * if what & 128 == 0 { 1 } else { 40 }, what);
            // A client that closed says nothing more.
            let _ = trio.client.seal(desk, wire, sealing);
            return;
        }
    };
    wire.truncate(from);
    if !forged.is_empty() {
        wire.extend(forged);
        trio.client = (trio.at_record)(trio.client.records().0 + 1);
    }
}

/// Both servers read what a client says, honest or not.
pub fn tls_open(input: &[u8]) {
    let [which, cut, rest @ ..] = input else { return };
    let mut trio = Trio::new(*which);
    let (mut desk, mut wire, mut damaged) = (Desk::default(), Vec::new(), false);
    for pair in rest.as_chunks::<2>().0.iter().take(200) {
        operation(&mut trio, &mut desk, *pair, &mut wire, &mut damaged);
        if wire.len() > wire_bytes(*cut) {
            break;
        }
    }
    let chunk = if *cut == 0 { 1 } else { usize::from(*cut) * usize::from(*cut) };
    for piece in wire.chunks(chunk) {
        trio.ours.hear(piece);
        trio.theirs.hear(piece);
    }
    let (ours, theirs) = (&trio.ours, &trio.theirs);
    if damaged && ours.end == End::Failed {
        // We look at every byte of a header, and at its length before the rest has come.
        assert!(theirs.plain.starts_with(&ours.plain), "ours read what theirs did not");
        return;
    }
    assert_eq!(ours.plain.len(), theirs.plain.len());
    assert!(ours.plain == theirs.plain, "different plaintext");
    assert_eq!(ours.end, theirs.end);
}

/// Both servers say the same: the client reads it, and from the same key the records are the same to the byte.
pub fn tls_seal(input: &[u8]) {
    let [which, cut, fragment, rest @ ..] = input else { return };
    let mut trio = Trio::new(*which);
    let fragment = 1 + usize::from(*fragment) * 17;
    let mut said = Vec::new();
    let mut total = 0;
    let fits = |len: &u8| {
        total += usize::from(*len) * usize::from(*len) / 16;
        total < wire_bytes(*cut)
    };
    let lens: Vec<u8> = rest.iter().take(60).copied().take_while(fits).collect();
    for server in [&mut trio.ours, &mut trio.theirs] {
        server.session.set_fragment_bytes(fragment);
        for (n, len) in lens.iter().enumerate() {
            if *len == 255 {
                server.session.close(&mut server.desk, &mut server.said);
            }
            let plain = vec![n as u8; usize::from(*len) * usize::from(*len) / 16];
            // After the end both refuse.
            let _ = server.session.seal_slice(&mut server.desk, &mut server.said, &plain);
        }
    }
    for (n, len) in lens.iter().take_while(|len| **len != 255).enumerate() {
        said.extend(vec![n as u8; usize::from(*len) * usize::from(*len) / 16]);
    }
    assert!(trio.ours.said == trio.theirs.said, "different records");
    let mut client = Server::new(Session::InPlace(trio.client));
    let chunk = if *cut == 0 { 1 } else { usize::from(*cut) * 8 };
    trio.ours.said.chunks(chunk).for_each(|piece| client.hear(piece));
    assert_eq!(client.plain, said);
    assert_eq!(client.end, if lens.contains(&255) { End::PeerClosed } else { End::Open });
}

/// Bytes of a client that may be anything: greeting and handshake end in an alert or wait, and never panic.
pub fn tls_hello(input: &[u8]) {
    let [cut, rest @ ..] = input else { return };
    let wires = wires();
    let mut out = Vec::new();
    let mut hello = Vec::new();
    if cut & 128 != 0 {
        // A real hello, with damage: the input says where and what.
        let name = ServerName::try_from("localhost").expect("a name");
        let mut client = ClientConnection::new(wires.configs[usize::from(*cut) % 6].clone(), name).expect("a client");
        client.write_tls(&mut hello).expect("memory");
        for pair in rest.as_chunks::<2>().0 {
            let at = usize::from(pair[0]) * hello.len() / 256;
            hello[at] ^= pair[1];
        }
    }
    hello.extend_from_slice(rest);
    let mut state = None;
    let mut greeting = Some(Greeting::new());
    for piece in hello.chunks(1 + usize::from(cut & 127)) {
        if let Some(mut collecting) = greeting.take() {
            match collecting.push(piece, &mut out).map(|hello| hello.is_some()) {
                Ok(true) => match wires.acceptor.accept(collecting, &mut out) {
                    Ok(progress) => state = Some(progress),
                    Err(_) => return,
                },
                Ok(false) => greeting = Some(collecting),
                Err(fault) => return assert_eq!(fault.alert().is_some(), !out.is_empty()),
            }
        } else if let Some(Progress::Pending(pending)) = state.take() {
            match pending.advance(piece, &mut out) {
                Ok(progress) => state = Some(progress),
                Err(_) => return,
            }
        }
    }
    assert!(!matches!(state, Some(Progress::Done(_))), "nobody shakes hands by chance");
}

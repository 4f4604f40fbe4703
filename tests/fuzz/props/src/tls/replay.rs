//! Handshakes that cost little: a client's side is recorded once for each suite, and every later server hears it again.
//!
//! That works because nothing of these handshakes is random: what both sides draw is zero, they agree on a secret that
//! everybody knows, and a signature is a word. Transcript, key schedule and records are rustls' own, and so is the
//! connection that comes out; a server costs some tens of microseconds instead of a millisecond.

use std::sync::{Arc, Mutex, OnceLock};

use linchpin_tls::pki_types::{CertificateDer, ServerName, UnixTime};
use linchpin_tls::{InPlace, RustlsPath, Session, Side, Suite, Version};
use rustls::client::UnbufferedClientConnection;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup,
};
use rustls::server::UnbufferedServerConnection;
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{
    ClientConfig, ConnectionTrafficSecrets, DigitallySignedStruct, Error, KeyLog, NamedGroup, ServerConfig,
    SignatureAlgorithm, SignatureScheme,
};

/// What a client said in a handshake, and the secrets that came of it.
pub(super) struct Recording {
    config: Arc<ServerConfig>,
    flights: Vec<Vec<u8>>,
    pub(super) version: Version,
    pub(super) suite: Suite,
    /// From the client to the server, and back.
    pub(super) up: Half,
    down: Half,
}

/// One direction.
pub(super) struct Half {
    secret: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) iv: [u8; 12],
    /// Number of the next record.
    pub(super) seq: u64,
}

/// One for each of the six ways in which records are protected.
pub(super) fn recordings() -> &'static [Recording] {
    static RECORDINGS: OnceLock<Vec<Recording>> = OnceLock::new();
    RECORDINGS.get_or_init(|| {
        let mut crypto = rustls::crypto::aws_lc_rs::default_provider();
        crypto.kx_groups = vec![&Known];
        crypto.secure_random = &Known;
        super::suites(&crypto)
            .map(|suite| record(&CryptoProvider { cipher_suites: vec![suite], ..crypto.clone() }))
            .collect()
    })
}

impl Recording {
    /// A server that has just shaken hands, with rustls' record layer.
    pub(super) fn theirs(&self) -> Session {
        let mut conn = UnbufferedServerConnection::new(self.config.clone()).expect("a server");
        let (mut out, mut is_done) = (Vec::new(), false);
        for flight in &self.flights {
            let mut flight = flight.clone();
            is_done = hear(|bytes| step(conn.process_tls_records(bytes), &mut out), &mut flight);
        }
        assert!(is_done, "the recorded client is heard as it was");
        Session::Rustls(Box::new(RustlsPath::from_server(conn)))
    }

    /// The same server, with our record layer.
    pub(super) fn ours(&self) -> Session {
        Session::InPlace(self.in_place(Side::Server, self.up.seq))
    }

    /// The client, with our record layer, as it is at record `seq`.
    pub(super) fn client(&self, seq: u64) -> InPlace {
        self.in_place(Side::Client, seq)
    }

    fn in_place(&self, side: Side, up_seq: u64) -> InPlace {
        let (up, down) = ((&self.up, up_seq), (&self.down, self.down.seq));
        let (own, peer) = if side == Side::Client { (up, down) } else { (down, up) };
        let made = match self.version {
            Version::Tls13 => InPlace::from_secrets(side, self.suite, (&own.0.secret, own.1), (&peer.0.secret, peer.1)),
            Version::Tls12 => {
                let keys = |(half, seq): (&'_ Half, u64)| (half.key.clone(), half.iv, seq);
                let (own, peer) = (keys(own), keys(peer));
                InPlace::from_keys(side, self.suite, (&own.0, own.1, own.2), (&peer.0, peer.1, peer.2))
            }
        };
        made.expect("lengths of the suite")
    }
}

fn record(crypto: &CryptoProvider) -> Recording {
    let (crypto, version) = (Arc::new(crypto.clone()), crypto.cipher_suites[0].version());
    let certificate = CertifiedKey::new(vec![CertificateDer::from(vec![0])], Arc::new(Known));
    let builder = ServerConfig::builder_with_provider(crypto.clone()).with_protocol_versions(&[version]);
    let builder = builder.expect("a version").with_no_client_auth();
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certificate)));
    config.send_tls13_tickets = 0;
    let config = Arc::new(config);
    let builder = ClientConfig::builder_with_provider(crypto).with_protocol_versions(&[version]);
    let builder = builder.expect("a version").dangerous().with_custom_certificate_verifier(Arc::new(Known));
    let mut client = builder.with_no_client_auth();
    let secrets = Arc::new(Secrets::default());
    client.key_log = secrets.clone();
    client.enable_secret_extraction = true;
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = UnbufferedClientConnection::new(Arc::new(client), name).expect("a client");
    let mut server = UnbufferedServerConnection::new(config.clone()).expect("a server");
    let (mut flights, mut to_client, mut to_server) = (Vec::new(), Vec::new(), Vec::new());
    let mut are_done = [false; 2];
    while are_done != [true; 2] {
        are_done[0] = hear(|bytes| step(client.process_tls_records(bytes), &mut to_server), &mut to_client);
        if !to_server.is_empty() {
            flights.push(to_server.clone());
        }
        are_done[1] = hear(|bytes| step(server.process_tls_records(bytes), &mut to_client), &mut to_server);
    }
    // What the server said last: the end of its handshake in TLS 1.2.
    hear(|bytes| step(client.process_tls_records(bytes), &mut to_server), &mut to_client);
    let (extracted, _) = client.dangerous_into_kernel_connection().expect("secrets");
    let [up, down] = std::mem::take(&mut *secrets.0.lock().expect("never poisoned"));
    let (suite, up) = half(&extracted.tx, up);
    let (_, down) = half(&extracted.rx, down);
    let is_new = version.version == rustls::ProtocolVersion::TLSv1_3;
    Recording { config, flights, version: if is_new { Version::Tls13 } else { Version::Tls12 }, suite, up, down }
}

fn half((seq, secrets): &(u64, ConnectionTrafficSecrets), secret: Vec<u8>) -> (Suite, Half) {
    let (suite, key, iv) = match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (Suite::Aes128Gcm, key, iv),
        ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (Suite::Aes256Gcm, key, iv),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (Suite::ChaCha20Poly1305, key, iv),
        _ => panic!("a suite that was not offered"),
    };
    let iv = iv.as_ref().try_into().expect("12 bytes");
    (suite, Half { secret, key: key.as_ref().to_vec(), iv, seq: *seq })
}

/// Let a side read `bytes` until it waits for more (false) or has shaken hands (true).
fn hear(mut step: impl FnMut(&mut [u8]) -> (usize, Option<bool>), bytes: &mut Vec<u8>) -> bool {
    loop {
        let (used, is_done) = step(bytes);
        bytes.drain(..used);
        if let Some(is_done) = is_done {
            return is_done;
        }
    }
}

/// Act on what rustls wants; gives the bytes that it used up.
fn step<D>(status: UnbufferedStatus<'_, '_, D>, out: &mut Vec<u8>) -> (usize, Option<bool>) {
    let is_done = match status.state.expect("a good handshake") {
        ConnectionState::EncodeTlsData(mut encode) => {
            let mut room = [0; 1_024];
            let len = encode.encode(&mut room).expect("nothing long is said");
            out.extend_from_slice(&room[..len]);
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
    (status.discard, is_done)
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

/// In the place of everything that is random or secret.
#[derive(Debug)]
struct Known;

impl SecureRandom for Known {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        bytes.fill(0);
        Ok(())
    }
}

impl SupportedKxGroup for Known {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Ok(Box::new(Self))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

impl ActiveKeyExchange for Known {
    fn complete(self: Box<Self>, _: &[u8]) -> Result<SharedSecret, Error> {
        Ok(SharedSecret::from(&[7; 32][..]))
    }

    fn pub_key(&self) -> &[u8] {
        &[8; 32]
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

impl SigningKey for Known {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(Self))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for Known {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(b"signed".to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

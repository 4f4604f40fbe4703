//! From rustls to a [`Session`]: the secrets are taken out, checked, and nothing of rustls stays.

use rustls::{CommonState, ConnectionTrafficSecrets, HandshakeKind, ProtocolVersion};

use super::keylog::Secrets;
use super::{Conn, Hello};
use crate::Fault;
use crate::session::{Direction, IV_BYTES, InPlace, Layer, RustlsPath, Session, Side, Suite, Version};

/// What a handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeFacts {
    /// Protocol version.
    pub version: Version,
    /// Protection of records.
    pub suite: Suite,
    /// It continued an earlier session.
    pub resumed: bool,
    /// Application protocol, if one was agreed on.
    pub alpn: Option<Vec<u8>>,
    /// The name that the client asked for.
    pub server_name: Option<String>,
    /// Fragment length that the client asked for, bytes.
    pub max_fragment_bytes: Option<usize>,
    /// SHA-256 of the client's certificate, if it showed one.
    pub client_fingerprint: Option<[u8; 32]>,
    /// Key exchange group by its registered number; none in a resumed TLS 1.2 session.
    pub group: Option<u16>,
}

/// A finished handshake.
#[derive(Debug)]
pub struct Established {
    /// The connection from now on.
    pub session: Session,
    /// Sealed bytes that came with the end of the handshake: give them to the session first.
    pub rest: Vec<u8>,
    /// What was agreed on.
    pub facts: HandshakeFacts,
}

/// What rustls knows at the end of a handshake.
pub(super) fn facts(conn: &Conn, hello: &Hello) -> Result<HandshakeFacts, Fault> {
    let state: &CommonState = conn.state();
    let version = match state.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => Version::Tls12,
        Some(ProtocolVersion::TLSv1_3) => Version::Tls13,
        _ => return Err(Fault::Internal("a handshake without a version")),
    };
    let suite = state.negotiated_cipher_suite().ok_or(Fault::Internal("a handshake without a cipher suite"))?;
    let peer = state.peer_certificates().and_then(|chain| chain.first());
    let fingerprint = (conn.side() == Side::Server).then(|| peer.map(crate::fingerprint)).flatten();
    Ok(HandshakeFacts {
        version,
        suite: suite_of(suite.suite()).ok_or(Fault::Internal("a cipher suite that was not offered"))?,
        resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
        alpn: state.alpn_protocol().map(<[u8]>::to_vec),
        server_name: hello.server_name.clone(),
        max_fragment_bytes: hello.max_fragment_bytes,
        client_fingerprint: fingerprint,
        group: state.negotiated_key_exchange_group().map(|group| u16::from(group.name())),
    })
}

fn suite_of(suite: rustls::CipherSuite) -> Option<Suite> {
    use rustls::CipherSuite as S;
    Some(match suite {
        S::TLS13_AES_128_GCM_SHA256
        | S::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | S::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => Suite::Aes128Gcm,
        S::TLS13_AES_256_GCM_SHA384
        | S::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        | S::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => Suite::Aes256Gcm,
        S::TLS13_CHACHA20_POLY1305_SHA256
        | S::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        | S::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => Suite::ChaCha20Poly1305,
        _ => return None,
    })
}

/// Make the session. No record after the handshake was given to rustls, so its keys are the first ones.
pub(super) fn session(
    conn: Conn,
    secrets: &Secrets,
    facts: &HandshakeFacts,
    layer: Layer,
    keep_tickets: bool,
) -> Result<Session, Fault> {
    if layer == Layer::Rustls {
        return Ok(Session::Rustls(Box::new(RustlsPath::new(conn, facts.max_fragment_bytes))));
    }
    let side = conn.side();
    let (own, peer) = match side {
        Side::Client => (&secrets.client, &secrets.server),
        Side::Server => (&secrets.server, &secrets.client),
    };
    let (extracted, kernel) = conn.into_secrets().map_err(Fault::Handshake)?;
    let direction = |(seq, keys): &(u64, ConnectionTrafficSecrets), secret: Option<&super::keylog::TrafficSecret>| {
        let (suite, key, iv) = raw(keys)?;
        if suite != facts.suite {
            return None;
        }
        match facts.version {
            Version::Tls12 => Direction::from_key(suite, key, iv, *seq),
            // The secret must be the one whose keys rustls uses: else key updates would go astray.
            Version::Tls13 => Direction::from_secret(suite, secret?.bytes(), *seq)
                .filter(|derived| derived.key[..key.len()] == *key && derived.iv == iv),
        }
    };
    let tx = direction(&extracted.tx, own.as_ref()).ok_or(Fault::Internal("the secrets of our direction differ"))?;
    let rx = direction(&extracted.rx, peer.as_ref()).ok_or(Fault::Internal("the secrets of the peer's differ"))?;
    let mut session = InPlace::new(side, facts.version, facts.suite, facts.max_fragment_bytes, &tx, &rx);
    if let Some(kernel) = kernel.filter(|_| keep_tickets && facts.version == Version::Tls13) {
        session.keep_tickets(kernel);
    }
    Ok(Session::InPlace(session))
}

fn raw(secrets: &ConnectionTrafficSecrets) -> Option<(Suite, &[u8], [u8; IV_BYTES])> {
    let (suite, key, iv) = match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (Suite::Aes128Gcm, key, iv),
        ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (Suite::Aes256Gcm, key, iv),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (Suite::ChaCha20Poly1305, key, iv),
        _ => return None,
    };
    Some((suite, key.as_ref(), iv.as_ref().try_into().ok()?))
}

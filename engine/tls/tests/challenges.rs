//! Authorities that check a name by `acme-tls/1` (RFC 8737): answered while a challenge is open, and nothing more, ever.
#![allow(missing_docs, reason = "tests")]

mod world;

use std::sync::Arc;

use linchpin_tls::pki_types::{CertificateDer, ServerName, UnixTime};
use linchpin_tls::{Acceptor, Fault, Greeting, Layer, Progress, Provider};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};
use world::{NAME, World, crypto, hand};

const DIGEST: [u8; 32] = [0x5a; 32];

/// Takes every certificate.
#[derive(Debug)]
struct Authority {
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for Authority {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

struct Validation {
    /// How the server's side ended, or that it did not.
    fault: Option<Fault>,
    client: ClientConnection,
    certificate: Vec<u8>,
    closed: bool,
}

fn validate(
    world: &World,
    acceptor: &Acceptor,
    name: &str,
    protocols: &[&[u8]],
    version: &'static SupportedProtocolVersion,
) -> Validation {
    let provider = Arc::new(crypto(world.options.provider));
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    let authority = Arc::new(Authority { schemes });
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(world.clock.clone()))
        .with_protocol_versions(&[version])
        .expect("a version")
        .dangerous()
        .with_custom_certificate_verifier(authority)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let (mut greeting, mut handshake) = (Some(Greeting::new()), None);
    let (mut fault, mut closed) = (None, false);
    while fault.is_none() && client.wants_write() {
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        while client.wants_write() {
            client.write_tls(&mut to_server).expect("memory");
        }
        let progress = match (greeting.take(), handshake.take()) {
            (Some(mut hello), _) => {
                hello.push(&to_server, &mut to_client).expect("a whole hello");
                acceptor.accept(hello, &mut to_client)
            }
            (None, Some(pending)) => linchpin_tls::Handshake::advance(pending, &to_server, &mut to_client),
            (None, None) => unreachable!("the handshake is somewhere"),
        };
        match progress {
            Ok(Progress::Pending(pending)) => handshake = Some(pending),
            Ok(Progress::Done(_)) => break,
            Err(error) => fault = Some(error),
        }
        let _ = hand(&mut client, &to_client, 100_000);
        closed = client.process_new_packets().is_ok_and(|state| state.peer_has_closed());
    }
    let certificate = client.peer_certificates().map(|chain| chain[0].to_vec()).unwrap_or_default();
    Validation { fault, client, certificate, closed }
}

fn each(mut check: impl FnMut(&World, &'static SupportedProtocolVersion)) {
    for provider in Provider::ALL {
        for layer in [Layer::InPlace, Layer::Rustls] {
            let mut world = World::new(*provider, layer);
            world.options.alpn = vec![b"http/1.1".to_vec()];
            for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
                check(&world, version);
            }
        }
    }
}

#[test]
fn an_open_challenge_is_answered_and_the_connection_ends_there() {
    each(|world, version| {
        let acceptor = world.acceptor();
        let challenges = &world.options.challenges;
        challenges.open_tls(NAME, &DIGEST, world.options.provider).expect("opens");
        challenges.open_tls("192.0.2.7", &DIGEST, world.options.provider).expect("opens");
        for (asked, held) in [(NAME, NAME.as_bytes()), ("7.2.0.192.in-addr.arpa", &[192, 0, 2, 7][..])] {
            let seen = validate(world, &acceptor, asked, &[b"acme-tls/1"], version);
            assert_eq!(seen.fault, Some(Fault::ChallengeAnswered), "{asked}");
            assert!(!seen.client.is_handshaking() && seen.closed, "{asked}: close_notify follows the handshake");
            assert_eq!(seen.client.alpn_protocol(), Some(&b"acme-tls/1"[..]));
            // 1.3.6.1.5.5.7.1.31, critical, with the digest in an OCTET STRING of its own.
            let extension = [&[6, 8, 0x2b, 6, 1, 5, 5, 7, 1, 0x1f, 1, 1, 0xff, 4, 34, 4, 32][..], &DIGEST].concat();
            assert!(seen.certificate.windows(extension.len()).any(|window| window == extension), "{asked}");
            assert!(seen.certificate.windows(held.len()).any(|window| window == held), "{asked}");
        }
        challenges.close();
    });
}

#[test]
fn without_an_open_challenge_nobody_gets_in_with_it() {
    each(|world, version| {
        let acceptor = world.acceptor();
        let refused = |name: &str| {
            let seen = validate(world, &acceptor, name, &[b"acme-tls/1"], version);
            assert_eq!(seen.fault, Some(Fault::NoChallenge), "{name}");
            assert!(seen.client.is_handshaking() && seen.certificate.is_empty(), "{name}");
        };
        refused(NAME);
        world.options.challenges.open_tls("other.example", &DIGEST, world.options.provider).expect("opens");
        refused(NAME);
        world.options.challenges.open_http("token", "token.thumb").expect("opens");
        refused(NAME);
        world.options.challenges.close();
        refused("other.example");
    });
}

#[test]
fn a_listener_without_protocols_of_its_own_refuses_it_too() {
    let world = World::new(Provider::default(), Layer::InPlace);
    let seen = validate(&world, &world.acceptor(), NAME, &[b"acme-tls/1"], &rustls::version::TLS13);
    assert_eq!(seen.fault, Some(Fault::NoChallenge));
}

#[test]
fn who_offers_more_is_no_authority() {
    each(|world, version| {
        let acceptor = world.acceptor();
        world.options.challenges.open_tls(NAME, &DIGEST, world.options.provider).expect("opens");
        for protocols in [&[&b"acme-tls/1"[..], b"http/1.1"], &[&b"http/1.1"[..], b"acme-tls/1"]] {
            let seen = validate(world, &acceptor, NAME, protocols, version);
            assert_eq!(seen.fault, None);
            assert_eq!(seen.client.alpn_protocol(), Some(&b"http/1.1"[..]));
            assert!(!seen.certificate.windows(32).any(|window| window == DIGEST), "the listener's own certificate");
        }
        let seen = validate(world, &acceptor, NAME, &[b"acme-tls/1", b"h2"], version);
        assert!(matches!(seen.fault, Some(Fault::Handshake(_))), "{:?}", seen.fault);
        world.options.challenges.close();
    });
}

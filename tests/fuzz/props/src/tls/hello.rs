//! Bytes of a client before it is anybody: greeting and handshake on real certificates and keys.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use linchpin_tls::pki_types::ServerName;
use linchpin_tls::{
    Acceptor, AcceptorOptions, Certificates, Challenges, Clock, Greeting, Identity, Layer, LocalAuthority, Progress,
    Provider, SessionIds, TicketKey, Tickets,
};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

const NOW_S: u64 = 1_800_000_000;

/// A listener with an open challenge, and the clients whose hellos are damaged: one a suite as devices say it, and one as an
/// authority does that looks for the challenge; none of which ever gets as far as a certificate.
struct Wires {
    acceptor: Acceptor,
    configs: Vec<Arc<ClientConfig>>,
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
        let challenges = Challenges::default();
        challenges.open_tls("localhost", &[7; 32], provider).expect("opens");
        let acceptor = Acceptor::new(&AcceptorOptions {
            provider,
            certificates: Arc::new(Certificates::new(vec![identity.expect("an identity")]).expect("one")),
            tickets: Arc::new(Tickets::new(b"", &TicketKey::new(1, [1; 32]), &[]).expect("tickets")),
            session_ids: Arc::new(SessionIds::new(64, clock.clone())),
            clients: None,
            layer: Layer::Rustls,
            alpn: vec![b"http/1.1".to_vec()],
            challenges: Arc::new(challenges),
            clock,
        });
        let all = rustls::crypto::aws_lc_rs::default_provider();
        let protocols = [Vec::new(), vec![b"acme-tls/1".to_vec()]];
        let both = protocols.into_iter().flat_map(|alpn| super::suites(&all).map(move |suite| (suite, alpn.clone())));
        let configs = both.map(|(suite, alpn)| {
            let mut crypto = all.clone();
            crypto.cipher_suites = vec![suite];
            crypto.kx_groups = vec![rustls::crypto::aws_lc_rs::kx_group::X25519];
            let builder = ClientConfig::builder_with_provider(Arc::new(crypto));
            let builder = builder.with_protocol_versions(&[suite.version()]).expect("a version");
            let mut config = builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
            config.alpn_protocols = alpn;
            Arc::new(config)
        });
        Wires { acceptor: acceptor.expect("an acceptor"), configs: configs.collect() }
    })
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
        let mut client = ClientConnection::new(wires.configs[usize::from(*cut) % wires.configs.len()].clone(), name)
            .expect("a client");
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

//! Which certificate a client gets, and what an operator is told about his.
#![allow(missing_docs, reason = "tests")]

mod world;

use std::time::Duration;

use linchpin_tls::pki_types::CertificateDer;
use linchpin_tls::pki_types::pem::PemObject;
use linchpin_tls::{Certificates, DeviceRoot, Identity, Layer, LocalAuthority, Provider, SetupFault, Warning, limits};
use world::{NOW_S, World, identity, meet};

const DAY: Duration = Duration::from_secs(86_400);

fn authority() -> LocalAuthority {
    LocalAuthority::make("Operator", NOW_S, 3_650 * DAY).expect("an authority")
}

/// The certificate that a client which asks for `name` gets.
fn served(world: &World, name: &'static str) -> CertificateDer<'static> {
    let config = world.rustls_client(None);
    let name = linchpin_tls::pki_types::ServerName::try_from(name).expect("a name");
    let mut client = rustls::ClientConnection::new(config, name).expect("a client");
    let (mut server, mut out, mut hello) = (world::Server::new(), Vec::new(), Vec::new());
    client.write_tls(&mut hello).expect("memory");
    server.feed(&world.acceptor(), &hello, &mut out).expect("a hello");
    // The certificate is not valid for every name that is asked for here; what counts is which one came.
    let _ = world::hand(&mut client, &out, 1_000);
    let der = client.peer_certificates().map(|chain| chain[0].clone());
    der.unwrap_or_else(|| CertificateDer::from(Vec::new()))
}

#[test]
fn names_choose_and_the_first_is_for_all_others() {
    let world = World::new(Provider::default(), Layer::InPlace);
    let provider = Provider::default();
    let home = identity(&world.authority, &["home.example"], provider);
    let wild = identity(&world.authority, &["*.fleet.example"], provider);
    world.options.certificates.replace(vec![home.clone(), wild.clone()]).expect("two identities");
    assert_eq!(served(&world, "home.example"), home.chain()[0]);
    assert_eq!(served(&world, "HOME.example"), home.chain()[0]);
    assert_eq!(served(&world, "seven.fleet.example"), wild.chain()[0]);
    let by_address = linchpin_tls::pki_types::ServerName::try_from("127.0.0.1").expect("an address");
    assert!(matches!(by_address, linchpin_tls::pki_types::ServerName::IpAddress(_)));
    let both = meet(&world.acceptor(), &world.rustls_client(None), 1_000);
    assert!(both.is_err(), "rustls' client refuses the default certificate, which has another name");
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn a_pair_serves_each_client_what_it_can_verify() {
    use rustls::CipherSuite as S;
    let mut world = World::new(Provider::AwsLcRs, Layer::InPlace);
    let ecdsa = identity(&world.authority, &[world::NAME], Provider::AwsLcRs);
    let (rsa, root) = world::rsa_identity(world::NAME);
    // The order does not matter: ECDSA is preferred.
    world.options.certificates = std::sync::Arc::new(Certificates::new(vec![rsa.clone(), ecdsa.clone()]).expect("two"));
    let client = |suite: S| {
        let mut crypto = world::crypto(Provider::AwsLcRs);
        crypto.cipher_suites.retain(|s| s.suite() == suite);
        let mut roots = rustls::RootCertStore::empty();
        roots.add(world.root()).expect("a root");
        roots.add(root.clone()).expect("a root");
        let builder =
            rustls::ClientConfig::builder_with_details(crypto.into(), std::sync::Arc::new(world.clock.clone()));
        let version =
            if suite == S::TLS13_AES_128_GCM_SHA256 { &rustls::version::TLS13 } else { &rustls::version::TLS12 };
        let config = builder.with_protocol_versions(&[version]).expect("a version").with_root_certificates(roots);
        std::sync::Arc::new(config.with_no_client_auth())
    };
    for (suite, expected) in [
        (S::TLS13_AES_128_GCM_SHA256, &ecdsa),
        (S::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, &ecdsa),
        (S::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, &rsa),
        (S::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, &rsa),
        (S::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, &rsa),
    ] {
        let (mut server, mut client) = meet(&world.acceptor(), &client(suite), 1_000).expect("met");
        assert_eq!(client.peer_certificates().expect("a chain")[0], expected.chain()[0], "{suite:?}");
        let (mut desk, mut out) = (linchpin_tls::Desk::default(), Vec::new());
        server.session.seal_slice(&mut desk, &mut out, b"hello").expect("seals");
        world::hand(&mut client, &out, 3).expect("opens");
        assert_eq!(world::heard(&mut client), b"hello");
    }
}

#[test]
fn an_operator_hears_what_will_trouble_devices() {
    let authority = authority();
    let made = authority.server(&["node.example", "10.0.0.7"], NOW_S, 90 * DAY).expect("a certificate");
    let (chain, key) = (made.chain_pem.as_bytes(), made.key_pem.as_bytes());
    let identity = Identity::from_pem(chain, key, Provider::default(), NOW_S).expect("an identity");
    let report = identity.check(NOW_S, &["node.example", "10.0.0.7"]);
    assert_eq!(report.names, ["node.example"]);
    assert_eq!((report.not_before_s, report.not_after_s), (NOW_S - 3_600, NOW_S + 90 * 86_400));
    assert_eq!((report.chain_len, report.roots.len()), (1, 0));
    assert_eq!(report.warnings, [Warning::NoDeviceRoot]);
    assert!(report.warnings[0].to_string().contains("ISRG Root X1"));
    let late = identity.check(NOW_S + 89 * 86_400, &["other.example"]).warnings;
    assert_eq!(late[..2], [Warning::ExpiresSoon(86_400), Warning::Name("other.example".to_owned())]);
    let later = identity.check(NOW_S + 91 * 86_400, &[]).warnings;
    assert_eq!(later[0], Warning::Expired(86_400));
    let early = identity.check(NOW_S - 2 * 86_400, &[]).warnings;
    assert_eq!(early[0], Warning::NotYetValid(2 * 86_400 - 3_600));
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let (authority, provider) = (authority(), Provider::default());
    let [a, b] = ["a.example", "b.example"].map(|n| authority.server(&[n], NOW_S, 90 * DAY).expect("made"));
    let load = |chain: &str, key: &str| Identity::from_pem(chain.as_bytes(), key.as_bytes(), provider, NOW_S);
    let fault = |chain: &str, key: &str| load(chain, key).expect_err("refused");
    assert_eq!(fault(&a.chain_pem, &b.key_pem), SetupFault::KeyMismatch);
    assert_eq!(fault("", &a.key_pem), SetupFault::Pem("certificate"));
    assert_eq!(fault(&a.chain_pem, ""), SetupFault::Pem("private key"));
    let backwards = [authority.certificate_pem(), &a.chain_pem].concat();
    assert_eq!(fault(&backwards, authority.key_pem()), SetupFault::ChainOrder(0));
    let long = a.chain_pem.clone() + &authority.certificate_pem().repeat(60);
    assert!(matches!(fault(&long, &a.key_pem), SetupFault::ChainTooLong(len) if len > limits::CHAIN_BYTES));
    let text = format!("{} {:?}", fault(&a.chain_pem, &b.key_pem), load(&a.chain_pem, &a.key_pem));
    assert!(!text.contains("PRIVATE") && !text.contains("MII"), "{text}");
    assert!(Certificates::new(Vec::new()).is_err());
}

#[test]
fn small_clients_do_not_get_a_root_that_they_have() {
    let authority = authority();
    let made = authority.server(&["node.example"], NOW_S, 90 * DAY).expect("a certificate");
    let whole = made.chain_pem.clone() + authority.certificate_pem();
    let identity = Identity::from_pem(whole.as_bytes(), made.key_pem.as_bytes(), Provider::default(), NOW_S);
    let identity = identity.expect("an identity");
    assert_eq!((identity.chain().len(), identity.short_chain().len()), (2, 1));
    let report = identity.check(NOW_S, &[]);
    assert!(report.short_chain_bytes < report.chain_bytes);
}

#[test]
fn device_roots_are_reached_by_what_they_issued_only() {
    for root in DeviceRoot::ALL {
        let chain = [root.certificate()];
        assert!(!root.is_reached_by(&chain, NOW_S), "a root is no server");
        assert!(!root.is_reached_by(&[], NOW_S));
    }
}

#[test]
fn an_authority_can_be_kept_and_used_again() {
    let authority = authority();
    let again = LocalAuthority::from_pem("Operator", authority.certificate_pem(), authority.key_pem());
    assert!(again.server(&["x.example"], NOW_S, DAY).is_ok());
    let renamed = LocalAuthority::from_pem("Somebody", authority.certificate_pem(), authority.key_pem());
    assert!(matches!(renamed.server(&["x.example"], NOW_S, DAY), Err(SetupFault::Making(_))));
    let der = CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes());
    assert!(der.is_ok());
    assert!(authority.server(&["no name at all"], NOW_S, DAY).is_ok_and(|made| {
        Identity::from_pem(made.chain_pem.as_bytes(), made.key_pem.as_bytes(), Provider::default(), NOW_S).is_ok()
    }));
}

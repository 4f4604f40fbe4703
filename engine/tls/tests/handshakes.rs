//! Handshakes: our server and rustls' client, our server and our client, what is refused.
#![allow(missing_docs, reason = "tests")]

mod world;

use std::sync::Arc;

use linchpin_tls::{
    ClientAuth, Connector, ConnectorOptions, Desk, Fault, Layer, Progress, Provider, RecordLayer, Revoked, Session,
    Version, fingerprint,
};
use rustls::HandshakeKind;
use world::{End, NAME, NOW_S, World, client_identity, crypto, hand, heard, identity, listen, meet, meet_ours, say};

const LAYERS: [Layer; 2] = [Layer::InPlace, Layer::Rustls];

/// Every provider with every layer.
fn worlds() -> impl Iterator<Item = World> {
    Provider::ALL.iter().flat_map(|provider| LAYERS.map(|layer| World::new(*provider, layer)))
}

#[test]
fn every_suite_shakes_hands_and_talks_both_ways_however_it_is_cut() {
    let mut met = 0;
    for world in worlds() {
        let acceptor = world.acceptor();
        for suite in crypto(world.options.provider).cipher_suites {
            if format!("{suite:?}").contains("RSA") {
                continue; // the certificate is ECDSA; pairs.rs has the others
            }
            for chunk in [1, 7, 100_000] {
                let (mut server, mut client) = meet(&acceptor, &world.rustls_client(Some(suite)), chunk).expect("met");
                assert_eq!(server.facts.version == Version::Tls13, suite.tls13().is_some());
                assert_eq!(server.session.kind(), world.options.layer);
                assert!(server.rest.is_empty());
                assert_eq!(server.facts.server_name.as_deref(), Some(NAME));
                let (mut desk, mut out) = (Desk::default(), Vec::new());
                for round in 0..3 {
                    let sealed = say(&mut client, &[round; 3_000]);
                    let (plain, end) = listen(&mut server.session, &mut desk, &sealed, chunk, &mut out);
                    assert_eq!((plain, end), (vec![round; 3_000], End::Open));
                    server.session.seal_slice(&mut desk, &mut out, &[round; 2_500]).expect("seals");
                    hand(&mut client, &std::mem::take(&mut out), chunk).expect("opens");
                    assert_eq!(heard(&mut client), vec![round; 2_500]);
                }
                met += 1;
            }
        }
    }
    assert_eq!(met, Provider::ALL.len() * 2 * 6 * 3);
}

#[test]
fn bytes_that_come_with_the_end_of_the_handshake_reach_the_session() {
    use std::io::Write;
    for world in worlds() {
        let acceptor = world.acceptor();
        let config = world.rustls_client(None);
        let mut client = rustls::ClientConnection::new(config, world::name()).expect("a client");
        // rustls' client keeps this until it may send it: together with its Finished.
        client.writer().write_all(b"login and more").expect("memory");
        let (mut server, mut out, mut to_server) = (world::Server::new(), Vec::new(), Vec::new());
        client.write_tls(&mut to_server).expect("memory");
        server.feed(&acceptor, &to_server, &mut out).expect("a hello");
        hand(&mut client, &std::mem::take(&mut out), 100_000).expect("a server's flight");
        to_server.clear();
        while client.wants_write() {
            client.write_tls(&mut to_server).expect("memory");
        }
        server.feed(&acceptor, &to_server, &mut out).expect("the end");
        let mut server = server.done();
        let rest = std::mem::take(&mut server.rest);
        let (plain, end) = listen(&mut server.session, &mut Desk::default(), &rest, 5, &mut out);
        assert_eq!((plain.as_slice(), end), (&b"login and more"[..], End::Open));
    }
}

#[test]
fn a_key_update_in_the_flight_that_ends_the_handshake_is_not_lost() {
    for world in worlds() {
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        let acceptor = world.acceptor();
        let mut client = Connector::new(&ConnectorOptions {
            layer: Layer::InPlace,
            ..world.connector_options(Some(Version::Tls13))
        })
        .expect("a connector")
        .connect(world::name(), &mut to_server)
        .expect("a hello");
        let mut server = world::Server::new();
        server.feed(&acceptor, &std::mem::take(&mut to_server), &mut to_client).expect("a flight");
        if let Progress::Pending(pending) = client {
            client = pending.advance(&std::mem::take(&mut to_client), &mut to_server).expect("the end");
        }
        let Progress::Done(mut client) = client else { panic!("the client is done") };
        let mut desk = Desk::default();
        update(&mut client.session, &mut desk, &mut to_server, true);
        client.session.seal_slice(&mut desk, &mut to_server, b"first").expect("seals");
        update(&mut client.session, &mut desk, &mut to_server, false);
        client.session.seal_slice(&mut desk, &mut to_server, b" second").expect("seals");
        // Finished, two updates, two records and half a record in one piece.
        to_server.extend([23, 3, 3]);
        server.feed(&acceptor, &to_server, &mut to_client).expect("the end");
        let mut server = server.done();
        let rest = std::mem::take(&mut server.rest);
        let (plain, end) = listen(&mut server.session, &mut desk, &rest, 1_000, &mut to_client);
        assert_eq!((plain.as_slice(), end), (&b"first second"[..], End::Open));
        server.session.seal_slice(&mut desk, &mut to_client, b"answer").expect("seals");
        let (plain, end) = listen(&mut client.session, &mut desk, &to_client, 1_000, &mut Vec::new());
        assert_eq!((plain.as_slice(), end), (&b"answer"[..], End::Open));
    }
}

fn update(session: &mut Session, desk: &mut Desk, out: &mut Vec<u8>, request: bool) {
    let Session::InPlace(layer) = session else { panic!("only ours updates at will") };
    layer.send_key_update(desk, out, request);
}

#[test]
fn a_fleet_that_comes_back_at_once_finds_a_ticket_each() {
    for (room, resumed) in [(12, 12), (10, 10)] {
        let world = World::new(Provider::default(), Layer::InPlace);
        let acceptor = world.acceptor();
        let options = ConnectorOptions { remembered: room, ..world.connector_options(Some(Version::Tls13)) };
        let connector = Connector::new(&options).expect("a connector");
        let visit = || meet_ours(&acceptor, &connector).expect("met");
        // The tickets come behind the handshake: nobody has one before all are connected.
        let mut fleet: Vec<_> = (0..12).map(|_| visit()).collect();
        assert!(fleet.iter().all(|(server, _)| !server.facts.resumed));
        for (_, client) in &mut fleet {
            let rest = std::mem::take(&mut client.rest);
            listen(&mut client.session, &mut Desk::default(), &rest, 1_000, &mut Vec::new());
        }
        // Nobody reads what comes behind these, so the shelf only empties.
        let back = (0..20).filter(|_| visit().0.facts.resumed).count();
        assert_eq!(back, resumed, "with room for {room}");
    }
}

#[test]
fn both_of_ours_talk_and_resume_with_tickets() {
    for world in worlds() {
        let acceptor = world.acceptor();
        for version in [Version::Tls12, Version::Tls13] {
            let connector = world.connector(Some(version));
            for visit in 0..3 {
                let (mut server, mut client) = meet_ours(&acceptor, &connector).expect("met");
                assert_eq!(server.facts.resumed, visit > 0, "{:?} {version:?}", world.options);
                assert_eq!(client.facts.resumed, visit > 0);
                assert_eq!(server.facts.version, version);
                let (mut desk, mut out) = (Desk::default(), Vec::new());
                server.session.seal_slice(&mut desk, &mut out, b"to the device").expect("seals");
                let to_client = [std::mem::take(&mut client.rest), std::mem::take(&mut out)].concat();
                let (plain, end) = listen(&mut client.session, &mut desk, &to_client, 50, &mut out);
                assert_eq!((plain.as_slice(), end), (&b"to the device"[..], End::Open));
                client.session.seal_slice(&mut desk, &mut out, b"to the server").expect("seals");
                client.session.close(&mut desk, &mut out);
                let mut answer = Vec::new();
                let (plain, end) = listen(&mut server.session, &mut desk, &out, 9, &mut answer);
                assert_eq!((plain.as_slice(), end), (&b"to the server"[..], End::PeerClosed));
            }
        }
    }
}

#[test]
fn a_ticket_survives_a_restart_with_the_same_keys() {
    for mut world in worlds() {
        let connector = world.connector(Some(Version::Tls13));
        let visit = |world: &World, connector: &Connector| {
            let (server, mut client) = meet_ours(&world.acceptor(), connector).expect("met");
            let rest = std::mem::take(&mut client.rest);
            let (_, end) = listen(&mut client.session, &mut Desk::default(), &rest, 1_000, &mut Vec::new());
            assert_eq!(end, End::Open);
            server.facts.resumed
        };
        assert!(!visit(&world, &connector));
        // All that a restart keeps is the keys; then come epochs.
        for (epoch, previous, resumes) in [(1, &[][..], true), (2, &[1], true), (3, &[2, 1], true), (9, &[8, 7], false)]
        {
            world.options.tickets = Arc::new(world::tickets(epoch, previous));
            assert_eq!(visit(&world, &connector), resumes, "epoch {epoch}");
        }
    }
}

#[test]
fn a_client_that_takes_tickets_costs_no_memory_here() {
    // openssl.rs has the clients that do not.
    for world in worlds() {
        for version in [Version::Tls12, Version::Tls13] {
            meet_ours(&world.acceptor(), &world.connector(Some(version))).expect("met");
        }
        assert!(world.options.session_ids.is_empty());
    }
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn the_post_quantum_hybrid_is_preferred() {
    let world = World::new(Provider::AwsLcRs, Layer::InPlace);
    let (server, _) = meet_ours(&world.acceptor(), &world.connector(None)).expect("met");
    assert_eq!(server.facts.group, Some(0x11ec), "X25519MLKEM768");
}

#[test]
fn certificates_of_clients_are_asked_for_checked_and_revoked() {
    for world in worlds() {
        let provider = world.options.provider;
        let device = client_identity(&world.authority, provider);
        let print = fingerprint(&device.chain()[0]);
        let revoked = Revoked::default();
        let clients = ClientAuth { roots: vec![world.root()], required: true, revoked: revoked.clone() };
        let world = world.with_clients(clients);
        let acceptor = world.acceptor();
        for version in [Version::Tls12, Version::Tls13] {
            revoked.replace([]);
            let mut options = world.connector_options(Some(version));
            let nobody = Connector::new(&options).expect("a connector");
            let refused = meet_ours(&acceptor, &nobody);
            assert!(matches!(refused, Err(Fault::Handshake(_))), "{version:?} without a certificate");
            options.identity = Some(device.clone());
            let connector = Connector::new(&options).expect("a connector");
            for visit in 0..2 {
                let (server, mut client) = meet_ours(&acceptor, &connector).expect("met");
                assert_eq!((server.facts.client_fingerprint, server.facts.resumed), (Some(print), visit > 0));
                let rest = std::mem::take(&mut client.rest);
                listen(&mut client.session, &mut Desk::default(), &rest, 1_000, &mut Vec::new());
            }
            revoked.replace([print]);
            assert_eq!(meet_ours(&acceptor, &connector).map(|_| ()), Err(Fault::Revoked), "even when it resumes");
        }
    }
}

/// A listener for clients' certificates on the keys of `world`, with these authorities.
fn mutual(world: &World, roots: Vec<linchpin_tls::pki_types::CertificateDer<'static>>) -> linchpin_tls::Acceptor {
    let clients = ClientAuth { roots, required: true, revoked: Revoked::default() };
    let options = linchpin_tls::AcceptorOptions { clients: Some(clients), ..copy(&world.options) };
    linchpin_tls::Acceptor::new(&options).expect("an acceptor")
}

fn copy(options: &linchpin_tls::AcceptorOptions) -> linchpin_tls::AcceptorOptions {
    linchpin_tls::AcceptorOptions {
        provider: options.provider,
        certificates: Arc::clone(&options.certificates),
        tickets: Arc::clone(&options.tickets),
        session_ids: Arc::clone(&options.session_ids),
        clients: options.clients.clone(),
        layer: options.layer,
        alpn: options.alpn.clone(),
        challenges: Arc::clone(&options.challenges),
        clock: options.clock.clone(),
    }
}

/// Meet, and take the tickets that come behind the handshake; resumed?
fn visit(acceptor: &linchpin_tls::Acceptor, connector: &Connector) -> Result<bool, Fault> {
    let (server, mut client) = meet_ours(acceptor, connector)?;
    let rest = std::mem::take(&mut client.rest);
    listen(&mut client.session, &mut Desk::default(), &rest, 1_000, &mut Vec::new());
    Ok(server.facts.resumed)
}

/// The authority of clients is replaced and the server restarts: the ticket keys are the same, and whoever has a ticket of
/// the old authority must show a certificate of the new one.
#[test]
fn a_ticket_does_not_outlive_its_authority() {
    for world in worlds() {
        let other = World::new(world.options.provider, world.options.layer);
        let device = client_identity(&world.authority, world.options.provider);
        for version in [Version::Tls12, Version::Tls13] {
            let options = ConnectorOptions { identity: Some(device.clone()), ..world.connector_options(Some(version)) };
            let connector = Connector::new(&options).expect("a connector");
            let (old, new) = (world.root(), other.root());
            assert_eq!(visit(&mutual(&world, vec![old.clone()]), &connector), Ok(false));
            assert_eq!(visit(&mutual(&world, vec![old.clone()]), &connector), Ok(true), "a restart");
            let both = mutual(&world, vec![new.clone(), old.clone()]);
            assert_eq!(visit(&both, &connector), Ok(false), "other authorities: a full handshake");
            assert_eq!(visit(&mutual(&world, vec![old, new.clone()]), &connector), Ok(true), "in any order");
            let refused = visit(&mutual(&world, vec![new]), &connector);
            assert!(matches!(refused, Err(Fault::Handshake(_))), "{version:?} the old one is gone: {refused:?}");
        }
    }
}

#[test]
fn a_session_ends_with_the_certificate_of_its_client() {
    for world in worlds() {
        let hour = std::time::Duration::from_secs(3_600);
        let made = world.authority.client("device-9", NOW_S, hour).expect("a certificate");
        let provider = world.options.provider;
        let device =
            linchpin_tls::Identity::from_pem(made.chain_pem.as_bytes(), made.key_pem.as_bytes(), provider, NOW_S);
        let acceptor = mutual(&world, vec![world.root()]);
        for version in [Version::Tls12, Version::Tls13] {
            world.clock.set(NOW_S);
            let identity = Some(device.clone().expect("an identity"));
            let options = ConnectorOptions { identity, ..world.connector_options(Some(version)) };
            let connector = Connector::new(&options).expect("a connector");
            assert_eq!(visit(&acceptor, &connector), Ok(false));
            assert_eq!(visit(&acceptor, &connector), Ok(true));
            world.clock.set(NOW_S + 3_700);
            assert_eq!(visit(&acceptor, &connector), Err(Fault::ClientExpired), "{version:?}");
        }
        world.clock.set(NOW_S);
    }
}

#[test]
fn a_client_that_offers_no_protocol_is_never_refused_for_it() {
    for mut world in worlds() {
        world.options.alpn = vec![b"http/1.1".to_vec()];
        let acceptor = world.acceptor();
        let offering = |alpn: &[&[u8]]| {
            let mut options = world.connector_options(None);
            options.alpn = alpn.iter().map(|protocol| protocol.to_vec()).collect();
            meet_ours(&acceptor, &Connector::new(&options).expect("a connector")).map(|(server, _)| server.facts.alpn)
        };
        assert_eq!(offering(&[]), Ok(None), "a device");
        assert_eq!(offering(&[b"h2", b"http/1.1"]), Ok(Some(b"http/1.1".to_vec())), "a browser");
        assert!(offering(&[b"h2"]).is_err());
    }
}

#[test]
fn a_stranger_as_authority_is_refused_by_our_client() {
    let world = World::new(Provider::default(), Layer::InPlace);
    let other = World::new(Provider::default(), Layer::InPlace);
    let refused = meet_ours(&world.acceptor(), &other.connector(None));
    assert!(matches!(refused, Err(Fault::Handshake(rustls::Error::InvalidCertificate(_)))));
}

#[test]
fn reload_changes_the_next_handshake_and_no_session() {
    let world = World::new(Provider::default(), Layer::InPlace);
    let acceptor = world.acceptor();
    let config = world.rustls_client(None);
    let (mut server, mut client) = meet(&acceptor, &config, 1_000).expect("met");
    let before = client.peer_certificates().expect("a chain")[0].clone();
    let fresh = identity(&world.authority, &[NAME], Provider::default());
    world.options.certificates.replace(vec![fresh.clone()]).expect("one identity");
    let (_, other) = meet(&acceptor, &world.rustls_client(None), 1_000).expect("met");
    assert_eq!(other.peer_certificates().expect("a chain")[0], fresh.chain()[0]);
    assert_ne!(before, fresh.chain()[0]);
    let (mut desk, mut out) = (Desk::default(), Vec::new());
    server.session.seal_slice(&mut desk, &mut out, b"still here").expect("seals");
    hand(&mut client, &out, 1_000).expect("opens");
    assert_eq!(heard(&mut client), b"still here");
    assert!(world.options.certificates.replace(Vec::new()).is_err(), "never none at all");
}

#[test]
fn one_ticket_is_sent_and_no_early_bytes_are_taken() {
    let world = World::new(Provider::default(), Layer::InPlace);
    let mut config = Arc::unwrap_or_clone(world.rustls_client(None));
    config.enable_early_data = true;
    let config = Arc::new(config);
    let acceptor = world.acceptor();
    let (_, client) = meet(&acceptor, &config, 1_000).expect("met");
    assert_eq!(client.tls13_tickets_received(), 1);
    let mut again = rustls::ClientConnection::new(config, world::name()).expect("a client");
    assert!(again.early_data().is_none(), "the server offered none");
}

#[test]
fn what_is_no_good_handshake_is_closed_with_an_alert() {
    for world in worlds() {
        let acceptor = world.acceptor();
        // A hello, damaged at every place: never a panic, never an endless wait for what cannot come.
        let mut client = rustls::ClientConnection::new(world.rustls_client(None), world::name()).expect("a client");
        let mut hello = Vec::new();
        client.write_tls(&mut hello).expect("memory");
        for at in (0..hello.len()).step_by(3) {
            let mut damaged = hello.clone();
            damaged[at] ^= 0x55;
            let (mut server, mut out) = (world::Server::new(), Vec::new());
            if let Err(fault) = server.feed(&acceptor, &damaged, &mut out) {
                assert!(!out.is_empty(), "byte {at}: {fault} without an alert");
            }
        }
        // More than a handshake may have.
        let (mut server, mut out) = (world::Server::new(), Vec::new());
        server.feed(&acceptor, &hello, &mut out).expect("a good hello");
        let mut fault = None;
        for _ in 0..200 {
            fault = server.feed(&acceptor, &[&[22, 3, 3, 0, 96][..], &[0xff; 96]].concat(), &mut out).err();
            if fault.is_some() {
                break;
            }
        }
        assert!(fault.is_some());
    }
}

#[test]
fn a_resumed_handshake_is_told_from_a_full_one_by_rustls_too() {
    let world = World::new(Provider::default(), Layer::InPlace);
    let (acceptor, config) = (world.acceptor(), world.rustls_client(None));
    let kinds = [0, 1].map(|_| {
        let (server, client) = meet(&acceptor, &config, 1_000).expect("met");
        (server.facts.resumed, client.handshake_kind())
    });
    assert_eq!(kinds[0], (false, Some(HandshakeKind::Full)));
    assert_eq!(kinds[1], (true, Some(HandshakeKind::Resumed)));
    world.clock.set(NOW_S + 30 * 86_400);
    let (server, _) = meet(&acceptor, &config, 1_000).expect("met");
    assert!(!server.facts.resumed, "time goes on");
}

//! Alerts, key updates, renegotiation, tickets.

use super::*;
use crate::Alert;
use crate::record::ContentType;
use crate::session::keys::RX;

const UPDATE: [u8; 5] = [24, 0, 0, 1, 0];
const UPDATE_WISH: [u8; 5] = [24, 0, 0, 1, 1];

/// The client sends one record of its own making; gives what the server made of it and what it answered.
fn told(version: Version, kind: ContentType, content: &[u8]) -> (End, Vec<u8>) {
    let (mut client, mut server) = pair(version, Suite::Aes128Gcm);
    let (mut desk, mut out, mut answer) = (desk(), Vec::new(), Vec::new());
    client.seal_small(&mut desk, &mut out, kind, content);
    let (plain, end) = read(&mut server, &mut desk, &out, 3, &mut answer);
    assert!(plain.is_empty());
    (end, answer)
}

#[test]
fn keys_change_both_ways_as_often_as_is_decent() {
    for suite in [Suite::Aes128Gcm, Suite::Aes256Gcm, Suite::ChaCha20Poly1305] {
        let (mut client, mut server) = pair(Version::Tls13, suite);
        let (mut desk_a, mut desk_b) = (desk(), desk());
        for n in 0..100u8 {
            let (mut up, mut down) = (Vec::new(), Vec::new());
            client.send_key_update(&mut desk_a, &mut up, n % 2 == 0);
            say(&mut client, &mut desk_a, &[n], &mut up);
            assert_eq!(read(&mut server, &mut desk_b, &up, 4, &mut down), (vec![n], End::Open));
            assert_eq!(down.is_empty(), n % 2 == 1, "asked for, one answer");
            say(&mut server, &mut desk_b, &[n, n], &mut down);
            assert_eq!(read(&mut client, &mut desk_a, &down, 6, &mut Vec::new()), (vec![n, n], End::Open));
        }
        assert_eq!(client.records(), (1, 2), "the last update was ours alone");
    }
}

#[test]
fn many_wishes_get_one_answer_and_too_many_end_it() {
    let (mut client, mut server) = pair(Version::Tls13, Suite::Aes128Gcm);
    let (mut desk, mut up, mut down) = (desk(), Vec::new(), Vec::new());
    for _ in 0..crate::limits::KEY_UPDATES {
        client.send_key_update(&mut desk, &mut up, true);
    }
    assert_eq!(read(&mut server, &mut desk, &up, 9_999, &mut down), (vec![], End::Open));
    assert_eq!(down.len(), 5 + 5 + 17, "one answer");
    let mut more = Vec::new();
    client.send_key_update(&mut desk, &mut more, false);
    assert_eq!(read(&mut server, &mut desk, &more, 9_999, &mut down), (vec![], End::Failed(Fault::KeyUpdates)));
}

#[test]
fn an_answer_goes_before_the_next_record_under_the_old_key() {
    let (mut client, mut server) = pair(Version::Tls13, Suite::Aes128Gcm);
    let (mut desk, mut up, mut down) = (desk(), Vec::new(), Vec::new());
    client.send_key_update(&mut desk, &mut up, true);
    say(&mut client, &mut desk, b"ping", &mut up);
    let mut input = Input::new(&mut up);
    // The caller answers in the midst of reading.
    assert_eq!(server.open(&mut desk, &mut input, &mut down), Ok(Opened::Plain(&mut b"ping".to_vec()[..])));
    say(&mut server, &mut desk, b"pong", &mut down);
    assert_eq!(server.open(&mut desk, &mut input, &mut down), Ok(Opened::Drained));
    assert_eq!(read(&mut client, &mut desk, &down, 9_999, &mut Vec::new()), (b"pong".to_vec(), End::Open));
    assert_eq!(client.records().1, 1, "the key changed before the answer");
}

#[test]
fn key_updates_may_be_cut_into_records_but_must_end_one() {
    let (mut client, mut server) = pair(Version::Tls13, Suite::Aes128Gcm);
    let (mut desk, mut up) = (desk(), Vec::new());
    for byte in UPDATE {
        client.seal_small(&mut desk, &mut up, ContentType::Handshake, &[byte]);
    }
    client.update(&mut desk, TX);
    say(&mut client, &mut desk, b"new key", &mut up);
    assert_eq!(read(&mut server, &mut desk, &up, 7, &mut Vec::new()), (b"new key".to_vec(), End::Open));

    let twice = [UPDATE, UPDATE].concat();
    let handshake = |content: &[u8]| told(Version::Tls13, ContentType::Handshake, content).0;
    assert_eq!(handshake(&twice), End::Failed(Fault::UnexpectedMessage(24)));
    assert_eq!(handshake(&[24, 0, 0, 1, 2]), End::Failed(Fault::Illegal("a key update that is neither 0 nor 1")));
    assert_eq!(handshake(&[24, 0, 0, 2]), End::Failed(Fault::Malformed("the length of a message after the handshake")));
    assert_eq!(handshake(&[1, 0, 0, 1, 0]), End::Failed(Fault::UnexpectedMessage(1)));
    assert_eq!(handshake(&[4, 0, 0, 1, 0]), End::Failed(Fault::UnexpectedMessage(4)), "no server takes tickets");
    assert_eq!(handshake(&[]), End::Failed(Fault::NoContent("a handshake record")));
    assert_eq!(handshake(&UPDATE[..4]), End::Open, "the rest may come");

    let (mut client, mut server) = pair(Version::Tls13, Suite::Aes128Gcm);
    let mut up = Vec::new();
    client.seal_small(&mut desk, &mut up, ContentType::Handshake, &UPDATE_WISH[..3]);
    say(&mut client, &mut desk, b"between", &mut up);
    let fault = Fault::Malformed("another record within a handshake message");
    assert_eq!(read(&mut server, &mut desk, &up, 7, &mut Vec::new()), (vec![], End::Failed(fault)));
}

#[test]
fn alerts_say_what_they_say() {
    for version in [Version::Tls12, Version::Tls13] {
        let alert = |content: &[u8]| told(version, ContentType::Alert, content);
        assert_eq!(alert(&[1, 0]), (End::PeerClosed, vec![]));
        assert_eq!(alert(&[2, 0]).0, End::PeerClosed, "whatever level it has");
        assert_eq!(alert(&[2, 40]), (End::Failed(Fault::PeerAlert(40)), vec![]), "no answer to a fatal alert");
        assert_eq!(alert(&[1, 90]).0, End::Open);
        assert_eq!(alert(&[1]).0, End::Failed(Fault::Malformed("an alert that is not 2 bytes long")));
        assert_eq!(alert(&[1, 0, 1]).0, End::Failed(Fault::Malformed("an alert that is not 2 bytes long")));
        assert_eq!(alert(&[3, 0]).0, End::Failed(Fault::Illegal("the level of an alert")));
    }
    let polite = |version| told(version, ContentType::Alert, &[1, 112]).0;
    assert_eq!(polite(Version::Tls12), End::Open);
    assert_eq!(polite(Version::Tls13), End::Failed(Fault::PeerAlert(112)));
}

#[test]
fn warnings_are_counted() {
    let (mut client, mut server) = pair(Version::Tls12, Suite::ChaCha20Poly1305);
    let (mut desk, mut up) = (desk(), Vec::new());
    for _ in 0..=crate::limits::WARNINGS {
        client.seal_small(&mut desk, &mut up, ContentType::Alert, &[1, 41]);
    }
    assert_eq!(read(&mut server, &mut desk, &up, 7, &mut Vec::new()), (vec![], End::Failed(Fault::Warnings)));
}

#[test]
fn renegotiation_is_refused_politely_once() {
    let (mut client, mut server) = pair(Version::Tls12, Suite::Aes128Gcm);
    let (mut desk, mut up, mut down) = (desk(), Vec::new(), Vec::new());
    client.seal_small(&mut desk, &mut up, ContentType::Handshake, &[1, 0, 0, 3, 7, 7, 7]);
    say(&mut client, &mut desk, b"goes on", &mut up);
    assert_eq!(read(&mut server, &mut desk, &up, 7, &mut down), (b"goes on".to_vec(), End::Open));
    let (_, end) = read(&mut client, &mut desk, &down, 7, &mut Vec::new());
    assert_eq!(end, End::Open, "a warning");
    assert_eq!(client.link().warnings, 1);
    up.clear();
    client.seal_small(&mut desk, &mut up, ContentType::Handshake, &[1, 0, 0, 3, 7, 7, 7]);
    assert_eq!(read(&mut server, &mut desk, &up, 7, &mut down), (vec![], End::Failed(Fault::Renegotiation)));
    let handshake = |content: &[u8]| told(Version::Tls12, ContentType::Handshake, content).0;
    assert_eq!(handshake(&[0, 0, 0, 0]), End::Failed(Fault::UnexpectedMessage(0)), "a client asks for nothing");
    assert!(matches!(handshake(&[1, 0, 0, 9, 1]), End::Failed(Fault::Malformed(_))));
    assert!(matches!(handshake(&[1, 0]), End::Failed(Fault::Malformed(_))));
    let ccs = told(Version::Tls12, ContentType::ChangeCipherSpec, &[1]).0;
    assert_eq!(ccs, End::Failed(Fault::RecordType(20)));
}

#[test]
fn tickets_that_nobody_keeps_are_read_over_in_any_pieces() {
    let (mut client, mut server) = pair(Version::Tls13, Suite::Aes128Gcm);
    let (mut desk, mut down) = (desk(), Vec::new());
    let ticket = [&[4, 0, 1, 0][..], &[7; 256]].concat();
    let two = [ticket.clone(), ticket].concat();
    server.seal_small(&mut desk, &mut down, ContentType::Handshake, &two);
    for piece in two.chunks(99) {
        server.seal_small(&mut desk, &mut down, ContentType::Handshake, piece);
    }
    say(&mut server, &mut desk, b"after", &mut down);
    let idle = client.held_bytes();
    assert_eq!(read(&mut client, &mut desk, &down, 50, &mut Vec::new()), (b"after".to_vec(), End::Open));
    assert_eq!(client.held_bytes(), idle, "nothing is left of them");
    let mut endless = Vec::new();
    for _ in 0..30 {
        server.seal_small(&mut desk, &mut endless, ContentType::Handshake, &[&[4, 0, 0x4f, 0][..], &[0; 996]].concat());
    }
    let (_, end) = read(&mut client, &mut desk, &endless, 50, &mut Vec::new());
    assert!(matches!(end, End::Failed(_)), "{end:?}");
}

#[test]
fn each_side_closes_once_and_the_other_may_go_on() {
    for (version, suite) in KINDS {
        let (mut client, mut server) = pair(version, suite);
        let (mut desk, mut up, mut down) = (desk(), Vec::new(), Vec::new());
        say(&mut client, &mut desk, b"last", &mut up);
        client.close(&mut desk, &mut up);
        let len = up.len();
        client.close(&mut desk, &mut up);
        assert_eq!(up.len(), len, "once");
        assert_eq!(client.seal_records(&mut desk, &mut vec![0; 50], &Sealing { at: 0, gap: 5 }), Err(Fault::Closed));
        up.extend([99; 40]);
        assert_eq!(read(&mut server, &mut desk, &up, 9, &mut down), (b"last".to_vec(), End::PeerClosed));
        say(&mut server, &mut desk, b"an answer", &mut down);
        server.close(&mut desk, &mut down);
        assert_eq!(read(&mut client, &mut desk, &down, 9, &mut up), (b"an answer".to_vec(), End::PeerClosed));
        assert_eq!(read(&mut client, &mut desk, &[1], 9, &mut up), (vec![], End::Failed(Fault::Closed)));
    }
}

#[test]
fn faults_tell_the_peer_what_was_wrong() {
    for fault in [Fault::BadRecordMac, Fault::RecordOverflow(20_000), Fault::KeyUpdates, Fault::AssemblyBudget(5)] {
        let (mut client, mut server) = pair(Version::Tls13, Suite::ChaCha20Poly1305);
        let (mut desk, mut down) = (desk(), Vec::new());
        let expected = fault.alert().map(|alert: Alert| alert as u8).expect("an alert");
        server.fail(&mut desk, &mut down, fault);
        let (_, end) = read(&mut client, &mut desk, &down, 99, &mut Vec::new());
        assert_eq!(end, End::Failed(Fault::PeerAlert(expected)));
    }
}

/// The alerts that RFC 8446 asks for, by number: 5.4 (a record without content), 4.6.3 (a value of a key update).
#[test]
fn each_fault_has_the_alert_of_the_standard() {
    const UNEXPECTED: u8 = 10;
    const ILLEGAL: u8 = 47;
    const DECODE: u8 = 50;
    let told = |kind, content: &[u8]| {
        let (mut client, mut server) = pair(Version::Tls13, Suite::Aes128Gcm);
        let (mut desk, mut up, mut down) = (desk(), Vec::new(), Vec::new());
        match kind {
            Some(kind) => client.seal_small(&mut desk, &mut up, kind, content),
            None => up = raw_13(&mut client, content),
        }
        read(&mut server, &mut desk, &up, 99, &mut down);
        read(&mut client, &mut desk, &down, 99, &mut Vec::new()).1
    };
    let alert = |number| End::Failed(Fault::PeerAlert(number));
    let (alerts, messages) = (Some(ContentType::Alert), Some(ContentType::Handshake));
    assert_eq!(told(alerts, &[]), alert(UNEXPECTED), "an empty alert");
    assert_eq!(told(messages, &[]), alert(UNEXPECTED), "an empty handshake record");
    assert_eq!(told(None, &[0; 30]), alert(UNEXPECTED), "a record whose type is zero");
    assert_eq!(told(None, &[]), alert(UNEXPECTED), "a record without a type");
    assert_eq!(told(messages, &[24, 0, 0, 1, 2]), alert(ILLEGAL));
    assert_eq!(told(messages, &[24, 0, 0, 1, 255]), alert(ILLEGAL));
    assert_eq!(told(messages, &[24, 0, 0, 2, 0, 0]), alert(DECODE), "a key update of two bytes");
    assert_eq!(told(alerts, &[7, 40]), alert(ILLEGAL), "an alert of level 7");
    assert_eq!(told(alerts, &[1]), alert(DECODE), "half an alert");
}

#[test]
fn a_fault_wipes_the_keys_at_once() {
    for (version, suite) in KINDS {
        let (_, mut server) = pair(version, suite);
        let keys = |server: &mut InPlace| [TX, RX].map(|at| server.parts(at).1.key.to_vec());
        assert!(keys(&mut server).iter().flatten().any(|byte| *byte != 0));
        server.fail(&mut desk(), &mut Vec::new(), Fault::BadRecordMac);
        assert!(keys(&mut server).iter().flatten().all(|byte| *byte == 0), "{version:?} {suite:?}");
        let secrets = [TX, RX].map(|at| server.parts(at).1.secret.to_vec());
        assert!(secrets.iter().flatten().all(|byte| *byte == 0), "{version:?} {suite:?}");
    }
}

//! Where it ends: numbers, empty records, memory.

use super::*;
use crate::limits::{EMPTY_RECORDS, GCM_RECORDS, REKEY_MARGIN};
use crate::record::ContentType;

#[test]
fn tls_13_changes_its_key_in_time() {
    for suite in [Suite::Aes128Gcm, Suite::Aes256Gcm] {
        let (mut client, mut server) = pair_at(Version::Tls13, suite, GCM_RECORDS - REKEY_MARGIN);
        let (mut desk, mut up) = (desk(), Vec::new());
        say(&mut client, &mut desk, b"on the new key", &mut up);
        assert_eq!(client.records().0, 1, "an update, then the first record of the new key");
        assert_eq!(read(&mut server, &mut desk, &up, 9, &mut Vec::new()), (b"on the new key".to_vec(), End::Open));
    }
    let (mut client, _) = pair_at(Version::Tls13, Suite::ChaCha20Poly1305, GCM_RECORDS);
    say(&mut client, &mut desk(), b"ChaCha has time", &mut Vec::new());
    assert_eq!(client.records().0, GCM_RECORDS + 1);
}

#[test]
fn tls_12_ends_when_its_key_is_used_up() {
    let (mut client, mut server) = pair_at(Version::Tls12, Suite::Aes128Gcm, GCM_RECORDS - 1);
    let (mut desk, mut up) = (desk(), b"before".to_vec());
    say(&mut client, &mut desk, b"the last", &mut up);
    let sealing = client.begin(&mut desk, &mut up);
    up.extend_from_slice(b"one too many");
    assert_eq!(client.seal(&mut desk, &mut up, sealing), Err(Fault::KeyExhausted(GCM_RECORDS)));
    assert!(!up.windows(3).any(|window| window == b"one"), "no plaintext is left in the output");
    let (plain, end) = read(&mut server, &mut desk, &up[6..], 99, &mut Vec::new());
    assert_eq!((plain, end), (b"the last".to_vec(), End::PeerClosed));
}

#[test]
fn the_peers_number_never_wraps() {
    let (mut client, mut server) = pair_at(Version::Tls12, Suite::ChaCha20Poly1305, u64::MAX - 1);
    let (mut desk, mut up) = (desk(), Vec::new());
    client.seal_alert(&mut desk, &mut up, crate::Alert::UserCanceled);
    up.extend_from_slice(&up.clone());
    let (_, end) = read(&mut server, &mut desk, &up, 99, &mut Vec::new());
    assert_eq!(end, End::Failed(Fault::KeyExhausted(u64::MAX)));
}

#[test]
fn empty_records_are_counted_in_a_row() {
    for (version, suite) in KINDS {
        let (mut client, mut server) = pair(version, suite);
        let (mut desk, mut up) = (desk(), Vec::new());
        for _ in 0..3 {
            for _ in 0..EMPTY_RECORDS {
                client.seal_small(&mut desk, &mut up, ContentType::ApplicationData, &[]);
            }
            say(&mut client, &mut desk, b"x", &mut up);
        }
        assert_eq!(read(&mut server, &mut desk, &up, 9, &mut Vec::new()), (b"xxx".to_vec(), End::Open));
        up.clear();
        for _ in 0..=EMPTY_RECORDS {
            client.seal_small(&mut desk, &mut up, ContentType::ApplicationData, &[]);
        }
        assert_eq!(read(&mut server, &mut desk, &up, 9, &mut Vec::new()), (vec![], End::Failed(Fault::EmptyRecords)));
    }
}

#[test]
fn pieces_cost_what_is_there_and_not_what_a_header_claims() {
    let (mut client, mut first) = pair(Version::Tls13, Suite::Aes128Gcm);
    let (_, mut second) = pair(Version::Tls13, Suite::Aes128Gcm);
    let (mut desk, mut up, mut out) = (desk(), Vec::new(), Vec::new());
    client.set_fragment_bytes(16_384);
    say(&mut client, &mut desk, &[7; 16_384], &mut up);
    let idle = first.held_bytes();
    assert_eq!(read(&mut first, &mut desk, &up[..4], 1, &mut out), (vec![], End::Open));
    assert!(desk.assembly.taken_bytes() <= 8 && first.awaits_rest(), "a header is all that is known");
    assert_eq!(read(&mut first, &mut desk, &up[4..6], 1, &mut out), (vec![], End::Open));
    assert!(desk.assembly.taken_bytes() <= 12, "it claims 16 KiB, and six bytes are there");
    assert_eq!(read(&mut first, &mut desk, &up[6..1_000], 512, &mut out), (vec![], End::Open));
    assert!((1_000..=2_000).contains(&desk.assembly.taken_bytes()), "{}", desk.assembly.taken_bytes());
    assert!(first.held_bytes() >= idle + 1_000, "the ledger sees it");
    assert_eq!(read(&mut second, &mut desk, &up[..1_000], 512, &mut out), (vec![], End::Open), "a neighbour has room");
    drop(second);
    let mut tight = Desk { keys: KeyCache::new(1), assembly: AssemblyBudget::new(500) };
    let (_, mut third) = pair(Version::Tls13, Suite::Aes128Gcm);
    let refused = read(&mut third, &mut tight, &up[..1_000], 512, &mut out);
    assert_eq!(refused, (vec![], End::Failed(Fault::AssemblyBudget(500))), "the last bound");
    assert_eq!(read(&mut first, &mut desk, &up[1_000..], 512, &mut out).0.len(), 16_384);
    assert!(!first.awaits_rest());
    assert_eq!((desk.assembly.taken_bytes(), first.held_bytes()), (0, idle));
    read(&mut first, &mut desk, &up[..1_000], 512, &mut out);
    drop(first);
    assert_eq!(desk.assembly.taken_bytes(), 0, "a connection that goes gives back what it had");
}

#[test]
fn an_idle_connection_takes_what_the_page_says() {
    let held = KINDS.map(|(version, suite)| pair(version, suite).1.held_bytes());
    assert_eq!(held, [104, 136, 136, 168, 232, 200]);
    assert_eq!(size_of::<Option<Session>>(), 16);
    assert!(size_of::<LessSafeKey>() > 2 * held[5], "why expanded keys are only cached");
}

#[test]
fn neither_keys_nor_secrets_show_in_debug_texts() {
    let (client, _) = pair(Version::Tls13, Suite::Aes128Gcm);
    assert_eq!(format!("{client:?}"), "InPlace(Client, Tls13, Aes128Gcm)");
    assert_eq!(format!("{:?}", desk().keys), "KeyCache(0 of 4)");
}

//! Cutting, fragments, padding, damage.

use proptest::prelude::*;

use super::*;
use crate::limits::{FRAGMENT_BYTES, MAX_PLAINTEXT_BYTES};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the lengths and however the wire cuts: what was said is what is read.
    #[test]
    fn what_is_sealed_opens_however_it_is_cut(
        kind in 0usize..6,
        says in proptest::collection::vec(0usize..5_000, 1..5),
        fragment in 1usize..4_000,
        chunk in 1usize..6_000,
    ) {
        let (version, suite) = KINDS[kind];
        let (mut client, mut server) = pair(version, suite);
        let (mut desk_a, mut desk_b) = (desk(), desk());
        client.set_fragment_bytes(fragment);
        let (mut out, mut said) = (Vec::new(), Vec::new());
        for (n, len) in says.iter().enumerate() {
            let plain: Vec<u8> = (0..*len).map(|i| (i * 7 + n) as u8).collect();
            say(&mut client, &mut desk_a, &plain, &mut out);
            said.extend(plain);
        }
        let mut answers = Vec::new();
        let (plain, end) = read(&mut server, &mut desk_b, &out, chunk, &mut answers);
        prop_assert_eq!(plain, said);
        prop_assert_eq!(end, End::Open);
        prop_assert!(answers.is_empty());
        prop_assert_eq!(desk_b.assembly.taken_bytes(), 0, "no piece is left");
        prop_assert_eq!(client.records().0, server.records().1);
    }

    /// A damaged byte anywhere closes, and what came before is good.
    #[test]
    fn damage_closes(kind in 0usize..6, at in 0usize..400, bit in 0u8..8, chunk in 1usize..200) {
        let (version, suite) = KINDS[kind];
        let (mut client, mut server) = pair(version, suite);
        let (mut desk, mut out) = (desk(), Vec::new());
        say(&mut client, &mut desk, &[1; 100], &mut out);
        let first = out.len();
        say(&mut client, &mut desk, &[2; 100], &mut out);
        let at = at % out.len();
        out[at] ^= 1 << bit;
        // A longer length waits for bytes: send some.
        out.extend([0; 20_000]);
        let mut answers = Vec::new();
        let (plain, end) = read(&mut server, &mut desk, &out, chunk, &mut answers);
        prop_assert_eq!(plain, if at < first { vec![] } else { vec![1; 100] });
        prop_assert!(matches!(end, End::Failed(_)), "{:?}", end);
        let (_, client_end) = read(&mut client, &mut desk, &answers, 1_000, &mut Vec::new());
        prop_assert!(matches!(client_end, End::Failed(Fault::PeerAlert(_))), "the client is told: {:?}", client_end);
        let again = read(&mut server, &mut desk, &[23, 3, 3, 0, 30], 1, &mut answers);
        prop_assert_eq!(again, (vec![], End::Failed(Fault::Closed)));
        prop_assert_eq!(desk.assembly.taken_bytes(), 0);
    }

    /// Any bytes at all end in a fault or wait, and never take more memory than one record.
    #[test]
    fn takes_any_bytes(kind in 0usize..6, bytes in proptest::collection::vec(any::<u8>(), 0..600), chunk in 1usize..99) {
        let (version, suite) = KINDS[kind];
        let (_, mut server) = pair(version, suite);
        let (plain, _) = read(&mut server, &mut desk(), &bytes, chunk, &mut Vec::new());
        prop_assert!(plain.is_empty());
    }
}

#[test]
fn fragments_are_as_long_as_the_peer_asked_for() {
    for (version, suite) in KINDS {
        let (up, down) = (direction(version, suite, 1, 0), direction(version, suite, 2, 0));
        let mut server = InPlace::new(Side::Server, version, suite, Some(512), &down, &up);
        server.set_fragment_bytes(4_000);
        let (mut desk, mut out) = (desk(), Vec::new());
        say(&mut server, &mut desk, &[7; 1_300], &mut out);
        let mut lens = Vec::new();
        let mut rest = &out[..];
        while let Some(&[23, 3, 3, high, low]) = rest.first_chunk() {
            let len = usize::from(u16::from_be_bytes([high, low]));
            lens.push(len);
            rest = &rest[5 + len..];
        }
        let added = match (version, suite) {
            (Version::Tls13, _) => 17,
            (Version::Tls12, Suite::ChaCha20Poly1305) => 16,
            (Version::Tls12, _) => 24,
        };
        assert_eq!(lens, [512 + added, 512 + added, 276 + added]);
    }
}

#[test]
fn the_default_fragment_suits_small_clients_and_can_be_raised() {
    let (mut client, mut server) = pair(Version::Tls13, Suite::Aes128Gcm);
    let (mut desk, mut out) = (desk(), Vec::new());
    say(&mut server, &mut desk, &[7; 5_000], &mut out);
    assert_eq!(out.len(), 5_000 + 5_000_usize.div_ceil(FRAGMENT_BYTES) * 22);
    server.set_fragment_bytes(usize::MAX);
    let before = out.len();
    say(&mut server, &mut desk, &[8; MAX_PLAINTEXT_BYTES], &mut out);
    assert_eq!(out.len() - before, MAX_PLAINTEXT_BYTES + 22);
    let (plain, end) = read(&mut client, &mut desk, &out, 1_448, &mut Vec::new());
    assert_eq!((plain.len(), end), (5_000 + MAX_PLAINTEXT_BYTES, End::Open));
}

#[test]
fn what_stands_before_in_the_output_is_not_touched() {
    let (mut client, mut server) = pair(Version::Tls12, Suite::Aes256Gcm);
    let (mut desk, mut out) = (desk(), b"another connection's".to_vec());
    server.set_fragment_bytes(10);
    say(&mut server, &mut desk, b"thirty-one bytes in four pieces", &mut out);
    let sealing = server.begin(&mut desk, &mut out);
    server.seal(&mut desk, &mut out, sealing).expect("nothing to seal");
    assert!(out.starts_with(b"another connection's"));
    let (plain, _) = read(&mut client, &mut desk, &out[20..], 3, &mut Vec::new());
    assert_eq!(plain, b"thirty-one bytes in four pieces");
    assert_eq!(server.records().0, 5, "nothing was written for nothing");
}

#[test]
fn padding_is_taken_off() {
    let (mut client, mut server) = pair(Version::Tls13, Suite::Aes256Gcm);
    let mut bytes = raw_13(&mut client, &[b"padded", &[23][..], &[0; 300]].concat());
    bytes.extend(raw_13(&mut client, &[&[9; MAX_PLAINTEXT_BYTES][..], &[23]].concat()));
    let (plain, end) = read(&mut server, &mut desk(), &bytes, 700, &mut Vec::new());
    assert_eq!((plain.len(), end), (6 + MAX_PLAINTEXT_BYTES, End::Open));
    assert!(plain.starts_with(b"padded"));
    for (inner, fault) in [
        (vec![0; 40], Fault::NoContent("a record of padding only")),
        (vec![], Fault::NoContent("a record of padding only")),
        (vec![1, 2, 99], Fault::RecordType(99)),
        (vec![1, 20], Fault::RecordType(20)),
        ([&[9; MAX_PLAINTEXT_BYTES + 1][..], &[23]].concat(), Fault::RecordOverflow(MAX_PLAINTEXT_BYTES + 2)),
        ([&[9; 3][..], &[23], &[0; MAX_PLAINTEXT_BYTES]].concat(), Fault::RecordOverflow(MAX_PLAINTEXT_BYTES + 4)),
    ] {
        let (mut client, mut server) = pair(Version::Tls13, Suite::Aes128Gcm);
        let bytes = raw_13(&mut client, &inner);
        assert_eq!(read(&mut server, &mut desk(), &bytes, 99_999, &mut Vec::new()), (vec![], End::Failed(fault)));
    }
}

#[test]
fn a_session_moves_between_shards_at_any_byte() {
    for (version, suite) in KINDS {
        let (mut client, mut server) = pair(version, suite);
        let mut desks = [desk(), desk(), desk()];
        let mut out = Vec::new();
        for n in 0..20u8 {
            say(&mut client, &mut desk(), &[n; 40], &mut out);
        }
        let mut plain = Vec::new();
        for (n, piece) in out.chunks(17).enumerate() {
            let (more, end) = read(&mut server, &mut desks[n % 3], piece, 17, &mut Vec::new());
            assert_eq!(end, End::Open);
            if n % 2 == 0 {
                server.release(&mut desks[n % 3]);
            }
            plain.extend(more);
        }
        assert_eq!(plain, (0..20u8).flat_map(|n| [n; 40]).collect::<Vec<_>>());
        assert!(desks.iter().all(|desk| desk.assembly.taken_bytes() == 0));
    }
}

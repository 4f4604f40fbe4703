//! Bytes that the store did not write, for each file and record that a start or a read takes apart: refused or read, never a
//! panic, an endless loop or memory beyond a bound. They come from the fixtures, mutated: what is authenticated is signed
//! again afterwards, so that the decoder behind the MAC is met. `LINCHPIN_HOSTILE=1000000` tries as many of each.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use ring::hmac;

use crate::backup::Manifest;
use crate::disk::inventory::{Anchor, Inventory, InventoryPhase, Table, close};
use crate::schema::bytes::Fields;
use crate::schema::{chunk, journal, rollup};
use crate::seal::keyring::body::{Body, KeyLayout};
use crate::seal::keyring::file;
use crate::seal::unseal::Unseal;
use crate::testing::Folder;
use crate::write::mark::DiskMark;

fn fixture(name: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/formats.txt");
    let text = std::fs::read_to_string(path).expect("fixtures");
    let digits = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).expect("a fixture");
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("digits");
    digits.as_bytes().chunks(2).map(byte).collect()
}

/// A change of bytes: what stands somewhere is replaced, the whole is cut or grows.
fn mutated(seed: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let len = seed.len().max(1);
    let patch = (0..len, prop_oneof![Just(0u8), Just(0xff), Just(0x80), any::<u8>()], 1usize..9);
    (prop::collection::vec(patch, 0..4), 0..=len + 8, any::<u8>()).prop_map(move |(patches, cut, fill)| {
        let mut bytes = seed.clone();
        for (at, byte, count) in patches {
            let end = (at + count).min(bytes.len());
            bytes[at.min(end)..end].fill(byte);
        }
        bytes.resize(cut, fill);
        bytes
    })
}

/// Let the decoder take as many mutations of a seed as asked for, and the seed itself.
fn try_all(name: &str, seed: Vec<u8>, decode: impl Fn(&[u8]) -> bool) {
    assert!(decode(&seed), "{name}: what the store wrote is not read");
    let cases = std::env::var("LINCHPIN_HOSTILE").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let run = runner.run(&mutated(seed), |bytes| {
        let _ = decode(&bytes);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{name}: {error}"));
}

#[test]
fn any_bytes_of_a_keyring_are_refused_or_read() {
    let folder = Folder::new("hostile-keyring");
    let seed = fixture("keyring-1");
    let unseal = Unseal::Key(zeroize::Zeroizing::new([1; 32]));
    let body = file::open(&seed, "a keyring", &unseal).expect("opens").body.to_vec();
    try_all("keyring file", seed, |bytes| file::open(bytes, "a keyring", &unseal).is_ok());
    // Behind the seal: what a program with the key could write.
    try_all("keyring body", body, |bytes| match KeyLayout::of(bytes) {
        Ok(_) => Body::decode(bytes).expect("its layout was read").encode().len() == bytes.len(),
        Err(_) => Body::decode(bytes).is_ok(),
    });
    drop(folder);
}

#[test]
fn any_bytes_of_an_inventory_a_mark_and_an_anchor_are_refused_or_read() {
    let folder = Folder::new("hostile-inventory");
    let (path, key) = (folder.0.join("file"), hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]));
    let unsigned = |bytes: Vec<u8>| bytes[..bytes.len() - 32].to_vec();
    let table = |number| Table { number, len: 3, sha256: [3; 32] };
    let tables = (1..9).map(table).collect();
    let inventory = Inventory {
        phase: InventoryPhase::Running,
        db_id: [4; 16],
        epoch: 6,
        start_epoch: 5,
        keyring_generation: 2,
        manifest: None,
        tables,
    };
    inventory.write(&path, &key).expect("writes");
    let seed = unsigned(std::fs::read(&path).expect("reads"));
    try_all("inventory", seed, |bytes| Inventory::parse(&close(bytes.to_vec(), &key), &key).is_some());
    let mark = DiskMark { start_epoch: 1, count: 2, sequence: 3, logs: (1..9).map(|number| (number, 10)).collect() };
    let seed = unsigned(mark.encode(&key));
    try_all("mark", seed, |bytes| DiskMark::decode(&close(bytes.to_vec(), &key), &key).is_ok());
    let seed = unsigned(fixture("anchor-1"));
    // Each writes a file: fewer of them.
    for bytes in [&seed[..], &seed[..seed.len() - 1], b"", &[seed.clone(), vec![0]].concat()] {
        std::fs::write(&path, close(bytes.to_vec(), &key)).expect("writes");
        assert_eq!(Anchor::read(&path, &key).is_ok(), bytes == &seed[..]);
    }
}

#[test]
fn any_bytes_of_a_list_of_a_backup_are_refused_or_read() {
    let files =
        (0..4).map(|number| crate::backup::BackupFile { name: format!("{number:06}.sst"), len: 9, sha256: [7; 32] });
    let list = Manifest {
        id: "1-a".into(),
        db_id: [1; 16],
        created_ms: 5,
        keyring_generation: 2,
        epoch: 3,
        files: files.collect(),
    };
    let seed = list.sign(&[9; 32]);
    try_all("list of a backup", seed.clone(), |bytes| Manifest::unverified(bytes).is_some());
    try_all("signed list", seed, |bytes| Manifest::verify(bytes, &[9; 32]).is_some());
}

#[test]
fn any_bytes_of_journal_and_history_are_refused_or_read() {
    try_all("journal", fixture("journal-1"), |bytes| {
        let Ok((base_ms, raw)) = journal::unpack(bytes) else { return false };
        assert!(raw.len() <= crate::limits::BATCH_BYTES);
        let mut fields = Fields(&raw);
        while !fields.0.is_empty() {
            if journal::take_point(base_ms, &mut fields).is_err() {
                return false;
            }
        }
        true
    });
    for name in ["chunk-1", "chunk-1-floats"] {
        try_all(name, fixture(name), |bytes| {
            chunk::decode(bytes).inspect(|samples| assert!(samples.len() <= crate::limits::CHUNK_POINTS)).is_ok()
        });
    }
    try_all("rows", fixture("rollup-1"), |bytes| rollup::decode(bytes).is_ok());
}

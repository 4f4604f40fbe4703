//! Keys: rotation ended at every labelled step, erase, and no nonce twice under one key whatever is restored.

mod world;

use std::collections::HashSet;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use linchpin_protocol::model::Pin;
use linchpin_storage::backup::{FolderTarget, restore};
use linchpin_storage::schema::{Device, Org};
use linchpin_storage::{Error, NonceWatch, Settings, Steps, Store};
use world::{Folder, add_device, add_org, check_devices, close, copy, device, device_key, key, open, org, settings};

const DEVICES: u32 = 700;

fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

fn filled(folder: &Folder) {
    let store = open(&folder.0).expect("opens");
    add_org(&store, 1, "Acme");
    for number in 1..=DEVICES {
        let mut batch = store.batch();
        batch.put(&device_key(1, number), &world::a_device(number)).expect("fits");
        let entry = linchpin_storage::schema::IndexEntry { org: org(1), number };
        batch.put_index(&store.token_digest(&world::token(number)), &entry).expect("fits");
        let mut latest = linchpin_storage::schema::Latest::default();
        let value = format!("value of {number}").into_bytes().into();
        latest.values.insert(Pin::new_virtual(1), linchpin_storage::schema::LatestValue { value, at_ms: 1 });
        batch.put(&device_key(1, number), &latest).expect("fits");
        store.commit(linchpin_storage::Class::B, batch).expect("commits");
    }
    close(store);
}

#[test]
fn rotation_seals_everything_again_while_writes_go_on() {
    let folder = Folder::new("rotate");
    filled(&folder);
    let store = open(&folder.0).expect("opens");
    let rotation = std::thread::scope(|scope| {
        let writes =
            scope.spawn(|| (DEVICES + 1..=DEVICES + 200).for_each(|n| add_device(&store, 1, n).expect("commits")));
        let rotation = store.rotate_keys().expect("rotates");
        writes.join().expect("writes");
        rotation
    });
    assert!(rotation.retired && rotation.resealed >= u64::from(2 * DEVICES), "{rotation:?}");
    let status = store.key_status();
    assert_eq!((status.key_version, status.epochs), (2, 1));
    check_devices(&store, 1, DEVICES + 200).expect("reads");
    drop(store);
    let store = open(&folder.0).expect("opens");
    check_devices(&store, 1, DEVICES + 200).expect("reads");
    store.verify().expect("all is authentic");
}

#[test]
fn a_held_batch_keeps_its_key() {
    let folder = Folder::new("held");
    let store = open(&folder.0).expect("opens");
    add_org(&store, 1, "Acme");
    let mut batch = store.batch();
    batch.put(&device_key(1, 1), &world::a_device(1)).expect("fits");
    assert!(!store.rotate_keys().expect("rotates").retired, "the batch may still be committed");
    store.commit(linchpin_storage::Class::A, batch).expect("commits");
    assert!(store.get::<Device>(&device_key(1, 1)).expect("reads").is_some());
    assert!(store.rotate_keys().expect("rotates").retired);
    assert!(store.get::<Device>(&device_key(1, 1)).expect("reads").is_some());
}

/// The child of the next test, does nothing without it: rotates, and ends at the step it is told.
#[test]
fn child_that_rotates() {
    let Some(folder) = std::env::var_os("LINCHPIN_TEST_FOLDER").map(std::path::PathBuf::from) else { return };
    let step = std::env::var("LINCHPIN_TEST_STEP").expect("a step");
    let mut settings = settings(&folder);
    // `step#3`: the third time that it is reached.
    let (step, count) =
        step.split_once('#').map_or((step.clone(), 1), |(step, n)| (step.into(), n.parse().expect("n")));
    let times = std::sync::atomic::AtomicU32::new(0);
    settings.steps = Steps::new(move |reached| {
        if reached == step && times.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == count {
            // As if killed: nothing is closed.
            std::process::exit(99);
        }
    });
    let store = Store::open(settings).expect("opens");
    add_device(&store, 1, 1).expect("commits");
    store.rotate_keys().expect("rotates");
    store.rotate_root(&key(1)).expect("rotates the root");
    store.rewrap(&key(2)).expect("rewraps");
    store.erase_org(org(2)).expect("erases");
}

#[test]
fn a_crash_at_any_step_of_rotation_leaves_everything_readable() {
    let steps = [
        "before opening RocksDB",
        // Of the first seal, the rotation, the retirement, the root's rotation, the rewrapping and the erasure.
        "keyring.a written#1",
        "keyring.b written#1",
        "keyring.a written#2",
        "keyring.b written#2",
        "keyring.a written#3",
        "keyring.b written#3",
        "keyring.a written#4",
        "keyring.b written#4",
        "keyring.a written#5",
        "keyring.b written#5",
        "keyring.a written#6",
        "keyring.b written#6",
        "epoch registered",
        "mark created",
        "inventory written",
        "rotation registered",
        "rotation group sealed",
        "rotation swept",
        "rotation retired",
        "erase: key destroyed",
        "erase: records deleted",
    ];
    let base = Folder::new("steps");
    filled(&base);
    let store = open(&base.0).expect("opens");
    add_org(&store, 2, "Gone");
    drop(store);
    for step in steps {
        let folder = Folder::new("step");
        copy(&base.0, &folder.0);
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "child_that_rotates", "--test-threads=1"])
            .env("LINCHPIN_TEST_FOLDER", &folder.0)
            .env("LINCHPIN_TEST_STEP", step)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("runs");
        assert_eq!(child.code(), Some(99), "the step `{step}` was not reached");
        let begun = Instant::now();
        // Either source may hold by now: exactly one opens, and the other is refused at once.
        let with = |byte: u8| {
            let mut settings = settings(&folder.0);
            settings.unseal = key(byte);
            Store::open(settings)
        };
        let store = match with(1) {
            Ok(store) => store,
            Err(error) => {
                assert!(matches!(error, Error::Key { .. }), "{step}: {error}");
                assert!(begun.elapsed() < Duration::from_secs(1), "refusing took {:?}", begun.elapsed());
                with(2).unwrap_or_else(|error| panic!("{step}: {error}"))
            }
        };
        check_devices(&store, 1, DEVICES).unwrap_or_else(|error| panic!("{step}: {error}"));
        assert!(store.rotate_keys().expect("rotates").retired, "{step}");
        check_devices(&store, 1, DEVICES).unwrap_or_else(|error| panic!("{step}: {error}"));
        store.verify().unwrap_or_else(|error| panic!("{step}: {error}"));
    }
}

#[test]
fn an_erased_organization_cannot_be_read_from_an_older_copy_either() {
    let folder = Folder::new("erase");
    filled(&folder);
    let store = open(&folder.0).expect("opens");
    add_org(&store, 2, "Gone");
    add_device(&store, 2, 5_000).expect("commits");
    let mut lane = store.telemetry_lane().expect("a lane");
    lane.write(org(2), device(5_000), Pin::new_virtual(0), now_ms(), b"7").expect("room");
    lane.close_batch().expect("room");
    std::thread::sleep(Duration::from_millis(1_500));
    let before = Folder::new("before-erase");
    copy(&folder.0, &before.0);
    store.erase_org(org(2)).expect("erases");
    assert!(matches!(store.get::<Org>(&org(2)), Ok(None)));
    assert_eq!(store.lookup(&store.token_digest(&world::token(5_000))).expect("reads"), None);
    assert!(matches!(add_device(&store, 2, 5_001), Err(Error::Erased { org: 2 })));
    check_devices(&store, 1, DEVICES).expect("the other organization is as it was");
    store.verify().expect("all is authentic");
    drop(store);
    // The thief has the folder from before, and the keyring from after.
    for name in ["keyring.a", "keyring.b"] {
        std::fs::copy(folder.0.join("store").join(name), before.0.join("store").join(name)).expect("copies");
    }
    let mut accepting = settings(&before.0);
    accepting.accept_rollback = true;
    let store = Store::open(accepting).expect("opens");
    assert!(matches!(store.get::<Org>(&org(2)), Err(Error::Erased { org: 2 })));
    assert!(matches!(store.get::<Device>(&device_key(2, 5_000)), Err(Error::Erased { org: 2 })));
    drop(store);
    check_devices(&open(&folder.0).expect("opens"), 1, DEVICES).expect("reads");
}

#[test]
fn an_erased_device_is_gone_and_others_are_not() {
    let folder = Folder::new("erase-device");
    let store = open(&folder.0).expect("opens");
    add_org(&store, 1, "Acme");
    let mut lane = store.telemetry_lane().expect("a lane");
    for number in 1..=3 {
        add_device(&store, 1, number).expect("commits");
        lane.write(org(1), device(number), Pin::new_virtual(0), now_ms(), b"7").expect("room");
    }
    lane.close_batch().expect("room");
    store.erase_device(device_key(1, 2)).expect("erases");
    for number in 1..=3 {
        let is_there = number != 2;
        assert_eq!(store.get::<Device>(&device_key(1, number)).expect("reads").is_some(), is_there);
        assert_eq!(store.lookup(&store.token_digest(&world::token(number))).expect("reads").is_some(), is_there);
        let samples = store.samples(device_key(1, number), Pin::new_virtual(0), 0, u64::MAX / 2).expect("reads");
        assert_eq!(samples.len(), usize::from(is_there));
    }
    drop(store);
    assert!(open(&folder.0).expect("opens").get::<Device>(&device_key(1, 2)).expect("reads").is_none());
}

#[test]
fn wrong_and_missing_keys_are_refused_within_a_second() {
    let folder = Folder::new("wrong");
    filled(&folder);
    let mut wrong = settings(&folder.0);
    wrong.unseal = key(9);
    let missing = |settings: Settings| {
        let begun = Instant::now();
        let error = Store::open(settings).expect_err("refused");
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        assert!(matches!(error, Error::Key { .. }), "{error}");
        error.to_string()
    };
    assert!(missing(wrong.clone()).contains("give the key that it was sealed with"));
    wrong.unseal = linchpin_storage::Unseal::File(folder.0.join("no-such-file"));
    assert!(missing(wrong.clone()).contains("cannot be read"));
    let loose = folder.0.join("loose");
    std::fs::write(&loose, [1; 32]).expect("writes");
    wrong.unseal = linchpin_storage::Unseal::File(loose);
    assert!(missing(wrong).contains("chmod 600"));
    for name in ["keyring.a", "keyring.b"] {
        std::fs::remove_file(folder.0.join("store").join(name)).expect("removes");
    }
    assert!(missing(settings(&folder.0)).contains("put keyring.a back"));
}

#[test]
fn no_nonce_is_used_twice_under_one_key() {
    for seed in 1..=4u64 {
        let seen = Arc::new(Mutex::new(HashSet::new()));
        let record = seen.clone();
        let watch = NonceWatch::new(move |key, nonce| {
            assert!(record.lock().expect("a lock").insert((key, nonce)), "a nonce came twice");
        });
        let opened = |folder: &Folder| {
            let mut settings = settings(&folder.0);
            (settings.nonces, settings.accept_rollback) = (watch.clone(), true);
            Store::open(settings).expect("opens")
        };
        let mut folder = Folder::new("nonces");
        let mut backups: Vec<Folder> = Vec::new();
        let mut store = opened(&folder);
        add_org(&store, 1, "Acme");
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for number in 1..=60 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            match dice >> 60 {
                0 => {
                    store.rotate_keys().expect("rotates");
                }
                1 | 2 => {
                    drop(store);
                    store = opened(&folder);
                }
                3 => {
                    drop(store);
                    let backup = Folder::new("nonces-backup");
                    copy(&folder.0, &backup.0);
                    backups.push(backup);
                    store = opened(&folder);
                }
                6 if !backups.is_empty() => {
                    let (target, restored) = (FolderTarget::new(folder.0.join("kept")), Folder::new("nonces-restored"));
                    let id = store.back_up(&target).expect("backs up").id;
                    add_device(&store, 1, number).expect("commits");
                    drop(store);
                    let mut into = settings(&restored.0);
                    into.nonces = watch.clone();
                    restore(&target, &id, into).expect("restores");
                    folder = restored;
                    store = opened(&folder);
                }
                // An older copy comes back, and is written to as the first was.
                4 | 5 if !backups.is_empty() => {
                    drop(store);
                    folder = Folder::new("nonces-restored");
                    copy(&backups[(dice >> 32) as usize % backups.len()].0, &folder.0);
                    store = opened(&folder);
                }
                _ => {
                    add_device(&store, 1, number).expect("commits");
                    let mut lane = store.telemetry_lane().expect("a lane");
                    lane.write(org(1), device(number), Pin::new_virtual(0), now_ms(), b"1.5").expect("room");
                    lane.close_batch().expect("room");
                }
            }
        }
        drop(store);
        assert!(seen.lock().expect("a lock").len() > 100, "seed {seed}");
    }
}

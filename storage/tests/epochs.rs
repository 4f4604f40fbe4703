//! Data keys: only a run that seals registers one, a keyring full of them does not end a store, and a look at a store
//! leaves it as it was, to the byte.

mod world;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use linchpin_storage::schema::Org;
use linchpin_storage::{Error, Settings, Steps, Store};
use world::{Folder, add_device, add_org, check_devices, close, files, open, settings};

/// A store with one device a run, so with as many data keys.
fn with_epochs(folder: &Folder, count: u32) {
    for number in 1..=count {
        let store = open(&folder.0).expect("opens");
        if number == 1 {
            add_org(&store, 1, "Acme");
        }
        add_device(&store, 1, number).expect("commits");
        close(store);
    }
}

fn limited(folder: &Folder, epoch_limit: usize) -> Settings {
    Settings { epoch_limit, ..settings(&folder.0) }
}

#[test]
fn a_run_that_seals_nothing_registers_no_data_key() {
    let folder = Folder::new("epochs-idle");
    with_epochs(&folder, 1);
    for _ in 0..5 {
        let store = open(&folder.0).expect("opens");
        check_devices(&store, 1, 1).expect("reads");
        close(store);
    }
    let store = open(&folder.0).expect("opens");
    let status = store.key_status();
    assert_eq!((status.epochs, status.newest_epoch), (1, 1));
    add_device(&store, 1, 2).expect("commits");
    assert_eq!(store.key_status().epochs, 2, "and one that seals does, once");
    add_device(&store, 1, 3).expect("commits");
    assert_eq!(store.key_status().epochs, 2);
}

#[test]
fn a_store_whose_keyring_is_full_opens_reads_and_rotates() {
    let folder = Folder::new("epochs-full");
    with_epochs(&folder, 6);
    // The rotation that the store begins by itself waits until the end of this is seen.
    let (release, held) = channel::<()>();
    let held = Mutex::new(held);
    let steps = Steps::new(move |step| {
        if step == "rotation due" {
            let _ = held.lock().expect("locks").recv_timeout(Duration::from_secs(60));
        }
    });
    let store = Store::open(Settings { steps, ..limited(&folder, 6) }).expect("opens with a full keyring");
    check_devices(&store, 1, 6).expect("reads");
    assert!(matches!(add_device(&store, 1, 7), Err(Error::TooLarge { limit: 6, .. })));
    let rotation = store.rotate_keys().expect("rotates");
    assert!(rotation.retired && rotation.resealed >= 12, "{rotation:?}");
    drop(release);
    assert_eq!((store.key_status().epochs, store.key_status().epoch_limit), (1, 6));
    add_device(&store, 1, 7).expect("commits again");
    check_devices(&store, 1, 7).expect("reads");
    close(store);
    check_devices(&open(&folder.0).expect("opens"), 1, 7).expect("reads");
}

#[test]
fn keys_are_rotated_by_themselves_before_the_keyring_is_full() {
    let folder = Folder::new("epochs-due");
    with_epochs(&folder, 8);
    // Seven of ten are not yet three quarters, eight are.
    let store = Store::open(limited(&folder, 10)).expect("opens");
    let begun = Instant::now();
    while store.key_status().epochs > 1 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", store.key_status());
        std::thread::sleep(Duration::from_millis(50));
    }
    check_devices(&store, 1, 8).expect("reads");
    close(store);
    let (reached, due) = (Arc::new(Mutex::new(0)), Folder::new("epochs-not-due"));
    with_epochs(&due, 7);
    let count = reached.clone();
    let steps = Steps::new(move |step| *count.lock().expect("locks") += u32::from(step == "rotation due"));
    let store = Store::open(Settings { steps, ..limited(&due, 10) }).expect("opens");
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!((*reached.lock().expect("locks"), store.key_status().epochs), (0, 7));
}

/// All that a file system knows of the files and folders below a folder, but for times of access.
fn everything(folder: &Path) -> BTreeMap<PathBuf, (Vec<u64>, Vec<u8>)> {
    let mut paths = files(folder);
    let folders: Vec<PathBuf> = paths.iter().filter_map(|path| path.parent().map(Path::to_owned)).collect();
    paths.extend(folders);
    paths.push(folder.to_owned());
    let of = |path: PathBuf| {
        let facts = std::fs::symlink_metadata(&path).expect("is there");
        let numbers = [facts.ino(), facts.mode().into(), facts.uid().into(), facts.gid().into(), facts.len()];
        let times = [facts.mtime() as u64, facts.mtime_nsec() as u64, facts.ctime() as u64, facts.ctime_nsec() as u64];
        let bytes = if facts.is_file() { std::fs::read(&path).expect("reads") } else { Vec::new() };
        (path, ([&numbers[..], &times[..]].concat(), bytes))
    };
    paths.into_iter().map(of).collect()
}

fn look(folder: &Folder, devices: u32) {
    let before = everything(&folder.0);
    let store = Store::open_to_read(settings(&folder.0)).expect("opens");
    check_devices(&store, 1, devices).expect("reads");
    assert_eq!(store.get::<Org>(&world::org(1)).expect("reads").map(|org| org.name), Some("Acme".into()));
    assert!(store.families().len() > 10 && store.figures().epoch > 0 && !store.figures().is_full);
    assert!(store.key_status().epochs >= 1);
    assert!(store.verify().expect("is whole").records >= u64::from(devices));
    assert!(matches!(add_device(&store, 1, 1_000), Err(Error::Closed)));
    assert!(store.add_org(world::org(9)).is_err() && store.rotate_keys().is_err() && store.accept_clock().is_err());
    assert!(store.rotate_root(&world::key(1)).is_err() && store.rewrap(&world::key(2)).is_err());
    assert!(store.drop_old().is_err() && store.erase_org(world::org(1)).is_err());
    assert!(store.submit(|_| ()).is_err() && store.telemetry_lane().is_err());
    let second = Store::open_to_read(settings(&folder.0)).expect("two may look");
    drop(second);
    store.close().expect("closes");
    drop(store);
    let after = everything(&folder.0);
    let changed: Vec<_> = after.iter().filter(|(path, facts)| before.get(*path) != Some(facts)).collect();
    assert!(
        changed.is_empty() && before.len() == after.len(),
        "{:?}",
        changed.iter().map(|(p, _)| p).collect::<Vec<_>>()
    );
}

#[test]
fn a_look_changes_nothing_after_a_clean_end_and_after_a_crash() {
    let folder = Folder::new("look");
    with_epochs(&folder, 1);
    look(&folder, 1);
    with_epochs(&folder, 3);
    look(&folder, 3);
    // Without its end the newest records are in the log only.
    let store = open(&folder.0).expect("opens");
    add_device(&store, 1, 4).expect("commits");
    assert!(matches!(Store::open_to_read(settings(&folder.0)), Err(Error::Open { .. })), "its program runs");
    drop(store);
    look(&folder, 4);
    close(open(&folder.0).expect("opens afterwards"));
}

#[test]
fn a_look_at_nothing_makes_nothing() {
    let folder = Folder::new("look-nothing");
    let settings = || Settings::new(folder.at("store"), world::key(1));
    assert!(matches!(Store::open_to_read(settings()), Err(Error::Open { .. })));
    assert!(matches!(Store::open(Settings { create: false, ..settings() }), Err(Error::Open { .. })));
    assert!(!folder.at("store").exists());
    with_epochs(&folder, 1);
    let wrong = Settings { unseal: world::key(2), ..world::settings(&folder.0) };
    assert!(matches!(Store::open_to_read(wrong), Err(Error::Key { .. })));
}

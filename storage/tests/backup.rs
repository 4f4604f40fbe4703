//! Backups: what is kept is what was there, twice the same is kept once, and anything else is refused.

mod world;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use linchpin_storage::backup::{self, BackupTarget as _, FolderTarget};
use linchpin_storage::schema::{Device, Org};
use linchpin_storage::{Error, Steps, Store};
use world::{Folder, add_device, add_org, check_devices, close, copy, files, key, occurrences, open, org, settings};

/// A store with two organizations, and two backups of it: after 200 and after 300 devices.
struct Base {
    folder: Folder,
    target: FolderTarget,
    kept: PathBuf,
    ids: Vec<String>,
}

fn base() -> Base {
    let folder = Folder::new("backup");
    let kept = folder.0.join("backups-of-it");
    let target = FolderTarget::new(&kept);
    let store = open(&folder.0).expect("opens");
    add_org(&store, 1, "Acme");
    add_org(&store, 2, "Gone");
    let mut ids = Vec::new();
    for (from, to) in [(1, 200), (201, 300)] {
        for number in from..=to {
            add_device(&store, 1, number).expect("commits");
        }
        ids.push(store.back_up(&target).expect("backs up").id);
        // Another generation of the keyring.
        store.add_org(org(from + 2)).expect("a key");
    }
    close(store);
    Base { folder, target, kept, ids }
}

fn db_id(base: &Base) -> [u8; 16] {
    Store::open_to_read(settings(&base.folder.0)).expect("opens").db_id()
}

fn restored(base: &Base, id: &str) -> Result<Folder, Error> {
    let folder = Folder::new("restored");
    let verified = backup::restore(&base.target, id, settings(&folder.0))?;
    assert!(verified.records > 200 && verified.tables > 0, "{verified:?}");
    Ok(folder)
}

#[test]
fn each_backup_restores_what_was_there_then() {
    let base = base();
    assert_eq!(backup::list(&base.target).expect("lists"), base.ids);
    for (id, count) in base.ids.iter().zip([200, 300]) {
        let manifest = backup::verify(&base.target, id, &key(1)).expect("is whole");
        assert_eq!(&manifest.id, id);
        let folder = restored(&base, id).expect("restores");
        let store = open(&folder.0).expect("opens");
        check_devices(&store, 1, count).expect("reads");
        add_device(&store, 1, count + 1).expect("it can be written to");
        drop(store);
        check_devices(&open(&folder.0).expect("opens"), 1, count + 1).expect("reads");
        let error = backup::restore(&base.target, id, settings(&folder.0)).expect_err("not empty");
        assert!(error.to_string().contains("restore into an empty folder"), "{error}");
    }
    let error = backup::verify(&base.target, &base.ids[0], &key(9)).expect_err("a wrong key");
    assert!(matches!(error, Error::Key { .. }), "{error}");
    let error = backup::verify(&base.target, "0000000000001-00000000", &key(1)).expect_err("no such backup");
    assert!(error.to_string().contains("is missing"), "{error}");
}

#[test]
fn what_is_retained_already_is_not_kept_again() {
    let base = base();
    let store = open(&base.folder.0).expect("opens");
    let first = store.back_up(&base.target).expect("backs up");
    let second = store.back_up(&base.target).expect("backs up");
    assert!(first.new_objects <= first.files && second.new_bytes < 100_000, "{second:?}");
    let tables = |created: &backup::Created| {
        let manifest = backup::verify(&base.target, &created.id, &key(1)).expect("is whole");
        manifest.files.into_iter().filter(|file| file.name.ends_with(".sst")).collect::<Vec<_>>()
    };
    assert_eq!(tables(&first), tables(&second), "nothing was written between them");
    let before = files(&base.kept).len();
    assert_eq!(backup::prune(&base.target, 2, &key(1), &store.db_id()).expect("prunes"), 2);
    assert!(files(&base.kept).len() < before);
    assert_eq!(backup::list(&base.target).expect("lists"), [first.id.clone(), second.id]);
    drop(store);
    let folder = restored(&base, &first.id).expect("what was kept is whole");
    check_devices(&open(&folder.0).expect("opens"), 1, 300).expect("reads");
}

#[test]
fn a_backup_under_load_is_one_moment() {
    let base = base();
    let store = open(&base.folder.0).expect("opens");
    let id = std::thread::scope(|scope| {
        let writes = scope.spawn(|| (301..=700).for_each(|number| add_device(&store, 1, number).expect("commits")));
        std::thread::sleep(std::time::Duration::from_millis(200));
        let id = store.back_up(&base.target).expect("backs up").id;
        writes.join().expect("writes");
        id
    });
    drop(store);
    let store = open(&restored(&base, &id).expect("restores").0).expect("opens");
    let mut count = 0;
    store
        .scan_org::<Device>(org(1), |_, _| {
            count += 1;
            std::ops::ControlFlow::Continue(())
        })
        .expect("reads");
    assert!((300..=700).contains(&count), "{count} devices");
    check_devices(&store, 1, count).expect("each is there with its token and its value, and none after a gap");
}

#[test]
fn damaged_and_mixed_up_backups_are_refused() {
    let base = base();
    let id = &base.ids[1];
    let manifest = backup::verify(&base.target, id, &key(1)).expect("is whole");
    let mut names: Vec<String> = manifest.files.iter().map(|file| format!("objects/{}", hex(&file.sha256))).collect();
    names.extend([format!("backups/{id}.manifest"), format!("backups/{id}.keyring")]);
    let mut cases = 0;
    let refuse = |what: String| {
        let error = backup::verify(&base.target, id, &key(1)).err();
        assert!(error.is_some(), "SILENT: {what}");
    };
    for name in &names {
        let bytes = base.target.get(name).expect("reads").expect("is there");
        for n in 0..bytes.len().min(12) {
            let at = bytes.len() * n / 12;
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (n % 8);
            base.target.put(name, &flipped).expect("writes");
            refuse(format!("bit {n} of byte {at} of {name}"));
            base.target.put(name, &bytes[..at]).expect("writes");
            refuse(format!("{name} cut to {at}"));
            cases += 2;
        }
        base.target.delete(name).expect("deletes");
        refuse(format!("{name} deleted"));
        base.target.put(name, &bytes).expect("writes");
    }
    assert!(cases > 100, "{cases} cases");
    // The older backup under the newer one's name, with and without its keyring.
    for kinds in [&["manifest"][..], &["keyring"], &["manifest", "keyring"]] {
        let mixed = Folder::new("mixed");
        copy(&base.kept, &mixed.0);
        for kind in kinds {
            let name = |id: &str| mixed.0.join(format!("backups/{id}.{kind}"));
            std::fs::copy(name(&base.ids[0]), name(id)).expect("copies");
        }
        let error = backup::verify(&FolderTarget::new(&mixed.0), id, &key(1)).expect_err("mixed up");
        assert!(matches!(error, Error::Backup { .. }), "{kinds:?}: {error}");
    }
    backup::verify(&base.target, id, &key(1)).expect("is whole again");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn erasing_and_rewrapping_reach_backups() {
    let base = base();
    assert_eq!(backup::erase_org(&base.target, &key(1), &db_id(&base), org(2)).expect("erases"), 2);
    let folder = restored(&base, &base.ids[1]).expect("restores");
    let store = open(&folder.0).expect("opens");
    assert!(matches!(store.get::<Org>(&org(2)), Err(Error::Erased { org: 2 })));
    check_devices(&store, 1, 300).expect("the other organization is as it was");
    assert_eq!(backup::rewrap(&base.target, &key(1), &key(2), &db_id(&base)).expect("rewraps"), 2);
    assert!(matches!(backup::verify(&base.target, &base.ids[0], &key(1)), Err(Error::Key { .. })));
    backup::verify(&base.target, &base.ids[0], &key(2)).expect("opens with the new key");
    for word in ["device number", "Acme", world::token(7).expose()] {
        assert_eq!(occurrences(&base.kept, word.as_bytes()), 0, "{word}");
    }
}

/// The child of the next test, does nothing without it: backs up, and ends at the step it is told.
#[test]
fn child_that_backs_up() {
    let Some(folder) = std::env::var_os("LINCHPIN_TEST_FOLDER").map(PathBuf::from) else { return };
    let step = std::env::var("LINCHPIN_TEST_STEP").expect("a step");
    let mut settings = settings(&folder);
    settings.steps = Steps::new(move |reached| {
        if reached == step {
            std::process::exit(99);
        }
    });
    let store = Store::open(settings).expect("opens");
    add_device(&store, 1, 301).expect("commits");
    store.back_up(&FolderTarget::new(folder.join("backups-of-it"))).expect("backs up");
}

#[test]
fn a_crash_leaves_the_backups_from_before_and_no_half_one() {
    for step in ["backup: checkpoint made", "backup: object stored", "backup: keyring stored"] {
        let base = base();
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "child_that_backs_up", "--test-threads=1"])
            .env("LINCHPIN_TEST_FOLDER", &base.folder.0)
            .env("LINCHPIN_TEST_STEP", step)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("runs");
        assert_eq!(child.code(), Some(99), "the step `{step}` was not reached");
        assert_eq!(backup::list(&base.target).expect("lists"), base.ids, "{step}");
        let store = open(&base.folder.0).expect("opens");
        let id = store.back_up(&base.target).expect("backs up").id;
        backup::prune(&base.target, 1, &key(1), &store.db_id()).expect("prunes");
        let folder = restored(&base, &id).expect("restores");
        check_devices(&open(&folder.0).expect("opens"), 1, 301).expect("reads");
    }
}

#[test]
fn two_stores_in_one_place_leave_each_other_their_backups() {
    let base = base();
    let other = Folder::new("backup-other");
    let store = open(&other.0).expect("opens");
    add_org(&store, 2, "Other");
    add_device(&store, 2, 1).expect("commits");
    let theirs = store.back_up(&base.target).expect("backs up").id;
    let keyring = std::fs::read(base.kept.join(format!("backups/{theirs}.keyring"))).expect("reads");
    let own = db_id(&base);
    assert_eq!(backup::newest_of(&base.target, &own).expect("lists").map(|found| found.0), base.ids.last().cloned());
    assert_eq!(backup::newest_of(&base.target, &[0; 16]).expect("lists"), None);
    assert_eq!(backup::prune(&base.target, 1, &key(1), &own).expect("prunes"), 1);
    assert_eq!(backup::list(&base.target).expect("lists"), [base.ids[1].clone(), theirs.clone()]);
    backup::verify(&base.target, &theirs, &key(1)).expect("theirs is whole");
    backup::verify(&base.target, &base.ids[1], &key(1)).expect("and ours");
    // The same number of an organization, the same unseal key: another organization.
    assert_eq!(backup::erase_org(&base.target, &key(1), &own, org(2)).expect("erases"), 1);
    assert_eq!(backup::rewrap(&base.target, &key(1), &key(2), &own).expect("rewraps"), 1);
    assert_eq!(std::fs::read(base.kept.join(format!("backups/{theirs}.keyring"))).expect("reads"), keyring);
    // A list that nobody can read may need anything.
    std::fs::write(base.kept.join("backups/9999999999999-00000000.manifest"), b"LPBACK").expect("writes");
    let before = files(&base.kept).len();
    assert!(backup::prune(&base.target, 1, &key(1), &store.db_id()).is_err());
    assert_eq!(files(&base.kept).len(), before);
}

#[test]
fn what_has_rotted_in_the_place_is_stored_again() {
    let base = base();
    let day = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(1_800_000_000_000));
    let mut settings = settings(&base.folder.0);
    let clock = day.clone();
    settings.clock = linchpin_storage::WallClock::new(move || clock.load(std::sync::atomic::Ordering::Relaxed));
    let store = Store::open(settings).expect("opens");
    let first = store.back_up(&base.target).expect("backs up");
    let table = |id: &str| {
        let manifest = backup::verify(&base.target, id, &key(1)).expect("is whole");
        let file = manifest.files.into_iter().find(|file| file.name.ends_with(".sst")).expect("a table");
        base.kept.join(format!("objects/{}", file.sha256.map(|byte| format!("{byte:02x}")).concat()))
    };
    let path = table(&first.id);
    let good = std::fs::read(&path).expect("reads");
    // Of another size: noticed at the next backup.
    std::fs::write(&path, &good[1..]).expect("writes");
    let second = store.back_up(&base.target).expect("backs up");
    assert_eq!(table(&second.id), path, "verified, and the same table");
    // Of the same size: noticed within a week of daily backups.
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    std::fs::write(&path, &bad).expect("writes");
    let mut last = second.id;
    for _ in 0..7 {
        day.fetch_add(86_400_000, std::sync::atomic::Ordering::Relaxed);
        last = store.back_up(&base.target).expect("backs up").id;
    }
    backup::verify(&base.target, &last, &key(1)).expect("is whole again");
    assert_eq!(std::fs::read(&path).expect("reads"), good);
}

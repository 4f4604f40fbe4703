//! Files: what comes in pieces goes out whole, within its limits, sealed, and for as long as it is meant to.

mod world;

use std::ops::ControlFlow;

use linchpin_storage::schema::{FileKind, FilePiece, FileRecord};
use linchpin_storage::{FileName, FileRefused, Store, limits};
use world::{Folder, add_device, add_org, close, device_key, files, occurrences, open, org};

const NOW: u64 = 1_795_953_600_000;

/// A store with two organizations and two devices in the first.
fn store(folder: &Folder) -> Store {
    let store = open(&folder.at("store")).expect("opens");
    add_org(&store, 1, "Acme");
    add_org(&store, 2, "Other");
    for number in 1..=2 {
        add_device(&store, 1, number).expect("commits");
    }
    store
}

fn put(store: &Store, device: u32, kind: FileKind, bytes: &[u8]) -> Result<FileName, FileRefused> {
    let mut draft = store.files().begin(device_key(1, device), kind, "../photo one.png", NOW)?;
    for part in bytes.chunks(10_000) {
        draft.write(part)?;
    }
    draft.finish("image/png")
}

fn get(store: &Store, name: &FileName, now_ms: u64) -> Option<Vec<u8>> {
    let file = store.files().open(org(1), name, now_ms).expect("reads")?;
    assert_eq!((&*file.name, &*file.media), ("photo_one.png", "image/png"));
    let pieces = (0..).map_while(|at| store.files().piece(org(1), name, at).expect("reads"));
    let bytes: Vec<u8> = pieces.flat_map(Vec::from).collect();
    assert_eq!(bytes.len() as u64, file.len);
    Some(bytes)
}

fn count(store: &Store) -> (usize, usize) {
    let (mut records, mut pieces) = (0, 0);
    store
        .scan::<FileRecord>(|_, _| {
            records += 1;
            ControlFlow::Continue(())
        })
        .expect("reads");
    store
        .scan::<FilePiece>(|_, _| {
            pieces += 1;
            ControlFlow::Continue(())
        })
        .expect("reads");
    (records, pieces)
}

#[test]
fn files_come_back_over_restarts_and_are_sealed() {
    let folder = Folder::new("files");
    let mut opened = store(&folder);
    let bytes: Vec<u8> = b"in clear text ".iter().copied().cycle().take(200_000).collect();
    let name = put(&opened, 1, FileKind::Upload, &bytes).expect("room");
    let empty = put(&opened, 1, FileKind::Upload, b"").expect("room");
    for _ in 0..2 {
        assert_eq!(get(&opened, &name, u64::MAX), Some(bytes.clone()), "an upload does not expire");
        assert_eq!(get(&opened, &empty, NOW), Some(Vec::new()));
        // Another secret, device or organization gets nothing.
        let text = name.to_string();
        let last = if text.ends_with('A') { 'Q' } else { 'A' };
        let wrong: FileName = format!("{}{last}", &text[..text.len() - 1]).parse().expect("a name");
        assert_eq!(get(&opened, &wrong, NOW), None);
        let other: FileName = text.replacen("1-", "2-", 1).parse().expect("a name");
        assert_eq!(get(&opened, &other, NOW), None);
        assert!(opened.files().open(org(2), &name, NOW).expect("reads").is_none());
        close(opened);
        assert!(!files(&folder.at("store")).is_empty());
        assert_eq!(occurrences(&folder.at("store"), b"in clear text"), 0);
        opened = open(&folder.at("store")).expect("opens");
    }
    opened.erase_device(device_key(1, 1)).expect("erases");
    assert_eq!((get(&opened, &name, NOW), count(&opened)), (None, (0, 0)), "they go with their device");
}

#[test]
fn files_are_counted_and_bounded() {
    let folder = Folder::new("files-bounded");
    let store = store(&folder);
    for _ in 0..limits::FILES_PER_DEVICE {
        let _ = put(&store, 1, FileKind::Upload, b"x").expect("room");
    }
    assert!(matches!(put(&store, 1, FileKind::Upload, b"x"), Err(FileRefused::TooMany)));
    assert!(put(&store, 2, FileKind::Upload, b"x").is_ok(), "another device has its own");
    let before = count(&store);
    let large = vec![0; limits::UPLOAD_BYTES as usize + 1];
    assert!(matches!(put(&store, 2, FileKind::Upload, &large), Err(FileRefused::TooLarge(limits::UPLOAD_BYTES))));
    // What was refused half-way leaves nothing; its deletion was not waited for.
    let _ = put(&store, 2, FileKind::Upload, b"x").expect("room");
    assert_eq!(count(&store), (before.0 + 1, before.1 + 1));
    for _ in 0..limits::EXPORTS_PER_DAY {
        let _ = put(&store, 1, FileKind::Export, b"x").expect("room");
    }
    assert!(matches!(put(&store, 1, FileKind::Export, b"x"), Err(FileRefused::TooMany)));
}

#[test]
fn exports_expire_and_count_for_a_day() {
    let folder = Folder::new("files-expire");
    let store = store(&folder);
    let name = put(&store, 1, FileKind::Export, &[7; 100_000]).expect("room");
    let upload = put(&store, 1, FileKind::Upload, b"stays").expect("room");
    assert!(get(&store, &name, NOW + limits::EXPORT_MS - 1).is_some());
    assert!(get(&store, &name, NOW + limits::EXPORT_MS).is_none(), "its link has expired");
    assert_eq!(store.files().sweep(NOW + limits::EXPORT_MS - 1).expect("sweeps"), 0);
    assert_eq!(store.files().sweep(NOW + limits::EXPORT_MS).expect("sweeps"), 1);
    assert_eq!(count(&store), (2, 1), "its bytes are gone, its record counts until tomorrow");
    assert_eq!(store.files().sweep(NOW + 24 * 3_600_000).expect("sweeps"), 1);
    assert_eq!(count(&store), (1, 1));
    // A server that was killed half-way leaves a file that is not whole.
    let mut draft = store.files().begin(device_key(1, 1), FileKind::Upload, "half", NOW).expect("room");
    draft.write(&[1; 200_000]).expect("room");
    std::mem::forget(draft);
    assert_eq!(count(&store).0, 2);
    assert_eq!(store.files().sweep(NOW + limits::EXPORT_MS + 1).expect("sweeps"), 1);
    assert_eq!((count(&store), get(&store, &upload, NOW)), ((1, 1), Some(b"stays".to_vec())));
}

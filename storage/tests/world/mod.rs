//! What the tests of the store share: folders, a small world of records, and copies of folders.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

pub mod child;
pub mod disk;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use linchpin_protocol::model::{DeviceId, Pin, TemplateId, Token};
use linchpin_storage::schema::{
    Actor, AuditEntry, AuditFace, AuditObject, AuditOutcome, Device, DeviceKey, IndexEntry, Latest, LatestValue, Org,
    OrgId, User, UserKey,
};
use linchpin_storage::{Class, Error, Settings, Store, Unseal};

/// A folder of a test's own, removed at its end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("linchpin-{name}-{}-{count}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn key(byte: u8) -> Unseal {
    Unseal::Key(zeroize::Zeroizing::new([byte; 32]))
}

/// Small write buffers, so that little is enough to make tables.
pub fn settings(folder: &Path) -> Settings {
    let mut settings = Settings::new(folder.join("store"), key(1));
    settings.anchor = Some(folder.join("store.anchor"));
    settings.write_buffer_bytes = 1 << 20;
    settings
}

pub fn open(folder: &Path) -> Result<Store, Error> {
    Store::open(settings(folder))
}

/// A time of records that no retention reaches, ms since 1970.
pub const LATE_MS: u64 = 4_000_000_000_000;

/// Close it and let go of its folder.
pub fn close(store: Store) {
    store.close().expect("closes");
    drop(store);
}

pub fn org(number: u32) -> OrgId {
    OrgId::new(number).expect("not zero")
}

pub fn device(number: u32) -> DeviceId {
    DeviceId::new(number).expect("not zero")
}

pub fn device_key(org_number: u32, number: u32) -> DeviceKey {
    DeviceKey::new(org(org_number), device(number))
}

pub fn token(number: u32) -> Token {
    let mut seed = [0x5a; 24];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    Token::from_random(&seed)
}

pub fn a_device(number: u32) -> Device {
    let (name, template) = (format!("device number {number}").into(), TemplateId::parse(b"TMPLcanary01").ok());
    Device::new(name, template, token(number), 1_800_000_000_000)
}

pub fn add_org(store: &Store, number: u32, name: &str) {
    store.add_org(org(number)).expect("a key");
    let mut batch = store.batch();
    let record = Org::new(name, None, 1);
    batch.put(&org(number), &record).expect("fits");
    store.commit(Class::A, batch).expect("commits");
}

/// A device, its token in the index and a latest value, in one batch.
pub fn add_device(store: &Store, org_number: u32, number: u32) -> Result<(), Error> {
    let mut batch = store.batch();
    batch.put(&device_key(org_number, number), &a_device(number))?;
    batch.put_index(&store.token_digest(&token(number)), &IndexEntry { org: org(org_number), number })?;
    let mut latest = Latest::default();
    latest.values.insert(
        Pin::new_virtual(1),
        LatestValue { value: format!("value of {number}").into_bytes().into(), at_ms: 1_800_000_000_000 },
    );
    batch.put(&device_key(org_number, number), &latest)?;
    store.commit(Class::A, batch)
}

/// An entry of the operator's, behind another.
pub fn an_audit(before: [u8; 32], at_ms: u64, face: &AuditFace) -> AuditEntry {
    let (object, outcome) = (AuditObject { kind: 1, org: 1, number: 7 }, AuditOutcome::Done);
    AuditEntry { before, at_ms, actor: Actor::Operator, action: 1, object, outcome, request: 0, face: face.digest() }
}

pub fn add_user(store: &Store, org_number: u32, number: u32, email: &str) {
    let user =
        User { email: email.into(), name: "Eve Example".into(), role: 1, created_ms: 1, account: Box::default() };
    let mut batch = store.batch();
    batch.put(&UserKey::new(org(org_number), number), &user).expect("fits");
    batch.put_index(&store.email_digest(email), &IndexEntry { org: org(org_number), number }).expect("fits");
    store.commit(Class::A, batch).expect("commits");
}

/// Every device of 1..=count is there as it was written, and nothing is there twice or besides.
pub fn check_devices(store: &Store, org_number: u32, count: u32) -> Result<(), Error> {
    for number in 1..=count {
        let found: Option<Device> = store.get(&device_key(org_number, number))?;
        assert_eq!(found, Some(a_device(number)), "device {number}");
        let entry = store.lookup(&store.token_digest(&token(number)))?;
        assert_eq!(entry, Some(IndexEntry { org: org(org_number), number }), "token of {number}");
        let latest: Option<Latest> = store.get(&device_key(org_number, number))?;
        let value = latest.and_then(|latest| latest.values.get(&Pin::new_virtual(1)).cloned()).expect("a value");
        assert_eq!(&*value.value, format!("value of {number}").as_bytes());
    }
    let mut seen = 0;
    store.scan_org::<Device>(org(org_number), |key, found| {
        assert_eq!(found, a_device(key.device().get()));
        seen += 1;
        std::ops::ControlFlow::Continue(())
    })?;
    assert_eq!(seen, count);
    Ok(())
}

/// All files below a folder, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

pub fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        // Ballast is empty space.
        if path.file_name().is_some_and(|name| name == "ballast") {
            continue;
        }
        let target = to.join(path.strip_prefix(from).expect("below"));
        std::fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
        std::fs::copy(&path, &target).expect("copies");
    }
}

/// How often a text occurs in files below a folder.
pub fn occurrences(folder: &Path, text: &[u8]) -> usize {
    files(folder)
        .iter()
        .map(|path| {
            let bytes = match std::fs::read(path) {
                // A store that runs deletes files that it has replaced: they are not on the disk any more.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return 0,
                read => read.expect("reads"),
            };
            bytes.windows(text.len()).filter(|window| *window == text).count()
        })
        .sum()
}

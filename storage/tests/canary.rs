//! Known secrets are written everywhere they can be, then every byte that the store has left on the disk is searched.
//! The same search finds them in a database that is not sealed, so it would find them here. And no core is dumped.

mod world;

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use linchpin_protocol::model::{Datastream, Pin, Template, TemplateId, ValueKind};
use linchpin_storage::backup::FolderTarget;
use linchpin_storage::schema::{
    Attribute, AuditFace, AuditKey, Event, EventKey, MailKey, OutboxMail, Properties, TemplateKey, TemplateRecord,
    User, UserKey,
};
use linchpin_storage::{Class, Store};
use world::{Folder, LATE_MS, add_device, add_org, close, copy, device, device_key, occurrences, open, org, token};

const EMAIL: &str = "canary-mail@example.org";
const NAME: &str = "canary name of a person";
const VALUE: &str = "canary-value-4711.25";
const ORG: &str = "canary organization";

fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

fn secrets() -> Vec<Vec<u8>> {
    let token = token(77);
    let mut secrets: Vec<Vec<u8>> =
        [EMAIL, NAME, VALUE, ORG, token.expose()].iter().map(|text| text.as_bytes().to_vec()).collect();
    // As RocksDB's own tools and logs would show them.
    secrets.push(token.expose().bytes().map(|byte| format!("{byte:02X}")).collect::<String>().into_bytes());
    secrets.push(vec![1; 32]); // the unseal key of these tests
    secrets
}

fn write_secrets(store: &Store) {
    add_org(store, 1, ORG);
    add_device(store, 1, 77).expect("commits");
    let mut batch = store.batch();
    let user =
        User { email: EMAIL.into(), name: NAME.into(), role: 1, created_ms: 1, account: VALUE.as_bytes().into() };
    batch.put(&UserKey::new(org(1), 1), &user).expect("fits");
    let entry = linchpin_storage::schema::IndexEntry { org: org(1), number: 1 };
    batch.put_index(&store.email_digest(EMAIL), &entry).expect("fits");
    batch.put_index(&store.session_digest(token(77).expose().as_bytes()), &entry).expect("fits");
    let event = Event::new("hot".into(), VALUE.into());
    batch.put(&EventKey { org: org(1), device: device(77), at_ms: LATE_MS, number: 0 }, &event).expect("fits");
    let attribute = Attribute { pin: None, name: NAME.into(), value: VALUE.as_bytes().into() };
    batch.put(&device_key(1, 77), &Properties(vec![attribute])).expect("fits");
    let stream = Datastream::new(Pin::new_virtual(1), NAME, ValueKind::Text, "C", true);
    let id = TemplateId::parse(b"TMPL1").expect("valid");
    let template = TemplateRecord::from(Template::new(id, NAME.into(), vec![stream], vec![VALUE.into()]));
    batch.put(&TemplateKey::new(org(1), 1), &template).expect("fits");
    let face = AuditFace { object: NAME.into(), address: VALUE.into(), ..AuditFace::default() };
    let key = AuditKey::new(org(1), 0);
    batch.put(&key, &world::an_audit([0; 32], 1, &face)).expect("fits");
    batch.put(&key, &face).expect("fits");
    let mail = OutboxMail {
        kind: 1,
        to: EMAIL.into(),
        locale: "".into(),
        fields: vec![("link".into(), VALUE.into())],
        tries: 0,
        made_ms: 1,
    };
    batch.put(&MailKey::new(1, org(1), 1), &mail).expect("fits");
    store.commit(Class::A, batch).expect("commits");
    let mut lane = store.telemetry_lane().expect("a lane");
    for n in 0..200 {
        lane.write(org(1), device(77), Pin::new_virtual(2), now_ms() + n, VALUE.as_bytes()).expect("room");
    }
    lane.close_batch().expect("room");
}

fn expect_none(folder: &Folder, when: &str) {
    assert!(world::files(&folder.0).len() > 5, "{when}: nothing to search");
    for secret in secrets() {
        let shown = String::from_utf8_lossy(&secret).into_owned();
        assert_eq!(occurrences(&folder.0, &secret), 0, "{when}: `{shown}` is on the disk");
    }
}

#[test]
fn no_secret_is_on_the_disk() {
    let folder = Folder::new("canary");
    let store = open(&folder.0).expect("opens");
    write_secrets(&store);
    // Everything is in the log: as a thief of a running server's disk finds it.
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    let running = Folder::new("canary-running");
    copy(&folder.0, &running.0);
    expect_none(&running, "log");
    let target = FolderTarget::new(folder.0.join("backups-of-it"));
    store.back_up(&target).expect("backs up");
    store.store_all().expect("stores");
    store.rotate_keys().expect("rotates");
    expect_none(&folder, "backup and rotation");
    close(store);
    expect_none(&folder, "closed");
    let names: Vec<String> = world::files(&folder.0).iter().map(|path| path.display().to_string()).collect();
    assert!(names.iter().any(|name| name.ends_with(".sst")) && !names.iter().any(|name| name.ends_with("LOG")));
    // It was all there to be found.
    let store = open(&folder.0).expect("opens");
    assert_eq!(&*store.latest(device_key(1, 77)).expect("reads").values[&Pin::new_virtual(2)].value, VALUE.as_bytes());
}

#[test]
fn the_same_search_finds_what_is_not_sealed() {
    for flushed in [false, true] {
        let folder = Folder::new("control");
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        options.set_compression_type(rocksdb::DBCompressionType::None);
        let db = rocksdb::DB::open(&options, &folder.0).expect("opens");
        for (number, secret) in secrets().iter().enumerate() {
            db.put(number.to_be_bytes(), secret).expect("writes");
        }
        if flushed {
            db.flush().expect("writes a table");
        }
        drop(db);
        for secret in secrets() {
            assert!(occurrences(&folder.0, &secret) > 0, "{:?}", String::from_utf8_lossy(&secret));
        }
    }
}

/// The child of the next test, does nothing without it.
#[test]
fn child_that_aborts() {
    let Some(harden) = std::env::var_os("LINCHPIN_TEST_HARDEN") else { return };
    if harden == "yes" {
        linchpin_storage::harden().expect("the kernel lets us");
    }
    std::process::abort();
}

#[test]
fn an_abort_leaves_no_core() {
    let ended = |is_hardened: bool| {
        let folder = Folder::new("core");
        let mut child = Command::new("/bin/sh");
        // Cores are on in the shell that starts it.
        child.arg("-c").arg("ulimit -c unlimited; exec \"$0\" --exact child_that_aborts --test-threads=1");
        child.arg(std::env::current_exe().expect("this program")).current_dir(&folder.0);
        child.env("LINCHPIN_TEST_HARDEN", if is_hardened { "yes" } else { "no" });
        let status = child.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("runs");
        assert_eq!(status.signal(), Some(6), "it aborts");
        status.core_dumped()
    };
    assert!(!ended(true), "a core was dumped");
    // Where cores can be dumped at all, the same child without `harden` dumps one.
    let limit = Command::new("/bin/sh").args(["-c", "ulimit -c unlimited && ulimit -c"]).output().expect("runs");
    if limit.stdout.starts_with(b"unlimited") {
        assert!(ended(false), "no core is dumped in any case: this shows nothing");
    }
}

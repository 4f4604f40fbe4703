//! Records come back as they were written, also after restarts of each kind.

mod world;

use linchpin_protocol::model::{Datastream, Pin, Template, TemplateId, ValueKind};
use linchpin_storage::schema::{
    Attribute, AuditEntry, AuditFace, AuditKey, Counter, CounterName, Device, DiaryKey, DiaryKind, DiaryRecord, Digest,
    Event, EventKey, IndexKind, Org, Properties, TemplateKey, TemplateRecord, User, UserKey,
};
use linchpin_storage::{Class, Error, Store};
use world::{
    Folder, LATE_MS, a_device, add_device, add_org, add_user, check_devices, close, device, device_key, open, org,
    token,
};

fn fill(store: &Store) {
    add_org(store, 1, "Acme");
    add_user(store, 1, 5, "Eve@Example.com");
    let streams = [ValueKind::Text, ValueKind::Int { min: -5, max: 9 }, ValueKind::Double { min: 0.5, max: 2.5 }]
        .into_iter()
        .zip(0..)
        .map(|(kind, index)| Datastream::new(Pin::new_virtual(index), "t", kind, "C", index == 0));
    let id = TemplateId::parse(b"TMPL1").expect("valid");
    let template = TemplateRecord::from(
        Template::new(id, "lamp".into(), streams.collect(), vec!["hot".into()]).with_tls_required(true),
    );
    let mut batch = store.batch();
    batch.put(&TemplateKey::new(org(1), 3), &template).expect("fits");
    batch.put(&CounterName::Device, &Counter(8)).expect("fits");
    let event = Event::new("hot".into(), "too hot".into());
    batch.put(&EventKey { org: org(1), device: device(2), at_ms: LATE_MS, number: 0 }, &event).expect("fits");
    let line = DiaryRecord { kind: DiaryKind::Offline, reason: "silent".into() };
    batch.put(&DiaryKey { org: org(1), device: device(2), at_ms: LATE_MS, number: 0 }, &line).expect("fits");
    let attributes = vec![
        Attribute { pin: Some(Pin::new_virtual(3)), name: "label".into(), value: b"Door"[..].into() },
        Attribute { pin: None, name: "iccid".into(), value: b"89"[..].into() },
    ];
    batch.put(&device_key(1, 2), &Properties(attributes)).expect("fits");
    store.commit(Class::A, batch).expect("commits");
    for number in 1..=50 {
        add_device(store, 1, number).expect("commits");
    }
}

fn check(store: &Store) {
    check_devices(store, 1, 50).expect("reads");
    assert_eq!(store.get::<Org>(&org(1)).expect("reads").map(|org| org.name), Some("Acme".into()));
    let entry = store.lookup(&store.email_digest(" eve@example.COM")).expect("reads").expect("is there");
    let user = store.get::<User>(&UserKey::new(entry.org, entry.number)).expect("reads");
    assert_eq!(user.map(|user| user.email), Some("Eve@Example.com".into()));
    let template = store.get::<TemplateRecord>(&TemplateKey::new(org(1), 3)).expect("reads");
    let template = template.expect("is there").template;
    assert_eq!((template.datastreams.len(), template.has_event("hot"), template.requires_tls), (3, true, true));
    assert_eq!(store.get::<Counter>(&CounterName::Device).expect("reads"), Some(Counter(8)));
    let properties = store.get::<Properties>(&device_key(1, 2)).expect("reads").expect("is there");
    assert_eq!(properties.0[1].pin, None);
    let mut diary = 0;
    store
        .scan::<DiaryRecord>(|_, line| {
            diary += u32::from(&*line.reason == "silent");
            std::ops::ControlFlow::Continue(())
        })
        .expect("reads");
    assert_eq!(diary, 1);
    let mut tokens = Vec::new();
    store.load_index(IndexKind::Token, |digest, entry| tokens.push((digest, entry.number))).expect("reads");
    assert_eq!(tokens.len(), 50);
    assert!(tokens.contains(&(store.token_digest(&token(7)), 7)));
    assert!(matches!(tokens[0].0, Digest::Token(_)));
}

#[test]
fn records_survive_closing_dropping_and_reopening() {
    let folder = Folder::new("records");
    let store = open(&folder.0).expect("opens");
    fill(&store);
    check(&store);
    // Dropped: the log is replayed.
    drop(store);
    let store = open(&folder.0).expect("opens");
    check(&store);
    close(store);
    for _ in 0..3 {
        let store = open(&folder.0).expect("opens");
        check(&store);
        close(store);
    }
}

#[test]
fn deletes_stay_deleted_and_unknown_organizations_have_no_key() {
    let folder = Folder::new("deletes");
    let store = open(&folder.0).expect("opens");
    add_org(&store, 1, "Acme");
    add_device(&store, 1, 1).expect("commits");
    let mut batch = store.batch();
    batch.delete::<Device>(&device_key(1, 1)).expect("fits");
    batch.delete_index(&store.token_digest(&token(1))).expect("fits");
    store.commit(Class::B, batch).expect("commits");
    drop(store);
    let store = open(&folder.0).expect("opens");
    assert_eq!(store.get::<Device>(&device_key(1, 1)).expect("reads"), None);
    assert_eq!(store.lookup(&store.token_digest(&token(1))).expect("reads"), None);
    assert!(matches!(add_device(&store, 2, 1), Err(Error::Key { .. })));
}

#[test]
fn the_audit_log_is_a_chain() {
    let folder = Folder::new("audit");
    let store = open(&folder.0).expect("opens");
    let mut before = [0; 32];
    for number in 0..20 {
        let face = AuditFace { object: format!("device {number}").into(), ..AuditFace::default() };
        let entry = world::an_audit(before, LATE_MS + number, &face);
        before = entry.digest();
        let mut batch = store.batch();
        batch.put(&AuditKey::new(org(1), number), &entry).expect("fits");
        store.commit(Class::A, batch).expect("commits");
    }
    let mut head = [0; 32];
    store
        .scan_org::<AuditEntry>(org(1), |_, entry| {
            assert_eq!(entry.before, head);
            head = entry.digest();
            std::ops::ControlFlow::Continue(())
        })
        .expect("reads");
    assert_eq!(head, before);
    let (key, last) = store.last_audit(org(1)).expect("reads").expect("is there");
    assert_eq!((key.number(), last.digest()), (19, before));
    assert!(store.last_audit(org(2)).expect("reads").is_none());
}

#[test]
fn one_program_at_a_time() {
    let folder = Folder::new("lock");
    let store = open(&folder.0).expect("opens");
    let error = open(&folder.0).expect_err("it is open already").to_string();
    assert!(error.contains("another program has it open"), "{error}");
    drop(store);
    open(&folder.0).expect("opens again");
}

#[test]
fn batches_and_records_are_bounded() {
    let folder = Folder::new("bounds");
    let store = open(&folder.0).expect("opens");
    let mut batch = store.batch();
    let event = |len| Event::new("x".into(), "d".repeat(len).into());
    let key = |number| EventKey { org: org(1), device: device(1), at_ms: LATE_MS, number };
    store.add_org(org(1)).expect("a key");
    assert!(matches!(batch.put(&key(0), &event(1 << 20)), Err(Error::TooLarge { .. })));
    assert!(batch.is_empty());
    let fitted = (0..100).take_while(|number| batch.put(&key(*number), &event(1_000_000)).is_ok()).count();
    assert_eq!(fitted, 4);
    store.commit(Class::B, batch).expect("what fits is written");
}

#[test]
fn tables_are_merged_and_old_ones_go() {
    let folder = Folder::new("tables");
    let store = open(&folder.0).expect("opens");
    add_org(&store, 1, "Acme");
    // About 60 tables of 1 MiB, and most of them again: without compaction they would all stay.
    for round in 0..60 {
        let mut batch = store.batch();
        for number in 0..250 {
            let event = Event::new("hot".into(), "d".repeat(4_000).into());
            let key = EventKey { org: org(1), device: device(1), at_ms: LATE_MS + round % 10, number };
            batch.put(&key, &event).expect("fits");
        }
        store.commit(Class::B, batch).expect("commits");
    }
    let begun = std::time::Instant::now();
    let table = |path: &&std::path::PathBuf| path.extension().is_some_and(|extension| extension == "sst");
    loop {
        let verified = store.verify().expect("all is authentic");
        let files = world::files(&folder.0).iter().filter(table).count();
        if verified.tables < 20 && files < 25 {
            break;
        }
        assert!(begun.elapsed().as_secs() < 30, "{} tables, {files} files", verified.tables);
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

/// What is written waits in buffers, what is read stays in the cache: both are told, so that nobody else is blamed for them.
#[test]
fn the_memory_of_buffers_and_of_the_cache_is_told() {
    let folder = Folder::new("memory");
    let store = open(&folder.0).expect("opens");
    add_org(&store, 1, "Acme");
    let empty = store.memory();
    let mut batch = store.batch();
    for number in 1..=2_000 {
        batch.put(&device_key(1, number), &a_device(number)).expect("fits");
    }
    store.commit(Class::A, batch).expect("commits");
    let filled = store.memory();
    assert!(filled.write_buffers > empty.write_buffers + 100_000, "{empty:?} {filled:?}");
    close(store);
    let store = open(&folder.0).expect("opens");
    let begun = store.memory();
    assert!(begun.write_buffers < filled.write_buffers, "{filled:?} {begun:?}");
    for number in 1..=2_000 {
        assert!(store.get::<Device>(&device_key(1, number)).expect("reads").is_some());
    }
    let read = store.memory();
    assert!(read.block_cache > begun.block_cache + 50_000, "{begun:?} {read:?}");
    close(store);
}

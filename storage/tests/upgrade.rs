//! A store of an older program opens and serves as before, and takes what came later once it was upgraded.

mod world;

use std::path::Path;

use linchpin_protocol::model::Pin;
use linchpin_storage::schema::{
    Event, Family, FileKind, Grant, GrantKey, IndexEntry, Org, OrgState, RoleKey, RoleRecord, TemplateKey,
    TemplateRecord,
};
use linchpin_storage::{Class, Error, FileRefused, Granularity, Query, Settings, Source, Store, WallClock};
use world::{Folder, check_devices, close, copy, device_key, key, org, token};

/// Shortly after the fixture was made, ms since 1970.
const THEN_MS: u64 = 1_795_950_845_825 + 60_000;

fn old(folder: &Folder) -> Store {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store-9c54907");
    if !folder.at("store").exists() {
        copy(&fixture, &folder.at("store"));
    }
    let mut settings = Settings::new(folder.at("store"), key(1));
    settings.write_buffer_bytes = 1 << 20;
    settings.clock = WallClock::new(|| THEN_MS);
    Store::open(settings).expect("the older store opens")
}

/// Everything that the older program wrote.
fn check(store: &Store) {
    check_devices(store, 1, 5).expect("reads");
    let found = store.lookup(&store.token_digest(&token(3))).expect("reads");
    assert_eq!(found, Some(IndexEntry { org: org(1), number: 3 }));
    let branch = store.get::<Org>(&org(2)).expect("reads").expect("is there");
    assert_eq!(
        (&*branch.name, branch.parent, branch.raw_days, branch.state),
        ("Branch", Some(org(1)), 9, OrgState::Active)
    );
    let template = store.get::<TemplateRecord>(&TemplateKey::new(org(1), 1)).expect("reads").expect("is there");
    assert_eq!((template.template.datastreams.len(), template.streams.len(), template.sheet.version), (1, 1, 0));
    let mut events = 0;
    let all = store.scan_device::<Event>(device_key(1, 2), |_, event| {
        events += u32::from(&*event.code == "hot");
        std::ops::ControlFlow::Continue(())
    });
    all.expect("reads");
    assert_eq!(events, 1);
    let query = Query {
        key: device_key(1, 2),
        pin: Pin::new_virtual(1),
        from_ms: 0,
        to_ms: THEN_MS,
        granularity: Granularity::Raw,
        source: Source::Average,
    };
    assert_eq!(store.history(&query).expect("reads").len(), 50);
}

fn put_role(store: &Store) -> Result<(), Error> {
    let mut batch = store.batch();
    batch.put(&RoleKey::new(org(1), 6), &RoleRecord { name: "Night".into(), own: 1, org: 2, epoch: 0 })?;
    batch.put(&GrantKey::new(org(1), org(1), 4), &Grant { role: 6, below: false, until_ms: 0 })?;
    store.commit(Class::A, batch)
}

fn put_org(store: &Store, record: &Org) -> Result<(), Error> {
    let mut batch = store.batch();
    batch.put(&org(2), record)?;
    store.commit(Class::A, batch)
}

#[test]
fn an_older_store_serves_as_before_until_it_is_upgraded() {
    let folder = Folder::new("upgrade");
    let store = old(&folder);
    check(&store);
    assert!(!store.present().has_people());
    assert!(matches!(put_role(&store), Err(Error::NotUpgraded { family: "role" })));
    let begun = store.files().begin(device_key(1, 2), FileKind::Upload, "a", THEN_MS);
    assert!(matches!(begun, Err(FileRefused::Store(Error::NotUpgraded { family: "file_piece" }))));
    // Ids of datastreams that each start gives again are not said; others would be.
    let key = TemplateKey::new(org(1), 1);
    let mut template = store.get::<TemplateRecord>(&key).expect("reads").expect("is there");
    template.number(None);
    let put = |record: &TemplateRecord| {
        let mut batch = store.batch();
        batch.put(&key, record).map(|()| store.commit(Class::A, batch).expect("commits"))
    };
    assert!(put(&template).is_ok());
    let mut chosen = template.clone();
    chosen.template.datastreams[0].id = 20;
    assert!(matches!(put(&chosen), Err(Error::NotUpgraded { .. })));
    check(&store);
    let branch = store.get::<Org>(&org(2)).expect("reads").expect("is there");
    // What the older program can say is written as it says it; what it cannot is refused and changes nothing.
    put_org(&store, &branch).expect("as before");
    let suspended = Org { state: OrgState::Suspended, ..branch.clone() };
    assert!(matches!(put_org(&store, &suspended), Err(Error::NotUpgraded { family: "org" })));
    close(store);

    let store = old(&folder);
    check(&store);
    let made = store.finalize().expect("upgrades").made;
    assert!(made.first() == Some(&"role") && made.contains(&"outbox"));
    assert!(made.contains(&Family::AuditFace.name()) && store.present().has_people());
    assert!(store.finalize().expect("again").made.is_empty());
    put_role(&store).expect("there is room now");
    put_org(&store, &suspended).expect("version 2");
    put_org(&store, &branch).expect("version 2");
    check(&store);
    // Also without a clean end.
    drop(store);
    for _ in 0..2 {
        let store = old(&folder);
        assert!(store.present().has_people());
        check(&store);
        let role = store.get::<RoleRecord>(&RoleKey::new(org(1), 6)).expect("reads").expect("is there");
        assert_eq!(&*role.name, "Night");
        assert!(store.verify().expect("all is authentic").records > 10);
        close(store);
    }
}

/// What `finalize` of a later version leaves: this program is the older one then.
#[test]
fn a_store_that_a_newer_version_has_upgraded_is_refused_with_words() {
    let folder = Folder::new("newer");
    close(old(&folder));
    let path = folder.at("store").join("db");
    let mut options = rocksdb::Options::default();
    options.set_wal_dir(folder.at("store").join("wal"));
    let names = rocksdb::DB::list_cf(&options, &path).expect("the families");
    let mut db = rocksdb::DB::open_cf(&options, &path, names).expect("opens");
    db.create_cf("of_tomorrow", &rocksdb::Options::default()).expect("makes one");
    drop(db);
    for open in [Store::open, Store::open_to_read] {
        let error = open(Settings::new(folder.at("store"), key(1))).expect_err("it is refused");
        let text = error.to_string();
        assert!(matches!(error, Error::Newer { .. }), "{text}");
        for words in ["newer version", "of_tomorrow", "restore a backup", "nothing was changed"] {
            assert!(text.contains(words), "{text}");
        }
    }
}

#[test]
fn a_new_store_has_room_for_everything_and_erases_it() {
    let folder = Folder::new("upgrade-new");
    let store = world::open(&folder.0).expect("opens");
    assert!(store.present().has_people() && store.finalize().expect("nothing to do").made.is_empty());
    for number in [1, 2] {
        world::add_org(&store, number, "Acme");
    }
    put_role(&store).expect("there is room");
    store.erase_org(org(1)).expect("erases");
    assert!(matches!(store.get::<RoleRecord>(&RoleKey::new(org(1), 6)), Ok(None) | Err(Error::Erased { .. })));
    close(store);
}

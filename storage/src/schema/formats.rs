//! Bytes that were written once must be readable for ever: `tests/fixtures/formats.txt` holds one of each kind, as the
//! version that introduced it wrote it. Never change a line; `LINCHPIN_BLESS=1` adds lines for new kinds only.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;

use linchpin_protocol::model::{Datastream, DeviceId, Pin, Template, TemplateId, Token, ValueKind};
use ring::hmac;
use zeroize::Zeroizing;

use crate::disk::inventory::{Anchor, Inventory, Manifest, Phase, Table};
use crate::disk::steps::Steps;
use crate::schema::bytes::Fields;
use crate::schema::journal::{Point, pack, put_point, take_point, unpack};
use crate::schema::{
    self, AcmeAccount, AcmeLine, AcmeOrder, AcmeRecord, Attribute, Audit, Counter, Device, Diary, DiaryKind, Event,
    Grain, Latest, LatestValue, Org, OrgId, Properties, Record, Row, Sample, ServedCertificate, TemplateRecord, User,
    chunk, key::hex, rollup,
};
use crate::seal::keyring::Keyring;
use crate::seal::unseal::Unseal;
use crate::testing::Folder;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats.txt")
}

/// Name -> bytes.
struct Fixtures {
    known: BTreeMap<String, Vec<u8>>,
    added: bool,
}

impl Fixtures {
    fn read() -> Self {
        let text = std::fs::read_to_string(path()).unwrap_or_default();
        let line = |line: &str| {
            let (name, digits) = line.split_once(' ').expect("a name and its bytes");
            let byte =
                |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("digits");
            (name.to_owned(), digits.as_bytes().chunks(2).map(byte).collect())
        };
        Self { known: text.lines().map(line).collect(), added: false }
    }

    /// The bytes as they were once; `now` writes them the first time.
    fn bytes(&mut self, name: &str, now: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
        if !self.known.contains_key(name) && std::env::var_os("LINCHPIN_BLESS").is_some() {
            self.known.insert(name.to_owned(), now());
            self.added = true;
        }
        self.known.get(name).unwrap_or_else(|| panic!("{name} has no fixture: LINCHPIN_BLESS=1 adds it")).clone()
    }

    /// A record of a version that is read and not written any more.
    fn older<R: Record + PartialEq + Debug>(&mut self, name: &str, record: &R) {
        let then = self.bytes(name, || panic!("{name} is of the past: it cannot be made"));
        assert!(then[0] < R::VERSION, "{name}");
        self.reads(name, &then, record);
    }

    /// These bytes are this record, and no byte more or less is.
    fn reads<R: Record + PartialEq + Debug>(&self, name: &str, then: &[u8], record: &R) {
        assert_eq!(&schema::decode::<R>(then).expect("it is read"), record, "{name}");
        let longer = [then, &[0]].concat();
        assert!(schema::decode::<R>(&longer).is_err(), "{name} with a byte too many");
        assert!(schema::decode::<R>(&then[..then.len() - 1]).is_err(), "{name} with a byte too few");
    }

    fn record<R: Record + PartialEq + Debug>(&mut self, name: &str, record: &R) {
        let mut now = Vec::new();
        schema::encode(record, &mut now);
        let then = self.bytes(name, || now.clone());
        assert_eq!(hex(&then), hex(&now), "{name} is written in another way: give it a new version");
        self.reads(name, &then, record);
    }
}

impl Drop for Fixtures {
    fn drop(&mut self) {
        if self.added && !std::thread::panicking() {
            let lines: String = self.known.iter().map(|(name, bytes)| format!("{name} {}\n", hex(bytes))).collect();
            std::fs::create_dir_all(path().parent().expect("a folder")).expect("a folder");
            std::fs::write(path(), lines).expect("writes");
        }
    }
}

fn records(fixtures: &mut Fixtures) {
    let token = Token::from_random(&[0x5a; 24]);
    fixtures.record("counter-1", &Counter(7));
    fixtures.record("org-1", &Org { name: "Acme".into(), parent: OrgId::new(3), created_ms: 5, raw_days: 9 });
    let template = TemplateId::parse(b"TMPL1").ok();
    fixtures.record("device-1", &Device { name: "Lamp".into(), template, token, created_ms: 5, owner: 2 });
    let (email, name) = ("eve@example.com".into(), "Eve".into());
    fixtures.record("user-1", &User { email, name, role: 2, created_ms: 5, account: b"\x01\x02"[..].into() });
    let mut latest = Latest { applied: 1 << 41, ..Latest::default() };
    latest.values.insert(Pin::new_virtual(3), LatestValue { value: b"on\0off"[..].into(), at_ms: 77 });
    fixtures.record("latest-1", &latest);
    let attribute = |pin, name: &str| Attribute { pin, name: name.into(), value: b"Door"[..].into() };
    let attributes = vec![attribute(Some(Pin::new_virtual(3)), "label"), attribute(None, "iccid")];
    fixtures.record("property-1", &Properties(attributes));
    fixtures.record("event-1", &Event { code: "hot".into(), description: "too hot".into() });
    fixtures.record("diary-1", &Diary { kind: DiaryKind::Offline, reason: "silent".into() });
    let (action, object, address) = ("device.create".into(), "device 7".into(), "::1".into());
    fixtures.record("audit-1", &Audit { before: [9; 32], at_ms: 5, actor: 2, action, object, address });
    let kinds = [
        ValueKind::Text,
        ValueKind::Int { min: -5, max: 9 },
        ValueKind::Double { min: 0.5, max: 2.5 },
        ValueKind::Enum { count: 4 },
    ];
    let streams = kinds
        .into_iter()
        .zip(0..)
        .map(|(kind, index)| Datastream::new(Pin::new_virtual(index), "t", kind, "C", index == 0));
    let id = TemplateId::parse(b"TMPL1").expect("valid");
    let template = Template::new(id, "lamp".into(), streams.collect(), vec!["hot".into()]);
    fixtures.older("template-1", &TemplateRecord(template.clone()));
    fixtures.record("template-2", &TemplateRecord(template.with_tls_required(true)));
}

fn orders_of_certificates(fixtures: &mut Fixtures) {
    let account = AcmeAccount { directory: "https://ca/dir".into(), key_pem: "KEY".to_owned().into(), url: "u".into() };
    fixtures.record("acme-1-account", &AcmeRecord::Account(account));
    let order = AcmeOrder { authority: 1, key_pem: "KEY".to_owned().into(), url: "o".into(), begun_s: 4 };
    let line = AcmeLine {
        order: Some(order),
        failures: 2,
        invalid: 1,
        not_before_s: 9,
        orders: vec![(0, 3), (1, 4)],
        failed: vec![5],
        renew_s: 70,
        ask_s: 60,
        replaced: true,
        log: vec![(4, "ordered".into())],
    };
    fixtures.record("acme-1-line", &AcmeRecord::Line(line));
    fixtures.record("acme-1-idle", &AcmeRecord::Line(AcmeLine::default()));
    let certificate = ServedCertificate {
        directory: "https://ca/dir".into(),
        chain_pem: "CHAIN".into(),
        key_pem: "KEY".to_owned().into(),
        issued_s: 5,
        revoked: false,
    };
    fixtures.record("certificate-1", &certificate);
}

/// What is squeezed may be squeezed in another way tomorrow; it must be read as it was.
fn history(fixtures: &mut Fixtures) {
    let sample = |n: u64| Sample { at_ms: 1_800_000_000_000 + n * 1_003, value: 20.0 + (n / 9) as f64 / 10.0 };
    let samples: Vec<Sample> = (0..100).map(sample).collect();
    let encode = |samples: &[Sample]| {
        let mut out = Vec::new();
        chunk::encode(samples, &mut out);
        out
    };
    assert_eq!(chunk::decode(&fixtures.bytes("chunk-1", || encode(&samples))).expect("it is read"), samples);
    let floats = [Sample { at_ms: 5, value: 1.0 / 3.0 }, Sample { at_ms: 4, value: -1e300 }];
    assert_eq!(chunk::decode(&fixtures.bytes("chunk-1-floats", || encode(&floats))).expect("it is read"), floats);
    let rows: Vec<Row> = samples.iter().step_by(60).map(|sample| Row::of(Grain::Minute, *sample)).collect();
    let then = fixtures.bytes("rollup-1", || {
        let mut out = Vec::new();
        rollup::encode(&rows, &mut out);
        out
    });
    assert_eq!(rollup::decode(&then).expect("it is read"), rows);
    let device = DeviceId::new(70_000).expect("not zero");
    let point = Point { device, pin: Pin::new_virtual(3), at_ms: 990, value: b"on\0off" };
    let then = fixtures.bytes("journal-1", || {
        let (mut raw, mut out) = (Vec::new(), Vec::new());
        (0..20).for_each(|_| put_point(1_000, &point, &mut raw));
        pack(1_000, &raw, &mut out);
        out
    });
    let (base_ms, raw) = unpack(&then).expect("it is read");
    let mut fields = Fields(&raw);
    (0..20).for_each(|_| assert_eq!(take_point(base_ms, &mut fields), Ok(point)));
    assert_eq!(fields.end(), Ok(()));
}

fn files(fixtures: &mut Fixtures) {
    let folder = Folder::new("formats");
    let unseal = Unseal::Key(Zeroizing::new([1; 32]));
    let created = || {
        let keyring = Keyring::create(&folder.0, &unseal, Steps::default(), Default::default()).expect("creates");
        keyring.add_org(7).expect("adds");
        keyring.erase_org(8).expect("erases");
        keyring.fresh_epoch(1_000).expect("registers");
        keyring.sealed().expect("seals").1
    };
    let then = fixtures.bytes("keyring-1", created);
    for name in crate::seal::keyring::file::NAMES {
        std::fs::write(folder.0.join(name), &then).expect("writes");
    }
    let status = Keyring::open(&folder.0, &unseal, Steps::default(), Default::default()).expect("opens").status();
    assert_eq!((status.orgs, status.erased, status.epochs, status.newest_created_s), (1, 1, 1, 1_000));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]);
    let manifest = Some(Manifest { number: 5, len: 100, sha256: [2; 32] });
    let tables = vec![Table { number: 9, len: 3, sha256: [3; 32] }];
    let inventory = Inventory {
        phase: Phase::Running,
        db_id: [4; 16],
        epoch: 6,
        start_epoch: 5,
        keyring_generation: 2,
        manifest,
        tables,
    };
    let at = folder.0.join("file");
    let then = fixtures.bytes("inventory-1", || {
        inventory.write(&at, &key).expect("writes");
        std::fs::read(&at).expect("reads")
    });
    std::fs::write(&at, then).expect("writes");
    assert_eq!(Inventory::read(&at, &key).expect("it is read"), Some(inventory));
    let anchor = Anchor { db_id: [4; 16], epoch: 6 };
    let then = fixtures.bytes("anchor-1", || {
        anchor.write(&at, &key).expect("writes");
        std::fs::read(&at).expect("reads")
    });
    std::fs::write(&at, then).expect("writes");
    assert_eq!(Anchor::read(&at, &key).expect("it is read"), Some(anchor));
}

#[test]
fn what_was_written_once_is_read_for_ever() {
    let mut fixtures = Fixtures::read();
    records(&mut fixtures);
    orders_of_certificates(&mut fixtures);
    history(&mut fixtures);
    files(&mut fixtures);
    assert!(fixtures.known.len() >= 17, "{} fixtures", fixtures.known.len());
}

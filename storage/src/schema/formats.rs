//! Bytes that were written once must be readable for ever: `tests/fixtures/formats.txt` holds one of each kind, as the
//! version that introduced it wrote it. Never change a line; `LINCHPIN_BLESS=1` adds lines for new kinds only.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;

use linchpin_protocol::model::{
    Datastream, DeviceId, Pin, Template, TemplateField, TemplateId, Token, TopicMapping, ValueKind,
};
use ring::hmac;
use zeroize::Zeroizing;

use crate::disk::inventory::{Anchor, Inventory, InventoryPhase, ManifestPrefix, Table};
use crate::disk::steps::Steps;
use crate::schema::bytes::Fields;
use crate::schema::journal::{Point, pack, put_point, take_point, unpack};
use crate::schema::{
    self, Account, AcmeAccount, AcmeLine, AcmeOrder, AcmeRecord, Actor, AddressRange, Attribute, AuditEntry, AuditFace,
    AuditObject, AuditOutcome, ClientKind, ClientRecord, Consent, Counter, Device, DiaryKind, DiaryRecord, Event,
    EventSeverity, EventSheet, Families, FieldKind, FileKind, FilePiece, FileRecord, Grain, Grant, Invite, InviteKind,
    Latest, LatestValue, MetaField, Org, OrgId, OrgKind, OrgPolicy, OrgState, OutboxMail, PersonSession, Properties,
    Record, Refresh, Resolution, RoleRecord, Row, Sample, ServedCertificate, SessionKind, ShareRecord, SheetRecord,
    StaticState, StaticToken, StreamSheet, TemplateRecord, TemplateVersion, User, chunk, key::hex, rollup,
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

    /// A store that was not upgraded gets these very bytes.
    fn before<R: Record>(&self, name: &str, record: &R) {
        let older = Families::default().with(R::FAMILY);
        let mut now = Vec::new();
        assert!(schema::encode_for(record, older, &mut now), "{name} says no more than the older version");
        assert_eq!(hex(&self.known[name]), hex(&now), "{name}");
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
    let org = Org { parent: OrgId::new(3), raw_days: 9, ..Org::new("Acme", None, 5) };
    fixtures.older("org-1", &org);
    fixtures.before("org-1", &org);
    let range = |text| AddressRange::parse(text).expect("a range");
    let policy = OrgPolicy {
        second_factor: true,
        plain_allowed: false,
        session_hours: 12,
        sign_in_from: [range("192.0.2.0/24")].into(),
        keys_from: [range("2001:db8::/32"), range("::1")].into(),
        requests_per_minute: 600,
    };
    let (kind, state) = (OrgKind::Partner, OrgState::Suspended);
    let (time_zone, locale) = ("Europe/Berlin".into(), "de".into());
    fixtures.record("org-2", &Org { depth: 2, kind, state, epoch: 9, policy, time_zone, locale, ..org });
    let template = TemplateId::parse(b"TMPL1").ok();
    let device = Device::new("Lamp".into(), template, token, 5);
    fixtures.older("device-1", &device);
    let owner = Some((OrgId::FIRST, 2));
    let tags = vec!["attic".into(), "warm".into()];
    let moved_from = OrgId::new(4);
    fixtures.record("device-2", &Device { owner, tags, token_epoch: 3, pending_until_ms: 9, moved_from, ..device });
    let (email, name) = ("eve@example.com".into(), "Eve".into());
    fixtures.record("user-1", &User { email, name, role: 2, created_ms: 5, account: b"\x01\x02"[..].into() });
    let mut latest = Latest { applied: 1 << 41, ..Latest::default() };
    latest.values.insert(Pin::new_virtual(3), LatestValue { value: b"on\0off"[..].into(), at_ms: 77 });
    fixtures.record("latest-1", &latest);
    let attribute = |pin, name: &str| Attribute { pin, name: name.into(), value: b"Door"[..].into() };
    let attributes = vec![attribute(Some(Pin::new_virtual(3)), "label"), attribute(None, "iccid")];
    fixtures.record("property-1", &Properties(attributes));
    let event = Event::new("hot".into(), "too hot".into());
    fixtures.older("event-1", &event);
    fixtures.before("event-1", &event);
    fixtures.record("event-2", &event);
    let resolved = Some(Resolution { at_ms: 9, by: Some((OrgId::FIRST, 2)), note: "fan".into() });
    fixtures.record("event-2-resolved", &Event { resolved, ..event });
    fixtures.record("diary-1", &DiaryRecord { kind: DiaryKind::Offline, reason: "silent".into() });
    people(fixtures);
    templates(fixtures);
    let file = FileRecord {
        kind: FileKind::Upload,
        name: "photo.png".into(),
        media: "image/png".into(),
        len: 70_000,
        made_ms: 5,
        expires_ms: 0,
        secret: [7; 32],
        is_whole: true,
    };
    fixtures.record("file-1", &file);
    fixtures.record("file_piece-1", &FilePiece(b"\x89PNG"[..].into()));
}

fn templates(fixtures: &mut Fixtures) {
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
    fixtures.older("template-1", &TemplateRecord::from(template.clone()));
    let mut record = TemplateRecord::from(template.with_tls_required(true));
    fixtures.older("template-2", &record);
    fixtures.before("template-2", &record);
    record.template.datastreams[0].id = 11;
    record.template.datastreams[1].default = Some("4".into());
    record.template.datastreams[3].fallback = Some(2);
    fixtures.older("template-3", &record);
    record.streams[0] = StreamSheet { alias: "note".into(), is_hidden: true, ..Default::default() };
    record.streams[2] = StreamSheet { decimals: Some(1), is_location: true, stale_after_s: 60, ..Default::default() };
    record.streams[3].labels = vec![("0".into(), "off".into()), ("1".into(), "on".into())];
    let field = MetaField {
        id: 3,
        name: "Room".into(),
        kind: FieldKind::List,
        more: "Kitchen\nBath".into(),
        default: "Bath".into(),
        is_required: true,
        by_device: false,
    };
    let event = EventSheet {
        code: "hot".into(),
        name: "Too hot".into(),
        description: "Look at the fan.".into(),
        severity: EventSeverity::Critical,
        per_day: 100,
        is_shown: true,
    };
    record.sheet = SheetRecord {
        version: 4,
        parent: Some((OrgId::FIRST, 7)),
        description: "A lamp.".into(),
        fields: vec![field],
        events: vec![event],
        offline_wait_s: 30,
        ..SheetRecord::default()
    };
    let known = TemplateField { id: 3, name: "Room".into(), default: "Bath".into(), by_device: false };
    record.template.fields = vec![known];
    (record.template.event_limits, record.template.offline_wait_s) = (vec![("hot".into(), 100)], 30);
    fixtures.older("template-4", &record);
    let by = Some((OrgId::FIRST, 2));
    let version = TemplateVersion { at_ms: 5, by, note: "first".into(), record };
    let then = fixtures.bytes("template_version-1", || panic!("it is of the past"));
    assert_eq!(schema::decode::<TemplateVersion>(&then).as_ref(), Ok(&version), "with a template of version 4");
    let mut record = version.record.clone();
    record.streams[1].is_writable = true;
    record.streams[1].labels = vec![("-5".into(), "least".into())];
    record.template.aliases = vec![("Old".into(), Pin::new_virtual(1))];
    record.template.topics = vec![TopicMapping::new("tele/x", "/A", Pin::new_virtual(2)).expect("valid")];
    record.sheet.is_published = true;
    (record.sheet.changed_ms, record.sheet.changed_by) = (7, by);
    (record.sheet.note, record.sheet.layout) = ("why".into(), "{}".into());
    fixtures.record("template-5", &record);
    fixtures.record("template_version-1-of-5", &TemplateVersion { record, ..version });
}

/// SHA-256 of what the entry of version 1 says behind its actor.
const AUDIT_1_TEXTS: &str = "df84c6afce73365ac8f4a8c620b98bfaa9949b0b143d425d7297dbaaa007230a";

fn unhex(text: &str) -> [u8; 32] {
    let digit = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("digits");
    std::array::from_fn(digit)
}

fn people(fixtures: &mut Fixtures) {
    let v1 = AuditEntry {
        before: [9; 32],
        at_ms: 5,
        actor: Actor::Person(OrgId::FIRST, 2),
        action: 0,
        object: AuditObject::default(),
        outcome: AuditOutcome::Done,
        request: 0,
        face: unhex(AUDIT_1_TEXTS),
    };
    fixtures.older("audit-1", &v1);
    let object = AuditObject { kind: 1, org: 1, number: 7 };
    fixtures.record("audit-2", &AuditEntry { action: 21, object, outcome: AuditOutcome::Refused, request: 99, ..v1 });
    let changes = vec![("name".into(), "Lamp".into(), "Light".into())];
    let (address, agent, actor, object) = ("::1".into(), "Firefox on Linux".into(), "Eve".into(), "Lamp".into());
    let face = AuditFace { salt: [3; 16], at_ms: 5, address, agent, actor, object, changes };
    fixtures.record("audit_face-1", &face);
    fixtures.record("role-1", &RoleRecord { name: "Night shift".into(), own: 3, org: 1 << 40, epoch: 2 });
    fixtures.record("grant-1", &Grant { role: 6, below: true, until_ms: 77 });
    fixtures.record("share-1", &ShareRecord { bits: 3, until_ms: 0 });
    credentials(fixtures);
    let fields = vec![("link".into(), "https://example.com/#x".into())];
    let (to, locale) = ("eve@example.com".into(), "de".into());
    fixtures.record("outbox-1", &OutboxMail { kind: 1, to, locale, fields, tries: 2, made_ms: 5 });
    let account = Account { epoch: 3, recovery: vec![[1; 32]], locale: "de".into(), ..Account::default() };
    let then = fixtures.bytes("account-1", || account.to_bytes().into());
    assert_eq!(Account::parse(&then), Ok(account));
}

fn credentials(fixtures: &mut Fixtures) {
    let person = Some((OrgId::FIRST, 2));
    let bits = (1, 2);
    let refresh = Some(Refresh { client: 4, generation: 3, rotated_ms: 8, bits });
    let session = PersonSession {
        kind: SessionKind::Refresh,
        digest: [5; 32],
        made_ms: 1,
        seen_ms: 2,
        until_ms: 3,
        assurance: 3,
        proven_ms: 4,
        epoch: 6,
        agent: "curl".into(),
        address: [7; 16],
        refresh,
    };
    fixtures.record("session-1", &PersonSession { kind: SessionKind::Browser, refresh: None, ..session.clone() });
    fixtures.record("session-1-refresh", &session);
    let client = ClientRecord {
        kind: ClientKind::Personal,
        name: "CI".into(),
        digest: [6; 32],
        person,
        made_by: person,
        own: 5,
        org: 6,
        epoch: 1,
        is_off: false,
        made_ms: 1,
        until_ms: 2,
        used_ms: 3,
        used_from: vec!["::1".into()],
        from: [AddressRange::parse("10.0.0.0/8").expect("a range")].into(),
        requests_per_minute: 60,
    };
    fixtures.record("client-1", &client);
    let invite = Invite {
        kind: InviteKind::Member,
        digest: [8; 32],
        email: "eve@example.com".into(),
        role: 3,
        role_epoch: 1,
        below: true,
        inviter: person,
        user: 0,
        made_ms: 5,
        until_ms: 6,
        password: Zeroizing::default(),
    };
    fixtures.older("invite-1", &invite);
    let password = Zeroizing::new("$argon2id$v=19".to_owned());
    fixtures.record("invite-2", &Invite { kind: InviteKind::Stop, password, ..invite });
    let static_token = StaticToken {
        token: Token::from_random(&[0x5a; 24]),
        claim: [4; 32],
        template: TemplateId::parse(b"TMPL1").expect("valid"),
        metadata: vec![Attribute { pin: None, name: "Room".into(), value: b"Bath"[..].into() }],
        state: StaticState::Claimed(DeviceId::new(9).expect("not zero")),
        made_ms: 5,
    };
    fixtures.record("static-1", &static_token);
    fixtures.record("consent-1", &Consent { version: 2, given: true, source: "console".into() });
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
    let manifest = Some(ManifestPrefix { number: 5, len: 100, sha256: [2; 32] });
    let tables = vec![Table { number: 9, len: 3, sha256: [3; 32] }];
    let inventory = Inventory {
        phase: InventoryPhase::Running,
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

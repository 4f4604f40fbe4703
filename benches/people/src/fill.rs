//! A store with many organizations, people, sessions and devices, written beside a server that is down.

use linchpin_control::account::{GivenSecret, SecretKind};
use linchpin_protocol::model::{DeviceId, TemplateId, Token};
use linchpin_storage::schema::{
    Account, AccountState, Counter, CounterName, Device, DeviceKey, Grant, GrantKey, IndexEntry, Org, OrgId,
    PersonSession, SessionKey, SessionKind, User, UserKey,
};
use linchpin_storage::{Batch, Class, Store};

use crate::{Outcome, Sizes, now_ms};

/// Devices of the first organization that are looked at: they are there and have both tags.
pub(crate) const WATCHED: u32 = 10_000;
/// Those of it that are there and have one tag only.
pub(crate) const OTHERWISE: u32 = 1_000;
/// Those of it that have both tags and are not there.
const AWAY: u32 = 9_000;
/// All devices of the first organization.
const OF_FIRST: u32 = WATCHED + OTHERWISE + AWAY;
/// The first number that nobody has.
const FIRST: u32 = 1_000;
const BATCH_BYTES: usize = 1 << 20;

/// The token of a device that was filled in.
pub(crate) fn token(number: u32) -> Token {
    let mut seed = [0x5a; 24];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    Token::from_random(&seed)
}

/// Tokens of the devices that connect.
pub(crate) fn connected() -> impl Iterator<Item = Token> {
    (FIRST..FIRST + WATCHED + OTHERWISE).map(token)
}

/// How many devices there will be.
pub(crate) fn devices_in_all(sizes: Sizes) -> u32 {
    sizes.devices.max(OF_FIRST)
}

/// The token of somebody's session.
pub(crate) fn session(number: u32) -> GivenSecret {
    let mut seed = [0x3c; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    GivenSecret::from_random(SecretKind::Session, &seed)
}

/// Numbers of the people.
pub(crate) fn people(sizes: Sizes) -> std::ops::Range<u32> {
    FIRST..FIRST + sizes.people
}

fn org(number: u32) -> Outcome<OrgId> {
    Ok(OrgId::new(number).ok_or("zero")?)
}

/// The organization of the thing with this number: they take turns.
fn org_of(number: u32, sizes: Sizes) -> Outcome<OrgId> {
    org(2 + number % sizes.orgs.max(1))
}

struct Filling<'a> {
    store: &'a Store,
    batch: Batch,
}

impl<'a> Filling<'a> {
    fn new(store: &'a Store) -> Self {
        Self { store, batch: store.batch() }
    }

    fn pour(&mut self) -> Outcome {
        if self.batch.len_bytes() > BATCH_BYTES {
            self.store.commit(Class::B, std::mem::replace(&mut self.batch, self.store.batch()))?;
        }
        Ok(())
    }

    fn end(mut self, counter: CounterName, next: u32) -> Outcome {
        self.batch.put(&counter, &Counter(u64::from(next)))?;
        Ok(self.store.commit(Class::A, self.batch)?)
    }
}

/// Organizations below the first.
pub(crate) fn orgs(store: &Store, sizes: Sizes) -> Outcome {
    let mut filling = Filling::new(store);
    for number in 2..2 + sizes.orgs {
        store.add_org(org(number)?)?;
        let record = Org::new(&format!("Customer {number}"), Some((org(1)?, 0)), now_ms());
        filling.batch.put(&org(number)?, &record)?;
        filling.pour()?;
    }
    filling.end(CounterName::Org, 2 + sizes.orgs)
}

/// People with one session each.
pub(crate) fn accounts(store: &Store, sizes: Sizes) -> Outcome {
    let (mut filling, now) = (Filling::new(store), now_ms());
    let password = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$0000000000000000000000000000000000000000000";
    for user in people(sizes) {
        let home = org_of(user, sizes)?;
        let account = Account {
            state: AccountState::Active,
            epoch: 1,
            password: password.to_owned().into(),
            password_ms: now,
            verified_ms: now,
            ..Account::default()
        };
        let email = format!("person.{user}@customer.example");
        let digest = store.email_digest(&email);
        let record = User {
            email: email.into(),
            name: format!("Person {user}").into(),
            role: 3,
            created_ms: now,
            account: account.to_bytes(),
        };
        filling.batch.put(&UserKey::new(home, user), &record)?;
        filling.batch.put(&GrantKey::new(home, home, user), &Grant { role: 3, below: false, until_ms: 0 })?;
        filling.batch.put_index(&digest, &IndexEntry { org: home, number: user })?;
        let digest = store.session_digest(session(user).expose().as_bytes());
        let record = PersonSession {
            kind: SessionKind::Browser,
            digest: digest.long().unwrap_or_default(),
            made_ms: now,
            seen_ms: now,
            until_ms: now + 30 * 86_400_000,
            assurance: 1,
            proven_ms: now,
            epoch: 1,
            agent: "Firefox".into(),
            address: [7; 16],
            refresh: None,
        };
        filling.batch.put(&SessionKey::new(home, user, u64::from(user)), &record)?;
        filling.batch.put_index(&digest, &IndexEntry { org: home, number: user })?;
        filling.pour()?;
    }
    filling.end(CounterName::User, people(sizes).end)
}

/// Devices: those that are looked at in the first organization, with as many others that a filter must leave out, the rest in all
/// organizations by turns.
pub(crate) fn devices(store: &Store, template: TemplateId, sizes: Sizes) -> Outcome {
    let (mut filling, now) = (Filling::new(store), now_ms());
    let end = FIRST + devices_in_all(sizes);
    for number in FIRST..end {
        let at = if number < FIRST + OF_FIRST { org(1)? } else { org_of(number, sizes)? };
        let has_one_tag = (WATCHED..WATCHED + OTHERWISE).contains(&(number - FIRST)) || at != org(1)?;
        let (token, id) = (token(number), DeviceId::new(number).ok_or("zero")?);
        let mut record = Device::new(format!("Pump {number}").into(), Some(template), token, now);
        record.tags = if has_one_tag { vec!["pump".into()] } else { vec!["pump".into(), "north".into()] };
        filling.batch.put(&DeviceKey::new(at, id), &record)?;
        filling.batch.put_index(&store.token_digest(&token), &IndexEntry { org: at, number })?;
        filling.pour()?;
    }
    filling.end(CounterName::Device, end)
}

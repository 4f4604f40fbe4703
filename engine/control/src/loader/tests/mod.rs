//! Loaders on a real store: the threats that need one.

mod audit;
mod door;
mod erase;
mod mails;
mod moves;
mod people;
mod tokens;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use linchpin_storage::schema::{Org, OrgId, SessionKind};
use linchpin_storage::{Class, Settings, Store, Unseal};
use zeroize::Zeroizing;

use super::person::NewPerson;
use super::session::NewSession;
use super::{Asker, Loader};
use crate::access::role::Giver;
use crate::access::{Assurance, PersonRef, Right, Scope};
use crate::account::{EmailAddress, GivenSecret};
use crate::audit::By;

/// Midday of a day that is far from every retention's end: the store's clock is the system's.
fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

struct World {
    loader: Arc<Loader>,
    store: Arc<Store>,
    now: u64,
    folder: PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.store.close();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn org(number: u32) -> OrgId {
    OrgId::new(number).expect("not zero")
}

fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).expect("an address")
}

impl World {
    /// Organization 1, below it 2 and 3, below 2 organization 4; an Admin of 1 that reaches all: person 1.
    fn new(name: &str) -> (Self, PersonRef) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("linchpin-people-{name}-{}-{count}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut settings = Settings::new(folder.join("store"), Unseal::Key(Zeroizing::new([1; 32])));
        settings.write_buffer_bytes = 1 << 20;
        let store = Arc::new(Store::open(settings).expect("opens"));
        let mut batch = store.batch();
        for (number, above) in [(1, None), (2, Some((org(1), 0))), (3, Some((org(1), 0))), (4, Some((org(2), 1)))] {
            store.add_org(org(number)).expect("a key");
            batch.put(&org(number), &Org::new("Acme", above, 1)).expect("fits");
        }
        store.commit(Class::A, batch).expect("commits");
        let loader = Arc::new(Loader::open(Arc::clone(&store)).expect("opens"));
        let world = Self { loader, store, now: now_ms(), folder };
        let admin = world.person(1, "admin@example.com", 1, true);
        (world, admin)
    }

    fn person(&self, home: u32, address: &str, role: u16, below: bool) -> PersonRef {
        let password = Zeroizing::new("$argon2id$none".to_owned());
        let new = NewPerson { email: email(address), name: "Eve".into(), role, below, password };
        self.loader.create_person(By::operator(), org(home), &new, self.now).expect("is made")
    }

    fn session(&self, id: PersonRef) -> GivenSecret {
        let assurance = Assurance::PASSWORD;
        let new = NewSession { kind: SessionKind::Browser, assurance, agent: "test".into(), address: HERE };
        let person = self.loader.myself(id).expect("is there");
        self.loader.open_session(By::operator(), &person, &new, self.now).expect("opens").0
    }

    /// Somebody with their session, as a request has them; `None`: the session is not good.
    fn try_asker(&self, token: &GivenSecret, now_ms: u64) -> Option<Asker> {
        let live = self.loader.session(token, now_ms).expect("reads")?;
        Some(self.loader.asker(&live, HERE, "test", 1))
    }

    fn asker(&self, id: PersonRef) -> Asker {
        self.try_asker(&self.session(id), self.now).expect("is good")
    }

    fn scope<P: Right>(&self, asker: &Asker, at: u32) -> Scope<P> {
        self.loader.admit(asker, org(at), self.now).expect("is admitted")
    }

    fn giver(&self, asker: &Asker, at: u32) -> Giver {
        asker.standing.giver(&self.loader.directory().tree, org(at), self.now)
    }
}

//! Sessions in memory: from the digest of a token to who it is. Filled on first use, bounded, and the place where a
//! revocation takes hold at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use linchpin_shard::WhoseRights;
use linchpin_storage::schema::{AddressRange, OrgId, SessionKey};

use super::ended::{EndedRights, live_user};
use crate::access::Standing;
use crate::limits;

/// What a session is found by: the digest of its token.
pub type SessionDigest = [u8; 32];

/// A session that was used lately.
#[derive(Debug)]
pub struct LiveSession {
    /// Where its record is; `None`: a key's, which has no session record.
    pub key: Option<SessionKey>,
    /// Home and number of its person; of a key its organization and number.
    pub owner: (OrgId, u32),
    /// Does it belong to a key of an organization, not to a person?
    pub is_key: bool,
    /// When it ends in any case, ms since 1970.
    pub until_ms: u64,
    /// When it ends unless it is used, as a length, ms; 0: not at all.
    pub idle_ms: u64,
    /// Who it is, as of the stamp.
    pub standing: Standing,
    /// What it was made from: see [`super::epochs`].
    pub stamp: super::epochs::Stamp,
    /// Where it may be used from; empty: everywhere.
    from: Box<[AddressRange]>,
    /// Requests a minute that it may send, if it is a key; 0: the server's setting.
    pub requests_per_minute: u32,
    /// When it was used last, ms since 1970.
    seen_ms: AtomicU64,
    is_alive: AtomicBool,
}

impl LiveSession {
    /// As loaded.
    #[must_use]
    pub fn new(
        key: Option<SessionKey>,
        owner: (OrgId, u32),
        (until_ms, idle_ms): (u64, u64),
        standing: Standing,
        stamp: super::epochs::Stamp,
        seen_ms: u64,
    ) -> Self {
        let (is_key, seen_ms, is_alive) = (key.is_none(), AtomicU64::new(seen_ms), AtomicBool::new(true));
        Self {
            key,
            owner,
            is_key,
            until_ms,
            idle_ms,
            standing,
            stamp,
            from: Box::default(),
            requests_per_minute: 0,
            seen_ms,
            is_alive,
        }
    }

    /// The same, from these addresses only.
    #[must_use]
    pub fn with_from(self, from: Box<[AddressRange]>) -> Self {
        Self { from, ..self }
    }

    /// The same, with so many requests a minute; 0: the server's setting.
    #[must_use]
    pub fn with_pace(self, requests_per_minute: u32) -> Self {
        Self { requests_per_minute, ..self }
    }

    /// May it be used from there?
    #[must_use]
    pub fn may_come_from(&self, address: IpAddr) -> bool {
        self.from.is_empty() || self.from.iter().any(|range| range.contains(address))
    }

    /// May it be used now?
    #[must_use]
    pub fn is_good(&self, now_ms: u64) -> bool {
        let idle = self.idle_ms != 0 && now_ms >= self.seen_ms().saturating_add(self.idle_ms);
        self.is_alive.load(Ordering::Acquire) && now_ms < self.until_ms && !idle
    }

    /// When it was used last.
    #[must_use]
    pub fn seen_ms(&self) -> u64 {
        self.seen_ms.load(Ordering::Relaxed)
    }

    /// It is used now. `true`: that should be written down, the last time is long ago.
    #[must_use]
    pub fn touch(&self, now_ms: u64) -> bool {
        let before = self.seen_ms.fetch_max(now_ms, Ordering::Relaxed);
        now_ms >= before.saturating_add(limits::SESSION_SEEN_MS)
    }

    /// End it; requests that hold it see that too.
    pub fn end(&self) {
        self.is_alive.store(false, Ordering::Release);
    }
}

/// Whose sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// One session.
    Session(SessionKey),
    /// All of a person.
    Person(OrgId, u32),
    /// All of a key.
    Key(OrgId, u32),
    /// All of the people and keys of an organization.
    Org(OrgId),
}

impl Whose {
    /// As live sockets name them.
    const fn rights(self) -> WhoseRights {
        match self {
            Self::Session(key) => WhoseRights::Session { org: key.org(), user: key.user(), session: key.session() },
            Self::Person(org, user) => WhoseRights::Person { org, user: live_user(user, false) },
            Self::Key(org, number) => WhoseRights::Person { org, user: live_user(number, true) },
            Self::Org(org) => WhoseRights::Org(org),
        }
    }

    fn has(&self, session: &LiveSession) -> bool {
        match self {
            Self::Session(key) => session.key == Some(*key),
            Self::Person(org, user) => !session.is_key && session.owner == (*org, *user),
            Self::Key(org, client) => session.is_key && session.owner == (*org, *client),
            Self::Org(org) => session.owner.0 == *org,
        }
    }
}

/// See the module's page.
#[derive(Debug, Default)]
pub struct SessionTable {
    sessions: RwLock<HashMap<SessionDigest, Arc<LiveSession>>>,
    ended: Arc<EndedRights>,
}

impl SessionTable {
    /// That tells `ended` of each end.
    #[must_use]
    pub fn new(ended: Arc<EndedRights>) -> Self {
        Self { sessions: RwLock::default(), ended }
    }

    /// The session of this digest, if it was used lately.
    #[must_use]
    pub fn get(&self, digest: &SessionDigest) -> Option<Arc<LiveSession>> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// Put one in. When the table is full those that were not used for longest make room: they are loaded again.
    pub fn put(&self, digest: SessionDigest, session: Arc<LiveSession>) {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= limits::SESSIONS && !sessions.contains_key(&digest) {
            let mut seen: Vec<u64> = sessions.values().map(|session| session.seen_ms()).collect();
            let (_, oldest, _) = seen.select_nth_unstable(limits::SESSIONS / 8);
            let oldest = *oldest;
            sessions.retain(|_, session| session.seen_ms() > oldest);
        }
        sessions.insert(digest, session);
    }

    /// Forget one: it is loaded again when it is used.
    pub fn forget(&self, digest: &SessionDigest) {
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).remove(digest);
    }

    /// End sessions; how many were in memory. What the store says of them was changed before.
    pub fn end(&self, whose: Whose) -> usize {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        let before = sessions.len();
        sessions.retain(|_, session| {
            let ends = whose.has(session);
            if ends {
                session.end();
            }
            !ends
        });
        let ended = before - sessions.len();
        drop(sessions);
        self.ended.tell(whose.rights(), true);
        ended
    }

    /// How many are in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Is none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use linchpin_storage::schema::Actor;

    use super::*;
    use crate::access::Assurance;
    use crate::account::epochs::Epochs;

    fn session(user: u32, number: u64, seen_ms: u64) -> Arc<LiveSession> {
        let home = OrgId::FIRST;
        let standing = Standing {
            actor: Actor::Person(home, user),
            person: Some((home, user)),
            memberships: Vec::new(),
            limit: None,
            assurance: Assurance::PASSWORD,
            has_factor: false,
            proven_ms: 0,
            view: None,
            address: [127, 0, 0, 1].into(),
            request: 0,
        };
        let key = Some(SessionKey::new(home, user, number));
        let stamp = Epochs::default().stamp([]);
        Arc::new(LiveSession::new(key, (home, user), (10_000, 1_000), standing, stamp, seen_ms))
    }

    fn digest(number: u32) -> SessionDigest {
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&number.to_be_bytes());
        digest
    }

    #[test]
    fn sessions_end_by_time_by_rest_and_at_once() {
        let one = session(1, 1, 100);
        assert!(one.is_good(1_099) && !one.is_good(1_100));
        assert!(!one.touch(1_000));
        assert!(one.is_good(1_500) && !one.is_good(10_000));
        let table = SessionTable::default();
        for (n, user) in [(1, 1), (2, 1), (3, 2)] {
            table.put(digest(n), session(user, n.into(), 100));
        }
        let held = table.get(&digest(1)).expect("in memory");
        assert_eq!(table.end(Whose::Person(OrgId::FIRST, 1)), 2);
        assert!(!held.is_good(200), "a request that holds it sees it");
        assert!(table.get(&digest(2)).is_none() && table.get(&digest(3)).is_some());
        assert_eq!(table.end(Whose::Session(SessionKey::new(OrgId::FIRST, 2, 3))), 1);
    }

    #[test]
    fn the_table_is_bounded_and_drops_the_oldest() {
        let table = SessionTable::default();
        let most = limits::SESSIONS as u32;
        for n in 0..most + 5 {
            table.put(digest(n), session(n, n.into(), u64::from(n)));
        }
        assert!(table.len() <= limits::SESSIONS);
        assert!(table.get(&digest(0)).is_none() && table.get(&digest(most + 4)).is_some());
    }
}

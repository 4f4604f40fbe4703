//! Rights that have ended: whoever goes by rights elsewhere, live sockets on the shards, is told of each, once it is in
//! force here.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use linchpin_shard::{Revocation, WhoseRights};
use tokio::sync::Notify;

/// Passes a revocation on, and says so with [`EndedRights::passed_on`].
type PassOn = Box<dyn Fn(Revocation) + Send + Sync>;

/// See the module's page.
#[derive(Default)]
pub struct EndedRights {
    last: AtomicU64,
    under_way: AtomicU64,
    changed: Notify,
    pass_on: OnceLock<PassOn>,
}

impl std::fmt::Debug for EndedRights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndedRights").field("last", &self.last).finish_non_exhaustive()
    }
}

/// The number of a key as the user of a live socket: people's numbers end below it.
const KEYS_FROM: u32 = 1 << 31;

/// The number under which a person or a key is known to live sockets.
#[must_use]
pub const fn live_user(number: u32, is_key: bool) -> u32 {
    if is_key { number | KEYS_FROM } else { number }
}

impl EndedRights {
    /// Whom to tell from now on; set once.
    pub fn set_pass_on(&self, pass_on: impl Fn(Revocation) + Send + Sync + 'static) {
        // A second one would be a bug of the start; the first stays.
        let _ = self.pass_on.set(Box::new(pass_on));
    }

    /// Number of the last one: take it before rights are read.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last.load(Ordering::SeqCst)
    }

    /// Rights have ended or changed, and what requests go by says so already. `signs_out`: the session itself is over.
    pub fn tell(&self, who: WhoseRights, signs_out: bool) {
        let number = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(pass_on) = self.pass_on.get() {
            self.under_way.fetch_add(1, Ordering::SeqCst);
            pass_on(Revocation { number, who, signs_out });
        }
    }

    /// Every shard has said that it goes by one.
    pub fn passed_on(&self) {
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// Wait until every shard goes by what has ended so far; false: not within this time, and they are told until they do.
    pub async fn settled(&self, within: Duration) -> bool {
        let settled = async {
            loop {
                let changed = self.changed.notified();
                if self.under_way.load(Ordering::SeqCst) == 0 {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(within, settled).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use linchpin_protocol::model::OrgId;

    use super::*;

    #[tokio::test]
    async fn what_has_ended_is_numbered_and_waited_for() {
        let (ended, seen) = (Arc::new(EndedRights::default()), Arc::new(Mutex::new(Vec::new())));
        ended.tell(WhoseRights::Org(OrgId::FIRST), false);
        assert!(ended.settled(Duration::from_secs(1)).await, "nobody is to be told");
        let told = Arc::clone(&seen);
        ended.set_pass_on(move |revocation| told.lock().expect("not poisoned").push(revocation));
        ended.tell(WhoseRights::Person { org: OrgId::FIRST, user: live_user(7, true) }, true);
        let got = seen.lock().expect("not poisoned")[0];
        assert_eq!((got.number, ended.last(), got.signs_out), (2, 2, true));
        assert!(!ended.settled(Duration::from_millis(1)).await);
        ended.passed_on();
        assert!(ended.settled(Duration::from_secs(1)).await);
        assert_ne!(live_user(7, true), live_user(7, false));
    }
}

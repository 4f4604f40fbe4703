//! Shards are brought to what the registry publishes: each fact is sent until its shard has acknowledged it. So a change
//! that is on the disk is a success to its caller, whatever a shard is busy with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use linchpin_shard::{Command, Report, ShardId, home_of, index_owner_of};
use tokio::sync::{Notify, watch};

use super::backlog::{Backlog, Fact, Mark};
use super::{Shards, lane};
use crate::{CommandError, Registry, limits};

/// One shard's backlog, and how far it is.
#[derive(Debug)]
struct Lane {
    backlog: Mutex<Backlog>,
    has_more: Notify,
    acknowledged: watch::Sender<Mark>,
}

/// Facts of a change, by shard: each is acknowledged when its mark is.
#[derive(Debug, Default)]
pub(crate) struct Marks(Vec<(ShardId, Mark)>);

/// See the module's page.
#[derive(Debug)]
pub(crate) struct Desired {
    shards: Arc<Shards>,
    registry: Arc<Mutex<Registry>>,
    lanes: Vec<Lane>,
}

/// What is to be sent for a fact.
enum Order {
    Put(Command),
    Remove,
}

impl Desired {
    /// For these shards and this registry. Nothing is sent before [`Desired::spawn`].
    pub(crate) fn new(shards: Arc<Shards>, registry: Arc<Mutex<Registry>>) -> Self {
        let lane = |_| Lane { backlog: Mutex::default(), has_more: Notify::new(), acknowledged: watch::Sender::new(0) };
        Self { lanes: shards.all().map(lane).collect(), shards, registry }
    }

    /// Begin, with a task for each shard: one that does not keep up holds up no other.
    pub(crate) fn spawn(self: &Arc<Self>) {
        for shard in self.shards.all() {
            let desired = Arc::clone(self);
            tokio::spawn(async move { desired.follow(shard).await });
        }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn backlog(&self, shard: ShardId) -> MutexGuard<'_, Backlog> {
        self.lanes[shard.index()].backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Facts that some shard has not acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.shards.all().map(|shard| self.backlog(shard).len()).sum()
    }

    /// Is there room for so many facts more?
    pub(crate) fn has_room(&self, facts: usize) -> bool {
        self.unacknowledged() + facts <= limits::UNACKNOWLEDGED
    }

    /// The registry says something new of these.
    pub(crate) fn changed(&self, facts: impl IntoIterator<Item = Fact>) -> Marks {
        let count = self.shards.count();
        let mut marks = vec![0; usize::from(count)];
        for fact in facts {
            match fact {
                Fact::Template(_) => self.shards.all().for_each(|shard| marks[shard.index()] = self.add(shard, fact)),
                Fact::Device(device) => {
                    let home = home_of(device, count);
                    marks[home.index()] = self.add(home, fact);
                }
                Fact::Token(digest, _) | Fact::NoToken(digest) => {
                    let owner = index_owner_of(&digest, count);
                    marks[owner.index()] = self.add(owner, fact);
                }
            }
        }
        let marks = self.shards.all().zip(marks).filter(|(_, mark)| *mark > 0);
        Marks(marks.inspect(|(shard, _)| self.lanes[shard.index()].has_more.notify_one()).collect())
    }

    fn add(&self, shard: ShardId, fact: Fact) -> Mark {
        self.backlog(shard).add(fact)
    }

    /// Wait until all of these are acknowledged, for at most this long; `false`: some are not, and go on to be sent.
    pub(crate) async fn acknowledged(&self, marks: &Marks, within: Duration) -> bool {
        let all = async {
            for (shard, mark) in &marks.0 {
                let mut acknowledged = self.lanes[shard.index()].acknowledged.subscribe();
                // The sender lives as long as this.
                let _ = acknowledged.wait_for(|done| done >= mark).await;
            }
        };
        tokio::time::timeout(within, all).await.is_ok()
    }

    /// Send what waits for one shard, for as long as the server runs.
    async fn follow(&self, shard: ShardId) {
        let lane = &self.lanes[shard.index()];
        loop {
            let facts = self.backlog(shard).next(limits::FACTS_TOGETHER);
            if facts.is_empty() {
                lane.has_more.notified().await;
                continue;
            }
            match self.send(shard, &facts).await {
                Ok(()) => {
                    let mark = self.backlog(shard).acknowledge();
                    lane.acknowledged.send_replace(mark);
                }
                Err(error) => {
                    tracing::warn!(%error, facts = facts.len(), "a shard does not keep up with changes; they are sent again");
                    tokio::time::sleep(lane::PAUSE).await;
                }
            }
        }
    }

    /// Send facts, and wait until the shard has taken all of them.
    async fn send(&self, shard: ShardId, facts: &[Fact]) -> Result<(), CommandError> {
        let mut removals = Vec::new();
        for fact in facts {
            match (self.order(*fact), *fact) {
                (Some(Order::Put(command)), _) => {
                    self.shards.push_within(shard, command, limits::ANSWER_TIMEOUT).await?
                }
                (Some(Order::Remove), Fact::Device(device)) => {
                    let removal = |request| Command::RemoveDevice { request, device };
                    removals.push(self.shards.begin_within(shard, removal, limits::ANSWER_TIMEOUT).await?);
                }
                _ => {}
            }
        }
        // Lanes keep the order: the answer to the last question is an answer to all before it.
        let last = |request| Command::Devices { request, after: u32::MAX, limit: 1 };
        removals.push(self.shards.begin_within(shard, last, limits::ANSWER_TIMEOUT).await?);
        for asked in removals {
            let _: Report = self.shards.finish(shard, asked).await?;
        }
        Ok(())
    }

    /// What the registry says of a fact now.
    fn order(&self, fact: Fact) -> Option<Order> {
        let registry = self.registry();
        match fact {
            Fact::Template(id) => {
                let template = registry.template(id)?.template().clone();
                Some(Order::Put(Command::PutTemplate(Box::new(template))))
            }
            Fact::Device(id) => match registry.served(id) {
                Some(device) => Some(Order::Put(registry.introduce(device).1)),
                None => Some(Order::Remove),
            },
            Fact::NoToken(digest) => Some(Order::Put(Command::UnindexToken(digest))),
            Fact::Token(digest, id) => Some(Order::Put(match registry.served(id) {
                Some(_) => registry.index(id, digest).1,
                None => Command::UnindexToken(digest),
            })),
        }
    }
}

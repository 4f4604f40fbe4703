//! Asking shards, and getting their answers back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use linchpin_shard::{Command, Report, RequestId, ShardId};
use tokio::sync::oneshot;

use crate::{CommandError, limits};

/// The way to one shard: bounded, and it wakes the shard if it sleeps.
pub trait CommandLane: Send + Sync {
    /// Queue a command.
    ///
    /// # Errors
    /// [`limits::COMMANDS`] wait already; the command is given back.
    fn push(&self, command: Command) -> Result<(), Box<Command>>;
}

/// Where shards leave their reports. Cheap to clone; called from their threads.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<Mutex<HashMap<RequestId, oneshot::Sender<Report>>>>);

impl Answers {
    /// Give a report to whoever asked. Nobody may wait any more: then it is dropped.
    pub fn give(&self, to: RequestId, report: Report) {
        let asker = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&to);
        if let Some(asker) = asker {
            let _ = asker.send(report);
        }
    }

    fn expect(&self, request: RequestId) -> oneshot::Receiver<Report> {
        let (give, get) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(request, give);
        get
    }

    fn forget(&self, request: RequestId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&request);
    }
}

/// All shards of the process.
pub struct Shards {
    lanes: Vec<Box<dyn CommandLane>>,
    answers: Answers,
    next: AtomicU64,
}

impl std::fmt::Debug for Shards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shards({})", self.lanes.len())
    }
}

impl Shards {
    /// One lane a shard, in their order; `answers` is what the shards report to.
    #[must_use]
    pub fn new(lanes: Vec<Box<dyn CommandLane>>, answers: Answers) -> Self {
        Self { lanes, answers, next: AtomicU64::new(1) }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.lanes.len() as u16
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.count()).map(ShardId)
    }

    /// Order something that is not answered.
    ///
    /// # Errors
    /// The shard does not keep up.
    pub fn tell(&self, to: ShardId, command: Command) -> Result<(), CommandError> {
        self.lanes[to.index()].push(command).map_err(|_| {
            CommandError::new(
                "busy",
                format!("shard {} has {} commands waiting: try again in a moment", to.0, limits::COMMANDS),
            )
        })
    }

    /// Offer a command that the caller offers again if the lane is full.
    pub(crate) fn offer(&self, to: ShardId, command: Command) -> Result<(), Box<Command>> {
        self.lanes[to.index()].push(command)
    }

    /// Ask something and wait for the answer.
    ///
    /// # Errors
    /// The shard does not keep up or does not answer in time.
    pub async fn ask(&self, to: ShardId, make: impl FnOnce(RequestId) -> Command) -> Result<Report, CommandError> {
        let request = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        let answer = self.answers.expect(request);
        if let Err(error) = self.tell(to, make(request)) {
            self.answers.forget(request);
            return Err(error);
        }
        match tokio::time::timeout(limits::ANSWER_TIMEOUT, answer).await {
            Ok(Ok(report)) => Ok(report),
            _ => {
                self.answers.forget(request);
                let text = format!("shard {} did not answer within {:?}", to.0, limits::ANSWER_TIMEOUT);
                Err(CommandError::new("no-answer", text))
            }
        }
    }
}

//! Asking shards, and getting their answers back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use linchpin_shard::{Command, Report, RequestId, ShardId, ShardStatus};
use tokio::sync::{mpsc, oneshot};

use crate::monitor::figure::Figure;
use crate::monitor::status::ShardFigures;
use crate::{Code, CommandError, limits};

/// The way to one shard: bounded, and it wakes the shard if it sleeps.
pub trait CommandLane: Send + Sync {
    /// Queue a command.
    ///
    /// # Errors
    /// [`limits::COMMANDS`] wait already; the command is given back.
    fn push(&self, command: Command) -> Result<(), Box<Command>>;
}

/// A report, with what the thread around the shard adds to a status.
type Given = (Report, Vec<Figure>);

/// Who waits for reports.
#[derive(Debug, Default)]
struct Askers {
    once: HashMap<RequestId, oneshot::Sender<Given>>,
    /// Those who watch a device.
    streams: HashMap<RequestId, mpsc::Sender<Report>>,
}

/// Where shards leave their reports. Cheap to clone; called from their threads.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<Mutex<Askers>>);

impl Answers {
    /// Give a report to whoever asked. Nobody may wait any more, or a watcher may read too slowly: then it is dropped.
    pub fn give(&self, to: RequestId, report: Report) {
        let mut askers = self.lock();
        if let Some(asker) = askers.once.remove(&to) {
            drop(askers);
            let _ = asker.send((report, Vec::new()));
        } else if let Some(stream) = askers.streams.get(&to) {
            let _ = stream.try_send(report);
        }
    }

    /// Give a status, with the figures of the thread around the shard in the order of [`crate::Facts::counters`].
    pub fn give_status(&self, to: RequestId, status: Box<ShardStatus>, thread: Vec<Figure>) {
        let asker = self.lock().once.remove(&to);
        if let Some(asker) = asker {
            let _ = asker.send((Report::Status(status), thread));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Askers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stream(&self, request: RequestId) -> mpsc::Receiver<Report> {
        let (give, get) = mpsc::channel(limits::WATCHED_FRAMES);
        self.lock().streams.insert(request, give);
        get
    }

    fn expect(&self, request: RequestId) -> oneshot::Receiver<Given> {
        let (give, get) = oneshot::channel();
        self.lock().once.insert(request, give);
        get
    }

    fn forget(&self, request: RequestId) {
        let mut askers = self.lock();
        askers.once.remove(&request);
        askers.streams.remove(&request);
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
                Code::Busy,
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
        Ok(self.ask_as(request, to, make).await?.0)
    }

    /// Ask what a shard holds and counts.
    ///
    /// # Errors
    /// As with [`Shards::ask`].
    pub(crate) async fn figures(&self, of: ShardId) -> Result<ShardFigures, CommandError> {
        let request = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        match self.ask_as(request, of, Command::Status).await? {
            (Report::Status(status), thread) => Ok(ShardFigures { shard: *status, thread }),
            _ => Ok(ShardFigures::default()),
        }
    }

    /// Ask something that goes on to be answered: the first report, and a stream of the others. It ends when the stream
    /// is dropped.
    ///
    /// # Errors
    /// As with [`Shards::ask`].
    pub(crate) async fn watch(
        self: &Arc<Self>,
        to: ShardId,
        make: impl FnOnce(RequestId) -> Command,
    ) -> Result<(Report, Watching), CommandError> {
        let request = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        let frames = self.answers.stream(request);
        let watching = Watching { shards: Arc::clone(self), shard: to, request, frames };
        let (first, _) = self.ask_as(request, to, make).await?;
        Ok((first, watching))
    }

    async fn ask_as(
        &self,
        request: RequestId,
        to: ShardId,
        make: impl FnOnce(RequestId) -> Command,
    ) -> Result<Given, CommandError> {
        let answer = self.answers.expect(request);
        if let Err(error) = self.tell(to, make(request)) {
            self.answers.lock().once.remove(&request);
            return Err(error);
        }
        match tokio::time::timeout(limits::ANSWER_TIMEOUT, answer).await {
            Ok(Ok(report)) => Ok(report),
            _ => {
                self.answers.lock().once.remove(&request);
                let text = format!("shard {} did not answer within {:?}", to.0, limits::ANSWER_TIMEOUT);
                Err(CommandError::new(Code::NoAnswer, text))
            }
        }
    }
}

/// A watch that goes on until it is dropped.
pub(crate) struct Watching {
    shards: Arc<Shards>,
    shard: ShardId,
    request: RequestId,
    /// What was seen.
    pub(crate) frames: mpsc::Receiver<Report>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.shards.answers.forget(self.request);
        // A shard that does not keep up ends the watch by its time.
        let _ = self.shards.tell(self.shard, Command::Untap(self.request));
    }
}

//! Asking shards, and getting their answers back.

mod backlog;
mod desired;
mod lane;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use linchpin_shard::{Command, Report, RequestId, ShardId, ShardStatus};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::monitor::figure::Figure;
use crate::monitor::status::ShardFigures;
use crate::{Code, CommandError, limits};

pub(crate) use backlog::Fact;
pub(crate) use desired::Desired;
pub use lane::{CommandLane, push_within};

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
        self.lanes[to.index()].push(command).map_err(|_| Self::busy(to))
    }

    fn busy(shard: ShardId) -> CommandError {
        let text = format!("shard {} has {} commands waiting: try again in a moment", shard.0, limits::COMMANDS);
        CommandError::new(Code::Busy, text)
    }

    /// The same, and wait for room for at most this long.
    ///
    /// # Errors
    /// The shard did not keep up for all of this time.
    pub(crate) async fn push_within(
        &self,
        to: ShardId,
        command: Command,
        within: Duration,
    ) -> Result<(), CommandError> {
        let end = Instant::now() + within;
        let mut command = command;
        while let Err(back) = self.lanes[to.index()].push(command) {
            if Instant::now() >= end {
                return Err(Self::busy(to));
            }
            command = *back;
            tokio::time::sleep(lane::PAUSE).await;
        }
        Ok(())
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
        let asked = Asked { answers: self.answers.clone(), request, answer: self.answers.expect(request) };
        self.tell(to, make(request))?;
        self.given(to, asked).await
    }

    /// Ask something, and wait for room for it; [`Shards::finish`] waits for the answer.
    ///
    /// # Errors
    /// As with [`Shards::push_within`].
    pub(crate) async fn begin_within(
        &self,
        to: ShardId,
        make: impl FnOnce(RequestId) -> Command,
        within: Duration,
    ) -> Result<Asked, CommandError> {
        let request = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        let asked = Asked { answers: self.answers.clone(), request, answer: self.answers.expect(request) };
        self.push_within(to, make(request), within).await?;
        Ok(asked)
    }

    /// The answer to something that was asked.
    ///
    /// # Errors
    /// It does not come in time.
    pub(crate) async fn finish(&self, of: ShardId, asked: Asked) -> Result<Report, CommandError> {
        Ok(self.given(of, asked).await?.0)
    }

    async fn given(&self, of: ShardId, mut asked: Asked) -> Result<Given, CommandError> {
        match tokio::time::timeout(limits::ANSWER_TIMEOUT, &mut asked.answer).await {
            Ok(Ok(given)) => Ok(given),
            _ => {
                let text = format!("shard {} did not answer within {:?}", of.0, limits::ANSWER_TIMEOUT);
                Err(CommandError::new(Code::NoAnswer, text))
            }
        }
    }
}

/// A question under way. Nobody waits for its answer any more when it is dropped.
pub(crate) struct Asked {
    answers: Answers,
    request: RequestId,
    answer: oneshot::Receiver<Given>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.answers.lock().once.remove(&self.request);
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

//! What the shard has sent of one ask, for the task that answers it and for the body that its handler reads.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use axum::body::Bytes;
use futures_core::Stream;
use linchpin_protocol::http::BodyLength;
use linchpin_shard::limits::ASK_CREDIT_BYTES;
use tokio::sync::Notify;

/// See the module's page.
#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<State>,
    /// Something happened that the task must look at. It is the only one that waits for it.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes of the body that the handler has not read: within the credit that the shard got.
    unread: Vec<u8>,
    /// The body is whole.
    is_whole: bool,
    /// The rest of the body does not come.
    is_broken: bool,
    reader: Option<Waker>,
    /// The handler has begun to read.
    is_wanted: bool,
    /// Credit that the shard has not been given.
    owed: usize,
    /// Bytes of the answer that the shard takes.
    credit: usize,
    /// Nobody waits for the answer any more.
    is_cancelled: bool,
    /// It must make room for others.
    is_evicted: bool,
    /// The answer has begun.
    has_begun: bool,
}

impl Inbox {
    pub(super) fn new(body: BodyLength) -> Arc<Self> {
        let state = State { is_whole: body == BodyLength::Known(0), credit: ASK_CREDIT_BYTES, ..State::default() };
        Arc::new(Self { state: Mutex::new(state), changed: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A handler cannot panic inside: it only moves bytes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_reader(mut state: MutexGuard<'_, State>) {
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    // ---- What the shard sends.

    pub(super) fn push_body(&self, bytes: &[u8]) {
        let mut state = self.state();
        state.unread.extend_from_slice(bytes);
        Self::wake_reader(state);
    }

    pub(super) fn end_body(&self) {
        let mut state = self.state();
        state.is_whole = true;
        Self::wake_reader(state);
    }

    pub(super) fn add_credit(&self, bytes: usize) {
        self.state().credit += bytes;
        self.changed.notify_one();
    }

    /// The client is gone: what reads its body finds an error, unless the body is whole.
    pub(super) fn cancel(&self) {
        let mut state = self.state();
        state.is_cancelled = true;
        state.is_broken = !state.is_whole;
        Self::wake_reader(state);
        self.changed.notify_one();
    }

    // ---- What the task looks at.

    /// Wait until anything may have changed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.state().is_cancelled
    }

    pub(super) fn is_evicted(&self) -> bool {
        self.state().is_evicted
    }

    /// It must make room for others, if its answer has not begun. True: it does.
    pub(super) fn evict(&self) -> bool {
        let mut state = self.state();
        if state.has_begun || state.is_cancelled {
            return false;
        }
        state.is_evicted = true;
        drop(state);
        self.changed.notify_one();
        true
    }

    /// The answer begins now. False: it was evicted before.
    pub(super) fn begin_answer(&self) -> bool {
        let mut state = self.state();
        state.has_begun |= !state.is_evicted;
        state.has_begun
    }

    pub(super) fn has_begun(&self) -> bool {
        self.state().has_begun
    }

    /// Credit for the shard.
    pub(super) fn take_owed(&self) -> usize {
        std::mem::take(&mut self.state().owed)
    }

    /// Take up to `most` bytes of the answer's credit.
    pub(super) fn spend(&self, most: usize) -> usize {
        let mut state = self.state();
        let spent = state.credit.min(most);
        state.credit -= spent;
        spent
    }
}

/// The body of a request as its handler reads it. To read it accepts it: only then the shard asks the client for it.
#[derive(Debug)]
pub(super) struct AskBody(pub(super) Arc<Inbox>);

/// The client went away before its body was whole.
#[derive(Debug)]
pub(super) struct BodyGone;

impl fmt::Display for BodyGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client went away before its body was whole")
    }
}

impl std::error::Error for BodyGone {}

impl Stream for AskBody {
    type Item = Result<Bytes, BodyGone>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.0.state();
        let owed = state.owed;
        if !state.is_whole && !std::mem::replace(&mut state.is_wanted, true) {
            state.owed += ASK_CREDIT_BYTES;
        }
        let unread = std::mem::take(&mut state.unread);
        // What was read makes room, while more may come.
        state.owed += if state.is_whole { 0 } else { unread.len() };
        let must_tell = state.owed > owed;
        let next = match (unread.is_empty(), state.is_broken, state.is_whole) {
            (false, ..) => Poll::Ready(Some(Ok(Bytes::from(unread)))),
            (true, true, _) => Poll::Ready(Some(Err(BodyGone))),
            (true, false, true) => Poll::Ready(None),
            (true, false, false) => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        };
        drop(state);
        if must_tell {
            self.0.changed.notify_one();
        }
        next
    }
}

//! The lane of asks between one shard and the control plane: bounded in both directions, and neither side waits for the
//! other on a thread.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use linchpin_shard::{AnswerPart, AskPart, AskRef};
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::limits::{ANSWER_PARTS, ASK_PARTS};

/// Wakes a shard that may sleep.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What both ends look at.
#[derive(Debug, Default)]
struct Flags {
    /// Control has sent something.
    has_answers: AtomicBool,
    /// The shard has more to send and found no room.
    wants_room: AtomicBool,
}

/// The shard's end; belongs to its thread.
#[derive(Debug)]
pub struct AskLane {
    asks: mpsc::Sender<(AskRef, AskPart)>,
    answers: mpsc::Receiver<(AskRef, AnswerPart)>,
    flags: Arc<Flags>,
}

/// Control's end.
pub struct AskDesk {
    pub(super) asks: mpsc::Receiver<(AskRef, AskPart)>,
    answers: mpsc::Sender<(AskRef, AnswerPart)>,
    flags: Arc<Flags>,
    wake: Option<Wake>,
}

impl fmt::Debug for AskDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskDesk").finish_non_exhaustive()
    }
}

/// Both ends of a lane with room for [`ASK_PARTS`] and [`ANSWER_PARTS`].
#[must_use]
pub fn ask_lane() -> (AskLane, AskDesk) {
    let (asks, from_shard) = mpsc::channel(ASK_PARTS);
    let (to_shard, answers) = mpsc::channel(ANSWER_PARTS);
    let flags = Arc::new(Flags::default());
    let desk = AskDesk { asks: from_shard, answers: to_shard, flags: Arc::clone(&flags), wake: None };
    (AskLane { asks, answers, flags }, desk)
}

impl AskLane {
    /// Is there room for one more part? If not, the shard is woken when there is.
    #[must_use]
    pub fn has_room(&self) -> bool {
        if self.asks.capacity() > 0 {
            return true;
        }
        self.flags.wants_room.store(true, Ordering::SeqCst);
        // Room that was made before the flag was seen wakes nobody.
        self.asks.capacity() > 0
    }

    /// Send a part; given back when there is no room, or no control plane any more.
    ///
    /// # Errors
    /// The part.
    pub fn push(&self, ask: AskRef, part: AskPart) -> Result<(), AskPart> {
        self.asks.try_send((ask, part)).map_err(|error| match error {
            TrySendError::Full((_, part)) | TrySendError::Closed((_, part)) => part,
        })
    }

    /// Has control sent anything? One load: the tick asks every time.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.flags.has_answers.load(Ordering::SeqCst)
    }

    /// Take what has come, at most `most` parts.
    pub fn receive(&mut self, most: usize, mut take: impl FnMut(AskRef, AnswerPart)) {
        // Cleared first: what comes from here on is taken now or announced again.
        if !self.flags.has_answers.swap(false, Ordering::SeqCst) {
            return;
        }
        for _ in 0..most {
            match self.answers.try_recv() {
                Ok((ask, part)) => take(ask, part),
                Err(_) => return,
            }
        }
        self.flags.has_answers.store(true, Ordering::SeqCst);
    }
}

impl AskDesk {
    /// Complete with what wakes the shard.
    pub fn set_wake(&mut self, wake: Wake) {
        self.wake = Some(wake);
    }

    /// The next part of the shard; `None`: its thread has ended.
    pub(super) async fn next(&mut self) -> Option<(AskRef, AskPart)> {
        let part = self.asks.recv().await;
        if self.flags.wants_room.swap(false, Ordering::SeqCst) {
            self.answers().wake();
        }
        part
    }

    /// The way back.
    pub(super) fn answers(&self) -> AnswerLane {
        AnswerLane { parts: self.answers.clone(), flags: Arc::clone(&self.flags), wake: self.wake.clone() }
    }
}

/// The way back to one shard.
#[derive(Clone)]
pub(super) struct AnswerLane {
    parts: mpsc::Sender<(AskRef, AnswerPart)>,
    flags: Arc<Flags>,
    wake: Option<Wake>,
}

impl AnswerLane {
    /// Send a part; waits while there is no room. Of a shard that has ended nobody waits for it.
    pub(super) async fn send(&self, ask: AskRef, part: AnswerPart) {
        if self.parts.send((ask, part)).await.is_ok() {
            self.flags.has_answers.store(true, Ordering::SeqCst);
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(wake) = &self.wake {
            wake();
        }
    }
}

//! The process that takes over.

use linchpin_protocol::model::Millis;
use linchpin_tls::Claim;

use super::message::{FormatRange, HandoverMessage, SentListener};
use crate::limits::{HANDOVER_ANSWER_MS, HANDOVER_FREEZE_MS, HANDOVER_OPEN_MS, HANDOVER_READY_MS, HANDOVER_SETTLE_MS};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NewStep {
    /// It said hello.
    Greeting,
    /// It looks whether it could start.
    Preparing,
    /// It could; the old process comes to a stand.
    Waiting,
    /// It opens the store and loads its shards.
    Opening,
    /// Connections come.
    Taking,
    /// A batch is with the shards.
    Storing,
    /// All came.
    Counted,
    Over,
}

/// What happens to the new side.
#[derive(Debug, PartialEq, Eq)]
pub enum NewInput {
    /// The old process says something.
    Message(HandoverMessage),
    /// Its end of the socket is closed.
    Cut {
        /// The old process has ended: it was not only closed.
        old_ended: bool,
    },
    /// It could start.
    Prepared,
    /// The store is open, the shards are loaded.
    Opened,
    /// What became of each connection of a batch: 0 taken, else the number of its end.
    Took(Vec<u16>),
    /// What was to be done here cannot be done.
    Broke(String),
    /// Time has passed.
    Timer,
}

/// What the new side wants done, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum NewEffect {
    /// Send this.
    Send(HandoverMessage),
    /// Look whether this process could start: [`NewInput::Prepared`].
    Prepare {
        /// Number of the attempt.
        attempt: u64,
        /// The old process.
        old_pid: u32,
    },
    /// These listeners came; their descriptors came with them.
    Listeners(Vec<SentListener>),
    /// Open the store and load the shards: [`NewInput::Opened`].
    Open,
    /// Give these to the shards, which arm nothing: [`NewInput::Took`]. Their descriptors came with them.
    Take(Vec<Vec<u8>>),
    /// Go on with all that came, and serve. If the old process lives, say [`HandoverMessage::Running`] then.
    Wake {
        /// Why nobody else does.
        claim: Claim,
        /// How long connections had stood still when the old process said so, ms.
        paused_ms: u64,
        /// Connections that did not come along.
        left: u64,
    },
    /// End this process: nothing has happened.
    Exit(String),
}

/// See the page of the folder.
#[derive(Debug)]
pub struct NewSide {
    step: NewStep,
    deadline: Millis,
    came: u64,
    taken: u64,
}

impl NewSide {
    /// Say hello.
    #[must_use]
    pub fn begin(now: Millis, version: &str, fx: &mut Vec<NewEffect>) -> Self {
        fx.push(NewEffect::Send(HandoverMessage::Hello { formats: FormatRange::OURS, version: version.to_owned() }));
        Self { step: NewStep::Greeting, deadline: now.after(HANDOVER_READY_MS), came: 0, taken: 0 }
    }

    /// When [`NewInput::Timer`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        (self.step != NewStep::Over).then_some(self.deadline)
    }

    /// One event in, what must be done out.
    pub fn handle(&mut self, now: Millis, input: NewInput, fx: &mut Vec<NewEffect>) {
        match (self.step, input) {
            (NewStep::Over, _) => {}
            (NewStep::Greeting, NewInput::Message(HandoverMessage::Offer { format, attempt, old_pid })) => {
                if FormatRange::OURS.common(FormatRange { oldest: format, newest: format }).is_none() {
                    return self.give_up(format!("format {format} of state is not known here"), fx);
                }
                self.enter(now, NewStep::Preparing, HANDOVER_READY_MS);
                fx.push(NewEffect::Prepare { attempt, old_pid });
            }
            (NewStep::Preparing, NewInput::Prepared) => {
                self.enter(now, NewStep::Waiting, HANDOVER_SETTLE_MS + HANDOVER_FREEZE_MS + HANDOVER_OPEN_MS);
                fx.push(NewEffect::Send(HandoverMessage::Ready));
            }
            (NewStep::Waiting, NewInput::Message(HandoverMessage::Listeners(listeners))) => {
                fx.push(NewEffect::Listeners(listeners));
            }
            (NewStep::Waiting, NewInput::Message(HandoverMessage::Stand)) => {
                self.enter(now, NewStep::Opening, HANDOVER_OPEN_MS);
                fx.push(NewEffect::Open);
            }
            (NewStep::Opening, NewInput::Opened) => {
                self.enter(now, NewStep::Taking, HANDOVER_ANSWER_MS);
                fx.push(NewEffect::Send(HandoverMessage::Opened));
            }
            (NewStep::Taking, NewInput::Message(HandoverMessage::Batch(freights))) => {
                self.came += freights.len() as u64;
                self.enter(now, NewStep::Storing, HANDOVER_ANSWER_MS);
                fx.push(NewEffect::Take(freights));
            }
            (NewStep::Storing, NewInput::Took(ends)) => {
                self.taken += ends.iter().filter(|end| **end == 0).count() as u64;
                self.enter(now, NewStep::Taking, HANDOVER_ANSWER_MS);
                fx.push(NewEffect::Send(HandoverMessage::Taken(ends)));
            }
            (NewStep::Taking, NewInput::Message(HandoverMessage::End { sent })) if sent == self.came => {
                // Longer than the old process waits: it must not be told to go on and find nobody.
                self.enter(now, NewStep::Counted, 3 * HANDOVER_ANSWER_MS);
                fx.push(NewEffect::Send(HandoverMessage::Complete { taken: self.taken }));
            }
            (NewStep::Counted, NewInput::Message(HandoverMessage::Go { paused_ms, left })) => {
                self.step = NewStep::Over;
                fx.push(NewEffect::Wake { claim: Claim::Given, paused_ms, left });
            }
            // It has died, and did not take anything back before: that would have ended this process first.
            (NewStep::Counted, NewInput::Cut { old_ended: true }) => {
                self.step = NewStep::Over;
                fx.push(NewEffect::Wake { claim: Claim::Given, paused_ms: 0, left: 0 });
            }
            (_, NewInput::Cut { .. }) => self.give_up("the old process does not go on".to_owned(), fx),
            (_, NewInput::Broke(why)) => {
                fx.push(NewEffect::Send(HandoverMessage::Failed { text: why.clone() }));
                self.give_up(why, fx);
            }
            (_, NewInput::Timer) => self.give_up("the old process is silent for too long".to_owned(), fx),
            (_, NewInput::Message(message)) => self.give_up(format!("{message:?} is not awaited now"), fx),
            // Answers to what was not asked.
            (_, NewInput::Prepared | NewInput::Opened | NewInput::Took(_)) => {}
        }
    }

    fn enter(&mut self, now: Millis, step: NewStep, within_ms: u64) {
        self.step = step;
        self.deadline = now.after(within_ms);
    }

    fn give_up(&mut self, why: String, fx: &mut Vec<NewEffect>) {
        self.step = NewStep::Over;
        fx.push(NewEffect::Exit(why));
    }
}

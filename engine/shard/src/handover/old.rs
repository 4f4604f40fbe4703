//! The process that hands over.

use linchpin_protocol::model::Millis;
use linchpin_tls::Claim;

use super::message::{FormatRange, HandoverMessage};
use crate::limits::{HANDOVER_ANSWER_MS, HANDOVER_FREEZE_MS, HANDOVER_OPEN_MS, HANDOVER_READY_MS, HANDOVER_SETTLE_MS};

/// How far a hand-over is, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HandoverStep {
    /// The new process starts.
    Starting,
    /// It could start; what is under way here ends.
    Settling,
    /// Receives and sends end.
    Freezing,
    /// The store is written out and closed.
    Closing,
    /// The new process opens it.
    Opening,
    /// Connections move.
    Moving,
    /// All have moved; the new process counts them.
    Counting,
    /// The new process was told to go on: no way back.
    Going,
    /// It failed: the new process is being ended, and all is taken back.
    Returning,
    /// It is over.
    Over,
}

impl HandoverStep {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Settling => "settling",
            Self::Freezing => "freezing",
            Self::Closing => "closing",
            Self::Opening => "opening",
            Self::Moving => "moving",
            Self::Counting => "counting",
            Self::Going => "going",
            Self::Returning => "returning",
            Self::Over => "over",
        }
    }

    const fn within_ms(self) -> u64 {
        match self {
            Self::Starting => HANDOVER_READY_MS,
            Self::Settling => HANDOVER_SETTLE_MS,
            Self::Freezing => HANDOVER_FREEZE_MS,
            Self::Closing | Self::Opening | Self::Returning => HANDOVER_OPEN_MS,
            Self::Moving | Self::Counting | Self::Going | Self::Over => HANDOVER_ANSWER_MS,
        }
    }
}

/// How a hand-over ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandoverEnd {
    /// The new process serves: this one must end, and touch nothing.
    Gone {
        /// Connections that went.
        moved: u64,
        /// Connections that the new process ended, by the number of their end.
        refused: Vec<(u16, u64)>,
    },
    /// This process serves as before.
    Back {
        /// Where it failed.
        step: HandoverStep,
        /// Why.
        why: String,
    },
    /// The new process ended after it was told to go on, or this one could not take all back: end, and be started again.
    Lost {
        /// Why.
        why: String,
    },
}

/// What happens to the old side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OldInput {
    /// The new process says something.
    Message(HandoverMessage),
    /// Its end of the socket is closed, or what comes is no message.
    Cut(String),
    /// Nothing is under way any more.
    Settled,
    /// Nothing is in flight any more.
    Frozen,
    /// The store is closed, with everything in it.
    Closed,
    /// A batch was sent, with so many connections.
    Sent {
        /// How many.
        count: usize,
    },
    /// There is no connection more.
    AllSent {
        /// Connections that cannot go along.
        left: u64,
    },
    /// `Go` was given to the kernel.
    Told,
    /// The new process has ended.
    Reaped,
    /// The store is open again.
    Reopened,
    /// What was to be done here cannot be done.
    Broke(String),
    /// Time has passed.
    Timer,
}

/// What the old side wants done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OldEffect {
    /// Send this.
    Send(HandoverMessage),
    /// Stop accepting and wait for what is under way: [`OldInput::Settled`].
    Settle,
    /// Stop receiving: [`OldInput::Frozen`].
    Freeze,
    /// Hand everything to the store, write it out and close it: [`OldInput::Closed`].
    CloseStore,
    /// Send the listeners, and [`HandoverMessage::Stand`] behind them.
    SendListeners,
    /// Send the next batch: [`OldInput::Sent`] or [`OldInput::AllSent`].
    NextBatch,
    /// Send `Go`: [`OldInput::Told`], or [`OldInput::Broke`] if the kernel did not take it.
    Go,
    /// End the new process for good and wait until it has ended: [`OldInput::Reaped`].
    Kill,
    /// Open the store again: [`OldInput::Reopened`].
    ReopenStore,
    /// Put everything back and go on.
    Resume(Claim),
    /// That was all.
    Finish(HandoverEnd),
}

/// See the page of the folder.
#[derive(Debug)]
pub struct OldSide {
    step: HandoverStep,
    deadline: Millis,
    has_heard: bool,
    attempt: u64,
    pid: u32,
    /// Connections of the batch that is not answered.
    awaited: usize,
    sent: u64,
    taken: u64,
    refused: Vec<(u16, u64)>,
    /// Where and why it failed.
    failed: Option<(HandoverStep, String)>,
}

impl OldSide {
    /// A new process was started. `pid`: this one's.
    #[must_use]
    pub fn new(now: Millis, attempt: u64, pid: u32) -> Self {
        let step = HandoverStep::Starting;
        Self {
            step,
            deadline: now.after(step.within_ms()),
            has_heard: false,
            attempt,
            pid,
            awaited: 0,
            sent: 0,
            taken: 0,
            refused: Vec::new(),
            failed: None,
        }
    }

    /// How far it is.
    #[must_use]
    pub const fn step(&self) -> HandoverStep {
        self.step
    }

    /// When [`OldInput::Timer`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        (self.step != HandoverStep::Over).then_some(self.deadline)
    }

    /// One event in, what must be done out.
    pub fn handle(&mut self, now: Millis, input: OldInput, fx: &mut Vec<OldEffect>) {
        use HandoverStep as Step;
        match (self.step, input) {
            (Step::Over, _) => {}
            (Step::Returning, input) => self.returning(now, input, fx),
            (Step::Going, input) => self.going(input, fx),
            (_, OldInput::Cut(why)) => self.fail(now, format!("the new process has ended: {why}"), fx),
            (_, OldInput::Message(HandoverMessage::Failed { text })) => self.fail(now, text, fx),
            (_, OldInput::Broke(why)) => self.fail(now, why, fx),
            (Step::Starting, OldInput::Message(HandoverMessage::Hello { formats, version })) if !self.has_heard => {
                self.has_heard = true;
                match FormatRange::OURS.common(formats) {
                    Some(format) => fx.push(OldEffect::Send(HandoverMessage::Offer {
                        format,
                        attempt: self.attempt,
                        old_pid: self.pid,
                    })),
                    None => self.fail(now, no_format(&version, formats), fx),
                }
            }
            (Step::Starting, OldInput::Message(HandoverMessage::Ready)) if self.has_heard => {
                self.enter(now, Step::Settling);
                fx.push(OldEffect::Settle);
            }
            // What is still under way then does not go along.
            (Step::Settling, OldInput::Settled | OldInput::Timer) => {
                self.enter(now, Step::Freezing);
                fx.push(OldEffect::Freeze);
            }
            (Step::Freezing, OldInput::Frozen) => {
                self.enter(now, Step::Closing);
                fx.push(OldEffect::CloseStore);
            }
            (Step::Closing, OldInput::Closed) => {
                self.enter(now, Step::Opening);
                fx.push(OldEffect::SendListeners);
            }
            (Step::Opening, OldInput::Message(HandoverMessage::Opened)) => {
                self.enter(now, Step::Moving);
                fx.push(OldEffect::NextBatch);
            }
            (Step::Moving, input) => self.moving(now, input, fx),
            (Step::Counting, OldInput::Message(HandoverMessage::Complete { taken })) if taken == self.taken => {
                self.enter(now, Step::Going);
                fx.push(OldEffect::Go);
            }
            (step, OldInput::Timer) => {
                let why = format!("nothing came within {} s while {}", step.within_ms() / 1_000, step.name());
                self.fail(now, why, fx);
            }
            (step, OldInput::Message(message)) => {
                self.fail(now, format!("{message:?} came while {}", step.name()), fx);
            }
            // An answer to what was asked for before: it changes nothing.
            (_, OldInput::Settled | OldInput::Frozen | OldInput::Closed | OldInput::Reopened) => {}
            (_, OldInput::Sent { .. } | OldInput::AllSent { .. } | OldInput::Told | OldInput::Reaped) => {}
        }
    }

    fn moving(&mut self, now: Millis, input: OldInput, fx: &mut Vec<OldEffect>) {
        match input {
            OldInput::Sent { count } => {
                self.awaited = count;
                self.sent += count as u64;
                self.enter(now, HandoverStep::Moving);
            }
            OldInput::AllSent { .. } if self.awaited == 0 => {
                self.enter(now, HandoverStep::Counting);
                fx.push(OldEffect::Send(HandoverMessage::End { sent: self.sent }));
            }
            OldInput::Message(HandoverMessage::Taken(ends)) if self.awaited > 0 && ends.len() == self.awaited => {
                self.awaited = 0;
                for end in ends {
                    self.count(end);
                }
                self.enter(now, HandoverStep::Moving);
                fx.push(OldEffect::NextBatch);
            }
            OldInput::Timer => {
                self.fail(now, format!("a batch was not answered within {} s", HANDOVER_ANSWER_MS / 1_000), fx);
            }
            OldInput::Message(message) => self.fail(now, format!("{message:?} came while moving"), fx),
            _ => {}
        }
    }

    fn count(&mut self, end: u16) {
        if end == 0 {
            self.taken += 1;
            return;
        }
        match self.refused.iter_mut().find(|known| known.0 == end) {
            Some(known) => known.1 += 1,
            None => self.refused.push((end, 1)),
        }
    }

    /// Nothing is taken back from here on: the new process may have sealed with our keys.
    fn going(&mut self, input: OldInput, fx: &mut Vec<OldEffect>) {
        let why = match input {
            OldInput::Message(HandoverMessage::Running) => {
                self.step = HandoverStep::Over;
                let gone = HandoverEnd::Gone { moved: self.taken, refused: std::mem::take(&mut self.refused) };
                return fx.push(OldEffect::Finish(gone));
            }
            OldInput::Cut(why) => format!("the new process ended after it was told to go on: {why}"),
            OldInput::Broke(why) => format!("the new process could not be told to go on: {why}"),
            OldInput::Timer => "the new process was told to go on and does not say that it serves".to_owned(),
            _ => return,
        };
        self.step = HandoverStep::Over;
        fx.push(OldEffect::Finish(HandoverEnd::Lost { why }));
    }

    fn fail(&mut self, now: Millis, why: String, fx: &mut Vec<OldEffect>) {
        self.failed = Some((self.step, why));
        self.enter(now, HandoverStep::Returning);
        fx.push(OldEffect::Kill);
    }

    fn returning(&mut self, now: Millis, input: OldInput, fx: &mut Vec<OldEffect>) {
        let Some((step, why)) = &self.failed else { return };
        match input {
            OldInput::Reaped if *step >= HandoverStep::Closing => {
                self.enter(now, HandoverStep::Returning);
                fx.push(OldEffect::ReopenStore);
            }
            OldInput::Reaped | OldInput::Reopened => {
                let (step, why) = (*step, why.clone());
                self.step = HandoverStep::Over;
                if step >= HandoverStep::Settling {
                    fx.push(OldEffect::Resume(Claim::TakenBack));
                }
                fx.push(OldEffect::Finish(HandoverEnd::Back { step, why }));
            }
            OldInput::Broke(more) => {
                let why = format!("{why}; and it cannot be taken back: {more}");
                self.step = HandoverStep::Over;
                fx.push(OldEffect::Finish(HandoverEnd::Lost { why }));
            }
            OldInput::Timer => {
                let why = format!("{why}; and taking it back takes too long");
                self.step = HandoverStep::Over;
                fx.push(OldEffect::Finish(HandoverEnd::Lost { why }));
            }
            // The new process is being ended: what it says does not matter.
            _ => {}
        }
    }

    fn enter(&mut self, now: Millis, step: HandoverStep) {
        self.step = step;
        self.deadline = now.after(step.within_ms());
    }
}

fn no_format(version: &str, theirs: FormatRange) -> String {
    let ours = FormatRange::OURS;
    format!(
        "version {version} reads state of the formats {} to {}, and this one writes {} to {}: restart instead",
        theirs.oldest, theirs.newest, ours.oldest, ours.newest
    )
}

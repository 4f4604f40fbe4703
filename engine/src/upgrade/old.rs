//! The old process: it hands over.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use linchpin_control::request::{UpgradeReport, UpgradeState};
use linchpin_protocol::model::Millis;
use linchpin_shard::handover::{
    HandoverEnd, HandoverMessage, HandoverStep, OldEffect, OldInput, OldSide, SentListener,
};

use super::child::{Successor, own_binary};
use super::line::Unheard;
use super::orders::UpgradeOrder;
use crate::limits;
use crate::serve::running::Running;
use crate::tick::orders::{Exported, ShardAnswer, ShardOrder};

/// How a hand-over ended for this process.
pub(crate) enum Ended {
    /// It serves as before.
    Back(UpgradeReport),
    /// The new process serves: end, and touch nothing.
    Gone,
    /// Neither: end, and be started again.
    Lost(String),
}

/// A hand-over as this process makes it.
struct Old<'a> {
    running: &'a mut Running,
    child: Successor,
    side: OldSide,
    begun: Instant,
    /// Since when connections stand still.
    stands_since: Option<Instant>,
    inputs: Vec<OldInput>,
    /// The shard whose connections are being sent.
    at_shard: usize,
    left: u64,
}

/// How often it is looked whether what is under way has ended.
const LOOK: Duration = Duration::from_millis(10);

/// Replace this process by a new one. When it returns [`Ended::Back`] everything is as before.
pub(crate) fn hand_over(running: &mut Running, order: &UpgradeOrder) -> Ended {
    let begun = Instant::now();
    let failed = |why: String| {
        let step = Some(HandoverStep::Starting.name().to_owned());
        let state = UpgradeState::Failed;
        Ended::Back(UpgradeReport { attempt: order.attempt, state, step, why: Some(why), ..UpgradeReport::default() })
    };
    let binary = match order.binary.clone().map_or_else(own_binary, Ok) {
        Ok(binary) => binary,
        Err(error) => return failed(format!("this program's own file is not known: {error}")),
    };
    let child = match Successor::start(&binary) {
        Ok(child) => child,
        Err(error) => return failed(format!("{} cannot be started: {error}", binary.display())),
    };
    tracing::info!(attempt = order.attempt, pid = child.id(), binary = %binary.display(), "upgrade: a new process starts");
    let _watch = watch();
    let old = Old {
        running,
        child,
        side: OldSide::new(Millis(0), order.attempt, std::process::id()),
        begun,
        stands_since: None,
        inputs: Vec::new(),
        at_shard: 0,
        left: 0,
    };
    old.run(order.attempt)
}

/// Ends the process if the hand-over takes longer than all its steps together may: whoever supervises it starts it again,
/// and the new process goes on by itself if it has everything. Until the answer is dropped.
fn watch() -> Sender<()> {
    let (is_over, wait) = channel::<()>();
    let run = move || {
        if wait.recv_timeout(limits::HANDOVER_LIMIT) == Err(RecvTimeoutError::Timeout) {
            tracing::error!("the upgrade hangs for {:?}: this process ends", limits::HANDOVER_LIMIT);
            std::process::exit(1);
        }
    };
    if let Err(error) = std::thread::Builder::new().name("upgrade-watch".to_owned()).spawn(run) {
        tracing::warn!(%error, "nobody watches over the upgrade");
    }
    is_over
}

impl Old<'_> {
    fn run(mut self, attempt: u64) -> Ended {
        loop {
            let input = self.next_input();
            let now = Millis(self.begun.elapsed().as_millis() as u64);
            let (step, mut wanted) = (self.side.step(), Vec::new());
            self.side.handle(now, input, &mut wanted);
            if self.side.step() != step {
                tracing::info!(attempt, step = self.side.step().name(), "upgrade");
            }
            for effect in wanted {
                if let OldEffect::Finish(outcome) = effect {
                    return self.finish(attempt, outcome);
                }
                if let Err(why) = self.carry_out(effect) {
                    self.inputs.push(OldInput::Broke(why));
                }
            }
        }
    }

    fn next_input(&mut self) -> OldInput {
        loop {
            if !self.inputs.is_empty() {
                return self.inputs.remove(0);
            }
            let now = Millis(self.begun.elapsed().as_millis() as u64);
            let left = Duration::from_millis(self.side.deadline().map_or(0, |at| at.since(now)));
            let is_settling = self.side.step() == HandoverStep::Settling;
            let within = if is_settling { left.min(LOOK) } else { left };
            match self.child.line.receive(within) {
                Ok((message, _)) => return OldInput::Message(message),
                Err(Unheard::Cut(why)) => return OldInput::Cut(why),
                Err(Unheard::Silent) if is_settling && !left.is_zero() => {
                    if self.running.unsettled().is_ok_and(|count| count == 0) {
                        return OldInput::Settled;
                    }
                }
                Err(Unheard::Silent) => return OldInput::Timer,
            }
        }
    }

    fn carry_out(&mut self, effect: OldEffect) -> Result<(), String> {
        let text = |error: std::io::Error| error.to_string();
        match effect {
            OldEffect::Send(message) => self.child.line.send(&message, &[]).map_err(text)?,
            OldEffect::Settle => {
                if self.running.settle().map_err(text)? == 0 {
                    self.inputs.push(OldInput::Settled);
                }
            }
            OldEffect::Freeze => {
                self.stands_since = Some(Instant::now());
                self.running.stand_still().map_err(text)?;
                self.inputs.push(OldInput::Frozen);
            }
            OldEffect::CloseStore => {
                self.running.leave_store().map_err(text)?;
                self.inputs.push(OldInput::Closed);
            }
            OldEffect::SendListeners => self.send_listeners()?,
            OldEffect::NextBatch => self.send_batch()?,
            OldEffect::Go => {
                let paused_ms = self.stands_since.map_or(0, |since| since.elapsed().as_millis() as u64);
                let go = HandoverMessage::Go { paused_ms, left: self.left };
                self.child.line.send(&go, &[]).map_err(text)?;
                self.inputs.push(OldInput::Told);
            }
            OldEffect::Kill => {
                self.child.kill();
                self.inputs.push(OldInput::Reaped);
            }
            OldEffect::ReopenStore => {
                self.running.return_to_store()?;
                self.inputs.push(OldInput::Reopened);
            }
            OldEffect::Resume(_) => self.running.resume()?,
            OldEffect::Finish(_) => {}
        }
        Ok(())
    }

    fn send_listeners(&self) -> Result<(), String> {
        let all = self.running.listeners().map_err(|error| error.to_string())?;
        let mut all = all.into_iter().peekable();
        while all.peek().is_some() {
            let (listed, descriptors): (Vec<_>, Vec<_>) = all
                .by_ref()
                .take(linchpin_driver::limits::PASSAGE_DESCRIPTORS)
                .map(|(door, configured, fd)| {
                    (SentListener { door: door.number(), configured: configured.to_string() }, fd)
                })
                .unzip();
            let message = HandoverMessage::Listeners(listed);
            self.child.line.send(&message, &descriptors).map_err(|error| error.to_string())?;
        }
        self.child.line.send(&HandoverMessage::Stand, &[]).map_err(|error| error.to_string())
    }

    /// The next connections of the shard that it is at, or of the next one that has some.
    fn send_batch(&mut self) -> Result<(), String> {
        let engine = &self.running.engine;
        while self.at_shard < usize::from(engine.shards()) {
            let answer = engine.order(self.at_shard, ShardOrder::Export).map_err(|error| error.to_string())?;
            let ShardAnswer::Exported(Exported { passengers, left, is_last }) = answer else {
                return Err("a shard answers what it was not asked".to_owned());
            };
            self.left += left;
            self.at_shard += usize::from(is_last);
            if passengers.is_empty() {
                continue;
            }
            let count = passengers.len();
            let (descriptors, mut freights): (Vec<_>, Vec<_>) = passengers.into_iter().unzip();
            let freights = freights.iter_mut().map(|freight| std::mem::take(&mut **freight)).collect();
            let mut message = HandoverMessage::Batch(freights);
            let sent = self.child.line.send(&message, &descriptors);
            if let HandoverMessage::Batch(freights) = &mut message {
                freights.iter_mut().for_each(zeroize::Zeroize::zeroize);
            }
            sent.map_err(|error| error.to_string())?;
            self.inputs.push(OldInput::Sent { count });
            return Ok(());
        }
        self.inputs.push(OldInput::AllSent { left: self.left });
        Ok(())
    }

    fn finish(self, attempt: u64, outcome: HandoverEnd) -> Ended {
        match outcome {
            HandoverEnd::Gone { moved, refused } => {
                tracing::info!(attempt, moved, left = self.left, ?refused, "upgrade: the new process serves");
                self.running.leave();
                self.child.let_go();
                Ended::Gone
            }
            HandoverEnd::Back { step, why } => {
                let total_ms = self.begun.elapsed().as_millis() as u64;
                let pause_ms = self.stands_since.map_or(0, |since| since.elapsed().as_millis() as u64);
                tracing::error!(attempt, step = step.name(), pause_ms, "upgrade: {why}; this process serves on");
                let step = Some(step.name().to_owned());
                let state = UpgradeState::Failed;
                let why = Some(why);
                Ended::Back(UpgradeReport { attempt, state, step, why, pause_ms, total_ms, ..UpgradeReport::default() })
            }
            HandoverEnd::Lost { why } => {
                tracing::error!(attempt, "upgrade: {why}");
                Ended::Lost(why)
            }
        }
    }
}

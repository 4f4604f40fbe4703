//! The new process: it takes over.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use linchpin_control::request::{UpgradeReport, UpgradeState};
use linchpin_protocol::model::Millis;
use linchpin_shard::handover::{Freight, HandoverMessage, NewEffect, NewInput, NewSide, SentListener};
use linchpin_shard::{End, home_of};
use zeroize::Zeroize;

use super::child::line_of_environment;
use super::line::{HandoverLine, Unheard};
use crate::serve::boot::{Engine, Inherited};
use crate::tick::doors::Door;
use crate::tick::orders::{ShardAnswer, ShardOrder};

/// A process that was started to take over, until it serves.
pub(crate) struct Incoming {
    line: HandoverLine,
    side: NewSide,
    begun: Instant,
    attempt: u64,
    old_pid: u32,
    /// What the side wants done, and was not.
    wanted: Vec<NewEffect>,
    /// Descriptors of the last message.
    descriptors: Vec<OwnedFd>,
    /// Connections that came and did not go on, by the number of their end.
    refused: BTreeMap<u16, u64>,
    taken: u64,
}

/// How long it looks whether the old process has ended, once the socket is closed.
const PARENT_LOOK: Duration = Duration::from_secs(1);

impl Incoming {
    /// If this process was started to take over from another one.
    ///
    /// # Errors
    /// The socket cannot be used.
    pub(crate) fn of_environment() -> std::io::Result<Option<Self>> {
        let Some(line) = line_of_environment() else { return Ok(None) };
        let (mut wanted, begun) = (Vec::new(), Instant::now());
        let side = NewSide::begin(Millis(0), env!("CARGO_PKG_VERSION"), &mut wanted);
        Ok(Some(Self {
            line: line?,
            side,
            begun,
            attempt: 0,
            old_pid: 0,
            wanted,
            descriptors: Vec::new(),
            refused: BTreeMap::new(),
            taken: 0,
        }))
    }

    fn now(&self) -> Millis {
        Millis(self.begun.elapsed().as_millis() as u64)
    }

    fn handle(&mut self, input: NewInput) {
        self.side.handle(self.now(), input, &mut self.wanted);
    }

    /// Wait for what comes next.
    fn pump(&mut self) {
        let left = self.side.deadline().map_or(0, |at| at.since(self.now()));
        let input = match self.line.receive(Duration::from_millis(left.min(1_000))) {
            Ok((message, descriptors)) => {
                tracing::debug!(message = message.name(), "from the old process");
                self.descriptors = descriptors;
                NewInput::Message(message)
            }
            Err(Unheard::Silent) if left > 1_000 => return,
            Err(Unheard::Silent) => NewInput::Timer,
            Err(Unheard::Cut(_)) => NewInput::Cut { old_ended: self.has_old_ended() },
        };
        self.handle(input);
    }

    /// A process's sockets close a moment before others can see that it has ended.
    fn has_old_ended(&self) -> bool {
        let end = Instant::now() + PARENT_LOOK;
        let is_child =
            || rustix::process::getppid().is_some_and(|pid| pid.as_raw_nonzero().get() as u32 == self.old_pid);
        while is_child() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        !is_child()
    }

    /// Send what is to be sent; the first effect that is for the caller.
    fn next_wanted(&mut self) -> Result<NewEffect, String> {
        loop {
            while self.wanted.is_empty() {
                self.pump();
            }
            match self.wanted.remove(0) {
                NewEffect::Send(message) => {
                    if let Err(error) = self.line.send(&message, &[]) {
                        let why = format!("{} could not be sent: {error}", message.name());
                        let old_ended = self.has_old_ended();
                        tracing::warn!("{why}");
                        self.handle(NewInput::Cut { old_ended });
                    }
                }
                NewEffect::Exit(why) => return Err(why),
                other => return Ok(other),
            }
        }
    }

    /// Until the old process stands still and has closed the store: its listeners. `check`: could this process start?
    ///
    /// # Errors
    /// It cannot, or the old process does not go on. Nothing has happened.
    pub(crate) fn prepare(&mut self, check: impl Fn() -> Result<(), String>) -> Result<Vec<Inherited>, String> {
        let mut listeners = Vec::new();
        loop {
            match self.next_wanted()? {
                NewEffect::Prepare { attempt, old_pid } => {
                    (self.attempt, self.old_pid) = (attempt, old_pid);
                    self.handle(match check() {
                        Ok(()) => NewInput::Prepared,
                        Err(why) => NewInput::Broke(why),
                    });
                }
                NewEffect::Listeners(sent) => {
                    let descriptors = std::mem::take(&mut self.descriptors);
                    listeners.extend(sent.into_iter().zip(descriptors).filter_map(inherited));
                }
                NewEffect::Open => return Ok(listeners),
                other => return Err(format!("{other:?} is not awaited now")),
            }
        }
    }

    /// The store is open and the shards are loaded: take the connections, until they are this process's own. They stand
    /// still when this returns; the answer says why they may go on.
    ///
    /// # Errors
    /// The old process does not go on. Nothing has happened: end, and touch nothing.
    pub(crate) fn take_over(&mut self, engine: &Engine) -> Result<Inheritance, String> {
        self.handle(NewInput::Opened);
        loop {
            match self.next_wanted()? {
                NewEffect::Take(freights) => {
                    let descriptors = std::mem::take(&mut self.descriptors);
                    let input = match self.take(engine, freights, descriptors) {
                        Ok(ends) => NewInput::Took(ends),
                        Err(error) => NewInput::Broke(error.to_string()),
                    };
                    self.handle(input);
                }
                NewEffect::Wake { claim, paused_ms, left } => {
                    return Ok(Inheritance { claim, paused_ms, left, at: Instant::now() });
                }
                other => return Err(format!("{other:?} is not awaited now")),
            }
        }
    }

    /// Give each connection to its shard.
    fn take(
        &mut self,
        engine: &Engine,
        freights: Vec<Vec<u8>>,
        descriptors: Vec<OwnedFd>,
    ) -> std::io::Result<Vec<u16>> {
        let shards = engine.shards();
        let mut ends = vec![0; freights.len()];
        let mut by_shard: Vec<Vec<(usize, OwnedFd, Box<Freight>)>> = (0..shards).map(|_| Vec::new()).collect();
        for (at, (mut bytes, descriptor)) in freights.into_iter().zip(descriptors).enumerate() {
            match Freight::unpack(&bytes) {
                Ok(freight) => {
                    let shard = match freight.device() {
                        Some(device) => home_of(device, shards).index(),
                        None => at % usize::from(shards),
                    };
                    by_shard[shard].push((at, descriptor, Box::new(freight)));
                }
                Err(error) => {
                    tracing::warn!(%error, end = %End::ReplacedUnread, "a connection ends");
                    ends[at] = End::ReplacedUnread.number();
                }
            }
            bytes.zeroize();
        }
        let mut asked = Vec::new();
        for (shard, arrivals) in by_shard.into_iter().enumerate().filter(|(_, arrivals)| !arrivals.is_empty()) {
            let places: Vec<usize> = arrivals.iter().map(|(at, ..)| *at).collect();
            let arrivals = arrivals.into_iter().map(|(_, descriptor, freight)| (descriptor, freight)).collect();
            engine.send_order(shard, ShardOrder::Take(arrivals))?;
            asked.push((shard, places));
        }
        for (shard, places) in asked {
            let ShardAnswer::Took(took) = engine.hear_answer(shard)? else {
                return Err(std::io::Error::other("a shard answers what it was not asked"));
            };
            places.into_iter().zip(took).for_each(|(at, end)| ends[at] = end);
        }
        for end in &ends {
            if *end == 0 { self.taken += 1 } else { *self.refused.entry(*end).or_default() += 1 }
        }
        Ok(ends)
    }

    /// This process serves: let the old one go, and say how it went.
    pub(crate) fn running(&mut self, arrival: &Inheritance) -> UpgradeReport {
        // The old process may have died; nothing depends on it any more.
        let _ = self.line.send(&HandoverMessage::Running, &[]);
        let code = |number: u16| {
            let known = End::ALL.iter().find(|end| end.number() == number);
            known.map_or_else(|| format!("E{number:04}"), ToString::to_string)
        };
        UpgradeReport {
            attempt: self.attempt,
            state: UpgradeState::Done,
            moved: self.taken,
            left: arrival.left,
            ended: self.refused.iter().map(|(end, count)| (code(*end), *count)).collect(),
            pause_ms: arrival.paused_ms + arrival.at.elapsed().as_millis() as u64,
            total_ms: self.begun.elapsed().as_millis() as u64,
            ..UpgradeReport::default()
        }
    }

    /// This process cannot go on: let the old one know why.
    pub(crate) fn broke(&mut self, why: &str) {
        self.handle(NewInput::Broke(why.to_owned()));
        for effect in std::mem::take(&mut self.wanted) {
            if let NewEffect::Send(message) = effect {
                let _ = self.line.send(&message, &[]);
            }
        }
    }
}

/// All connections are here, and stand still.
pub(crate) struct Inheritance {
    pub(crate) claim: linchpin_tls::Claim,
    paused_ms: u64,
    left: u64,
    at: Instant,
}

/// A listener that is of a kind that this version knows.
fn inherited((sent, fd): (SentListener, OwnedFd)) -> Option<Inherited> {
    Some(Inherited { door: Door::from_number(sent.door)?, configured: sent.configured.parse().ok()?, fd })
}

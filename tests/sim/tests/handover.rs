//! Two sides of a hand-over in a world where anything may fail at any moment: whoever dies, is silent or says something
//! strange, connections have one owner, the store is open in one process, and the old server serves on unless the new one
//! was told to go on.

use linchpin_protocol::model::Millis;
use linchpin_shard::handover::{
    FormatRange, HandoverEnd, HandoverMessage, HandoverStep, NewEffect, NewInput, NewSide, OldEffect, OldInput, OldSide,
};
use linchpin_tls::Claim;

/// What goes wrong, at the nth event of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mishap {
    Nothing,
    NewDies,
    OldDies,
    NewHangs,
    /// What was to be done in the new process cannot be done.
    NewBreaks,
    /// What was to be done in the old process cannot be done.
    OldBreaks,
    /// The next message of the new process is another one.
    NewLies,
}

const MISHAPS: [Mishap; 6] =
    [Mishap::NewDies, Mishap::OldDies, Mishap::NewHangs, Mishap::NewBreaks, Mishap::OldBreaks, Mishap::NewLies];

/// Connections, in batches of two; one is not readable by the new process.
const CONNECTIONS: usize = 5;
const REFUSED: usize = 3;

struct World {
    now: Millis,
    old: OldSide,
    new: NewSide,
    to_new: Vec<HandoverMessage>,
    to_old: Vec<HandoverMessage>,
    old_input: Vec<OldInput>,
    new_input: Vec<NewInput>,
    old_alive: bool,
    new_alive: bool,
    new_hangs: bool,
    old_has_store: bool,
    new_has_store: bool,
    /// Connections of the old process serve (accept, receive, seal).
    old_serves: bool,
    new_serves: bool,
    sent: usize,
    taken: Vec<usize>,
    outcome: Option<HandoverEnd>,
    exit: Option<String>,
    lies: bool,
    breaks_new: bool,
    breaks_old: bool,
    events: usize,
    was_told: bool,
}

impl World {
    fn new() -> Self {
        let mut fx = Vec::new();
        let new = NewSide::begin(Millis(0), "1.0", &mut fx);
        let mut world = Self {
            now: Millis(0),
            old: OldSide::new(Millis(0), 7, 42),
            new,
            to_new: Vec::new(),
            to_old: Vec::new(),
            old_input: Vec::new(),
            new_input: Vec::new(),
            old_alive: true,
            new_alive: true,
            new_hangs: false,
            old_has_store: true,
            new_has_store: false,
            old_serves: true,
            new_serves: false,
            sent: 0,
            taken: Vec::new(),
            outcome: None,
            exit: None,
            lies: false,
            breaks_new: false,
            breaks_old: false,
            events: 0,
            was_told: false,
        };
        world.carry_out_new(fx);
        world
    }

    fn check(&self) {
        assert!(!(self.old_has_store && self.new_has_store), "the store is open twice");
        assert!(!(self.old_serves && self.new_serves), "two processes serve");
    }

    fn carry_out_new(&mut self, fx: Vec<NewEffect>) {
        for effect in fx {
            let breaks = std::mem::take(&mut self.breaks_new);
            match effect {
                NewEffect::Send(_) if self.lies => {
                    self.lies = false;
                    self.to_old.push(HandoverMessage::Complete { taken: 99 });
                }
                NewEffect::Send(message) => self.to_old.push(message),
                NewEffect::Prepare { attempt, old_pid } => {
                    assert_eq!((attempt, old_pid), (7, 42));
                    self.new_input.push(if breaks { NewInput::Broke("a key".into()) } else { NewInput::Prepared });
                }
                NewEffect::Listeners(_) => {}
                NewEffect::Open if breaks => self.new_input.push(NewInput::Broke("no memory".into())),
                NewEffect::Open => {
                    self.new_has_store = true;
                    self.new_input.push(NewInput::Opened);
                }
                NewEffect::Take(freights) => {
                    let ends = freights.iter().map(|freight| {
                        let number = usize::from(freight[0]);
                        if number == REFUSED { 509 } else { 0 }
                    });
                    let ends: Vec<u16> = ends.collect();
                    self.taken.extend(freights.iter().map(|freight| usize::from(freight[0])).filter(|n| *n != REFUSED));
                    self.new_input.push(NewInput::Took(ends));
                }
                NewEffect::Wake { claim, .. } => {
                    assert_eq!(claim, Claim::Given);
                    self.new_serves = true;
                    self.to_old.push(HandoverMessage::Running);
                }
                NewEffect::Exit(why) => {
                    self.exit = Some(why);
                    self.new_dies();
                }
            }
            self.check();
        }
    }

    fn carry_out_old(&mut self, fx: Vec<OldEffect>) {
        for effect in fx {
            let breaks = std::mem::take(&mut self.breaks_old);
            match effect {
                _ if breaks && !matches!(effect, OldEffect::Kill | OldEffect::Finish(_) | OldEffect::Resume(_)) => {
                    self.old_input.push(OldInput::Broke("here".into()));
                }
                OldEffect::Send(message) => self.to_new.push(message),
                OldEffect::Settle => self.old_input.push(OldInput::Settled),
                OldEffect::Freeze => {
                    self.old_serves = false;
                    self.old_input.push(OldInput::Frozen);
                }
                OldEffect::CloseStore => {
                    self.old_has_store = false;
                    self.old_input.push(OldInput::Closed);
                }
                OldEffect::SendListeners => {
                    self.to_new.push(HandoverMessage::Listeners(Vec::new()));
                    self.to_new.push(HandoverMessage::Stand);
                }
                OldEffect::NextBatch => {
                    let batch: Vec<_> = (self.sent..CONNECTIONS.min(self.sent + 2)).map(|n| vec![n as u8]).collect();
                    if batch.is_empty() {
                        self.old_input.push(OldInput::AllSent { left: 1 });
                    } else {
                        self.sent += batch.len();
                        self.old_input.push(OldInput::Sent { count: batch.len() });
                        self.to_new.push(HandoverMessage::Batch(batch));
                    }
                }
                OldEffect::Go => {
                    self.was_told = true;
                    self.to_new.push(HandoverMessage::Go { paused_ms: 1, left: 1 });
                    self.old_input.push(OldInput::Told);
                }
                OldEffect::Kill => {
                    self.new_dies();
                    self.old_input.push(OldInput::Reaped);
                }
                OldEffect::ReopenStore => {
                    assert!(!self.new_alive, "taken back from a process that lives");
                    self.old_has_store = true;
                    self.old_input.push(OldInput::Reopened);
                }
                OldEffect::Resume(claim) => {
                    assert_eq!(claim, Claim::TakenBack);
                    assert!(!self.new_alive && self.old_has_store);
                    self.old_serves = true;
                }
                OldEffect::Finish(outcome) => self.outcome = Some(outcome),
            }
            self.check();
        }
    }

    fn new_dies(&mut self) {
        self.new_alive = false;
        self.new_has_store = false;
        self.new_serves = false;
    }

    fn old_dies(&mut self) {
        self.old_alive = false;
        self.old_has_store = false;
        self.old_serves = false;
    }

    fn befall(&mut self, mishap: Mishap) {
        match mishap {
            Mishap::Nothing => {}
            Mishap::NewDies => self.new_dies(),
            Mishap::OldDies => self.old_dies(),
            Mishap::NewHangs => self.new_hangs = true,
            Mishap::NewBreaks => self.breaks_new = true,
            Mishap::OldBreaks => self.breaks_old = true,
            Mishap::NewLies => self.lies = true,
        }
    }

    /// One event somewhere; false when nothing happens any more.
    fn step(&mut self) -> bool {
        let mut old_fx = Vec::new();
        let mut new_fx = Vec::new();
        if self.old_alive && !self.old_input.is_empty() {
            let input = self.old_input.remove(0);
            self.old.handle(self.now, input, &mut old_fx);
        } else if self.new_alive && !self.new_hangs && !self.new_input.is_empty() {
            let input = self.new_input.remove(0);
            self.new.handle(self.now, input, &mut new_fx);
        } else if self.old_alive && !self.to_old.is_empty() {
            let message = self.to_old.remove(0);
            self.old.handle(self.now, OldInput::Message(message), &mut old_fx);
        } else if self.new_alive && !self.new_hangs && !self.to_new.is_empty() {
            let message = self.to_new.remove(0);
            self.new.handle(self.now, NewInput::Message(message), &mut new_fx);
        } else if self.old_alive && self.outcome.is_none() && !self.new_alive {
            self.old.handle(self.now, OldInput::Cut("closed".into()), &mut old_fx);
        } else if self.new_alive && !self.new_hangs && !self.new_serves && !self.old_alive {
            self.new.handle(self.now, NewInput::Cut { old_ended: true }, &mut new_fx);
        } else if self.old_alive
            && let Some(at) = self.old.deadline()
        {
            self.now = self.now.max(at);
            self.old.handle(self.now, OldInput::Timer, &mut old_fx);
        } else if self.new_alive
            && !self.new_hangs
            && !self.new_serves
            && let Some(at) = self.new.deadline()
        {
            self.now = self.now.max(at);
            self.new.handle(self.now, NewInput::Timer, &mut new_fx);
        } else {
            return false;
        }
        self.events += 1;
        self.carry_out_old(old_fx);
        self.carry_out_new(new_fx);
        true
    }

    fn run(mishap: Mishap, at: usize) -> Self {
        let mut world = Self::new();
        loop {
            if world.events == at {
                world.befall(mishap);
            }
            if !world.step() {
                return world;
            }
            assert!(world.events < 1_000, "it never ends");
        }
    }
}

#[test]
fn without_mishap_everything_moves_and_one_is_refused_with_its_code() {
    let world = World::run(Mishap::Nothing, 0);
    let moved = CONNECTIONS as u64 - 1;
    assert_eq!(world.outcome, Some(HandoverEnd::Gone { moved, refused: vec![(509, 1)] }));
    assert!(world.new_serves && world.new_has_store && !world.old_serves && !world.old_has_store);
    assert_eq!(world.taken.len(), CONNECTIONS - 1);
}

#[test]
fn whatever_fails_at_any_event_somebody_serves_or_everybody_knows() {
    let events = World::run(Mishap::Nothing, 0).events;
    let mut steps = std::collections::BTreeSet::new();
    for mishap in MISHAPS {
        for at in 0..=events {
            let world = World::run(mishap, at);
            let said = format!("{mishap:?} at event {at}: {:?}, {:?}", world.outcome, world.exit);
            match (&world.outcome, world.old_alive) {
                (Some(HandoverEnd::Back { step, why }), true) => {
                    steps.insert(*step);
                    assert!(!world.was_told && world.old_serves && world.old_has_store, "{said}");
                    assert!(!world.new_alive && !why.is_empty(), "{said}");
                }
                (Some(HandoverEnd::Gone { moved, .. }), true) => {
                    assert_eq!(*moved, CONNECTIONS as u64 - 1, "{said}");
                    assert!(
                        !world.old_serves
                            && (world.new_serves || mishap == Mishap::NewDies || mishap == Mishap::NewHangs),
                        "{said}"
                    );
                }
                // Only after the point of no return, or if the store could not be opened again: started anew.
                (Some(HandoverEnd::Lost { .. }), true) => {
                    assert!(!world.old_serves && (world.was_told || mishap == Mishap::OldBreaks), "{said}");
                }
                // The old process died. The new one has everything and goes on, or nothing and ends.
                (_, false) => {
                    assert_eq!(world.new_serves, world.new_alive, "{said}");
                    if world.new_serves {
                        assert_eq!(world.taken.len(), CONNECTIONS - 1, "{said}");
                    }
                }
                (None, true) => panic!("{said}"),
            }
        }
    }
    let all = [
        HandoverStep::Starting,
        HandoverStep::Settling,
        HandoverStep::Freezing,
        HandoverStep::Closing,
        HandoverStep::Opening,
        HandoverStep::Moving,
        HandoverStep::Counting,
    ];
    assert_eq!(steps.into_iter().collect::<Vec<_>>(), all, "every step was made to fail");
}

#[test]
fn two_mishaps_are_no_worse() {
    let events = World::run(Mishap::Nothing, 0).events;
    for first in MISHAPS {
        for second in MISHAPS {
            for at in 0..=events {
                for later in 1..6 {
                    let mut world = World::new();
                    loop {
                        if world.events == at {
                            world.befall(first);
                        }
                        if world.events == at + later {
                            world.befall(second);
                        }
                        if !world.step() {
                            break;
                        }
                        assert!(world.events < 1_000);
                    }
                    if world.old_alive {
                        assert!(world.outcome.is_some(), "{first:?} at {at}, {second:?} {later} later");
                    }
                }
            }
        }
    }
}

#[test]
fn a_version_that_reads_other_formats_is_refused_at_once() {
    let mut old = OldSide::new(Millis(0), 1, 1);
    let formats = FormatRange { oldest: 90, newest: 91 };
    let mut fx = Vec::new();
    let hello = HandoverMessage::Hello { formats, version: "9.0".into() };
    old.handle(Millis(1), OldInput::Message(hello), &mut fx);
    assert_eq!(fx, [OldEffect::Kill]);
    fx.clear();
    old.handle(Millis(2), OldInput::Reaped, &mut fx);
    let [OldEffect::Finish(HandoverEnd::Back { step: HandoverStep::Starting, why })] = &fx[..] else {
        panic!("{fx:?}")
    };
    assert!(why.contains("9.0") && why.contains("90 to 91") && why.contains("restart"), "{why}");
}

//! The state of all orders, without a clock, a socket or a disk: `handle(now, input, effects)`. One thing is under way at
//! a time. Every step is stored before the next one begins, so that a restart goes on where the last run ended.

use linchpin_storage::schema::AcmeAccount;

use super::call::{AcmeAnswer, AcmeCall};
use super::line::{Alarm, HeldCertificate, OrderLine, Wishes};
use super::{calendar, limits};

/// What happens to the orders.
#[derive(Debug)]
pub(crate) enum OrderInput {
    /// Time passed.
    Tick,
    /// The call under way led to this.
    Answer(AcmeAnswer),
    /// What was to be stored is durable, or why not.
    Written(Result<(), String>),
    /// An operator wants this of a line; what is not set stays as it was.
    Wish(usize, Wishes),
}

/// What the caller has to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OrderEffect {
    /// Make this call for a line, with an authority; then [`OrderInput::Answer`].
    Call(usize, u8, AcmeCall),
    /// Make this durable, as it is now; then [`OrderInput::Written`].
    Store(Part),
    /// Serve the certificate that the line holds now.
    Serve(usize),
    /// No challenge is open any more.
    CloseChallenges,
    /// An order ended; with a certificate?
    Ended(bool),
    /// A line of the log.
    Say(usize, String),
    /// It got better or worse.
    Alarm(usize, Alarm),
}

/// What is stored together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The account with this authority.
    Account(u8),
    /// A line.
    Line(usize),
    /// A line, its certificate and the one before it.
    Certificates(usize),
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Busy {
    Free,
    Calling(usize, u8, AcmeCall),
    Writing(Part),
}

/// All orders of a process.
#[derive(Debug)]
pub(crate) struct Orders {
    pub(super) lines: Vec<OrderLine>,
    /// Directories of the authorities as configured.
    pub(super) directories: Vec<Box<str>>,
    /// By authority.
    pub(super) accounts: Vec<Option<AcmeAccount>>,
    pub(super) busy: Busy,
    /// A write failed: it is tried again at this time, s since 1970, and nothing else happens before.
    halted: Option<(Part, u64)>,
    random: u64,
}

impl Orders {
    /// With what was stored. `directories` are those of the configured authorities, one or two, the first one first;
    /// accounts with others are left alone. `seed` spreads waits.
    pub(crate) fn new(lines: Vec<OrderLine>, directories: Vec<Box<str>>, accounts: &[AcmeAccount], seed: u64) -> Self {
        assert!((1..=limits::AUTHORITIES).contains(&directories.len()), "one authority, or two");
        let of = |directory: &str| accounts.iter().find(|account| &*account.directory == directory).cloned();
        let accounts = directories.iter().map(|directory| of(directory)).collect();
        Self { lines, directories, accounts, busy: Busy::Free, halted: None, random: seed }
    }

    pub(crate) fn lines(&self) -> &[OrderLine] {
        &self.lines
    }

    pub(crate) fn account(&self, authority: u8) -> Option<&AcmeAccount> {
        self.accounts.get(usize::from(authority))?.as_ref()
    }

    /// The authority that signed what a line serves; `None`: nothing is served, or it is not configured any more.
    pub(super) fn signed_by(&self, line: usize) -> Option<u8> {
        let held = self.lines[line].current.as_ref()?;
        let at = self.directories.iter().position(|directory| *directory == held.certificate.directory)?;
        Some(at as u8)
    }

    /// A write failed, and nothing is ordered until it succeeds.
    pub(crate) const fn is_halted(&self) -> bool {
        self.halted.is_some()
    }

    /// Take in what happened, and say what to do.
    pub(crate) fn handle(&mut self, now_s: u64, input: OrderInput, fx: &mut Vec<OrderEffect>) {
        match input {
            OrderInput::Tick => {}
            OrderInput::Answer(answer) => self.answered(now_s, answer, fx),
            OrderInput::Written(result) => self.written(now_s, result, fx),
            OrderInput::Wish(line, wishes) => {
                if let Some(line) = self.lines.get_mut(line) {
                    line.wishes.renew |= wishes.renew;
                    line.wishes.roll_back |= wishes.roll_back;
                    line.wishes.revoke = wishes.revoke.or(line.wishes.revoke);
                }
            }
        }
        self.go_on(now_s, fx);
        self.look_at_alarms(now_s, fx);
    }

    /// When to call [`Self::handle`] again with [`OrderInput::Tick`], s since 1970, if nothing else happens before.
    pub(crate) fn wake_s(&self, now_s: u64) -> u64 {
        let mut wake_s = now_s + limits::BACK_OFF[0].as_secs();
        let mut at = |when_s: u64| {
            if when_s > now_s {
                wake_s = wake_s.min(when_s);
            }
        };
        if let Some((_, again_s)) = self.halted {
            at(again_s);
        }
        for line in &self.lines {
            at(line.state.not_before_s);
            at(line.state.ask_s);
            at(line.look_s);
            at(calendar::due_s(line));
        }
        wake_s
    }

    fn written(&mut self, now_s: u64, result: Result<(), String>, fx: &mut Vec<OrderEffect>) {
        let Busy::Writing(part) = std::mem::replace(&mut self.busy, Busy::Free) else { return };
        match result {
            Ok(()) => {
                self.halted = None;
                if let Part::Certificates(line) = part {
                    fx.push(OrderEffect::Serve(line));
                }
            }
            Err(why) => {
                self.halted = Some((part, now_s + limits::WRITE_AGAIN.as_secs()));
                let line = match part {
                    Part::Line(line) | Part::Certificates(line) => line,
                    Part::Account(_) => 0,
                };
                self.say(now_s, line, format!("the store takes nothing, so nothing is ordered: {why}"), fx);
            }
        }
    }

    /// Begin the next thing, if nothing is under way.
    fn go_on(&mut self, now_s: u64, fx: &mut Vec<OrderEffect>) {
        if self.busy != Busy::Free {
            return;
        }
        if let Some((part, again_s)) = self.halted {
            if now_s >= again_s {
                self.store(part, fx);
            }
            return;
        }
        // Orders under way first, so that they get done.
        let (under_way, others): (Vec<usize>, Vec<usize>) =
            (0..self.lines.len()).partition(|line| self.lines[*line].state.order.is_some());
        for line in under_way.into_iter().chain(others) {
            self.step(now_s, line, fx);
            if self.busy != Busy::Free {
                return;
            }
        }
    }

    fn look_at_alarms(&mut self, now_s: u64, fx: &mut Vec<OrderEffect>) {
        for (at, line) in self.lines.iter_mut().enumerate() {
            let alarm = calendar::alarm(line, now_s);
            if alarm != line.alarm {
                line.alarm = alarm;
                fx.push(OrderEffect::Alarm(at, alarm));
            }
        }
    }

    pub(super) fn store(&mut self, part: Part, fx: &mut Vec<OrderEffect>) {
        self.busy = Busy::Writing(part);
        fx.push(OrderEffect::Store(part));
    }

    pub(super) fn call(&mut self, line: usize, authority: u8, call: AcmeCall, fx: &mut Vec<OrderEffect>) {
        self.busy = Busy::Calling(line, authority, call.clone());
        fx.push(OrderEffect::Call(line, authority, call));
    }

    /// Write into the line's log; stored with the line's next step.
    pub(super) fn say(&mut self, now_s: u64, line: usize, text: impl Into<String>, fx: &mut Vec<OrderEffect>) {
        let text = text.into();
        if let Some(line) = self.lines.get_mut(line) {
            line.note(now_s, &text);
        }
        fx.push(OrderEffect::Say(line, text));
    }

    /// splitmix64.
    pub(super) fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A new certificate takes the place of the one before.
    pub(super) fn swap_in(&mut self, line: usize, held: HeldCertificate) {
        let line = &mut self.lines[line];
        line.previous = line.current.replace(held);
    }
}

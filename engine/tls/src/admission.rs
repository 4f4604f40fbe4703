//! Which handshake begins, and when: a storm of clients must neither starve the sessions that live nor itself.
//!
//! Pure state: time and costs are arguments. A handshake begins if the processor's share, the number under way and its
//! address allow it. Else it waits, resumed ones first, but only as long as it can still be of use; beyond that it is
//! refused at once, so that what is begun gets done. When the queue is as long as it may be, whoever has most in it makes
//! room for one who has less. How much memory handshakes may take is the caller's ledger's business.

use std::collections::VecDeque;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use crate::limits::{
    ADDRESS_BURST, ADDRESS_HANDSHAKES, ADDRESS_PER_SECOND, FULL_COST, FULL_TURN, HANDSHAKE_BUCKETS, HANDSHAKE_BURST,
    HANDSHAKE_SHARE_ALONE_PERCENT, HANDSHAKE_SHARE_PERCENT, HANDSHAKE_WAIT, HANDSHAKES, HANDSHAKES_WAITING,
    NETWORK_BUCKETS, NETWORK_SHARES, RESUMED_COST, V4_NETWORK_BITS, V6_NETWORK_BITS, V6_PREFIX_BITS,
};

/// What else the shard has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Load {
    /// Nothing: handshakes may take almost the whole core.
    #[default]
    Alone,
    /// Sessions live, whose latency must not suffer.
    Sessions,
}

/// Why a handshake does not begin at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It would wait longer than is of use ([`HANDSHAKE_WAIT`] unless the operator says otherwise).
    Busy,
    /// Its address began too many lately, or has too many under way or waiting.
    Address,
}

/// The right to a handshake. Give it back by [`Admission::ended`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a handshake that began must be ended"]
pub struct Pass {
    bucket: u32,
    resumes: bool,
    /// Processor time that is set aside until its first step, us.
    reserved_us: u32,
}

/// What an arriving client does.
#[derive(Debug, PartialEq, Eq)]
pub enum ArrivalVerdict<T> {
    /// Begin now.
    Start(Pass),
    /// [`Admission::next`] calls it, or [`Admission::expired`].
    Wait,
    /// As [`Self::Wait`]; close this one, which waited: its address has more that wait.
    Instead(T),
    /// Close.
    Refuse(Refusal),
}

#[derive(Clone, Copy)]
struct Bucket {
    /// Thousandths of handshakes that may begin.
    credit_milli: u32,
    /// When that was counted, ms.
    at_ms: u64,
    /// Handshakes under way or waiting.
    held: u32,
}

struct Waiting<T> {
    who: T,
    since: Duration,
    bucket: u32,
}

/// The handshakes of a shard; `T` names a connection.
pub struct Admission<T> {
    seed: [u8; 16],
    buckets: Box<[Bucket]>,
    /// Networks of many addresses; only their rate is bounded.
    networks: Box<[Bucket]>,
    /// No bucket holds more.
    most_held: u32,
    /// Longest wait.
    wait: Duration,
    running: usize,
    /// Processor time that may be spent now, us; below zero after an expensive handshake.
    credit_us: i64,
    at: Duration,
    load: Load,
    /// Full ones, resumed ones.
    queues: [VecDeque<Waiting<T>>; 2],
    /// Mean cost of a handshake of each kind, us.
    cost_us: [u64; 2],
    turn: u32,
}

impl<T> std::fmt::Debug for Admission<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Admission({} under way, {} wait)", self.running, self.waiting())
    }
}

impl<T> Admission<T> {
    /// At `now`, counted from any moment; `seed` is secret, so that nobody can choose with whom he shares a bucket.
    #[must_use]
    pub fn new(seed: [u8; 16], now: Duration) -> Self {
        let full = Bucket { credit_milli: ADDRESS_BURST * 1_000, at_ms: ms(now), held: 0 };
        Self {
            seed,
            buckets: vec![full; HANDSHAKE_BUCKETS].into(),
            networks: vec![Bucket { credit_milli: full.credit_milli * NETWORK_SHARES, ..full }; NETWORK_BUCKETS].into(),
            most_held: 0,
            wait: HANDSHAKE_WAIT,
            running: 0,
            credit_us: HANDSHAKE_BURST.as_micros() as i64,
            at: now,
            load: Load::Alone,
            queues: [VecDeque::new(), VecDeque::new()],
            cost_us: [FULL_COST.as_micros() as u64, RESUMED_COST.as_micros() as u64],
            turn: 0,
        }
    }

    /// What else there is to do from now on.
    pub fn set_load(&mut self, load: Load) {
        self.load = load;
    }

    /// Longest wait for a handshake to begin, from now on.
    pub fn set_wait(&mut self, wait: Duration) {
        self.wait = wait;
    }

    /// A client's ClientHello is complete.
    pub fn arrive(&mut self, now: Duration, who: T, address: IpAddr, resumes: bool) -> ArrivalVerdict<T> {
        self.earn(now);
        let bucket = self.bucket(address);
        let network = self.network(address) as usize;
        if self.buckets[bucket as usize].held as usize >= ADDRESS_HANDSHAKES
            || !self.networks[network].take(now, NETWORK_SHARES)
        {
            return ArrivalVerdict::Refuse(Refusal::Address);
        }
        if !self.buckets[bucket as usize].take(now, 1) {
            self.networks[network].credit_milli += 1_000;
            return ArrivalVerdict::Refuse(Refusal::Address);
        }
        self.buckets[bucket as usize].held += 1;
        self.most_held = self.most_held.max(self.buckets[bucket as usize].held);
        let kind = usize::from(resumes);
        let nobody_before = self.queues[1].is_empty() && (resumes || self.queues[0].is_empty());
        if nobody_before && self.is_free() {
            return ArrivalVerdict::Start(self.start(bucket, resumes));
        }
        let is_full = self.wait_us(kind) > self.wait.as_micros() as u64 || self.waiting() >= HANDSHAKES_WAITING;
        let instead = if is_full { self.make_room(kind, bucket) } else { None };
        if is_full && instead.is_none() {
            self.buckets[bucket as usize].give_back();
            self.networks[network].credit_milli += 1_000;
            return ArrivalVerdict::Refuse(Refusal::Busy);
        }
        self.queues[kind].push_back(Waiting { who, since: now, bucket });
        instead.map_or(ArrivalVerdict::Wait, ArrivalVerdict::Instead)
    }

    /// The queue is as long as it may be: the newest of the address that has most gives way, if that is much more than
    /// the newcomer's has.
    fn make_room(&mut self, kind: usize, bucket: u32) -> Option<T> {
        // Addresses share buckets: a few more are no hoard.
        let hoard = 4 * (self.buckets[bucket as usize].held + 2);
        if self.most_held < hoard {
            return None;
        }
        let most = self.buckets.iter().map(|bucket| bucket.held).max()?;
        self.most_held = most;
        if most < hoard {
            return None;
        }
        // One that resumes waits for resumed ones only.
        for kind in kind..2 {
            let buckets = &self.buckets;
            let newest = self.queues[kind].iter().rposition(|one| buckets[one.bucket as usize].held == most);
            if let Some(gone) = newest.and_then(|at| self.queues[kind].remove(at)) {
                self.buckets[gone.bucket as usize].let_go();
                return Some(gone.who);
            }
        }
        None
    }

    /// Who begins now; call until there is none.
    pub fn next(&mut self, now: Duration) -> Option<(T, Pass)> {
        self.earn(now);
        if !self.is_free() {
            return None;
        }
        self.turn += 1;
        // A fleet that resumes must not lock out those that cannot.
        let full_first = self.turn.is_multiple_of(FULL_TURN);
        let kind = match (self.queues[0].is_empty(), self.queues[1].is_empty()) {
            (true, true) => return None,
            (false, false) => usize::from(!full_first),
            (full_is_empty, _) => usize::from(full_is_empty),
        };
        let waiting = self.queues[kind].pop_front()?;
        let pass = self.start(waiting.bucket, kind == 1);
        Some((waiting.who, pass))
    }

    /// Who waited too long and is closed now; call until there is none, before [`Self::next`].
    pub fn expired(&mut self, now: Duration) -> Option<T> {
        let oldest = now.saturating_sub(self.wait);
        let queue = self.queues.iter_mut().find(|queue| queue.front().is_some_and(|first| first.since < oldest))?;
        let waiting = queue.pop_front()?;
        self.buckets[waiting.bucket as usize].let_go();
        Some(waiting.who)
    }

    /// Its first step is made now: what was set aside for it is spent as it is.
    pub fn begun(&mut self, pass: &mut Pass) {
        self.credit_us += i64::from(std::mem::take(&mut pass.reserved_us));
    }

    /// A step of a handshake took so much processor time.
    pub fn spent(&mut self, cost: Duration) {
        self.credit_us = self.credit_us.saturating_sub_unsigned(cost.as_micros() as u64);
    }

    /// A handshake is done or failed; `cost` is the processor time of all its steps.
    pub fn ended(&mut self, mut pass: Pass, cost: Duration) {
        self.begun(&mut pass);
        self.running = self.running.saturating_sub(1);
        self.buckets[pass.bucket as usize].let_go();
        let mean = &mut self.cost_us[usize::from(pass.resumes)];
        *mean = (*mean * 15 + cost.as_micros() as u64).div_ceil(16).max(1);
    }

    /// A connection ended in the midst of its handshake: its share is free again, its cost says nothing.
    pub fn abandoned(&mut self, mut pass: Pass) {
        self.begun(&mut pass);
        self.running = self.running.saturating_sub(1);
        self.buckets[pass.bucket as usize].let_go();
    }

    /// Handshakes under way.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running
    }

    /// Clients that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queues.iter().map(VecDeque::len).sum()
    }

    /// When [`Self::next`] may find somebody again, if anybody waits for processor time.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        let debt_us = u64::try_from(1 - self.credit_us).unwrap_or(0);
        (self.waiting() > 0).then(|| self.at + Duration::from_micros((debt_us * 100).div_ceil(self.share())))
    }

    fn share(&self) -> u64 {
        match self.load {
            Load::Alone => HANDSHAKE_SHARE_ALONE_PERCENT,
            Load::Sessions => HANDSHAKE_SHARE_PERCENT,
        }
    }

    fn earn(&mut self, now: Duration) {
        let passed_us = now.saturating_sub(self.at).as_micros() as u64;
        let earned = (passed_us * self.share() / 100) as i64;
        if earned > 0 {
            self.credit_us = (self.credit_us + earned).min(HANDSHAKE_BURST.as_micros() as i64);
            self.at = now;
        }
    }

    fn is_free(&self) -> bool {
        self.credit_us > 0 && self.running < HANDSHAKES
    }

    fn start(&mut self, bucket: u32, resumes: bool) -> Pass {
        self.running += 1;
        // Many may arrive in one tick, long before the first step of any.
        let reserved_us = u32::try_from(self.cost_us[usize::from(resumes)]).unwrap_or(u32::MAX);
        self.credit_us -= i64::from(reserved_us);
        Pass { bucket, resumes, reserved_us }
    }

    /// How long one that arrives now would wait for those before it.
    fn wait_us(&self, kind: usize) -> u64 {
        let of = |kind: usize| self.queues[kind].len() as u64 * self.cost_us[kind];
        let before = if kind == 1 { of(1) } else { of(0) + of(1) };
        let debt = u64::try_from(-self.credit_us).unwrap_or(0);
        (before + debt) * 100 / self.share()
    }

    fn bucket(&self, address: IpAddr) -> u32 {
        self.hash(address, (32, V6_PREFIX_BITS)) % HANDSHAKE_BUCKETS as u32
    }

    fn network(&self, address: IpAddr) -> u32 {
        self.hash(address, (V4_NETWORK_BITS, V6_NETWORK_BITS)) % NETWORK_BUCKETS as u32
    }

    /// Of the first bits of an address.
    fn hash(&self, address: IpAddr, (v4_bits, v6_bits): (u32, u32)) -> u32 {
        let mut hasher = DefaultHasher::new();
        self.seed.hash(&mut hasher);
        match address.to_canonical() {
            IpAddr::V4(v4) => (u32::from(v4) >> (32 - v4_bits)).hash(&mut hasher),
            IpAddr::V6(v6) => (u128::from(v6) >> (128 - v6_bits)).hash(&mut hasher),
        }
        hasher.finish() as u32
    }
}

impl Bucket {
    /// Take one, of a bucket with so many shares of an address.
    fn take(&mut self, now: Duration, shares: u32) -> bool {
        let earned = ms(now).saturating_sub(self.at_ms) * u64::from(ADDRESS_PER_SECOND * shares);
        self.at_ms = ms(now);
        let credit = u64::from(self.credit_milli) + earned;
        self.credit_milli = credit.min(u64::from(ADDRESS_BURST * shares) * 1_000) as u32;
        if self.credit_milli < 1_000 {
            return false;
        }
        self.credit_milli -= 1_000;
        true
    }

    fn give_back(&mut self) {
        self.credit_milli += 1_000;
        self.let_go();
    }

    fn let_go(&mut self) {
        debug_assert!(self.held > 0, "an address let go what it did not hold");
        self.held = self.held.saturating_sub(1);
    }
}

fn ms(now: Duration) -> u64 {
    now.as_millis() as u64
}

#[cfg(test)]
mod tests;

//! The control plane as a shard sees it: asks come by a bounded lane, answers go back by another, each a little at a time.
//!
//! Paths say what is done: `/api/v1/ping`; `/api/stream?N` answers N bytes in chunks and `/api/sized?N` with their length;
//! `/api/sink` reads its body and answers its length and sum; `/api/echo` answers with its body as it comes; `/api/refuse`
//! `/api/v1/live?N` grants the live socket that was agreed on as number N, or answers 401; `/api/refuse`
//! answers 413 without reading; `/api/panic` fails at once, `/api/break?N` after N bytes; `/api/silent` never answers.

use std::collections::{BTreeMap, VecDeque};

use linchpin_protocol::http::BodyLength;
use linchpin_shard::limits::{ASK_CHUNK_BYTES, ASK_CREDIT_BYTES};
use linchpin_shard::{AnswerPart, AnswerStart, AskPart, AskRef, AskStart, LiveGrant};

use crate::Random;

/// The byte at a position of a stream.
#[must_use]
pub const fn pattern(at: usize) -> u8 {
    (at % 251) as u8
}

/// One ask being answered.
#[derive(Debug)]
struct Task {
    name: AskRef,
    ask: AskStart,
    path: String,
    number: usize,
    /// Bytes of the body that wait.
    unread: VecDeque<u8>,
    body_over: bool,
    /// Length and sum of the body so far.
    read: (usize, u64),
    /// Credit that the shard has been given, and bytes that came for it.
    granted: usize,
    /// Bytes of the answer that the shard takes.
    credit: usize,
    /// Bytes of the answer that were sent.
    sent: usize,
    has_begun: bool,
    is_over: bool,
    /// Its live socket may see this much.
    grant: Option<LiveGrant>,
}

/// The control plane of one shard.
#[derive(Debug, Default)]
pub struct SimControl {
    /// Parts on their way from the shard.
    pub asks: VecDeque<(AskRef, AskPart)>,
    /// Parts on their way to the shard.
    pub answers: VecDeque<(AskRef, AnswerPart)>,
    tasks: BTreeMap<(u32, u32), Task>,
    has_work: bool,
    /// Asks that began.
    pub begun: u64,
    /// Asks that the shard cancelled.
    pub cancelled: u64,
    /// What live sockets are granted, by the number in their address.
    pub grants: BTreeMap<usize, LiveGrant>,
    /// Number of the last revocation.
    pub stamp: u64,
    /// The last asks that began, for tests that look at what travels.
    pub seen: Vec<AskStart>,
}

impl SimControl {
    /// Is there anything to do?
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.has_work || !self.asks.is_empty()
    }

    /// Asks that are not over.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.tasks.len()
    }

    /// Most bytes of an answer that any ask has sent.
    #[must_use]
    pub fn most_sent(&self) -> usize {
        self.tasks.values().map(|task| task.sent).max().unwrap_or(0)
    }

    /// Most bytes of a body that wait for any ask.
    #[must_use]
    pub fn most_unread(&self) -> usize {
        self.tasks.values().map(|task| task.unread.len()).max().unwrap_or(0)
    }

    /// Do something: take some parts, answer a little. `lane`: parts that fit into the way back.
    ///
    /// # Panics
    /// When the shard breaks its word.
    pub fn step(&mut self, random: &mut Random, delay: u64, lane: usize) {
        while !self.asks.is_empty() && !random.chance(delay) {
            let Some((name, part)) = self.asks.pop_front() else { break };
            self.take(name, part);
        }
        self.has_work = false;
        let keys: Vec<_> = self.tasks.keys().copied().collect();
        for key in keys {
            if random.chance(delay) {
                self.has_work = true;
                continue;
            }
            let Some(task) = self.tasks.get_mut(&key) else { continue };
            // One part in one step: lanes are shared.
            while self.answers.len() < lane {
                let Some(part) = task.next(random) else { break };
                self.has_work = true;
                self.answers.push_back((task.name, part));
                if random.chance(300) {
                    break;
                }
            }
            self.has_work |= self.answers.len() >= lane;
            if task.is_over {
                self.tasks.remove(&key);
            }
        }
    }

    fn take(&mut self, name: AskRef, part: AskPart) {
        let key = (name.conn.slot.0, name.number);
        if let AskPart::Start(ask) = part {
            self.begun += 1;
            self.seen.push((*ask).clone());
            if self.seen.len() > 1_000 {
                self.seen.remove(0);
            }
            let mut task = Task::new(name, *ask);
            task.grant = self.grants.get(&task.number).filter(|_| task.ask.wants_live).cloned();
            if let Some(grant) = &mut task.grant {
                grant.stamp = self.stamp;
            }
            let earlier = self.tasks.insert(key, task);
            assert!(earlier.is_none(), "{name:?} begins twice");
            return;
        }
        let Some(task) = self.tasks.get_mut(&key) else { return };
        match part {
            AskPart::Start(_) => {}
            AskPart::Body(bytes) => {
                assert!(!bytes.is_empty() && bytes.len() <= ASK_CHUNK_BYTES && !task.body_over);
                task.granted = task.granted.checked_sub(bytes.len()).expect("within the credit");
                task.unread.extend(bytes);
            }
            AskPart::BodyEnd => {
                assert!(!std::mem::replace(&mut task.body_over, true), "the body ends once");
            }
            AskPart::Credit(bytes) => task.credit += bytes as usize,
            AskPart::Cancel => {
                self.cancelled += 1;
                self.tasks.remove(&key);
            }
        }
    }
}

impl Task {
    fn new(name: AskRef, ask: AskStart) -> Self {
        let (path, number) = ask.target.split_once('?').unwrap_or((&ask.target, "0"));
        let (path, number) = (path.to_owned(), number.parse().unwrap_or(0));
        let body_over = ask.body == BodyLength::Known(0);
        Self {
            name,
            ask,
            path,
            number,
            unread: VecDeque::new(),
            body_over,
            read: (0, 0),
            granted: 0,
            credit: ASK_CREDIT_BYTES,
            sent: 0,
            has_begun: false,
            is_over: false,
            grant: None,
        }
    }

    fn start(&mut self, status: u16, len: Option<usize>) -> AnswerPart {
        self.has_begun = true;
        let fields = vec![("X-Sim".into(), (*b"1").into())];
        AnswerPart::Start(Box::new(AnswerStart { status, fields, len_bytes: len.map(|len| len as u64) }))
    }

    fn end(&mut self) -> AnswerPart {
        self.is_over = true;
        AnswerPart::End
    }

    fn next(&mut self, random: &mut Random) -> Option<AnswerPart> {
        if self.is_over {
            return None;
        }
        match &*self.path {
            "/api/v1/ping" => self.text("pong"),
            "/api/stream" => self.stream(None, random),
            "/api/sized" => self.stream(Some(self.number), random),
            "/api/break" if self.has_begun && self.sent >= self.number => self.fail(),
            "/api/break" => self.stream(Some(self.number + 1_000), random),
            "/api/sink" => self.sink(random),
            "/api/echo" => self.echo(random),
            "/api/v1/live" if self.grant.is_some() => {
                self.is_over = true;
                self.grant.take().map(|grant| AnswerPart::Grant(Box::new(grant)))
            }
            "/api/v1/live" if !self.has_begun => Some(self.start(401, Some(0))),
            "/api/v1/live" => Some(self.end()),
            "/api/panic" => self.fail(),
            "/api/often" if !self.has_begun => Some(self.start(429, Some(0))),
            "/api/often" => Some(self.end()),
            "/api/refuse" if !self.has_begun => Some(self.start(413, Some(0))),
            "/api/refuse" => Some(self.end()),
            _ => None,
        }
    }

    fn fail(&mut self) -> Option<AnswerPart> {
        self.is_over = true;
        Some(AnswerPart::Failed)
    }

    fn text(&mut self, text: &str) -> Option<AnswerPart> {
        if !self.has_begun {
            return Some(self.start(200, Some(text.len())));
        }
        if self.sent == 0 && self.ask.method != linchpin_protocol::http::Method::Head {
            self.sent = text.len();
            return Some(AnswerPart::Body(text.as_bytes().into()));
        }
        Some(self.end())
    }

    fn stream(&mut self, len: Option<usize>, random: &mut Random) -> Option<AnswerPart> {
        if !self.has_begun {
            return Some(self.start(200, len));
        }
        if self.sent == len.unwrap_or(self.number) || self.ask.method == linchpin_protocol::http::Method::Head {
            return Some(self.end());
        }
        // One that breaks says more than it sends.
        let left = (self.number - self.sent).min(self.credit);
        let most = if random.chance(100) { random.between(1, 500) as usize } else { ASK_CHUNK_BYTES };
        let part: Vec<u8> = (self.sent..self.sent + left.min(most)).map(pattern).collect();
        self.spend(part)
    }

    fn spend(&mut self, part: Vec<u8>) -> Option<AnswerPart> {
        if part.is_empty() {
            return None;
        }
        self.sent += part.len();
        self.credit -= part.len();
        Some(AnswerPart::Body(part.into()))
    }

    /// Ask for more of the body, as it is read.
    fn want(&mut self) -> Option<AnswerPart> {
        let room = ASK_CREDIT_BYTES.saturating_sub(self.granted + self.unread.len());
        if self.body_over || room < ASK_CHUNK_BYTES {
            return None;
        }
        self.granted += room;
        Some(AnswerPart::Credit(room as u32))
    }

    fn sink(&mut self, random: &mut Random) -> Option<AnswerPart> {
        let some = self.unread.len().min(random.between(1, 40_000) as usize);
        for byte in self.unread.drain(..some) {
            assert_eq!(byte, pattern(self.read.0), "byte {} of the body", self.read.0);
            self.read = (self.read.0 + 1, self.read.1 + u64::from(byte));
        }
        if let Some(credit) = self.want() {
            return Some(credit);
        }
        if self.body_over && self.unread.is_empty() {
            let text = format!("{} {}", self.read.0, self.read.1);
            return self.text(&text);
        }
        None
    }

    fn echo(&mut self, random: &mut Random) -> Option<AnswerPart> {
        if let Some(credit) = self.want() {
            return Some(credit);
        }
        if !self.has_begun {
            return Some(self.start(200, None));
        }
        if self.body_over && self.unread.is_empty() {
            return Some(self.end());
        }
        let some = self.unread.len().min(self.credit).min(random.between(1, ASK_CHUNK_BYTES as u64) as usize);
        let part = self.unread.drain(..some).collect();
        self.spend(part)
    }
}

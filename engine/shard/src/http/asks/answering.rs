//! The answer to an ask on its way to the client: framed, held back while the socket is full, and within the credit
//! that its source has.

use linchpin_protocol::http::{AnswerHead, AnswerLength, Head, Method, chunk, is_answer_field, last_chunk};
use linchpin_protocol::model::Millis;

use super::ask::AnswerStart;

/// How the client asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    /// More requests may follow.
    pub(super) keep_alive: bool,
    /// It is a HEAD request: there is no body.
    pub(super) head_only: bool,
    /// HTTP/1.0: no chunks, and the connection closes.
    pub(super) is_http_1_0: bool,
}

impl Manner {
    /// Of a request with this head.
    pub(super) fn of(head: &Head<'_>) -> Self {
        Self { keep_alive: head.keep_alive, head_only: head.method == Method::Head, is_http_1_0: head.is_http_1_0 }
    }
}

/// What is wrong with an answer: a bug of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bug(pub(super) &'static str);

/// How far the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing was written.
    Waiting,
    /// The head was written.
    Body(AnswerLength),
    /// The head was written, and what comes of a body is passed over.
    NoBody,
    /// Everything was written or waits in the queue.
    Whole,
}

/// See the module's page.
#[derive(Debug)]
pub(super) struct Answering {
    stage: Stage,
    /// Bytes for the socket that wait until it has room.
    queue: Vec<u8>,
    /// Bytes of the body for which the source has got no credit back.
    ungranted: usize,
    /// When something was last written.
    written_at: Millis,
    is_blocked: bool,
}

impl Answering {
    pub(super) const fn new() -> Self {
        Self { stage: Stage::Waiting, queue: Vec::new(), ungranted: 0, written_at: Millis(0), is_blocked: false }
    }

    pub(super) const fn has_begun(&self) -> bool {
        !matches!(self.stage, Stage::Waiting)
    }

    pub(super) const fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Has all of it been written or put into the queue?
    pub(super) fn is_whole(&self) -> bool {
        self.stage == Stage::Whole
    }

    /// Has all of it been given to the socket?
    pub(super) fn is_over(&self) -> bool {
        self.is_whole() && self.queue.is_empty()
    }

    /// Write the head. `stays`: the connection may be used again.
    pub(super) fn start(
        &mut self,
        now: Millis,
        start: &AnswerStart,
        manner: Manner,
        stays: bool,
        wire: &mut Vec<u8>,
    ) -> Result<(), Bug> {
        if self.has_begun() {
            return Err(Bug("a second head"));
        }
        if !(200..600).contains(&start.status) {
            return Err(Bug("a status that is none of an answer"));
        }
        if !start.fields.iter().all(|(name, value)| is_answer_field(name, value)) {
            return Err(Bug("a field that an answer may not carry"));
        }
        let length = match (start.status, start.len_bytes) {
            (204 | 304, _) => AnswerLength::None,
            (_, Some(len)) => AnswerLength::Known(len),
            (_, None) if manner.head_only => AnswerLength::None,
            (_, None) if manner.is_http_1_0 => AnswerLength::UntilClose,
            (_, None) => AnswerLength::Chunked,
        };
        let keep_alive = stays && length != AnswerLength::UntilClose;
        let head = AnswerHead { status: start.status, length, keep_alive, fields: &start.fields, more: "" };
        self.write(now, wire, |out| head.write(out));
        let is_bare = manner.head_only || length == AnswerLength::None;
        self.stage = if is_bare { Stage::NoBody } else { Stage::Body(length) };
        Ok(())
    }

    /// Bytes of the body.
    pub(super) fn body(&mut self, now: Millis, bytes: &[u8], wire: &mut Vec<u8>) -> Result<(), Bug> {
        match self.stage {
            Stage::Waiting | Stage::Whole => return Err(Bug("a body before its head or behind its end")),
            Stage::NoBody => {}
            Stage::Body(AnswerLength::Known(left)) => {
                let left = left.checked_sub(bytes.len() as u64).ok_or(Bug("a body longer than was said"))?;
                self.stage = Stage::Body(AnswerLength::Known(left));
                self.write(now, wire, |out| out.extend_from_slice(bytes));
            }
            Stage::Body(AnswerLength::Chunked) => self.write(now, wire, |out| chunk(out, bytes)),
            Stage::Body(AnswerLength::UntilClose | AnswerLength::None) => {
                self.write(now, wire, |out| out.extend_from_slice(bytes));
            }
        }
        self.ungranted += bytes.len();
        Ok(())
    }

    /// The answer is whole.
    pub(super) fn end(&mut self, now: Millis, wire: &mut Vec<u8>) -> Result<(), Bug> {
        match self.stage {
            Stage::Waiting | Stage::Whole => return Err(Bug("an end before the head or behind the end")),
            Stage::Body(AnswerLength::Known(1..)) => return Err(Bug("a body shorter than was said")),
            Stage::Body(AnswerLength::Chunked) => self.write(now, wire, last_chunk),
            Stage::Body(_) | Stage::NoBody => {}
        }
        self.stage = Stage::Whole;
        Ok(())
    }

    /// To the socket, or behind what waits for it.
    fn write(&mut self, now: Millis, wire: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        self.written_at = now;
        write(if self.is_blocked { &mut self.queue } else { wire });
    }

    /// The socket took only a part of what was written.
    pub(super) const fn blocked(&mut self) {
        self.is_blocked = true;
    }

    /// The socket took everything that was written before: what waited may follow.
    pub(super) fn drained(&mut self, now: Millis, wire: &mut Vec<u8>) {
        self.is_blocked = false;
        if !self.queue.is_empty() {
            wire.append(&mut self.queue);
            self.queue = Vec::new();
            self.written_at = now;
        }
    }

    /// Credit for the source: what was written in an earlier tick, and the socket took.
    pub(super) fn take_grant(&mut self, now: Millis) -> usize {
        if self.grant_at().is_some_and(|at| at <= now) { std::mem::take(&mut self.ungranted) } else { 0 }
    }

    /// When there is credit for the source; `None` while there is nothing to grant, or the socket is full.
    pub(super) fn grant_at(&self) -> Option<Millis> {
        // By then the driver has said whether the socket took it all.
        (self.ungranted > 0 && !self.is_blocked).then_some(Millis(self.written_at.0 + 1))
    }

    /// Bytes that the client has not read, as far as is known.
    pub(super) const fn unread_bytes(&self) -> usize {
        self.ungranted
    }

    /// Memory that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        self.queue.capacity()
    }
}

//! One ask under way: everything that its shard decides about it, without a socket or a lane.

use linchpin_protocol::http::BodyLength;
use linchpin_protocol::model::Millis;

use super::answering::{Answering, Bug, Manner};
use super::ask::{AnswerPart, AnswerStart, AskPart, AskRef, AskStart};
use super::pace::{Pace, Waits};
use super::problem::Problem;
use super::upload::Upload;
use crate::End;
use crate::limits::ASK_CREDIT_BYTES;

/// What a call wants done.
#[derive(Debug, Default)]
pub(crate) struct AskOut {
    /// Bytes for the client, behind those that were sent before.
    pub(super) wire: Vec<u8>,
    /// The ask is over.
    pub(super) over: Option<AskEnd>,
}

/// Status of an answer that says so.
const TOO_MANY: u16 = 429;

/// How an ask is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AskEnd {
    /// Answered; the next request may follow.
    Next,
    /// Answered that it was too much: the next request is read a moment later.
    Later,
    /// Answered; the connection ends when the client has read it.
    Close(End),
    /// The answer cannot be finished: the connection is broken off.
    Cut(End),
}

/// Where the answer comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// The control plane; has it said everything?
    Control { is_over: bool },
    /// A file of the binary: what is left of it.
    File(&'static [u8]),
}

/// See the module's page.
#[derive(Debug)]
pub(crate) struct UnderWay {
    ask: AskRef,
    /// What control has not been given yet.
    begin: Option<Box<AskStart>>,
    source: Source,
    manner: Manner,
    expects_continue: bool,
    /// It changes nothing: GET, HEAD or OPTIONS.
    only_reads: bool,
    upload: Upload,
    answer: Answering,
    /// Credit that control has not been given yet.
    granted: usize,
    /// The connection is used again after the answer; decided with its head.
    stays: bool,
    /// The answer says that too much was asked for.
    is_too_much: bool,
    pace: Pace,
    /// The server stops: when an answer must have come.
    drain_at: Option<Millis>,
    /// The client has ended its stream.
    peer_ended: bool,
}

impl UnderWay {
    /// An ask for the control plane. Its body's first bytes, and what is behind it, follow in [`Self::received`].
    pub(super) fn begin(now: Millis, name: AskRef, ask: Box<AskStart>, manner: Manner, expects_continue: bool) -> Self {
        let upload = Upload::new(ask.body);
        let source = Source::Control { is_over: false };
        Self { expects_continue, ..Self::new(now, name, Some(ask), source, manner, upload) }
    }

    /// A request for a file, which has no body.
    pub(super) fn file(
        now: Millis,
        name: AskRef,
        start: &AnswerStart,
        file: &'static [u8],
        manner: Manner,
        out: &mut AskOut,
    ) -> Self {
        let upload = Upload::new(BodyLength::Known(0));
        let mut under_way = Self::new(now, name, None, Source::File(file), manner, upload);
        under_way.start(now, start, out);
        under_way.feed(now, ASK_CREDIT_BYTES, out);
        under_way
    }

    fn new(
        now: Millis,
        ask: AskRef,
        begin: Option<Box<AskStart>>,
        source: Source,
        manner: Manner,
        upload: Upload,
    ) -> Self {
        Self {
            ask,
            only_reads: begin.as_deref().is_none_or(|ask| ask.only_reads()),
            begin,
            source,
            manner,
            expects_continue: false,
            upload,
            answer: Answering::new(),
            granted: 0,
            stays: false,
            is_too_much: false,
            pace: Pace::new(now),
            drain_at: None,
            peer_ended: false,
        }
    }

    pub(crate) const fn name(&self) -> AskRef {
        self.ask
    }

    // ---- The client's side.

    /// Bytes of the client.
    pub(crate) fn received(&mut self, now: Millis, bytes: &[u8], out: &mut AskOut) {
        if self.pace.waits() == Waits::Sender {
            self.pace.moved(now, bytes.len());
        }
        self.upload.receive(bytes);
        self.settle(now, out);
    }

    /// May the client send more? Asked for as long as the ask goes on: what is held is bounded.
    pub(super) fn has_room(&self) -> bool {
        !self.peer_ended && self.upload.has_room()
    }

    /// The client has ended its stream: it may still read its answer, if it has sent all of its request.
    pub(crate) fn stream_ended(&mut self, now: Millis, out: &mut AskOut) {
        self.peer_ended = true;
        if !self.upload.has_come() {
            out.over = Some(AskEnd::Cut(End::PeerClosed));
        }
        self.settle(now, out);
    }

    pub(super) const fn has_peer_ended(&self) -> bool {
        self.peer_ended
    }

    /// The socket took only a part of what was sent.
    pub(crate) fn blocked(&mut self, now: Millis, out: &mut AskOut) {
        self.answer.blocked();
        self.settle(now, out);
    }

    /// The socket has taken everything that was sent.
    pub(crate) fn drained(&mut self, now: Millis, out: &mut AskOut) {
        self.answer.drained(now, &mut out.wire);
        self.settle(now, out);
    }

    // ---- Control's side.

    /// What goes to control next.
    pub(super) fn next_part(&mut self, now: Millis) -> Option<AskPart> {
        let part = self.part();
        self.pass_turn(now);
        part
    }

    fn part(&mut self) -> Option<AskPart> {
        if let Some(ask) = self.begin.take() {
            return Some(AskPart::Start(ask));
        }
        if self.granted > 0 && self.awaits_control() {
            return Some(AskPart::Credit(std::mem::take(&mut self.granted) as u32));
        }
        self.upload.next_part()
    }

    /// Is there something for control?
    pub(super) fn has_part(&self) -> bool {
        self.begin.is_some() || self.granted > 0 && self.awaits_control() || self.upload.has_part()
    }

    /// Control has more to say.
    const fn awaits_control(&self) -> bool {
        matches!(self.source, Source::Control { is_over: false })
    }

    /// Does control work on it, and must be told when nobody waits any more?
    pub(super) const fn is_known(&self) -> bool {
        self.begin.is_none() && self.awaits_control()
    }

    /// May it be answered with 503 for the sake of others? Not once its answer has begun, and not if control may have
    /// changed something for it.
    pub(super) const fn may_end(&self) -> bool {
        !self.answer.has_begun() && (self.only_reads || self.begin.is_some())
    }

    /// A part of control's answer.
    pub(super) fn answered(&mut self, now: Millis, part: AnswerPart, out: &mut AskOut) {
        if self.pace.waits() == Waits::Control {
            self.pace.moved(now, 1);
        }
        match part {
            AnswerPart::Credit(bytes) => {
                let is_first = self.upload.grant(bytes as usize);
                // Behind the head of the answer it would stand in its body.
                if is_first && self.expects_continue && !self.answer.has_begun() && !self.upload.has_come() {
                    out.wire.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
            }
            AnswerPart::Start(start) => self.start(now, &start, out),
            AnswerPart::Body(bytes) => {
                let written = self.answer.body(now, &bytes, &mut out.wire);
                self.check(written, out);
            }
            AnswerPart::End => {
                self.source = Source::Control { is_over: true };
                let ended = self.answer.end(now, &mut out.wire);
                self.check(ended, out);
            }
            // A grant is no part of an answer: `answer_part` takes it.
            AnswerPart::Failed | AnswerPart::Grant(_) => {
                self.source = Source::Control { is_over: true };
                self.fail(out);
            }
        }
        self.settle(now, out);
    }

    fn start(&mut self, now: Millis, start: &AnswerStart, out: &mut AskOut) {
        // An answer that comes before the end of the body leaves bytes behind that nobody may take for a request.
        let is_clean = self.upload.has_come() && !self.peer_ended;
        self.stays = self.manner.keep_alive && !self.manner.is_http_1_0 && self.drain_at.is_none() && is_clean;
        self.is_too_much = start.status == TOO_MANY;
        let started = self.answer.start(now, start, self.manner, self.stays, &mut out.wire);
        self.check(started, out);
    }

    fn check(&mut self, result: Result<(), Bug>, out: &mut AskOut) {
        if result.is_err() {
            self.fail(out);
        }
    }

    /// A bug of the server: 500, or, where an answer has begun, its visible end.
    fn fail(&mut self, out: &mut AskOut) {
        self.refuse(Problem::Failed, out);
    }

    /// Answer for the control plane, if nothing was answered yet.
    pub(super) fn refuse(&mut self, problem: Problem, out: &mut AskOut) {
        if out.over.is_some() {
            return;
        }
        if self.answer.has_begun() {
            out.over = Some(AskEnd::Cut(problem.end()));
        } else {
            problem.write(self.manner.head_only, &mut out.wire);
            out.over = Some(AskEnd::Close(problem.end()));
        }
    }

    // ---- Time.

    /// When [`Self::due`] must be called at the latest.
    pub(super) fn deadline(&self) -> Millis {
        self.drain_at.map_or(self.pace.deadline, |at| at.min(self.pace.deadline))
    }

    /// When there is credit to give, soon; `None`: nothing happens before the deadline.
    pub(super) fn grant_at(&self) -> Option<Millis> {
        self.answer.grant_at()
    }

    /// Time has passed.
    pub(crate) fn due(&mut self, now: Millis, out: &mut AskOut) {
        let granted = self.answer.take_grant(now);
        match self.source {
            Source::File(_) => self.feed(now, granted, out),
            Source::Control { .. } => self.granted += granted,
        }
        self.settle(now, out);
        if out.over.is_none() && self.deadline() <= now {
            self.late(now, out);
        }
    }

    /// The server stops: an answer must have come by then.
    pub(super) fn drain(&mut self, by: Millis) {
        self.drain_at.get_or_insert(by);
    }

    fn late(&mut self, now: Millis, out: &mut AskOut) {
        let problem = match self.pace.waits() {
            _ if self.drain_at.is_some_and(|at| at <= now) => Problem::Stopping,
            Waits::Sender => Problem::SlowBody,
            Waits::Control => Problem::Busy,
            Waits::Reader => {
                out.over = Some(AskEnd::Cut(End::OutboundFull));
                return;
            }
        };
        self.refuse(problem, out);
    }

    /// Give the client up to `most` bytes of the file.
    fn feed(&mut self, now: Millis, most: usize, out: &mut AskOut) {
        let Source::File(left) = self.source else { return };
        if out.over.is_some() || self.answer.is_whole() {
            return;
        }
        let (part, rest) = left.split_at(left.len().min(most));
        self.source = Source::File(rest);
        let mut written = if part.is_empty() { Ok(()) } else { self.answer.body(now, part, &mut out.wire) };
        if rest.is_empty() && written.is_ok() {
            written = self.answer.end(now, &mut out.wire);
        }
        self.check(written, out);
        self.settle(now, out);
    }

    /// After anything happened: is it over, and whose turn is it?
    fn settle(&mut self, now: Millis, out: &mut AskOut) {
        if out.over.is_some() {
            return;
        }
        if let Some(fault) = self.upload.fault() {
            return self.refuse(Problem::Malformed(fault), out);
        }
        if self.answer.is_over() {
            out.over = Some(match (self.stays, self.is_too_much) {
                (true, false) => AskEnd::Next,
                (true, true) => AskEnd::Later,
                (false, _) => AskEnd::Close(End::HttpDone),
            });
            return;
        }
        self.pass_turn(now);
    }

    /// Whom does it wait for now?
    fn pass_turn(&mut self, now: Millis) {
        let waits = match () {
            () if self.answer.is_blocked() => Waits::Reader,
            () if self.upload.awaits_client() => Waits::Sender,
            () => Waits::Control,
        };
        self.pace.turn(now, waits, self.answer.unread_bytes());
    }

    /// Was something found wrong in [`Self::next_part`]? [`Self::due`] acts on it.
    pub(super) const fn has_fault(&self) -> bool {
        self.upload.fault().is_some()
    }

    /// Bytes behind the request, for the next one.
    pub(super) fn into_rest(self) -> Vec<u8> {
        self.upload.into_rest()
    }

    /// Memory that it holds beside its own structure.
    pub(super) fn held_bytes(&self) -> usize {
        self.upload.held_bytes() + self.answer.held_bytes()
    }
}

#[cfg(test)]
mod tests;

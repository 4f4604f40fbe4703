//! An ask in virtual time: every rule without a socket or a lane.

use linchpin_protocol::http::{ListedFields, Method};

use super::*;
use crate::limits::{ASK_ANSWER_MS, ASK_DRAIN_MS, ASK_GRACE_MS};
use crate::{ConnRef, ShardId, Slot};

const MANNER: Manner = Manner { keep_alive: true, head_only: false, is_http_1_0: false };

/// One ask with its clock.
struct Bench {
    now: Millis,
    ask: UnderWay,
}

fn start(status: u16, fields: &[(&str, &[u8])], len_bytes: Option<u64>) -> AnswerPart {
    let fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    AnswerPart::Start(Box::new(AnswerStart { status, fields, len_bytes }))
}

fn body(bytes: &[u8]) -> AnswerPart {
    AnswerPart::Body(bytes.into())
}

impl Bench {
    fn new(method: Method, length: BodyLength, manner: Manner, expects_continue: bool) -> Self {
        let conn = ConnRef { shard: ShardId(0), slot: Slot(3), serial: 7 };
        let ask = AskStart {
            method,
            target: "/api/v1/ping".into(),
            fields: ListedFields::default(),
            peer: ([127, 0, 0, 1], 5).into(),
            over_tls: false,
            body: length,
            wants_live: false,
        };
        let now = Millis(1_000);
        let name = AskRef { conn, number: 1 };
        Self { now, ask: UnderWay::begin(now, name, Box::new(ask), manner, expects_continue) }
    }

    fn get() -> Self {
        let mut bench = Self::new(Method::Get, BodyLength::Known(0), MANNER, false);
        assert!(matches!(bench.parts().as_slice(), [AskPart::Start(_)]));
        bench
    }

    fn put(length: BodyLength) -> Self {
        let mut bench = Self::new(Method::Put, length, MANNER, false);
        bench.parts();
        bench
    }

    fn step(&mut self, happens: impl FnOnce(&mut UnderWay, Millis, &mut AskOut)) -> (String, Option<AskEnd>) {
        let mut out = AskOut::default();
        happens(&mut self.ask, self.now, &mut out);
        (String::from_utf8_lossy(&out.wire).into_owned(), out.over)
    }

    fn answer(&mut self, part: AnswerPart) -> (String, Option<AskEnd>) {
        self.step(|ask, now, out| ask.answered(now, part, out))
    }

    fn receive(&mut self, bytes: &[u8]) -> (String, Option<AskEnd>) {
        self.step(|ask, now, out| ask.received(now, bytes, out))
    }

    fn parts(&mut self) -> Vec<AskPart> {
        std::iter::from_fn(|| self.ask.next_part(self.now)).collect()
    }

    /// Let time pass to the deadline, and a moment less before that.
    fn run_out(&mut self, after_ms: u64) -> (String, Option<AskEnd>) {
        assert_eq!(self.ask.deadline(), Millis(self.now.0 + after_ms));
        self.now.0 += after_ms - 1;
        assert_eq!(self.step(|ask, now, out| ask.due(now, out)).1, None, "not yet");
        self.now.0 += 1;
        self.step(|ask, now, out| ask.due(now, out))
    }
}

#[test]
fn an_answer_of_known_length_goes_out_and_the_next_request_follows() {
    let mut bench = Bench::get();
    bench.receive(b"GET /next HTTP/1.1\r\n");
    let (head, over) = bench.answer(start(200, &[("ETag", b"\"a\"")], Some(4)));
    assert_eq!(head, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nETag: \"a\"\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(over, None);
    assert_eq!(bench.answer(body(b"pong")), ("pong".to_owned(), None), "whole, but control has not said so");
    assert_eq!(bench.answer(AnswerPart::End), (String::new(), Some(AskEnd::Next)));
    assert!(!bench.ask.is_known(), "nothing to cancel");
    assert_eq!(bench.ask.into_rest(), b"GET /next HTTP/1.1\r\n");
}

#[test]
fn an_answer_of_unknown_length_is_chunked_and_for_http_1_0_ends_the_connection() {
    let mut bench = Bench::get();
    assert!(bench.answer(start(200, &[], None)).0.contains("Transfer-Encoding: chunked\r\n"));
    assert_eq!(bench.answer(body(b"abc")).0, "3\r\nabc\r\n");
    assert_eq!(bench.answer(body(b"")).0, "", "an empty chunk would be the end");
    assert_eq!(bench.answer(AnswerPart::End), ("0\r\n\r\n".to_owned(), Some(AskEnd::Next)));

    let old = Manner { is_http_1_0: true, ..MANNER };
    for len in [None, Some(3)] {
        let mut bench = Bench::new(Method::Get, BodyLength::Known(0), old, false);
        let head = bench.answer(start(200, &[], len)).0;
        assert!(!head.contains("chunked") && head.contains("Connection: close"), "{head}");
        assert_eq!(bench.answer(body(b"abc")).0, "abc");
        assert_eq!(bench.answer(AnswerPart::End).1, Some(AskEnd::Close(End::HttpDone)));
    }
}

#[test]
fn head_204_and_304_have_no_body_whatever_control_sends() {
    let head_only = Manner { head_only: true, ..MANNER };
    for (manner, status, len, says) in [
        (head_only, 200, Some(9), "Content-Length: 9\r\n"),
        (head_only, 200, None, ""),
        (MANNER, 204, None, ""),
        (MANNER, 204, Some(0), ""),
        (MANNER, 304, Some(9), ""),
    ] {
        let mut bench = Bench::new(Method::Get, BodyLength::Known(0), manner, false);
        let head = bench.answer(start(status, &[], len)).0;
        let lines = head.split_once("\r\n").expect("a status line").1;
        assert_eq!(lines, format!("{says}Connection: keep-alive\r\n\r\n"), "{status} {len:?}");
        assert_eq!(bench.answer(body(b"none of it")), (String::new(), None));
        assert_eq!(bench.answer(AnswerPart::End), (String::new(), Some(AskEnd::Next)));
    }
}

/// An answer that could be taken for two, or that breaks its own word, is a bug: 500, or a cut where it has begun.
#[test]
fn wrong_answers_are_500_or_cut() {
    for part in [
        start(200, &[("X", b"a\r\nSet-Cookie: b")], None),
        start(200, &[("X", b"a\0")], None),
        start(200, &[("Content-Length", b"4")], None),
        start(200, &[("Connection", b"upgrade")], None),
        start(200, &[("Access-Control-Allow-Origin", b"*")], None),
        start(101, &[], None),
        start(600, &[], None),
        body(b"before its head"),
        AnswerPart::End,
        AnswerPart::Failed,
    ] {
        let words = format!("{part:?}");
        let (answer, over) = Bench::get().answer(part);
        assert!(answer.starts_with("HTTP/1.1 500 ") && !answer.contains("Set-Cookie"), "{words}: {answer}");
        assert!(answer.contains("Connection: close") && !answer.contains("Access-Control"), "{words}: {answer}");
        assert_eq!(over, Some(AskEnd::Close(End::AnswerFailed)), "{words}");
    }
    for part in [start(200, &[], None), body(b"five."), AnswerPart::End, AnswerPart::Failed] {
        let mut bench = Bench::get();
        bench.answer(start(200, &[], Some(4)));
        assert_eq!(bench.answer(part), (String::new(), Some(AskEnd::Cut(End::AnswerFailed))));
    }
}

#[test]
fn a_body_goes_to_control_only_when_it_is_wanted() {
    let mut bench = Bench::new(Method::Put, BodyLength::Known(6), MANNER, true);
    assert!(matches!(bench.parts().as_slice(), [AskPart::Start(ask)] if ask.body == BodyLength::Known(6)));
    assert_eq!(bench.receive(b""), (String::new(), None));
    assert!(bench.parts().is_empty());
    let (wire, over) = bench.answer(AnswerPart::Credit(64 << 10));
    assert_eq!((wire.as_str(), over), ("HTTP/1.1 100 Continue\r\n\r\n", None));
    assert_eq!(bench.answer(AnswerPart::Credit(9)).0, "", "once");
    bench.receive(b"abc");
    assert!(matches!(bench.parts().as_slice(), [AskPart::Body(bytes)] if **bytes == *b"abc"));
    bench.receive(b"defGET");
    assert!(matches!(bench.parts().as_slice(), [AskPart::Body(bytes), AskPart::BodyEnd] if **bytes == *b"def"));
    assert!(bench.answer(start(201, &[], Some(0))).0.contains("Connection: keep-alive"));
    assert_eq!(bench.answer(AnswerPart::End).1, Some(AskEnd::Next));
}

#[test]
fn an_early_refusal_answers_without_the_body_and_closes() {
    let mut bench = Bench::new(Method::Put, BodyLength::Known(1 << 20), MANNER, true);
    bench.parts();
    let (head, _) = bench.answer(start(413, &[], Some(0)));
    assert!(head.starts_with("HTTP/1.1 413 ") && head.contains("Connection: close"), "no 100 came before: {head}");
    assert_eq!(bench.answer(AnswerPart::Credit(9)).0, "", "and none comes behind it");
    assert_eq!(bench.answer(AnswerPart::End).1, Some(AskEnd::Close(End::HttpDone)));
    let mut small = Bench::put(BodyLength::Known(3));
    small.receive(b"abcGET");
    assert!(small.answer(start(403, &[], Some(0))).0.contains("Connection: keep-alive"), "it has come anyway");
    assert_eq!(small.answer(AnswerPart::End).1, Some(AskEnd::Next));
    assert_eq!(small.ask.into_rest(), b"GET");
}

#[test]
fn a_broken_body_is_400_or_a_cut_and_a_cut_one_ends() {
    let mut bench = Bench::put(BodyLength::Chunked);
    let (answer, over) = bench.receive(b"3;ext=1\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 ") && over == Some(AskEnd::Close(End::HttpMalformed)), "{answer}");
    let mut bench = Bench::put(BodyLength::Chunked);
    bench.receive(b"0\r\n");
    assert!(bench.receive(b"Trailer: x\r\n\r\n").0.starts_with("HTTP/1.1 400 "));
    let mut bench = Bench::put(BodyLength::Chunked);
    bench.answer(start(200, &[], None));
    assert_eq!(bench.receive(b"x"), (String::new(), Some(AskEnd::Cut(End::HttpMalformed))));
    let mut bench = Bench::put(BodyLength::Known(5));
    bench.receive(b"abc");
    assert_eq!(bench.step(|ask, now, out| ask.stream_ended(now, out)).1, Some(AskEnd::Cut(End::PeerClosed)));
    assert!(bench.ask.is_known(), "control is told");
}

#[test]
fn the_end_of_the_stream_leaves_the_answer_to_be_read() {
    let mut bench = Bench::get();
    assert_eq!(bench.step(|ask, now, out| ask.stream_ended(now, out)).1, None);
    assert!(!bench.ask.has_room(), "nothing more is received");
    assert!(bench.answer(start(200, &[], Some(2))).0.contains("Connection: close"));
    bench.answer(body(b"ok"));
    assert_eq!(bench.answer(AnswerPart::End).1, Some(AskEnd::Close(End::HttpDone)));
}

#[test]
fn who_does_not_read_stops_control() {
    let mut bench = Bench::get();
    bench.answer(start(200, &[], None));
    for _ in 0..4 {
        bench.answer(body(&[7; 16 << 10]));
    }
    assert!(bench.parts().is_empty(), "no credit in the tick of the send");
    bench.step(|ask, now, out| ask.blocked(now, out));
    bench.now.0 += 5_000;
    bench.step(|ask, now, out| ask.due(now, out));
    assert!(bench.parts().is_empty() && bench.ask.grant_at().is_none(), "the socket is full");
    assert_eq!(bench.answer(body(b"waits")).0, "");
    let (wire, _) = bench.step(|ask, now, out| ask.drained(now, out));
    assert_eq!(wire, "5\r\nwaits\r\n");
    assert_eq!(bench.ask.grant_at(), Some(Millis(bench.now.0 + 1)));
    bench.now.0 += 1;
    bench.step(|ask, now, out| ask.due(now, out));
    assert!(matches!(bench.parts().as_slice(), [AskPart::Credit(bytes)] if *bytes == (64 << 10) + 5));
}

#[test]
fn everybody_has_a_time() {
    let mut silent = Bench::get();
    let (answer, over) = silent.run_out(ASK_ANSWER_MS);
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("Retry-After: 1\r\n"), "{answer}");
    assert_eq!(over, Some(AskEnd::Close(End::Busy)));
    assert!(silent.ask.is_known(), "control is told");

    let mut stuck = Bench::get();
    stuck.answer(start(200, &[], None));
    stuck.now.0 += 7;
    stuck.answer(body(b"x"));
    assert_eq!(stuck.run_out(ASK_ANSWER_MS), (String::new(), Some(AskEnd::Cut(End::Busy))));

    let mut slow = Bench::put(BodyLength::Known(1 << 20));
    slow.answer(AnswerPart::Credit(64 << 10));
    let (answer, over) = slow.run_out(ASK_GRACE_MS);
    assert!(answer.starts_with("HTTP/1.1 408 ") && over == Some(AskEnd::Close(End::LoginTimeout)), "{answer}");

    let mut reader = Bench::get();
    reader.answer(start(200, &[], None));
    reader.answer(body(&[0; 10 << 10]));
    reader.step(|ask, now, out| ask.blocked(now, out));
    assert_eq!(reader.run_out(ASK_GRACE_MS + 10_000), (String::new(), Some(AskEnd::Cut(End::OutboundFull))));
}

/// A byte now and then does not save a sender, although each is passed on at once.
#[test]
fn drips_are_too_slow() {
    let mut bench = Bench::put(BodyLength::Known(1 << 20));
    bench.answer(AnswerPart::Credit(64 << 10));
    for second in 1..60 {
        bench.now.0 += 1_000;
        if bench.step(|ask, now, out| ask.due(now, out)).1.is_some() {
            assert_eq!(second, ASK_GRACE_MS / 1_000);
            return;
        }
        bench.receive(b"x");
        bench.parts();
    }
    panic!("nobody ended it");
}

#[test]
fn a_drain_leaves_some_time_and_then_says_503() {
    let mut bench = Bench::get();
    bench.ask.drain(Millis(bench.now.0 + ASK_DRAIN_MS));
    let (answer, over) = bench.run_out(ASK_DRAIN_MS);
    assert!(answer.starts_with("HTTP/1.1 503 ") && over == Some(AskEnd::Close(End::Drained)), "{answer}");
    let mut bench = Bench::get();
    bench.ask.drain(Millis(bench.now.0 + ASK_DRAIN_MS));
    assert!(bench.answer(start(200, &[], Some(2))).0.contains("Connection: close"));
    bench.answer(body(b"ok"));
    assert_eq!(bench.answer(AnswerPart::End).1, Some(AskEnd::Close(End::HttpDone)));
}

#[test]
fn files_go_as_the_socket_takes_them() {
    static FILE: [u8; 200_000] = [9; 200_000];
    let head = AnswerStart { status: 200, fields: Vec::new(), len_bytes: Some(FILE.len() as u64) };
    let name = Bench::get().ask.name();
    let mut out = AskOut::default();
    let mut file = UnderWay::file(Millis(1), name, &head, &FILE, MANNER, &mut out);
    let (mut sent, mut now) = (out.wire.len(), 1);
    while out.over.is_none() {
        out = AskOut::default();
        file.due(Millis(now), &mut out);
        assert!(out.wire.is_empty(), "not in the tick of the send");
        now += 1;
        file.due(Millis(now), &mut out);
        assert!((1..=ASK_CREDIT_BYTES).contains(&out.wire.len()));
        sent += out.wire.len();
    }
    assert_eq!(out.over, Some(AskEnd::Next));
    assert!(sent > FILE.len() && sent < FILE.len() + 200);
    assert!(!file.is_known() && file.next_part(Millis(now)).is_none(), "control hears nothing of it");
}

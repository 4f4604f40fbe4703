//! The control plane's end of the lane: what a router answers, part by part, with a shard that the test plays.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use linchpin_protocol::http::{BodyLength, ListedFields, Method};
use linchpin_shard::limits::{ASK_CHUNK_BYTES, ASK_CREDIT_BYTES};
use linchpin_shard::{AnswerPart, AskPart, AskRef, AskStart, ConnRef, ShardId, Slot};

use super::*;
use crate::limits::ASKS_PER_OWNER;

/// A shard's end of the lane, in front of a router.
struct Played {
    lane: AskLane,
    front: Front,
    next: u32,
    _runtime: tokio::runtime::Runtime,
}

/// What came of an ask.
#[derive(Debug, Default)]
struct Got {
    status: u16,
    fields: Vec<(String, String)>,
    len_bytes: Option<u64>,
    body: Vec<u8>,
    credit: usize,
    is_over: bool,
    has_failed: bool,
    grant: Option<linchpin_shard::LiveGrant>,
}

impl Played {
    fn new(router: Router) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (lane, mut desk) = ask_lane();
        desk.set_wake(Arc::new(|| {}));
        let front = Front::new(router, Arc::new(|ask: &AskStart| Owner::of_address(ask.peer.ip())));
        runtime.spawn(front.clone().serve(desk));
        Self { lane, front, next: 0, _runtime: runtime }
    }

    fn begin(&mut self, method: Method, target: &str, body: BodyLength) -> AskRef {
        self.next += 1;
        let conn = ConnRef { shard: ShardId(0), slot: Slot(self.next), serial: 1 };
        let name = AskRef { conn, number: self.next };
        let head = b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: a=b\r\n\r\n";
        let fields = ListedFields::of_head(head).expect("a head");
        let peer = ([127, 0, 0, 1], 9).into();
        let ask = AskStart { method, target: target.into(), fields, peer, over_tls: true, body, wants_live: false };
        self.push(name, AskPart::Start(Box::new(ask)));
        name
    }

    fn push(&self, name: AskRef, part: AskPart) {
        self.lane.push(name, part).expect("room");
    }

    /// Take parts of this ask until `done`.
    fn take(&mut self, name: AskRef, got: &mut Got, done: impl Fn(&Got) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !done(got) {
            assert!(Instant::now() < end, "nothing more came: {got:?}");
            self.take_some(name, got);
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn take_some(&mut self, name: AskRef, got: &mut Got) {
        self.lane.receive(64, |ask, part| {
            if ask != name {
                return;
            }
            match part {
                AnswerPart::Credit(bytes) => got.credit += bytes as usize,
                AnswerPart::Start(start) => {
                    got.status = start.status;
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    got.fields = start.fields.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
                    got.len_bytes = start.len_bytes;
                }
                AnswerPart::Body(bytes) => {
                    assert!(!bytes.is_empty() && bytes.len() <= ASK_CHUNK_BYTES);
                    got.body.extend_from_slice(&bytes);
                }
                AnswerPart::End => got.is_over = true,
                AnswerPart::Failed => got.has_failed = true,
                AnswerPart::Grant(grant) => got.grant = Some(*grant),
            }
        });
    }

    fn get(&mut self, target: &str) -> Got {
        let name = self.begin(Method::Get, target, BodyLength::Known(0));
        let mut got = Got::default();
        self.take(name, &mut got, |got| got.is_over || got.has_failed);
        got
    }

    /// Wait until nothing is under way.
    fn expect_rest(&self) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.front.figures().0 > 0 {
            assert!(Instant::now() < end, "{:?} are under way", self.front.figures());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn tests() -> Router {
    routes(RouteOptions { tests: true, ..RouteOptions::default() })
}

#[test]
fn a_ping_is_answered_and_other_paths_are_not() {
    let mut played = Played::new(tests());
    let got = played.get("/api/v1/ping");
    assert_eq!((got.status, got.len_bytes, &*got.body), (200, Some(15), &b"{\"ping\":\"pong\"}"[..]));
    assert!(got.fields.contains(&("content-type".into(), "application/json".into())));
    assert!(got.fields.iter().all(|(name, _)| name != "content-length"), "framing is the shard's: {:?}", got.fields);
    assert_eq!(played.get("/api/v1/nothing").status, 404);
    let name = played.begin(Method::Head, "/api/v1/ping", BodyLength::Known(0));
    let mut got = Got::default();
    played.take(name, &mut got, |got| got.is_over);
    assert_eq!((got.status, got.len_bytes, got.body.len()), (200, Some(15), 0));
    let mut closed = Played::new(routes(RouteOptions::default()));
    assert_eq!(closed.get("/api/v1/test/stream?bytes=1").status, 404, "tests only");
    played.expect_rest();
}

#[test]
fn a_handler_sees_what_travels() {
    let show = |request: axum::extract::Request| async move {
        let client = *request.extensions().get::<AskClient>().expect("who asks");
        let cookie = request.headers().get("cookie").map(|value| value.to_str().unwrap_or_default().to_owned());
        format!("{} {} {} {cookie:?}", request.uri(), client.peer, client.over_tls)
    };
    let mut played = Played::new(Router::new().route("/api/show", get(show)));
    let got = played.get("/api/show?a=%20b");
    assert_eq!(String::from_utf8_lossy(&got.body), "/api/show?a=%20b 127.0.0.1:9 true Some(\"a=b\")");
}

#[test]
fn an_answer_goes_as_far_as_the_credit() {
    let mut played = Played::new(tests());
    let name = played.begin(Method::Get, "/api/v1/test/stream?bytes=300000", BodyLength::Known(0));
    let mut got = Got::default();
    played.take(name, &mut got, |got| got.body.len() == ASK_CREDIT_BYTES);
    std::thread::sleep(Duration::from_millis(50));
    played.take_some(name, &mut got);
    assert_eq!((got.body.len(), got.len_bytes), (ASK_CREDIT_BYTES, None), "the rest waits");
    played.push(name, AskPart::Credit(100));
    played.take(name, &mut got, |got| got.body.len() == ASK_CREDIT_BYTES + 100);
    played.push(name, AskPart::Credit(1 << 20));
    played.take(name, &mut got, |got| got.is_over);
    assert!(got.body.len() == 300_000 && got.body.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8));
    played.expect_rest();
}

#[test]
fn a_body_is_taken_when_it_is_read() {
    let mut played = Played::new(tests());
    let refused = played.begin(Method::Post, "/api/v1/ping", BodyLength::Known(9));
    let mut got = Got::default();
    played.take(refused, &mut got, |got| got.is_over);
    assert_eq!((got.status, got.credit), (405, 0), "nobody wanted it");
    let name = played.begin(Method::Put, "/api/v1/test/sink", BodyLength::Known(200_000));
    let mut got = Got::default();
    let mut sent = 0;
    while sent < 200_000 {
        played.take(name, &mut got, |got| got.credit > sent);
        let some = (got.credit - sent).min(ASK_CHUNK_BYTES).min(200_000 - sent);
        played.push(name, AskPart::Body(vec![1; some].into()));
        sent += some;
    }
    played.push(name, AskPart::BodyEnd);
    played.take(name, &mut got, |got| got.is_over);
    assert_eq!(String::from_utf8_lossy(&got.body), "200000 200000");
    assert!(got.credit <= 200_000 + ASK_CREDIT_BYTES, "{}", got.credit);
    played.expect_rest();
}

#[test]
fn a_panic_is_a_failure_and_the_next_ask_is_answered() {
    let mut played = Played::new(tests());
    let got = played.get("/api/v1/test/panic");
    assert!(got.has_failed && got.status == 0, "{got:?}");
    let got = played.get("/api/v1/test/stream?bytes=9000&fail_at=7000");
    assert!(got.has_failed && got.status == 200 && got.body.len() == 7_000, "{got:?}");
    assert_eq!(played.get("/api/v1/ping").status, 200);
    played.expect_rest();
}

/// A handler that waits until it may go on, and counts those that were dropped and those that went on.
fn waiting(dropped: &Arc<AtomicUsize>, done: &Arc<AtomicUsize>, go_on: &Arc<tokio::sync::Semaphore>) -> Router {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (dropped, done, go_on) = (Arc::clone(dropped), Arc::clone(done), Arc::clone(go_on));
    let handler = move || {
        let (guard, done, go_on) = (Dropped(Arc::clone(&dropped)), Arc::clone(&done), Arc::clone(&go_on));
        async move {
            let permit = go_on.acquire().await;
            done.fetch_add(usize::from(permit.is_ok()), Ordering::SeqCst);
            drop(guard);
        }
    };
    Router::new().route("/api/wait", get(handler.clone()).merge(post(handler)))
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_cancelled_read_is_dropped_and_a_change_completes() {
    let (dropped, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let go_on = Arc::new(tokio::sync::Semaphore::new(0));
    let mut played = Played::new(waiting(&dropped, &done, &go_on));
    let read = played.begin(Method::Get, "/api/wait", BodyLength::Known(0));
    let change = played.begin(Method::Post, "/api/wait", BodyLength::Known(0));
    until("both begin", || played.front.figures().0 == 2);
    played.push(read, AskPart::Cancel);
    until("the read is dropped", || dropped.load(Ordering::SeqCst) == 1);
    assert_eq!(done.load(Ordering::SeqCst), 0);
    played.push(change, AskPart::Cancel);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!((dropped.load(Ordering::SeqCst), played.front.figures().0), (1, 1), "the change goes on");
    go_on.add_permits(1);
    until("the change completes", || done.load(Ordering::SeqCst) == 1);
    played.expect_rest();
    let mut got = Got::default();
    played.take_some(change, &mut got);
    assert!(got.status == 0 && !got.is_over, "nobody hears of it: {got:?}");
}

#[test]
fn a_cut_body_is_an_error_for_its_reader() {
    let (seen, sees) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&sees);
    let handler = move |body: Body| {
        let seen = Arc::clone(&seen);
        let counted = Arc::clone(&counted);
        async move {
            let whole = axum::body::to_bytes(body, 1 << 20).await;
            counted.fetch_add(1 + usize::from(whole.is_err()), Ordering::SeqCst);
            drop(seen);
        }
    };
    let mut played = Played::new(Router::new().route("/api/read", post(handler)));
    let name = played.begin(Method::Post, "/api/read", BodyLength::Known(10));
    let mut got = Got::default();
    played.take(name, &mut got, |got| got.credit > 0);
    played.push(name, AskPart::Body((*b"abc").into()));
    played.push(name, AskPart::Cancel);
    until("the reader ends", || sees.load(Ordering::SeqCst) == 2);
    played.expect_rest();
}

#[test]
fn an_owner_with_too_many_is_refused() {
    let (dropped, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let go_on = Arc::new(tokio::sync::Semaphore::new(0));
    let mut played = Played::new(waiting(&dropped, &done, &go_on));
    let held: Vec<_> =
        (0..ASKS_PER_OWNER).map(|_| played.begin(Method::Get, "/api/wait", BodyLength::Known(0))).collect();
    let got = played.get("/api/wait");
    assert_eq!(got.status, 503);
    assert!(got.fields.contains(&("retry-after".into(), "1".into())), "{:?}", got.fields);
    played.push(held[0], AskPart::Cancel);
    until("there is room", || played.front.figures().0 < ASKS_PER_OWNER);
    go_on.add_permits(100);
    assert_eq!(played.get("/api/wait").status, 200);
    played.expect_rest();
    assert_eq!(played.front.figures().1, 1);
}

#[test]
fn late_parts_and_a_full_lane_harm_nobody() {
    let mut played = Played::new(tests());
    let name = played.begin(Method::Get, "/api/v1/ping", BodyLength::Known(0));
    let mut got = Got::default();
    played.take(name, &mut got, |got| got.is_over);
    for part in [AskPart::Body((*b"late").into()), AskPart::BodyEnd, AskPart::Credit(5), AskPart::Cancel] {
        played.push(name, part);
    }
    // More parts than the way back takes, from asks whose shard does not look.
    let many: Vec<_> = (0..ASKS_PER_OWNER)
        .map(|_| played.begin(Method::Get, "/api/v1/test/stream?bytes=60000&piece=500", BodyLength::Known(0)))
        .collect();
    std::thread::sleep(Duration::from_millis(100));
    let mut bytes = 0;
    let mut over = 0;
    let end = Instant::now() + Duration::from_secs(20);
    while over < many.len() {
        assert!(Instant::now() < end, "{over} are over");
        played.lane.receive(64, |_, part| match part {
            AnswerPart::Body(part) => bytes += part.len(),
            AnswerPart::End => over += 1,
            _ => {}
        });
        std::thread::sleep(Duration::from_micros(200));
    }
    assert_eq!(bytes, 60_000 * many.len());
    played.expect_rest();
}

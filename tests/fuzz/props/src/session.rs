//! The server's side.

use linchpin_protocol::blynk::codec::device;
use linchpin_protocol::blynk::internal::clock_answer;
use linchpin_protocol::blynk::{Frame, Rejected, Request, Session, Split, split, split_login};
use linchpin_protocol::limits::{
    MAX_BODY_BYTES, MAX_EVENT_CODE_BYTES, MAX_META_NAME_BYTES, MAX_PINS_LISTED, MAX_VALUE_BYTES, STAMP_RANGE_MS,
};
use linchpin_protocol::model::{UnixMillis, ValueRef};
use linchpin_protocol::{Action, Fault, Status, SyncPins};

use crate::cuts;

/// When the first frame comes, and how much later each next one: groups reach their 10 s within a few frames.
const START: UnixMillis = UnixMillis(1_700_000_000_000);
const STEP_MS: u64 = 900;

/// A connection as the server has it, with every login accepted.
struct Connection {
    session: Session,
    wall: UnixMillis,
    waiting: Vec<u8>,
    closed: bool,
    /// What happened, as text.
    diary: Vec<String>,
}

impl Connection {
    fn new() -> Self {
        Self { session: Session::new(), wall: START, waiting: Vec::new(), closed: false, diary: Vec::new() }
    }

    fn take(&mut self, piece: &[u8]) {
        if self.closed {
            return;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.extend_from_slice(piece);
        let mut taken = 0;
        while !self.closed {
            let bytes = &waiting[taken..];
            let next = if self.session.is_live() { split(bytes, MAX_BODY_BYTES) } else { split_login(bytes) };
            match next {
                Ok(Split::Frame { frame, used }) => {
                    taken += used;
                    self.on_frame(frame);
                }
                Ok(Split::Partial { .. }) => break,
                Err(fault) => self.close(fault),
            }
        }
        waiting.drain(..taken);
        self.waiting = if self.closed { Vec::new() } else { waiting };
    }

    fn close(&mut self, fault: Fault) {
        assert!(fault.ends());
        self.diary.push(format!("closed: {fault}"));
        self.closed = true;
    }

    fn on_frame(&mut self, frame: Frame<'_>) {
        self.wall = UnixMillis(self.wall.0 + STEP_MS);
        let was_live = self.session.is_live();
        match self.session.on_frame(self.wall, frame) {
            Ok(Request { id, action }) => {
                assert_eq!(id, frame.id);
                assert_eq!(was_live, !matches!(action, Action::Login { .. }), "a login comes first and once");
                if !was_live {
                    self.session.accept();
                }
                check(action, self.wall);
                self.diary.push(format!("{id}: {action:?}"));
            }
            Err(Rejected { id, fault }) => {
                assert_eq!(id, frame.id);
                assert!(fault.ends() || fault.status().is_some(), "{fault} has no consequence");
                assert_ne!(fault.status(), Some(Status::NotAuthenticated));
                self.diary.push(format!("{id}: {fault}"));
                if fault.ends() {
                    self.close(fault);
                }
            }
        }
    }
}

/// What the types promise about an action.
fn check(action: Action<'_>, wall: UnixMillis) {
    match action {
        Action::Write { pin, value, at } => {
            check_value(value);
            assert!(at.is_none_or(|at| at.distance(wall) <= STAMP_RANGE_MS + 11_000));
            let mut out = Vec::new();
            device::write(&mut out, 7, pin, value.as_bytes());
            assert_eq!(again(&out), Action::Write { pin, value, at: None });
        }
        Action::BridgeWrite { slot, pin, value } => {
            check_value(value);
            let mut out = Vec::new();
            device::bridge_write(&mut out, 7, slot, pin, value.as_bytes());
            assert_eq!(again(&out), action);
        }
        Action::Sync(SyncPins::Listed(pins)) => assert!(pins.len() <= MAX_PINS_LISTED),
        Action::Property { pins, name, values } => {
            check_value(values);
            assert!((1..=MAX_PINS_LISTED).contains(&pins.len()) && !name.is_empty());
        }
        Action::EventLog { code, description } => {
            assert!((1..=MAX_EVENT_CODE_BYTES).contains(&code.len()) && description != Some(""));
        }
        Action::EventClear { code, .. } => assert!((1..=MAX_EVENT_CODE_BYTES).contains(&code.len())),
        Action::MetaGet { name } => assert!((1..=MAX_META_NAME_BYTES).contains(&name.len())),
        Action::MetaSet { name, value } => {
            assert!((1..=MAX_META_NAME_BYTES).contains(&name.len()) && value.len() <= MAX_VALUE_BYTES);
        }
        Action::Info(pairs) => {
            assert!(pairs.iter().all(|(key, value)| pairs.get(key).is_some() && !value.contains('\0')));
            assert!(pairs.heartbeat_s() != Some(0) && pairs.buff_in() != Some(0));
            assert!(pairs.template().is_err_and(|fault| fault.ends()) || pairs.template().is_ok());
        }
        Action::Clock(query) => {
            let mut out = Vec::new();
            clock_answer(&mut out, 0, query, wall);
            let answer = split(&out, 64);
            assert!(matches!(answer, Ok(Split::Frame { frame, used }) if used == out.len() && frame.id == 1));
        }
        Action::Login { token, .. } => assert_eq!(token.expose().len(), 32),
        _ => {}
    }
}

fn check_value(value: ValueRef<'_>) {
    assert!((1..=MAX_VALUE_BYTES).contains(&value.as_bytes().len()));
    assert!(value.parts().count() >= 1);
    assert!(value.as_number().is_none_or(f64::is_finite));
    assert!(value.as_integer().is_none() || value.as_number().is_some());
}

/// What the server makes of a frame that was just written.
fn again(bytes: &[u8]) -> Action<'_> {
    let mut session = Session::new();
    let token = [b'x'; 32];
    let login = Frame { command: 29, id: 1, status_or_len: 32, body: &token };
    session.on_frame(START, login).expect("a login");
    session.accept();
    match split(bytes, MAX_BODY_BYTES) {
        Ok(Split::Frame { frame, .. }) => session.on_frame(START, frame).expect("well formed").action,
        other => panic!("{other:?}"),
    }
}

/// Actions and refusals are the same however the stream is cut, and keep what their types promise.
pub fn session(input: &[u8]) {
    let (mut cuts, stream) = cuts::parse(input);
    let mut whole = Connection::new();
    whole.take(stream);
    let mut chunked = Connection::new();
    for piece in cuts.pieces(stream) {
        chunked.take(piece);
    }
    assert_eq!(chunked.diary, whole.diary);
    assert_eq!(chunked.session, whole.session);
    assert_eq!((chunked.closed, chunked.waiting), (whole.closed, whole.waiting));
}

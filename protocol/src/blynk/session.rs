//! The server's side of one device connection.

mod pack;

use crate::limits::{GROUP_S, GROUP_WRITES, STAMP_RANGE_MS};
use crate::model::{Token, UnixMillis};
use crate::{Action, Fault};

use super::body::{self, GroupMark};
use super::{Command, Frame, internal};

/// What a frame asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The message id that an answer must carry.
    pub id: u16,
    /// What is asked.
    pub action: Action<'a>,
}

/// A frame that is refused. Answer `fault.status()` if there is one, then close if `fault.ends()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The message id that an answer must carry.
    pub id: u16,
    /// What is wrong.
    pub fault: Fault,
}

/// How much a client reads of what arrives at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    AllFrames,
    FirstFrame,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Only a login may come.
    Fresh,
    /// A login was taken and waits for [`Session::accept`].
    Pending(Reads),
    /// Logged in.
    Live(Reads),
    /// Logged in, between the marks of a GROUP.
    Grouped { reads: Reads, writes: u8, begun_s: u32, stamp: Stamp },
}

/// A time that needs to lie at a multiple of 4 bytes only: so do sessions, and what holds one has room beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(Rust, packed(4))]
struct Stamp(UnixMillis);

/// Turns the frames of one connection into [`Action`]s. A plain value of a few bytes that may travel between threads.
#[derive(Debug, PartialEq, Eq)]
pub struct Session(State);

const _: () = assert!(size_of::<Session>() == crate::limits::SESSION_BYTES);

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// The state of a connection that has sent nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(State::Fresh)
    }

    /// Is it logged in, that is, was [`Session::accept`] called?
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.0, State::Live(_) | State::Grouped { .. })
    }

    /// Does the client read only the first frame of what arrives at once? Such a client gets one frame a send.
    #[must_use]
    pub const fn first_frame_only(&self) -> bool {
        match self.0 {
            State::Fresh => false,
            State::Pending(reads) | State::Live(reads) | State::Grouped { reads, .. } => {
                matches!(reads, Reads::FirstFrame)
            }
        }
    }

    /// The login is answered with OK: the next frames may come. To be called once, after [`Action::Login`].
    pub fn accept(&mut self) {
        if let State::Pending(reads) = self.0 {
            self.0 = State::Live(reads);
        } else {
            debug_assert!(false, "accept without a login that waits: {:?}", self.0);
        }
    }

    /// Take one frame. `wall`: the server's time, for groups.
    ///
    /// # Errors
    /// The frame asks nothing that can be done. After a fault that ends, the session must not be used again.
    #[inline]
    pub fn on_frame<'a>(&mut self, wall: UnixMillis, frame: Frame<'a>) -> Result<Request<'a>, Rejected> {
        let id = frame.id;
        let action = match self.0 {
            State::Fresh => self.login(frame),
            State::Pending(_) => Err(Fault::LoginPending { command: frame.command }),
            State::Live(_) | State::Grouped { .. } => self.live(wall, frame),
        };
        action.map(|action| Request { id, action }).map_err(|fault| Rejected { id, fault })
    }

    #[inline]
    fn login<'a>(&mut self, frame: Frame<'a>) -> Result<Action<'a>, Fault> {
        let reads = match Command::from_number(frame.command) {
            Some(Command::Login) => Reads::AllFrames,
            Some(Command::LoginOld) => Reads::FirstFrame,
            _ => return Err(Fault::BeforeLogin { command: frame.command }),
        };
        let token = Token::parse(frame.body)?;
        self.0 = State::Pending(reads);
        Ok(Action::Login { token, first_frame_only: reads == Reads::FirstFrame })
    }

    #[inline]
    fn live<'a>(&mut self, wall: UnixMillis, frame: Frame<'a>) -> Result<Action<'a>, Fault> {
        let Frame { command: number, status_or_len, body, .. } = frame;
        let command = Command::from_number(number).ok_or(Fault::UnsupportedCommand { command: number })?;
        match command {
            Command::Response => Ok(Action::Answer { status: status_or_len }),
            Command::Login | Command::LoginOld => Err(Fault::AlreadyLoggedIn),
            Command::Ping => Ok(Action::Ping),
            Command::Hardware => self.hardware(wall, body),
            Command::Sync => body::sync(body),
            Command::Property => body::property(body),
            Command::Internal => internal::request(body),
            Command::Group => self.group(wall, body::group(body)?),
            Command::EventLog => body::event_log(body),
            Command::EventClear => body::event_clear(body),
            Command::Bridge => body::bridge(body),
            Command::Email => body::email(body),
            Command::Tweet | Command::Push | Command::Sms => body::notification(command, body),
            Command::Redirect | Command::Debug => Err(Fault::UnsupportedCommand { command: number }),
        }
    }

    #[inline]
    fn hardware<'a>(&mut self, wall: UnixMillis, body: &'a [u8]) -> Result<Action<'a>, Fault> {
        self.expire_group(wall);
        let at = match self.0 {
            State::Grouped { stamp, .. } => Some(stamp.0),
            _ => None,
        };
        let action = body::hardware(body, at)?;
        if let (Action::Write { .. }, State::Grouped { reads, writes, begun_s, stamp }) = (action, self.0) {
            let writes = writes + 1;
            let is_full = writes >= GROUP_WRITES;
            self.0 = if is_full { State::Live(reads) } else { State::Grouped { reads, writes, begun_s, stamp } };
        }
        Ok(action)
    }

    fn group<'a>(&mut self, wall: UnixMillis, mark: GroupMark) -> Result<Action<'a>, Fault> {
        self.expire_group(wall);
        let reads = match (self.0, mark) {
            // An end without a begin follows a group that ended by itself.
            (State::Live(reads) | State::Grouped { reads, .. }, GroupMark::End) => {
                self.0 = State::Live(reads);
                return Ok(Action::Nothing);
            }
            (State::Live(reads), _) => reads,
            _ => return Err(Fault::GroupNested),
        };
        let stamp = match mark {
            GroupMark::BeginAt(stamp) => stamp,
            _ => wall,
        };
        let distance_ms = stamp.distance(wall);
        if distance_ms > STAMP_RANGE_MS {
            return Err(Fault::StampRange { distance_ms, limit_ms: STAMP_RANGE_MS });
        }
        self.0 = State::Grouped { reads, writes: 0, begun_s: short_seconds(wall), stamp: Stamp(stamp) };
        Ok(Action::Nothing)
    }

    /// A group that is too old is over; so is one whose clock was set back.
    fn expire_group(&mut self, wall: UnixMillis) {
        if let State::Grouped { reads, begun_s, .. } = self.0
            && short_seconds(wall).wrapping_sub(begun_s) > GROUP_S
        {
            self.0 = State::Live(reads);
        }
    }
}

/// Seconds in 32 bits: only differences matter, so the wrap in 2106 does not.
const fn short_seconds(wall: UnixMillis) -> u32 {
    wall.seconds() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;
    use crate::model::{Pin, ValueRef};

    const TOKEN: &[u8] = b"abcdefghijklmnopqrstuvwxyz012345";
    const WALL: UnixMillis = UnixMillis(1_700_000_000_000);

    fn frame(command: Command, body: &[u8]) -> Frame<'_> {
        Frame { command: command.number(), id: 7, status_or_len: body.len() as u16, body }
    }

    fn fault(session: &mut Session, wall: UnixMillis, frame: Frame<'_>) -> Fault {
        let rejected = session.on_frame(wall, frame).expect_err("must be refused");
        assert_eq!(rejected.id, frame.id);
        rejected.fault
    }

    fn live() -> Session {
        let mut session = Session::new();
        session.on_frame(WALL, frame(Command::Login, TOKEN)).expect("a login");
        session.accept();
        session
    }

    /// The stamp that a write gets.
    fn stamp(session: &mut Session, wall: UnixMillis) -> Option<UnixMillis> {
        match session.on_frame(wall, frame(Command::Hardware, b"vw\x001\x002")).expect("a write").action {
            Action::Write { at, .. } => at,
            other => panic!("{other:?}"),
        }
    }

    fn mark(session: &mut Session, wall: UnixMillis, body: &[u8]) {
        let request = session.on_frame(wall, frame(Command::Group, body)).expect("a group mark");
        assert_eq!(request.action, Action::Nothing);
    }

    #[test]
    fn both_logins_are_taken_and_remembered() {
        let token = Token::parse(TOKEN).expect("valid");
        for (command, first_frame_only) in [(Command::Login, false), (Command::LoginOld, true)] {
            let mut session = Session::new();
            let request = session.on_frame(WALL, frame(command, TOKEN)).expect("a login");
            assert_eq!(request, Request { id: 7, action: Action::Login { token, first_frame_only } });
            assert!(!session.is_live());
            session.accept();
            assert_eq!((session.is_live(), session.first_frame_only()), (true, first_frame_only));
            mark(&mut session, WALL, b"b");
            assert_eq!((session.is_live(), session.first_frame_only()), (true, first_frame_only));
        }
    }

    #[test]
    fn only_a_login_comes_first() {
        for number in 0..100 {
            let other = Frame { command: number, ..frame(Command::Ping, b"") };
            let expected = match number {
                2 | 29 => Fault::TokenShape { len_bytes: 0 },
                command => Fault::BeforeLogin { command },
            };
            let fault = fault(&mut Session::new(), WALL, other);
            assert_eq!(fault, expected);
            assert!(fault.ends());
        }
        assert_eq!(Fault::BeforeLogin { command: 20 }.status(), None);
        assert_eq!(Fault::TokenShape { len_bytes: 0 }.status(), Some(Status::InvalidToken));
    }

    #[test]
    fn nothing_comes_while_the_login_waits() {
        let mut session = Session::new();
        session.on_frame(WALL, frame(Command::Login, TOKEN)).expect("a login");
        let fault = fault(&mut session, WALL, frame(Command::Ping, b""));
        assert_eq!((fault, fault.ends()), (Fault::LoginPending { command: 6 }, true));
    }

    #[test]
    fn a_second_login_is_told_so_and_the_connection_stays() {
        let mut session = live();
        for command in [Command::Login, Command::LoginOld] {
            let fault = fault(&mut session, WALL, frame(command, TOKEN));
            assert_eq!((fault.status(), fault.ends()), (Some(Status::AlreadyRegistered), false));
        }
        assert!(session.on_frame(WALL, frame(Command::Ping, b"")).is_ok());
    }

    #[test]
    fn commands_that_devices_do_not_have_are_illegal() {
        let mut session = live();
        let supported =
            |number| Command::from_number(number).is_some_and(|it| !matches!(it, Command::Redirect | Command::Debug));
        for command in (0..100).filter(|number| !supported(*number)) {
            let fault = fault(&mut session, WALL, Frame { command, ..frame(Command::Ping, b"") });
            assert_eq!(fault, Fault::UnsupportedCommand { command });
            assert_eq!((fault.status(), fault.ends()), (Some(Status::IllegalCommand), false));
        }
    }

    #[test]
    fn message_id_0_is_taken_from_clients() {
        let ping = Frame { id: 0, ..frame(Command::Ping, b"") };
        assert_eq!(live().on_frame(WALL, ping), Ok(Request { id: 0, action: Action::Ping }));
    }

    #[test]
    fn answers_carry_their_status() {
        let answer = Frame { command: 0, id: 9, status_or_len: 999, body: b"" };
        assert_eq!(live().on_frame(WALL, answer), Ok(Request { id: 9, action: Action::Answer { status: 999 } }));
    }

    #[test]
    fn a_group_gives_its_writes_one_time() {
        let mut session = live();
        assert_eq!(stamp(&mut session, WALL), None);
        mark(&mut session, WALL, b"b");
        assert_eq!(stamp(&mut session, UnixMillis(WALL.0 + 5_000)), Some(WALL));
        assert!(session.on_frame(WALL, frame(Command::Sync, b"")).is_ok(), "other commands may come in between");
        assert_eq!(stamp(&mut session, UnixMillis(WALL.0 + 5_000)), Some(WALL));
        mark(&mut session, WALL, b"e");
        assert_eq!(stamp(&mut session, WALL), None);
        mark(&mut session, WALL, b"t\x001699999999999");
        let write = session.on_frame(WALL, frame(Command::Hardware, b"dw\x001\x002")).expect("a write");
        let at = Some(UnixMillis(1_699_999_999_999));
        let pin = Pin::parse(b'd', b"1").expect("a pin");
        assert_eq!(write.action, Action::Write { pin, value: ValueRef(b"2"), at });
    }

    #[test]
    fn groups_do_not_nest() {
        let mut session = live();
        mark(&mut session, WALL, b"b");
        let later = UnixMillis(WALL.0 + 1_000);
        let fault = fault(&mut session, later, frame(Command::Group, b"b"));
        assert_eq!((fault.status(), fault.ends()), (Some(Status::IllegalCommand), false));
        assert_eq!(stamp(&mut session, later), Some(WALL), "the first one goes on");
    }

    #[test]
    fn a_group_ends_by_itself_after_100_writes_or_10_seconds() {
        let mut session = live();
        mark(&mut session, WALL, b"b");
        for _ in 0..GROUP_WRITES {
            assert_eq!(stamp(&mut session, WALL), Some(WALL));
        }
        assert_eq!(stamp(&mut session, WALL), None);
        mark(&mut session, WALL, b"e");
        mark(&mut session, WALL, b"b");
        assert_eq!(stamp(&mut session, UnixMillis(WALL.0 + 10_999)), Some(WALL));
        let late = UnixMillis(WALL.0 + 11_000);
        assert_eq!(stamp(&mut session, late), None);
        mark(&mut session, late, b"b");
        assert_eq!(stamp(&mut session, WALL), None, "a clock that is set back ends it too");
    }

    #[test]
    fn explicit_times_stay_within_a_month() {
        let cases = [
            (WALL.0 - STAMP_RANGE_MS, true),
            (WALL.0 - STAMP_RANGE_MS - 1, false),
            (WALL.0 + STAMP_RANGE_MS, true),
            (WALL.0 + STAMP_RANGE_MS + 1, false),
            (u64::MAX, false),
        ];
        for (at, good) in cases {
            let mut session = live();
            let body = format!("t\0{at}");
            let result = session.on_frame(WALL, frame(Command::Group, body.as_bytes()));
            assert_eq!(result.is_ok(), good, "{at}");
            if let Err(Rejected { fault, .. }) = result {
                assert_eq!((fault.status(), fault.ends()), (Some(Status::IllegalCommandBody), false));
            }
            assert_eq!(stamp(&mut session, WALL), good.then_some(UnixMillis(at)));
        }
    }
}

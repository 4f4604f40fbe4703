//! The server's side of one device connection.

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
    Grouped {
        reads: Reads,
        writes: u8,
        begun_s: u32,
        stamp: UnixMillis,
    },
}

/// Turns the frames of one connection into [`Action`]s. A plain value of a few bytes that may travel between threads.
#[derive(Debug, PartialEq, Eq)]
pub struct Session(State);

const _: () = assert!(size_of::<Session>() <= 24, "one per connection, idle ones too");

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
    pub fn on_frame<'a>(&mut self, wall: UnixMillis, frame: Frame<'a>) -> Result<Request<'a>, Rejected> {
        let id = frame.id;
        let action = match self.0 {
            State::Fresh => self.login(frame),
            State::Pending(_) => Err(Fault::LoginPending { command: frame.command }),
            State::Live(_) | State::Grouped { .. } => self.live(wall, frame),
        };
        action
            .map(|action| Request { id, action })
            .map_err(|fault| Rejected { id, fault })
    }

    fn login<'a>(&mut self, frame: Frame<'a>) -> Result<Action<'a>, Fault> {
        let reads = match Command::from_number(frame.command) {
            Some(Command::Login) => Reads::AllFrames,
            Some(Command::LoginOld) => Reads::FirstFrame,
            _ => return Err(Fault::BeforeLogin { command: frame.command }),
        };
        let token = Token::parse(frame.body)?;
        self.0 = State::Pending(reads);
        Ok(Action::Login {
            token,
            first_frame_only: reads == Reads::FirstFrame,
        })
    }

    fn live<'a>(&mut self, wall: UnixMillis, frame: Frame<'a>) -> Result<Action<'a>, Fault> {
        let Frame {
            command: number,
            status_or_len,
            body,
            ..
        } = frame;
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

    fn hardware<'a>(&mut self, wall: UnixMillis, body: &'a [u8]) -> Result<Action<'a>, Fault> {
        self.expire_group(wall);
        let at = match self.0 {
            State::Grouped { stamp, .. } => Some(stamp),
            _ => None,
        };
        let action = body::hardware(body, at)?;
        if let (
            Action::Write { .. },
            State::Grouped {
                reads,
                writes,
                begun_s,
                stamp,
            },
        ) = (action, self.0)
        {
            let writes = writes + 1;
            let is_full = writes >= GROUP_WRITES;
            self.0 = if is_full {
                State::Live(reads)
            } else {
                State::Grouped {
                    reads,
                    writes,
                    begun_s,
                    stamp,
                }
            };
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
            return Err(Fault::StampRange {
                distance_ms,
                limit_ms: STAMP_RANGE_MS,
            });
        }
        self.0 = State::Grouped {
            reads,
            writes: 0,
            begun_s: short_seconds(wall),
            stamp,
        };
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

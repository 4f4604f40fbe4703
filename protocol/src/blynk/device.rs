//! The device's side of a connection, as the C++ library behaves: for tests, virtual devices and load.

mod event;
mod options;
mod send;

pub use event::{DeviceEnd, DeviceEvent};
pub use options::{DeviceOptions, LoginCommand};

use crate::limits::{DEVICE_LOGIN_TIMEOUT_MS, DEVICE_SILENCE_MS};
use crate::model::{Millis, Pin, PinKind, Token, ValueRef};
use crate::{Fault, Status};

use super::codec::device as write;
use super::frame::{Frame, Split, split};
use super::{Command, body};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not started.
    Idle,
    /// The login is out.
    LoggingIn { since: Millis },
    /// The introduction is out.
    Introduced,
    /// The introduction was answered.
    Live,
    /// Nothing more is read or written.
    Ended(DeviceEnd),
}

/// Message id of the login.
const LOGIN_ID: u16 = 1;
/// Message id of the introduction.
const INFO_ID: u16 = 2;

/// One connection of one device. Allocates only while a frame is incomplete.
pub struct DeviceSession {
    state: State,
    last_in: Millis,
    last_out: Millis,
    last_ping: Millis,
    /// The start of a frame whose rest has not come.
    carry: Vec<u8>,
    last_id: u16,
}

const _: () = assert!(size_of::<DeviceSession>() <= 128, "fleets hold tens of thousands");

/// What is kept of a frame may be a secret: only its length is shown.
impl std::fmt::Debug for DeviceSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (state, carried_bytes) = (self.state, self.carry.len());
        write!(
            f,
            "DeviceSession {{ state: {state:?}, last_id: {}, carried_bytes: {carried_bytes} }}",
            self.last_id
        )
    }
}

impl Default for DeviceSession {
    fn default() -> Self {
        Self::new()
    }
}

impl DeviceSession {
    /// A connection that is not open yet.
    #[must_use]
    pub const fn new() -> Self {
        let zero = Millis(0);
        Self {
            state: State::Idle,
            last_in: zero,
            last_out: zero,
            last_ping: zero,
            carry: Vec::new(),
            last_id: 0,
        }
    }

    /// The connection is open: write the login. Forgets what a connection before has left.
    pub fn start(&mut self, now: Millis, opts: &DeviceOptions, token: &Token, out: &mut Vec<u8>) {
        *self = Self {
            state: State::LoggingIn { since: now },
            last_in: now,
            last_ping: now,
            ..Self::new()
        };
        let id = self.next_id(now);
        debug_assert_eq!(id, LOGIN_ID);
        write::login(out, id, opts.login_command.command(), token);
    }

    /// Was the login accepted, and has nothing ended the session since?
    #[must_use]
    pub const fn is_logged_in(&self) -> bool {
        matches!(self.state, State::Introduced | State::Live)
    }

    /// Bytes of an incomplete frame that are kept.
    #[must_use]
    pub fn carried_bytes(&self) -> usize {
        self.carry.len()
    }

    /// Take bytes of the server, at any cut. Answers are appended to `out`, events go to `on` in order.
    ///
    /// # Errors
    /// The device closes the connection; every later call returns the same end until [`DeviceSession::start`].
    pub fn on_bytes(
        &mut self,
        now: Millis,
        opts: &DeviceOptions,
        bytes: &[u8],
        out: &mut Vec<u8>,
        on: &mut impl FnMut(DeviceEvent<'_>),
    ) -> Result<(), DeviceEnd> {
        if let State::Ended(end) = self.state {
            return Err(end);
        }
        self.last_in = now;
        let mut carry = std::mem::take(&mut self.carry);
        let result = if carry.is_empty() {
            self.take_frames(now, opts, bytes, out, on)
                .map(|used| carry.extend_from_slice(&bytes[used..]))
        } else {
            carry.extend_from_slice(bytes);
            self.take_frames(now, opts, &carry, out, on)
                .map(|used| drop(carry.drain(..used)))
        };
        match result {
            Ok(()) if carry.is_empty() => {}
            Ok(()) => self.carry = carry,
            Err(end) => self.state = State::Ended(end),
        }
        result
    }

    /// Handle every whole frame at the start; returns how many bytes they have.
    fn take_frames(
        &mut self,
        now: Millis,
        opts: &DeviceOptions,
        bytes: &[u8],
        out: &mut Vec<u8>,
        on: &mut impl FnMut(DeviceEvent<'_>),
    ) -> Result<usize, DeviceEnd> {
        let max_body = usize::from(opts.buff_in_bytes).saturating_sub(1);
        let mut taken = 0;
        loop {
            match split(&bytes[taken..], max_body) {
                Ok(Split::Frame { frame, used }) => {
                    taken += used;
                    self.on_frame(now, opts, frame, out, on)?;
                }
                Ok(Split::Partial { .. }) => return Ok(taken),
                Err(fault) => return Err(end_of(fault, opts)),
            }
        }
    }

    fn on_frame(
        &mut self,
        now: Millis,
        opts: &DeviceOptions,
        frame: Frame<'_>,
        out: &mut Vec<u8>,
        on: &mut impl FnMut(DeviceEvent<'_>),
    ) -> Result<(), DeviceEnd> {
        let Frame {
            command: number,
            id,
            status_or_len,
            body,
        } = frame;
        if id == 0 {
            return Err(DeviceEnd::IdZero);
        }
        match Command::from_number(number) {
            Some(Command::Response) => self.on_response(now, opts, id, status_or_len, out, on)?,
            Some(Command::Ping) => {
                self.last_out = now;
                write::response(out, id, Status::Ok.code());
            }
            Some(Command::Hardware | Command::Bridge) => match pin_event(id, body) {
                Some(event) => on(event),
                None => {
                    self.last_out = now;
                    write::response(out, id, Status::IllegalCommand.code());
                }
            },
            Some(Command::Internal) => on(DeviceEvent::Internal { id, body }),
            Some(Command::Debug) => on(DeviceEvent::Debug { text: body }),
            // A redirect that cannot be read is skipped: the connection at hand still works.
            Some(Command::Redirect) => {
                if let Some((host, port)) = target(body) {
                    on(DeviceEvent::Redirect { host, port });
                    return Err(DeviceEnd::Redirected);
                }
            }
            _ => return Err(DeviceEnd::UnknownCommand { command: number }),
        }
        Ok(())
    }

    fn on_response(
        &mut self,
        now: Millis,
        opts: &DeviceOptions,
        id: u16,
        status: u16,
        out: &mut Vec<u8>,
        on: &mut impl FnMut(DeviceEvent<'_>),
    ) -> Result<(), DeviceEnd> {
        let known = Status::from_code(status);
        if known == Some(Status::NotAuthenticated) {
            return Err(DeviceEnd::NotAuthenticated);
        }
        match (self.state, id, known) {
            (State::LoggingIn { .. }, LOGIN_ID, Some(Status::Ok | Status::AlreadyRegistered)) => {
                self.state = State::Introduced;
                let id = self.next_id(now);
                debug_assert_eq!(id, INFO_ID);
                opts.introduce(out, id);
                on(DeviceEvent::LoggedIn);
            }
            (State::LoggingIn { .. }, LOGIN_ID, _) => return Err(DeviceEnd::LoginRefused { status }),
            (State::Introduced, INFO_ID, Some(Status::Ok)) => {
                self.state = State::Live;
                on(DeviceEvent::InfoAccepted);
            }
            _ => on(DeviceEvent::Response { id, status }),
        }
        Ok(())
    }

    /// Do what is due: ping, or give up. To be called when [`DeviceSession::deadline`] has come; sooner does no harm.
    ///
    /// # Errors
    /// As [`DeviceSession::on_bytes`].
    pub fn on_timer(&mut self, now: Millis, opts: &DeviceOptions, out: &mut Vec<u8>) -> Result<(), DeviceEnd> {
        let silent_ms = now.since(self.last_in);
        let end = match self.state {
            State::Idle => None,
            State::Ended(end) => return Err(end),
            State::LoggingIn { .. } => (now >= self.deadline(opts)).then_some(DeviceEnd::LoginTimeout),
            State::Introduced | State::Live => {
                (now >= self.gives_up_at(opts)).then_some(DeviceEnd::Silent { silent_ms })
            }
        };
        if let Some(end) = end {
            self.state = State::Ended(end);
            self.carry = Vec::new();
            return Err(end);
        }
        if self.is_logged_in() && now >= self.pings_at(opts) {
            self.ping(now, out);
        }
        Ok(())
    }

    /// When to call [`DeviceSession::on_timer`]; [`Millis::NEVER`] before the start and after the end. Moves whenever
    /// bytes come or go.
    #[must_use]
    pub fn deadline(&self, opts: &DeviceOptions) -> Millis {
        match self.state {
            State::Idle | State::Ended(_) => Millis::NEVER,
            State::LoggingIn { since } => since.after(DEVICE_LOGIN_TIMEOUT_MS),
            State::Introduced | State::Live => self.gives_up_at(opts).min(self.pings_at(opts)),
        }
    }

    fn gives_up_at(&self, opts: &DeviceOptions) -> Millis {
        self.last_in.after(opts.heartbeat_ms() + DEVICE_SILENCE_MS)
    }

    /// Either direction alone being quiet for a heartbeat is enough, but pings keep a distance.
    fn pings_at(&self, opts: &DeviceOptions) -> Millis {
        let quiet_since = self.last_in.min(self.last_out);
        quiet_since
            .after(opts.heartbeat_ms())
            .max(self.last_ping.after(DEVICE_LOGIN_TIMEOUT_MS))
    }

    /// The id of the next message: from 1, and 1 again after 65535.
    fn next_id(&mut self, now: Millis) -> u16 {
        self.last_out = now;
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id
    }
}

const fn end_of(fault: Fault, opts: &DeviceOptions) -> DeviceEnd {
    match fault {
        Fault::BodyTooLarge { len_bytes, .. } => DeviceEnd::BodyTooLarge {
            len_bytes,
            buff_in_bytes: opts.buff_in_bytes as usize,
        },
        Fault::UnknownCommand { command } => DeviceEnd::UnknownCommand { command },
        // `split` returns no other fault.
        _ => DeviceEnd::UnknownCommand { command: u8::MAX },
    }
}

/// What a HARDWARE or BRIDGE body asks of the device; `None` for what it cannot do.
fn pin_event(id: u16, bytes: &[u8]) -> Option<DeviceEvent<'_>> {
    let (left, operation) = body::field(bytes).ok()?;
    if operation == b"pm" {
        return Some(DeviceEvent::PinMode { pairs: left });
    }
    let &[letter, direction] = operation else { return None };
    PinKind::from_letter(letter)?;
    let (value, pin) = body::field(left).ok()?;
    let pin = Pin::parse(letter, pin)?;
    match direction {
        b'w' => Some(DeviceEvent::Write {
            pin,
            value: ValueRef(value),
            id,
        }),
        b'r' => Some(DeviceEvent::Read { pin, id }),
        _ => None,
    }
}

/// Host and port of a redirect.
fn target(bytes: &[u8]) -> Option<(&str, Option<u16>)> {
    let (left, host) = body::text_field(bytes).ok()?;
    let (_, port) = body::field(left).ok()?;
    if port.is_empty() {
        return Some((host, None));
    }
    let port = std::str::from_utf8(port).ok()?.parse().ok()?;
    Some((host, Some(port)))
}

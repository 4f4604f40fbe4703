//! The device's side of a connection, as the C++ library behaves: for tests, virtual devices and load.

use std::fmt;

use crate::Fault;
use crate::limits::{DEVICE_LOGIN_TIMEOUT_MS, DEVICE_SILENCE_MS};
use crate::model::{Millis, Pin, PinKind, TemplateId, Token, UnixMillis, ValueRef};
use crate::{Status, blynk::codec::device as write};

use super::frame::{Frame, Split, split};
use super::{Command, body};

/// Which of the two login commands a device uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginCommand {
    /// HARDWARE_LOGIN (29), as almost all do.
    #[default]
    Current,
    /// LOGIN (2), as the Python `blynklib` does.
    Old,
}

impl LoginCommand {
    const fn command(self) -> Command {
        match self {
            Self::Current => Command::Login,
            Self::Old => Command::LoginOld,
        }
    }
}

/// What a kind of device is like. Shared by all devices of the kind and lent to each call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceOptions {
    /// How it logs in.
    pub login_command: LoginCommand,
    /// Seconds without traffic after which it pings, 1 or more; the C++ library takes 10 to 3600.
    pub heartbeat_s: u16,
    /// It ends the connection at a body of so many bytes or more.
    pub buff_in_bytes: u16,
    /// The library's version (`ver`).
    pub library: Box<str>,
    /// The board's name (`dev`).
    pub board: Box<str>,
    /// The template of its firmware (`fw-type` and `tmpl`).
    pub template: Option<TemplateId>,
    /// The firmware's version (`fw`).
    pub firmware: Option<Box<str>>,
    /// When the firmware was built (`build`).
    pub build: Option<Box<str>>,
    /// The kind of link (`conn`).
    pub connection: Option<Box<str>>,
}

impl Default for DeviceOptions {
    fn default() -> Self {
        Self {
            login_command: LoginCommand::Current,
            heartbeat_s: 40,
            buff_in_bytes: 4_096,
            library: "1.4.0".into(),
            board: "Linux".into(),
            template: None,
            firmware: None,
            build: None,
            connection: None,
        }
    }
}

impl DeviceOptions {
    /// The INTERNAL frame in which a device introduces itself.
    fn introduce(&self, out: &mut Vec<u8>, id: u16) {
        let (heartbeat, buff_in) = (self.heartbeat_s.to_string(), self.buff_in_bytes.to_string());
        let template = self.template.as_ref().map(TemplateId::as_str);
        let pairs = [
            ("ver", Some(&*self.library)),
            ("h-beat", Some(&*heartbeat)),
            ("buff-in", Some(&*buff_in)),
            ("dev", Some(&*self.board)),
            ("fw-type", template),
            ("fw", self.firmware.as_deref()),
            ("build", self.build.as_deref()),
            ("conn", self.connection.as_deref()),
            ("tmpl", template),
        ];
        let mut fields: Vec<&[u8]> = Vec::with_capacity(2 * pairs.len() + 1);
        for (key, value) in pairs {
            fields.extend(
                value
                    .map(|value| [key.as_bytes(), value.as_bytes()])
                    .into_iter()
                    .flatten(),
            );
        }
        // The library ends its list with a NUL.
        fields.push(b"");
        write::internal(out, id, &fields);
    }

    fn heartbeat_ms(&self) -> u64 {
        u64::from(self.heartbeat_s.max(1)) * 1_000
    }
}

/// What the server did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceEvent<'a> {
    /// The login was accepted; the introduction has been written behind.
    LoggedIn,
    /// The introduction was accepted.
    InfoAccepted,
    /// A pin was set, by an app or by another device's bridge.
    Write {
        /// Which.
        pin: Pin,
        /// To what; may be empty.
        value: ValueRef<'a>,
        /// Message id.
        id: u16,
    },
    /// The server asks for the value of a pin: answer with [`DeviceSession::answer`].
    Read {
        /// Which.
        pin: Pin,
        /// Message id.
        id: u16,
    },
    /// Pins get their modes: `pin NUL mode NUL ...`.
    PinMode {
        /// As on the wire, unchecked.
        pairs: &'a [u8],
    },
    /// INTERNAL: an answer about the clock or metadata, or a push.
    Internal {
        /// Message id.
        id: u16,
        /// Fields joined by NUL.
        body: &'a [u8],
    },
    /// An answer, other than that to the login.
    Response {
        /// Message id of the question.
        id: u16,
        /// The number as received; see [`Status::from_code`].
        status: u16,
    },
    /// Connect there with the same token; the session ends with [`DeviceEnd::Redirected`].
    Redirect {
        /// The host's name or address.
        host: &'a str,
        /// `None`: the port in use.
        port: Option<u16>,
    },
    /// A text for the console.
    Debug {
        /// Usually UTF-8.
        text: &'a [u8],
    },
}

/// Why a device closes its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceEnd {
    /// The login was not answered in time.
    LoginTimeout,
    /// The login was refused, by a status other than 200 and 4.
    LoginRefused {
        /// The number as received.
        status: u16,
    },
    /// The server said that the device is not logged in (status 5).
    NotAuthenticated,
    /// Nothing was heard for the heartbeat and 18 s.
    Silent {
        /// How long, ms.
        silent_ms: u64,
    },
    /// The server sent a command that devices do not know.
    UnknownCommand {
        /// Its number.
        command: u8,
    },
    /// The server sent a message id of 0.
    IdZero,
    /// The server sent a body that is not shorter than the receive buffer.
    BodyTooLarge {
        /// Announced by the header.
        len_bytes: usize,
        /// The receive buffer.
        buff_in_bytes: usize,
    },
    /// The server sent the device elsewhere.
    Redirected,
}

impl fmt::Display for DeviceEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoginTimeout => {
                write!(
                    f,
                    "the login was not answered within {DEVICE_LOGIN_TIMEOUT_MS} ms; is it a Blynk server?"
                )
            }
            Self::LoginRefused { status } => match Status::from_code(*status) {
                Some(status) => write!(f, "the login was refused with status {status}; check the token"),
                None => write!(
                    f,
                    "the login was refused with the unknown status {status}; check the token"
                ),
            },
            Self::NotAuthenticated => f.write_str("the server says that the device is not logged in; log in again"),
            Self::Silent { silent_ms } => {
                write!(f, "nothing was heard from the server for {silent_ms} ms; connect again")
            }
            Self::UnknownCommand { command } => {
                write!(
                    f,
                    "the server sent command {command}, which devices do not know; connect again"
                )
            }
            Self::IdZero => f.write_str("the server sent message id 0, ids start at 1; connect again"),
            Self::BodyTooLarge {
                len_bytes,
                buff_in_bytes,
            } => write!(
                f,
                "the server sent a body of {len_bytes} bytes into a buffer of {buff_in_bytes}, it must be shorter; \
                 connect again"
            ),
            Self::Redirected => f.write_str("the server sent the device elsewhere; connect there"),
        }
    }
}

impl std::error::Error for DeviceEnd {}

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
#[derive(Debug)]
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

/// What a logged-in device sends. Each appends one frame to `out` and returns its message id. The caller keeps the
/// limits of the protocol; a body beyond `limits::MAX_BODY_BYTES` is not written.
impl DeviceSession {
    /// Set a pin.
    pub fn write(&mut self, now: Millis, pin: Pin, value: &[u8], out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::write(out, id, pin, value);
        id
    }

    /// Answer [`DeviceEvent::Read`], with its id.
    pub fn answer(&mut self, now: Millis, id: u16, pin: Pin, value: &[u8], out: &mut Vec<u8>) {
        self.last_out = now;
        write::write(out, id, pin, value);
    }

    /// Ask for the latest values of these pins; of all for an empty list.
    pub fn sync(&mut self, now: Millis, pins: &[Pin], out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        if pins.is_empty() {
            write::sync_all(out, id)
        } else {
            write::sync(out, id, pins)
        }
        id
    }

    /// Change how virtual pins are shown; several values are joined by NUL.
    pub fn property(&mut self, now: Millis, pins: &[u8], name: &str, values: &[u8], out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::property(out, id, pins, name, values);
        id
    }

    /// Log an event.
    pub fn event(&mut self, now: Millis, code: &str, description: Option<&str>, out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::event_log(out, id, code, description);
        id
    }

    /// Resolve the most recent event of this code, or all.
    pub fn event_clear(&mut self, now: Millis, code: &str, all: bool, out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::event_clear(out, id, code, all);
        id
    }

    /// Ping.
    pub fn ping(&mut self, now: Millis, out: &mut Vec<u8>) -> u16 {
        self.last_ping = now;
        let id = self.next_id(now);
        write::ping(out, id);
        id
    }

    /// INTERNAL with these fields, such as `utc`, `time` or `meta`, `get`, a name.
    pub fn internal(&mut self, now: Millis, parts: &[&[u8]], out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::internal(out, id, parts);
        id
    }

    /// Begin a group of writes of one moment: the server's, or this one.
    pub fn group_begin(&mut self, now: Millis, stamp: Option<UnixMillis>, out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::group_begin(out, id, stamp);
        id
    }

    /// End the group.
    pub fn group_end(&mut self, now: Millis, out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::group_end(out, id);
        id
    }

    /// Let `slot` stand for the device with this token.
    pub fn bridge_init(&mut self, now: Millis, slot: u8, token: &Token, out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::bridge_init(out, id, slot, token);
        id
    }

    /// Set a pin of the device that `slot` stands for.
    pub fn bridge_write(&mut self, now: Millis, slot: u8, pin: Pin, value: &[u8], out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::bridge_write(out, id, slot, pin, value);
        id
    }

    /// TWEET, EMAIL, PUSH_NOTIFICATION or SMS.
    pub fn notify(&mut self, now: Millis, command: Command, parts: &[&[u8]], out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::notify(out, id, command, parts);
        id
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

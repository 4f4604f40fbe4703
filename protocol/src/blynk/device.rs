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
        write!(f, "DeviceSession {{ state: {state:?}, last_id: {}, carried_bytes: {carried_bytes} }}", self.last_id)
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
        Self { state: State::Idle, last_in: zero, last_out: zero, last_ping: zero, carry: Vec::new(), last_id: 0 }
    }

    /// The connection is open: write the login. Forgets what a connection before has left.
    pub fn start(&mut self, now: Millis, opts: &DeviceOptions, token: &Token, out: &mut Vec<u8>) {
        *self = Self { state: State::LoggingIn { since: now }, last_in: now, last_ping: now, ..Self::new() };
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
            self.take_frames(now, opts, bytes, out, on).map(|used| carry.extend_from_slice(&bytes[used..]))
        } else {
            carry.extend_from_slice(bytes);
            self.take_frames(now, opts, &carry, out, on).map(|used| drop(carry.drain(..used)))
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
        let Frame { command: number, id, status_or_len, body } = frame;
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
        quiet_since.after(opts.heartbeat_ms()).max(self.last_ping.after(DEVICE_LOGIN_TIMEOUT_MS))
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
        Fault::BodyTooLarge { len_bytes, .. } => {
            DeviceEnd::BodyTooLarge { len_bytes, buff_in_bytes: opts.buff_in_bytes as usize }
        }
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
        b'w' => Some(DeviceEvent::Write { pin, value: ValueRef(value), id }),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blynk::codec;
    use crate::model::TemplateId;

    const TOKEN: &[u8] = b"abcdefghijklmnopqrstuvwxyz012345";

    /// A device with all that its methods need.
    struct World {
        device: DeviceSession,
        opts: DeviceOptions,
        now: Millis,
        out: Vec<u8>,
    }

    impl World {
        fn started(opts: DeviceOptions) -> Self {
            let mut world = Self { device: DeviceSession::new(), opts, now: Millis(1_000), out: Vec::new() };
            let token = Token::parse(TOKEN).expect("valid");
            world.device.start(world.now, &world.opts, &token, &mut world.out);
            world
        }

        fn live() -> Self {
            let mut world = Self::started(DeviceOptions::default());
            assert_eq!(world.feed(b"\0\0\x01\0\xc8\0\0\x02\0\xc8"), Ok(vec!["LoggedIn".into(), "InfoAccepted".into()]));
            world.out.clear();
            world
        }

        fn feed(&mut self, bytes: &[u8]) -> Result<Vec<String>, DeviceEnd> {
            let mut events = Vec::new();
            let mut on = |event: DeviceEvent<'_>| events.push(format!("{event:?}"));
            self.device.on_bytes(self.now, &self.opts, bytes, &mut self.out, &mut on).map(|()| events)
        }

        fn timer(&mut self) -> Result<Vec<u8>, DeviceEnd> {
            let result = self.device.on_timer(self.now, &self.opts, &mut self.out);
            result.map(|()| std::mem::take(&mut self.out))
        }
    }

    #[test]
    fn logs_in_and_introduces_itself_as_the_cpp_library_does() {
        let mut world = World::started(DeviceOptions {
            template: TemplateId::parse(b"TMPLtest0001").ok(),
            firmware: Some("0.1.0".into()),
            build: Some("today".into()),
            connection: Some("Socket".into()),
            ..DeviceOptions::default()
        });
        assert_eq!(std::mem::take(&mut world.out), [b"\x1d\0\x01\0\x20", TOKEN].concat());
        assert!(!world.device.is_logged_in());
        assert_eq!(world.feed(b"\0\0\x01\0\xc8"), Ok(vec!["LoggedIn".into()]));
        let info = "ver\x001.4.0\0h-beat\x0040\0buff-in\x004096\0dev\0Linux\0fw-type\0TMPLtest0001\0fw\x000.1.0\0\
                    build\0today\0conn\0Socket\0tmpl\0TMPLtest0001\0";
        assert_eq!(&world.out[..5], [0x11, 0, 2, 0, info.len() as u8]);
        assert_eq!(&world.out[5..], info.as_bytes());
        let mut out = Vec::new();
        assert_eq!(world.device.write(world.now, Pin::new_virtual(0), b"6", &mut out), 3);
        assert_eq!(out, b"\x14\0\x03\0\x06vw\x000\x006");
    }

    #[test]
    fn the_old_login_has_the_other_number() {
        let opts = DeviceOptions { login_command: LoginCommand::Old, ..DeviceOptions::default() };
        assert_eq!(World::started(opts).out[0], 2);
    }

    #[test]
    fn status_4_is_a_login_too_and_others_refuse() {
        let mut world = World::started(DeviceOptions::default());
        assert_eq!(world.feed(&[0, 0, 1, 0, 4]), Ok(vec!["LoggedIn".into()]));
        for (status, end) in [
            (9, DeviceEnd::LoginRefused { status: 9 }),
            (77, DeviceEnd::LoginRefused { status: 77 }),
            (5, DeviceEnd::NotAuthenticated),
        ] {
            let mut world = World::started(DeviceOptions::default());
            assert_eq!(world.feed(&[0, 0, 1, 0, status]), Err(end));
            assert_eq!(world.feed(&[0, 0, 1, 0, 200]), Err(end), "an end is final");
            assert_eq!(world.timer(), Err(end));
            assert_eq!(world.device.deadline(&world.opts), Millis::NEVER);
        }
        assert_eq!(World::live().feed(&[0, 0, 9, 0, 5]), Err(DeviceEnd::NotAuthenticated), "at any time");
    }

    #[test]
    fn hears_what_the_server_does() {
        let mut world = World::live();
        let mut bytes = Vec::new();
        codec::hardware_write(&mut bytes, 9, Pin::new_virtual(1), b"");
        codec::bridge(&mut bytes, 10, Pin::new_virtual(3), b"9");
        codec::hardware(&mut bytes, 11, &[b"vr", b"5"]);
        codec::hardware(&mut bytes, 12, &[b"pm", b"1", b"out"]);
        codec::internal(&mut bytes, 13, &[b"rtc", b"17"]);
        codec::debug(&mut bytes, 14, "hi");
        codec::response(&mut bytes, 3, Status::QuotaLimit);
        let expected = [
            r#"Write { pin: V1, value: "", id: 9 }"#,
            r#"Write { pin: V3, value: "9", id: 10 }"#,
            "Read { pin: V5, id: 11 }",
            "PinMode { pairs: [49, 0, 111, 117, 116] }",
            "Internal { id: 13, body: [114, 116, 99, 0, 49, 55] }",
            "Debug { text: [104, 105] }",
            "Response { id: 3, status: 1 }",
        ];
        assert_eq!(world.feed(&bytes), Ok(expected.map(str::to_owned).to_vec()));
        assert_eq!(world.out, b"", "none of them needs an answer");
        assert_eq!(world.feed(b"\x14\0\x0f\0\x06vw\0x\x001"), Ok(vec![]));
        assert_eq!(world.feed(b"\x06\0\x10\0\0"), Ok(vec![]));
        assert_eq!(world.out, b"\0\0\x0f\0\x02\0\0\x10\0\xc8");
    }

    #[test]
    fn ends_where_the_cpp_library_ends() {
        let cases: [(&[u8], DeviceEnd); 5] = [
            (b"\x40\0\x01\0\x02ev", DeviceEnd::UnknownCommand { command: 64 }),
            (b"\xff\0\x01\0\x02", DeviceEnd::UnknownCommand { command: 255 }),
            (b"\0\0\0\0\xc8", DeviceEnd::IdZero),
            (b"\x14\0\x01\x10\0", DeviceEnd::BodyTooLarge { len_bytes: 4_096, buff_in_bytes: 4_096 }),
            (b"\x29\0\x01\0\x04h\x0080", DeviceEnd::Redirected),
        ];
        for (bytes, end) in cases {
            let mut world = World::live();
            let bytes = if end == DeviceEnd::Redirected { b"\x29\0\x01\0\x04h\x0080" } else { bytes };
            assert_eq!(world.feed(bytes), Err(end), "{bytes:?}");
            assert!(end.to_string().contains(';'), "{end}");
        }
    }

    #[test]
    fn a_redirect_is_reported_before_the_end() {
        for (body, expected) in [
            ("h.io\x0080", r#"Redirect { host: "h.io", port: Some(80) }"#),
            ("h.io", r#"Redirect { host: "h.io", port: None }"#),
        ] {
            let mut world = World::live();
            let mut bytes = vec![41, 0, 1, 0, body.len() as u8];
            bytes.extend_from_slice(body.as_bytes());
            let mut events = Vec::new();
            let mut on = |event: DeviceEvent<'_>| events.push(format!("{event:?}"));
            let end = world.device.on_bytes(world.now, &world.opts, &bytes, &mut world.out, &mut on);
            assert_eq!((end, &*events), (Err(DeviceEnd::Redirected), &[expected.to_owned()][..]));
        }
        assert_eq!(World::live().feed(b"\x29\0\x01\0\x03h\0x"), Ok(vec![]), "an unreadable one is skipped");
    }

    #[test]
    fn frames_may_come_in_pieces() {
        let mut world = World::live();
        let bytes = b"\x14\0\x09\0\x06vw\x001\x007\x14\0\x0a\0\x06vw\x001\x008";
        let mut events = Vec::new();
        for byte in bytes {
            events.extend(world.feed(&[*byte]).expect("no end"));
            assert!(world.device.carried_bytes() < 11);
        }
        assert_eq!(events, [r#"Write { pin: V1, value: "7", id: 9 }"#, r#"Write { pin: V1, value: "8", id: 10 }"#]);
        assert_eq!(world.device.carried_bytes(), 0);
    }

    #[test]
    fn waits_6_seconds_for_the_login() {
        let mut world = World::started(DeviceOptions::default());
        world.out.clear();
        assert_eq!(world.device.deadline(&world.opts), Millis(7_000));
        world.now = Millis(6_999);
        assert_eq!(world.timer(), Ok(vec![]));
        world.now = Millis(7_000);
        assert_eq!(world.timer(), Err(DeviceEnd::LoginTimeout));
    }

    #[test]
    fn pings_after_a_heartbeat_and_gives_up_18_seconds_later() {
        let mut world = World::live();
        world.now = Millis(40_999);
        assert_eq!(world.timer(), Ok(vec![]));
        assert_eq!(world.device.deadline(&world.opts), Millis(41_000));
        for at in [41_000, 47_000, 53_000] {
            world.now = Millis(at);
            assert_eq!(world.timer().map(|out| out.first().copied()), Ok(Some(6)), "a ping at {at}");
        }
        assert_eq!(world.device.deadline(&world.opts), Millis(59_000));
        world.now = Millis(59_000);
        assert_eq!(world.timer(), Err(DeviceEnd::Silent { silent_ms: 58_000 }));
    }

    #[test]
    fn a_device_that_only_writes_pings_all_the_same() {
        let mut world = World::live();
        for second in 2..=41 {
            world.now = Millis(second * 1_000);
            world.device.write(world.now, Pin::new_virtual(1), b"1", &mut Vec::new());
            assert_eq!(world.timer().map(|out| out.len()), Ok(if second == 41 { 5 } else { 0 }), "{second} s");
        }
    }

    #[test]
    fn ids_wrap_to_1() {
        let mut world = World::live();
        world.device.last_id = u16::MAX - 1;
        assert_eq!(world.device.ping(world.now, &mut world.out), u16::MAX);
        assert_eq!(world.device.ping(world.now, &mut world.out), 1);
    }

    #[test]
    fn a_new_start_forgets_the_old_connection() {
        let mut world = World::live();
        assert_eq!(world.feed(b"\x14\0"), Ok(vec![]));
        let token = Token::parse(TOKEN).expect("valid");
        world.device.start(world.now, &world.opts, &token, &mut Vec::new());
        assert_eq!((world.device.carried_bytes(), world.device.is_logged_in()), (0, false));
        assert_eq!(world.feed(b"\0\0\x01\0\xc8"), Ok(vec!["LoggedIn".into()]));
    }
}

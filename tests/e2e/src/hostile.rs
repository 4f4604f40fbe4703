//! What broken and hostile clients send, and what the protocol says must come of it.
//!
//! The expectations are written out by hand from `docs/protocol.md`: they must not be computed by the code under test.

use linchpin_compat::{Frame, command, status};

use crate::Random;

/// What must come of a malformed frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This status with the frame's id; the connection stays.
    Status(u16),
    /// Nothing; the connection stays.
    Silence,
    /// The connection ends, and before it this comes.
    End(Vec<u8>),
}

/// One attack on a fresh connection or on a session.
#[derive(Clone, Debug)]
pub struct Attack {
    /// Its kind, for the message of a failed test.
    pub name: &'static str,
    /// What is sent, in this many segments of any length.
    pub bytes: Vec<u8>,
    /// Where to cut it.
    pub cuts: Vec<usize>,
    /// What must come of it.
    pub outcome: Outcome,
}

/// Longest body that is taken, bytes (`docs/limits.md`).
const MAX_BODY_BYTES: usize = 32_768;
/// Characters of a token.
const TOKEN_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Characters that no token has.
const NOT_IN_TOKENS: &[u8] = b"\0\x01 !\"#$%&'()*+,./:;<=>?@[\\]^`{|}~\x7f\xff";
/// Commands that devices send. (A number, not a name, so that the list is not that of the code under test.)
const DEVICE_COMMANDS: [u8; 17] = [0, 2, 6, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 29, 41, 64, 65];

type Maker = fn(&mut Random) -> (Vec<u8>, Outcome);

/// Attacks on a connection that has not logged in. All of them end it.
const BEFORE_LOGIN: &[(&str, Maker)] = &[
    ("garbage", |r| {
        let len = r.between(1, 200);
        let mut bytes = r.bytes(len);
        // None of the first bytes that mean something: Blynk, MQTT, TLS, HTTP.
        bytes[0] = r.pick(&[0, 1, 3, 5, 6, 20, 0x2f, b'a', b'{', 0x80, 0xff]);
        (bytes, Outcome::End(Vec::new()))
    }),
    ("a command before the login", |r| {
        let command = r.pick(&[command::HARDWARE, command::PING, command::INTERNAL, command::PROPERTY]);
        (Frame::new(command, any_id(r), b"vw\x001\x002").bytes(), Outcome::End(Vec::new()))
    }),
    ("a token with wrong characters", |r| {
        let mut token = r.text(TOKEN_ALPHABET, 32);
        let at = r.between(1, 30);
        token[at] = r.pick(NOT_IN_TOKENS);
        refused_login(r, &token)
    }),
    ("a token of the wrong length", |r| {
        let len = r.pick(&[0, 1, 31, 33, 64]);
        let token = r.text(TOKEN_ALPHABET, len);
        refused_login(r, &token)
    }),
    ("an unknown token", |r| {
        let token = r.text(TOKEN_ALPHABET, 32);
        refused_login(r, &token)
    }),
    ("a login that announces too much", |r| {
        let len = r.between(124, usize::from(u16::MAX)) as u16;
        let mut bytes = vec![r.pick(&[command::LOGIN, command::LOGIN_OLD]), 0, 1];
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend(r.text(TOKEN_ALPHABET, 32));
        (bytes, Outcome::End(Vec::new()))
    }),
    // A CONNECT without a token: CONNACK with code 4.
    ("an MQTT packet", |_| {
        (b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x2d\x00\x02id".to_vec(), Outcome::End(vec![32, 2, 0, 4]))
    }),
    ("not quite TLS", |r| {
        let len = r.between(5, 60);
        let mut bytes = r.bytes(len);
        bytes[0] = 0x16;
        bytes[1] = r.pick(&[0, 1, 2, 4, 9, 0xff]);
        // A record of a version that does not exist: a fatal alert, protocol_version.
        (bytes, Outcome::End(vec![21, 3, 3, 0, 2, 2, 70]))
    }),
];

/// Attacks on a session.
const IN_SESSION: &[(&str, Maker)] = &[
    ("HARDWARE too short", |r| {
        let bodies: [&[u8]; 6] = [b"", b"v", b"vw", b"vw\0", b"vw\x001", b"aw\x001"];
        answered(r, command::HARDWARE, &bodies, status::ILLEGAL_COMMAND)
    }),
    ("HARDWARE on no pin", |r| {
        let bodies: [&[u8]; 6] = [
            b"vw\0x\x001",
            b"vw\x00256\x001",
            b"vw\x00-1\x001",
            b"vw\x0099999999999\x001",
            b"dw\0\x001",
            b"vw\x001.5\x001",
        ];
        answered(r, command::HARDWARE, &bodies, status::ILLEGAL_COMMAND)
    }),
    ("a value too long", |r| {
        let len = r.between(1_025, 3_000);
        let body = [b"vw\x001\0".to_vec(), r.text(TOKEN_ALPHABET, len)].concat();
        answered(r, command::HARDWARE, &[&body], status::ILLEGAL_COMMAND_BODY)
    }),
    ("SYNC of nothing", |r| {
        let bodies: [&[u8]; 4] = [b"vr", b"vw\x001", b"vr\0x", b"zz\x001\x002"];
        answered(r, command::SYNC, &bodies, status::ILLEGAL_COMMAND)
    }),
    ("PROPERTY of nothing", |r| {
        let bodies: [&[u8]; 6] = [b"", b"1", b"1\0color", b"x\0color\0red", b"1\0Color\0red", b"256\0color\0red"];
        answered(r, command::PROPERTY, &bodies, status::ILLEGAL_COMMAND_BODY)
    }),
    ("BRIDGE to nowhere", |r| {
        let bodies: [&[u8]; 3] = [b"", b"1", b"x\0i\0abc"];
        answered(r, command::BRIDGE, &bodies, status::ILLEGAL_COMMAND)
    }),
    ("BRIDGE with a wrong token", |r| {
        let token = [b"1\0i\0".to_vec(), r.text(TOKEN_ALPHABET, 32)].concat();
        answered(r, command::BRIDGE, &[b"1\0i\0short", &token], status::NOT_ALLOWED)
    }),
    ("BRIDGE that was never opened", |r| answered(r, command::BRIDGE, &[b"77\0vw\x001\x002"], status::NOT_ALLOWED)),
    ("a GROUP of no kind", |r| {
        let bodies: [&[u8]; 4] = [b"", b"x", b"t\0yesterday", b"t\x001"];
        answered(r, command::GROUP, &bodies, status::ILLEGAL_COMMAND_BODY)
    }),
    ("an EVENT without a name", |r| {
        let command = r.pick(&[command::EVENT_LOG, command::EVENT_CLEAR]);
        answered(r, command, &[b"", b"\0text"], status::ILLEGAL_COMMAND_BODY)
    }),
    ("an EMAIL without a text", |r| answered(r, command::EMAIL, &[b"", b"subject"], status::ILLEGAL_COMMAND)),
    ("a notification without a text", |r| {
        let command = r.pick(&[command::TWEET, command::PUSH, command::SMS]);
        answered(r, command, &[b""], status::NOTIFICATION_INVALID_BODY)
    }),
    ("a notification too long", |r| {
        let text = r.text(TOKEN_ALPHABET, 300);
        answered(r, command::PUSH, &[&text], status::NOTIFICATION_INVALID_BODY)
    }),
    ("a second login", |r| {
        let command = r.pick(&[command::LOGIN, command::LOGIN_OLD]);
        let token = r.text(TOKEN_ALPHABET, 32);
        answered(r, command, &[&token], status::ALREADY_REGISTERED)
    }),
    ("a command of the app", |r| {
        let app_commands: Vec<u8> =
            (0..100).filter(|number| *number == 41 || !DEVICE_COMMANDS.contains(number)).collect();
        let command = r.pick(&app_commands);
        let len = r.between(0, 40);
        let body = r.bytes(len);
        answered(r, command, &[&body], status::ILLEGAL_COMMAND)
    }),
    ("a command that nobody has", |r| {
        let frame = Frame::new(r.between(100, 255) as u8, any_id(r), b"");
        (frame.bytes(), Outcome::End(Vec::new()))
    }),
    ("a body that is announced too long", |r| {
        let len = r.between(MAX_BODY_BYTES + 1, usize::from(u16::MAX)) as u16;
        let mut bytes = vec![command::HARDWARE, 0, 9];
        bytes.extend_from_slice(&len.to_be_bytes());
        (bytes, Outcome::End(Vec::new()))
    }),
    ("an answer to nothing", |r| (Frame::response(any_id(r), r.next() as u16).bytes(), Outcome::Silence)),
];

fn any_id(random: &mut Random) -> u16 {
    random.between(1, usize::from(u16::MAX)) as u16
}

fn refused_login(random: &mut Random, token: &[u8]) -> (Vec<u8>, Outcome) {
    let id = any_id(random);
    let command = random.pick(&[command::LOGIN, command::LOGIN_OLD]);
    let answer = Frame::response(id, status::INVALID_TOKEN).bytes();
    (Frame::new(command, id, token).bytes(), Outcome::End(answer))
}

fn answered(random: &mut Random, command: u8, bodies: &[&[u8]], status: u16) -> (Vec<u8>, Outcome) {
    (Frame::new(command, any_id(random), random.pick(bodies)).bytes(), Outcome::Status(status))
}

fn attack(random: &mut Random, kinds: &[(&'static str, Maker)]) -> Attack {
    let (name, make) = kinds[random.between(0, kinds.len() - 1)];
    let (bytes, outcome) = make(random);
    let cut_count = random.pick(&[0, 0, 1, 2]);
    let mut cuts: Vec<usize> = (0..cut_count).map(|_| random.between(0, bytes.len())).collect();
    cuts.sort_unstable();
    Attack { name, bytes, cuts, outcome }
}

impl Attack {
    /// One on a connection that has not logged in.
    pub fn before_login(random: &mut Random) -> Self {
        attack(random, BEFORE_LOGIN)
    }

    /// One on a session.
    pub fn in_session(random: &mut Random) -> Self {
        attack(random, IN_SESSION)
    }

    /// Its bytes in the pieces that it is sent in.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.cuts.iter().copied());
        let ends = self.cuts.iter().copied().chain(std::iter::once(self.bytes.len()));
        starts.zip(ends).map(|(start, end)| &self.bytes[start..end]).filter(|piece| !piece.is_empty())
    }

    /// The id of the frame, which an answer must bear.
    #[must_use]
    pub fn id(&self) -> u16 {
        u16::from_be_bytes([self.bytes[1], self.bytes[2]])
    }
}

//! Cutting frames out of a stream of bytes.

use nom::Parser as _;
use nom::number::complete::{be_u8, be_u16};

use crate::Fault;
use crate::limits::{COMMAND_NUMBERS, MAX_LOGIN_FRAME_BYTES};

use super::Command;

/// Length of the header: command, message id (2), length of the body or status (2), big-endian.
pub const HEADER_BYTES: usize = 5;

/// One frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The number of the command, below [`COMMAND_NUMBERS`].
    pub command: u8,
    /// Message id; an answer repeats that of the question. 0 is legal from devices only.
    pub id: u16,
    /// The third field: the status of a RESPONSE, the length of the body of any other.
    pub status_or_len: u16,
    /// The body; empty for a RESPONSE.
    pub body: &'a [u8],
}

/// Bodies may hold secrets: only their length is shown.
impl std::fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame {{ command: {}, id: {}, status_or_len: {} }}", self.command, self.id, self.status_or_len)
    }
}

/// What stands at the start of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split<'a> {
    /// A whole frame.
    Frame {
        /// It.
        frame: Frame<'a>,
        /// Its length with header, bytes: go on behind them.
        used: usize,
    },
    /// The start of a frame, or nothing: call again with the same bytes and more behind them.
    Partial {
        /// Length of the frame with header as far as it is known, bytes: at least so many are needed in all.
        need: usize,
    },
}

struct Header {
    command: u8,
    id: u16,
    status_or_len: u16,
}

/// The header, once it is complete and its command can exist.
#[inline]
fn header(bytes: &[u8]) -> Result<Option<Header>, Fault> {
    let mut fields = (be_u8::<_, ()>, be_u16, be_u16);
    let Ok((_, (command, id, status_or_len))) = fields.parse(bytes) else {
        return Ok(None);
    };
    if command >= COMMAND_NUMBERS {
        return Err(Fault::UnknownCommand { command });
    }
    Ok(Some(Header { command, id, status_or_len }))
}

impl Header {
    fn body_bytes(&self) -> usize {
        if self.command == Command::Response.number() { 0 } else { usize::from(self.status_or_len) }
    }
}

/// Cut the first frame off `bytes`. `max_body`: longest body to take, bytes.
///
/// # Errors
/// [`Fault::UnknownCommand`] and [`Fault::BodyTooLarge`], both from the header alone. The stream has no place to go on
/// from: close it.
#[inline]
pub fn split(bytes: &[u8], max_body: usize) -> Result<Split<'_>, Fault> {
    let Some(header) = header(bytes)? else {
        return Ok(Split::Partial { need: HEADER_BYTES });
    };
    let body_bytes = header.body_bytes();
    if body_bytes > max_body {
        return Err(Fault::BodyTooLarge { len_bytes: body_bytes, limit_bytes: max_body });
    }
    let used = HEADER_BYTES + body_bytes;
    let Some(body) = bytes.get(HEADER_BYTES..used) else {
        return Ok(Split::Partial { need: used });
    };
    let Header { command, id, status_or_len } = header;
    Ok(Split::Frame { frame: Frame { command, id, status_or_len, body }, used })
}

/// As [`split`], for the first frame of a connection, which must be a login: what cannot become one is refused from its
/// header, before its body is waited for.
///
/// # Errors
/// [`Fault::UnknownCommand`], [`Fault::BeforeLogin`] and [`Fault::LoginTooLong`]: close the connection.
#[inline]
pub fn split_login(bytes: &[u8]) -> Result<Split<'_>, Fault> {
    if let Some(header) = header(bytes)? {
        let Header { command, .. } = header;
        if !matches!(Command::from_number(command), Some(Command::Login | Command::LoginOld)) {
            return Err(Fault::BeforeLogin { command });
        }
        let len_bytes = HEADER_BYTES + header.body_bytes();
        if len_bytes > MAX_LOGIN_FRAME_BYTES {
            return Err(Fault::LoginTooLong { len_bytes, limit_bytes: MAX_LOGIN_FRAME_BYTES });
        }
    }
    split(bytes, MAX_LOGIN_FRAME_BYTES - HEADER_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: &[u8] = b"\x14\x00\x03\x00\x06vw\x000\x006";

    #[test]
    fn a_frame_is_cut_once_it_is_whole() {
        for cut in 0..HEADER_BYTES {
            assert_eq!(split(&WRITE[..cut], 64), Ok(Split::Partial { need: HEADER_BYTES }));
        }
        for cut in HEADER_BYTES..WRITE.len() {
            assert_eq!(split(&WRITE[..cut], 64), Ok(Split::Partial { need: WRITE.len() }));
        }
        let frame = Frame { command: 20, id: 3, status_or_len: 6, body: &WRITE[5..] };
        let two = [WRITE, WRITE].concat();
        assert_eq!(split(&two, 64), Ok(Split::Frame { frame, used: WRITE.len() }));
    }

    #[test]
    fn a_response_has_no_body() {
        let bytes = b"\x00\x00\x07\x00\xc8\x14";
        let frame = Frame { command: 0, id: 7, status_or_len: 200, body: b"" };
        assert_eq!(split(bytes, 0), Ok(Split::Frame { frame, used: 5 }));
    }

    #[test]
    fn the_header_alone_refuses() {
        assert_eq!(split(&WRITE[..5], 5), Err(Fault::BodyTooLarge { len_bytes: 6, limit_bytes: 5 }));
        assert_eq!(split(&[100, 0, 1, 0, 0], 64), Err(Fault::UnknownCommand { command: 100 }));
        assert!(split(&[99, 0, 1, 0, 0], 64).is_ok());
    }

    #[test]
    fn the_first_frame_is_a_short_login() {
        let login = [&[29, 0, 1, 0, 32][..], &[b'a'; 32]].concat();
        assert!(matches!(split_login(&login), Ok(Split::Frame { used: 37, .. })));
        assert!(matches!(split_login(&login[..36]), Ok(Split::Partial { need: 37 })));
        assert!(matches!(split_login(&[2, 0, 1, 0, 123]), Ok(Split::Partial { need: 128 })));
        let too_long = Fault::LoginTooLong { len_bytes: 129, limit_bytes: 128 };
        assert_eq!(split_login(&[29, 0, 1, 0, 124]), Err(too_long));
        assert_eq!(split_login(WRITE), Err(Fault::BeforeLogin { command: 20 }));
        assert_eq!(split_login(&[0, 0, 1, 0, 200]), Err(Fault::BeforeLogin { command: 0 }));
        assert_eq!(split_login(&[255; 5]), Err(Fault::UnknownCommand { command: 255 }));
    }

    #[test]
    fn debug_shows_no_body() {
        let login = [&[29, 0, 1, 0, 32][..], &[b'a'; 32]].concat();
        assert!(!format!("{:?}", split_login(&login)).contains("aaa"));
    }
}

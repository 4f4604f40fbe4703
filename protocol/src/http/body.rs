//! Bodies of requests, cut from the stream as their bytes come.

use crate::limits::{HTTP_BODY_BYTES, HTTP_CHUNK_LINE_BYTES, HTTP_CHUNKS, HTTP_HEAD_BYTES};

use super::HttpFault;

/// How a request's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// After so many bytes.
    Known(usize),
    /// By its last chunk.
    Chunked,
}

/// Reads one body, at any cut of its bytes. It holds no bytes of its own: a copy of it can look ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDecoder(State);

/// What the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// One of so many bytes of a body with a known length.
    Known(usize),
    /// A digit of a chunk's size, or the CR behind it.
    Size { digits: usize, size: usize },
    /// The LF behind a chunk's size.
    SizeEnd { size: usize },
    /// One of so many bytes of a chunk.
    Chunk(usize),
    /// The CR behind a chunk.
    ChunkCr,
    /// The LF behind a chunk.
    ChunkLf,
    /// The CR of the empty line behind the last chunk.
    LastCr,
    /// Its LF.
    LastLf,
    /// None of this body.
    Over,
}

/// What [`BodyDecoder::next`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyPart<'a> {
    /// Bytes of the body, at least one.
    Bytes(&'a [u8]),
    /// All given bytes were used (or `most` is 0) and the body goes on: come back with more.
    More,
    /// The body is over; what follows belongs to the next request.
    End,
}

impl BodyDecoder {
    /// For a body that is about to begin.
    #[must_use]
    pub const fn new(length: BodyLength) -> Self {
        Self(match length {
            BodyLength::Known(0) => State::Over,
            BodyLength::Known(left) => State::Known(left),
            BodyLength::Chunked => State::Size { digits: 0, size: 0 },
        })
    }

    /// Has the body's last byte been read, with its framing?
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self.0, State::Over)
    }

    /// The next part of the body, at most `most` bytes of it, and how many of `bytes` were used. With `most` 0 only framing
    /// is read, up to the next byte of the body.
    ///
    /// # Errors
    /// It is not in strictly chunked form: extensions and trailer fields are not taken.
    pub fn next<'a>(&mut self, bytes: &'a [u8], most: usize) -> Result<(BodyPart<'a>, usize), HttpFault> {
        let mut at = 0;
        loop {
            if let State::Known(left) | State::Chunk(left) = self.0 {
                let part = &bytes[at..bytes.len().min(at + left.min(most))];
                if part.is_empty() {
                    return Ok((BodyPart::More, at));
                }
                self.0 = match (self.0, left - part.len()) {
                    (State::Known(_), 0) => State::Over,
                    (State::Known(_), left) => State::Known(left),
                    (_, 0) => State::ChunkCr,
                    (_, left) => State::Chunk(left),
                };
                return Ok((BodyPart::Bytes(part), at + part.len()));
            }
            if self.is_over() {
                return Ok((BodyPart::End, at));
            }
            let Some(&byte) = bytes.get(at) else { return Ok((BodyPart::More, at)) };
            self.0 = self.0.after(byte)?;
            at += 1;
        }
    }

    /// Bytes that the body is known to have left: all of them, or those of the current chunk.
    const fn left(self) -> usize {
        match self.0 {
            State::Known(left) | State::Chunk(left) => left,
            State::Size { size, .. } | State::SizeEnd { size } => size,
            _ => 0,
        }
    }
}

impl State {
    /// A byte of the framing.
    fn after(self, byte: u8) -> Result<Self, HttpFault> {
        const SIZE: HttpFault = HttpFault::Chunk { what: "a size line is not 1 to 8 hexadecimal digits" };
        const LONGER: HttpFault = HttpFault::Chunk { what: "a chunk is longer than its size" };
        const TRAILER: HttpFault = HttpFault::Chunk { what: "something follows the last chunk" };
        Ok(match (self, byte) {
            (Self::Size { digits: 1.., size }, b'\r') => Self::SizeEnd { size },
            (Self::Size { digits, size }, digit) if digits + 2 < HTTP_CHUNK_LINE_BYTES => {
                let value = char::from(digit).to_digit(16).ok_or(SIZE)?;
                Self::Size { digits: digits + 1, size: size << 4 | value as usize }
            }
            (Self::SizeEnd { size: 0 }, b'\n') => Self::LastCr,
            (Self::SizeEnd { size }, b'\n') => Self::Chunk(size),
            (Self::Size { .. } | Self::SizeEnd { .. }, _) => return Err(SIZE),
            (Self::ChunkCr, b'\r') => Self::ChunkLf,
            (Self::ChunkLf, b'\n') => Self::Size { digits: 0, size: 0 },
            (Self::ChunkCr | Self::ChunkLf, _) => return Err(LONGER),
            (Self::LastCr, b'\r') => Self::LastLf,
            (Self::LastLf, b'\n') => Self::Over,
            (Self::LastCr | Self::LastLf, _) => return Err(TRAILER),
            // Not framing: `next` does not ask.
            (Self::Known(_) | Self::Chunk(_) | Self::Over, _) => self,
        })
    }
}

/// Decode a whole chunked body of at most [`HTTP_BODY_BYTES`] in [`HTTP_CHUNKS`] chunks. `None`: its end has not come.
/// The second half of the answer is how many bytes it took.
pub(super) fn chunked(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, HttpFault> {
    // Copied only once everything is there: a body that comes byte by byte costs little.
    let Some(used) = walk(bytes, |_| {})? else { return Ok(None) };
    let mut body = Vec::new();
    walk(bytes, |chunk| body.extend_from_slice(chunk))?;
    Ok(Some((body, used)))
}

/// How far the chunks of a request were gone through that lies in a buffer from its first byte on and is not whole: what was
/// gone through is not looked at again however often more comes. It is good for that buffer only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunksSeen {
    /// Where the next chunk begins; 0: nothing was gone through.
    at: u32,
    /// Bytes before it that are not of the body.
    framing: u16,
    /// Chunks before it.
    chunks: u16,
}

impl ChunksSeen {
    /// Nothing was gone through.
    pub const NONE: Self = Self { at: 0, framing: 0, chunks: 0 };

    /// Behind a head of so many bytes.
    pub(super) const fn behind_head(len: usize) -> Self {
        const _: () = assert!(HTTP_HEAD_BYTES * 2 + HTTP_CHUNKS * (HTTP_CHUNK_LINE_BYTES + 4) <= u16::MAX as usize);
        Self { at: len as u32, framing: len as u16, chunks: 0 }
    }

    /// Bytes of the request that are not looked at again before it is whole.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.at as usize
    }

    pub(super) const fn is_behind_head(self) -> bool {
        self.at > 0
    }

    /// Go on through the chunks. How many bytes the request has at least: with fewer it is not worth to look at it again;
    /// `None`: it is whole, or wrong.
    pub(super) fn least(&mut self, bytes: &[u8]) -> Option<usize> {
        while usize::from(self.chunks) < HTTP_CHUNKS {
            let at = self.at as usize;
            let (rest, mut decoder) = (bytes.get(at..)?, BodyDecoder::new(BodyLength::Chunked));
            let (part, used) = decoder.next(rest, usize::MAX).ok()?;
            let chunk_bytes = match part {
                BodyPart::Bytes(chunk) => chunk.len(),
                BodyPart::More => 0,
                BodyPart::End => return None,
            };
            let body_bytes = at - usize::from(self.framing) + chunk_bytes;
            if body_bytes + decoder.left() > HTTP_BODY_BYTES {
                return None;
            }
            if chunk_bytes == 0 && decoder.left() == 0 {
                return Some(at + used + 1);
            }
            let left = decoder.left();
            let behind = if left == 0 { &rest[used..rest.len().min(used + 2)] } else { &[][..] };
            decoder.next(behind, 0).ok()?;
            if behind.len() < 2 {
                return Some(at + used + left + CHUNK_AND_LAST);
            }
            self.at += used as u32 + 2;
            self.framing += (used + 2 - chunk_bytes) as u16;
            self.chunks += 1;
        }
        None
    }
}

/// The shortest end of a body behind a chunk.
const CHUNK_AND_LAST: usize = b"\r\n0\r\n\r\n".len();

/// Go through all chunks. How many bytes they take, `None` if their end has not come.
fn walk<'a>(bytes: &'a [u8], mut on_chunk: impl FnMut(&'a [u8])) -> Result<Option<usize>, HttpFault> {
    let mut decoder = BodyDecoder::new(BodyLength::Chunked);
    let (mut at, mut body_bytes) = (0, 0);
    for _ in 0..HTTP_CHUNKS {
        let (part, used) = decoder.next(&bytes[at..], usize::MAX)?;
        at += used;
        if let BodyPart::Bytes(chunk) = part {
            body_bytes += chunk.len();
            on_chunk(chunk);
        }
        if body_bytes + decoder.left() > HTTP_BODY_BYTES {
            return Err(HttpFault::BodyTooLarge);
        }
        match part {
            BodyPart::Bytes(_) => {}
            BodyPart::More => return Ok(None),
            BodyPart::End => return Ok(Some(at)),
        }
    }
    Err(HttpFault::Chunk { what: "too many chunks" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn chunks_are_joined_at_any_cut() {
        let whole = b"3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\nnext";
        let len = whole.len() - 4;
        for cut in 0..len {
            assert_eq!(chunked(&whole[..cut]), Ok(None), "{cut} bytes");
        }
        assert_eq!(chunked(whole), Ok(Some((b"abc0123456789".to_vec(), len))));
        assert_eq!(chunked(b"0\r\n\r\n"), Ok(Some((Vec::new(), 5))));
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for bad in [
            &b"x\r\n"[..],
            b"\r\n",
            b"3;a=b\r\nabc\r\n",
            b"-3\r\n",
            b"+3\r\n",
            b"0x3\r\n",
            b"3 \r\nabc\r\n",
            b"3\nabc\r\n",
            b"3\r\nabcd\r\n",
            b"1\r\n\r\n",
            b"0\r\nTrailer: x\r\n\r\n",
            b"000000000003\r\nabc\r\n",
        ] {
            assert!(matches!(chunked(bad), Err(HttpFault::Chunk { .. })), "{:?}", bad.escape_ascii().to_string());
            assert_eq!(ChunksSeen::behind_head(0).least(bad), None, "not waited for");
            let (all, _) = read(BodyLength::Chunked, bad, bad.len(), usize::MAX);
            assert!(matches!(all, Err(HttpFault::Chunk { .. })), "{:?}", bad.escape_ascii().to_string());
        }
        assert_eq!(chunked(b"FFFFFFFF\r\n"), Err(HttpFault::BodyTooLarge));
        let many = b"1\r\na\r\n".repeat(HTTP_CHUNKS);
        assert!(matches!(chunked(&many), Err(HttpFault::Chunk { what: "too many chunks" })));
    }

    /// Feed `bytes` in pieces of `step`; the body, `None` if it is not over, and the bytes that it took.
    fn read(length: BodyLength, bytes: &[u8], step: usize, most: usize) -> (Result<Option<Vec<u8>>, HttpFault>, usize) {
        let mut decoder = BodyDecoder::new(length);
        let (mut body, mut at) = (Vec::new(), 0);
        for end in (step..bytes.len() + step).step_by(step).map(|end| end.min(bytes.len())) {
            loop {
                match decoder.next(&bytes[at..end], most) {
                    Err(fault) => return (Err(fault), at),
                    Ok((BodyPart::Bytes(part), used)) => {
                        assert!(!part.is_empty() && part.len() <= most && used >= part.len());
                        body.extend_from_slice(part);
                        at += used;
                    }
                    Ok((BodyPart::More, used)) => {
                        at += used;
                        assert_eq!(at, end, "everything given is used");
                        break;
                    }
                    Ok((BodyPart::End, used)) => {
                        assert!(decoder.is_over());
                        return (Ok(Some(body)), at + used);
                    }
                }
            }
        }
        (Ok(None), at)
    }

    #[test]
    fn a_known_length_takes_just_its_bytes() {
        assert_eq!(read(BodyLength::Known(3), b"abcdef", 2, 9), (Ok(Some(b"abc".to_vec())), 3));
        assert_eq!(read(BodyLength::Known(0), b"abc", 1, 9), (Ok(Some(Vec::new())), 0));
        assert_eq!(read(BodyLength::Known(9), b"abc", 1, 1), (Ok(None), 3));
        assert!(BodyDecoder::new(BodyLength::Known(0)).is_over());
        assert!(!BodyDecoder::new(BodyLength::Chunked).is_over());
    }

    proptest! {
        /// Any body comes out of its chunks as it went in, however both are cut.
        #[test]
        fn chunked_bodies_come_whole(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 0..12),
            step in 1_usize..700,
            most in 1_usize..400,
        ) {
            let mut wire = Vec::new();
            for chunk in &chunks {
                wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n\r\n");
            let len = wire.len();
            wire.extend_from_slice(b"GET / HTTP/1.1\r\n");
            prop_assert_eq!(read(BodyLength::Chunked, &wire, step, most), (Ok(Some(chunks.concat())), len));
            prop_assert_eq!(chunked(&wire), Ok(Some((chunks.concat(), len))));
            // Looked at from the beginning, and going on from the cut before.
            let mut going_on = ChunksSeen::behind_head(0);
            for cut in 0..len {
                let least = ChunksSeen::behind_head(0).least(&wire[..cut]).expect("its end has not come");
                prop_assert!(cut < least && least <= len, "{cut} bytes of {len} have come, {least} at least");
                prop_assert_eq!(going_on.least(&wire[..cut]), Some(least));
            }
            prop_assert_eq!(going_on.least(&wire), None);
            prop_assert_eq!(ChunksSeen::behind_head(0).least(&wire), None);
        }

        /// What is wrong is not waited for, and more is waited for only while a whole body may still come.
        #[test]
        fn who_goes_on_through_chunks_judges_as_who_begins_anew(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'1'), Just(b'0'), any::<u8>()], 0..60),
        ) {
            let mut going_on = ChunksSeen::behind_head(0);
            for cut in 0..=bytes.len() {
                let least = going_on.least(&bytes[..cut]);
                prop_assert_eq!(least.is_some(), matches!(chunked(&bytes[..cut]), Ok(None)), "{} bytes", cut);
                if least.is_none() {
                    break;
                }
            }
        }

        /// The cut of the bytes changes nothing, right or wrong.
        #[test]
        fn cuts_do_not_change_the_judgement(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'1'), Just(b'0'), any::<u8>()], 0..60),
            step in 1_usize..9,
        ) {
            let (whole, in_parts) = (read(BodyLength::Chunked, &bytes, 60, 99), read(BodyLength::Chunked, &bytes, step, 3));
            prop_assert_eq!(whole.0, in_parts.0);
        }
    }
}

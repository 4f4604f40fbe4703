//! Reading frames, in the buffer that they came in.

mod pack;

use std::fmt;

use crate::limits::{WS_CONTROL_BYTES, WS_PAYLOAD_BYTES};

use super::{CloseCode, FrameKind};

/// Which side reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The server: frames must be masked.
    Server,
    /// The client: frames must not be.
    Client,
}

/// A frame that breaks the rules; the connection is closed with its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WsFault {
    /// Reserved bits are set: an extension that was not agreed on.
    Reserved,
    /// An opcode that does not exist.
    Opcode(u8),
    /// Masked by a server or not masked by a client.
    Mask,
    /// A control frame in parts, or longer than `limits::WS_CONTROL_BYTES`.
    Control,
    /// A continuation of nothing, or a new message inside another.
    Fragment,
    /// A length that is not in its shortest form.
    Length,
    /// A payload over `limits::WS_PAYLOAD_BYTES`.
    TooBig,
    /// A text message: the Blynk stream is binary.
    Text,
    /// A binary message: this stream is text.
    Binary,
    /// A close frame with one byte of code, or a code that must not be sent.
    CloseCode,
    /// The reason in a close frame is not UTF-8.
    CloseText,
}

impl WsFault {
    /// The code to close with.
    #[must_use]
    pub const fn code(self) -> CloseCode {
        match self {
            Self::TooBig => CloseCode::TooBig,
            Self::Text | Self::Binary => CloseCode::Unsupported,
            Self::CloseText => CloseCode::Payload,
            _ => CloseCode::Protocol,
        }
    }
}

impl fmt::Display for WsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved => f.write_str("reserved bits are set; switch extensions such as compression off"),
            Self::Opcode(opcode) => write!(f, "there is no opcode {opcode}; check the client"),
            Self::Mask => f.write_str("frames of a client are masked, those of a server are not; check the client"),
            Self::Control => {
                write!(f, "a control frame is whole and has {WS_CONTROL_BYTES} bytes at most; check the client")
            }
            Self::Fragment => f.write_str("messages in parts must not be mixed; check the client"),
            Self::Length => f.write_str("a length is not in its shortest form; check the client"),
            Self::TooBig => write!(f, "a frame has {WS_PAYLOAD_BYTES} bytes at most; send several"),
            Self::Text => f.write_str("what is spoken here travels in binary frames; send those"),
            Self::Binary => f.write_str("what is spoken here travels in text frames; send those"),
            Self::CloseText => f.write_str("the reason in a close frame is not UTF-8; check the client"),
            Self::CloseCode => f.write_str("a close frame has a code that must not be sent; check the client"),
        }
    }
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes of the stream, unmasked in place.
    Data(&'a mut [u8]),
    /// Answer it with a pong of the same payload.
    Ping(Vec<u8>),
    /// The peer says goodbye: answer with a close and end.
    Close,
    /// Everything was read.
    End,
}

/// Longest frame header: 2, 8 of length, 4 of mask.
const HEADER_BYTES: usize = 14;

/// The state between two reads, for a connection that may stay idle for long: 48 bytes and, rarely, a control frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoder {
    role: Role,
    /// A header that is not complete.
    header: [u8; HEADER_BYTES],
    header_len: u8,
    /// The frame that is being read; `None` between frames.
    kind: Option<FrameKind>,
    /// A message in parts is open.
    in_message: bool,
    /// This frame ends its message.
    is_last: bool,
    mask: [u8; 4],
    /// Payload that has not come.
    left: u64,
    /// Payload of a control frame so far.
    control: Vec<u8>,
    /// Data frames are text, not binary.
    is_text: bool,
    /// The reader looks at whole messages: the end of each is a piece, if an empty one.
    by_message: bool,
}

impl Decoder {
    /// Before the first frame.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self {
            role,
            header: [0; HEADER_BYTES],
            header_len: 0,
            kind: None,
            in_message: false,
            is_last: true,
            mask: [0; 4],
            left: 0,
            control: Vec::new(),
            is_text: false,
            by_message: false,
        }
    }

    /// The same for messages, of text or binary: [`Self::is_at_end`] says where each ends.
    #[must_use]
    pub const fn of_messages(role: Role, is_text: bool) -> Self {
        let mut decoder = Self::new(role);
        (decoder.is_text, decoder.by_message) = (is_text, true);
        decoder
    }

    /// Has the message ended with the piece before?
    #[must_use]
    pub const fn is_at_end(&self) -> bool {
        self.kind.is_none() && !self.in_message
    }

    /// Memory behind the structure.
    #[must_use]
    pub const fn heap_bytes(&self) -> usize {
        self.control.capacity()
    }

    /// Read on: the next piece of `bytes`, and what is left of them. To be called until [`Piece::End`].
    ///
    /// # Errors
    /// A frame breaks the rules; nothing more must be read.
    pub fn next<'a>(&mut self, bytes: &'a mut [u8]) -> Result<(Piece<'a>, &'a mut [u8]), WsFault> {
        let mut rest = bytes;
        loop {
            let Some(kind) = self.kind else {
                let used = self.read_header(rest)?;
                rest = &mut rest[used..];
                if self.kind.is_none() {
                    return Ok((Piece::End, rest));
                }
                continue;
            };
            let take = usize::try_from(self.left).map_or(rest.len(), |left| left.min(rest.len()));
            if take == 0 && self.left > 0 {
                return Ok((Piece::End, rest));
            }
            let (payload, after) = rest.split_at_mut(take);
            rest = after;
            self.unmask(payload);
            self.left -= take as u64;
            let is_done = self.left == 0;
            if is_done {
                self.kind = None;
            }
            match kind {
                FrameKind::Binary | FrameKind::Continuation | FrameKind::Text => {
                    if is_done {
                        self.in_message = !self.is_last;
                    }
                    if !payload.is_empty() || self.by_message && is_done && self.is_last {
                        return Ok((Piece::Data(payload), rest));
                    }
                }
                FrameKind::Close | FrameKind::Ping | FrameKind::Pong => {
                    self.control.extend_from_slice(payload);
                    if is_done && let Some(piece) = self.control_piece(kind)? {
                        return Ok((piece, rest));
                    }
                }
            }
        }
    }

    /// A whole control frame.
    fn control_piece<'a>(&mut self, kind: FrameKind) -> Result<Option<Piece<'a>>, WsFault> {
        let payload = std::mem::take(&mut self.control);
        match kind {
            FrameKind::Ping => Ok(Some(Piece::Ping(payload))),
            FrameKind::Close => match payload[..] {
                [] => Ok(Some(Piece::Close)),
                [high, low, ref text @ ..] if may_be_sent(u16::from_be_bytes([high, low])) => {
                    std::str::from_utf8(text).map(|_| Some(Piece::Close)).map_err(|_| WsFault::CloseText)
                }
                _ => Err(WsFault::CloseCode),
            },
            _ => Ok(None),
        }
    }

    /// Take bytes of the header; sets `kind` once it is complete. Returns how many bytes it took.
    fn read_header(&mut self, bytes: &[u8]) -> Result<usize, WsFault> {
        let mut used = 0;
        loop {
            let have = usize::from(self.header_len);
            let need = self.header_bytes_needed();
            if have == need {
                self.begin_frame()?;
                return Ok(used);
            }
            let Some(&byte) = bytes.get(used) else { return Ok(used) };
            self.header[have] = byte;
            self.header_len += 1;
            used += 1;
            if self.header_len == 2 {
                self.check_first_bytes()?;
            }
        }
    }

    fn header_bytes_needed(&self) -> usize {
        if self.header_len < 2 {
            return 2;
        }
        let mask = if self.header[1] & 0x80 != 0 { 4 } else { 0 };
        let length = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length + mask
    }

    fn check_first_bytes(&self) -> Result<(), WsFault> {
        let (first, second) = (self.header[0], self.header[1]);
        if first & 0x70 != 0 {
            return Err(WsFault::Reserved);
        }
        let kind = FrameKind::from_opcode(first & 0x0f).ok_or(WsFault::Opcode(first & 0x0f))?;
        if (second & 0x80 != 0) != (self.role == Role::Server) {
            return Err(WsFault::Mask);
        }
        let is_last = first & 0x80 != 0;
        match kind {
            FrameKind::Close | FrameKind::Ping | FrameKind::Pong
                if !is_last || second & 0x7f > WS_CONTROL_BYTES as u8 =>
            {
                Err(WsFault::Control)
            }
            FrameKind::Text if !self.is_text => Err(WsFault::Text),
            FrameKind::Binary if self.is_text => Err(WsFault::Binary),
            FrameKind::Continuation if !self.in_message => Err(WsFault::Fragment),
            FrameKind::Binary | FrameKind::Text if self.in_message => Err(WsFault::Fragment),
            _ => Ok(()),
        }
    }

    fn begin_frame(&mut self) -> Result<(), WsFault> {
        let header = &self.header[..usize::from(self.header_len)];
        let short = header[1] & 0x7f;
        let (left, length_bytes) = match short {
            126 => (u64::from(u16::from_be_bytes([header[2], header[3]])), 2),
            127 => {
                let mut word = [0; 8];
                word.copy_from_slice(&header[2..10]);
                (u64::from_be_bytes(word), 8)
            }
            short => (u64::from(short), 0),
        };
        if (short == 126 && left < 126) || (short == 127 && left <= u64::from(u16::MAX)) {
            return Err(WsFault::Length);
        }
        if left > WS_PAYLOAD_BYTES {
            return Err(WsFault::TooBig);
        }
        self.mask = match header[2 + length_bytes..] {
            [a, b, c, d] => [a, b, c, d],
            _ => [0; 4],
        };
        let kind = FrameKind::from_opcode(header[0] & 0x0f);
        match kind {
            Some(FrameKind::Close | FrameKind::Ping | FrameKind::Pong) => {}
            _ => {
                self.is_last = header[0] & 0x80 != 0;
                self.in_message = true;
            }
        }
        (self.kind, self.left, self.header_len) = (kind, left, 0);
        Ok(())
    }

    /// Undo the mask and turn it by the length, so that the next part continues where this one ended.
    fn unmask(&mut self, payload: &mut [u8]) {
        if self.role == Role::Client {
            return;
        }
        let word = u64::from_ne_bytes([
            self.mask[0],
            self.mask[1],
            self.mask[2],
            self.mask[3],
            self.mask[0],
            self.mask[1],
            self.mask[2],
            self.mask[3],
        ]);
        let (words, tail) = payload.as_chunks_mut::<8>();
        for chunk in words {
            *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
        }
        for (byte, key) in tail.iter_mut().zip(self.mask.iter().cycle()) {
            *byte ^= key;
        }
        self.mask.rotate_left(payload.len() % 4);
    }
}

/// Codes that may stand in a close frame.
const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::super::{client_frame, close, frame_header};
    use super::*;
    use proptest::prelude::*;

    /// Data, payloads of pings, and whether the stream was closed.
    type Read = Result<(Vec<u8>, Vec<Vec<u8>>, bool), WsFault>;

    /// Everything that a decoder makes of some reads.
    fn read(decoder: &mut Decoder, reads: &mut [Vec<u8>]) -> Read {
        let (mut data, mut pings, mut closed) = (Vec::new(), Vec::new(), false);
        for bytes in reads {
            let mut rest = bytes.as_mut_slice();
            loop {
                let (piece, after) = decoder.next(rest)?;
                match piece {
                    Piece::Data(bytes) => data.extend_from_slice(bytes),
                    Piece::Ping(payload) => pings.push(payload),
                    Piece::Close => closed = true,
                    Piece::End => break,
                }
                rest = after;
            }
        }
        Ok((data, pings, closed))
    }

    fn whole(bytes: &[u8]) -> Read {
        read(&mut Decoder::new(Role::Server), &mut [bytes.to_vec()])
    }

    fn fragment(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
        let start = out.len();
        client_frame(out, FrameKind::Binary, payload, [9, 8, 7, 6]);
        out[start] = first;
    }

    /// Two messages, one of them in parts with a ping in between, and a close.
    fn stream() -> (Vec<u8>, Vec<u8>) {
        let (mut out, mut data) = (Vec::new(), Vec::new());
        for (len, mask) in [(0, [0; 4]), (5, [1, 2, 3, 4]), (200, [0xff; 4]), (60_000, [7, 0, 9, 1])] {
            let payload: Vec<u8> = (0..len).map(|n| n as u8).collect();
            client_frame(&mut out, FrameKind::Binary, &payload, mask);
            data.extend_from_slice(&payload);
        }
        fragment(&mut out, 0x02, b"in ");
        client_frame(&mut out, FrameKind::Ping, b"there?", [5; 4]);
        fragment(&mut out, 0x00, b"three ");
        client_frame(&mut out, FrameKind::Pong, b"", [5; 4]);
        fragment(&mut out, 0x80, b"parts");
        data.extend_from_slice(b"in three parts");
        client_frame(&mut out, FrameKind::Close, &1000u16.to_be_bytes(), [1; 4]);
        (out, data)
    }

    #[test]
    fn a_stream_is_read_whole_and_byte_by_byte() {
        let (bytes, data) = stream();
        let want = (data, vec![b"there?".to_vec()], true);
        assert_eq!(whole(&bytes), Ok(want.clone()));
        let mut single: Vec<_> = bytes.iter().map(|byte| vec![*byte]).collect();
        assert_eq!(read(&mut Decoder::new(Role::Server), &mut single), Ok(want));
    }

    #[test]
    fn messages_end_where_they_end() {
        for kind in [FrameKind::Binary, FrameKind::Text] {
            let first = kind as u8;
            let mut bytes = Vec::new();
            client_frame(&mut bytes, kind, b"one", [1; 4]);
            // In parts, the last of them empty, with a ping in between.
            fragment(&mut bytes, first, b"two");
            client_frame(&mut bytes, FrameKind::Ping, b"", [2; 4]);
            fragment(&mut bytes, 0x80, b"");
            client_frame(&mut bytes, kind, b"", [3; 4]);
            client_frame(&mut bytes, kind, b"four", [4; 4]);
            for size in [1, 3, bytes.len()] {
                let mut decoder = Decoder::of_messages(Role::Server, kind == FrameKind::Text);
                let (mut messages, mut open) = (Vec::new(), Vec::new());
                for part in bytes.clone().chunks_mut(size) {
                    let mut rest = part;
                    loop {
                        let (piece, after) = decoder.next(rest).expect("well formed");
                        match piece {
                            Piece::Data(data) => {
                                open.extend_from_slice(data);
                                if decoder.is_at_end() {
                                    messages.push(String::from_utf8(std::mem::take(&mut open)).expect("text"));
                                }
                            }
                            Piece::End => break,
                            _ => {}
                        }
                        rest = after;
                    }
                }
                assert_eq!(messages, ["one", "two", "", "four"], "read {size} by {size}");
            }
        }
        let mut text = Vec::new();
        client_frame(&mut text, FrameKind::Binary, b"x", [1; 4]);
        let mut decoder = Decoder::of_messages(Role::Server, true);
        assert_eq!(decoder.next(&mut text).expect_err("text is wanted"), WsFault::Binary);
    }

    #[test]
    fn a_client_reads_what_a_server_writes() {
        let mut out = Vec::new();
        frame_header(&mut out, FrameKind::Binary, 3);
        out.extend_from_slice(b"abc");
        close(&mut out, CloseCode::Normal);
        assert_eq!(read(&mut Decoder::new(Role::Client), &mut [out.clone()]), Ok((b"abc".to_vec(), vec![], true)));
        assert_eq!(whole(&out), Err(WsFault::Mask));
    }

    #[test]
    fn broken_frames_have_a_code() {
        let masked = |head: &[u8], payload: &[u8]| [head, &[0; 4], payload].concat();
        for (bytes, fault) in [
            (masked(&[0xc2, 0x80], b""), WsFault::Reserved),
            (masked(&[0x83, 0x80], b""), WsFault::Opcode(3)),
            (vec![0x82, 0x00], WsFault::Mask),
            (masked(&[0x09, 0x80], b""), WsFault::Control),
            (masked(&[0x89, 0xfe, 0, 126], b""), WsFault::Control),
            (masked(&[0x80, 0x80], b""), WsFault::Fragment),
            ([masked(&[0x02, 0x80], b""), masked(&[0x82, 0x80], b"")].concat(), WsFault::Fragment),
            (masked(&[0x82, 0xfe, 0, 125], b""), WsFault::Length),
            (masked(&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], b""), WsFault::Length),
            (masked(&[0x82, 0xff, 0, 0, 0, 0, 0, 2, 0, 0], b""), WsFault::TooBig),
            (masked(&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], b""), WsFault::TooBig),
            (masked(&[0x81, 0x81], b"x"), WsFault::Text),
            (masked(&[0x88, 0x81], b"\x03"), WsFault::CloseCode),
            (masked(&[0x88, 0x82], &1005u16.to_be_bytes()), WsFault::CloseCode),
        ] {
            assert_eq!(whole(&bytes), Err(fault), "{bytes:02x?}");
            assert!(fault.to_string().contains(';'), "{fault} says what to do");
        }
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(cuts in proptest::collection::vec(0usize..60_400, 0..20)) {
            let (bytes, data) = stream();
            let mut ends: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            ends.push(bytes.len());
            ends.sort_unstable();
            let mut start = 0;
            let mut reads: Vec<_> = ends.into_iter().map(|end| { let part = bytes[start..end].to_vec(); start = end; part }).collect();
            let (got, pings, closed) = read(&mut Decoder::new(Role::Server), &mut reads).expect("well formed");
            prop_assert!(got == data && pings.len() == 1 && closed);
        }

        #[test]
        fn any_bytes_are_judged_alike_at_any_cut(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let at_once = whole(&bytes);
            let mut single: Vec<_> = bytes.iter().map(|byte| vec![*byte]).collect();
            prop_assert_eq!(read(&mut Decoder::new(Role::Server), &mut single), at_once);
        }
    }
}

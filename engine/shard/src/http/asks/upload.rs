//! The body of a request on its way to the control plane, in chunks and within control's credit.

use linchpin_protocol::http::{BodyDecoder, BodyLength, BodyPart, HttpFault};

use super::ask::AskPart;
use crate::limits::{ASK_CHUNK_BYTES, ASK_CREDIT_BYTES, ASK_HELD_BYTES};

/// See the module's page.
#[derive(Debug)]
pub(super) struct Upload {
    decoder: BodyDecoder,
    /// Bytes as they came: of the body until it is over, then of what the client sent behind it.
    held: Vec<u8>,
    /// Bytes of the body for the next chunk.
    chunk: Vec<u8>,
    /// Bytes that control takes.
    credit: usize,
    /// Control has accepted the body.
    is_accepted: bool,
    /// Control knows that the body is over.
    is_ended: bool,
    /// What is wrong with its form, once that is found: nothing more is read.
    fault: Option<HttpFault>,
}

impl Upload {
    /// A body that begins; its bytes follow in [`Self::receive`].
    pub(super) const fn new(length: BodyLength) -> Self {
        Self {
            decoder: BodyDecoder::new(length),
            held: Vec::new(),
            chunk: Vec::new(),
            credit: 0,
            is_accepted: false,
            // Nobody waits for the end of no body.
            is_ended: matches!(length, BodyLength::Known(0)),
            fault: None,
        }
    }

    /// Bytes of the client. Look at [`Self::fault`] after it.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        self.decode();
    }

    /// Control takes so many more. True: it accepts the body only now. Look at [`Self::fault`] after it.
    pub(super) fn grant(&mut self, bytes: usize) -> bool {
        self.credit = (self.credit + bytes).min(ASK_CREDIT_BYTES);
        self.decode();
        !std::mem::replace(&mut self.is_accepted, true)
    }

    /// What is wrong with the body.
    pub(super) const fn fault(&self) -> Option<HttpFault> {
        self.fault
    }

    /// Move bytes from `held` to `chunk`, as far as credit and the chunk's length allow.
    fn decode(&mut self) {
        let mut at = 0;
        while !self.decoder.is_over() && self.fault.is_none() {
            let most = self.credit.min(ASK_CHUNK_BYTES - self.chunk.len());
            // Without credit the framing goes on, so that the end is found.
            match self.decoder.next(&self.held[at..], most) {
                Ok((BodyPart::Bytes(bytes), used)) => {
                    self.chunk.extend_from_slice(bytes);
                    self.credit -= bytes.len();
                    at += used;
                }
                Ok((BodyPart::More | BodyPart::End, used)) => {
                    at += used;
                    break;
                }
                Err(fault) => self.fault = Some(fault),
            }
        }
        self.held.drain(..at);
        if self.held.is_empty() {
            self.held = Vec::new();
        }
    }

    /// What goes to control next. Look at [`Self::fault`] after it.
    pub(super) fn next_part(&mut self) -> Option<AskPart> {
        if !self.chunk.is_empty() {
            let bytes = std::mem::take(&mut self.chunk).into_boxed_slice();
            self.decode();
            return Some(AskPart::Body(bytes));
        }
        (self.decoder.is_over() && !std::mem::replace(&mut self.is_ended, true)).then_some(AskPart::BodyEnd)
    }

    /// Is there something for control?
    pub(super) fn has_part(&self) -> bool {
        !self.chunk.is_empty() || self.decoder.is_over() && !self.is_ended
    }

    /// May the client send more? While nothing is held that waits, so that a reset is noticed too.
    pub(super) fn has_room(&self) -> bool {
        self.held.len() < ASK_HELD_BYTES
    }

    /// Is it up to the client to send?
    pub(super) fn awaits_client(&self) -> bool {
        !self.decoder.is_over() && self.credit > 0 && self.chunk.is_empty()
    }

    /// Has the client sent all of the body, read or held?
    pub(super) fn has_come(&self) -> bool {
        let (mut ahead, mut at) = (self.decoder, 0);
        while !ahead.is_over() {
            match ahead.next(&self.held[at..], usize::MAX) {
                Ok((BodyPart::Bytes(_), used)) => at += used,
                Ok((BodyPart::End, _)) => return true,
                Ok((BodyPart::More, _)) | Err(_) => return ahead.is_over(),
            }
        }
        true
    }

    /// Bytes behind the body, for the next request. What control did not read of the body is passed over.
    pub(super) fn into_rest(mut self) -> Vec<u8> {
        let mut at = 0;
        while !self.decoder.is_over() {
            match self.decoder.next(&self.held[at..], usize::MAX) {
                Ok((BodyPart::Bytes(_), used)) => at += used,
                Ok((_, used)) => {
                    at += used;
                    break;
                }
                Err(_) => return Vec::new(),
            }
        }
        self.held.drain(..at);
        self.held
    }

    /// Memory that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.capacity() + self.chunk.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(upload: &mut Upload) -> Vec<String> {
        std::iter::from_fn(|| upload.next_part())
            .map(|part| match part {
                AskPart::Body(bytes) => format!("{} bytes", bytes.len()),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn nothing_leaves_before_control_accepts_and_then_only_within_its_credit() {
        let mut upload = Upload::new(BodyLength::Known(40_000));
        upload.receive(&[7; 10_000]);
        assert!(parts(&mut upload).is_empty() && !upload.awaits_client() && upload.has_room());
        upload.receive(&[7; 10_000]);
        assert!(!upload.has_room(), "what is held is bounded");
        assert!(upload.grant(ASK_CREDIT_BYTES), "accepted now");
        assert_eq!(parts(&mut upload), ["16384 bytes", "3616 bytes"]);
        assert!(upload.awaits_client() && upload.has_room() && !upload.has_come());
        upload.receive(&[7; 20_000]);
        upload.receive(b"GET /next");
        assert!(upload.has_come() && !upload.awaits_client());
        assert_eq!(parts(&mut upload), ["16384 bytes", "3616 bytes", "BodyEnd"]);
        assert!(!upload.has_part() && !upload.grant(1), "accepted before");
        assert_eq!(upload.into_rest(), b"GET /next");
    }

    #[test]
    fn credit_is_spent_to_the_byte_and_the_end_needs_none() {
        let mut upload = Upload::new(BodyLength::Chunked);
        upload.grant(5);
        upload.receive(b"4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\nrest");
        assert_eq!(parts(&mut upload), ["5 bytes"]);
        assert!(upload.has_come() && !upload.awaits_client());
        upload.grant(2);
        assert_eq!(parts(&mut upload), ["2 bytes", "BodyEnd"], "the last chunk is framing");
        assert_eq!(upload.into_rest(), b"rest");
    }

    #[test]
    fn no_body_has_no_end_and_an_unread_one_is_passed_over() {
        let mut none = Upload::new(BodyLength::Known(0));
        none.receive(b"next");
        assert!(parts(&mut none).is_empty() && none.has_come());
        assert_eq!(none.into_rest(), b"next");
        let mut unread = Upload::new(BodyLength::Chunked);
        unread.receive(b"3\r\nabc\r\n0\r\n\r\nnext");
        assert!(unread.has_come());
        assert_eq!(unread.into_rest(), b"next");
    }

    #[test]
    fn a_broken_body_is_found_wherever_it_breaks() {
        let mut early = Upload::new(BodyLength::Chunked);
        early.receive(b"x");
        assert!(early.fault().is_some());
        let mut late = Upload::new(BodyLength::Chunked);
        late.grant(2);
        late.receive(b"2\r\nab\r\n1\r\ncXX");
        assert_eq!((late.fault(), parts(&mut late)), (None, vec!["2 bytes".to_owned()]));
        late.grant(9);
        assert!(late.fault().is_some());
        assert_eq!(parts(&mut late), ["1 bytes"], "no end");
    }
}

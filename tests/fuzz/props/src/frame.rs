//! Cutting frames.

use linchpin_protocol::Fault;
use linchpin_protocol::blynk::{Command, Frame, HEADER_BYTES, Split, split, split_login};

use crate::cuts;

/// Small enough that a fuzzer reaches it, large enough for real frames.
const MAX_BODY: usize = 1_024;

type Owned = (u8, u16, u16, Vec<u8>);

fn owned(frame: Frame<'_>) -> Owned {
    (frame.command, frame.id, frame.status_or_len, frame.body.to_vec())
}

/// What a stream came to: its frames, what is left, and the fault that closed it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reading {
    frames: Vec<Owned>,
    left: Vec<u8>,
    fault: Option<Fault>,
}

impl Reading {
    fn take(&mut self, piece: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        self.left.extend_from_slice(piece);
        let mut taken = 0;
        loop {
            let waiting = &self.left[taken..];
            match split(waiting, MAX_BODY) {
                Ok(Split::Frame { frame, used }) => {
                    assert!((HEADER_BYTES..=waiting.len()).contains(&used), "{used} of {}", waiting.len());
                    self.frames.push(owned(frame));
                    taken += used;
                }
                Ok(Split::Partial { need }) => {
                    assert!(need > waiting.len(), "it has the {need} bytes that it needs");
                    assert!(need <= HEADER_BYTES + MAX_BODY, "{need} bytes are more than a frame");
                    break;
                }
                Err(fault) => {
                    assert!(fault.ends(), "{fault} and the stream goes on");
                    assert_eq!(split(&[waiting, b"more"].concat(), MAX_BODY), Err(fault), "more bytes change a fault");
                    self.fault = Some(fault);
                    break;
                }
            }
        }
        self.left.drain(..taken);
        if self.fault.is_some() {
            self.left.clear();
        }
    }
}

/// Frames are the same however the stream is cut, and written again they are the stream.
pub fn frame(input: &[u8]) {
    let (mut cuts, stream) = cuts::parse(input);
    let mut whole = Reading::default();
    whole.take(stream);
    let mut chunked = Reading::default();
    for piece in cuts.pieces(stream) {
        chunked.take(piece);
        assert!(chunked.left.len() < HEADER_BYTES + MAX_BODY);
    }
    assert_eq!(chunked, whole);
    written_again(stream, &whole);
    login(stream, &whole);
}

fn written_again(stream: &[u8], reading: &Reading) {
    let mut written = Vec::new();
    for (command, id, status_or_len, body) in &reading.frames {
        assert!(*command == Command::Response.number() || usize::from(*status_or_len) == body.len());
        written.push(*command);
        written.extend_from_slice(&id.to_be_bytes());
        written.extend_from_slice(&status_or_len.to_be_bytes());
        written.extend_from_slice(body);
    }
    written.extend_from_slice(&reading.left);
    if reading.fault.is_some() {
        assert!(stream.starts_with(&written));
    } else {
        assert_eq!(stream, written);
    }
}

/// The first frame of a connection: either it is cut as any other, or it is no login.
fn login(stream: &[u8], reading: &Reading) {
    match split_login(stream) {
        Ok(Split::Frame { frame, .. }) => assert_eq!(reading.frames.first(), Some(&owned(frame))),
        Ok(Split::Partial { need }) => assert!(reading.frames.is_empty() && need > stream.len()),
        Err(fault) => assert!(fault.ends(), "{fault} and the stream goes on"),
    }
}

//! The device's side.

use linchpin_protocol::blynk::{DeviceEnd, DeviceOptions, DeviceSession, HEADER_BYTES, Split, split};
use linchpin_protocol::limits::MAX_BODY_BYTES;
use linchpin_protocol::model::{Millis, Token};

use crate::cuts;

const NOW: Millis = Millis(1_000);

/// A device and all that it did.
struct World {
    device: DeviceSession,
    opts: DeviceOptions,
    out: Vec<u8>,
    diary: Vec<String>,
    end: Option<DeviceEnd>,
}

impl World {
    fn new() -> Self {
        let opts = DeviceOptions { buff_in_bytes: 300, heartbeat_s: 10, ..DeviceOptions::default() };
        let (mut device, mut out) = (DeviceSession::new(), Vec::new());
        device.start(NOW, &opts, &Token::from_random(&[7; 24]), &mut out);
        Self { device, opts, out, diary: Vec::new(), end: None }
    }

    fn take(&mut self, piece: &[u8]) {
        let (before, events) = (self.out.len(), self.diary.len());
        let mut on = |event: linchpin_protocol::blynk::DeviceEvent<'_>| self.diary.push(format!("{event:?}"));
        let result = self.device.on_bytes(NOW, &self.opts, piece, &mut self.out, &mut on);
        if let Some(end) = self.end {
            assert_eq!(
                (result, self.out.len(), self.diary.len()),
                (Err(end), before, events),
                "it goes on after its end"
            );
        }
        self.end = result.err();
        assert!(self.device.carried_bytes() < HEADER_BYTES + usize::from(self.opts.buff_in_bytes));
    }

    /// The deadline is kept: something happens then, and the device ends within its silence.
    fn grow_old(&mut self) {
        for _ in 0..10 {
            let deadline = self.device.deadline(&self.opts);
            if self.end.is_some() {
                assert_eq!(deadline, Millis::NEVER);
                return;
            }
            let before = self.out.len();
            let result = self.device.on_timer(deadline, &self.opts, &mut self.out);
            assert!(result.is_err() || self.out.len() > before, "nothing was due at {deadline:?}");
            self.end = result.err();
        }
        panic!("it lives on in silence");
    }
}

/// Events, answers and the end are the same however the stream is cut; what the device sends are whole frames.
pub fn device(input: &[u8]) {
    let (mut cuts, stream) = cuts::parse(input);
    let mut whole = World::new();
    whole.take(stream);
    let mut chunked = World::new();
    for piece in cuts.pieces(stream) {
        chunked.take(piece);
    }
    assert_eq!(chunked.diary, whole.diary);
    assert_eq!(chunked.out, whole.out);
    if !stream.is_empty() {
        assert_eq!(chunked.end, whole.end);
    }
    whole.take(b"\0\0\x09\0\xc8");
    whole.grow_old();
    let mut left = &whole.out[..];
    while !left.is_empty() {
        match split(left, MAX_BODY_BYTES) {
            Ok(Split::Frame { used, .. }) => left = &left[used..],
            other => panic!("{other:?}"),
        }
    }
}

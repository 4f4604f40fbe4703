//! Frames that wait for a connection: the latest value of a pin wins, and all of them are bounded in bytes.

use std::collections::VecDeque;

use linchpin_protocol::blynk::Command;
use linchpin_protocol::model::Pin;

/// A frame that waits, for another process: newer frames with the same key replace it.
pub(crate) type WaitingFrame = (Option<Pin>, Box<[u8]>);

/// A frame that waits.
#[derive(Debug)]
struct Waiting {
    /// Newer frames with the same key replace it.
    key: Option<Pin>,
    bytes: Box<[u8]>,
}

impl Waiting {
    fn is_answer(&self) -> bool {
        self.bytes.first() == Some(&Command::Response.number())
    }
}

/// What a frame costs besides its bytes.
const OVERHEAD_BYTES: usize = size_of::<Waiting>();

/// See the module's page.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    queue: VecDeque<Waiting>,
    /// Bytes and overhead of all frames.
    held_bytes: usize,
}

/// The frame does not fit within the cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutboundFull;

impl Outbound {
    /// Add one whole frame. A waiting frame with the same key is dropped and the new one goes to the end; frames without
    /// a key are never dropped.
    pub(crate) fn push(
        &mut self,
        key: Option<Pin>,
        cap_bytes: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), OutboundFull> {
        if key.is_some()
            && let Some(at) = self.queue.iter().position(|w| w.key == key)
            && let Some(old) = self.queue.remove(at)
        {
            self.held_bytes -= old.bytes.len() + OVERHEAD_BYTES;
        }
        let mut bytes = Vec::new();
        write(&mut bytes);
        let held_bytes = self.held_bytes + bytes.len() + OVERHEAD_BYTES;
        if held_bytes > cap_bytes {
            return Err(OutboundFull);
        }
        self.held_bytes = held_bytes;
        self.queue.push_back(Waiting { key, bytes: bytes.into() });
        Ok(())
    }

    /// Append the oldest frame to `out`; false if there is none.
    pub(crate) fn pop_into(&mut self, out: &mut Vec<u8>) -> bool {
        self.take(0, out)
    }

    /// Append the oldest RESPONSE to `out`; false if there is none.
    pub(crate) fn pop_answer_into(&mut self, out: &mut Vec<u8>) -> bool {
        self.queue.iter().position(Waiting::is_answer).is_some_and(|at| self.take(at, out))
    }

    /// Does a RESPONSE wait?
    pub(crate) fn has_answer(&self) -> bool {
        self.queue.iter().any(Waiting::is_answer)
    }

    fn take(&mut self, at: usize, out: &mut Vec<u8>) -> bool {
        let Some(frame) = self.queue.remove(at) else { return false };
        self.held_bytes -= frame.bytes.len() + OVERHEAD_BYTES;
        out.extend_from_slice(&frame.bytes);
        true
    }

    /// Append all frames to `out`, oldest first.
    pub(crate) fn drain_into(&mut self, out: &mut Vec<u8>) {
        while self.pop_into(out) {}
    }

    /// Take all frames out, oldest first, for another process.
    pub(crate) fn take_all(&mut self) -> Vec<WaitingFrame> {
        self.held_bytes = 0;
        std::mem::take(&mut self.queue).into_iter().map(|waiting| (waiting.key, waiting.bytes)).collect()
    }

    /// Put back what [`Outbound::take_all`] gave.
    pub(crate) fn refill(&mut self, frames: Vec<WaitingFrame>) {
        for (key, bytes) in frames {
            self.held_bytes += bytes.len() + OVERHEAD_BYTES;
            self.queue.push_back(Waiting { key, bytes });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Memory behind the structure.
    pub(crate) fn heap_bytes(&self) -> usize {
        let frames: usize = self.held_bytes - self.queue.len() * OVERHEAD_BYTES;
        frames + self.queue.capacity() * OVERHEAD_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(queue: &mut Outbound, key: Option<u8>, frame: &[u8]) -> Result<(), OutboundFull> {
        queue.push(key.map(Pin::new_virtual), 400, |out| out.extend_from_slice(frame))
    }

    #[test]
    fn the_latest_value_wins_and_answers_stay_in_order() {
        let mut queue = Outbound::default();
        for (key, frame) in [(None, "a"), (Some(1), "old"), (None, "b"), (Some(2), "x"), (Some(1), "new")] {
            push(&mut queue, key, frame.as_bytes()).expect("fits");
        }
        let mut first = Vec::new();
        assert!(queue.pop_into(&mut first));
        assert_eq!(first, b"a");
        let mut out = Vec::new();
        queue.drain_into(&mut out);
        assert_eq!(out, b"bxnew");
        assert!(queue.is_empty() && !queue.pop_into(&mut out));
        assert_eq!(queue.held_bytes, 0);
    }

    #[test]
    fn is_bounded_but_a_value_can_always_replace_itself() {
        let mut queue = Outbound::default();
        let fitted = (0..100).take_while(|_| push(&mut queue, None, &[0; 20]).is_ok()).count();
        assert_eq!(fitted, 400 / (20 + OVERHEAD_BYTES));
        let mut queue = Outbound::default();
        for n in 0..1_000u32 {
            push(&mut queue, Some(7), &n.to_be_bytes()).expect("replaces itself");
        }
        let mut out = Vec::new();
        queue.drain_into(&mut out);
        assert_eq!(out, 999u32.to_be_bytes());
    }
}

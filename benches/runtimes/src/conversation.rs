//! What all six servers have in common: bytes in, answers out. Only how the bytes move differs.

use linchpin_protocol::blynk::{Session, Split, codec, split};
use linchpin_protocol::limits::MAX_BODY_BYTES;
use linchpin_protocol::model::{Pin, UnixMillis};
use linchpin_protocol::{Action, Status};

/// Pins of a connection whose value is kept; more are refused.
const PINS: usize = 32;

/// One connection. While idle it holds no buffer; after its first write a few pins.
#[derive(Default)]
pub(crate) struct Conversation {
    session: Session,
    /// The beginning of a frame whose rest has not come.
    carry: Vec<u8>,
    values: Vec<(Pin, Vec<u8>)>,
}

impl Conversation {
    /// Take what has come and append the answers to `out`. False: the peer broke the rules, close.
    pub(crate) fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        if self.carry.is_empty() {
            let Some(used) = self.frames(bytes, out) else { return false };
            self.carry.extend_from_slice(&bytes[used..]);
            return true;
        }
        let mut carry = std::mem::take(&mut self.carry);
        carry.extend_from_slice(bytes);
        let Some(used) = self.frames(&carry, out) else { return false };
        carry.drain(..used);
        if !carry.is_empty() {
            self.carry = carry;
        }
        true
    }

    /// Whole frames; how many bytes they took.
    fn frames(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let mut at = 0;
        while let Split::Frame { frame, used } = split(&bytes[at..], MAX_BODY_BYTES).ok()? {
            at += used;
            // No groups here, so the time is not asked for.
            match self.session.on_frame(UnixMillis(0), frame) {
                Ok(request) => {
                    if let Some(status) = act(&mut self.session, &mut self.values, request.action) {
                        codec::response(out, request.id, status);
                    }
                }
                Err(rejected) if rejected.fault.ends() => return None,
                Err(rejected) => {
                    if let Some(status) = rejected.fault.status() {
                        codec::response(out, rejected.id, status);
                    }
                }
            }
        }
        Some(at)
    }
}

fn act(session: &mut Session, values: &mut Vec<(Pin, Vec<u8>)>, action: Action<'_>) -> Option<Status> {
    match action {
        Action::Login { .. } => {
            session.accept();
            Some(Status::Ok)
        }
        Action::Ping | Action::Info(_) => Some(Status::Ok),
        Action::Write { pin, value, .. } => {
            let bytes = value.as_bytes();
            if let Some((_, kept)) = values.iter_mut().find(|(known, _)| *known == pin) {
                kept.clear();
                kept.extend_from_slice(bytes);
            } else if values.len() < PINS {
                values.push((pin, bytes.to_vec()));
            } else {
                return Some(Status::IllegalCommandBody);
            }
            None
        }
        _ => Some(Status::Ok),
    }
}

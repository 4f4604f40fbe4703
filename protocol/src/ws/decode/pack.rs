//! The state of a WebSocket on its way to another process.

use super::{Decoder, FrameKind, HEADER_BYTES, Role};
use crate::limits::{WS_CONTROL_BYTES, WS_PAYLOAD_BYTES};
use crate::pack::{Pack, PackReader, Unreadable, put_bytes};

/// No frame is being read.
const BETWEEN: u8 = u8::MAX;

impl Pack for Decoder {
    const NAME: &'static str = "a WebSocket";
    const KIND: u8 = b'W';
    const VERSION: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.role == Role::Client));
        put_bytes(out, &self.header[..usize::from(self.header_len)]);
        out.push(self.kind.map_or(BETWEEN, |kind| kind as u8));
        out.extend_from_slice(&[u8::from(self.in_message), u8::from(self.is_last)]);
        out.extend_from_slice(&self.mask);
        out.extend_from_slice(&self.left.to_be_bytes());
        put_bytes(out, &self.control);
    }

    fn read(version: u8, from: &mut PackReader<'_>) -> Result<Self, Unreadable> {
        if version != Self::VERSION {
            return Err(Unreadable::new(Self::NAME, "its version"));
        }
        let mut this = Self::new(if from.flag()? { Role::Client } else { Role::Server });
        let header = from.bytes(HEADER_BYTES)?;
        this.header[..header.len()].copy_from_slice(header);
        this.header_len = header.len() as u8;
        this.kind = match from.u8()? {
            BETWEEN => None,
            opcode => Some(FrameKind::from_opcode(opcode).ok_or(Unreadable::new(Self::NAME, "the kind of its frame"))?),
        };
        (this.in_message, this.is_last) = (from.flag()?, from.flag()?);
        this.mask.copy_from_slice(from.raw(4)?);
        this.left = from.u64()?;
        this.control = from.bytes(WS_CONTROL_BYTES)?.to_vec();
        let is_between = this.kind.is_none();
        if this.left > WS_PAYLOAD_BYTES || (is_between && (this.left > 0 || !this.control.is_empty())) {
            return Err(Unreadable::new(Self::NAME, "what is left of its frame"));
        }
        Ok(this)
    }
}

//! What a device sends of its own accord.

use crate::model::{Millis, Pin, Token, UnixMillis};

use super::super::Command;
use super::super::codec::device as write;
use super::DeviceSession;

/// What a logged-in device sends. Each appends one frame to `out` and returns its message id. The caller keeps the
/// limits of the protocol; a body beyond `limits::MAX_BODY_BYTES` is not written.
impl DeviceSession {
    /// Set a pin.
    pub fn write(&mut self, now: Millis, pin: Pin, value: &[u8], out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::write(out, id, pin, value);
        id
    }

    /// Answer [`DeviceEvent::Read`](super::DeviceEvent::Read), with its id.
    pub fn answer(&mut self, now: Millis, id: u16, pin: Pin, value: &[u8], out: &mut Vec<u8>) {
        self.last_out = now;
        write::write(out, id, pin, value);
    }

    /// Ask for the latest values of these pins; of all for an empty list.
    pub fn sync(&mut self, now: Millis, pins: &[Pin], out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        if pins.is_empty() {
            write::sync_all(out, id)
        } else {
            write::sync(out, id, pins)
        }
        id
    }

    /// Change how virtual pins are shown; several values are joined by NUL.
    pub fn property(&mut self, now: Millis, pins: &[u8], name: &str, values: &[u8], out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::property(out, id, pins, name, values);
        id
    }

    /// Log an event.
    pub fn event(&mut self, now: Millis, code: &str, description: Option<&str>, out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::event_log(out, id, code, description);
        id
    }

    /// Resolve the most recent event of this code, or all.
    pub fn event_clear(&mut self, now: Millis, code: &str, all: bool, out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::event_clear(out, id, code, all);
        id
    }

    /// Ping.
    pub fn ping(&mut self, now: Millis, out: &mut Vec<u8>) -> u16 {
        self.last_ping = now;
        let id = self.next_id(now);
        write::ping(out, id);
        id
    }

    /// INTERNAL with these fields, such as `utc`, `time` or `meta`, `get`, a name.
    pub fn internal(&mut self, now: Millis, parts: &[&[u8]], out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::internal(out, id, parts);
        id
    }

    /// Begin a group of writes of one moment: the server's, or this one.
    pub fn group_begin(&mut self, now: Millis, stamp: Option<UnixMillis>, out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::group_begin(out, id, stamp);
        id
    }

    /// End the group.
    pub fn group_end(&mut self, now: Millis, out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::group_end(out, id);
        id
    }

    /// Let `slot` stand for the device with this token.
    pub fn bridge_init(&mut self, now: Millis, slot: u8, token: &Token, out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::bridge_init(out, id, slot, token);
        id
    }

    /// Set a pin of the device that `slot` stands for.
    pub fn bridge_write(&mut self, now: Millis, slot: u8, pin: Pin, value: &[u8], out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::bridge_write(out, id, slot, pin, value);
        id
    }

    /// TWEET, EMAIL, PUSH_NOTIFICATION or SMS.
    pub fn notify(&mut self, now: Millis, command: Command, parts: &[&[u8]], out: &mut Vec<u8>) -> u16 {
        let id = self.next_id(now);
        write::notify(out, id, command, parts);
        id
    }
}

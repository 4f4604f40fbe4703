//! What a crew wants done: sends, connects, closes. The worker's turn hands them to the driver.

use std::collections::VecDeque;

use linchpin_driver::{ConnId, Driver, Mode, Outgoing};

/// Whose a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionOwner {
    Nobody,
    Device(u32),
    Http(u16),
    /// A half handshake.
    Half,
}

/// What is to be done. One arena for all sends of a turn.
#[derive(Debug, Default)]
pub(crate) struct WorkerEffects {
    pub(crate) arena: Vec<u8>,
    sends: Vec<Outgoing>,
    /// By connection: the turn of its last send.
    last_turn: Vec<u32>,
    turn: u32,
    /// A connection has two sends in this turn.
    is_mixed: bool,
    merged: Vec<u8>,
    pub(crate) arms: Vec<(ConnId, Mode)>,
    /// Connection, with a reset.
    pub(crate) closes: Vec<(ConnId, bool)>,
    pub(crate) connects: VecDeque<ConnectionOwner>,
}

impl WorkerEffects {
    pub(crate) fn new() -> Self {
        Self { turn: 1, ..Self::default() }
    }

    /// Send what was appended to the arena since `start`.
    pub(crate) fn send(&mut self, conn: ConnId, start: usize) {
        if self.arena.len() == start {
            return;
        }
        if self.last_turn.len() <= conn.index() {
            self.last_turn.resize(conn.index() + 1, 0);
        }
        self.is_mixed |= self.last_turn[conn.index()] == self.turn;
        self.last_turn[conn.index()] = self.turn;
        self.sends.push(Outgoing { conn, start: start as u32, end: self.arena.len() as u32 });
    }

    /// Bring the sends of each connection together: one range a connection.
    fn merge(&mut self) {
        // Stable: the order within a connection stays.
        self.sends.sort_by_key(|send| send.conn);
        self.merged.clear();
        let mut ranges: Vec<Outgoing> = Vec::with_capacity(self.sends.len());
        for send in &self.sends {
            let start = self.merged.len() as u32;
            self.merged.extend_from_slice(&self.arena[send.start as usize..send.end as usize]);
            let end = self.merged.len() as u32;
            match ranges.last_mut() {
                Some(last) if last.conn == send.conn => last.end = end,
                _ => ranges.push(Outgoing { conn: send.conn, start, end }),
            }
        }
        std::mem::swap(&mut self.arena, &mut self.merged);
        self.sends = ranges;
    }

    /// Hand everything but the connects to the driver.
    pub(crate) fn apply(&mut self, driver: &mut Driver) {
        if self.is_mixed {
            self.merge();
        }
        driver.flush(&self.arena, &self.sends);
        self.arena.clear();
        self.sends.clear();
        self.turn = self.turn.wrapping_add(1);
        self.is_mixed = false;
        for (conn, mode) in self.arms.drain(..) {
            driver.arm(conn, mode);
        }
        for (conn, is_reset) in self.closes.drain(..) {
            if is_reset {
                driver.abort(conn);
            } else {
                driver.close(conn);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sends_of_one_connection_become_one_range_in_order() {
        let mut fx = WorkerEffects::new();
        for (conn, text) in [(3, "a"), (1, "b"), (3, "c"), (2, "d"), (1, "e")] {
            let start = fx.arena.len();
            fx.arena.extend_from_slice(text.as_bytes());
            fx.send(ConnId(conn), start);
        }
        assert!(fx.is_mixed);
        fx.merge();
        let texts: Vec<(u32, &[u8])> =
            fx.sends.iter().map(|s| (s.conn.0, &fx.arena[s.start as usize..s.end as usize])).collect();
        assert_eq!(texts, [(1, &b"be"[..]), (2, b"d"), (3, b"ac")]);
    }
}

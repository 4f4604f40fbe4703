//! What a shard counts. Plain integers: only the shard's own thread touches them.

use linchpin_protocol::limits::COMMAND_NUMBERS;

use crate::End;

/// Counters since the start.
#[derive(Debug)]
pub(crate) struct Counters {
    /// Logged-in connections now.
    pub(crate) online: u64,
    /// Frames from logged-in devices.
    pub(crate) frames: u64,
    /// The same by command number.
    pub(crate) commands: [u64; COMMAND_NUMBERS as usize],
    /// Logged-in connections now that speak MQTT.
    pub(crate) online_mqtt: u64,
    /// Packets from logged-in MQTT devices.
    pub(crate) packets: u64,
    /// Messages over MQTT that did nothing.
    pub(crate) declined: u64,
    /// Wills that were written.
    pub(crate) wills: u64,
    /// HTTP requests.
    pub(crate) requests: u64,
    /// Requests that became asks, and those that were refused.
    pub(crate) asks: u64,
    /// See `asks`.
    pub(crate) asks_refused: u64,
    /// Live sockets now.
    pub(crate) live_sockets: u64,
    /// Successful logins.
    pub(crate) logins: u64,
    /// Frames that the quota dropped.
    pub(crate) dropped: u64,
    /// Connections that went home to another shard.
    pub(crate) moved_out: u64,
    /// Frames that were not sent because the device's receive buffer is too small for them.
    pub(crate) unsendable: u64,
    /// TLS handshakes that were completed: full ones, resumed ones.
    pub(crate) handshakes: [u64; 2],
    ends: [u64; End::ALL.len()],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            online: 0,
            frames: 0,
            commands: [0; COMMAND_NUMBERS as usize],
            online_mqtt: 0,
            packets: 0,
            declined: 0,
            wills: 0,
            requests: 0,
            asks: 0,
            asks_refused: 0,
            live_sockets: 0,
            logins: 0,
            dropped: 0,
            moved_out: 0,
            unsendable: 0,
            handshakes: [0; 2],
            ends: [0; End::ALL.len()],
        }
    }
}

impl Counters {
    /// Count an end.
    pub(crate) fn ended(&mut self, end: End) {
        if let Ok(at) = End::ALL.binary_search(&end) {
            self.ends[at] += 1;
        }
    }

    /// Ends that occurred, with their counts.
    pub(crate) fn ends(&self) -> Vec<(End, u64)> {
        End::ALL.iter().zip(self.ends).filter(|(_, n)| *n > 0).map(|(end, n)| (*end, n)).collect()
    }

    /// Frames by command number, only those that occurred.
    pub(crate) fn commands(&self) -> Vec<(u8, u64)> {
        (0..).zip(self.commands).filter(|(_, n)| *n > 0).collect()
    }
}

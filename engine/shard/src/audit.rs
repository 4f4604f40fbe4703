//! What must always hold.

use crate::Shard;
use crate::connection::{Connection, Phase};

impl Shard {
    /// Check what must always hold; for tests and the simulator, not for the hot path.
    ///
    /// # Errors
    /// The first invariant that does not hold, in words.
    pub fn audit(&self) -> Result<(), String> {
        let (mut online, mut online_mqtt) = (0, 0);
        for (slot, connection) in self.connections.iter() {
            if connection.is_live() {
                online += 1;
                online_mqtt += u64::from(connection.wire.speech.is_mqtt());
                let device = &self.devices[connection.device];
                if device.connection() != Some(slot) {
                    return Err(format!("{slot:?} is live for device {} which has {:?}", device.id, device.slot));
                }
            }
            // The driver always answers a move.
            let waits = !matches!(connection.phase, Phase::Leaving { .. });
            if waits && !self.connections.wheel.is_set(slot) {
                return Err(format!("{slot:?} in {:?} has no timer", connection.phase));
            }
            if connection.phase == Phase::Closing && connection.cell_bytes() > 0 {
                return Err(format!("{slot:?} is closing and still holds {} bytes", connection.cell_bytes()));
            }
        }
        let serving = self.connections.iter().filter(|(slot, _)| self.has_ask(*slot)).count();
        if serving != self.asks.len() || !self.asks.slots().all(|slot| self.has_ask(slot)) {
            return Err(format!("{serving} connections have an ask under way, {} asks stand", self.asks.len()));
        }
        self.asks.audit()?;
        let watching = self.connections.iter().filter(|(_, c)| c.phase == Phase::Watching).map(|(slot, _)| slot);
        if !watching.eq(self.live.slots()) || self.live.len() as u64 != self.counters.live_sockets {
            return Err("live sockets and connections that watch are not the same".to_owned());
        }
        self.live.audit()?;
        if self.connections.addresses.counted() != self.connections.used as u64 {
            return Err(format!(
                "{} connections, {} counted by address",
                self.connections.used,
                self.connections.addresses.counted()
            ));
        }
        let closing = self.connections.iter().filter(|(_, c)| c.phase == Phase::Closing).count();
        if closing != self.connections.closing {
            return Err(format!("{closing} connections close, the counter says {}", self.connections.closing));
        }
        let cells = self.connections.iter().map(|(slot, connection)| (slot, connection.cell_bytes()));
        let may_end = |slot| self.connections.get(slot).is_some_and(Connection::awaits_peer);
        self.connections.ledger.audit(cells, may_end)?;
        if online != self.counters.online {
            return Err(format!("{online} live connections, the counter says {}", self.counters.online));
        }
        if online_mqtt != self.counters.online_mqtt {
            return Err(format!("{online_mqtt} live MQTT connections, the counter says {}", self.counters.online_mqtt));
        }
        for (_, device) in self.devices.iter() {
            if let Some(slot) = device.connection()
                && self.connections.get(slot).is_none_or(|c| !c.is_live())
            {
                return Err(format!("device {} points at {slot:?} which is not live", device.id));
            }
        }
        Ok(())
    }
}

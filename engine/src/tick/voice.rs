//! What happens to devices, on its way from shards' threads to the one thread that prints it (`linchpin dev`).

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use linchpin_protocol::model::{DeviceId, Pin};
use linchpin_shard::{Effects, End, Presented, Shard, Slot};

use crate::limits;

/// What a device's connection is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeardWire {
    pub(crate) is_mqtt: bool,
    pub(crate) is_websocket: bool,
    pub(crate) is_tls: bool,
}

impl From<&Presented<'_>> for HeardWire {
    fn from(it: &Presented<'_>) -> Self {
        Self { is_mqtt: it.is_mqtt, is_websocket: it.is_websocket, is_tls: it.is_tls }
    }
}

impl std::fmt::Display for HeardWire {
    /// `plain`, `TLS`, `WebSocket`, `MQTT over TLS`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let speech = if self.is_mqtt { "MQTT, " } else { "" };
        let framing = if self.is_websocket { "WebSocket, " } else { "" };
        write!(f, "{speech}{framing}{}", if self.is_tls { "TLS" } else { "plain" })
    }
}

/// One thing that happened. Plain data without any secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Noticed {
    /// A device has logged in.
    Online { device: DeviceId, peer: IpAddr, wire: HeardWire },
    /// Its firmware says what it is: the board, and the version of its library.
    Introduced { device: DeviceId, board: Box<str>, library: Box<str> },
    /// A pin got its first value since the server was started.
    FirstValue { device: DeviceId, pin: Pin, value: Box<[u8]> },
    /// A connection ended. `online_ms`: how long its device was logged in; `None`: it was not, or was sent away.
    Ended { device: Option<DeviceId>, peer: IpAddr, end: End, online_ms: Option<u64> },
}

/// Pins that have been seen: a small table in front of the set answers for those that are written again and again.
#[derive(Debug)]
struct SeenPins {
    recent: Box<[u64]>,
    all: HashSet<u64>,
}

impl SeenPins {
    fn new() -> Self {
        Self { recent: vec![0; limits::RECENT_PINS].into_boxed_slice(), all: HashSet::new() }
    }

    /// Is this its first value? When the set is full nothing is the first any more.
    fn is_first(&mut self, device: DeviceId, pin: Pin) -> bool {
        let key = u64::from(device.get()) << 16 | u64::from(pin.to_u16());
        // Pins of a device stand side by side; ids are given in order.
        let place =
            (device.get() as usize).wrapping_mul(37).wrapping_add(usize::from(pin.to_u16())) % limits::RECENT_PINS;
        // 0 is no key: ids begin with 1.
        if self.recent[place] == key {
            return false;
        }
        self.recent[place] = key;
        self.all.len() < limits::SEEN_PINS && self.all.insert(key)
    }
}

/// A shard's end of the way to whoever prints.
#[derive(Debug)]
pub(crate) struct Voice {
    to: ToListener,
    seen: SeenPins,
}

/// The same before a shard has it.
#[derive(Clone, Debug)]
pub(crate) struct ToListener {
    to: SyncSender<Noticed>,
    /// What found no room.
    missed: Arc<AtomicU64>,
}

/// The printing end.
#[derive(Debug)]
pub(crate) struct NoticeListener {
    pub(crate) from: Receiver<Noticed>,
    missed: Arc<AtomicU64>,
}

/// A way from all shards to one printer, of [`limits::HEARD`] places.
pub(crate) fn way() -> (ToListener, NoticeListener) {
    let (to, from) = sync_channel(limits::HEARD);
    let missed = Arc::new(AtomicU64::new(0));
    (ToListener { to, missed: Arc::clone(&missed) }, NoticeListener { from, missed })
}

impl NoticeListener {
    /// How much found no room since this was last asked.
    pub(crate) fn take_missed(&self) -> u64 {
        self.missed.swap(0, Ordering::Relaxed)
    }
}

impl Voice {
    pub(crate) fn new(to: ToListener) -> Self {
        Self { to, seen: SeenPins::new() }
    }

    /// Never waits.
    fn say(&self, heard: Noticed) {
        if self.to.to.try_send(heard).is_err() {
            self.to.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn logged_in(&self, it: &Presented<'_>) {
        self.say(Noticed::Online { device: it.device, peer: it.peer.ip(), wire: it.into() });
    }

    pub(crate) fn introduced(&self, shard: &Shard, slot: Slot) {
        let Some(it) = shard.presented(slot) else { return };
        let word = |keys: &[&str]| keys.iter().find_map(|key| it.firmware.get(key)).unwrap_or_default().into();
        self.say(Noticed::Introduced { device: it.device, board: word(&["dev", "board"]), library: word(&["ver"]) });
    }

    pub(crate) fn points(&mut self, fx: &Effects) {
        for (_, device, pin, _, value) in fx.points.iter() {
            if self.seen.is_first(device, pin) {
                let value = value[..value.len().min(limits::HEARD_VALUE_BYTES)].into();
                self.say(Noticed::FirstValue { device, pin, value });
            }
        }
    }

    pub(crate) fn ended(&self, device: Option<DeviceId>, peer: IpAddr, end: End, online_ms: Option<u64>) {
        self.say(Noticed::Ended { device, peer, end, online_ms });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pin_is_first_once_and_the_set_is_bounded() {
        let mut seen = SeenPins::new();
        let device = |n| DeviceId::new(n).expect("an id");
        let mut first = 0;
        for round in 0..2 {
            for n in 1..=2_000 {
                for pin in 0..40 {
                    first += usize::from(seen.is_first(device(n), Pin::new_virtual(pin)));
                }
            }
            assert_eq!(first, limits::SEEN_PINS, "round {round}");
        }
    }

    #[test]
    fn what_finds_no_room_is_counted_and_nobody_waits() {
        let (to, listener) = way();
        let voice = Voice::new(to);
        for _ in 0..limits::HEARD + 7 {
            voice.ended(None, [127, 0, 0, 1].into(), End::PeerClosed, None);
        }
        assert_eq!((listener.take_missed(), listener.take_missed()), (7, 0));
        assert_eq!(listener.from.try_iter().count(), limits::HEARD);
    }
}

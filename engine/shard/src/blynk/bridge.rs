//! BRIDGE: one device writes to another.

use linchpin_protocol::Status;
use linchpin_protocol::limits::BRIDGES;
use linchpin_protocol::model::{OrgId, Pin, Token, ValueRef};

use super::answers::status_of;
use crate::device::quota::Bucket;
use crate::device::verbs::Origin;
use crate::{ConnRef, Effect, Letter, Purpose, Shard, Slot, TokenRight, Turn, home_of, limits};

/// What a bridge pin of a connection stands for.
#[derive(Debug)]
pub(crate) struct Bridge {
    pin: u8,
    /// `None` while its token is being looked up.
    target: Option<TokenRight>,
    /// Writes that came meanwhile.
    held: Vec<BridgeWrite>,
}

/// A write over a bridge.
#[derive(Debug)]
struct BridgeWrite {
    id: u16,
    pin: Pin,
    value: Box<[u8]>,
}

impl Bridge {
    /// One whose token is known.
    pub(crate) const fn standing(pin: u8, target: TokenRight) -> Self {
        Self { pin, target: Some(target), held: Vec::new() }
    }

    pub(crate) const fn pin(&self) -> u8 {
        self.pin
    }

    /// The device that it stands for; `None` while its token is being looked up.
    pub(crate) const fn target(&self) -> Option<TokenRight> {
        self.target
    }

    /// Memory behind the structure.
    pub(crate) fn heap_bytes(&self) -> usize {
        let values: usize = self.held.iter().map(|write| write.value.len()).sum();
        self.held.capacity() * size_of::<BridgeWrite>() + values
    }
}

impl Shard {
    /// `BRIDGE pin i token`: from now on `bridge_pin` stands for the token's device.
    pub(crate) fn bridge_init(&mut self, turn: &mut Turn<'_>, slot: Slot, id: u16, bridge_pin: u8, token: &Token) {
        let opening = self.connections.hold(slot, |c| {
            let bridges = &mut c.extra_mut().bridges;
            let known = bridges.iter().position(|bridge| bridge.pin == bridge_pin);
            if known.is_none() && bridges.len() >= BRIDGES {
                return false;
            }
            let bridge = Bridge { pin: bridge_pin, target: None, held: Vec::new() };
            match known {
                Some(at) => bridges[at] = bridge,
                None => bridges.push(bridge),
            }
            true
        });
        if opening {
            self.resolve(turn, slot, token, Purpose::Bridge { id, bridge_pin });
        } else {
            self.respond(turn, slot, id, Status::NotAllowed);
        }
    }

    /// The token was looked up: answer, and pass on the writes that came meanwhile.
    pub(crate) fn bridge_opened(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        id: u16,
        bridge_pin: u8,
        target: Result<TokenRight, Status>,
    ) {
        let held = self.connections.hold(slot, |c| {
            let bridges = &mut c.extra_mut().bridges;
            let at = bridges.iter().position(|bridge| bridge.pin == bridge_pin && bridge.target.is_none())?;
            bridges[at].target = target.ok();
            Some(if target.is_ok() { std::mem::take(&mut bridges[at].held) } else { bridges.swap_remove(at).held })
        });
        self.respond(turn, slot, id, target.err().unwrap_or(Status::Ok));
        for held in held.into_iter().flatten() {
            match target {
                Ok(target) => self.bridge_to(turn, slot, target, &held),
                Err(status) => self.respond(turn, slot, held.id, status),
            }
        }
    }

    /// `BRIDGE pin vw …`: answered only when it is refused.
    #[allow(clippy::too_many_arguments, reason = "the fields of one frame")]
    pub(crate) fn bridge_send(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        id: u16,
        bridge_pin: u8,
        pin: Pin,
        value: ValueRef<'_>,
    ) {
        let bridges = self.connections[slot].extra.as_ref().map_or(&[][..], |e| &e.bridges);
        let Some(bridge) = bridges.iter().find(|bridge| bridge.pin == bridge_pin) else {
            return self.respond(turn, slot, id, Status::NotAllowed);
        };
        let write = BridgeWrite { id, pin, value: value.as_bytes().into() };
        match bridge.target {
            Some(target) => self.bridge_to(turn, slot, target, &write),
            // Clients write without waiting for the answer to the init, which may come from another shard.
            None if bridge.held.len() < limits::BRIDGE_WRITES_HELD => self.connections.hold(slot, |c| {
                let bridges = &mut c.extra_mut().bridges;
                if let Some(bridge) = bridges.iter_mut().find(|bridge| bridge.pin == bridge_pin) {
                    bridge.held.push(write);
                }
            }),
            None => self.respond(turn, slot, id, Status::QuotaLimit),
        }
    }

    fn bridge_to(&mut self, turn: &mut Turn<'_>, slot: Slot, right: TokenRight, write: &BridgeWrite) {
        let asker = ConnRef { shard: self.id, slot, serial: self.connections[slot].serial };
        let over_tls = self.connections[slot].wire.tls.is_on();
        let org = self.devices[self.connections[slot].device].org;
        let home = home_of(right.device, self.shards);
        if home == self.id {
            return self.bridge_write(turn, (right, org), asker, over_tls, write.id, write.pin, &write.value);
        }
        let &BridgeWrite { id, pin, ref value } = write;
        let letter = Letter::Bridge { right, org, asker, over_tls, id, pin, value: value.clone() };
        turn.fx.push(Effect::Letter { to: home, letter });
    }

    /// At the target's home: as if the target had written it, and sent to it. A bridge ends when the token that it was
    /// opened with is replaced, and leads into no other organization than the writer's.
    #[allow(clippy::too_many_arguments, reason = "the fields of one letter")]
    pub(crate) fn bridge_write(
        &mut self,
        turn: &mut Turn<'_>,
        (right, org): (TokenRight, OrgId),
        asker: ConnRef,
        over_tls: bool,
        id: u16,
        pin: Pin,
        value: &[u8],
    ) {
        let position = self.honoured(right).filter(|position| self.devices[*position].org == org);
        let Some(position) = position else {
            return self.late_answer(turn, asker, id, Status::NotAllowed);
        };
        // As at a login: a token that was sent in clear opens nothing where TLS is required.
        if self.needs_tls(position) && !over_tls {
            return self.late_answer(turn, asker, id, Status::NotAllowed);
        }
        if !self.within_bridge_quota(turn, position) {
            return self.late_answer(turn, asker, id, Status::QuotaLimit);
        }
        let write = (pin, ValueRef(value), turn.now.wall);
        if let Err(refused) = self.write(turn, position, write, Origin::Bridge) {
            self.late_answer(turn, asker, id, status_of(refused));
        }
    }

    /// What all bridges together may write to one device: a quota of its own, so that others cannot use up the device's.
    fn within_bridge_quota(&mut self, turn: &Turn<'_>, position: u32) -> bool {
        let (rate, burst) = (self.settings.messages_per_second, self.settings.message_burst);
        let bucket =
            self.devices[position].rare_mut().bridged.get_or_insert_with(|| Bucket::full(burst, turn.now.mono));
        let has = bucket.take(turn.now.mono, rate, burst);
        self.counters.dropped += u64::from(!has);
        has
    }
}

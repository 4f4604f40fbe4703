//! Room in the connection table: who has not logged in never fills it.
//!
//! Looked at when a connection is accepted, since that is when one is missing. The table itself says who is there, so an
//! idle connection costs nothing here; a look gives back many places at once, so that it is paid seldom.

use std::collections::BTreeSet;

use linchpin_protocol::model::Now;

use super::choice::{Holding, who_gives_back};
use super::owner::{Payer, PayerPrefix};
use crate::connection::{Connection, Connections, Exchange, Phase};
use crate::limits::{FULL_SIXTEENTHS, ROOM_LOOK_MS, STRANGER_SHARES, TABLE_BATCH};
use crate::{End, Shard, Slot, Turn, limits};

impl Connections {
    /// Connections that stay: what closes is as good as gone.
    fn staying(&self) -> usize {
        self.used - self.closing
    }

    /// From here on clients of HTTP may not idle for long.
    pub(crate) fn is_filling(&self) -> bool {
        self.staying() * 100 >= self.slots() * limits::FILLING_PERCENT
    }

    /// Is it so full that the next who comes may find no place?
    fn is_full(&self) -> bool {
        self.staying() * 16 >= self.slots() * FULL_SIXTEENTHS
    }

    /// Those that have not logged in; live sockets have, and a bound of their own. Neither newcomers, whose first bytes may
    /// wait to be read, nor who waits for the server makes room: on a table full of devices those who come wait until
    /// their time is over.
    fn strangers(&self, now: Now) -> impl Iterator<Item = Holding<Slot>> {
        let is_settled = move |c: &Connection| {
            let is_idle = c.carry.is_none() && matches!(c.exchange(), Some(Exchange::Reading { .. }));
            is_idle || c.begun.millis().after(limits::NEWCOMER_MS) <= now.mono
        };
        let strangers = self.iter().filter(|(_, c)| !matches!(c.phase, Phase::Live | Phase::Watching | Phase::Closing));
        strangers.map(move |(key, c)| Holding {
            key,
            payer: Payer::Address(c.peer.ip()),
            amount: 1,
            since: u64::from(c.serial),
            may_end: c.awaits_peer() && is_settled(c),
        })
    }
}

impl Shard {
    /// A connection has come: is there room for the next, and does no address hold more than it may?
    pub(crate) fn look_for_room(&mut self, turn: &mut Turn<'_>) {
        let connections = &self.connections;
        let known = self.counters.online + self.counters.live_sockets;
        let strangers = connections.staying().saturating_sub(known as usize);
        let is_full = connections.is_full();
        // The common case: few have not logged in. A table of devices alone is not searched: nobody in it could go.
        if strangers == 0 || !is_full && strangers * STRANGER_SHARES <= connections.slots() {
            return;
        }
        // Who comes to a full table whose last look was in vain waits for the next.
        let is_due = if is_full { self.room_again_at.is_none() } else { self.room_due_at <= turn.now.mono };
        if is_due {
            self.room_due_at = turn.now.mono.after(ROOM_LOOK_MS);
            self.make_room(turn, is_full);
        }
    }

    /// Room was looked for in vain: look again.
    pub(crate) fn look_again(&mut self, turn: &mut Turn<'_>) {
        if self.room_again_at.is_some_and(|at| at <= turn.now.mono) {
            self.room_again_at = None;
            self.look_for_room(turn);
        }
    }

    #[cold]
    fn make_room(&mut self, turn: &mut Turn<'_>, is_full: bool) {
        let slots = self.connections.slots();
        let mut ended = Vec::new();
        // Mostly nobody may: then nothing is gathered.
        if self.connections.strangers(turn.now).any(|holding| holding.may_end) {
            let mut held: Vec<_> = self.connections.strangers(turn.now).collect();
            ended = beyond_share(&held, (slots / STRANGER_SHARES).max(limits::STRANGERS_OF_ONE) as u64);
            let batch = (slots / TABLE_BATCH).max(1);
            if is_full && ended.len() < batch {
                let gone: BTreeSet<_> = ended.iter().copied().collect();
                held.retain(|holding| !gone.contains(&holding.key));
                ended.extend(who_gives_back(&held, |_| 0, (batch - ended.len()) as u64));
            }
        }
        // Nobody may come who could ask again: newcomers that stay silent make room a moment later.
        self.room_again_at = (is_full && ended.is_empty()).then(|| turn.now.mono.after(ROOM_LOOK_MS));
        for slot in ended {
            self.end(turn, slot, End::Crowded);
        }
    }
}

/// The oldest of each address that has more than `share`.
fn beyond_share(held: &[Holding<Slot>], share: u64) -> Vec<Slot> {
    let mut counts = std::collections::BTreeMap::<PayerPrefix, u64>::new();
    let narrowest = |payer: Payer| payer.prefixes().next();
    for holding in held {
        if let Some(prefix) = narrowest(holding.payer) {
            *counts.entry(prefix).or_default() += 1;
        }
    }
    counts.retain(|_, count| *count > share);
    let mut ended = Vec::new();
    for (prefix, count) in counts {
        let of: Vec<_> = held.iter().filter(|holding| narrowest(holding.payer) == Some(prefix)).copied().collect();
        ended.extend(who_gives_back(&of, |_| 0, count - share));
    }
    ended
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn an_address_beyond_its_share_loses_its_oldest() {
        let ip = |last: u8| Payer::Address(IpAddr::from([192, 0, 2, last]));
        let held: Vec<_> = (0..12u32)
            .map(|n| Holding {
                key: Slot(n),
                payer: ip(u8::from(n % 4 == 0)),
                amount: 1,
                since: u64::from(20 - n),
                may_end: n != 11,
            })
            .collect();
        assert_eq!(beyond_share(&held, 7), [Slot(10), Slot(9)], "nine of one address, and the oldest may not end");
        assert_eq!(beyond_share(&held, 9), []);
    }
}

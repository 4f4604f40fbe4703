//! The ledger's decisions, carried out on connections.

use super::class::LedgerClass;
use super::owner::Payer;
use crate::connection::{Connection, Exchange, Phase};
use crate::tls::Tls;
use crate::{Effect, Shard, Slot, Turn};

impl Connection {
    /// The class in which its memory is charged.
    pub(crate) fn ledger_class(&self) -> LedgerClass {
        match self.phase {
            Phase::Free
            | Phase::Opening
            | Phase::Resolving { .. }
            | Phase::Leaving { .. }
            | Phase::Away
            | Phase::Refused { .. } => LedgerClass::Opening,
            Phase::Handshake => LedgerClass::Tls,
            Phase::Serving | Phase::Watching | Phase::Closing => LedgerClass::Http,
            Phase::Live => LedgerClass::Live,
        }
    }

    /// Who is charged for it. `token`: what it has shown as a client of HTTP.
    pub(crate) fn payer(&self, token: Option<u64>) -> Payer {
        match (self.phase, self.exchange(), token) {
            (Phase::Live, ..) => Payer::Device(self.device),
            (_, Some(Exchange::Reading { verified: true, .. }), Some(token)) => Payer::Token(token),
            _ => Payer::Address(self.peer.ip()),
        }
    }

    /// Does it wait for its peer? Whoever waits for the server is no hoarder.
    pub(crate) fn awaits_peer(&self) -> bool {
        match self.phase {
            Phase::Opening | Phase::Refused { .. } | Phase::Closing | Phase::Live | Phase::Watching => true,
            Phase::Handshake => match &self.wire.tls {
                Tls::Greeting(greeted) => !greeted.greeting.is_complete(),
                Tls::Handshake(shaking) => shaking.awaits_peer(),
                Tls::Off | Tls::Due { .. } | Tls::On(_) => true,
            },
            // An ask has a bound and a pace of its own.
            Phase::Serving => {
                !matches!(self.exchange(), Some(Exchange::Asking { .. } | Exchange::Verifying | Exchange::UnderWay))
            }
            Phase::Free | Phase::Resolving { .. } | Phase::Leaving { .. } | Phase::Away => false,
        }
    }
}

impl Shard {
    /// A connection that was ordered to close and cannot: what the driver holds back for it is dropped.
    pub(crate) fn abort_closing(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        self.hold_back(slot, 0);
        turn.fx.push(Effect::Abort { slot });
    }

    /// The driver holds so many bytes back for a connection.
    pub(crate) fn hold_back(&mut self, slot: Slot, bytes: usize) {
        let Some(connection) = self.connections.get(slot) else { return };
        let (class, cell) = (connection.ledger_class(), connection.cell_bytes());
        let payer = connection.payer(self.connections.ledger.token(slot));
        self.connections.ledger.hold_back(slot, class, payer, cell, bytes);
    }

    /// After each input: end whoever must give back.
    #[cold]
    pub(crate) fn settle(&mut self, turn: &mut Turn<'_>) {
        loop {
            let ends = self.connections.who_ends();
            if ends.is_empty() {
                break;
            }
            for (slot, end) in ends {
                match self.connections.get(slot).map(|c| c.phase) {
                    Some(Phase::Closing) => self.abort_closing(turn, slot),
                    _ => self.end(turn, slot, end),
                }
            }
        }
        if self.shards > 1 {
            self.connections.ledger.plan_report(turn.now);
        }
    }
}

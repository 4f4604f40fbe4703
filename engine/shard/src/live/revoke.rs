//! Rights end: sockets that they were for end in the same call, and grants under way are looked at again.

use linchpin_protocol::live::LiveReport;

use super::grant::Revocation;
use crate::{End, Shard, Slot, Turn};

impl Shard {
    /// From here on nothing is told or written by the rights that have ended.
    pub(crate) fn revoke_rights(&mut self, turn: &mut Turn<'_>, revocation: Revocation) {
        let met = self.live.sockets.iter().filter(|(_, socket)| socket.grant.is_met_by(revocation.who));
        let met: Vec<Slot> = met.map(|(slot, _)| *slot).collect();
        self.live.revocations.push(revocation);
        let code = End::LiveRevoked.number();
        for slot in met {
            let last = if revocation.signs_out {
                LiveReport::Revoked { code }
            } else {
                // At once: the page has other rights now.
                LiveReport::Bye { code, retry_ms: 0 }
            };
            self.end_live(turn, slot, End::LiveRevoked, Some(last));
        }
    }
}

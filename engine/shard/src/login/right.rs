//! What a token stands for, and until when: each device counts its tokens, and home takes none that is older than the last.

use linchpin_protocol::model::DeviceId;

use crate::{End, Report, Shard, TokenRight, Turn};

impl Shard {
    /// Is this still the token of a device that lives here? Its position, if so.
    pub(crate) fn honoured(&self, right: TokenRight) -> Option<u32> {
        self.devices.find(right.device).filter(|_| right.epoch >= self.devices.token_epoch(right.device))
    }

    /// Tokens of a device before this one are good no more: the connection that came with one ends, and whatever is still
    /// under way with one is refused when it arrives.
    pub(crate) fn revoke(&mut self, turn: &mut Turn<'_>, device: DeviceId, token_epoch: u16) -> Report {
        let Some(position) = self.devices.find(device) else { return Report::NoSuchDevice };
        if token_epoch > self.devices.token_epoch(device) {
            self.devices.set_token_epoch(device, token_epoch);
            if let Some(slot) = self.devices[position].connection() {
                self.end(turn, slot, End::DeviceRemoved);
            }
            // What its connection left to be written later came with the old token too.
            self.revoke_will(position);
        }
        Report::Done
    }
}

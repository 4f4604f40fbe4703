//! State of connections and messages of another process.

use linchpin_shard::handover::{Freight, HandoverMessage, read_message, write_message};

/// Whatever bytes: they are refused, or are the same when they are written again.
pub fn handover(input: &[u8]) {
    if let Ok(freight) = Freight::unpack(input) {
        let mut again = Vec::new();
        freight.pack(&mut again);
        assert_eq!(again, input, "a freight is written as it was read");
    }
    let mut rest = input;
    while let Ok(Some((message, len))) = read_message(rest) {
        let mut again = Vec::new();
        write_message(&mut again, &message);
        assert_eq!(again, rest[..len], "a message is written as it was read");
        if let HandoverMessage::Batch(freights) = &message {
            assert_eq!(message.descriptors(), freights.len());
            freights.iter().for_each(|freight| handover_freight(freight));
        }
        rest = &rest[len..];
    }
}

fn handover_freight(bytes: &[u8]) {
    // Never a panic; what is read has layers that fit together.
    let _ = Freight::unpack(bytes).map(|freight| freight.device());
}

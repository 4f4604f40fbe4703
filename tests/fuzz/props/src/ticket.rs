//! The file of ticket keys: sealed bytes open and others do not, and what is sealed with any keys comes back.

use linchpin_tls::TicketRing;

const UNSEAL: [u8; 32] = [7; 32];

/// The first byte chooses: the others are a file as they are, or changes to a good one (place and value in turn).
pub fn ticket_file(input: &[u8]) {
    let Some((choice, bytes)) = input.split_first() else { return };
    if choice & 1 == 0 {
        assert!(TicketRing::open(&UNSEAL, bytes).is_err(), "nobody seals by chance");
        return;
    }
    let mut ring = TicketRing::new(u64::from(*choice) * 1_000_000).expect("random bytes");
    // A few epochs, so that there are keys before it.
    for epoch in 1..=u64::from(choice >> 5) {
        ring.turn((u64::from(*choice) + epoch) * 1_000_000).expect("random bytes");
    }
    let good = ring.seal(&UNSEAL).expect("seals");
    let opened = TicketRing::open(&UNSEAL, &good).expect("opens");
    assert_eq!(opened.current().epoch(), ring.current().epoch());
    assert_eq!(opened.previous().len(), ring.previous().len());
    let mut damaged = good.clone();
    for change in bytes.chunks_exact(2) {
        let at = usize::from(change[0]) % damaged.len();
        damaged[at] ^= change[1];
    }
    let is_changed = damaged != good;
    assert_eq!(TicketRing::open(&UNSEAL, &damaged).is_err(), is_changed, "every byte counts");
}

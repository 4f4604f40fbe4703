use proptest::prelude::*;
use zeroize::Zeroizing;

use super::super::away::{Away, Claim};
use super::*;

fn packed(away: &Away) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(away.packed_bytes()));
    let room = out.capacity();
    away.pack(&mut out);
    assert!(out.len() <= away.packed_bytes(), "{} of {} bytes", out.len(), away.packed_bytes());
    assert_eq!(out.capacity(), room, "it did not grow: no copy of keys stays behind");
    out
}

fn inplace(session: Session) -> InPlace {
    match session {
        Session::InPlace(layer) => layer,
        Session::Rustls(_) => panic!("ours"),
    }
}

/// What the server does in a step.
#[derive(Clone, Debug)]
enum Step {
    Say(u8),
    Hear(u8),
    /// Half of a record of the client's comes before the hand-over, the rest after it.
    HearInHalves(u8),
    /// To the next process, which goes on.
    HandOver,
    /// To the next process, which ends before it was told to go on.
    Abort,
    Update,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<u8>().prop_map(Step::Say),
        any::<u8>().prop_map(Step::Hear),
        any::<u8>().prop_map(Step::HearInHalves),
        Just(Step::HandOver),
        Just(Step::Abort),
        Just(Step::Update),
    ]
}

/// One server over processes, and its client, which takes each record number once and in order.
struct World {
    client: InPlace,
    server: Session,
    here: Desk,
    there: Desk,
    /// Of the server's records: number and key of each.
    sealed: std::collections::HashSet<(Vec<u8>, u64)>,
}

impl World {
    fn go(&mut self, aborts: bool) -> Vec<u8> {
        let server = std::mem::replace(&mut self.server, Session::InPlace(pair(Version::Tls12, Suite::Aes128Gcm).0));
        let away = server.go_away(&mut self.here).expect("ours");
        let bytes = packed(&away);
        let (server, part) = if aborts {
            away.wake(Claim::TakenBack)
        } else {
            drop(away);
            self.here = desk();
            Away::unpack(&bytes).expect("readable").wake(Claim::Given)
        };
        self.server = server;
        part.to_vec()
    }

    fn say(&mut self, plain: &[u8]) {
        let (layer, mut wire) = (&mut self.server, Vec::new());
        if let Session::InPlace(ours) = layer {
            let (_, view) = ours.parts(TX);
            assert!(self.sealed.insert((view.key.to_vec(), *view.seq)), "a key and a number twice");
        }
        layer.seal_slice(&mut self.here, &mut wire, plain).expect("seals");
        let (heard, end) = read(&mut self.client, &mut self.there, &wire, 7, &mut Vec::new());
        assert_eq!((heard, end), (plain.to_vec(), End::Open));
    }

    fn hear(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Session::InPlace(layer) = &mut self.server else { panic!("ours") };
        let mut out = Vec::new();
        let (heard, end) = read(layer, &mut self.here, bytes, 11, &mut out);
        assert_eq!(end, End::Open);
        // What the server says by itself: key updates.
        assert_eq!(read(&mut self.client, &mut self.there, &out, 5, &mut Vec::new()), (Vec::new(), End::Open));
        heard
    }
}

proptest! {
    /// Over any hand-overs and aborted ones: the client reads every record in order, the server every byte of the client,
    /// and no key protects two records of one number.
    #[test]
    fn no_number_is_used_twice_and_no_byte_is_lost(
        kind in 0usize..KINDS.len(), steps in proptest::collection::vec(step(), 1..40),
    ) {
        let (version, suite) = KINDS[kind];
        let (client, server) = pair(version, suite);
        let mut world = World {
            client, server: Session::InPlace(server), here: desk(), there: desk(), sealed: Default::default(),
        };
        for step in steps {
            match step {
                Step::Say(n) => world.say(&vec![n; 1 + usize::from(n)]),
                Step::Hear(n) | Step::HearInHalves(n) => {
                    let plain = vec![n; 1 + usize::from(n)];
                    let mut wire = Vec::new();
                    say(&mut world.client, &mut world.there, &plain, &mut wire);
                    let cut = if matches!(step, Step::Hear(_)) { wire.len() } else { wire.len() * usize::from(n) / 256 };
                    let mut heard = world.hear(&wire[..cut]);
                    if cut < wire.len() {
                        let mut rest = world.go(n % 2 == 0);
                        rest.extend_from_slice(&wire[cut..]);
                        heard.extend(world.hear(&rest));
                    }
                    prop_assert_eq!(heard, plain);
                }
                Step::HandOver => prop_assert!(world.go(false).is_empty()),
                Step::Abort => prop_assert!(world.go(true).is_empty()),
                // The client's key update: the server answers with its own.
                Step::Update if version == Version::Tls13 => {
                    let wire = raw_13(&mut world.client, &[24, 0, 0, 1, 1, 22]);
                    world.client.update(&mut world.there, TX);
                    prop_assert!(world.hear(&wire).is_empty());
                }
                Step::Update => {}
            }
        }
    }

    /// No bytes make the reader panic, and what it takes is written as it was.
    #[test]
    fn damaged_state_is_refused_or_another_state(
        kind in 0usize..KINDS.len(), at in 0usize..300, bit in 0u8..8, cut in 0usize..300,
    ) {
        let (version, suite) = KINDS[kind];
        let (_, server) = pair(version, suite);
        let bytes = packed(&Session::InPlace(server).go_away(&mut desk()).expect("ours"));
        prop_assert_eq!(&*packed(&Away::unpack(&bytes).expect("readable")), &*bytes);
        if cut < bytes.len() {
            prop_assert!(Away::unpack(&bytes[..cut]).is_err());
        }
        let mut damaged = bytes.to_vec();
        let at = at % damaged.len();
        damaged[at] ^= 1 << bit;
        if let Ok(other) = Away::unpack(&damaged) {
            prop_assert_eq!(&*packed(&other), &damaged);
        }
    }
}

#[test]
fn what_cannot_be_written_down_stays_as_it_was() {
    let (client, _) = pair(Version::Tls13, Suite::Aes128Gcm);
    assert_eq!(inplace(Session::InPlace(client)).records(), (1, 1));
    let newer = [9; 80];
    assert!(Away::unpack(&newer).expect_err("newer").to_string().contains("its version"));
}

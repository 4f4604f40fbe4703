//! Thousands of malformed frames over real sockets: each gets its status or its end, and nothing else is touched.
//!
//! `LINCHPIN_MALFORMED=50000 cargo test -p linchpin-e2e --test malformed` runs more of them, `LINCHPIN_SEED=n` others.

use std::net::Ipv4Addr;
use std::time::Duration;

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{BackEnd, Device, Frame, Server, Wire, eventually, field, status};
use linchpin_e2e::Random;
use linchpin_e2e::hostile::{Attack, Outcome};
use serde_json::Value;

/// Frames in a round: half of them before a login, half in sessions.
const ROUND: u32 = 500;
/// Sessions that are attacked in turn. A device may log in ten times at once and once a second after that.
const VICTIMS: u32 = 60;
/// Attacks on one session: well below the quota of messages, which is another test's business.
const PER_SESSION: u32 = 10;
/// Sessions that do nothing wrong.
const WITNESSES: u32 = 4;
/// Between the pieces of a frame, so that the server reads them apart.
const BETWEEN_PIECES: Duration = Duration::from_millis(1);
/// How often what the server holds at rest is looked at, and the time between two looks.
const LOOKS_AT_REST: usize = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

fn from_environment(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

struct World {
    server: Server,
    random: Random,
    victims: Vec<Device>,
    witnesses: Vec<(Device, Wire)>,
    logins: usize,
    beats: u32,
}

/// What must not be more after each round.
#[derive(Debug)]
struct Held {
    connections: u64,
    ledger_bytes: u64,
    descriptors: usize,
}

impl Held {
    fn is_no_more_than(&self, before: &Self) -> bool {
        self.connections == before.connections
            && self.ledger_bytes == before.ledger_bytes
            && self.descriptors <= before.descriptors
    }
}

impl World {
    fn new(back_end: BackEnd, seed: u64) -> Self {
        // What is kept by a connection's number is used for as many as were asked for, once so many have come: few here,
        // so that the first round has used all of it.
        let server = Server::dev()
            .back_end(back_end)
            .shards(2)
            .option("--connections", "1000")
            .devices(VICTIMS + WITNESSES)
            .start();
        let mut devices = server.more_devices();
        let victims = devices.split_off(WITNESSES as usize);
        let login = |device: Device| {
            let wire = Wire::login(server.address(), &device.token);
            (device, wire)
        };
        let witnesses = devices.into_iter().map(login).collect();
        Self { server, random: Random::new(seed), victims, witnesses, logins: 0, beats: 0 }
    }

    /// An address of its own for each connection: one that fails too often is not answered any more.
    fn any_address(&mut self) -> Ipv4Addr {
        let part = |value: usize| value as u8;
        let (a, b, c) = (self.random.between(1, 250), self.random.between(0, 255), self.random.between(1, 254));
        Ipv4Addr::new(127, part(a), part(b), part(c))
    }

    fn send(&self, wire: &mut Wire, attack: &Attack) {
        for piece in attack.pieces() {
            // The server may have ended the connection at the first piece.
            if wire.try_send_bytes(piece).is_err() {
                break;
            }
            if !attack.cuts.is_empty() {
                std::thread::sleep(BETWEEN_PIECES);
            }
        }
    }

    /// All at the same time: a refused login is closed a second after its answer.
    fn attack_before_login(&mut self, count: u32) {
        let mut open = Vec::new();
        for _ in 0..count {
            let attack = Attack::before_login(&mut self.random);
            let mut wire = Wire::connect_from(self.any_address(), self.server.address());
            self.send(&mut wire, &attack);
            open.push((attack, wire));
        }
        for (attack, mut wire) in open {
            let Outcome::End(expected) = &attack.outcome else { panic!("{attack:?} must end") };
            assert_eq!(&wire.expect_end(EFFECT), expected, "after {attack:?}");
        }
    }

    fn attack_sessions(&mut self, count: u32) {
        let mut left = count;
        while left > 0 {
            let victim = self.victims[self.logins % self.victims.len()].clone();
            self.logins += 1;
            let mut wire = Wire::login(self.server.address(), &victim.token);
            for _ in 0..PER_SESSION.min(left) {
                left -= 1;
                let attack = Attack::in_session(&mut self.random);
                self.send(&mut wire, &attack);
                match &attack.outcome {
                    Outcome::Status(status) => {
                        let answer = Frame::response(attack.id(), *status);
                        assert_eq!(wire.receive(EFFECT), Some(answer), "after {attack:?}");
                    }
                    Outcome::Silence => wire.expect_pong(),
                    Outcome::End(expected) => {
                        assert_eq!(&wire.expect_end(EFFECT), expected, "after {attack:?}");
                        break;
                    }
                }
            }
        }
    }

    /// The witnesses' values arrive and theirs are answered.
    fn witnesses_are_well(&mut self) {
        self.beats += 1;
        let value = format!("beat {}", self.beats);
        for (device, wire) in &mut self.witnesses {
            wire.send_parts(linchpin_compat::command::HARDWARE, &["vw", "7", &value]);
            wire.expect_pong();
            assert_eq!(self.server.value(device, "V7").as_deref(), Some(value.as_str()));
        }
    }

    fn held(&self) -> Held {
        let status = self.server.ask(&["status"]);
        let number = |name| field(&status, name).as_u64().unwrap_or_else(|| panic!("{name} is no number in {status}"));
        let folder = format!("/proc/{}/fd", self.server.pid());
        Held {
            connections: number("connections"),
            ledger_bytes: number("ledger_bytes"),
            descriptors: std::fs::read_dir(folder).expect("the server's descriptors").count(),
        }
    }

    /// What is held when nothing is under way: a question to the server is itself a descriptor for a moment, and the one
    /// before may not have been closed yet, so the least of several looks counts.
    fn held_at_rest(&self) -> Held {
        let looks = (0..LOOKS_AT_REST).map(|_| {
            std::thread::sleep(BETWEEN_LOOKS);
            self.held()
        });
        looks.min_by_key(|held| held.descriptors).expect("at least one look")
    }

    fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.server.pid());
        let text = std::fs::read_to_string(path).expect("the server's status");
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("KiB")
    }
}

fn storm(back_end: BackEnd) {
    let count = from_environment("LINCHPIN_MALFORMED", 2_000);
    let seed = from_environment("LINCHPIN_SEED", 0x11_c4);
    let mut world = World::new(back_end, u64::from(seed));
    world.witnesses_are_well();
    let before = world.held_at_rest();
    assert_eq!((before.connections, before.ledger_bytes), (u64::from(WITNESSES), 0), "seed {seed}");

    let mut resident_kib = Vec::new();
    for round in 0..count.div_ceil(ROUND) {
        world.attack_before_login(ROUND / 2);
        world.attack_sessions(ROUND / 2);
        world.witnesses_are_well();
        eventually(
            EFFECT,
            &format!("round {round} of seed {seed} leaves nothing: {before:?}, {:?}", world.held()),
            || world.held().is_no_more_than(&before).then_some(()),
        );
        resident_kib.push(world.resident_kib());
    }
    let (first, last) = (resident_kib[0], resident_kib[resident_kib.len() - 1]);
    assert!(
        last * 100 <= first * 105,
        "resident memory grew by more than 5 % after the first round: {resident_kib:?} KiB"
    );

    let log = world.server.log();
    assert!(!log.contains("panicked"), "seed {seed}: {log}");
    let ends = field(&world.server.ask(&["status"]), "ends").clone();
    for code in ["E0201", "E0202", "E0204", "E0310", "E0208", "E0301", "E0302"] {
        assert!(ends.get(code).and_then(Value::as_u64).is_some_and(|count| count > 0), "no end {code} in {ends}");
    }
    world.server.expect_no_token_in_log(&world.victims);
    let mut witness = world.witnesses.pop().expect("a witness").1;
    witness.expect_status(linchpin_compat::command::PING, &[], status::OK);
    assert!(world.server.stop().success());
}

#[test]
fn malformed_frames_on_io_uring() {
    storm(BackEnd::IoUring);
}

#[test]
fn malformed_frames_on_the_portable_back_end() {
    storm(BackEnd::Portable);
}

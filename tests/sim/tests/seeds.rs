//! Many worlds, each from one seed.

use linchpin_shard::End;
use linchpin_sim::fleet::{Fleet, Outcome, run_seed};
use linchpin_sim::{Kind, WorldOptions};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// Run a seed and say how to repeat it when it fails.
fn checked(seed: u64) -> Outcome {
    match std::panic::catch_unwind(|| run_seed(seed)) {
        Ok(outcome) => outcome,
        Err(panic) => {
            #[allow(clippy::print_stderr, reason = "the one thing to know of a failed run")]
            {
                eprintln!(
                    "seed {seed} failed; repeat it: LINCHPIN_SIM_SEED={seed} cargo test -p linchpin-sim --test seeds one_seed"
                );
            }
            std::panic::resume_unwind(panic)
        }
    }
}

#[test]
fn three_hundred_seeds() {
    let count = number("LINCHPIN_SIM_SEEDS", 300);
    let first = number("LINCHPIN_SIM_FIRST", 1);
    // Two threads: the machine of the tests has two cores.
    let other = std::thread::spawn(move || (first..first + count).step_by(2).for_each(|seed| _ = checked(seed)));
    (first + 1..first + count).step_by(2).for_each(|seed| _ = checked(seed));
    other.join().expect("all seeds hold");
}

#[test]
fn one_seed() {
    let _ = checked(number("LINCHPIN_SIM_SEED", 4_711));
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let mut traces = Vec::new();
    // One of them has TLS, one HTTP, one MQTT.
    for seed in [3, 99, 1_232] {
        let outcome = checked(seed);
        assert_eq!(outcome, checked(seed), "seed {seed} went two ways");
        traces.push(outcome.trace);
    }
    traces.dedup();
    assert_eq!(traces.len(), 3, "different seeds, different traces");
}

/// A simulator that never gets into trouble proves nothing.
#[test]
fn the_seeds_reach_the_rare_ends_too() {
    let outcomes: Vec<Outcome> = (1_000..1_060).map(checked).collect();
    let reached = |end: End| outcomes.iter().any(|outcome| outcome.ends.contains(&end));
    let wanted = [
        End::PeerClosed,
        End::PeerReset,
        End::HeartbeatMissed,
        End::LoginTimeout,
        End::CommandBeforeLogin,
        End::UnknownProtocol,
        End::TokenUnknown,
        End::TakenOver,
        End::Flood,
        End::OutboundFull,
        End::HomeFull,
        End::Busy,
        End::TlsRecord,
    ];
    // One seed in five has devices that speak MQTT.
    let spoken: Vec<_> = outcomes.iter().filter(|outcome| outcome.mqtt.0 > 0).collect();
    assert_eq!(spoken.len(), outcomes.len() / 5, "seeds with MQTT");
    assert!(spoken.iter().all(|outcome| outcome.mqtt.0 > 50), "MQTT devices hardly said anything");
    assert!(spoken.iter().map(|outcome| outcome.mqtt.1).sum::<u64>() > 10, "hardly a will was written");
    let missing: Vec<End> = wanted.into_iter().filter(|end| !reached(*end)).collect();
    assert_eq!(missing, [], "60 seeds did not reach these");
    assert!(outcomes.iter().filter(|outcome| outcome.writes > 20).count() > 50, "devices hardly wrote anything");
}

#[test]
fn ten_thousand_cuts_leave_nothing() {
    let cuts = number("LINCHPIN_SIM_CUTS", 10_000);
    let options = WorldOptions { seed: 77, shards: 3, ..WorldOptions::default() };
    // 20 clients that are cut every 5 s of virtual time.
    let mut fleet = Fleet::new(&options, &[Kind::Cutter; 20], 5_000, 50);
    while (fleet.world.wires.len() as u64) < cuts {
        fleet.run_ms(5_000);
    }
    fleet.leave();
}

#[test]
fn a_virtual_day_without_one_end() {
    let kinds = [Kind::Library, Kind::Library, Kind::FirstFrame, Kind::Library, Kind::FirstFrame, Kind::Library];
    let options = WorldOptions { seed: 5, shards: 4, ..WorldOptions::default() };
    let mut fleet = Fleet::new(&options, &kinds, 2_000, 3_600_000);
    fleet.run_ms(10_000);
    fleet.run_quietly_ms(24 * 3_600 * 1_000);
    assert_eq!(fleet.world.ends, [], "somebody was dropped within 24 hours");
    assert!(fleet.clients.iter().all(|client| client.is_ready));
    fleet.leave();
}

#[test]
fn a_herd_returns_after_a_power_cut() {
    let options = WorldOptions { seed: 8, shards: 4, slots: 1_200, ..WorldOptions::default() };
    let mut fleet = Fleet::new(&options, &[Kind::Library; 2_000], 0, 60_000);
    fleet.run_ms(3_000);
    fleet.expect_served(0);
    for at in 0..fleet.clients.len() {
        if let Some(conn) = fleet.clients[at].conn {
            fleet.world.abort(conn);
            fleet.clients[at].hang_up(&fleet.world);
        }
    }
    fleet.run_ms(9_000);
    fleet.expect_served(0);
    fleet.leave();
}

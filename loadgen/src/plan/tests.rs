//! Plans in virtual time: nothing here sleeps.

use super::*;
use crate::scenario::Scenario;
use crate::scenario::file::parse;

const S: u64 = 1_000_000_000;

fn scenario(group: &str, phases: &str) -> Scenario {
    let text = format!("name = \"t\"\n[[group]]\nname = \"g\"\n{group}\n{phases}");
    parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

const RAMP: &str = "[[phase]]\nkind = \"ramp\"\nduration = \"2s\"\n";

fn phase(kind: &str, rest: &str) -> String {
    format!("[[phase]]\nkind = \"{kind}\"\n{rest}\n")
}

/// All acts of all workers.
fn acts(scenario: &Scenario, workers: u32) -> Vec<Intended> {
    let mut all = Vec::new();
    for worker in 0..workers {
        let mut plan = Plan::new(scenario, WorkerPart { worker, workers });
        let mut last = 0;
        while let Some(intended) = plan.next_act(u64::MAX) {
            assert!(intended.at_ns >= last, "out of order: {intended:?} after {last}");
            last = intended.at_ns;
            all.push(intended);
        }
    }
    all
}

fn of(acts: &[Intended], act: Act) -> Vec<Intended> {
    acts.iter().copied().filter(|intended| intended.act == act).collect()
}

const SEND: Act = Act::Send { mix: 0 };

#[test]
fn a_rate_is_kept_by_any_number_of_workers() {
    let text = "count = 100\nmix = [{ kind = \"ping\", rate = \"1000/s\" }]";
    let scenario = scenario(text, &(RAMP.to_owned() + &phase("steady", "duration = \"10s\"")));
    for workers in [1, 2, 3] {
        let sends = of(&acts(&scenario, workers), SEND);
        assert_eq!(sends.len(), 10_000);
        assert!(sends.iter().all(|send| (2 * S..12 * S).contains(&send.at_ns)), "none in the ramp of load 0");
        for second in 2..12 {
            let n = sends.iter().filter(|send| send.at_ns / S == second).count();
            assert!(n.abs_diff(1_000) <= 1, "{n} sends in second {second}");
        }
    }
}

#[test]
fn one_worker_sends_at_equal_distances() {
    let text = "count = 100\nmix = [{ kind = \"ping\", rate = \"1000/s\" }]";
    let sends = of(&acts(&scenario(text, &(RAMP.to_owned() + &phase("steady", "duration = \"10s\""))), 1), SEND);
    assert!(sends.windows(2).all(|two| (two[1].at_ns - two[0].at_ns).abs_diff(1_000_000) <= 1));
}

#[test]
fn every_device_sends_once_a_period_with_its_jitter() {
    let text = "count = 50\nmix = [{ kind = \"telemetry\", every = \"2s\", jitter = \"300ms\" }]";
    let sends = of(&acts(&scenario(text, &(RAMP.to_owned() + &phase("steady", "duration = \"20s\""))), 2), SEND);
    // Two workers have 25 devices each, numbered from 0: 20 sends a number.
    assert!(sends.len().abs_diff(500) <= 2, "{}", sends.len());
    let mut of_device: Vec<u64> = sends.iter().filter(|send| send.device == 7).map(|send| send.at_ns).collect();
    of_device.sort_unstable();
    assert!(of_device.len().abs_diff(20) <= 1, "{of_device:?}");
    let jittered = sends.iter().map(|send| send.at_ns % 40_000_000).collect::<std::collections::BTreeSet<_>>();
    assert!(jittered.len() > 300, "jitter is there: {} residues", jittered.len());
}

#[test]
fn a_ramp_and_a_burst_shape_the_load() {
    let text = "count = 10\nmix = [{ kind = \"ping\", rate = \"1000/s\" }]";
    let phases = "[[phase]]\nkind = \"ramp\"\nduration = \"4s\"\nload = 1.0\n".to_owned()
        + &phase("steady", "duration = \"2s\"")
        + &phase("burst", "duration = \"1s\"\nload = 3.0")
        + &phase("steady", "duration = \"1s\"\nload = 0.0")
        + &phase("steady", "duration = \"1s\"\nload = 0.5");
    let sends = of(&acts(&scenario(text, &phases), 1), SEND);
    let counts: Vec<usize> = (0..9).map(|s| sends.iter().filter(|send| send.at_ns / S == s).count()).collect();
    let expected = [125, 375, 625, 875, 1_000, 1_000, 3_000, 0, 500];
    assert!(counts.iter().zip(expected).all(|(n, wanted)| n.abs_diff(wanted) <= 1), "{counts:?}");
}

#[test]
fn the_same_seed_plans_the_same_and_another_does_not() {
    let text = "count = 40\nmix = [{ kind = \"ping\", rate = \"200/s\", arrival = \"poisson\" }]";
    let mut scenario = scenario(text, &(RAMP.to_owned() + &phase("steady", "duration = \"5s\"")));
    let first = acts(&scenario, 2);
    assert_eq!(first, acts(&scenario, 2));
    scenario.seed = 2;
    assert_ne!(first, acts(&scenario, 2));
}

#[test]
fn poisson_arrivals_have_the_rate_and_the_spread_of_independent_events() {
    let text = "count = 40\nmix = [{ kind = \"ping\", rate = \"1000/s\", arrival = \"poisson\" }]";
    let sends = of(&acts(&scenario(text, &(RAMP.to_owned() + &phase("steady", "duration = \"20s\""))), 1), SEND);
    assert!(sends.len().abs_diff(20_000) < 700, "{}", sends.len());
    let gaps: Vec<f64> = sends.windows(2).map(|two| (two[1].at_ns - two[0].at_ns) as f64 / 1e6).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    assert!((0.9..1.1).contains(&(variance.sqrt() / mean)), "deviation {} of mean {mean}", variance.sqrt());
}

#[test]
fn all_devices_connect_in_the_ramp() {
    let connects = of(
        &acts(&scenario("count = 101", &(RAMP.to_owned() + &phase("steady", "duration = \"1s\""))), 3),
        Act::Connect,
    );
    assert_eq!(connects.len(), 101);
    assert!(connects.iter().all(|connect| connect.at_ns <= 2 * S));
    let early = connects.iter().filter(|connect| connect.at_ns < S).count();
    assert!(early.abs_diff(50) <= 3, "{early} in the first half");
}

#[test]
fn heartbeats_have_their_own_clock() {
    let scenario = scenario("count = 30\nh_beat = \"10s\"", &(RAMP.to_owned() + &phase("steady", "duration = \"1s\"")));
    let mut plan = Plan::new(&scenario, WorkerPart { worker: 0, workers: 1 });
    let mut beats = Vec::new();
    while let Some(beat) = plan.next_beat(100 * S) {
        beats.push(beat);
    }
    assert_eq!(beats.len(), 300, "one a device and 10 s, long after the end of the plan");
    for device in 0..30 {
        let times: Vec<u64> = beats.iter().filter(|beat| beat.device == device).map(|beat| beat.at_ns).collect();
        assert!(times.windows(2).all(|two| (two[1] - two[0]).abs_diff(10 * S) <= 1), "{times:?}");
    }
    assert_eq!(plan.next_act(0), None);
}

#[test]
fn the_clock_of_the_plan_stands_still_until_the_gate_is_open() {
    let scenario = scenario("count = 1", &(RAMP.to_owned() + &phase("steady", "duration = \"1s\"")));
    let plan = Plan::new(&scenario, WorkerPart { worker: 0, workers: 1 });
    assert_eq!((plan.clock(S, None), plan.clock(9 * S, None)), (S, 2 * S - 1));
    // It is known when the gate opens, and the ramp goes on until then: else the next phase would seem longer.
    assert_eq!((plan.clock(9 * S, Some(10 * S)), plan.clock(10 * S, Some(10 * S))), (2 * S - 1, 2 * S));
    assert_eq!(plan.phase_at(plan.clock(10 * S - 1, Some(10 * S))), 0);
    assert_eq!(plan.clock(11 * S, Some(10 * S)), 3 * S);
}

#[test]
fn storms_hit_their_share() {
    let phases = RAMP.to_owned()
        + &phase("steady", "duration = \"1s\"")
        + &phase("storm", "duration = \"10s\"\nstorm = \"flap\"\nshare = \"20%\"")
        + &phase("storm", "duration = \"10s\"\nstorm = \"power_on\"\nshare = \"50%\"\nwithin = \"2s\"")
        + &phase("storm", "duration = \"10s\"\nstorm = \"half_handshakes\"\nrate = \"7/s\"")
        + &phase("storm", "duration = \"5s\"\nstorm = \"slow_readers\"\nshare = \"10%\"");
    let acts = acts(&scenario("count = 100", &phases), 1);
    let cuts = of(&acts, Act::Cut);
    assert_eq!(cuts.len(), 20);
    assert!(cuts.iter().all(|cut| (3 * S..13 * S).contains(&cut.at_ns)));
    let (off, connects) = (of(&acts, Act::PowerOff), of(&acts, Act::Connect));
    let on: Vec<_> = connects.iter().filter(|connect| connect.at_ns > 3 * S).collect();
    assert_eq!((off.len(), on.len()), (50, 50));
    let set = |all: Vec<u32>| all.into_iter().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(set(off.iter().map(|i| i.device).collect()), set(on.iter().map(|i| i.device).collect()));
    assert!(off.iter().all(|i| i.at_ns == 13 * S) && on.iter().all(|i| (13 * S..=15 * S + 1).contains(&i.at_ns)));
    assert_eq!(of(&acts, Act::HalfOpen).len(), 70);
    let (deaf, hear, nag) = (of(&acts, Act::Deaf), of(&acts, Act::Hear), of(&acts, Act::Nag));
    assert_eq!((deaf.len(), hear.len(), nag.len()), (10, 10, 500));
    let deaf = set(deaf.iter().map(|i| i.device).collect());
    assert!(hear.iter().chain(&nag).all(|i| deaf.contains(&i.device)));
}

use super::*;

fn ip(n: u32) -> IpAddr {
    IpAddr::V4(n.into())
}

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One core that does what it is told to, `cost` each, until `until`; gives who was served and who expired.
fn run(admission: &mut Admission<u32>, from: Duration, until: Duration, cost: Duration) -> (Vec<u32>, Vec<u32>) {
    let (mut served, mut expired) = (Vec::new(), Vec::new());
    let mut now = from;
    while now < until {
        while let Some(who) = admission.expired(now) {
            expired.push(who);
        }
        while let Some((who, pass)) = admission.next(now) {
            now += cost;
            admission.spent(cost);
            admission.ended(pass, cost);
            served.push(who);
        }
        now += Duration::from_millis(1);
    }
    (served, expired)
}

#[test]
fn a_storm_is_served_as_far_as_it_can_and_the_rest_refused_at_once() {
    let mut admission = Admission::new([1; 16], at(0));
    admission.set_load(Load::Sessions);
    let (mut waits, mut refused) = (0, 0);
    let cost = Duration::from_micros(100);
    for n in 0..20_000 {
        match admission.arrive(at(0), n, ip(n), false) {
            ArrivalVerdict::Start(pass) => {
                admission.spent(cost);
                admission.ended(pass, cost);
            }
            ArrivalVerdict::Wait => waits += 1,
            ArrivalVerdict::Instead(other) => panic!("{other} has no more than others"),
            ArrivalVerdict::Refuse(refusal) => {
                assert_eq!(refusal, Refusal::Busy);
                refused += 1;
            }
        }
    }
    // 4.5 s at 40 % of a core are 18,000 handshakes of 100 us, and 16,384 may wait.
    assert!((16_300..=16_500).contains(&waits), "{waits} wait");
    assert!(refused > 3_400);
    assert!(admission.wake_at().is_some());
    let (served, expired) = run(&mut admission, at(0), at(4_700), cost);
    assert_eq!(served.len() + expired.len(), waits);
    assert!(expired.len() < waits / 20, "{} expired", expired.len());
    assert_eq!((admission.running(), admission.waiting()), (0, 0));
}

#[test]
fn handshakes_take_no_more_than_their_share() {
    for (load, least, most) in [(Load::Sessions, 38, 44), (Load::Alone, 90, 99)] {
        let mut admission = Admission::new([1; 16], at(0));
        admission.set_load(load);
        let cost = Duration::from_micros(100);
        let (mut now, mut busy, mut n) = (at(0), Duration::ZERO, 0);
        while now < at(3_000) {
            n += 1;
            let started = match admission.arrive(now, n, ip(n), false) {
                ArrivalVerdict::Start(pass) => Some((n, pass)),
                ArrivalVerdict::Wait | ArrivalVerdict::Instead(_) | ArrivalVerdict::Refuse(_) => admission.next(now),
            };
            if let Some((_, pass)) = started {
                (now, busy) = (now + cost, busy + cost);
                admission.spent(cost);
                admission.ended(pass, cost);
            }
            while admission.expired(now).is_some() {}
            now += Duration::from_micros(5);
        }
        let percent = busy.as_micros() * 100 / now.as_micros();
        assert!((least..=most).contains(&percent), "{load:?}: {percent} %");
    }
}

#[test]
fn resumed_ones_go_first_but_not_alone() {
    let mut admission = Admission::new([1; 16], at(0));
    admission.spent(Duration::from_secs(1));
    for n in 0..100 {
        assert_eq!(admission.arrive(at(0), n, ip(n), n >= 50), ArrivalVerdict::Wait);
    }
    let mut order = Vec::new();
    let mut now = at(1_200);
    while let Some((who, pass)) = admission.next(now) {
        admission.ended(pass, Duration::from_micros(60));
        order.push(who);
        now += at(1);
    }
    assert_eq!(order.len(), 100);
    let full_early = order[..40].iter().filter(|who| **who < 50).count();
    assert_eq!(full_early, 40 / FULL_TURN as usize);
}

#[test]
fn one_address_cannot_take_all() {
    let mut admission = Admission::new([1; 16], at(0));
    let mut passes = Vec::new();
    for n in 0..2_000 {
        if let ArrivalVerdict::Start(mut pass) = admission.arrive(at(0), n, ip(7), false) {
            admission.begun(&mut pass);
            passes.push(pass);
        }
    }
    assert_eq!(passes.len(), ADDRESS_HANDSHAKES, "it begins many and ends none");
    assert_eq!(admission.arrive(at(0), 0, ip(7), true), ArrivalVerdict::Refuse(Refusal::Address));
    assert!(matches!(admission.arrive(at(0), 0, ip(8), false), ArrivalVerdict::Start(_)));
    passes.into_iter().for_each(|pass| admission.ended(pass, FULL_COST));
    for n in 0..ADDRESS_BURST {
        if let ArrivalVerdict::Start(pass) = admission.arrive(at(1), n, ip(7), false) {
            admission.ended(pass, FULL_COST);
        }
    }
    assert_eq!(admission.arrive(at(1), 0, ip(7), false), ArrivalVerdict::Refuse(Refusal::Address), "too many lately");
    assert!(
        matches!(admission.arrive(at(1_001), 0, ip(7), false), ArrivalVerdict::Start(_)),
        "a second earns some back"
    );
}

#[test]
fn a_v6_prefix_is_one_owner() {
    let admission = Admission::<u32>::new([1; 16], at(0));
    let bucket = |text: &str| admission.bucket(text.parse().expect("an address"));
    assert_eq!(bucket("2001:db8::1"), bucket("2001:db8::ffff:1"));
    assert_ne!(bucket("2001:db8::1"), bucket("2001:db8:0:1::1"));
    assert_eq!(bucket("::ffff:192.0.2.1"), bucket("192.0.2.1"));
}

#[test]
fn nobody_in_time_is_sent_away_and_the_bound_is_the_operators() {
    let mut admission = Admission::new([1; 16], at(0));
    admission.spent(Duration::from_secs(4));
    assert_eq!(admission.arrive(at(0), 1, ip(1), false), ArrivalVerdict::Wait, "4.2 s at 95 %");
    admission.set_wait(Duration::from_secs(2));
    assert_eq!(admission.arrive(at(0), 2, ip(2), false), ArrivalVerdict::Refuse(Refusal::Busy));
    assert_eq!(admission.expired(at(2_001)), Some(1));
    assert_eq!(admission.expired(at(2_001)), None);
}

#[test]
fn in_a_full_queue_the_address_with_most_gives_way() {
    let mut admission = Admission::new([1; 16], at(0));
    // With what others cost, it takes a second to fill.
    admission.set_wait(Duration::from_millis(150));
    admission.spent(Duration::from_millis(40));
    let mut n = 0;
    while admission.arrive(at(0), n, ip(7 + n % 2), false) == ArrivalVerdict::Wait {
        n += 1;
    }
    assert!((1_000..2_000).contains(&n), "{n} wait");
    for newcomer in 0..20 {
        match admission.arrive(at(0), 100_000 + newcomer, ip(100 + newcomer), newcomer % 2 == 0) {
            // Nobody that resumes waits, so those wait for nobody.
            ArrivalVerdict::Wait => assert_eq!(newcomer % 2, 0),
            ArrivalVerdict::Instead(gone) => assert!(gone < n && newcomer % 2 == 1, "{gone}"),
            other => panic!("{newcomer}: {other:?}"),
        }
    }
    let waits = admission.waiting();
    assert_eq!(admission.arrive(at(0), 1, ip(7), false), ArrivalVerdict::Refuse(Refusal::Busy), "the hoarder's next");
    assert_eq!(admission.waiting(), waits);
}

#[test]
fn a_network_of_many_prefixes_has_a_rate() {
    let mut admission = Admission::new([1; 16], at(0));
    let site = 0x2001_0db8_0077_u128 << 80;
    let mut started = 0;
    for n in 0..60_000u32 {
        let address = std::net::Ipv6Addr::from(site | u128::from(n) << 64 | 1);
        match admission.arrive(at(0), n, address.into(), false) {
            ArrivalVerdict::Start(pass) => {
                started += 1;
                admission.ended(pass, FULL_COST);
            }
            ArrivalVerdict::Refuse(Refusal::Address) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(started, ADDRESS_BURST * NETWORK_SHARES, "one /48 is one customer");
    assert!(matches!(admission.arrive(at(0), 0, ip(9), false), ArrivalVerdict::Start(_)), "others are not affected");
}

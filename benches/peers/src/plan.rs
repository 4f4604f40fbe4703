//! In which order servers are measured.

use clap::ValueEnum;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;

/// How connections are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// TCP alone.
    Plain,
    /// TLS 1.3.
    Tls,
}

impl Transport {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Plain, Self::Tls];

    /// Its row of the results.
    pub(crate) const fn row(self) -> &'static str {
        match self {
            Self::Plain => "memory per idle connection, plain",
            Self::Tls => "memory per idle connection, TLS",
        }
    }

    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
        }
    }

    /// Logins a second that every server is asked for: a full handshake takes some of them milliseconds, and both ends
    /// share the machine.
    pub(crate) const fn logins_per_s(self) -> u32 {
        match self {
            Self::Plain => 1_000,
            Self::Tls => 250,
        }
    }
}

/// One measurement to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// From 1.
    pub(crate) round: u32,
    /// Which of the servers.
    pub(crate) subject: usize,
    /// How its connections are made.
    pub(crate) transport: Transport,
}

/// All steps: each round has every server with every transport once, in an order of its own. A round's order depends on
/// nothing but the seed and its number.
pub(crate) fn steps(rounds: u32, subjects: usize, only: Option<Transport>, seed: u64) -> Vec<Step> {
    let transports = || Transport::ALL.into_iter().filter(move |one| only.is_none_or(|wanted| wanted == *one));
    let mut all = Vec::new();
    for round in 1..=rounds {
        let pairs = (0..subjects).flat_map(|subject| transports().map(move |transport| (subject, transport)));
        let mut steps: Vec<Step> = pairs.map(|(subject, transport)| Step { round, subject, transport }).collect();
        steps.shuffle(&mut Pcg64::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(u64::from(round))));
        all.extend(steps);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_has_every_server_with_every_transport_once() {
        let all = steps(20, 5, None, 7);
        assert_eq!(all.len(), 200);
        for (at, round) in all.chunks(10).enumerate() {
            assert!(round.iter().all(|step| step.round == at as u32 + 1));
            for subject in 0..5 {
                for transport in Transport::ALL {
                    let same = |step: &&Step| step.subject == subject && step.transport == transport;
                    assert_eq!(round.iter().filter(same).count(), 1);
                }
            }
        }
        let begins: std::collections::BTreeSet<usize> = all.chunks(10).map(|round| round[0].subject).collect();
        assert!(begins.len() > 2, "the same server always begins: {begins:?}");
    }

    #[test]
    fn more_rounds_leave_the_first_ones_as_they_were() {
        let few = steps(2, 4, None, 9);
        assert_eq!(few, steps(6, 4, None, 9)[..few.len()]);
        assert_ne!(few, steps(2, 4, None, 10));
        assert!(steps(3, 4, Some(Transport::Tls), 9).iter().all(|step| step.transport == Transport::Tls));
    }
}

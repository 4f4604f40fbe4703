//! What it adds to a write that its watcher lives on another shard, both awake: no lock, a letter through a lane.
//! `cargo bench -p linchpin-bench-core --bench lanes`
//!
//! Two devices write to each other's bridge in turn, a write at a time, so that the path is never hidden behind others.
//! Once both live on one shard; once each on a shard with a thread on a core of its own, which looks into its lane
//! without sleeping. Rounds are interleaved; what counts is the difference within a round.

#![allow(clippy::print_stdout, reason = "a program that reports")]

use std::time::Instant;

use linchpin_bench_core::cases::Pair;
use linchpin_bench_core::world::{PIN, World};
use linchpin_protocol::blynk::codec::device;
use linchpin_shard::{Letter, ShardId};
use rtrb::{Consumer, Producer, RingBuffer};
use rustix::thread::{CpuSet, sched_setaffinity};

const WRITES: usize = 100_000;
const ROUNDS: usize = 9;

fn main() {
    let mut added: Vec<f64> = (0..ROUNDS).map(|_| round()).collect();
    added.sort_by(f64::total_cmp);
    println!(
        "median added {:.0} ns a write (aim 1,000), least {:.0}, most {:.0}",
        added[ROUNDS / 2],
        added[0],
        added[ROUNDS - 1]
    );
}

fn round() -> f64 {
    let here_ns = on_one_shard();
    let there_ns = between_shards();
    println!("same shard {here_ns:.0} ns, other shard {there_ns:.0} ns: added {:.0} ns a write", there_ns - here_ns);
    there_ns - here_ns
}

/// Slot 64 of each device's bridge stands for the other.
fn write() -> Vec<u8> {
    let mut bytes = Vec::new();
    device::bridge_write(&mut bytes, 9, 64, PIN, b"23.500");
    bytes
}

fn pin_to(cpu: usize) {
    let mut only = CpuSet::new();
    only.set(cpu);
    sched_setaffinity(None, &only).expect("two CPUs");
}

fn on_one_shard() -> f64 {
    pin_to(0);
    let mut world = World::new(0, 1, 2);
    for at in 0..2 {
        let mut init = Vec::new();
        device::bridge_init(&mut init, 3, 64, &world.tokens[1 - at]);
        world.feed(at, &mut init);
        world.drain();
    }
    let bytes = write();
    let mut buffer = bytes.clone();
    let begun = Instant::now();
    for n in 0..WRITES {
        buffer.copy_from_slice(&bytes);
        world.feed(n % 2, &mut buffer);
        assert!(world.drain() > 0);
    }
    begun.elapsed().as_secs_f64() * 1e9 / WRITES as f64
}

/// One shard and its two ends; plays until its part of the writes is done.
struct End {
    world: World,
    own: u16,
    to: Producer<Letter>,
    from: Consumer<Letter>,
}

impl End {
    fn play(mut self, starts: bool) {
        pin_to(usize::from(self.own));
        let bytes = write();
        let mut buffer = bytes.clone();
        let other = ShardId(1 - self.own);
        let mut goes = starts;
        let mut left = WRITES / 2;
        while left > 0 {
            if goes {
                buffer.copy_from_slice(&bytes);
                self.world.feed(0, &mut buffer);
            } else {
                let Ok(letter) = self.from.pop() else {
                    std::hint::spin_loop();
                    continue;
                };
                self.world.take(other, letter);
            }
            let to = &mut self.to;
            let answered = self.world.drain_to(|_, letter| to.push(letter).expect("room"));
            // Whoever was written to writes back; the last answer goes nowhere.
            if goes {
                left -= 1;
                goes = false;
            } else if answered > 0 {
                goes = true;
            }
        }
    }
}

fn between_shards() -> f64 {
    let Pair { worlds: [first, second], .. } = Pair::new();
    let (to_second, from_first) = RingBuffer::new(256);
    let (to_first, from_second) = RingBuffer::new(256);
    let first = End { world: first, own: 0, to: to_second, from: from_second };
    let second = End { world: second, own: 1, to: to_first, from: from_first };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| second.play(false));
        first.play(true);
    });
    begun.elapsed().as_secs_f64() * 1e9 / WRITES as f64
}

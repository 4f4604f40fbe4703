//! A disk whose syncs take 300 ms, and whose power fails then: shards never wait, acknowledgements do, the age of what is
//! at risk is told truly, memory stays bounded, nothing acknowledged is lost. `LINCHPIN_SLOW=20` does it more often.

#![allow(clippy::print_stdout, reason = "the report of a test")]

mod world;

use std::time::Duration;

use linchpin_storage::{Store, limits};
use world::add_org;
use world::child::{Running, WRITERS, check, now_ms, number_of, settings_at};
use world::disk::{Disk, may_mount};

const SYNC: Duration = Duration::from_millis(300);
const RSS_KIB: u64 = 256 << 10;

/// What the test below starts.
#[test]
fn child_that_writes() {
    world::child::child_that_writes();
}

/// The numbers of all lines that begin like this.
fn numbers(said: &[String], front: &str) -> Vec<Vec<u64>> {
    let lines = said.iter().filter_map(|line| line.strip_prefix(front));
    lines.map(|rest| rest.split(' ').map_while(|number| number.parse().ok()).collect()).collect()
}

#[test]
fn a_slow_disk_keeps_no_shard_waiting_and_every_promise() {
    if !may_mount("a slow disk") {
        return;
    }
    let disk = Disk::new("slow", 512);
    let anchor = disk.folder.at("anchor");
    let store = Store::open(settings_at(&disk.mount, &anchor)).expect("opens");
    add_org(&store, 1, "Acme");
    drop(store);
    for round in 0..number_of("LINCHPIN_SLOW", 2) {
        let first = round * 10_000 + round % 2 + 1;
        let mut running = Running::start_on(&disk.mount, &anchor, first, SYNC);
        std::thread::sleep(Duration::from_millis(4_000 + u64::from(round) * 170));
        let ended_ms = now_ms();
        disk.cut();
        let said = running.kill();
        disk.unmount();
        disk.mount();
        let cost = check(settings_at(&disk.mount, &anchor), &said, first, ended_ms);
        let acknowledged = numbers(&said, "A ");
        let soonest_ms = acknowledged.iter().map(|line| line[1]).min().expect("some writes are acknowledged");
        assert!(soonest_ms >= SYNC.as_millis() as u64, "acknowledged after {soonest_ms} ms, before any sync was over");
        assert!(acknowledged.len() > WRITERS as usize, "groups take all that waits: {}", acknowledged.len());
        let lanes = numbers(&said, "L ");
        let (calls, slow) = lanes.last().map(|line| (line[0], line[1])).expect("telemetry is written");
        assert!(calls > 100 && slow * 100 <= calls, "{slow} of {calls} calls have waited for the disk");
        let (queued, rss_kib) = lanes.iter().fold((0, 0), |most, line| (line[2].max(most.0), line[3].max(most.1)));
        assert!(queued < limits::QUEUED_WRITES as u64 && rss_kib < RSS_KIB, "{queued} queued, {rss_kib} KiB");
        let oldest_ms = numbers(&said, "U ").iter().map(|line| line[1]).max().unwrap_or(0);
        // What a sync has just begun to write is at risk until it is over.
        assert!(oldest_ms >= SYNC.as_millis() as u64, "{oldest_ms} ms of age are told");
        println!(
            "round {round}: {} writes acknowledged, the soonest after {soonest_ms} ms; {slow} of {calls} calls of a lane \
             slow; telemetry up to {oldest_ms} ms old, {} ms lost of {} told; {queued} queued, {} MiB",
            cost.acknowledged,
            cost.lost_ms,
            cost.told_ms,
            rss_kib >> 10
        );
    }
    disk.unmount();
}

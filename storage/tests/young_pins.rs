//! What a device costs in the store while its pins are young: written within the last ten minutes, and not stored yet.
//! `LINCHPIN_YOUNG_DEVICES=16000` measures as many devices as docs/performance.md names.

#![allow(clippy::print_stdout, reason = "a table of bytes")]

mod world;

use std::time::{Duration, Instant};

use linchpin_protocol::model::Pin;
use linchpin_storage::Store;
use world::{Folder, add_org, child::now_ms, close, device, open, org};

/// Resident memory of this process.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number") << 10
}

/// Each device writes each of its pins `times` times, a second apart.
fn write(store: &Store, devices: u32, pins: u8, times: u64) {
    let mut lane = store.telemetry_lane().expect("a lane");
    let begin_ms = now_ms() - times * 1_000;
    for time in 0..times {
        for number in 1..=devices {
            for pin in 0..pins {
                let value = format!("{}.{pin}", 20 + number % 10);
                let at_ms = begin_ms + time * 1_000;
                let pin = Pin::new_virtual(pin);
                while lane.write(org(1), device(number), pin, at_ms, value.as_bytes()).is_err() {
                    let _ = lane.close_batch();
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }
    while lane.close_batch().is_err() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let points = u64::from(devices) * u64::from(pins) * times;
    let end = Instant::now() + Duration::from_secs(60);
    while store.figures().telemetry_points < points {
        assert!(Instant::now() < end, "{} of {points} points are collected", store.figures().telemetry_points);
        std::thread::sleep(Duration::from_millis(20));
    }
    // The figure is of the round before.
    std::thread::sleep(Duration::from_millis(300));
}

#[test]
fn a_device_with_young_pins_stays_small() {
    let devices = std::env::var("LINCHPIN_YOUNG_DEVICES").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000);
    println!("pins  writes  bytes a device  resident");
    for (pins, times, most) in [(0, 1, 0), (1, 1, 140), (5, 1, 430), (5, 3, 600), (20, 1, 1_520)] {
        let folder = Folder::new("young");
        let store = open(&folder.0).expect("opens");
        add_org(&store, 1, "Acme");
        let before = resident_bytes();
        write(&store, devices, pins, times);
        let bytes = store.figures().open_bytes / u64::from(devices);
        let resident = resident_bytes().saturating_sub(before) / devices as usize;
        println!("{pins:4}  {times:6}  {bytes:14}  {resident:8}");
        assert!(bytes <= most, "{bytes} bytes a device with {pins} pins, {most} are allowed");
        close(store);
    }
}

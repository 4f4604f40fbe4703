//! What people, organizations and a large fleet cost.
//!
//! `bench-people scale [--devices N] [--people N] [--orgs N]`: a store with so many, a server on it: start, pages of the
//! list of devices, session checks, bytes of each.
//! `bench-people timing [--attempts N] [--real N]`: do wrong sign-ins take as long for accounts that there are not?
//!
//! Each prints one line of JSON a figure, and fails where an aim is missed.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]

mod checks;
mod fill;
mod scale;
mod timing;

use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Resident bytes of a process.
pub(crate) fn resident(pid: u32) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1_024)
}

/// The value at this share of sorted ones.
pub(crate) fn at<T: Copy>(sorted: &[T], share: f64) -> T {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// How many of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) devices: u32,
    pub(crate) people: u32,
    pub(crate) orgs: u32,
}

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let mut sizes = Sizes { devices: 1_000_000, people: 100_000, orgs: 10_000 };
    let (mut attempts, mut real) = (100_000, 1_000);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?.parse()?;
        match argument.as_str() {
            "--devices" => sizes.devices = value,
            "--people" => sizes.people = value,
            "--orgs" => sizes.orgs = value,
            "--attempts" => attempts = value,
            "--real" => real = value,
            _ => return Err(format!("unknown: {argument}; see the head of main.rs").into()),
        }
    }
    match name.as_str() {
        "scale" => scale::run(sizes),
        "timing" => timing::run(attempts, real),
        _ => Err("scale or timing; see the head of main.rs".into()),
    }
}

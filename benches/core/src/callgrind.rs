//! Running a case under callgrind, and what its report says of our own code.

use std::path::Path;
use std::process::Command;

/// What was counted in one run of a case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Instructions, without those of functions that differ by processor: see [`is_by_processor`].
    pub instructions: u64,
    /// Calls of the allocator that take memory or change its size.
    pub allocations: u64,
}

/// Does this function exist in versions that are chosen by processor? ring's assembly and libc's memory routines. A
/// budget of them would hold on one machine only.
fn is_by_processor(object: &str, function: &str) -> bool {
    function.starts_with("ring_core_") || object.contains("libc.so") || function.contains("compiler_builtins")
}

fn is_allocation(function: &str) -> bool {
    ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"].contains(&function)
}

/// Read a report that was written with `--compress-strings=no --compress-pos=no`.
///
/// # Errors
/// A line that is neither position nor cost.
pub fn read(report: &str) -> Result<Count, String> {
    let mut count = Count::default();
    let (mut object, mut function, mut called) = (String::new(), String::new(), String::new());
    let mut is_inclusive = false;
    for line in report.lines() {
        if let Some(name) = line.strip_prefix("ob=") {
            name.clone_into(&mut object);
        } else if let Some(name) = line.strip_prefix("fn=") {
            name.clone_into(&mut function);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            name.clone_into(&mut called);
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let times = calls.split(' ').next().and_then(|times| times.parse::<u64>().ok());
            if is_allocation(&called) {
                count.allocations += times.ok_or_else(|| format!("no number of calls: {line:?}"))?;
            }
            // The next line's cost is that of the called function, which has lines of its own.
            is_inclusive = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit()) {
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok());
            if !std::mem::take(&mut is_inclusive) && !is_by_processor(&object, &function) {
                count.instructions += cost.ok_or_else(|| format!("no cost: {line:?}"))?;
            }
        }
    }
    Ok(count)
}

/// Run `program measure NAME` under callgrind; only what [`crate::cases::counted`] calls is counted.
///
/// # Errors
/// valgrind is missing, the program failed, or the report cannot be read.
pub fn count(program: &Path, name: &str, folder: &Path) -> Result<Count, String> {
    let report = folder.join("callgrind.out");
    let mut valgrind = Command::new("valgrind");
    valgrind.args([
        "--tool=callgrind",
        "--quiet",
        "--compress-strings=no",
        "--compress-pos=no",
        "--collect-atstart=no",
    ]);
    valgrind.arg("--toggle-collect=linchpin_bench_core::cases::counted*");
    valgrind.arg(format!("--callgrind-out-file={}", report.display()));
    let ran = valgrind.arg(program).args(["measure", name]).output();
    let ran = ran.map_err(|error| format!("valgrind: {error}; install it: sudo apt-get install -y valgrind"))?;
    if !ran.status.success() {
        return Err(format!("{name}: {}: {}", ran.status, String::from_utf8_lossy(&ran.stderr).trim()));
    }
    let text = std::fs::read(&report).map_err(|error| format!("{}: {error}", report.display()))?;
    let count =
        read(&String::from_utf8_lossy(&text)).map_err(|error| format!("{name}: callgrind's report: {error}"))?;
    if count.instructions == 0 {
        return Err(format!("{name}: nothing was counted; was the function `counted` renamed?"));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "version: 1\nevents: Ir\n\nob=/usr/bin/budgets\nfl=cases.rs\nfn=counted\n10 5\ncfn=shard\ncalls=64 20\n10 900\n\
        cob=/lib/libc.so.6\ncfn=malloc\ncalls=3 0\n11 60\n\nfn=shard\n20 300\n21 40\ncfn=ring_core_0_17_14__gcm\ncalls=1 0\n22 500\n\n\
        fn=ring_core_0_17_14__gcm\n0 500\n\nob=/lib/libc.so.6\nfn=malloc\n0 60\n\ntotals: 905\n";

    #[test]
    fn own_instructions_are_added_and_allocations_counted() {
        assert_eq!(read(REPORT), Ok(Count { instructions: 345, allocations: 3 }));
        assert!(read("fn=a\n1 x\n").is_err());
    }
}

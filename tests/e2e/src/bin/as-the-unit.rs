//! `as-the-unit UNIT PROGRAM ARG...`: run a program under the list of system calls of a systemd unit: those of its
//! `SystemCallFilter=` lines pass, all others are refused with EPERM. Sets no_new_privs, too.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

/// "Operation not permitted", as the unit's `SystemCallErrorNumber=` says.
const EPERM: u32 = 1;

/// The calls of a name: itself, or those of a set such as `@system-service`, as this machine's systemd knows it.
fn calls(name: &str, found: &mut BTreeSet<String>) -> Result<(), Box<dyn Error>> {
    if !name.starts_with('@') {
        found.insert(name.to_owned());
        return Ok(());
    }
    let output = Command::new("systemd-analyze").args(["syscall-filter", name]).output()?;
    let listed = String::from_utf8(output.stdout)?;
    let mut count = 0;
    for line in listed.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        count += 1;
        calls(line, found)?;
    }
    if count == 0 {
        return Err(format!("systemd-analyze knows no calls of {name}").into());
    }
    Ok(())
}

/// Numbers of system calls by name, from the kernel's header for programs.
fn numbers() -> Result<BTreeMap<String, i64>, Box<dyn Error>> {
    let path = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h";
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}: apt-get install linux-libc-dev"))?;
    let number = |line: &str| {
        let (name, number) = line.strip_prefix("#define __NR_")?.split_once(' ')?;
        Some((name.to_owned(), number.trim().parse().ok()?))
    };
    Ok(text.lines().filter_map(number).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut line = std::env::args_os().skip(1);
    let usage = "usage: as-the-unit UNIT PROGRAM ARG...";
    let (unit, program) = (line.next().ok_or(usage)?, line.next().ok_or(usage)?);
    let text = std::fs::read_to_string(unit)?;
    let (mut allowed, mut denied) = (BTreeSet::new(), BTreeSet::new());
    for list in text.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        match list.strip_prefix('~') {
            Some(list) => list.split_whitespace().try_for_each(|name| calls(name, &mut denied))?,
            None => list.split_whitespace().try_for_each(|name| calls(name, &mut allowed))?,
        }
    }
    let numbers = numbers()?;
    let passes = allowed.difference(&denied).filter_map(|name| numbers.get(name));
    // An empty list of conditions matches every call.
    let rules: BTreeMap<i64, Vec<_>> = passes.map(|number| (*number, Vec::new())).collect();
    let refuse = SeccompAction::Errno(EPERM);
    let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?;
    apply_filter(&BpfProgram::try_from(filter)?)?;
    Err(Command::new(program).args(line).exec().into())
}

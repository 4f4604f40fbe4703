//! `as-unit UNIT ROOT PROGRAM ARG...`: run a program as the service manager would, by what a unit says: its system calls, its
//! capabilities, no new privileges, a root that is read-only but for its state directory and ReadWritePaths=, an ordinary user.
//! It must be started by root, in a mount namespace of its own (`unshare -m`). ROOT has the state directory. What runs is
//! copied there: what was built may lie where that user cannot go.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

/// "Operation not permitted", as SystemCallErrorNumber= of the unit says.
const EPERM: u32 = 1;
/// Numbers of this machine's system calls, as the kernel's headers say.
const NUMBERS: &str = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h";
/// Nobody's user and group.
const NOBODY: u32 = 65_534;

/// All values of a setting, in their order.
fn values<'a>(unit: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let front = format!("{name}=");
    unit.lines().filter_map(move |line| line.strip_prefix(&front)).flat_map(str::split_whitespace)
}

/// The system calls of a set (`@system-service`), or the one.
fn calls(word: &str, into: &mut BTreeSet<String>) -> Result<(), Box<dyn Error>> {
    if !word.starts_with('@') {
        into.insert(word.to_owned());
        return Ok(());
    }
    let listed = Command::new("systemd-analyze").args(["syscall-filter", word]).output()?;
    let listed = String::from_utf8(listed.stdout)?;
    for line in listed.lines().skip(1).map(str::trim).filter(|line| !line.starts_with('#') && !line.is_empty()) {
        calls(line, into)?;
    }
    Ok(())
}

/// What SystemCallFilter= lets through.
fn allowed(unit: &str) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let mut allowed = BTreeSet::new();
    for line in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (denies, list) = line.strip_prefix('~').map_or((false, line), |rest| (true, rest));
        let mut named = BTreeSet::new();
        list.split_whitespace().try_for_each(|word| calls(word, &mut named))?;
        if denies {
            allowed.retain(|call| !named.contains(call));
        } else {
            allowed.extend(named);
        }
    }
    // The service manager's own way to the program.
    allowed.insert("execve".to_owned());
    Ok(allowed)
}

fn filter(unit: &str) -> Result<BpfProgram, Box<dyn Error>> {
    let allowed = allowed(unit)?;
    let headers = std::fs::read_to_string(NUMBERS)?;
    let number = |line: &str| -> Option<(String, i64)> {
        let (name, number) = line.strip_prefix("#define __NR_")?.split_once(' ')?;
        Some((name.to_owned(), number.trim().parse().ok()?))
    };
    let rules: BTreeMap<i64, Vec<_>> = headers
        .lines()
        .filter_map(number)
        .filter(|(name, _)| allowed.contains(name))
        .map(|(_, number)| (number, Vec::new()))
        .collect();
    if rules.len() < 100 {
        return Err(format!("only {} system calls are allowed: the sets were not read", rules.len()).into());
    }
    let arch = std::env::consts::ARCH.try_into()?;
    Ok(SeccompFilter::new(rules, SeccompAction::Errno(EPERM), SeccompAction::Allow, arch)?.try_into()?)
}

fn run(program: &str, args: &[&str]) -> Result<(), Box<dyn Error>> {
    let status = Command::new(program).args(args).status()?;
    if status.success() { Ok(()) } else { Err(format!("{program} {args:?}: {status}").into()) }
}

/// A disk of its own at /mnt, with the unit's place on it.
fn mount_second_disk(places: &[&str]) -> Result<(), Box<dyn Error>> {
    run("mount", &["-t", "tmpfs", "-o", "size=256m", "tmpfs", "/mnt"])?;
    for place in places.iter().filter(|place| place.starts_with("/mnt/")) {
        std::fs::create_dir_all(place)?;
        std::os::unix::fs::chown(place, Some(NOBODY), Some(NOBODY))?;
    }
    Ok(())
}

/// Everything is read-only but these places and the kernel's own file systems.
fn mount(writable: &[&str]) -> Result<(), Box<dyn Error>> {
    for place in writable {
        run("mount", &["--bind", place, place])?;
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    for point in points {
        let is_kernels = ["/proc", "/sys", "/dev"].iter().any(|own| Path::new(point).starts_with(own));
        // What lies below the second disk is hidden by it.
        if !is_kernels && !writable.contains(&point) && Path::new(point).exists() {
            run("mount", &["-o", "remount,bind,ro", point])?;
        }
    }
    Ok(())
}

/// The second half: an ordinary user by now, who only gives up system calls.
const FILTERED: &str = "--filtered";

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [unit, root, program, rest @ ..] = &args[..] else {
        return Err("usage: as-unit UNIT ROOT PROGRAM ARG...".into());
    };
    if root == FILTERED {
        apply_filter(&filter(&std::fs::read_to_string(unit)?)?)?;
        return Err(Command::new(program).args(rest).exec().into());
    }
    let text = std::fs::read_to_string(unit)?;
    let copies = Path::new(root).join("programs");
    std::fs::create_dir_all(&copies)?;
    let copy = |path: &Path| -> Result<PathBuf, Box<dyn Error>> {
        let to = copies.join(path.file_name().ok_or("a path has no name")?);
        // After a restart it is there, and nothing can write it while it runs.
        if !to.exists() {
            std::fs::copy(path, &to)?;
        }
        Ok(to)
    };
    let (this, unit, program) = (copy(&std::env::current_exe()?)?, copy(Path::new(unit))?, copy(Path::new(program))?);
    run("chown", &["-R", &format!("{NOBODY}:{NOBODY}"), root])?;
    // A leading minus: a place that does not exist is left out.
    let places: Vec<&str> = values(&text, "ReadWritePaths").map(|place| place.trim_start_matches('-')).collect();
    mount_second_disk(&places)?;
    let mut writable: Vec<&str> = places.into_iter().filter(|place| Path::new(place).exists()).collect();
    writable.push(root);
    mount(&writable)?;
    let capabilities: Vec<String> = values(&text, "CapabilityBoundingSet")
        .map(|name| format!("+{}", name.trim_start_matches("CAP_").to_lowercase()))
        .collect();
    let sets = format!("-all,{}", capabilities.join(","));
    let nobody = NOBODY.to_string();
    Err(Command::new("setpriv")
        .args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups", "--bounding-set", &sets])
        .args(["--inh-caps", &sets, "--ambient-caps", &sets, "--no-new-privs"])
        .arg(this)
        .arg(unit)
        .arg(FILTERED)
        .arg(program)
        .args(rest)
        .exec()
        .into())
}

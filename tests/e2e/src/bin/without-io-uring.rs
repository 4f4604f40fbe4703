//! `without-io-uring PROGRAM ARG...`: run a program as a container without io_uring does, under a seccomp filter that
//! refuses its system calls with EPERM.

use std::collections::BTreeMap;
use std::error::Error;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

/// Numbers of io_uring_setup, io_uring_enter and io_uring_register: the same on every architecture.
const IO_URING_CALLS: [i64; 3] = [425, 426, 427];
/// "Operation not permitted": what the default filters of container engines answer.
const EPERM: u32 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let mut line = std::env::args_os().skip(1);
    let program = line.next().ok_or("usage: without-io-uring PROGRAM ARG...")?;
    // An empty list of conditions matches every call.
    let rules: BTreeMap<i64, Vec<_>> = IO_URING_CALLS.iter().map(|call| (*call, Vec::new())).collect();
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(EPERM),
        std::env::consts::ARCH.try_into()?,
    )?;
    // Also sets no_new_privs, which an ordinary user needs for it.
    apply_filter(&BpfProgram::try_from(filter)?)?;
    Err(Command::new(program).args(line).exec().into())
}

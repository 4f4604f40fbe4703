//! From a parsed command line to what it asks for.

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};
use linchpin_control::request::Drain;

use super::args::{ConfigVerb, Line, Verb, config_file};
use super::failure::Failure;
use super::output::say;
use super::{certificate, check, device, doctor, drain, explain, people, shell, status, store, top, upgrade};
use crate::config;
use crate::serve::launch;
use crate::serve::machine::ask_doctor;

/// Run the program.
pub(crate) fn run() -> ExitCode {
    ask_doctor(doctor::examine);
    let result = match Line::parse().command {
        Verb::Dev(flags) => launch::dev(flags),
        Verb::Serve { config, ready_file, log_format, accept_rollback } => {
            config_file(config).and_then(|path| launch::serve(&path, ready_file, log_format, accept_rollback))
        }
        Verb::Check { config, offline } => config_file(config).and_then(|path| check::run(&path, offline)),
        Verb::Config(ConfigVerb::Default) => say(&config::default_file()),
        Verb::Status { shards, at } => status::run(&at, shards),
        Verb::Device(verb) => device::device(verb),
        Verb::Template(verb) => device::template(verb),
        Verb::Drain { redirect, per_second, undo, no_wait, at } => {
            let per_second = per_second.unwrap_or(linchpin_shard::limits::DRAIN_PER_SECOND);
            drain::run(&at, &Drain { redirect, per_second, undo }, no_wait)
        }
        Verb::Cert(verb) => certificate::cert(verb),
        Verb::Keys(verb) => store::keys(verb),
        Verb::Erase(flags) => store::erase(&flags),
        Verb::Store(verb) => store::store(verb),
        Verb::Backup(verb) => store::backup(verb),
        Verb::Org(verb) => store::org(verb),
        Verb::Upgrade(flags) => upgrade::upgrade(flags),
        Verb::Audit(verb) => people::audit(verb),
        Verb::Access(verb) => people::access(verb),
        Verb::Admin(verb) => people::admin(verb),
        Verb::Top { every, once, at } => top::run(&at, Duration::from_secs(every), once),
        Verb::Doctor { config, user, json } => doctor::run(config, user.as_deref(), json),
        Verb::Completions { shell } => shell::completions(shell, Line::command()),
        Verb::Man { folder } => shell::man_pages(&folder, &Line::command()),
        Verb::Version { sbom } => version(sbom),
        Verb::Explain { code } => explain::run(&code),
    };
    let (text, status) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Ended(status)) => return ExitCode::from(status),
        Err(Failure::General(text)) => (text, 1),
        // EX_CONFIG of sysexits.h.
        Err(Failure::Config(text)) => (text, 78),
    };
    eprintln!("linchpin: {text}");
    ExitCode::from(status)
}

/// What this program is, and what it is made of.
fn version(sbom: bool) -> Result<(), Failure> {
    if sbom {
        return say(include_str!(concat!(env!("OUT_DIR"), "/bill.json")));
    }
    say(&format!("linchpin {} ({})\n", env!("CARGO_PKG_VERSION"), env!("LINCHPIN_COMMIT")))
}

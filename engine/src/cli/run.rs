//! From a parsed command line to what it asks for.

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};
use linchpin_control::request::{Drain, Status};
use linchpin_shard::{End, LiveRefusal, MESSAGE_CODES};

use super::args::{ConfigVerb, Line, Verb};
use super::device::{self, ask};
use super::failure::Failure;
use super::output::say;
use super::{doctor, people, shell, show, store, top, upgrade};
use crate::config;
use crate::serve::launch;

/// Run the program.
pub(crate) fn run() -> ExitCode {
    let result = match Line::parse().command {
        Verb::Dev(flags) => launch::dev(flags),
        Verb::Serve { config, ready_file, log_format, accept_rollback } => {
            launch::serve(config, ready_file, log_format, accept_rollback)
        }
        Verb::Check { config } => launch::check(&config),
        Verb::Config(ConfigVerb::Default) => say(&config::default_file()),
        Verb::Status(at) => ask(&at, &Status {}, show::status_text),
        Verb::Device(verb) => device::device(verb),
        Verb::Template(verb) => device::template(verb),
        Verb::Drain { redirect, per_second, at } => {
            let per_second = per_second.unwrap_or(linchpin_shard::limits::DRAIN_PER_SECOND);
            ask(&at, &Drain { redirect, per_second }, |_| "draining\n".to_owned())
        }
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
        Verb::Doctor { config, json } => doctor::run(config.as_deref(), json),
        Verb::Completions { shell } => shell::completions(shell, Line::command()),
        Verb::Man { folder } => shell::man_pages(&folder, &Line::command()),
        Verb::Explain { code } => explain(&code),
    };
    let (text, status) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::General(text)) => (text, 1),
        // EX_CONFIG of sysexits.h.
        Err(Failure::Config(text)) => (text, 78),
    };
    eprintln!("linchpin: {text}");
    ExitCode::from(status)
}

fn explain(code: &str) -> Result<(), Failure> {
    let number = code.get(1..).and_then(|digits| digits.parse().ok()).filter(|_| code.starts_with(['e', 'E']));
    if let Some((number, what, fix)) = MESSAGE_CODES.iter().find(|it| Some(it.0) == number) {
        println!("E{number:04}: {what}\nWhat to do: {fix}");
        return Ok(());
    }
    if let Some(refusal) = LiveRefusal::ALL.iter().find(|refusal| Some(refusal.number()) == number) {
        println!("{refusal}: {}\nWhat to do: {}", refusal.what(), refusal.fix());
        return Ok(());
    }
    let Some(end) = End::ALL.iter().find(|end| end.to_string().eq_ignore_ascii_case(code)) else {
        let known: Vec<_> = End::ALL.iter().map(ToString::to_string).collect();
        return Err(Failure::General(format!("{code} is not an end code; there are {}", known.join(", "))));
    };
    println!("{end}: {}\nWhat to do: {}", end.what(), end.fix());
    Ok(())
}

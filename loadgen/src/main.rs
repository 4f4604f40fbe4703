//! loadgen: an open-loop load generator for Blynk devices. docs/loadgen.md says how to use it.

mod cli;
mod compare;
mod console;
mod environment;
mod exit;
mod host;
mod limits;
#[cfg(feature = "tui")]
mod live;
mod plan;
mod prepare;
mod recorder;
mod report;
mod run;
mod scenario;
mod server;
mod slo;
mod tokens;
mod units;
mod verbs;
mod worker;

use std::process::ExitCode;

use clap::Parser;

use exit::EndCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let line = match cli::Arguments::try_parse() {
        Ok(line) => line,
        Err(error) => {
            let _ = error.print();
            let code = if error.use_stderr() { EndCode::Usage } else { EndCode::Ok };
            return ExitCode::from(code as u8);
        }
    };
    let code = verbs::obey(line.verb).unwrap_or_else(|failure| {
        console::warn(&format!("loadgen: {failure}"));
        failure.code
    });
    ExitCode::from(code as u8)
}

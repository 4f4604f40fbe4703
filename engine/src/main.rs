//! `linchpin`: a self-hosted server for Blynk devices.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the command line talks to people")]

mod cause;
mod cli;
mod config;
mod limits;
mod serve;
mod store;
mod tick;
mod tls;
mod upgrade;
mod when;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}

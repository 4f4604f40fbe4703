//! `linchpin`: a self-hosted server for Blynk devices.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the command line talks to people")]

mod admin_client;
mod boot;
mod bridge;
mod cli;
mod config;
mod core;
mod dev;
mod doctor;
mod doors;
mod lanes;
mod launch;
mod limits;
mod log;
mod notify;
mod operate;
mod ready;
mod serve;
mod shard_log;
mod shard_thread;
mod shell;
mod show;
mod shutdown;
mod sim_device;
mod store;
mod ticks;
mod tls;
mod top;
mod upkeep;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}

//! `bench-runtimes`: a Blynk server with nothing but login, ping and latest value, on six runtimes. What Linchpin's engine
//! is measured beside; `benches/compare` drives it. One thread, one listener, nothing kept over a restart.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]

mod conversation;
mod epoll;
mod listen;
mod monoio_server;
mod ring;
mod tokio_server;
mod tokio_uring_server;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// Receive buffer of servers that need one for each connection, bytes: the smallest that holds a pipelined burst of 16
/// pings, and as large as those of Linchpin's ring.
const BUFFER_BYTES: usize = 512;

/// A minimal Blynk server on one thread. It takes every token of the right form. SIGTERM ends it.
///
/// Exit codes: 1 it could not listen or its runtime failed, 2 usage.
#[derive(Parser)]
#[command(name = "bench-runtimes", version)]
struct Line {
    /// What it runs on.
    #[arg(long)]
    runtime: Runtime,
    /// Where it listens; port 0: one that is free.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Written when it listens: {"plain": "IP:PORT", "pid": N}.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Runtime {
    /// io_uring by hand: multishot accept and receive, provided buffers, deferred task work, one send a connection a tick.
    Ring,
    /// epoll by hand, level-triggered, one buffer for all.
    Epoll,
    /// tokio, current thread, one task a connection, no buffer while idle.
    Tokio,
    /// tokio-uring, one task and one buffer a connection.
    TokioUring,
    /// monoio as it comes, one task and one buffer a connection.
    Monoio,
    /// monoio with SINGLE_ISSUER and DEFER_TASKRUN.
    MonoioDefer,
}

fn serve(runtime: Runtime, listener: TcpListener) -> std::io::Result<()> {
    match runtime {
        Runtime::Ring => ring::serve(&listener),
        Runtime::Epoll => epoll::serve(&listener),
        Runtime::Tokio => tokio_server::serve(listener),
        Runtime::TokioUring => tokio_uring_server::serve(listener),
        Runtime::Monoio => monoio_server::serve(listener, false),
        Runtime::MonoioDefer => monoio_server::serve(listener, true),
    }
}

fn main() -> ExitCode {
    let line = Line::parse();
    let served = listen::listen(line.listen).and_then(|listener| {
        if let Some(path) = &line.ready_file {
            listen::tell_ready(path, listener.local_addr()?)?;
        }
        serve(line.runtime, listener)
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{:?} on {}: {error}", line.runtime, line.listen);
            ExitCode::FAILURE
        }
    }
}

//! `linchpin` whose answers take a little longer: what a comparison must find.
//!
//! Takes the arguments of linchpin and two of its own: `--server=PATH`, the program, and `--delay-us=N`. It becomes the
//! server, so its process is the server's; a second process takes the connections of devices and hands everything on, what
//! the server says only after the delay. Devices find it through the ready file, whose plain port is the second process's.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};
use serde_json::Value;

/// Longest pause between two looks for the server's ready file.
const LOOK: Duration = Duration::from_millis(5);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.as_slice() {
        [word, theirs, ours, delay_us] if word == "between" => between(theirs.as_ref(), ours.as_ref(), delay_us),
        _ => become_server(arguments),
    };
    result.map_or_else(
        |why| {
            let _ = writeln!(std::io::stderr(), "slower: {why}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Start the process between, then become the server.
fn become_server(mut arguments: Vec<String>) -> Result<(), String> {
    let mut own = |name: &str| {
        let at = arguments.iter().position(|argument| argument.starts_with(name));
        let at = at.ok_or_else(|| format!("{name}... is missing"))?;
        Ok::<_, String>(arguments.remove(at)[name.len()..].to_owned())
    };
    let (server, delay_us) = (own("--server=")?, own("--delay-us=")?);
    let ready = arguments.iter().position(|argument| argument == "--ready-file");
    let ready = ready.and_then(|at| arguments.get_mut(at + 1)).ok_or("--ready-file FILE is missing")?;
    let ours = std::mem::replace(ready, format!("{ready}.server"));
    let theirs = ready.clone();
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let between = Command::new(this).args(["between", &*theirs, &*ours, &*delay_us]).spawn();
    between.map_err(|error| format!("cannot start the process between: {error}"))?;
    Err(format!("cannot become {server}: {}", Command::new(&server).args(arguments).exec()))
}

/// Stand between devices and the server until it ends.
fn between(theirs: &Path, ours: &Path, delay_us: &str) -> Result<(), String> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| error.to_string())?;
    let delay = Duration::from_micros(delay_us.parse().map_err(|_| format!("--delay-us={delay_us} is no number"))?);
    let mut facts: Value = loop {
        if let Ok(text) = std::fs::read(theirs)
            && let Ok(facts) = serde_json::from_slice(&text)
        {
            break facts;
        }
        std::thread::sleep(LOOK);
    };
    let server = facts["plain"].as_str().ok_or("the server has no plain port")?.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    facts["plain"] = listener.local_addr().map_err(|error| error.to_string())?.to_string().into();
    let part = ours.with_extension("part");
    let written = std::fs::write(&part, facts.to_string()).and_then(|()| std::fs::rename(&part, ours));
    written.map_err(|error| error.to_string())?;
    for device in listener.incoming().flatten() {
        let Ok(server) = TcpStream::connect(&server) else { continue };
        let _ = join(device, server, delay);
    }
    Ok(())
}

/// Hand on what both say, in a thread each.
fn join(device: TcpStream, server: TcpStream, delay: Duration) -> std::io::Result<()> {
    device.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_device, to_server) = (device.try_clone()?, server.try_clone()?);
    let builder = || std::thread::Builder::new().stack_size(64 << 10);
    builder().spawn(move || hand_on(from_device, to_server, Duration::ZERO))?;
    builder().spawn(move || hand_on(server, device, delay))?;
    Ok(())
}

fn hand_on(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    // Otherwise a sleep takes up to 50 us longer than it was told.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let mut bytes = [0; 4_096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

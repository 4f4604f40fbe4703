//! From the command line and a scenario to a run that can begin.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use linchpin_driver::Choice;
use linchpin_tls::pki_types::pem::PemObject;
use linchpin_tls::pki_types::{CertificateDer, ServerName};
use linchpin_tls::{Clock, Connector, ConnectorOptions, Layer, Provider, Version};

use crate::cli::How;
use crate::exit::{EndCode, Exit};
use crate::limits;
use crate::run::Setup;
use crate::scenario::{Group, Scenario, TlsVersion};
use crate::server::{self, Eye};
use crate::tokens::Keys;
use crate::worker::{Reach, TlsTarget, spread, workers};

/// A target by its name.
pub(crate) fn resolve(target: &str) -> Result<SocketAddr, Exit> {
    let mut found = target.to_socket_addrs().map_err(|error| {
        Exit::usage(format!("{target:?} is no target: {error}; write HOST:PORT such as 127.0.0.1:8080"))
    })?;
    found.next().ok_or_else(|| Exit::usage(format!("{target:?} has no address; write HOST:PORT")))
}

/// Refuse what gives no figures or hits somebody else's server.
fn refuse(target: SocketAddr, how: &How) -> Result<(), Exit> {
    if cfg!(debug_assertions) && !how.allow_debug_build {
        return Err(Exit::usage(
            "this is a debug build: its figures would be of no use; build with `cargo build --release -p loadgen`",
        ));
    }
    if !target.ip().is_loopback() && !how.i_own_this_target {
        return Err(Exit::usage(format!(
            "{target} is not on this machine; a load run can stop a server: add --i-own-this-target if it is yours"
        )));
    }
    Ok(())
}

/// The scenario as the flags want it.
pub(crate) fn adapted(mut scenario: Scenario, how: &How) -> Result<Scenario, Exit> {
    scenario.seed = how.seed.unwrap_or(scenario.seed);
    if how.mqtt { scenario.over_mqtt().map_err(Exit::usage) } else { Ok(scenario) }
}

/// What the devices log in with. Only brokers may take devices without a name.
fn keys(scenario: &Scenario, how: &How) -> Result<Keys, Exit> {
    let path = how.tokens.clone().or_else(|| scenario.tokens.as_ref().map(PathBuf::from));
    match path {
        Some(path) => Keys::read(&path, scenario.is_mqtt()),
        None if scenario.is_mqtt() => Ok(Keys::Nobody),
        None => Err(Exit::usage(
            "--tokens FILE is missing: the tokens of the devices, one a line (`linchpin dev --devices N --tokens-out FILE` writes one; `quick --dev` needs none)",
        )),
    }
}

/// Set by the first SIGINT or SIGTERM of the process; a second one ends it at once. One for all runs: between two of a search
/// or a comparison a signal counts as well.
fn interrupted() -> Arc<AtomicBool> {
    static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let flag = INTERRUPTED.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            let (first, second) = (Arc::clone(&flag), Arc::clone(&flag));
            let _ = signal_hook::flag::register_conditional_shutdown(signal, EndCode::Invalid as i32, second);
            let _ = signal_hook::flag::register(signal, first);
        }
        flag
    });
    Arc::clone(flag)
}

/// Everything that a run needs.
pub(crate) fn prepare(scenario: Scenario, target: SocketAddr, how: &How) -> Result<Setup, Exit> {
    refuse(target, how)?;
    let scenario = adapted(scenario, how)?;
    let keys = keys(&scenario, how)?;
    let needed = scenario.devices().div_ceil(u64::from(limits::WORKER_CONNECTIONS));
    let workers = how.workers.map_or_else(|| workers(scenario.devices()), u32::from);
    // Descriptors of one ring: with fewer workers the devices do not fit where the limit is low.
    let workers = if how.driver == "portable" { workers } else { workers.max(needed as u32) };
    let now_s = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let clock = Clock::new(now_s);
    let tls = scenario.group.iter().map(|group| tls(group, how, &clock)).collect::<Result<Vec<_>, _>>()?;
    let pid = how.server_pid.or_else(|| target.ip().is_loopback().then(|| server::listener(target)).flatten());
    Ok(Setup {
        reach: Reach {
            target,
            sources: how.source.clone(),
            backend: match how.driver.as_str() {
                "io_uring" => Choice::IoUring,
                "portable" => Choice::Portable,
                _ => Choice::Auto,
            },
            cpus: if how.cpus.is_empty() { spread(workers) } else { how.cpus.clone() },
            connections: u32::try_from(scenario.devices()).unwrap_or(u32::MAX),
        },
        in_flight: how.in_flight.or(scenario.in_flight).map(|count| count.0),
        keys: Arc::new(keys),
        workers,
        tls,
        clock,
        host: target.to_string(),
        eye: Eye { metrics: how.metrics, pid },
        restart: how.restart_command.clone(),
        interrupted: interrupted(),
        scenario: Arc::new(scenario),
    })
}

/// How a group's devices shake hands, if they do.
fn tls(group: &Group, how: &How, clock: &Clock) -> Result<Option<Arc<TlsTarget>>, Exit> {
    if !group.transport.is_tls() {
        return Ok(None);
    }
    let path = how.ca.as_ref().ok_or_else(|| {
        Exit::usage("TLS needs the certificates that the server is checked against: give them with --ca FILE")
    })?;
    let name = ServerName::try_from(how.server_name.clone())
        .map_err(|_| Exit::usage(format!("{:?} is no server name; write such as localhost", how.server_name)))?;
    let connector = Connector::new(&ConnectorOptions {
        provider: Provider::default(),
        roots: certificates(path)?,
        // Boards have no post-quantum groups.
        post_quantum: false,
        identity: None,
        layer: Layer::InPlace,
        version: group.tls.map(|version| match version {
            TlsVersion::V1_2 => Version::Tls12,
            TlsVersion::V1_3 => Version::Tls13,
        }),
        alpn: Vec::new(),
        // A ticket serves once: all devices may come back at the same time.
        remembered: if group.resume { group.count.0 as usize } else { 0 },
        clock: clock.clone(),
    });
    let connector = connector.map_err(|error| Exit::usage(format!("TLS cannot be set up: {error}")))?;
    Ok(Some(Arc::new(TlsTarget { connector, name })))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Exit> {
    let bad = |error: &dyn std::fmt::Display| {
        Exit::usage(format!("cannot read certificates from {}: {error}; give a PEM file", path.display()))
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(|error| bad(&error))?.collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(bad(&"it has none")),
        Err(error) => Err(bad(&error)),
    }
}

//! From the command line or the configuration file to a server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use linchpin_control::{PeopleSettings, RunningConfig};
use linchpin_driver::{Choice, Descriptors, Features, IdleReceive};
use linchpin_shard::Settings;

use crate::cli::args::{Dev, default_data};
use crate::cli::failure::Failure;
use crate::config::{self, EngineOptions, Listen, StoreConfig};
use crate::serve::advice::StartedBy;
use crate::serve::log::{self, Log, LogOptions};
use crate::serve::{self, Server, announce, dev};
use crate::store::Fill;
use crate::tick::voice;
use crate::tls::{self, CertificateSource, Local, TlsConfig};

pub(crate) fn start_log(options: LogOptions) -> Result<Log, Failure> {
    log::start(options).map_err(|error| Failure::General(format!("the log cannot be written: {error}")))
}

/// `linchpin dev`.
pub(crate) fn dev(flags: Dev) -> Result<(), Failure> {
    let log = LogOptions { format: flags.log_format.unwrap_or_default(), ..LogOptions::default() };
    let _log = start_log(log)?;
    let any = if flags.lan { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V4(Ipv4Addr::LOCALHOST) };
    let plain = flags.plain.unwrap_or(SocketAddr::new(any, 8080));
    let plain = if flags.lan && plain.ip().is_loopback() { SocketAddr::new(any, plain.port()) } else { plain };
    let engine = EngineOptions {
        shards: flags.shards.unwrap_or_else(config::default_shards),
        driver: match flags.driver.as_str() {
            "io_uring" => Choice::IoUring,
            "portable" => Choice::Portable,
            _ => Choice::Auto,
        },
        features: flags.driver_features.unwrap_or(Features::ALL),
        descriptors: Descriptors::Auto,
        idle_receive: IdleReceive::default(),
        connections: flags.connections,
    };
    let data_path = flags.data.clone().unwrap_or_else(default_data);
    let tls = flags.tls.address(any, plain);
    let mut settings = Settings::default();
    flags.set.iter().for_each(|assignment| assignment.apply(&mut settings));
    let lan = dev::address_for_boards().filter(|_| flags.lan);
    let tls_config = tls.map(|_| TlsConfig {
        source: CertificateSource::Local(Local::new(&data_path, tls::names_of_this_machine(lan))),
        layer: flags.record_layer,
        names: Vec::new(),
        client_ca: None,
        revoked: None,
        acme: None,
        device_roots: Vec::new(),
    });
    // Who chose a port wants no other; the usual ones of MQTT may be another server's.
    let alias = |is_chosen: bool, port| dev::free(SocketAddr::new(any, port)).filter(|_| !is_chosen);
    let plain_alias = alias(flags.plain.is_some(), dev::MQTT_PORT);
    let tls_alias = alias(flags.plain.is_some() || tls.is_none(), dev::MQTTS_PORT);
    let (to_listener, listener) = voice::way();
    let server = Server {
        listen: Listen {
            plain: [Some(plain), plain_alias].into_iter().flatten().collect(),
            tls: tls.into_iter().chain(tls_alias).collect(),
            metrics: Some(flags.metrics),
            hosts: tls::names_of_this_machine(lan).into_iter().map(|name| name.to_ascii_lowercase()).collect(),
            ..Listen::default()
        },
        store: (!flags.memory)
            .then(|| StoreConfig { accept_rollback: flags.accept_rollback, ..StoreConfig::for_dev(&data_path) }),
        data_path,
        engine,
        settings,
        tls: tls_config,
        console: flags.console,
        test_routes: flags.test_routes,
        people: PeopleSettings { plain_from_lan: flags.lan, ..PeopleSettings::default() },
        fill: Fill::Dev { more: flags.devices, tokens_out: flags.tokens_out },
        ready_file: flags.ready_file,
        config: None,
        listener: Some(to_listener),
    };
    let local = server.tls.as_ref().and_then(TlsConfig::local).cloned();
    let listen = server.listen.clone();
    serve::serve(server, |ready, names| {
        announce::announce(ready, (flags.data.as_deref(), local.as_ref()), (listener, names))
    })
    .map_err(|error| StartedBy::Flags(&listen).failure(error))
}

/// Write a file with tokens that only its owner may read.
pub(crate) fn write_tokens(path: &Path, lines: &str) -> Result<(), Failure> {
    linchpin_storage::write_private(path, lines.as_bytes()).map_err(|error| {
        Failure::General(format!("{}: {error}; choose another file with --tokens-out", path.display()))
    })
}

/// A server by its configuration file.
pub(crate) fn of_file(path: &Path) -> Result<(Server, LogOptions), Failure> {
    let wrong = |error: config::ConfigError| Failure::Config(error.to_string());
    let config = config::read(path).map_err(wrong)?;
    let running = RunningConfig::new(path.to_owned(), config::flat(path).map_err(wrong)?);
    let server = Server {
        listen: config.listen,
        data_path: config.data_path,
        engine: config.engine,
        settings: config.settings,
        tls: config.tls,
        console: None,
        test_routes: config.test_routes,
        people: config.people,
        store: Some(config.store),
        fill: Fill::File { path: path.to_owned(), templates: config.templates, devices: config.devices },
        ready_file: None,
        config: Some(Arc::new(running)),
        listener: None,
    };
    Ok((server, config.log))
}

/// `linchpin serve`.
pub(crate) fn serve(
    path: &Path,
    ready_file: Option<PathBuf>,
    format: Option<log::Format>,
    accept_rollback: bool,
) -> Result<(), Failure> {
    let (mut server, log) = of_file(path)?;
    let _log = start_log(LogOptions { format: format.unwrap_or(log.format), ..log })?;
    server.ready_file = ready_file;
    server.store = server.store.map(|store| StoreConfig { accept_rollback, ..store });
    let listen = server.listen.clone();
    serve::serve(server, |_, _| Ok(())).map_err(|error| StartedBy::File(path, &listen).failure(error))
}

//! A server, from its options to its end: what `dev` and `serve` share.

pub(crate) mod advice;
mod announce;
pub(crate) mod boot;
mod console;
pub(crate) mod demo;
mod dev;
pub(crate) mod error;
pub(crate) mod launch;
pub(crate) mod log;
mod log_line;
pub(crate) mod machine;
mod notify;
mod occupant;
mod ports;
pub(crate) mod progress;
pub(crate) mod ready;
mod repeats;
pub(crate) mod running;
mod setup;
mod shutdown;
pub(crate) mod trial;
mod watchdog;

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use linchpin_control::http;
use linchpin_control::{CertificateEnd, Control, Facts, PeopleSettings, Registry, Replacer, RunningConfig};
use linchpin_protocol::model::DeviceId;
use linchpin_shard::{Command, HttpOptions, Settings};
use signal_hook::iterator::Signals;

use crate::config::{self, Config, EngineOptions, Listen, StoreConfig};
use crate::serve::boot::{Engine, ProcessKeys, ShardPlan};
use crate::serve::error::{BootError, ServeError};
use crate::serve::machine::HostMachine;
use crate::serve::ready::Ready;
use crate::serve::running::{DeskParts, Running};
use crate::serve::shutdown::SignalAsk;
use crate::store::{Fill, Stored};
use crate::tick::counters;
use crate::tick::doors::Door;
use crate::tick::orders::ShardOrder;
use crate::tick::voice::ToListener;
use crate::tls::{Local, ServerTls, TlsConfig, open_tls};
use crate::upgrade::{Ended, Incoming, UpgradeOrders, hand_over};
use crate::when;

/// What a server is started with.
pub(crate) struct Server {
    pub(crate) listen: Listen,
    pub(crate) data_path: PathBuf,
    pub(crate) engine: EngineOptions,
    pub(crate) settings: Settings,
    /// What TLS needs; `None`: it is not spoken.
    pub(crate) tls: Option<TlsConfig>,
    /// What the store is opened with; `None`: state is in memory only.
    pub(crate) store: Option<StoreConfig>,
    /// The folder that the browser application is served from; `None`: the binary.
    pub(crate) console: Option<PathBuf>,
    /// Also the routes of the control plane that only tests need.
    pub(crate) test_routes: bool,
    /// How people sign in, where the store has room for them.
    pub(crate) people: PeopleSettings,
    /// What must exist before it serves.
    pub(crate) fill: Fill,
    pub(crate) ready_file: Option<PathBuf>,
    /// The file that is read again at SIGHUP.
    pub(crate) config: Option<Arc<RunningConfig>>,
    /// Who hears what happens to devices.
    pub(crate) listener: Option<ToListener>,
}

/// Says a device's name.
pub(crate) type DeviceNames = Box<dyn Fn(DeviceId) -> Option<String> + Send>;

/// The data directory, for its owner only.
fn make_folder(path: &Path) -> Result<(), ServeError> {
    let made = if path.is_dir() {
        return linchpin_storage::check_folder(path).map_err(|error| ServeError::Store(error.into()));
    } else {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).and_then(|()| {
            // Parents keep the mode that they had; this one is private whatever the umask says.
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
        })
    };
    made.map_err(|error| ServeError::Io {
        what: format!("data directory {}", path.display()),
        source: error.into(),
        advice: advice::DATA_ADVICE,
    })
}

/// Start, say what runs in the ready file and to `announce`, and serve until a signal ends it, or another process serves in
/// this one's place. A process that was started to take over does so.
pub(crate) fn serve(
    server: Server,
    announce: impl FnOnce(&Ready, DeviceNames) -> std::io::Result<()>,
) -> Result<(), ServeError> {
    // First of all: whoever reads the ready file may end the server at once.
    let mut signals = shutdown::catch().map_err(of_signals)?;
    let incoming = Incoming::of_environment().map_err(ServeError::handover)?;
    let Some(mut incoming) = incoming else {
        let (running, reload) = start(server, announce, None)?;
        return run(running, &mut signals, &reload);
    };
    match start(server, announce, Some(&mut incoming)) {
        Ok((running, reload)) => {
            drop(incoming);
            run(running, &mut signals, &reload)
        }
        Err(error) => {
            incoming.broke(&error.to_string());
            Err(error)
        }
    }
}

/// What SIGHUP needs.
struct Reload {
    config: Option<Arc<RunningConfig>>,
    orders: UpgradeOrders,
}

/// Whatever is made now carries this time: an authority, certificates, values. Boards without a clock of their own believe it.
fn warn_of_clock() {
    if let Some(built_s) = built_s().filter(|built_s| when::now_s() < *built_s) {
        tracing::warn!(
            "the clock says {}, which is before this program was built ({}): set it before devices trust what is made now",
            when::TimeStyle::Utc.date(when::now_s()),
            when::TimeStyle::Utc.date(built_s)
        );
    }
}

/// When the sources were committed, Unix s; `None`: it is not known.
pub(crate) fn built_s() -> Option<u64> {
    env!("LINCHPIN_COMMIT_S").parse().ok()
}

/// The data directory and the process.
fn prepare(server: &Server) -> Result<(), ServeError> {
    boot::take_resources().map_err(ServeError::Boot)?;
    make_folder(&server.data_path)?;
    warn_of_clock();
    boot::disable_huge_pages();
    Ok(())
}

/// The store, if there is one; of a process that is replaced once that has left it.
fn open_store(server: &Server, is_inherited: bool) -> Result<Option<Stored>, ServeError> {
    let stored = match &server.store {
        Some(config) if is_inherited => Some(Stored::open_when_free(&server.data_path, config)),
        config => {
            check_alone(&server.data_path, &server.listen)?;
            config.clone().map(|config| Stored::open(&server.data_path, config))
        }
    };
    stored.transpose().map_err(ServeError::Store)
}

/// From options to a server that runs.
fn start(
    server: Server,
    announce: impl FnOnce(&Ready, DeviceNames) -> std::io::Result<()>,
    mut incoming: Option<&mut Incoming>,
) -> Result<(Running, Reload), ServeError> {
    prepare(&server)?;
    let started = Instant::now();
    let routes = http::RouteOptions { tests: server.test_routes, console_build: console::build };
    let mut http = http_options(&server)?;
    let inherited = match &mut incoming {
        Some(incoming) => Some(incoming.prepare(|| could_start(&server)).map_err(ServeError::handover)?),
        None => None,
    };
    let stored = open_store(&server, inherited.is_some())?;
    let Server { listen, data_path, engine: options, settings, tls, store, fill, people, .. } = server;
    let (ready_file, config, listener, console) = (server.ready_file, server.config, server.listener, server.console);
    http.asks |= stored.as_ref().is_some_and(Stored::has_people);
    let keys = ProcessKeys::of(stored.as_ref()).map_err(|error| ServeError::Boot(BootError::Io(error)))?;
    let mut registry = registry(stored.as_ref(), options.shards, keys.digest)?;
    let keep = stored.as_ref().map(Stored::keep);
    let devices = fill.make(&mut registry, keep.as_ref()).map_err(ServeError::Fill)?;
    let ca = tls.as_ref().and_then(TlsConfig::local).map(Local::certificate_path);
    let ticket_key = stored.as_ref().map(Stored::ticket_key);
    let (tls, ordering) = open_tls(tls, &data_path, ticket_key, keep.as_ref()).map_err(ServeError::Tls)?;
    let plan = ShardPlan {
        settings: &settings,
        keys: &keys,
        registry: &registry,
        stored: stored.as_ref(),
        listen: &listen,
        tls: tls.as_deref(),
        http: &http,
        listener: listener.as_ref(),
    };
    let (mut engine, lanes) = boot::start(&options, plan, inherited).map_err(ServeError::Boot)?;
    say_where_state_is(stored.as_ref().map(|_| data_path.as_path()), &registry);
    let socket = std::path::absolute(&data_path).unwrap_or_else(|_| data_path.clone()).join("admin.sock");
    let orders = UpgradeOrders::default();
    let replacer: Option<Arc<dyn Replacer>> = stored.is_some().then(|| Arc::new(orders.clone()) as Arc<dyn Replacer>);
    let machine = HostMachine::new(&listen, &options, &data_path, tls.clone());
    let (facts, people) =
        (facts(&engine, started, (tls.as_ref(), machine), config.as_ref()), setup::people(people, &data_path, &engine));
    let desk = DeskParts { socket, metrics: listen.metrics, routes, people, facts, digest: keys.digest, replacer };
    let control = desk.start(&mut engine, lanes, registry, stored.as_ref(), ordering).map_err(ServeError::Control)?;
    if let Some(incoming) = incoming {
        take_over(incoming, &engine, &orders)?;
    }
    if let Some(stored) = &stored {
        stored.follow(engine.to_shards());
    }
    console::watch(console, engine.to_shards());
    let mut ready = Ready::new(&engine, &control, &desk.socket, ca.as_deref(), &devices);
    setup::links(&mut ready, &control, desk.people.public_url.as_deref());
    drop(devices);
    announce(&ready, control.device_names()).map_err(|error| ServeError::Boot(BootError::Io(error)))?;
    say_ready(&engine, &control, listener.is_some());
    // Last of all: whoever waits for it finds what was said before.
    if let Some(path) = ready_file {
        log::settle();
        ready.write(&path)?;
    }
    drop(ready);
    watchdog::start(&engine.progress);
    let asks = Vec::new();
    let running = Running { engine, control: Some(control), stored, tls, desk, store_config: store, data_path, asks };
    Ok((running, Reload { config, orders }))
}

/// Take the connections of the process before, and let it go.
fn take_over(incoming: &mut Incoming, engine: &Engine, orders: &UpgradeOrders) -> Result<(), ServeError> {
    let arrival = incoming.take_over(engine).map_err(ServeError::handover)?;
    let failed = |error: std::io::Error| ServeError::Boot(BootError::Io(error));
    engine.order_all(|| ShardOrder::Wake(arrival.claim)).map_err(failed)?;
    engine.progress.set_orders(false);
    let report = incoming.running(&arrival);
    tracing::info!(
        moved = report.moved,
        left = report.left,
        pause_ms = report.pause_ms,
        "upgrade: this process serves"
    );
    orders.set(report);
    notify::took_over();
    Ok(())
}

/// Could a server start with this? SignalAsk before the process before stands still.
fn could_start(server: &Server) -> Result<(), String> {
    if server.store.is_none() {
        return Err("state is in memory only: it cannot be handed over".to_owned());
    }
    if let Some(tls) = &server.tls {
        tls.check().map_err(|error| error.to_string())?;
    }
    boot::try_driver(&server.engine).map_err(|error| error.to_string())
}

/// Until a signal ends it, or another process serves in its place.
fn run(mut running: Running, signals: &mut Signals, reload: &Reload) -> Result<(), ServeError> {
    let ended = loop {
        match shutdown::wait(signals, &running.engine) {
            Ok(SignalAsk::Reload) => {
                notify::reloading();
                reload_all(reload.config.as_deref(), &running.engine, running.tls.as_deref());
                notify::ready();
            }
            Ok(SignalAsk::Upgrade) => {
                let Some(order) = reload.orders.take() else { continue };
                match hand_over(&mut running, &order) {
                    Ended::Back(report) => reload.orders.set(report),
                    Ended::Gone => return Ok(()),
                    Ended::Lost(why) => {
                        return Err(ServeError::handover(format!("the upgrade failed beyond repair: {why}")));
                    }
                }
            }
            Ok(SignalAsk::End) => {
                reload.orders.refuse();
                notify::stopping();
                shutdown::drain(signals, &running.engine);
                break Ok(());
            }
            Err(error) => break Err(error),
        }
    };
    drop(running.control.take());
    running.engine.stop();
    if let Some(stored) = running.stored.take() {
        stored.close();
    }
    ended.map_err(|error| ServeError::Boot(BootError::Io(error)))
}

fn of_signals(error: std::io::Error) -> ServeError {
    ServeError::Io { what: "signals cannot be caught".to_owned(), source: error.into(), advice: "" }
}

/// Who exists, from the store if there is one.
fn registry(stored: Option<&Stored>, shards: u16, digest: [u8; 32]) -> Result<Registry, ServeError> {
    Ok(match stored {
        Some(stored) => Registry::stored(shards, digest, stored.load().map_err(ServeError::Store)?),
        None => Registry::new(shards, digest),
    })
}

/// Log how the server runs and where it listens.
fn say_ready(engine: &Engine, control: &Control, is_dev: bool) {
    engine.probe.lines.iter().for_each(|line| tracing::info!("{line}"));
    for line in &engine.probe.limits_lines {
        // A maker with three devices needs no advice about a hundred thousand.
        if is_dev { tracing::debug!("{line}") } else { tracing::info!("{line}") }
    }
    let listed = |door| engine.addresses(door).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    tracing::info!(plain = listed(Door::Plain), tls = listed(Door::Tls), mutual = listed(Door::Mutual), "ready");
    if let Some(address) = control.metrics() {
        tracing::info!("metrics at http://{address}/metrics");
    }
    notify::ready();
}

/// What `linchpin status` says of the server itself.
fn facts(
    engine: &Engine,
    started: Instant,
    (tls, machine): (Option<&Arc<ServerTls>>, HostMachine),
    config: Option<&Arc<RunningConfig>>,
) -> Facts {
    Facts {
        version: env!("CARGO_PKG_VERSION"),
        commit: env!("LINCHPIN_COMMIT"),
        driver: engine.probe.lines.first().cloned().unwrap_or_default(),
        capacity: engine.probe.connections as u64,
        plain: engine.addresses(Door::Plain),
        tls: engine.addresses(Door::Tls),
        mutual: engine.addresses(Door::Mutual),
        proxied: engine.addresses(Door::Proxied),
        started,
        machine: Some(Arc::new(machine)),
        counters: counters::abouts(),
        certificate_end: tls.map(|tls| Arc::clone(tls) as Arc<dyn CertificateEnd>),
        config: config.cloned(),
    }
}

/// What the shards' HTTP needs beside the device APIs. Asks are passed on where the store has room for people; elsewhere the
/// paths of the control plane are not found.
fn http_options(server: &Server) -> Result<HttpOptions, ServeError> {
    let names = server.tls.iter().flat_map(TlsConfig::hosts).map(|name| name.to_ascii_lowercase());
    let assets = server.console.as_deref().map_or_else(|| Ok(console::embedded()), console::of_folder);
    Ok(HttpOptions {
        asks: server.test_routes,
        hosts: server.listen.hosts.iter().cloned().chain(names).map(String::into_boxed_str).collect(),
        proxies: server.listen.proxies.clone().into(),
        assets: assets.map_err(|why| ServeError::Io {
            what: "--console".to_owned(),
            source: why.into(),
            advice: "",
        })?,
    })
}

/// May this server have its data directory and its ports? SignalAsk before the store is opened: a second server would only hear
/// that the store is open somewhere, and one that cannot listen and is restarted for a weekend must not touch the store.
fn check_alone(data_path: &Path, listen: &Listen) -> Result<(), ServeError> {
    let path = data_path.join("admin.sock");
    match std::os::unix::net::UnixStream::connect(&path) {
        Ok(_) => Err(ServeError::Control(linchpin_control::StartError::InUse { path })),
        Err(_) => ports::check_free(listen).map_err(ServeError::Boot),
    }
}

fn say_where_state_is(data_path: Option<&Path>, registry: &Registry) {
    let devices = registry.devices().len();
    match data_path {
        Some(path) => tracing::info!(devices, "state is in {}", path.display()),
        None => {
            tracing::info!("state is kept in memory: devices, tokens and values are gone when the server stops");
        }
    }
}

/// New limits and certificates from the file: all of it, or nothing when something is wrong.
fn reload_all(running: Option<&RunningConfig>, engine: &Engine, tls: Option<&ServerTls>) {
    let Some(running) = running else {
        tracing::info!("SIGHUP: there is no configuration file to reload (linchpin dev)");
        let _ = reload_tls(tls, None);
        return;
    };
    let path = running.path();
    let read = config::read(path).and_then(|config| Ok((config, config::flat(path)?)));
    match read {
        Ok((Config { settings, tls: config, .. }, keys)) => {
            if !reload_tls(tls, config) {
                return tracing::error!("nothing of {} was reloaded", path.display());
            }
            engine.tell_all(&|| Command::Configure(Box::new(settings.clone())));
            let changes = running.changes(&keys, config::is_reloaded);
            let listed: Vec<_> = changes.iter().map(ToString::to_string).collect();
            let listed = if listed.is_empty() { "nothing has changed".to_owned() } else { listed.join("; ") };
            tracing::info!("limits reloaded from {}: {listed}", path.display());
            running.reloaded(keys, config::is_reloaded);
        }
        Err(error) => tracing::error!("the configuration was not reloaded, the old one stays:\n{error}"),
    }
}

/// False: they stay as they were.
fn reload_tls(tls: Option<&ServerTls>, config: Option<TlsConfig>) -> bool {
    let Some(tls) = tls else { return true };
    match tls.reload(config) {
        Ok(()) => tracing::info!("certificates reloaded; existing connections continue"),
        Err(error) => {
            tracing::error!("the certificates were not reloaded, the old ones stay: {error}");
            return false;
        }
    }
    true
}

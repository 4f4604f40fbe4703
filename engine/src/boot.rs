//! From options to running shards.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use linchpin_control::{Answers, CommandLane, Registry, Shards};
use linchpin_driver::{Backend, Driver, ListenerId, Mailbox, Options, Probe, Waker};
use linchpin_shard::{Command, Effects, Input, Settings, Shard, ShardId, ShardOptions};

use crate::bridge::{FromControl, Way};
use crate::config::EngineOptions;
use crate::core::{Clock, Core};
use crate::lanes::Lanes;
use crate::limits;
use crate::shutdown::Progress;

/// Why the engine does not start.
#[derive(Debug)]
pub(crate) enum BootError {
    /// The back end cannot be opened.
    Driver(linchpin_driver::OpenError),
    /// An address cannot be bound.
    Bind { address: SocketAddr, source: io::Error },
    /// A thread or random bytes are missing.
    Io(io::Error),
    /// A shard's thread ended or did not answer.
    Shard(u16),
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(source) => write!(f, "{source}. Use --driver portable (or driver = \"portable\") to start without it"),
            Self::Bind { address, source } if source.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "{address} is in use by another program: choose another port with --plain {}:{}, or any free one with port 0",
                address.ip(),
                address.port().wrapping_add(1).max(1024)
            ),
            Self::Bind { address, source } if source.kind() == io::ErrorKind::PermissionDenied => write!(
                f,
                "{address} may not be bound: ports below 1024 need CAP_NET_BIND_SERVICE, others do not (--plain {}:8080)",
                address.ip()
            ),
            Self::Bind { address, source } => write!(f, "{address} cannot be bound: {source}; see --plain"),
            Self::Io(source) => write!(f, "{source}"),
            Self::Shard(id) => write!(f, "shard {id} did not start within {:?}; see the log", limits::OPEN_TIMEOUT),
        }
    }
}

/// Running shards.
pub(crate) struct Engine {
    pub(crate) plain: Vec<SocketAddr>,
    pub(crate) probe: Probe,
    pub(crate) progress: Progress,
    /// For what the main thread itself tells the shards (settings, drain).
    wakers: Vec<Box<dyn CommandLane>>,
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Tell every shard.
    pub(crate) fn tell_all(&self, make: &dyn Fn() -> Command) {
        for lane in &self.wakers {
            // A full lane takes it within a tick.
            let mut command = make();
            while let Err(back) = lane.push(command) {
                command = *back;
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
    }

    /// Wait until all threads have ended.
    pub(crate) fn join(&mut self) {
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// What the main thread tells a shard's thread while it starts.
enum Order {
    Listen(Vec<SocketAddr>),
    Run(Vec<Mailbox>),
}

/// What it says.
enum Told {
    Opened(Mailbox, Waker),
    Failed(BootError),
    Listening(Vec<SocketAddr>),
}

/// Everything that a shard's thread starts with.
struct Seed {
    driver: Options,
    shard: ShardOptions,
    load: Vec<Command>,
    lanes: Lanes,
    commands: FromControl,
    answers: Answers,
    clock: Clock,
    progress: Progress,
    orders: Receiver<Order>,
    tell: Sender<Told>,
    pin_to: Option<usize>,
}

/// Keys that live as long as the process.
pub(crate) struct Keys {
    pub(crate) digest: [u8; 32],
    seed: [u8; 16],
}

impl Keys {
    /// Random ones.
    pub(crate) fn random() -> io::Result<Self> {
        let (mut digest, mut seed) = ([0; 32], [0; 16]);
        getrandom::fill(&mut digest).map_err(|_| io::Error::other("the operating system gave no random bytes"))?;
        getrandom::fill(&mut seed).map_err(|_| io::Error::other("the operating system gave no random bytes"))?;
        Ok(Self { digest, seed })
    }
}

/// Open all shards, load the registry into them, bind the addresses and run. The second half of the answer is the
/// control plane's way to the shards.
pub(crate) fn start(
    options: &EngineOptions,
    settings: &Settings,
    plain: &[SocketAddr],
    registry: &Registry,
    keys: &Keys,
) -> Result<(Engine, Shards), BootError> {
    for address in plain {
        check_free(*address)?;
    }
    let shards = options.shards;
    let driver = driver_options(options);
    let probe = linchpin_driver::probe(&driver, shards).map_err(BootError::Driver)?;
    let mut load = first_commands(registry, shards);
    let (answers, progress, clock) = (Answers::default(), Progress::new(shards), Clock::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut started = Vec::new();
    for (at, lanes) in Lanes::all(shards).into_iter().enumerate() {
        let (commands, to_shard) = Way::new().split();
        let (order, orders) = channel();
        let (tell, told) = channel();
        let id = ShardId(at as u16);
        let seed = Seed {
            driver: driver.clone(),
            shard: ShardOptions {
                id,
                shards,
                slots: driver.connections,
                seed: keys.seed,
                digest_key: keys.digest,
                settings: settings.clone(),
            },
            load: std::mem::take(&mut load[at]),
            lanes,
            commands,
            answers: answers.clone(),
            clock,
            progress: progress.clone(),
            orders,
            tell,
            pin_to: (usize::from(shards) <= cores && cores > 1).then_some(at),
        };
        let thread = std::thread::Builder::new().name(format!("shard-{at}")).spawn(move || run_shard(seed));
        started.push((id, thread.map_err(BootError::Io)?, order, told, to_shard));
    }
    let mut mailboxes = Vec::new();
    let mut lanes: [Vec<Box<dyn CommandLane>>; 2] = [Vec::new(), Vec::new()];
    for (id, _, _, told, to_shard) in &started {
        let Told::Opened(mailbox, waker) = hear(*id, told)? else { return Err(BootError::Shard(id.0)) };
        mailboxes.push(mailbox);
        lanes.iter_mut().for_each(|lanes| lanes.push(Box::new(to_shard(waker.clone()))));
    }
    // The first shard chooses free ports, the others share them.
    let mut bound = plain.to_vec();
    for (id, _, order, told, _) in &started {
        let _ = order.send(Order::Listen(bound.clone()));
        let Told::Listening(addresses) = hear(*id, told)? else { return Err(BootError::Shard(id.0)) };
        bound = addresses;
    }
    for (_, _, order, _, _) in &started {
        let _ = order.send(Order::Run(mailboxes.clone()));
    }
    let threads = started.into_iter().map(|(_, thread, ..)| thread).collect();
    let [for_control, wakers] = lanes;
    let engine = Engine { plain: bound, probe, progress, wakers, threads };
    Ok((engine, Shards::new(for_control, answers)))
}

fn driver_options(options: &EngineOptions) -> Options {
    // The kernel spreads connections unevenly for a moment: each shard may hold a quarter more than its share.
    let share = options.connections.div_ceil(u32::from(options.shards));
    let connections = (share + share / 4 + 64).min(linchpin_driver::limits::MAX_CONNECTIONS);
    Options {
        backend: options.driver,
        descriptors: options.descriptors,
        connections,
        process_connections: options.connections,
        features: options.features,
        ..Options::default()
    }
}

/// Shards share a port by SO_REUSEPORT, which would let a second server share it too: ask without it first.
fn check_free(address: SocketAddr) -> Result<(), BootError> {
    if address.port() == 0 {
        return Ok(());
    }
    std::net::TcpListener::bind(address).map(drop).map_err(|source| BootError::Bind { address, source })
}

/// What each shard knows before it serves.
fn first_commands(registry: &Registry, shards: u16) -> Vec<Vec<Command>> {
    let mut load: Vec<Vec<Command>> = (0..shards).map(|_| Vec::new()).collect();
    for commands in &mut load {
        commands.extend(registry.templates().iter().map(|template| Command::PutTemplate(Box::new(template.clone()))));
    }
    for device in registry.devices() {
        for (shard, command) in registry.announce(device) {
            load[shard.index()].push(command);
        }
    }
    load
}

fn hear(id: ShardId, told: &Receiver<Told>) -> Result<Told, BootError> {
    match told.recv_timeout(limits::OPEN_TIMEOUT) {
        Ok(Told::Failed(error)) => Err(error),
        Ok(other) => Ok(other),
        Err(_) => Err(BootError::Shard(id.0)),
    }
}

fn run_shard(seed: Seed) {
    if let Some(core) = seed.pin_to {
        let mut set = rustix::thread::CpuSet::new();
        set.set(core);
        if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
            tracing::debug!(%error, core, "the thread could not be pinned to its core");
        }
    }
    let tell = seed.tell.clone();
    match open_shard(seed) {
        Ok(Some(core)) => core.run(),
        // The main thread gave up.
        Ok(None) => {}
        Err(error) => {
            let _ = tell.send(Told::Failed(error));
        }
    }
}

fn open_shard(seed: Seed) -> Result<Option<Core>, BootError> {
    let mut driver = Driver::open(&seed.driver).map_err(BootError::Driver)?;
    if driver.backend() == Backend::Portable && seed.driver.backend == linchpin_driver::Choice::IoUring {
        return Err(BootError::Shard(seed.shard.id.0));
    }
    let id = seed.shard.id;
    let mut options = seed.shard;
    options.slots = driver.capacity() as u32;
    let mut shard = Shard::new(options, seed.clock.now());
    let mut fx = Effects::new();
    for command in seed.load {
        shard.handle(seed.clock.now(), Input::Command(command), &mut fx);
    }
    if seed.tell.send(Told::Opened(driver.mailbox(), driver.waker())).is_err() {
        return Ok(None);
    }
    let Ok(Order::Listen(addresses)) = seed.orders.recv() else { return Ok(None) };
    let mut listeners: Vec<ListenerId> = Vec::new();
    let mut bound = Vec::new();
    for address in addresses {
        let (listener, at) = driver.listen(address).map_err(|source| BootError::Bind { address, source })?;
        listeners.push(listener);
        bound.push(at);
    }
    if seed.tell.send(Told::Listening(bound)).is_err() {
        return Ok(None);
    }
    let Ok(Order::Run(mailboxes)) = seed.orders.recv() else { return Ok(None) };
    let mut lanes = seed.lanes;
    lanes.set_wakers(mailboxes.iter().map(Mailbox::waker).collect());
    Ok(Some(Core {
        id,
        driver,
        shard,
        lanes,
        commands: seed.commands,
        answers: seed.answers,
        mailboxes,
        listeners,
        clock: seed.clock,
        progress: seed.progress,
    }))
}

//! From options to running shards.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use linchpin_control::http::{AskDesk, AskLane, ask_lane};
use linchpin_control::{Answers, CommandLane, Registry, Shards};
use linchpin_driver::{Backend, Choice, Options, Probe};
use linchpin_shard::{Command, HttpOptions, Intake, LoginFailures, Settings, ShardId, ShardOptions};

use crate::config::{EngineOptions, Listen};
use crate::limits;
use crate::serve::error::BootError;
use crate::serve::progress::ShardProgress;
use crate::store::{Stored, load_all};
use crate::tick::clock::TickClock;
use crate::tick::command_lane::{self, ToShard};
use crate::tick::doors::{Door, Doors};
use crate::tick::lanes::Lanes;
use crate::tick::orders::{ShardAnswer, ShardOrder};
use crate::tick::thread::{self, Endpoint, Order, Seed, Told};
use crate::tick::voice::ToListener;
use crate::tls::ServerTls;

/// Running shards.
pub(crate) struct Engine {
    /// Where it listens, in the order of [`Listen::doors`].
    bound: Vec<(Door, SocketAddr)>,
    pub(crate) probe: Probe,
    pub(crate) progress: ShardProgress,
    /// For what the main thread itself tells the shards (settings, drain).
    shards: Vec<ToShard>,
    threads: Vec<JoinHandle<()>>,
    /// Control's ends of the lanes of asks, until control takes them.
    desks: Vec<AskDesk>,
    /// What it was told to listen at, in the same order.
    configured: Vec<(Door, SocketAddr)>,
    crews: Vec<Crew>,
    answers: Answers,
}

/// The way to a shard's thread for orders of a hand-over, and back.
struct Crew {
    orders: Sender<ShardOrder>,
    answers: Receiver<ShardAnswer>,
}

/// A listener of the process before.
pub(crate) struct Inherited {
    pub(crate) door: Door,
    /// As it was configured there.
    pub(crate) configured: SocketAddr,
    pub(crate) fd: OwnedFd,
}

impl Engine {
    /// Control's ends of the lanes of asks.
    pub(crate) fn take_desks(&mut self) -> Vec<AskDesk> {
        std::mem::take(&mut self.desks)
    }

    /// The addresses of the listeners of one kind.
    pub(crate) fn addresses(&self, door: Door) -> Vec<SocketAddr> {
        self.bound.iter().filter(|(kind, _)| *kind == door).map(|(_, address)| *address).collect()
    }

    /// Tell every shard.
    pub(crate) fn tell_all(&self, make: &dyn Fn() -> Command) {
        for (at, shard) in self.shards.iter().enumerate() {
            if let Err(back) = shard.push_within(make(), limits::TELL_TIMEOUT) {
                tracing::error!(shard = at, "the shard takes no commands; it was not told {back:?}");
            }
        }
    }

    /// How many shards there are.
    pub(crate) fn shards(&self) -> u16 {
        self.shards.len() as u16
    }

    /// What it was told to listen at.
    pub(crate) fn configured(&self) -> &[(Door, SocketAddr)] {
        &self.configured
    }

    /// Order one shard something, and wait until it has done it.
    ///
    /// # Errors
    /// It does not answer in time.
    pub(crate) fn order(&self, shard: usize, order: ShardOrder) -> io::Result<ShardAnswer> {
        self.send_order(shard, order)?;
        self.hear_answer(shard)
    }

    /// Order every shard the same, at the same time.
    ///
    /// # Errors
    /// One does not answer in time.
    pub(crate) fn order_all(&self, make: impl Fn() -> ShardOrder) -> io::Result<Vec<ShardAnswer>> {
        let count = self.crews.len();
        (0..count).try_for_each(|shard| self.send_order(shard, make()))?;
        (0..count).map(|shard| self.hear_answer(shard)).collect()
    }

    /// The same for one shard, and not to wait.
    pub(crate) fn send_order(&self, shard: usize, order: ShardOrder) -> io::Result<()> {
        let gone = |_| io::Error::other(format!("the thread of shard {shard} has ended"));
        self.crews[shard].orders.send(order).map_err(gone)?;
        self.shards[shard].wake();
        Ok(())
    }

    /// What a shard says to the oldest order that it was not heard about.
    pub(crate) fn hear_answer(&self, shard: usize) -> io::Result<ShardAnswer> {
        let late = |_| {
            io::Error::other(format!("shard {shard} did not do what it was ordered in {:?}", limits::ORDER_TIMEOUT))
        };
        self.crews[shard].answers.recv_timeout(limits::ORDER_TIMEOUT).map_err(late)
    }

    /// New ways between shards and a new control plane: control's, and the shards' ends of the lanes of asks.
    pub(crate) fn new_lanes(&mut self) -> (Shards, Vec<AskLane>) {
        let mut asks = Vec::new();
        self.desks.clear();
        for shard in &self.shards {
            let (lane, mut desk) = ask_lane();
            let waker = shard.waker();
            desk.set_wake(Arc::new(move || waker.wake_if_asleep()));
            asks.push(lane);
            self.desks.push(desk);
        }
        let lanes = self.shards.iter().map(|shard| Box::new(shard.clone()) as Box<dyn CommandLane>).collect();
        (Shards::new(lanes, self.answers.clone()), asks)
    }

    /// The ways to the shards.
    pub(crate) fn to_shards(&self) -> &[ToShard] {
        &self.shards
    }

    /// End all threads, so that sockets close in order. The end of the process closes what is left.
    pub(crate) fn stop(&mut self) {
        self.progress.set_over();
        self.shards.iter().for_each(ToShard::wake);
        let end = Instant::now() + limits::STOP_TIMEOUT;
        while self.threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Keys that live as long as the process.
pub(crate) struct ProcessKeys {
    pub(crate) digest: [u8; 32],
    seed: [u8; 16],
}

impl ProcessKeys {
    /// Random ones, where the store has none.
    pub(crate) fn of(stored: Option<&Stored>) -> io::Result<Self> {
        let (mut digest, mut seed) = ([0; 32], [0; 16]);
        getrandom::fill(&mut digest).map_err(|_| io::Error::other("the operating system gave no random bytes"))?;
        getrandom::fill(&mut seed).map_err(|_| io::Error::other("the operating system gave no random bytes"))?;
        Ok(Self { digest: stored.map_or(digest, |stored| *stored.token_key()), seed })
    }
}

/// Everything that all shards have in common.
#[derive(Clone, Copy)]
pub(crate) struct ShardPlan<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) keys: &'a ProcessKeys,
    pub(crate) registry: &'a Registry,
    /// The store; `None`: state is in memory only.
    pub(crate) stored: Option<&'a Stored>,
    pub(crate) listen: &'a Listen,
    pub(crate) tls: Option<&'a ServerTls>,
    /// What HTTP needs beside the device APIs.
    pub(crate) http: &'a HttpOptions,
    /// Who hears what happens to devices.
    pub(crate) listener: Option<&'a ToListener>,
}

/// A shard's thread as the main thread holds it while it starts.
struct Started {
    id: ShardId,
    thread: JoinHandle<()>,
    order: Sender<Order>,
    told: Receiver<Told>,
    sending: command_lane::Sending,
    desk: AskDesk,
    crew: Crew,
}

/// Open all shards, load the registry and the store into them, bind the addresses and run. The second half of the answer is the
/// control plane's way to the shards.
///
/// # Errors
/// See [`BootError`]. Threads that were started end by themselves.
///
/// With `inherited`, connections of the process before are still to come: shards stand still until they are told to wake.
pub(crate) fn start(
    options: &EngineOptions,
    plan: ShardPlan<'_>,
    mut inherited: Option<Vec<Inherited>>,
) -> Result<(Engine, Shards), BootError> {
    let mut driver = driver_options(options);
    let probe = linchpin_driver::probe(&driver, options.shards).map_err(BootError::Driver)?;
    // One back end for all: connections travel between like drivers only.
    driver.backend = match probe.backend {
        Backend::IoUring => Choice::IoUring,
        Backend::Portable => Choice::Portable,
    };
    match attempt(plan, &driver, options.shards, probe, &mut inherited) {
        // One ring could be opened and not all of them (locked memory): what `auto` promises still holds.
        Err(BootError::Driver(error)) if options.driver == Choice::Auto && driver.backend == Choice::IoUring => {
            tracing::warn!("{error}; starting on the portable back end instead");
            driver.backend = Choice::Portable;
            let probe = linchpin_driver::probe(&driver, options.shards).map_err(BootError::Driver)?;
            attempt(plan, &driver, options.shards, probe, &mut inherited)
        }
        other => other,
    }
}

fn attempt(
    plan: ShardPlan<'_>,
    driver: &Options,
    shards: u16,
    probe: Probe,
    inherited: &mut Option<Vec<Inherited>>,
) -> Result<(Engine, Shards), BootError> {
    let (answers, progress) = (Answers::default(), ShardProgress::new(shards));
    progress.set_orders(inherited.is_some());
    let started = spawn_all(plan, driver, shards, &answers, &progress, inherited.is_some())?;
    let mut mailboxes = Vec::new();
    let mut wakers = Vec::new();
    for shard in &started {
        let Told::Opened(mailbox, waker) = hear(shard)? else { return Err(BootError::Shard(shard.id.0)) };
        mailboxes.push(mailbox);
        wakers.push(waker);
    }
    // The first shard chooses free ports, the others share them.
    let configured = plan.listen.doors();
    let bound = listen_all(&started, &configured, inherited.take().unwrap_or_default())?;
    let (mut threads, mut orders, mut crews) = (Vec::new(), Vec::new(), Vec::new());
    let mut shards: Vec<ToShard> = Vec::new();
    let mut desks = Vec::new();
    for (mut shard, waker) in started.into_iter().zip(wakers) {
        let wakes = waker.clone();
        shard.desk.set_wake(Arc::new(move || wakes.wake_if_asleep()));
        desks.push(shard.desk);
        threads.push(shard.thread);
        crews.push(shard.crew);
        orders.push(shard.order);
        shards.push(shard.sending.with_waker(waker));
    }
    for order in orders {
        let _ = order.send(Order::Run(mailboxes.clone(), shards.clone()));
    }
    let lanes = shards.iter().map(|shard| Box::new(shard.clone()) as Box<dyn CommandLane>).collect();
    let engine = Engine { bound, probe, progress, shards, threads, desks, configured, crews, answers: answers.clone() };
    Ok((engine, Shards::new(lanes, answers)))
}

/// Let every shard listen: with the listeners of the process before where they fit, and at new ones. The first shard
/// chooses free ports, the others share them. Returns where the first one listens.
fn listen_all(
    started: &[Started],
    configured: &[(Door, SocketAddr)],
    mut inherited: Vec<Inherited>,
) -> Result<Vec<(Door, SocketAddr)>, BootError> {
    let mut bound: Vec<SocketAddr> = configured.iter().map(|(_, address)| *address).collect();
    for (at, shard) in started.iter().enumerate() {
        let mut endpoints = Vec::new();
        for (place, (door, address)) in configured.iter().enumerate() {
            let fits = |it: &Inherited| it.door == *door && it.configured == *address;
            let endpoint = match inherited.iter().position(fits) {
                Some(found) => Endpoint::Inherited(inherited.remove(found).fd),
                None => Endpoint::Bind(bound[place]),
            };
            endpoints.push((*door, endpoint));
        }
        // More shards before than now: whoever waits at their listeners must not wait in vain.
        if at + 1 == started.len() {
            let known = |it: &Inherited| configured.contains(&(it.door, it.configured));
            let rest = std::mem::take(&mut inherited).into_iter().filter(known);
            endpoints.extend(rest.map(|it| (it.door, Endpoint::Inherited(it.fd))));
        }
        let _ = shard.order.send(Order::Listen(endpoints));
        let Told::Listening(addresses) = hear(shard)? else { return Err(BootError::Shard(shard.id.0)) };
        bound = addresses.into_iter().take(configured.len()).collect();
    }
    Ok(configured.iter().map(|(door, _)| *door).zip(bound).collect())
}

fn spawn_all(
    plan: ShardPlan<'_>,
    driver: &Options,
    shards: u16,
    answers: &Answers,
    progress: &ShardProgress,
    arrives: bool,
) -> Result<Vec<Started>, BootError> {
    let clock = TickClock::new();
    let kinds: Vec<Door> = plan.listen.doors().into_iter().map(|(door, _)| door).collect();
    let cores = cores(shards);
    let share = plan.registry.devices().len().div_ceil(usize::from(shards));
    let failures = Arc::new(LoginFailures::new(plan.keys.seed));
    let (mut started, mut loaders) = (Vec::new(), Vec::new());
    for (at, lanes) in Lanes::all(shards).into_iter().enumerate() {
        let (sending, commands) = command_lane::way();
        let (asks, desk) = ask_lane();
        let (order, orders) = channel();
        let (tell, told) = channel();
        let (shard_orders, to_carry_out) = channel();
        let (answers_orders, carried_out) = channel();
        let (loader, load) = sync_channel(limits::LOAD_CHUNKS);
        loaders.push(loader);
        let id = ShardId(at as u16);
        let seed = Seed {
            driver: driver.clone(),
            shard: ShardOptions {
                id,
                shards,
                slots: driver.connections,
                seed: plan.keys.seed,
                digest_key: plan.keys.digest,
                settings: plan.settings.clone(),
                intake: if plan.stored.is_some() { Intake::All } else { Intake::Memory },
                replaying: plan.stored.is_some(),
                tls: plan.tls.map(ServerTls::for_shard).transpose().map_err(BootError::Tls)?,
                failures: Arc::clone(&failures),
                http: plan.http.clone(),
            },
            load,
            store: plan.stored.map(Stored::lane).transpose().map_err(BootError::Store)?,
            // Hashing spreads them almost evenly.
            devices: share + share / 16,
            lanes,
            doors: Doors { kinds: kinds.clone(), proxies: plan.listen.proxies.clone() },
            commands,
            asks,
            answers: answers.clone(),
            clock,
            progress: progress.clone(),
            orders,
            tell,
            shard_orders: to_carry_out,
            answers_orders,
            arrives,
            pin_to: cores.get(at).copied(),
            listener: plan.listener.cloned(),
        };
        let thread = std::thread::Builder::new().name(format!("shard-{at}")).spawn(move || thread::run(seed));
        let crew = Crew { orders: shard_orders, answers: carried_out };
        started.push(Started { id, thread: thread.map_err(BootError::Io)?, order, told, sending, desk, crew });
    }
    let keep = plan.stored.map(Stored::keep);
    load_all(plan.registry, keep.as_ref(), loaders).map_err(|error| BootError::Store(error.into()))?;
    Ok(started)
}

/// The core of each shard; none when there are more shards than cores, or only one core: the kernel knows better then.
fn cores(shards: u16) -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let Ok(allowed) = sched_getaffinity(None) else { return Vec::new() };
    let cores: Vec<_> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    if cores.len() > 1 && usize::from(shards) <= cores.len() { cores } else { Vec::new() }
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
        idle: options.idle_receive,
        ..Options::default()
    }
}

/// Huge pages would make tables resident that are reserved for connections to come. Without success they cost memory only.
pub(crate) fn disable_huge_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages could not be switched off");
    }
}

/// Use all descriptors that the process may have: the soft limit is often 1,024, for the sake of programs that use
/// select(). Without success the limits that stand are used, and the start message tells them.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let all = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, all) {
            tracing::debug!(%error, "the soft limit of descriptors could not be raised");
        }
    }
}

/// Take what the process may have, and see whether it is enough to start at all: without it the first library that asks for
/// more ends the process with words of its own.
pub(crate) fn take_resources() -> Result<(), BootError> {
    use rustix::process::{Resource, getrlimit};
    raise_descriptor_limit();
    let needs = [
        (Resource::Nofile, "descriptors", 1, limits::LEAST_DESCRIPTORS, "raise it (ulimit -n, systemd: LimitNOFILE=)"),
        (
            Resource::As,
            "MiB of addresses",
            1 << 20,
            limits::LEAST_ADDRESS_BYTES,
            "lift it (ulimit -v unlimited): most of it is never memory; bound that with MemoryMax= instead",
        ),
    ];
    for (resource, unit, divisor, least, advice) in needs {
        let found = getrlimit(resource).current.unwrap_or(u64::MAX);
        if found < least {
            return Err(BootError::TooFew { found: found / divisor, least: least / divisor, unit, advice });
        }
    }
    Ok(())
}

/// Can the back end be opened here?
pub(crate) fn try_driver(options: &EngineOptions) -> Result<(), BootError> {
    linchpin_driver::probe(&driver_options(options), options.shards).map(drop).map_err(BootError::Driver)
}

fn hear(shard: &Started) -> Result<Told, BootError> {
    match shard.told.recv_timeout(limits::OPEN_TIMEOUT) {
        Ok(Told::Failed(error)) => Err(error),
        Ok(other) => Ok(other),
        Err(_) => Err(BootError::Shard(shard.id.0)),
    }
}

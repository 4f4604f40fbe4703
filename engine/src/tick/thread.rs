//! A shard's thread, from its first order to its end.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender};

use linchpin_control::Answers;
use linchpin_control::http::AskLane;
use linchpin_driver::{Driver, ListenerId, Mailbox, Options, Waker};
use linchpin_shard::{Command, Effects, Input, Shard, ShardOptions};

use crate::serve::error::BootError;
use crate::serve::progress::ShardProgress;
use crate::store::StoreLane;
use crate::tick::Core;
use crate::tick::clock::TickClock;
use crate::tick::command_lane::{FromControl, ToShard};
use crate::tick::doors::{Door, Doors};
use crate::tick::lanes::Lanes;
use crate::tick::log::ShardLog;
use crate::tick::orders::{Handover, ShardAnswer, ShardOrder};
use crate::tick::times::TickTimes;
use crate::tick::voice::{ToListener, Voice};

/// Where a shard listens.
pub(crate) enum Endpoint {
    /// At this address.
    Bind(SocketAddr),
    /// With a listener of the process before.
    Inherited(OwnedFd),
}

/// What the main thread tells a shard's thread while it starts.
pub(crate) enum Order {
    Listen(Vec<(Door, Endpoint)>),
    Run(Vec<Mailbox>, Vec<ToShard>),
}

/// What it says.
pub(crate) enum Told {
    Opened(Mailbox, Waker),
    Failed(BootError),
    Listening(Vec<SocketAddr>),
}

/// Everything that a shard's thread starts with.
pub(crate) struct Seed {
    pub(crate) driver: Options,
    pub(crate) shard: ShardOptions,
    pub(crate) load: Receiver<Vec<Command>>,
    pub(crate) store: Option<StoreLane>,
    /// About how many devices will live here.
    pub(crate) devices: usize,
    pub(crate) lanes: Lanes,
    pub(crate) doors: Doors,
    pub(crate) commands: FromControl,
    pub(crate) asks: AskLane,
    pub(crate) answers: Answers,
    pub(crate) clock: TickClock,
    pub(crate) progress: ShardProgress,
    pub(crate) orders: Receiver<Order>,
    pub(crate) tell: Sender<Told>,
    /// What comes once it runs.
    pub(crate) shard_orders: Receiver<ShardOrder>,
    pub(crate) answers_orders: Sender<ShardAnswer>,
    /// Its connections come from the process before: it serves once it is told to.
    pub(crate) arrives: bool,
    pub(crate) pin_to: Option<usize>,
    /// Where it says what happens to devices.
    pub(crate) listener: Option<ToListener>,
}

/// Tells the main thread when a shard's thread panics.
struct Alarm(ShardProgress);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.shard_failed();
        }
    }
}

/// Open the shard, serve, and end when the process ends.
pub(crate) fn run(seed: Seed) {
    let _alarm = Alarm(seed.progress.clone());
    if let Some(core) = seed.pin_to {
        let mut set = rustix::thread::CpuSet::new();
        set.set(core);
        if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
            tracing::debug!(%error, core, "the thread could not be pinned to its core");
        }
    }
    let tell = seed.tell.clone();
    match open(seed) {
        Ok(Some(core)) => core.run(),
        // The main thread gave up.
        Ok(None) => {}
        Err(error) => {
            let _ = tell.send(Told::Failed(error));
        }
    }
}

fn open(seed: Seed) -> Result<Option<Core>, BootError> {
    let mut driver = Driver::open(&seed.driver).map_err(BootError::Driver)?;
    let mut options = seed.shard;
    options.slots = driver.capacity() as u32;
    let id = options.id;
    let mut shard = Shard::new(options, seed.clock.now());
    shard.reserve(seed.devices);
    if seed.listener.is_some() {
        shard.show_points();
    }
    if seed.listener.is_some() || tracing::enabled!(tracing::Level::DEBUG) {
        shard.show_logins();
    }
    let mut fx = Effects::new();
    for command in seed.load.into_iter().flatten() {
        shard.handle(seed.clock.now(), Input::Command(command), &mut fx);
    }
    if seed.tell.send(Told::Opened(driver.mailbox(), driver.waker())).is_err() {
        return Ok(None);
    }
    if seed.arrives {
        driver.pause();
    }
    let Ok(Order::Listen(endpoints)) = seed.orders.recv() else { return Ok(None) };
    let mut doors = seed.doors;
    doors.kinds = endpoints.iter().map(|(door, _)| *door).collect();
    let mut listeners: Vec<ListenerId> = Vec::new();
    let mut bound = Vec::new();
    for (door, endpoint) in endpoints {
        let (listener, at) = match endpoint {
            Endpoint::Bind(address) => {
                driver.listen(address).map_err(|source| BootError::Bind { door, address, source })?
            }
            Endpoint::Inherited(fd) => driver.adopt_listener(fd).map_err(BootError::Io)?,
        };
        listeners.push(listener);
        bound.push(at);
    }
    if seed.tell.send(Told::Listening(bound.clone())).is_err() {
        return Ok(None);
    }
    let Ok(Order::Run(mailboxes, shards)) = seed.orders.recv() else { return Ok(None) };
    let mut store = seed.store;
    if let Some(store) = &mut store {
        store.set_shards(shards);
    }
    let mut lanes = seed.lanes;
    lanes.set_wakers(mailboxes.iter().map(Mailbox::waker).collect());
    Ok(Some(Core {
        driver,
        shard,
        lanes,
        commands: seed.commands,
        asks: seed.asks,
        store,
        answers: seed.answers,
        mailboxes,
        listeners,
        bound,
        clock: seed.clock,
        progress: seed.progress,
        log: ShardLog::new(id, seed.listener.map(Voice::new)),
        doors,
        ticks: TickTimes::default(),
        orders: seed.shard_orders,
        answers_orders: seed.answers_orders,
        handover: if seed.arrives { Handover::arriving() } else { Handover::default() },
        id,
    }))
}

//! Starting the control plane on its own threads.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use linchpin_protocol::model::DeviceId;
use linchpin_shard::Command;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::acme::{Acme, Serve};
use crate::backup::Upkeep;
use crate::command::Desk;
use crate::command::fleet::{follow_boards, resume_moves};
use crate::command::privacy::follow_erasures;
use crate::fleet::FleetDesk;
use crate::http::{self, AskDesk, RouteOptions};
use crate::people::{People, PeopleSettings};
use crate::player::Players;
use crate::shards::Desired;
use crate::{Facts, Registry, Replacer, Shards, StartError, admin, backup, clock, limits, monitor};

/// The running control plane. Its socket is removed and its threads end when this is dropped.
pub struct Control {
    socket: PathBuf,
    metrics: Option<SocketAddr>,
    runtime: Option<Runtime>,
    desk: Arc<Desk>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Control {
    /// Answer the asks of all shards, on the worker threads.
    pub fn answer_asks(&self, options: RouteOptions, desks: Vec<AskDesk>) {
        let Some(runtime) = &self.runtime else { return };
        let front = http::front(&self.desk, options);
        for desk in desks {
            runtime.spawn(front.clone().serve(desk));
        }
    }

    /// End it, and wait for a while until what it was doing with the store is over and its sockets are closed: another
    /// process will use both.
    pub fn stop(mut self, within: Duration) {
        let _ = std::fs::remove_file(&self.socket);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(within);
        }
    }

    /// A link that sets the server up, good once and for half an hour; `None`: somebody can sign in already, or the store has
    /// no room for people.
    #[must_use]
    pub fn setup_link(&self) -> Option<String> {
        let people = self.desk.people.as_ref()?;
        match people.renew_setup(clock::now_ms()) {
            Ok(made) => made.map(|(link, _)| link),
            Err(error) => {
                tracing::error!(%error, "no link to set the server up was made: `linchpin admin bootstrap` makes one");
                None
            }
        }
    }

    /// Says a device's name, as it is when it is asked; `None`: there is no such device, or it has no name.
    #[must_use]
    pub fn device_names(&self) -> Box<dyn Fn(DeviceId) -> Option<String> + Send> {
        let registry = Arc::clone(&self.desk.registry);
        Box::new(move |id| {
            let registry = registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let name = registry.device(id).map(|device| device.name.as_ref().to_owned());
            name.filter(|name: &String| !name.is_empty())
        })
    }

    /// Are there routes for people?
    #[must_use]
    pub fn has_people(&self) -> bool {
        self.desk.people.is_some()
    }

    /// Where the metrics are.
    #[must_use]
    pub const fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if self.runtime.is_some() {
            let _ = std::fs::remove_file(&self.socket);
        }
        // What waits for the disk on its threads is not waited for: the store closes in order after it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What the control plane does besides answering.
#[derive(Default)]
pub struct Duties {
    /// Backups, keys and checks of the store; `None`: state is in memory only.
    pub upkeep: Option<Upkeep>,
    /// What people's sign-in needs; people are there if the store has room for them.
    pub people: PeopleSettings,
    /// Certificates that are ordered, and who serves them.
    pub ordering: Option<(Acme, Serve)>,
    /// Replaces the running process; `None`: it cannot be.
    pub replacer: Option<Arc<dyn Replacer>>,
}

impl std::fmt::Debug for Duties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Duties").field("upkeep", &self.upkeep).finish_non_exhaustive()
    }
}

/// Bind the admin socket and serve it on threads of its own, [`limits::WORKERS`] of them: what computes for long there
/// holds up neither the socket nor a shard.
///
/// # Errors
/// See [`StartError`].
pub fn start(
    socket: &Path,
    owner: u32,
    metrics: Option<SocketAddr>,
    shards: Shards,
    registry: Registry,
    duties: Duties,
    facts: Facts,
) -> Result<Control, StartError> {
    let io = |source| StartError::Io { path: socket.into(), source };
    let runtime = Builder::new_multi_thread()
        .worker_threads(limits::WORKERS)
        .max_blocking_threads(limits::BLOCKING_THREADS)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(io)?;
    let (listener, monitor) = {
        let _inside = runtime.enter();
        let monitor = match metrics {
            Some(address) => Some(monitor::bind(address).map_err(|source| StartError::Metrics { address, source })?),
            None => None,
        };
        (admin::bind(socket)?, monitor)
    };
    let metrics = monitor.as_ref().and_then(|listener| listener.local_addr().ok());
    let Duties { upkeep, people, ordering, replacer } = duties;
    let acme = {
        let _inside = runtime.enter();
        ordering.map(|(acme, serve)| acme.start(serve)).transpose().map_err(StartError::Acme)?
    };
    let backups = upkeep.clone();
    let (shards, registry) = (Arc::new(shards), Arc::new(Mutex::new(registry)));
    let desired = Arc::new(Desired::new(Arc::clone(&shards), Arc::clone(&registry)));
    {
        let _inside = runtime.enter();
        desired.spawn();
    }
    let played_path = people.played_path.clone();
    let people = upkeep
        .as_ref()
        .and_then(|upkeep| People::open(upkeep, people).transpose())
        .transpose()
        .map_err(io)?
        .map(Arc::new);
    let fleet = registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take_fleet();
    let fleet = FleetDesk::new(fleet).map_err(io)?;
    let keep = upkeep.as_ref().map(|upkeep| upkeep.keep().clone());
    let players = Players::new(keep, Arc::clone(&registry), &facts, played_path);
    let work = Arc::default();
    let desk =
        Arc::new(Desk { shards, registry, desired, upkeep, acme, people, facts, fleet, players, replacer, work });
    begin_tasks(&desk, runtime.handle())?;
    if let Some(monitor) = monitor {
        runtime.spawn(monitor::serve(monitor, Arc::clone(&desk)));
    }
    if let Some(upkeep) = backups {
        runtime.spawn(backup::run(upkeep));
    }
    runtime.spawn(admin::serve(listener, Arc::clone(&desk), owner));
    Ok(Control { socket: socket.into(), metrics, runtime: Some(runtime), desk })
}

/// What goes on beside the commands, for as long as the runtime lives.
fn begin_tasks(desk: &Arc<Desk>, runtime: &Handle) -> Result<(), StartError> {
    let _inside = runtime.enter();
    resume_moves(desk);
    pass_on_ended_rights(desk, runtime);
    if let Some(people) = &desk.people {
        let task = people.mail_task().map_err(StartError::Mail)?;
        tokio::spawn(task.run());
    }
    tokio::spawn(follow_boards(Arc::clone(desk)));
    tokio::spawn(follow_erasures(Arc::clone(desk)));
    desk.players.spawn_all();
    Ok(())
}

/// Live sockets go by rights that shards were told of: let every shard know of each that has ended.
fn pass_on_ended_rights(desk: &Arc<Desk>, runtime: &Handle) {
    let Some(people) = &desk.people else { return };
    let (runtime, shards) = (runtime.clone(), Arc::clone(&desk.shards));
    let ended = Arc::downgrade(people.loader().ended());
    people.loader().ended().set_pass_on(move |revocation| {
        let (shards, ended) = (Arc::clone(&shards), ended.clone());
        runtime.spawn(async move {
            for shard in shards.all() {
                let ask = |request| Command::RevokeRights { request, revocation };
                while let Err(error) = shards.ask(shard, ask).await {
                    tracing::warn!(shard = shard.0, %error, "a shard does not know yet of rights that have ended");
                    tokio::time::sleep(limits::REVOKE_AGAIN).await;
                }
            }
            if let Some(ended) = ended.upgrade() {
                ended.passed_on();
            }
        });
    });
}

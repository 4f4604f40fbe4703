//! A server that runs: what it is made of, and how it leaves its store to another process and comes back.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use linchpin_control::http::{AskLane, RouteOptions};
use linchpin_control::{Control, Duties, Facts, PeopleSettings, Registry, Replacer, Shards};

use crate::config::StoreConfig;
use crate::limits;
use crate::serve::boot::Engine;
use crate::store::Stored;
use crate::tick::doors::Door;
use crate::tick::orders::{Resumed, ShardAnswer, ShardOrder};
use crate::tls::{Ordering, ServerTls, order_again};

/// See the module's page.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) control: Option<Control>,
    pub(crate) stored: Option<Stored>,
    pub(crate) tls: Option<Arc<ServerTls>>,
    pub(crate) desk: DeskParts,
    /// What the store is opened with; `None`: state is in memory only.
    pub(crate) store_config: Option<StoreConfig>,
    pub(crate) data_path: PathBuf,
    /// The shards' ends of new lanes of asks, until they resume.
    pub(crate) asks: Vec<AskLane>,
}

/// What a control plane is started with, again and again.
pub(crate) struct DeskParts {
    pub(crate) socket: PathBuf,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) routes: RouteOptions,
    pub(crate) people: PeopleSettings,
    pub(crate) facts: Facts,
    pub(crate) digest: [u8; 32],
    pub(crate) replacer: Option<Arc<dyn Replacer>>,
}

impl DeskParts {
    /// Start it.
    pub(crate) fn start(
        &self,
        engine: &mut Engine,
        shards: Shards,
        registry: Registry,
        stored: Option<&Stored>,
        ordering: Option<Ordering>,
    ) -> Result<Control, linchpin_control::StartError> {
        let owner = rustix::process::getuid().as_raw();
        let duties = Duties {
            upkeep: stored.map(Stored::upkeep),
            people: self.people.clone(),
            ordering,
            replacer: self.replacer.clone(),
        };
        let control =
            linchpin_control::start(&self.socket, owner, self.metrics, shards, registry, duties, self.facts.clone())?;
        control.answer_asks(self.routes, engine.take_desks());
        Ok(control)
    }
}

fn strange() -> io::Error {
    io::Error::other("a shard answers what it was not asked")
}

impl Running {
    /// Connections that are in the middle of something.
    pub(crate) fn unsettled(&self) -> io::Result<usize> {
        self.count_unsettled(|| ShardOrder::CountUnsettled)
    }

    fn count_unsettled(&self, make: impl Fn() -> ShardOrder) -> io::Result<usize> {
        self.engine.order_all(make)?.into_iter().try_fold(0, |sum, answer| match answer {
            ShardAnswer::Unsettled(count) => Ok(sum + count),
            _ => Err(strange()),
        })
    }

    /// Accept nothing more. Where descriptors cannot go to another process, their connections are ended at a pace: they
    /// come back to the new one.
    pub(crate) fn settle(&mut self) -> io::Result<usize> {
        self.engine.progress.set_orders(true);
        let unsettled = self.count_unsettled(|| ShardOrder::StopAccepting)?;
        let can_export = self.engine.order_all(|| ShardOrder::CanExport)?;
        if can_export.iter().any(|answer| matches!(answer, ShardAnswer::Still(false))) {
            tracing::warn!("this kernel gives no descriptors of direct ones: connections are ended at a pace instead");
            self.end_at_pace()?;
        }
        Ok(unsettled)
    }

    fn end_at_pace(&self) -> io::Result<()> {
        let end = Instant::now() + limits::DRAIN_TIMEOUT;
        let per_look =
            linchpin_shard::limits::DRAIN_PER_SECOND as usize / 10 / usize::from(self.engine.shards().max(1));
        while Instant::now() < end {
            let answers = self.engine.order_all(|| ShardOrder::EndSome(per_look.max(1)))?;
            let left: usize =
                answers.iter().map(|answer| if let ShardAnswer::Unsettled(left) = answer { *left } else { 0 }).sum();
            if left == 0 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        Ok(())
    }

    /// Receive nothing more, and let everything that is under way between shards come to its end.
    pub(crate) fn stand_still(&self) -> io::Result<()> {
        let answers = self.engine.order_all(|| ShardOrder::StandStill)?;
        if answers.iter().any(|answer| !matches!(answer, ShardAnswer::Still(true))) {
            return Err(io::Error::other("a shard does not come to a stand"));
        }
        self.last_rounds()
    }

    fn last_rounds(&self) -> io::Result<()> {
        for _ in 0..limits::LAST_ROUNDS {
            // Whoever did nothing in a round that began after everybody else's last one has nothing under way.
            let answers = self.engine.order_all(|| ShardOrder::Round)?;
            if answers.iter().all(|answer| matches!(answer, ShardAnswer::Rounded(false))) {
                return Ok(());
            }
        }
        Err(io::Error::other("letters between shards do not end"))
    }

    /// End the control plane, give everything to the store, and close it.
    pub(crate) fn leave_store(&mut self) -> io::Result<()> {
        if let Some(control) = self.control.take() {
            control.stop(limits::CONTROL_END);
        }
        self.engine.order_all(|| ShardOrder::LeaveStore)?;
        let Some(stored) = self.stored.take() else { return Ok(()) };
        let closing = stored.end_changes();
        // What waited for the disk is answered now.
        self.last_rounds()?;
        closing.close();
        Ok(())
    }

    /// Open the store again and start the control plane.
    pub(crate) fn return_to_store(&mut self) -> Result<(), String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        // It may not have got as far as closing it.
        if let Some(stored) = self.stored.take() {
            stored.close();
        }
        if let Some(control) = self.control.take() {
            control.stop(limits::CONTROL_END);
        }
        let Some(config) = &self.store_config else { return Err("there is no store".to_owned()) };
        let stored = Stored::open_when_free(&self.data_path, config).map_err(|error| text(&error))?;
        let loaded = stored.load().map_err(|error| text(&error))?;
        let registry = Registry::stored(self.engine.shards(), self.desk.digest, loaded);
        let keep = stored.keep();
        let ordering = match &self.tls {
            Some(tls) => order_again(tls, Some(&keep)).map_err(|error| text(&error))?,
            None => None,
        };
        let (shards, asks) = self.engine.new_lanes();
        self.asks = asks;
        let control = self.desk.start(&mut self.engine, shards, registry, Some(&stored), ordering);
        self.control = Some(control.map_err(|error| text(&error))?);
        self.stored = Some(stored);
        Ok(())
    }

    /// Put everything back and serve on.
    pub(crate) fn resume(&mut self) -> Result<(), String> {
        let mut asks: Vec<Option<AskLane>> = std::mem::take(&mut self.asks).into_iter().map(Some).collect();
        asks.resize_with(usize::from(self.engine.shards()), || None);
        for (shard, asks) in asks.into_iter().enumerate() {
            let store = match &self.stored {
                // With the new lane of asks a new store came.
                Some(stored) if asks.is_some() => Some(stored.lane().map_err(|error| error.to_string())?),
                _ => None,
            };
            let store = store.map(|mut lane| {
                lane.set_shards(self.engine.to_shards().to_vec());
                lane
            });
            let order = ShardOrder::Resume(Box::new(Resumed { store, asks }));
            self.engine.order(shard, order).map_err(|error| error.to_string())?;
        }
        if let Some(stored) = &self.stored {
            stored.attend(self.engine.to_shards());
        }
        self.engine.progress.set_orders(false);
        Ok(())
    }

    /// Descriptors of all listeners, with what they are for and how they were configured.
    pub(crate) fn listeners(&self) -> io::Result<Vec<(Door, SocketAddr, OwnedFd)>> {
        let mut all = Vec::new();
        for answer in self.engine.order_all(|| ShardOrder::Listeners)? {
            let ShardAnswer::Listeners(listeners) = answer else { return Err(strange()) };
            let configured = self.engine.configured().iter();
            let open = configured.zip(listeners?).filter_map(|((door, address), fd)| Some((*door, *address, fd?)));
            all.extend(open);
        }
        Ok(all)
    }

    /// The new process serves: end the threads; whatever stayed hears why.
    pub(crate) fn leave(&mut self) {
        if let Err(error) = self.engine.order_all(|| ShardOrder::Leave) {
            tracing::warn!(%error, "a shard's thread did not end in time");
        }
    }
}
